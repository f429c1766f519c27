from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.legend import Legend
from tests.support.figures import curves, data, line, panels, texts
from tests.support.frames import made_up

from dlsweep.analysis.statistics import bounds_of, interval
from dlsweep.errors import UsageError
from dlsweep.plots import plots

SIX = {"activation": ["sigmoid", "relu"], "init": ["normal", "xavier", "he"]}
HOSTILE = ["$x^2$", "\\frac{1}{2}", "<b>bold</b>", "$", "a_b^c", "日本語", "🙂", "שלום", "</script>", "%s {} \\n"]


def labels(ax: Axes, begin: str) -> list[str]:
    return [str(a.get_label()) for a in (*ax.lines, *ax.collections) if str(a.get_label()).startswith(begin)]


def of(frame: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    return frame


@pytest.mark.parametrize(("seeds", "y"), [(3, "accuracy"), (5, "loss"), (21, "accuracy")])
def test_lines_are_the_means_and_bands_their_intervals(seeds: int, y: Any) -> None:
    frame = made_up(SIX, seeds=seeds)
    figure = curves(frame, rows="activation", columns="init", y=y)
    for ax, (activation, init) in zip(panels(figure), [(a, i) for a in SIX["activation"] for i in SIX["init"]]):
        for split in ("batch", "test"):
            mine = of(frame, activation=activation, init=init, split=split)
            each = mine.pivot_table(index="seed", columns="iteration", values=y)
            x, mean = data(line(ax, f"mean: {split}"))
            np.testing.assert_array_equal(x, each.columns)
            np.testing.assert_allclose(mean, each.mean())

            bands = [a for a in ax.collections if a.get_label() == f"band: {split}"]
            if split == "test":  # two bands on each other would be grey
                assert isinstance(bands[0], PolyCollection)
                low, high = interval(each.to_numpy().T, bounds=bounds_of(y))
                bottom, top = np.clip(ax.get_ylim(), *bounds_of(y))
                low, high = np.where((low <= bottom) & (high >= top), np.nan, (low, high))
                corners = {(round(a, 6), round(b, 6)) for a, b in np.asarray(bands[0].get_paths()[0].vertices)}
                assert corners >= {
                    (round(a, 6), round(b, 6)) for a, b in zip(np.tile(x, 2), np.append(low, high)) if np.isfinite(b)
                }
            else:
                assert bands == []

            thin = data(line(ax, f"seeds: {split}"))[1].reshape(seeds, -1)
            np.testing.assert_allclose(thin[:, :-1], each)
            assert np.isnan(thin[:, -1]).all()  # the gap between two seeds


def test_two_seeds_have_no_band_and_the_caption_says_so() -> None:
    figure = curves(made_up(SIX, seeds=2))
    assert not any(labels(ax, "band") for ax in panels(figure))
    assert any(
        text.startswith("Mean of 2 seeds; a thin line is one seed; no interval below 3") for text in texts(figure)
    )


def test_the_band_of_an_accuracy_ends_at_0_and_1() -> None:
    frame = made_up({"init": ["a"]}, splits=["test"]).assign(accuracy=[0.9, *[1.0] * 32])
    (band,) = panels(curves(frame))[0].collections
    assert np.concatenate([np.asarray(path.vertices) for path in band.get_paths()])[:, 1].max() == 1


def test_one_seed_has_no_band() -> None:
    frame = made_up(SIX, seeds=1)
    figure = curves(frame)
    for ax in panels(figure):
        assert labels(ax, "band") == labels(ax, "seeds") == []
        assert sorted(labels(ax, "mean")) == ["mean: batch", "mean: test"]
    assert any(text.startswith("One seed.") for text in texts(figure))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (5, 1), (2, 3), (6, 6)])
