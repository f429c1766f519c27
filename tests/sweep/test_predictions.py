"""Kept predictions: the class that each run's final network gives each test image, in the order of the data."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import pytest
import yaml
from tests.support import commands
from tests.support.sweeps import Bits, Make

import dlsweep
from dlsweep.analysis.predictions import churn, correctness
from dlsweep.datasets import data_of
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results

PATIENT = {"iterations": 300, "batch_size": 5, "monitor": "test_loss", "patience": 2}
ENOUGH = {"optimizer": {"sgd": {"lr": [0.5, 1e30]}}}  # the second diverges


def run(config: dict[str, Any], output: Path, **options: Any) -> Results:
    return dlsweep.run(config, output=output, **{"executor": "inline", "quiet": True, **options})


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Own images with names of classes, of which a share is for testing, standardized by each seed's samples."""
    draw = np.random.default_rng(0)
    t = draw.integers(0, 3, 120)
    x = draw.normal(t[:, None, None, None], 1, (120, 1, 6, 6)).astype(np.float32)
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, x=x, t=np.array(["cat", "dog", "eel"])[t])
    return {"npz": {"path": str(path), "test": 0.25, "train": 50, "standardize": True}}


CASES: dict[str, dict[str, Any]] = {
    "dense": {"grid": ENOUGH},
    "stopped, restored": {"train": PATIENT, "grid": ENOUGH},
    "stopped": {"train": PATIENT | {"restore_best": False}, "grid": ENOUGH},
    "ensemble": {"ensemble": True, "grid": ENOUGH},
    "draws in evaluation": {
        "grid": {"regularizer": [{"dropconnect": {"ratio": 0.3, "inference": "gaussian"}}, "dropout"]}
    },
    "convolutions, standardized by seed": {
        "images": True,
        "model": {"layers": {"of": [{"conv": {"filters": 2, "kernel": 3}}, "activation", {"pool": 2}]}},
        "grid": {"normalization": ["none", "batch"]},
    },
}


@pytest.mark.parametrize("case", CASES)
def test_predictions_are_those_of_the_final_network(
    make: Make, tmp_path: Path, images: dict[str, Any], case: str
) -> None:
    changes = dict(CASES[case])
    evaluate = {"every": 4, "on": ["test"], "keep": "final", "ensemble": changes.pop("ensemble", False)}
    if changes.pop("images", False):
        changes["data"] = images
    results = run(make(evaluate=evaluate, **changes), tmp_path)
    labels, found = results.labels(), dict(zip(results.predictions["run_id"], results.predictions["predicted"]))
    assert set(found) == set(results.runs.loc[results.runs["status"] != "diverged", "run_id"])
    for _, row in results.runs[results.runs["run_id"].isin(found)].iterrows():
        model, own = results.load(row["run_id"]), found[row["run_id"]]
        assert own.dtype == np.uint8
        assert (model.predict(model.data.arrays.x_test) == own).all()
        assert (own == labels).mean() == row["final_test_accuracy"]
    right, diverged = correctness(results), (results.runs["status"] == "diverged").to_numpy()
    assert (right[diverged] == 1 / 3).all()
    assert (right[~diverged].mean(axis=1) == results.runs.loc[~diverged, "final_test_accuracy"]).all()
    assert right.shape == (len(results.runs), len(labels))


def test_predictions_change_nothing_else(make: Make, tmp_path: Path, bits: Bits) -> None:
    evaluate = make()["evaluate"]
    kept, none = (
        run(make(train=PATIENT, evaluate=evaluate | {"predictions": on}), tmp_path / str(on)) for on in (True, False)
    )
    assert none.runs["run_id"].tolist() == kept.runs["run_id"].tolist()
    assert not (none.folder / "predictions").exists()
    assert {name: own for name, own in bits(kept).items() if not name.startswith("predictions")} == bits(none)
    with pytest.raises(UsageError, match=r"has no predictions; they are kept by sweeps that evaluate test"):
        _ = none.predictions
    plain, without = (
        dlsweep.dry_run(make(evaluate=evaluate | {"predictions": on}), output=tmp_path).disk for on in (True, False)
    )
    assert plain > without


def test_points_on_a_landscape_have_none(tmp_path: Path) -> None:
    results = run({"name": "valley", "model": "beale", "train": {"iterations": 4}}, tmp_path)
    assert not (results.folder / "predictions").exists()
    with pytest.raises(UsageError, match="has no predictions"):
        correctness(results)


def without_predictions(results: Results) -> dict[Path, bytes]:
    """Make a folder as an older dlsweep wrote it; return its files."""
    path = results.folder / "sweep.json"
    content = json.loads(path.read_text())
    content["tables"]["optional"].remove("predictions")
    del content["checksum"]
    checksum = blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
    path.write_text(json.dumps({**content, "checksum": checksum}))
    rmtree(results.folder / "predictions")
    return {path: path.read_bytes() for path in results.folder.rglob("*.*")}


