"""One network of a sweep, for questions: its run, its data set and its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from threadpoolctl import threadpool_limits

from dlsweep.config.runs import Run
from dlsweep.datasets import data_of
from dlsweep.datasets.base import Arrays, Dataset
from dlsweep.errors import UsageError
from dlsweep.nn.forward import forward
from dlsweep.nn.fusion import fuse_for_evaluation
from dlsweep.nn.layers import Context, Output, Parameters, SharedInput
from dlsweep.text import plural
from dlsweep.training.evaluation import evaluate
from dlsweep.training.initial import first_state
from dlsweep.training.network import Network, build
from dlsweep.training.random_draws import Draws
from dlsweep.training.result import Checkpoint
from dlsweep.training.samples import Blocks, Group, Samples, block_size, subset
from dlsweep.training.state import Stack
from dlsweep.types import Array

_FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class Model:
    """A network in evaluation, with the parameters of an iteration.

    Samples x are `(N, *shape)` with the data set's shape, or flat. Their values are those of the data set; where it has
    bytes, floating point from 0 to 1 is accepted too. Results have the samples on the first axis.
    """

    run: Run
    data: Dataset
    kept: Checkpoint

    def __repr__(self) -> str:
        return f"Model({self.run.arm.name!r}, seed {self.run.seeds}, iteration {self.iteration})"

    @property
    def iteration(self) -> int:
        """Number of updates of the parameters."""
        return self.kept.iteration

    @property
    def parameters(self) -> dict[str, Array]:
        """Parameters by name, such as `dense1/W`, as read-only arrays. `with_parameters` changes them.

        Kernels of dense layers are `(out, in)`, those of convolutions `(filters, channels, height, width)`.
        """
        return {name: np.broadcast_to(w, w.shape) for name, w in self.kept.parameters.items()}

    def with_parameters(self, parameters: Mapping[str, Array]) -> Model:
        """Return a model with copies of the given parameters, as float32. This model is unchanged.

        parameters: by name, with the shapes of `Model.parameters`. Raise `UsageError` for a wrong name or shape, and
        for values that are not finite real numbers.
        """
        own = self.kept.parameters
        for name, w in parameters.items():
            if name not in own:
                raise UsageError(f"{name!r} is not a parameter of this network; it has {', '.join(own)}")
            if np.shape(w) != own[name].shape:
                raise UsageError(f"{name} must have the shape {own[name].shape}, got {np.shape(w)}")
            if np.asarray(w).dtype.kind not in "biuf":
                raise UsageError(f"{name} must hold real numbers, got {np.asarray(w).dtype}")
        with np.errstate(over="ignore"):  # infinite numbers are refused
            copies = {name: np.array(w, own[name].dtype) for name, w in parameters.items()}
        for name, w in copies.items():
            if odd := int((~np.isfinite(w)).sum()):
                raise UsageError(f"{name} has {plural(odd, 'value')} beyond float32 (NaN, infinite, too large)")
        return Model(self.run, self.data, self.kept._replace(parameters={**own, **copies}))

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, from the input to the logits."""
        return tuple(layer.name for layer in self._network.layers)

    @cached_property
    def kernels(self) -> tuple[str, ...]:
        """Names of the kernels among the parameters, from the input on."""
        return tuple(f"{layer.name}/{k}" for layer in self._network.layers for k in layer.kernels)

    def logits(self, x: Array) -> Array:
        """Return the outputs of the last layer, `(N, classes)`.

        A whole split gives the same bits as its evaluation in training.
        """
        x, layers = self._samples(x), self._network.layers
        reorder = bool(layers[0].facts.reorders) and not self.data.arrays.standardized
        blocks = Blocks(x, np.zeros(len(x), np.int64), self._floats, _FLOAT, reorder=reorder, size=block_size(layers))
        found: list[Array] = []
        with threadpool_limits(1), np.errstate(all="ignore"):
            group = Group(slice(0, 1), blocks)
            few, parameters = fuse_for_evaluation(layers, self._stack, Context(False, self._draws))
            network = self._network._replace(layers=few)
            evaluate(network, parameters, [group], self._draws, lambda z, _: found.append(z[0].T.copy()))
        logits = np.concatenate(found)
        logits[blocks.samples] = logits.copy()
        return logits

    def probabilities(self, x: Array) -> Array:
        """Return the softmax of the logits, `(N, classes)`."""
        z = self.logits(x)
        p: Array = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p

    def predict(self, x: Array) -> Array:
        """Return the class with the largest logit, `(N,)`; of equal logits the first."""
        return self.logits(x).argmax(axis=1)

    def outputs(self, x: Array) -> dict[str, Array]:
        """Return the output of every layer by its name: `(N, features)`, or `(N, channels, height, width)`."""
        x = self._samples(x)
        columns = np.ascontiguousarray(np.moveaxis(self._floats(x, _FLOAT), 0, -1))
        outputs: list[Output] = []
        with threadpool_limits(1), np.errstate(all="ignore"):
            shared = [SharedInput(columns, slice(0, 1))]
            forward(self._network.layers, self._stack, shared, Context(False, self._draws), outputs)
        # Where an evaluation draws, a layer has several outputs a sample.
        each = [y.reshape(*y.shape[:-1], -1, len(x)).mean(axis=-2)[0] for y, *_ in outputs]
        return {name: np.moveaxis(y, -1, 0) for name, y in zip(self.layers, each, strict=True)}

    def _samples(self, x: Array) -> Array:
        """Return samples in the data set's shape."""
        x, shape = np.asarray(x), self.data.shape
        if x.ndim < 2 or prod(x.shape[1:]) != prod(shape) or not len(x):
            asked = ", ".join(map(str, shape))
            raise UsageError(f"samples must be (N, {asked}), one or more of them, got an array of the shape {x.shape}")
        if x.dtype != np.uint8 and x.dtype.kind != "f":
            raise UsageError(f"samples must be uint8 or floating point, got {x.dtype}")
        return x.reshape(len(x), *shape)

    def _floats(self, x: Array, dtype: np.dtype) -> Array:
        """Return samples as the network reads them."""
        arrays = self._arrays
        if x.dtype == arrays.x_test.dtype or arrays.x_test.dtype != np.uint8:
            return arrays.floats(x, dtype)
        return arrays.floats(255 * x, dtype) if arrays.standardized else x.astype(dtype)

    @cached_property
    def _arrays(self) -> Arrays:
        """The data set's arrays, standardized by the samples that the network was trained on."""
        arrays = self.data.arrays
        return arrays.seen_by(subset(self.run.seeds, self.data.sizes["train"], len(arrays.t_train)))

    @property
    def _draws(self) -> Draws:
        return Draws({self.run.seeds: slice(0, 1)}, self.iteration)

    @cached_property
    def _network(self) -> Network:
        return build([self.run.arm], self.data)

    @cached_property
    def _stack(self) -> Sequence[Parameters]:
        """The parameters as a stack of one run."""
        kept = self.kept.parameters
        return [{k: kept[f"{layer.name}/{k}"][None] for k in layer.parameters} for layer in self._network.layers]


def start(run: Run) -> Checkpoint:
    """Return a run's parameters before training, from its own random streams."""
    data = data_of(run.arm)
    with threadpool_limits(1), np.errstate(all="ignore"):
        stack = Stack.of([run], data, _FLOAT)
        return first_state(stack, Samples(stack).next(stack.slices)).copy(0, row=0)
