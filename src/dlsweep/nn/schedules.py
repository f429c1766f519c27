"""Learning-rate schedules: `(t, steps) -> factor`, the factor of `lr` at step `t` of `steps`, counted from 1.

Settings that are not counts are numbers, or arrays with one value for each run; the factor is then such an array. A
schedule with an `end` reaches it after the last step, so no step has the factor 0.
"""

from __future__ import annotations

from math import cos, pi
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le, Lt

from dlsweep.registry import Count, Fraction, Positive, Registry
from dlsweep.signatures import Contract

Share = Annotated[float, Gt(0), Le(1)]

schedules = Registry("schedule", "dlsweep.schedules", Contract(("t", "steps")))


@schedules.register
def constant(t: int, steps: int) -> float:
    """Constant learning rate.

    >>> constant(7, 100)
    1.0
    """
    return 1.0


@schedules.register
def step(t: int, steps: int, *, every: Count = 500, gamma: Share = 0.1) -> float:
    """Step decay, by the factor `gamma` after each `every` iterations: gamma^⌊(t − 1) / every⌋.

    every: iterations between two steps; gamma: factor of each step.

    >>> [step(t, 4, every=2, gamma=0.5) for t in (1, 2, 3, 4)]
    [1.0, 1.0, 0.5, 0.5]
    """
    return gamma ** ((t - 1) // every)


@schedules.register
def exponential(t: int, steps: int, *, end: Positive = 0.01) -> float:
    """Exponential decay from 1 to `end`, for any number of steps: end^((t − 1) / steps).

    end: factor of the learning rate at the end.

    An `end` above 1 increases the learning rate, to find its upper limit (Smith 2017, Section 3.3).

    >>> [round(exponential(t, 4, end=0.01), 4) for t in (1, 2, 3, 4)]
    [1.0, 0.3162, 0.1, 0.0316]
    """
    return end ** ((t - 1) / steps)


@schedules.register
def cosine(t: int, steps: int, *, end: Fraction = 0.0) -> float:
    """Half a cosine, from 1 down to `end`: end + (1 − end) (1 + cos(π (t − 1) / steps)) / 2.

    end: factor of the learning rate at the end.

    Loshchilov & Hutter 2017, Equation 5, without restarts.

    >>> [round(cosine(t, 4), 4) for t in (1, 2, 3, 4)]
    [1.0, 0.8536, 0.5, 0.1464]
    """
    return end + (1 - end) * (1 + cos(pi * (t - 1) / steps)) / 2


@schedules.register
def warm_up(t: int, steps: int, *, iterations: Count = 100) -> float:
    """Linear warm-up over the first `iterations`, then constant: min(t / iterations, 1) (Goyal et al. 2017).

    iterations: length of the warm-up.

    >>> [warm_up(t, 4, iterations=2) for t in (1, 2, 3, 4)]
    [0.5, 1.0, 1.0, 1.0]
    """
    return min(t / iterations, 1.0)


@schedules.register
def one_cycle(
    t: int, steps: int, *, warm_up: Annotated[float, Gt(0), Lt(1)] = 0.3, start: Share = 0.04, end: Fraction = 0.000004
) -> float:
    """Linear warm-up from `start` to 1 over the fraction `warm_up` of the steps, then half a cosine to `end`.

    warm_up: fraction of the steps that the warm-up takes; start: factor of the learning rate at the start; end: factor
    at the end.

    This is the one cycle of Smith & Topin 2018, with fastai's cosine and its divisors: 1/25 and 1/25 · 10⁻⁴ of the
    highest learning rate, which is `lr`.

    >>> [float(np.round(one_cycle(t, 4, warm_up=0.5, start=0.2), 4)) for t in (1, 2, 3, 4)]
    [0.2, 0.6, 1.0, 0.5]
    """
    done = (t - 1) / steps
    up = np.minimum(done / warm_up, 1)
    down = np.maximum(done - warm_up, 0) / (1 - warm_up)
    return (start + (1 - start) * up) * (end + (1 - end) * (1 + np.cos(pi * down)) / 2)
