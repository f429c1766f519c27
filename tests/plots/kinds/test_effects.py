"""Figures of effects and of luck: the numbers that are drawn are those of the analysis."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from scipy import stats
from tests.support.figures import data, line, panels, texts

from dlsweep.analysis.crossed import variance_shares
from dlsweep.analysis.effect_tables import percent
from dlsweep.errors import UsageError
from dlsweep.plots import plots

FACTORS = {"activation": ["relu", "tanh"], "init": ["he", "xavier", "normal"], "optimizer": ["sgd", "adam"]}


def runs(
    sources: dict[str, int] | None = None, factors: dict[str, list[str]] = FACTORS, seeds: int = 6
) -> pd.DataFrame:
    """The table of runs of a grid, with an interaction of activation and init."""
    draw = np.random.default_rng(0)
    replicates = list(product(*map(range, (sources or {"": seeds}).values())))
    rows = []
    for levels in product(*factors.values()):
        for seed, own in enumerate(replicates):
            row: dict[str, Any] = {"run_id": f"{levels}{seed}", "arm": ", ".join(levels) or "all", "seed": seed}
            row |= dict(zip(factors, levels)) | {f"seed_{s}": n for s, n in zip(sources or (), own)}
            effect = 0.1 * (levels[0] == "tanh") * (1 + (levels[1:2] == ("normal",)))
            rows.append({**row, "status": "done", "final_test_accuracy": 0.5 + effect + draw.normal(0, 0.02)})
    frame = pd.DataFrame(rows).assign(classes=10)
    return frame.astype({f: pd.CategoricalDtype(levels) for f, levels in factors.items()})


def test_main_effects() -> None:
    frame = runs()
    chart = plots["effects"](frame)
    (ax,) = panels(chart.figure)
    for factor, levels in FACTORS.items():
        means = frame.groupby(factor, observed=True)["final_test_accuracy"].mean()
        np.testing.assert_allclose(data(line(ax, f"effect: {factor}"))[0], means[levels])
    assert data(line(ax, "mean of all"))[0, 0] == pytest.approx(frame["final_test_accuracy"].mean())
    assert [tick.get_text() for tick in ax.get_yticklabels()][:3] == ["activation: relu", "tanh", "initialization: he"]
    share = chart.data.set_index("factor")["share"]["activation"].iloc[0]
    assert f"{100 * share:.0f} % of the variance" in texts(chart.figure)
    assert "6 seeds" in chart.caption


def test_main_effects_tell_the_share_of_the_interactions() -> None:
    """Means over other factors mislead where factors interact."""
    frame = runs()
    y = frame["final_test_accuracy"]
    every = ([*FACTORS], *([factor] for factor in FACTORS))
    by = [frame.groupby(own, observed=True)["final_test_accuracy"].transform("mean") for own in every]
    cells, *factors = (((one - y.mean()) ** 2).sum() / ((y - y.mean()) ** 2).sum() for one in by)
    caption = plots["effects"](frame).caption
    assert f"Interactions of factors have {percent(cells - sum(factors))} of the variance." in caption
    assert "Interactions" not in plots["effects"](runs(factors={"init": FACTORS["init"]})).caption


def test_an_interaction_is_the_largest_by_default() -> None:
    frame = runs()
    chart = plots["interaction"](frame)
    (ax,) = panels(chart.figure)
    expected = frame.groupby(["activation", "init"], observed=True)["final_test_accuracy"].mean()
    for level in FACTORS["activation"]:  # two lines over three levels
        np.testing.assert_allclose(data(line(ax, f"mean: {level}"))[1], expected[level][FACTORS["init"]])
    assert "flipping whole seeds" in chart.caption
    turned = plots["interaction"](frame, over="activation")
    np.testing.assert_allclose(data(line(panels(turned.figure)[0], "mean: he"))[1], expected.unstack()["he"])
    other = plots["interaction"](frame, over="optimizer", by="init")
    assert [tick.get_text() for tick in panels(other.figure)[0].get_xticklabels()] == FACTORS["optimizer"]


def test_the_bars_of_an_interaction_are_within_seeds() -> None:
    frame = runs()
    frame["final_test_accuracy"] += 0.1 * frame["seed"]  # what all runs of a seed share does not widen them
    chart = plots["interaction"](frame)
    (ax,) = panels(chart.figure)
    cells = frame.groupby(["seed", "init", "activation"], observed=True)["final_test_accuracy"].mean()
    own = cells - cells.groupby("seed").transform("mean")
    for level in FACTORS["activation"]:
        drawn = [np.asarray(one.get_ydata()) for one in ax.lines if one.get_label() == f"interval: {level}"]
        for ends, init in zip(drawn, FACTORS["init"], strict=True):
            low, high = stats.ttest_1samp(own[:, init, level], 0).confidence_interval(0.95)
            middle = cells[:, init, level].mean()
            np.testing.assert_allclose(ends, middle + np.array([-1, 1]) * (high - low) / 2)
    assert "Bars: 95 % interval of the difference to the mean of all, within seeds." in chart.caption
    assert (chart.data["low"] < chart.data["mean"]).all()
    single = plots["interaction"](runs(seeds=1))
    assert "Bars" not in single.caption
    assert single.data["low"].isna().all()


@pytest.mark.parametrize("kind", ["effects", "interaction"])
def test_crossed_seeds_have_no_intervals_within_seeds(kind: str) -> None:
    with pytest.raises(UsageError, match=r"runs of crossed seeds are not independent, .* the plot luck shows"):
        plots[kind](runs({"init": 3, "batches": 2}))


@pytest.mark.parametrize(
    ("kind", "change", "settings", "sentence"),
    [
        ("effects", {"final_test_accuracy": 0.5, "activation": "relu"}, {}, "effects of a whole grid are not known"),
        ("interaction", {}, {"over": "init", "by": "init"}, "are both init; an interaction needs two factors"),
        ("interaction", {}, {"over": "inti"}, "did you mean 'init'"),
        ("luck", {}, {}, "shares of luck need crossed seeds"),
    ],
)
def test_figures_that_cannot_be(kind: str, change: dict[str, Any], settings: dict[str, Any], sentence: str) -> None:
    frame = runs()
    if change:
        frame = frame[~((frame["activation"] == "tanh") & (frame["init"] == "he"))]
    with pytest.raises(UsageError, match=sentence):
        plots[kind](frame, **settings)


def test_a_loss_with_diverged_runs_is_refused() -> None:
    frame = runs().assign(final_test_loss=1.0)
    frame.loc[0, "status"] = "diverged"
    assert "mean" in plots["effects"](frame).data
    with pytest.raises(UsageError, match="effects can be shown of an accuracy only"):
        plots["effects"](frame, y="loss")


def test_shares_of_luck() -> None:
    frame = runs({"init": 4, "batches": 3}, {"data": ["mnist", "fashion_mnist"]})
    chart = plots["luck"](frame)
    for ax, level in zip(panels(chart.figure), ("mnist", "fashion_mnist"), strict=True):
        values = frame[frame["data"] == level]["final_test_accuracy"].to_numpy().reshape(4, 3)
        expected = variance_shares(values, ["init", "batches"])["share"].tolist()
        assert [bar.get_bbox().width for bar in ax.patches if isinstance(bar, Rectangle)] == pytest.approx(expected)
    assert "4 seeds of the initial weights × 3 seeds of the order of the minibatches" in chart.caption
    assert chart.caption in " ".join(texts(chart.figure))
    assert chart.alt.endswith(".")
    missing = plots["luck"](frame[1:])
    assert "combinations of seeds are missing" in texts(missing.figure)
