"""Verdicts on every relation: p by hand, from all sign patterns of six or more seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.support.claims import Value, arm, store

import dlsweep
from dlsweep.analysis.checked import check
from dlsweep.analysis.questions import Contrast
from dlsweep.analysis.sides import Sides
from dlsweep.analysis.verdicts import Verdict
from dlsweep.config.claims import Claim, Looks
from dlsweep.tabular import Form

NOISE = np.array([0.003, -0.002, 0.001, -0.004, 0.002, 0.0005, -0.001, 0.0015])
HE, NORMAL, XAVIER = arm(init="he"), arm(init="normal"), arm(init="xavier")
INITS = {"init": ["he", "normal", "xavier"]}
SIX = 2 / 2**6  # the smallest two-sided p of six seeds


def by_init(**means: float) -> Value:
    """Test accuracies with these means; a seed shifts all arms alike, and each arm has a pattern of its own."""
    order = list(means)

    def value(levels: Mapping[str, str], seed: int) -> float:
        own = np.roll(NOISE, 3 * order.index(levels["init"]))[seed % 8]
        return float(means[levels["init"]] + 0.02 * np.sin(seed) + own)

    return value


def verdict(folder: Path, claim: Claim, value: Value, **options: object) -> Verdict:
    """The verdict on one claim about a store."""
    return check(store(folder, INITS, value, claim, **options)).verdicts[0]  # type: ignore[arg-type]


FAR, NEAR = by_init(he=0.9, normal=0.2, xavier=0.6), by_init(he=0.62, normal=0.6, xavier=0.58)
LEVEL = by_init(he=0.6, normal=0.6, xavier=0.6)

CASES: list[tuple[Claim, Value, str, float]] = [
    (Claim("", "beats", (HE, NORMAL)), FAR, "supported", SIX),
    (Claim("", "beats", (HE, NORMAL), 0.5), FAR, "supported", SIX),
    (Claim("", "beats", (HE, NORMAL), 0.8), FAR, "refuted", SIX),
    (Claim("", "beats", (NORMAL, HE)), FAR, "refuted", SIX),
    (Claim("", "beats", (HE, NORMAL), metric="test_loss"), FAR, "supported", SIX),
    (Claim("", "beats", (HE, NORMAL), metric="test_loss", better="more"), FAR, "refuted", SIX),
    (Claim("", "equals", (HE, NORMAL), 0.05), NEAR, "supported", SIX / 2),
    (Claim("", "equals", (HE, NORMAL), 0.05), FAR, "refuted", SIX),
    (Claim("", "equals", (NORMAL, HE), 0.05), FAR, "refuted", SIX),
    (Claim("", "above", (HE,), 0.5), FAR, "supported", SIX),
    (Claim("", "above", (HE,), 0.95), FAR, "refuted", SIX),
    (Claim("", "below", (NORMAL,), 0.3), FAR, "supported", SIX),
    (Claim("", "below", (NORMAL,), 0.1), FAR, "refuted", SIX),
    (Claim("", "order", (HE, XAVIER, NORMAL)), FAR, "supported", SIX),
    (Claim("", "order", (HE, NORMAL)), NEAR, "supported", SIX),
]


@pytest.mark.parametrize(("claim", "value", "word", "p"), CASES)
def test_verdict_and_p_of_six_seeds_that_all_agree(
    tmp_path: Path, claim: Claim, value: Value, word: str, p: float
) -> None:
    found = verdict(tmp_path, claim, value)
    assert (found.verdict, found.p, found.adjusted, found.n) == (word, p, p, 6)


@pytest.mark.parametrize(
    "claim",
    [
        Claim("", "beats", (HE, NORMAL)),
        Claim("", "equals", (HE, NORMAL), 0.001),
        Claim("", "above", (HE,), 0.6),
        Claim("", "below", (HE,), 0.6),
        Claim("", "order", (HE, NORMAL, XAVIER)),
    ],
    ids=lambda claim: claim.relation,
)
def test_arms_that_differ_by_chance_are_undecided_and_the_seeds_needed_are_said(tmp_path: Path, claim: Claim) -> None:
    found = verdict(tmp_path, claim, LEVEL)
    assert found.verdict == "undecided"
    assert found.p > 0.05
    assert "not decided" in found.sentence


def test_an_order_of_three_needs_one_seed_more_to_be_reversed(tmp_path: Path) -> None:
    claim = Claim("", "order", (HE, NORMAL, XAVIER))  # normal is the last one
    six, seven = (verdict(tmp_path / str(n), claim, FAR, seeds=n) for n in (6, 7))
    assert (six.verdict, six.p) == ("undecided", 2 * SIX)
    assert six.reason == "a pair points the other way, but one of 2 pairs refutes the claim at p ≤ 0.025 only"
    assert (seven.verdict, seven.p, seven.step.first, seven.step.second) == (
        "refuted",
        2 * 2 / 2**7,
        "normal",
        "xavier",
    )


def test_p_is_that_of_scipys_permutation_test(tmp_path: Path) -> None:
    draws = np.random.default_rng(3).normal(0.55, 0.1, (3, 9))
    value: Value = lambda levels, seed: draws[INITS["init"].index(levels["init"]), seed]  # noqa: E731
    claims = [Claim("a", "beats", (HE, NORMAL), 0.03), Claim("b", "above", (HE,), 0.5)]
    found = check(store(tmp_path, INITS, value, *claims, seeds=9)).verdicts
    for one, differences in zip(found, (draws[0] - draws[1] - 0.03, draws[0] - 0.5)):
        test = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=10**6, alternative="two-sided"
        )
        assert one.p == pytest.approx(test.pvalue)


def test_holm_over_the_claims_of_a_sweep(tmp_path: Path) -> None:
    """Three claims with p of 2/64 each: 3 · 2/64 for all of them is above 0.05, so none is decided."""
    claims = [
        Claim("a", "beats", (HE, NORMAL)),
        Claim("b", "beats", (HE, XAVIER)),
        Claim("c", "above", (HE,), 0.5),
    ]
    found = check(store(tmp_path / "6", INITS, FAR, *claims)).verdicts
    assert [(one.verdict, one.p, one.adjusted) for one in found] == [("undecided", SIX, 3 * SIX)] * 3
    assert all("Only the correction for 3 claims (Holm) prevents a verdict." in one.sentence for one in found)
    assert [one.needed.half for one in found] == [7, 7, 7]  # 2/2⁷ ≤ 0.05/3
    eight = check(store(tmp_path / "8", INITS, FAR, *claims, seeds=8)).verdicts
    assert [(one.verdict, one.adjusted) for one in eight] == [("supported", 3 * 2 / 2**8)] * 3


def test_claims_without_an_answer_count_with_p_1_and_are_corrected_for(tmp_path: Path) -> None:
    """Two claims: one whose runs failed. So the other needs 2 · p ≤ 0.05."""
    claims = Claim("a", "beats", (HE, NORMAL)), Claim("b", "beats", (HE, XAVIER))
    failed = lambda levels, seed: "failed" if (levels["init"], seed) == ("xavier", 2) else "done"  # noqa: E731
    first, second = check(store(tmp_path, INITS, FAR, *claims, ended=failed)).verdicts
    assert (first.verdict, first.adjusted) == ("undecided", 2 * SIX)
    assert second.reason == "1 run failed; `dlsweep run --retry` trains it again"
    assert "retry" in second.sentence


def test_equality_within_a_margin_needs_the_seeds_of_one_sided_tests(tmp_path: Path) -> None:
    """The half-width at 1 − 2α is below the distance to the margin; outside of it, the one at 1 − α."""
    differences = np.array([NEAR({"init": "he"}, seed) - NEAR({"init": "normal"}, seed) for seed in range(6)])
    distance, sd = abs(0.0225 - differences.mean()), differences.std(ddof=1)
    found = verdict(tmp_path, Claim("", "equals", (HE, NORMAL), 0.0225), NEAR)
    needed = next(n for n in range(6, 99) if stats.t.ppf(0.95, n - 1) * sd / n**0.5 <= distance)
    assert (found.verdict, found.needed.half) == ("undecided", needed)


GRID = {"init": ["he", "normal"], "activation": ["relu", "tanh", "sigmoid"]}


def interrupted(folder: Path, *lacking: tuple[str, str]) -> Verdict:
    """The verdict on He against normal, of a sweep that some arms have no run of yet."""
    bonus = {"relu": 0.0, "tanh": 0.1, "sigmoid": -0.1}
    value: Value = lambda levels, seed: FAR(levels, seed) / 2 + bonus[levels["activation"]]  # noqa: E731
    results = store(folder, GRID, value, Claim("", "beats", (HE, NORMAL)))
    there = [arm not in lacking for arm in zip(results.runs["init"], results.runs["activation"])]
    results.__dict__["runs"] = results.runs[there]
    return check(results).verdicts[0]


def test_combinations_that_are_not_trained_yet_are_told(tmp_path: Path) -> None:
    found = interrupted(tmp_path, ("he", "tanh"), ("normal", "tanh"))
    assert found.verdict == "supported"
    assert found.effect == pytest.approx(0.35, abs=0.01)
    assert (
        "Left out, since 1 of 3 combinations of the other factors is not trained yet on every side." in found.sentence
    )
    assert "trained" not in interrupted(tmp_path / "all").sentence


def test_combinations_that_one_side_lacks_leave_a_claim_undecided(tmp_path: Path) -> None:
    found = interrupted(tmp_path, ("he", "tanh"), ("normal", "sigmoid"))
    assert found.verdict == "undecided"
    assert found.effect == pytest.approx(0.35, abs=0.01)
    assert found.reason == (
        "2 of 3 combinations of the other factors are not trained yet on every side, and not the same ones; "
        "`dlsweep run` trains them"
    )
    nothing = interrupted(tmp_path / "none", ("he", "tanh"), ("normal", "sigmoid"), ("normal", "relu"))
    assert (nothing.verdict, nothing.steps) == ("undecided", ())
    assert "3 of 3 combinations of the other factors are not trained yet on every side" in nothing.reason


def test_a_level_of_a_trend_that_is_not_trained_yet_is_no_smaller_trend(tmp_path: Path) -> None:
    claim = Claim("", "trend", along=RATIO, direction="down")
    results = store(tmp_path, REGULARIZERS, dropout((-0.1, -0.1)), claim, seeds=8)
    results.__dict__["runs"] = results.runs[results.runs["regularizer"] != "dropout ratio=0.2"]
    found = check(results).verdicts[0]
    assert (found.verdict, found.reason) == ("undecided", "no run of 0.2 is there")


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_no_claim_is_decided_with_fewer_than_six_seeds(tmp_path: Path, seeds: int) -> None:
    claims = [Claim("a", "beats", (HE, NORMAL)), Claim("b", "equals", (HE, NORMAL), 0.9)]
    for one in check(store(tmp_path, INITS, FAR, *claims, seeds=seeds)):
        assert (one.verdict, one.n) == ("undecided", seeds)
        assert "No claim is decided with fewer than 6 seeds." in one.sentence


def contrast_of(differences: Sequence[float]) -> Contrast:
    """The contrast of two sides whose values differ by these numbers."""
    values = np.stack([np.asarray(differences, float), np.zeros(len(differences))])[:, None]
    rows = pd.DataFrame({"side": [], "combination": [], "place": [], "seed": []})
    return Contrast(Sides(("a", "b"), values, np.arange(len(differences)), rows, 0), (1, -1))


@given(
    differences=st.lists(st.floats(-0.2, 0.2), min_size=6, max_size=9),
    margin=st.floats(-0.1, 0.1),
)
def test_the_interval_agrees_with_the_verdict(differences: Sequence[float], margin: float) -> None:
    contrast = contrast_of(differences)
    low, high = contrast.interval_exact(0.05)
    p = contrast.test(margin).two_sided
    if min(abs(low - margin), abs(high - margin)) > 1e-9:  # not at an end, where rounding decides
        assert (p <= 0.05) == (not low <= margin <= high)


def test_a_claim_about_two_parts_of_the_grid(tmp_path: Path) -> None:
    """He helps ReLU by 0.3 and sigmoid by 0.1: 0.2 more."""
    means = {("relu", "he"): 0.9, ("relu", "normal"): 0.6, ("sigmoid", "he"): 0.5, ("sigmoid", "normal"): 0.4}
    value: Value = lambda levels, seed: means[levels["activation"], levels["init"]] + NOISE[seed] * 0.1  # noqa: E731
    grid = {"activation": ["relu", "sigmoid"], "init": ["he", "normal"]}
    parts = {"more": arm(activation="relu"), "than": arm(activation="sigmoid")}
    claims = [Claim(str(by), "beats", (HE, NORMAL), by, **parts) for by in (0.15, 0.25)]  # type: ignore[arg-type]
    supported, refuted = check(store(tmp_path, grid, value, *claims, seeds=7)).verdicts
    assert (supported.verdict, refuted.verdict) == ("supported", "refuted")
    assert supported.effect == pytest.approx(0.2)
    assert "is more than 0.15 higher with relu than with sigmoid" in supported.sentence


def dropout(slopes: Sequence[float]) -> Value:
    """Accuracies that fall by these steps from none to dropout 0.2, to 0.5."""
    level = {"none": 0.0, "dropout ratio=0.2": slopes[0], "dropout ratio=0.5": slopes[0] + slopes[1]}
    return lambda levels, seed: 0.8 + level[levels["regularizer"]] * (1 + 0.1 * np.sin(seed)) + 0.01 * np.cos(seed)


RATIO = "regularizer.dropout.ratio"
REGULARIZERS = {"regularizer": ["none", {"dropout": {"ratio": [0.5, 0.2]}}]}


@pytest.mark.parametrize(
    ("slopes", "trend", "monotone"),
    [
        ((-0.1, -0.1), "supported", "supported"),
        ((-0.3, 0.1), "supported", "refuted"),
        ((0.1, 0.1), "refuted", "refuted"),
    ],
)
def test_trend_and_monotone_over_a_setting_with_none_as_0(
    tmp_path: Path, slopes: tuple[float, float], trend: str, monotone: str
) -> None:
    claims = [Claim(word, word, along=RATIO, direction="down") for word in ("trend", "monotone")]
    found = check(store(tmp_path, REGULARIZERS, dropout(slopes), *claims, seeds=8)).verdicts
    assert [one.verdict for one in found] == [trend, monotone]
    assert found[0].sides == ("0", "0.2", "0.5")


def test_the_slope_of_a_trend_is_that_of_a_regression_over_the_ranks(tmp_path: Path) -> None:
    value = dropout((-0.05, -0.2))
    claim = Claim("", "trend", along=RATIO, direction="down")
    found = check(store(tmp_path, REGULARIZERS, value, claim)).verdicts[0]
    labels = ["none", "dropout ratio=0.2", "dropout ratio=0.5"]
    slopes = [
        stats.linregress(range(3), [value({"regularizer": one}, seed) for one in labels]).slope for seed in range(6)
    ]
    assert found.effect == pytest.approx(np.mean(slopes))


def test_a_trend_over_a_factor_of_numbers(tmp_path: Path) -> None:
    grid = {"train.batch_size": [100, 20, 50], "init": ["he", "normal"]}
    value: Value = lambda levels, seed: 0.9 - 0.001 * float(levels["train.batch_size"]) + 0.01 * np.sin(seed)  # noqa: E731
    claim = Claim("", "trend", along="train.batch_size", direction="down")
    found = check(store(tmp_path, grid, value, claim)).verdicts[0]
    assert (found.verdict, found.sides) == ("supported", ("20", "50", "100"))


def diverging(levels: Mapping[str, str], seed: int) -> str:
    return "diverged" if levels["init"] == "normal" and seed < 2 else "done"


def test_a_diverged_run_has_the_accuracy_of_guessing(tmp_path: Path) -> None:
    found = verdict(tmp_path, Claim("", "beats", (HE, NORMAL)), FAR, ended=diverging)
    he, normal = ([FAR({"init": init}, seed) for seed in range(6)] for init in ("he", "normal"))
    assert found.effect == pytest.approx(np.mean(np.subtract(he, [0.1, 0.1, *normal[2:]])))
    assert (found.verdict, found.diverged) == ("supported", 2)
    assert "2 runs diverged and count with the accuracy of guessing" in found.sentence


def test_a_diverged_loss_outweighs_all_others_and_is_left_out_of_the_numbers(tmp_path: Path) -> None:
    """The loss of `normal` is lower in all seeds but the two that diverged: those decide the sign, not p."""
    value = by_init(he=0.2, normal=0.9, xavier=0.5)
    found = verdict(tmp_path, Claim("", "beats", (HE, NORMAL), metric="test_loss"), value, ended=diverging)
    # Sums are compared by the sum of infinite signs first: 2 at most. Of the patterns with +2, a quarter of all 64,
    # each has the finite sum of the data or a larger one: p = 2 · 16/64.
    assert (found.p, found.verdict) == (0.5, "undecided")
    finite = [value({"init": "normal"}, seed) - value({"init": "he"}, seed) for seed in range(2, 6)]
    assert found.effect == pytest.approx(np.mean(finite))
    assert "2 runs diverged and count as an infinite loss; the numbers are over the other 4 seeds" in found.sentence


def test_a_diverged_loss_is_of_no_other_pair_of_an_order(tmp_path: Path) -> None:
    """He and Xavier have finite losses in every seed, whatever `normal` does."""
    claim = Claim("", "order", (HE, XAVIER, NORMAL), metric="test_loss")
    found = verdict(tmp_path, claim, FAR, ended=diverging)
    he, xavier, normal = (
        np.array([1 - FAR({"init": init}, s) for s in range(6)]) for init in ("he", "xavier", "normal")
    )
    assert (found.verdict, found.p) == ("supported", SIX)
    effects = [step.effect for step in found.steps]
    assert effects == pytest.approx([np.mean(he - xavier), np.mean((xavier - normal)[2:])])
    assert "as an infinite loss; the numbers of each pair are over the seeds in which both are finite" in found.sentence


def test_a_metric_that_a_diverged_run_does_not_have_counts_no_guessing(tmp_path: Path) -> None:
    found = verdict(tmp_path, Claim("", "beats", (HE, NORMAL), metric="rise_test_loss"), FAR, ended=diverging)
    assert (found.verdict, found.diverged) == ("undecided", 2)
    assert "is not defined (diverged: 2 runs). The numbers are over the other 4 seeds." in found.sentence
    assert found.sentence.count("diverged") == 1
    assert np.isnan(found.detectable)  # more or fewer seeds would not decide it


def test_one_diverged_run_is_one(tmp_path: Path) -> None:
    ended = lambda levels, seed: "diverged" if (levels["init"], seed) == ("normal", 0) else "done"  # noqa: E731
    found = check(
        store(
            tmp_path,
            INITS,
            FAR,
            *(Claim(metric, "beats", (HE, NORMAL), metric=metric) for metric in ("test_accuracy", "test_loss")),
            ended=ended,
        )
    ).verdicts
    assert "1 run diverged and counts with the accuracy of guessing." in found[0].sentence
    assert "1 run diverged and counts as an infinite loss; the numbers are over the other 5 seeds." in found[1].sentence


def test_the_numbers_of_a_refuted_order_are_those_of_the_pair_that_refutes_it(tmp_path: Path) -> None:
    claim = Claim("", "order", (HE, NORMAL, XAVIER))
    six, seven = (verdict(tmp_path / str(n), claim, FAR, seeds=n) for n in (6, 7))
    assert "is lower with normal than with xavier: the difference is -0.40" in seven.sentence
    assert "+0.70" not in seven.sentence
    assert six.needed.half == 7  # a reversal of one of two pairs


def test_numbers_of_planned_looks_are_not_adjusted_for_looking(tmp_path: Path) -> None:
    claim = Claim("", "beats", (HE, NORMAL), metric="final_test_accuracy")
    results = store(tmp_path, INITS, LEVEL, claim, seeds=12)
    looks = Looks((claim,), 0.05, 12, (8, 10, 12), 0, "made-up", {})
    found = check(replace(results, record=replace(results.record, looks=looks))).verdicts[0]
    assert (found.verdict, found.planned) == ("undecided", 12)
    assert "Its interval is not adjusted for looking." in found.sentence
    assert np.isnan([found.p, found.step.p]).all()


@pytest.mark.parametrize(("diverged", "word"), [(11, "supported"), (7, "undecided")])
def test_a_run_after_the_look_that_decided_changes_no_verdict(tmp_path: Path, diverged: int, word: str) -> None:
    claim = Claim("", "below", (NORMAL,), 0.9, metric="final_test_loss")
    ended = lambda levels, seed: "diverged" if seed == diverged else "done"  # noqa: E731
    results = store(tmp_path, INITS, FAR, claim, seeds=12, ended=ended)
    looks = Looks((claim,), 0.05, 12, (8, 10, 12), 0, "made-up", {})
    found = check(replace(results, record=replace(results.record, looks=looks))).verdicts[0]
    assert (found.verdict, found.n) == (word, 8 if word == "supported" else 12)


@pytest.mark.parametrize("relation", ["equals", "below"])
def test_a_mean_that_is_not_finite_is_not_decided(tmp_path: Path, relation: str) -> None:
    arms = (HE, NORMAL) if relation == "equals" else (NORMAL,)
    claim = Claim("", relation, arms, 0.5, metric="test_loss")  # type: ignore[arg-type]
    found = verdict(tmp_path, claim, FAR, ended=diverging)
    assert (found.verdict, found.reason) == ("undecided", "2 runs diverged, so the mean is not finite")
    assert found.sentence.count("diverged") == 1
    assert "The numbers are over the other 4 seeds." in found.sentence


def test_a_level_that_is_never_reached_is_data(tmp_path: Path) -> None:
    """He reaches 0.5 in all seeds, `normal` in none."""
    metric = "iterations_to_0.5_test_accuracy"
    found = verdict(tmp_path / "a", Claim("", "beats", (HE, NORMAL), metric=metric), FAR)
    assert (found.verdict, found.p, found.infinite) == ("supported", SIX, 6)
    assert "6 runs never reached the level" in found.sentence
    by = verdict(tmp_path / "b", Claim("", "beats", (HE, NORMAL), 5, metric=metric), FAR)
    assert (by.verdict, by.reason) == ("undecided", "6 runs never reached the level, so a margin has no meaning")
    both = verdict(tmp_path / "c", Claim("", "beats", (NORMAL, arm(init="normal")), metric=metric), FAR)
    assert (both.verdict, both.p) == ("undecided", 1)


def test_failures_that_cannot_be_excluded_are_said(tmp_path: Path) -> None:
    found = verdict(tmp_path, Claim("", "below", (NORMAL,), 0.3), FAR, seeds=10)
    assert "Failures in up to 26 % of seeds cannot be excluded" in found.sentence


def test_a_late_claim_and_a_removed_one_are_named(tmp_path: Path) -> None:
    claim = Claim("He wins", "beats", (HE, NORMAL))
    checked = check(store(tmp_path, INITS, FAR, claim, late=["He wins"], removed=["gone"]))
    assert "This claim was stated after the results." in checked.verdicts[0].sentence
    forms: tuple[Form, ...] = ("plain", "markdown", "latex", "html")
    for form in forms:
        text = checked.text(form)
        assert "stated after the results" in text
        assert "gone" in text


def test_a_claim_beside_planned_looks_is_tested_once_and_says_so(tmp_path: Path) -> None:
    """Holm's procedure is over the claims that are not planned: here over one, though the planned one cannot count."""
    planned, added = (
        Claim("planned", "below", (NORMAL,), 0.9, metric="test_loss"),
        Claim("added", "beats", (HE, NORMAL)),
    )
    results = store(tmp_path, INITS, FAR, planned, added, seeds=8, ended=diverging, late=["added"])
    looks = Looks((planned,), 0.05, 12, (8, 10, 12), 0, "made-up", {})
    checked = check(replace(results, record=replace(results.record, looks=looks)))
    first, second = checked.verdicts
    assert (first.verdict, first.unplanned, second.unplanned) == ("undecided", False, True)
    assert (second.claims, second.adjusted) == (1, 2 / 2**8)
    assert "not among those of the planned looks: it was tested once, at the seeds that are there" in second.sentence
    assert "error rate of 0.05 beside theirs" in second.sentence
    assert "added (stated after the results, not planned)" in checked.table()
    assert [claim["unplanned"] for claim in checked.data()["claims"]] == [False, True]


