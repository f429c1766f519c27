from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dlsweep.analysis.sign_flips import (
    RANDOM_PATTERNS,
    joint_sign_flip_test,
    paired,
    sign_flip_interval,
    sign_flip_test,
    subset_sums,
)

INF = float("inf")
# Decimals: their sums have ties that rounding would separate, such as 0.1 + 0.2 and 0.3.
decimals = st.lists(st.integers(-50, 50), min_size=1, max_size=9)
floats = st.lists(st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-3), min_size=1, max_size=9)


def enumerated(d: list[tuple[int, int]]) -> tuple[float, float]:
    """p above and below, from all patterns of exact numbers (infinite sign, finite part), in lexicographic order."""
    sums = [tuple(sum(s * x[i] for s, x in zip(signs, d)) for i in (0, 1)) for signs in product((1, -1), repeat=len(d))]
    return sum(s >= sums[0] for s in sums) / len(sums), sum(s <= sums[0] for s in sums) / len(sums)


@given(decimals)
def test_p_is_the_share_of_all_patterns(hundredths: list[int]) -> None:
    greater, less = enumerated([(0, x) for x in hundredths])
    found = sign_flip_test([x / 100 for x in hundredths])
    assert found == (greater, less, min(1, 2 * greater, 2 * less))


@given(st.lists(st.one_of(st.integers(-50, 50), st.sampled_from([INF, -INF])), min_size=1, max_size=8))
def test_infinite_differences_come_first(hundredths: list[float]) -> None:
    d = [(int(np.sign(x)), 0) if abs(x) == INF else (0, int(x)) for x in hundredths]
    assert sign_flip_test([x / 100 for x in hundredths])[:2] == enumerated(d)


columns = st.integers(1, 6).flatmap(
    lambda n: st.lists(st.lists(st.integers(-50, 50), min_size=n, max_size=n), min_size=1, max_size=4)
)


@given(columns)
def test_joint_p_values_step_down_over_all_patterns_of_whole_rows(hundredths: list[list[int]]) -> None:
    """Squares of Σd / √Σd², exact as fractions: a column against the largest of those that are not clearer."""
    clear = [[Fraction(sum(d)) ** 2 / max(1, sum(x * x for x in d)) for d in hundredths]]
    for signs in product((1, -1), repeat=len(hundredths[0])):
        flipped = [[s * x for s, x in zip(signs, d)] for d in hundredths]
        clear.append([Fraction(sum(d)) ** 2 / max(1, sum(x * x for x in d)) for d in flipped])
    data, *patterns = clear
    expected = [
        max(
            Fraction(sum(max(one[k] for k in range(len(data)) if data[k] <= data[j]) >= data[j] for one in patterns))
            / len(patterns)
            for j in range(len(data))
            if data[j] >= data[i]
        )
        for i in range(len(data))
    ]
    found = joint_sign_flip_test(np.array(hundredths).T / 100)
    np.testing.assert_allclose(found, [float(p) for p in expected])


def test_many_columns_cost_a_clear_one_nothing() -> None:
    """Holm would multiply 2/2¹⁰ by 1000. Seeds above 13 take random patterns, with the data among them."""
    d = np.random.default_rng(1).normal(0, 1, (10, 1000))
    d[:, 7] = np.linspace(9, 10, 10)
    found = joint_sign_flip_test(d)
    assert found[7] == 2 / 2**10 == sign_flip_test(d[:, 7]).two_sided
    assert np.delete(found, 7).min() > 0.05
    more = joint_sign_flip_test(np.vstack([d, d]), key="more")
    assert more[7] == 1 / 10_001
    missing = np.where(np.arange(10)[:, None] < [10, 6], 1.0, np.nan)
    assert joint_sign_flip_test(missing).tolist() == [2 / 2**10, 2 / 2**6]


@pytest.mark.parametrize("n", [2, 5, 8, 11])
@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_it_agrees_with_scipy(n: int, alternative: str) -> None:
    d = np.random.default_rng(n).normal(0.5, 1, n)
    found = sign_flip_test(d)
    options: dict[str, Any] = {"permutation_type": "samples", "n_resamples": 5000, "alternative": alternative}
    expected = stats.permutation_test((d,), np.mean, **options)
    assert getattr(found, alternative.replace("-", "_")) == expected.pvalue


def test_twenty_differences_by_the_distribution_of_their_sum() -> None:
    """The sum of the ranks with a positive sign has the coefficients of Π (1 + x^k)."""
    coefficients = np.ones(1)
    for rank in range(1, 21):
        coefficients = np.convolve(coefficients, [1, *[0] * (rank - 1), 1])
    signs = np.where(np.arange(1, 21) % 3 == 0, -1, 1)
    ranks = np.arange(1, 21) * signs
    found = sign_flip_test(ranks)
    assert found.greater == coefficients[ranks[ranks > 0].sum() :].sum() / 2**20


