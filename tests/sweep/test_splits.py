"""Sweeps whose seeds draw their own splits: training, predictions, and answers that count the overlap."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import dlsweep
from dlsweep.analysis.diff import diff
from dlsweep.analysis.null import null_check
from dlsweep.analysis.outlook import outlook
from dlsweep.config import load
from dlsweep.config.runs import Run
from dlsweep.datasets import data_of
from dlsweep.errors import ConfigError, UsageError
from dlsweep.storage.results import Results
from dlsweep.training.plan import plan, train

FOLDS = 4
CLAIMS = [
    {"a lower rate is worse": {"arm": {"optimizer.lr": 0.1}, "beats": {"optimizer.lr": 0.001}}},
    {"tanh is as good": {"arm": {"activation": "tanh"}, "equals": {"activation": "relu"}, "within": 0.5}},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 62 samples of three classes, which four folds do not divide evenly."""
    made = tmp_path_factory.mktemp("splits")
    rng = np.random.default_rng(0)
    t = rng.choice(3, 62, p=[0.5, 0.3, 0.2])
    x = rng.normal(size=(62, 4)) + 1.5 * (t[:, None] == np.arange(4))
    pd.DataFrame(x, columns=list("abcd")).assign(label=np.array(["cat", "cow", "dog"])[t]).to_csv(
        made / "mine.csv", index=False
    )
    return made


def config(folder: Path, data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "name": "own",
        "data": {"table": {"path": str(folder / "mine.csv"), "standardize": True, **data}},
        "model": {"mlp": {"hidden": [6]}},
        "train": {"iterations": 12, "batch_size": 8},
        "evaluate": {"every": 6, "on": ["train", "test"], "keep": "final"},
        "seeds": 2 * FOLDS,
        "grid": {"activation": ["relu", "tanh"], "optimizer.lr": [0.1, 0.001]},
        "claims": CLAIMS,
    } | changes


def run(made: dict[str, Any], output: Path, **options: Any) -> Results:
    return dlsweep.run(made, output=output, **{"executor": "inline", "quiet": True, **options})


@pytest.fixture(scope="module")
def folds(folder: Path) -> Results:
    return run(config(folder, {"folds": FOLDS}), folder / "folds")


@pytest.fixture(scope="module")
def splits(folder: Path) -> Results:
    return run(config(folder, {"test": 0.25, "split": "seed", "validation": 5, "train": 40}), folder / "split")


def of_seed(results: Results, seed: int) -> pd.DataFrame:
    return results.runs[results.runs["seed"] == seed]


@pytest.mark.parametrize("which", ["folds", "splits"])
def test_predictions_labels_and_networks_agree(which: str, request: pytest.FixtureRequest) -> None:
    """Predictions have the order of the data: they give each run's accuracy with the labels of its seed."""
    results: Results = request.getfixturevalue(which)
    rows = results.predictions.set_index("run_id")["predicted"]
    for seed in range(2 * FOLDS):
        labels = results.labels("test", seed=seed)
        for run_id, accuracy in of_seed(results, seed)[["run_id", "final_test_accuracy"]].itertuples(index=False):
            assert np.mean(rows[run_id] == labels) == accuracy
            model = results.load(run_id)
            np.testing.assert_array_equal(model.predict(model.data.arrays.x_test), rows[run_id])


def test_folds_differ_by_a_sample_and_pair_the_arms(folds: Results) -> None:
    sizes = folds.predictions.assign(n=folds.predictions["predicted"].map(len)).groupby("seed")["n"].unique()
    assert [one.tolist() for one in sizes] == 2 * [[16], [16], [15], [15]]
    assert folds.runs["overlap"].unique() == pytest.approx([1 / 3])
    assert folds.runs.groupby("seed")["final_train_accuracy"].count().tolist() == [4] * 8


def test_runs_do_not_know_their_company(folder: Path) -> None:
    """A run has the same bits alone, with others, and in worker processes."""
    for data in ({"folds": FOLDS}, {"test": 15, "split": "seed"}):
        made = load(config(folder, data, claims=[]))
        runs = [one for chunk in plan(made).chunks((), 1, 1 << 30) for one in chunk]
        together = {
            one.id: (result.curves, i, result.predictions[i])
            for chunk in plan(made).chunks((), 1, 1 << 30)
            for result in [train(chunk, data_of(chunk[0].arm))]
            for i, one in enumerate(chunk)
        }
        assert len(runs) == len(together) == 4 * 2 * FOLDS
        for one in runs[:: 2 * FOLDS - 1]:
            curves, row, predicted = together[one.id]
            alone = train([one], data_of(one.arm))
            for name in ("loss", "accuracy"):
                np.testing.assert_array_equal(alone.curves[name], curves[name][curves["run"] == row])
            np.testing.assert_array_equal(alone.predictions[0], predicted)


