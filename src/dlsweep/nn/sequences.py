"""Networks as lists of layers: `[{conv: {filters: 30, kernel: 5}}, activation, {pool: 2}, {dense: 100}, activation]`.

An item is a name, or a name with settings; a value that is not a mapping belongs to the first setting. Names are the
kinds of layer, `(name, shape, **settings) -> Layer` with the shape of one sample of the input; every normalization, as
a separate layer; and every activation, which then replaces `activation`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import MinLen

from dlsweep.errors import UsageError
from dlsweep.nn import convolution, dense, pooling  # noqa: F401  they register kinds of layer
from dlsweep.nn.activations import activation_layer, activations
from dlsweep.nn.forward import add, begin, concatenate
from dlsweep.nn.layers import Context, Facts, Layer, Output, Parameters, SharedInput, kinds, materialize
from dlsweep.nn.normalization import normalizations, refuse_pointless
from dlsweep.nn.regularizers import regularizers
from dlsweep.registry import Choice, Entry, Joined, Ratio
from dlsweep.types import Shape


class LayerError(UsageError):
    """Error in a layer of a list; number: of the layer, counted from 1."""

    def __init__(self, number: int, sentence: str):
        super().__init__(sentence)
        self.number = number


Item = str | Mapping[str, Any]
Activated = Callable[..., list[Layer]]  # (suffix, shape, activation layer = the arm's)

items = Joined("layer", kinds, normalizations, activations)


@kinds.register
def activation(name: str, shape: Shape) -> Layer:
    """Activation of the arm, with its normalization before or after it, and its regularizers.

    >>> from dlsweep.nn.networks import layers
    >>> relu = lambda suffix, shape: [activation_layer(f"relu{suffix}", shape, activations["relu"], {})]
    >>> [layer.name for layer in layers((4,), 10, relu, of=[{"dense": 5}, "activation"])]
    ['dense1', 'relu1', 'dense2']
    """
    raise UsageError("only a network knows its arm's activation")


@kinds.register
def dropout(name: str, shape: Shape, *, ratio: Ratio = 0.5, mode: Literal["inverted", "classic"] = "inverted") -> Layer:
    """Dropout at this position only, independent of the arm's regularizers; same settings as the regularizer.

    ratio: probability that an output is set to 0. mode: inverted or classic.

    >>> dropout("dropout1", (4,), ratio=0.2).facts.training_only
    True
    """
    layer: Layer = regularizers["dropout"](ratio=np.array([ratio], np.float32), mode=mode).activated(name, shape)
    return layer


@kinds.register
def residual(name: str, shape: Shape, *, of: Annotated[list[Any], MinLen(1)]) -> Layer:
    """Block of layers whose input is added to its output: y = x + F(x) (He et al. 2016, Equation 1).

    of: the layers of F. If F(x) and x have different shapes, the shortcut is a projection (Equation 2): for images a
    1×1 convolution without bias, with the stride that gives F(x)'s height and width; otherwise a dense layer.

    >>> bare = lambda suffix, shape, *own: []
    >>> [layer.name for layer in sequence((4,), 10, bare, [{"residual": [{"dense": 4}]}])]
    ['residual1_fork', 'dense1', 'residual1_next1', 'residual1', 'dense2']
    """
    raise UsageError("residual is a block of a list of layers")


@kinds.register
def parallel(name: str, shape: Shape, *, of: Annotated[list[Annotated[list[Any], MinLen(1)]], MinLen(2)]) -> Layer:
    """Branches that read the same input, with outputs concatenated along the channels (Szegedy et al. 2015).

    of: a list of layers for each branch. The outputs must have the same height and width.

    >>> bare = lambda suffix, shape, *own: []
    >>> [layer.name for layer in sequence((4,), 10, bare, [{"parallel": [[{"dense": 2}], [{"dense": 3}]]}])]
    ['parallel1_fork', 'dense1', 'parallel1_next1', 'dense2', 'parallel1', 'dense3']
    """
    raise UsageError("parallel is a block of a list of layers")


def sequence(shape: Shape, classes: int, activated: Activated, of: Sequence[Item]) -> list[Layer]:
    """Return the layers of a list, and a dense layer for the classes unless the last one has that many outputs.

    Layers are numbered by kind: conv1, pool1, conv2, dense1. Layers that belong to the n-th activation have its number.
    Blocks of branches are parts of the flat list, see `dlsweep.nn.forward`.

    >>> bare = lambda suffix, shape, *own: []  # no activations, to keep it short
    >>> [(layer.name, layer.shape) for layer in sequence((1, 8, 8), 10, bare, [{"conv": {"filters": 4}}, {"pool": 2}])]
    [('conv1', (4, 6, 6)), ('pool1', (4, 3, 3)), ('dense1', (10,))]
    """
    made = _Builder(shape, activated)
    for number, item in enumerate(of, start=1):
        try:
            made.add(item)
        except UsageError as error:
            raise LayerError(number, f"layer {number} of {len(of)}: {error}") from None
    if not made.layers or made.here != (classes,) or made.layers[-1].facts.activation:
        made.add({"dense": classes})
    return [_first(made.layers[0]), *made.layers[1:]]


class _Builder:
    """Layers of a list so far."""

    def __init__(self, shape: Shape, activated: Activated):
        self.shape, self.activated = shape, activated
        self.layers: list[Layer] = []
        self.numbers: Counter[str] = Counter()

    @property
    def here(self) -> Shape:
        """Shape of one sample of the last layer's output."""
        return self.layers[-1].shape if self.layers else self.shape

    def add(self, item: Item) -> None:
        """Add the layers of an item."""
        entry, settings = _read(item)
        kind = "activation" if entry.kind == "activation" else entry.name
        self.numbers[kind] += 1
        name = f"{kind}{self.numbers[kind]}"
        if kind == "activation":
            own = [activation_layer(name, self.here, entry, settings)] if entry.kind == kind else []
            new = self.activated(str(self.numbers[kind]), self.here, *own)
        elif entry.kind == "normalization":
            around = entry(name, self.here, **settings)
            refuse_pointless([around])
            new = [*around.before, *around.after]
        elif entry.name == "residual":
            return self._block(name, [settings["of"], None], add)
        elif entry.name == "parallel":
            return self._block(name, settings["of"], concatenate)
        else:
            new = [_shape_checked(entry, entry(name, self.here, **settings), self.here)]
        here = self.here
        self.layers.extend(layer if layer.shape else layer._replace(shape=here) for layer in new)
        return None

    def _block(self, name: str, branches: Sequence[Sequence[Item] | None], join: Callable[..., Layer]) -> None:
        """Add the layers of a block; None: the shortcut of a residual block."""
        shape, ends = self.here, list[Shape]()
        for number, branch in enumerate(branches):
            self.layers.append(begin(f"{name}_next{number}", shape) if number else begin(f"{name}_fork", shape, "fork"))
            for item in _projection(name, shape, ends[-1]) if branch is None else branch:
                self.add(item)
            ends.append(self.here)
        self.layers.append(join(name, ends))