def test_the_table_has_the_effect_of_each_pair_of_an_order(tmp_path: Path) -> None:
    checked = check(store(tmp_path, INITS, FAR, Claim("in order", "order", (HE, XAVIER, NORMAL))))
    whole, *pairs = checked.table().splitlines()[1:]
    assert whole.split()[:4] == ["in", "order", "supported", "yes"]
    assert [row.split()[:3] for row in pairs] == [["he", "−", "xavier"], ["xavier", "−", "normal"]]
    assert [float(row.split()[3]) for row in pairs] == pytest.approx([0.3, 0.4], abs=0.01)
    assert r"he $-$ xavier" in checked.table("latex")


def test_a_verdict_reads_as_its_sentence(tmp_path: Path) -> None:
    found = verdict(tmp_path, Claim("1 < 2", "beats", (HE, NORMAL)), FAR)
    assert str(found) == found.sentence
    assert found._repr_html_().startswith("<p>Supported: 1 &lt; 2.")


def test_a_spread_that_is_not_defined_has_no_interval(tmp_path: Path) -> None:
    grid = {"init": ["he", "normal"], "activation": ["relu", "tanh"]}
    claim = Claim(
        "", "beats", (arm(activation="relu"), arm(activation="tanh")), metric="spread_over_init_test_accuracy"
    )
    ended = lambda levels, seed: "diverged" if levels["init"] == "normal" else "done"  # noqa: E731
    found = check(store(tmp_path, grid, FAR, claim, ended=ended)).verdicts[0]
    assert "the difference is not defined in any seed (6 seeds)." in found.sentence
    assert "interval" not in found.sentence
    assert found.sentence.count("diverged") == 1