def test_any_number_of_rows_and_columns(rows: int, columns: int) -> None:
    levels = {"activation": [f"a{i}" for i in range(rows)], "init": [f"i{i}" for i in range(columns)]}
    figure = curves(made_up(levels, seeds=1, points=2), rows="activation", columns="init")
    axes = panels(figure)
    assert len(axes) == rows * columns
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in axes}) == 1
    for one, other in combinations(axes, 2):
        assert one.get_shared_x_axes().joined(one, other)
        assert one.get_shared_y_axes().joined(one, other)
    for i, ax in enumerate(axes):
        row, column = divmod(i, columns)
        expected = [f"i{column}"] * (row == 0) + [f"a{row}"] * (column == columns - 1)
        assert [text.get_text() for text in ax.texts] == expected
    assert {"activation", "initialization", "iteration", "accuracy"} <= set(texts(figure))


def test_an_accuracy_runs_from_0_to_1() -> None:
    low, high = panels(curves(made_up(SIX)))[0].get_ylim()
    assert -0.05 < low < 0
    assert 1 < high < 1.05


def test_an_accuracy_may_begin_higher() -> None:
    frame = made_up({"init": ["a", "b"]}, diverged={"0:1": 20})
    (ax, _) = panels(figure := curves(frame, columns="init", splits=["test"], low=0.9))
    assert ax.get_ylim() == pytest.approx((0.898, 1.002))
    assert {"0.9", "1"} <= {label.get_text() for label in ax.get_yticklabels()}
    foot = next(text for text in texts(figure) if text.startswith("Mean of"))
    assert "The axis begins at 0.9." in foot
    assert "Thin dotted" not in foot  # chance is below
    (cross,) = labels(ax, "diverged")
    assert data(line(ax, cross))[1] == pytest.approx([0.898])
    assert panels(curves(frame, columns="init", y="loss", low=0.9))[0].get_ylim()[0] == 0


def test_the_legend_stands_once_and_in_words() -> None:
    figure = curves(made_up(SIX))
    (legend,) = [artist for artist in figure.artists if isinstance(artist, Legend)]
    assert [text.get_text() for text in legend.get_texts()] == ["train (minibatch)", "test"]
    assert all(ax.get_legend() is None for ax in panels(figure))


def test_a_factor_as_lines_has_its_colours_and_the_splits_have_dashes() -> None:
    frame = made_up({**SIX, "optimizer": ["sgd", "adam"]})
    figure = curves(frame)
    colours: dict[str, set[str]] = {"sgd": set(), "adam": set()}
    for ax in panels(figure):
        for optimizer in colours:
            test, batch = line(ax, f"mean: {optimizer}, test"), line(ax, f"mean: {optimizer}, batch")
            colours[optimizer] |= {str(test.get_color()), str(batch.get_color())}
            assert test.get_linestyle() == "-"
            assert batch.get_linestyle() != "-"
        assert labels(ax, "band") == ["band: sgd, test", "band: adam, test"]
    assert [len(colour) for colour in colours.values()] == [1, 1]
    assert colours["sgd"] != colours["adam"]
    assert {"optimizer", "sgd", "adam", "split", "train (minibatch)", "test"} <= set(texts(figure))


def test_many_levels_of_a_number_have_a_colour_bar_and_bands_at_the_ends() -> None:
    rates = [0.001 * 2**i for i in range(12)]
    figure = curves(made_up({"optimizer": [f"sgd lr={lr:g}" for lr in rates]}), lines="optimizer")
    (bar,) = [ax for ax in figure.axes if ax.get_label() == "colour bar"]
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["0.001", "0.004", "0.016", "0.128", "0.512", "2.048"]
    assert "sgd learning rate" in texts(figure)
    assert not [artist for artist in figure.artists if isinstance(artist, Legend)]
    ax = panels(figure)[0]
    assert labels(ax, "band") == ["band: sgd lr=0.001, test", "band: sgd lr=2.048, test"]
    assert len(labels(ax, "mean")) == 12
    assert any("Bands and thin lines: sgd lr=0.001 and sgd lr=2.048." in text for text in texts(figure))


