"""Training: the same bits in any company, curves as promised, divergence as data."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.arms import choice, fits, full, make_arm, make_data, variants
from threadpoolctl import threadpool_limits

from dlsweep.config.runs import Run
from dlsweep.nn.activations import activations
from dlsweep.nn.initializers import initializers
from dlsweep.nn.normalization import normalizations
from dlsweep.nn.optimizers import optimizers
from dlsweep.nn.regularizers import regularizers
from dlsweep.nn.schedules import schedules
from dlsweep.randomness import Seeds
from dlsweep.registry import Choice
from dlsweep.training import divergence
from dlsweep.training.loop import train


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with threadpool_limits(1):
        yield


def curve(outcome, index):
    """One run's curve as bytes, so that equal means equal to the last bit, NaN included."""
    mine = outcome.curves["run"] == index
    return {k: v[mine].tobytes() for k, v in outcome.curves.items() if k != "run"}, outcome.status[index]


def assert_the_same_alone(runs, data, together):
    for i, run in enumerate(runs):
        assert curve(train([run], data), 0) == curve(together, i), run.arm.name


# Activation and optimizer meet in parameters that the activation learns; else neither depends on the other.
MET = [
    (activation, optimizer)
    for activation, optimizer in product(activations, optimizers)
    if activations[activation].rest or activation == "relu" or optimizer == "adam"
]


@pytest.mark.parametrize(("activation", "optimizer"), MET)
def test_together_is_alone(activation, optimizer):
    defaults = {name: s.default for name, s in optimizers[optimizer].settings.items()}
    arms = [
        make_arm(activation=activation, init=choice(init), optimizer=choice(optimizer, **{**defaults, "lr": lr}))
        for init, lr in [("he", 0.1), ("glorot_uniform", 0.01), ("zeros", 0.1)]
    ]
    runs, data = [Run(arm, Seeds(seed)) for arm in arms for seed in (0, 1)], make_data()
    assert_the_same_alone(runs, data, train(runs, data))


def scaled(registry, one, factor):
    """A choice with its numbers multiplied: it still belongs to the same cohort."""
    numbers = registry[one.name].settings
    return Choice(one.name, {k: v * factor if numbers[k].stacks else v for k, v in one.settings.items()})


IMAGES_ONLY = {"crop", "flip"}


@st.composite
def cohorts(draw):
    """A small cohort: one shape and code, several numbers and seeds, and a data set for it."""
    name = draw(st.sampled_from(sorted(optimizers)))
    own = {k: s.default for k, s in optimizers[name].settings.items()}
    fractions = [k for k in own if k in ("alpha", "rho", "beta1", "beta2")]
    # What is code in the techniques is common to the arms; their numbers are scaled for each arm.
    normalized = draw(st.sampled_from([choice("none"), *filter(fits, variants(normalizations))]))
    by_name = {c.name: c for c in draw(st.permutations(list(variants(regularizers))))}
    shape = draw(st.sampled_from([(3,), (12,), (3, 2, 2), (3, 4, 5)]))
    if len(shape) == 1:
        by_name = {name: c for name, c in by_name.items() if name not in IMAGES_ONLY}
    regularized = draw(st.lists(st.sampled_from(sorted(by_name)), max_size=4, unique=True))
    activation = draw(st.sampled_from(sorted(activations)))
    schedule = draw(st.sampled_from(sorted(schedules)))
    common = {
        "clip_norm": draw(st.sampled_from([None, 0.05, 10.0])),
        "hidden": draw(st.lists(st.integers(1, 9), max_size=3)),
        "iterations": draw(st.integers(1, 9)),
        "batch_size": draw(st.integers(1, 12)),
        "sampling": draw(st.sampled_from(["shuffle", "replacement"])),
        "every": draw(st.integers(1, 5)),
    }
    arms = [
        make_arm(
            init=Choice(init, {k: (k == "std" and wide) or s.default for k, s in initializers[init].settings.items()}),
            optimizer=choice(name, **{**own, "lr": lr, **dict.fromkeys(fractions, fraction)}),
            normalization=scaled(normalizations, normalized, factor),
            regularizer=tuple(scaled(regularizers, by_name[c], factor) for c in sorted(regularized)),
            activation=scaled(activations, full(activations, activation), factor),
            schedule=scaled(schedules, full(schedules, schedule), factor),
            **common,
        )
        for init, wide, lr, fraction, factor in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(sorted(initializers)),
                    st.sampled_from([None, 1e30]),
                    st.sampled_from([0.003, 0.1, 1.0, 1e30]),
                    st.sampled_from([0.9, 0.5]),
                    st.sampled_from([1.0, 0.5]),
                ),
                min_size=1,
                max_size=4,
                unique=True,
            )
        )
    ]
    seeds = draw(st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True))
    data = make_data(
        train=draw(st.sampled_from([None, 12, 25])),
        shape=shape,
        standardized=draw(st.booleans()),
        dtype=draw(st.sampled_from([np.uint8, np.float32])),
        samples=(draw(st.integers(1, 20)), draw(st.sampled_from([1, 30, 600]))),
    )
    return draw(st.permutations([Run(arm, Seeds(seed)) for arm in arms for seed in seeds])), data


