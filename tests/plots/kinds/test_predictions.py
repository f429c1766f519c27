"""Plots of kept predictions: the same pictures as from kept weights, the hardest images, and churn."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support import commands
from tests.support.figures import chart, drawn, panels, said

import dlsweep
from dlsweep.analysis.predictions import churn, correctness
from dlsweep.errors import ConfigError, UsageError
from dlsweep.plots.figures import draw
from dlsweep.registry import Choice
from dlsweep.storage.results import Results

KINDS = ["churn", "confusion", "hardest", "misclassified"]
CONFIG: dict[str, Any] = {
    "name": "predicted",
    "data": {"mnist": {"train": 300, "test": 200}},
    "model": {"mlp": {"hidden": [10]}},
    "train": {"iterations": 20, "batch_size": 20},
    "evaluate": {"every": 10, "on": ["test"]},
    "seeds": 3,
    "grid": {"activation": ["relu", "tanh"], "optimizer": {"sgd": {"lr": [0.1, 1e38]}}},
}
RELU: dict[str, Any] = {"activation": "relu", "optimizer": "sgd lr=0.1"}


def run(output: Path, **evaluate: Any) -> Results:
    config = {**CONFIG, "evaluate": CONFIG["evaluate"] | evaluate}
    return dlsweep.run(config, output=output, executor="inline", quiet=True)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Runs without weights; with one of the two learning rates they diverge."""
    return run(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The same with weights and without predictions."""
    return run(tmp_path_factory.mktemp("weights"), keep="final", predictions=False)


@pytest.mark.parametrize("kind", ["churn", "confusion", "hardest"])
def test_the_same_figure_from_weights_and_from_predictions(results: Results, weights: Results, kind: str) -> None:
    one, other = (chart(source, kind) for source in (results, weights))
    assert one.data.equals(other.data)
    assert (one.caption, one.alt) == (other.caption, other.alt)


def test_confusion_shows_the_best_networks_if_they_are_kept(tmp_path: Path) -> None:
    best = run(tmp_path, keep="best")
    data = chart(best, "confusion", arm=RELU, seed=1).data
    model = best.load(arm=RELU, seed=1)
    x, t = model.data.arrays.x_test, model.data.arrays.t_test
    assert data[data["true"] == data["predicted"]]["images"].sum() == np.count_nonzero(model.predict(x) == t)


def test_misclassified_images_without_weights_are_in_the_order_of_the_data(results: Results, weights: Results) -> None:
    figure = drawn(results, "misclassified", arm=RELU, seed=1, count=5)
    rows = results.fitting(RELU, 1)
    own, t = results.predicted(rows["run_id"])[rows["run_id"].iloc[0]], results.labels()
    wrong = np.flatnonzero(own != t)
    assert len(wrong) == round(200 * (1 - rows["final_test_accuracy"].iloc[0]))
    assert said(figure, f"{len(wrong)} of 200 test images are wrong")
    assert said(figure, "the predicted class; the first 5 mistakes in the order of the data.")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [text for i in wrong[:5] for text in (str(t[i]), f"→ {own[i]}")]
    sure = chart(weights, "misclassified", arm=RELU, seed=1, count=1000).data
    data = chart(results, "misclassified", arm=RELU, seed=1, count=1000).data
    assert sorted(map(tuple, sure[["label", "predicted"]].values)) == sorted(
        map(tuple, data[["label", "predicted"]].values)
    )
    assert sure["probability"].notna().all()
    assert data["probability"].isna().all()


def test_the_hardest_images(results: Results) -> None:
    figure = drawn(results, "hardest", count=6)
    data = chart(results, "hardest", count=6).data
    runs = results.runs[results.runs["status"] == "done"]
    each = [correctness(results, own).mean(axis=0) for _, own in runs.groupby("arm", observed=True)]
    wrong = 1 - np.mean(each, axis=0)  # each arm counts the same
    np.testing.assert_allclose(data["wrong"], np.sort(wrong)[::-1][:6])
    np.testing.assert_allclose(data["wrong"], wrong[data["image"]])
    assert data["label"].tolist() == [str(k) for k in results.labels()[data["image"]]]
    assert (data["taken"] != data["label"]).all()
    assert len(panels(figure)[0].images) == 6
    always = np.count_nonzero(wrong > 1 - 1e-9)
    assert said(figure, f"wrong in all {len(runs)} runs of {len(each)} arms: {always} of 200 test images")
    assert said(figure, "6 of 12 diverged: not counted.")
    assert said(drawn(results, "hardest", arm={**RELU, "optimizer": "sgd lr=1e+38"}), "3 of 3 diverged: no predictions")
    assert said(drawn(results, "hardest", arm=RELU, seed=2), "seed 2")


def test_churn_of_every_arm(results: Results) -> None:
    figure, data = drawn(results, "churn"), chart(results, "churn").data
    assert data["arm"].tolist() == list(dict.fromkeys(results.runs["arm"]))
    lines = {line.get_label(): np.asarray(line.get_xdata(), float) for line in panels(figure)[0].lines}
    for _, row in data.iterrows():
        runs = results.runs[(results.runs["arm"] == row["arm"]) & (results.runs["status"] == "done")]
        assert row["seeds"] == len(runs)
        found = [*results.predicted(runs["run_id"]).values()]
        pairs = [np.mean(a != b) for a, b in combinations(found, 2)]
        if pairs:
            assert row["churn"] == pytest.approx(np.mean(pairs))
            assert row["error"] == pytest.approx(1 - runs["final_test_accuracy"].mean())
            np.testing.assert_allclose(lines[f"pairs: {row['arm']}"], pairs)
            np.testing.assert_allclose(lines[f"mean: {row['arm']}"], np.mean(pairs))
    assert data["churn"].isna().sum() == 2
    assert said(figure, "3 of 3 diverged")
    ordered = chart(results, "churn", order="value").data
    assert ordered["churn"].dropna().is_monotonic_increasing
    assert np.isnan(ordered["churn"].iloc[-1])


def test_churn_of_one_seed_compares_nothing(results: Results) -> None:
    shown = chart(results, "churn", seed=1)
    assert shown.caption == "No arm has predictions of two seeds, so there is nothing to compare."
    assert shown.data["churn"].isna().all()
    assert chart(results, "churn").caption.startswith("A dot: two of 3 seeds. ")


@pytest.mark.parametrize("kind", KINDS)
def test_without_predictions_a_sentence_says_what_to_change(tmp_path: Path, kind: str) -> None:
    config = {**CONFIG, "evaluate": {"on": ["batch", "test"], "predictions": False}, "seeds": 1}
    none = dlsweep.run(config, output=tmp_path, executor="inline", quiet=True)
    with pytest.raises(UsageError, match="has no predictions; they are kept by sweeps that evaluate test"):
        draw(none, [Choice(kind, {})])
    told = f"{kind} needs the predictions of test images; take out evaluate.predictions: false"
    with pytest.raises(ConfigError, match=told):
        dlsweep.load({**config, "plots": [kind]})
    with pytest.raises(ConfigError, match=f"{kind} needs the predictions of test images; add test to evaluate.on"):
        dlsweep.load({**config, "evaluate": {"on": ["train"]}, "plots": [kind]})
    assert dlsweep.load({**config, "evaluate": {"keep": "final", "predictions": False}, "seeds": 2, "plots": [kind]})


def test_the_command_draws_them_for_results_that_kept_no_weights(results: Results, tmp_path: Path) -> None:
    for kind, pages in {"hardest": 1, "churn": 1, "confusion": 1, "misclassified": 4}.items():
        done = commands.dlsweep("plot", results.folder, "-k", kind, "--output", tmp_path / kind, folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == pages


def test_churn_of_crossed_seeds_has_pairs_that_differ_in_one_source(tmp_path: Path) -> None:
    config = {**CONFIG, "grid": {"init": "he"}, "seeds": {"init": 2, "batches": 3}}
    results = dlsweep.run(config, output=tmp_path, executor="inline", quiet=True)
    predicted = results.predicted(results.runs["run_id"])
    by = {(row["seed_init"], row["seed_batches"]): predicted[row["run_id"]] for _, row in results.runs.iterrows()}
    same = [(p, q) for p in by for q in by if p < q and (p[0] == q[0]) != (p[1] == q[1])]
    assert len(same) == 9, "3 of different weights, 2 × 3 of different order"
    (row,) = chart(results, "churn").data.to_dict("records")
    assert row["churn"] == pytest.approx(np.mean([np.mean(by[p] != by[q]) for p, q in same]))
    assert churn(results)["churn"].tolist() == [row["churn"]]
    told = chart(results, "churn").caption
    assert "differ in one source of chance (initial weights or order of the minibatches)" in told
