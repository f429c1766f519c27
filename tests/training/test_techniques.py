"""Normalizations, regularizers, clipping and initializers that look, in whole networks as they train."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.support.arms import SGD, Sweep, choice, fits, full, make_arm, make_data, variants
from tests.support.by_hand import ByHand
from threadpoolctl import threadpool_limits

from dlsweep.config.runs import Run
from dlsweep.errors import DlsweepError
from dlsweep.nn.activations import activations
from dlsweep.nn.forward import forward
from dlsweep.nn.fusion import fuse_for_evaluation
from dlsweep.nn.layers import Context, SharedInput
from dlsweep.nn.losses import label_smoothing, softmax_cross_entropy
from dlsweep.nn.normalization import normalizations
from dlsweep.nn.optimizers import optimizers
from dlsweep.nn.regularizers import regularizers
from dlsweep.randomness import Seeds
from dlsweep.training.evaluation import evaluate, labels
from dlsweep.training.loop import train
from dlsweep.training.plan import plan
from dlsweep.training.random_draws import Draws
from dlsweep.training.samples import Block, Group


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with threadpool_limits(1):
        yield


def small_data(**changes):
    return make_data(**{"features": 6, "samples": (7, 30)} | changes)


# Images, for the techniques and the networks that want them.
SMALL = small_data(shape=(1, 2, 3))
IMAGES = small_data(shape=(3, 2, 2))

NETWORKS = {
    "mlp": choice("mlp", hidden=[4, 3]),
    "cnn": choice(
        "layers",
        of=[
            {"conv": {"filters": 4, "kernel": 2, "pad": "same"}},
            "activation",
            {"pool": {"size": [1, 2], "stride": 1}},
            {"conv": {"filters": 4, "kernel": [2, 1], "groups": 2}},
            "activation",
        ],
    ),
    "cnn that begins with a norm": choice(
        "layers", of=["layer", {"conv": {"filters": 2, "kernel": [1, 2]}}, "activation", "flatten"]
    ),
}


def techniques(model, share):
    """Every normalization and every regularizer in every mode, and all regularizers at once with each normalization."""
    normalized = [n for n in variants(normalizations, share) if fits(n, model, SMALL)]
    regularized = list(variants(regularizers, share))
    first, last = (tuple({c.name: c for c in several}.values()) for several in (regularized[::-1], regularized))
    yield from ({"normalization": n} for n in normalized)
    yield from ({"regularizer": (r,)} for r in regularized)
    yield from ({"normalization": n, "regularizer": r} for n in normalized for r in (first, last))


def name_of(technique):
    choices = [*technique.get("regularizer", ()), *([n] if (n := technique.get("normalization")) else [])]
    return "+".join("-".join([c.name, *(v for v in c.settings.values() if isinstance(v, str))]) for c in choices)


# In every network; the same techniques with other numbers: columns of one stack.
PAIRS = [
    pytest.param([{**one, "model": model} for one in pair], id=f"{name}: {name_of(pair[0])}")
    for name, model in NETWORKS.items()
    for pair in zip(techniques(model, 1.0), techniques(model, 0.7), strict=True)
]
EVERY = pytest.mark.parametrize("pair", PAIRS)


def started(arms, seeds=(0, 1), data=None, dtype=np.float64):
    """A stack of these arms and its first minibatch."""
    runs = [Run(arm, Seeds(seed)) for arm in arms for seed in seeds]
    stack = ByHand(runs, data or small_data(), np.dtype(dtype))
    with np.errstate(all="ignore"):
        batch = {s: stack.gather(s, np.arange(arms[0].train.batch_size)) for s in stack.slices}
        stack.begin(batch)
    return stack, batch


def objective(stack, batch, t=1):
    """What a step of training goes down: mean loss and penalties of every run, with the draws of step t."""
    inputs = [SharedInput(batch[s].x, runs) for s, runs in stack.slices.items()]
    target = labels([batch[s].t for s in stack.slices], stack.slices.values())
    passed = forward(stack.network.layers, stack.parameters, inputs, Context(True, Draws(stack.slices, t)))
    total = softmax_cross_entropy(passed.logits, target)[0].mean(axis=1) + passed.penalty / inputs[0].x.shape[-1]
    if stack.network.smoothing is not None:
        total = total + stack.network.smoothing * label_smoothing(passed.logits, target)[0].mean(axis=1)
    for regularizer in stack.network.regularizers:
        for i, k in stack.kernels if regularizer.penalty else ():
            total = total + regularizer.penalty.value(stack.parameters[i][k])
    return total


@pytest.mark.slow
@EVERY
def test_a_step_goes_down_the_gradient_of_loss_and_penalties(pair):
    """A step of SGD, divided by its learning rate, along random directions of each array of parameters.

    Finite differences in float64, minibatches of five."""
    lr = 1e-3  # short, so that no bound on the weights is reached
    common = {"activation": "tanh", "init": choice("normal", std=0.3), "batch_size": 5}
    stack, batch = started([make_arm(optimizer=choice("sgd", lr=lr), **common, **one) for one in pair], data=SMALL)
    rng = np.random.default_rng(0)
    trained = [(i, k) for i, layer in enumerate(stack.network.layers) for k, p in layer.parameters.items() if p.trained]
    for i, k in trained:
        w = stack.parameters[i][k]
        w[...] = w + 0.3 * rng.standard_normal(w.shape)
    before = [{k: w.copy() for k, w in p.items()} for p in stack.parameters]
    stack.step(1, 10, batch)
    after, stack.parameters = stack.parameters, before
    h = 1e-6
    for i, k in [*trained, *trained]:
        w = before[i][k].copy()
        direction, ends = rng.standard_normal(w.shape), []  # a wrong number of the gradient shows in almost every one
        for step in (h, -h):
            before[i][k][...] = w + step * direction
            ends.append(objective(stack, batch))
        before[i][k][...] = w
        slope = ((w - after[i][k]) / lr * direction).sum(axis=tuple(range(1, w.ndim)))
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * h), rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@EVERY
def test_together_is_alone_and_the_dtype_is_kept(pair):
    arms = [make_arm(iterations=7, optimizer=choice("sgd", lr=0.05), clip_norm=2.0, **one) for one in pair]
    runs, data = [Run(arm, Seeds(seed)) for arm in arms for seed in (0, 1)], IMAGES
    together = train(runs, data)
    assert together.status == ["done"] * 4
    for i, run in ((0, runs[0]), (3, runs[3])):  # both arms, both seeds, both ends of the stack
        alone = train([run], data)
        for column in ("loss", "penalty", "accuracy"):
            mine = together.curves[column][together.curves["run"] == i]
            np.testing.assert_array_equal(mine, alone.curves[column], err_msg=f"{column} of {run}")
    stack, batch = started(arms, data=data, dtype=np.float32)
    for t in (1, 2):
        stack.step(t, 10, batch)
    for p in stack.parameters:
        assert {w.dtype for w in p.values()} <= {np.dtype(np.float32)}
    inputs = [SharedInput(batch[s].x, runs) for s, runs in stack.slices.items()]
    for training in (True, False):
        passed = forward(stack.network.layers, stack.parameters, inputs, Context(training, Draws(stack.slices, 3)))
        assert passed.logits.dtype == np.float32


@pytest.mark.slow
@EVERY
def test_a_technique_changes_the_training(pair):
    wide = choice("normal", std=3.0)  # so that a bound on the weights is felt as well
    arms = make_arm(init=wide, model=pair[0]["model"]), make_arm(init=wide, **pair[0])
    plain, changed = (train([Run(arm, Seeds(0))], IMAGES).curves for arm in arms)
    assert not np.array_equal(plain["loss"], changed["loss"])


@pytest.mark.parametrize("first", [1, 3])
@EVERY
def test_an_evaluated_sample_does_not_know_its_company(pair, first):
    stack, batch = started([make_arm(**pair[0])], seeds=(0,), data=SMALL)
    stack.step(1, 10, batch)
    x, t = batch[Seeds(0)]
    parts = slice(0, first), slice(first, None)

    def metrics(rows):
        groups = [Group(slice(0, 1), [Block(x[..., rows], t[rows])])]
        return evaluate(stack.network, stack.parameters, groups, Draws(stack.slices, 1))

    whole, *pieces = map(metrics, (slice(None), *parts))
    weights = [len(t[rows]) for rows in parts]
    for metric in range(3):
        mean = np.average([piece[metric][0] for piece in pieces], weights=weights)
        assert mean == pytest.approx(whole[metric][0], rel=1e-9, abs=1e-12)


def test_batch_norm_is_evaluated_with_its_running_statistics():
    """After one step they are momentum · start + (1 − momentum) · the minibatch's, of the variance the unbiased one."""
    arm = make_arm(hidden=(4,), batch_size=6, normalization=full(normalizations, "batch", momentum=0.8))
    stack, batch = started([arm], seeds=(0,))
    names = [layer.name for layer in stack.network.layers]
    p = dict(zip(names, stack.parameters, strict=True))
    outputs = p["dense1"]["W"][0] @ batch[Seeds(0)].x + p["dense1"]["b"][0]
    stack.step(1, 10, batch)
    running = dict(zip(names, stack.parameters, strict=True))["normalization1"]
    np.testing.assert_allclose(running["mean"][0, :, 0], 0.2 * outputs.mean(axis=1))
    np.testing.assert_allclose(running["variance"][0, :, 0], 0.8 + 0.2 * outputs.var(axis=1, ddof=1))
    p = dict(zip(names, stack.parameters, strict=True))
    z = p["dense1"]["W"][0] @ batch[Seeds(0)].x + p["dense1"]["b"][0]
    z = (z - running["mean"][0]) / np.sqrt(running["variance"][0] + 1e-5) * running["scale"][0] + running["shift"][0]
    logits = p["dense2"]["W"][0] @ np.maximum(z, 0) + p["dense2"]["b"][0]
    loss = evaluate(stack.network, stack.parameters, [Group(slice(0, 1), [batch[Seeds(0)]])], Draws({}, 1)).loss
    np.testing.assert_allclose(loss, softmax_cross_entropy(logits[None], batch[Seeds(0)].t)[0].mean())


