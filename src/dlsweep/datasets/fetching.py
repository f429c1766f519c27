"""Put the files of published data sets into the user's cache, fetched or imported, and checked in both cases.

A file gets its name after a check that it is the published one. Until then it has a hidden temporary name, so that a
killed process leaves nothing that is ever read. A lock on the folder ensures that two processes fetch a file once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from dlsweep.datasets.published import FOLDER, File, Published
from dlsweep.errors import DataError, DlsweepError, FetchError
from dlsweep.files import created
from dlsweep.text import size

CHUNK = 1 << 16  # bytes
PATIENCE = 30  # seconds that a server may be silent


def fetch(
    published: Published,
    note: Callable[[str], object] = lambda sentence: None,
    progress: Callable[[int], object] = lambda count: None,
) -> None:
    """Fetch the missing files of a data set. Raise a `FetchError` with the steps by hand if that fails.

    note: called once with a sentence if anything is fetched. progress: called with the number of bytes of each chunk
    that arrived; an exception that it raises ends the download.
    """
    if not published.missing():
        return
    with _sole_writer(published.folder):
        missing = published.missing()  # another process may have fetched it meanwhile
        if missing:
            total = size(sum(file.size for file in missing))
            note(f"fetching {published.name} ({total}) into {published.folder}")
        for file in missing:
            _download(published, file, progress)


def take(published: Published, paths: Sequence[Path]) -> list[File]:
    """Copy files that were downloaded by hand into the cache. Return the files that are still missing.

    A folder stands for the files in it that are named as published, packed or not. For a file, only the content
    matters. Raise a `DataError` with all paths that are not files of the data set; then nothing is copied.
    """
    found: dict[File, Path] = {}
    strange = []
    for path in chain.from_iterable(_inside(published, given) for given in paths):
        file = next((file for file in published.files if file.is_at(path)), None)
        if file is None:
            strange.append(f"{path} is not a file of {published.name} as published")
        else:
            found[file] = path
    if strange:
        raise DataError("\n".join([*strange, f"{published.name} consists of", *_hashes(published)]))
    with _sole_writer(published.folder):
        for file, path in found.items():
            with _arriving(published, file) as to, path.open("rb") as source:
                while chunk := source.read(CHUNK):
                    to.write(chunk)
    return published.missing()


def _inside(published: Published, path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"{path}: there is no such file")
        return [path]
    names = [name for file in published.files for name in (file.name, file.name.removesuffix(".gz"))]
    inside = [path / name for name in names if (path / name).is_file()]
    if not inside:
        raise DataError(f"{path} has none of the files of {published.name}: {_names(published)}")
    return inside


@contextmanager
def _sole_writer(folder: Path) -> Iterator[None]:
    """Make the folder and wait until no other process writes to it."""
    from filelock import FileLock

    lock = FileLock(folder / ".lock")
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / ".lock").is_symlink():
            (folder / ".lock").unlink()  # the lock would be created at the link's target
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        instead = f"set {FOLDER} to a folder for data sets that can be written"
        raise DlsweepError(f"cannot write {path}: {error.strerror or error}; {instead}") from error


@contextmanager
def _arriving(published: Published, file: File) -> Iterator[BinaryIO]:
    """Open a temporary file for writing. It gets its name if its content is the published one."""
    path = published.folder / file.name
    temporary = path.with_name(f".{file.name}.part")
    with _writing(path):
        try:
            with created(temporary) as arriving:
                yield arriving
                arriving.flush()
                os.fsync(arriving.fileno())
            if not file.is_at(temporary):
                raise _NotPublished
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink()


class _NotPublished(Exception):
    """Content that is not the published one."""


def _download(published: Published, file: File, progress: Callable[[int], object]) -> None:
    import requests

    url = published.url_of(file)
    try:
        with _arriving(published, file) as to:
            received = _Received(to, file.limit, progress)
            try:
                _get(url, received)
            except requests.RequestException as error:
                raise FetchError(_by_hand(published, f"{url}: {_reason(error)}")) from error
    except _NotPublished:
        raise FetchError(_by_hand(published, f"{url} sends {received.description}")) from None


def _get(url: str, received: _Received) -> None:
    """Write the bytes that a server sends, without unpacking, and close the connection in every case."""
    import pooch

    with ExitStack() as after:

        def close(answer: Any, **more: Any) -> None:
            after.callback(answer.close)

        plain = {"Accept-Encoding": "identity"}
        http = pooch.HTTPDownloader(chunk_size=CHUNK, timeout=PATIENCE, headers=plain, hooks={"response": close})
        http(url, received, None)


class _Received:
    """File that is written as it arrives, up to a limit."""

    def __init__(self, file: BinaryIO, limit: int, progress: Callable[[int], object]):
        self.file, self.limit, self.progress = file, limit, progress
        self.size, self.head = 0, b""

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.head = self.head or chunk[:100]
        if self.size > self.limit:
            raise _NotPublished
        self.file.write(chunk)
        self.progress(len(chunk))

    def flush(self) -> None:
        """Do nothing: no chunk needs it."""

    @property
    def description(self) -> str:
        """Words for the content that arrived instead of the file."""
        if self.size > self.limit:
            return f"more than {self.limit:,} bytes"
        if self.head.lstrip().lower().startswith((b"<!doctype", b"<html")):
            return "a web page in place of the file"
        return f"{self.size:,} bytes that are not the published file: the MD5 differs"


def _reason(error: Exception) -> str:
    """Return the reason of a failed request in few words."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"the server is silent for {PATIENCE} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke before the whole file had arrived"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return "this is not an http address" if isinstance(error, ValueError) else str(error)


def _by_hand(published: Published, reason: str) -> str:
    name, folder = published.name, published.folder
    lines = [f"{name} cannot be fetched: {reason}", "to continue, download by hand", *_hashes(published)]
    return "\n".join([*lines, f"then: dlsweep data import {name} FILES (or put them into {folder})"])


def _names(published: Published) -> str:
    return ", ".join(file.name for file in published.files)


def _hashes(published: Published) -> list[str]:
    return [f"  {file.name} (MD5 {file.md5})" for file in published.files]
