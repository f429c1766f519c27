"""Tests of claims tested on themselves: two halves of one arm's seeds, compared as if they were two arms.

Both halves come from one arm, so a verdict is an error. Given the pairs of a split, each half is as likely to be the
first one, so a verdict comes up with at most the level that a sign-flip test of as many pairs attains.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from dlsweep.analysis.metrics import metric_of, metric_values
from dlsweep.analysis.questions import Contrast, Question
from dlsweep.analysis.sides import Sides
from dlsweep.analysis.sign_flips import MOST_EXACT
from dlsweep.analysis.statistics import attainable_level
from dlsweep.analysis.testing import p_values
from dlsweep.config.claims import Claim
from dlsweep.errors import UsageError
from dlsweep.randomness import stream
from dlsweep.storage.results import Results
from dlsweep.text import plural
from dlsweep.types import Array

SPLITS = 1000
FEWEST = 12  # seeds of an arm: six pairs are the fewest that can be decided
STANDARD_ERRORS = 4  # by which the rate may exceed the attainable level

HALVES = Claim("one half of the seeds beats the other", "beats")


@dataclass(frozen=True)
class Null:
    """Random splits of arms into halves: how many of them led to a verdict, and how many t intervals missed 0.

    attainable: the share of verdicts that the tests allow; variance: of the number of verdicts at this share.
    """

    sweep: str
    folder: str
    metric: str
    arms: int
    splits: int
    verdicts: int
    missed: int
    attainable: float
    variance: float
    alpha: float

    @property
    def limit(self) -> float:
        """Largest share of verdicts that chance explains."""
        return self.attainable + STANDARD_ERRORS * sqrt(self.variance) / self.splits

    @property
    def passed(self) -> bool:
        """True if there are no more verdicts than chance explains."""
        return self.verdicts <= self.limit * self.splits

    def __str__(self) -> str:
        result = (
            "The tests err no more often than they promise"
            if self.passed
            else "That is too many: the tests of this program, or its seeds, are at fault"
        )
        return (
            f"{self.sweep}: two halves of the seeds of one arm do not differ, so a verdict on them is an error. "
            f"Expected: errors in at most {self.attainable:.1%} of random splits, and by chance in up to "
            f"{self.limit:.1%}. Found: {self.verdicts:,} errors in {plural(self.splits, 'split')} "
            f"({self.verdicts / self.splits:.1%}) of the seeds of {plural(self.arms, 'arm')}, on {self.metric}. "
            f"{result}. The t interval at {1 - self.alpha:.0%} missed 0 in {self.missed / self.splits:.1%} of the "
            "splits, which depends on the data."
        ).replace("%", " %")


def null_check(results: Results) -> Null:
    """Split the seeds of each arm in turn at random, and compare the halves. The same splits come up each time.

    A `UsageError` says that no arm has enough seeds.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}}
    >>> results = dlsweep.run({**config, "seeds": 12}, executor="inline")
    >>> null_check(results).passed
    True
    """
    if results.overlap:
        raise UsageError(
            f"--null tests sign-flip tests of independent seeds, and those of {results.folder} draw splits of one data "
            "set that share samples; `make simulations` tests the intervals for such splits"
        )
    metric, alpha = metric_of(results), results.record.alpha
    frame = metric_values(results, metric)
    frame = frame[frame["value"].notna()]
    arms = [arm["value"].to_numpy(dtype=np.float64) for _, arm in frame.groupby("arm", sort=False, observed=True)]
    enough = [values for values in arms if len(values) >= FEWEST]
    if not enough:
        most = max(map(len, arms), default=0)
        raise UsageError(f"--null needs an arm with at least {FEWEST} seeds; {results.folder} has {most}")
    verdicts = missed = 0
    attained = []
    for split in range(SPLITS):
        contrast = _halves(enough[split % len(enough)], stream(0, "null", split))
        support, refute, *_ = p_values(Question(HALVES, metric, (contrast,), 1, exact=False))
        verdicts += min(support, refute) <= alpha
        low, high = contrast.interval(alpha)
        missed += not low <= 0 <= high
        attained.append(attainable_level(contrast.sides.n, alpha))
    level = np.array(attained)
    counts = (len(enough), SPLITS, verdicts, missed)
    rates = (float(level.mean()), float((level * (1 - level)).sum()))
    return Null(results.name, str(results.folder), metric.words, *counts, *rates, alpha)


def _halves(values: Array, rng: np.random.Generator) -> Contrast:
    """Return the difference between two random halves of an arm's seeds, as if they were two arms."""
    import pandas as pd

    n = len(values) // 2
    chosen = rng.permutation(len(values))[: 2 * n].reshape(2, n)
    columns = {}
    if n > MOST_EXACT:  # the rows name the random sign patterns
        side, place = np.indices((2, n)).reshape(2, -1)
        columns = {"side": side, "combination": np.zeros_like(side), "place": place, "seed": chosen.ravel()}
    sides = Sides(("one half", "the other half"), values[chosen][:, None, :], np.arange(n), pd.DataFrame(columns), n)
    return Contrast(sides, (1.0, -1.0))