def test_results_of_an_older_version_stay_as_they_are(make: Make, tmp_path: Path, bits: Bits) -> None:
    config = make(evaluate={"every": 2, "on": ["test"], "keep": "final"})
    new = run(config, tmp_path)
    predictions = new.predictions
    before = without_predictions(new)
    again = run(config, tmp_path)  # nothing trains
    assert {path: path.read_bytes() for path in new.folder.rglob("*.*")} == before
    with pytest.raises(UsageError, match=r"Results of an older dlsweep have none: --force trains them again"):
        _ = again.predictions
    (new.folder / "sweep.json").write_text("{")  # made again, as it was
    assert bits(run(config, tmp_path)) == bits(again)
    grown = run({**config, "seeds": 4}, tmp_path)
    assert len(grown.runs) == 16
    assert not (new.folder / "predictions").exists()
    further = run({**config, "train": config["train"] | {"iterations": 8}, "seeds": 4}, tmp_path)
    assert len(further.predictions) == 16  # its parts are new
    (forced,) = [run(config, tmp_path, force=True)]
    assert forced.predictions["predicted"].map(bytes).tolist() == predictions["predicted"].map(bytes).tolist()


def test_a_folder_keeps_predictions_for_all_of_its_runs_or_none(make: Make, tmp_path: Path) -> None:
    on, off = ({"every": 2, "on": ["test"], "predictions": keep} for keep in (True, False))
    for first, then in ((on, off), (off, on)):
        results = run(make(evaluate=first, seeds=2), tmp_path / str(first))
        parts = sorted(results.folder.rglob("*.parquet"))
        other = run(make(evaluate=then, seeds=2), tmp_path / str(first))  # no other question: nothing trains
        assert sorted(results.folder.rglob("*.parquet")) == parts
        grown = run(make(evaluate=then, seeds=3), tmp_path / str(first))
        kept = "predictions" in grown.record.tables.optional
        assert kept == ("predictions" in other.record.tables.optional) == (first is on)
        if kept:
            assert len(grown.predictions) == 12
            assert len(run(make(evaluate=on, seeds=1), tmp_path / str(first)).predictions) == 4


def test_labels_are_in_the_order_of_the_data(make: Make, tmp_path: Path, images: dict[str, Any], data: Path) -> None:
    own = {name: value for name, value in images["npz"].items() if name != "test"}
    config = make(data={"npz": own}, seeds=1, grid={"data.test": [0.25, 0.5]})
    results = run(config, tmp_path)
    with pytest.raises(UsageError, match=r"several data sets; choose one level of data\.test"):
        results.labels()
    with pytest.raises(UsageError, match="there are no validation samples"):
        results.labels("validation", {"data.test": 0.5})
    with pytest.raises(UsageError, match="there are no runs"):
        results.labels(runs=results.runs[:0])
    half = results.labels(arm={"data.test": 0.5})
    assert len(half) == 60
    assert (
        half == results.load(arm={"data.test": 0.5, "activation": "relu", "init": "he"}, at="start").data.arrays.t_test
    ).all()
    for share, rows in results.runs.groupby("data.test", observed=True):
        assert correctness(results, rows).shape == (4, len(results.labels(arm={"data.test": share})))


def test_churn_is_the_share_of_images_on_which_two_seeds_disagree(make: Make, tmp_path: Path) -> None:
    results = run(make(grid=ENOUGH), tmp_path)
    found = churn(results)
    for _, row in found.iterrows():
        own = results.predictions[results.predictions["arm"] == row["arm"]]["predicted"].tolist()
        assert row["seeds"] == len(own)
        pairs = [np.mean(own[i] != own[j]) for i, j in ((0, 1), (0, 2), (1, 2))] if own else [np.nan]
        np.testing.assert_allclose(row[["churn", "least", "most"]].tolist(), [np.mean(pairs), min(pairs), max(pairs)])
    assert found["churn"].isna().sum() == 4  # those that diverge


def test_the_command_writes_them_and_the_data_stays_needed(make: Make, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(make()), encoding="utf-8")
    done = commands.dlsweep("run", "tiny.yaml", "-q", "-j", "2", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    results = dlsweep.open_results(tmp_path / "results/tiny")
    right = correctness(results)
    assert (right.mean(axis=1) == results.runs["final_test_accuracy"]).all()
    alone = results.runs.iloc[[7, 3]]
    assert (correctness(results, alone) == right[[7, 3]]).all()
    done = commands.dlsweep("run", "tiny.yaml", "evaluate.predictions=no", "-q", folder=tmp_path)
    assert done.returncode == 2
    assert "evaluate.predictions must be true or false" in done.stderr


def test_labels_of_any_row_are_those_of_its_data(tmp_path: Path) -> None:
    """Also where factors move together, a rule leaves arms out, and arms differ in their data."""
    config = {
        "name": "several",
        "train": {"iterations": 2},
        "seeds": 2,
        "grid": {
            "data": [{"mnist": {"train": 100, "test": 50}}, {"mnist": {"train": 100, "test": 70}}],
            "activation, init": [["relu", "he"], ["tanh", "xavier"]],
            "optimizer.lr": [0.1, 0.2],
        },
        "exclude": [{"activation": "relu", "optimizer.lr": 0.1}],
    }
    results = run(config, tmp_path)
    expected = {run.id: data_of(run.arm).sizes["test"] for run in results.expanded.runs()}
    for row in range(len(results.runs)):
        found = dlsweep.open_results(results.folder)  # nothing is read yet
        own = found.runs.iloc[[row]]
        assert len(found.labels(runs=own)) == expected[own["run_id"].iloc[0]]
