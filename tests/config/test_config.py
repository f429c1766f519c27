"""What holds for every config: counts, ids, the order of what is written, the normal form, laziness."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.configs import Load, Refused

from dlsweep.config import Config, load
from dlsweep.config.runs import Run
from dlsweep.config.words import FIELDS, numbers
from dlsweep.errors import ConfigError
from dlsweep.randomness import RANDOMNESS_VERSION, Seeds

ROOT = Path(__file__).parents[2]

RATES = st.sampled_from([0.001, 0.01, 0.1, 0.5])
FRACTIONS = st.sampled_from([0.0, 0.5, 0.9])


def settings(name: str, **values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A level: the name, or the name with some settings, each one value or a list."""
    given = {k: v | st.lists(v, min_size=1, max_size=2, unique=True) for k, v in values.items()}
    return st.just(name) | st.fixed_dictionaries({name: st.fixed_dictionaries({}, optional=given)})


def levels(*choices: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.one_of(*choices), min_size=1, max_size=3)


FACTORS = {
    "activation": levels(*map(st.just, ("relu", "tanh", "sigmoid"))),
    "init": levels(st.just("he"), settings("normal", std=RATES)),
    "optimizer": levels(
        settings("sgd", lr=RATES),
        settings("momentum", lr=RATES, alpha=FRACTIONS),
        settings("adam", lr=RATES, beta1=FRACTIONS),
    ),
    "optimizer.lr": st.lists(RATES, min_size=1, max_size=2),
    "optimizer.momentum.alpha": st.lists(FRACTIONS, min_size=1, max_size=2),
    "train.batch_size": st.lists(st.integers(1, 60), min_size=1, max_size=2),
    "model.mlp.hidden": st.lists(st.lists(st.integers(1, 9), max_size=2), min_size=1, max_size=2),
    "data.mnist.train": st.lists(st.sampled_from([None, 100, 60000]), min_size=1, max_size=2),
}
GRIDS = st.fixed_dictionaries({}, optional=FACTORS)


def written(grid: dict[str, Any] | list[dict[str, Any]], **more: Any) -> Config | None:
    """The config, or None where the drawn grid contradicts itself, as drawn grids may."""
    try:
        return load({"name": "drawn", "seeds": [0, 4], "grid": grid, **more})
    except ConfigError as error:
        known = ("twice", "is a factor of this grid", "applies to no", "contradict", "have the label")
        if all(any(words in mistake.message for words in known) for mistake in error.mistakes):
            return None
        raise


def ids(config: Config) -> list[str]:
    return [run.id for run in config.runs()]


@given(GRIDS)
def test_arms_are_distinct_and_no_more_than_counted(grid: dict[str, Any]) -> None:
    config = written(grid)
    if config is None:
        return
    arms = list(config.arms())
    assert 1 <= len(arms) <= config.count / len(config.seeds)
    assert len(arms) + len(config.folds()) == config.count / len(config.seeds)
    assert len({arm.identity for arm in arms}) == len(arms)
    assert len({arm.name for arm in arms}) == len(arms)
    assert len(set(ids(config))) == len(arms) * 2
    for arm in arms:
        assert tuple(arm.levels) == config.factors
        assert all(label in config.levels(factor) for factor, label in arm.levels.items())
        columns = {column for field in FIELDS for column in numbers(field, getattr(arm, field))}
        assert columns - set(config.factors) <= set(config.settings)
    kept = {arm.name for arm in arms}
    assert all(into in kept and name not in kept for name, into in config.folds())


def reversed_lists(grid: dict[str, Any]) -> dict[str, Any]:
    return {factor: values[::-1] for factor, values in reversed(grid.items())}


@given(GRIDS)
def test_the_order_of_factors_and_levels_says_nothing(grid: dict[str, Any]) -> None:
    config, turned = written(grid), written(reversed_lists(grid))
    assert (config is None) == (turned is None)
    if config is not None and turned is not None:
        assert set(ids(config)) == set(ids(turned))
        assert not turned.difference(config.resolved())


@given(GRIDS)
def test_the_normal_form_is_the_same_config(grid: dict[str, Any]) -> None:
    config = written(grid)
    if config is None:
        return
    form = json.loads(json.dumps(config.resolved()))
    assert config.difference(form) == []
    form.pop("fingerprints")
    again = load(form)
    assert sorted(ids(again)) == sorted(ids(config))
    assert again.difference(config.resolved()) == []
    assert {arm.name for arm in again.arms()} == {arm.name for arm in config.arms()} or again.factors != config.factors


