"""Rewritten layers compute the same as the layers as they are written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.arms import choice, full, make_arm, make_data
from tests.support.combinations import all_pairs

from dlsweep.nn.activations import activations
from dlsweep.nn.forward import forward
from dlsweep.nn.fusion import fuse_for_evaluation
from dlsweep.nn.layers import Context, SharedInput
from dlsweep.nn.networks import networks
from dlsweep.nn.normalization import normalizations
from dlsweep.randomness import Seeds
from dlsweep.training.network import build
from dlsweep.training.random_draws import Draws

MODELS = [
    choice("mlp", hidden=[5, 4]),
    full(networks, "simple_cnn", kernel=3, filters=3, hidden=5),
    full(networks, "lenet", variant="modern"),
    full(networks, "alexnet"),
    full(networks, "vgg", widths=[3, 4], hidden=[5]),
    choice(
        "layers",
        of=["tanh", {"pool": 2}, {"conv": {"filters": 3}}, "batch", "activation", {"pool": {"size": 3, "stride": 2}}],
    ),
]


@pytest.mark.parametrize(
    ("model", "activation", "normalization"),
    all_pairs(MODELS, list(activations), ["none", "batch"]),
    ids=lambda value: getattr(value, "name", value),
)
def test_fused_is_plain(model, activation, normalization):
    data = make_data(shape=(3, 28, 28))
    arms = [make_arm(model=model, activation=activation, normalization=full(normalizations, normalization))] * 2
    is_plain(build(arms, data, np.float64))


def is_plain(network):
    """Check logits and gradients of the rewritten passes against the layers as they are written."""
    rng = np.random.default_rng(0)
    parameters = [
        {k: p.start + rng.random((2, *p.shape)) / max(1, p.fan_in) for k, p in layer.parameters.items()}
        for layer in network.layers
    ]
    x = [SharedInput(rng.standard_normal((3, 28, 28, 4)), slice(0, 2))]
    training, evaluation = (Context(training, Draws({Seeds(0): slice(0, 2)}, 1)) for training in (True, False))
    plain, fused = (forward(layers, parameters, x, training) for layers in (network.layers, network.fused))
    np.testing.assert_allclose(fused.logits, plain.logits, rtol=1e-10)
    dy = rng.standard_normal(plain.logits.shape)
    for one, other in zip(plain.back(dy), fused.back(dy), strict=True):
        assert list(one) == list(other)
        for k in one:
            np.testing.assert_allclose(other[k], one[k], rtol=1e-8, atol=1e-10)
    evaluated = forward(network.layers, parameters, x, evaluation).logits
    few, folded = fuse_for_evaluation(network.layers, parameters, evaluation)
    np.testing.assert_allclose(forward(few, folded, x, evaluation).logits, evaluated, rtol=1e-8, atol=1e-10)


ANY = ["activation", "relu", "prelu", "gelu", "batch", "layer", "lrn", {"dropout": 0.3}, {"pool": 2},
       {"pool": {"size": 3, "stride": 1, "pad": "same"}}, {"conv": {"filters": 3, "pad": "same"}},
       {"conv": {"filters": 2, "bias": False, "pad": "same"}}, {"dropout": {"ratio": 0.2, "mode": "classic"}},
       {"residual": ["activation", {"pool": {"size": 2, "stride": 1, "pad": "same"}}]}]  # fmt: skip
FLAT = ["activation", "sigmoid", "batch", {"dense": 5}, {"dense": 40}, {"dropout": 0.3}]


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.sampled_from(ANY), max_size=6), st.lists(st.sampled_from(FLAT), max_size=6), st.booleans())
def test_fused_is_plain_for_any_list_of_layers(images, flat, dropconnect):
    data = make_data(shape=(3, 28, 28))
    regularizer = (choice("dropconnect", ratio=0.2, inference="mean", samples=2),) if dropconnect else ()
    model = choice("layers", of=[*images, "flatten", *flat, {"dense": 3}])
    is_plain(build([make_arm(model=model, activation="tanh", regularizer=regularizer)] * 2, data, np.float64))