@pytest.mark.slow
@settings(max_examples=25)
@given(cohorts(), st.integers(1, 5))
def test_a_run_does_not_know_its_company(cohort, size):
    """Alone, in its whole cohort, and in chunks of another size and order: the same curve, to the last bit."""
    runs, data = cohort
    together = train(runs, data)
    assert_the_same_alone(runs, data, together)
    for start in range(0, len(runs), size):
        chunk = runs[start : start + size][::-1]
        outcome = train(chunk, data)
        for j, run in enumerate(chunk):
            assert curve(outcome, j) == curve(together, runs.index(run))


def test_the_settings_of_an_activation_reach_it():
    @activations.register
    def bent(x, *, slope: float = 0.5):
        """Registered by a test."""
        return np.where(x > 0, x, slope * x), lambda dy: dy

    try:
        arms = [make_arm(activation=choice("bent", slope=slope)) for slope in (0.0, 0.5)]
        flat, bent_up = (train([Run(arm, Seeds(0))], make_data()).curves["loss"][0] for arm in arms)
        assert flat == train([Run(make_arm(activation="relu"), Seeds(0))], make_data()).curves["loss"][0]
        assert bent_up != flat
    finally:
        del activations._entries["bent"]


def test_the_settings_of_a_schedule_reach_it():
    @schedules.register
    def bent(t, steps, *, factor: float = 1.0):
        """Registered by a test."""
        return factor

    try:
        arms = [make_arm(schedule=choice("bent", factor=factor)) for factor in (1.0, 0.5)]
        full, half = (train([Run(arm, Seeds(0))], make_data()).curves["loss"] for arm in arms)
    finally:
        del schedules._entries["bent"]
    np.testing.assert_array_equal(full, train([Run(make_arm(), Seeds(0))], make_data()).curves["loss"])
    assert not np.array_equal(half, full)


@pytest.mark.parametrize("schedule", sorted(set(schedules) - {"constant"}))
def test_together_is_alone_under_a_schedule(schedule):
    defaults = {name: s.default for name, s in schedules[schedule].settings.items()} | {"every": 2, "iterations": 3}
    settings = {name: defaults[name] for name in schedules[schedule].settings}
    arms = [make_arm(optimizer=choice("sgd", lr=lr), schedule=choice(schedule, **settings)) for lr in (0.1, 1)]
    runs, data = [Run(arm, Seeds(seed)) for arm in arms for seed in (0, 1)], make_data()
    together = train(runs, data)
    assert_the_same_alone(runs, data, together)
    constant = train([replace(run, arm=run.arm.choosing(schedule=choice("constant"))) for run in runs], data)
    assert not np.array_equal(together.curves["loss"], constant.curves["loss"])


@pytest.mark.parametrize("company", [False, True])
def test_a_run_that_cannot_even_start_is_diverged_in_any_company(company):
    wild = Run(make_arm(init=choice("normal", std=1e30)), Seeds(0))
    outcome = train([wild, *([Run(make_arm(), Seeds(0))] if company else [])], make_data())
    assert outcome.status[0] == "diverged"
    assert outcome.iterations[0] == 0
    assert 0 not in outcome.curves["run"]


