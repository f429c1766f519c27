"""`dlsweep show` through the real command line."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import Dlsweep

from dlsweep import open_results


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Dlsweep:
    """The command, in a folder with a sweep of 2 × 2 arms × 3 seeds in results/tiny, and another in results/other."""
    command = Dlsweep(tmp_path_factory.mktemp("show"))
    command("run", "tiny.yaml", "evaluate.on=[train, test]", "-q", "-j", "1")
    command("run", "tiny.yaml", "name=other", "grid.activation=relu", "seeds=2", "-q", "-j", "1")
    return command


def rows(text: str) -> list[list[str]]:
    """The cells of a plain table, without its notes."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.partition("\n\n")[0].splitlines()]


def test_the_best_arm_comes_first_and_others_are_compared_with_it(shown: Dlsweep) -> None:
    header, best, *others = rows(shown("show", "results/tiny").stdout)
    assert header[:3] == ["activation", "init", "final_test_accuracy"]
    assert best[2] == "best"
    assert best[-5:-2] == ["–"] * 3
    assert len(others) == 3
    assert all(row[-5][0] in "+-" for row in others)


def test_filters_order_and_number_of_rows(shown: Dlsweep) -> None:
    table = rows(shown("show", "results/tiny", "init=he", "-y", "train_loss").stdout)
    assert table[0][:2] == ["activation", "final_train_loss"]
    assert len(table) == 3
    both = rows(shown("show", "results/tiny", "init=he", "init=xavier").stdout)
    assert len(both) == 5
    by_init = rows(shown("show", "results/tiny", "--sort-by", "init").stdout)
    assert [row[1] for row in by_init[1:]] == ["xavier", "xavier", "he", "he"]
    first = shown("show", "results/tiny", "--top", "1").stdout
    assert len(rows(first)) == 2
    assert "… and 3 arms more: dlsweep show results/tiny" in first
    assert rows(first)[1] == rows(shown("show", "results/tiny").stdout)[1]


def test_a_folder_without_results_is_an_error_beside_others(shown: Dlsweep) -> None:
    found = shown("show", "results/tiny", "nosuch", code=2)
    assert found.stderr == "there are no results in nosuch\n"
    assert found.stdout == shown("show", "results/tiny").stdout


def test_the_reference_can_be_any_arm(shown: Dlsweep) -> None:
    table = rows(shown("show", "results/tiny", "--reference", "activation=relu,init=he").stdout)
    assert "minus relu, he" in table[0]
    (own,) = (row for row in table if row[:2] == ["relu", "he"])
    assert own[-5:-2] == ["–"] * 3


def test_every_number_as_csv_and_json(shown: Dlsweep) -> None:
    runs = open_results(shown.folder / "results/tiny").runs
    means = runs.groupby("arm", observed=True)["final_train_loss"].mean()
    read = list(csv.DictReader(io.StringIO(shown("show", "results/tiny", "-y", "train_loss", "--csv").stdout)))
    assert {row["arm"]: float(row["final_train_loss"]) for row in read} == pytest.approx(means.to_dict())
    (told,) = json.loads(shown("show", "results/tiny", "-y", "train_loss", "--json").stdout)
    assert told["name"] == "tiny"
    assert {arm["arm"]: arm["metrics"]["final_train_loss"]["mean"] for arm in told["arms"]} == pytest.approx(
        means.to_dict()
    )
    assert [row["arm"] for row in told["leaderboard"]] == [row["arm"] for row in read]


def test_several_sweeps(shown: Dlsweep) -> None:
    text = shown("show", "results/other", "results/tiny").stdout
    assert text.startswith("other (results/other)\n")
    assert "\n\ntiny (results/tiny)\n" in text
    assert shown("show", "results").stdout == text
    read = list(csv.DictReader(io.StringIO(shown("show", "results", "--csv").stdout)))
    assert [row["sweep"] for row in read] == ["other"] * 2 + ["tiny"] * 4
    some = shown("show", "results", "activation=tanh")
    assert not some.stdout.startswith("other (")
    assert "activation has no level 'tanh' in results/other" in some.stderr or "no factor 'activation'" in some.stderr


