"""Transcript tests, `*.test.yaml`, played by the real engine, routing and policy in virtual time."""