def test_workers_resuming_and_further_training(folder: Path, folds: Results) -> None:
    """Fewer seeds first, other workers, and a longer training all lead to the same numbers."""
    made = config(folder, {"folds": FOLDS})
    output = folder / "again"
    run({**made, "seeds": FOLDS}, output)
    again = run(made, output, executor="processes", jobs=2)
    columns = ["run_id", "seed", "final_test_loss", "final_train_loss", "best_test_accuracy"]
    pd.testing.assert_frame_equal(again.runs[columns], folds.runs[columns])
    longer = {**made, "train": {"iterations": 18, "batch_size": 8}}
    further, anew = run(longer, output), run(longer, folder / "anew")
    pd.testing.assert_frame_equal(further.runs[columns], anew.runs[columns])


def test_standardization_is_over_the_training_samples_of_the_seed(folder: Path) -> None:
    made = load(config(folder, {"test": 0.25, "split": "seed"}, claims=[]))
    one: Run = next(made.runs())
    drawn = data_of(one.arm).drawn(one.seeds).arrays
    seen = drawn.floats(drawn.x_train, np.dtype(np.float64))
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(seen.std(axis=0), 1, atol=1e-6)


def corrected(d: np.ndarray, overlap: float) -> tuple[float, float, float]:
    """The interval of Nadeau and Bengio and its p-value, by SciPy's t distribution."""
    error = np.sqrt(d.var(ddof=1) * (1 / len(d) + overlap))
    half = stats.t.ppf(0.975, len(d) - 1) * error
    return d.mean() - half, d.mean() + half, 2 * stats.t.sf(abs(d.mean()) / error, len(d) - 1)


def ends_of(board: pd.DataFrame) -> list[float]:
    """The interval of the first arm."""
    return [float(board[f"final_test_accuracy_{end}"].iloc[0]) for end in ("low", "high")]


def test_answers_count_the_overlap(folds: Results) -> None:
    by = {str(arm): own["final_test_accuracy"].to_numpy() for arm, own in folds.runs.groupby("arm", observed=True)}
    d = (by["relu, 0.1"] + by["tanh, 0.1"] - by["relu, 0.001"] - by["tanh, 0.001"]) / 2
    low, high, p = corrected(d, 1 / 3)
    first, second = folds.check()
    assert (*first.interval, first.p) == pytest.approx((low, high, p))
    assert first.overlap == pytest.approx(1 / 3)
    assert first.step.interval_new_images is None
    assert "on random splits of these samples" in first.sentence.lower()
    assert "corrected for overlap (Nadeau and Bengio 2003)" in first.sentence
    assert second.verdict == "supported"
    found = folds.compare({"optimizer.lr": 0.1}, {"optimizer.lr": 0.001})
    assert (*found.interval, found.p) == pytest.approx((low, high, p))
    assert found.interval_exact == found.interval
    assert found.interval_new_images is None
    board = folds.leaderboard()
    assert ends_of(board) == pytest.approx(np.clip(corrected(by[board["arm"].iloc[0]], 1 / 3)[:2], 0, 1))
    assert not any("new_images" in str(column) for column in board)
    summary = folds.summary(["final_test_accuracy"])
    assert summary["final_test_accuracy_low"].min() == pytest.approx(board["final_test_accuracy_low"].min())


def test_effects_have_no_p_values(folds: Results) -> None:
    found = folds.effects()
    assert found.table["p"].isna().all()
    assert any("Nadeau and Bengio 2003" in note for note in found.notes)


def test_a_diff_counts_the_overlap(folds: Results, splits: Results) -> None:
    found = next(one for one in diff(folds, splits).changes if one.metric == "final_test_accuracy")
    both = [one.runs[one.runs["arm"] == found.arm]["final_test_accuracy"].to_numpy() for one in (folds, splits)]
    assert found.interval == pytest.approx(corrected(both[1] - both[0], splits.overlap)[:2])


