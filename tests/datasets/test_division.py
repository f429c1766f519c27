"""Splits that differ by seed: parts are stratified, folds partition the data, and a split depends on its seed only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.datasets.test_npz import npz, save

from dlsweep.datasets.division import Division
from dlsweep.errors import DataError
from dlsweep.randomness import Seeds

LABELS = st.lists(st.integers(0, 4), min_size=12, max_size=80).map(np.array)


def shares(labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.bincount(labels[rows], minlength=5)


@given(LABELS, st.integers(2, 12), st.integers(0, 3), st.integers(0, 1))
def test_a_round_tests_each_sample_once(labels: np.ndarray, folds: int, turn: int, validation: int) -> None:
    division = Division(labels, folds=folds, validation=min(validation, len(labels) - -(-len(labels) // folds) - 1))
    found = [division.rows(Seeds(turn * folds + fold)) for fold in range(folds)]
    assert sorted(np.concatenate([rows.test for rows in found])) == [*range(len(labels))]
    assert {len(rows.train) for rows in found} == {len(labels) - division.largest - division.validation}
    for fold, rows in enumerate(found):
        assert division.tested(Seeds(fold)) == len(rows.test) in (division.largest, division.largest - 1)
        exact = np.bincount(labels, minlength=5) / folds
        assert (abs(shares(labels, rows.test) - exact) < 1).all()


@given(LABELS, st.integers(1, 9), st.integers(0, 2), st.integers(0, 99))
def test_parts_are_disjoint_and_stratified(labels: np.ndarray, test: int, validation: int, seed: int) -> None:
    rows = Division(labels, test=test, validation=validation).rows(Seeds(seed))
    assert sorted(np.concatenate(rows)) == [*range(len(labels))]
    assert [len(part) for part in rows] == [len(labels) - test - validation, validation, test]
    assert all((np.diff(part) > 0).all() for part in rows)  # in the order of the file
    exact = np.bincount(labels, minlength=5) * test / len(labels)
    assert (abs(shares(labels, rows.test) - exact) < 1).all()


def test_each_sample_is_tested_as_often() -> None:
    """Systematic sampling gives every sample the same probability, whatever its class."""
    division = Division(np.array([0] * 7 + [1] * 13), test=6)
    tested = sum(np.bincount(division.rows(Seeds(seed)).test, minlength=20) for seed in range(2000)) / 2000
    np.testing.assert_allclose(tested, 6 / 20, atol=0.05)  # five standard errors


def test_a_split_has_its_own_seed() -> None:
    """Crossed seeds with one split seed share the split; folds of one round come from one division."""
    labels = np.arange(40) % 4
    for division in (Division(labels, test=8), Division(labels, folds=5)):
        same = [division.rows(Seeds.crossed({"split": 3, "init": init})) for init in (0, 1)]
        other = division.rows(Seeds.crossed({"split": 4, "init": 1}))
        assert all(map(np.array_equal, *same))
        assert not np.array_equal(same[0].test, other.test)
    turns = [Division(labels, folds=5).rows(Seeds(seed)).test.tolist() for seed in (0, 5)]
    assert turns[0] != turns[1]


def test_the_overlap_by_hand() -> None:
    assert Division(np.zeros(100, int), test=20).overlap == 0.25
    assert Division(np.zeros(103, int), folds=5).overlap == 0.25


X, T = np.random.default_rng(0).random((30, 4), np.float32), np.arange(30) % 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"split": "seed"}, "it has no test samples; test: 0.2 sets a fifth"),
        ({"folds": 31}, "folds: 31 of its 30 samples leaves folds without any"),
        ({"folds": 5, "split": "seed"}, "split: seed has no effect with folds"),
        ({"test": 40, "split": "seed"}, "leaves none to train on"),
        ({"test": 0.5, "split": "seed", "validation": 15}, "validation: 15 leaves none of them to train on"),
        ({"folds": 5, "train": 25}, "train: 25 ask for 25"),
    ],
)
def test_divisions_that_cannot_be_made(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    save(tmp_path / "x.npz", {"x": X, "t": T})
    with pytest.raises(DataError, match=sentence):
        npz(tmp_path / "x.npz", **settings)


@pytest.mark.parametrize(("settings", "word"), [({"split": "seed"}, "split: seed"), ({"folds": 5}, "folds: 5")])
def test_a_file_with_its_own_test_samples(tmp_path: Path, settings: dict[str, Any], word: str) -> None:
    save(tmp_path / "x.npz", {"x_train": X, "t_train": T, "x_test": X, "t_test": T})
    with pytest.raises(DataError, match=f"{word} draws test samples by seed, and the file has its own, x_test"):
        npz(tmp_path / "x.npz", **settings)


def test_identities_differ_and_the_default_is_as_before(tmp_path: Path) -> None:
    save(tmp_path / "x.npz", {"x": X, "t": T})
    ways: list[dict[str, Any]] = [
        {"test": 6},
        {"test": 6, "split": "seed"},
        {"folds": 5},
        {"folds": 5, "validation": 2},
    ]
    found = [npz(tmp_path / "x.npz", **way) for way in ways]
    assert len({data.fingerprint for data in found}) == 4
    assert npz(tmp_path / "x.npz", test=6, split="seed 0").fingerprint == found[0].fingerprint
    assert found[0].drawn(Seeds(1)) is found[0]
    drawn = found[3].drawn(Seeds(1))
    assert drawn.sizes == {"train": 22, "validation": 2, "test": 6}
    rows = found[3].division.rows(Seeds(1))  # type: ignore[union-attr]
    np.testing.assert_array_equal(drawn.arrays.x_test, X[rows.test])
    np.testing.assert_array_equal(drawn.arrays.t_validation, T[rows.validation])
