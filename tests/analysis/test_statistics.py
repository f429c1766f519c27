from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from dlsweep.analysis.crossed import overlapping_splits_test
from dlsweep.analysis.sign_flips import sign_flip_test
from dlsweep.analysis.statistics import (
    Replication,
    attainable_level,
    bounds_of,
    detectable,
    fewest_seeds,
    holm,
    indistinguishable,
    interval,
    pairing,
    seeds_to_decide,
)

INF = float("inf")

values = arrays(float, st.integers(2, 40), elements=st.floats(-1e3, 1e3).map(lambda x: round(x, 3)))

SPLITS = Replication(overlap=0.25)


def test_five_values_by_hand() -> None:
    low, high = interval([1, 2, 3, 4, 5])
    half = 2.776445105 * np.sqrt(2.5 / 5)  # t of 4 degrees of freedom at 0.975
    assert low == pytest.approx(3 - half)
    assert high == pytest.approx(3 + half)


def test_it_is_cut_at_its_bounds() -> None:
    low, high = interval([0.9, 1.0], bounds=bounds_of("final_test_accuracy"))
    assert low == pytest.approx(interval([0.9, 1.0])[0])
    assert high == 1
    assert interval([0.9, 1.0], bounds=bounds_of("final_test_loss")) == interval([0.9, 1.0])


def test_on_a_logarithmic_axis_it_stays_above_0() -> None:
    low, high = interval([1.0, 2.0, 9.0], log=True)
    assert 0 < low < 4 < high
    assert low * high == pytest.approx(16)  # symmetric around the mean, as a ratio
    assert np.isnan(interval([-1.0, 0.5], log=True)).all()


def test_values_that_are_not_finite_have_none() -> None:
    assert np.isnan(interval([[1.0, np.nan], [1.0, np.inf]])).all()


def test_one_value_has_no_interval() -> None:
    assert np.isnan(interval([0.9])).all()


@pytest.mark.parametrize("n", [5, 25])
def test_equal_values_have_an_interval_of_no_width(n: int) -> None:
    np.testing.assert_allclose(interval([0.1] * n), 0.1)


@given(values)
def test_the_interval_holds_the_mean(x: np.ndarray) -> None:
    low, high = interval(x)
    slack = 1e-9 * (1 + np.abs(x).max())
    assert low <= x.mean() + slack
    assert high >= x.mean() - slack


@given(values, st.floats(0.1, 10), st.floats(-100, 100))
def test_the_interval_moves_and_scales_with_the_values(x: np.ndarray, scale: float, shift: float) -> None:
    low, high = interval(x)
    slack = 1e-5 * (1 + np.abs(x).max())
    np.testing.assert_allclose(interval(scale * x + shift), [scale * low + shift, scale * high + shift], atol=slack)


@given(values)
def test_more_confidence_is_wider(x: np.ndarray) -> None:
    low, high = interval(x, 0.8)
    lower, higher = interval(x, 0.99)
    assert lower <= low
    assert high <= higher


@pytest.mark.parametrize("n", [4, 30])
def test_many_rows_at_once_are_each_row_alone(n: int) -> None:
    x = np.random.default_rng(2).normal(size=(3, 150, n))
    low, high = interval(x)
    assert low.shape == high.shape == (3, 150)
    alone = interval(x[2, 149])
    np.testing.assert_allclose([low[2, 149], high[2, 149]], alone)


@pytest.mark.parametrize(("n", "least"), [(3, 0.94), (5, 0.94), (19, 0.94), (20, 0.94), (50, 0.94)])
def test_it_covers_what_it_says(n: int, least: float) -> None:
    """A percentile bootstrap would cover 84 % with five values."""
    x = np.random.default_rng(n).normal(size=(4000, n))
    low, high = interval(x)
    assert least < np.mean((low <= 0) & (high >= 0)) < 0.96


