"""What a layer is: named parameters, and a function `(parameters, x, pass) -> Output`.

Samples lie along the last axis, as columns: `(R, features, N)`. So the formulas read as in the papers, y = W x + b, the
weights of all runs lie under each other, and every elementwise loop and every sum over a minibatch runs along memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np

from dlsweep.registry import Registry

Array = np.ndarray
Parameters = dict[str, Array]  # by name, each `(R, …)`
kinds = Registry("layer", "dlsweep.layers")  # `(name, shape, **settings) -> Layer`, see `dlsweep.nn.sequences`

Back = Callable[[Any], tuple[Any, Parameters]]  # dy -> (dx, gradients by parameter name)

_CACHE = 1 << 18  # numbers that stay in a core's cache, with as many beside them


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
    """What samples go through a network for: to train it, or to evaluate it; and the draws of this moment.

    pieces: whether the next layer takes what this one makes in pieces.
    """

    training: bool
    draws: Draws
    pieces: bool = False


class Pieces(NamedTuple):
    """An output of images that never lies in memory as a whole: what is made in cache is used before it leaves it.

    shape: of the whole, `(R, C, H, W, N)`. give(runs, rows): this part of it, whenever it is asked for.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    give: Callable[[slice, slice], Array]

    def few(self, rows: int) -> Iterator[slice]:
        """The runs, as many at once as stay in cache with so many rows."""
        runs, channels, _, width, samples = self.shape
        few = max(1, _CACHE // (channels * rows * width * samples))
        return (slice(start, min(start + few, runs)) for start in range(0, runs, few))


# The gradient of an output that was taken in pieces, in the order in which they were taken: runs, rows, dy.
PieceGradients = Iterable[tuple[slice, slice, Array]]


class Output(NamedTuple):
    """What a layer makes of its input.

    y: `(R, …, N)`, or `Pieces` where the pass asks for them; back: of dy, or of `PieceGradients`; state: the next
    values of its parameters that are not trained; penalty: `(R,)`, what it adds to the minimized sum over the samples.
    """

    y: Any
    back: Back
    state: Parameters = {}  # noqa: RUF012
    penalty: Array | float = 0.0


class Layer(NamedTuple):
    """One step of a network, with its parameters for every run of the stack passed in.

    apply(parameters, x, pass): x is `(R, …, N)`, except in a network's first layer, which reads `list[Shared]` and
    whose `back` returns None for dx: nobody needs the gradient of the data.
    shape: of one sample of its output; () where it is that of its input.
    reads: in a first layer, the parameter whose last axis counts the input's features, which may then come in another
    order, the last of them left out; "" where their order matters.
    activation: whether it is one, so that its `back` of ones is its slope. monotone: and one without parameters that
    never falls (`activations.monotone`). greatest: whether an output is the greatest of some inputs.
    linear: whether its output is linear in the parameters W and b together, channel by channel. dense: whether it is
    y = W x + b, or W x where there is no b, for a W of any shape, as `fusion.fuse_for_evaluation` makes them.
    affine: where evaluation does no more than y = factor x + shift, channel by channel, these two, of the parameters.
    only_trains: whether evaluation leaves its input as it is.
    gives_pieces, takes_pieces: whether its output, its input may be `Pieces`.
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
    dense: bool = False
    gives_pieces: bool = False
    takes_pieces: bool = False
    affine: Callable[[Parameters], tuple[Array, Array]] | None = None
    only_trains: bool = False


def in_pieces(layers: Sequence[Layer]) -> list[bool]:
    """Of each layer, whether the next one takes its output in pieces, where nobody else looks at it."""
    return [*(one.gives_pieces and two.takes_pieces for one, two in pairwise(layers)), False]


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
    return (rows @ ones(rows.shape[2], a.dtype)).reshape(len(a), *each)


def inner(a: Array, b: Array, each: tuple[int, ...]) -> Array:
    """The inner products of a and b over what shares a parameter, as above."""
    rows = (len(a), prod(each), -1)
    return np.vecdot(a.reshape(rows), b.reshape(rows)).reshape(len(a), *each)


@lru_cache(maxsize=64)
def ones(count: int, dtype: np.dtype) -> Array:
    """A column `(count, 1)` of ones, to multiply with."""
    ones = np.ones((count, 1), dtype)
    ones.flags.writeable = False
    return ones


def no_gradient(dy: Array) -> tuple[Array | None, Parameters]:
    """The `back` of what is only evaluated."""
    raise NotImplementedError("evaluation has no gradients")
