"""Thousands of mutated configs: each is loaded, or refused with sentences that have a line and a column."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlsweep.config import load
from dlsweep.config.document import gather
from dlsweep.config.reader import read_yaml
from dlsweep.errors import ConfigError

EVERYTHING = """\
name: everything
title: What is it?
data: {mnist: {train: 300, validation: 5000, test: 1000}}
model: {mlp: {hidden: [40, 20]}}
train: {epochs: 20, batch_size: 10, sampling: shuffle, patience: 3, monitor: test_loss}
evaluate: {every: 100, on: [batch, train, validation, test], keep: best}
seeds: [0, 1, 7]
grid:
  - regularizer: [none, {dropout: 0.15, l1: 0.005}]
    normalization: [none, {batch: {position: after}}]
    schedule: cosine
  - optimizer:
      - sgd: {lr: [0.01, 0.1]}
      - momentum: {lr: 0.01, alpha: [0, 0.9]}
      - {adam: {}, label: Adam as published}
    train.batch_size: {range: [10, 40, 10]}
  - "activation, init": [[relu, he], [sigmoid, {normal: {std: 0.1}}]]
    model.mlp.hidden: [[40, 20], [100, 100]]
exclude:
  - {optimizer: Adam as published, train.batch_size: 10}
plots:
  - curves: {rows: optimizer, columns: train.batch_size, y: loss}
  - final
claims:
  - small batches help: {monotone: train.batch_size, direction: down, where: {optimizer: momentum}, metric: loss}
  - Adam is first: {order: [{optimizer: Adam as published}, {optimizer: momentum}, {optimizer: sgd}], at: 200}
  - ReLU is as quick: {arm: {activation: relu}, above: 0.5, metric: iterations_to_0.9_test_accuracy}
statistics: {alpha: 0.1}
"""
LAYERS = """\
name: layers
data: {mnist: {test: 2000}}
model:
  layers:
    - conv: {filters: 8, kernel: 3}
    - activation
    - pool: 2
    - residual: [conv: {filters: 8, kernel: 3, pad: 1}, relu]
    - {dense: 10}
seeds: 2
grid: {activation: [relu, tanh], optimizer.lr: {logspace: [1e-3, 1, 4]}}
claims:
  - ReLU wins: {arm: {activation: relu}, beats: {activation: tanh}, by: 0.01, metric: best_test_accuracy}
  - it wins where steps are large:
      {arm: {activation: relu}, beats: {activation: tanh}, more: {optimizer.lr: 1}, than: {optimizer.lr: [0.1, 0.01]}}
  - they end alike: {arm: {activation: relu}, equals: {activation: tanh}, within: 0.02, expect: undecided}
  - larger steps spread them: {trend: optimizer.lr, metric: spread_over_activation_loss}
"""
LANDSCAPE = """\
model: {narrow_valley: {start: [-7, 2]}}
train: {iterations: 30}
evaluate: {every: 3}
grid: {optimizer: [sgd, {momentum: [0.1, 0.9]}], model.noise: [0, 0.1]}
plots: [paths, {curves: {y: loss}}]
claims: [{it turns: {arm: {optimizer: sgd}, above: 90, metric: turning_angle}}]
"""
TUNED = """\
data: {mnist: {train: 300, validation: 100}}
evaluate: {on: [validation, test]}
seeds: 6
grid:
  optimizer: [{sgd: {lr: [0.1, 1]}}, momentum, adam]
  optimizer.momentum.alpha: [0.9, 0.5]
  schedule: [constant, step]
