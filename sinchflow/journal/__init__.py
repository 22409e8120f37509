"""Floor 3: what survives. A `Journal` protocol, its SQLite form and its in-memory twin."""