def test_a_level_keeps_its_colour_in_every_figure() -> None:
    frame = made_up({**SIX, "optimizer": ["momentum", "sgd", "adam"]})
    few = frame[frame["optimizer"].isin(["adam", "sgd"]) & (frame["init"] == "he")]
    whole, part = (panels(curves(f, lines="optimizer"))[0] for f in (frame, few))
    for optimizer in ("adam", "sgd"):
        label = f"mean: {optimizer}, test"
        assert line(whole, label).get_color() == line(part, label).get_color()


def test_splits_in_rows_and_one_split_alone() -> None:
    frame = made_up({"init": ["xavier", "he"]}, splits=["test", "batch"])
    figure = curves(frame, rows="split")
    assert len(panels(figure)) == 4
    assert {"train (minibatch)", "test", "split"} <= set(texts(figure))
    titles = [text.get_text() for ax in panels(figure) for text in ax.texts]
    assert [t for t in titles if t not in ("he", "xavier")] == ["train (minibatch)", "test"]
    alone = curves(frame, splits=["test"])
    assert labels(panels(alone)[0], "mean") == ["mean: xavier, test", "mean: he, test"]
    assert "test accuracy" in texts(alone)


def test_arms_and_numbers_can_be_lines() -> None:
    frame = made_up(SIX, splits=["test"])
    assert len(labels(panels(curves(frame, lines="arm"))[0], "mean")) == 6
    frame = made_up({"optimizer": ["sgd lr=0.01", "sgd lr=0.1"]}, splits=["test"])
    frame["optimizer.lr"] = frame["optimizer"].astype(str).str.extract(r"=(.*)")[0].astype(float)
    figure = curves(frame.drop(columns="optimizer"), lines="optimizer.lr")
    assert labels(panels(figure)[0], "mean") == ["mean: 0.01, test", "mean: 0.1, test"]


def test_the_penalty_is_one_line() -> None:
    ax = panels(curves(made_up({}), y="penalty"))[0]
    assert len(labels(ax, "mean")) == 1
    np.testing.assert_allclose(data(line(ax, labels(ax, "mean")[0]))[1], 0.01 * np.arange(11) * 10)


def test_epochs_and_log_axes() -> None:
    frame = made_up(SIX)
    figure = curves(frame, x="epoch", y="loss", log_x=True, log_y=True)
    ax = panels(figure)[0]
    figure.canvas.draw()
    assert "epoch" in texts(figure)
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "log")
    assert data(line(ax, "mean: test"))[0][0] == 0
    assert not any("$" in tick.get_text() for tick in (*ax.get_xticklabels(), *ax.get_yticklabels()))


def test_a_diverged_run_is_marked_and_goes_on_at_chance() -> None:
    frame = made_up({"init": ["xavier", "he"]}, seeds=3, diverged={"1:2": 40}, classes=4)
    figure = curves(frame, columns="init")
    xavier, he = panels(figure)
    mine = of(frame, init="he", split="test")
    last = of(mine, run_id="1:2").iloc[-1]
    assert labels(xavier, "diverged") == []
    np.testing.assert_allclose(data(line(he, "diverged: test")), [[40], [last["accuracy"]]])
    each = mine.pivot_table(index="seed", columns="iteration", values="accuracy")
    np.testing.assert_allclose(data(line(he, "mean: test"))[1], each.fillna(1 / 4).mean())
    assert "1 of 3 diverged" in [text.get_text() for text in he.texts]
    assert "diverged" in texts(figure)
    assert any("Diverged runs count at chance." in text for text in texts(figure))
    assert data(line(he, "chance"))[1].tolist() == [0.25, 0.25]


@pytest.mark.parametrize(("y", "classes"), [("loss", 10), ("accuracy", None)])
def test_a_mean_without_a_value_for_diverged_runs_ends_with_them(y: Any, classes: int | None) -> None:
    figure = curves(made_up({}, diverged={"0:1": 40}, classes=classes), y=y)
    x, mean = data(line(panels(figure)[0], "mean: test"))
    assert np.isfinite(mean[x <= 40]).all()
    assert np.isnan(mean[x > 40]).all()
    assert any("No mean where a run has diverged." in text for text in texts(figure))


