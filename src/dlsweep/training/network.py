"""The network of a stack: layers with the settings of every run, and the regularizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dlsweep.config.runs import Arm
from dlsweep.datasets.base import Dataset
from dlsweep.errors import UsageError
from dlsweep.nn.activations import activation_layer, activations
from dlsweep.nn.fusion import pool_first, tile
from dlsweep.nn.layers import Apply, Layer
from dlsweep.nn.networks import networks
from dlsweep.nn.normalization import Around, normalizations, refuse_pointless
from dlsweep.nn.regularizers import Augment, Regularizer, regularizers
from dlsweep.types import Array


class Network(NamedTuple):
    """The layers of a stack's runs and the regularizers that act on them.

    layers: in the order in which they are written, which every observer of their outputs sees. fused: the layers that
    train, rewritten for speed, with the same parameters in the same positions.
    """

    layers: list[Layer]
    fused: list[Layer]
    regularizers: list[Regularizer]

    @property
    def smoothing(self) -> Array | None:
        """Label smoothing of every run, `(R,)` or `(1,)`."""
        return next((r.smoothing for r in self.regularizers if r.smoothing is not None), None)


def build(arms: Sequence[Arm], data: Dataset, dtype: Any = np.float32) -> Network:
    """Build the network of the arms of a cohort, one arm for each run, for the samples and classes of `data`."""
    arm = arms[0]  # whatever is code is the same in every arm of a cohort
    activation, normalization = activations[arm.activation.name], normalizations[arm.normalization.name]
    activated_by = activation.columns([a.activation for a in arms], dtype)
    normalized_by = normalization.columns([a.normalization for a in arms], dtype)
    names = [choice.name for choice in arm.regularizer]
    acting: list[Regularizer] = [
        regularizers[name].function(**regularizers[name].columns([a.regularizer[i] for a in arms], dtype))
        for i, name in enumerate(names)
    ]

    # A layer that averages the columns of each sample comes first: the others then see one column a sample.
    following = sorted(zip(names, acting, strict=True), key=lambda named: -named[1].columns)
    places: list[Around] = []

    def activated(suffix: str, shape: tuple[int, ...], own: Layer | None = None) -> list[Layer]:
        around = normalization.function(f"normalization{suffix}", shape, **normalized_by)
        places.append(around)
        return [
            *around.before,
            own or activation_layer(f"activation{suffix}", shape, activation, activated_by),
            *around.after,
            *(r.activated(f"{n}{suffix}", shape) for n, r in following if r.activated),
        ]

    layers: list[Layer] = networks[arm.model.name].function(data.shape, data.classes, activated, **arm.model.settings)
    refuse_pointless(places)
    for name, regularizer in zip(names, acting, strict=True):
        if regularizer.columns > 1:
            _refuse_without_activation(layers, name)
        if regularizer.wrap:
            layers = [*(_replaced(layer, regularizer.wrap(layer)) for layer in layers[:-1]), layers[-1]]
        if regularizer.wrap_input:
            layers = [_replaced(layers[0], regularizer.wrap_input(layers[0])), *layers[1:]]
    for regularizer in acting[::-1]:
        if regularizer.augmented:
            layers = [_augmented(layers[0], regularizer.augmented(data.shape)), *layers[1:]]
    return Network(layers, tile(pool_first(layers)), acting)


def _replaced(layer: Layer, wrapped: Layer) -> Layer:
    """Return the replacement of a layer, without facts that it only inherited."""
    return layer if wrapped is layer else wrapped.wrapped(wrapped.apply) if wrapped.facts is layer.facts else wrapped


def _refuse_without_activation(layers: Sequence[Layer], regularizer: str) -> None:
    """Raise `UsageError` if no activation follows a layer whose evaluation has several columns a sample."""
    open_ = ""  # the last layer with a kernel, until an activation follows it
    for layer in layers:
        if open_ and (layer.kernels or layer.facts.route or (layer is layers[-1] and not layer.facts.activation)):
            raise UsageError(
                f"{regularizer} averages the activations of several draws in evaluation, and no activation follows "
                f"{open_}; add one, or use inference: mean"
            )
        open_ = layer.name if layer.kernels else "" if layer.facts.activation else open_


def _augmented(first: Layer, change: Augment) -> Layer:
    """Return a network's first layer with a change of its samples in training."""

    def changed(original: Apply) -> Apply:
        return lambda p, x, context: original(p, change(x, context) if context.training else x, context)

    tiled = first.facts.tiled
    return first._replace(apply=changed(first.apply), facts=first.facts._replace(tiled=tiled and changed(tiled)))
