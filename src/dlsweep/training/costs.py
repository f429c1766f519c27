"""Costs of a run: numbers, bytes and multiplications, from the network of its arm; nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from dlsweep.config.runs import Arm
from dlsweep.datasets import open_dataset
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.nn.layers import Layer, multiplications, size
from dlsweep.nn.optimizers import optimizers
from dlsweep.registry import imported
from dlsweep.tasks import task_of
from dlsweep.training.network import Network, build
from dlsweep.training.samples import block_size

FLOAT = 4  # bytes of a float32
POINT = 100  # bytes of a point on a path


@dataclass(frozen=True)
class Cost:
    """Costs of one run.

    steps, evaluations: their numbers, of a run that does not end early. parameters: trained numbers; memory: bytes that
    the run adds to a stack; work: multiplications; kernels: layers that have one; kept: numbers that it stores for each
    parameter.
    """

    steps: int
    evaluations: int
    parameters: int
    memory: int
    work: float
    kernels: int = 0
    kept: int = 0


def of(arm: Arm) -> Cost:
    """Return the costs of a run of an arm."""
    return imported(task_of(arm.model.name).cost)(arm)


def of_descent(arm: Arm) -> Cost:
    """Return the costs of a descent on a landscape."""
    steps = arm.train.steps(0)
    evaluations = arm.evaluate.times(steps)
    return Cost(steps, evaluations, parameters=2, memory=POINT * evaluations, work=float(steps))


def of_network(arm: Arm) -> Cost:
    """Return the costs of a network. Raise `UsageError` if it cannot be built."""
    data = open_dataset(arm.data)
    try:
        network = build([arm], data)
    except Exception as error:  # a third party's layer or regularizer may raise anything
        what = str(error) if isinstance(error, DlsweepError) else f"{type(error).__name__}: {error}"
        raise UsageError(f"the network of the arm {arm.name!r} cannot be built: {what}") from error
    layers, batch_size = network.layers, arm.train.batch_size
    steps = arm.train.steps(data.sizes["train"])
    evaluations = arm.evaluate.times(steps)
    evaluated = sum(batch_size if split == "batch" else data.sizes[split] for split in arm.evaluate.on)
    work = max(1, multiplications(layers)) * (3 * steps * batch_size + evaluated * evaluations)
    # A seed that trains on a subset of its own is evaluated on a copy of it, and one with its own splits on copies.
    own = {"train"} if arm.data.settings.get("train") is not None else set()
    own = own if data.division is None else {"train", "validation", "test"}
    samples = sum(data.sizes[split] for split in own.intersection(arm.evaluate.on)) * prod(data.shape)
    columns = max((regularizer.columns for regularizer in network.regularizers), default=1) * block_size(layers)
    activations = _activations(network, data.shape, columns, batch_size, arm.evaluate.layers)
    # Of every parameter: itself, its gradient and slots, temporaries of an update and an evaluation, those that
    # are kept, and copies for probes.
    slots = len(optimizers[arm.optimizer.name].rest)
    kept = bool(arm.evaluate.keep) + slots * (arm.evaluate.keep == "final")
    restored = arm.evaluate.predicts and arm.train.stopping is not None and arm.train.stopping.restore_best
    copies = 4 + slots + max(kept, restored) + 3 * arm.evaluate.layers
    parameters = size(layers)
    memory = FLOAT * (parameters * copies + activations + samples)
    kernels = sum(len(layer.kernels) for layer in layers)
    return Cost(steps, evaluations, parameters, memory, float(work), kernels, kept)


def _activations(network: Network, shape: tuple[int, ...], evaluated: int, trained: int, observed: bool) -> int:
    """Return the largest number of numbers that a pass of a run holds, in evaluation or in training.

    evaluated, trained: samples of a pass; observed: True if probes see every output, in a pass over the unfused layers.
    """
    kept, working = _passed(network.fused, shape)
    training = sum(_passed(network.layers, shape)) if observed else 0
    return max(working * evaluated, (kept + working) * trained, training * trained)


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