def test_running_statistics_are_not_counted_as_parameters():
    data = small_data()
    outcomes = [
        train([Run(make_arm(hidden=(4,), normalization=full(normalizations, n)), Seeds(0))], data)
        for n in ("none", "batch")
    ]
    assert outcomes[1].parameters == outcomes[0].parameters + 2 * 4


def kernels_and_rest(stack):
    """The parameters of the first run: those that regularizers act on, and all others."""
    kernels, rest = {}, {}
    for layer, p in zip(stack.network.layers, stack.parameters, strict=True):
        for k, parameter in layer.parameters.items():
            (kernels if parameter.kernel else rest)[layer.name, k] = p[k][0].copy()
    return kernels, rest


@pytest.mark.parametrize("name", ["l1", "l2", "elastic_net"])
def test_penalties_leave_everything_but_kernels_alone(name):
    (strong,) = (c for c in variants(regularizers) if c.name == name and c.settings["on"] == "kernel")
    changes = {"activation": "prelu", "normalization": full(normalizations, "batch")}
    steps = []
    for regularizer in ((), (strong,)):
        stack, batch = started([make_arm(regularizer=regularizer, **changes)], seeds=(0,))
        for layer, p in zip(stack.network.layers, stack.parameters, strict=True):
            for k, parameter in layer.parameters.items():
                p[k] += 0.1 * parameter.trained  # so that biases are not 0
        stack.step(1, 10, batch)
        steps.append(kernels_and_rest(stack))
    for k, w in steps[0][1].items():
        np.testing.assert_array_equal(w, steps[1][1][k], err_msg=str(k))
    for k, w in steps[0][0].items():
        assert not np.array_equal(w, steps[1][0][k]), k


