"""Titles, labels, limits and sizes of figures, and where they go, through the command line."""

from __future__ import annotations

import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.support import commands

NETWORKS = """\
# Which activation is better? Both are old.
name: networks
data: {npz: {path: tiny.npz}}
model: {mlp: {hidden: [8, 8]}}
train: {iterations: 20, batch_size: 10}
evaluate: {on: [train, test]}
seeds: 3
grid: {activation: [tanh, relu], optimizer: [{sgd: {lr: [0.1, 0.2]}}]}
plots:
  - final: {split: train}
  - final: {split: test}
  - curves: {lines: optimizer, columns: activation, y_label: share of right answers}
"""
VALLEY = "name: valley\nmodel: narrow_valley\ntrain: {iterations: 5}\ngrid: {optimizer: [sgd, adam]}\nseeds: 1\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of a sweep of networks and of a sweep of landscapes."""
    folder = tmp_path_factory.mktemp("options")
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(60, 5)).astype(np.float32), np.arange(60) % 3
    np.savez(folder / "tiny.npz", x_train=x[:40], t_train=t[:40], x_test=x[40:], t_test=t[40:])
    for name, text in (("networks", NETWORKS), ("valley", VALLEY)):
        (folder / f"{name}.yaml").write_text(text, "utf-8")
        done = commands.dlsweep("run", f"{name}.yaml", "-q", "-j", 1, folder=folder)
        assert done.returncode == 0, done.stderr
    return folder


def plot(folder: Path, *arguments: object, code: int = 0) -> commands.Done:
    done = commands.dlsweep("plot", *arguments, folder=folder)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def words(path: Path) -> set[str]:
    """The texts of an SVG."""
    elements = xml.etree.ElementTree.parse(path).iter()
    return {str(element.text) for element in elements if element.tag.endswith("text")}


@pytest.mark.slow
def test_a_figure_has_the_config_s_question_and_says_what_it_is_of(folder: Path) -> None:
    plot(folder, "results/networks", "-k", "curves", "--format", "svg", "-o", "shown")
    found = words(folder / "shown" / "networks-curves-accuracy.svg")
    assert {"Which activation is better?", "npz · mlp 2 × 8 · 3 seeds", "share of right answers", "iteration"} <= found
    plot(folder, "results/networks", "-k", "curves", "--title", "", "--subtitle", "of both", "-o", "other.svg")
    found = words(folder / "other.svg")
    assert "Which activation is better?" not in found
    assert "of both" in found
    plot(folder, "results/networks", "-k", "curves", "--y-label", "a", "--x-label", "b", "--title", "c", "-o", "d.svg")
    assert {"a", "b", "c"} <= words(folder / "d.svg")


def test_axes_have_readable_names(folder: Path) -> None:
    plot(folder, "results/networks", "-k", "response", "-x", "optimizer.lr", "-o", "response.svg")
    assert {"learning rate", "0.1", "0.2"} <= words(folder / "response.svg")
    plot(folder, "results/valley", "-k", "curves", "-o", "valley.svg")
    assert {"f(x, y)", "sgd lr=0.01", "adam lr=0.001"} <= words(folder / "valley.svg")


def test_sizes_and_limits(folder: Path) -> None:
    options = ("--size", "6,4", "--dpi", 100, "--x-limits", "5,", "--y-limits", "0.2,0.9", "--font-size", 8)
    plot(folder, "results/networks", "-k", "curves", *options, "-o", "sized.png")
    with Image.open(folder / "sized.png") as image:
        assert image.size == (600, 400)
    plot(folder, "results/networks", "-k", "curves", "--x-limits", "5,15", "-o", "limited.svg")
    assert {"6", "14"} <= words(folder / "limited.svg")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--size", "1,1"], "size must leave room for the texts of this figure, got 1 × 1 inches"),
        (["--size", "8"], "--size must be two numbers with a comma, such as 0,1, got '8'"),
        (["--x-limits", "a,b"], "--x-limits must be two numbers with a comma, such as 0,1, got 'a,b'"),
        (["--y-limits", "1,1"], "y_limits must be two different numbers, got [1.0, 1.0]"),
        (["--y-limits", "0,1", "-y", "loss", "--log-y"], "y_limits must be two different numbers above 0, got [0.0"),
        (["--dpi", "1"], "plots.curves.dpi must be at least 20, got 1"),
        (["--dpi", "1e9"], "plots.curves.dpi must be at most 2000, got 1000000000"),
        (["--dpi", "x"], "plots.curves.dpi must be a whole number, got 'x'"),
        (["--font-size", "x"], "plots.curves.font_size must be a number, got 'x'"),
        (["-k", "filters", "--seed", "-1"], "plots.filters.seed must be at least 0, got -1"),
    ],
)
def test_what_no_figure_can_have_is_told(folder: Path, options: list[str], sentence: str) -> None:
    assert sentence in plot(folder, "results/networks", "-k", "curves", *options, code=2).stderr


def test_names_of_files_say_what_differs(folder: Path) -> None:
    drawn = {path.name for path in (folder / "results" / "networks" / "figures").iterdir()}
    assert {"final-accuracy-split-train.png", "final-accuracy-split-test.png", "curves-accuracy.png"} <= drawn
    assert (
        "2 figures; give the name of a folder"
        in plot(folder, "results/networks", "-k", "final", "-o", "one.png", code=2).stderr
    )


def test_what_can_be_drawn_of_a_folder_is_drawn(folder: Path) -> None:
    done = plot(folder, "results", "-k", "curves", "-o", "every")
    assert done.stdout.split() == ["every/networks-curves-accuracy.png", "every/valley-curves-loss.png"]
    done = plot(folder, "results", "-k", "gap", "-o", "every")
    assert done.stdout.split() == ["every/networks-gap-accuracy.png"]
    assert "there is no train-test gap to show" in done.stderr
    plot(folder, "results", "-k", "filters", code=2)


def test_a_heat_map_of_losses_has_a_logarithmic_scale(folder: Path) -> None:
    plot(folder, "results/networks", "-k", "heatmap", "-y", "loss", "--log-y", "-o", "heat.svg")
    assert "final test loss" in words(folder / "heat.svg")


def test_a_plot_without_an_axis_is_refused_before_training(folder: Path) -> None:
    text = NETWORKS.replace("lr: [0.1, 0.2]", "lr: 0.1").replace("final: {split: train}", "response")
    (folder / "flat.yaml").write_text(text.replace("name: networks", "name: flat"), "utf-8")
    done = commands.dlsweep("run", "flat.yaml", folder=folder)
    assert done.returncode == 2
    assert "response shows a numeric setting, and none varies in this sweep" in done.stderr
    assert not (folder / "results" / "flat").exists()
