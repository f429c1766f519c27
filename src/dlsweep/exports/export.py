"""Export results to a file or a folder of another format."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from dlsweep import files
from dlsweep.errors import UsageError
from dlsweep.exports import mlflow, tensorboard
from dlsweep.storage.folder import open_folder
from dlsweep.storage.location import is_remote, located
from dlsweep.storage.results import Results
from dlsweep.storage.tables import TABLES
from dlsweep.text import nearest
from dlsweep.types import DataFrame

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
        _check_folder(path, force, tensorboard.FILE)
        with _replaced(path) as new:
            tensorboard.write(results, new)
    elif to == "mlflow":
        _check_file(path, force)
        with _replaced(path) as new:
            mlflow.write(results, mlflow.client(new), path.parent / "mlruns")
    else:
        folder = open_folder(path.parent)
        if not is_remote(path):
            _check_file(path, force)
        elif not force and path.name in folder.list():
            raise UsageError(f"{path} exists; give another file, or replace it with --force (force=True)")
        content = _tidy(results, table or "runs").to_csv(index=False, lineterminator="\n")
        folder.put(path.name, content.encode())
    return path


def _tidy(results: Results, table: str) -> DataFrame:
    """Return a table of results with one value in each cell, as CSV needs: histograms of layers are left out."""
    if table not in TABLES:
        raise UsageError(f"there is no table {table!r}{nearest(table, TABLES)}")
    if table == "predictions":
        return _by_image(results)
    frame: DataFrame = getattr(results, table)
    schema = results.record.tables.schemas[table]
    return frame.drop(columns=[column.name for column in schema if pa.types.is_list(column.type)])


def _by_image(results: Results) -> DataFrame:
    """Return the predictions with a row per run and image, and the image's true class as `label`."""
    of_run = results.runs.set_index("run_id", drop=False)
    frame = results.predictions.copy()
    predicted = frame.pop("predicted")
    frame["label"] = frame["run_id"].map(lambda run: results.labels(runs=of_run.loc[[run]]))
    frame.insert(len(frame.columns) - 1, "image", frame["label"].map(len).map(range))
    return frame.assign(predicted=predicted).explode(["image", "label", "predicted"])


def _check_file(path: Path, force: bool) -> None:
    """Raise a `UsageError` if a file would be overwritten without `force`, or a folder with it."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give a file in it")
    if not force and (path.exists() or path.is_symlink()):
        raise UsageError(f"{path} exists; give another file, or replace it with --force (force=True)")


def _check_folder(path: Path, force: bool, file: str) -> None:
    """Raise a `UsageError` unless a folder is new or empty, or, with `force`, has only files of the name `file`."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UsageError(f"{path} is not a folder; give a new folder")
    inside = [one for one in path.rglob("*") if one.is_symlink() or not one.is_dir()]
    if force and (others := [one for one in inside if one.name != file]):
        raise UsageError(f"{path} has files of other programs, such as {min(others)}; give a new folder")
    if inside and not force:
        raise UsageError(f"{path} is not empty; give a new folder, or replace it with --force (force=True)")


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
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
