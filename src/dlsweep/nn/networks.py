"""Networks: `(shape, classes, activation, normalization, **settings) -> layers`; and the passes through such a list.

shape: of one sample, `(features,)` or `(C, H, W)`. activation(name) gives a layer of that name; normalization(name,
shape) gives the layers that normalize samples of that shape, none for no normalization.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from dlsweep.nn.dense import dense
from dlsweep.nn.layers import Array, Back, Layer, Parameters
from dlsweep.registry import Count, Registry

networks = Registry("model", "dlsweep.networks")


@networks.register
def mlp(
    shape: tuple[int, ...],
    classes: int,
    activation: Callable[[str], Layer],
    normalization: Callable[[str, tuple[int, ...]], list[Layer]],
    *,
    hidden: list[Count] = [100],  # noqa: B006
) -> list[Layer]:
    """Multilayer perceptron: dense layers of the `hidden` sizes, each with its activation, then one for the classes."""
    layers: list[Layer] = []
    fan_in = prod(shape)
    for depth, width in enumerate(hidden, start=1):
        layers.append(dense(f"dense{depth}", fan_in, width, first=depth == 1))
        layers += normalization(f"normalization{depth}", (width,))
        layers.append(activation(f"activation{depth}"))
        fan_in = width
    layers.append(dense(f"dense{len(hidden) + 1}", fan_in, classes, first=not hidden))
    return layers


def activation_layer(function: Callable[..., Any], settings: Mapping[str, Any], name: str) -> Layer:
    """A registered activation with its settings as a layer without parameters."""

    def apply(p: Parameters, x: Array, training: bool) -> tuple[Array, Back]:
        y, back = function(x, **settings)
        return y, lambda dy: (back(dy), {})

    return Layer(name, {}, apply)


def forward(
    layers: Sequence[Layer], parameters: Sequence[Parameters], x: Any, training: bool
) -> tuple[Array, Callable[[Array], list[Parameters]]]:
    """Logits of every run and sample, `(R, classes, N)`, and `back(dlogits)`: the gradients, layer by layer."""
    backs = []
    for layer, p in zip(layers, parameters, strict=True):
        x, back = layer.apply(p, x, training)
        backs.append(back)

    def backward(dy: Array | None) -> list[Parameters]:
        gradients = []
        for back in reversed(backs):
            assert dy is not None  # only the first layer returns None, and it is the last here
            dy, gradient = back(dy)
            gradients.append(gradient)
        return gradients[::-1]

    return x, backward