@pytest.mark.parametrize("limit", [0.5, 1.0])
def test_the_bound_of_max_norm_holds_after_every_step(limit):
    arms = [make_arm(regularizer=(full(regularizers, "max_norm", limit=v),), optimizer=SGD) for v in (limit, 2 * limit)]
    stack, batch = started(arms, dtype=np.float32)
    for t in range(1, 6):
        stack.step(t, 10, batch)
        largest = [np.linalg.norm(stack.parameters[i][k], axis=2).max(axis=1) for i, k in stack.kernels]
        bounds = np.array([v for seed in (0, 1) for v in (limit, 2 * limit)])
        assert (np.max(largest, axis=0) <= bounds * (1 + 1e-6)).all()
    assert np.max(largest) > limit / 2


def test_smoothing_is_reported_as_penalty_and_the_loss_stays_plain():
    epsilon = 0.3
    smooth, plain = (make_arm(iterations=1, regularizer=r) for r in [(choice("label_smoothing", epsilon=epsilon),), ()])
    curves = [train([Run(arm, Seeds(0))], make_data()).curves for arm in (smooth, plain)]
    for split in ("batch", "train", "test"):
        start = [(c["iteration"] == 0) & (c["split"] == split) for c in curves]
        assert curves[0]["loss"][start[0]] == curves[1]["loss"][start[1]]
        assert curves[0]["penalty"][start[0]] != 0
        assert curves[1]["penalty"][start[1]] == 0
    stack, batch = started([smooth], seeds=(0,))
    passed = forward(
        stack.network.layers,
        stack.parameters,
        [SharedInput(batch[Seeds(0)].x, slice(0, 1))],
        Context(False, Draws({}, 0)),
    )
    p = np.exp(passed.logits[0]) / np.exp(passed.logits[0]).sum(axis=0)
    q = (1 - epsilon) * np.eye(3)[:, batch[Seeds(0)].t] + epsilon / 3
    metrics = evaluate(stack.network, stack.parameters, [Group(slice(0, 1), [batch[Seeds(0)]])], Draws({}, 0))
    np.testing.assert_allclose(metrics.loss + metrics.penalty, -(q * np.log(p)).sum(axis=0).mean())


