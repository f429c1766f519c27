"""Networks as tables: layers with shapes, parameters and multiply-adds, and the calculation for the first ones."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from dlsweep.config import load
from dlsweep.config.loading import first_arm
from dlsweep.config.runs import Arm
from dlsweep.datasets import open_dataset
from dlsweep.datasets.base import Dataset
from dlsweep.errors import UsageError
from dlsweep.explain.drawing import Explained, by, indented, paragraph, text
from dlsweep.factors import STANDARD
from dlsweep.nn.layers import multiplications, size
from dlsweep.nn.networks import networks
from dlsweep.tabular import table
from dlsweep.tasks import CLASSIFICATION, task_of
from dlsweep.text import plural
from dlsweep.training.network import build
from dlsweep.training.plan import code
from dlsweep.types import Shape

FEW_ARMS = 3  # that a heading names


class Row(NamedTuple):
    """Layer: the shape of its output for one sample, the shapes of its kernels, and its cost for one sample."""

    name: str
    output: Shape
    kernels: tuple[Shape, ...]
    parameters: int
    multiply_adds: int


class Table(NamedTuple):
    """Network for samples of a shape.

    pools_first: True if training computes a max-pooling before the activation that it follows.
    """

    input: Shape
    classes: int
    layers: tuple[Row, ...]
    parameters: int
    multiply_adds: int
    pools_first: bool

    @property
    def data(self) -> dict[str, Any]:
        """Facts for JSON."""
        facts = self._asdict() | {"layers": [row._asdict() for row in self.layers]}
        del facts["pools_first"]
        return facts


def is_config(name: str) -> bool:
    """Return True if a word means the file of a config or standard input, and not a model."""
    return name == "-" or Path(name).suffix in (".yaml", ".yml") or (name not in networks and Path(name).is_file())


def explain_network(name: str, words: Sequence[str], shape: Shape, classes: int) -> Explained:
    """Explain a network by name. words: `key=value`, its settings, or factors such as normalization=batch."""
    arm = _arm(name, words)
    network = _table(arm, replace(open_dataset(arm.data), shape=shape, classes=classes))
    title = " ".join([name, *words])
    told = text(_title(title, network), *_told(network), *_notes([network]))
    return Explained(told, {"name": title, "networks": [network.data]})


def explain_config(file: str, overrides: Iterable[str]) -> Explained:
    """Explain the networks of a config, with a table for each different one."""
    config = load(file, overrides)
    if config.task is not CLASSIFICATION:
        raise UsageError(f"{file} has landscapes, functions of two variables, for its model; they have no layers")
    made: dict[Hashable, Table] = {}
    arms: dict[Table, list[str]] = {}
    for arm in config.arms():
        key = code(arm)
        if key not in made:
            made[key] = _table(arm, open_dataset(arm.data))
        arms.setdefault(made[key], []).append(arm.name)
    parts: list[str] = []
    facts: list[dict[str, Any]] = []
    for network, names in arms.items():
        rest = f" and {plural(len(names) - FEW_ARMS, 'more arm')}" if len(names) > FEW_ARMS else ""
        who = f"all {plural(len(names), 'arm')}" if len(arms) == 1 else " | ".join(names[:FEW_ARMS]) + rest
        told = _told(network)
        parts += [_title(f"{config.name} ({who})", network), told[0], *(told[1:] if not facts else ())]
        facts.append({"arms": names, **network.data})
    return Explained(text(*parts, *_notes(arms)), {"name": config.name, "networks": facts})


def _arm(name: str, words: Sequence[str]) -> Arm:
    """Return an arm with that model and the given words; everything else has its default."""
    if task_of(name) is not CLASSIFICATION:
        raise UsageError(f"{name} is a landscape, a function of two variables; it has no layers")
    networks[name]  # raises an error if the name is not registered
    for word in words:
        if "=" not in word:
            raise UsageError(f"a setting is key=value, such as variant=modern, got {word!r}")
    paths = [f"grid.{word}" if word.split("=")[0] in STANDARD else f"model.{name}.{word}" for word in words]
    return first_arm({"name": "explained", "model": name}, paths)


def _table(arm: Arm, data: Dataset) -> Table:
    network = build([arm], data)
    layers = network.layers
    rows, here = [], data.shape
    for layer in layers:
        here = layer.shape or here
        kernels = tuple(p.shape for p in layer.parameters.values() if p.kernel)
        rows.append(Row(layer.name, here, kernels, size([layer]), multiplications([layer._replace(shape=here)])))
    pools_first = [layer.name for layer in network.fused] != [layer.name for layer in layers]
    totals = sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows)
    return Table(data.shape, data.classes, tuple(rows), *totals, pools_first)


def _title(name: str, network: Table) -> str:
    return f"{name}: from {by(network.input)} to {network.classes:,} class{'es' * (network.classes > 1)}"


def _told(network: Table) -> list[str]:
    """Return the table, the calculation for its first convolution and dense layer, and the convolutions' shares."""
    header = ["layer", "output", "kernel", "parameters", "multiply-adds"]
    rows = [[r.name, by(r.output), " + ".join(map(by, r.kernels)), *map(_count, r[3:])] for r in network.layers]
    total = ["total", "", "", f"{network.parameters:,}", f"{network.multiply_adds:,}"]
    lines = table(header, [["input", by(network.input), "", "", ""], *rows, total], [False] * 3 + [True] * 2)
    single = [row for row in network.layers if len(row.kernels) == 1]
    convolutions = [row for row in single if len(row.kernels[0]) > 2]
    dense = [row for row in single if len(row.kernels[0]) == 2]
    examples = [_example(kind[0]) for kind in (convolutions, dense) if kind]
    return [indented(lines), "\n".join(examples), _shares(network, convolutions)]


