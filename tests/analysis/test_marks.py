"""Marks of arms that cannot be distinguished from the best, beside the intervals of their differences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.support.claims import store

from dlsweep.analysis.board import Compared
from dlsweep.analysis.closing import closing_table
from dlsweep.metrics import Metric

ACCURACY, REACHED = Metric("final", "test", "accuracy"), Metric("iterations_to", "test", "accuracy", 0.5)
STEPS = np.array([0.1, 0.03, 0.09, 0.02, 0.05])  # by which the second arm is worse: p = 0.019 one-sided
DIFFER = "Some marks and intervals differ: an interval is two-sided, for one comparison at 95 %"


@pytest.mark.parametrize(("others", "differs"), [(1, False), (2, False), (9, True)])
def test_a_mark_beside_an_interval_without_0(tmp_path: Path, others: int, differs: bool) -> None:
    assert 0.05 / 9 < stats.ttest_1samp(STEPS, 0, alternative="greater").pvalue < 0.025
    grid = {"train.batch_size": [10 + i for i in range(1 + others)]}

    def value(levels: Mapping[str, str], seed: int) -> float:
        arm = int(levels["train.batch_size"]) - 10
        return float(0.9 - (STEPS[seed] if arm == 1 else 0.3 * (arm > 1) * (1 + STEPS[seed])))

    told = closing_table(store(tmp_path, grid, value, seeds=5))
    assert (f"{DIFFER}; the marks are one-sided, and allow for {others} comparison" in told) == differs
    assert (" \N{ALMOST EQUAL TO} " in told.splitlines()[2]) == differs


def test_an_unmarked_arm_with_0_in_its_interval() -> None:
    """Of two arms, the one-sided test at 5 % is the interval at 90 %."""
    steps = STEPS - 0.02
    p = stats.ttest_1samp(steps, 0, alternative="greater").pvalue
    assert 0.025 < p < 0.05
    found = Compared(ACCURACY, np.stack([np.full(5, 0.9), 0.9 - steps]), np.ones(2, bool))
    assert found.marked.tolist() == [True, False]
    assert found.contradictory.tolist() == [False, True]


@pytest.mark.parametrize("reached", [1, 2, 5])
@pytest.mark.parametrize("arms", [2, 40])
def test_an_arm_that_never_reached_a_level_has_no_mark(reached: int, arms: int) -> None:
    values = np.full((arms, 5), np.inf)
    values[0, :reached] = 100
    values[2:] = [120, 90, 100, 100, 110]
    found = Compared(REACHED, values, np.ones(arms, bool))
    assert not found.marked[1]
