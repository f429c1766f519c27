from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from dlsweep.analysis.crossed import components, crossed, crossed_interval, variance_shares
from dlsweep.analysis.statistics import Replication, interval

SHAPES = st.tuples(st.integers(2, 6), st.integers(2, 8))
tables = arrays(np.int8, SHAPES, elements=st.integers(-1, 1))


def test_two_seeds_and_two_images_by_hand() -> None:
    """Means of seeds 1 and 6, of images 2 and 5, of all 3.5; each residual is ½ or −½."""
    d = [[0, 2], [4, 8]]
    found = crossed(d)
    assert found[:3] == pytest.approx((12.5 / 2, 4.5 / 2, 1 / 4))
    assert found.variance == pytest.approx(6.25 + 2.25 - 0.25)
    assert found.df == pytest.approx(8.25**2 / (6.25**2 + 2.25**2))
    assert components(d)[(0,)] == pytest.approx(2 * (6.25 - 0.25))
    half = stats.t.ppf(0.975, found.df) * np.sqrt(8.25)
    alone = stats.t.ppf(0.975, 1) * np.sqrt(6.25)  # of the seeds, whose one degree of freedom weighs more
    assert alone > half
    assert crossed_interval(d) == pytest.approx((3.5 - alone, 3.5 + alone))


def test_four_seeds_and_two_images_by_hand() -> None:
    """All seeds have the mean 1, so the images alone give the interval: 0 and 2, with a variance of 1."""
    found = crossed([[0, 2]] * 4)
    assert (found.seeds, found.variance, found.df) == (0, 1, 3)
    half = stats.t.ppf(0.975, 3)
    assert crossed_interval([[0, 2]] * 4) == pytest.approx((1 - half, 1 + half))


@given(tables, st.floats(0.5, 0.99))
def test_no_interval_on_new_images_is_narrower_than_that_on_these(d: np.ndarray, confidence: float) -> None:
    low, high = crossed_interval(d, confidence)
    own_low, own_high = interval(d.mean(axis=1), confidence)
    assert low <= own_low + 1e-9
    assert own_high - 1e-9 <= high


@given(tables)
def test_sums_written_out(d: np.ndarray) -> None:
    seeds, images = d.shape
    mean = d.mean()
    rows, columns = [row.mean() for row in d], [column.mean() for column in d.T]
    residuals = [(d[s, i] - rows[s] - columns[i] + mean) ** 2 for s, i in product(range(seeds), range(images))]
    v_s = sum((r - mean) ** 2 for r in rows) / (seeds - 1) / seeds
    v_i = sum((c - mean) ** 2 for c in columns) / (images - 1) / images
    v_r = sum(residuals) / ((seeds - 1) * (images - 1)) / (seeds * images)
    found = crossed(d)
    np.testing.assert_allclose(found[:4], [v_s, v_i, v_r, max(v_s + v_i - v_r, v_s, v_i)], atol=1e-12)
    assert found.df >= seeds - 1
    assert crossed(d.astype(float)) == pytest.approx(found)
    low, high = crossed_interval(d)
    assert low - 1e-12 <= mean <= high + 1e-12


@given(arrays(float, st.integers(2, 10), elements=st.integers(-9, 9)))
def test_where_all_images_or_all_seeds_are_alike_it_is_the_t_interval(x: np.ndarray) -> None:
    expected = np.array(interval(x))
    np.testing.assert_allclose(crossed_interval(np.tile(x[:, None], 7)), expected, atol=1e-9)
    if x.std() > 0:
        np.testing.assert_allclose(crossed_interval(np.tile(x, (2, 1))), expected, atol=1e-9)


def test_equal_differences_are_a_point() -> None:
    assert crossed_interval(np.zeros((5, 100), bool)) == (0, 0)
    assert crossed_interval(np.full((5, 100), 0.25)) == (0.25, 0.25)


@pytest.mark.parametrize("shape", [(1, 50), (5, 1)])
def test_one_seed_or_one_image_has_no_interval(shape: tuple[int, int]) -> None:
    assert np.isnan(crossed_interval(np.ones(shape))).all()


def test_the_variance_that_remains_on_more_images() -> None:
    """Runs of standard deviation 0.02, of which 200 images show 0.02² + 0.25 / 200."""
    rng = np.random.default_rng(0)
    d = rng.normal(0, 0.02, (2000, 1)) + rng.normal(0, 0.5, (2000, 200))
    found = crossed(d)
    assert found.seeds * 2000 == pytest.approx(0.02**2 + 0.25 / 200, rel=0.1)
    assert components(d)[(0,)] == pytest.approx(0.02**2, rel=0.3)
    assert components(np.eye(3))[(0,)] < 0


