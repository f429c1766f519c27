"""The tests of claims tested on themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.support.claims import store

from dlsweep import open_results
from dlsweep.analysis.null import null_check
from dlsweep.analysis.questions import Contrast
from dlsweep.analysis.sign_flips import PValues
from dlsweep.errors import UsageError

DRAWS = np.random.default_rng(1).normal(0.5, 0.1, (2, 40))
GRID = {"init": ["he", "normal"]}


def value(levels: Mapping[str, str], seed: int) -> float:
    return float(DRAWS[GRID["init"].index(levels["init"]), seed])


@pytest.mark.parametrize(("seeds", "attainable"), [(12, 2 / 2**6), (16, 12 / 2**8), (17, 12 / 2**8)])
def test_the_rate_of_verdicts_is_about_the_level_that_the_pairs_attain(
    tmp_path: Path, seeds: int, attainable: float
) -> None:
    """⌊0.05 · 2ⁿ / 2⌋ · 2/2ⁿ for n pairs: 1 of 32, and 6 of 128."""
    found = null_check(store(tmp_path, GRID, value, seeds=seeds))
    assert (found.arms, found.splits, found.attainable) == (2, 1000, attainable)
    error = np.sqrt(attainable * (1 - attainable) / 1000)
    assert abs(found.verdicts / 1000 - attainable) < 4 * error  # both ways: continuous values attain the level
    assert found.passed
    assert found == null_check(open_results(found.folder))  # the same splits each time


def test_a_test_that_is_wrong_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A one-sided p in the place of the two-sided one errs twice as often."""
    results = store(tmp_path, GRID, value, seeds=16)
    right = Contrast.test

    def one_sided(self: Contrast, margin: float = 0.0, sign: int = 1) -> PValues:
        found = right(self, margin, sign)
        return found._replace(two_sided=found.two_sided / 2)

    monkeypatch.setattr(Contrast, "test", one_sided)
    found = null_check(results)
    assert not found.passed
    assert "at fault" in str(found)


def test_too_few_seeds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--null needs an arm with at least 12 seeds; .* has 11"):
        null_check(store(tmp_path, GRID, value, seeds=11))