@pytest.mark.parametrize(("a", "b", "noise"), [(1.0, 1.0, 1.0), (1.0, 0.0, 0.2), (0.0, 0.0, 1.0)])
def test_an_interval_over_crossed_seeds_covers_what_independent_values_miss(a: float, b: float, noise: float) -> None:
    draw = np.random.default_rng(0)
    first, second = draw.normal(0, a, (4000, 10, 1)), draw.normal(0, b, (4000, 1, 5))
    values = (first + second + draw.normal(0, noise, (4000, 10, 5))).reshape(4000, 50)
    low, high = interval(values, replication=Replication({"init": 10, "batches": 5}))
    covered = np.mean((low <= 0) & (high >= 0))
    assert 0.93 <= covered <= 0.995
    plain_low, plain_high = interval(values)
    assert np.mean((plain_low <= 0) & (plain_high >= 0)) < (0.7 if a else 0.96)


def test_an_interval_over_one_crossed_source_is_that_of_plain_seeds() -> None:
    values = np.random.default_rng(1).normal(size=(3, 6))

    def crossed(values: np.ndarray, *seeds: int, overlap: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        return interval(values, replication=Replication(dict(zip(("split", "init"), seeds)), overlap))

    for seeds in ((6,), (6, 1), (1, 6)):
        np.testing.assert_allclose(crossed(values, *seeds), interval(values))
    assert np.isnan(crossed(values, 3, 3)).all()
    assert np.isnan(crossed(values[:, :1], 1, 1)).all()
    np.testing.assert_allclose(crossed(np.full(6, 0.5), 3, 2), [0.5, 0.5])
    for seeds in ((6,), (6, 1)):  # of splits that overlap, too; those of another source do not
        np.testing.assert_allclose(crossed(values, *seeds, overlap=0.25), interval(values, replication=SPLITS))
    np.testing.assert_allclose(crossed(values, 1, 6, overlap=0.25), interval(values))


def test_intervals_tests_and_marks_of_splits_that_overlap_agree() -> None:
    """All are those of Nadeau and Bengio: variance s² (1/J + n_test/n_train), J − 1 degrees of freedom."""
    values = np.random.default_rng(2).normal(0.3, 1, (50, 8))
    low, high = interval(values, replication=SPLITS)
    for d, *ends in zip(values, low, high):
        half = stats.t.ppf(0.975, 7) * np.sqrt(d.var(ddof=1) * (1 / 8 + 20 / 80))
        np.testing.assert_allclose(ends, [d.mean() - half, d.mean() + half])
        greater, less, p = overlapping_splits_test(d, 0.25)
        t = d.mean() / np.sqrt(d.var(ddof=1) * (1 / 8 + 0.25))
        np.testing.assert_allclose([greater, less, p], [stats.t.sf(t, 7), stats.t.cdf(t, 7), 2 * stats.t.sf(abs(t), 7)])
        assert (p <= 0.05) == (not ends[0] <= 0 <= ends[1])
        marked = indistinguishable([d, 0 * d], 0, 0.05, overlap=0.25)
        assert marked[1] == (greater > 0.05)
    assert overlapping_splits_test([0.0, 0.0, 0.0], 0.25) == (0.5, 0.5, 1.0)
    assert overlapping_splits_test([0.1, 0.1, 0.1], 0.25)[0] == 0
    assert np.isnan(overlapping_splits_test([0.1, np.inf], 0.25)).all()


def test_more_splits_do_not_decide_every_effect() -> None:
    """The interval over splits that overlap does not shrink to nothing."""
    d = np.array([0.1, -0.2, 0.3, 0.0, 0.2, 0.1])
    assert seeds_to_decide(d, 0.0, 0.05).half is not None
    assert seeds_to_decide(d, 0.0, 0.05, overlap=0.25) == (None, None)
    needed = seeds_to_decide(d + 1, 0.0, 0.05, overlap=0.25)
    assert needed.half == 6
    power = detectable(8, 1, 0.05, overlap=0.25)
    normal = np.random.default_rng(3).normal(power / np.sqrt(1 / 8 + 0.25) / np.sqrt(8), 1, (4000, 8))
    t = normal.mean(axis=1) * np.sqrt(8) / normal.std(axis=1, ddof=1)
    assert np.mean(abs(t) > stats.t.ppf(0.975, 7)) == pytest.approx(0.8, abs=0.03)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    """A claim's adjusted p is the largest over all sets of claims that contain it (Marcus, Peritz & Gabriel 1976)."""
    sets = [s for size in range(1, len(p) + 1) for s in combinations(range(len(p)), size)]
    expected = [max(min(1, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in range(len(p))]
    np.testing.assert_allclose(holm(p), expected)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.5]), [0.09, 0.04, 0.09, 0.5])
    assert holm([]).shape == (0,)


