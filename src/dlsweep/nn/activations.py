"""Activation functions: `x -> (y, back)`, elementwise, where `back(dy)` is the gradient with respect to `x`.

Settings are numbers or arrays that broadcast against `x`, one value for each run. Values and gradients are finite for
inputs of ±1e4, and have the dtype of `x`. Positional parameters after `x` are learned: one number for each unit or
channel, which begins at the setting `start`; `back` then returns their gradients too, elementwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi, sqrt
from typing import Any

import numpy as np

from dlsweep.nn.layers import Context, Facts, Layer, Output, Parameter, Parameters, broadcast
from dlsweep.registry import Entry, NonNegative, Positive, Registry
from dlsweep.signatures import Contract
from dlsweep.types import Array, Shape

Back = Callable[[Array], Array]

activations = Registry(
    "activation",
    "dlsweep.activations",
    Contract(("x",), rest="learned parameters", with_rest={"start": "its learned parameters begin there"}),
)


def activation_layer(name: str, shape: Shape, activation: Entry, settings: Mapping[str, Any]) -> Layer:
    """Return a registered activation as a layer for samples of a shape; settings: `(R,)` each, if they are numbers.

    >>> from dlsweep.nn.layers import Parameter
    >>> layer = activation_layer("activation1", (3,), activations["prelu"], {"start": 0.25})
    >>> layer.parameters
    {'slope': Parameter(shape=(3, 1), fan_in=0, fan_out=0, start=0.25, trained=True)}
    """
    learned = activation.rest
    units = (shape[0], *[1] * len(shape))
    parameters = {k: Parameter(units, start=settings["start"]) for k in learned}

    def apply(p: Parameters, x: Array, context: Context) -> Output:
        result = activation.function(x, *(p[k] for k in learned), **broadcast(settings, x))
        if not isinstance(result, tuple) or len(result) != 2:
            raise activation.broken("a pair (y, back)", type(result).__name__)
        y, back = result
        if not learned:
            return Output(y, lambda dy: (back(dy), {}))

        def back_to_all(dy: Array) -> tuple[Array, Parameters]:
            dx, *gradients = back(dy)
            sums = (g.reshape(*g.shape[:2], -1).sum(axis=2).reshape(len(g), *units) for g in gradients)
            return dx, dict(zip(learned, sums, strict=True))

        return Output(y, back_to_all)

    facts = Facts(activation=True, non_decreasing=activation.function in _NON_DECREASING and not learned)
    return Layer(name, apply, parameters, facts=facts)


@activations.register
def identity(x: Array) -> tuple[Array, Back]:
    """Identity, the input unchanged: y = x.

    >>> y, back = identity(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([-1.0, 0.0, 2.0], [1.0, 1.0, 1.0])
    """
    return x, lambda dy: dy


@activations.register
def sigmoid(x: Array) -> tuple[Array, Back]:
    """Logistic function: y = 1 / (1 + exp(-x)) = (1 + tanh(x/2)) / 2; derivative y (1 - y).

    >>> y, back = sigmoid(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([0.2689, 0.5, 0.8808], [0.1966, 0.25, 0.105])
    """
    y = x * 0.5
    np.tanh(y, out=y)  # half the time of the exponential and its reciprocal
    y *= 0.5
    y += 0.5
    return y, lambda dy: dy * y * (1 - y)


@activations.register
def tanh(x: Array) -> tuple[Array, Back]:
    """Hyperbolic tangent; derivative 1 - tanh².

    >>> y, back = tanh(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([-0.7616, 0.0, 0.964], [0.42, 1.0, 0.0707])
    """
    y = np.tanh(x)
    return y, lambda dy: dy * (1 - y * y)


@activations.register
def relu(x: Array) -> tuple[Array, Back]:
    """Rectified linear unit: y = max(x, 0); derivative 1 for x > 0, else 0 (Nair & Hinton 2010).

    >>> y, back = relu(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([0.0, 0.0, 2.0], [0.0, 0.0, 1.0])
    """
    y = x.clip(0, np.inf)  # NumPy's maximum with a number has no vector loop: it takes three times as long
    return y, lambda dy: dy * (y > 0)


@activations.register
def leaky_relu(x: Array, *, slope: NonNegative = 0.01) -> tuple[Array, Back]:
    """Leaky ReLU: y = max(x, 0) + slope · min(x, 0); derivative 1 for x > 0, else slope (Maas et al. 2013).

    slope: for negative inputs.

    >>> y, back = leaky_relu(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([-0.01, 0.0, 2.0], [0.01, 0.01, 1.0])
    """
    y = np.maximum(x, 0) + slope * np.minimum(x, 0)

    def back(dy: Array) -> Array:
        up = dy * (y > 0)
        return up + slope * (dy - up)

    return y, back


@activations.register
def elu(x: Array, *, alpha: Positive = 1.0) -> tuple[Array, Back]:
    """Exponential linear unit: y = x for x > 0, else α (exp(x) - 1); derivative 1, else y + α (Clevert et al. 2016).

    alpha: α, the limit for large negative inputs.

    >>> y, back = elu(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([-0.6321, 0.0, 2.0], [0.3679, 1.0, 1.0])
    """
    y = np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0))

    def back(dy: Array) -> Array:
        up = dy * (y > 0)
        return up + (y + alpha) * (dy - up)

    return y, back


@activations.register
def selu(x: Array) -> tuple[Array, Back]:
    """Scaled ELU: y = λ elu(x), the λ and α that keep mean 0 and variance 1 (Klambauer et al. 2017, Equation 2).

    >>> y, back = selu(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([-1.1113, 0.0, 2.1014], [0.6468, 1.7581, 1.0507])
    """
    scale, alpha = 1.0507009873554805, 1.6732632423543773
    y, back = elu(x, alpha=alpha)
    return scale * y, lambda dy: scale * back(dy)


@activations.register
def softplus(x: Array) -> tuple[Array, Back]:
    """Softplus, a smooth ReLU: y = log(1 + exp(x)); derivative sigmoid(x) = 1 - exp(-y) (Dugas et al. 2001).

    >>> y, back = softplus(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([0.3133, 0.6931, 2.1269], [0.2689, 0.5, 0.8808])
    """
    y = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y, lambda dy: dy * -np.expm1(-y)


@activations.register
def softsign(x: Array) -> tuple[Array, Back]:
    """Softsign: y = x / (1 + |x|); derivative 1 / (1 + |x|)² (Bergstra et al. 2009).

    >>> y, back = softsign(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([-0.5, 0.0, 0.6667], [0.25, 1.0, 0.1111])
    """
    d = 1 + np.abs(x)
    return x / d, lambda dy: dy / (d * d)


@activations.register
def hard_sigmoid(x: Array) -> tuple[Array, Back]:
    """Piecewise linear sigmoid: y = x/6 + 1/2 within ±3, else 0 or 1; derivative 1/6 within (Howard et al. 2019).

    The form of MobileNetV3, Section 5.2, as in PyTorch and Keras 3. BinaryConnect (Courbariaux et al. 2015) has ±1.

    >>> y, back = hard_sigmoid(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([0.3333, 0.5, 0.8333], [0.1667, 0.1667, 0.1667])
    """
    y = np.clip(x / 6 + 0.5, 0, 1)
    return y, lambda dy: dy * ((y > 0) & (y < 1)) / 6


@activations.register
def gelu(x: Array) -> tuple[Array, Back]:
    """Gaussian error linear unit: y = x Φ(x); derivative Φ(x) + x φ(x) (Hendrycks & Gimpel 2016).

    Φ, φ: distribution and density of the standard normal; `gelu_tanh` approximates them.

    >>> y, back = gelu(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([-0.1587, 0.0, 1.9545], [-0.0833, 0.5, 1.0852])
    """
    from scipy.special import ndtr

    cdf = ndtr(x)
    return x * cdf, lambda dy: dy * (cdf + x * np.exp(-x * x / 2) / sqrt(2 * pi))


@activations.register
def gelu_tanh(x: Array) -> tuple[Array, Back]:
    """GELU's approximation: y = x (1 + tanh u) / 2, u = √(2/π) (x + 0.044715 x³) (Hendrycks & Gimpel 2016, Section 2).

    Derivative (1 + tanh u) / 2 + x (1 - tanh² u) u′ / 2.

    >>> y, back = gelu_tanh(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([-0.1588, 0.0, 1.9546], [-0.083, 0.5, 1.0861])
    """
    a, b = sqrt(2 / pi), 0.044715
    t = np.tanh(a * (x + b * x * x * x))

    def back(dy: Array) -> Array:
        return dy * (1 + t + x * (1 - t * t) * a * (1 + 3 * b * x * x)) / 2

    return x * (1 + t) / 2, back


@activations.register
def silu(x: Array) -> tuple[Array, Back]:
    """Sigmoid linear unit, or Swish: y = x σ(x); derivative σ(x) (1 + x (1 - σ(x))) (Elfwing et al. 2018).

    >>> y, back = silu(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([-0.2689, 0.0, 1.7616], [0.0723, 0.5, 1.0908])
    """
    s = 1 / (1 + np.exp(-x))  # overflows to inf for x below -88 in float32, and 1 / inf is 0, the correct value
    return x * s, lambda dy: dy * s * (1 + x * (1 - s))


@activations.register
def mish(x: Array) -> tuple[Array, Back]:
    """Mish: y = x tanh(s), s = softplus(x); derivative tanh(s) + x (1 - tanh² s) s′ (Misra 2019).

    >>> y, back = mish(np.array([-1.0, 0.0, 2.0]))
    >>> y.round(4).tolist(), back(np.ones(3)).round(4).tolist()
    ([-0.3034, 0.0, 1.944], [0.0592, 0.6, 1.0693])
    """
    s, back_s = softplus(x)
    t, back_t = tanh(s)
    return x * t, lambda dy: dy * t + back_s(back_t(dy * x))


@activations.register
def prelu(x: Array, slope: Array, *, start: float = 0.25) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
    """ReLU with a learned slope for x < 0, one for each unit: y = x for x > 0, else a x (He et al. 2015, Equation 1).

    start: the initial slope. Regularizers do not act on slopes: shrinking them would turn the unit into a ReLU.

    >>> y, back = prelu(np.array([-1.0, 0.0, 2.0]), np.array(0.25))
    >>> y.tolist(), [d.tolist() for d in back(np.ones(3))]
    ([-0.25, 0.0, 2.0], [[0.25, 0.25, 1.0], [-1.0, 0.0, 0.0]])
    """
    negative = np.minimum(x, 0)

    def back(dy: Array) -> tuple[Array, Array]:
        up = dy * (x > 0)
        return up + slope * (dy - up), dy * negative

    return np.maximum(x, 0) + slope * negative, back


# Activations that never decrease, for any settings: max-pooling may then run first. For each of them f(1) > 0.1, by
# which `fusion.fold_bias` divides.
_NON_DECREASING = {identity, sigmoid, tanh, relu, leaky_relu, elu, selu, softplus, softsign, hard_sigmoid}