def test_curves_have_a_row_per_evaluation_and_split():
    outcome = train([Run(make_arm(iterations=7, every=3), Seeds(s)) for s in (0, 1)], make_data())
    rows = {
        (r, i, s) for r, i, s in zip(*(outcome.curves[k].tolist() for k in ("run", "iteration", "split")), strict=True)
    }
    expected = {(r, i, s) for r in (0, 1) for i in (0, 3, 6, 7) for s in ("batch", "train", "validation", "test")}
    assert rows == expected
    assert len(outcome.curves["run"]) == len(expected)
    np.testing.assert_allclose(outcome.curves["epoch"], outcome.curves["iteration"] / 8)  # 30 samples in fours
    assert outcome.iterations == [7, 7]
    assert outcome.status == ["done", "done"]
    assert outcome.parameters == 12 * 5 + 5 + 5 * 4 + 4 + 4 * 3 + 3


def test_epochs_are_whole_passes():
    outcome = train([Run(make_arm(epochs=2), Seeds(0))], make_data())
    assert outcome.iterations == [16]
    assert outcome.curves["epoch"][-1] == 2.0


def test_a_network_learns_what_can_be_learned():
    momentum = choice("momentum", lr=0.1, alpha=0.9)
    arm = make_arm(activation="tanh", hidden=(16,), optimizer=momentum, iterations=300, batch_size=30, every=300)
    curves = train([Run(arm, Seeds(seed)) for seed in range(3)], make_data()).curves
    end = (curves["iteration"] == 300) & (curves["split"] == "train")
    assert (curves["accuracy"][end] > 0.95).all()
    assert (curves["loss"][end] < 0.2).all()


def test_arms_of_a_seed_share_minibatches_and_base_draws():
    """At iteration 0 the scale is all that tells two normal initializers of a linear network apart."""
    arms = [make_arm(hidden=(), init=choice("normal", std=std)) for std in (1e-9, 2e-9)]
    curves = train([Run(arm, Seeds(0)) for arm in arms], make_data()).curves
    start = (curves["iteration"] == 0) & (curves["split"] == "test")
    assert len(set(curves["accuracy"][start].tolist())) == 1  # proportional logits
    ends = train(
        [Run(make_arm(hidden=(), optimizer=choice(n, lr=0.1, **k)), Seeds(0)) for n, k in [("sgd", {})]], make_data()
    )
    again = train([Run(make_arm(hidden=(), optimizer=choice("momentum", lr=0.1, alpha=0.0)), Seeds(0))], make_data())
    np.testing.assert_allclose(ends.curves["loss"], again.curves["loss"], rtol=1e-5)  # the same minibatches


def test_more_iterations_only_prolong_a_curve():
    data = make_data()
    short, long = (train([Run(make_arm(iterations=n), Seeds(0))], data).curves for n in (4, 8))
    until = long["iteration"] <= 4
    for column in ("iteration", "loss", "accuracy"):
        np.testing.assert_array_equal(long[column][until], short[column])


def test_a_diverged_run_keeps_its_curve_and_leaves_the_others_alone(recwarn):
    data = make_data()
    arms = [make_arm(optimizer=choice("sgd", lr=lr), iterations=40, activation="identity") for lr in (0.01, 1e20, 0.1)]
    runs = [Run(arm, Seeds(seed)) for arm in arms for seed in (0, 1)]
    outcome = train(runs, data)
    assert outcome.status == ["done", "done", "diverged", "diverged", "done", "done"]
    assert all(0 < outcome.iterations[i] < 40 for i in (2, 3))
    assert outcome.iterations[0] == outcome.iterations[5] == 40
    assert np.isfinite(outcome.curves["loss"]).all()
    wild = outcome.curves["iteration"][outcome.curves["run"] == 2]
    assert len(wild)
    assert wild.max() <= outcome.iterations[2]
    assert_the_same_alone(runs, data, outcome)
    assert not recwarn.list


