"""Sums of squares of a grid: against least squares, by hand, and the level of the test by simulation."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlsweep.analysis.decomposition import Decomposition, flip_whole_seeds
from dlsweep.analysis.sign_flips import sign_flip_test

SHAPES = st.lists(st.integers(2, 3), min_size=1, max_size=3).map(tuple)
GRIDS = st.tuples(st.integers(2, 4), SHAPES).flatmap(
    lambda size: arrays(np.float64, (size[0], *size[1]), elements=st.integers(-9, 9).map(float))
)


def columns(codes: np.ndarray) -> np.ndarray:
    """Indicators of the levels of a factor."""
    found: np.ndarray = (codes[:, None] == np.unique(codes)).astype(float)
    return found


def rest(design: list[np.ndarray], y: np.ndarray) -> float:
    """The residual sum of squares of a least-squares fit."""
    x = np.hstack([np.ones((len(y), 1)), *design])
    fit, *_ = np.linalg.lstsq(x, y, rcond=None)
    return float(np.square(y - x @ fit).sum())


@given(GRIDS)
def test_sums_of_squares_are_those_of_nested_least_squares_fits(values: np.ndarray) -> None:
    """Each term is the drop of the residual when its indicators join those of all terms that it contains."""
    codes = np.array(list(np.ndindex(values.shape)))
    y = values.ravel()

    def together(axes: tuple[int, ...]) -> np.ndarray:
        return columns(np.ravel_multi_index(codes[:, axes].T, [values.shape[a] for a in axes]))

    parts = Decomposition.of(values, order=3)
    for term in parts.terms:
        axes = tuple(axis + 1 for axis in term.axes)
        smaller = [together(own) for n in range(1, len(axes)) for own in combinations(axes, n)]
        assert term.squares == pytest.approx(rest(smaller, y) - rest([*smaller, together(axes)], y), abs=1e-8)
        # the error: the term × seed, beside everything that it contains
        within = [together(own) for n in range(1, len(axes) + 1) for own in combinations((0, *axes), n)]
        full = rest([*within, together((0, *axes))], y)
        assert term.error == pytest.approx(rest(within, y) - full, abs=1e-8)
    assert parts.seeds == pytest.approx(rest([], y) - rest([together((0,))], y), abs=1e-8)
    assert parts.total == pytest.approx(rest([], y), abs=1e-8)
    added = sum(term.squares for term in parts.terms) + parts.seeds + parts.higher + parts.residual
    assert added == pytest.approx(parts.total, abs=1e-8)
    of_main_effects = Decomposition.of(values, order=1)
    assert of_main_effects.higher == pytest.approx(sum(t.squares for t in parts.terms if len(t.axes) > 1), abs=1e-8)


def test_by_hand() -> None:
    """Two seeds, one factor of three levels: (Σ of squares of level means 2, 3, 4.5; seed means 2.667, 3.667)."""
    parts = Decomposition.of([[1.0, 3.0, 4.0], [3.0, 3.0, 5.0]])
    (term,) = parts.terms
    assert term.df == 2
    assert term.squares == pytest.approx(2 * ((2 - 19 / 6) ** 2 + (3 - 19 / 6) ** 2 + (4.5 - 19 / 6) ** 2))
    assert parts.seeds == pytest.approx(3 * 2 * 0.5**2)
    assert term.error == parts.residual == pytest.approx(parts.total - parts.seeds - term.squares)
    expected = (term.squares - 2 * term.error / 2) / (parts.total + parts.seeds)
    assert parts.omega(term) == pytest.approx(expected)


@pytest.mark.parametrize("n", [2, 5, 6, 9])
def test_of_two_levels_it_is_the_test_of_paired_differences(n: int) -> None:
    values = np.random.default_rng(n).normal(size=(n, 2))
    (term,) = Decomposition.of(values).terms
    expected = sign_flip_test(values[:, 0] - values[:, 1])
    assert flip_whole_seeds(term.contrasts) == pytest.approx(expected.two_sided)


@given(arrays(np.float64, (6, 3), elements=st.integers(-3, 3).map(float)))
def test_p_is_the_share_of_sign_patterns_with_at_least_this_sum_of_squares(contrasts: np.ndarray) -> None:
    patterns = np.array(list(product([1, -1], repeat=6)))
    sums = np.square(patterns @ contrasts).sum(axis=1)  # integers: no rounding
    assert flip_whole_seeds(contrasts) == np.mean(sums >= np.square(contrasts.sum(axis=0)).sum())
    assert flip_whole_seeds(contrasts / 7) == flip_whole_seeds(contrasts)


def test_many_seeds_take_random_patterns_with_the_data_among_them() -> None:
    values = np.random.default_rng(0).normal(size=(30, 3))
    assert flip_whole_seeds(values, key="a") == flip_whole_seeds(values, key="a") != flip_whole_seeds(values, key="b")
    assert flip_whole_seeds(values[:20], key="a") == flip_whole_seeds(values[:20], key="b")
    strong = values + np.array([5, 0, -5])
    assert flip_whole_seeds(strong) == 1 / 10_001
    assert np.isnan(flip_whole_seeds(values[:1]))


def test_an_interaction_is_found_beside_a_large_main_effect_and_none_is_invented() -> None:
    """Level at 5 %: 0.0625 steps at 6 seeds, so 8 seeds; with main effects of five standard deviations."""
    draw = np.random.default_rng(1)
    rejected = np.zeros(3)
    for _ in range(1000):
        values = draw.normal(size=(8, 2, 3)) + draw.normal(size=(8, 1, 1)) + 5 * np.array([[[0.0], [1.0]]])
        parts = Decomposition.of(values)
        rejected += [flip_whole_seeds(term.contrasts) <= 0.05 for term in parts.terms]
    main, other, interaction = rejected / 1000
    assert main == 1
    assert 0.03 <= other <= 0.07
    assert 0.03 <= interaction <= 0.07
    values = (
        draw.normal(size=(8, 2, 2)) + 5 * np.array([[0.0, 0.0], [1.0, 1.0]]) + 2 * np.array([[1.0, 0.0], [0.0, 1.0]])
    )
    assert flip_whole_seeds(Decomposition.of(values).terms[2].contrasts) <= 0.05
