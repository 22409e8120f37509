"""Floor 6: the commands; arguments in, text and exit code out."""
