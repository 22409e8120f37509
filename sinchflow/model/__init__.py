"""Floor 0: the nouns of sinchflow, frozen. Standard library and msgspec only."""
