"""The outlook on claims before training agrees with the tests that decide them."""

from __future__ import annotations

from typing import Any

import pytest

from dlsweep.analysis.outlook import detected, outlook, undecidable
from dlsweep.config import Config, load

HE = {"arm": {"init": "he"}, "beats": {"init": "xavier"}}
ALIKE = {"arm": {"init": "he"}, "equals": {"init": "xavier"}, "within": 0.1}


def config(seeds: int, *claims: Any, alpha: float = 0.05, **other: Any) -> Config:
    named = [{f"claim {i}": claim} for i, claim in enumerate(claims)]
    grid = {"init": ["he", "xavier"]}
    return load({"name": "x", "seeds": seeds, "grid": grid, "claims": named, "statistics": {"alpha": alpha}} | other)


@pytest.mark.parametrize(
    ("claims", "alpha", "fewest"),
    [
        ([HE], 0.05, [6]),  # 2/2⁶ = 0.031
        ([ALIKE], 0.05, [6]),  # 1/2⁵ = 0.031, but nothing is decided with fewer than 6
        ([HE, HE, ALIKE], 0.05, [7, 7, 6]),  # 2/2⁷ = 0.0156 is at most 0.05/3 = 0.0167
        ([HE] * 10, 0.05, [9] * 10),
        ([HE, ALIKE], 0.001, [12, 11]),
    ],
)
def test_the_fewest_seeds_are_those_whose_smallest_p_passes_the_first_step_of_holm(
    claims: list[Any], alpha: float, fewest: list[int]
) -> None:
    assert [one.fewest for one in outlook(config(5, *claims, alpha=alpha))] == fewest


def test_a_sentence_for_the_claims_that_need_as_many_seeds() -> None:
    assert undecidable(outlook(config(6, HE, HE, ALIKE))) == [
        "6 seeds cannot decide 2 claims whatever the results are, and 7 can: claim 0; claim 1"
    ]
    assert undecidable(outlook(config(7, HE, HE, ALIKE))) == []


def test_more_seeds_detect_smaller_differences() -> None:
    found = [one.detectable for n in (6, 10, 20, 100) for one in outlook(config(n, HE)) if one.detectable]
    assert len(found) == 4
    assert found == sorted(found, reverse=True)
    assert outlook(config(5, HE))[0].detectable is None
    assert 0.2 < found[-1] < 0.4  # about 2.8 / √n
    assert detected(outlook(config(10, HE)), 0.05) == (
        "1 claim at the level 0.05: 10 seeds detect a difference of 1.0 standard deviations of the paired differences "
        "four times of five"
    )
    assert detected(outlook(config(5, HE)), 0.05) == ""


def test_descents_without_noise_are_compared_exactly() -> None:
    claim = {"arm": {"optimizer": "adam"}, "beats": {"optimizer": "sgd"}}
    descents = {"train": {"iterations": 10}, "grid": {"optimizer": ["sgd", "adam"]}}
    noisy: dict[str, Any] = {**descents, "model": {"beale": {"noise": 0.1}}}
    exact = {"name": "x", "claims": [{"A": claim}], **descents, "model": "beale"}
    assert outlook(load(exact)) == []
    assert len(outlook(config(5, claim, **noisy))) == 1
