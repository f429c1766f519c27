"""What a layer is: named parameters, and a function `(parameters, x, pass) -> Output`.

Samples lie along the last axis, as columns: `(R, features, N)`. So the formulas read as in the papers, y = W x + b, the
weights of all runs lie under each other, and every elementwise loop and every sum over a minibatch runs along memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np

from dlsweep.registry import Registry

Array = np.ndarray
Parameters = dict[str, Array]  # by name, each `(R, …)`
kinds = Registry("layer", "dlsweep.layers")  # `(name, shape, **settings) -> Layer`, see `dlsweep.nn.sequences`

Back = Callable[[Array], tuple[Array | None, Parameters]]  # dy -> (dx, gradients by parameter name)


class Parameter(NamedTuple):
    """A parameter's shape in one run, its fans, where it starts, and whether it is trained.

    Kernels, which have fans, are what initializers fill and regularizers penalize. The rest begins at `start`, a number
    or one for each run, `(R,)`. What is not trained, such as a running mean, has no gradient: the layer itself gives
    its next value.
    """

    shape: tuple[int, ...]
    fan_in: int = 0
    fan_out: int = 0
    start: Any = 0.0
    trained: bool = True

    @property
    def kernel(self) -> bool:
        return self.fan_in > 0


class Shared(NamedTuple):
    """An array that a slice of the stack's runs has in common: the test images, or the minibatch of one seed.

    x: `(*shape, N)`; or `(features, N)`, of which those at the end may be left out that are zero in all these samples.
    """

    x: Array
    runs: slice


def spread(inputs: list[Shared]) -> Array:
    """What the runs have in common, with a copy for each run: `(R, *shape, N)`."""
    first = inputs[0].x
    spread = np.empty((inputs[-1].runs.stop, *first.shape), first.dtype)
    for x, runs in inputs:
        spread[runs] = x
    return spread


class Draws(Protocol):
    """Random numbers by purpose, `shape` being that of one run: the same for all runs of a seed."""

    def words(self, purpose: str, shape: tuple[int, ...]) -> list[Shared]:
        """32 random bits each, uint32."""

    def normal(self, purpose: str, shape: tuple[int, ...]) -> list[Shared]:
        """Gaussian with mean 0 and standard deviation 1, float32."""


class Pass(NamedTuple):
    """What samples go through a network for: to train it, or to evaluate it; and the draws of this moment."""

    training: bool
    draws: Draws


class Output(NamedTuple):
    """What a layer makes of its input.

    y: `(R, …, N)`; back: of dy; state: the next values of its parameters that are not trained; penalty: `(R,)`, what
    it adds to the minimized sum over the samples.
    """

    y: Array
    back: Back
    state: Parameters = {}  # noqa: RUF012
    penalty: Array | float = 0.0


class Layer(NamedTuple):
    """One step of a network, with its parameters for every run of the stack passed in.

    apply(parameters, x, pass): x is `(R, …, N)`, except in a network's first layer, which reads `list[Shared]` and
    whose `back` returns None for dx: nobody needs the gradient of the data.
    reads: in a first layer, the parameter whose last axis counts the input's features, which may then come in another
    order, the last of them left out; "" where their order matters. activation: whether it is one, so that its `back` of
    ones is its slope; monotone: and one that never falls; greatest: whether an output is the greatest of some inputs.
    shape: of one sample of its output; () where it is that of its input. linear: whether its output is linear in the
    parameters W and b together, channel by channel. affine: where evaluation does no more than y = factor x + shift,
    channel by channel, these two, of the parameters.
    """

    name: str
    parameters: Mapping[str, Parameter]
    apply: Callable[[Parameters, Any, Pass], Output]
    reads: str = ""
    activation: bool = False
    monotone: bool = False
    greatest: bool = False
    shape: tuple[int, ...] = ()
    linear: bool = False
    affine: Callable[[Parameters], tuple[Array, Array]] | None = None


def size(layers: Iterable[Layer]) -> int:
    """How many numbers one run of a network trains."""
    return sum(prod(p.shape) for layer in layers for p in layer.parameters.values() if p.trained)


def multiplications(layers: Iterable[Layer]) -> int:
    """How many one sample takes on its way through: every kernel, at every place of its layer's output."""
    return sum(prod(p.shape) * prod(layer.shape[1:]) for layer in layers for p in layer.parameters.values() if p.kernel)


def column(setting: Any, like: Array) -> Array:
    """A setting of every run, `(R,)` or `(1,)`, so that it broadcasts against an array `(R, …)`."""
    return np.asarray(setting).reshape(-1, *[1] * (like.ndim - 1))


def beside(settings: Mapping[str, Any], like: Array) -> dict[str, Any]:
    """Settings so that those of every run broadcast against an array `(R, …)`; what is no array stays as it is."""
    return {k: column(v, like) if isinstance(v, np.ndarray) else v for k, v in settings.items()}


def total(a: Array, each: tuple[int, ...]) -> Array:
    """The sums over what shares a parameter of the shape `each`: over the samples, and over places in an image.

    A product with ones is several times quicker than `sum`.
    """
    rows = a.reshape(len(a), prod(each), -1)
    return (rows @ _ones(rows.shape[2], a.dtype)).reshape(len(a), *each)


def inner(a: Array, b: Array, each: tuple[int, ...]) -> Array:
    """The inner products of a and b over what shares a parameter, as above."""
    rows = (len(a), prod(each), -1)
    return np.vecdot(a.reshape(rows), b.reshape(rows)).reshape(len(a), *each)


@lru_cache(maxsize=64)
def _ones(count: int, dtype: np.dtype) -> Array:
    ones = np.ones((count, 1), dtype)
    ones.flags.writeable = False
    return ones


def no_gradient(dy: Array) -> tuple[Array | None, Parameters]:
    """The `back` of what is only evaluated."""
    raise NotImplementedError("evaluation has no gradients")