def test_the_interval_on_new_images_includes_that_on_these(tmp_path: Path) -> None:
    """Two seeds of a trained sweep, for which Satterthwaite's degrees of freedom would narrow it."""
    config = {"name": "two", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 10}, "seeds": 2}
    he, normal = {"init": "he"}, {"init": "normal"}
    claims = [{"He wins": {"arm": he, "beats": normal}}, {"He learns": {"arm": he, "above": 0.1}}]
    asked = {**config, "grid": {"init": ["he", "normal"]}, "claims": claims}
    for found in check(dlsweep.run(asked, output=tmp_path, executor="inline")):
        low, high = found.step.interval_new_images or (np.nan, np.nan)
        assert low <= found.interval[0]
        assert found.interval[1] <= high


def test_early_stopping_is_said(tmp_path: Path) -> None:
    found = verdict(tmp_path, Claim("", "beats", (HE, NORMAL)), FAR, ended=lambda levels, seed: "stopped")
    assert "12 runs stopped early" in found.sentence


def test_arms_are_compared_over_the_combinations_that_both_have(tmp_path: Path) -> None:
    grid = {"init": ["he", "normal"], "activation": ["relu", "tanh"]}
    value: Value = lambda levels, seed: 0.5 + 0.1 * (levels["init"] == "he") + 0.3 * (levels["activation"] == "tanh")  # noqa: E731
    claim = Claim("", "beats", (HE, NORMAL), 0.05)
    exclude = [{"init": "normal", "activation": "tanh"}]
    found = check(store(tmp_path, grid, value, claim, exclude=exclude)).verdicts[0]
    assert found.effect == pytest.approx(0.1)
    assert "Left out, since not every side has it: he with tanh." in found.sentence