def test_an_exploding_loss_is_marked_at_the_edge_and_squeezes_nothing() -> None:
    frame = made_up({}, diverged={"0:1": 40})
    frame.loc[(frame["run_id"] == "0:1") & (frame["iteration"] == 40), "loss"] = 1e30
    ax = panels(curves(frame, y="loss"))[0]
    assert ax.get_ylim()[1] < 3
    assert data(line(ax, "diverged: test"))[1] == ax.get_ylim()[1]


@pytest.mark.parametrize("log", [False, True])
def test_an_arm_with_an_absurd_loss_leaves_the_panel_and_flattens_no_other(log: bool) -> None:
    frame = made_up({"init": ["a", "b", "c", "d"]})
    bad = (frame["init"] == "d") & (frame["iteration"] > 0)
    frame.loc[bad, "loss"] = 4.5e30 * frame.loc[bad, "iteration"]
    figure = curves(frame, y="loss", log_y=log)
    figure.canvas.draw()
    assert panels(figure)[0].get_ylim()[1] < (30 if log else 10)
    assert any("Lines leave the panel at the top" in text for text in texts(figure))
    assert not any("leave the panel" in text for text in texts(curves(frame[frame["init"] != "d"], y="loss")))


def test_tick_labels_have_the_room_that_they_need() -> None:
    frame = made_up({"init": ["he", "xavier"]})
    frame["penalty"] = 4.5e30 * (1 + frame["iteration"])
    figure = curves(frame, y="penalty")
    figure.canvas.draw()
    ticks = [tick for tick in panels(figure)[0].get_yticklabels() if tick.get_text()]
    assert {"2e+32", "4e+32"} <= {tick.get_text() for tick in ticks}
    (name,) = [text for text in figure.texts if text.get_text() == "penalty"]
    assert all(tick.get_window_extent().x0 > name.get_window_extent().x1 for tick in ticks)


def test_on_a_log_axis_the_band_stays_above_0_and_around_the_mean() -> None:
    frame = made_up({}, splits=["test"])
    frame.loc[frame["run_id"] == "0:1", "loss"] /= 100
    ax = panels(curves(frame, y="loss", log_y=True))[0]
    each = frame.pivot_table(index="seed", columns="iteration", values="loss").to_numpy()
    low, high = interval(each.T)
    assert (low < 0).any()
    mean = each.mean(axis=0)
    (band,) = [a for a in ax.collections if a.get_label() == "band: test"]
    drawn = np.asarray(band.get_paths()[0].vertices)[:, 1]
    for end in (low, high):
        for value in mean * np.exp((end - mean) / mean):
            assert np.isclose(drawn, value).any()
    assert drawn.min() > 0


@pytest.mark.parametrize("y", ["loss", "penalty"])
def test_every_mean_is_seen_whole(y: Any) -> None:
    frame = made_up(SIX, points=1000, splits=["test"])
    frame.loc[frame["iteration"] == 0, y] += 100
    frame.loc[frame["iteration"] == 9990, y] = 0.001
    for log in (False, True):
        low, high = panels(curves(frame, y=y, log_y=log))[0].get_ylim()
        assert low < 0.0011
        assert high > 100


def test_a_run_that_diverged_without_a_point_counts_from_the_start() -> None:
    """As `tidy` has it: at iteration 0, without a value."""
    frame = made_up({}, seeds=2, classes=4, diverged={"0:1": 0})
    frame.loc[frame["run_id"] == "0:1", ["loss", "penalty", "accuracy"]] = np.nan
    ax = panels(curves(frame))[0]
    good = of(frame, run_id="0:0", split="test")["accuracy"].to_numpy()
    np.testing.assert_allclose(data(line(ax, "mean: test"))[1], (good + 1 / 4) / 2)
    assert data(line(ax, "diverged: test")).tolist() == [[0], [1 / 4]]
    ax = panels(curves(frame, y="loss"))[0]
    assert data(line(ax, "diverged: test")).tolist() == [[0], [ax.get_ylim()[1]]]


