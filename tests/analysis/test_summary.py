from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dlsweep.analysis.frames import summary
from dlsweep.analysis.statistics import interval


def runs(*rows: tuple[str, str, float]) -> pd.DataFrame:
    """Rows of (arm, status, final test accuracy)."""
    frame = pd.DataFrame(rows, columns=["arm", "status", "final_test_accuracy"])
    frame["activation"] = pd.Categorical(frame["arm"].str.split(", ").str[0])
    frame["final_test_loss"] = 1 - frame["final_test_accuracy"]
    frame["seed"] = frame.groupby("arm").cumcount()
    frame["classes"] = 10
    return frame


def test_mean_and_interval_of_each_arm_in_the_order_of_the_runs() -> None:
    values = {"relu, he": [0.8, 0.9, 0.85], "relu, normal": [0.1, 0.2, 0.1], "sigmoid, he": [0.5, 0.6]}
    table = summary(runs(*[(arm, "done", v) for arm in values for v in values[arm]]))
    assert table["arm"].tolist() == list(values)
    assert table["activation"].tolist() == ["relu", "relu", "sigmoid"]
    assert table["n"].tolist() == [3, 3, 2]
    np.testing.assert_allclose(table["final_test_accuracy"], [np.mean(v) for v in values.values()])
    ends = table[["final_test_accuracy_low", "final_test_accuracy_high"]].to_numpy()
    np.testing.assert_allclose(ends, np.clip([interval(v) for v in values.values()], 0, 1))


def test_a_diverged_run_counts_at_chance_and_is_reported() -> None:
    table = summary(runs(("a", "done", 0.9), ("a", "diverged", np.nan), ("a", "stopped", 0.8)))
    assert table[["n", "diverged", "failed"]].to_numpy().tolist() == [[3, 1, 0]]
    np.testing.assert_allclose(table["final_test_accuracy"], [(0.9 + 0.1 + 0.8) / 3])
    assert table["final_test_loss"].isna().all()


def test_without_the_number_of_classes_a_diverged_run_leaves_no_mean() -> None:
    frame = runs(("a", "done", 0.9), ("a", "diverged", np.nan)).drop(columns="classes")
    assert summary(frame)["final_test_accuracy"].isna().all()


def test_an_interval_of_an_accuracy_ends_at_0_and_1() -> None:
    table = summary(runs(("a", "done", 1.0), ("a", "done", 0.9), ("b", "done", 0.0), ("b", "done", 0.1)))
    assert table["final_test_accuracy_high"].tolist() == [1, pytest.approx(interval([0, 0.1])[1])]
    assert table["final_test_accuracy_low"].tolist() == [pytest.approx(interval([0.9, 1])[0]), 0]
    assert table["final_test_loss_low"].min() < 0


def test_failed_runs_are_counted_apart() -> None:
    table = summary(runs(("a", "done", 0.9), ("a", "failed", np.nan), ("b", "failed", np.nan)))
    assert table["n"].tolist() == [1, 0]
    assert table["failed"].tolist() == [1, 1]
    assert table["final_test_accuracy"].tolist() == [pytest.approx(0.9), pytest.approx(np.nan, nan_ok=True)]
    assert table["final_test_accuracy_low"].isna().all()


def test_only_the_metrics_that_were_asked_for() -> None:
    table = summary(runs(("a", "done", 0.9)), ["final_test_loss"])
    assert [c for c in table if str(c).startswith("final")] == [
        "final_test_loss",
        "final_test_loss_low",
        "final_test_loss_high",
    ]


def test_no_runs_no_rows() -> None:
    assert len(summary(runs(("a", "done", 0.9)).iloc[:0])) == 0


def test_a_column_of_words_that_arrow_reads() -> None:
    frame = runs(("a", "done", 0.9), ("b", "diverged", np.nan))
    for column in ("arm", "status"):
        frame[column] = frame[column].astype("category")
    assert summary(frame)["diverged"].tolist() == [0, 1]
