"""The grammar of the names of metrics, with a message on a name that a sweep has no metric for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, get_args

from dlsweep.errors import UsageError
from dlsweep.metrics import COLUMNS, MEASURED, OBJECTIVE, Metric
from dlsweep.tasks import Task
from dlsweep.text import NUMBER, did_you_mean, similar
from dlsweep.types import Split


def parse_metric(name: str, *, splits: Sequence[str], factors: Sequence[str], task: Task, layers: bool) -> Metric:
    """Return the metric of a name. Raise a `UsageError` if the sweep does not record it.

    splits: those that are evaluated; a name without a split means the last one, which is furthest from training.
    factors: of the sweep. layers: True if layers are measured.

    >>> from dlsweep.tasks import CLASSIFICATION
    >>> asked = "spread_over_optimizer.lr_best_test_accuracy"
    >>> sweep = {"splits": ["batch", "test"], "factors": ["optimizer.lr"], "task": CLASSIFICATION, "layers": False}
    >>> parse_metric(asked, **sweep).inner
    Metric(kind='best', split='test', y='accuracy', number=None, factor='', layer='', inner=None, sampled=True)
    >>> parse_metric("accuracy", **sweep).name
    'final_test_accuracy'
    """
    return _Grammar(tuple(splits), tuple(factors), task, layers).parse(name)


_QUANTITY = re.compile(
    rf"(?:(?P<kind>final|best|last|auc|rise|gap|mean_last|iterations_to)_)?(?:(?P<number>{NUMBER.pattern})_)?"
    rf"(?:(?P<split>{'|'.join(get_args(Split))})_)?(?P<y>[a-z]+)"
)


class _Grammar(NamedTuple):
    """The metrics that a sweep records."""

    splits: tuple[str, ...]
    factors: tuple[str, ...]
    task: Task
    layers: bool

    @property
    def quantities(self) -> tuple[str, ...]:
        """Measurements of every evaluated split."""
        return (*self.task.metrics, *([OBJECTIVE] if self.task.concerns("regularizer") else []))

    def parse(self, name: str) -> Metric:
        if name in COLUMNS:
            return Metric("column", y=name)
        if name == "turning_angle" and "x" in self.task.columns:
            return Metric("turning_angle")
        if name.startswith("spread_over_"):
            return self._spread(name)
        if "@" in name:
            return self._probe(name)
        if name.startswith("ensemble"):
            raise UsageError("an ensemble has no seed, so it cannot be compared seed by seed; name a metric of runs")
        found = _QUANTITY.fullmatch(name)
        return self._quantity(name, **found.groupdict()) if found else self._unknown(name)

    def _quantity(self, name: str, kind: str | None, number: str | None, split: str | None, y: str) -> Metric:
        kind = kind or "final"
        numbered = kind in ("mean_last", "iterations_to")
        if y not in self.quantities and y in ("accuracy", "distance", OBJECTIVE):
            there = " and ".join(self.quantities)
            raise UsageError(f"a {self.task.noun} has no {y}, so there is no metric {name!r}; it has {there}")
        if y not in self.quantities or (number is not None) != numbered or (kind == "gap" and split):
            return self._unknown(name)
        if kind in ("gap", "rise"):
            split = self._opposite(name, kind, split, y)
        if split and split not in self.splits:
            raise UsageError(self._not_evaluated(name, split))
        counted = _number(name, kind, y, number) if number else None
        return Metric(kind, split or self.splits[-1], y, counted, sampled=not self.task.splits)

    def _opposite(self, name: str, kind: str, split: str | None, y: str) -> str | None:
        """Return the split of a gap or of a rise, if the quantity has such a metric."""
        if kind == "rise":
            if y == "accuracy":
                instead = name.replace(y, "loss")
                raise UsageError(f"only a loss has a rise, so there is no metric {name!r}; write {instead}")
            return split
        if y not in ("accuracy", "loss") or "accuracy" not in self.quantities:
            self._unknown(name)
        held_out = [one for one in self.splits if one in ("validation", "test")]
        if "train" not in self.splits or not held_out:
            raise UsageError(self._not_evaluated(name, "test" if "train" in self.splits else "train"))
        return held_out[-1]

    def _not_evaluated(self, name: str, split: str) -> str:
        if self.task.splits:
            return f"there is no metric {name!r}: a {self.task.noun} has no {split} split; write {self.task.metrics[0]}"
        on = ", ".join(one for one in get_args(Split) if one in (*self.splits, split))
        return f"the metric {name!r} needs the {split} split, which is not evaluated; add evaluate: {{on: [{on}]}}"

    def _spread(self, name: str) -> Metric:
        rest = name.removeprefix("spread_over_")
        factor = max((f for f in self.factors if rest.startswith(f"{f}_")), key=len, default="")
        inner = rest.removeprefix(f"{factor}_") if factor else ""
        if not factor or not inner:
            hint = did_you_mean(similar(rest.partition("_")[0], self.factors))
            raise UsageError(
                f"{name!r} names no factor of this sweep{hint} (choices: {', '.join(self.factors)}); a spread is "
                f"written spread_over_FACTOR_METRIC, such as spread_over_{self.factors[0]}_{self.task.metrics[0]}"
            )
        if inner.startswith("spread_over_"):
            raise UsageError(f"{name!r} is a spread of a spread; a spread runs over one factor")
        return Metric("spread", factor=factor, inner=self.parse(inner))

    def _probe(self, name: str) -> Metric:
        column, _, layer = name.partition("@")
        if column not in MEASURED or not layer:
            near = similar(column, MEASURED) if layer else None
            hint = did_you_mean(near and f"{near}@{layer}")
            raise UsageError(
                f"there is no metric {name!r}{hint} (MEASUREMENT@LAYER with one of the measurements "
                f"{', '.join(MEASURED)})"
            )
        if not self.layers:
            raise UsageError(f"the metric {name!r} needs measurements of layers; add evaluate: {{layers: true}}")
        return Metric("probe", y=column, layer=layer)

    def _unknown(self, name: str) -> Metric:
        hint = did_you_mean(similar(name, self._names()))
        raise UsageError(f"there is no metric {name!r}{hint} ({self._overview()})")

    def _names(self) -> Iterator[str]:
        """Yield the names that a misspelled one may have meant."""
        yield from self.quantities
        curve = ("", "final_", "best_", "last_", "mean_last_5_", "auc_", "iterations_to_0.9_")
        for split in self.splits:
            yield from (f"{kind}{split}_{y}" for kind in curve for y in self.quantities)
            yield from (f"rise_{split}_{y}" for y in self.quantities if y != "accuracy")
        yield from ("gap_accuracy", "gap_loss") if "accuracy" in self.quantities else ("turning_angle",)
        yield from COLUMNS

    def _overview(self) -> str:
        """Return a short list of all metrics, by kind."""
        y = self.task.metrics[0]
        kinds = f"best_{y}, last_{y}, mean_last_5_{y}, auc_{y}, iterations_to_0.9_{y}, rise_loss"
        others = "gap_accuracy, gap_loss" if "accuracy" in self.quantities else "turning_angle"
        on = "" if self.task.splits else f", each with a split ({', '.join(self.splits)}) before it"
        return (
            f"metrics: {', '.join(self.quantities)}{on}; of a curve {kinds}; {others}; "
            f"spread_over_FACTOR_METRIC; MEASUREMENT@LAYER; {', '.join(COLUMNS)}"
        )


def _number(name: str, kind: str, y: str, text: str) -> float:
    """Return the number in a metric's name."""
    value = float(text)
    if kind == "mean_last" and not (value.is_integer() and 1 <= value <= 10**9):
        raise UsageError(f"{name!r} takes the mean of a whole number of evaluations, at least 1, got {text}")
    if kind == "iterations_to" and y == "accuracy" and not 0 < value <= 1:
        raise UsageError(f"{name!r} asks for an accuracy above 0 and at most 1, got {text}")
    return value