@given(st.lists(GRIDS, min_size=2, max_size=3))
def test_a_union_has_the_runs_of_its_grids_once(grids: list[dict[str, Any]]) -> None:
    config, parts = written(grids), [written(grid) for grid in grids]
    if config is not None and None not in parts:
        assert set(ids(config)) == {run for part in parts if part is not None for run in ids(part)}
        assert len(set(ids(config))) == len(ids(config))


@given(GRIDS, st.data())
def test_only_and_exclude_divide_the_runs(grid: dict[str, Any], data: st.DataObject) -> None:
    config = written(grid)
    if config is None or not config.varying or config.folds():
        return
    factor = data.draw(st.sampled_from(config.varying))
    label = data.draw(st.sampled_from(config.levels(factor)))
    kept = written(grid, only=[{factor: label}])
    left = written(grid, exclude=[{factor: label}])
    assert kept is not None
    assert left is not None
    assert sorted(ids(kept) + ids(left)) == sorted(ids(config))


def run_ids(config: Config) -> list[str]:
    return [run.id for run in config.runs()]


def test_a_config_goes_to_another_process_as_it_is() -> None:
    config = load({"grid": {"optimizer": ["sgd", "momentum"], "optimizer.momentum.alpha": [0.5, 0.9]}})
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(run_ids, (config,)) == run_ids(config)


def test_a_config_cannot_be_changed() -> None:
    config = load({"name": "x"})
    with pytest.raises(AttributeError):
        config.name = "y"  # type: ignore[misc]
    config.resolved()["seeds"].append(99)
    assert config.resolved()["seeds"] == [0, 1, 2, 3, 4]


def test_arms_are_made_as_they_are_asked_for() -> None:
    """10⁹ runs: more than could be expanded here, so that a first few come at once only if the rest do not exist."""
    many = [{"normal": {"std": [i / 1000 for i in range(1, 1001)]}}]
    grid = {"init": many, "optimizer.lr": [i / 1000 for i in range(1, 1001)], "train.batch_size": list(range(1, 1001))}
    config = load({"grid": grid, "seeds": 1}, max_runs=10**9)
    assert config.count == 10**9
    first = list(itertools.islice(config.runs(), 1000))
    assert len({run.id for run in first}) == 1000


def test_what_changed_is_told_by_path() -> None:
    old = load({"name": "x", "grid": {"activation": ["relu", "tanh"], "optimizer": {"sgd": {"lr": 0.1}}}})
    new = load(
        {
            "name": "x",
            "seeds": 2,
            "train": {"epochs": 3},
            "data": {"mnist": {"validation": 500}},
            "grid": {
                "activation": ["sigmoid", "relu"],
                "optimizer": {"sgd": {"lr": 0.2}},
                "train.batch_size": [10, 20],
            },
            "exclude": [{"activation": "relu", "train.batch_size": 10}],
        }
    )
    assert new.difference(json.loads(json.dumps(old.resolved()))) == [
        "data.mnist.validation: 0 there, 500 now",
        "train.iterations: gone",
        "train.batch_size: gone",
        "seeds: [0, 1, 2, 3, 4] there, [0, 1] now",
        "grid.activation.tanh: gone",
        "grid.optimizer.sgd.sgd.lr: 0.1 there, 0.2 now",
        "train.epochs: new, 3",
        "grid.activation.sigmoid: new",
        "grid.train.batch_size: new",
        "exclude.{activation: [relu], train.batch_size: [10]}: new",
    ]


def test_crossed_seeds_in_place_of_plain_ones_are_told_in_full() -> None:
    plain, crossed = load({"name": "x", "seeds": 2}), load({"name": "x", "seeds": {"init": 2, "batches": 1}})
    assert plain.difference(crossed.resolved()) == ["seeds: {init: [0, 1], batches: [0]} there, [0, 1] now"]
    assert crossed.difference(plain.resolved()) == ["seeds: [0, 1] there, {init: [0, 1], batches: [0]} now"]


def test_plots_and_labels_of_plots_are_no_question() -> None:
    assert not load({"name": "x", "plots": ["curves"]}).difference(load({"name": "x"}).resolved())


def npz(path: Path, first: float = 0.0) -> None:
    x = np.full((20, 4), first, np.float32)
    t = np.arange(20) % 3
    np.savez(path, x_train=x, t_train=t, x_test=x, t_test=t)


