"""The contract of a plot: what it declares, what it gets, what it returns; and what happens where it is not kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from tests.support.figures import chart, texts
from tests.support.frames import made_up

import dlsweep
from dlsweep.analysis.facets import Facets, FactorName, SettingName, SplitName
from dlsweep.analysis.frames import frame_of, summary
from dlsweep.cli.choosing import choices
from dlsweep.config import load
from dlsweep.errors import ConfigError, UsageError
from dlsweep.plots import Chart, plots, register
from dlsweep.plots.chart import NETWORKS, Plots
from dlsweep.plots.figures import charts, draw
from dlsweep.registry import Choice
from dlsweep.storage.results import Results
from dlsweep.sweep import run

CONFIG: dict[str, Any] = {
    "name": "own",
    "data": {"mnist": {"train": 60, "test": 100}},
    "model": {"simple_cnn": {"filters": 2, "hidden": 4}},
    "train": {"iterations": 4, "batch_size": 10},
    "evaluate": {"every": 2, "on": ["train", "test"], "layers": True, "keep": "final"},
    "seeds": 3,
    "grid": {"activation": ["sigmoid", "relu"], "optimizer.lr": [0.01, 0.1]},
    "claims": [{"ReLU learns": {"arm": {"activation": "relu"}, "above": 0.2}}],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run(CONFIG, output=tmp_path_factory.mktemp("results"), executor="inline")


@pytest.fixture
def own() -> Iterator[None]:
    """Take plots that a test registers away again."""
    before = dict(plots._entries)
    yield
    plots._entries.clear()
    plots._entries.update(before)


def of_figure() -> Figure:
    return Figure()


@pytest.mark.parametrize(
    "kind", sorted(set(plots) - {"paths", "luck", "ranking"})
)  # of landscapes, crossed seeds, several sweeps
def test_every_chart_has_a_caption_a_text_and_its_numbers(results: Results, kind: str) -> None:
    for _, one in charts(results, Choice(kind, {})):
        assert one.alt.endswith(".")
        assert not one.data.empty
        assert one.caption in " ".join(text for text in texts(one.figure))
        assert one.caption


@pytest.mark.parametrize("kind", ["curves", "final", "layers", "confusion"])
def test_levels_choose_the_arms_of_every_plot(results: Results, kind: str, tmp_path: Path) -> None:
    relu: dict[str, Any] = {"activation": "relu"}
    if plots[kind].table in NETWORKS:
        expected = [one.data for _, one in charts(results, Choice(kind, {"arm": relu}))]
    else:
        frame = frame_of(results, plots[kind].table)
        expected = [plots[kind](frame[frame["activation"] == "relu"]).data]
    for where in (relu, {"activation": ["relu"]}):
        found = [one.data for _, one in charts(results, Choice(kind, {}), where)]
        assert [one.equals(other) for one, other in zip(found, expected, strict=True)] == [True] * len(expected)
    (path,) = draw(results, [Choice(kind, {})], where={"activation": ["relu"], "optimizer.lr": 0.1}, output=tmp_path)
    assert path.stem.endswith("-activation-relu-optimizer.lr-0.1")
    with pytest.raises(UsageError, match=r"activation has no level 'rleu' in .*; did you mean 'relu'"):
        draw(results, [Choice(kind, {})], where={"activation": "rleu"})


def test_claims_are_of_all_arms(results: Results) -> None:
    with pytest.raises(UsageError, match="claims are of all arms; leave out the levels of activation"):
        draw(results, [Choice("forest", {})], where={"activation": "relu"})


def test_the_numbers_of_a_chart_are_those_of_the_tables(results: Results) -> None:
    expected = summary(results.runs, ["final_test_accuracy"])
    for kind, metric in (
        ("final", "final_test_accuracy"),
        ("heatmap", "final_test_accuracy"),
        ("response", "accuracy"),
    ):
        data = chart(results, kind).data
        assert len(data) == 4
        np.testing.assert_allclose(data[metric].sort_values(), expected["final_test_accuracy"].sort_values())
        np.testing.assert_allclose(data["low"].sort_values(), expected["final_test_accuracy_low"].sort_values())
        assert set(data["n"]) == {3}

    curves = chart(results, "curves", y="loss", lines="split").data
    assert list(curves) == ["activation", "optimizer.lr", "split", "iteration", "loss", "low", "high", "n"]
    mine = results.curves.query("activation == 'relu' and split == 'test' and iteration == 2")
    shown = curves.query("activation == 'relu' and split == 'test' and iteration == 2")
    means = mine.groupby("optimizer.lr", observed=True)["loss"].mean()
    np.testing.assert_allclose(shown.set_index("optimizer.lr")["loss"].astype(float), means)


def test_many_levels_are_counted_in_the_text() -> None:
    frame = made_up({"activation": [f"a{i}" for i in range(20)]}, points=2, splits=["test"])
    assert "Lines: activation (20 levels, from a0 to a19)." in plots["curves"](frame).alt


def test_a_notebook_shows_a_chart_as_an_image(results: Results) -> None:
    assert chart(results, "final")._repr_png_().startswith(b"\x89PNG")


def test_the_charts_of_a_plot_for_a_notebook(results: Results) -> None:
    found = dlsweep.plot(results, "misclassified", count=2)
    assert found._repr_html_().count('<img src="data:image/png;base64,') == len(found) == 4
    assert dlsweep.plot(results)[0].alt.startswith("Lines of accuracy by iteration.")
    with pytest.raises(UsageError, match="there is no plot 'finl'; did you mean 'final'"):
        dlsweep.plot(results, "finl")
    with pytest.raises(UsageError, match=r"plots\.final\.moment must be one of final, best, last, got 'end'"):
        dlsweep.plot(results, "final", moment="end")


def test_the_text_for_readers_who_do_not_see_it_says_what_is_shown(results: Results) -> None:
    text = chart(results, "curves", columns="activation", lines="optimizer.lr", splits=["test"]).alt
    assert text.startswith(
        "Lines of test accuracy by iteration. Columns of panels: activation (sigmoid, relu). Lines: "
    )
    assert "Highest at the right end: 0." in text


def test_an_own_plot_gets_facets_and_makes_a_figure_for_each_level_that_is_left(results: Results, own: None) -> None:
    seen: list[dict[tuple[int, int], int]] = []

    @register(table="runs", places=("columns",))
    def bars(facets: Facets, *, y: str = "seconds") -> Chart:
        """Bars."""
        seen.append({cell: len(part) for cell, part in facets})
        return Chart(of_figure(), "", y, facets.frame[[y]])

    assert list(plots["bars"].settings)[:3] == ["columns", "y", "title"]
    assert plots["bars"].summary == "Bars."
    names = [path.name for path in draw(results, [Choice("bars", {"columns": "activation"})])]
    assert names == ["bars-seconds-optimizer.lr-0.01.png", "bars-seconds-optimizer.lr-0.1.png"]
    assert seen == [{(0, 0): 3, (0, 1): 3}] * 2


def test_an_own_plot_gets_titles_labels_and_sizes(results: Results, own: None) -> None:
    @register(table="runs")
    def dots(facets: Facets) -> Chart:
        figure = of_figure()
        figure.subplots().plot([0, 1], [0, 1])
        return Chart(figure, "", "", facets.frame)

    ((_, one),) = charts(results, Choice("dots", {"title": "$a", "x_label": "b", "y_limits": [0, 9], "size": [4, 3]}))
    assert one.figure.get_suptitle() == "$a\nmnist, 60 training samples · simple_cnn · 3 seeds"
    (ax,) = one.figure.axes
    assert (ax.get_xlabel(), ax.get_ylim(), tuple(one.figure.get_size_inches())) == ("b", (0, 9), (4, 3))


def test_an_own_plot_without_places_is_one_figure_whatever_its_settings_are_called(results: Results, own: None) -> None:
    @register(table="runs")
    def table(facets: Facets, *, rows: int = 9) -> Chart:
        return Chart(of_figure(), "", str(rows), facets.frame)

    assert [path.name for path in draw(results, [Choice("table", {})])] == ["table.png"]
    ((_, one),) = charts(results, Choice("table", {"rows": 2}))
    assert (one.alt, len(one.data)) == ("2", 12)


def takes_two(facets: Facets, more: int) -> None: ...


def takes_none(*, y: str = "loss") -> None: ...


def untyped(facets, *, y="loss"): ...


def number_of_rows(facets: Facets, *, rows: int = 1) -> None: ...


def plot(facets: Facets) -> Chart:
    return Chart(of_figure(), "", "", pd.DataFrame())


@pytest.mark.parametrize(
    ("add", "sentence"),
    [
        (
            lambda r: r(plot),
            r"plot 'plot' \(.*test_chart.py:\d+\) must declare its table, as in @plots.register\(table=",
        ),
        (lambda r: r(table="run")(plot), "must declare its table.*tables: runs, curves, layers, networks"),
        (
            lambda r: r(table="runs", places=("row",))(plot),
            "places must be some of rows, columns, lines",
        ),
        (
            lambda r: r(table="runs")(takes_two),
            r"'takes_two' \(.*py:\d+\) must take the positional parameters facets, and has facets, more",
        ),
        (lambda r: r(table="runs")(takes_none), "must take the positional parameters facets, and has none"),
        (lambda r: r(table="runs")(untyped), "must have a type for its setting 'y'"),
        (
            lambda r: r(table="runs", places=("rows",))(number_of_rows),
            r"'number_of_rows' \(.*py:\d+\): its place 'rows' must be a keyword-only setting of the type",
        ),
    ],
)
def test_what_is_no_plot_is_refused_where_it_is_registered(add: Callable[[Any], None], sentence: str) -> None:
    registry = Plots()
    registry._asked_plugins = True
    with pytest.raises(UsageError, match=sentence):
        add(registry.register)
    assert list(registry) == []


def test_the_type_of_a_setting_tells_what_it_names(own: None) -> None:
    @register(table="runs", places=("columns",))
    def named(
        facets: Facets,
        *,
        by: FactorName = "arm",
        on: list[SplitName] | None = None,
        along: SettingName | None = None,
        rows: int = 9,
    ) -> Chart:
        """Named."""
        return Chart(of_figure(), "", "", facets.frame)

    settings = {"by": "inti", "columns": "seed", "on": ["validation"], "along": "optimizer.lrr", "rows": 3}
    with pytest.raises(ConfigError) as told:
        load({**CONFIG, "plots": [{"named": settings}]})
    for sentence in (
        "plots.named.by must name a factor of this sweep, got 'inti'",
        "plots.named.on has validation, but evaluate.on has train, test only",
        "there is no factor 'optimizer.lrr'; did you mean 'optimizer.lr'",
    ):
        assert sentence in str(told.value)
    assert len(str(told.value).splitlines()) == 3


def test_a_setting_that_a_plot_does_not_have_is_named(results: Results) -> None:
    with pytest.raises(UsageError, match="final has no setting 'rowz'; did you mean 'rows'"):
        plots["final"](results.runs, rowz="arm")


def test_a_plot_must_return_a_chart(results: Results, own: None) -> None:
    @register(table="runs")
    def bare(facets: Facets) -> Figure:
        return of_figure()

    with pytest.raises(UsageError, match=r"plot 'bare' \(.*test_chart.py:\d+\) must return a Chart, got Figure"):
        draw(results, [Choice("bare", {})])


def test_what_can_be_drawn_is_drawn(results: Results, tmp_path: Path) -> None:
    gone, final = Choice("gone", {"rows": "activation"}), Choice("final", {})
    asked = Results(results.folder, replace(results.record, plots=(gone, final)))
    chosen = choices(asked.record.plots, None, {})
    with pytest.warns(UserWarning, match="a plot was not drawn: there is no plot 'gone'") as caught:
        assert [path.name for path in draw(asked, chosen)] == ["final-accuracy.png"]
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(UserWarning, match="a plot was not drawn: .*there is no factor 'inti'"):
        assert len(draw(asked, [Choice("curves", {"rows": "inti"}), final])) == 1
    assert [c.name for c in choices(asked.record.plots, None, {"y": "loss"})] == ["final"]
    with pytest.raises(UsageError, match="there is no plot 'gone'"):
        choices([gone], None, {"y": "loss"})
