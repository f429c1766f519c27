"""Figures answer at once: scales, coinciding lines, restored weights, few seeds, many levels, paired differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.legend import Legend
from tests.support.figures import curves, data, line, panels, said, texts
from tests.support.frames import made_up

from dlsweep.errors import UsageError
from dlsweep.plots import plots
from dlsweep.plots.names import factor_name, level_names


def learned(ends: dict[str, float], *, seeds: int = 3, stop: int | None = None) -> pd.DataFrame:
    """Test accuracies that rise from chance to their end, by optimizer; the runs stop at an iteration."""
    x = np.arange(0, 1010, 10)
    rows = []
    for arm, end in ends.items():
        for seed in range(seeds):
            y = end - (end - 0.1) * np.exp(-x / 50) + 0.001 * seed
            run = {"run_id": f"{arm} {seed}", "arm": arm, "optimizer": arm, "seed": seed, "status": "done"}
            rows.append(pd.DataFrame({**run, "iteration": x, "split": "test", "accuracy": y, "loss": 1 - y}))
    frame = pd.concat(rows, ignore_index=True).assign(classes=10)
    return frame if stop is None else frame[frame["iteration"] <= stop].assign(status="stopped")


def test_an_accuracy_begins_below_the_ends_of_all_lines() -> None:
    figure = curves(learned({"sgd": 0.9, "adam": 0.97}))
    assert panels(figure)[0].get_ylim() == pytest.approx((0.796, 1.004))
    assert said(figure, "The axis begins at 0.8.")
    assert panels(curves(learned({"sgd": 0.2, "adam": 0.97})))[0].get_ylim()[0] < 0
    assert panels(curves(learned({"sgd": 0.9, "adam": 0.97}), low=0.0))[0].get_ylim()[0] < 0


def test_lines_that_coincide_are_told_and_all_seen() -> None:
    figure = curves(learned({"sgd": 0.9, "adam": 0.9, "lion": 0.97}))
    assert said(figure, "Lines that coincide are drawn on each other: adam and sgd.")
    below, above, other = (line(panels(figure)[0], f"mean: {name}, test") for name in ("adam", "sgd", "lion"))
    assert below.get_linewidth() > above.get_linewidth() + 2 == other.get_linewidth() + 2
    assert not said(curves(learned({"sgd": 0.9, "lion": 0.97})), "coincide")


def test_networks_that_give_all_images_one_class_are_explained() -> None:
    frame = learned({"sgd": 0.9, "adam": 0.9})
    frame.loc[frame["optimizer"] == "sgd", "accuracy"] = 0.1135
    sentence = "A network that gives all images one class is right on the share of that class, here 0.1135."
    assert said(curves(frame), sentence)
    assert not said(curves(learned({"sgd": 0.9, "adam": 0.9})), "one class")


def test_restored_weights_are_marked_and_count_in_the_mean() -> None:
    frame = pd.concat([learned({"long": 0.9}), learned({"short": 0.9}, stop=100)], ignore_index=True)
    frame["restored"] = (frame["status"] == "stopped") & (frame["iteration"] == 80)
    figure = curves(frame, columns="optimizer")
    _, short = panels(figure)
    assert data(line(short, "restored: test"))[0].tolist() == [80.0] * 3
    assert data(line(short, "stopped: test"))[0].tolist() == [100.0] * 3
    assert short.get_xscale() == "symlog"  # else the panel would be nearly empty
    assert said(figure, "the mean keeps the value of its restored weights (the ring), as tables do")
    later = pd.concat([learned({"short": 0.9}, seeds=2), learned({"short": 0.9}, stop=100)]).drop_duplicates()
    later = later.assign(run_id=later["run_id"] + later["status"], arm="short")
    later["restored"] = (later["status"] == "stopped") & (later["iteration"] == 50)
    shown = data(line(panels(curves(later))[0], "mean: test"))[1]
    every = later.groupby("run_id")["accuracy"].last()
    kept = later[later["restored"]].set_index("run_id")["accuracy"]
    assert shown[-1] == pytest.approx(pd.concat([every[every.index.difference(kept.index)], kept]).mean())


@pytest.mark.parametrize("kind", ["final", "heatmap"])
def test_no_interval_below_three_seeds(kind: str) -> None:
    runs = pd.DataFrame({"run_id": list("abcd"), "arm": ["x", "x", "y", "y"], "init": ["x", "x", "y", "y"]})
    runs = runs.assign(seed=[0, 1] * 2, status="done", final_test_accuracy=[0.5, 0.6, 0.7, 0.8])
    figure = plots[kind](runs).figure
    assert said(figure, "no interval below 3 seeds")
    assert not [a for ax in figure.axes for a in ax.lines if str(a.get_label()).startswith("interval")]
    assert not any(" to " in text for text in texts(figure) if "seeds" not in text)


def test_nine_levels_of_words_have_panels_of_their_own() -> None:
    levels = [f"{letter}-optimizer" for letter in "abcdefghi"]
    figure = curves(made_up({"optimizer": levels}, points=3, splits=["test"]))
    assert len([ax for ax in panels(figure) if ax.get_visible()]) == 9
    assert len({round(ax.get_position().y0, 3) for ax in panels(figure)}) == 2
    assert not [artist for artist in figure.artists if isinstance(artist, Legend)]
    assert len(panels(curves(made_up({"optimizer": levels[:8]}, points=3, splits=["test"])))) == 1
    assert len(panels(curves(made_up({"optimizer": levels}, points=3, splits=["test"]), lines="optimizer"))) == 1


def scores() -> pd.DataFrame:
    rows = [(arm, seed) for arm in ("none", "l2", "dropout") for seed in range(4)]
    runs = pd.DataFrame(rows, columns=["regularizer", "seed"]).assign(status="done", classes=10)
    runs["run_id"], runs["arm"] = runs["regularizer"] + runs["seed"].astype(str), runs["regularizer"]
    gain = runs["regularizer"].map({"none": 0.0, "l2": 0.01, "dropout": -0.05})
    test = 0.7 + 0.05 * runs["seed"] + gain
    return runs.assign(final_train_accuracy=test + 0.1, final_test_accuracy=test)


def test_splits_are_joined_in_one_row() -> None:
    chart = plots["final"](scores(), splits=["train", "test"])
    (ax,) = panels(chart.figure)
    for i, (arm, mean) in enumerate({"none": 0.775, "l2": 0.785, "dropout": 0.725}.items()):
        np.testing.assert_allclose(data(line(ax, f"joined: {arm}")), np.array([[mean + 0.1, mean], [i, i]]))
    assert {"train", "test", "final accuracy"} <= set(texts(chart.figure))
    assert chart.data[["regularizer", "split"]].values.tolist()[::3] == [["none", "train"], ["none", "test"]]
    with pytest.raises(UsageError, match="splits are the colours within a row, and so are lines: seed"):
        plots["final"](scores(), splits=["train", "test"], lines="seed", rows="regularizer")


def test_differences_to_a_row_are_paired_by_seed() -> None:
    chart = plots["final"](scores(), minus="none")
    (ax,) = panels(chart.figure)
    assert chart.data["regularizer"].tolist() == ["l2", "dropout"]
    np.testing.assert_allclose(chart.data["final_test_accuracy_difference"], [0.01, -0.05])
    np.testing.assert_allclose(chart.data[["low", "high"]], [[0.01, 0.01], [-0.05, -0.05]], atol=1e-9)
    assert line(ax, "zero").get_xdata()[0] == 0  # type: ignore[index]
    assert "final test accuracy: difference to none" in texts(chart.figure)
    assert "Differences are paired by seed" in chart.caption
    with pytest.raises(UsageError, match="there is no row 'nonne' to compare with; did you mean 'none'"):
        plots["final"](scores(), minus="nonne")


@pytest.mark.parametrize("loss", [False, True])
def test_a_reference_is_given_by_levels_or_is_the_best(loss: bool) -> None:
    runs, y = scores(), "loss" if loss else "accuracy"
    runs = runs.assign(final_test_loss=runs["final_test_accuracy"])
    expected = plots["final"](runs, y=y, minus="dropout" if loss else "l2")
    best = plots["final"](runs, y=y, minus="best")
    pd.testing.assert_frame_equal(best.data, expected.data)
    by_level = plots["final"](runs, y=y, minus={"regularizer": "dropout" if loss else "l2"})
    pd.testing.assert_frame_equal(by_level.data, expected.data)
    with pytest.raises(UsageError, match="regularizer has no level 'l3' to compare with"):
        plots["final"](runs, minus={"regularizer": "l3"})
    with pytest.raises(
        UsageError, match="there is no factor 'regulariser' to compare with; did you mean 'regularizer'"
    ):
        plots["final"](runs, minus={"regulariser": "l2"})
    two = pd.concat(
        [runs.assign(init="he"), runs.assign(init="xavier", arm=runs["arm"] + "x", run_id=runs["run_id"] + "x")]
    )
    with pytest.raises(UsageError, match=r"one row, and 2 are \{regularizer: l2\}; add the level of init"):
        plots["final"](two, minus={"regularizer": "l2"})
    both = plots["final"](two, minus={"regularizer": "l2", "init": "he"})
    assert "final test accuracy: difference to l2, he" in texts(both.figure)


def test_ticks_are_at_values_that_were_tried_and_what_moves_along_is_told() -> None:
    runs = pd.DataFrame({"train.batch_size": [1.0, 2.0, 8.0, 300.0], "optimizer.lr": ["0.1", "0.2", "0.8", "3"]})
    runs = runs.assign(run_id=list("abcd"), arm=list("abcd"), seed=0, status="done", final_test_accuracy=0.5)
    runs["optimizer.lr.value"] = runs["optimizer.lr"].astype(float)  # the numbers of the same setting
    figure = plots["response"](runs, x="train.batch_size").figure
    ax = panels(figure)[0]
    assert ax.get_xticks().tolist() == [1, 2, 8, 300]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "8", "300"]
    assert said(figure, "Learning rate moves along the axis too, from 0.1 at 1 to 3 at 300.")
    assert sum(text.count("moves along") for text in texts(figure)) == 1
    assert "batch size" in texts(figure)


@pytest.mark.parametrize(
    ("low", "high", "log_x", "expected"),
    [
        (0.001, 1, True, ["0.001", "0.01", "0.1", "1"]),
        (0.05, 0.95, False, ["0.25", "0.5", "0.75"]),
        (0.21, 0.49, True, ["0.3", "0.4", "0.5"]),  # without a power of ten
    ],
)
def test_many_values_along_the_axis_have_ticks_at_round_numbers(
    low: float, high: float, log_x: bool, expected: list[str]
) -> None:
    for count in (8, 9, 25, 200):
        values = np.linspace(low, high, count)
        names = [f"{value:g}" for value in values]
        runs = pd.DataFrame({"run_id": names, "arm": names, "optimizer.lr": values, "seed": 0, "status": "done"})
        figure = plots["response"](runs.assign(final_test_accuracy=0.5), x="optimizer.lr", log_x=log_x).figure
        (ax,) = panels(figure)
        figure.draw_without_rendering()
        if count <= 8:
            assert ax.get_xticks().tolist() == values.tolist()
            continue
        ticks, (left, right) = zip(ax.get_xticks(), ax.get_xticklabels()), ax.get_xlim()
        assert [label.get_text() for tick, label in ticks if left <= tick <= right] == expected


@pytest.mark.parametrize("values", [np.arange(1, 25) / 10, 2.0 ** np.arange(12)], ids=["tenths", "powers of two"])
def test_round_values_along_the_axis_have_ticks_of_their_own(values: np.ndarray) -> None:
    names = [f"{value:g}" for value in values]
    runs = pd.DataFrame({"run_id": names, "arm": names, "optimizer.lr": values, "seed": 0, "status": "done"})
    figure = plots["response"](runs.assign(final_test_accuracy=0.5), x="optimizer.lr").figure
    (ax,) = panels(figure)
    assert ax.get_xticks().tolist() == values.tolist()


@pytest.mark.parametrize(
    ("factor", "name"),
    [
        ("optimizer.lr", "learning rate"),
        ("init.std", "standard deviation of the initial weights"),
        ("train.batch_size", "batch size"),
        ("regularizer.l2.strength", "l2 strength"),
        ("init", "initialization"),
        ("activation", "activation"),
    ],
)
def test_names_of_factors(factor: str, name: str) -> None:
    assert factor_name(factor) == name


def test_names_of_levels() -> None:
    frame: Any = pd.DataFrame({"init": ["he", "normal"], "init.std": [np.nan, 0.01], "train.patience": ["null", "3"]})
    assert level_names(frame, "init") == {"he": "he", "normal": "normal std=0.01"}
    assert level_names(frame.iloc[1:], "init") == {"normal": "normal"}
    assert level_names(frame, "train.patience") == {"3": "3", "null": "no early stopping"}


def test_dashes_are_splits_and_diamonds_are_ensembles() -> None:
    frame = made_up({"optimizer": ["sgd", "adam"]}, splits=["train", "test"])
    frame["ensemble_accuracy"] = frame["accuracy"]
    ax = panels(curves(frame, lines="optimizer"))[0]
    for optimizer in ("sgd", "adam"):
        train, ensemble = (
            line(ax, f"{kind}: {optimizer}, {of}") for kind, of in (("mean", "train"), ("ensemble", "test"))
        )
        assert train.get_linestyle() != "-"
        assert train.get_marker() != "D"
        assert (ensemble.get_linestyle(), ensemble.get_marker()) == ("-", "D")
