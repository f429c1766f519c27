"""Layers: named parameters, and a function `(parameters, x, context) -> Output`.

Samples lie along the last axis, as columns: `(R, features, N)`. So the formulas read as in the papers, y = W x + b, the
weights of all runs lie under each other, and every elementwise loop and every sum over a minibatch runs along memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import prod
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from dlsweep.registry import Registry
from dlsweep.signatures import Contract
from dlsweep.types import Array, Shape

Parameters = dict[str, Array]  # by name, each `(R, …)`

# The kinds of layer, `(name, shape, **settings) -> Layer`; see `dlsweep.nn.sequences`.
kinds = Registry("layer", "dlsweep.layers", Contract(("name", "shape")))

Back = Callable[[Any], tuple[Any, Parameters]]  # dy -> (dx, gradients by parameter name)
Apply = Callable[[Parameters, Any, "Context"], "Output"]


class Parameter(NamedTuple):
    """Shape of a parameter in one run, its fans, its initial value, and True if it is trained.

    Kernels have fans: initializers fill them and regularizers penalize them. Other parameters begin at `start`, one
    number or one for each run, `(R,)`. A parameter that is not trained, such as a running mean, has no gradient: the
    layer returns its next value.
    """

    shape: Shape
    fan_in: int = 0
    fan_out: int = 0
    start: Any = 0.0
    trained: bool = True

    @property
    def kernel(self) -> bool:
        """True for a kernel.

        >>> Parameter((2, 3), fan_in=3, fan_out=2).kernel, Parameter((2, 1)).kernel
        (True, False)
        """
        return self.fan_in > 0


class SharedInput(NamedTuple):
    """Array that a slice of the stack's runs has in common: the test images, or the minibatch of one seed.

    x: `(*shape, N)`; or `(features, N)`, without some of the last features, which are zero in all these samples.
    """

    x: Array
    runs: slice


def materialize(inputs: list[SharedInput]) -> Array:
    """Copy the shared arrays for each run: `(R, *shape, N)`.

    >>> one, other = np.array([[1, 2]]), np.array([[3, 4]])
    >>> materialize([SharedInput(one, slice(0, 2)), SharedInput(other, slice(2, 3))]).tolist()
    [[[1, 2]], [[1, 2]], [[3, 4]]]
    """
    first = inputs[0].x
    copies = np.empty((inputs[-1].runs.stop, *first.shape), first.dtype)
    for x, runs in inputs:
        copies[runs] = x
    return copies


class Draws(Protocol):
    """Random numbers by purpose, the same for all runs of a seed; shape: of the numbers of one run."""

    def bits(self, purpose: str, shape: Shape) -> list[SharedInput]:
        """Return numbers of 32 random bits, uint32."""

    def normal(self, purpose: str, shape: Shape) -> list[SharedInput]:
        """Return Gaussian numbers with mean 0 and standard deviation 1, float32."""


class Context(NamedTuple):
    """Purpose of a pass, training or evaluation, and the random draws of its step."""

    training: bool
    draws: Draws


class Output(NamedTuple):
    """Result of a layer.

    y: `(R, …, N)`; back: of dy; state: the next values of its parameters that are not trained; penalty: `(R,)`, its
    addition to the minimized sum over the samples.
    """

    y: Any
    back: Back
    state: Parameters = {}  # noqa: RUF012
    penalty: Array | float = 0.0


class Facts(NamedTuple):
    """Statements about a layer that observers and the rewriting passes of `dlsweep.nn.fusion` rely on.

    Other facts are not assumed. A layer that wraps another one states its own facts.

    activation: it is an activation, and its `back` of ones is its slope. non_decreasing: an activation without
    parameters that never decreases. is_max: each output is the maximum of some inputs. affine: y is affine in x, and
    linear where all parameters except the kernels are 0. linear: y is linear in its parameters W and b together,
    channel by channel. scale_and_shift(parameters): factor and shift, where evaluation computes factor · x + shift,
    channel by channel. training_only: evaluation returns the input. reads_shared: as a network's first layer it reads
    `list[SharedInput]`; for other first layers the input is copied for each run. reorders: the parameter whose last
    axis counts the input's features, which may then come in another order, some of the last ones left out; "" where
    their order matters. tiled: an `apply` whose output is `dlsweep.nn.patches.Tiles`; takes_tiles: the input may be
    `Tiles`. route: its part in a block of branches, see `dlsweep.nn.forward`; "" for layers with one input.
    """

    activation: bool = False
    non_decreasing: bool = False
    is_max: bool = False
    affine: bool = False
    linear: bool = False
    scale_and_shift: Callable[[Parameters], tuple[Array, Array]] | None = None
    training_only: bool = False
    reads_shared: bool = False
    reorders: str = ""
    tiled: Apply | None = None
    takes_tiles: bool = False
    route: Literal["", "fork", "next", "join"] = ""

    @property
    def dense(self) -> bool:
        """True for y = W x + b, or W x where there is no b, for a W of any shape."""
        return self.linear and self.reorders == "W"


UNKNOWN = Facts()


class Layer(NamedTuple):
    """Layer of a network; the parameters of every run of the stack are passed in.

    apply(parameters, x, context): x is `(R, …, N)`. shape: of one sample of the output; () for the shape of the input.
    """

    name: str
    apply: Apply
    parameters: Mapping[str, Parameter] = {}
    shape: Shape = ()
    facts: Facts = UNKNOWN

    @property
    def kernels(self) -> list[str]:
        """Names of its kernels.

        >>> Layer("fc", None, {"W": Parameter((2, 3), fan_in=3, fan_out=2), "b": Parameter((2, 1))}).kernels
        ['W']
        """
        return [name for name, parameter in self.parameters.items() if parameter.kernel]

    def wrapped(self, apply: Apply, facts: Facts = UNKNOWN) -> Layer:
        """Return a layer with the same name, parameters and shape that computes `apply`, with only these facts.

        >>> layer = Layer("a", lambda p, x, context: Output(x, lambda dy: (dy, {})), facts=Facts(affine=True))
        >>> layer.wrapped(layer.apply).facts.affine
        False
        """
        return self._replace(apply=apply, facts=facts._replace(activation=self.facts.activation))


def size(layers: Iterable[Layer]) -> int:
    """Count the trained parameters of one run of a network.

    >>> size([Layer("fc", None, {"W": Parameter((2, 3), 3, 2), "mean": Parameter((2, 1), trained=False)})])
    6
    """
    return sum(prod(p.shape) for layer in layers for p in layer.parameters.values() if p.trained)


def multiplications(layers: Iterable[Layer]) -> int:
    """Count the multiplications of one sample in a forward pass: every kernel, at every position of the output.

    >>> multiplications([Layer("conv", None, {"W": Parameter((6, 1, 5, 5), 25, 150)}, (6, 24, 24))])
    86400
    """
    return sum(prod(p.shape) * prod(layer.shape[1:]) for layer in layers for p in layer.parameters.values() if p.kernel)


def column(setting: Any, like: Array) -> Array:
    """Reshape a setting of every run, `(R,)` or `(1,)`, so that it broadcasts against an array `(R, …)`.

    >>> column([0.1, 0.2], np.zeros((2, 3, 4))).shape
    (2, 1, 1)
    """
    return np.asarray(setting).reshape(-1, *[1] * (like.ndim - 1))


def broadcast(settings: Mapping[str, Any], like: Array) -> dict[str, Any]:
    """Reshape settings so that arrays `(R,)` broadcast against an array `(R, …)`; others stay the same.

    >>> settings = broadcast({"lr": np.array([0.1, 0.2]), "mode": "classic"}, np.zeros((2, 3)))
    >>> settings["lr"].shape, settings["mode"]
    ((2, 1), 'classic')
    """
    return {k: column(v, like) if isinstance(v, np.ndarray) else v for k, v in settings.items()}


def total(a: Array, each: Shape) -> Array:
    """Sum over everything that shares a parameter of the shape `each`: over samples, and over positions of an image.

    A product with ones is several times faster than `sum`.

    >>> total(np.ones((1, 2, 3, 4)), (2, 1)).tolist()
    [[[12.0], [12.0]]]
    """
    rows = a.reshape(len(a), prod(each), -1)
    return (rows @ ones(rows.shape[2], a.dtype)).reshape(len(a), *each)


def inner(a: Array, b: Array, each: Shape) -> Array:
    """Return the inner products of a and b over everything that shares a parameter of the shape `each`.

    >>> inner(np.ones((1, 2, 3)), np.full((1, 2, 3), 2.0), (2, 1)).tolist()
    [[[6.0], [6.0]]]
    """
    rows = (len(a), prod(each), -1)
    return np.vecdot(a.reshape(rows), b.reshape(rows)).reshape(len(a), *each)


@lru_cache(maxsize=64)
def ones(count: int, dtype: np.dtype) -> Array:
    """Return a read-only column `(count, 1)` of ones.

    >>> ones(2, np.dtype(np.float64)).tolist()
    [[1.0], [1.0]]
    """
    ones = np.ones((count, 1), dtype)
    ones.flags.writeable = False
    return ones


def no_gradient(dy: Array) -> tuple[Array | None, Parameters]:
    """Serve as the `back` of an output that is only evaluated: raise NotImplementedError.

    >>> Output(np.zeros((1, 2, 3)), no_gradient).back(np.ones((1, 2, 3)))
    Traceback (most recent call last):
    NotImplementedError: evaluation has no gradients
    """
    raise NotImplementedError("evaluation has no gradients")
