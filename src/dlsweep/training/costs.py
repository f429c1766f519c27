"""Costs of a run: numbers, bytes and multiplications, from the network of its arm; nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from dlsweep.config.runs import Arm
from dlsweep.datasets import open_dataset
from dlsweep.datasets.base import Dataset
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.nn.layers import Layer, multiplications, size
from dlsweep.nn.optimizers import optimizers
from dlsweep.registry import imported
from dlsweep.tasks import task_of
from dlsweep.training.minibatches import evaluations, iterations
from dlsweep.training.network import Network, build
from dlsweep.training.samples import block_size

FLOAT = 4  # bytes of a float32
POINT = 100  # bytes of a point on a path


class Cost(NamedTuple):
    """Costs of one run.

    parameters: trained numbers; memory: bytes that the run adds to a stack; work: multiplications; kernels: layers that
    have one.
    """

    parameters: int
    memory: int
    work: float
    kernels: int = 0


def of(arm: Arm) -> Cost:
    """Return the costs of a run of an arm."""
    cost: Cost = imported(task_of(arm.model.name).cost)(arm)
    return cost


def of_descent(arm: Arm) -> Cost:
    """Return the costs of a descent on a landscape."""
    steps = iterations(arm.train, 0)
    return Cost(parameters=2, memory=POINT * evaluations(arm.evaluate, steps), work=float(steps))


def of_network(arm: Arm) -> Cost:
    """Return the costs of a network. Raise `UsageError` if it cannot be built."""
    data = open_dataset(arm.data)
    network = _built(arm, data)
    layers = network.layers
    parameters = size(layers)
    slots = len(optimizers[arm.optimizer.name].rest)
    kernels = [p for layer in layers for p in layer.parameters.values() if p.kernel]
    columns = max((regularizer.columns for regularizer in network.regularizers), default=1) * block_size(layers)
    activations = _activations(network, data.shape, columns, arm.train.batch_size, arm.evaluate.layers)
    steps = iterations(arm.train, data.sizes["train"])
    evaluated = sum(arm.train.batch_size if split == "batch" else data.sizes[split] for split in arm.evaluate.on)
    work = max(1, multiplications(layers)) * (
        3 * steps * arm.train.batch_size + evaluated * evaluations(arm.evaluate, steps)
    )
    # A seed that trains on a subset of its own is evaluated on a copy of it.
    own = "train" in arm.evaluate.on and arm.data.settings.get("train") is not None
    samples = data.sizes["train"] * prod(data.shape) if own else 0
    # Of every parameter: itself, its gradient and slots, temporaries of an update and an evaluation, the checkpoint,
    # and copies for probes.
    copies = 4 + slots + bool(arm.evaluate.keep) + 3 * arm.evaluate.layers
    memory = FLOAT * (parameters * copies + activations + samples)
    return Cost(parameters, memory, float(work), len(kernels))


def _activations(network: Network, shape: tuple[int, ...], evaluated: int, trained: int, observed: bool) -> int:
    """Return the largest number of numbers that a pass of a run holds, in evaluation or in training.

    evaluated, trained: samples of a pass; observed: True if probes see every output, in a pass over the unfused layers.
    """
    kept, working = _passed(network.fused, shape)
    passes = [working * evaluated, (kept + working) * trained]
    if observed:
        passes.append(sum(_passed(network.layers, shape)) * trained)
    return max(passes)


def _passed(layers: Sequence[Layer], shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many numbers of a sample training keeps for the way back, and the most that a layer at work holds.

    A layer holds its input and output, each with copies; a convolution also its input once for each column of a kernel.
    The first layer reads an input that the runs share. A layer with the same input and output shape, such as an
    activation, keeps more than others.
    """
    kept, working, before = 0, prod(shape), 0
    for layer in layers:
        laid = sum(p.shape[-1] for p in layer.parameters.values() if p.kernel and len(p.shape) == 4) * prod(shape)
        after = 0 if layer.apply is layer.facts.tiled else prod(layer.shape)
        kept += (3 if layer.shape == shape else 2) * after + laid
        working = max(working, 3 * (before + after) + laid)
        before, shape = after, layer.shape
    return kept, working


def _built(arm: Arm, data: Dataset) -> Network:
    try:
        return build([arm], data)
    except Exception as error:  # a third party's layer or regularizer may raise anything
        what = str(error) if isinstance(error, DlsweepError) else f"{type(error).__name__}: {error}"
        raise UsageError(f"the network of the arm {arm.name!r} cannot be built: {what}") from error
