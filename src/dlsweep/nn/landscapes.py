"""Landscapes: functions of two variables that show the paths of optimizers, `(**settings) -> Landscape`.

Each function is 0 at its minima and positive elsewhere. Its settings are `start`, the first point of the descent, and
`noise`, the standard deviation of Gaussian noise on both components of the gradient, which corresponds to the noise of
minibatches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Len

from dlsweep.registry import NonNegative, Registry
from dlsweep.signatures import Contract
from dlsweep.types import Array

Point = Annotated[list[float], Len(2, 2)]

landscapes = Registry("landscape", "dlsweep.landscapes", Contract())


class Landscape(NamedTuple):
    """Function f with its gradient, the start of a descent, and properties of the function.

    at(x, y): f and (∂f/∂x, ∂f/∂y), elementwise. formula: f in mathematical notation. minima: the points where f is
    smallest; empty if there are none. window: the region that a picture shows, lowest and highest x, and y.
    """

    at: Callable[[Array, Array], tuple[Array, tuple[Array, Array]]]
    start: Sequence[float]
    noise: float
    formula: str
    minima: Sequence[tuple[float, float]]
    window: tuple[tuple[float, float], tuple[float, float]]

    def distance(self, x: Array, y: Array) -> Array:
        """Return the distance of points from the nearest minimum; NaN if there is no minimum."""
        far = np.full(np.shape(x), np.nan)
        for a, b in self.minima:
            far = np.fmin(far, np.sqrt((x - a) * (x - a) + (y - b) * (y - b)))
        return far


@landscapes.register
def narrow_valley(*, start: Point = [-7.0, 2.0], noise: NonNegative = 0.0) -> Landscape:
    """Valley twenty times as steep in y as in x: f = x²/20 + y², minimum at (0, 0).

    start: x and y of the first point. noise: standard deviation of Gaussian noise on each gradient.

    >>> narrow_valley().at(10, 2)
    (9.0, (1.0, 4))
    """

    def f(x: Array, y: Array) -> tuple[Array, tuple[Array, Array]]:
        return x * x / 20 + y * y, (x / 10, 2 * y)

    return Landscape(f, start, noise, "x²/20 + y²", minima=[(0, 0)], window=((-10, 10), (-5, 5)))


@landscapes.register
def rosenbrock(*, start: Point = [-1.2, 1.0], noise: NonNegative = 0.0) -> Landscape:
    """Valley bent along y = x² (Rosenbrock 1960): f = (1 − x)² + 100 (y − x²)², minimum at (1, 1).

    start: x and y of the first point. noise: standard deviation of Gaussian noise on each gradient.

    >>> rosenbrock().at(0, 0)
    (1, (-2, 0))
    """

    def f(x: Array, y: Array) -> tuple[Array, tuple[Array, Array]]:
        a, b = 1 - x, y - x * x
        return a * a + 100 * (b * b), (-2 * a - 400 * x * b, 200 * b)

    return Landscape(f, start, noise, "(1 − x)² + 100 (y − x²)²", minima=[(1, 1)], window=((-2, 2), (-1, 3)))


@landscapes.register
def beale(*, start: Point = [1.0, 1.0], noise: NonNegative = 0.0) -> Landscape:
    """Plateau with steep corners (Beale 1958): f = Σₖ (cₖ − x + x yᵏ)², c = 1.5, 2.25, 2.625, minimum at (3, 0.5).

    start: x and y of the first point. noise: standard deviation of Gaussian noise on each gradient.

    >>> beale().at(1, 1)
    (14.203125, (0.0, 27.75))
    """

    def f(x: Array, y: Array) -> tuple[Array, tuple[Array, Array]]:
        y2 = y * y
        y3 = y2 * y
        a, b, c = 1.5 - x + x * y, 2.25 - x + x * y2, 2.625 - x + x * y3
        dx = 2 * (a * (y - 1) + b * (y2 - 1) + c * (y3 - 1))
        dy = 2 * x * (a + 2 * y * b + 3 * y2 * c)
        return a * a + b * b + c * c, (dx, dy)

    formula = "(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²"
    return Landscape(f, start, noise, formula, minima=[(3, 0.5)], window=((-1, 4.5), (-1.5, 1.5)))


@landscapes.register
def himmelblau(*, start: Point = [0.0, 0.0], noise: NonNegative = 0.0) -> Landscape:
    """Four minima around a hill (Himmelblau 1972): f = (x² + y − 11)² + (x + y² − 7)², one minimum at (3, 2).

    start: x and y of the first point. noise: standard deviation of Gaussian noise on each gradient.

    >>> himmelblau().at(0, 0)
    (170, (-14, -22))
    """

    def f(x: Array, y: Array) -> tuple[Array, tuple[Array, Array]]:
        a, b = x * x + y - 11, x + y * y - 7
        return a * a + b * b, (4 * x * a + 2 * b, 2 * a + 4 * y * b)

    minima = [
        (3, 2),
        (-2.805118086952745, 3.131312518250573),
        (-3.779310253377747, -3.283185991286170),
        (3.584428340330492, -1.848126526964404),
    ]
    return Landscape(f, start, noise, "(x² + y − 11)² + (x + y² − 7)²", minima=minima, window=((-6, 6), (-6, 6)))


@landscapes.register
def saddle(*, start: Point = [-1.5, 0.01], noise: NonNegative = 0.0) -> Landscape:
    """Saddle at (0, 0) between two minima: f = x² + (y² − 1)²/4, minima at (0, ±1).

    start: x and y of the first point. noise: standard deviation of Gaussian noise on each gradient.

    >>> saddle().at(-1, 0)
    (1.25, (-2, 0))
    """

    def f(x: Array, y: Array) -> tuple[Array, tuple[Array, Array]]:
        a = y * y - 1
        return x * x + a * a / 4, (2 * x, y * a)

    return Landscape(f, start, noise, "x² + (y² − 1)²/4", minima=[(0, 1), (0, -1)], window=((-2, 2), (-1.6, 1.6)))