def test_penalties_are_reported_apart_and_in_every_split():
    l2 = choice("l2", strength=0.1, on="kernel")
    stack, batch = started([make_arm(regularizer=(l2,), iterations=1)], seeds=(0,))
    expected = sum(0.05 * (stack.parameters[i][k] ** 2).sum() for i, k in stack.kernels)
    stack.evaluate(0, batch)
    np.testing.assert_allclose(stack.result().curves["penalty"], expected)


def test_a_penalty_on_activity_is_a_mean_over_the_samples():
    l1 = choice("l1", strength=0.1, on="activity")
    stack, batch = started([make_arm(hidden=(4,), regularizer=(l1,))], seeds=(0,))
    w, b = (stack.parameters[0][k][0] for k in ("W", "b"))
    expected = 0.1 * np.maximum(w @ batch[Seeds(0)].x + b, 0).sum(axis=0).mean()
    stack.evaluate(0, batch)
    curves = stack.result().curves
    np.testing.assert_allclose(curves["penalty"][curves["split"] == "batch"], expected)


@EVERY
def test_a_folded_network_evaluates_to_the_same(pair):
    stack, batch = started([make_arm(hidden=(4, 4), **t) for t in pair], data=SMALL)
    for t in range(1, 4):
        stack.step(t, 10, batch)
    context = Context(False, Draws(stack.slices, 1))
    layers, parameters = fuse_for_evaluation(stack.network.layers, stack.parameters, context)
    assert [layer.name for layer in layers if layer.facts.scale_and_shift] == [
        layer.name
        for before, layer in pairwise(stack.network.layers)
        if layer.facts.scale_and_shift and not before.facts.linear  # after the activation, or the one before is wrapped
    ]
    x = [SharedInput(batch[seed].x, runs) for seed, runs in stack.slices.items()]
    logits = forward(stack.network.layers, stack.parameters, x, context).logits
    np.testing.assert_allclose(forward(layers, parameters, x, context).logits, logits, rtol=1e-8, atol=1e-8)


