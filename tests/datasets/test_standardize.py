"""Each channel minus its mean, divided by its standard deviation, both of what there is to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.datasets.test_idx_sets import opened
from tests.support.published import SMALL, Server

from dlsweep.datasets import Dataset, open_dataset
from dlsweep.datasets.base import Subset
from dlsweep.datasets.fetching import fetch
from dlsweep.registry import Choice

FLOAT = np.dtype(np.float32)


def arrays(x: np.ndarray, x_test: np.ndarray | None = None, **asked: Any) -> Any:
    x_test = x[:3] if x_test is None else x_test
    given = {"train": None, "validation": 0, "test": None, "standardize": True} | asked
    subset = Subset("some", len(x), len(x_test), **given)
    t, t_test = np.zeros(len(x), np.int64), np.zeros(len(x_test), np.int64)
    return subset.arrays(x, t, x_test, t_test, scale=1 / 255)


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 4, 5), (6,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("count", [7, 2500])
def test_every_channel_of_the_pool_has_mean_0_and_standard_deviation_1(
    shape: tuple[int, ...], dtype: Any, count: int
) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (count, *shape)).astype(dtype)
    x += 10 * np.arange(shape[0], dtype=dtype).reshape(-1, *[1] * (len(shape) - 1))
    found = arrays(x)
    assert found.standardized
    y = found.floats(found.x_train, FLOAT)
    assert y.dtype == FLOAT
    each = (0, *range(2, y.ndim))
    np.testing.assert_allclose(y.mean(axis=each, dtype=float), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=each, dtype=float), 1, atol=1e-5)
    np.testing.assert_allclose(found.mean, x.mean(axis=each, dtype=float), rtol=1e-12)
    np.testing.assert_allclose(found.std, x.std(axis=each, dtype=float), rtol=1e-12)
    mean, std = x.mean(axis=each, dtype=float, keepdims=True), x.std(axis=each, dtype=float, keepdims=True)
    np.testing.assert_allclose(found.floats(x[:3], np.dtype(np.float64)), (x[:3] - mean) / std, atol=1e-12)


def test_statistics_are_those_of_the_pool_alone() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (50, 2, 3, 3)).astype(np.uint8)
    one, other = arrays(x, 255 - x[:9]), arrays(x, x[:4])
    np.testing.assert_array_equal(one.mean, other.mean)
    held_out = arrays(x, validation=20)
    np.testing.assert_allclose(held_out.mean, held_out.x_train.mean(axis=(0, 2, 3)))
    assert not np.allclose(held_out.mean, one.mean)


def test_of_a_subset_statistics_are_those_of_the_samples_that_a_run_trains_on() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (50, 2, 3, 3)).astype(np.uint8)
    found, rows = arrays(x, train=5), np.array([3, 1, 40, 41, 7])
    own = found.seen_by(rows)
    np.testing.assert_allclose(own.mean, x[rows].mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(own.std, x[rows].std(axis=(0, 2, 3)))
    np.testing.assert_array_equal(arrays(x, train=50).seen_by(None).mean, arrays(x).mean)


def test_only_runs_on_a_standardized_subset_are_other_runs_than_before() -> None:
    """A former version took their mean and deviation over the pool."""

    def fingerprint(**asked: Any) -> str:
        given = {"train": None, "validation": 0, "test": None, "standardize": True} | asked
        return Subset("some", 50, 9, **given).fingerprint("content")

    before = {"standardize": "e278deb004b6c020cfa44c41b661d544", "plain": "dfb99e39f5cd3e195c0ee6bfbd70184d"}
    assert fingerprint() == fingerprint(train=50) == before["standardize"]
    assert fingerprint(train=5, standardize=False) == before["plain"]
    assert fingerprint(train=5) not in before.values()


def test_a_channel_that_never_varies_becomes_0() -> None:
    x = np.full((20, 2, 3, 3), 7, np.uint8)
    x[::2, 1] = 9
    found = arrays(x)
    y = found.floats(x, FLOAT)
    np.testing.assert_array_equal(y[:, 0], 0)
    np.testing.assert_array_equal(np.unique(y[:, 1]), [-1, 1])


def test_without_it_pixels_are_scaled_and_nothing_else() -> None:
    x = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)
    found = arrays(x, standardize=False)
    assert not found.standardized
    np.testing.assert_array_equal(found.floats(x, FLOAT), np.multiply(x, np.float32(1 / 255), dtype=FLOAT))


def mnist(**asked: Any) -> Dataset:
    return open_dataset(Choice("mnist", {"train": None, "validation": 0, "test": None, "standardize": False} | asked))


def test_mnist() -> None:
    data = mnist(standardize=True)
    np.testing.assert_allclose(data.arrays.mean / 255, 0.1307, atol=5e-5)  # type: ignore[operator]
    np.testing.assert_allclose(data.arrays.std / 255, 0.3081, atol=5e-5)  # type: ignore[operator]
    assert data.fingerprint != mnist().fingerprint


def test_colours_have_their_own(cache: Path, server: Server) -> None:
    fetch(SMALL["CIFAR10"])
    found = opened("cifar10", standardize=True).arrays
    assert found.mean is not None
    np.testing.assert_allclose(found.mean, found.x_train.mean(axis=(0, 2, 3)))