def _shape_checked(entry: Entry, layer: Layer, shape: Shape) -> Layer:
    """Return a layer of another package with a check that its outputs have the shape that it states."""
    if not entry.foreign:
        return layer
    if not isinstance(layer, Layer):
        raise entry.broken("a Layer", type(layer).__name__)
    stated = layer.shape or shape

    def apply(p: Parameters, x: Any, context: Context) -> Output:
        output = layer.apply(p, x, context)
        if (found := np.shape(output.y)[1:-1]) != stated:
            raise entry.broken(f"outputs of the stated shape {stated} for a sample", str(found))
        return output

    return layer._replace(apply=apply)


def _projection(name: str, shape: Shape, end: Shape) -> list[Item]:
    """Return the shortcut of a residual block, from the shape of its input to the shape at the end of its layers."""
    if shape == end:
        return []
    if len(end) == 1:
        return [{"dense": end[0]}]
    if len(shape) == 3:
        strides = [-(-n // m) for n, m in zip(shape[1:], end[1:], strict=True)]
        if [-(-n // s) for n, s in zip(shape[1:], strides, strict=True)] == [*end[1:]]:
            return [{"conv": {"filters": end[0], "kernel": 1, "stride": strides, "bias": False}}]
    told = " and ".join("×".join(map(str, s)) for s in (shape, end))
    raise UsageError(f"{name}: no projection leads from its input to its output, {told}; use pad: same")


def _read(item: Any) -> tuple[Entry, dict[str, Any]]:
    """Return the entry of an item and all its settings, as arrays where the runs of a stack may differ."""
    if not isinstance(item, str) and not (isinstance(item, Mapping) and len(item) == 1):
        raise UsageError(f"an item of a block is a name, or one name with settings, got {item!r}")
    name, value = next(iter(item.items())) if isinstance(item, Mapping) else (item, None)
    entry = items[name]
    if faults := entry.check(value)[1]:
        raise UsageError(faults[0].sentence)
    settings = entry.complete(entry.named(value))
    if entry.kind == kinds.kind:
        return entry, settings
    return entry, entry.columns([Choice(name, settings)], np.float32)


def _first(layer: Layer) -> Layer:
    """Return a network's first layer, which reads shared inputs. They are copied for each run if the layer cannot."""
    if layer.facts.reads_shared:
        return layer

    def apply(p: Parameters, x: list[SharedInput], context: Context) -> Output:
        output = layer.apply(p, materialize(x), context)
        return output._replace(back=lambda dy: (None, output.back(dy)[1]))

    return layer.wrapped(apply, Facts(reads_shared=True, route=layer.facts.route))
