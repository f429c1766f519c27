"""Metrics: the numbers of a run that arms are compared by, with their words and their better direction.

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

from dataclasses import dataclass
from math import inf

from dlsweep.text import value_text

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