def test_above_twenty_random_patterns_repeat() -> None:
    d = np.random.default_rng(0).normal(0.3, 1, 25)
    found = sign_flip_test(d, key="a b")
    assert found == sign_flip_test(d, key="a b") != sign_flip_test(d, key="a c")
    assert found.greater == pytest.approx(stats.ttest_1samp(d, 0, alternative="greater").pvalue, abs=0.01)
    assert sign_flip_test(np.ones(40)).two_sided == 2 / (RANDOM_PATTERNS + 1)  # the data itself counts


def test_equal_differences() -> None:
    assert sign_flip_test([0.1] * 7) == (1 / 128, 1, 1 / 64)
    assert sign_flip_test([0.0] * 7) == (1, 1, 1)
    assert sign_flip_test([]) == (1, 1, 1)
    assert sign_flip_test([0.2]) == (0.5, 1, 1)
    assert sign_flip_test([INF] * 6).two_sided == 1 / 32


def test_a_missing_difference_has_no_p() -> None:
    found = sign_flip_test([1.0, np.nan])
    assert np.isnan(found[:3]).all()
    assert np.isnan(sign_flip_interval([1.0, np.nan])).all()


def test_huge_and_tiny_differences() -> None:
    assert sign_flip_test([1e308] * 6 + [1e-308]).two_sided == sign_flip_test([1.0] * 6 + [0.0]).two_sided


@given(floats)
def test_other_signs_swap_the_sides(d: list[float]) -> None:
    found, other = sign_flip_test(d), sign_flip_test([-x for x in d])
    assert (found.greater, found.less, found.two_sided) == (other.less, other.greater, other.two_sided)


@given(decimals, st.floats(1e-3, 1e3), st.randoms(use_true_random=False))
def test_scale_and_order_change_nothing(hundredths: list[int], scale: float, random) -> None:
    found = sign_flip_test(hundredths)
    shuffled = [x * scale for x in hundredths]
    random.shuffle(shuffled)
    assert sign_flip_test(shuffled) == found


@given(floats)
def test_no_p_is_below_two_of_all_patterns(d: list[float]) -> None:
    assert sign_flip_test(d).two_sided >= 2 / 2 ** len(d)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=8), st.sampled_from([0.05, 0.1, 0.3]))
def test_the_interval_has_the_means_of_subsets_as_ends(hundredths: list[int], alpha: float) -> None:
    n = len(hundredths)
    means = sorted(Fraction(sum(s), size) for size in range(1, n + 1) for s in combinations(hundredths, size))
    k = int(alpha * 2**n / 2)
    expected = [float(means[k - 1]) / 100, float(means[-k]) / 100] if k else [-INF, INF]
    np.testing.assert_allclose(sign_flip_interval([x / 100 for x in hundredths], alpha), expected, atol=1e-12)


@given(st.lists(st.integers(-50, 50), min_size=5, max_size=9), st.integers(-60, 60), st.sampled_from([0.05, 0.1, 0.3]))
def test_the_interval_leaves_out_the_means_that_the_test_rejects(hundredths: list[int], m: int, alpha: float) -> None:
    low, high = sign_flip_interval(hundredths, alpha)
    inside = low - 1e-6 <= m <= high + 1e-6
    assert inside == (sign_flip_test(np.array(hundredths) - m).two_sided > alpha)


@settings(max_examples=20)
@given(st.integers(0, 100), st.sampled_from([0.01, 0.05, 0.2]))
def test_above_twenty_they_agree_too(seed: int, alpha: float) -> None:
    d = np.random.default_rng(seed).standard_normal(30)
    ends = sign_flip_interval(d, alpha, key="k")
    for end, outwards in zip(ends, (-1, 1)):
        assert sign_flip_test(d - end, key="k").two_sided > alpha
        assert sign_flip_test(d - end - outwards * 1e-6, key="k").two_sided <= alpha


def test_intervals_by_hand() -> None:
    assert sign_flip_interval([3, 1, 2, 6, 5, 4]) == (1, 6)  # K = 1
    assert sign_flip_interval([3, 1, 2, 6, 5, 4, 7]) == (2, 6)  # K = 3: the means 1, 1.5, 2
    assert sign_flip_interval([3, 1, 2, 6, 5]) == (-INF, INF)
    assert sign_flip_interval([3, 1, 2, 6, 5, 4, INF]) == (1, 6)
    assert sign_flip_interval([2.5] * 8) == (2.5, 2.5)
    assert sign_flip_interval([]) == (-INF, INF)


def test_pairs() -> None:
    np.testing.assert_array_equal(
        paired([1, INF, INF, -INF, 2], [0.5, INF, 0, INF, np.nan], 0.25), [0.25, 0, INF, -INF, np.nan]
    )


def test_subset_sums_are_in_the_order_of_the_digits() -> None:
    assert subset_sums(np.array([100, 10, 1])).tolist() == [0, 1, 10, 11, 100, 101, 110, 111]
