"""Tables of the user: CSV as programs and people write it, and Parquet."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlsweep.datasets import Dataset, datasets, kind_of, open_dataset
from dlsweep.errors import DataError
from dlsweep.registry import Choice

IRIS = "sepal,petal,long,kind\n" + "".join(
    f"{i},{i / 2},{'true' if i % 2 else 'false'},{('setosa', 'virginica')[i % 2]}\n" for i in range(20)
)


def table(path: Path, label: str = "kind", **settings: Any) -> Dataset:
    return open_dataset(Choice("table", datasets["table"].complete({"path": str(path), "label": label, **settings})))


def refused(path: Path, label: str = "kind", **settings: Any) -> str:
    with pytest.raises(DataError) as error:
        table(path, label, **settings)
    assert all(line.startswith(str(path)) for line in str(error.value).splitlines())
    return str(error.value)


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "iris.csv"
    path.write_text(IRIS)
    data = table(path)
    assert (data.shape, data.classes, data.names) == ((3,), 2, ("setosa", "virginica"))
    assert data.sizes == {"train": 16, "validation": 0, "test": 4}
    rows = np.concatenate([data.arrays.x_train, data.arrays.x_test])
    rows = rows[rows[:, 0].argsort()]
    np.testing.assert_array_equal(rows, [(i, i / 2, i % 2) for i in range(20)])
    labels = np.concatenate([data.arrays.t_train, data.arrays.t_test])
    order = np.concatenate([data.arrays.x_train, data.arrays.x_test])[:, 0]
    np.testing.assert_array_equal(labels, order % 2)
    assert data.notes == (
        f"{path}: features are sepal, petal, long; labels are kind",
        f"{path}: 4 samples of 20, drawn by seed 0, are for testing",
        f"{path}: the classes are 0 = setosa, 1 = virginica",
    )
    assert table(path, test=5, validation=2).sizes == {"train": 13, "validation": 2, "test": 5}
    assert table(path).fingerprint != table(path, test=5).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
    ],
    ids=["semicolons", "tabs", "Windows", "byte order mark"],
)
def test_forms_of_csv(tmp_path: Path, change: Any) -> None:
    (tmp_path / "usual.csv").write_text(IRIS)
    (tmp_path / "other.txt").write_bytes(change(IRIS).encode())
    assert table(tmp_path / "other.txt").fingerprint == table(tmp_path / "usual.csv").fingerprint


def test_parquet_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "usual.csv").write_text(IRIS)
    from pyarrow import csv

    pq.write_table(csv.read_csv(tmp_path / "usual.csv"), tmp_path / "iris.data")
    assert table(tmp_path / "iris.data").fingerprint == table(tmp_path / "usual.csv").fingerprint
    whole = (tmp_path / "iris.data").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-9])
    assert "cannot be read as CSV or Parquet" in refused(tmp_path / "cut.parquet")


def test_labels_that_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    t = np.arange(20) % 2
    pq.write_table(pa.table({"x": np.arange(20.0), "y": t}), path)
    assert (table(path, "y").classes, table(path, "y").names) == (2, ())
    pq.write_table(pa.table({"x": np.arange(20.0), "y": t.astype(float) - 1}), path)
    assert table(path, "y").names == ("-1", "0")
    pq.write_table(pa.table({"x": np.arange(20.0), "y": pa.array(["a", "b"] * 10).dictionary_encode()}), path)
    assert table(path, "y").names == ("a", "b")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (IRIS.replace("kind", "sort"), "label: there is no column 'kind'"),
        ("1,2,kind\n", "it has no rows"),
        ("kind\na\nb\n", "there is no column but kind"),
        ("a,a,kind\n1,2,x\n1,2,y\n", "several columns are called a; rename them"),
        ("a,b,kind\n1,,x\n1,2,y\n", "column b has 1 empty value; remove these rows"),
        ("a,b,kind\n1,2,x\n1,2,\n1,2,y\n", "column kind has 1 empty value; remove these rows"),
        (",a,kind\n0,2,x\n1,2,y\n", "a column has no name; name it, or remove it"),
        ("a,b,kind\n1,nan,x\n1,2,y\n", "column b has 1 empty value; remove these rows"),
        ("a,b,kind\n1,inf,x\n1,1e99,y\n", "column b has 2 values beyond float32 (NaN, infinite, too large)"),
        ("a,b,kind\n1,red,x\n1,blue,y\n", "column b holds string, no numbers; remove it, or make numbers of it"),
        (
            "a;b;kind\n1;0,5;x\n1;-2,25;y\n",
            "column b holds string, no numbers; write 0,5 with a point (pandas.read_csv(…, decimal=',') reads",
        ),
        ("a,kind\n1,x\n2,y,z\n", "cannot be read as CSV or Parquet: CSV parse error"),
        ("a,kind\n" + "1,x\n" * 9, "column kind has one class only, x; a network needs two"),
        ("a,kind\n1,0.5\n2,1.5\n", "column kind must hold whole numbers or names, found 0.5; a class is no quantity"),
        ("", "cannot be read as CSV or Parquet: Empty CSV file"),
    ],
)
def test_each_problem_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    assert sentence in refused(tmp_path / "t.csv")


def test_an_archive_of_arrays_is_no_table(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.csv", x=np.zeros(3))
    (tmp_path / "t.csv.npz").rename(tmp_path / "t.csv")
    assert "t.csv is an .npz or other zip file; arrays are read by data: {npz: {path: …}}" in refused(
        tmp_path / "t.csv"
    )


def test_get_dummies_makes_numbers(tmp_path: Path) -> None:
    """The advice about a column of text."""
    import pandas as pd

    frame = pd.DataFrame({"a": range(20), "b": ["red", "blue"] * 10, "kind": ["x", "y"] * 10})
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert "pandas.get_dummies" in refused(tmp_path / "t.csv")
    pd.get_dummies(frame, columns=["b"]).to_csv(tmp_path / "t.csv", index=False)
    assert table(tmp_path / "t.csv").shape == (3,)


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    """Spreadsheets save CSV in the system's encoding."""
    for text in (IRIS.replace("setosa", "Schwertlilie ä"), IRIS.replace("petal", "Blütenblatt")):
        (tmp_path / "t.csv").write_text(text, "latin-1")
        assert "has text that is not UTF-8; save it as UTF-8" in refused(tmp_path / "t.csv")
        (tmp_path / "t.csv").write_text(text, "utf-8")
        assert table(tmp_path / "t.csv").classes == 2


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(tmp_path / "absent.csv")
    assert "cannot be read: Is a directory" in refused(tmp_path)


def test_files_of_other_programs(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    assert "is a single NumPy array; numpy.savez(file, x_train=…, t_train=…) saves several" in refused(
        tmp_path / "x.npy"
    )
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<xml/>")
    assert kind_of(tmp_path / "x.xlsx") == "npz"
    with pytest.raises(DataError, match=r"is a document of an office program; save its table as CSV, for data: .table"):
        open_dataset(Choice("npz", datasets["npz"].complete({"path": str(tmp_path / "x.xlsx")})))


@pytest.mark.parametrize("test", [0, -1, 1.0, 1.5])
def test_a_number_of_samples_or_a_share(test: float) -> None:
    for name in ("npz", "table"):
        (fault,) = datasets[name].check({"path": "x", "test": test})[1]
        number = "a number of samples such as 500, or a share below 1 such as 0.2"
        assert fault.sentence == f"{name}.test must be {number}, got {test:g}"
        for good in (1, 500, 0.2):
            assert datasets[name].check({"path": "x", "test": good}) == ({"path": "x", "test": good}, [])