def test_what_needs_common_test_images_is_refused(folds: Results, folder: Path) -> None:
    for refused in (lambda: folds.labels(), lambda: folds.plot("churn"), lambda: folds.plot("hardest")):
        with pytest.raises(UsageError, match=r"different test images|needs images"):
            refused()
    with pytest.raises(UsageError, match="planned looks need independent seeds"):
        dlsweep.run_until_decided(config(folder, {"folds": FOLDS}), output=folder / "until", quiet=True)
    with pytest.raises(UsageError, match="--null tests sign-flip tests of independent seeds"):
        null_check(folds)
    assert folds.plot("confusion")[0].data["images"].sum() == pytest.approx(4 * 62 / FOLDS)


def test_a_split_is_a_source_of_chance(folder: Path) -> None:
    made = config(folder, {"test": 0.25, "split": "seed"}, seeds={"split": 4, "init": 3}, claims=[])
    results = run(made | {"grid": {"activation": ["relu"]}}, folder / "crossed")
    found = results.effects()
    assert found.table["source"].tolist() == ["init", "split", "init × split"]
    assert found.table["remaining"].isna().all()
    assert any("split into training and test samples; held" in note for note in found.notes)
    assert len({*zip(results.runs["seed_split"], results.runs["seed_init"])}) == 12
    one, other = (results.labels("test", seed={"split": s}) for s in (0, 1))
    assert len(one) == len(other)
    low, high = ends_of(results.leaderboard())
    assert high > low


def test_seeds_of_other_sources_share_the_split(folder: Path) -> None:
    made = config(folder, {"test": 0.25, "split": "seed"}, seeds={"init": 3}, claims=[])
    results = run(made | {"grid": {"activation": ["relu"]}}, folder / "held")
    assert results.overlap == 0
    assert len(results.labels("test")) == 16


MISTAKES = [
    ({"test": 0.2, "folds": 5}, {}, "has both test and folds; give one of them"),
    ({"folds": 1}, {}, "folds must be at least 2, got 1"),
    ({"split": "seeds"}, {}, "must be one of seed 0, seed, got 'seeds'; did you mean 'seed'?"),
    ({"folds": 5}, {"seeds": 8}, "folds: 5 needs whole rounds of 5 seeds, got 8 seeds: round 1"),
    ({"folds": 5}, {"seeds": [0, 1, 2, 3, 5]}, "round 0 (seeds 0 to 4) has 4 of its folds; write seeds: 5 or 10"),
    ({"folds": 5}, {"seeds": {"init": 5}}, "round 0 (seeds 0 to 4) has 1 of its folds"),
    ({"test": 0.2}, {"seeds": {"split": 5}}, "no arm draws a split: all seeds share one"),
    (
        {"folds": 4},
        {"evaluate": {"every": 6, "on": ["test"], "ensemble": True}},
        "evaluate.ensemble averages predictions for the same samples",
    ),
    (
        {"test": 0.2, "split": "seed", "validation": 5},
        {"tune": {"over": "optimizer.lr"}, "evaluate": {"every": 6, "on": ["validation", "test"]}},
        "tune needs test samples that no choice has seen",
    ),
]


@pytest.mark.parametrize(("data", "changes", "sentence"), MISTAKES)
def test_mistakes(folder: Path, data: dict[str, Any], changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(config(folder, data, claims=[], **changes))
    assert sentence in str(error.value)


def test_plain_own_data_is_resolved_as_before(folder: Path) -> None:
    """A config without the new settings has the normal form that results of earlier versions hold."""
    made = load(config(folder, {"test": 0.25}, claims=[]))
    settings = made.resolved()["data"]["table"]
    assert settings.keys() == {"path", "label", "train", "validation", "test", "standardize"}
    assert not any("folds" in key or "split" in key for key in made.resolved()["fingerprints"])
    drawn = load(config(folder, {"folds": FOLDS}, claims=[])).resolved()
    assert "test" not in drawn["data"]["table"]
    assert load({key: value for key, value in drawn.items() if key != "fingerprints"}).resolved() == drawn


def test_the_outlook_has_whole_rounds(folder: Path) -> None:
    few = outlook(load(config(folder, {"folds": FOLDS}, seeds=FOLDS)))
    assert {(one.fewest, one.detectable) for one in few} == {(8, None)}
    enough = outlook(load(config(folder, {"folds": FOLDS})))[0]
    assert asdict(enough)["detectable"] > 1
