from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.datasets.test_idx_sets import opened
from tests.support.published import CIFAR10, CIFAR100, SERVED, SMALL, TEST, TRAIN, Server, archive

from dlsweep.datasets import published
from dlsweep.datasets.fetching import fetch
from dlsweep.errors import DataError

MEMBERS = {name: records.tobytes() for name, records in CIFAR10.items()}


def held(content: bytes) -> Path:
    """An archive in the cache."""
    path = SMALL["CIFAR10"].folder / SMALL["CIFAR10"].files[0].name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "changes", "classes"),
    [("cifar10", {}, 10), ("cifar100", {}, 100), ("cifar100", {"labels": "coarse"}, 20)],
)
def test_sizes_are_known_before_anything_is_fetched(name: str, changes: dict[str, Any], classes: int) -> None:
    data = opened(name, **changes)
    assert (data.shape, data.classes) == ((3, 32, 32), classes)
    assert data.sizes == {"train": 50_000, "validation": 0, "test": 10_000}


def test_images_and_labels_of_cifar10(cache: Path, server: Server) -> None:
    fetch(SMALL["CIFAR10"])
    arrays = opened("cifar10").arrays
    train, test = np.concatenate(list(CIFAR10.values())[:5]), CIFAR10["test_batch.bin"]
    np.testing.assert_array_equal(arrays.t_train, train[:, 0])
    np.testing.assert_array_equal(arrays.t_test, test[:, 0])
    assert arrays.t_train.dtype == np.int64
    assert arrays.x_train.shape == (TRAIN, 3, 32, 32)
    assert arrays.x_test.dtype == np.uint8
    for x, records in ((arrays.x_train, train), (arrays.x_test, test)):
        for n, channel, row, column in ((0, 0, 0, 0), (3, 1, 5, 7), (-1, 2, 31, 30)):
            assert x[n, channel, row, column] == records[n, 1 + 1024 * channel + 32 * row + column]


def test_both_labels_of_cifar100(cache: Path, server: Server) -> None:
    fetch(SMALL["CIFAR100"])
    fine, coarse = opened("cifar100"), opened("cifar100", labels="coarse")
    np.testing.assert_array_equal(coarse.arrays.t_train, CIFAR100["train.bin"][:, 0])
    np.testing.assert_array_equal(fine.arrays.t_train, CIFAR100["train.bin"][:, 1])
    np.testing.assert_array_equal(fine.arrays.t_test, CIFAR100["test.bin"][:, 1])
    np.testing.assert_array_equal(fine.arrays.x_test.reshape(TEST, -1), CIFAR100["test.bin"][:, 2:])
    assert fine.fingerprint != coarse.fingerprint


SHORT, LONG = MEMBERS["data_batch_2.bin"][:-1], MEMBERS["data_batch_2.bin"] + b"\0"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html>", "is damaged"),
        (b"", "is damaged"),
        (gzip.compress(b"no archive"), "is damaged"),
        (archive({k: v for k, v in MEMBERS.items() if "3" not in k}), "it holds no data_batch_3.bin"),
        (archive(MEMBERS | {"data_batch_2.bin": SHORT}), "data_batch_2.bin has 24,583 bytes, not 8 records of 3,073"),
        (archive(MEMBERS | {"data_batch_2.bin": LONG}), "data_batch_2.bin has 24,585 bytes, not 8 records of 3,073"),
        (archive(MEMBERS | {"more.bin": bytes(50_000_000)}), "it unpacks to more than "),
        (archive(MEMBERS)[:-2000], "is damaged"),
        (archive(MEMBERS)[:-8] + bytes(8), "is damaged: CRC check failed"),
    ],
    ids=range(9),
)
def test_what_is_not_the_archive_is_refused(content: bytes, sentence: str, cache: Path) -> None:
    path = held(content)
    with pytest.raises(DataError) as error:
        _ = opened("cifar10").arrays
    assert str(error.value).startswith(str(path))
    assert sentence in str(error.value)


def test_links_and_paths_in_an_archive_go_nowhere(cache: Path, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in MEMBERS.items():
            entry = tarfile.TarInfo(f"../../{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("cifar/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    before = set(tmp_path.rglob("*"))
    path = held(gzip.compress(packed.getvalue()))
    assert len(opened("cifar10").arrays.x_test) == TEST
    assert set(tmp_path.rglob("*")) - before == {cache, path.parent, path}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.data())
def test_a_damaged_archive_is_a_sentence(cache: Path, draw: st.DataObject) -> None:
    content = bytearray(SERVED["cifar10"]["cifar-10-binary.tar.gz"])
    content = bytearray(gzip.decompress(content)) if (within := draw.draw(st.booleans())) else content
    for _ in range(draw.draw(st.integers(1, 4))):
        content[draw.draw(st.integers(0, len(content) - 1))] = draw.draw(st.integers(0, 255))
    del content[draw.draw(st.integers(0, len(content))) :]
    path = held(gzip.compress(bytes(content), 1) if within else bytes(content))
    published._decoded.cache_clear()
    try:
        arrays = SMALL["CIFAR10"].dataset(None, 0, None, False).arrays
    except DataError as error:
        told = str(error)
    else:  # the damage is in the packing of a whole archive, or in its pixels
        assert arrays.x_train.shape == (TRAIN, 3, 32, 32)
        told = str(path)
    assert str(path.parent) in told