def _count(n: int) -> str:
    return f"{n:,}" if n else ""


def _example(row: Row) -> str:
    """Explain the numbers of parameters and multiply-adds of a layer."""
    units, *rest = row.kernels[0]
    fan = prod(rest)
    noun = "filter" if len(rest) > 1 else "unit"
    weights = f"{by(rest)} = {fan:,} weights" if len(rest) > 1 else f"{fan:,} weights"
    bias = row.parameters == units * (fan + 1)
    each = f"{weights} and a bias" if bias else weights
    product = f"{units:,} · ({fan:,} + 1)" if bias else f"{units:,} · {fan:,}"
    return paragraph(
        f"{row.name}: {plural(units, noun)}, each with {each}, are {product} = {row.parameters:,} parameters. "
        f"Each of its {prod(row.output):,} outputs is a sum of {fan:,} products: {row.multiply_adds:,} multiply-adds.",
    )


def _shares(network: Table, convolutions: Sequence[Row]) -> str:
    """Return the convolutions' shares of the parameters and of the multiply-adds, as a sentence."""
    if not convolutions or len(convolutions) == sum(bool(row.kernels) for row in network.layers):
        return ""
    parameters = sum(row.parameters for row in convolutions) / network.parameters
    work = sum(row.multiply_adds for row in convolutions) / network.multiply_adds
    return (
        f"The convolutions have {_percent(parameters)} of the parameters and {_percent(work)} of the multiply-adds: "
        "the same kernel is used at every position."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def _notes(tables: Collection[Table]) -> list[str]:
    convolves = any(len(kernel) > 2 for t in tables for row in t.layers for kernel in row.kernels)
    convolution = "(filters, channels that each reads, height, width) of a convolution, " * convolves
    shapes = (
        "Shapes are for one sample: channels × height × width. A kernel's shape is "
        f"{convolution}(units, inputs) of a dense layer. Multiply-adds are for one sample in the forward pass; "
        "activations, pooling and normalization are not counted. Training takes about three times as many."
    )
    pooling = (
        "Training computes a max-pooling before the non-decreasing activation that it follows, such as relu: the same "
        "numbers with less work. Probes and pictures show the order above."
    )
    return [shapes, pooling * any(t.pools_first for t in tables)]
