from __future__ import annotations

import subprocess
import sys
import warnings
import xml.etree.ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.support.figures import curves
from tests.support.frames import made_up

from dlsweep.analysis.frames import curves_of
from dlsweep.cli.choosing import choices
from dlsweep.errors import UsageError
from dlsweep.plots import Chart, plots
from dlsweep.plots.figures import clear, draw, save
from dlsweep.plots.stems import safe
from dlsweep.registry import Choice
from dlsweep.storage.results import Results
from dlsweep.sweep import run

CJK = "日本語のラベル"
NO_FONT = "\U00016800"  # a letter of historic Bamum


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A real sweep: 2 × 2 × 2 arms, one of which diverges, with two seeds."""
    config: dict[str, Any] = {
        "name": "small",
        "data": {"mnist": {"train": 60, "test": 100}},
        "model": {"mlp": {"hidden": [4]}},
        "train": {"iterations": 6, "batch_size": 10},
        "evaluate": {"every": 2},
        "seeds": 2,
        "grid": {
            "activation": ["sigmoid", {"relu": {}, "label": "</b>$\\frac{re}{lu}$"}],
            "init": ["he", {"normal": {"std": 1e6}, "label": "../" + CJK}],
            "optimizer": [{"sgd": {"lr": [0.1, 1e38]}}],
        },
    }
    return run(config, output=tmp_path_factory.mktemp("results"), executor="inline")


def looks_whole(path: Path) -> None:
    """The file is what its name says."""
    if path.suffix == ".png":
        with Image.open(path) as image:
            image.load()
            assert min(image.size) > 300
    elif path.suffix == ".svg":
        assert xml.etree.ElementTree.parse(path).getroot().tag.endswith("svg")
    else:
        content = path.read_bytes()
        assert content.startswith(b"%PDF-")
        assert content.rstrip().endswith(b"%%EOF")


@pytest.mark.filterwarnings("ignore:no installed font")
def test_figures_in_all_formats(results: Results) -> None:
    paths = draw(results, formats=["png", "svg", "pdf"])
    assert [path.name for path in paths] == ["curves-accuracy.png", "curves-accuracy.svg", "curves-accuracy.pdf"]
    assert {path.parent for path in paths} == {results.folder / "figures"}
    assert sorted((results.folder / "figures").iterdir()) == sorted(paths)
    for path in paths:
        looks_whole(path)


@pytest.mark.filterwarnings("ignore:no installed font")
def test_plots_of_a_config_and_pages_for_a_factor_without_a_place(results: Results) -> None:
    asked = [Choice("curves", {"lines": "split"}), Choice("curves", {"y": "loss"}), Choice("curves", {"y": "loss"})]
    names = [path.name for path in draw(results, asked)]
    assert names == [
        "curves-accuracy-optimizer-sgd-lr-0.1.png",
        "curves-accuracy-optimizer-sgd-lr-1e38.png",
        "curves-loss.png",
        "curves-loss-2.png",
    ]


@pytest.mark.filterwarnings("ignore:no installed font")
def test_another_plot_leaves_the_figures_of_the_config_alone(results: Results) -> None:
    mine = Choice("curves", {"rows": "activation", "columns": "init"}), Choice("curves", {"y": "loss", "log_y": True})
    asked = Results(results.folder, replace(results.record, plots=mine))

    def names(**changes: str) -> list[str]:
        return [path.stem for path in draw(asked, choices(mine, None, changes))]

    assert names() == ["curves-accuracy", "curves-loss"]
    assert names(rows="init") == ["curves-accuracy-rows-init", "curves-loss-rows-init"]
    assert names(y="loss") == ["curves-loss-rows-activation-columns-init", "curves-loss"]
    assert names(y="penalty") == ["curves-penalty-rows-activation-columns-init", "curves-penalty"]
    assert [path.stem for path in draw(asked, mine[1:])] == ["curves-loss"]


def test_a_log_axis_does_not_pass_on_to_another_quantity() -> None:
    loss = Choice("curves", {"y": "loss", "log_y": True})
    assert choices([loss], None, {"y": "accuracy"}) == [Choice("curves", {"y": "accuracy", "log_y": False})]
    assert choices([loss], None, {"y": "loss"}) == [loss]
    assert choices([loss], None, {"rows": "init"})[0].settings["log_y"]


def test_of_several_plots_those_are_changed_that_can_be() -> None:
    mine = [Choice("curves", {}), Choice("heatmap", {}), Choice("final", {"rows": "init"})]
    changed = choices(mine, None, {"lines": "init"})
    assert changed == [Choice("curves", {"lines": "init"}), Choice("final", {"rows": "arm", "lines": "init"})]
    assert [choice.name for choice in choices(mine, None, {"y": "penalty"})] == ["curves"]
    with pytest.raises(UsageError, match="heatmap has no setting 'lines'"):
        choices(mine, "heatmap", {"lines": "init"})


def test_a_level_in_a_file_name_stays_inside_the_folder(results: Results) -> None:
    choice = Choice("curves", {"rows": "activation", "columns": "optimizer", "lines": "split"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paths = draw(results, [choice])
    assert len(paths) == 2
    assert all(path.parent == results.folder / "figures" and path.exists() for path in paths)


def test_the_tidy_frame_knows_how_each_run_ended(results: Results) -> None:
    frame = curves_of(results)
    assert set(frame.columns) >= {
        "run_id",
        "arm",
        "activation",
        "seed",
        "status",
        "classes",
        "optimizer.lr",
        "accuracy",
    }
    assert len(frame) == len(results.curves)
    assert {"done", "diverged"} <= set(frame["status"])
    assert list(frame["activation"].cat.categories) == ["sigmoid", "</b>$\\frac{re}{lu}$"]


def test_a_failed_run_has_one_row(results: Results) -> None:
    failed = results.runs["run_id"].iloc[0]
    runs = results.runs.assign(status=results.runs["status"].astype(str))
    runs.loc[0, "status"] = "failed"
    broken = Results(results.folder, results.record)
    vars(broken).update(runs=runs, curves=results.curves[results.curves["run_id"] != failed])
    rows = curves_of(broken).query("run_id == @failed")
    assert rows["status"].tolist() == ["failed"]
    assert rows["iteration"].isna().all()


def test_runs_that_diverge_before_their_first_point_are_there(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "data": {"mnist": {"train": 60, "test": 100}},
        "train": {"iterations": 2, "batch_size": 10},
        "evaluate": {"on": ["test"]},
        "seeds": 2,
        "grid": {"init": ["he", {"normal": {"std": 1e20}}]},
    }
    results = run(config, output=tmp_path, executor="inline")
    assert set(results.curves["init"]) == {"he"}
    lost = curves_of(results).query("init == 'normal'")
    assert lost[["iteration", "epoch", "split"]].to_numpy().tolist() == [[0, 0, "test"]] * 2
    assert lost[["loss", "accuracy"]].isna().all(axis=None)
    _, normal = curves(curves_of(results), columns="init").axes
    (cross,) = [artist for artist in normal.lines if artist.get_label() == "diverged: test"]
    assert np.array(cross.get_data()).tolist() == [[0, 0], [0.1, 0.1]]

    results = run({**config, "grid": {"init": {"normal": {"std": 1e20}}}}, output=tmp_path / "all", executor="inline")
    assert len(curves_of(results)) == 2
    looks_whole(draw(results)[0])


def test_figures_drawn_before_are_cleared_and_nothing_else(results: Results, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    drawn = ["curves-accuracy-optimizer-sgd.png", "curves-loss-2.pdf", "layers-dead.png"]
    names = [*drawn, "mine.png", "curvesmine.png", "curves.txt", "final.png", "layers-of-paint.png"]
    for name in names:
        (folder / name).touch()
    clear(Results(tmp_path, results.record))
    assert sorted(path.name for path in folder.iterdir()) == sorted(set(names) - set(drawn))
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "figures").symlink_to(folder)
    (folder / names[0]).touch()
    clear(Results(linked, results.record))
    assert (folder / names[0]).exists()


def test_one_warning_for_characters_without_a_font(results: Results) -> None:
    frame = made_up({"init": [f"a{NO_FONT}", f"b{NO_FONT}{NO_FONT}"]}, points=2)
    unknown = save(curves(frame, rows="init"), results.folder / "x.png")
    assert unknown == {NO_FONT}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        draw(results, formats=["png", "svg"])
    assert len(caught) <= 1  # none, where a font for Japanese is installed
    assert all(str(warning.message).startswith("no installed font has ") for warning in caught)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_results_give_the_same_file(tmp_path: Path, suffix: str) -> None:
    frame = made_up({"activation": ["<b>", "$x$"], "init": ["xavier", "he"]}, diverged={"0:1": 20})
    contents = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.{suffix}"
        save(curves(frame), path)
        looks_whole(path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert b"Matplotlib" not in contents[0] or suffix == "svg"


def test_labels_are_text_in_an_svg(tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    save(curves(made_up({"init": ["<script>alert(1)</script>", "--> <b>"]}), columns="init"), path)
    elements = list(xml.etree.ElementTree.parse(path).iter())
    tags = {element.tag.rpartition("}")[2] for element in elements}
    assert not tags & {"script", "b", "a", "image"}
    assert "<script>alert(1)</script>" in {element.text for element in elements if element.tag.endswith("text")}


def test_many_panels_are_not_more_pixels_than_a_file_can_have(tmp_path: Path) -> None:
    figure = curves(made_up({"init": ["he"]}, points=2))
    figure.set_size_inches(400, 2)
    save(figure, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert max(image.size) <= 30_000


def test_pages_share_their_settings() -> None:
    levels = {"activation": ["a", "b"], "init": ["c", "d"], "optimizer": ["e", "f"], "schedule": ["g", "h"]}
    frame = made_up(levels, seeds=1, points=2)
    frame = frame[~((frame["schedule"] == "h") & (frame["init"] == "d"))]
    found = list(plots["curves"].pages(frame, {"y": "loss"}))
    assert [page for page, _, _ in found] == [{"schedule": "g"}, {"schedule": "h"}]
    places = {"rows": "activation", "columns": "init", "lines": "optimizer"}
    for _, _, settings in found:
        assert settings.items() >= {"y": "loss", **places}.items()
    assert sum(len(part) for _, part, _ in found) == len(frame)


def test_what_is_not_there_is_told(results: Results) -> None:
    empty = Results(results.folder.parent / "empty", results.record)
    with pytest.raises(UsageError, match="there is no format 'pgn'; did you mean 'png'"):
        draw(results, formats=["pgn"])
    with pytest.raises(UsageError, match=r"nothing to plot in .*empty: no run is done yet"):
        draw(empty)
    with pytest.raises(UsageError, match="there is no plot 'curvs'; did you mean 'curves'"):
        draw(results, [Choice("curvs", {})])
    with pytest.raises(UsageError, match="there is no factor 'inti' for rows"):
        draw(results, [Choice("curves", {"rows": "inti"})])


def test_nothing_is_written_through_a_link(results: Results, tmp_path: Path) -> None:
    elsewhere, linked = tmp_path / "elsewhere", tmp_path / "sweep"
    elsewhere.mkdir()
    linked.mkdir()
    (linked / "figures").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="is a link; figures are written into the results folder"):
        draw(Results(linked, results.record))
    assert not list(elsewhere.iterdir())


@pytest.mark.filterwarnings("ignore:no installed font")
def test_a_mistake_in_a_plot_stops_no_other(results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(facets: Any) -> Chart:
        """Raise an exception of two lines."""
        raise ZeroDivisionError("no bars\nto draw")

    list(plots)  # loads them, before the copy
    monkeypatch.setattr(plots, "_entries", dict(plots._entries))
    plots.register(table="runs")(broken)
    both = [Choice("broken", {}), Choice("curves", {"rows": "activation", "columns": "init", "lines": "optimizer"})]
    told = r"the plot broken failed in .*test_figures\.py, line \d+: ZeroDivisionError: no bars$"
    with pytest.warns(UserWarning, match=f"^a plot was not drawn: {told}"):
        assert len(draw(results, both, output=tmp_path / "both")) == 1
    with pytest.raises(UsageError, match=told):
        draw(results, [Choice("broken", {})], output=tmp_path / "one")


@given(st.text(max_size=200))
def test_any_text_makes_a_safe_file_name(text: str) -> None:
    name = safe(f"curves{text}")
    assert name.startswith("curves")
    assert all(c.isalnum() or c in "-_." for c in name)
    assert len(name.encode()) <= 240
    assert name.rstrip(". ") == name
    assert Path(name).name == name


def test_names_that_had_to_be_changed_stay_different() -> None:
    assert len({safe("a/b"), safe("a:b"), safe("a_b"), safe("x" * 70), safe("x" * 71)}) == 5
    assert (safe("sgd lr=1e+38"), safe("sgd lr=1e-38")) == ("sgd-lr-1e38", "sgd-lr-1e-38")


def test_listing_plots_imports_nothing_heavy() -> None:
    program = (
        "import sys; from dlsweep.plots import plots; [plots[p].settings for p in plots]; "
        "print(*{'matplotlib', 'pandas', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_crosses_and_means_of_the_real_sweep(results: Results) -> None:
    """What was drawn is what `runs/` says."""
    runs = results.runs
    figure = curves(curves_of(results), rows="activation", columns="init", lines="optimizer")
    crosses = [a for ax in figure.axes for a in ax.lines if str(a.get_label()).startswith("diverged: ")]
    diverged = (runs["status"] == "diverged").sum()
    assert diverged > 0
    assert sum(len(np.atleast_1d(cross.get_xdata())) for cross in crosses) == 2 * diverged  # batch and test
