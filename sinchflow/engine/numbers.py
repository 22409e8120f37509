"""Numbers as people write them: `to_e164`, which lies one floor below for lists and templates, under its old name."""

from sinchflow.expression.numbers import to_e164

__all__ = ["to_e164"]