def test_every_run_diverged_at_once() -> None:
    frame = made_up({}, diverged={"0:0": 0, "0:1": 0, "0:2": 0})
    for y in ("accuracy", "loss"):
        figure = curves(frame, y=y)
        figure.canvas.draw()
        assert data(line(panels(figure)[0], "diverged: test")).shape == (2, 3)
        assert "3 of 3 diverged" in texts(figure)


def test_that_runs_diverged_stands_under_no_title_in_the_legend() -> None:
    figure = curves(made_up({**SIX, "optimizer": ["sgd", "adam"]}, diverged={"1:2": 40}))
    groups = [[t.get_text() for t in a.get_texts()] for a in figure.artists if isinstance(a, Legend)]
    assert groups == [["sgd", "adam"], ["train (minibatch)", "test"], ["diverged"]]


def test_an_arm_all_of_whose_runs_diverged_goes_on_at_chance_to_the_end() -> None:
    frame = made_up({"init": ["he", "bad", "short"]}, diverged={f"1:{i}": 10 * (i + 1) for i in range(3)})
    frame["train.iterations"] = np.where(frame["init"] == "short", 50, 100)
    frame = frame[frame["iteration"] <= frame["train.iterations"]]
    for lines in ("init", "split"):
        axes = panels(curves(frame, columns=None if lines == "init" else "init", lines=lines))
        ax = axes[0] if lines == "init" else axes[1]
        x, mean = data(line(ax, "mean: bad, test" if lines == "init" else "mean: test"))
        assert x.tolist() == [*range(0, 101, 10)]
        np.testing.assert_allclose(mean[x > 30], 0.1)
    frame["train.iterations"] = np.where(frame["init"] == "bad", 50, frame["train.iterations"])
    x, _ = data(line(panels(curves(frame, lines="init"))[0], "mean: bad, test"))
    assert x.max() == 50


def test_a_stopped_run_keeps_its_last_value() -> None:
    frame = made_up({}, splits=["test"], diverged={"0:1": 40})
    frame["status"] = frame["status"].replace("diverged", "stopped")
    each = frame.pivot_table(index="seed", columns="iteration", values="accuracy").ffill(axis=1)
    figure = curves(frame)
    np.testing.assert_allclose(data(line(panels(figure)[0], "mean: test"))[1], each.mean())
    (x,), (y,) = data(line(panels(figure)[0], "stopped: test"))
    assert (x, y) == (40, each.loc[1, 40])
    assert any("A dot is a run that stopped early" in text for text in texts(figure))
    assert "stopped early" in texts(figure)


def test_an_ensemble_is_a_line_with_diamonds() -> None:
    frame = made_up({"init": ["xavier", "he"]}, splits=["test"])
    averaged = frame["accuracy"].groupby([frame["arm"], frame["iteration"]]).transform("max")
    figure = curves(frame.assign(ensemble_accuracy=averaged), columns="init")
    for ax, arm in zip(panels(figure), ("xavier", "he")):
        drawn = line(ax, "ensemble: test")
        expected = frame[frame["arm"] == arm].groupby("iteration")["accuracy"].max()
        np.testing.assert_allclose(data(drawn), [expected.index.to_numpy(), expected.to_numpy()])
        assert (drawn.get_linestyle(), drawn.get_marker()) == ("-", "D")  # dashes are splits
    assert {"ensemble"} <= set(texts(figure))
    assert not any("ensemble" in text for text in texts(curves(frame, columns="init")))
    assert not any(
        "ensemble" in text
        for text in texts(curves(frame.assign(ensemble_accuracy=averaged), y="penalty", columns="init"))
    )


