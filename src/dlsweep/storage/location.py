"""Location of results: a path on this machine, or the URL of a folder on a remote file system."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from dlsweep.errors import UsageError
from dlsweep.text import nearest

INSTALL = "results on a remote file system need fsspec; install it, with S3's package: pip install 'dlsweep[remote]'"

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.DOTALL | re.IGNORECASE)
_FLATTENED = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)  # first part of a URL that was converted to a `Path`
_SECRET = re.compile(r"://[^/@]*:[^/@]*@")
# Seconds without an answer, after which a request to S3 is tried again (s3fs does so five times).
_S3 = {"connect_timeout": 5, "read_timeout": 10, "retries": {"total_max_attempts": 2, "mode": "standard"}}


def located(place: str | Path) -> Path:
    """Return a path; for a URL a `UPath`, which has the methods of a `Path`.

    Raise a `UsageError` for a URL that cannot be used.

    >>> located("results").name
    'results'
    >>> located("file:///results/mnist").name
    'mnist'
    """
    if not isinstance(place, str) and is_remote(place):
        return place
    if url := _URL.fullmatch(str(place)):
        protocol, rest = url[1].lower(), url[2]
        return Path(rest) if protocol in ("file", "local") else _remote(str(place), protocol)
    path = Path(place)
    if len(path.parts) > 1 and _FLATTENED.fullmatch(path.parts[0]) and not Path(path.parts[0]).is_dir():
        rest = "/".join(path.parts[1:])
        raise UsageError(
            f"{path} is neither a URL nor a folder; give the URL as a str, not a Path: {path.parts[0]}//{rest}"
        )
    return path


def is_remote(place: Path) -> bool:
    """Tell if a location is on a remote file system."""
    return not isinstance(place, Path)


def _remote(url: str, protocol: str) -> Path:
    if _SECRET.search(url):
        shown = _SECRET.sub("://***@", url)
        advice = "remove it, and set it in the environment variables of the file system"
        raise UsageError(f"{shown} has a password, which messages would show; {advice}")
    try:
        import fsspec
        from upath import UPath
    except ImportError:
        raise UsageError(f"{url}: {INSTALL}") from None
    if protocol not in (known := fsspec.available_protocols()):
        raise UsageError(f"{url}: there is no file system {protocol!r}{nearest(protocol, known)}")
    try:
        path = UPath(url, **_options(protocol, fsspec.config.conf.get(protocol, {})))
        path.fs  # noqa: B018  imports the package of the file system
        path / "name"  # raises an error where a bucket is missing
    except (ImportError, ValueError, TypeError, OSError) as error:  # some file systems connect at once
        raise UsageError(f"{url} cannot be used: {error}") from error
    return cast(Path, path)


def _options(protocol: str, known: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a file system: no listing comes from a cache, and no request waits for ever.

    known: the options in the user's configuration, which take precedence.
    """
    times = {"config_kwargs": {**_S3, **known.get("config_kwargs", {})}} if protocol in ("s3", "s3a") else {}
    return {"use_listings_cache": False, **times}