def test_a_file_is_found_beside_the_config_and_its_content_counts_not_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "{name: x, data: {npz: {path: data/mine.npz}}, train: {batch_size: 20}}"
    configs = []
    for folder in ("here", "there"):
        (tmp_path / folder / "data").mkdir(parents=True)
        npz(tmp_path / folder / "data" / "mine.npz")
        (tmp_path / folder / "x.yaml").write_text(text)
        configs.append(load(tmp_path / folder / "x.yaml"))
        assert next(configs[-1].arms()).data.settings["path"] == str(tmp_path / folder / "data" / "mine.npz")
    here, there = configs
    assert ids(here) == ids(there)
    assert there.difference(here.resolved()) == []

    monkeypatch.chdir(tmp_path / "here")  # what is said on the command line or in Python is said from where one is
    other = load(tmp_path / "there" / "x.yaml", ["data.npz.path=data/mine.npz"])
    assert next(other.arms()).data.settings["path"] == str(tmp_path / "here" / "data" / "mine.npz")
    python = load({"data": {"npz": {"path": Path("data/mine.npz")}}, "train": {"batch_size": 20}})
    assert next(python.arms()).data.settings["path"] == str(tmp_path / "here" / "data" / "mine.npz")

    file = tmp_path / "there" / "data" / "mine.npz"
    before = file.stat().st_mtime_ns
    npz(file, first=1.0)
    os.utime(file, ns=(before + 1, before + 1))  # however coarse the clock of the file system
    changed = load(tmp_path / "there" / "x.yaml")
    assert set(ids(changed)).isdisjoint(ids(here))
    (sentence,) = changed.difference(here.resolved())
    assert sentence.startswith("fingerprints.npz train=null validation=0 test=null standardize=false channels=null: ")


def test_two_files_are_called_by_their_names(tmp_path: Path) -> None:
    for i, name in enumerate(("a", "b")):
        npz(tmp_path / f"{name}.npz", first=i)
    paths = [str(tmp_path / "a.npz"), str(tmp_path / "b.npz")]
    config = load({"grid": {"data": {"npz": {"path": paths}}}, "train": {"batch_size": 5}})
    assert config.levels("data") == ("npz path=a.npz", "npz path=b.npz")


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.name)
def test_committed_configs_are_good(path: Path) -> None:
    config = load(path)
    assert config.text == path.read_bytes()
    assert config.plots


def test_the_sweep_of_the_readme() -> None:
    config = load(ROOT / "configs" / "activation_init.yaml")
    assert config.name == "activation-init"
    assert config.varying == ("activation", "init")
    assert config.count == 60
    assert config.plots[0].settings["rows"] == "activation"
    run = next(config.runs())
    assert run == Run(run.arm, Seeds(0))
    assert len(run.id) == 16
    assert RANDOMNESS_VERSION == 1


OPENING = "# yaml-language-server: $schema=x\n\n# Digits. Which activation\n# learns faster? Or slower?\nname: x\n"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (OPENING, "Which activation learns faster?"),
        ("# Which one?\ntitle: The best of two, by far\n", "The best of two, by far"),
        ("# Which one?\ntitle: null\n", None),
        ("# Which one?\ntitle:\n", None),
        ("# No question.\nseeds: 1 # Is it enough?\n", None),
        ("seeds: 1\n# Is it enough?\n", None),
        (f"# {'x' * 300}?\nseeds: 1\n", None),
        ("title: 2026\n", "2026"),
    ],
)
def test_a_title_is_the_question_in_the_opening_comment_or_given(sweep: Load, text: str, title: str | None) -> None:
    config = sweep(text + "model: beale\n")
    assert config.resolved().get("title") == title
    assert load(config.resolved()).resolved().get("title") == title


def test_a_title_is_no_part_of_the_question(sweep: Load) -> None:
    plain, titled = sweep("model: beale"), sweep("model: beale", "title='Down, and up'")
    assert titled.resolved()["title"] == "Down, and up"
    assert [run.id for run in titled.runs()] == [run.id for run in plain.runs()]
    assert titled.difference(plain.resolved()) == plain.difference(titled.resolved()) == []


@pytest.mark.parametrize("title", ["''", "[a, b]", '"a\\u202eb"', "'" + "x" * 201 + "'", "{a: 1}"])
def test_a_title_is_a_line_of_text(refused: Refused, title: str) -> None:
    hint = "; put quotes around a text with commas or brackets" if title[0] in "[{" else ""
    shown = {"''": "''", "{a: 1}": "{a: …}", '"a\\u202eb"': "'a\\u202eb'"}.get(title, title)
    shown = shown if len(shown) < 50 else f"'{'x' * 40}…'"
    refused(
        f"title: ▲{title}",
        f"title must be a line of text, of 1 to 200 characters, or null for none, got {shown}{hint}",
    )
