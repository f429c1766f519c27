"""Sequential sign-flip test: looks at planned numbers of seeds, with an error rate that looking does not inflate.

Up to each look at most a(n) of all sign patterns are rejected, with the spending function of Lan & DeMets (1983) that
resembles Pocock's boundary: a(n) = alpha / claims · ln(1 + (e − 1) n / N). Each claim has its share of alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import e, floor, log1p
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dlsweep.analysis.sign_flips import MOST_EXACT, random_subsets, subset_sums, sums_over, weighted
from dlsweep.analysis.statistics import fewest_seeds
from dlsweep.errors import UsageError
from dlsweep.text import plural

RANDOM_PATTERNS = 100_000  # the data's included
_GRID = (8, 10, 12, 15)
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Plan:
    """Looks that were planned before the first one.

    alpha: error rate of all claims together; claims: their number; most: N, the seeds at the last look; looks: numbers
    of seeds; key: names the random patterns.

    >>> Plan.of(0.05, claims=1, most=20).looks
    (7, 8, 10, 12, 15, 20)
    """

    alpha: float
    claims: int
    most: int
    looks: tuple[int, ...]
    key: str = ""

    @classmethod
    def of(cls, alpha: float, *, claims: int, most: int, trained: int = 0, key: str = "") -> Plan:
        """Plan looks at up to `most` seeds, of which some are trained already.

        The first look is the smallest number of seeds at which a claim can be decided.
        """
        bare = cls(alpha, claims, most, (), key)
        able = [n for n in range(1, most + 1) if 2 / 2.0**n <= bare.spent(n) * (1 + _ROUNDING)]
        if not able or trained > most:
            least = max(trained, fewest_seeds(claims, alpha))
            raise UsageError(f"--max-seeds {most} is too few for {plural(claims, 'claim')}; write at least {least}")
        first = max(able[0], trained)
        looks = {first, *(n for n in (*_GRID, *range(20, most, 10)) if first < n < most), most}
        return cls(alpha, claims, most, tuple(sorted(looks)), key)

    def spent(self, n: int) -> float:
        """Return a(n), the error rate that one claim has spent after a look at n seeds.

        >>> round(Plan(0.05, 1, 20, ()).spent(10), 4)
        0.031
        """
        return self.alpha / self.claims * log1p((e - 1) * n / self.most)


class Decision(NamedTuple):
    """State of a test at the last look that the seeds allow.

    sign: 1 or -1 if the mean was found above or below 0, 0 while undecided; seeds: at the look that decided, or at the
    last one, 0 before the first.
    """

    sign: int
    seeds: int


Sides = Literal["both", "greater", "less"]


def sequential_test(differences: ArrayLike, plan: Plan, *, sides: Sides = "both", share: float = 1.0) -> Decision:
    """Test the mean of paired differences, in the order of the seeds, at each look that they allow.

    At a look, the patterns at least as extreme as the data that were not rejected before are counted: if they fit with
    those rejected before into share · a(n) of all, the test is decided. If not, the most extreme ones that fit are
    rejected, and stay rejected. All patterns up to N = 20, else 10⁵ random ones. Infinite differences are as in
    `sign_flip_test`.

    >>> sequential_test([0.9, 1.1, 1.3, 0.7, 0.8, 1.2, 0.6, 1.4], Plan.of(0.05, claims=1, most=20))
    Decision(sign=1, seeds=7)
    """
    d = np.asarray(differences, np.float64).ravel()
    exact = plan.most <= MOST_EXACT
    patterns = None if exact else _patterns(plan)
    rejected = np.zeros(1 if exact else RANDOM_PATTERNS, bool)
    before = 0
    for n in plan.looks:
        if n > len(d) or np.isnan(d[:n]).any():
            break
        weights, tie = weighted(d[:n])
        extremes = _extremes(weights, subset_sums(weights) if patterns is None else sums_over(patterns, weights), sides)
        if exact:
            rejected = np.repeat(rejected, 2 ** (n - before))  # with every sign of the new differences
        room = floor(share * plan.spent(n) * len(extremes) * (1 + _ROUNDING)) - np.count_nonzero(rejected)
        if np.count_nonzero((extremes >= extremes[0] - tie) & ~rejected) <= room:
            return Decision(int(np.sign(weights.sum())), n)
        before = n
        if n < plan.most:
            remaining = extremes[~rejected]
            last = len(remaining) - 1 - room  # in ascending order, the first that does not fit
            rejected |= extremes > np.partition(remaining, last)[last] + tie
    return Decision(0, before)


def sequential_equals(differences: ArrayLike, within: float, plan: Plan) -> Decision:
    """Test that the mean difference lies inside ± within: sign 1 if it does, -1 if it lies outside.

    Inside: two one-sided tests, each at a(n). Outside: one of two one-sided tests at a(n) / 2.

    >>> sequential_equals([0.01, -0.02, 0.0, 0.01, 0.02, -0.01, 0.0], 0.1, Plan.of(0.05, claims=1, most=20)).sign
    1
    """
    d = np.asarray(differences, np.float64)
    inside = [sequential_test(d + within, plan, sides="greater"), sequential_test(d - within, plan, sides="less")]
    outside = [
        sequential_test(d - within, plan, sides="greater", share=0.5),
        sequential_test(d + within, plan, sides="less", share=0.5),
    ]
    return _together(inside, outside)


def sequential_order(pairs: Sequence[ArrayLike], plan: Plan) -> Decision:
    """Test that the mean of each neighbouring pair's differences is above 0: sign 1 if all are, -1 if one is below.

    Above: each pair's test at a(n). Below: one pair's test at a(n) / (number of pairs).

    >>> rises = [0.2, 0.1, 0.3, 0.2, 0.1, 0.2, 0.3]
    >>> sequential_order([rises, rises], Plan.of(0.05, claims=1, most=20)).sign
    1
    """
    above = [sequential_test(d, plan) for d in pairs]
    below = [sequential_test(d, plan, share=1 / len(pairs)) for d in pairs]
    return _together(
        [found if found.sign > 0 else found._replace(sign=0) for found in above],
        [found if found.sign < 0 else found._replace(sign=0) for found in below],
    )


def _together(support: list[Decision], refutation: list[Decision]) -> Decision:
    """Return the earlier of a support, which needs all of its tests, and a refutation, which needs one."""
    found = []
    if all(test.sign for test in support):
        found.append(max(support, key=lambda test: test.seeds)._replace(sign=1))
    found += [test._replace(sign=-1) for test in refutation if test.sign]
    if found:
        return min(found, key=lambda test: test.seeds)
    return max([*support, *refutation], key=lambda test: test.seeds)._replace(sign=0)


def _patterns(plan: Plan) -> np.ndarray:
    """Return the subsets that random patterns flip, `(N, patterns)`; the first one is empty, as the data's."""
    patterns = random_subsets(plan.most, RANDOM_PATTERNS, f"sequential/{plan.key}")
    patterns[:, 0] = False
    return patterns


def _extremes(weights: np.ndarray, flipped: np.ndarray, sides: Sides) -> np.ndarray:
    """Return each pattern's sum of differences, its negative or its absolute value, from the sums that it flips."""
    sums = weights.sum() - 2 * flipped
    turned: np.ndarray = {"both": np.abs, "less": np.negative, "greater": np.positive}[sides](sums, out=sums)
    return turned
