"""Metrics: the numbers of a run that arms are compared by, with their grammar, their words and their better direction.

| name | value of a run |
|---|---|
| `test_accuracy`, `final_test_accuracy` | of the trained network; `objective` is the loss with the penalty |
| `best_test_accuracy` | best evaluation |
| `last_test_accuracy` | last evaluation, also where early stopping takes the network from before it |
| `mean_last_5_test_accuracy` | mean of the last evaluations |
| `auc_test_accuracy` | area under the curve, divided by its length |
| `iterations_to_0.9_test_accuracy` | first evaluation with this value or a better one |
| `gap_accuracy`, `gap_loss` | train minus test accuracy; test minus train loss |
| `rise_validation_loss` | final value minus the best |
| `spread_over_init_test_accuracy` | maximum minus minimum over the levels of a factor |
| `gradient_rms@dense1` | measurement of a layer |
| `turning_angle` | mean angle between two steps of a descent, in degrees |
| `seconds`, `iterations`, `parameters` | columns of the table of runs |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple, get_args

from dlsweep.errors import UsageError
from dlsweep.tasks import Task
from dlsweep.text import NUMBER, did_you_mean, similar, value_text
from dlsweep.types import Split

# The measurements of a layer in the table layers/, and those of them that are shares.
MEASURED = (
    *("weight_norm", "gradient_rms", "update_ratio", "activation_mean", "activation_std"),
    *("saturated", "dead", "sparsity"),
)
_SHARES = {
    "saturated": "share of saturated outputs",
    "dead": "share of dead units",
    "sparsity": "share of weights near 0",
}

COLUMNS = ("seconds", "iterations", "parameters")  # of the table of runs
OPTIMISTIC = "the best evaluation is chosen on the images that it is measured on, so it is optimistic"
SHARED = "the runs of a chunk share its seconds evenly, so seeds do not repeat the measurement"
OBJECTIVE = "objective"  # loss + penalty, as the optimizer sees it

_OF_A_CURVE: tuple[str, ...] = ("final", "best", "last", "mean_last", "auc")  # with the unit of the curve
_AT: tuple[str, ...] = ("final", "gap", "probe")  # those that can be taken at another iteration


@dataclass(frozen=True)
class Metric:
    """A number of each run.

    kind: final, best, last, mean_last, auc, iterations_to, gap, rise, spread, probe, turning_angle or column. split: ""
    where the kind has none; of a gap, the split that train is compared with. y: accuracy, loss, objective or distance;
    the measurement of a probe; the column of a column. number: k of `mean_last_k`, v of `iterations_to_v`. factor,
    inner: of a spread, the factor that it runs over and the metric within. layer: of a probe. sampled: False on a
    landscape, which has no samples: its split is no part of the words.
    """

    kind: str
    split: str = ""
    y: str = ""
    number: float | None = None
    factor: str = ""
    layer: str = ""
    inner: Metric | None = None
    sampled: bool = True

    @property
    def name(self) -> str:
        """Its full name: `final_test_accuracy`, which is also its column if the table of runs has one.

        >>> Metric("iterations_to", "test", "accuracy", 0.9).name
        'iterations_to_0.9_test_accuracy'
        """
        if self.inner:
            return f"spread_over_{self.factor}_{self.inner.name}"
        if self.kind in ("gap", "column"):
            return f"gap_{self.y}" if self.kind == "gap" else self.y
        if self.kind == "probe":
            return f"{self.y}@{self.layer}"
        number = "" if self.number is None else value_text(float(self.number))
        return "_".join(filter(None, (self.kind, number, self.split, self.y)))

    @property
    def less_is_better(self) -> bool | None:
        """True if the arm with less is the better one; None if this is not known, as for a layer's measurement.

        >>> Metric("final", "test", "loss").less_is_better, Metric("auc", "test", "accuracy").less_is_better
        (True, False)
        """
        return None if self.kind == "probe" else not (self.kind in _OF_A_CURVE and self.y == "accuracy")

    @property
    def ends_well(self) -> bool:
        """True if a value counts for runs that ended well only: one that diverged has few iterations and seconds.

        >>> Metric("column", y="iterations").ends_well, Metric("column", y="parameters").ends_well
        (True, False)
        """
        return self.kind != "column" or self.y != "parameters"

    @property
    def repeated(self) -> bool:
        """False of the seconds: the runs of a chunk share them evenly, so seeds do not repeat the measurement.

        >>> Metric("column", y="seconds").repeated, Metric("column", y="iterations").repeated
        (False, True)
        """
        return (self.inner or self).y != "seconds"

    @property
    def optimistic(self) -> bool:
        """True if an evaluation is chosen by the test images that it is measured on.

        >>> Metric("best", "test", "accuracy").optimistic, Metric("best", "validation", "accuracy").optimistic
        (True, False)
        """
        own = self.inner or self
        return own.kind == "best" and own.split == "test"

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value that it can have: an accuracy lies within 0 and 1, a rise is not below 0."""
        if self.inner:
            low, high = self.inner.bounds
            return 0.0, high - low
        if self.kind == "rise":
            return 0.0, inf
        share = self.kind == "probe" and self.y in _SHARES
        return (0.0, 1.0) if share or (self.kind in _OF_A_CURVE and self.y == "accuracy") else (-inf, inf)

    @property
    def timed(self) -> bool:
        """True if it can be taken at another iteration."""
        return (self.inner or self).kind in _AT

    @property
    def words(self) -> str:
        """Its name in sentences and on axes.

        >>> Metric("mean_last", "batch", "loss", 5).words
        'mean minibatch loss of the last 5 evaluations'
        """
        if self.inner:
            return f"spread of {self.inner.words} over {self.factor}"
        split = self.split.replace("batch", "minibatch") if self.sampled else ""
        quantity = f"{split} {self.y}".strip().replace("_", " ")
        number = "" if self.number is None else value_text(float(self.number))
        words = {
            "last": f"last {quantity}",
            "mean_last": f"mean {quantity} of the last {number} evaluations",
            "auc": f"mean {quantity} over training",
            "iterations_to": f"iterations to a {quantity} of {number}",
            "gap": f"train-{self.split} gap in {self.y}",
            "rise": f"rise of {quantity} after its minimum",
            "probe": f"{_SHARES.get(self.y, quantity)} of {self.layer}",
            "turning_angle": "mean turning angle",
            "column": quantity,
        }
        return words.get(self.kind, f"{self.kind} {quantity}")


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