@given(arrays(float, st.integers(2, 12), elements=st.floats(-1, 1)), st.floats(0.5, 0.99))
def test_the_interval_over_splits_is_a_wider_t_interval(d: np.ndarray, confidence: float) -> None:
    low, high = interval(d, confidence, replication=Replication(overlap=20 / 80))
    if d.std() > 1e-6:
        t = stats.ttest_1samp(d, 0).confidence_interval(confidence)
        assert high - low == pytest.approx((t.high - t.low) * np.sqrt(1 + len(d) * 20 / 80))
    assert (low + high) / 2 == pytest.approx(d.mean(), abs=1e-12)


def test_one_split_has_no_interval() -> None:
    assert np.isnan(interval([0.3], replication=Replication(overlap=0.25))).all()


def test_shares_by_hand() -> None:
    """Mean squares of 25, 9 and 1: the components are (25 − 1) / 2, (9 − 1) / 2 and 1."""
    found = variance_shares([[0, 2], [4, 8]], ["init", "batches"])
    assert found["source"].tolist() == ["init", "batches", "init × batches"]
    assert found["variance"].tolist() == pytest.approx([12, 4, 1])
    assert found["sd"].tolist() == pytest.approx([12**0.5, 2, 1])
    assert found["share"].tolist() == pytest.approx([12 / 17, 4 / 17, 1 / 17])
    assert not found["negative"].any()


def test_a_negative_estimate_is_zero_and_says_so() -> None:
    found = variance_shares([[0, 1], [1, 0]], ["init", "batches"])
    assert found[["share", "negative"]].values.tolist() == [[0, True], [0, True], [1, False]]
    assert found["low"].tolist()[:2] == [0, 0]


def test_nothing_varies() -> None:
    found = variance_shares(np.ones((3, 4)), ["init", "batches"])
    assert found[["share", "low", "high"]].isna().all(axis=None)
    assert not found["negative"].any()


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 3, 4), (2, 3, 2, 2)])
def test_components_solve_the_expected_mean_squares(shape: tuple[int, ...]) -> None:
    """Each effect is a projection; its expected mean square is the trace of the projection times each covariance."""
    x = np.random.default_rng(len(shape)).standard_normal(shape)
    effects = [s for s in product((0, 1), repeat=len(shape)) if any(s)]

    def kron(matrices: list[np.ndarray]) -> np.ndarray:
        result = np.eye(1)
        for matrix in matrices:
            result = np.kron(result, matrix)
        return result

    mean, same = [np.full((n, n), 1 / n) for n in shape], [np.ones((n, n)) for n in shape]
    projections = [kron([np.eye(n) - m if on else m for on, n, m in zip(s, shape, mean)]) for s in effects]
    covariances = [kron([np.eye(n) if on else one for on, n, one in zip(s, shape, same)]) for s in effects]
    dfs = [np.trace(p) for p in projections]
    squares = [x.ravel() @ p @ x.ravel() / df for p, df in zip(projections, dfs)]
    expected = [[np.trace(p @ c) / df for c in covariances] for p, df in zip(projections, dfs)]
    components = np.linalg.solve(expected, squares)
    names = "abcd"[: len(shape)]
    found = variance_shares(x, names).set_index("source")
    for effect, component in zip(effects, components):
        share = found.loc[" × ".join(name for name, on in zip(names, effect) if on)]
        assert share["variance"] == pytest.approx(max(0, component), abs=1e-9)
        assert share["negative"] == (component < 0)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_an_interval_of_a_share_lies_within_0_and_1_and_repeats(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = (
        rng.standard_normal((4, 1)) * rng.random()
        + rng.standard_normal(5) * rng.random()
        + 0.3 * rng.standard_normal((4, 5))
    )
    found = variance_shares(x, ["a", "b"])
    assert found.equals(variance_shares(x, ["a", "b"]))
    assert found["share"].sum() == pytest.approx(1)
    assert ((found["low"] >= 0) & (found["low"] <= found["high"]) & (found["high"] <= 1)).all()
    np.testing.assert_allclose(variance_shares(7 - 3 * x, ["a", "b"])["share"], found["share"])


def test_one_source_has_all_of_the_variance() -> None:
    (found,) = variance_shares([1.0, 2.0, 4.0], ["init"]).to_dict("records")
    assert found["source"] == "init"
    assert found["variance"] == pytest.approx(np.var([1, 2, 4], ddof=1))
    assert (found["share"], found["low"], found["high"]) == (1, 1, 1)
