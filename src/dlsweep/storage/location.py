"""Location of results: a path on this machine, or the URL of a folder on a remote file system."""

from __future__ import annotations

import re
from pathlib import Path

from dlsweep.errors import UsageError

_URL = re.compile(r"[a-z][a-z0-9+.-]+://.*", re.DOTALL | re.IGNORECASE)
_FLATTENED = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)  # first part of a URL that was made a `Path`


def located(place: str | Path) -> Path:
    """Return the location that a text stands for. Raise a `UsageError` for a URL that cannot be used.

    >>> located("results").name
    'results'
    """
    text = str(place)
    if _URL.fullmatch(text):
        raise UsageError(f"{text} is a URL, and results are kept in folders of this machine only; give a folder")
    path = Path(place)
    if len(path.parts) > 1 and _FLATTENED.fullmatch(path.parts[0]) and not Path(path.parts[0]).is_dir():
        rest = "/".join(path.parts[1:])
        raise UsageError(f"{path} is neither a URL nor a folder; a URL is written as a text, {path.parts[0]}//{rest}")
    return path