tune: {over: [optimizer.lr, optimizer.alpha], on: validation, seeds: 2, metric: best_loss, random: 1}
claims: [{Adam is first: {arm: {optimizer: adam}, beats: {optimizer: sgd}, where: {schedule: step}, at: 500}}]
"""
BASES = [EVERYTHING, LAYERS, LANDSCAPE, TUNED, "seeds: 5\ngrid: {activation: [relu, tanh]}\n"]

PIECES = [
    *":,-[]{}#&*!|>'\"%@`?~=. \n\t",
    *"：，［］０−“’",
    ": ",
    "- ",
    "\n  ",
    "? ",
    "<<: ",
    "&a ",
    "*a ",
    "!!int ",
    "---\n",
]
PIECES += [
    "null",
    "true",
    "1e3",
    "1_000",
    ".inf",
    "-1",
    "0x1F",
    "none",
    "label: x",
    "\u202e",
    "\x07",
    "\0",
    "é",
    "grid: ",
]
WORDS = [
    "relu",
    "abc",
    "",
    "grid",
    "train.batch_size",
    "optimizer",
    "logspace",
    "-",
    "a, b",
    "12:30",
    "x" * 200,
    "\u202e",
]
VALUES: list[Any] = [None, True, 0, -1, 1.5, 1e308, float("nan"), 2**62, [], {}, [[]], [None], {"a": 1}, *WORDS]
VALUES += [
    {"label": "x"},
    {"range": [1, 3]},
    {"logspace": [1, 2]},
    [[1, 2], [3]],
    {"relu": {"relu": 1}},
    ["relu", "tanh"],
]


class Plain(yaml.CSafeDumper):
    """Writes YAML without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def parsed(text: str) -> Any:
    node, _ = gather(read_yaml(text.encode(), "x.yaml"))
    assert node is not None
    return node.plain()


def texts(count: int, seed: int) -> Iterator[bytes]:
    """Configs with a few characters changed, and with a few values, keys or items changed."""
    draw = random.Random(seed)
    for i in range(count):
        base = draw.choice(BASES)
        if i % 2:
            yield edited(base, draw).encode(errors="surrogatepass")
        else:
            yield yaml.dump(changed(parsed(base), draw), Dumper=Plain, allow_unicode=True, sort_keys=False).encode()


def edited(text: str, draw: random.Random) -> str:
    for _ in range(draw.choice([1, 1, 2, 4])):
        at = draw.randrange(len(text) + 1)
        cut = draw.choice([0, 0, 1, 3, 12])
        put = draw.choice(PIECES) if draw.random() < 0.8 else text[draw.randrange(len(text)) :][: draw.randrange(40)]
        text = text[:at] + put + text[at + cut :]
    return text


def changed(value: Any, draw: random.Random) -> Any:
    for _ in range(draw.choice([1, 1, 2, 3])):
        places = list(containers(value))
        if not places:
            return value
        inner = draw.choice(places)
        key = draw.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        how = draw.random()
        if how < 0.2:
            del inner[key]
        elif how < 0.4 and isinstance(inner[key], (int, float)):
            inner[key] = draw.choice([inner[key] * 2, inner[key] + 1, float(inner[key]), -inner[key]])
        elif how < 0.7:
            inner[key] = draw.choice(VALUES)
        elif how < 0.8:
            inner[key] = [inner[key]] if draw.random() < 0.5 else {draw.choice(WORDS): inner[key]}
        elif isinstance(inner, dict):
            other = draw.choice(WORDS) if draw.random() < 0.5 else key + draw.choice([".", " ", "s", ", init"])
            inner[other] = inner[key]
        else:
            inner.append(inner[key])
        value = copy.deepcopy(value)  # what is put twice becomes two
    return value


def containers(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)


def told(data: bytes, path: Path) -> int:
    """Load a config; return the number of its mistakes, and check that each has a place in the file."""
    path.write_bytes(data)
    try:
        load(path, max_runs=2000)
    except ConfigError as error:
        text = str(error)
        assert all(character.isprintable() or character == "\n" for character in text), text
        rows = data.decode(errors="replace").splitlines()
        for mistake in error.mistakes:
            assert mistake.file == str(path), text
            assert 1 <= mistake.line <= len(rows) + 1, text
            assert mistake.column >= 1, text
            assert mistake.message, text
        return len(error.mistakes)
    return 0


def check(count: int, seed: int, folder: Path) -> None:
    found = []
    for data in texts(count, seed):
        try:
            found.append(told(data, folder / "c.yaml"))
        except Exception as error:
            raise AssertionError(data.decode(errors="replace")) from error
    assert min(found.count(0), sum(n > 1 for n in found)) > count / 20  # some of each kind


@pytest.mark.slow
def test_a_mutated_config_is_loaded_or_refused_with_a_sentence(tmp_path: Path) -> None:
    check(1000, 2024, tmp_path)


@pytest.mark.torture
def test_many_mutated_configs_are_loaded_or_refused_with_a_sentence(tmp_path: Path) -> None:
    check(4000, 2025, tmp_path)
