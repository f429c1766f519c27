"""Selection of one measured iteration of each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge

if TYPE_CHECKING:
    from pandas import DataFrame

At = Literal["first", "last"] | Annotated[int, Ge(0)]


def at_iteration(frame: DataFrame, at: At) -> DataFrame:
    """Return the rows of one iteration of each run: its first, its last, or the measured one nearest to a number."""
    frame = frame[frame["iteration"].notna()]
    iteration = frame["iteration"]
    if isinstance(at, int):
        nearest = (iteration - at).abs().groupby(frame["run_id"], sort=False).idxmin()
        chosen = frame["run_id"].map(iteration.loc[nearest].set_axis(nearest.index))
    else:
        chosen = iteration.groupby(frame["run_id"], sort=False).transform("min" if at == "first" else "max")
    return frame[iteration == chosen]


def iteration_name(frame: DataFrame, at: At) -> str:
    """Describe the choice of `at_iteration`: "iteration 100", "each run's last iteration"."""
    found = frame["iteration"].unique()
    if len(found) == 1:
        return f"iteration {int(found[0])}"
    return f"each run near iteration {at}" if isinstance(at, int) else f"each run's {at} iteration"
