"""`dlsweep check` on a small sweep that is really trained: verdicts, exit codes, and every form of output."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from tests.support.commands import Dlsweep

import dlsweep as api

CONFIG = """\
name: claims
data: {npz: {path: tiny.npz}}
model: {mlp: {hidden: [8]}}
train: {iterations: 60, batch_size: 10}
evaluate: {on: [train, test]}
seeds: 8
grid:
  init: [he, {normal: {std: 1e-9}}]
claims:
  - He learns: {arm: {init: he}, beats: {init: normal}, by: 0.1, metric: train_accuracy}
  - tiny weights learn <b> & "more": {arm: {init: normal}, beats: {init: he}, expect: refuted}
  - both learn the same: {arm: {init: he}, equals: {init: normal}, within: 0.001, expect: refuted}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Dlsweep:
    """The command line beside a finished sweep."""
    command = Dlsweep(tmp_path_factory.mktemp("check"))
    (command.folder / "claims.yaml").write_text(CONFIG, "utf-8")
    command("run", "claims.yaml", "-q", "-j", "1")
    return command


def restated(command: Dlsweep, name: str, old: str, new: str) -> str:
    """Copy the sweep with another claim in its config, and return its folder."""
    shutil.copytree(command.folder / "results/claims", command.folder / f"results/{name}")
    text = CONFIG.replace("name: claims", f"name: {name}").replace(old, new)
    assert text != CONFIG.replace("name: claims", f"name: {name}")
    (command.folder / f"{name}.yaml").write_text(text, "utf-8")
    command("run", f"{name}.yaml", "-q", "-j", "1")
    return f"results/{name}"


def test_verdicts_of_a_sweep(trained: Dlsweep) -> None:
    told = trained("check", "results/claims").stdout
    assert told.splitlines()[1].split()[:4] == ["He", "learns", "supported", "yes"]
    assert "Supported: He learns. On these training images" in told
    assert 'Refuted: tiny weights learn <b> & "more".' in told


def test_json_is_ascii_and_has_no_nan(trained: Dlsweep) -> None:
    text = trained("check", "results/claims", "--json").stdout
    assert text.isascii()

    def refuse(word: str) -> None:
        raise AssertionError(word)

    found = json.loads(text, parse_constant=refuse)
    assert [(one["verdict"], one["n"]) for one in found["claims"]] == [("supported", 8), ("refuted", 8), ("refuted", 8)]
    assert found["exit_code"] == 0
    assert found["claims"][0]["effect"] > 0.1
    assert found["claims"][0]["p_holm"] == 3 * 2 / 2**8


def test_junit_is_xml_whose_failures_are_the_unexpected_verdicts(trained: Dlsweep) -> None:
    suite = ElementTree.fromstring(trained("check", "results/claims", "--junit").stdout).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "0", "0")
    names = [case.get("name") for case in suite.iter("testcase")]
    refuted = " (expected: refuted)"  # a passed test with the bare name of a refuted claim would read as its support
    assert names == ["He learns", 'tiny weights learn <b> & "more"' + refuted, "both learn the same" + refuted]
    assert all("learn" in (told.text or "") for told in suite.iter("system-out"))


# Attributes of elements, True if required, and children, as the JUnit plugin of Jenkins reads them (junit-10.xsd).
SCHEMA = {
    "testsuites": ({"name": False, "time": False, "tests": False, "failures": False, "errors": False}, {"testsuite"}),
    "testsuite": (
        {"name": True, "tests": False, "failures": False, "errors": False, "skipped": False, "time": False},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name": True, "classname": False, "assertions": False, "time": False, "status": False},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type": False, "message": False}, set[str]()),
    "error": ({"type": False, "message": False}, set[str]()),
    "system-out": (dict[str, bool](), set[str]()),
}
COUNTS = {"tests": "testcase", "failures": "failure", "errors": "error"}


def validate(element: ElementTree.Element) -> None:
    """Assert that an element is as the schema says, and that its counts are those of its elements."""
    attributes, children = SCHEMA[element.tag]
    assert set(element.keys()) <= set(attributes)
    assert {name for name, required in attributes.items() if required} <= set(element.keys())
    if element.tag.startswith("testsuite"):
        assert {name: element.get(name) for name in COUNTS} == {
            name: str(len(list(element.iter(tag)))) for name, tag in COUNTS.items()
        }
    for child in element:
        assert child.tag in children
        validate(child)


