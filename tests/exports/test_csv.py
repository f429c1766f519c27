"""`dlsweep export` to CSV, through the real command line and in Python."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.support.commands import Dlsweep, python

import dlsweep
from dlsweep.errors import UsageError


def results(swept: Dlsweep) -> dlsweep.storage.results.Results:
    return dlsweep.open_results(swept.folder / "results/tiny")


def exported(swept: Dlsweep, table: str) -> pd.DataFrame:
    name = f"out/{table}.csv"
    done = swept("export", "results/tiny", "--to", "csv", "--table", table, "-o", name, "--force")
    assert done.stdout == f"{name}\n"
    return pd.read_csv(swept.folder / name, keep_default_na=False, na_values=[""])


def cells(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns as lists: a number as it is, another value as text, a missing one as None."""
    numeric = {column for column in frame if pd.api.types.is_numeric_dtype(frame[column])}
    return {
        str(c): [None if x != x or x is None else float(x) if c in numeric else str(x) for x in frame[c]] for c in frame
    }


@pytest.mark.parametrize("table", ["runs", "curves"])
def test_every_value_of_a_table_comes_back(swept: Dlsweep, table: str) -> None:
    exported(swept, table)
    whole: pd.DataFrame = getattr(results(swept), table)
    own = pd.read_csv(swept.folder / f"out/{table}.csv", dtype=str, keep_default_na=False).replace("", None)
    numeric = [str(column) for column in whole if pd.api.types.is_numeric_dtype(whole[column])]
    own[numeric] = own[numeric].map(float, na_action="ignore")  # Python's: pandas may round the last bit
    assert cells(own.astype(dict.fromkeys(numeric, float))) == cells(whole)


def test_runs_are_the_default_and_one_row_each(swept: Dlsweep) -> None:
    swept("export", "results/tiny", "-o", "default.csv")
    assert (swept.folder / "default.csv").read_text("utf-8").count("\n") == 13
    wide = pd.read_csv(swept.folder / "default.csv")
    assert {"run_id", "arm", "activation", "optimizer.lr", "seed", "status", "best_train_loss"} <= {*wide}


def test_layers_have_numbers_and_no_lists(swept: Dlsweep) -> None:
    own, whole = exported(swept, "layers"), results(swept).layers
    assert [*own] == [column for column in whole if not str(column).endswith("_histogram")]
    assert own["gradient_rms"].tolist() == pytest.approx(whole["gradient_rms"].tolist(), rel=0, nan_ok=True)


def test_predictions_have_a_row_per_image_with_its_true_class(swept: Dlsweep) -> None:
    own = exported(swept, "predictions")
    assert len(own) == 12 * 20
    right = (own["label"] == own["predicted"]).groupby(own["run_id"]).mean()
    accuracy = results(swept).runs.set_index("run_id")["final_test_accuracy"]
    np.testing.assert_allclose(right[accuracy.index], accuracy)
    assert own["image"].tolist() == [*range(20)] * 12
    assert [*own][-3:] == ["image", "label", "predicted"]


def test_an_export_leaves_the_predictions_of_the_results_whole(swept: Dlsweep, tmp_path: Path) -> None:
    whole = results(swept)
    dlsweep.export(whole, table="predictions", output=tmp_path / "predictions.csv")
    assert len(whole.predictions["predicted"].iloc[0]) == 20


def test_a_file_is_replaced_only_by_force(swept: Dlsweep) -> None:
    path = swept.folder / "mine.csv"
    path.write_text("mine", "utf-8")
    told = swept("export", "results/tiny", "-o", "mine.csv", code=2).stderr
    assert "mine.csv exists; give another file, or replace it with --force" in told
    assert path.read_text("utf-8") == "mine"
    swept("export", "results/tiny", "-o", "mine.csv", "--force")
    assert path.read_text("utf-8").startswith("run_id,arm,")


def test_a_link_is_something_that_exists(swept: Dlsweep, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(UsageError, match="exists"):
        dlsweep.export(results(swept), output=tmp_path / "link.csv")
    dlsweep.export(results(swept), output=tmp_path / "link.csv", force=True)
    assert not (tmp_path / "elsewhere.csv").exists()


MISTAKES: list[tuple[list[str], str]] = [
    (["results/tiny", "-o", "x", "--to", "cvs"], "there is no format 'cvs'; did you mean 'csv'?"),
    (["results/tiny", "-o", "x", "--table", "curve"], "there is no table 'curve'; did you mean 'curves'?"),
    (["results/tiny", "-o", "x", "--table", "ensembles"], "results/tiny has no"),
    (["results/tiny", "-o", "results"], "results is a folder; give a file in it"),
    (["results", "-o", "x"], "there are no results in results; there are some in results/tiny"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=lambda value: value[-1] if value else "")
def test_a_mistake_is_a_sentence(swept: Dlsweep, arguments: list[str], said: str) -> None:
    assert said in swept("export", *arguments, code=2).stderr
    assert not (swept.folder / "x").exists()


def test_a_folder_that_is_a_file_is_a_sentence(swept: Dlsweep) -> None:
    assert "cannot write" in swept("export", "results/tiny", "-o", "tiny.yaml/runs.csv", code=1).stderr


PAGE = (Path(__file__).parents[2] / "docs/export.md").read_text("utf-8")


def test_the_examples_of_the_page_run(swept: Dlsweep) -> None:
    for line in re.findall(r"^\$ dlsweep export .* --table .*", PAGE, re.MULTILINE):
        swept(*line.split()[2:])
    program = "".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
    (swept.folder / "program.py").write_text(f"{program}\nassert means.shape[1] == 4", "utf-8")
    done = python("program.py", folder=swept.folder)
    assert done.returncode == 0, done.stderr


def test_the_query_of_the_page_runs(swept: Dlsweep, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed; `make test-export` has it")
    monkeypatch.chdir(swept.folder)
    (query,) = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    rows = duckdb.connect().execute(query).fetchall()
    runs = results(swept).runs
    means = runs.groupby(["activation", "init"], observed=True)["final_test_accuracy"].mean()
    assert {row[:2]: row[2] for row in rows} == pytest.approx(means.to_dict())