def test_markdown_and_latex(shown: Dlsweep) -> None:
    lines = shown("show", "results/tiny", "--md").stdout.splitlines()
    assert lines[0].startswith(r"| activation | init |  | final\_test\_accuracy | 95 % interval |")
    assert lines[1].startswith("|---|---|---|--:|--:|")
    assert lines[2].count(" | ") == lines[0].count(" | ")
    first, *others = shown("show", "results/tiny", "--md", "--top", "1").stdout.split("\n\n")[1].splitlines()
    assert first == "- … and 3 arms more: dlsweep show results/tiny"  # an item of its own, so that it can be copied
    assert all(one.startswith("- ") and one.endswith(".") for one in others)
    latex = shown("show", "results/tiny", "--latex").stdout
    assert latex.startswith("\\begin{tabular}{lllrrrrrrr}\n  \\toprule\n")
    assert r"final\_test\_accuracy & 95 \% interval" in latex


@pytest.mark.parametrize("kind", ["factors", "runs"])
def test_other_rows(shown: Dlsweep, kind: str) -> None:
    header, *table = rows(shown("show", "results/tiny", "--rows", kind).stdout)
    if kind == "factors":
        assert [row[:2] for row in table] == [
            ["activation", "tanh"],
            ["activation", "relu"],
            ["init", "xavier"],
            ["init", "he"],
        ]
    else:
        assert header[:4] == ["activation", "init", "seed", "final_test_accuracy"]
        assert len(table) == 12


def test_a_row_says_what_it_averages_over(shown: Dlsweep) -> None:
    told = shown("show", "results/tiny", "--rows", "factors", "--top", "1").stdout
    assert "A row averages each seed's runs over all combinations of other factors that its levels share" in told
    assert "… and 3 levels more: dlsweep show results/tiny --rows factors" in told
    told = shown("show", "results/tiny", "init=he", "-y", "loss", "--rows", "runs", "--top", "2").stdout
    hint = "dlsweep show results/tiny init=he -y loss --rows runs"
    assert f"… and 4 runs more: {hint}" in told
    assert len(rows(shown(*hint.split()[1:]).stdout)) == 7


def test_the_hint_repeats_every_option(shown: Dlsweep) -> None:
    options = [
        "init=he",
        "-y",
        "loss",
        "--reference",
        "activation=relu,init=he",
        "--sort-by",
        "activation",
        "--at",
        "10",
    ]
    told = shown("show", "results/tiny", *options, "--top", "1").stdout
    assert "minus relu, he" in rows(told)[0], "although the row of ReLU is not shown"
    (hint,) = re.findall(r"… and 1 arm more: dlsweep (.*)", told)
    assert len(rows(shown(*shlex.split(hint)).stdout)) == 3
    assert rows(shown(*shlex.split(hint)).stdout)[0] == rows(told)[0]


def test_at_an_iteration(shown: Dlsweep) -> None:
    for kind in ("arms", "factors", "runs"):
        told = shown("show", "results/tiny", "--at", "10", "--rows", kind).stdout
        assert "test_accuracy at 10" in rows(told)[0]
        assert "final" not in told
    assert ",test_accuracy_at_10," in shown("show", "results/tiny", "--at", "10", "--csv").stdout.splitlines()[0]
    (told,) = json.loads(shown("show", "results/tiny", "--at", "10", "--json").stdout)
    assert "test_accuracy_at_10_low" in told["leaderboard"][0]


def test_several_levels_with_commas(shown: Dlsweep) -> None:
    both = shown("show", "results/tiny", "init=he", "init=xavier").stdout
    assert shown("show", "results/tiny", "init=he,xavier").stdout == both
    assert shown("show", "results/tiny", "init=xavier,he,activation=relu").stdout.count("best") > 0


def test_seeds_by_source_and_measurements_without_a_better_end(shown: Dlsweep) -> None:
    """The row of a crossed run has its seeds; a measurement of a layer, which has no best arm, no differences."""
    crossed = ["seeds={init: 2, batches: 2}", "evaluate.layers=true"]
    shown("run", "tiny.yaml", "name=crossed", "-o", "apart", *crossed, "-q", "-j", "1")
    header, *table = rows(shown("show", "apart/crossed", "init=he", "activation=relu", "--rows", "runs").stdout)
    assert header[:3] == ["seed", "seed_init", "seed_batches"]
    assert [row[:3] for row in table] == [["0", "0", "0"], ["1", "0", "1"], ["2", "1", "0"], ["3", "1", "1"]]
    for kind in ("arms", "factors", "runs"):
        told = shown("show", "apart/crossed", "-y", "weight_norm@dense1", "--rows", kind).stdout
        assert "the best" not in told


