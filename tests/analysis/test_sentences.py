"""Sentences follow from the verdicts: no undecided claim reads as supported, and every limit is said."""

from __future__ import annotations

import re
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.analysis.checked import Checked
from dlsweep.analysis.sentences import evidence
from dlsweep.analysis.statistics import Needed
from dlsweep.analysis.testing import Step
from dlsweep.analysis.verdicts import Verdict, Word
from dlsweep.config.claims import Claim, Relation
from dlsweep.metrics import Metric
from dlsweep.tabular import Form

ARMS: dict[Relation, int] = {"beats": 2, "equals": 2, "above": 1, "below": 1, "order": 3, "trend": 0, "monotone": 0}
WORDS = ("a", "b", "c")
WORDS_OF_VERDICTS: list[Word] = ["supported", "refuted", "undecided"]
METRICS = [
    Metric("final", "test", "accuracy"),
    Metric("final", "train", "loss"),
    Metric("iterations_to", "test", "accuracy", 0.9),
    Metric("turning_angle"),
]


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """Verdicts of all kinds, whatever their numbers are."""
    relation: Relation = draw(st.sampled_from(list(ARMS)))
    word: Word = draw(st.sampled_from(WORDS_OF_VERDICTS))
    steps = 2 if relation in ("order", "monotone") else 1
    parts = relation == "beats" and draw(st.booleans())
    claim = Claim(
        "a sentence",
        relation,
        tuple({"activation": (name,)} for name in WORDS[: ARMS[relation]]),
        draw(st.sampled_from([0.0, 0.2])),
        along="optimizer.lr" if not ARMS[relation] else "",
        expect=draw(st.sampled_from(WORDS_OF_VERDICTS)),
        more={"init": ("he",)} if parts else {},
        than={"init": ("xavier",)} if parts else {},
    )
    number = st.floats(-1, 1) | st.just(nan)
    interval = st.tuples(number, number)
    exact = draw(st.booleans())
    return Verdict(
        claim,
        word,
        "sweep",
        "results/sweep",
        metric=draw(st.sampled_from(METRICS)),
        sign=draw(st.sampled_from([1, -1])),
        sides=WORDS[: max(2, ARMS[relation])],
        steps=tuple(
            Step(
                WORDS[i], WORDS[i + 1], draw(number), draw(interval), draw(st.none() | interval), draw(st.floats(0, 1))
            )
            for i in range(steps)
        ),
        p=nan if exact else draw(st.floats(0, 1)),
        adjusted=draw(st.floats(0, 1) | st.just(nan)),
        claims=draw(st.integers(1, 9)),
        n=draw(st.integers(1, 30)),
        finite=draw(st.integers(0, 30)),
        trained=draw(st.integers(1, 30)),
        diverged=draw(st.integers(0, 3)),
        stopped=draw(st.integers(0, 3)),
        infinite=draw(st.integers(0, 3)),
        reason=draw(st.sampled_from(["", "2 runs failed"])) if word == "undecided" else "",
        needed=draw(st.sampled_from([Needed(None, None), Needed(12, None), Needed(12, 20)])),
        detectable=draw(number),
        late=draw(st.booleans()),
        exact=exact,
    )


@given(verdicts())
def test_a_sentence_says_the_verdict_and_no_other_one(verdict: Verdict) -> None:
    told = verdict.sentence
    assert told.startswith(f"{verdict.verdict.capitalize()}: a sentence. ")
    others = {*WORDS_OF_VERDICTS} - {verdict.verdict}
    assert not any(re.search(other, told, re.IGNORECASE) for other in others)
    assert ("not decided" in told) == (verdict.verdict == "undecided")
    assert evidence(verdict) in told


