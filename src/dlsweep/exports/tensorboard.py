"""Results as a log folder of TensorBoard, with a folder for each run."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dlsweep import files
from dlsweep.exports import events
from dlsweep.exports.tracked import TrackedRun, tracked_runs
from dlsweep.storage.results import Results
from dlsweep.tabular import table

FILE = "events.out.tfevents.dlsweep"
LONGEST = 60  # characters of a folder's name, without the run's id


def write(results: Results, folder: Path) -> None:
    """Write each run as a folder with an event file: its parameters as text, its curves as scalars."""
    now = time.time()
    runs = list(tracked_runs(results))
    for run, name in zip(runs, folder_names(runs), strict=True):
        files.make_folder(folder / name)
        files.write(folder / name / FILE, _content(run, now))


def _content(run: TrackedRun, now: float) -> bytes:
    rows = {"run": run.id, "status": run.status, **run.parameters}
    markdown = table(["parameter", "value"], [[*row] for row in rows.items()], [False, False], "markdown")
    scalars = (events.scalar(now, step, tag, value) for tag, step, value in run.scalars)
    return b"".join([events.version(now), events.text(now, "parameters", markdown), *scalars])


def folder_names(runs: Sequence[TrackedRun]) -> list[str]:
    """Return a folder's name for each run, from its arm and seed, with letters that every file system takes.

    Names that would be the same, if upper and lower case are, have the run's id at the end.

    >>> one, two = (TrackedRun(id, "he/ReLU, seed 0", "done", 1, {}, {}, []) for id in ("1f", "2e"))
    >>> folder_names([one]), folder_names([one, two])
    (['he_ReLU_seed_0'], ['he_ReLU_seed_0-1f', 'he_ReLU_seed_0-2e'])
    """
    names = [re.sub(r"[^\w.=+-]+", "_", run.name).strip("_.")[-LONGEST:].lstrip("_.") for run in runs]
    count = Counter(name.casefold() for name in names)
    return [name if count[name.casefold()] == 1 else f"{name}-{run.id}" for run, name in zip(runs, names, strict=True)]
