"""Put the files of published data sets into the user's cache, fetched or imported, and checked in both cases.

A file gets its name after a check that it is the published one. Until then it has a hidden temporary name, so that a
killed process leaves nothing that is ever read. A lock on the folder ensures that two processes fetch a file once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from dlsweep.datasets.download import chunks, without_password
from dlsweep.datasets.published import FOLDER, File, Published
from dlsweep.errors import DataError, DlsweepError, FetchError
from dlsweep.files import created
from dlsweep.text import size


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
                copyfileobj(source, to)
    return published.missing()


def _inside(published: Published, path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"{path}: there is no such file")
        return [path]
    names = [name for file in published.files for name in (file.name, file.name.removesuffix(".gz"))]
    inside = [path / name for name in names if (path / name).is_file()]
    if not inside:
        held = ", ".join(file.name for file in published.files)
        raise DataError(f"{path} has none of the files of {published.name}: {held}")
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
    url, count, head = published.url_of(file), 0, b""
    told = without_password(url)
    try:
        with _arriving(published, file) as to:
            for chunk in chunks(url):
                count, head = count + len(chunk), head or chunk[:100]
                if count > file.limit:
                    raise _NotPublished
                to.write(chunk)
                progress(len(chunk))
    except FetchError as error:
        raise FetchError(_by_hand(published, f"{told}: {error}")) from None
    except _NotPublished:
        found = f"{count:,} bytes that are not the published file: the MD5 differs"
        if count > file.limit:
            found = f"more than {file.limit:,} bytes"
        elif head.lstrip().lower().startswith((b"<!doctype", b"<html")):
            found = "a web page in place of the file"
        raise FetchError(_by_hand(published, f"{told} sends {found}")) from None


def _by_hand(published: Published, reason: str) -> str:
    name, folder = published.name, published.folder
    lines = [f"{name} cannot be fetched: {reason}", "to continue, download by hand", *_hashes(published)]
    return "\n".join([*lines, f"then: dlsweep data import {name} FILES (or put them into {folder})"])


def _hashes(published: Published) -> list[str]:
    return [f"  {file.name} (MD5 {file.md5})" for file in published.files]
