"""What every network is promised, in convolutional ones: techniques, probes, ensembles, early stopping, any samples."""

from dataclasses import replace

import numpy as np
import pytest
from tests.nn.test_initializers import MEAN
from tests.support.arms import SGD, choice, full, make_arm, make_data
from tests.support.by_hand import ByHand

from dlsweep.config.runs import Run, Stopping
from dlsweep.nn.activations import activations
from dlsweep.nn.initializers import initializers
from dlsweep.nn.layers import Context
from dlsweep.nn.normalization import normalizations
from dlsweep.nn.optimizers import optimizers
from dlsweep.randomness import Seeds
from dlsweep.training.loop import train
from dlsweep.training.random_draws import Draws
from dlsweep.training.samples import minibatches
from dlsweep.training.step import inputs

CNN = choice(
    "layers",
    of=[
        {"conv": {"filters": 4, "kernel": 3, "pad": "same"}},
        "activation",
        {"pool": 2},
        {"conv": {"filters": 6, "kernel": 2, "groups": 2}},
        "activation",
        {"dense": 4},
        "activation",
    ],
)


def arm(**changes):
    return make_arm(**{"model": CNN, "on": ("batch", "train", "validation", "test")} | changes)


def data(**changes):
    return make_data(**{"shape": (2, 6, 6), "samples": (7, 70)} | changes)


def curve(outcome, run):
    mine = outcome.curves["run"] == run
    return {name: outcome.curves[name][mine] for name in ("iteration", "loss", "penalty", "accuracy")}


def is_alone_what_it_is_together(runs, samples):
    together = train(runs, samples)
    for i, run in enumerate(runs):
        alone = train([run], samples)
        assert alone.status == together.status[i : i + 1]
        for name, column in curve(together, i).items():
            np.testing.assert_array_equal(column, curve(alone, 0)[name], err_msg=name)
    return together


TECHNIQUES = {
    **{f"activation {name}": {"activation": name} for name in activations},
    **{f"init {name}": {"init": full(initializers, name)} for name in initializers},
    **{f"optimizer {name}": {"optimizer": full(optimizers, name)} for name in optimizers},
}


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_a_technique_trains_and_changes_the_training_and_knows_no_company(technique):
    changes = TECHNIQUES[technique]
    plain = arm(activation="tanh", init=choice("normal", std=0.3), optimizer=choice("sgd", lr=0.05))
    changed = plain.choosing(**{k: full(activations, v) if k == "activation" else v for k, v in changes.items()})
    outcome = is_alone_what_it_is_together([Run(changed, Seeds(seed)) for seed in (0, 1)], data())
    assert outcome.status == ["done", "done"]
    assert all(np.isfinite(column).all() for run in (0, 1) for column in curve(outcome, run).values())
    same = np.array_equal(curve(train([Run(plain, Seeds(0))], data()), 0)["loss"], curve(outcome, 0)["loss"])
    assert same == (changed == plain)


def kernels(init, dtype=np.float64, model=None, samples=None):
    """The initial kernels of the first run, by layer; the stack and its first minibatch."""
    one = arm(init=init, batch_size=20, **({"model": model} if model else {}))
    stack = ByHand([Run(one, Seeds(seed)) for seed in (0, 1)], samples or data(), np.dtype(dtype))
    batch = {s: stack.gather(s, next(minibatches(s, stack.data.sizes["train"], one.train))) for s in stack.slices}
    stack.begin(batch)
    return {stack.network.layers[i].name: stack.parameters[i][k][0] for i, k in stack.kernels}, stack, batch


WIDE = choice("layers", of=[{"conv": {"filters": 60, "kernel": 5, "pad": 2}}, {"conv": {"filters": 80, "kernel": 3}}])


@pytest.mark.parametrize("name", sorted(set(initializers) - {"lsuv"}))
def test_the_spread_of_kernels_is_by_all_that_a_place_sees(name):
    """fan_in = C · KH · KW, and fan_out = F · KH · KW."""
    found, _, _ = kernels(full(initializers, name), model=WIDE)
    for layer, (fan_in, fan_out, outputs) in {"conv1": (50, 1500, 60), "conv2": (540, 720, 80)}.items():
        matrix = max(outputs, fan_in)  # of an orthogonal matrix every row or column of the longer side has norm 1
        std = {
            "normal": 0.01,
            "truncated_normal": 0.01,
            "uniform": 0.01,
            "xavier": fan_in**-0.5,
            "lecun": fan_in**-0.5,
            "glorot_normal": (2 / (fan_in + fan_out)) ** 0.5,
            "glorot_uniform": (2 / (fan_in + fan_out)) ** 0.5,
            "he": (2 / fan_in) ** 0.5,
            "he_uniform": (2 / fan_in) ** 0.5,
            "orthogonal": matrix**-0.5,
            "constant": 0,
            "zeros": 0,
        }[name]
        assert found[layer].std() == pytest.approx(std, rel=0.05, abs=1e-12)
        assert found[layer].mean() == pytest.approx(MEAN.get(name, 0), abs=0.1 * std + 1e-12)


def test_lsuv_gives_convolutions_unit_variance_on_the_first_minibatch():
    _, stack, batch = kernels(choice("lsuv", tolerance=0.05, rounds=20))
    seen = []
    for layer, p in zip(stack.network.layers, stack.parameters, strict=True):
        x = inputs(stack.state, batch) if not seen else seen[-1]
        seen.append(layer.apply(p, x, Context(True, Draws({Seeds(0): slice(0, 2)}, 1))).y)
        if any(parameter.kernel for parameter in layer.parameters.values()):
            np.testing.assert_allclose(seen[-1].reshape(2, -1).var(axis=1), 1, atol=0.05)


