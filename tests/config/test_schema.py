"""The JSON Schema says what `load` says, as far as a schema can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dlsweep.config import load
from dlsweep.config.document import gather
from dlsweep.config.reader import read_yaml
from dlsweep.config.schema import schema
from dlsweep.config.words import CHOSEN, registry
from dlsweep.errors import ConfigError

ROOT = Path(__file__).parents[2]
SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def parsed(text: str | bytes) -> Any:
    node, _ = gather(read_yaml(text if isinstance(text, bytes) else text.encode(), "x.yaml"))
    assert node is not None
    return node.plain()


def test_it_is_a_schema() -> None:
    VALIDATOR.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.name)
def test_committed_configs_fit(path: Path) -> None:
    VALIDATOR.validate(parsed(path.read_bytes()))


@pytest.mark.parametrize("field", CHOSEN)
def test_every_registered_name_is_completed_with_its_summary(field: str) -> None:
    level = SCHEMA["$defs"][field]["level"]["anyOf"]
    names = {one["const"]: one["description"] for one in level if "const" in one}
    mappings = {name for one in level for name in one.get("properties", ())} - {"label"}
    assert mappings == set(registry(field))
    assert names.items() <= {name: registry(field)[name].summary for name in registry(field)}.items()


GOOD = [
    "name: x",
    "{data: {mnist: {train: 300}}, model: {mlp: {hidden: [40, 20]}}, seeds: [0, 7]}",
    "train: {epochs: 3, batch_size: 10, sampling: replacement}",
    "evaluate: {every: 5, on: [batch, train, test]}",
    "grid: {activation: [relu, tanh], init: [he, {normal: {std: [0.1, 1]}}, {xavier: , label: X}]}",
    "grid: {optimizer: {sgd: }, optimizer.lr: [0.1, 1], train.batch_size: 5, model.mlp.hidden: [[40, 20], []]}",
    "grid: {model.hidden: [40, 20], data.mnist.train: [300, null], optimizer.sgd.lr: 3}",
    "grid: [{init: he}, {init: xavier}]",
    'grid: {"activation, init": [[relu, he], [tanh, {normal: {std: 1}}]]}',
    "{grid: {init: [he, xavier], activation: [relu, tanh]}, exclude: [{init: [he], activation: relu}], only: []}",
    "plots: [curves, {curves: {rows: activation, columns: null}}]",
    "grid: {regularizer: [none, {dropout: {ratio: [0.15, 0.2]}, l1: {strength: 0.005}, label: both}]}",
    "grid: {normalization: [none, layer, {batch: {momentum: 0.99, position: [before, after]}}]}",
    "{train: {clip_norm: 1}, grid: {activation: {prelu: {start: 0}}}}",
    "{claims: [], statistics: {alpha: 0.01}}",
    "{evaluate: {on: [validation]}, data: {mnist: {validation: 9}}, grid: {init: [he, xavier]}, tune: {over: init}}",
    "{grid: {init: [he, xavier]}, claims: [{A: {arm: {init: he}, beats: {init: [xavier]}, by: 0.1, better: more}}]}",
    "{grid: {init: [he, xavier]}, claims: [{A: {order: [{init: he}, {init: xavier}], metric: best_loss}}]}",
    "{grid: {optimizer.lr: [0.1, 1]}, claims: [{A: {monotone: optimizer.lr, direction: down, expect: refuted}}]}",
    "{data: {mnist: 300}, model: {mlp: [40, 20]}, grid: {regularizer: {dropout: [0.1, 0], l1: 1}, init: {normal: 1}}}",
]

BAD = [
    "nmae: x",
    "statistics: {alpha: 0}",
    "statistics: 0.05",
    "tune: {on: validation}",
    "tune: {over: init, seeds: 0}",
    "tune: {over: init, on: tset}",
    "claims: {A: {arm: {init: he}, above: 0.5}}",
    "claims: [{A: {arm: {init: he}}}]",
    "claims: [{A: {arm: {init: he}, above: 0.5}, B: {arm: {init: he}, above: 0.5}}]",
    "claims: [{A: {arm: {init: he}, above: 0.5, below: 0.5}}]",
    "claims: [{A: {arm: {init: he}, above: high}}]",
    "claims: [{A: {arm: {init: he}, above: 0.5, expect: true}}]",
    "claims: [{A: {order: [{init: he}]}}]",
    "name: ../x",
    "name: ''",
    "seeds: 0",
    "seeds: [0, 0]",
    "seeds: [-1]",
    "data: mnst",
    "data: npz",
    "data: [mnist]",
    "data: {mnist: {train: 0}}",
    "model: {mlp: {hidden: 40}}",
    "train: {batch_size: 0}",
    "train: {batch_size: [10, 20]}",
    "train: {iterations: 5, epochs: 5}",
    "train: {sampling: shufle}",
    "evaluate: {on: [tset]}",
    "evaluate: {on: []}",
    "grid: {activation: rleu}",
    "grid: {activation: []}",
    "grid: {optimizer: {sgd: {lr: 0}}}",
    "grid: {optimizer: {sgd: {lr: '0.1'}}}",
    "grid: {optimizer: {sgd: {lr: true}}}",
    "grid: {optimizer: {sgd: {rate: 1}}}",
    "grid: {optimizer: {sgd: , adam: }}",
    "grid: {optimizer: {label: x}}",
    "grid: {optimizer.lrr: 1}",
    "grid: {train: 1}",
    "grid: []",
    "exclude: [{}]",
    "exclude: {init: he}",
    "plots: curves",
    "plots: [curvs]",
    "plots: [curves: {y: acuracy}]",
    "regularizer: none",
    "data: {mnist: , label: x}",
    "grid: {optimizer: {lr: 0.1}}",
    "grid: {regularizer: {dropout: {ratio: 1}}}",
    "grid: {regularizer: {l1: {strength: -1}}}",
    "grid: {regularizer: {dropout: {mode: clasic}}}",
    "grid: {normalization: {batch: {momentum: 1}}}",
    "grid: {normalization: {batch: {}, layer: {}}}",
    "train: {clip_norm: 0}",
    "train: 5",
    "grid: {regularizer: {dropout: 1}}",
    "grid: {activation: {relu: 1}}",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_load_takes_fits(text: str) -> None:
    load(parsed(text))
    VALIDATOR.validate(parsed(text))


@pytest.mark.parametrize("text", BAD)
def test_what_load_refuses_does_not_fit(text: str) -> None:
    with pytest.raises(ConfigError):
        load(parsed(text))
    assert not VALIDATOR.is_valid(parsed(text))
