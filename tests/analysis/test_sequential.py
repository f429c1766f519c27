from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlsweep.analysis.sequential import Plan, sequential_equals, sequential_order, sequential_test
from dlsweep.analysis.sign_flips import sign_flip_test
from dlsweep.errors import UsageError

SMALL = Plan(0.2, 1, 8, (4, 5, 6, 8))
sizes = st.lists(st.integers(0, 30), min_size=8, max_size=8)


@pytest.mark.parametrize(("claims", "first"), [(1, 7), (3, 8), (10, 10)])
def test_the_first_look_can_decide(claims: int, first: int) -> None:
    looks = Plan.of(0.05, claims=claims, most=20).looks
    assert looks == (first, *(n for n in (8, 10, 12, 15, 20) if n > first))


def test_looks_go_on_in_tens_to_the_last() -> None:
    assert Plan.of(0.05, claims=1, most=55).looks == (8, 10, 12, 15, 20, 30, 40, 50, 55)
    assert Plan.of(0.05, claims=1, most=20, trained=10).looks == (10, 12, 15, 20)
    assert Plan.of(0.05, claims=1, most=20, trained=11).looks == (11, 12, 15, 20)
    assert Plan.of(0.05, claims=1, most=6).looks == (6,)


@pytest.mark.parametrize(("most", "trained", "least"), [(5, 0, 6), (10, 12, 12)])
def test_too_few_seeds_are_refused(most: int, trained: int, least: int) -> None:
    with pytest.raises(UsageError, match=f"--max-seeds {most} is too few for 1 claim; write at least {least}"):
        Plan.of(0.05, claims=1, most=most, trained=trained)


def test_all_of_alpha_is_spent_at_the_end() -> None:
    plan = Plan.of(0.05, claims=4, most=20)
    spent = [plan.spent(n) for n in plan.looks]
    assert spent == sorted(spent)
    assert spent[-1] == pytest.approx(0.05 / 4)


def rejected(sizes: list[int], sides: str, plan: Plan) -> dict[tuple[int, ...], int]:
    """The look at which each pattern of signs is rejected, from exact numbers and sets of patterns."""
    looks: dict[tuple[int, ...], int] = {}
    for n in plan.looks:
        patterns = list(product((1, -1), repeat=n))
        before = {p for p in patterns if any(p[: len(q)] == q for q in looks)}
        sums = {p: sum(s * x for s, x in zip(p, sizes)) for p in patterns}
        extremity = {p: abs(s) if sides == "both" else s if sides == "greater" else -s for p, s in sums.items()}
        for p in set(patterns) - before:
            at_least = {q for q in patterns if extremity[q] >= extremity[p]} - before
            if Fraction(len(before) + len(at_least), 2**n) <= Fraction(plan.spent(n)):
                looks[p] = n
    return looks


@pytest.mark.parametrize("sides", ["both", "greater", "less"])
@settings(max_examples=4)
@given(sizes=sizes)
def test_the_patterns_that_each_look_rejects(sides: str, sizes: list[int]) -> None:
    """Over all patterns of signs, the share that is decided up to each look is at most a(n): the error rate."""
    expected = rejected(sizes, sides, SMALL)
    found = {}
    for pattern in product((1, -1), repeat=8):
        test = sequential_test(np.array(pattern) * sizes / 100, SMALL, sides=sides)  # type: ignore[arg-type]
        assert test.sign in ((1,) if sides == "greater" else (-1,) if sides == "less" else (1, -1)) or not test.sign
        if test.sign:
            found[pattern[: test.seeds]] = test.seeds
    assert found == expected
    for n in SMALL.looks:
        assert sum(2.0 ** -len(pattern) for pattern, look in found.items() if look <= n) <= SMALL.spent(n)


@given(st.lists(st.integers(-50, 50), min_size=6, max_size=9))
def test_with_one_look_it_is_the_test_at_a_fixed_number(hundredths: list[int]) -> None:
    n = len(hundredths)
    test = sequential_test(hundredths, Plan(0.1, 1, n, (n,)))
    assert (test.sign != 0) == (sign_flip_test(hundredths).two_sided <= 0.1)
    assert sequential_test(hundredths, Plan(0.1, 1, n, (n,)), sides="less").sign == -(
        sign_flip_test(hundredths).less <= 0.1
    )


@given(st.integers(0, 1000))
def test_a_decision_stays_as_seeds_are_added(seed: int) -> None:
    plan = Plan.of(0.05, claims=1, most=15)
    d = np.random.default_rng(seed).normal(0.8, 1, 15)
    states = [sequential_test(d[:n], plan) for n in range(16)]
    decided = next((n for n, state in enumerate(states) if state.sign), 16)
    for n, state in enumerate(states):
        look = max([0, *(look for look in plan.looks if look <= min(n, decided))])
        assert (state.seeds, bool(state.sign)) == (look, n >= decided)


def test_a_missing_difference_ends_the_looks_before_it() -> None:
    plan = Plan.of(0.05, claims=1, most=20)
    assert sequential_test([1.0, -1.0] * 4 + [np.nan] + [1.0] * 11, plan) == (0, 8)
    assert sequential_test([np.nan] + [1.0] * 19, plan) == (0, 0)


def test_an_infinite_difference_outweighs_the_others() -> None:
    plan = Plan.of(0.05, claims=1, most=20)
    assert sequential_test([np.inf] * 7, plan).sign == 1
    assert sequential_test([1.0] * 6 + [-np.inf], plan).sign == 0


def test_above_twenty_seeds_random_patterns_are_drawn_once() -> None:
    plan = Plan.of(0.05, claims=1, most=40, key="a")
    d = np.random.default_rng(1).normal(0.45, 1, 40)
    found = sequential_test(d, plan)
    assert found == sequential_test(d, plan)
    assert found.sign == 1
    assert sequential_test(np.ones(8), plan) == (1, 8)
    assert sequential_test(np.ones(7), plan).seeds == 0
    assert sequential_test([1.0, -1.0] * 20, plan) == (0, 40)


def test_equals() -> None:
    plan = Plan.of(0.05, claims=1, most=20)
    d = np.array([0.01, -0.02, 0.0, 0.015, 0.02, -0.01, 0.005, 0.0])
    assert sequential_equals(d[:7], 0.05, plan) == (1, 7)
    assert sequential_equals(d + 0.2, 0.05, plan).sign == -1
    assert sequential_equals(d - 0.2, 0.05, plan).sign == -1
    assert sequential_equals(d + 0.05, 0.05, plan) == (0, 8)
    assert sequential_equals(d[:6], 0.05, plan) == (0, 0)


def test_order_needs_every_pair_and_a_reversal_needs_one() -> None:
    plan = Plan.of(0.05, claims=1, most=20)
    up = np.linspace(0.1, 0.2, 8)
    unclear = up * np.tile([1, -1], 4)
    assert sequential_order([up, up], plan) == (1, 7)
    assert sequential_order([up, unclear], plan) == (0, 8)
    # All seven equal signs are 2 of 2⁷ patterns, more than a(7) / 2; with eight, less than a(8) / 2.
    assert sequential_order([up[:7], -up[:7]], plan).sign == 0
    assert sequential_order([up, -up], plan) == (-1, 8)
