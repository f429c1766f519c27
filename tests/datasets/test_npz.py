from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlsweep.datasets import Dataset, datasets, open_dataset
from dlsweep.errors import DataError
from dlsweep.registry import Choice


def arrays(**changes: Any) -> dict[str, np.ndarray]:
    """Six good training and four good test samples of five features, with changes."""
    good = {
        "x_train": np.linspace(-1, 1, 30).reshape(6, 5),
        "t_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": np.linspace(-1, 1, 20).reshape(4, 5),
        "t_test": np.array([0, 1, 2, 3], np.uint8),
    }
    return {name: np.asarray(value) for name, value in (good | changes).items() if value is not None}


def save(file: Path | io.BytesIO, content: dict[str, Any]) -> None:
    np.savez_compressed(file, **content)


def npz(path: Path, **settings: Any) -> Dataset:
    entry = datasets["npz"]
    return open_dataset(Choice("npz", entry.complete({"path": str(path), **settings})))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.npz"


def problems(path: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as error:
        npz(path, **settings)
    assert all(line.startswith(str(path)) for line in str(error.value).splitlines())
    return str(error.value)


def test_floats_become_float32_and_labels_int64(file: Path) -> None:
    save(file, arrays())
    data = npz(file)
    assert (data.shape, data.classes) == ((5,), 4)
    assert data.sizes == {"train": 6, "validation": 0, "test": 4}
    assert data.arrays.x_train.dtype == np.float32
    assert data.arrays.t_test.dtype == np.int64
    assert data.arrays.scale == 1.0
    np.testing.assert_array_equal(data.arrays.x_train, arrays()["x_train"].astype(np.float32))


def test_bytes_stay_bytes_and_grey_images_get_their_channel(file: Path) -> None:
    save(file, arrays(x_train=np.ones((6, 3, 4), np.uint8), x_test=np.ones((4, 3, 4), np.uint8)))
    data = npz(file)
    assert data.shape == (1, 3, 4)
    assert data.arrays.x_train.dtype == np.uint8
    assert data.arrays.scale == 1 / 255


def test_subsets(file: Path) -> None:
    save(file, arrays())
    data = npz(file, train=3, validation=2, test=1)
    assert data.sizes == {"train": 3, "validation": 2, "test": 1}
    assert [len(x) for x in (data.arrays.x_train, data.arrays.x_validation, data.arrays.x_test)] == [4, 2, 1]
    with pytest.raises(DataError, match=r"mine.npz has 6 training samples; train: 5 and validation: 2 ask for 7"):
        npz(file, train=5, validation=2)


def test_the_fingerprint_is_that_of_the_content(file: Path, tmp_path: Path) -> None:
    kept: dict[str, Any] = arrays()
    np.savez(file, **kept)
    save(tmp_path / "packed.npz", arrays(other=np.ones(3)))
    assert npz(file).fingerprint == npz(tmp_path / "packed.npz").fingerprint
    save(tmp_path / "other.npz", arrays(t_test=[0, 1, 2, 2]))
    assert npz(file).fingerprint != npz(tmp_path / "other.npz").fingerprint


def test_a_file_that_was_written_again_is_read_again(file: Path) -> None:
    save(file, arrays())
    first = npz(file)
    assert npz(file) is first
    save(file, arrays(t_test=[0, 0, 0, 0]))
    os.utime(file, ns=(1, 1))
    assert npz(file).fingerprint != first.fingerprint


def test_many_data_sets_are_read_once_each(tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.npz" for i in range(20)]
    for path in files:
        save(path, arrays())
    first = [npz(path) for path in files]
    assert all(npz(path) is data for path, data in zip(files, first, strict=True))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"t_test": None},
            "there is no array t_test in it; it holds t_train, x_test, x_train; numpy.savez writes one with x_train, "
            "t_train, x_test, t_test",
        ),
        ({"x_train": np.ones((6, 5), np.int64)}, "x_train must be uint8 or floating point, found int64"),
        ({"x_train": np.ones((6, 5), np.uint8)}, "x_test is float64, x_train uint8; both must be"),
        ({"x_train": np.ones(6)}, "x_train must be (N, features), (N, H, W) or (N, C, H, W), found the shape (6,)"),
        ({"x_train": 1.0}, "x_train must be (N, features), (N, H, W) or (N, C, H, W), found the shape ()"),
        ({"x_train": np.ones((6, 4))}, "samples of x_test are (5,), those of x_train (4,)"),
        ({"x_train": np.ones((0, 5)), "t_train": []}, "x_train is empty, its shape is (0, 5)"),
        ({"x_test": np.full((4, 5), np.nan)}, "x_test has values that are not finite"),
        ({"x_test": np.full((4, 5), -np.inf)}, "x_test has values that are not finite"),
        ({"x_test": np.full((4, 5), 1e39)}, "x_test has values that are not finite"),
        ({"t_train": [0, 1, 2]}, "t_train has 3 labels for the 6 samples of x_train"),
        ({"t_train": np.eye(6)[:3]}, "t_train has 3 labels for the 6 samples of x_train"),
        (
            {"t_train": list("abcdef")},
            "labels in t_train are <U1, in t_test uint8; both must be names, or both numbers",
        ),
        ({"t_train": np.zeros(6, int)}, "t_train has one class only, 0; a network needs two to tell apart"),
        ({"t_train": np.zeros((6, 1), int)}, "t_train has one class only; a network needs two to tell apart"),
        ({"t_train": np.eye(3)[[1] * 6]}, "t_train has one class only; a network needs two to tell apart"),
        ({"t_train": np.arange(6) / 2}, "t_train must hold whole numbers or names, found 0.5; a class is no quantity"),
        ({"t_train": np.arange(6)[:, None] / 2}, "t_train must hold whole numbers or names, found 0.5"),
        ({"t_train": np.arange(6) * 1e300}, "t_train must hold whole numbers or names, found 1e+300"),
        ({"t_train": np.array([[np.inf]] * 6)}, "t_train has labels that are no numbers"),
        ({"t_train": np.arange(6) * 1j}, "t_train must hold whole numbers or names, found complex128"),
    ],
)
def test_each_problem_is_a_sentence(file: Path, changes: dict[str, Any], sentence: str) -> None:
    save(file, arrays(**changes))
    assert sentence in problems(file)


