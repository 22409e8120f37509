"""`sinchflow version`."""

from sinchflow import __version__


def version() -> None:
    """Print the version.

    \b
    Example:
      sinchflow version
    """
    print(f"sinchflow {__version__}")
