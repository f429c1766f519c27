"""Cohorts and chunks: code splits, numbers stack, and every missing run is in exactly one chunk."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import PROGRAMS, commands
from tests.support.arms import Sweep, choice, make_arm

from dlsweep.config.runs import Run
from dlsweep.execution.worker import indivisible
from dlsweep.machine import BLAS_BUFFER
from dlsweep.randomness import Seeds
from dlsweep.registry import Choice
from dlsweep.training.loop import train
from dlsweep.training.plan import code, plan

MNIST = Choice("mnist", {"train": 300, "validation": 0, "test": 500})


def arm(**changes):
    return replace(make_arm(on=("test",), **changes).choosing(data=MNIST), fingerprint="mnist")


def sweep(activations=2, rates=3, inits=2, seeds=3):
    return Sweep(
        [
            arm(activation=a, optimizer=choice("sgd", lr=0.01 * (1 + rate)), init=choice("normal", std=0.1 / (1 + i)))
            for a, rate, i in itertools.product(["relu", "tanh", "sigmoid"][:activations], range(rates), range(inits))
        ],
        tuple(range(seeds)),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"activation": "tanh"},
        {"optimizer": choice("momentum", lr=0.1, alpha=0.9)},
        {"hidden": (5, 5)},
        {"iterations": 7},
        {"batch_size": 5},
        {"every": 3},
    ],
)
def test_code_splits_cohorts(changes):
    assert code(arm(**changes)) != code(arm())


@pytest.mark.parametrize("changes", [{"init": choice("zeros")}, {"optimizer": choice("sgd", lr=3.0)}])
def test_numbers_stack(changes):
    assert code(arm(**changes)) == code(arm())


def test_cohorts_are_counted():
    made = plan(sweep(activations=2, rates=3, inits=2, seeds=4))
    assert [c.arms for c in made.cohorts] == [6, 6]
    assert made.runs == 48
    assert made.cohorts[0].parameters == 784 * 5 + 5 + 5 * 4 + 4 + 4 * 10 + 10


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.data())
def test_every_missing_run_is_in_exactly_one_chunk(activations, rates, inits, seeds, workers, data):
    made = plan(sweep(activations, rates, inits, seeds))
    everything = [run.id for run in made.missing(())]
    done = set(data.draw(st.lists(st.sampled_from(everything), unique=True)))
    chunks = list(made.chunks(done, workers, 1 << 30))
    assert sorted(run.id for chunk in chunks for run in chunk) == sorted(set(everything) - done)
    for chunk in chunks:
        assert len({code(run.arm) for run in chunk}) == 1


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 8])
def test_every_worker_has_something_to_do(workers):
    assert len(list(plan(sweep(rates=5)).chunks((), workers, 1 << 30))) >= workers


def test_equal_cohorts_for_two_workers_stay_whole():
    """The 2×3 sweep with five seeds on two workers: two stacks of fifteen."""
    made = plan(sweep(activations=2, rates=1, inits=3, seeds=5))
    assert [len(chunk) for chunk in made.chunks((), 2, 1 << 30)] == [15, 15]


def test_memory_bounds_a_chunk():
    made = plan(sweep(rates=10))
    per_run = made.cohorts[0].memory
    assert all(len(chunk) <= 7 for chunk in made.chunks((), 1, 7 * per_run))
    assert {len(chunk) for chunk in made.chunks((), 1, 1)} == {1}  # never less than one run


PEAK = PROGRAMS / "peak.py"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process's memory is read from /proc")
@pytest.mark.parametrize(
    ("model", "batch_size", "grid", "looked_at"),
    [
        ("simple_cnn", 100, {}, False),
        ("simple_cnn", 100, {}, True),
        ("simple_cnn", 100, {"activation": "mish"}, True),
        ("simple_cnn", 100, {"regularizer": "input_noise"}, False),
        ("simple_cnn", 10, {"normalization": "lrn"}, True),
        ("lenet", 100, {"normalization": "batch"}, False),
        ("alexnet", 100, {}, False),
        ("alexnet", 10, {}, True),
        ("vgg", 100, {}, False),
        ({"mlp": {"hidden": [1000, 1000]}}, 100, {}, True),
    ],
)
def test_a_run_takes_the_memory_that_the_plan_says_and_not_much_less(tmp_path, model, batch_size, grid, looked_at):
    sweep = {
        "name": "memory",
        "data": {"mnist": {"train": 500, "test": 500}},
        "model": model,
        "train": {"iterations": 3, "batch_size": batch_size},
        "evaluate": {"every": 3, "on": ["test"], "layers": looked_at},
        "seeds": 1,
        "grid": {"optimizer": {"adam": {"lr": [0.001, 0.002, 0.003]}}, **grid},
    }
    done = commands.python(PEAK, json.dumps(sweep), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    taken, planned = map(int, done.stdout.split())
    # BLAS packs matrices in a buffer of its own; how much of it is used depends on the kernel of the processor.
    assert planned / 3 < taken < planned + BLAS_BUFFER


def test_runs_are_expanded_as_chunks_are_taken():
    """A million runs: the first chunk comes before the last run is made."""
    arms = sweep(rates=2).listed
    made = plan(Sweep(arms, tuple(range(3))))
    counted = 0

    class Counting(Sweep):
        def runs(self):
            nonlocal counted
            for run in super().runs():
                counted += 1
                yield run

    many = Counting([arm(init=choice("normal", std=1e-4 * (i + 1))) for i in range(300)], (0, 1))
    chunks = plan(many).chunks((), 1, 20 * made.cohorts[0].memory)
    next(chunks)
    before = counted
    list(chunks)
    assert counted > before


def test_a_planned_chunk_trains():
    from dlsweep.datasets import open_dataset

    chunk = next(plan(sweep(1, 1, 1, 2)).chunks((), 1, 1 << 30))
    outcome = train(chunk, open_dataset(chunk[0].arm.data))
    assert outcome.status == ["done", "done"]


def test_identity_is_what_a_run_id_hashes():
    one = arm()
    assert Run(one, Seeds(0)).id == Run(replace(one, name="another label"), Seeds(0)).id
    ids = {Run(a, Seeds(s)).id for a in (one, arm(batch_size=5), arm(init=choice("zeros"))) for s in (0, 1)}
    assert len(ids) == 6
    assert all(len(i) == 16 for i in ids)


@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 5), st.integers(0, 30), st.data())
def test_an_ensemble_is_never_cut(rates, seeds, workers, runs, data):
    members = tuple(range(seeds))
    arms = [
        arm(activation=a, optimizer=choice("sgd", lr=0.01 * (1 + rate)), members=members)
        for a in ("relu", "tanh")
        for rate in range(rates)
    ]
    made = plan(Sweep(arms, members))
    done = {
        Run(one, Seeds(seed)).id for one in data.draw(st.lists(st.sampled_from(arms), unique_by=id)) for seed in members
    }
    chunks = list(made.chunks(done, workers, runs * made.cohorts[0].memory))
    assert sorted(run.id for chunk in chunks for run in chunk) == sorted({r.id for r in made.missing(())} - done)
    for chunk in chunks:
        for unit in indivisible(chunk):
            assert [run.seed for run in unit] == list(members)
            assert len({run.arm.identity for run in unit}) == 1
        assert len(chunk) <= max(runs, seeds)


def test_arms_may_have_seeds_of_their_own_in_number_and_by_source_of_chance():
    one, other = sweep(activations=2, rates=1, inits=1).listed
    runs = [*(Run(one, Seeds(seed)) for seed in range(3)), Run(one, Seeds(0, (("init", 5),))), Run(other, Seeds(7))]

    class Question:
        varying = ()

        def arms(self):
            return iter([one, other])

        def replicates_of(self, arm):
            return [run for run in runs if run.arm is arm]

        def runs(self):
            return iter(runs)

    made = plan(Question())
    assert [(cohort.arms, cohort.runs) for cohort in made.cohorts] == [(1, 4), (1, 1)]
    assert len({run.id for run in runs}) == 5
    chunks = list(made.chunks({runs[1].id}, 2, 1 << 30))
    assert sorted(run.id for chunk in chunks for run in chunk) == sorted({run.id for run in runs} - {runs[1].id})
