"""The forest plot of claims, on results with made-up values: its marks are at the numbers of the verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from tests.support.claims import arm, store
from tests.support.figures import chart, data, line, panels, said, texts

import dlsweep
from dlsweep.analysis.verdicts import verdicts_of
from dlsweep.config.claims import Claim
from dlsweep.errors import ConfigError, UsageError
from dlsweep.storage.results import Results

GRID = {"activation": ["relu", "tanh", "sigmoid"], "init": ["he", "xavier"]}
MEANS = {"relu": 0.8, "tanh": 0.7, "sigmoid": 0.3}
WIDTHS = {"relu": 0.02, "tanh": 0.03, "sigmoid": 0.15}


def value(levels: Mapping[str, str], seed: int) -> float:
    """The test accuracy of an arm and a seed: those of ReLU and tanh differ by up to 0.03, of sigmoid much more."""
    activation = levels["activation"]
    phase = {"relu": 0, "tanh": 2, "sigmoid": 4}[activation] + (levels["init"] == "he")
    return MEANS[activation] + WIDTHS[activation] * float(np.sin(7 * seed + phase))


def claim(name: str, relation: Any, *arms: Mapping[str, tuple[str, ...]], **settings: Any) -> Claim:
    return Claim(name, relation, arms, **{"metric": "final_test_accuracy", **settings})


RELU, TANH, SIGMOID = (arm(activation=name) for name in MEANS)
CLAIMS = (
    claim("ReLU beats sigmoid", "beats", RELU, SIGMOID, margin=0.2),
    claim("sigmoid beats ReLU", "beats", SIGMOID, RELU, expect="refuted"),
    claim("ReLU beats tanh by more than they differ, σ ≥ ½ and $\\frac{1}{2}$", "beats", RELU, TANH, margin=0.1),
    claim("He equals Xavier", "equals", arm(init="he"), arm(init="xavier"), margin=0.1),
    claim("tanh is above one half", "above", TANH, margin=0.5),
    claim("in this order", "order", RELU, TANH, SIGMOID),
    claim("sigmoid has a higher loss", "beats", RELU, SIGMOID, metric="final_test_loss"),
    claim("equal, a long sentence that says " + "again and " * 15 + "again", "equals", RELU, SIGMOID, margin=0.01),
    claim("ReLU leads by more with He", "beats", RELU, TANH, more=arm(init="he"), than=arm(init="xavier")),
    claim("ELU beats ReLU", "beats", arm(activation="elu"), RELU),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return store(tmp_path_factory.mktemp("forest"), GRID, value, *CLAIMS, seeds=12, late=["He equals Xavier"])


@pytest.fixture(scope="module")
def forest(results: Results) -> Any:
    return chart(results, "forest")


def shown(forest: Any, label: str) -> np.ndarray:
    (ax,) = panels(forest.figure)
    return np.array(data(line(ax, label))[0])


def test_an_effect_is_right_of_the_margin_where_it_supports_the_claim(results: Results, forest: Any) -> None:
    for verdict in verdicts_of(results):
        name, step = verdict.claim.name, verdict.step
        if verdict.claim.relation in ("order", "equals") or not verdict.steps:
            continue
        (label,) = (
            str(a.get_label())
            for a in panels(forest.figure)[0].lines
            if name in str(a.get_label()).partition("effect: ")[2]
        )
        (effect,), (low, high) = shown(forest, label), shown(forest, label.replace("effect", "interval"))
        assert shown(forest, f"margin: {name}").tolist() == [0, 0]
        assert (min(low, high) > 0) == (verdict.verdict == "supported")
        assert (max(low, high) < 0) == (verdict.verdict == "refuted")
        ends = np.array(step.interval)
        margin = verdict.margins[0]
        # all distances from the margin are in proportion, and turned by the direction of the claim
        distances = verdict.sign * (np.array([step.effect, *ends]) - margin)
        np.testing.assert_allclose([effect, low, high], distances / abs(distances).max())


def test_an_equality_has_two_margins_on_the_scale_of_its_effect(results: Results, forest: Any) -> None:
    (verdict,) = (one for one in verdicts_of(results) if one.claim.name == "He equals Xavier")
    axis = panels(forest.figure)[0]
    margins = sorted(data(a)[0][0] for a in axis.lines if a.get_label() == "margin: He equals Xavier")
    (effect,) = shown(forest, "effect: He equals Xavier, he − xavier")
    assert margins[0] == -margins[1] < 0
    assert effect / margins[1] == pytest.approx(verdict.effect / 0.1)


def test_verdicts_differ_in_word_colour_and_mark(results: Results, forest: Any) -> None:
    (ax,) = panels(forest.figure)
    looks: dict[str, set[Any]] = {}
    for verdict in verdicts_of(results):
        for mark in ax.lines:
            if str(mark.get_label()).startswith(f"effect: {verdict.claim.name}"):
                own = to_hex(mark.get_color()), mark.get_marker(), to_hex(mark.get_markerfacecolor())
                looks.setdefault(verdict.verdict, set()).add(own)
    assert looks.keys() == {"supported", "refuted", "undecided"}
    assert all(len(own) == 1 for own in looks.values())
    assert len({colour for ((colour, _, _),) in looks.values()}) == 3
    ((_, _, face),) = looks["undecided"]
    assert face == "#ffffff"
    words = [text for text in texts(forest.figure) if text.partition(",")[0] in looks]
    assert [word.partition(",")[0] for word in words] == [verdict.verdict for verdict in verdicts_of(results)]
    assert "refuted, n = 12, as expected" in words


def test_a_claim_of_several_pairs_has_a_row_for_each(forest: Any) -> None:
    (ax,) = panels(forest.figure)
    rows = [str(a.get_label()) for a in ax.lines if str(a.get_label()).startswith("effect: in this order")]
    assert rows == ["effect: in this order, relu − tanh", "effect: in this order, tanh − sigmoid"]
    assert forest.data[forest.data["claim"] == "in this order"]["second"].tolist() == ["tanh", "sigmoid"]


def test_a_claim_without_numbers_has_the_reason(results: Results, forest: Any) -> None:
    (reason,) = (one.reason for one in verdicts_of(results) if one.claim.name == "ELU beats ReLU")
    assert said(forest.figure, reason)
    (ax,) = panels(forest.figure)
    assert not [a for a in ax.lines if "ELU beats ReLU" in str(a.get_label())]
    assert said(forest.figure, "undecided")


def test_the_caption_tells_the_level_the_correction_and_late_claims(forest: Any) -> None:
    for part in ("95 % (equality: 90 %)", "(Holm)", "†: stated after the results", "Each row has its own scale"):
        assert part in forest.caption
    assert said(forest.figure, "He equals Xavier †")
    assert forest.alt.startswith("Forest plot of 10 claims: 5 supported, 2 refuted, 3 undecided.")


def test_the_words_over_the_zones_point_at_no_zone_of_another_kind(forest: Any, tmp_path: Path) -> None:
    """Right of its margins an equality is refuted, so no arrow may say that effects there support it."""
    assert {"■ refuted", "■ supported"} <= {*texts(forest.figure)}
    assert not said(forest.figure, "supported →")
    both = {"same": claim("same", "equals", RELU, TANH, margin=0.1), "better": claim("better", "beats", RELU, TANH)}
    for name, words in (("same", ["refuted", "supported", "refuted"]), ("better", ["← refuted", "supported →"])):
        figure = chart(store(tmp_path / name, GRID, value, both[name], seeds=8), "forest").figure
        assert [text for text in texts(figure) if text in words] == words


def test_texts_are_literal_and_cut(forest: Any) -> None:
    assert said(forest.figure, "$\\frac{1}{2}$")
    assert said(forest.figure, "again and again")


def test_diverged_runs_are_told_and_few_seeds_decide_nothing(tmp_path: Path) -> None:
    ended = lambda levels, seed: "diverged" if levels["activation"] == "tanh" or seed == 0 else "done"  # noqa: E731
    loss = {"metric": "final_test_loss"}
    three = claim("three", "beats", RELU, SIGMOID)
    lost = claim("lost", "beats", RELU, TANH, **loss)
    some = claim("some", "beats", RELU, SIGMOID, **loss)
    few = chart(store(tmp_path, GRID, value, three, lost, some, seeds=3, ended=ended), "forest")
    assert few.data["verdict"].tolist() == ["undecided"] * 3
    assert said(few.figure, "no claim is decided with fewer than")
    assert said(few.figure, "counted as infinite, not in these numbers")
    assert said(few.figure, "diverged")
    infinite = lambda levels, seed: "diverged" if levels["activation"] == "tanh" else "done"  # noqa: E731
    decided = chart(store(tmp_path / "decided", GRID, value, lost, seeds=8, ended=infinite), "forest")
    assert decided.data["verdict"].tolist() == ["supported"]
    assert said(decided.figure, "not finite in any seed")
    assert said(decided.figure, "16 runs counted as infinite")
    assert not [a for a in panels(few.figure)[0].lines if str(a.get_label()).startswith("effect: lost")]


def test_runs_that_stopped_early_are_told(tmp_path: Path) -> None:
    ended = lambda levels, seed: "stopped" if levels["activation"] == "tanh" else "done"  # noqa: E731
    with_stopped, others = claim("stopped", "beats", RELU, TANH), claim("not stopped", "beats", RELU, SIGMOID)
    figure = chart(store(tmp_path, GRID, value, with_stopped, others, seeds=8, ended=ended), "forest").figure
    assert [text.count("16 runs stopped early") for text in texts(figure) if "stopped early" in text] == [1]


def test_a_sweep_without_claims_is_refused(results: Results, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no claims to show\. Write claims in the config"):
        chart(store(tmp_path, GRID, value, seeds=2), "forest")
    config = {"name": "x", "data": {"mnist": {"train": 60, "test": 60}}, "train": {"iterations": 1}, "seeds": 2}
    with pytest.raises(ConfigError, match="forest shows the claims of a sweep, and this one has none; write claims:"):
        dlsweep.dry_run({**config, "plots": ["forest"]})
