"""What a layer is: named parameters, and a function `(parameters, x, training) -> (y, back)`.

Samples lie along the last axis, as columns: `(R, features, N)`. So the formulas read as in the papers, y = W x + b, the
weights of all runs lie under each other, and every elementwise loop and every sum over a minibatch runs along memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Parameters = dict[str, Array]  # by name, each `(R, …)`
Back = Callable[[Array], tuple[Array | None, Parameters]]  # dy -> (dx, gradients by parameter name)


class Parameter(NamedTuple):
    """A parameter's shape in one run, and the fans that scale its initial values; only kernels have them.

    Kernels are what initializers fill and regularizers penalize; the rest starts at 0.
    """

    shape: tuple[int, ...]
    fan_in: int = 0
    fan_out: int = 0

    @property
    def kernel(self) -> bool:
        return self.fan_in > 0


class Layer(NamedTuple):
    """One step of a network, with its parameters for every run of the stack passed in.

    apply(parameters, x, training) returns `y` and `back(dy) -> (dx, gradients)`; x: `(R, …, N)`, except in a network's
    first layer, which reads `Shared` input and returns None for dx: nobody needs the gradient of the data.
    reads: in a first layer, the parameter whose last axis counts the input's features, which may then come in another
    order, the last of them left out; "" where their order matters.
    """

    name: str
    parameters: Mapping[str, Parameter]
    apply: Callable[[Parameters, Any, bool], tuple[Array, Back]]
    reads: str = ""


def size(layers: Iterable[Layer]) -> int:
    """How many numbers one run of a network trains."""
    return sum(prod(p.shape) for layer in layers for p in layer.parameters.values())
