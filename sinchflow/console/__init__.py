"""Floor 5: web pages of the daemon, on the admin port."""