def test_junit_is_as_its_schema_says(trained: Dlsweep, tmp_path: Path) -> None:
    for name in ("good", "damaged"):
        shutil.copytree(trained.folder / "results/claims", tmp_path / name)
    (tmp_path / "damaged/sweep.json").write_text("{", "utf-8")
    (tmp_path / "damaged/sweep.yaml").unlink()
    wrong = restated(trained, "wrong", "metric: train_accuracy}", "metric: train_accuracy, expect: refuted}")
    validate(ElementTree.fromstring(trained("check", "results/claims", "--junit").stdout))
    folders = (wrong, str(tmp_path / "good"), str(tmp_path / "damaged"))
    root = ElementTree.fromstring(trained("check", *folders, "--junit", code=4).stdout)
    validate(root)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("7", "1", "1")


def test_a_record_that_was_remade_is_told(trained: Dlsweep, tmp_path: Path) -> None:
    shutil.copytree(trained.folder / "results/claims", tmp_path / "remade")
    (tmp_path / "remade/sweep.json").write_text("{", "utf-8")
    (tmp_path / "tiny.npz").write_bytes((trained.folder / "tiny.npz").read_bytes())
    text = (tmp_path / "remade/sweep.yaml").read_text("utf-8")
    (tmp_path / "remade/sweep.yaml").write_text(text.replace("tiny.npz", str(tmp_path / "tiny.npz")), "utf-8")
    done = trained("check", str(tmp_path / "remade"))
    assert "its runs are those of" in done.stderr
    assert (
        "its record was remade, all claims count as stated after the results, and planned looks are not known"
        in done.stderr
    )
    assert "stated after the results" in done.stdout


def test_arms_that_are_not_trained_yet_are_told(trained: Dlsweep) -> None:
    grid = "grid:\n  activation: [relu, tanh]\n"
    (trained.folder / "half.yaml").write_text(
        CONFIG.replace("grid:\n", grid).replace("name: claims", "name: half"), "utf-8"
    )
    trained("run", "half.yaml", "-q", "-j", "1")
    folder = trained.folder / "results/half"
    runs = api.open_results(folder).runs
    tanh = {run[:16] for run in runs.loc[runs["activation"] == "tanh", "run_id"]}
    gone = 0
    for part in (folder / "runs").iterdir():
        if tanh >= set(pq.read_table(part)["run_id"].to_pylist()):
            part.unlink()
            gone += 1
    assert gone
    told = trained("check", "results/half").stdout
    assert "Left out, since 1 of 2 combinations of the other factors is not trained yet on every side." in told


def test_markdown_latex_and_methods(trained: Dlsweep) -> None:
    markdown = trained("check", "results/claims", "--md", "--methods").stdout
    assert markdown.startswith("| claim | verdict |")
    assert "(Fisher 1935)" in markdown
    assert "two one-sided tests (Schuirmann 1987)" in markdown
    assert "arms of one seed share these draws" in markdown
    latex = trained("check", "results/claims", "--latex").stdout
    assert latex.startswith(r"\begin{tabular}")
    assert r"\& " in latex


def test_the_opposite_verdict_exits_with_1_and_another_one_with_3(trained: Dlsweep) -> None:
    opposite = restated(trained, "opposite", "metric: train_accuracy}", "metric: train_accuracy, expect: refuted}")
    failed = trained("check", opposite, "--junit", code=1).stdout
    (failure,) = ElementTree.fromstring(failed).iter("failure")
    assert failure.get("type") == "supported"
    undecided = restated(trained, "undecided", "by: 0.1, metric: train_accuracy", "metric: iterations")
    assert "not decided" in trained("check", undecided, code=3).stdout
    (failure,) = ElementTree.fromstring(trained("check", undecided, "--junit", code=3).stdout).iter("failure")
    assert failure.get("type") == "undecided"
    assert "stated after the results" in (failure.text or "")


