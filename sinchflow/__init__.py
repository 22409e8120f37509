"""sinchflow: a declarative runner for SMS rules on top of Sinch Engage / MessageMedia."""

__version__ = "0.1.0"
