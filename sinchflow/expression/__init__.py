"""Floor 1: templates, conditions and patterns: text with holes in, values and matches out. Pure."""
