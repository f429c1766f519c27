"""The plots besides the curves, on real sweeps: what was drawn is what the tables say."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from tests.support import figures
from tests.support.figures import drawn, panels, said, table, texts
from tests.support.frames import made_up

from dlsweep.analysis.frames import curves_of, summary
from dlsweep.analysis.statistics import interval
from dlsweep.cli.choosing import choices
from dlsweep.errors import ResultsDamaged, UsageError
from dlsweep.plots import plots, style
from dlsweep.plots.figures import draw
from dlsweep.registry import Choice
from dlsweep.storage.opening import open_results
from dlsweep.storage.results import Results
from dlsweep.sweep import run

CONFIG: dict[str, Any] = {
    "name": "kinds",
    "data": {"mnist": {"train": 60, "test": 100}},
    "model": {"mlp": {"hidden": [6, 4]}},
    "train": {"iterations": 6, "batch_size": 10},
    "evaluate": {"every": 2, "on": ["batch", "train", "test"], "layers": True},
    "seeds": 3,
    "grid": {"activation": ["sigmoid", "relu"], "optimizer": [{"sgd": {"lr": [0.01, 0.1, 1000.0]}}, "adam"]},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """2 activations × (SGD with three learning rates, one of which diverges, and Adam), with every layer measured."""
    return run(CONFIG, output=tmp_path_factory.mktemp("results"), executor="inline")


def data_of(ax: Axes, label: str) -> np.ndarray:
    return figures.data(figures.line(ax, label))


def lines(ax: Axes, begin: str) -> list[Line2D]:
    return [artist for artist in ax.lines if str(artist.get_label()).startswith(begin)]


def ticks(ax: Axes) -> list[str]:
    return [tick.get_text() for tick in ax.get_yticklabels()]


def alike(axes: list[Axes]) -> bool:
    return len({(ax.get_xlim(), ax.get_ylim()) for ax in axes}) == 1


@pytest.mark.parametrize("kind", sorted({"curves", "gap", "layers", "histograms", "final", "response", "heatmap"}))
def test_every_kind_is_drawn_without_a_setting(results: Results, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (path,) = draw(results, [Choice(kind, {})])
    assert path.name.startswith(kind)
    figure = figures.chart(results, kind).figure
    assert alike(panels(figure))
    assert said(figure, "diverged")
    assert said(figure, "3 seeds")
    width, height = figure.get_size_inches()
    assert height <= max(7.6, 9.5 / 16 * width)


# the gap


@pytest.mark.parametrize(("y", "sign"), [("accuracy", 1), ("loss", -1)])
def test_a_gap_is_the_mean_of_differences_within_runs(results: Results, y: str, sign: int) -> None:
    figure = drawn(results, "gap", y=y, rows="activation", columns="optimizer")
    curves = results.curves.pivot_table(
        index=["activation", "optimizer", "seed"], columns=["split", "iteration"], values=y, observed=True
    )
    ax = panels(figure)[3]
    mine: Any = curves.loc[("sigmoid", "adam")]
    gaps = sign * (mine["train"] - mine["test"])
    (mean,) = lines(ax, "mean: ")
    np.testing.assert_allclose(np.array(mean.get_data())[1].astype(float), gaps.mean())
    low, high = interval(gaps.to_numpy().T)
    (band,) = ax.collections
    corners = np.concatenate([np.empty(0), *(np.asarray(path.vertices)[:, 1] for path in band.get_paths())])
    seen = (low > ax.get_ylim()[0]) | (high < ax.get_ylim()[1])
    assert all(np.isclose(corners, value).any() for value in (*low[seen], *high[seen]))
    np.testing.assert_array_equal(data_of(ax, "zero")[1], 0)
    bottom, top = ax.get_ylim()
    assert bottom < 0 < top
    assert said(figure, "train − test accuracy" if y == "accuracy" else "test − train loss")


def test_a_gap_is_that_of_the_minibatch_where_nothing_else_was_evaluated(results: Results) -> None:
    frame = curves_of(results)
    assert said(plots["gap"](frame[frame["split"] != "train"]).figure, "train (minibatch) − test accuracy")
    with pytest.raises(UsageError, match="no train-test gap to show: test was not evaluated"):
        plots["gap"](frame[frame["split"] != "test"])
    with pytest.raises(UsageError, match=r"train or batch was not evaluated; evaluate\.on names the splits"):
        plots["gap"](frame[frame["split"] == "test"])


# final


def test_final_has_a_row_for_every_arm(results: Results) -> None:
    figure = drawn(results, "final")
    (ax,) = panels(figure)
    table = summary(results.runs, ["final_test_accuracy"]).set_index("arm")
    assert ticks(ax) == list(dict.fromkeys(results.runs["arm"]))
    for at, arm in enumerate(ticks(ax)):
        row = table.loc[arm]
        assert data_of(ax, f"mean: {arm}").tolist() == [[pytest.approx(row["final_test_accuracy"])], [at]]
        ends = row["final_test_accuracy_low"], row["final_test_accuracy_high"]
        np.testing.assert_allclose(data_of(ax, f"interval: {arm}")[0], ends)
        points = [
            len(np.array(a.get_data())[0]) for begin in ("seeds", "diverged") for a in lines(ax, f"{begin}: {arm}")
        ]
        assert sum(points) == 3
    crosses = data_of(ax, "diverged: relu, sgd lr=1000")
    np.testing.assert_allclose(crosses[0], 0.1)
    assert len(set(crosses[1])) == 1
    assert texts(figure).count("1 of 3 diverged") == 1


def test_final_by_value_in_panels_and_colours(results: Results) -> None:
    figure = drawn(results, "final", order="value", y="loss", split="train", moment="best")
    means = summary(results.runs, ["best_train_loss"]).set_index("arm")["best_train_loss"]
    assert ticks(panels(figure)[0]) == list(means.sort_values(na_position="last").index)
    assert said(figure, "best train loss")

    figure = drawn(results, "final", rows="optimizer", columns="activation")
    assert ticks(panels(figure)[0]) == ["sgd lr=0.01", "sgd lr=0.1", "sgd lr=1000", "adam lr=0.001"]
    assert len(panels(figure)) == 2
    assert texts(figure).count("1 of 12 diverged") == 1

    figure = drawn(results, "final", rows="optimizer", lines="activation")
    heights = {float(artist.get_ydata()[0]) for artist in lines(panels(figure)[0], "mean: ")}  # type: ignore[index,arg-type]
    assert len(heights) == 8
    assert {"sigmoid", "relu"} <= set(texts(figure))


def test_a_diverged_loss_has_no_mean_and_stands_at_the_edge(results: Results) -> None:
    (ax,) = panels(drawn(results, "final", y="loss"))
    crosses = data_of(ax, "diverged: relu, sgd lr=1000")
    assert set(crosses[0]) == {ax.get_xlim()[1]}
    assert not lines(ax, "mean: relu, sgd lr=1000")


def test_an_absurd_loss_is_at_the_edge_and_flattens_no_other(results: Results) -> None:
    runs = results.runs.copy()
    runs.loc[runs["arm"] == "relu, adam", "final_test_loss"] = 1e20
    figure = plots["final"](runs, y="loss").figure
    (ax,) = panels(figure)
    assert ax.get_xlim()[1] < 10
    assert set(data_of(ax, "beyond: relu, adam")[0]) == {ax.get_xlim()[1]}
    assert said(figure, "Triangles: far beyond the edge.")


def test_rows_that_cannot_be_distinguished_from_the_best_are_grey() -> None:
    values = {"best": [0.90, 0.92, 0.91], "alike": [0.89, 0.93, 0.90], "worse": [0.50, 0.52, 0.51]}
    rows = [(arm, seed, value) for arm, own in values.items() for seed, value in enumerate(own)]
    runs = pd.DataFrame(rows, columns=["arm", "seed", "final_test_accuracy"])
    runs = runs.assign(run_id=runs.index.astype(str), init=pd.Categorical(runs["arm"], list(values)), status="done")
    figure = plots["final"](runs.assign(classes=10)).figure
    (ax,) = panels(figure)
    colours = {arm: figures.line(ax, f"mean: {arm}").get_color() for arm in values}
    assert colours["alike"] == style.FAINT
    assert colours["best"] == colours["worse"] != style.FAINT
    assert said(figure, "Grey: cannot be distinguished from the best (one-sided paired t tests).")
    assert said(figure, "To compare arms, see their differences, which are paired by seed (dlsweep show).")
    differences = plots["final"](runs.assign(classes=10), minus="best").figure
    assert not said(differences, "Grey")
    assert not said(differences, "To compare arms")


# response


def test_a_response_is_the_metric_of_arms_by_a_setting(results: Results) -> None:
    figure = drawn(results, "response", columns="activation")
    sigmoid, relu = panels(figure)
    assert sigmoid.get_xscale() == "symlog"
    assert {"learning rate", "sgd", "adam", "final test accuracy"} <= set(texts(figure))
    runs = results.runs.query("activation == 'relu' and optimizer.str.startswith('sgd')", engine="python")
    values = runs["final_test_accuracy"].where(runs["status"] == "done", 0.1).groupby(runs["optimizer.lr"])
    (label,) = {
        str(a.get_label()) for a in relu.lines if "sgd, test" in str(a.get_label()) and "mean" in str(a.get_label())
    }
    x, y = data_of(relu, label)
    assert x.tolist() == [0.01, 0.1, 1000.0]
    np.testing.assert_allclose(y, values.mean())
    assert data_of(relu, "diverged: sgd, test").tolist() == [[1000.0], [pytest.approx(0.1)]]
    assert said(figure, "1 of 12 diverged")


def test_an_arm_without_the_setting_is_a_level_line(results: Results) -> None:
    runs = results.runs.copy()
    runs.loc[runs["optimizer"] == "adam", "optimizer.lr"] = np.nan
    ax = panels(plots["response"](runs, x="optimizer.lr", columns="activation", lines="optimizer").figure)[0]
    x, y = data_of(ax, "mean: adam, test")
    assert x.tolist() == [0.01, 1000.0]
    assert y[0] == y[1] == pytest.approx(runs.query("arm == 'sigmoid, adam'")["final_test_accuracy"].mean())


def test_a_response_needs_a_setting_that_varies(results: Results) -> None:
    with pytest.raises(UsageError, match=r"no numeric setting 'optimizer.l' for x; did you mean 'optimizer.lr'"):
        drawn(results, "response", x="optimizer.l")
    with pytest.raises(UsageError, match="no numeric setting varies"):
        plots["response"](results.runs.query("arm == 'relu, adam'"))


def test_few_values_have_a_linear_axis_and_a_dotted_factor_is_a_setting(tmp_path: Path) -> None:
    grid = {"train.batch_size": [5, 10, 20], "optimizer.lr": [0.1, 0.2]}
    config = {**CONFIG, "train": {"iterations": 4}, "grid": grid, "seeds": 2}
    found = run(config, output=tmp_path, executor="inline")
    (ax,) = panels(drawn(found, "response", x="train.batch_size"))
    assert ax.get_xscale() == "linear"
    assert ax.get_xticks().tolist() == [5, 10, 20]
    runs = found.runs.assign(**{"train.batch_size": found.runs["train.batch_size"].replace(10, 6)})
    (ax,) = panels(plots["response"](runs, x="train.batch_size", lines="optimizer.lr").figure)
    assert ax.get_xticks().tolist() != [5, 6, 20]  # labels that would touch
    assert [data_of(ax, f"mean: {lr}, test")[0].tolist() for lr in ("0.1", "0.2")] == [[5, 10, 20]] * 2


# heatmap


def test_a_heatmap_writes_what_the_summary_says(results: Results) -> None:
    figure = drawn(results, "heatmap")
    (ax,) = panels(figure)
    table = summary(results.runs, ["final_test_accuracy"])
    (mesh,) = [a for a in ax.collections if isinstance(a, QuadMesh)]
    np.testing.assert_allclose(np.asarray(mesh.get_array()).ravel(), table["final_test_accuracy"])
    written = [text.get_text() for text in ax.texts]
    for _, arm in table.iterrows():
        assert f"{arm['final_test_accuracy']:.3f}" in written
        ends = f"{arm['final_test_accuracy_low']:.3f} to {arm['final_test_accuracy_high']:.3f}"
        assert any(ends in text for text in written)
    assert sum("1 of 3 diverged" in text for text in written) == 1
    assert ticks(ax) == ["sigmoid", "relu"]
    assert said(figure, "Mean of 3 seeds with its 95 % t interval below.")


def test_a_heatmap_of_a_loss_leaves_diverged_cells_grey(results: Results) -> None:
    (ax,) = panels(drawn(results, "heatmap", y="loss"))
    (mesh,) = [a for a in ax.collections if isinstance(a, QuadMesh)]
    assert np.ma.getmaskarray(np.ma.asarray(mesh.get_array())).ravel().tolist() == [*[False] * 6, True, False]
    assert [text.get_text() for text in ax.texts].count("–") == 1


def test_a_heatmap_may_have_a_logarithmic_scale(results: Results) -> None:
    (choice,) = choices([], "heatmap", {"y": "loss", "log_y": True})
    (ax,) = panels(drawn(results, choice.name, **choice.settings))
    (mesh,) = [a for a in ax.collections if isinstance(a, QuadMesh)]
    assert type(mesh.norm).__name__ == "LogNorm"


def test_a_heatmap_never_averages_over_a_factor(results: Results) -> None:
    with pytest.raises(UsageError, match="a cell would be the mean over optimizer; show it as rows or columns"):
        plots["heatmap"](results.runs, rows="activation", columns="seed")


# layers


def test_the_table_of_layers_is_read_in_the_order_of_the_runs(results: Results) -> None:
    layers = results.layers
    assert list(dict.fromkeys(layers["run_id"])) == list(results.runs["run_id"])
    assert list(layers["activation"].cat.categories) == ["sigmoid", "relu"]
    assert list(dict.fromkeys(layers["layer"])) == ["dense1", "dense2", "dense3"]
    trained = layers[layers["optimizer"] != "sgd lr=1000"]  # which a diverged run ends early
    assert trained["update_ratio"].isna().tolist() == (trained["iteration"] == 0).tolist()


def test_a_sweep_without_layers_says_how_to_get_them(results: Results, tmp_path: Path) -> None:
    shutil.copytree(results.folder, tmp_path / "sweep")
    part = next((tmp_path / "sweep/layers").iterdir())
    if len(list((tmp_path / "sweep/layers").iterdir())) > 1:
        part.unlink()
        with pytest.raises(ResultsDamaged, match="layers lacks parts"):
            _ = open_results(tmp_path / "sweep").layers
    without = run(CONFIG | {"name": "without", "evaluate": {"on": ["test"]}}, output=tmp_path, executor="inline")
    for kind in ("layers", "histograms"):
        with pytest.raises(UsageError, match=r"has no measurements of layers; train with evaluate.layers: true"):
            draw(without, [Choice(kind, {})])


def test_a_map_of_layers_is_the_geometric_mean_and_ends_where_a_run_diverged(results: Results) -> None:
    figure = drawn(results, "layers")
    assert len(panels(figure)) == 8
    meshes = [mesh for ax in panels(figure) for mesh in ax.collections if isinstance(mesh, QuadMesh)]
    assert len({(mesh.norm.vmin, mesh.norm.vmax) for mesh in meshes}) == 1
    assert type(meshes[0].norm).__name__ == "LogNorm"
    mine = results.layers.query("arm == 'sigmoid, adam'")
    expected = np.exp(
        np.log(mine["gradient_rms"]).groupby([mine["layer"].astype(str), mine["iteration"]]).mean()
    ).unstack()
    np.testing.assert_allclose(np.ma.getdata(np.ma.asarray(meshes[3].get_array())), expected)
    assert ticks(panels(figure)[4]) == ["dense1", "dense2", "dense3"]
    diverged = np.ma.getmaskarray(np.ma.asarray(meshes[6].get_array()))
    assert diverged.all(axis=0).tolist() == [False, True, True, True]
    bars = [ax for ax in figure.axes if ax.get_label() == "colour bar"]
    assert len(bars) == 1
    assert "gradient rms" in texts(figure)
    assert said(figure, "Gradient rms: root mean square of the loss's gradient with respect to the weights.")
    assert said(figure, "Geometric mean of 3 seeds. Grey: no value, or a run has diverged.")


def test_a_map_of_layers_by_arm_at_an_iteration(results: Results) -> None:
    figure = drawn(results, "layers", x="arm", at=2, y="activation_mean")
    (ax,) = panels(figure)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(dict.fromkeys(results.runs["arm"]))
    (mesh,) = [a for a in ax.collections if isinstance(a, QuadMesh)]
    first = results.layers.query("iteration == 2 and arm == arm.iloc[0]")
    expected = first.groupby("layer", observed=True)["activation_mean"].mean()
    np.testing.assert_allclose(np.asarray(mesh.get_array())[:, 0], expected)
    assert mesh.norm.vmin == -np.asarray(mesh.norm.vmax)  # white is 0
    assert "each run near iteration 2" in texts(figure)


def test_arms_below_several_maps_are_turned_alike(results: Results) -> None:
    figure = drawn(results, "layers", x="arm", columns="activation")
    turned = [{tick.get_rotation() for tick in ax.get_xticklabels()} for ax in panels(figure)]
    assert turned == [{90.0}] * 2


def test_a_map_never_averages_over_a_factor(results: Results) -> None:
    frame = table(results, "layers")
    frame["third"] = pd.Categorical(frame["seed"].astype(str))
    frame["arm"] = frame["arm"].astype(str) + frame["third"].astype(str)
    for kind in ("layers", "histograms"):
        with pytest.raises(UsageError, match="would be the mean over third; show it as rows or columns"):
            plots[kind](frame)


# histograms


def test_ridges_hold_the_shares_of_all_seeds_on_the_same_bins(results: Results) -> None:
    figure = drawn(results, "histograms", y="weight", at="first")
    assert len(panels(figure)) == 8
    for ax in panels(figure):
        ridges = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
        assert [ridge.get_label() for ridge in ridges] == ["mean: dense1", "mean: dense2", "mean: dense3"]
        assert len({tuple(ridge.get_data()[1]) for ridge in ridges}) == 1
        for base in range(3):
            seeds = data_of(ax, f"seeds: dense{base + 1}")[1]
            assert np.isnan(seeds).sum() == 3
            assert base <= np.nanmin(seeds) < np.nanmax(seeds) <= base + 1
    assert {"weight", "iteration 0"} <= set(texts(figure))
    assert said(figure, "Each ridge is as high as its highest bin.")


def test_a_layer_that_explodes_does_not_flatten_the_others(results: Results) -> None:
    frame = table(results, "histograms")
    frame = frame[frame["optimizer"] != "sgd lr=1000"].reset_index(drop=True)
    far = (frame["arm"] == "relu, adam") & frame["weight_low"].notna()
    frame.loc[far, ["weight_low", "weight_high"]] *= 1e9
    figure = plots["histograms"](frame, rows="activation", columns="optimizer", y="weight").figure
    assert panels(figure)[0].get_xlim()[1] < 20
    assert said(figure, "of a layer's values lie beyond the axis; all are within −")


# curves, of which there are many


def test_many_lines_show_the_test_only_unless_asked(results: Results) -> None:
    ax = panels(drawn(results, "curves", columns="activation", lines="optimizer"))[0]
    assert len(lines(ax, "mean: ")) == 4
    ax = panels(drawn(results, "curves", columns="activation", lines="optimizer", splits=["train", "test"]))[0]
    assert len(lines(ax, "mean: ")) == 8


@pytest.mark.parametrize("shape", [(1, 3), (3, 3), (3, 4), (4, 5)])
def test_a_grid_fits_a_slide(shape: tuple[int, int]) -> None:
    levels = {"activation": [f"a{i}" for i in range(shape[0])], "init": [f"i{i}" for i in range(shape[1])]}
    width, height = plots["curves"](made_up(levels, points=2), y="loss").figure.get_size_inches()
    assert height <= 9.2 / 16 * width


def test_a_band_that_would_fill_the_panel_is_left_out_and_told() -> None:
    frame = made_up({"init": ["a", "b", "c", "d"]})
    bad = (frame["init"] == "d") & (frame["iteration"] > 20) & (frame["seed"] == 0)
    frame.loc[bad, "loss"] = 20.0
    figure = plots["curves"](frame, y="loss", rows="init", splits=["test"]).figure
    (band,) = panels(figure)[3].collections
    top = panels(figure)[3].get_ylim()[1]
    corners = np.concatenate([np.asarray(path.vertices) for path in band.get_paths()])
    assert not ((corners[:, 1] >= top) & (corners[:, 0] > 20)).any() or not said(figure, "No band")
