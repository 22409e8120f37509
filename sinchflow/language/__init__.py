"""Floor 2: YAML text in, flows and diagnostics out. Knows the files' language, nothing of how flows run."""