def test_a_claim_whose_runs_are_not_there_is_undecided(tmp_path: Path) -> None:
    results = store(tmp_path, INITS, FAR, Claim("", "beats", (HE, NORMAL)))
    results.__dict__["runs"] = results.runs[results.runs["init"] != "normal"]
    found = check(results).verdicts[0]
    assert (found.verdict, found.reason) == ("undecided", "no run of normal is there")


def test_exit_codes(tmp_path: Path) -> None:
    claims = {
        "supported": Claim("a", "beats", (HE, NORMAL)),
        "refuted": Claim("b", "beats", (NORMAL, HE)),
        "undecided": Claim("c", "above", (HE,), 0.9),
    }
    value = by_init(he=0.9, normal=0.2, xavier=0.6)
    results = store(tmp_path, INITS, value, seeds=8)

    def code(**expected: str) -> int:
        stated = tuple(replace(claims[word], expect=wanted) for word, wanted in expected.items())  # type: ignore[arg-type]
        return check(replace(results, record=replace(results.record, claims=stated))).code

    assert code(supported="supported", refuted="refuted", undecided="undecided") == 0
    assert code(supported="refuted") == code(refuted="supported") == 1
    assert code(supported="undecided") == code(undecided="supported") == code(undecided="refuted") == 3
    assert code(refuted="supported", undecided="supported") == 1