@pytest.mark.parametrize("members", [(), (0, 1)])
def test_a_finite_loss_far_above_chance_is_divergence_in_any_company(members):
    """Rates far too large, with a loss that stays finite; a bad start and a spike that is not as high are none."""
    arms = [make_arm(optimizer=choice("sgd", lr=lr), iterations=30, every=5) for lr in (0.1, 1e5)]
    arms.append(make_arm(optimizer=choice("sgd", lr=1e-9), init=choice("normal", std=50.0), iterations=30, every=5))
    if members:
        arms = [replace(a, members=members, evaluate=replace(a.evaluate, ensemble=True)) for a in arms]
    runs = [Run(arm, Seeds(seed)) for arm in arms for seed in (0, 1)]
    data = make_data()
    outcome = train(runs, data)
    assert outcome.status == ["done"] * 2 + ["diverged"] * 2 + ["done"] * 2
    curves = outcome.curves
    chance = np.log(data.classes)
    assert curves["loss"][curves["run"] >= 4].max() > divergence.FACTOR * chance  # from the start on
    assert curves["loss"][curves["run"] < 4].max() <= divergence.FACTOR * chance
    assert curves["iteration"][np.isin(curves["run"], (2, 3))].max() < min(outcome.iterations[2:4])
    for i in (2, 3):
        alone = train([runs[i]] if not members else runs[2:4], data)
        assert alone.iterations[0 if not members else i - 2] == outcome.iterations[i]


def test_a_stack_in_which_all_diverge_ends_early():
    calls = []
    arm = make_arm(optimizer=choice("sgd", lr=1e30), iterations=1000, activation="identity", every=10)
    outcome = train([Run(arm, Seeds(0)), Run(arm, Seeds(1))], make_data(), progress=calls.append)
    assert outcome.status == ["diverged", "diverged"]
    assert sum(calls) == 2000  # what was not trained counts as done, so a progress bar ends full
    assert len(calls) < 10


def test_progress_counts_every_iteration_of_every_run():
    calls = []
    train([Run(make_arm(iterations=7, every=3), Seeds(s)) for s in (0, 1)], make_data(), progress=calls.append)
    assert calls == [0, 0, 6, 6, 2]


def test_each_seed_trains_on_a_subset_of_its_own():
    data = make_data(train=6)
    sgd = choice("sgd", lr=0.5)
    arm = make_arm(activation="tanh", optimizer=sgd, iterations=400, batch_size=6, every=400, on=("train", "test"))
    outcome = train([Run(arm, Seeds(s)) for s in (0, 1)], data)
    end = (outcome.curves["iteration"] == 400) & (outcome.curves["split"] == "train")
    np.testing.assert_array_equal(outcome.curves["accuracy"][end], 1.0)  # six samples are learned by heart
    assert len(set(outcome.curves["loss"][end].tolist())) == 2


@pytest.mark.parametrize("source", ["init", "batches", "dropout", "subset"])
def test_a_seed_of_its_own_changes_what_this_source_draws(source):
    """Runs that differ in one source of chance train together as they train alone, and differ."""
    arm = make_arm(regularizer=(choice("dropout", ratio=0.3, mode="inverted"),), every=1)
    runs = [Run(arm, seeds) for seeds in (Seeds(0), Seeds(0, ((source, 1),)), Seeds(1, ((source, 0),)), Seeds(1))]
    outcome = train(runs, make_data(train=12))
    curves = [outcome.curves["loss"][outcome.curves["run"] == i] for i in range(len(runs))]
    assert len({tuple(curve) for curve in curves}) == len(runs)
    for run, curve in zip(runs, curves, strict=True):
        np.testing.assert_array_equal(train([run], make_data(train=12)).curves["loss"], curve)


def test_all_may_diverge_before_the_first_step_also_where_layers_are_measured():
    wild = make_arm(init=choice("normal", std=1e30))
    probed = replace(wild, evaluate=replace(wild.evaluate, layers=True))
    outcome = train([Run(probed, Seeds(0))], make_data())
    assert (outcome.status, outcome.iterations, outcome.layers) == (["diverged"], [0], {})
