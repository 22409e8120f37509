"""Webhooks at the provider as code: what is wanted, what is there, the difference, and doing it."""