def test_descents_without_noise_are_compared_exactly(tmp_path: Path) -> None:
    """One run of each optimizer: no seeds, no p, and no part in the correction for several claims."""
    config = {"name": "valley", "model": "narrow_valley", "train": {"iterations": 30}}
    grid = {"optimizer": [{"sgd": {"lr": 0.95}}, {"momentum": {"lr": 0.1}}]}
    sgd, momentum = arm(optimizer="sgd"), arm(optimizer="momentum")
    claims = (
        Claim("less", "beats", (momentum, sgd), 10, metric="turning_angle"),
        Claim("more", "beats", (sgd, momentum), metric="turning_angle"),
        Claim("equal", "equals", (sgd, momentum), 180, metric="turning_angle"),
        Claim("order", "order", (momentum, sgd), metric="turning_angle"),
        Claim("same", "below", (sgd,), 0, metric="turning_angle"),
    )
    results = dlsweep.run({**config, "grid": grid}, output=tmp_path, executor="inline")
    found = check(replace(results, record=replace(results.record, claims=claims))).verdicts
    assert [one.verdict for one in found] == ["supported", "refuted", "supported", "supported", "refuted"]
    assert all(one.exact and one.n == 1 and np.isnan(one.p) for one in found)
    assert found[0].interval == (found[0].effect, found[0].effect)
    assert "exactly, since no run depends on a seed: one run of each, and no p" in found[0].sentence
    assert found[1].opposite


