"""Kept weights: written by the worker before the run counts, whole or not at all, and the network that they make."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.support import commands
from tests.support.sweeps import Bits, Make

import dlsweep
from dlsweep.errors import ConfigError, ResultsDamaged, UsageError
from dlsweep.storage.results import Results

EVALUATE = {"every": 2, "on": ["batch", "test"], "keep": "final"}
MANY = {
    "init": ["he", "lsuv"],
    "normalization": ["none", "batch"],
    "activation": ["relu", "prelu"],
    "regularizer": ["none", {"dropconnect": {"ratio": 0.3, "inference": "gaussian"}}, "dropout"],
}


def run(config: dict[str, Any], output: Path, **options: Any) -> Results:
    return dlsweep.run(config, output=output, **{"executor": "inline", **options})


def files(results: Results) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (results.folder / "weights").iterdir()}


def accuracy(results: Results, run: str, iteration: float, split: str = "test") -> float:
    curve = results.curves[(results.curves["run_id"] == run) & (results.curves["split"] == split)]
    return float(curve.set_index("iteration")["accuracy"][iteration])


def test_the_command_writes_a_plain_file_per_run(make: Make, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(make(grid={"normalization": "batch"})), encoding="utf-8")
    done = commands.dlsweep("run", "tiny.yaml", "evaluate.keep=final", "-q", "-j", "2", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    results = dlsweep.open_results(tmp_path / "results/tiny")
    assert set(files(results)) == set(results.runs["run_id"])
    assert (results.runs["kept_iteration"] == 6).all()
    with np.load(results.folder / "weights" / f"{results.runs['run_id'][0]}.npz", allow_pickle=False) as kept:
        normalized = ["scale", "shift", "mean", "variance"]
        assert list(kept) == [
            "dense1/W",
            "dense1/b",
            *(f"normalization1/{k}" for k in normalized),
            "dense2/W",
            "dense2/b",
        ]
        assert kept["dense1/W"].shape == (4, 6)
        assert {kept[k].dtype for k in kept} == {np.dtype(np.float32)}
        assert (kept["normalization1/variance"] != 1).all()  # what is not trained is there as it was at the end


def test_without_them_there_is_no_folder_and_all_else_is_the_same(make: Make, tmp_path: Path) -> None:
    plain, kept = run(make(), tmp_path / "plain"), run(make(evaluate=EVALUATE), tmp_path / "kept")
    assert not (plain.folder / "weights").exists()
    assert "keep" not in plain.config["evaluate"]
    curves = [results.curves.drop(columns="run_id") for results in (plain, kept)]
    assert curves[0].equals(curves[1])
    with pytest.raises(UsageError, match=r"tiny has no weights; train with evaluate\.keep: final, or best"):
        plain.load(arm={"activation": "relu", "init": "he"})
    assert not set(plain.runs["run_id"]) & set(kept.runs["run_id"])  # they must train again to have them
    with pytest.raises(UsageError, match=r"evaluate\.keep: new, final"):
        run(make(evaluate=EVALUATE), tmp_path / "plain")
    with pytest.raises(UsageError, match=r"evaluate\.keep: gone"):
        run(make(), tmp_path / "kept")
    assert not files(run(make(evaluate=EVALUATE), tmp_path / "kept")).keys() - set(kept.runs["run_id"])
    run(make(), tmp_path / "kept", force=True)
    assert not list((tmp_path / "kept/tiny/weights").iterdir())


@pytest.mark.parametrize("keep", ["final", "best"])
def test_a_loaded_network_has_the_recorded_accuracy(make: Make, tmp_path: Path, keep: str) -> None:
    evaluate = {"every": 2, "on": ["test"], "keep": keep}
    train = {"iterations": 20, "batch_size": 5}
    results = run(make(grid=MANY, evaluate=evaluate, train=train, seeds=2), tmp_path)
    for _, row in results.runs.iterrows():
        model = results.load(row["run_id"])
        x, t = model.data.arrays.x_test, model.data.arrays.t_test
        assert model.iteration == row["kept_iteration"]
        assert (model.predict(x) == t).mean() == row[f"{keep}_test_accuracy"]
        start = results.load(row["run_id"], at="start")
        assert start.iteration == 0
        assert (start.predict(x) == t).mean() == accuracy(results, row["run_id"], 0)
    if keep == "best":
        assert results.runs["kept_iteration"].nunique() > 1
        first = [
            results.curves[(results.curves["run_id"] == r)]["accuracy"].argmax() * 2 for r in results.runs["run_id"]
        ]
        assert results.runs["kept_iteration"].tolist() == first  # of equals the first


def test_best_is_by_validation_where_there_is_one(make: Make, tmp_path: Path, data: Path) -> None:
    config = make(data={"npz": {"path": str(data), "validation": 20}}, train={"iterations": 40, "batch_size": 5})
    results = run({**config, "evaluate": {"every": 2, "on": ["validation", "test"], "keep": "best"}}, tmp_path)
    for _, row in results.runs.iterrows():
        model = results.load(row["run_id"])
        arrays = model.data.arrays
        assert (model.predict(arrays.x_validation) == arrays.t_validation).mean() == row["best_validation_accuracy"]


@pytest.mark.parametrize("restore", [True, False])
@pytest.mark.parametrize("keep", ["final", "best"])
def test_early_stopping_says_which_evaluation_counts(make: Make, tmp_path: Path, keep: str, restore: bool) -> None:
    train = {"iterations": 300, "batch_size": 5, "monitor": "test_loss", "patience": 2, "restore_best": restore}
    config = make(train=train, evaluate={"every": 10, "on": ["test"], "keep": keep})
    results = run({**config, "grid": {**config["grid"], "optimizer": {"sgd": {"lr": 0.5}}}}, tmp_path)
    runs = results.runs
    assert (runs["status"] == "stopped").all()
    ends = runs["iterations"] if keep == "final" and not restore else runs["iterations"] - 20
    assert runs["kept_iteration"].tolist() == ends.tolist()
    for _, row in runs.iterrows():
        model = results.load(row["run_id"])
        x, t = model.data.arrays.x_test, model.data.arrays.t_test
        assert (model.predict(x) == t).mean() == accuracy(results, row["run_id"], row["kept_iteration"])
        if keep == "final":
            assert (model.predict(x) == t).mean() == row["final_test_accuracy"]


def test_what_a_diverged_run_keeps(make: Make, tmp_path: Path) -> None:
    """Its best weights, if that is asked, since the curve to there is kept as well; no final ones."""
    grid = {"optimizer": {"sgd": {"lr": [0.1, 1e30]}}}
    final = run(make(grid=grid, evaluate=EVALUATE), tmp_path / "final")
    diverged = final.runs[final.runs["status"] == "diverged"]
    assert len(diverged) == 12  # those with ReLU overflow, those with tanh have a finite loss far above chance
    assert diverged["kept_iteration"].isna().all()
    assert set(files(final)) == set(final.runs["run_id"]) - set(diverged["run_id"])
    with pytest.raises(UsageError, match=r"lr=1e\+30, seed 0\) has diverged: no weights"):
        final.load(diverged["run_id"].iloc[0])
    assert final.load(diverged["run_id"].iloc[0], at="start").iteration == 0
    best = run(make(grid=grid, evaluate=EVALUATE | {"keep": "best"}), tmp_path / "best")
    assert (best.runs.loc[best.runs["status"] == "diverged", "kept_iteration"] == 0).all()
    assert set(files(best)) == set(best.runs["run_id"])


def test_the_same_bits_in_small_chunks_and_in_workers(make: Make, tmp_path: Path, bits: Bits) -> None:
    config = make(evaluate=EVALUATE | {"keep": "best"}, grid={"optimizer": {"sgd": {"lr": [0.1, 1e30]}}})
    whole = run(config, tmp_path / "whole")
    ways: dict[str, dict[str, Any]] = {"small": {"max_memory": 1}, "workers": {"executor": "processes", "jobs": 2}}
    for name, options in ways.items():
        other = run(config, tmp_path / name, **options)
        assert files(other) == files(whole)
        assert bits(other) == bits(whole)


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "another's"])
def test_damaged_weights_are_never_read_and_their_runs_train_again(make: Make, tmp_path: Path, damage: str) -> None:
    config = make(evaluate=EVALUATE)
    first = run(config, tmp_path)
    whole = files(first)
    one, other = list(whole)[:2]
    path = first.folder / "weights" / f"{one}.npz"
    content = bytearray(whole[one])
    content[300] ^= 1
    path.write_bytes({"flipped": bytes(content), "cut": whole[one][:-1]}.get(damage, whole[other]))
    if damage == "gone":
        path.unlink()
    with pytest.raises(ResultsDamaged, match="sets it aside and trains its run again"):
        dlsweep.open_results(first.folder).load(one)
    assert (
        "to train" in str(dlsweep.dry_run(config, output=tmp_path))
        or dlsweep.dry_run(config, output=tmp_path).done < 12
    )
    assert files(run(config, tmp_path)) == whole


def test_a_pickle_is_never_opened(make: Make, tmp_path: Path) -> None:
    results = run(make(evaluate=EVALUATE), tmp_path)
    row = results.runs.iloc[0]
    path = results.folder / "weights" / f"{row['run_id']}.npz"
    np.savez(path, W=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ResultsDamaged):
        dlsweep.open_results(results.folder).load(row["run_id"])


def test_a_foreign_file_among_the_weights_is_refused(make: Make, tmp_path: Path) -> None:
    results = run(make(evaluate=EVALUATE), tmp_path)
    (results.folder / "weights" / "notes.txt").write_text("mine")
    with pytest.raises(ResultsDamaged, match=r"notes\.txt is not a part of this sweep's results"):
        run(make(evaluate=EVALUATE), tmp_path)
    assert (results.folder / "weights" / "notes.txt").exists()


def test_a_landscape_has_no_weights(tmp_path: Path) -> None:
    config = {"name": "valley", "model": "narrow_valley", "evaluate": {"keep": "final"}}
    with pytest.raises(ConfigError, match=r"evaluate\.keep has no effect on a landscape; take it out"):
        dlsweep.load(config)


@pytest.mark.parametrize("further", [{}, {"layers": True}])
def test_the_dry_run_counts_the_weights_and_the_state(make: Make, tmp_path: Path, further: dict[str, Any]) -> None:
    config = make(model={"mlp": {"hidden": [200, 200]}}, evaluate=EVALUATE | further, grid={"optimizer": ["adam"]})
    forecast = dlsweep.dry_run(config, output=tmp_path, executor="inline")
    results = run(config, tmp_path)
    written = sum(p.stat().st_size for p in results.folder.rglob("*") if p.suffix in (".parquet", ".npz"))
    assert written / 1.2 < forecast.disk < written * 1.2


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Results:
    config: dict[str, Any] = {
        "name": "asked",
        "data": {"npz": {"path": str(data)}},
        "model": {"mlp": {"hidden": [4]}},
        "train": {"iterations": 6, "batch_size": 5},
        "evaluate": EVALUATE,
        "seeds": [3, 4],
        "grid": {
            "activation": ["relu", "tanh"],
            "optimizer": {"sgd": {"lr": [0.1, 0.2]}},
            "normalization": ["none", "batch"],
        },
    }
    return run(config, tmp_path_factory.mktemp("asked"))


def test_a_run_is_found_by_its_levels_and_its_seed(results: Results) -> None:
    arm = {"activation": "relu", "optimizer": "sgd lr=0.1", "normalization": "batch"}
    model = results.load(arm=arm, seed=4)
    assert (model.run.arm.activation.name, model.run.seed) == ("relu", 4)
    assert model.run.arm.optimizer.settings["lr"] == 0.1
    assert results.load(arm=arm).run.seed == 3
    assert repr(model) == "Model('relu, sgd lr=0.1, batch', seed 4, iteration 6)"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"run": "0123456789abcdef"}, "there is no run '0123456789abcdef' in"),
        ({"arm": {"activation": "relu", "optimizer": "sgd"}}, "4 arms fit; give arm the level of optimizer, normal"),
        ({"arm": {"activaton": "relu"}}, "there is no factor 'activaton' in .*; did you mean 'activation'"),
        ({"arm": {"activation": "rely"}}, "activation has no level 'rely' in .*; did you mean 'relu'"),
        ({"arm": {"activation": "relu"}, "seed": 0}, r"there is no seed 0 in .* \(choices: 3, 4\)"),
        ({"run": "0123456789abcdef", "seed": 1}, "takes the id of a run, or an arm and a seed"),
    ],
)
def test_what_fits_no_run_is_told(results: Results, asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        results.load(**asked)


def test_what_a_model_answers(results: Results) -> None:
    model = results.load(arm={"activation": "tanh", "optimizer": "sgd lr=0.1", "normalization": "batch"})
    x = model.data.arrays.x_test
    assert model.layers == ("dense1", "normalization1", "activation1", "dense2")
    outputs = model.outputs(x)
    assert {name: y.shape for name, y in outputs.items()} == dict.fromkeys(model.layers[:-1], (30, 4)) | {
        "dense2": (30, 3)
    }
    p = model.parameters
    y = x @ p["dense1/W"].T + p["dense1/b"].T
    np.testing.assert_allclose(outputs["dense1"], y, atol=1e-5)
    std = np.sqrt(p["normalization1/variance"] + 1e-5)
    y = np.tanh((y - p["normalization1/mean"].T) / std.T * p["normalization1/scale"].T + p["normalization1/shift"].T)
    np.testing.assert_allclose(outputs["activation1"], y, atol=1e-5)
    z = y @ p["dense2/W"].T + p["dense2/b"].T
    np.testing.assert_allclose(model.logits(x), z, atol=1e-5)
    e = np.exp(z)
    np.testing.assert_allclose(model.probabilities(x), e / e.sum(axis=1, keepdims=True), atol=1e-5)
    assert model.predict(x).tolist() == z.argmax(axis=1).tolist()
    assert model.predict(x[3:4].astype(np.float64)).shape == (1,)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (np.zeros((2, 5)), r"samples must be \(N, 6\), one or more of them, got an array of the shape \(2, 5\)"),
        (np.zeros((0, 6)), r"got an array of the shape \(0, 6\)"),
        (np.zeros(6), r"got an array of the shape \(6,\)"),
        (np.zeros((2, 6), int), "samples must be uint8 or floating point, got int64"),
    ],
)
def test_samples_of_another_shape_are_refused(results: Results, x: np.ndarray, sentence: str) -> None:
    model = results.load(arm={"activation": "tanh", "optimizer": "sgd lr=0.1", "normalization": "batch"})
    with pytest.raises(UsageError, match=sentence):
        model.logits(x)


def test_parameters_are_changed_in_a_copy_of_the_model_only(results: Results) -> None:
    model = results.load(arm={"activation": "relu", "optimizer": "sgd lr=0.1", "normalization": "none"})
    x = model.data.arrays.x_test
    before = model.logits(x)
    with pytest.raises(ValueError, match="read-only"):
        model.parameters["dense1/W"][...] *= 2
    moved = model.parameters["dense2/b"] + 1
    other = model.with_parameters({"dense2/b": moved})
    np.testing.assert_allclose(other.logits(x), before + 1, atol=1e-5)
    moved[...] = 7
    assert (other.parameters["dense2/b"] != 7).all()
    np.testing.assert_array_equal(model.logits(x), before)
    with pytest.raises(UsageError, match=r"'dense2/w' is not a parameter of this network; it has dense1/W, "):
        model.with_parameters({"dense2/w": moved})
    with pytest.raises(UsageError, match=r"dense2/b must have the shape \(3, 1\), got \(3,\)"):
        model.with_parameters({"dense2/b": moved[:, 0]})
    for strange in (moved.astype(complex), moved.astype(str), moved.astype(object)):
        with pytest.raises(UsageError, match=f"dense2/b must hold real numbers, got {strange.dtype}"):
            model.with_parameters({"dense2/b": strange})
    for number in (np.nan, np.inf, 1e39):
        with pytest.raises(UsageError, match="dense2/b has 1 value beyond float32"):
            model.with_parameters({"dense2/b": np.where(np.arange(moved.size).reshape(moved.shape) == 1, number, 0.0)})


@pytest.mark.parametrize("standardize", [False, True])
def test_images_as_bytes_and_from_0_to_1(tmp_path: Path, standardize: bool) -> None:
    config = {
        "name": "images",
        "data": {"mnist": {"train": 100, "test": 700, "standardize": standardize}},
        "model": {"mlp": {"hidden": [5]}},
        "train": {"iterations": 3},
        "evaluate": {"keep": "final"},
        "seeds": 1,
    }
    results = run(config, tmp_path)
    model = results.load()
    x, t = model.data.arrays.x_test, model.data.arrays.t_test
    pixels = x * np.float32(1 / 255)
    np.testing.assert_allclose(model.logits(pixels), model.logits(x), atol=1e-5)
    assert model.logits(pixels).tobytes() == model.logits(pixels.reshape(700, -1)).tobytes()
    assert (model.predict(x) == t).mean() == results.runs["final_test_accuracy"][0]
    np.testing.assert_allclose(model.outputs(x[:3])["dense2"], model.logits(x)[:3], atol=1e-5)


def test_data_that_has_changed_is_told(make: Make, tmp_path: Path, data: Path) -> None:
    mine = tmp_path / "mine.npz"
    mine.write_bytes(data.read_bytes())
    results = run(make(data={"npz": {"path": str(mine)}}, evaluate=EVALUATE), tmp_path)
    with np.load(mine) as arrays:
        changed = dict(arrays)
    changed["x_test"][0, 0] += 1
    np.savez(mine, **changed)
    with pytest.raises(UsageError, match="has changed since its runs were trained"):
        dlsweep.open_results(results.folder).load(results.runs["run_id"][0])


def test_a_file_of_weights_is_a_zip_without_times(make: Make, tmp_path: Path) -> None:
    """Else the same weights would not be the same bytes, and a resumed sweep not the same files."""
    results = run(make(evaluate=EVALUATE), tmp_path)
    for path in (results.folder / "weights").iterdir():
        with zipfile.ZipFile(path) as archive:
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
