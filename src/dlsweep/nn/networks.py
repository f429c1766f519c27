"""Networks: `(shape, classes, activated, **settings) -> layers`; and the passes through such a list.

shape: of one sample, `(features,)` or `(C, H, W)`. activated(suffix, shape) gives the layers that follow an affine one
whose outputs have that shape: its normalization and activation, and the layers of its regularizers; suffix ends their
names. The last layer of a network gives the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from dlsweep.nn.dense import dense
from dlsweep.nn.layers import Array, Layer, Output, Parameters, Pass
from dlsweep.registry import Count, Registry

Activated = Callable[[str, tuple[int, ...]], list[Layer]]

networks = Registry("model", "dlsweep.networks")


@networks.register
def mlp(
    shape: tuple[int, ...],
    classes: int,
    activated: Activated,
    *,
    hidden: list[Count] = [100],  # noqa: B006
) -> list[Layer]:
    """Multilayer perceptron: dense layers of the `hidden` sizes, each with its activation, then one for the classes."""
    layers: list[Layer] = []
    fan_in = prod(shape)
    for depth, width in enumerate(hidden, start=1):
        layers.append(dense(f"dense{depth}", fan_in, width, first=depth == 1))
        layers += activated(str(depth), (width,))
        fan_in = width
    layers.append(dense(f"dense{len(hidden) + 1}", fan_in, classes, first=not hidden))
    return layers


class Forward(NamedTuple):
    """A pass forward: the logits of every run and sample, `(R, classes, N)`, and what the layers said on the way.

    back(dlogits): the gradients, layer by layer; states: the next values of what is not trained, layer by layer;
    penalty: `(R,)` or `(1,)`, what the activities add to the minimized sum over the samples.
    """

    logits: Array
    back: Callable[[Array], list[Parameters]]
    states: list[Parameters]
    penalty: Array


def forward(
    layers: Sequence[Layer],
    parameters: Sequence[Parameters],
    x: Any,
    pass_: Pass,
    outputs: list[Output] | None = None,
) -> Forward:
    """Take samples through a network; outputs: gets what each layer makes of them, for whoever wants to look."""
    backs, states, penalty = [], [], np.zeros(1)
    for layer, p in zip(layers, parameters, strict=True):
        output = layer.apply(p, x, pass_)
        if outputs is not None:
            outputs.append(output)
        x, back, state, added = output
        backs.append(back)
        states.append(state)
        penalty = penalty + added

    def backward(dy: Array | None) -> list[Parameters]:
        gradients = []
        for back in reversed(backs):
            assert dy is not None  # only the first layer returns None, and it is the last here
            dy, gradient = back(dy)
            gradients.append(gradient)
        return gradients[::-1]

    return Forward(x, backward, states, penalty)


def folded(layers: Sequence[Layer], parameters: Sequence[Parameters]) -> tuple[list[Layer], list[Parameters]]:
    """The same network, for evaluation alone: where a layer only scales and shifts what a linear one gives, the kernel
    and the bias of that one do it, once for all samples."""
    few: list[Layer] = []
    folded: list[Parameters] = []
    for layer, p in zip(layers, parameters, strict=True):
        if layer.affine and few and few[-1].linear:
            (factor, shift), W, b = layer.affine(p), folded[-1]["W"], folded[-1]["b"]
            folded[-1] = {"W": W * factor.reshape(*factor.shape[:2], *[1] * (W.ndim - 2)), "b": b * factor + shift}
        else:
            few.append(layer)
            folded.append(p)
    return few, folded
