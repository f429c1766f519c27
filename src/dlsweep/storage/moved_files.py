"""Data files that were moved together with the results: a config that names them can be loaded again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlsweep.config.words import data_files


def with_moved_files(form: Any, folder: Path, owner: str = "") -> Any:
    """Return a part of a config in which files with the same path near a folder replace data files that are gone.

    owner: the name of the data set in whose settings the part is. Results are moved together with their data: then a
    path is the same from some parent of the results on.
    """
    if isinstance(form, Mapping):
        return {
            key: _near(value, folder)
            if isinstance(value, str) and (owner, key) in data_files()
            else with_moved_files(value, folder, key)
            for key, value in form.items()
        }
    return [with_moved_files(one, folder, owner) for one in form] if isinstance(form, list) else form


def _near(path: str, folder: Path) -> str:
    whole = Path(path)
    if whole.exists():
        return path
    ends = [Path(*whole.parts[-length:]) for length in range(len(whole.parts) - 1, 0, -1)]
    return str(next((there for end in ends for place in folder.parents[:3] if (there := place / end).is_file()), path))
