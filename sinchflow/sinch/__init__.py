"""Floor 3: the provider. Its hosts, its calls, its errors and the bodies that it pushes; nothing about flows."""