@pytest.mark.parametrize(
    ("claims", "two_sided", "one_sided"), [(1, 6, 5), (2, 7, 6), (3, 7, 6), (10, 9, 8), (25, 10, 9)]
)
def test_fewest_seeds(claims: int, two_sided: int, one_sided: int) -> None:
    assert fewest_seeds(claims, 0.05) == two_sided
    assert fewest_seeds(claims, 0.05, one_sided=True) == one_sided
    assert claims * sign_flip_test([1.0] * two_sided).two_sided <= 0.05
    assert claims * sign_flip_test([1.0] * (two_sided - 1)).two_sided > 0.05


def test_levels_that_sign_flips_attain() -> None:
    assert [attainable_level(n, 0.05) for n in (5, 6, 7, 8)] == [0, 2 / 64, 6 / 128, 12 / 256]
    assert attainable_level(2000, 0.05) == pytest.approx(0.05)


@given(st.integers(2, 40), st.floats(0.05, 3), st.floats(-1, 1), st.sampled_from([0.05, 0.005]))
def test_at_the_seeds_needed_the_half_width_is_the_effect(n: int, effect: float, margin: float, alpha: float) -> None:
    shape = np.tile([1, -1], n)
    unit = shape / shape.std(ddof=1)
    needed = seeds_to_decide(margin - effect + unit, margin, alpha)
    assert needed == seeds_to_decide(-margin + effect + unit, -margin, alpha)
    assert needed.half
    assert needed.eighty
    assert fewest_seeds(1, alpha) <= needed.half <= needed.eighty

    def half_width(seeds: int) -> float:
        return float(stats.t.ppf(1 - alpha / 2, seeds - 1) / np.sqrt(seeds))

    assert half_width(needed.half) <= effect * (1 + 1e-9)
    assert needed.half == fewest_seeds(1, alpha) or half_width(needed.half - 1) >= effect * (1 - 1e-9)
    assert detectable(needed.eighty, 1, alpha) <= effect * (1 + 1e-9)


def test_seeds_needed_of_an_effect_that_never_varies_or_is_the_margin() -> None:
    assert seeds_to_decide([0.1] * 4, 0, 0.05) == (6, 6)
    assert seeds_to_decide([0.1] * 4, 0.1, 0.05) == (None, None)
    assert seeds_to_decide([1.0, -1.0], 0, 0.05) == (None, None)
    assert seeds_to_decide([0.1], 0, 0.05) == (None, None)
    assert seeds_to_decide([], 0, 0.05) == (None, None)
    assert seeds_to_decide([1, 2, 3.001], 2, 0.05) == (None, None)  # more than a million
    assert seeds_to_decide([0.1, 0.2, 0.3, INF], 0, 0.05) == seeds_to_decide([0.1, 0.2, 0.3], 0, 0.05)


