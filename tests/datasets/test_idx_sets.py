from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.published import SERVED, SMALL, TEST, TRAIN, Server, grey, idx

from dlsweep.datasets import Dataset, datasets, open_dataset
from dlsweep.datasets.fetching import fetch, take
from dlsweep.datasets.mnist import FASHION_MNIST, KMNIST
from dlsweep.errors import DataError
from dlsweep.registry import Choice

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
NAMES = pytest.mark.parametrize("name", ["fashion_mnist", "kmnist"])


def opened(name: str, **settings: Any) -> Dataset:
    entry = datasets[name]
    return open_dataset(Choice(name, {k: s.default for k, s in entry.settings.items()} | settings))


@NAMES
def test_sizes_are_known_before_anything_is_fetched(name: str) -> None:
    data = opened(name, train=300, validation=5000)
    assert (data.shape, data.classes) == ((1, 28, 28), 10)
    assert data.sizes == {"train": 300, "validation": 5000, "test": 10_000}


@NAMES
def test_images_and_labels(name: str, cache: Path, server: Server) -> None:
    data = opened(name)
    assert data.source is not None
    fetch(data.source)
    arrays, (x, t, x_test, t_test) = data.arrays, grey(["fashion_mnist", "kmnist"].index(name)).values()
    assert arrays.x_train.shape == (TRAIN, 1, 28, 28)
    for mine, theirs in ((arrays.x_train[:, 0], x), (arrays.x_test[:, 0], x_test)):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == np.uint8
    for mine, theirs in ((arrays.t_train, t), (arrays.t_test, t_test)):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == np.int64
    assert arrays.scale == 1 / 255
    few = opened(name, train=5, validation=10, test=3)
    assert [len(few.arrays.x_train), len(few.arrays.x_validation), len(few.arrays.x_test)] == [TRAIN - 10, 10, 3]


def test_what_is_not_here_is_a_sentence(cache: Path) -> None:
    with pytest.raises(DataError, match=r"kmnist is not here: .*train-images.*; dlsweep data get kmnist fetches it"):
        _ = opened("kmnist").arrays


@pytest.mark.parametrize(
    ("part", "content", "sentence"),
    [
        ("train-images-idx3-ubyte", gzip.compress(bytes(9)), "is not an IDX file"),
        (
            "train-images-idx3-ubyte",
            gzip.compress(idx(np.zeros((2, 28, 28), np.uint8))),
            "train samples differ",
        ),
        ("t10k-labels-idx1-ubyte", gzip.compress(idx(np.full(TEST, 10, np.uint8))), "test samples differ"),
        ("t10k-images-idx3-ubyte", gzip.compress(idx(np.zeros(3, np.uint8)) + bytes(50_000_000)), "it holds more"),
    ],
    ids=range(4),
)
def test_files_that_somebody_changed(part: str, content: bytes, sentence: str, cache: Path) -> None:
    folder = SMALL["KMNIST"].folder
    folder.mkdir(parents=True)
    for name, packed in (SERVED["kmnist"] | {f"{part}.gz": content}).items():
        (folder / name).write_bytes(packed)
    with pytest.raises(DataError, match=sentence):
        _ = opened("kmnist").arrays


def test_fingerprints_name_content_and_sizes_and_how_it_is_seen(cache: Path) -> None:
    alike = [opened("fashion_mnist"), opened("fashion_mnist", train=TRAIN, test=TEST)]
    assert len({data.fingerprint for data in alike}) == 1
    others = [opened("kmnist"), opened("fashion_mnist", train=5), opened("fashion_mnist", standardize=True)]
    assert len({data.fingerprint for data in [alike[0], *others]}) == 4


def test_published_files_are_told_apart() -> None:
    for published in (FASHION_MNIST, KMNIST):
        assert len({file.md5 for file in published.files}) == 4
        assert all(len(file.md5) == 32 for file in published.files)
        assert all(file.size <= file.limit for file in published.files)
    assert all(len(file.sha256) == 64 for file in FASHION_MNIST.files)


@pytest.mark.skipif(not DEBIAN.is_dir(), reason=f"the package dataset-fashion-mnist, of Debian, is not in {DEBIAN}")
def test_the_real_fashion_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLSWEEP_DATA", str(tmp_path))
    assert take(FASHION_MNIST, [DEBIAN]) == []
    arrays = opened("fashion_mnist").arrays
    assert np.bincount(arrays.t_train).tolist() == [6000] * 10
    assert np.bincount(arrays.t_test).tolist() == [1000] * 10
    assert arrays.t_train[:5].tolist() == [9, 0, 0, 3, 0]  # an ankle boot, T-shirts and a dress