def test_failed_runs_are_counted() -> None:
    frame = made_up({"init": ["xavier", "he"]}, failed=["0:0", "0:1", "0:2", "1:0"])
    xavier, he = panels(curves(frame, columns="init"))
    assert {text.get_text() for text in xavier.texts} == {"xavier", "3 failed", "no curve"}
    assert {text.get_text() for text in he.texts} == {"he", "1 failed"}
    assert data(line(he, "seeds: test"))[1].size == 2 * 12


def test_fewer_seeds_than_elsewhere_are_told() -> None:
    frame = made_up({"init": ["xavier", "he"]})
    frame = frame[frame["run_id"] != "1:2"]
    figure = curves(frame, columns="init")
    assert [text.get_text() for text in panels(figure)[1].texts] == ["he", "n = 2"]
    assert any(text.startswith("Mean of 2 to 3 seeds") for text in texts(figure))


def test_a_combination_without_runs_says_so() -> None:
    frame = made_up(SIX)
    frame = frame[frame["arm"] != "sigmoid, he"]
    shown = [[text.get_text() for text in ax.texts] for ax in panels(curves(frame))]
    assert shown == [["normal"], ["xavier"], ["he", "sigmoid", "no runs"], [], [], ["relu"]]


def test_nothing_to_show() -> None:
    frame = made_up(SIX)
    with pytest.raises(UsageError, match="there is nothing to show: no run is done yet"):
        curves(frame.iloc[:0], rows="init")
    with pytest.raises(UsageError, match="nothing to show: train was not evaluated; there is batch, test"):
        curves(frame, rows="init", splits=["train"])


def test_nothing_but_failed_runs() -> None:
    figure = curves(made_up({}, seeds=2, failed=["0:0", "0:1"]), splits=["train"])
    assert {"no curve", "2 failed"} <= set(texts(figure))


def test_the_table_of_curves_alone_will_do() -> None:
    frame = made_up(SIX).drop(columns=["status", "classes"])
    assert len(panels(curves(frame))) == 6


def test_labels_are_drawn_as_they_are() -> None:
    frame = made_up({"activation": HOSTILE, "init": ["he"], "optimizer": HOSTILE}, seeds=1, points=2)
    figure = curves(frame, rows="activation", columns="init", lines="optimizer")
    legends = [text for artist in figure.artists if isinstance(artist, Legend) for text in artist.get_texts()]
    drawn = [*legends, *figure.texts, *(text for ax in panels(figure) for text in ax.texts)]
    for label in HOSTILE:
        assert [text.get_text().replace("\n", "") for text in drawn].count(label) == 2
    assert not any(text.get_parse_math() or text.get_usetex() for text in drawn)


def test_a_factor_that_would_be_averaged_over_is_named() -> None:
    frame = made_up({**SIX, "optimizer": ["sgd", "adam"], "schedule": ["constant", "cosine"]})
    with pytest.raises(UsageError, match="a line would be the mean over schedule; show it as rows"):
        curves(frame)


def test_the_level_of_a_factor_that_is_fixed_here_stands_above() -> None:
    frame = made_up({**SIX, "optimizer": ["sgd", "adam"]})
    assert "optimizer: adam" in texts(curves(frame[frame["optimizer"] == "adam"]))


@pytest.mark.parametrize(
    ("settings", "good"),
    [
        ({}, True),
        ({"rows": "activation", "columns": "init", "lines": "split", "y": "accuracy"}, True),
        ({"splits": ["test"], "log_x": True}, True),
        ({"y": "acuracy"}, False),
        ({"rowz": "activation"}, False),
        ({"splits": "test"}, False),
    ],
)
def test_what_a_config_may_set(settings: dict[str, Any], good: bool) -> None:
    _, faults = plots["curves"].check(settings)
    assert bool(faults) is not good


def test_many_points_stay_light() -> None:
    ax = panels(curves(made_up({}, seeds=10, points=3000)))[0]
    assert len(ax.lines) == 5  # for each split the mean and, as one artist, all seeds; and chance
