"""The grammar of metrics: every name of a sweep's metrics is read, and read again the same; others are refused."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.errors import UsageError
from dlsweep.metric_names import parse_metric
from dlsweep.metrics import COLUMNS, MEASURED
from dlsweep.tasks import CLASSIFICATION, DESCENT

NETWORKS: dict[str, Any] = {
    "splits": ("batch", "train", "test"),
    "factors": ("init", "optimizer", "optimizer.lr", "train.batch_size"),
    "task": CLASSIFICATION,
    "layers": True,
}
LANDSCAPES: dict[str, Any] = {"splits": ("train",), "factors": ("optimizer",), "task": DESCENT, "layers": False}

quantities = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "final_", "best_", "last_", "auc_", "mean_last_5_", "iterations_to_0.5_"]),
    st.sampled_from(["", "batch_", "train_", "test_"]),
    st.sampled_from(["accuracy", "loss", "objective"]),
)
rises = st.builds("rise_{}{}".format, st.sampled_from(["", "train_", "test_"]), st.sampled_from(["loss", "objective"]))
others = st.sampled_from(["gap_accuracy", "gap_loss", *COLUMNS, *(f"{name}@dense1" for name in MEASURED)])
simple = quantities | rises | others
spreads = st.builds("spread_over_{}_{}".format, st.sampled_from(NETWORKS["factors"]), simple)


@given(simple | spreads)
def test_a_whole_name_stands_for_the_same_metric(name: str) -> None:
    metric = parse_metric(name, **NETWORKS)
    assert parse_metric(metric.name, **NETWORKS) == metric
    low, high = metric.bounds
    assert low < high
    assert metric.words
    assert (metric.less_is_better is None) == ("@" in name and "spread" not in name)


@pytest.mark.parametrize(
    ("name", "whole", "less_is_better", "bounds", "words"),
    [
        ("test_accuracy", "final_test_accuracy", False, (0, 1), "final test accuracy"),
        ("loss", "final_test_loss", True, (-inf, inf), "final test loss"),
        ("best_batch_loss", "best_batch_loss", True, (-inf, inf), "best minibatch loss"),
        ("last_train_accuracy", "last_train_accuracy", False, (0, 1), "last train accuracy"),
        (
            "mean_last_5_test_accuracy",
            "mean_last_5_test_accuracy",
            False,
            (0, 1),
            "mean test accuracy of the last 5 evaluations",
        ),
        ("auc_test_accuracy", "auc_test_accuracy", False, (0, 1), "mean test accuracy over training"),
        (
            "iterations_to_9e-1_test_accuracy",
            "iterations_to_0.9_test_accuracy",
            True,
            (-inf, inf),
            "iterations to a test accuracy of 0.9",
        ),
        ("gap_accuracy", "gap_accuracy", True, (-inf, inf), "train-test gap in accuracy"),
        ("rise_train_loss", "rise_train_loss", True, (0, inf), "rise of train loss after its minimum"),
        ("objective", "final_test_objective", True, (-inf, inf), "final test objective"),
        (
            "spread_over_optimizer.lr_accuracy",
            "spread_over_optimizer.lr_final_test_accuracy",
            True,
            (0, 1),
            "spread of final test accuracy over optimizer.lr",
        ),
        ("dead@conv2", "dead@conv2", None, (0, 1), "share of dead units of conv2"),
        ("gradient_rms@dense1", "gradient_rms@dense1", None, (-inf, inf), "gradient rms of dense1"),
        ("seconds", "seconds", True, (-inf, inf), "seconds"),
    ],
)
def test_meanings(name: str, whole: str, less_is_better: bool | None, bounds: tuple[float, float], words: str) -> None:
    metric = parse_metric(name, **NETWORKS)
    assert (metric.name, metric.less_is_better, metric.bounds, metric.words) == (whole, less_is_better, bounds, words)


def test_descents_have_a_loss_a_distance_and_a_turning_angle() -> None:
    names = ["loss", "train_distance", "turning_angle", "iterations_to_0.01_loss", "spread_over_optimizer_loss"]
    found = [parse_metric(name, **LANDSCAPES) for name in names]
    assert [(one.kind, one.split, one.y) for one in found[:2]] == [("final", "train", y) for y in ("loss", "distance")]
    assert [metric.less_is_better for metric in found] == [True] * 5
    assert found[2].words == "mean turning angle"


def test_a_gap_is_between_train_and_the_split_furthest_from_it() -> None:
    assert parse_metric("gap_loss", **NETWORKS).split == "test"
    assert parse_metric("gap_loss", **{**NETWORKS, "splits": ("train", "validation")}).split == "validation"


@pytest.mark.parametrize("name", ["final_test_loss", "gap_accuracy", "dead@dense1", "spread_over_init_gap_accuracy"])
def test_some_metrics_can_be_taken_at_another_iteration(name: str) -> None:
    assert parse_metric(name, **NETWORKS).timed


@pytest.mark.parametrize("name", ["best_loss", "auc_loss", "iterations_to_1_loss", "rise_loss", "seconds"])
def test_others_are_of_the_whole_training(name: str) -> None:
    assert not parse_metric(name, **NETWORKS).timed


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("test_acuracy", "there is no metric 'test_acuracy'; did you mean 'test_accuracy'? (metrics: accuracy, loss, "),
        ("final", "there is no metric 'final'"),
        ("", "there is no metric ''"),
        ("mean_last_test_loss", "there is no metric 'mean_last_test_loss'; did you mean 'mean_last_5_test_loss'?"),
        ("best_0.5_test_loss", "there is no metric 'best_0.5_test_loss'"),
        ("mean_last_0_loss", "'mean_last_0_loss' takes the mean of a whole number of evaluations, at least 1, got 0"),
        ("iterations_to_90_accuracy", "'iterations_to_90_accuracy' asks for an accuracy above 0 and at most 1, got 90"),
        (
            "validation_loss",
            "the metric 'validation_loss' needs the validation split, which is not evaluated; add evaluate: {on: "
            "[batch, train, validation, test]}",
        ),
        ("rise_test_accuracy", "only a loss has a rise, so there is no metric 'rise_test_accuracy'; write rise_test_"),
        ("gap_objective", "there is no metric 'gap_objective'"),
        ("distance", "a network has no distance, so there is no metric 'distance'; it has accuracy and loss and obj"),
        (
            "spread_over_inti_test_accuracy",
            "'spread_over_inti_test_accuracy' names no factor of this sweep; did you mean 'init'? (choices: init, "
            "optimizer, optimizer.lr, train.batch_size); a spread is written spread_over_FACTOR_METRIC, such as "
            "spread_over_init_accuracy",
        ),
        ("spread_over_init", "'spread_over_init' names no factor of this sweep"),
        ("spread_over_init_spread_over_init_loss", "'spread_over_init_spread_over_init_loss' is a spread of a spread"),
        ("gradient_rmse@fc", "there is no metric 'gradient_rmse@fc'; did you mean 'gradient_rms@fc'? (MEASUREMENT@LA"),
        ("@", "there is no metric '@' (MEASUREMENT@LAYER"),
        ("ensemble_test_accuracy", "an ensemble has no seed, so it cannot be compared seed by seed"),
        ("turning_angle", "there is no metric 'turning_angle'"),
    ],
)
def test_others_are_refused(name: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_metric(name, **NETWORKS)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("accuracy", "a landscape has no accuracy, so there is no metric 'accuracy'; it has loss and distance"),
        ("test_loss", "there is no metric 'test_loss': a landscape has no test split; write loss"),
        ("objective", "a landscape has no objective"),
        ("gap_loss", "there is no metric 'gap_loss'"),
        ("gradient_rms@dense1", "the metric 'gradient_rms@dense1' needs measurements of layers; add evaluate: {layers"),
        ("turning_angel", "there is no metric 'turning_angel'; did you mean 'turning_angle'?"),
    ],
)
def test_descents_have_no_others(name: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_metric(name, **LANDSCAPES)
    assert str(caught.value).startswith(sentence)


def test_a_gap_needs_train_and_a_split_that_is_held_out() -> None:
    with pytest.raises(UsageError, match="needs the train split, which is not evaluated"):
        parse_metric("gap_loss", **{**NETWORKS, "splits": ("batch", "test")})
    with pytest.raises(UsageError, match="needs the test split, which is not evaluated"):
        parse_metric("gap_loss", **{**NETWORKS, "splits": ("batch", "train")})


@given(st.text(max_size=40))
def test_any_other_text_is_refused_with_a_sentence(name: str) -> None:
    with suppress(UsageError):
        metric = parse_metric(name, **NETWORKS)
        assert parse_metric(metric.name, **NETWORKS) == metric
