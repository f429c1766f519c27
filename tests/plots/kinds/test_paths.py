from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from tests.support import commands

from dlsweep.analysis.frames import curves_of
from dlsweep.cli.choosing import choices
from dlsweep.errors import UsageError
from dlsweep.nn.landscapes import landscapes
from dlsweep.plots import plots, style
from dlsweep.plots.figures import draw, save
from dlsweep.registry import Choice
from dlsweep.storage.results import Results
from dlsweep.sweep import run

SIX: list[Any] = [
    {"sgd": {"lr": 0.95}},
    {"momentum": {"lr": 0.1}},
    "nesterov",
    {"adagrad": {"lr": 1.5}},
    "rmsprop",
    {"adam": {"lr": 0.3}},
]
NAMES = ["sgd lr=0.95", "momentum lr=0.1", "nesterov lr=0.01", "adagrad lr=1.5", "rmsprop lr=0.001", "adam lr=0.3"]


def sweep(folder: Path, **changes: Any) -> Results:
    config = {"name": "sweep", "model": "narrow_valley", "train": {"iterations": 30}, **changes}
    return run({key: value for key, value in config.items() if value is not None}, output=folder, executor="inline")


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Six optimizers in the narrow valley."""
    return sweep(tmp_path_factory.mktemp("six"), grid={"optimizer": SIX})


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two landscapes, two optimizers with two learning rates, three seeds; SGD diverges on one of them."""
    models = [{"rosenbrock": {"noise": 0.1}}, {"saddle": {"noise": 0.1}, "label": "$a$ <b>"}]
    grid = {"model": models, "optimizer": ["sgd", "adam"], "optimizer.lr": [0.01, 0.02]}
    return sweep(tmp_path_factory.mktemp("several"), model=None, seeds=3, grid=grid)


def paths(frame: pd.DataFrame, **settings: Any) -> Figure:
    return plots["paths"](frame, **settings).figure


def shown(figure: Figure) -> list[Axes]:
    return [ax for ax in figure.axes if ax.get_visible()]


def artists(ax: Axes, begin: str) -> list[np.ndarray]:
    return [np.array(a.get_data(), float) for a in ax.lines if str(a.get_label()).startswith(begin)]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for group in figure.artists for text in group.get_texts()]  # type: ignore[attr-defined]


def test_six_optimizers_are_two_rows_of_three(six: Results) -> None:
    figure = paths(curves_of(six))
    assert [ax.get_title("left") for ax in figure.axes] == NAMES
    corners = np.array([ax.get_position().corners()[0] for ax in figure.axes]).round(6)
    assert [len(np.unique(corners[:, i])) for i in (0, 1)] == [3, 2]
    assert len({(*ax.get_xlim(), *ax.get_ylim()) for ax in figure.axes}) == 1
    assert legend(figure) == ["start", "end", "minimum"]
    for ax, (_, curve) in zip(figure.axes, six.curves.groupby("run_id", observed=True, sort=False)):
        (path,) = artists(ax, "path")
        assert path == pytest.approx(curve[["x", "y"]].to_numpy().T)
        assert np.concatenate(artists(ax, "start"), axis=1).T.tolist() == [[-7, 2]]
        assert pytest.approx(curve[["x", "y"]].to_numpy()[-1:]) == np.concatenate(artists(ax, "end"), axis=1).T
        assert np.concatenate(artists(ax, "minimum"), axis=1).T.tolist() == [[0, 0]]
        assert f"final f {curve['loss'].iloc[-1]:.2g}" in ax.get_title("right")
    scale = np.diff(figure.axes[0].transData.transform([(0, 0), (1, 1)]), axis=0)[0]
    assert scale[0] == pytest.approx(scale[1])  # of x and of y


def test_a_panel_has_the_colour_of_its_level(six: Results) -> None:
    expected = style.colours(["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"])
    for ax in paths(curves_of(six)).axes:
        (path,) = [line for line in ax.lines if str(line.get_label()).startswith("path")]
        assert path.get_color() == expected[ax.get_title("left").partition(" ")[0]]


def test_the_mark_of_the_start_does_not_hide_a_short_path(six: Results) -> None:
    for ax in paths(curves_of(six)).axes:
        height = {str(line.get_label()).partition(":")[0]: line.get_zorder() for line in ax.lines}
        assert height["start"] < height["path"] < height["end"]


def test_contours_are_levels_of_the_landscape_at_a_constant_ratio(six: Results) -> None:
    ax = paths(curves_of(six)).axes[0]
    (lines,) = [c for c in ax.collections if not getattr(c, "filled", True)]
    ratios = np.array(lines.levels[1:]) / lines.levels[:-1]  # type: ignore[attr-defined]
    assert ratios == pytest.approx(np.full(len(ratios), ratios[0]))
    at = landscapes["narrow_valley"]().at
    for level, contour in zip(lines.levels, lines.get_paths(), strict=True):  # type: ignore[attr-defined]
        values, _ = at(*np.array(contour.vertices).T)
        assert values == pytest.approx(np.full(len(values), level), rel=0.05, abs=0.01)


def test_five_panels_leave_one_empty_and_label_what_is_above_it(six: Results) -> None:
    figure = paths(curves_of(six).query("optimizer != 'adam'"))
    assert len(shown(figure)) == 5
    labelled = [ax.xaxis.get_major_ticks()[0].label1.get_visible() for ax in shown(figure)]
    assert labelled == [False, False, True, True, True]


def test_lines_are_colours_in_one_panel(six: Results) -> None:
    figure = paths(curves_of(six), lines="optimizer")
    assert len(artists(figure.axes[0], "path")) == 6
    assert legend(figure) == [*NAMES, "start", "end", "minimum"]


