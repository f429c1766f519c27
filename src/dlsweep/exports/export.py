"""Export results to a file of another format."""

from __future__ import annotations

from pathlib import Path

from dlsweep import files
from dlsweep.errors import UsageError
from dlsweep.exports.tables import csv
from dlsweep.storage.results import Results
from dlsweep.text import nearest

FORMATS = ("csv",)


def export(
    results: Results, to: str = "csv", *, output: str | Path, table: str | None = None, force: bool = False
) -> Path:
    """Write results in the format of another program, completely or not at all; return the path.

    to: `csv`, one table: `runs` by default, or the one that `table` names (`curves`, `layers`, `predictions`,
    `ensembles`).
    output: the file. Raise a `UsageError` if it exists, unless `force` is given, or if the sweep lacks the table.

    >>> import dlsweep, pandas as pd
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 3}
    >>> results = dlsweep.run(config, executor="inline")
    >>> pd.read_csv(export(results, output="one.csv"))["seed"].tolist()
    [0, 1, 2]
    """
    path = Path(output)
    if to not in FORMATS:
        raise UsageError(f"there is no format {to!r}{nearest(to, FORMATS)}")
    _check_free(path, force)
    content = csv(results, table or "runs").encode()
    files.make_folder(path.parent)
    files.write(path, content)
    return path


def _check_free(path: Path, force: bool) -> None:
    """Raise a `UsageError` if something would be overwritten without `force`, or a folder with it."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give a file, such as {path / 'runs.csv'}")
    if not force and (path.exists() or path.is_symlink()):
        raise UsageError(f"{path} exists; give another file, or replace it with --force (force=True)")
