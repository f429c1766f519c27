"""One step of training: the gradients of every run on its seed's minibatch, and the update."""

from __future__ import annotations

import operator
from typing import NamedTuple

import numpy as np

from dlsweep.nn.forward import forward
from dlsweep.nn.in_place import fastest
from dlsweep.nn.layers import Context, Output, Parameters, SharedInput, broadcast, column
from dlsweep.nn.losses import label_smoothing, softmax_cross_entropy
from dlsweep.training.evaluation import labels
from dlsweep.training.random_draws import Draws
from dlsweep.training.samples import Batch
from dlsweep.training.state import State
from dlsweep.types import Array


class Gradients(NamedTuple):
    """Gradients layer by layer, with those of the penalties.

    states: the next values of the parameters that are not trained; finite: a mask of the runs with finite gradients of
    the logits; outputs: of the layers as they are written, if they were asked for.
    """

    values: list[Parameters]
    states: list[Parameters]
    finite: Array
    outputs: list[Output]


def inputs(state: State, batch: Batch) -> list[SharedInput]:
    """Return the minibatch of every seed, with the rows that share it."""
    return [SharedInput(batch[s].x, rows) for s, rows in state.stack.slices.items()]


def differentiate(state: State, t: int, batch: Batch, *, observed: bool = False) -> Gradients:
    """Return the gradients of step t; observed: with the outputs of the layers.

    Outputs take a pass of their own, on which no gradient depends, if the layers that train are rewritten.
    """
    stack = state.stack
    network, x, context = stack.network, inputs(state, batch), Context(True, Draws(stack.slices, t))
    outputs: list[Output] = []
    as_written = all(map(operator.is_, network.fused, network.layers))
    if observed and not as_written:
        forward(network.layers, state.parameters, x, context, outputs)
    passed = forward(network.fused, state.parameters, x, context, outputs if observed and as_written else None)
    target = labels([batch[s].t for s in stack.slices], stack.slices.values())
    dlogits = softmax_cross_entropy(passed.logits, target).back()
    if network.smoothing is not None:
        dlogits += column(network.smoothing, dlogits) * label_smoothing(passed.logits, target)[1]()
    gradients = passed.back(dlogits)
    for regularizer in network.regularizers:
        if regularizer.penalty:
            for i, k in stack.kernels:
                gradients[i][k] += regularizer.penalty.gradient(state.parameters[i][k])
    return Gradients(gradients, passed.states, np.isfinite(dlogits).all(axis=(1, 2)), outputs)


def update(state: State, t: int, steps: int, gradients: Gradients) -> None:
    """Make step t of `steps`. The arrays of the state are replaced one by one, so that few are in memory twice."""
    stack = state.stack
    for p, following in zip(state.parameters, gradients.states, strict=True):
        p.update(following)
    if stack.arm.train.clip_norm is not None:
        _clip(gradients.values, stack.dtype.type(stack.arm.train.clip_norm))
    (optimizer, settings), (schedule, scheduled) = stack.optimizer, stack.schedule
    stepped = fastest(optimizer.function)
    factor = np.asarray(schedule(t, steps, **scheduled), stack.dtype)
    settings = settings | {"lr": settings["lr"] * factor}
    for p, gs, slots in zip(state.parameters, gradients.values, state.slots, strict=True):
        for k, g in gs.items():
            result = stepped(p[k], g, t, *slots[k], **broadcast(settings, g))
            if not isinstance(result, tuple) or len(result) != 1 + len(slots[k]):
                got = f"{len(result)} values" if isinstance(result, tuple) else type(result).__name__
                raise optimizer.broken(f"a tuple of {', '.join(['w', *optimizer.rest])}", got)
            p[k], *slots[k] = result
    for regularizer in stack.network.regularizers:
        if regularizer.project:
            for i, k in stack.kernels:
                state.parameters[i][k] = regularizer.project(state.parameters[i][k])


def _clip(gradients: list[Parameters], limit: Array) -> None:
    """Shorten each gradient whose norm over all parameters is above the limit (Pascanu et al. 2013, Algorithm 1)."""
    squares = [(g * g).reshape(len(g), -1).sum(axis=1) for gs in gradients for g in gs.values()]
    norm = np.sqrt(sum(squares))  # one after the other: np.sum may add in another order when it is one run
    for gs in gradients:
        for k in gs:
            gs[k] *= column(limit / np.maximum(norm, limit), gs[k])