def test_what_is_undefined_is_a_dash(shown: Dlsweep) -> None:
    diverging = ["grid={optimizer: {sgd: {lr: [0.1, 1e30]}}}", "evaluate.on=[train, test]"]
    shown("run", "tiny.yaml", "name=lost", "-o", "apart", *diverging, "-q", "-j", "1")
    metrics = ["test_loss", "best_test_loss", "gap_loss", "iterations_to_0.99_test_accuracy"]
    asked = [word for metric in metrics for word in ("-y", metric)]
    for rows, form in (("arms", []), ("factors", ["--md"]), ("runs", ["--latex"])):
        told = shown("show", "apart/lost", *asked, "--rows", rows, *form).stdout
        assert not re.search(r"\b(nan|inf|none)\b", told, re.IGNORECASE)


MISTAKES: list[tuple[list[str], str]] = [
    (["results/tiny", "-y", "test_acuracy"], "there is no metric 'test_acuracy'; did you mean 'test_accuracy'?"),
    (["results/tiny", "--sort-by", "secnds"], "there is no column 'secnds' to sort by; did you mean 'seconds'?"),
    (["results/tiny", "--rows", "arm"], "there are no rows 'arm'; did you mean 'arms'?"),
    (["results/tiny", "activaton=relu"], "there is no factor 'activaton' in results/tiny; did you mean 'activation'?"),
    (["results/tiny", "activation=rleu"], "activation has no level 'rleu' in results/tiny; did you mean 'relu'?"),
    (["results/tiny", "init=he,xavir"], "init has no level 'xavir' in results/tiny; did you mean 'xavier'?"),
    (["results/tiny", "--joint"], "a joint table needs two sweeps that share two arms; results/tiny is one sweep"),
    (["results/tiny", "--reference", "relu"], "--reference must have levels such as activation=relu,init=he"),
    (
        ["results/tiny", "--reference", "activation=relu"],
        "must be one arm, and 2 are activation: relu; add",
    ),
    (["results/tiny", "--csv", "--md"], "choose one of --csv and --md"),
    (["results/tiny", "--at", "70"], "iteration 70 was not evaluated; the nearest are 19 and 20"),
    (["results/tiny", "--at", "10", "-y", "best_test_loss"], "best_test_loss cannot be taken at another iteration"),
    (["activation=relu"], "'activation=relu' is a level; give the folder of a sweep before it"),
    (["results/tiny", "-y", "gradient_rms@dense1"], "needs measurements of layers; add evaluate: {layers: true}"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=lambda value: " ".join(value[-2:]) if value else "")
def test_a_mistake_is_a_sentence(shown: Dlsweep, arguments: list[str], said: str) -> None:
    done = shown("show", *arguments, code=2)
    assert said in done.stderr
    assert done.stdout == ""


NOTEBOOK: dict[str, Any] = {
    "cells": [
        {"cell_type": "markdown", "source": ["Which initialization?"]},
        {"cell_type": "code", "source": ["import dlsweep\n", "results = dlsweep.open_results('results/tiny')"]},
        {"cell_type": "code", "source": ["board = results.leaderboard('test_loss', where={'activation': 'relu'})"]},
        {"cell_type": "code", "source": ["results"]},
    ]
}


def test_the_cells_of_a_notebook(shown: Dlsweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notebook.ipynb"
    path.write_text(json.dumps(NOTEBOOK), "utf-8")
    monkeypatch.chdir(shown.folder)
    names: dict[str, Any] = {}
    *cells, last = [c["source"] for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
    for cell in cells:
        exec("".join(cell), names)
    html = eval("".join(last), names)._repr_html_()
    assert html.count("<tr>") == 5
    assert "final_test_accuracy" in html
    assert names["board"]["final_test_loss"].dtype == float
    assert names["board"]["init"].tolist() in (["he", "xavier"], ["xavier", "he"])
