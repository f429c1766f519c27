"""Crossed sources of chance: what a config can say, what it is refused for, and which runs it makes."""

from __future__ import annotations

from itertools import product

import pytest
from tests.support.configs import Load, Refused

from dlsweep.config import load
from dlsweep.config.runs import Run
from dlsweep.randomness import SOURCES, Seeds, stream

SMALL = "{data: {mnist: {train: 300, test: 200}}, grid: {regularizer: {dropout: 0.2, input_noise: 0.1}}, seeds: %s}"


def test_all_combinations_the_last_source_fastest(sweep: Load) -> None:
    config = sweep("seeds: {batches: [4, 2], init: 3}")
    found = [(seeds.of("init"), seeds.of("batches"), seeds.of("dropout")) for seeds in config.replicates]
    assert found == [(init, batches, 0) for init, batches in product((0, 1, 2), (4, 2))]
    assert config.seeds == (0, 1, 2, 3, 4, 5)
    assert config.count == len(list(config.runs())) == 6
    assert config.resolved()["seeds"] == {"init": [0, 1, 2], "batches": [4, 2]}


def test_the_order_of_the_sources_is_no_difference(sweep: Load) -> None:
    one, other = sweep("seeds: {init: 2, batches: 3}"), sweep("seeds: {batches: 3, init: 2}")
    assert [run.id for run in one.runs()] == [run.id for run in other.runs()]
    assert one.difference(other.resolved()) == []


def test_a_resolved_config_gives_the_same_runs(sweep: Load) -> None:
    config = sweep(SMALL % "{init: 2, batches: [0, 3], dropout: 2, subset: 2}")
    again = load({key: value for key, value in config.resolved().items() if key != "fingerprints"})
    assert [run.id for run in again.runs()] == [run.id for run in config.runs()]
    assert len({run.id for run in config.runs()}) == 16


def test_where_all_seeds_are_0_the_run_is_that_of_seed_0(sweep: Load) -> None:
    plain, crossed = sweep("seeds: 2"), sweep("seeds: {init: 2, batches: 2}")
    arm = next(plain.arms())
    assert next(crossed.runs()) == Run(arm, Seeds(0))
    assert {run.id for run in plain.runs()} & {run.id for run in crossed.runs()} == {Run(arm, Seeds(0)).id}


@pytest.mark.parametrize("source", SOURCES)
def test_a_seed_changes_the_streams_of_its_source_only(source: str) -> None:
    seeds = Seeds.crossed({source: 5})
    for other, words in SOURCES.items():
        for word in words:
            drawn = seeds.stream(f"{word}/x", 3).random()
            assert drawn == stream(5 if other == source else 0, f"{word}/x", 3).random()


def test_overrides(sweep: Load) -> None:
    text = "seeds: {init: 2, batches: 2}"
    assert sweep(text, "seeds.init=3").resolved()["seeds"] == {"init": [0, 1, 2], "batches": [0, 1]}
    assert sweep(text, "seeds.batches=5,6").resolved()["seeds"] == {"init": [0, 1], "batches": [5, 6]}
    assert sweep(text, "seeds=3").resolved()["seeds"] == [0, 1, 2]
    assert sweep("seeds: 5", "seeds.init=2").resolved()["seeds"] == {"init": [0, 1]}
    assert sweep(text, "seeds={init: 1}").resolved()["seeds"] == {"init": [0]}


def test_mistakes(refused: Refused) -> None:
    refused(
        "seeds: {▲inits: 2, batches: ▲0, init: [1, ▲-1]}",
        "there is no source of chance 'inits'; did you mean 'init'? (choices: augmentation, batches, dropout, init, "
        "split, subset)",
        "seeds.batches must be a count of at least 1, or a list such as [0, 1, 2], got 0",
        "a seed must be a whole number of at least 0, got -1",
    )
    refused("seeds: ▲{}", "seeds must have a number, or sources of chance such as {init: 10, batches: 10}")
    refused(
        "seeds: 2",
        "command line: there is no source of chance 'batch'; did you mean 'batches'? (choices: augmentation, batches, "
        "dropout, init, split, subset)",
        overrides=("seeds.batch=2",),
    )


def test_a_source_that_no_arm_draws_from(refused: Refused) -> None:
    refused(
        "seeds: {init: 2, ▲dropout: 2, ▲augmentation: 2, ▲subset: 2}",
        "no arm draws dropout; take the source dropout out, or add the regularizer dropout",
        "no arm draws augmentation; take the source augmentation out, or add data augmentation such as the regularizer "
        "input_noise",
        "no arm draws a subset: all train on the whole training set; take the source subset out, or set train of the "
        "data, as in data: {mnist: {train: 1000}}",
    )


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("grid: {regularizer: [none, {dropconnect: 0.2}]}", "dropout"),
        ("model: {layers: {of: [flatten, {dense: 5}, activation, {dropout: 0.5}]}}", "dropout"),
        ("model: alexnet", "dropout"),
        ("grid: {regularizer: flip}", "augmentation"),
        ("grid: {data: [mnist, {mnist: {train: 300}}]}", "subset"),
    ],
)
def test_a_source_that_some_arm_draws_from(sweep: Load, text: str, source: str) -> None:
    assert sweep(f"{{{text}, seeds: {{{source}: 2}}}}").replicates.crossed == {source: range(2)}


def test_what_needs_plain_seeds(refused: Refused) -> None:
    refused(
        "{seeds: {init: 2}, evaluate: {ensemble: ▲true}}",
        "evaluate.ensemble averages independent runs, and those of crossed seeds are not; write a number of seeds",
    )
    refused(
        "{model: {saddle: {noise: 0.1}}, seeds: ▲{init: 2}}",
        "a landscape has no sources of chance to cross, got {init: …}; write a number of seeds",
    )


def test_too_many(refused: Refused) -> None:
    refused(
        "▲seeds: {init: 1000, batches: 1000}",
        "the grid has 1,000,000 runs (1 arm × 1,000,000 seeds), the limit is 100,000; make it smaller, or raise the "
        "limit (--max-runs)",
    )
