"""Paths that an export writes to: free, or replaced on request, and changed completely or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlsweep import files
from dlsweep.errors import UsageError


def check_file(path: Path, force: bool) -> None:
    """Raise a `UsageError` if a file would be overwritten without `force`, or a folder with it."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give a file in it")
    if not force and (path.exists() or path.is_symlink()):
        raise UsageError(f"{path} exists; give another file, or replace it with --force (force=True)")


def check_folder(path: Path, force: bool, file: str) -> None:
    """Raise a `UsageError` unless a folder is new or empty, or, with `force`, has only files of the name `file`."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UsageError(f"{path} is not a folder; give a new folder")
    inside = [one for one in path.rglob("*") if one.is_symlink() or not one.is_dir()]
    if force and (others := [one for one in inside if one.name != file]):
        raise UsageError(f"{path} has files of other programs, such as {min(others)}; give a new folder")
    if inside and not force:
        raise UsageError(f"{path} is not empty; give a new folder, or replace it with --force (force=True)")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a new path for a file or a folder, which replaces the one at `path` at the end, unless an error occurs."""
    files.make_folder(path.parent)
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")  # a database of this name may still be open
    with files.writing(path):
        try:
            yield new
            if path.is_dir():
                _remove(path)
            new.replace(path)
            files.sync(path.parent)
        finally:
            _remove(new)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
