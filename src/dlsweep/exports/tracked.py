"""Runs as programs that track experiments have them: a name, parameters, and scalars by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dlsweep.storage.results import Results
from dlsweep.text import value_text


class Scalar(NamedTuple):
    """Metric of a split at an iteration, such as `accuracy/test`."""

    tag: str
    step: int
    value: float


@dataclass(frozen=True)
class TrackedRun:
    """Run with the texts of its arm, factors, numeric settings and seeds, and with its curves as scalars.

    finals: the metrics of the table of runs, such as `final_test_accuracy`.
    """

    id: str
    name: str
    status: str
    iterations: int
    parameters: dict[str, str]
    finals: dict[str, float]
    scalars: list[Scalar]


def tracked_runs(results: Results) -> Iterator[TrackedRun]:
    """Yield the runs of a sweep, in the order of its table of runs. Missing values are left out."""
    columns = list(results.runs)
    end, metrics_end = columns.index("status"), columns.index("iterations")
    curves = dict(iter(results.curves.groupby("run_id", observed=True)))
    names = results.record.tables.schemas["curves"].names
    metrics = names[names.index("split") + 1 :]
    for row in results.runs.to_dict("records"):
        known = {str(name): value for name, value in row.items() if value is not None and value == value}
        scalars = [
            Scalar(f"{metric}/{split}", int(step), float(value))
            for metric in metrics
            if row["run_id"] in curves
            for step, split, value in curves[row["run_id"]][["iteration", "split", metric]].itertuples(index=False)
            if value == value
        ]
        yield TrackedRun(
            id=str(row["run_id"]),
            name=f"{row['arm']}, seed {row['seed']}",
            status=str(row["status"]),
            iterations=int(row["iterations"]),
            parameters={name: _text(known[name]) for name in columns[1:end] if name in known},
            finals={name: float(known[name]) for name in columns[end + 1 : metrics_end] if name in known},
            scalars=scalars,
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else value_text(value)
