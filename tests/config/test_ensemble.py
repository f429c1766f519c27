"""`evaluate.ensemble`: what it needs."""

from __future__ import annotations

import pytest
from tests.support.configs import Load, Refused

from dlsweep.config import load


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "{evaluate: {on: [batch], ensemble: ▲true}}",
            "evaluate.ensemble needs a split that all seeds share, such as test; evaluate.on has batch only",
        ),
        (
            "{data: {mnist: {train: 300}}, evaluate: {on: [batch, train], ensemble: ▲true}}",
            "evaluate.ensemble needs a split that all seeds share, such as test; evaluate.on has batch, train only, "
            "and each seed trains on samples of its own",
        ),
        (
            "{evaluate: {ensemble: true}, grid: {train.patience: [null, ▲3]}, train: {monitor: test_loss}}",
            "train.patience does not go with evaluate.ensemble, whose members all train to the end; "
            "take one of them out",
        ),
        ("{evaluate: {ensemble: ▲yes}}", "evaluate.ensemble must be true or false, got 'yes'"),
    ],
)
def test_an_ensemble_that_cannot_be(refused: Refused, text: str, sentence: str) -> None:
    refused(text, sentence)


def test_all_of_train_is_shared(sweep: Load) -> None:
    config = sweep("{data: {mnist: {validation: 59700}}, evaluate: {on: [train], ensemble: true}, seeds: [4, 2]}")
    assert [arm.members for arm in config.arms()] == [(2, 4)]
    again = load({key: value for key, value in config.resolved().items() if key != "fingerprints"})
    assert [run.id for run in again.runs()] == [run.id for run in config.runs()]


def test_no_ensemble_is_no_part_of_a_run(sweep: Load) -> None:
    plain, off = sweep("seeds: 2"), sweep("{evaluate: {ensemble: false}, seeds: 2}")
    assert [run.id for run in plain.runs()] == [run.id for run in off.runs()]
