"""Initial parameters of a stack's runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dlsweep.config.runs import Run
from dlsweep.datasets.base import Dataset
from dlsweep.nn.forward import forward
from dlsweep.nn.initializers import initializers
from dlsweep.nn.layers import Context, Layer, Parameters, SharedInput
from dlsweep.randomness import Seeds
from dlsweep.training.network import build
from dlsweep.training.random_draws import Draws
from dlsweep.training.samples import Batch
from dlsweep.training.state import Stack, State
from dlsweep.types import Array


def first_state(stack: Stack, batch: Batch) -> State:
    """Return the state before training: initial parameters, and slots of zeros. batch: the first minibatches."""
    layers = stack.network.layers
    parameters = initial(layers, stack.runs, {s: block.x for s, block in batch.items()}, stack.data, stack.dtype)
    optimizer, _ = stack.optimizer
    slots = [
        {k: [np.zeros_like(p[k]) for _ in optimizer.rest] for k in p if layer.parameters[k].trained}
        for layer, p in zip(layers, parameters, strict=True)
    ]
    return State(stack, parameters, slots)


def initial(
    layers: Sequence[Layer], runs: Sequence[Run], samples: Mapping[Seeds, Array], data: Dataset, dtype: np.dtype
) -> list[Parameters]:
    """Return the initial parameters: kernels from each run's initializer and seeds, the others from their `start`.

    samples: the first minibatch of each seed, for initializers that use the outputs of a layer.
    """
    stack = [
        {k: np.full((len(runs), *p.shape), np.reshape(p.start, (-1, *[1] * len(p.shape))), dtype) for k, p in own}
        for own in (layer.parameters.items() for layer in layers)
    ]
    for i, run in enumerate(runs):
        entry = initializers[run.arm.init.name]
        measures = bool(entry.rest)  # the outputs of the first minibatch
        own = {layer.name: {k: w[i : i + 1] for k, w in p.items()} for layer, p in zip(layers, stack, strict=True)}
        # without regularizers, which may draw
        alone = build([run.arm.choosing(regularizer=())], data, dtype).layers if measures else layers
        for depth, layer in enumerate(alone):
            for k in layer.kernels:
                shape, fan_in, fan_out, *_ = layer.parameters[k]
                passed: list[Any] = [run.seeds.stream(f"init/{layer.name}"), shape, fan_in, fan_out]
                if measures:
                    passed.append(_outputs(alone[: depth + 1], own, k, samples[run.seeds]))
                weights = entry(*passed, **run.arm.init.settings)
                if np.shape(weights) != shape:
                    raise entry.broken(f"weights {shape}", str(np.shape(weights)))
                own[layer.name][k][0] = weights
    return stack


def _outputs(
    layers: Sequence[Layer], parameters: Mapping[str, Parameters], kernel: str, samples: Array
) -> Callable[[Array], Array]:
    """Return a function from a kernel of the last layer to its outputs; the layers before it are initialized."""

    def outputs(w: Array) -> Array:
        parameters[layers[-1].name][kernel][0] = w
        x, own = [SharedInput(samples, slice(0, 1))], [parameters[layer.name] for layer in layers]
        return np.asarray(forward(layers, own, x, Context(False, Draws({}, 0)), outputs=[]).logits)

    return outputs