def test_the_bound_of_max_norm_is_on_every_filter():
    bounded = arm(regularizer=(choice("max_norm", limit=0.5),), optimizer=choice("sgd", lr=0.5))
    stack = ByHand([Run(bounded, Seeds(0))], data(), np.dtype(np.float32))
    batch = {Seeds(0): stack.gather(Seeds(0), np.arange(4))}
    stack.begin(batch)
    stack.step(1, 2, batch)
    for i, k in stack.kernels:
        norms = np.linalg.norm(stack.parameters[i][k][0].reshape(stack.parameters[i][k].shape[1], -1), axis=1)
        assert norms.max() == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("normalization", ["none", "batch", "lrn"])
def test_probes_measure_every_kernel_and_what_follows_it(normalization):
    one = arm(activation="tanh", normalization=full(normalizations, normalization))
    plain = train([Run(one, Seeds(0))], data())
    one = replace(one, evaluate=replace(one.evaluate, layers=True))
    outcome = train([Run(one, Seeds(0)), Run(one, Seeds(1))], data())
    for name, column in curve(plain, 0).items():
        np.testing.assert_array_equal(column, curve(outcome, 0)[name], err_msg=name)  # looking changes nothing
    table = outcome.layers
    assert list(dict.fromkeys(table["layer"])) == ["conv1", "conv2", "dense1", "dense2"]
    stack = ByHand([Run(one, Seeds(0))], data(), np.dtype(np.float32))
    batch = {Seeds(0): stack.gather(Seeds(0), next(minibatches(Seeds(0), 30, one.train)))}
    stack.begin(batch)
    first = (table["iteration"] == 0) & (table["run"] == 0)
    for (i, k), norm, sparsity in zip(
        stack.kernels, table["weight_norm"][first], table["sparsity"][first], strict=True
    ):
        w = stack.parameters[i][k][0]
        assert norm == pytest.approx(np.linalg.norm(w), rel=1e-6)
        assert sparsity == pytest.approx(np.mean(np.abs(w) < 1e-3))
    assert (table["gradient_rms"] > 0).all()
    assert (table["activation_std"] > 0).all()
    assert (table["dead"] == 0).all()
    alone = train([Run(one, Seeds(1))], data()).layers
    for name in table:
        if name != "run":
            np.testing.assert_array_equal(table[name][table["run"] == 1], alone[name], err_msg=name)


def test_an_ensemble_of_convolutional_networks_is_the_mean_of_its_members():
    one = arm(members=(0, 1, 2))
    outcome = train([Run(one, Seeds(seed)) for seed in (0, 1, 2)], data())
    assert set(outcome.ensembles["members"]) == {3}
    assert {"test", "validation", "train"} == set(outcome.ensembles["split"])
    loss = outcome.curves["loss"]
    at = (outcome.curves["split"] == "test") & (outcome.curves["iteration"] == 6)
    mean = outcome.ensembles["loss"][(outcome.ensembles["split"] == "test") & (outcome.ensembles["iteration"] == 6)]
    assert mean[0] < loss[at].mean()  # −log is convex (Jensen)


def test_early_stopping_takes_runs_out_of_the_stack_and_the_others_keep_their_bits():
    patient = Stopping(1, "validation_loss", 1e9, restore_best=True)  # nothing ever improves by so much
    arms = [arm(stopping=patient), arm()]
    outcome = is_alone_what_it_is_together([Run(one, Seeds(seed)) for one in arms for seed in (0, 1)], data())
    assert outcome.status == ["stopped", "stopped", "done", "done"]


def test_a_run_that_diverges_leaves_and_the_others_keep_their_bits():
    arms = [arm(optimizer=SGD), arm(optimizer=choice("sgd", lr=1e30))]
    outcome = is_alone_what_it_is_together([Run(one, Seeds(seed)) for one in arms for seed in (0, 1)], data())
    assert outcome.status == ["done", "done", "diverged", "diverged"]


@pytest.mark.parametrize("batch_size", [1, 30])
@pytest.mark.parametrize("changes", [{}, {"train": 9}, {"dtype": np.float32}, {"standardized": True}])
def test_samples_of_any_kind(batch_size, changes):
    """Subsets of each seed's own, floats and bytes, minibatches of one and of all."""
    size = min(batch_size, changes.get("train", 30))
    is_alone_what_it_is_together([Run(arm(batch_size=size), Seeds(seed)) for seed in (0, 1)], data(**changes))


@pytest.mark.parametrize("normalization", ["batch", "layer", "instance", "group", "lrn"])
def test_minibatches_of_one(normalization):
    one = arm(batch_size=1, normalization=full(normalizations, normalization), sampling="replacement")
    outcome = is_alone_what_it_is_together([Run(one, Seeds(seed)) for seed in (0, 1)], data())
    assert outcome.status == ["done", "done"]


def test_the_curves_are_means_over_all_samples_whatever_the_blocks(monkeypatch):
    outcome = train([Run(arm(), Seeds(0))], data(samples=(7, 61)))
    monkeypatch.setattr("dlsweep.training.samples.LARGEST", 4 * 36 * 10)  # ten images at once
    small = train([Run(arm(), Seeds(0))], data(samples=(7, 61)))
    for name, column in curve(outcome, 0).items():
        np.testing.assert_allclose(column, curve(small, 0)[name], rtol=1e-5, err_msg=name)
