"""Regularizers: `(**settings) -> Regularizer`, what a technique against overfitting does, and where in the training.

Number settings are arrays `(R,)`, one value a run. A run may have several regularizers at once. One whose settings are
all at the value that their annotation calls `off` does nothing, and folds into `none`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge

from dlsweep.errors import UsageError
from dlsweep.nn.layers import (
    Array,
    Context,
    Facts,
    Layer,
    Output,
    Parameters,
    SharedInput,
    column,
    materialize,
    no_gradient,
)
from dlsweep.registry import Count, Off, Positive, Ratio, Registry, Strength

regularizers = Registry("regularizer", "dlsweep.regularizers")

# What no longer holds of a layer whose weights are masked.
_MASKED: dict[str, Any] = {"linear": False, "gives_tiles": False, "takes_tiles": False, "scale_and_shift": None}

Where = Literal["kernel", "activity"]
Augment = Callable[[list[SharedInput], Context], list[SharedInput]]


class Penalty(NamedTuple):
    """A term of what is minimized, `w -> (R,)`, and its gradient, `w -> (R, …)`: each where it is needed."""

    value: Callable[[Array], Array]
    gradient: Callable[[Array], Array]


class Regularizer(NamedTuple):
    """The places where a regularizer acts; what it leaves out, it leaves alone.

    penalty: of each kernel, added to what is minimized and reported apart from the loss. activated: `(name, shape) ->
    layer` to follow each activation. wrap: a layer to the one that takes its place, for all but the network's last;
    wrap_input: the same for its first. augmented: `shape -> change` of the samples in training, before all else; a
    `UsageError` where samples of that shape cannot be changed so. project: `w -> w`, a kernel after each update.
    smoothing: `(R,)`, the part of a label's probability that is spread over all classes. columns: how many an
    evaluation makes of each sample.
    """

    penalty: Penalty | None = None
    activated: Callable[[str, tuple[int, ...]], Layer] | None = None
    wrap: Callable[[Layer], Layer] | None = None
    wrap_input: Callable[[Layer], Layer] | None = None
    augmented: Callable[[tuple[int, ...]], Augment] | None = None
    project: Callable[[Array], Array] | None = None
    smoothing: Any = None
    columns: int = 1


@regularizers.register
def none_() -> Regularizer:
    """No regularization."""
    return Regularizer()


@regularizers.register
def l1(*, strength: Strength = 1e-4, on: Where = "kernel") -> Regularizer:
    """L1 penalty λ ‖w‖₁, gradient λ sign(w) with sign(0) = 0 (Tibshirani 1996).

    on: the kernels, or the activity of every hidden layer, as a mean over the samples.
    """
    return _penalized(_l1(strength), on)


@regularizers.register
def l2(*, strength: Strength = 1e-4, on: Where = "kernel") -> Regularizer:
    """L2 penalty ½ λ ‖w‖², gradient λ w (Krogh & Hertz 1991, Equation 2).

    on: the kernels, or the activity of every hidden layer, as a mean over the samples.
    """
    return _penalized(_l2(strength), on)


@regularizers.register
def elastic_net(*, l1: Strength = 1e-4, l2: Strength = 1e-4, on: Where = "kernel") -> Regularizer:
    """Elastic net λ₁ ‖w‖₁ + ½ λ₂ ‖w‖² (Zou & Hastie 2005, Equation 3, with a half for the gradient λ₂ w).

    on: the kernels, or the activity of every hidden layer, as a mean over the samples.
    """

    one, two = _l1(l1), _l2(l2)
    both = Penalty(lambda w: one.value(w) + two.value(w), lambda w: one.gradient(w) + two.gradient(w))
    return _penalized(both, on)


@regularizers.register
def dropout(*, ratio: Ratio = 0.5, mode: Literal["inverted", "classic"] = "inverted") -> Regularizer:
    """Dropout: in training each hidden unit's output is set to 0 with probability `ratio` (Srivastava et al. 2014).

    mode: `inverted` multiplies what is kept with 1 / (1 − ratio) in training; `classic`, as in the paper's Section 4,
    multiplies everything with 1 − ratio in evaluation. A mask at ratio 0.2 contains the mask at 0.15.
    """

    def activated(name: str, shape: tuple[int, ...]) -> Layer:
        def apply(p: Parameters, x: Array, context: Context) -> Output:
            if not context.training:
                return Output(x * (1 - column(ratio, x)) if mode == "classic" else x, no_gradient)
            scale = np.ones_like(ratio) if mode == "classic" else 1 / (1 - ratio)
            masks = _masks(context, f"dropout/{name}", x.shape[1:], ratio, scale)
            return Output(_masked(x, masks), lambda dy: (_masked(dy, masks), {}))

        return Layer(name, apply, facts=Facts(training_only=mode == "inverted"))

    return Regularizer(activated=activated)


@regularizers.register
def dropconnect(
    *, ratio: Ratio = 0.5, inference: Literal["mean", "gaussian"] = "mean", samples: Count = 20
) -> Regularizer:
    """DropConnect: in training each weight is set to 0 with probability `ratio`, anew for each minibatch.

    The kept weights are multiplied with 1 / (1 − ratio); the network's last layer keeps all (Wan et al. 2013, Section
    3). inference: with the mean weights; or, as in the paper's Algorithm 1, activations averaged over `samples` draws
    of their inputs from the Gaussian with the moments that the masks give: N(W v, ratio / (1 − ratio) · W² v²). All
    samples of an evaluation share its draws, so that none knows its company.
    """

    def wrap(layer: Layer) -> Layer:
        kernels = [k for k, parameter in layer.parameters.items() if parameter.kernel]

        def apply(p: Parameters, x: Any, context: Context) -> Output:
            if not context.training:
                return sampled(p, x, context) if inference == "gaussian" else layer.apply(p, x, context)
            masks = {
                k: _masks(context, f"dropconnect/{layer.name}/{k}", p[k].shape[1:], ratio, 1 / (1 - ratio))
                for k in kernels
            }
            output = layer.apply(p | {k: _masked(p[k], m) for k, m in masks.items()}, x, context)

            def back(dy: Array) -> tuple[Array | None, Parameters]:
                dx, gradients = output.back(dy)
                return dx, gradients | {k: _masked(gradients[k], m) for k, m in masks.items()}

            return output._replace(back=back)

        def sampled(p: Parameters, x: Any, context: Context) -> Output:
            mean = layer.apply(p, x, context).y
            squares = {k: p[k] ** 2 if k in kernels else np.zeros_like(p[k]) for k in p}
            x_squared = [s._replace(x=s.x**2) for s in x] if isinstance(x, list) else x**2
            variance = layer.apply(squares, x_squared, context).y * column(ratio / (1 - ratio), mean)
            std = np.sqrt(variance)[..., None, :]
            y = np.empty((*mean.shape[:-1], samples, mean.shape[-1]), mean.dtype)
            for z, runs in context.draws.normal(f"dropconnect/{layer.name}/inference", (*mean.shape[1:-1], samples, 1)):
                np.multiply(std[runs], z, out=y[runs])
            y += mean[..., None, :]
            return Output(y.reshape(*mean.shape[:-1], -1), no_gradient)

        return layer.wrapped(apply, layer.facts._replace(**_MASKED)) if kernels else layer

    def averaged(name: str, shape: tuple[int, ...]) -> Layer:
        def apply(p: Parameters, x: Array, context: Context) -> Output:
            if context.training:
                return Output(x, lambda dy: (dy, {}))
            return Output(x.reshape(*x.shape[:-1], samples, -1).mean(axis=-2), no_gradient)

        return Layer(name, apply)

    if inference == "mean":
        return Regularizer(wrap=wrap)
    return Regularizer(wrap=wrap, activated=averaged, columns=samples)


@regularizers.register
def max_norm(*, limit: Positive = 3.0) -> Regularizer:
    """Max-norm: after each update the incoming weights of every unit are scaled back to the norm `limit` at most.

    w ← w · min(1, limit / ‖w‖₂), biases aside (Srebro & Shraibman 2005; Srivastava et al. 2014, Section 5.1).
    """

    def project(w: Array) -> Array:
        norm = np.sqrt((w * w).reshape(*w.shape[:2], -1).sum(axis=2)).reshape(*w.shape[:2], *[1] * (w.ndim - 2))
        # Where the norm is within the limit the factor is exactly 1; a norm of 0 divides nothing.
        bound = column(limit, w)
        return w * (bound / np.maximum(norm, bound))

    return Regularizer(project=project)


@regularizers.register
def label_smoothing(*, epsilon: Ratio = 0.1) -> Regularizer:
    """Label smoothing: the target of the label is 1 − ε, plus ε / K for each of the K classes.

    What is minimized grows by ε (z_t − mean z), which is reported as penalty: the loss stays that of the labels
    (Szegedy et al. 2016, Section 7).
    """
    return Regularizer(smoothing=epsilon)


@regularizers.register
def input_noise(*, std: Strength = 0.1) -> Regularizer:
    """Gaussian noise with standard deviation `std` on the input, in training only (Bishop 1995, Section 1)."""

    def wrap_input(layer: Layer) -> Layer:

        def apply(p: Parameters, x: list[SharedInput], context: Context) -> Output:
            if not context.training:
                return layer.apply(p, x, context)
            noise = [
                n._replace(x=n.x.astype(x[0].x.dtype, copy=False))
                for n in context.draws.normal(f"noise/{layer.name}", x[0].x.shape)
            ]
            if not layer.facts.affine:
                given = materialize(x)
                given += column(std, given) * materialize(noise)
                return layer.apply(p, [SharedInput(own, slice(run, run + 1)) for run, own in enumerate(given)], context)
            # An affine layer takes noise apart from data: f(x + s n) = f(x) + s (f(n) − f(0)). So runs with different
            # strengths still share both.
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
    """Random crops: in training each image gets a margin of `pad` zeros, and a part of its first size is cut out of it.

    Where, is drawn uniformly for each image and step, the same in every arm; evaluation sees the images as they are (He
    et al. 2016, Section 4.2). In standardized data a zero is the mean.
    """

    def augmented(shape: tuple[int, ...]) -> Augment:
        height, width = _image("crop", shape)
        if pad >= min(height, width):
            raise UsageError(f"crop.pad must be below the size of an image, {height} × {width}, got {pad}")

        def change(inputs: list[SharedInput], context: Context) -> list[SharedInput]:
            draws = context.draws.bits("crop", (2, inputs[0].x.shape[-1]))
            return [s._replace(x=_cropped(s.x, pad, (_drawn(draws, s) * (2 * pad + 1)).astype(int))) for s in inputs]

        return change

    return Regularizer(augmented=augmented)


@regularizers.register
def flip(*, ratio: Ratio = 0.5) -> Regularizer:
    """Random flips: in training each image is mirrored, left for right, with probability `ratio`.

    Drawn for each image and step, the same in every arm; what is mirrored at ratio 0.2 is so at 0.5 as well (Krizhevsky
    et al. 2012, Section 4.1).
    """

    def augmented(shape: tuple[int, ...]) -> Augment:
        _image("flip", shape)

        def change(inputs: list[SharedInput], context: Context) -> list[SharedInput]:
            draws = context.draws.bits("flip", inputs[0].x.shape[-1:])
            return [flipped for s in inputs for flipped in _mirrored(s, _drawn(draws, s), ratio)]

        return change

    return Regularizer(augmented=augmented)


def _image(name: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of samples that have them."""
    if len(shape) != 3:
        raise UsageError(f"{name} needs images, with channels, height and width; here a sample has the shape {shape}")
    return shape[1], shape[2]


