"""Put the files of published data sets into the user's cache, fetched or imported, and checked in both cases.

A file gets its name after a check that it is the published one. Until then it has a hidden temporary name, so that a
killed process leaves nothing that is ever read. A lock on the folder ensures that two processes fetch a file once.
"""

from __future__ import annotations

import os
import platform
import re
import tarfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from itertools import chain
from pathlib import Path

from dlsweep.datasets.download import CHUNK, PAUSE, chunks, without_password
from dlsweep.datasets.published import FOLDER, File, Published
from dlsweep.errors import DataError, FetchError, Unreadable
from dlsweep.files import created, held, opened, read, refuse_links, writing
from dlsweep.text import printable, size

_ELSEWHERE = f"; set {FOLDER} to a folder for data sets that can be written"


Note = Callable[[str], object]
Progress = Callable[[int], object]


def _ignore(told: object) -> None:
    """Do nothing with a note, or with a number of bytes."""


def fetch(published: Published, note: Note = _ignore, progress: Progress = _ignore) -> None:
    """Fetch the missing files of a data set. Raise a `FetchError` with the steps by hand if that fails.

    note: called with a sentence if anything is fetched, or if another process fetches it. progress: called several
    times a second with the number of bytes that have arrived since; an exception that it raises ends the download.
    """
    if not published.missing() and not (_unfinished(published) and os.access(published.folder, os.W_OK)):
        return
    with _sole_writer(published, note, progress):
        missing = published.missing()  # another process may have fetched it meanwhile
        if missing:
            total = size(sum(file.size for file in missing))
            note(f"fetching {published.name} ({total}) into {published.folder}")
        for file in missing:
            _download(published, file, progress)


def take(published: Published, paths: Sequence[Path], note: Note = _ignore) -> list[File]:
    """Copy files that were downloaded by hand into the cache. Return the files that are still missing.

    A folder stands for the files in it that are named as published, packed or not. For a file, only the content
    matters. Raise a `DataError` with all paths that are not files of the data set; then nothing is copied. note: called
    with a sentence if another process writes to the cache.
    """
    found: dict[File, Path] = {}
    strange = []
    for path in chain.from_iterable(_inside(published, given) for given in paths):
        file = next((file for file in published.files if file.is_at(path)), None)
        if file is None:
            strange.append(f"{path} {_strangeness(published, path)}")
        else:
            found[file] = path
    if strange:
        raise DataError("\n".join([*strange, f"{published.name} consists of", *_hashes(published)]))
    with _sole_writer(published, note):
        for file, path in found.items():
            if not _keep(published, file, _content(path)):
                raise DataError(f"{path} has changed while it was copied")
    return published.missing()


def _content(path: Path) -> Iterator[bytes]:
    with opened(path) as source:
        while chunk := source.read(CHUNK):
            yield chunk


def _inside(published: Published, path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.is_file():
            raise DataError(f"{path}: there is no such file" + ", only a pipe or a device" * path.exists())
        return [path]
    names = [name for file in published.files for name in (file.name, file.name.removesuffix(".gz"))]
    inside = [path / name for name in names if (path / name).is_file()]
    if not inside:
        held = ", ".join(file.name for file in published.files)
        other = f"; it {_strangeness(published, path)}" * bool(_version(path))
        raise DataError(f"{path} has none of the files of {published.name}: {held}{other}")
    return inside


def _strangeness(published: Published, path: Path) -> str:
    """Return words for a file or a folder that is not the published one, after its name."""
    if version := _version(path):
        return f"is the {version} version of CIFAR; fetch its binary version, {published.files[0].name}"
    return f"is not a file of {published.name} as published"


def _version(path: Path) -> str:
    """Return Python or Matlab for these versions of CIFAR, an archive or an unpacked folder; "" for anything else."""
    names = [path.name]
    damage = (OSError, Unreadable, tarfile.TarError, EOFError, zlib.error)
    with suppress(*damage), opened(path) as file, tarfile.open(fileobj=file) as archive:
        names.append(getattr(archive.next(), "name", ""))
    found = re.search(r"cifar-\S*-(py|mat)", " ".join(names))
    return {"py": "Python", "mat": "Matlab"}[found[1]] if found else ""


@contextmanager
def _sole_writer(published: Published, note: Note, progress: Progress = _ignore) -> Iterator[None]:
    """Make the folder, wait until no other process writes to it, and delete what killed ones have left."""
    folder, holder, waits = published.folder, published.folder / ".holder", False
    refuse_links(folder.parent, folder.name)
    with ExitStack() as stack:
        with writing(folder, _ELSEWHERE):
            folder.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    stack.enter_context(held(folder / ".lock"))
                    break
                except BlockingIOError:
                    if not waits:
                        note(f"{folder} is in use: {_told(holder)}; waiting for it")
                    waits = True
                    progress(0)
                    time.sleep(PAUSE)
            now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
            with created(holder) as file:
                file.write(f"process {os.getpid()} on {platform.node()} has worked on it since {now}".encode())
            stack.callback(_remove, [holder])
            _remove(_unfinished(published))
        yield


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _told(holder: Path) -> str:
    try:
        return printable(read(holder)[:200].decode("utf-8", "replace")) or "another process works on it"
    except (OSError, Unreadable):
        return "another process works on it"


def _part(published: Published, file: File) -> Path:
    return published.folder / f".{file.name}.part"


def _unfinished(published: Published) -> list[Path]:
    """Return the temporary files that are there, links included."""
    parts = (_part(published, file) for file in published.files if not published.bundled)
    return [part for part in parts if os.path.lexists(part)]


def _keep(published: Published, file: File, content: Iterable[bytes]) -> bool:
    """Write a file under a temporary name; if it is the published one, give it its name and return True."""
    path, temporary = published.folder / file.name, _part(published, file)
    with writing(path, _ELSEWHERE):
        try:
            with created(temporary) as new:
                new.writelines(content)
                new.flush()
                os.fsync(new.fileno())
            if good := file.is_at(temporary):
                temporary.replace(path)
            return good
        finally:
            _remove([temporary])


def _download(published: Published, file: File, progress: Progress) -> None:
    url, count, head = published.url_of(file), 0, b""

    def arriving() -> Iterator[bytes]:
        nonlocal count, head
        for chunk in chunks(url):
            count, head = count + len(chunk), head or chunk[:100]
            progress(len(chunk))
            yield chunk
            if count > file.limit:
                break

    try:
        good = _keep(published, file, arriving())
    except FetchError as error:
        raise FetchError(_by_hand(published, f"{without_password(url)}: {error}")) from None
    if not good:
        found = f"{count:,} bytes that are not the published file: the MD5 differs"
        if count > file.limit:
            found = f"more than {file.limit:,} bytes"
        elif head.lstrip().lower().startswith((b"<!doctype", b"<html")):
            found = "a web page in place of the file"
        raise FetchError(_by_hand(published, f"{without_password(url)} sends {found}"))


def _by_hand(published: Published, reason: str) -> str:
    name, folder = published.name, published.folder
    lines = [f"{name} cannot be fetched: {reason}", "to continue, download by hand", *_hashes(published)]
    return "\n".join([*lines, f"then: dlsweep data import {name} FILES (or put them into {folder})"])


def _hashes(published: Published) -> list[str]:
    return [f"  {file.name} (MD5 {file.md5})" for file in published.files]