def test_a_network_may_begin_with_dropout():
    model = choice("layers", of=[{"dropout": 0.3}, {"pool": [1, 2]}, {"dense": 4}, "activation"])
    stack, batch = started([make_arm(model=model)], data=SMALL)
    context = Context(False, Draws(stack.slices, 0))
    layers, parameters = fuse_for_evaluation(stack.network.layers, stack.parameters, context)
    x = [SharedInput(batch[seed].x, runs) for seed, runs in stack.slices.items()]
    logits = forward(stack.network.layers, stack.parameters, x, context).logits
    np.testing.assert_allclose(forward(layers, parameters, x, context).logits, logits, rtol=1e-8)


def folds(arm):
    """How many layers an evaluation of an arm leaves out, and how many biases are added up in one."""
    stack, _ = started([arm])
    layers, parameters = fuse_for_evaluation(
        stack.network.layers, stack.parameters, Context(False, Draws(stack.slices, 0))
    )
    return len(stack.network.layers) - len(layers), sum("b" in p for p in parameters)


def test_only_what_is_linear_is_folded_into():
    plain = make_arm(hidden=(4, 4))
    before, after = (
        plain.choosing(normalization=full(normalizations, "batch", position=p)) for p in ("before", "after")
    )
    wrapped = before.choosing(regularizer=(full(regularizers, "dropconnect"),))
    assert list(map(folds, (plain, before, after, wrapped))) == [(0, 1), (2, 1), (0, 3), (0, 3)]


def test_what_only_trains_is_left_out_and_a_unit_carries_a_bias_past_what_is_elementwise():
    inverted, classic = (
        make_arm(hidden=(4, 4), regularizer=(full(regularizers, "dropout", mode=m),)) for m in ("inverted", "classic")
    )
    tanh, prelu = (make_arm(hidden=(4, 4), activation=full(activations, name)) for name in ("tanh", "prelu"))
    assert list(map(folds, (inverted, classic, tanh, prelu))) == [(2, 1), (0, 3), (0, 1), (0, 3)]


@pytest.mark.parametrize("name", ["dropout", "dropconnect", "input_noise"])
def test_what_is_random_in_training_is_not_in_evaluation(name):
    stack, batch = started([make_arm(regularizer=(full(regularizers, name),))], seeds=(0,))
    plain, _ = started([make_arm()], seeds=(0,))
    groups = [Group(slice(0, 1), [batch[Seeds(0)]])]
    metrics = [
        evaluate(s.network, s.parameters, groups, Draws({Seeds(0): slice(0, 1)}, 0)).loss for s in (stack, plain)
    ]
    assert metrics[0][0] == metrics[1][0]
    assert objective(stack, batch, 1)[0] != objective(stack, batch, 2)[0]


def test_gradients_are_shortened_to_the_norm_and_keep_their_direction():
    """Over all parameters of a run together; one that is shorter stays as it is."""
    steps = []
    for limit in (None, 1e-3, 1e6):
        stack, batch = started([make_arm(clip_norm=limit, optimizer=choice("sgd", lr=1.0))], seeds=(0, 1))
        before = [{k: w.copy() for k, w in p.items()} for p in stack.parameters]
        stack.step(1, 10, batch)
        pairs = zip(before, stack.parameters, strict=True)
        step = [(b[k] - a[k]).reshape(2, -1) for b, a in pairs for k in b]
        steps.append(np.concatenate(step, axis=1))
    free, short, long = steps
    np.testing.assert_array_equal(free, long)
    np.testing.assert_allclose(np.linalg.norm(short, axis=1), 1e-3, rtol=1e-9)
    for r in range(2):
        np.testing.assert_allclose(short[r] / 1e-3, free[r] / np.linalg.norm(free[r]), atol=1e-9)