def test_a_damaged_table_is_not_told_as_a_sweep_without_claims(trained: Dlsweep, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(trained.folder / "results/claims", folder)
    for part in (folder / "runs").iterdir():
        part.write_bytes(part.read_bytes()[:-9])
    done = trained("check", str(folder), code=4)
    assert done.stdout == ""
    assert "is damaged" in done.stderr


def test_several_folders_and_one_that_is_damaged(trained: Dlsweep, tmp_path: Path) -> None:
    for name in ("good", "damaged"):
        shutil.copytree(trained.folder / "results/claims", tmp_path / name)
    (tmp_path / "damaged/sweep.json").write_text("{", "utf-8")
    done = trained("check", str(tmp_path / "good"), str(tmp_path / "damaged"), code=4)
    assert "Supported: He learns." in done.stdout
    assert "damaged" in done.stderr
    xml = trained("check", str(tmp_path / "good"), str(tmp_path / "damaged"), "--junit", code=4).stdout
    assert len(list(ElementTree.fromstring(xml).iter("error"))) == 1
    both = trained("check", "results/claims", str(tmp_path / "good")).stdout
    assert both.startswith("results ")


def test_the_sentences_of_several_sweeps_begin_with_their_folder(trained: Dlsweep) -> None:
    restated(trained, "second", "by: 0.1", "by: 0.05")
    told = trained("check", "results/claims", "results/second").stdout
    sentences = told.split("\n\n")[1:]
    assert len(sentences) == 6
    assert [one.startswith("results/claims: ") for one in sentences] == [True] * 3 + [False] * 3
    assert sum(one.startswith("results/second: ") for one in sentences) == 3
    assert "results/second: Refuted: both learn the same." in told
    assert "results/claims: " not in trained("check", "results/claims").stdout
    (figure,) = trained("plot", "results/claims", "results/second", "-k", "forest").stdout.split()
    assert figure == "results/figures/forest-claims-second.png"
    assert (trained.folder / figure).stat().st_size > 10_000


def test_a_sweep_without_claims_says_what_to_write(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-q", "-j", "1")
    done = dlsweep("check", "results/tiny", code=2)
    assert "results/tiny makes no claims" in done.stderr
    assert "claims:\n    - ReLU needs He: {arm:" in done.stderr


def test_run_prints_the_verdicts_after_its_table_and_exits_on_training_alone(dlsweep: Dlsweep) -> None:
    (dlsweep.folder / "claims.yaml").write_text(CONFIG.replace(", expect: refuted", ""), "utf-8")
    told = dlsweep("run", "claims.yaml", "-j", "1").stdout
    assert told.index("95 % interval") < told.index("Supported: He learns")
    assert "Refuted: tiny weights" in told
    dlsweep("check", "results/claims", code=1)
    found = json.loads(dlsweep("run", "claims.yaml", "--json", "-j", "1").stdout)
    assert [claim["verdict"] for claim in found["claims"]] == ["supported", "refuted", "refuted"]


def test_null_needs_twelve_seeds_and_finds_no_fault(trained: Dlsweep) -> None:
    assert (
        "needs an arm with at least 12 seeds; results/claims has 8"
        in trained("check", "results/claims", "--null", code=2).stderr
    )
    (trained.folder / "null.yaml").write_text(
        CONFIG.replace("seeds: 8", "seeds: 12").replace("name: claims", "name: null-1")
    )
    trained("run", "null.yaml", "-q", "-j", "1")
    told = trained("check", "results/null-1", "--null").stdout
    assert "Expected: errors in at most 3.1 % of random splits, and by chance in up to 5.3 %. Found: " in told
    assert "errors in 1,000 splits (" in told
    assert "of the seeds of 2 arms, on final test accuracy. The tests err no more often than they promise." in told
    (found,) = json.loads(trained("check", "results/null-1", "--null", "--json").stdout)
    assert found["attainable"] == 2 / 2**6
    assert found["passed"] is True


def test_levels_are_those_of_the_claims(trained: Dlsweep) -> None:
    done = trained("check", "results/claims", "init=he", "activation=relu", code=2)
    assert done.stderr == (
        "check compares the arms that the claims name; leave out the levels of init and activation\n"
    )


def test_options_that_exclude_each_other(trained: Dlsweep) -> None:
    assert "choose one of --json and --junit" in trained("check", "results/claims", "--json", "--junit", code=2).stderr
    assert "leave out the other options" in trained("check", "results/claims", "--null", "--md", code=2).stderr
