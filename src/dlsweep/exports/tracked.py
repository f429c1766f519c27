"""Runs as programs that track experiments have them: a name, parameters, and scalars by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dlsweep.storage.results import Results
from dlsweep.text import value_text

Scalar = tuple[str, int, float]  # a metric of a split such as `accuracy/test`, an iteration, and the value


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
    names = results.record.tables.schemas["curves"].names
    metrics = names[names.index("split") + 1 :]
    curves = results.curves.melt(["run_id", "iteration", "split"], metrics).dropna(subset="value")
    curves["tag"] = curves["variable"] + "/" + curves["split"].astype(str)
    scalars = {
        str(run): list(own[["tag", "iteration", "value"]].itertuples(index=False, name=None))
        for run, own in curves.groupby("run_id", observed=True)
    }
    for row in results.runs.to_dict("records"):
        known = {str(name): value for name, value in row.items() if value is not None and value == value}
        yield TrackedRun(
            id=str(row["run_id"]),
            name=f"{row['arm']}, seed {row['seed']}",
            status=str(row["status"]),
            iterations=int(row["iterations"]),
            parameters={name: _text(known[name]) for name in columns[1:end] if name in known},
            finals={name: float(known[name]) for name in columns[end + 1 : metrics_end] if name in known},
            scalars=scalars.get(str(row["run_id"]), []),
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else value_text(value)
