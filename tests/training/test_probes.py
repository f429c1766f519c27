"""Probes: what they say at a later step against plain NumPy, and when."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.arms import choice, make_arm, make_data
from tests.support.by_hand import ByHand
from threadpoolctl import threadpool_limits

from dlsweep.config.runs import Evaluate, Run, Stopping
from dlsweep.nn.forward import forward
from dlsweep.nn.layers import Context, SharedInput
from dlsweep.nn.losses import softmax_cross_entropy
from dlsweep.randomness import Seeds
from dlsweep.training.loop import train
from dlsweep.training.random_draws import Draws
from dlsweep.training.samples import minibatches


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with threadpool_limits(1):
        yield


def looking(arm):
    return replace(arm, evaluate=Evaluate(arm.evaluate.every, arm.evaluate.on, layers=True))


def by_hand(arm, data, steps):
    """A stack of one run after some steps, and the pass and the gradients of the next step."""
    stack = ByHand([Run(arm, Seeds(0))], data, np.dtype(np.float64))
    batches = minibatches(Seeds(0), data.sizes["train"], arm.train)
    batch = {Seeds(0): stack.gather(Seeds(0), next(batches))}
    stack.begin(batch)
    for t in range(1, steps + 1):
        stack.step(t, 6, batch)
        batch = {Seeds(0): stack.gather(Seeds(0), next(batches))}
    outputs = []
    x = [SharedInput(batch[Seeds(0)].x, slice(0, 1))]
    passed = forward(
        stack.network.layers, stack.parameters, x, Context(True, Draws({Seeds(0): slice(0, 1)}, steps + 1)), outputs
    )
    gradients = passed.back(softmax_cross_entropy(passed.logits, batch[Seeds(0)].t)[1]())
    return stack, batch, [output.y for output in outputs], gradients


def _moved(before, after):
    return np.linalg.norm(after - before) / np.linalg.norm(before)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("penalized", [False, True])
@pytest.mark.parametrize("at", [0, 3, 6])
def test_every_column_of_an_iteration_is_of_the_network_after_so_many_updates(activation, penalized, at):
    l2 = (choice("l2", strength=0.1, on="kernel"),) if penalized else ()
    arm = looking(make_arm(activation=activation, regularizer=l2, iterations=6, every=3))
    data = make_data()
    outcome = train([Run(arm, Seeds(0))], data, dtype=np.float64)
    earlier = by_hand(arm, data, at - 1)[0].parameters if at else None
    stack, _, ys, gradients = by_hand(arm, data, at)
    for depth, (i, after) in enumerate([(0, 1), (2, 3), (4, 4)]):
        row = (outcome.layers["iteration"] == at) & (outcome.layers["layer"] == f"dense{depth + 1}")
        (seen,) = np.flatnonzero(row)
        found = {k: v[seen] for k, v in outcome.layers.items()}
        w, y = stack.parameters[i]["W"], ys[after]
        g = gradients[i]["W"] + (0.1 * w if penalized else 0)
        slope = {"sigmoid": lambda y: y * (1 - y), "relu": lambda y: (y > 0) * 1.0}[activation](y)
        slope = np.ones_like(y) if after == 4 else slope
        most = {"sigmoid": 0.25, "relu": 1.0}[activation] if after < 4 else 1.0
        expected = {
            "weight_norm": np.linalg.norm(w),
            "gradient_rms": np.sqrt(np.mean(g**2)),
            "update_ratio": _moved(earlier[i]["W"], w) if earlier else np.nan,
            "activation_mean": y.mean(),
            "activation_std": y.std(),
            "saturated": np.mean(slope <= 0.36 * most),
            "dead": np.mean((slope == 0).all(axis=2)),
            "sparsity": np.mean(np.abs(w) < 1e-3),
        }
        np.testing.assert_allclose([found[k] for k in expected], [*expected.values()], rtol=1e-6, err_msg=str(depth))
    for name, values in {"activation": ys[1], "weight": stack.parameters[0]["W"]}.items():
        row = (outcome.layers["iteration"] == at) & (outcome.layers["layer"] == "dense1")
        (low,), (high,), (counts,) = (outcome.layers[f"{name}_{k}"][row] for k in ("low", "high", "histogram"))
        assert (low, high) == (values.min(), values.max())
        assert counts.sum() == values.size
        np.testing.assert_array_equal(counts, np.histogram(values, 30, (low, high))[0])


def test_a_row_is_of_the_network_that_is_kept_at_its_iteration():
    dropout = (choice("dropout", ratio=0.5, mode="inverted"),)
    arm = make_arm(regularizer=dropout, iterations=4, every=1)
    for steps in (1, 2, 4):
        evaluate = Evaluate(1, arm.evaluate.on, layers=True, keep="final")
        shorter = replace(arm, train=replace(arm.train, iterations=steps), evaluate=evaluate)
        outcome = train([Run(shorter, Seeds(0))], make_data())
        norms = [np.linalg.norm(outcome.kept[0].parameters[f"dense{i}/W"]) for i in (1, 2, 3)]
        last = outcome.layers["iteration"] == steps
        np.testing.assert_allclose(outcome.layers["weight_norm"][last], norms, rtol=1e-6)
        assert np.isnan(outcome.layers["update_ratio"]).tolist() == (outcome.layers["iteration"] == 0).tolist()


def test_every_row_of_the_curves_has_one_of_the_layers_also_where_a_run_stops():
    rule = Stopping(patience=1, monitor="test_loss", min_delta=0.0, restore_best=False)
    arm = looking(make_arm(iterations=40, every=4))
    stopping = replace(arm, train=replace(arm.train, stopping=rule)).choosing(optimizer=choice("sgd", lr=1.0))
    runs = [Run(a, Seeds(seed)) for a in (arm, stopping) for seed in (0, 1, 2)]
    outcome = train(runs, make_data())
    assert outcome.status.count("stopped") >= 1
    layers, curves = outcome.layers, outcome.curves
    first = layers["layer"] == "dense1"
    rows = set(zip(layers["run"][first].tolist(), layers["iteration"][first].tolist(), strict=True))
    assert rows == set(zip(curves["run"].tolist(), curves["iteration"].tolist(), strict=True))
    for i, run in enumerate(runs):  # and they are what the run measures alone
        alone = train([run], make_data()).layers
        for column in set(layers) - {"run"}:
            np.testing.assert_array_equal(layers[column][layers["run"] == i], alone[column], err_msg=column)


def test_histograms_are_taken_at_eleven_evaluations_the_first_and_the_last_among_them():
    layers = train([Run(looking(make_arm(iterations=100, every=2)), Seeds(0))], make_data()).layers
    taken = np.unique(layers["iteration"][np.isfinite(layers["weight_low"])])
    assert taken.tolist() == list(range(0, 101, 10))
    assert (layers["weight_histogram"][np.isnan(layers["weight_low"])] == -1).all()


def test_an_arm_whose_layers_are_not_rewritten_measures_the_same():
    """With a penalty on activities max-pooling does not follow the activation, so it stays behind it in training."""
    data = make_data(shape=(1, 6, 6))
    model = choice("simple_cnn", filters=3, kernel=3, stride=1, pad=0, pool=2, hidden=5)
    slight = (choice("l1", strength=1e-12, on="activity"),)
    plain, other = (
        train([Run(looking(make_arm(model=model, regularizer=r)), Seeds(0))], data, dtype=np.float64).layers
        for r in ((), slight)
    )
    for column in set(plain) - {"layer", "run", "iteration"}:
        np.testing.assert_allclose(plain[column], other[column], rtol=1e-6, err_msg=column)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_no_bit_of_a_curve_depends_on_probes(activation):
    data = make_data(shape=(1, 6, 6))
    model = choice("simple_cnn", filters=3, kernel=3, stride=1, pad=0, pool=2, hidden=5)
    arm = make_arm(model=model, activation=activation, optimizer=choice("sgd", lr=3.0), iterations=9, every=1)
    plain, probed = (train([Run(a, Seeds(0))], data).curves for a in (arm, looking(arm)))
    for column in plain:
        np.testing.assert_array_equal(plain[column], probed[column])
