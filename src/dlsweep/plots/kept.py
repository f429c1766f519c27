"""What figures of kept weights have in common: whose networks they show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge

from dlsweep.errors import UsageError
from dlsweep.plots.base import DataFrame
from dlsweep.plots.factors import Placed
from dlsweep.plots.wording import around

if TYPE_CHECKING:
    from dlsweep.datasets.base import Dataset
    from dlsweep.running.results import Results
    from dlsweep.training.model import Model
else:  # as in `dlsweep.plots.base`
    Results = Any

__all__ = ["PartialArm", "Results", "Seed", "class_names", "image_shape", "load", "networks", "one_network"]

PartialArm = dict[str, str | float | bool]  # levels by factor, as labels or names
Seed = Annotated[int, Ge(0)]


def networks(results: Results, kind: str, arm: PartialArm | None, seed: int | None) -> DataFrame:
    """The rows of `runs/` that a plot is to show: the arms that have some levels, and a seed if it is given.

    A `UsageError` says so where a sweep kept no weights, or has no networks.
    """
    if results.record.tables.coordinates:
        raise UsageError(f"{kind} shows networks, and the models of {results.folder} are landscapes")
    if not results.record.tables.kept:
        raise UsageError(f"{results.folder} kept no weights for {kind}; train with evaluate.keep: final, or best")
    return results.fitting(arm, seed)


def one_network(
    results: Results, kind: str, arm: PartialArm | None, seed: int | None
) -> tuple[Mapping[str, Any], Model | None, str]:
    """The first of those runs; its network, if it kept weights; and which one it is, as the end of a title."""
    rows = networks(results, kind, arm, seed)
    first = rows[rows["run_id"] == rows["run_id"].iloc[0]]
    row = dict(first.iloc[0])
    title = around(first, Placed(None, None, None, ()))["title"]
    return row, load(results, row), ", ".join(filter(None, [title, f"seed {row['seed']}"]))


def load(results: Results, row: Mapping[str, Any]) -> Model | None:
    """The network of a run, None where it kept no weights."""
    kept = row["kept_iteration"] == row["kept_iteration"]
    return results.load(row["run_id"]) if kept else None


def image_shape(data: Dataset, kind: str) -> tuple[int, ...]:
    """The shape of a sample as an image, `(C, H, W)`; a `UsageError` if it is none."""
    if len(data.shape) != 3:
        raise UsageError(f"{kind} needs images, and the samples here are of the shape {data.shape}")
    return data.shape


def class_names(data: Dataset) -> list[str]:
    """The names of the classes, or their numbers."""
    return list(data.names) or [str(k) for k in range(data.classes)]