def test_clipping_saves_a_run_that_would_diverge():
    wild = {"activation": "identity", "optimizer": choice("sgd", lr=50.0), "iterations": 40}
    data = make_data()
    outcome = train([Run(make_arm(**wild), Seeds(0))], data)
    assert outcome.status == ["diverged"]
    assert train([Run(make_arm(clip_norm=0.01, **wild), Seeds(0))], data).status == ["done"]


@pytest.mark.parametrize("company", [[], [choice("dropout", ratio=0.5, mode="inverted")], list(variants(regularizers))])
def test_lsuv_gives_every_layer_unit_variance_on_the_first_minibatch(company):
    """Whatever regularizers there are: they are no part of what it looks at."""
    company = tuple({c.name: c for c in company}.values())
    arm = make_arm(
        init=choice("lsuv", tolerance=0.1, rounds=20), hidden=(30, 20, 10), batch_size=20, regularizer=company
    )
    stack, batch = started([arm, arm.choosing(init=choice("he"))], seeds=(0, 1), data=IMAGES)
    p = {layer.name: w for layer, w in zip(stack.network.layers, stack.parameters, strict=True)}
    for seed, runs in stack.slices.items():
        x = batch[seed].x.reshape(12, -1)
        for depth in range(1, 5):
            z = p[f"dense{depth}"]["W"][runs.start] @ x
            assert z.var() == pytest.approx(1, abs=0.1)
            x = np.maximum(z, 0)


def test_the_slopes_of_prelu_are_learned_and_begin_where_it_is_said():
    prelu = [full(activations, "prelu", start=start) for start in (0.25, 0.1)]
    arms = [make_arm(hidden=(5,), activation=activation) for activation in prelu]
    stack, batch = started(arms, seeds=(0,))
    ((i, slopes),) = [(i, p["slope"]) for i, p in enumerate(stack.parameters) if "slope" in p]
    np.testing.assert_array_equal(slopes[:, :, 0], [[0.25] * 5, [0.1] * 5])
    before = slopes.copy()
    stack.step(1, 10, batch)
    assert (stack.parameters[i]["slope"] != before).any(axis=(1, 2)).all()


def test_another_normalization_or_mode_is_another_cohort_and_a_number_is_not():
    def cohorts(*arms):
        mnist = choice("mnist", train=300, validation=0, test=500)
        return len(plan(Sweep([arm.choosing(data=mnist) for arm in arms])).cohorts)

    def batch(**settings):
        return make_arm(on=("test",), normalization=full(normalizations, "batch", **settings))

    def dropout(**settings):
        return make_arm(on=("test",), regularizer=(full(regularizers, "dropout", **settings),))

    assert cohorts(batch(), batch(momentum=0.5), batch(eps=0.1)) == 1
    assert cohorts(batch(), batch(position="after")) == 2
    assert cohorts(dropout(), dropout(ratio=0.1)) == 1
    assert cohorts(dropout(), dropout(mode="classic"), make_arm(on=("test",)), batch()) == 4
    assert cohorts(make_arm(on=("test",)), make_arm(on=("test",), clip_norm=1.0)) == 2


@pytest.mark.parametrize("optimizer", optimizers)
def test_running_statistics_are_no_matter_for_an_optimizer(optimizer):
    arm = make_arm(normalization=full(normalizations, "batch"), optimizer=full(optimizers, optimizer))
    stack, batch = started([arm], seeds=(0,))
    assert all(set(s) <= {"W", "b", "scale", "shift"} for s in stack.slots)
    stack.step(1, 10, batch)
    assert all(np.isfinite(w).all() for p in stack.parameters for w in p.values())


