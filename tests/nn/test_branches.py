"""Residual and parallel blocks: against finite differences, in stacks, with probes, from the command line's config."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.arms import choice, make_arm, make_data

from dlsweep.config.runs import Evaluate, Run
from dlsweep.errors import UsageError
from dlsweep.nn.forward import forward
from dlsweep.nn.fusion import fuse_for_evaluation
from dlsweep.nn.layers import Context, SharedInput
from dlsweep.randomness import Seeds
from dlsweep.training.loop import train
from dlsweep.training.network import build
from dlsweep.training.random_draws import Draws

CONV = {"filters": 3, "kernel": 3, "pad": "same"}
WIDER, SAME = {**CONV, "filters": 5, "stride": 2}, {"size": 3, "stride": 1, "pad": "same"}
INNERMOST = {"residual": [{"conv": {**CONV, "filters": 1}}]}
LISTS = {
    "identity": [{"conv": CONV}, {"residual": ["activation", {"conv": CONV}]}, "activation"],
    "projection": [{"conv": CONV}, {"residual": [{"conv": WIDER}, "batch", "activation"]}],
    "dense": [{"dense": 6}, {"residual": [{"dense": 6}, "activation"]}, {"residual": ["activation", {"dense": 4}]}],
    "first": [{"residual": [{"conv": CONV}, "activation", {"pool": SAME}]}],
    "parallel": [{"parallel": [[{"conv": CONV}, "activation"], [{"pool": SAME}], ["tanh"]]}],
    "nested": [
        {"residual": [{"parallel": [[{"conv": {**CONV, "filters": 2}}], [INNERMOST]]}]},
        "activation",
        {"pool": 2},
    ],
}


def arm_of(of, **changes):
    return make_arm(model=choice("layers", of=of), activation="tanh", **changes)


@pytest.mark.parametrize("of", LISTS.values(), ids=LISTS)
def test_gradients_are_finite_differences_and_fused_is_plain(of):
    data = make_data(shape=(3, 4, 5))
    network = build([arm_of(of)] * 2, data, np.float64)
    assert len({layer.name for layer in network.layers}) == len(network.layers)
    rng = np.random.default_rng(0)
    parameters = [
        {
            k: p.start + 0.3 * rng.standard_normal((2, *p.shape)) if p.trained else np.full((2, *p.shape), p.start)
            for k, p in layer.parameters.items()
        }
        for layer in network.layers
    ]
    x, context = (
        [SharedInput(rng.standard_normal((3, 4, 5, 5)), slice(0, 2))],
        Context(True, Draws({Seeds(0): slice(0, 2)}, 1)),
    )
    passed = forward(network.layers, parameters, x, context)
    dy = rng.standard_normal(passed.logits.shape)
    gradients, fused = passed.back(dy), forward(network.fused, parameters, x, context).back(dy)
    h = 1e-6
    for p, g, f in zip(parameters, gradients, fused, strict=True):
        for k in g:
            np.testing.assert_allclose(f[k], g[k], rtol=1e-9, atol=1e-9)
            for index in [next(np.ndindex(p[k].shape[1:])), tuple(n - 1 for n in p[k].shape[1:])]:
                each = (slice(None), *index)
                values = []
                for step in (h, -2 * h):
                    p[k][each] += step
                    values.append((forward(network.layers, parameters, x, context).logits * dy).sum(axis=(1, 2)))
                p[k][each] += h
                np.testing.assert_allclose(g[k][each], (values[0] - values[1]) / (2 * h), rtol=1e-4, atol=1e-6)
    evaluation = context._replace(training=False)
    few, folded = fuse_for_evaluation(network.layers, parameters, evaluation)
    plain = forward(network.layers, parameters, x, evaluation).logits
    np.testing.assert_allclose(forward(few, folded, x, evaluation).logits, plain, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("of", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("init", ["he", "lsuv"])
def test_the_same_bits_alone_and_together_with_probes_and_techniques(of, init):
    data = make_data(shape=(3, 4, 5))
    settings = {"tolerance": 0.1, "rounds": 10} if init == "lsuv" else {}
    common = {
        "init": choice(init, **settings),
        "normalization": choice("batch", momentum=0.9, eps=1e-5, position="before"),
        "regularizer": (
            choice("dropconnect", ratio=0.2, inference="mean", samples=2),
            choice("dropout", ratio=0.2, mode="inverted"),
        ),
    }
    arms = [arm_of(of, optimizer=choice("momentum", lr=lr, alpha=0.9), **common) for lr in (0.1, 1e30)]
    arms = [replace(arm, evaluate=Evaluate(2, ("train", "test"), layers=True, keep="final")) for arm in arms]
    runs = [Run(arm, Seeds(seed)) for arm in arms for seed in (0, 1)]
    together = train(runs, data)
    kernels = sum(any(p.kernel for p in layer.parameters.values()) for layer in build(arms[:1], data).layers)
    assert len(set(together.layers["layer"])) == kernels
    for i, run in enumerate(runs):
        alone = train([run], data)
        for table in ("curves", "layers"):
            one, all_ = getattr(alone, table), getattr(together, table)
            for column in set(one) - {"run"}:
                np.testing.assert_array_equal(one[column], all_[column][all_["run"] == i])


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (
            [{"residual": [{"conv": {"filters": 3, "kernel": 2}}]}],
            "^layer 1 of 1: residual1: no projection leads from its input",
        ),
        (
            [{"parallel": [["tanh"], [{"pool": 2}]]}],
            "^layer 1 of 1: parallel1: the branches must have the same output shape except for channels",
        ),
        ([{"residual": [{"conf": 3}]}], "there is no layer 'conf'; did you mean 'conv'"),
        ([{"residual": [{"conv": {"filters": "x"}}]}], r"^layer 1 of 1: conv\.filters must be a whole number"),
        ([{"residual": [{"conv": 3, "pool": 2}]}], "an item of a block is a name, or one name with settings"),
        (
            [{"residual": [{"conv": {"filters": 3, "kernal": 3}}]}],
            "^layer 1 of 1: conv has no setting 'kernal'; did you mean 'kernel'?",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_the_layer(of, said):
    with pytest.raises(UsageError, match=said):
        build([arm_of(of)], make_data(shape=(3, 4, 5)))


def test_draws_of_gaussian_inference_do_not_cross_the_end_of_a_block():
    gaussian = (choice("dropconnect", ratio=0.2, inference="gaussian", samples=2),)
    with pytest.raises(UsageError, match="no activation follows dense1"):
        build([arm_of([{"residual": [{"dense": 4}]}, "activation"], regularizer=gaussian)], make_data())
