"""The operations through which every file of some results is read and written, and their form on a local disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from dlsweep import files
from dlsweep.errors import DlsweepError, ResultsInUse, Unreadable, UsageError, warn
from dlsweep.storage.holder import Holder
from dlsweep.storage.location import is_remote
from dlsweep.storage.remote import RemoteFolder

RUNNER = ".runner.json"  # the note that names the holder of a folder
OTHER = "another process works on it"


class Folder(Protocol):
    """A folder of files; `str(folder)` is its path in messages.

    A name is relative to the folder, as `runs/0123456789abcdef-01234567.parquet` is. A file exists whole or not at all,
    and a change is durable when its method returns. A read raises `FileNotFoundError` for a missing file, and
    `Unreadable` for one that cannot be read at the moment; a change that fails raises `DlsweepError`.

    list: the names in a subfolder, sorted, without hidden ones; none if it does not exist. delete: a file, if it
    exists. clean: delete the unfinished files of killed writers. lock: hold the folder, or raise `ResultsInUse` at once
    with the name of the holder. holder: the process that holds it; None if there is none, or it has died on this
    machine. subfolders: those that have a file of this name, sorted.
    """

    def get(self, name: str) -> bytes: ...
    def put(self, name: str, content: bytes) -> None: ...
    def list(self, inside: str = "") -> Sequence[str]: ...
    def delete(self, name: str) -> None: ...
    def move(self, name: str, to: str) -> None: ...
    def clean(self, inside: str = "") -> None: ...
    def lock(self) -> AbstractContextManager[None]: ...
    def holder(self) -> Holder | None: ...
    def subfolders(self, holding: str) -> Sequence[Folder]: ...


@dataclass(frozen=True)
class LocalFolder:
    """A `Folder` on a disk of this machine, or on a network file system that is mounted there."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def get(self, name: str) -> bytes:
        return files.read(self.path / name)

    def put(self, name: str, content: bytes) -> None:
        files.make_folder((self.path / name).parent)
        files.write(self.path / name, content)

    def list(self, inside: str = "") -> Sequence[str]:
        visible = (name for name in files.names(self.path / inside) if not name.startswith("."))
        return [f"{inside}/{name}".removeprefix("/") for name in visible]

    def delete(self, name: str) -> None:
        with files.writing(self.path / name), suppress(FileNotFoundError):
            (self.path / name).unlink()
            files.sync((self.path / name).parent)

    def move(self, name: str, to: str) -> None:
        old, new = self.path / name, self.path / to
        files.make_folder(new.parent)
        with files.writing(new):
            old.replace(new)
            files.sync(new.parent)
            files.sync(old.parent)

    def clean(self, inside: str = "") -> None:
        for name in files.names(self.path / inside):
            if name.startswith(".") and name.endswith(".tmp"):
                self.delete(f"{inside}/{name}".removeprefix("/"))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder against other processes.

        This works between machines if their file system shares locks (NFS 4 does; others keep `flock` to one machine).
        The note `.runner.json` names the holder. On a file system without locks, it replaces the lock.
        """
        note = self.path / RUNNER
        with ExitStack() as stack:
            with files.writing(self.path):
                try:
                    lockless = stack.enter_context(files.held(self.path / ".lock"))
                except BlockingIOError:
                    raise ResultsInUse(f"{self} is in use: {_noted(note) or OTHER}") from None
                unsynced = files.sync(self.path)
            self._sign(note, lockless)
            stack.callback(_remove, note)
            if lockless:
                warn(f"{self} cannot be locked ({lockless}): {note} keeps others out instead; delete it after a crash")
            if unsynced:
                warn(f"{self} cannot be synced ({unsynced}): a loss of power may cost the last runs")
            yield

    def _sign(self, note: Path, lockless: str) -> None:
        """Write the note. Without a lock, it must not exist."""
        try:
            with files.writing(note), note.open("xb") if lockless else files.created(note) as file:
                file.write(json.dumps(asdict(Holder.here())).encode())
        except DlsweepError as error:
            if not isinstance(error.__cause__, FileExistsError):
                _remove(note)  # a part of it may be there
                raise
            crash = f"it cannot be locked ({lockless}): if no process works on it, delete {note}"
            raise ResultsInUse(f"{self} is in use: {_noted(note) or OTHER}; {crash}") from None

    def holder(self) -> Holder | None:
        found = _noted(self.path / RUNNER)
        return None if found is None or found.has_died else found

    def subfolders(self, holding: str) -> Sequence[Folder]:
        return [LocalFolder(path.parent) for path in sorted(self.path.glob(f"*/{holding}"))]


def _remove(note: Path) -> None:
    with suppress(OSError):
        note.unlink()


def _noted(note: Path) -> Holder | None:
    """Return the holder that a note names; None without a readable note."""
    try:
        return Holder.of(json.loads(files.read(note)))
    except (OSError, Unreadable, ValueError, RecursionError):
        return None


def open_folder(path: Path) -> Folder:
    """Return the folder at a path, which need not exist."""
    return RemoteFolder(path) if is_remote(path) else LocalFolder(path)


def make_folder(output: Path, name: str, inside: Iterable[str]) -> Folder:
    """Make a folder in `output`, if it does not exist, and return it.

    inside: the subfolders to be written into. Raise a `UsageError` if the name or a link leads out of `output`.
    """
    if name in ("", ".", "..") or "/" in name:
        raise UsageError(f"{name!r} is not the name of a folder in {output}")
    if not is_remote(output):
        files.refuse_links(output, *(f"{name}/{subfolder}" for subfolder in inside))
        files.make_folder(output / name)
    return open_folder(output / name)
