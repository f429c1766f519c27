"""Networks as lists of layers: `[{conv: {filters: 30, kernel: 5}}, activation, {pool: 2}, {dense: 100}, activation]`.

An item is a name, or a name with settings; a value that is no mapping is that of the first setting. The names are
those of the kinds of layer, `(name, shape, **settings) -> Layer` with the shape of one sample of the input; of every
normalization, as a layer of its own; and of every activation, which then stands where `activation` would be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.nn import convolution, dense, pooling  # noqa: F401  they register kinds of layer
from dlsweep.nn.activations import activation_layer, activations
from dlsweep.nn.layers import Context, Facts, Layer, Output, Parameters, SharedInput, kinds, materialize
from dlsweep.nn.normalization import normalizations, refuse_pointless
from dlsweep.nn.regularizers import regularizers
from dlsweep.registry import Entry, Joined, Ratio


class LayerError(UsageError):
    """A layer of a list that cannot be made; number: which, from 1."""

    def __init__(self, number: int, sentence: str):
        super().__init__(sentence)
        self.number = number


Item = str | Mapping[str, Any]
Activated = Callable[..., list[Layer]]  # (suffix, shape, activation layer = the arm's)

items = Joined("layer", kinds, normalizations, activations)


@kinds.register
def activation(name: str, shape: tuple[int, ...]) -> Layer:
    """The arm's activation, with its normalization before or after it and its regularizers."""
    raise UsageError("only a network knows its arm's activation")


@kinds.register
def dropout(
    name: str, shape: tuple[int, ...], *, ratio: Ratio = 0.5, mode: Literal["inverted", "classic"] = "inverted"
) -> Layer:
    """Dropout at this place alone, whatever the arm's regularizers; the settings are those of that regularizer."""
    layer: Layer = regularizers["dropout"](ratio=np.array([ratio], np.float32), mode=mode).activated(name, shape)
    return layer


def sequence(shape: tuple[int, ...], classes: int, activated: Activated, of: Sequence[Item]) -> list[Layer]:
    """The layers of a list, and at its end, where it does not end with one that has as many outputs, dense for classes.

    Layers are numbered by kind: conv1, pool1, conv2, dense1. What follows the n-th activation carries its number.
    """
    layers: list[Layer] = []
    numbers: Counter[str] = Counter()

    def add(item: Item) -> None:
        entry, settings = _read(item)
        here = layers[-1].shape if layers else shape
        kind = "activation" if entry.kind == "activation" else entry.name
        numbers[kind] += 1
        name = f"{kind}{numbers[kind]}"
        if kind == "activation":
            own = [activation_layer(name, here, entry, settings)] if entry.kind == kind else []
            new = activated(str(numbers[kind]), here, *own)
        elif entry.kind == "normalization":
            around = entry(name, here, **settings)
            refuse_pointless([around])
            new = [*around.before, *around.after]
        else:
            new = [entry(name, here, **settings)]
        layers.extend(layer if layer.shape else layer._replace(shape=here) for layer in new)

    for number, item in enumerate(of, start=1):
        try:
            add(item)
        except UsageError as error:
            raise LayerError(number, f"layer {number} of {len(of)}: {error}") from None
    if not layers or layers[-1].shape != (classes,) or layers[-1].facts.activation:
        add({"dense": classes})
    return [_first(layers[0]), *layers[1:]]


def _read(item: Item) -> tuple[Entry, dict[str, Any]]:
    """The registered name of an item and all its settings; numbers as arrays where the runs of a stack may differ."""
    name, value = next(iter(item.items())) if isinstance(item, Mapping) else (item, {})
    entry = items[name]
    given = value if isinstance(value, Mapping) else {next(iter(entry.settings)): value}
    settings = {k: s.default for k, s in entry.settings.items() if not s.required} | dict(given)
    stack = {k for k, s in entry.settings.items() if s.stacks and entry.kind != kinds.kind}
    return entry, {k: np.array([v], np.float32) if k in stack else v for k, v in settings.items()}


def _first(layer: Layer) -> Layer:
    """Return a network's first layer, which reads what runs share: copied for each run where it cannot."""
    if layer.facts.reads_shared:
        return layer

    def apply(p: Parameters, x: list[SharedInput], context: Context) -> Output:
        output = layer.apply(p, materialize(x), context)
        return output._replace(back=lambda dy: (None, output.back(dy)[1]))

    return layer.wrapped(apply, Facts(reads_shared=True))