def test_all_problems_are_told_at_once(file: Path) -> None:
    save(file, arrays(x_train=np.ones((6, 5), int), t_train=np.ones(6) / 2, t_test=[1] * 3))
    assert len(problems(file).splitlines()) == 3


class Boom:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("pickle was run").touch, ())


def test_pickles_are_never_loaded(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(file, arrays(x_train=np.array([Boom()] * 6, object)))
    told = problems(file)
    assert "x_train cannot be read as an array of numbers: it holds Python objects, which are never loaded" in told
    assert "allow_pickle" not in told
    np.save(tmp_path / "pickled.npy", np.array([Boom()], object))
    assert "is not an .npz file" in problems(tmp_path / "pickled.npy")
    assert not Path("pickle was run").exists()


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("x")
    assert "is not an .npz file, or is damaged; numpy.savez writes one with x_train" in problems(tmp_path / "text.npz")
    assert "cannot be read: No such file" in problems(tmp_path / "absent.npz")
    assert "cannot be read: Is a directory" in problems(tmp_path)


def test_an_archive_that_unpacks_to_too_much(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlsweep.datasets.npz.MAX_BYTES", 200)
    save(file, arrays())
    assert "x_train unpacks to 368 bytes, the limit is 200" in problems(file)


def test_an_entry_of_almost_the_same_name_hides_no_size(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlsweep.datasets.npz.MAX_BYTES", 200)
    save(file, arrays())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("x_train", b"small")
    assert "x_train unpacks to 368 bytes, the limit is 200" in problems(file)


def test_a_header_that_claims_too_much(file: Path) -> None:
    save(file, arrays())
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**15, 5)})
    with zipfile.ZipFile(file) as old:
        others = {name: old.read(name) for name in old.namelist() if name != "x_train.npy"}
    with zipfile.ZipFile(file, "w") as new:
        for name, content in (others | {"x_train.npy": header.getvalue()}).items():
            new.writestr(name, content)
    assert "x_train unpacks to 40,000,000,000,000,000 bytes, the limit is" in problems(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.data())
def test_a_damaged_file_is_a_sentence(file: Path, draw: st.DataObject) -> None:
    buffer = io.BytesIO()
    save(buffer, arrays())
    content = bytearray(buffer.getvalue())
    for _ in range(draw.draw(st.integers(1, 4))):
        content[draw.draw(st.integers(0, len(content) - 1))] = draw.draw(st.integers(0, 255))
    del content[draw.draw(st.integers(0, len(content))) :]
    file.write_bytes(content)
    try:
        data = npz(file)
    except DataError as error:
        told = str(error)
    else:  # the damage is in a part of the archive that means nothing
        told = f"{file} {data.arrays}"
    assert str(file) in told
