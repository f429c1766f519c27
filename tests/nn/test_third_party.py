"""Layers that another package registers: with a kernel anywhere, without kernels, as a whole network."""

import numpy as np
import pytest
from tests.support.arms import choice, make_arm, make_data

from dlsweep.config.runs import Evaluate, Run
from dlsweep.nn.layers import Layer, Output, Parameter, kinds
from dlsweep.randomness import Seeds
from dlsweep.training.loop import train


@pytest.fixture
def scale():
    """A layer with a kernel that is not affine in its input and states no facts: y = tanh(W x)."""

    @kinds.register
    def scale(name, shape):
        """Registered by a test."""

        def apply(p, x, context):
            y = np.tanh(p["W"][..., None] * x)
            slope = lambda dy: dy * (1 - y * y)  # noqa: E731
            return Output(y, lambda dy: (p["W"][..., None] * slope(dy), {"W": (slope(dy) * x).sum(axis=-1)}))

        return Layer(name, apply, {"W": Parameter(shape, 1, 1)})

    yield "scale"
    del kinds._entries["scale"]


@pytest.mark.parametrize(
    "of", [["scale", {"dense": 3}], [{"dense": 4}, "activation", "scale", {"dense": 3}], ["scale", "scale"]]
)
@pytest.mark.parametrize(
    "regularizer",
    [(), (choice("input_noise", std=0.5),), (choice("dropconnect", ratio=0.5, inference="mean", samples=2),)],
)
def test_a_layer_with_a_kernel_works_everywhere(scale, of, regularizer):
    data = make_data(features=12)
    arms = [
        make_arm(model=choice("layers", of=of), regularizer=regularizer, optimizer=choice("sgd", lr=lr))
        for lr in (0.1, 0.2)
    ]
    runs = [Run(arm, Seeds(seed)) for arm in arms for seed in (0, 1)]
    together = train(runs, data)
    assert together.status == ["done"] * 4
    for i, run in enumerate(runs):
        alone = train([run], data).curves
        np.testing.assert_array_equal(alone["loss"], together.curves["loss"][together.curves["run"] == i])


@pytest.mark.parametrize(
    "of",
    [
        ["global_average_pool"],
        ["global_average_pool", "batch"],
        [{"prelu": {"start": 0.2}}, "global_average_pool", "layer"],
    ],
)
@pytest.mark.parametrize("layers", [False, True])
def test_a_network_without_kernels_trains(of, layers):
    data = make_data(shape=(3, 4, 4), classes=3)
    arm = make_arm(model=choice("layers", of=of), regularizer=(choice("l2", strength=0.1, on="kernel"),), clip_norm=1.0)
    arm = type(arm)(**{**arm.__dict__, "evaluate": Evaluate(2, ("train", "test"), layers=layers, keep="final")})
    outcome = train([Run(arm, Seeds(0))], data)
    assert outcome.status == ["done"]
    assert np.isfinite(outcome.curves["loss"]).all()
