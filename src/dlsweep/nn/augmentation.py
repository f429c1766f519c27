"""Data augmentation: random changes of the training samples, with the same draws in every arm."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from dlsweep.errors import UsageError
from dlsweep.marks import Off
from dlsweep.nn.layers import Context, Facts, Layer, Output, Parameters, SharedInput, column, materialize
from dlsweep.nn.patches import image_of
from dlsweep.nn.regularizers import Augment, Regularizer, regularizers
from dlsweep.registry import Ratio, Strength
from dlsweep.types import Array, Shape


@regularizers.register
def input_noise(*, std: Strength = 0.1) -> Regularizer:
    """Gaussian noise with standard deviation `std` on the input, in training only (Bishop 1995, Section 1).

    std: standard deviation of the noise.

    >>> input_noise(std=np.array([0.1])).wrap_input is None
    False
    """

    def wrap_input(layer: Layer) -> Layer:

        def apply(p: Parameters, x: list[SharedInput], context: Context) -> Output:
            if not context.training:
                return layer.apply(p, x, context)
            noise = [
                n._replace(x=n.x.astype(x[0].x.dtype, copy=False))
                for n in context.draws.normal(f"noise/{layer.name}", x[0].x.shape)
            ]
            if not layer.facts.affine:
                noised = materialize(x)
                noised += column(std, noised) * materialize(noise)
                return layer.apply(
                    p, [SharedInput(own, slice(run, run + 1)) for run, own in enumerate(noised)], context
                )
            # For an affine layer f(x + s n) = f(x) + s (f(n) − f(0)), so runs with different strengths s still share
            # the data and the noise.
            output = layer.apply(p, x, context)
            kernels = {k: p[k] if layer.parameters[k].kernel else np.zeros_like(p[k]) for k in p}
            noisy = layer.apply(kernels, noise, context)
            s = column(std, output.y)

            def back(dy: Array) -> tuple[Array | None, Parameters]:
                dx, gradients = output.back(dy)
                _, from_noise = noisy.back(s * dy)
                return dx, {k: g + from_noise[k] if layer.parameters[k].kernel else g for k, g in gradients.items()}

            return output._replace(y=output.y + s * noisy.y, back=back)

        return layer.wrapped(apply, Facts(reads_shared=True, reorders=layer.facts.reorders))

    return Regularizer(wrap_input=wrap_input)


@regularizers.register
def crop(*, pad: Annotated[int, Ge(0), Off(0)] = 4) -> Regularizer:
    """Random crops: in training, each image is padded with `pad` zeros on each side and cropped to its former size.

    pad: zeros on each side, in pixels.

    The crop's position is drawn uniformly for each image and step, the same in every arm. Evaluation uses the images
    unchanged (He et al. 2016, Section 4.2). In standardized data a zero is the mean.

    >>> crop(pad=9).augmented((1, 8, 8))
    Traceback (most recent call last):
    dlsweep.errors.UsageError: crop.pad must be below the size of an image, 8 × 8, got 9
    """

    def augmented(shape: Shape) -> Augment:
        height, width = image_of("crop", shape)
        if pad >= min(height, width):
            raise UsageError(f"crop.pad must be below the size of an image, {height} × {width}, got {pad}")

        def change(inputs: list[SharedInput], context: Context) -> list[SharedInput]:
            draws = context.draws.bits("crop", (2, inputs[0].x.shape[-1]))
            return [s._replace(x=_cropped(s.x, pad, (_drawn(draws, s) * (2 * pad + 1)).astype(int))) for s in inputs]

        return change

    return Regularizer(augmented=augmented)


@regularizers.register
def flip(*, ratio: Ratio = 0.5) -> Regularizer:
    """Random flips: in training, each image is mirrored left to right with probability `ratio`.

    ratio: probability of a mirrored image.

    Each image and step has one draw, the same in every arm; an image mirrored at ratio 0.2 is mirrored at 0.5 too
    (Krizhevsky et al. 2012, Section 4.1).

    >>> flip(ratio=np.array([0.5])).augmented((1, 28, 28)) is None
    False
    """

    def augmented(shape: Shape) -> Augment:
        image_of("flip", shape)

        def change(inputs: list[SharedInput], context: Context) -> list[SharedInput]:
            draws = context.draws.bits("flip", inputs[0].x.shape[-1:])
            return [flipped for s in inputs for flipped in _mirrored(s, _drawn(draws, s), ratio)]

        return change

    return Regularizer(augmented=augmented)


def _drawn(draws: list[SharedInput], s: SharedInput) -> Array:
    """Return the draws of the seed that the runs of `s` have in common, as uniform numbers on [0, 1)."""
    bits = next(x for x, runs in draws if runs.start <= s.runs.start < runs.stop)
    u: Array = (bits >> 8).astype(np.float32) * np.float32(2**-24)
    return u


def _mirrored(s: SharedInput, u: Array, ratio: Any) -> Iterator[SharedInput]:
    """Yield the images, mirrored where a draw is below the ratio. Runs with the same ratio still share an array."""
    start = s.runs.start
    for r, alike in groupby(ratio[s.runs] if len(ratio) > 1 else np.repeat(ratio, s.runs.stop - start)):
        stop = start + len(list(alike))
        yield SharedInput(np.where(u < r, s.x[..., ::-1, :], s.x), slice(start, stop))
        start = stop


def _cropped(x: Array, pad: int, corners: Array) -> Array:
    """Pad images `(C, H, W, N)`, and crop each to its former size; corners: `(2, N)`, top and left of each crop."""
    _, height, width, _ = x.shape
    images = np.moveaxis(x, -1, 0)  # in the order of memory
    wide = np.pad(images, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    cropped = np.empty_like(images)
    for crop, image, (top, left) in zip(cropped, wide, corners.T, strict=True):
        crop[...] = image[:, top : top + height, left : left + width]
    return np.moveaxis(cropped, 0, -1)
