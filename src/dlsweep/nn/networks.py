"""Networks: `(shape, classes, activated, **settings) -> layers`, as flat lists of layers.

shape: of one sample, `(features,)` or `(C, H, W)`. activated(suffix, shape, layer): the layers that follow an affine
layer whose outputs have that shape, which are its normalization, the arm's activation (or `layer` instead of it), and
the layers of its regularizers; suffix ends their names. The last layer of a network computes the logits.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen

from dlsweep.marks import ItemsOf
from dlsweep.nn.landscapes import landscapes
from dlsweep.nn.layers import Layer
from dlsweep.nn.sequences import Activated, Item, items, sequence
from dlsweep.registry import Count, Joined, Ratio, Registry
from dlsweep.signatures import Contract
from dlsweep.types import Shape

Pad = Annotated[int, Ge(0)] | Literal["same"]

networks = Registry("model", "dlsweep.networks", Contract(("shape", "classes", "activated")))
models = Joined("model", networks, landscapes)  # names for `model`: what learns from data, and what a point descends


@networks.register
def mlp(shape: Shape, classes: int, activated: Activated, *, hidden: list[Count] = [100]) -> list[Layer]:
    """Multilayer perceptron: dense layers of the `hidden` sizes, each with its activation, and one for the classes.

    hidden: units of each hidden layer.

    >>> bare = lambda suffix, shape, *own: []  # no activations, to keep it short
    >>> [(layer.name, layer.shape) for layer in mlp((784,), 10, bare, hidden=[40, 20])]
    [('dense1', (40,)), ('dense2', (20,)), ('dense3', (10,))]
    """
    of = [item for units in hidden for item in _dense(units)]
    return sequence(shape, classes, activated, [*of, {"dense": classes}])


@networks.register
def layers(
    shape: Shape, classes: int, activated: Activated, *, of: Annotated[list[Any], MinLen(1), ItemsOf(items)]
) -> list[Layer]:
    """List of layers: [{conv: {filters: 30, kernel: 5}}, activation, {pool: 2}, {dense: 100}, …].

    of: the layers, from the input on.

    `activation` is the arm's activation, with its normalization and regularizers; relu, tanh, … instead of it fix the
    activation for all arms. A dense layer for the classes is added, unless the last layer has that many outputs.

    >>> bare = lambda suffix, shape, *own: []
    >>> of = [{"conv": {"filters": 30, "kernel": 5}}, "activation", {"pool": 2}]
    >>> [(layer.name, layer.shape) for layer in layers((1, 28, 28), 10, bare, of=of)]
    [('conv1', (30, 24, 24)), ('pool1', (30, 12, 12)), ('dense1', (10,))]
    """
    return sequence(shape, classes, activated, of)


@networks.register
def simple_cnn(
    shape: Shape,
    classes: int,
    activated: Activated,
    *,
    filters: Count = 30,
    kernel: Count = 5,
    stride: Count = 1,
    pad: Pad = 0,
    pool: Count = 2,
    hidden: Count = 100,
) -> list[Layer]:
    """Convolution, activation, max-pooling, a dense layer of `hidden` units and its activation, one for the classes.

    filters: of the convolution; kernel: its height and width in pixels; stride: step of its window; pad: zeros on each
    side. pool: height and width of the pooling window. hidden: units of the dense layer.

    >>> [(layer.name, layer.shape) for layer in simple_cnn((1, 28, 28), 10, lambda suffix, shape, *own: [])]
    [('conv1', (30, 24, 24)), ('pool1', (30, 12, 12)), ('dense1', (100,)), ('dense2', (10,))]
    """
    of = [*_conv(filters, kernel, stride=stride, pad=pad), {"pool": pool}, *_dense(hidden)]
    return sequence(shape, classes, activated, [*of, {"dense": classes}])


@networks.register
def lenet(
    shape: Shape, classes: int, activated: Activated, *, variant: Literal["original", "modern"] = "original"
) -> list[Layer]:
    """LeNet-5's layout: 6@5×5, pooling, 16@5×5, pooling, 120@5×5, 84 units, and the classes (LeCun et al. 1998).

    variant: original, with average pooling; or modern, with max-pooling, which is usual today (with relu). Images of
    28×28 get a margin of 2 zeros, which makes them 32×32 as in Section II.B. Other parts of the paper are left out: the
    trained factors of pooling, the table of the maps that C3 reads (here all), the scaled tanh, the radial basis
    functions at the end.

    >>> [layer.shape for layer in lenet((1, 28, 28), 10, lambda suffix, shape, *own: [])]
    [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1), (84,), (10,)]
    """
    pooling: Item = {"pool": {"size": 2, "kind": "average" if variant == "original" else "max"}}
    margin = 2 if shape[1:] == (28, 28) else 0
    of = [*_conv(6, 5, pad=margin), pooling, *_conv(16, 5), pooling, *_conv(120, 5), *_dense(84)]
    return sequence(shape, classes, activated, [*of, {"dense": classes}])


@networks.register
def alexnet(
    shape: Shape,
    classes: int,
    activated: Activated,
    *,
    scale: Literal["small", "original"] = "small",
    lrn: bool = True,
    overlap: bool = True,
    dropout: Ratio = 0.5,
) -> list[Layer]:
    """AlexNet: five convolutions, local response normalization, overlapping pooling, dropout (Krizhevsky et al. 2012).

    scale: `original` is the paper's network for 3×227×227 images, its two halves as groups: 60 965 224 parameters for
    1000 classes; `small` has its layout for images of 28×28 or 32×32, a sixth of its filters and 128 dense units.
    lrn: after the first two activations; overlap: pooling windows of size 3 and stride 2, else of size 2; dropout: of
    the dense layers' units. With `activation` these are the techniques of the paper's Sections 3 and 4.

    >>> import math
    >>> paper = alexnet((3, 227, 227), 1000, lambda suffix, shape, *own: [], scale="original")
    >>> sum(math.prod(p.shape) for layer in paper for p in layer.parameters.values())
    60965224
    """
    if scale == "original":
        first, widths, units, halves = _conv(96, 11, stride=4), (256, 384, 384, 256), 4096, 2
    else:
        first, widths, units, halves = _conv(16, 5, pad=2), (32, 48, 48, 32), 128, 1
    kernels, groups = (5, 3, 3, 3), (halves, 1, halves, halves)
    others = (_conv(f, k, pad=k // 2, groups=g) for f, k, g in zip(widths, kernels, groups, strict=True))
    second, third, fourth, fifth = others
    response: list[Item] = ["lrn"] if lrn else []
    pooling: Item = {"pool": {"size": 3 if overlap else 2, "stride": 2}}
    dropped: list[Item] = [{"dropout": dropout}] if dropout else []
    of = [*first, *response, pooling, *second, *response, pooling, *third, *fourth, *fifth, pooling]
    return sequence(shape, classes, activated, [*of, *(2 * [*_dense(units), *dropped]), {"dense": classes}])


@networks.register
def vgg(
    shape: Shape,
    classes: int,
    activated: Activated,
    *,
    widths: list[Count] = [16, 32, 64],
    depth: Count = 2,
    hidden: list[Count] = [128],
) -> list[Layer]:
    """VGG: blocks of `depth` 3×3 convolutions that keep the size, then max-pooling (Simonyan & Zisserman 2015).

    depth: convolutions in each block; widths: the filters of each block; hidden: the units of each dense layer before
    the last one. The paper's networks have five blocks of 64 to 512 filters, and two dense layers of 4096 units.

    >>> [layer.shape for layer in vgg((3, 32, 32), 10, lambda suffix, shape, *own: [], widths=[16, 32], depth=1)]
    [(16, 32, 32), (16, 16, 16), (32, 16, 16), (32, 8, 8), (128,), (10,)]
    """
    of: list[Item] = []
    for filters in widths:
        of += [*(depth * _conv(filters, 3, pad="same")), {"pool": 2}]
    for units in hidden:
        of += _dense(units)
    return sequence(shape, classes, activated, [*of, {"dense": classes}])


def _conv(filters: int, kernel: int, **settings: Any) -> list[Item]:
    return [{"conv": {"filters": filters, "kernel": kernel, **settings}}, "activation"]


def _dense(units: int) -> list[Item]:
    return [{"dense": units}, "activation"]
