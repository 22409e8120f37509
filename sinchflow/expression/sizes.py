"""Sizes as the project file writes them: `500MB 20GB 1TB`, in powers of ten as disks are sold."""

import re

_SIZE = re.compile(r"(\d{1,9})(MB|GB|TB)")
_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_size(text: str) -> int | None:
    """The bytes that the text spells, or None when it is no size."""
    found = _SIZE.fullmatch(text)
    return None if found is None else int(found[1]) * _UNITS[found[2]]