def test_what_cannot_be_built_is_a_sentence_that_names_the_arm():
    mnist = choice("mnist", train=300, validation=0, test=500)
    arm = replace(make_arm(normalization=full(normalizations, "instance")).choosing(data=mnist), name="instance")
    with pytest.raises(DlsweepError, match=r"^the network of the arm 'instance' cannot be built: instance norm"):
        plan(Sweep([arm]))


def test_evaluation_sees_the_images_as_they_are():
    """Crops and flips are of training alone; what is evaluated before the first step is the same network."""
    augmented = (full(regularizers, "crop", pad=1), full(regularizers, "flip"))
    plain, changed = (train([Run(make_arm(regularizer=r), Seeds(0))], IMAGES).curves for r in ((), augmented))
    first = plain["iteration"] == 0
    np.testing.assert_array_equal(plain["loss"][first], changed["loss"][first])
    assert not np.array_equal(plain["loss"][~first], changed["loss"][~first])


def test_noise_is_added_to_what_was_cropped():
    """The noise of an image is not cropped with it."""
    crop, noise = full(regularizers, "crop", pad=1), full(regularizers, "input_noise", std=0.3)
    stack, batch = started([make_arm(regularizer=(crop, noise), hidden=())], seeds=(0,), data=SMALL)
    p, draws = stack.parameters[0], Draws(stack.slices, 1)
    change = regularizers["crop"](pad=1).augmented((1, 2, 3))
    (cropped,) = change([SharedInput(batch[Seeds(0)].x, slice(0, 1))], Context(True, draws))
    (n,) = draws.normal("noise/dense1", cropped.x.shape)
    noisy = (cropped.x + 0.3 * n.x).reshape(6, -1)
    y = stack.network.layers[0].apply(p, [SharedInput(batch[Seeds(0)].x, slice(0, 1))], Context(True, draws)).y
    np.testing.assert_allclose(y[0], p["W"][0] @ noisy + p["b"][0], rtol=1e-5, atol=1e-7)


def gaussian(ratio):
    return full(regularizers, "dropconnect", ratio=ratio, inference="gaussian")


def test_a_penalty_on_activity_is_of_the_averages_whichever_regularizer_is_named_first():
    l2 = choice("l2", strength=0.1, on="activity")
    penalties = []
    for regularizer in ((l2,), (l2, gaussian(1e-9)), (gaussian(1e-9), l2)):
        stack, batch = started([make_arm(regularizer=regularizer, iterations=1)], seeds=(0,))
        stack.evaluate(0, batch)
        penalties.append(stack.result().curves["penalty"])
    np.testing.assert_allclose(penalties[1], penalties[0], rtol=1e-4)
    np.testing.assert_array_equal(penalties[1], penalties[2])


@pytest.mark.parametrize(
    ("of", "layer"),
    [
        ([{"conv": {"filters": 2}}, {"dense": 3}, "activation"], "conv1"),
        ([{"dense": 5}, "batch", {"dense": 3}], "dense1"),
        ([{"conv": {"filters": 3, "kernel": [3, 4]}}, "flatten"], "conv1"),
        ([{"conv": {"filters": 3, "kernel": 2}}, {"pool": [1, 2]}, "relu", {"dense": 3}], ""),
    ],
)
def test_gaussian_inference_needs_an_activation_after_every_layer_but_the_last(of, layer):
    arm = make_arm(model=choice("layers", of=of), regularizer=(gaussian(0.3),))
    if layer:
        with pytest.raises(DlsweepError, match=f"^dropconnect averages .* no activation follows {layer}; add one"):
            started([arm], data=small_data(shape=(1, 3, 4)))
    else:
        stack, batch = started([arm], data=small_data(shape=(1, 3, 4)))
        stack.evaluate(0, batch)