def test_a_figure_for_each_landscape(several: Results) -> None:
    names = [path.name for path in draw(several)]
    assert len(names) == len(set(names)) == 4
    assert names[0].startswith("paths-model-rosenbrock-optimizer.lr-0.01")
    frame = curves_of(several)
    found = list(plots["paths"].pages(frame, {"lines": "optimizer.lr"}))
    assert [(settings["columns"], settings["lines"]) for _, _, settings in found] == [("optimizer", "optimizer.lr")] * 2
    assert sum(len(part) for _, part, _ in found) == len(frame)
    with pytest.raises(UsageError, match="shown on one landscape, got rosenbrock, saddle"):
        paths(frame)


def test_diverged_paths_are_cut_marked_and_counted(several: Results, tmp_path: Path) -> None:
    frame = curves_of(several).query("landscape == 'rosenbrock'")
    figure = paths(frame, lines="optimizer.lr")
    sgd, adam = shown(figure)
    assert sgd.get_title("right") == "6 of 6 diverged"
    assert adam.get_title("right") == ""
    assert "diverged" in legend(figure)
    assert "goes on outside" in figure.texts[-1].get_text() + "".join(t.get_text() for t in figure.texts)
    (left, right), (low, high) = sgd.get_xlim(), sgd.get_ylim()
    crosses = np.concatenate(artists(sgd, "diverged"), axis=1)
    assert crosses.shape == (2, 6)
    for x, y in crosses.T:
        assert left - 1e-9 <= x <= right + 1e-9
        assert low - 1e-9 <= y <= high + 1e-9
    assert max(np.nanmax(np.abs(path)) for path in artists(sgd, "path")) < 1e3
    for suffix in ("png", "svg", "pdf"):
        save(figure, tmp_path / f"x.{suffix}")
    with Image.open(tmp_path / "x.png") as image:
        assert min(image.size) > 300


def test_the_seeds_are_all_there(several: Results) -> None:
    frame = curves_of(several).query("landscape == 'saddle'")
    figure = paths(frame, lines="optimizer.lr")
    assert [len(artists(ax, "path")) for ax in shown(figure)] == [6, 6]
    assert any("A path for each of 3 seeds." in text.get_text().replace("\n", " ") for text in figure.texts)


def test_a_start_outside_the_window_widens_it(tmp_path: Path) -> None:
    results = sweep(tmp_path, model={"narrow_valley": {"start": [40, 1]}})
    (ax,) = paths(curves_of(results)).axes
    assert ax.get_xlim()[0] == -10
    assert ax.get_xlim()[1] > 40


def test_a_descent_without_a_point(tmp_path: Path) -> None:
    results = sweep(tmp_path, model={"narrow_valley": {"start": [1e300, 1]}})
    assert results.runs["status"].tolist() == ["diverged"]
    assert results.curves.empty
    (ax,) = paths(curves_of(results)).axes
    assert ax.get_title("right") == "lr 0.01, diverged"
    assert len(draw(results)) == 1


def test_a_start_that_is_far_away(tmp_path: Path) -> None:
    results = sweep(tmp_path, model={"rosenbrock": {"start": [1e76, 1]}})
    assert len(draw(results)) == 1


def test_the_committed_configs_show_what_they_say(tmp_path: Path) -> None:
    configs = Path(__file__).parents[3] / "configs"
    for name in ("optimizer_paths", "landscapes"):
        command = ("run", configs / f"{name}.yaml", "-o", tmp_path, "-q", "-j", "1")
        assert commands.dlsweep(*command, folder=tmp_path).returncode == 0
    assert {p.name for p in tmp_path.glob("optimizer-paths/figures/*")} == {"paths.png", "curves-loss.png"}
    assert len([*tmp_path.glob("landscapes/figures/paths-model-*.png")]) == 5
    runs = pd.read_parquet(tmp_path / "landscapes" / "runs")
    keys = zip(runs["landscape"], runs["optimizer"], strict=True)
    ended = dict(zip(keys, zip(runs["status"], runs["final_train_loss"], strict=True), strict=True))
    assert ended["rosenbrock", "sgd"][0] == "diverged"
    assert ended["narrow_valley", "sgd"][0] == "done"
    assert ended["saddle", "sgd"][1] > 0.24
    assert ended["saddle", "adam"][1] < 1e-3


def test_what_is_asked_of_paths_must_be_there(six: Results, several: Results) -> None:
    frame = curves_of(six)
    with pytest.raises(UsageError, match="there is no factor 'optimzer'"):
        paths(frame, columns="optimzer")
    with pytest.raises(UsageError, match="there are no paths to show"):
        paths(pd.DataFrame({"x": []}))
    with pytest.raises(UsageError, match="a landscape has no accuracy"):
        draw(six, [Choice("curves", {"y": "accuracy"})])
    assert [path.name for path in draw(six, [Choice("curves", {})])] == ["curves-loss.png"]


def test_changes_go_to_the_plots_that_have_such_settings() -> None:
    asked = [Choice("paths", {"columns": None, "lines": None}), Choice("curves", {"y": "loss", "rows": None})]
    assert [c.name for c in choices(asked, None, {"y": "penalty"})] == ["curves"]
    assert [c.name for c in choices(asked, None, {"columns": "init"})] == ["paths", "curves"]
    assert choices([], None, {}, "paths") == [Choice("paths", {})]
    assert choices([], None, {"y": "loss"}, "paths") == [Choice("curves", {"y": "loss"})]
