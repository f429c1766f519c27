"""Splits by seed on the real command line: training, answers with their sentences, and refusals with their places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support import commands
from tests.support.commands import Done

CONFIG = """\
name: own
data: {table: {path: mine.csv, label: kind, test: 0.2, split: seed}}
model: {mlp: {hidden: [4]}}
train: {iterations: 60, batch_size: 8}
evaluate: {on: [test]}
seeds: 10
grid: {optimizer.lr: [0.5, 0.0001]}
claims:
  - a rate of 0.5 learns: {arm: {optimizer.lr: 0.5}, beats: {optimizer.lr: 0.0001}, metric: test_loss}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("splits")
    rows = [f"{k % 2 + k % 7 / 20:.3f},{k % 5 / 4:.3f},{'cow' if k % 2 else 'cat'}" for k in range(50)]
    (made / "mine.csv").write_text("\n".join(["width,height,kind", *rows]))
    (made / "x.yaml").write_text(CONFIG)
    return made


def run(folder: Path, *arguments: str, code: int = 0) -> Done:
    done = commands.dlsweep(*arguments, folder=folder)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def trained(folder: Path) -> Done:
    return run(folder, "run", "x.yaml", "-j", "1")


def test_the_closing_table_and_the_verdict_count_the_overlap(trained: Done) -> None:
    told = trained.stdout
    assert (
        "Means over 10 seeds, with 95 % t intervals, corrected for splits that overlap (Nadeau and Bengio 2003)."
        in told
    )
    assert "On new images: not available, since seeds are tested on different samples of one data set." in told
    assert "(one-sided paired t tests, corrected for overlap, at level 0.05)" in told
    assert (
        "minibatches and split into training and test samples; all runs share settings such as the learning rate."
        in told
    )
    assert "Supported: a rate of 0.5 learns. On random splits of these samples, the final test loss is lower" in told
    assert "10 samples of 50, drawn by each seed and stratified by class, are for testing" in trained.stderr


def test_methods_cite_the_correction(folder: Path, trained: Done) -> None:
    told = run(folder, "check", "--methods", "results/own").stdout
    assert "variance s² (1/J + n_test/n_train) over J splits, n_test/n_train = 0.25 (Nadeau and Bengio 2003)" in told
    assert "sign-flip" not in told
    (claim,) = json.loads(run(folder, "check", "--json", "results/own").stdout)["claims"]
    assert claim["overlap"] == 0.25
    assert claim["low_new_images"] is None


def test_what_needs_independent_seeds_is_refused(folder: Path, trained: Done) -> None:
    told = run(folder, "check", "--null", "results/own", code=2).stderr
    assert "--null tests sign-flip tests of independent seeds" in told
    told = run(folder, "run", "x.yaml", "-j", "1", "--until-decided", code=2).stderr
    assert "remove --until-decided: `seeds:` in the config is the number of splits" in told
    assert "no p-values: they need independent seeds" in run(folder, "effects", "results/own").stdout


def test_dry_runs_and_data_check(folder: Path) -> None:
    config = (folder / "x.yaml").read_text().replace("test: 0.2, split: seed", "folds: 5").replace("own", "folds")
    (folder / "f.yaml").write_text(config)
    told = run(folder, "run", "f.yaml", "-j", "1", "--dry-run")
    assert "20 runs in 1 stack" in told.stdout
    assert "a round of 5 seeds tests each sample once" in told.stderr
    done = run(folder, "data", "check", "mine.csv", "label=kind", "folds=5")
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert rows["samples"].strip() == "40 train, 10 test"
    assert rows["of a class"].strip() == "20 training samples each"


@pytest.mark.parametrize(
    ("line", "instead", "place", "sentence"),
    [
        ("test: 0.2, split: seed", "test: 0.2, folds: 5", "2:63", "has both test and folds; give one of them"),
        ("split: seed", "split: sed", "2:63", "must be one of seed 0, seed, got 'sed'; did you mean 'seed'?"),
        ("test: 0.2, split: seed", "folds: 1", "2:52", "folds must be at least 2, got 1"),
        ("test: 0.2, split: seed", "folds: 4", "6:8", "folds: 4 needs whole rounds of 4 seeds, got 10 seeds: round 2"),
        ("seeds: 10", "seeds: {splits: 10}", "6:9", "there is no source of chance 'splits'; did you mean 'split'?"),
    ],
)
def test_mistakes_have_their_places(folder: Path, line: str, instead: str, place: str, sentence: str) -> None:
    (folder / "bad.yaml").write_text(CONFIG.replace(line, instead))
    told = run(folder, "run", "bad.yaml", "-j", "1", code=2).stderr
    assert f"bad.yaml:{place}: " in told
    assert sentence in told