def test_exact_comparisons_with_diverged_descents_have_no_number(tmp_path: Path) -> None:
    """Two infinite losses are not 0 apart, and the distance to one is no number to read out."""
    config = {"name": "lost", "model": "narrow_valley", "train": {"iterations": 300}}
    optimizers = [{"sgd": {"lr": [0.5, 100]}}, {"momentum": {"lr": 100}}]
    lost, other, good = (arm(optimizer=label) for label in ("sgd lr=100", "momentum", "sgd lr=0.5"))
    results = dlsweep.run({**config, "grid": {"optimizer": optimizers}}, output=tmp_path, executor="inline")
    claims = tuple(Claim(name, "order", arms) for name, arms in (("a", (good, lost, other)), ("b", (good, other))))
    both, one = check(replace(results, record=replace(results.record, claims=claims))).verdicts
    assert (both.verdict, both.diverged, one.verdict, one.diverged) == ("undecided", 2, "supported", 1)
    for found in (both, one):
        assert all(np.isnan([step.effect, *step.interval]).all() for step in found.steps)
        assert "not finite, exactly, since no run depends on a seed" in found.sentence
        assert "inf," not in found.sentence
        assert "0.0000" not in found.sentence


def test_a_claim_on_a_best_value_says_that_it_is_optimistic(tmp_path: Path) -> None:
    claims = (Claim(name, "beats", (HE, NORMAL), metric=name) for name in ("best_test_accuracy", "test_accuracy"))
    told = ["so it is optimistic" in one.sentence for one in check(store(tmp_path, INITS, FAR, *claims)).verdicts]
    assert told == [True, False]


def test_seconds_are_no_replicates(tmp_path: Path) -> None:
    found = verdict(tmp_path, Claim("", "beats", (HE, NORMAL), metric="seconds"), FAR)
    assert (found.verdict, found.reason[:35]) == ("undecided", "the runs of a chunk share its secon")


def test_verdicts_as_a_frame_and_as_values_for_json(tmp_path: Path) -> None:
    checked = check(store(tmp_path, INITS, FAR, Claim("a", "beats", (HE, NORMAL)), Claim("b", "above", (HE,), 0.9)))
    frame = checked.frame()
    assert frame["claim"].tolist() == ["a", "b"]
    assert frame["p"].tolist() == [SIX, pytest.approx(checked.verdicts[1].p)]
    assert [len(one["steps"]) for one in checked.data()["claims"]] == [1, 1]
