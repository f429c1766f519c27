"""The table of layers at work: a step by hand, every technique in any company, the fixed points of deep networks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.arms import choice, make_arm, make_data

from dlsweep.config.runs import Run
from dlsweep.datasets import Arrays, Dataset
from dlsweep.nn.activations import activations
from dlsweep.nn.optimizers import optimizers
from dlsweep.randomness import Seeds
from dlsweep.training.initial import initial
from dlsweep.training.loop import train
from dlsweep.training.network import build
from dlsweep.training.observers import probes
from dlsweep.training.samples import minibatches

SIZES = ("weight_norm", "gradient_rms", "update_ratio", "activation_mean", "activation_std")
NUMBERS = (*SIZES, "saturated", "dead", "sparsity")


def probed(**options):
    arm = make_arm(**options)
    return replace(arm, evaluate=replace(arm.evaluate, layers=True))


def measured(outcome, run=0):
    """The rows of one run: by iteration and layer a dict."""
    columns = outcome.layers
    return {
        (int(columns["iteration"][i]), str(columns["layer"][i])): {k: v[i] for k, v in columns.items()}
        for i in np.flatnonzero(columns["run"] == run)
    }


def bits(outcome, run):
    mine = outcome.layers["run"] == run
    return {k: v[mine].tobytes() for k, v in outcome.layers.items() if k != "run"}


SLOPES = {
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y), lambda y: (y < 0.1) | (y > 0.9)),
    "tanh": (np.tanh, lambda y: 1 - y**2, lambda y: np.abs(y) > 0.8),
    "relu": (lambda x: x * (x > 0), lambda y: y > 0, lambda y: y == 0),
    "identity": (lambda x: x, lambda y: np.ones_like(y), lambda y: np.zeros(y.shape, bool)),
}


@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.parametrize("clip_norm", [None, 0.01])
def test_the_first_step_by_hand(name, clip_norm):
    """One step of SGD with an L2 penalty, forward and backward written out, in float64."""
    data, l2, lr = make_data(), 0.3, 0.1
    arm = probed(
        activation=name,
        init=choice("normal", std=1.5),
        optimizer=choice("sgd", lr=lr),
        regularizer=(choice("l2", strength=l2, on="kernel"),),
        iterations=1,
        every=1,
        batch_size=8,
    )
    arm = replace(arm, train=replace(arm.train, clip_norm=clip_norm))
    found = measured(train([Run(arm, Seeds(3))], data, dtype=np.float64))

    rows = next(minibatches(Seeds(3), data.sizes["train"], arm.train))
    x, t = data.arrays.x_train[rows] / 255, data.arrays.t_train[rows]
    layers = build([arm], data, np.float64).layers
    W = [p["W"][0] for p in initial(layers, [Run(arm, Seeds(3))], {}, data, np.dtype(np.float64)) if "W" in p]
    f, slope_of, is_saturated = SLOPES[name]
    inputs, slopes = [x.T], []
    for w in W[:-1]:
        y = f(w @ inputs[-1])
        inputs.append(y)
        slopes.append(slope_of(y))
    logits = W[-1] @ inputs[-1]
    p = np.exp(logits) / np.exp(logits).sum(axis=0)
    dy = (p - np.eye(3)[t].T) / len(t)
    gradients, biases = [], []
    for i in reversed(range(3)):
        gradients.insert(0, dy @ inputs[i].T + l2 * W[i])
        biases.insert(0, dy.sum(axis=1))
        if i:
            dy = (W[i].T @ dy) * slopes[i - 1]
    norm = np.sqrt(sum((g**2).sum() for g in [*gradients, *biases]))
    shorter = 1 if clip_norm is None else min(1, clip_norm / norm)

    assert list(found) == [(t, f"dense{i}") for t in (0, 1) for i in (1, 2, 3)]
    for i in range(3):
        start, after = (found[t, f"dense{i + 1}"] for t in (0, 1))
        moved = lr * shorter * gradients[i]
        np.testing.assert_allclose(after["update_ratio"], np.linalg.norm(moved) / np.linalg.norm(W[i]), rtol=1e-9)
        np.testing.assert_allclose(after["weight_norm"], np.linalg.norm(W[i] - moved), rtol=1e-9)
        y = [*inputs[1:], logits][i]
        expected = {
            "weight_norm": np.linalg.norm(W[i]),
            "gradient_rms": np.sqrt((gradients[i] ** 2).mean()),
            "update_ratio": np.nan,
            "activation_mean": y.mean(),
            "activation_std": y.std(),
            "saturated": is_saturated(y).mean() if i < 2 else 0.0,
            "dead": (slopes[i] == 0).all(axis=1).mean() if i < 2 else 0.0,
            "sparsity": (np.abs(W[i]) < 1e-3).mean(),
        }
        assert list(expected) == list(NUMBERS)
        np.testing.assert_allclose([start[k] for k in NUMBERS], list(expected.values()), rtol=1e-9)
        for of, values in (("activation", y), ("weight", W[i])):
            np.testing.assert_allclose([start[f"{of}_low"], start[f"{of}_high"]], [values.min(), values.max()])
            np.testing.assert_array_equal(start[f"{of}_histogram"], np.histogram(values, 30)[0])


techniques = {
    "regularizer": st.lists(
        st.sampled_from(
            [
                choice("dropout", ratio=0.3, mode="inverted"),
                choice("l1", strength=0.01, on="kernel"),
                choice("l2", strength=0.01, on="activity"),
                choice("max_norm", limit=0.5),
                choice("input_noise", std=0.2),
                choice("dropconnect", ratio=0.3, inference="mean", samples=5),
            ]
        ),
        max_size=2,
        unique=True,
    ).map(tuple),
    "normalization": st.sampled_from(
        [choice("none"), choice("batch", momentum=0.9, eps=1e-5, position="before"), choice("layer", eps=1e-5)]
    ),
}


@st.composite
def cohorts(draw):
    """A small cohort with probes: its runs differ in numbers, some diverge; and a data set for it."""
    name = draw(st.sampled_from(sorted(optimizers)))
    own = {k: s.default for k, s in optimizers[name].settings.items()}
    common = {
        "activation": draw(st.sampled_from(sorted(activations))),
        "hidden": draw(st.lists(st.integers(1, 9), max_size=3)),
        "iterations": draw(st.integers(1, 30)),
        "batch_size": draw(st.integers(2, 12)),
        "every": draw(st.integers(1, 5)),
        "regularizer": draw(techniques["regularizer"]),
    }
    normalization = draw(techniques["normalization"])
    settings = {"position": "before"} | dict(normalization.settings)
    normalization = normalization if normalization.name == "none" else choice(normalization.name, **settings)
    arms = [
        probed(init=init, optimizer=choice(name, **{**own, "lr": lr}), **common).choosing(normalization=normalization)
        for init, lr in draw(
            st.lists(
                st.tuples(
                    st.sampled_from([choice("he"), choice("zeros"), choice("normal", std=1.0)]),
                    st.sampled_from([0.003, 0.1, 1e30]),
                ),
                min_size=1,
                max_size=4,
                unique=True,
            )
        )
    ]
    seeds = draw(st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True))
    data = make_data(features=draw(st.sampled_from([3, 60])), samples=(5, 30))
    return draw(st.permutations([Run(arm, Seeds(seed)) for arm in arms for seed in seeds])), data


def without(run):
    return Run(replace(run.arm, evaluate=replace(run.arm.evaluate, layers=False)), run.seeds)


@pytest.mark.slow
@settings(max_examples=25)
@given(cohorts())
def test_nobody_notices_the_probes_and_they_do_not_know_the_company(cohort):
    runs, data = cohort
    together, plain = train(runs, data), train([without(run) for run in runs], data)
    assert not plain.layers
    assert (together.status, together.iterations) == (plain.status, plain.iterations)
    for k, column in plain.curves.items():
        assert column.tobytes() == together.curves[k].tobytes(), k
    for i, run in enumerate(runs):
        assert bits(train([run], data), 0) == bits(together, i), run.arm.name


@pytest.mark.slow
@settings(max_examples=15)
@given(cohorts())
def test_there_are_rows_where_there_are_points_of_the_curve(cohort):
    runs, data = cohort
    outcome = train(runs, data)
    points = {*zip(outcome.curves["run"].tolist(), outcome.curves["iteration"].tolist(), strict=True)}
    depth = 1 + len(runs[0].arm.model.settings["hidden"])
    expected = sorted((run, t, f"dense{i}") for run, t in points for i in range(1, depth + 1))
    names = ("run", "iteration", "layer")
    assert sorted(zip(*(outcome.layers[k].tolist() for k in names), strict=True)) == expected


def test_weights_that_are_all_zero():
    found = measured(train([Run(probed(init=choice("zeros"), activation="relu", every=1), Seeds(0))], make_data()))
    row = found[1, "dense1"]
    assert (row["weight_norm"], row["sparsity"], row["saturated"], row["dead"]) == (0, 1, 1, 1)
    assert np.isnan(row["update_ratio"])
    # Sigmoids of 1/2 move the last layer's weights, but by no share of nothing.
    found_of_sigmoids = measured(
        train([Run(probed(init=choice("zeros"), activation="sigmoid", every=1), Seeds(0))], make_data())
    )
    assert np.isnan(found_of_sigmoids[1, "dense3"]["update_ratio"])
    assert found_of_sigmoids[2, "dense3"]["update_ratio"] > 0
    assert (row["weight_low"], row["weight_high"]) == (0, 0)
    assert row["weight_histogram"].tolist() == [5 * 12] + [0] * 29


def test_a_unit_is_dead_if_no_sample_moves_it():
    """Large steps push ReLUs to where they are flat for every sample."""
    arm = probed(activation="relu", hidden=(40,), optimizer=choice("sgd", lr=20.0), iterations=20, every=1)
    found = measured(train([Run(arm, Seeds(0))], make_data()))
    dead = [row["dead"] for (_, layer), row in found.items() if layer == "dense1"]
    saturated = [row["saturated"] for (_, layer), row in found.items() if layer == "dense1"]
    assert dead[0] < 0.3
    assert max(dead) > 0.5
    assert all(d <= s for d, s in zip(dead, saturated, strict=True))


def test_a_gradient_that_vanishes_is_seen_as_long_as_it_is_a_number():
    """In fourteen layers of sigmoids it shrinks to where its square is nothing in float32."""
    arm = probed(activation="sigmoid", init=choice("normal", std=0.01), hidden=[20] * 14, iterations=1, on=("batch",))
    rows = measured(train([Run(arm, Seeds(0))], make_data()))
    sizes = [rows[0, f"dense{i}"]["gradient_rms"] for i in range(1, 16)]
    assert 0 < sizes[0] < 1e-23
    assert sizes == sorted(sizes)


def test_an_ensemble_that_diverges_whole_leaves_no_rows_behind():
    arm = probed(activation="identity", optimizer=choice("sgd", lr=1e12), iterations=40, every=1, on=("test",))
    arm = replace(arm, evaluate=replace(arm.evaluate, ensemble=True), members=(0, 1))
    outcome = train([Run(arm, Seeds(seed)) for seed in (0, 1)], make_data())
    assert outcome.status == ["diverged", "diverged"]
    for i in (0, 1):
        assert {t for t, _ in measured(outcome, i)} == {*outcome.curves["iteration"][outcome.curves["run"] == i]}


def test_a_histogram_of_values_that_hardly_differ():
    tiny = np.float32(1e-44)
    counts = probes._histogram("x", np.array([[0, tiny, 0]], np.float32), taken=True)["x_histogram"]
    assert (counts[0, 0], counts[0, -1], counts.sum()) == (2, 1, 3)


def noise(samples=1000, features=100):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, features)).astype(np.float32)
    arrays = Arrays(x, np.arange(samples) % 10, x[:0], np.arange(0), x[:10], np.arange(10), scale=1.0)
    return Dataset("noise", (features,), 10, {"train": samples, "validation": 0, "test": 10}, lambda: arrays)


@pytest.mark.parametrize(
    ("activation", "init", "first", "last", "tolerance"),
    [
        ("sigmoid", choice("normal", std=1.0), 0.459, 0.436, 0.01),
        ("sigmoid", choice("normal", std=0.01), 0.025, 0.0121, 0.001),
        ("tanh", choice("xavier"), 0.627, 0.317, 0.02),
        ("relu", choice("xavier"), 0.585, 0.159, 0.02),
        ("relu", choice("he"), 0.827, 0.90, 0.12),
    ],
)
def test_the_spread_of_five_layers(activation, init, first, last, tolerance):
    arm = probed(activation=activation, init=init, hidden=[100] * 5, batch_size=1000, iterations=1, on=("batch",))
    found = [measured(train([Run(arm, Seeds(seed))], noise())) for seed in range(3)]
    assert np.mean([f[0, "dense1"]["activation_std"] for f in found]) == pytest.approx(first, abs=0.01)
    assert np.mean([f[0, "dense5"]["activation_std"] for f in found]) == pytest.approx(last, abs=tolerance)
    if init == choice("normal", std=1.0):
        assert np.mean([f[0, "dense5"]["saturated"] for f in found]) == pytest.approx(0.74, abs=0.02)


@pytest.mark.parametrize("activation", activations)
def test_saturated_is_where_the_slope_is_small_whatever_the_activation(activation):
    """Against a slope by differences, and its steepest on a fine grid."""
    settings = {k: s.default for k, s in activations[activation].settings.items()}
    entry = activations[activation]
    learned = [np.full((1, 1, 1), settings["start"]) for _ in entry.positional[1:]]

    def slope(x):
        up, down = (entry.function(x[None, None] + d, *learned, **settings)[0] for d in (1e-6, -1e-6))
        return np.abs(up - down)[0, 0] / 2e-6

    arm = probed(activation=activation, hidden=(30,), init=choice("normal", std=2.0), iterations=1, batch_size=30)
    data = make_data(features=60)
    found = measured(train([Run(arm, Seeds(0))], data, dtype=np.float64))[0, "dense1"]
    layers = build([arm], data, np.float64).layers
    W = initial(layers, [Run(arm, Seeds(0))], {}, data, np.dtype(np.float64))[0]["W"][0]
    z = (W @ (data.arrays.x_train / 255).T).ravel()
    steepest = slope(np.linspace(-9, 9, 100_001)).max()
    assert found["saturated"] == pytest.approx((slope(z) <= 0.36 * steepest).mean(), abs=0.01)
