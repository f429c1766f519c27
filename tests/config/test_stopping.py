"""Early stopping: settings of `train`, what they need, and what of them is part of a run."""

from __future__ import annotations

import pytest
from tests.support.configs import Load, Refused

from dlsweep.config import load
from dlsweep.config.runs import Stopping


def test_patience_is_a_factor_and_null_one_of_its_levels(sweep: Load) -> None:
    config = sweep(
        """
        data: {mnist: {validation: 100}}
        evaluate: {on: [validation, test]}
        seeds: 1
        grid: {train.patience: [null, 3, 10], train.monitor: [validation_loss, test_accuracy]}
        """
    )
    assert config.levels("train.patience") == ("null", "3", "10")
    assert config.levels("train.monitor") == ("-", "validation_loss", "test_accuracy")
    arms = {arm.name: arm.train.stopping for arm in config.arms()}
    assert arms["null, -"] is None
    assert arms["3, test_accuracy"] == Stopping(3, "test_accuracy", 0.0, True)
    assert len(arms) == 5
    assert config.folds() == [("null, test_accuracy", "null, -")]
    assert {"train.min_delta"} <= set(config.settings)


def test_what_stops_nothing_is_no_part_of_a_run(sweep: Load) -> None:
    """A sweep without patience has the runs that it had before there was any."""
    plain, off = sweep("seeds: 1"), sweep("{train: {patience: null}, seeds: 1}")
    assert [run.id for run in plain.runs()] == [run.id for run in off.runs()]
    patient = sweep("{train: {patience: 3, monitor: test_loss}, seeds: 1}")
    assert [run.id for run in patient.runs()] != [run.id for run in off.runs()]


@pytest.mark.parametrize(
    "text",
    [
        "{train: {patience: 3, monitor: batch_loss}}",
        "{train: {patience: null}, grid: {init: [he, zeros]}}",
        "{train: {min_delta: 0.1, monitor: test_loss}, grid: {train.patience: [null, 2]}}",
        "{train: {monitor: test_loss}, grid: [{train.patience: 4, train.restore_best: [true, false]}, {init: zeros}]}",
    ],
)
def test_a_resolved_config_stops_as_the_config_did(sweep: Load, text: str) -> None:
    config = sweep(text)
    again = load({key: value for key, value in config.resolved().items() if key != "fingerprints"})
    assert [run.id for run in again.runs()] == [run.id for run in config.runs()]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "train: {monitor: ▲test_loss}",
            "train.monitor has no effect without train.patience; give that too, or take it out",
        ),
        (
            "{train: {patience: null, min_delta: ▲0.1}, grid: {init: [he, zeros]}}",
            "train.min_delta has no effect without train.patience; give that too, or take it out",
        ),
        (
            "{train: {restore_best: ▲true}, grid: {train.patience: [null]}}",
            "train.restore_best has no effect without train.patience; give that too, or take it out",
        ),
        (
            "grid: [{train.patience: 3, train.monitor: test_loss}, {▲train.restore_best: [true, false]}]",
            "train.restore_best has no effect in a grid without train.patience; give that too",
        ),
        (
            "train: {patience: ▲3}",
            "train.monitor is validation_loss, the default, but evaluate.on has batch, test only; "
            "add validation, or monitor another split",
        ),
        (
            "grid: {train.patience: 3, train.monitor: [test_loss, ▲train_accuracy]}",
            "train.monitor is train_accuracy, but evaluate.on has batch, test only; "
            "add train, or monitor another split",
        ),
        (
            "{train: {patience: 3, monitor: validation_loss}, evaluate: {on: [▲validation]}}",
            "evaluate.on has validation, but mnist has no validation samples here; set aside some, "
            "such as data: {mnist: {validation: 5000}}",
        ),
        ("train: {patience: ▲0, monitor: test_loss}", "train.patience must be at least 1, got 0"),
        ("train: {patience: 1, min_delta: ▲-0.5, monitor: test_loss}", "train.min_delta must be at least 0, got -0.5"),
    ],
)
def test_early_stopping_that_cannot_be(refused: Refused, text: str, sentence: str) -> None:
    refused(text, sentence)


def test_an_excluded_arm_monitors_what_it_likes(sweep: Load) -> None:
    grid = "{train.patience: [null, 3], train.monitor: [test_loss, train_loss]}"
    config = sweep(f"{{grid: {grid}, exclude: [{{train.monitor: train_loss}}], seeds: 1}}")
    assert len(list(config.arms())) == 2


def test_the_command_line_turns_early_stopping_off(sweep: Load) -> None:
    text = "{train: {patience: 3, monitor: test_loss}}"
    assert [arm.train.stopping for arm in sweep(text, "train.patience=null").arms()] == [None]
    text = "{train: {monitor: test_loss}, grid: {train.patience: [2, 3]}}"
    assert [arm.train.stopping for arm in sweep(text, "grid.train.patience=null").arms()] == [None]
