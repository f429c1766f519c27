"""Intervals on new images, from the kept predictions of a small sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlsweep
from dlsweep.analysis.closing import closing_table
from dlsweep.analysis.crossed import crossed_interval
from dlsweep.storage.results import Results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return train(tmp_path_factory.mktemp("results"))


def train(output: Path, **evaluate: Any) -> Results:
    config = {
        "name": "small",
        "data": {"mnist": {"train": 300, "test": 200}},
        "train": {"iterations": 20, "batch_size": 10},
        "evaluate": {"on": ["test"], **evaluate},
        "grid": {"init": ["he", {"normal": {"std": 0.001}}]},
        "seeds": 4,
    }
    return dlsweep.run(config, output=output, executor="inline", quiet=True)


def test_over_seeds_and_images(results: Results) -> None:
    labels = results.labels("test")
    predictions = results.predictions
    right = {
        str(arm): np.stack([own == labels for own in rows["predicted"]]).astype(float)
        for arm, rows in predictions.groupby("arm", observed=True)
    }
    best, other = results.leaderboard().to_dict("records")
    name = "final_test_accuracy"
    ends = [best[f"{name}_new_images_low"], best[f"{name}_new_images_high"]]
    np.testing.assert_allclose(ends, np.clip(crossed_interval(right[best["arm"]]), 0, 1))
    ends = [other[f"{name}_difference_new_images_low"], other[f"{name}_difference_new_images_high"]]
    np.testing.assert_allclose(ends, crossed_interval(right[other["arm"]] - right[best["arm"]]))
    assert "on new images" in closing_table(results)


def test_only_of_the_final_test_accuracy(results: Results) -> None:
    assert not [column for column in results.leaderboard("test_loss") if "new_images" in str(column)]
    assert not [column for column in results.leaderboard(at=0) if "new_images" in str(column)]
    both = results.leaderboard(["test_loss", "test_accuracy"])
    assert both["final_test_accuracy_new_images_low"].notna().all()


def test_not_without_predictions(tmp_path: Path) -> None:
    results = train(tmp_path, predictions=False)
    assert not [column for column in results.leaderboard() if "new_images" in str(column)]
    assert "new images" not in closing_table(results)


def test_not_without_the_data(tmp_path: Path) -> None:
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for draw, path in zip(np.random.default_rng(0).spawn(2), paths):
        x, t = draw.standard_normal((60, 3)), np.arange(60) % 3
        np.savez(path, x_train=x[:40], t_train=t[:40], x_test=x[40:], t_test=t[40:])
    config = {
        "name": "moved",
        "train": {"iterations": 2, "batch_size": 5},
        "grid": {"data": [{"npz": str(path)} for path in paths]},
        "seeds": 2,
    }
    dlsweep.run(config, output=tmp_path, executor="inline", quiet=True)
    assert "on new images" in closing_table(dlsweep.open_results(tmp_path / "moved"))
    paths[1].unlink()
    table = closing_table(dlsweep.open_results(tmp_path / "moved"))
    assert "final_test_accuracy" in table
    assert "on new images" not in table