@pytest.mark.parametrize(("n", "claims"), [(7, 1), (10, 1), (20, 3), (30, 10), (500, 1)])
def test_the_t_test_detects_the_effect_with_its_power(n: int, claims: int) -> None:
    level = attainable_level(n, 0.05 / claims)
    nc = detectable(n, claims, 0.05, power=0.9) * np.sqrt(n)
    assert stats.nct.sf(stats.t.ppf(1 - level / 2, n - 1), n - 1, nc) == pytest.approx(0.9, abs=1e-6)


def test_six_seeds_detect_an_effect_at_which_all_signs_are_equal() -> None:
    assert stats.norm.cdf(detectable(6, 1, 0.05)) ** 6 == pytest.approx(0.8)
    assert detectable(5, 1, 0.05) == detectable(8, 10, 0.05) == INF


def test_pairing() -> None:
    a = np.array([1.0, 2, 4, 7])
    assert pairing(a, a + 3) == 0
    assert pairing(a, -a) == pytest.approx(2)
    assert pairing(a, [1, 4, 2, 8]) == pytest.approx(
        np.var([0, -2, 2, -1], ddof=1) / (7 + np.var([1, 4, 2, 8], ddof=1))
    )
    assert pairing([*a, INF, np.nan], [*(a + 3), 1, 1]) == 0
    assert np.isnan(pairing([1.0, INF], [2.0, 3.0]))
    assert np.isnan(pairing([1.0, 1.0], [2.0, 2.0]))
    assert np.isnan(pairing(a, [0.1] * 4)), "an arm that diverged in every seed"


def test_marks_are_paired_one_sided_t_tests() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, 8) + rng.normal(np.linspace(0, 1.5, 12)[:, None], 0.5, (12, 8))
    values[3, :2] = np.nan
    best = int(np.nanmean(values, axis=1).argmax())
    p = [stats.ttest_rel(values[best], arm, alternative="greater", nan_policy="omit").pvalue for arm in values]
    expected = ~(np.array(p) <= 0.05 / 11)
    expected[best] = True
    found = indistinguishable(values, best, 0.05)
    assert found.tolist() == expected.tolist()
    assert 1 < found.sum() < 12


def test_marks_of_infinite_missing_and_equal_values() -> None:
    values = [
        [0.5, 0.6, 0.7, 0.65, 0.55],
        [-INF, -INF, -INF, -INF, -INF],
        [-INF, 0.6, 0.7, 0.65, 0.55],
        [np.nan, np.nan, np.nan, np.nan, 0.1],  # one shared seed: nothing can be told
        [np.nan] * 5,
        [0.5, 0.6, 0.7, 0.65, 0.55],
        [0.4, 0.5, 0.6, 0.55, 0.45],
    ]
    assert indistinguishable(values, 0, 0.05).tolist() == [True, False, True, True, False, True, False]
    assert indistinguishable([[-INF, -INF], [-INF, -INF]], 0, 0.05).all()
    assert indistinguishable([[0.3]], 0, 0.05).all()


@given(arrays(float, (3, 6), elements=st.integers(-5, 5)), st.integers(10**3, 10**5))
def test_an_infinite_difference_is_the_limit_of_a_large_one(values: np.ndarray, large: int) -> None:
    at_5 = values == -5
    best = 0
    values[best] = np.abs(values[best])
    at_5[best] = False
    infinite, far = np.where(at_5, -INF, values), np.where(at_5, -(10.0**9) * large, values)
    assert indistinguishable(infinite, best, 0.04).tolist() == indistinguishable(far, best, 0.04).tolist()


@pytest.mark.parametrize("others", [1, 2, 5])
def test_the_level_of_a_mark_is_shared_by_the_other_arms(others: int) -> None:
    best, other = np.array([0.5, 0.7, 0.6, 0.9]), np.array([0.4, 0.5, 0.6, 0.6])
    p = stats.ttest_rel(best, other, alternative="greater").pvalue
    values = [best, *[other] * others]
    assert indistinguishable(values, 0, others * p * 1.01).tolist() == [True, *[False] * others]
    assert indistinguishable(values, 0, others * p * 0.99).all()
