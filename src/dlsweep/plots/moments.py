"""Which of a run's measured iterations a figure shows."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge

from dlsweep.plots.base import DataFrame

At = Literal["first", "last"] | Annotated[int, Ge(0)]


def at_iteration(frame: DataFrame, at: At) -> DataFrame:
    """The rows of one iteration of each run: its first, its last, or the measured one that is nearest to a number."""
    frame = frame[frame["iteration"].notna()]
    iteration = frame["iteration"]
    if isinstance(at, int):
        nearest = (iteration - at).abs().groupby(frame["run_id"], sort=False).idxmin()
        chosen = frame["run_id"].map(iteration.loc[nearest].set_axis(nearest.index))
    else:
        chosen = iteration.groupby(frame["run_id"], sort=False).transform("min" if at == "first" else "max")
    return frame[iteration == chosen]


def moment_name(frame: DataFrame, at: At) -> str:
    """What `at_iteration` has chosen, in words."""
    found = frame["iteration"].unique()
    if len(found) == 1:
        return f"iteration {int(found[0])}"
    return f"each run near iteration {at}" if isinstance(at, int) else f"each run's {at} iteration"