@given(verdicts())
def test_all_that_limits_a_verdict_is_in_its_sentence(verdict: Verdict) -> None:
    told = verdict.sentence
    assert ("stated after the results" in told) == verdict.late
    assert ("not as the config expects" in told) == (not verdict.as_expected)
    assert ("stopped early" in told) == bool(verdict.stopped)
    assert (verdict.reason in told) or not verdict.reason
    assert ("diverged" in told or "never reached" in told) == bool(verdict.diverged or verdict.infinite)
    assert ("no p" in told) == verdict.exact
    bound = verdict.claim.relation in ("equals", "above", "below") and verdict.verdict != "undecided"
    assert ("cannot be excluded" in told) == (bound and not verdict.exact)


@given(st.lists(verdicts(), min_size=1, max_size=3))
def test_every_output_has_every_verdict_and_no_other(several: list[Verdict]) -> None:
    checked = Checked(tuple(several))
    there = {verdict.verdict for verdict in several}
    forms: tuple[Form, ...] = ("plain", "markdown", "latex", "html")
    for form in forms:
        told = checked.text(form).lower()
        assert {word for word in WORDS_OF_VERDICTS if word in told} == there
    assert [row["verdict"] for row in checked.data()["claims"]] == [verdict.verdict for verdict in several]


def test_the_opposite_of_a_proposition() -> None:
    """A refuted claim reads as the opposite, with the numbers of the pair that refutes it."""
    step = Step("he", "normal", -0.25, (-0.3, -0.2), None, 0.03)
    arms = ({"init": ("he",)}, {"init": ("normal",)})
    known = {"metric": METRICS[0], "steps": (step,), "p": 0.03125, "n": 6}
    found = Verdict(Claim("He wins", "beats", arms), "refuted", "s", "r", **known)  # type: ignore[arg-type]
    assert found.sentence == (
        "Refuted: He wins. On these test images, the final test accuracy is lower with he than with normal: the "
        "difference is -0.250 (95 % interval [-0.300, -0.200]; 6 seeds; p = 0.031). This is not as the config expects."
    )


@pytest.mark.parametrize(
    ("relation", "margin", "word", "interval", "said"),
    [
        ("beats", 0.1, "supported", (0.05, 0.4), True),
        ("beats", 0.1, "supported", (0.15, 0.4), False),
        ("beats", 0.1, "refuted", (-0.2, 0.15), True),
        ("equals", 0.1, "supported", (-0.12, 0.05), True),
        ("equals", 0.1, "supported", (-0.05, 0.05), False),
        ("equals", 0.1, "refuted", (0.05, 0.4), True),
        ("above", 0.1, "supported", (0.05, 0.4), True),
        ("below", 0.1, "supported", (0.05, 0.09), False),
        ("trend", 0.0, "supported", (-0.1, 0.4), True),
    ],
)
def test_an_interval_on_new_images_that_crosses_the_margin_is_said(
    relation: Relation, margin: float, word: Word, interval: tuple[float, float], said: bool
) -> None:
    step = Step("a", "b", 0.2, (0.12, 0.3), interval, 0.01)
    arms = ({"init": ("a",)}, {"init": ("b",)})
    found = Verdict(Claim("", relation, arms, margin), word, "s", "r", metric=METRICS[0], steps=(step,), n=8)
    assert "On new images like these, the interval is" in found.sentence
    assert ("leaves the claim open" in found.sentence) == said


def test_the_part_of_the_grid_and_the_iteration_are_said() -> None:
    step = Step("adam", "sgd", -0.5, (-0.6, -0.4), None, 0.03)
    arms = ({"optimizer": ("adam",)}, {"optimizer": ("sgd",)})
    claim = Claim("Adam leads", "order", arms, where={"init": ("he",)}, at=500)
    known = {"metric": Metric("final", "train", "loss"), "sign": -1, "steps": (step,), "p": 0.03125, "n": 6}
    found = Verdict(claim, "supported", "s", "r", **known)  # type: ignore[arg-type]
    assert (
        "On these training images and with he throughout, the train loss at iteration 500 is lower with adam than with "
        "sgd: the difference is -0.50 "
    ) in found.sentence
