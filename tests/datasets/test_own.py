"""Own data as people have it: what is understood, what is doubted, and advice that helps."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.datasets.test_npz import npz, problems, save

from dlsweep.datasets import Dataset
from dlsweep.errors import DataError

RNG = np.random.default_rng(0)
T, T_TEST = np.arange(30) % 3, np.arange(12) % 3
X, X_TEST = RNG.random((30, 4), np.float32), RNG.random((12, 4), np.float32)
NAMES = np.array(["cat", "dog", "cow"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.npz"


def saved(file: Path, /, **arrays: Any) -> Path:
    """Save good arrays with changes; None takes an array out."""
    good = {"x_train": X, "t_train": T, "x_test": X_TEST, "t_test": T_TEST} | arrays
    save(file, {name: np.asarray(array) for name, array in good.items() if array is not None})
    return file


def told(data: Dataset, file: Path) -> str:
    assert all(note.startswith(f"{file}: ") for note in data.notes)
    return "\n".join(data.notes)


def test_usual_data_has_no_notes(file: Path) -> None:
    assert npz(saved(file)).notes == ()
    images = {
        "x_train": RNG.integers(0, 256, (30, 28, 28), np.uint8),
        "x_test": RNG.integers(0, 256, (12, 28, 28), np.uint8),
    }
    assert npz(saved(file, **images)).notes == ()


KERAS = {"x_train": X, "y_train": T, "x_test": X_TEST, "y_test": T_TEST}


@pytest.mark.parametrize(
    "arrays",
    [
        KERAS,
        {"X_train": X, "y_train": T, "X_test": X_TEST, "y_test": T_TEST},
        {"train_images": X, "train_labels": T, "test_images": X_TEST, "test_labels": T_TEST},
    ],
    ids=["Keras", "scikit-learn", "images"],
)
def test_names_of_others(file: Path, arrays: dict[str, Any]) -> None:
    usual = npz(saved(file))
    np.savez(file, **arrays)
    data = npz(file)
    assert data.fingerprint == usual.fingerprint
    assert f"samples and labels are {', '.join(arrays)}" in told(data, file)


@pytest.mark.parametrize(
    ("t", "t_test", "form"),
    [
        (T[:, None], T_TEST[:, None], "a column (N, 1)"),
        (np.eye(3)[T], np.eye(3)[T_TEST], "one-hot rows, and the position of the 1 is the class"),
        (np.eye(3, dtype=bool)[T], np.eye(3, dtype=np.uint8)[T_TEST], "one-hot rows"),
        (T.astype(float), T_TEST.astype(np.float16), "whole numbers as floating point"),
        (T.astype(np.uint8), T_TEST.astype(np.uint64), ""),
    ],
)
def test_forms_of_labels(file: Path, t: np.ndarray, t_test: np.ndarray, form: str) -> None:
    usual = npz(saved(file))
    data = npz(saved(file, t_train=t, t_test=t_test))
    assert data.fingerprint == usual.fingerprint
    assert (data.classes, data.arrays.t_train.tolist()) == (3, T.tolist())
    assert (form in told(data, file)) if form else data.notes == ()


@pytest.mark.parametrize("names", [NAMES, NAMES.astype(bytes), np.array(["ねこ", "いぬ", "うし"])])
def test_labels_that_are_names(file: Path, names: np.ndarray) -> None:
    data = npz(saved(file, t_train=names[T], t_test=names[T_TEST]))
    texts = sorted(name.decode() if isinstance(name, bytes) else name for name in names.tolist())
    assert (data.classes, list(data.names)) == (3, texts)
    assert [data.names[label] for label in data.arrays.t_train[:3]] == [
        name.decode() if isinstance(name, bytes) else name for name in names[T[:3]].tolist()
    ]
    assert f"the classes are 0 = {texts[0]}, 1 = {texts[1]}" in told(data, file)


def test_truth_values(file: Path) -> None:
    data = npz(saved(file, x_train=X > 0.5, x_test=X_TEST > 0.5, t_train=T > 0, t_test=T_TEST > 0))
    assert (data.names, data.classes) == (("False", "True"), 2)
    assert data.arrays.x_train.dtype == np.float32
    assert set(np.unique(data.arrays.x_train)) == {0.0, 1.0}
    assert data.arrays.scale == 1
    assert "truth values in x_train are 0 and 1" in told(data, file)


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        ([-1, 0, 1], "-1 0 1"),
        ([0, 50, 100], "0 50 100"),
        ([3, 7, 2**40], "3 7 1099511627776"),
        ([1, 2**63, 2**64 - 1], "1 9223372036854775808 18446744073709551615"),
    ],
)
def test_numbers_that_are_names(file: Path, numbers: list[int], names: str) -> None:
    labels = np.array(numbers, np.int64 if numbers[-1] < 2**63 else np.uint64)
    data = npz(saved(file, t_train=labels[T], t_test=labels[T_TEST]))
    assert (data.classes, data.names) == (3, tuple(names.split()))
    assert data.arrays.t_test.tolist() == T_TEST.tolist()
    assert f"the classes are 0 = {numbers[0]}, 1 = {numbers[1]}, 2 = {numbers[2]}" in told(data, file)


def test_labels_from_one_and_labels_with_gaps_are_noted(file: Path) -> None:
    data = npz(saved(file, t_train=T + 1, t_test=T_TEST + 1))
    note = "no sample has the label 0, and a network gets an output for it; subtract 1 from all labels"
    assert (data.classes, note in told(data, file)) == (4, True)
    assert npz(saved(file, t_train=T + 1 - 1, t_test=T_TEST + 1 - 1)).notes == ()

    gaps = np.array([0, 2, 3])
    data = npz(saved(file, t_train=gaps[T], t_test=gaps[T_TEST]))
    assert "no sample has the label 1, and a network gets an output for it; numpy.unique(t, return" in told(data, file)
    t = np.unique(np.concatenate([gaps[T], gaps[T_TEST]]), return_inverse=True)[1]
    assert npz(saved(file, t_train=t[:30], t_test=t[30:])).notes == ()


def test_class_names(file: Path) -> None:
    data = npz(saved(file, class_names=NAMES))
    assert (data.names, data.notes) == (tuple(NAMES), ())
    assert data.fingerprint == npz(saved(file)).fingerprint
    words = {"t_train": np.array(["a", "b", "c"])[T], "t_test": np.array(["a", "b", "c"])[T_TEST]}
    for given, reason in ((NAMES[:2], "has 2 names for 3 classes, and is"), (NAMES, "is")):
        data = npz(saved(file, class_names=given, **words))
        assert (data.names, f"class_names {reason} not used" in told(data, file)) == (("a", "b", "c"), True)
    data = npz(saved(file, class_names=NAMES[:2]))
    assert (data.names, "class_names has 2 names for 3 classes, and is not used" in told(data, file)) == ((), True)


@pytest.mark.parametrize(("names", "share"), [("x t", 0.2), ("x y", 6), ("data target", 0.2), ("x_train y_train", 0.2)])
def test_a_file_without_a_test_part(file: Path, names: str, share: float) -> None:
    save(file, dict(zip(names.split(), (X, T))))
    assert "it has no test samples; test: 0.2 sets a fifth of its samples aside" in problems(file)
    data = npz(file, test=share, validation=4)
    assert data.sizes == {"train": 20, "validation": 4, "test": 6}
    assert "6 samples of 30, drawn by seed 0, are for testing" in told(data, file)
    arrays = data.arrays
    pool = np.concatenate([arrays.x_train, arrays.x_validation, arrays.x_test])
    assert sorted(map(bytes, pool)) == sorted(map(bytes, X))
    assert arrays.x_test.tolist() != X[:6].tolist()
    assert npz(file, test=share, validation=4).fingerprint == data.fingerprint
    assert npz(file, test=0.3, validation=4).fingerprint != data.fingerprint
    for test in (30, 0.99):
        assert f"test: {test} of its 30 samples leaves none to train on" in problems(file, test=test)
    assert "is a share, for a file without a test part; with x_test, give a number" in problems(saved(file), test=0.2)


def test_names_that_may_mean_two_things(file: Path) -> None:
    assert "t_train and y_train may both be t_train; save one of them" in problems(saved(file, y_train=T))
    data = npz(saved(file, x_val=X, y_val=T))
    assert "x_val, y_val not used; validation: 3 takes a tenth of x_train" in told(data, file)


LAST = {"x_train": RNG.random((30, 8, 6, 3), np.float32), "x_test": RNG.random((12, 8, 6, 3), np.float32)}


def test_channels_last(file: Path) -> None:
    sentence = problems(saved(file, **LAST))
    assert "x_train is (30, 8, 6, 3), by its shape (N, H, W, C): write channels: last" in sentence
    assert "or channels: first if its images have 8 channels" in sentence
    data = npz(file, channels="last")
    assert (data.shape, data.notes) == ((3, 8, 6), ())
    np.testing.assert_array_equal(data.arrays.x_train[:, 1], LAST["x_train"][..., 1])
    assert npz(file, channels="first").shape == (8, 6, 3)
    moved = {name: np.moveaxis(x, -1, 1) for name, x in LAST.items()}
    assert npz(saved(file, **moved)).fingerprint == data.fingerprint
    doubt = "x_train is (30, 3, 8, 6), by its shape (N, C, H, W), and channels: last makes 6 channels of it"
    assert doubt in told(npz(file, channels="last"), file)
    assert npz(file, channels="first").notes == ()  # as the note says
    assert "channels: last needs images (N, H, W, C), and x_train is (30, 4)" in problems(saved(file), channels="last")
    for likely in ((30, 3, 8, 6), (30, 1, 28, 28), (30, 4, 3, 3), (30, 16, 2, 2)):
        x = RNG.random(likely, np.float32)
        assert npz(saved(file, x_train=x, x_test=x[:12])).shape == likely[1:]


ADVICE: dict[str, tuple[dict[str, Any], str]] = {
    "ravel": ({"t_train": T.reshape(30, 1, 1)}, "t_train.ravel() is one"),
    "ravel of a row": ({"t_train": T[None]}, "t_train.ravel() is one"),
    "probabilities": (
        {"t_train": np.eye(3)[T] * 0.7 + 0.1},
        "numpy.argmax(t_train, axis=1) makes labels of rows of probabilities",
    ),
    "one feature": (
        {"x_train": X[:, 0], "x_test": X_TEST[:, :1]},
        "x_train.reshape(-1, 1) makes one feature of it",
    ),
    "features": (
        {"x_train": X.reshape(30, 1, 2, 2, 1), "x_test": X_TEST},
        "x_train.reshape(len(x_train), -1) makes features of it",
    ),
    "whole numbers": (
        {"x_train": T[:, None] * 1000, "x_test": X_TEST[:, :1] * 1000},
        "save x_train.astype(numpy.float32)",
    ),
    "bytes": (
        {"x_train": T[:, None], "x_test": T_TEST[:, None].astype(np.uint8)},
        "x_train.astype(numpy.uint8), which is then divided by 255",
    ),
    "objects": ({"t_train": NAMES[T].astype(object), "t_test": NAMES[T_TEST]}, "save t_train.astype(str)"),
    "object samples": ({"x_train": X.astype(object)}, "save x_train.astype(numpy.float32)"),
    "channels": (LAST | {"x_test": np.moveaxis(LAST["x_test"], -1, 1)}, "as numpy.moveaxis(x_train, -1, 1) does"),
    "no numbers": (
        {"x_train": np.where(X < 0.1, np.nan, X)},
        "or write other numbers, as numpy.nan_to_num does for NaN",
    ),
    "dates": (
        {"t_train": T.astype("datetime64[D]"), "t_test": T_TEST.astype("datetime64[D]").astype(str)},
        "t_train.astype(str) makes names of its values",
    ),
}


@pytest.mark.parametrize("case", ADVICE)
def test_advice_helps(file: Path, case: str) -> None:
    """Whatever code a refusal advises makes the same data accepted."""
    arrays, advice = ADVICE[case]
    assert advice in problems(saved(file, **arrays))
    code = advice.removeprefix("save ").removeprefix("as ")
    code = code[: code.rindex(")") + 1] if ")" in code else "numpy.nan_to_num(x_train)"
    name = "x_train" if "x_train" in code else "t_train"
    changed = {**arrays, name: eval(code, {"numpy": np, **arrays})}
    assert npz(saved(file, **changed)).sizes["train"] == 30


def test_labels_without_a_number(file: Path) -> None:
    t_train = np.where(T == 2, np.nan, T)
    assert "t_train has labels that are no numbers; keep = numpy.isfinite(t_train)" in problems(
        saved(file, t_train=t_train)
    )
    keep = np.isfinite(t_train)
    assert npz(saved(file, x_train=X[keep], t_train=t_train[keep])).classes == 3


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"x_train": X * 255, "x_test": X_TEST * 255}, "large for an input; write standardize: true, or divide by 255"),
        ({"x_train": X * 1e6, "x_test": X_TEST * 1e6}, "large for an input; write standardize: true"),
        ({"x_test": X_TEST * 255}, "in x_train: probably only one of them was scaled"),
        ({"x_train": X * 0, "x_test": X_TEST * 0}, "every value of x_train is 0, so that samples do not differ"),
        ({"x_train": -X * 0, "x_test": X_TEST * 0}, "every value of x_train is 0, so that samples do not differ"),
        ({"x_train": X * 1e-12, "x_test": X_TEST * 1e-12}, "small for an input; write standardize: true"),
        (
            {"x_train": (X > 0.5).astype(np.uint8), "x_test": (X_TEST > 0.5).astype(np.uint8)},
            "x_train is uint8 and at most 1, and the input is x/255; save x_train.astype(numpy.float32)",
        ),
    ],
)
def test_doubts(file: Path, changes: dict[str, Any], note: str) -> None:
    assert note in told(npz(saved(file, **changes)), file)


def test_advice_of_doubts_helps(file: Path) -> None:
    saved(file, x_train=X * 255, x_test=X_TEST * 255)
    assert npz(file, standardize=True).notes == ()
    assert npz(saved(file, x_train=X, x_test=X_TEST)).notes == ()
    saved(file, x_train=X * 1e-12, x_test=X_TEST * 1e-12)
    assert npz(file, standardize=True).notes == ()
    arrays = npz(file, standardize=True).arrays
    np.testing.assert_allclose(arrays.floats(arrays.x_train, np.dtype(np.float32)).std(0), 1, rtol=1e-3)
    ones = {"x_train": (X > 0.5).astype(np.float32), "x_test": (X_TEST > 0.5).astype(np.float32)}
    assert npz(saved(file, **ones)).notes == ()


def test_content_decides_and_not_the_time(file: Path) -> None:
    """Copies and archives keep the time of modification."""
    saved(file)
    os.utime(file, ns=(10**18, 10**18))
    first = npz(file)
    saved(file, t_train=T[::-1])
    os.utime(file, ns=(10**18, 10**18))
    second = npz(file)
    assert second.fingerprint != first.fingerprint
    assert second.arrays.t_train.tolist() == T[::-1].tolist()
    other = saved(file.with_name("other.npz"))
    os.utime(other, ns=(10**18, 10**18))
    other.replace(file)
    assert npz(file).fingerprint == first.fingerprint
    os.utime(file)
    assert npz(file) is npz(file)


def test_arrays_cannot_be_changed(file: Path) -> None:
    arrays = npz(saved(file)).arrays
    for array in (arrays.x_train, arrays.x_test, arrays.t_train, arrays.t_test):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


def test_only_regular_files_are_opened(file: Path) -> None:
    os.mkfifo(file)
    assert f"{file} cannot be read: it is not a regular file" in problems(file)


@pytest.mark.parametrize("case", ["long", "garbage", "version"])
def test_headers_that_are_none(file: Path, case: str) -> None:
    """NumPy's own message would advise `allow_pickle=True`."""
    header = {
        "long": b"\x93NUMPY\x02\x00" + (10**7).to_bytes(4, "little") + b" " * 10**7,
        "garbage": b"\x93NUMPY\x01\x00\x10\x00{'descr': import}",
        "version": b"\x93NUMPY\x09\x00",
    }[case]
    with zipfile.ZipFile(saved(file)) as old:
        others = {name: old.read(name) for name in old.namelist() if name != "x_train.npy"}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in (others | {"x_train.npy": header}).items():
            new.writestr(name, content)
    sentence = problems(file)
    assert "x_train cannot be read as an array of numbers: it is damaged, or not written by NumPy" in sentence
    assert "allow_pickle" not in sentence


