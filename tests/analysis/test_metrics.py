"""The value of a metric for each run, by hand on made-up curves in files of dlsweep's own writers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import stores

import dlsweep
from dlsweep.analysis.metrics import metric_of, metric_values
from dlsweep.config.runs import Run
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.training.result import TrainingResult

AT = [0, 10, 20, 40]
NAN = np.nan
ACCURACY = {  # of the runs, seed by seed: the second stops after 20 and goes back to 10, the third diverges after 10
    "he": [[0.1, 0.5, 0.7, 0.9], [0.2, 0.8, 0.6, NAN], [0.3, 0.9, NAN, NAN]],
    "xavier": [[0.1, 0.2, 0.3, 0.2], [0.1, 0.1, 0.4, 0.4], [0.2, 0.2, 0.5, 0.6]],
}
STATUS = {"he": ["done", "stopped", "diverged"], "xavier": ["done"] * 3}
FINAL = {"he": [40, 10, 10], "xavier": [40] * 3}


def made_up(runs: Sequence[Run]) -> TrainingResult:
    """Curves of one arm: test accuracy as above, train accuracy 0.05 higher, loss 1 - accuracy, penalty 0.25."""
    arm = runs[0].arm.levels["init"]
    test = np.array(ACCURACY[arm])

    def columns(accuracy: np.ndarray) -> dict[str, np.ndarray]:
        return {"accuracy": accuracy, "loss": 1 - accuracy, "penalty": np.full(accuracy.shape, 0.25)}

    return stores.result(AT, {"train": columns(test + 0.05), "test": columns(test)}, STATUS[arm], FINAL[arm])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    config = {
        "name": "by-hand",
        "data": {"mnist": {"train": 300, "test": 200}},
        "train": {"iterations": 40},
        "evaluate": {"every": 10, "on": ["train", "test"]},
        "grid": {"init": ["he", "xavier"]},
        "seeds": 3,
    }
    return stores.write(tmp_path_factory.mktemp("results"), config, made_up, chunk=3)


def values(results: Results, name: str, at: int | None = None) -> list[float]:
    return metric_values(results, metric_of(results, name), at)["value"].round(12).tolist()


CASES: list[tuple[str, list[float]]] = [
    ("test_accuracy", [0.9, 0.8, 0.1, 0.2, 0.4, 0.6]),  # the restored network of the second, chance of the third
    ("test_loss", [0.1, 0.2, np.inf, 0.8, 0.6, 0.4]),
    ("test_objective", [0.35, 0.45, np.inf, 1.05, 0.85, 0.65]),
    ("best_test_accuracy", [0.9, 0.8, 0.1, 0.3, 0.4, 0.6]),
    ("best_test_loss", [0.1, 0.2, np.inf, 0.7, 0.6, 0.4]),
    ("last_test_accuracy", [0.9, 0.6, 0.1, 0.2, 0.4, 0.6]),
    ("mean_last_2_test_accuracy", [0.8, 0.7, 0.1, 0.25, 0.4, 0.55]),
    ("mean_last_4_test_accuracy", [0.55, NAN, 0.1, 0.2, 0.25, 0.375]),
    # (0.1 + 0.5) / 2 · 10 + (0.5 + 0.7) / 2 · 10 + (0.7 + 0.9) / 2 · 20 = 25, of a length of 40
    ("auc_test_accuracy", [25 / 40, 12 / 20, 0.1, 9 / 40, 11.5 / 40, 16.5 / 40]),
    ("iterations_to_0.5_test_accuracy", [10, 10, np.inf, np.inf, np.inf, 20]),
    ("iterations_to_0.5_test_loss", [10, 10, np.inf, np.inf, np.inf, 20]),
    ("gap_accuracy", [0.05, 0.05, NAN, 0.05, 0.05, 0.05]),
    ("gap_loss", [0.05, 0.05, NAN, 0.05, 0.05, 0.05]),
    ("rise_test_loss", [0, 0, NAN, 0.1, 0, 0]),
    ("iterations", [40, 20, np.inf, 40, 40, 40]),  # a run that diverged early is not the quickest
    ("seconds", [0.5, 0.5, np.inf, 0.5, 0.5, 0.5]),
]


@pytest.mark.parametrize(("name", "expected"), CASES)
def test_values_by_hand(results: Results, name: str, expected: list[float]) -> None:
    np.testing.assert_allclose(values(results, name), expected, atol=1e-12)


def test_the_iteration_of_the_best_value(results: Results) -> None:
    found = metric_values(results, metric_of(results, "best_test_accuracy"))
    np.testing.assert_array_equal(found["iteration"], [40, 10, NAN, 20, 20, 40])


def test_at_another_iteration_a_stopped_run_has_its_restored_network(results: Results) -> None:
    np.testing.assert_allclose(values(results, "test_accuracy", 10), [0.5, 0.8, 0.1, 0.2, 0.1, 0.2])
    np.testing.assert_allclose(values(results, "test_accuracy", 20), [0.7, 0.8, 0.1, 0.3, 0.4, 0.5])
    np.testing.assert_allclose(values(results, "test_accuracy", 40), values(results, "test_accuracy"))
    np.testing.assert_allclose(values(results, "gap_loss", 20), [0.05, 0.05, NAN, 0.05, 0.05, 0.05])
    with pytest.raises(UsageError, match="iteration 28 was not evaluated; the nearest are 20 and 40"):
        values(results, "test_accuracy", 28)
    with pytest.raises(UsageError, match="auc_test_accuracy cannot be taken at another iteration"):
        values(results, "auc_test_accuracy", 20)


def test_a_run_to_the_end_may_have_its_network_from_before_it(tmp_path: Path) -> None:
    """With patience, the best network is kept even if training does not stop early."""
    loss = np.array([[0.9, 0.7, 0.2, 0.4]])
    test = {"accuracy": 1 - loss, "loss": loss, "penalty": np.full(loss.shape, 0.25)}
    config = {
        "name": "kept",
        "data": {"mnist": {"train": 300, "test": 200}},
        "train": {"iterations": 40},
        "evaluate": {"every": 10, "on": ["test"]},
        "seeds": 1,
    }
    kept = stores.write(tmp_path, config, lambda runs: stores.result(AT, {"test": test}, ["done"], [20]))
    assert [values(kept, name) for name in ("test_loss", "test_objective")] == [[0.2], [0.45]]


def test_the_reason_why_there_is_no_value(results: Results) -> None:
    def reasons(name: str) -> list[str]:
        found = metric_values(results, metric_of(results, name))
        assert (found["value"].isna() == (found["reason"] != "")).all()
        return found["reason"].tolist()

    assert reasons("test_accuracy") == [""] * 6
    assert reasons("mean_last_4_test_accuracy") == ["", "fewer than 4 evaluations", "", "", "", ""]
    assert reasons("rise_test_loss") == ["", "", "diverged", "", "", ""]


def test_a_spread_has_a_row_for_each_seed(results: Results) -> None:
    found = metric_values(results, metric_of(results, "spread_over_init_test_accuracy"))
    np.testing.assert_allclose(found["value"], [0.7, 0.4, NAN])
    assert found["reason"].tolist() == ["", "", "diverged"]
    assert found["seed"].tolist() == [0, 1, 2]
    assert found["arm"].tolist() == ["all"] * 3
    assert "init" not in found


def test_a_spread_is_over_the_arms_that_have_the_factor(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "name": "alphas",
        "data": {"mnist": {"train": 300, "test": 200}},
        "train": {"iterations": 4, "batch_size": 10},
        "grid": {"optimizer": ["sgd", "momentum"], "optimizer.alpha": [0.1, 0.9]},
        "seeds": 2,
    }
    results = dlsweep.run(config, output=tmp_path, executor="inline", quiet=True)
    found = metric_values(results, metric_of(results, "spread_over_optimizer.alpha_test_loss"))
    assert found["optimizer"].tolist() == ["momentum"] * 2
    losses = results.runs.pivot(index="seed", columns="arm", values="final_test_loss")
    np.testing.assert_allclose(found["value"], abs(losses["momentum, 0.1"] - losses["momentum, 0.9"]))


def test_a_spread_needs_every_level(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "name": "some",
        "data": {"mnist": {"train": 300, "test": 200}},
        "train": {"iterations": 4, "batch_size": 10},
        "grid": {"init": ["he", "xavier"], "activation": ["relu", "tanh"]},
        "exclude": [{"init": "he", "activation": "tanh"}],
        "seeds": 2,
    }
    results = dlsweep.run(config, output=tmp_path, executor="inline", quiet=True)
    found = metric_values(results, metric_of(results, "spread_over_init_test_accuracy"))
    assert found["arm"].tolist() == ["relu", "relu", "tanh", "tanh"]
    assert found["reason"].tolist() == ["", "", "without he", "without he"]
    relu = results.runs[results.runs["activation"] == "relu"]
    by_init = [relu.loc[relu["init"] == init, "final_test_accuracy"].to_numpy() for init in ("he", "xavier")]
    expected = abs(by_init[0] - by_init[1])
    np.testing.assert_allclose(found["value"], [*expected, NAN, NAN])


def test_measurements_of_layers_and_of_descents(tmp_path: Path) -> None:
    network: dict[str, Any] = {
        "name": "network",
        "data": {"mnist": {"train": 300, "test": 200}},
        "train": {"iterations": 4, "batch_size": 10},
        "evaluate": {"every": 2, "layers": True},
        "seeds": 2,
    }
    results = dlsweep.run(network, output=tmp_path, executor="inline", quiet=True)
    name = str(results.layers["layer"].iloc[0])
    rows = results.layers[results.layers["layer"] == name]
    measured = {t: rows.loc[rows["iteration"] == t, "gradient_rms"].round(12).tolist() for t in (2, 4)}
    assert values(results, f"gradient_rms@{name}") == measured[4]
    assert values(results, f"gradient_rms@{name}", 2) == measured[2]
    with pytest.raises(UsageError, match=f"there is no layer 'densel1'; did you mean '{name}'"):
        values(results, "gradient_rms@densel1")
    valley = {"name": "valley", "model": "narrow_valley", "train": {"iterations": 5}, "evaluate": {"every": 1}}
    results = dlsweep.run(valley, output=tmp_path, executor="inline", quiet=True)
    points = results.curves[["x", "y"]].to_numpy()
    steps = np.diff(points, axis=0)
    cosine = (steps[1:] * steps[:-1]).sum(1) / np.linalg.norm(steps[1:], axis=1) / np.linalg.norm(steps[:-1], axis=1)
    np.testing.assert_allclose(values(results, "turning_angle"), [np.degrees(np.arccos(cosine)).mean()])