def _drawn(draws: list[SharedInput], s: SharedInput) -> Array:
    """The draws of the seed whose runs, or some of them, share an array, as uniform numbers on [0, 1)."""
    words = next(x for x, runs in draws if runs.start <= s.runs.start < runs.stop)
    u: Array = (words >> 8).astype(np.float32) * np.float32(2**-24)
    return u


def _mirrored(s: SharedInput, u: Array, ratio: Any) -> Iterator[SharedInput]:
    """Images as they are or, where a draw is below the ratio, mirrored; runs of one ratio share them still."""
    start = s.runs.start
    for r, alike in groupby(ratio[s.runs] if len(ratio) > 1 else np.repeat(ratio, s.runs.stop - start)):
        stop = start + len(list(alike))
        yield SharedInput(np.where(u < r, s.x[..., ::-1, :], s.x), slice(start, stop))
        start = stop


def _cropped(x: Array, pad: int, corners: Array) -> Array:
    """What lies right and below of a corner of each image, within a margin; x: `(C, H, W, N)`, corners: `(2, N)`."""
    _, height, width, _ = x.shape
    images = np.moveaxis(x, -1, 0)  # as they lie in memory
    wide = np.pad(images, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    cropped = np.empty_like(images)
    for crop, image, (top, left) in zip(cropped, wide, corners.T, strict=True):
        crop[...] = image[:, top : top + height, left : left + width]
    return np.moveaxis(cropped, 0, -1)


def _l1(strength: Any) -> Penalty:
    return Penalty(lambda w: strength * _total(np.abs(w)), lambda w: column(strength, w) * np.sign(w))


def _l2(strength: Any) -> Penalty:
    return Penalty(lambda w: 0.5 * strength * _total(w * w), lambda w: column(strength, w) * w)


def _total(a: Array) -> Array:
    return a.reshape(len(a), -1).sum(axis=1)


def _penalized(penalty: Penalty, on: Where) -> Regularizer:
    """A penalty on the kernels, or on what follows each activation: there its gradient joins on the way back."""
    if on == "kernel":
        return Regularizer(penalty=penalty)

    def activated(name: str, shape: tuple[int, ...]) -> Layer:
        def apply(p: Parameters, x: Array, context: Context) -> Output:
            return Output(x, lambda dy: (dy + penalty.gradient(x) / x.shape[-1], {}), penalty=penalty.value(x))

        return Layer(name, apply)

    return Regularizer(activated=activated)


def _masks(context: Context, purpose: str, shape: tuple[int, ...], ratio: Any, scale: Any) -> list[SharedInput]:
    """`scale` where a uniform draw reaches the ratio, else 0; ratio, scale: `(R,)`, or `(1,)` where all runs agree.

    A draw is the upper 24 of 32 random bits, all that a float32 in [0, 1) would hold, and the ratio is brought to their
    scale instead. The draws of a seed are the same in all its runs: where their ratios agree, so is the mask, `(1, …)`,
    else `(r, …)`.
    """
    each = (-1, *[1] * len(shape))
    least, scale = (np.ceil(ratio * 2**24) * 2**8).astype(np.uint32).reshape(each), scale.reshape(each)
    masks = []
    for words, runs in context.draws.bits(purpose, shape):
        own = slice(None) if len(ratio) == 1 else runs
        masks.append(SharedInput((words >= least[own]) * scale[own], runs))
    return masks


def _masked(x: Array, masks: list[SharedInput]) -> Array:
    y = np.empty_like(x)
    for mask, runs in masks:
        np.multiply(x[runs], mask, out=y[runs])
    return y