def test_memory_is_bounded_by_the_headers(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum over all arrays counts, and nothing is read before it is known."""
    saved(file)
    monkeypatch.setattr("dlsweep.datasets.npz.memory", lambda: 3000)
    monkeypatch.setattr("dlsweep.datasets.npz._array", None)
    assert "it needs about 3.0 kB of memory, and there is 3.0 kB" in problems(file)


def drawn(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return an array of any kind and shape."""
    shape = (int(rng.choice([n, n, 0, 1])), *rng.integers(0, 5, rng.integers(0, 5)))[: rng.integers(0, 6)]
    kind = rng.choice(["f2", "f4", "f8", "u1", "i1", "i8", "u8", "?", "U3", "S2", "c8", "M8[D]", "V3"])
    if kind[0] in "fc":
        numbers = rng.choice([1.0, 1e3, 1e39, np.nan, np.inf]) * rng.random(shape)
    else:
        numbers = rng.integers(0, rng.choice([2, 3, 120]), shape)
    with np.errstate(all="ignore"):
        if kind == "V3":
            return np.zeros(shape, kind)
        return np.asarray(numbers.astype("i8").astype(kind) if kind[0] == "M" else numbers.astype(kind))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(4))
def test_any_arrays_are_data_or_sentences(file: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        good: dict[str, Any] = {"x_train": X, "t_train": T, "x_test": X_TEST, "t_test": T_TEST}
        good |= {name: drawn(rng, 30) for name in rng.choice([*good, "class_names"], rng.integers(0, 3))}
        settings = (
            {"test": rng.choice([0.2, 0.99])} if rng.random() < 0.3 else {"channels": rng.choice(["first", "last"])}
        )
        if "test" in settings:
            del good["x_test"], good["t_test"]
        save(file, good)
        try:
            data = npz(file, **{name: value.item() for name, value in settings.items()})
        except DataError as error:
            sentences = str(error).splitlines()
        else:
            sentences = [*data.notes]
            labels = np.concatenate([data.arrays.t_train, data.arrays.t_test])
            assert 0 <= labels.min() <= labels.max() < data.classes
            assert data.arrays.x_train.shape[1:] == data.shape
        assert all(sentence.startswith(f"{file}: ") for sentence in sentences)
