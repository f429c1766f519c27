from __future__ import annotations

import gzip
from hashlib import md5, sha256
from importlib.resources import files

import numpy as np
import pytest

from dlsweep.datasets import Dataset, open_dataset
from dlsweep.datasets.mnist import MNIST
from dlsweep.datasets.published import File
from dlsweep.errors import DataError
from dlsweep.registry import Choice


def mnist(train: int | None = None, validation: int = 0, test: int | None = None) -> Dataset:
    return open_dataset(Choice("mnist", {"train": train, "validation": validation, "test": test}))


@pytest.mark.parametrize("file", MNIST.files, ids=lambda file: file.name)
def test_the_bundled_files_are_those_that_were_published(file: File) -> None:
    packed = (files("dlsweep.datasets") / "mnist" / file.name).read_bytes()
    assert (len(packed), md5(packed).hexdigest()) == (file.size, file.md5)
    content = gzip.decompress(packed)
    assert (len(content), sha256(content).hexdigest()) == (file.unpacked, file.sha256)


def test_images_and_labels() -> None:
    data = mnist()
    arrays = data.arrays
    assert (data.shape, data.classes) == ((1, 28, 28), 10)
    assert data.sizes == {"train": 60_000, "validation": 0, "test": 10_000}
    assert arrays.x_train.shape == (60_000, 1, 28, 28)
    assert arrays.x_train.dtype == np.uint8
    assert arrays.x_test.shape == (10_000, 1, 28, 28)
    assert arrays.t_train.dtype == arrays.t_test.dtype == np.int64
    assert arrays.scale == 1 / 255
    assert arrays.t_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert arrays.t_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(arrays.t_test).max() == 1135  # ones: guessing "1" gives 0.1135
    assert len(arrays.x_validation) == len(arrays.t_validation) == 0


def test_sizes_are_known_without_decoding() -> None:
    data = mnist(train=10, validation=10, test=10)
    assert data.sizes == {"train": 10, "validation": 10, "test": 10}
    assert "arrays" not in vars(data)


def test_validation_leaves_the_training_pool() -> None:
    whole, data = mnist().arrays, mnist(validation=5000).arrays
    assert len(data.x_train) == 55_000
    assert len(data.x_validation) == len(data.t_validation) == 5000
    together = np.concatenate([data.x_train, data.x_validation]).reshape(60_000, -1)
    labelled = np.column_stack([together, np.concatenate([data.t_train, data.t_validation]).astype(np.uint8)])
    original = np.column_stack([whole.x_train.reshape(60_000, -1), whole.t_train.astype(np.uint8)])
    np.testing.assert_array_equal(sorted(map(bytes, labelled)), sorted(map(bytes, original)))


def test_the_test_set_is_drawn_and_not_cut_off() -> None:
    whole, few = mnist().arrays, mnist(test=1000).arrays
    assert len(few.x_test) == len(few.t_test) == 1000
    assert not np.array_equal(few.t_test, whole.t_test[:1000])
    assert {x.tobytes() for x in few.x_test} < {x.tobytes() for x in mnist(test=2000).arrays.x_test}


def test_the_training_pool_stays_whole_when_seeds_draw_from_it() -> None:
    assert len(mnist(train=300).arrays.x_train) == 60_000


def test_the_fingerprint_names_the_content_and_the_sizes() -> None:
    assert mnist().fingerprint == mnist(train=60_000, test=10_000).fingerprint
    sizes = [(None, 0, None), (300, 0, None), (None, 5000, None), (None, 0, 1000), (300, 0, 1000)]
    assert len({mnist(*size).fingerprint for size in sizes}) == 5


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"train": 60_001}, "mnist has 60,000 training samples; train: 60,001 ask for 60,001"),
        (
            {"train": 59_000, "validation": 5000},
            "mnist has 60,000 training samples; train: 59,000 and validation: 5,000 ask for 64,000",
        ),
        ({"validation": 60_000}, "validation: 60,000 leaves none of them to train on"),
        ({"test": 10_001}, "mnist has 10,000 test samples; test: 10,001 asks for more"),
    ],
)
def test_asking_for_more_than_there_is(sizes: dict[str, int], sentence: str) -> None:
    with pytest.raises(DataError) as error:
        mnist(**sizes)
    assert sentence in str(error.value)
