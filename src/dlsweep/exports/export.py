"""Export results to a file or a folder of another format."""

from __future__ import annotations

from pathlib import Path

from dlsweep.errors import UsageError
from dlsweep.exports import mlflow, places, tensorboard
from dlsweep.exports.tables import csv
from dlsweep.storage.folder import open_folder
from dlsweep.storage.location import is_remote, located
from dlsweep.storage.results import Results
from dlsweep.text import nearest

FORMATS = ("csv", "tensorboard", "mlflow")


def export(
    results: Results, to: str = "csv", *, output: str | Path, table: str | None = None, force: bool = False
) -> Path:
    """Write results in the format of another program, completely or not at all; return the path.

    to: `csv`, one table: `runs` by default, or the one that `table` names (`curves`, `layers`, `predictions`,
    `ensembles`); `tensorboard`, a folder of event files; or `mlflow`, a SQLite store, which needs the package mlflow.
    output: the file or folder. Raise a `UsageError` if it exists, unless `force` is given, or if the sweep lacks the
    table.

    >>> import dlsweep, pandas as pd
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 3}
    >>> results = dlsweep.run(config, executor="inline")
    >>> pd.read_csv(export(results, output="one.csv"))["seed"].tolist()
    [0, 1, 2]
    """
    path = located(output)
    if to not in FORMATS:
        raise UsageError(f"there is no format {to!r}{nearest(to, FORMATS)}")
    if table is not None and to != "csv":
        raise UsageError(f"{to} has no tables; remove --table (table=), or export to csv")
    if is_remote(path) and to != "csv":
        raise UsageError(f"{to} is written by another library, which needs a folder of this machine; got {path}")
    if to == "tensorboard":
        places.check_folder(path, force, tensorboard.FILE)
        with places.replaced(path) as new:
            tensorboard.write(results, new)
    elif to == "mlflow":
        places.check_file(path, force)
        with places.replaced(path) as new:
            mlflow.write(results, mlflow.client(new), path.parent / "mlruns")
    else:
        folder = open_folder(path.parent)
        if not is_remote(path):
            places.check_file(path, force)
        elif not force and path.name in folder.list():
            raise UsageError(f"{path} exists; give another file, or replace it with --force (force=True)")
        folder.put(path.name, csv(results, table or "runs").encode())
    return path
