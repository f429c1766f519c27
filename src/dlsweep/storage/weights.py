"""Checkpoint weights: a plain `.npz` file for each run, named after it, with an array per parameter such as `dense1/W`.

Its checksum stands in the run's row of `runs/`, and covers every byte of the file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow as pa

from dlsweep import files
from dlsweep.config.runs import Run
from dlsweep.storage import parts
from dlsweep.storage.parts import Damaged
from dlsweep.training.result import TrainingResult
from dlsweep.types import Array

FOLDER = "weights"
COLUMNS = ("kept_iteration", "kept_checksum")  # of runs/; null where a run has none

_NAME = re.compile(r"(?P<stem>[0-9a-f]{16})\.npz")


def name(run: str) -> str:
    """The file name of a run's weights."""
    return f"{run}.npz"


def contents(runs: Sequence[Run], outcome: TrainingResult) -> dict[str, bytes]:
    """The files of a chunk, by the ids of the runs that kept their weights."""
    return {run.id: encode(kept.parameters) for run, kept in zip(runs, outcome.kept) if kept}


def encode(parameters: Mapping[str, Array]) -> bytes:
    """Parameters as the bytes of an `.npz` file: the same bytes for the same numbers."""
    content = io.BytesIO()
    np.savez(content, **parameters)  # type: ignore[arg-type]  # a name could be that of one of its own settings
    return content.getvalue()


def decode(path: Path, checksum: int) -> dict[str, Array]:
    """The parameters in a file; `Damaged` if it is not the file with this checksum."""
    with np.load(io.BytesIO(_checked(path, checksum)), allow_pickle=False) as arrays:
        return dict(arrays)


def check(folder: Path, rows: pa.Table) -> None:
    """Raise `Damaged` where the weights of one of these rows of `runs/` are not there as they were written."""
    for run, checksum in checksums(rows).items():
        _checked(folder / name(run), checksum)


def checksums(rows: pa.Table) -> dict[str, int]:
    """The checksums of the weights that rows of `runs/` have, by run."""
    if not set(COLUMNS) <= set(rows.column_names):
        return {}
    found = zip(rows["run_id"].to_pylist(), rows["kept_checksum"].to_pylist(), strict=True)
    return {run: checksum for run, checksum in found if checksum is not None}


def _checked(path: Path, checksum: int) -> bytes:
    try:
        content = files.read(path)
    except FileNotFoundError:
        raise Damaged(f"{path} is missing") from None
    if crc32(content) != checksum:
        raise Damaged(f"{path} is damaged: it is not as it was written")
    return content


def listing(folder: Path) -> dict[str, Path]:
    """The files in a folder of weights, by run."""
    return parts.listing(folder, _NAME)
