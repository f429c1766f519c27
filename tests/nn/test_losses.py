import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.nn.losses import correct, softmax_cross_entropy


def problem(runs=2, samples=5, classes=4, scale=3.0):
    rng = np.random.default_rng(0)
    return scale * rng.standard_normal((runs, classes, samples)), rng.integers(classes, size=samples)


def test_value_against_the_definition():
    logits, t = problem()
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log([[p[r, t[n], n] for n in range(5)] for r in range(2)])
    np.testing.assert_allclose(softmax_cross_entropy(logits, t)[0], expected)


def test_back_is_the_gradient_of_the_mean():
    logits, t = problem()
    gradient = softmax_cross_entropy(logits, t)[1]()
    h = 1e-6
    for index in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[index] = h
        up, down = (softmax_cross_entropy(logits + s, t)[0].mean(axis=1) for s in (step, -step))
        assert gradient[index] == pytest.approx((up - down)[index[0]] / (2 * h), abs=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_for_huge_logits(dtype):
    logits = np.array([[[1e4, -1e4], [-1e4, 1e4], [0, 1e4]]], dtype)
    loss, back, _ = softmax_cross_entropy(logits, np.array([1, 0]))
    np.testing.assert_allclose(loss, [[2e4, 2e4]], rtol=1e-4)
    assert np.isfinite(back()).all()
    assert back().dtype == loss.dtype == dtype


def test_labels_of_each_run():
    logits, _ = problem()
    t = np.array([[0, 1, 2, 3, 0], [3, 3, 1, 0, 2]])
    loss, back, _ = softmax_cross_entropy(logits, t)
    for r in range(2):
        alone, alone_back, _ = softmax_cross_entropy(logits[r : r + 1], t[r])
        np.testing.assert_array_equal(loss[r], alone[0])
        np.testing.assert_array_equal(back()[r], alone_back()[0])
        np.testing.assert_array_equal(correct(logits, t)[r], correct(logits[r : r + 1], t[r])[0])


@given(st.lists(st.lists(st.integers(-2, 2), min_size=4, max_size=4), min_size=1, max_size=6), st.data())
def test_a_hit_is_an_argmax_that_equals_the_label(rows, data):
    """Small integers make ties likely: of equal logits the first is the largest."""
    logits = np.array([rows], float).swapaxes(1, 2)
    t = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))))
    np.testing.assert_array_equal(correct(logits, t)[0], np.argmax(rows, axis=1) == t)


def test_a_network_that_knows_nothing_is_at_chance():
    t = np.arange(10)
    assert correct(np.zeros((1, 10, 10)), t).sum() == 1


def test_ties_are_seen_beside_a_run_that_diverged():
    logits = np.array([[[1.0], [1.0]], [[np.nan], [np.nan]]])
    np.testing.assert_array_equal(correct(logits, np.array([1])), [[False], [False]])


def test_hits_come_with_the_loss():
    logits, t = problem(samples=50)
    logits = np.round(logits)  # with ties
    logits[0, :, 3], logits[1, 2, 4], logits[1, 2, 5] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(softmax_cross_entropy(logits, t).correct, correct(logits, t))
        for r in range(2):
            np.testing.assert_array_equal(correct(logits, t)[r], correct(logits[r : r + 1], t)[0])
