"""Sentences on verdicts, for a person to read out: the wording of each relation, its numbers, and its limits.

Each sentence follows from the record that it is about, so it cannot contradict the numbers beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import ceil, isfinite
from typing import TYPE_CHECKING, NamedTuple

from dlsweep.analysis.crossed import CITED
from dlsweep.analysis.metrics import UNDEFINED
from dlsweep.analysis.sides import name_of
from dlsweep.config.claims import PartialArm
from dlsweep.metrics import OPTIMISTIC, Metric
from dlsweep.text import half_width, interval_text, measured, p_text, plural, sentence

if TYPE_CHECKING:
    from dlsweep.analysis.verdicts import Verdict

_SAMPLES = {
    "test": "test images",
    "validation": "validation images",
    "train": "training images",
    "batch": "minibatches",
}
_MOST_LEVELS = 8  # that a sentence lists
OVERLAP = (
    f"seeds draw splits of one data set that share samples, so interval and p are corrected for overlap ({CITED}), and "
    "an interval on new images is not available"
)


class Wording(NamedTuple):
    """Proposition of a claim, its opposite, and the quantity that was measured, which `evidence` goes on from."""

    claimed: str
    opposite: str
    measured: str


def _beats(verdict: Verdict, words: str) -> Wording:
    claim, step = verdict.claim, verdict.step
    better, worse = ("lower", "higher") if verdict.sign < 0 else ("higher", "lower")
    sides, subject = (step.first, step.second), words
    if claim.more:
        subject = "the difference in {} between {} and {}".format(words.removeprefix("the "), *map(name_of, claim.arms))
        sides = name_of(claim.more), name_of(claim.than)
    with_sides = "with {} than with {}".format(*sides)
    by, at_most = f"more than {claim.margin:g} ", f"less than {claim.margin:g} {better}"
    opposite = at_most if claim.margin else worse
    measured = "it differs by" if claim.more else "the difference is"
    claimed = f"{subject} is {by * bool(claim.margin)}{better} {with_sides}"
    return Wording(claimed, f"{subject} is {opposite} {with_sides}", measured)


def _equals(verdict: Verdict, words: str) -> Wording:
    step, margin = verdict.step, verdict.claim.margin
    same = f"{words} with {step.first} is the same as with {step.second}, to within {margin:g}"
    apart = f"{words} with {step.first} is more than {margin:g} away from the one with {step.second}"
    return Wording(same, apart, "the difference is")


def _level(verdict: Verdict, words: str) -> Wording:
    claim = verdict.claim
    begin, other = f"{words} with {verdict.step.first} is", "below" if claim.relation == "above" else "above"
    return Wording(f"{begin} {claim.relation} {claim.margin:g}", f"{begin} {other} {claim.margin:g}", "its mean is")


def _order(verdict: Verdict, words: str) -> Wording:
    better, worse = ("lower", "higher") if verdict.sign < 0 else ("higher", "lower")
    pairs = ", and ".join(f"with {step.first} than with {step.second}" for step in verdict.steps)
    reversed_pair = f"with {verdict.step.first} than with {verdict.step.second}"
    measured = "the difference is" if len(verdict.told) == 1 else "the differences are"
    return Wording(f"{words} is {better} {pairs}", f"{words} is {worse} {reversed_pair}", measured)


def _along(verdict: Verdict) -> str:
    """Return the setting of a trend with its levels."""
    levels = verdict.sides
    few = ", ".join(levels) if len(levels) <= _MOST_LEVELS else f"{len(levels)} levels from {levels[0]} to {levels[-1]}"
    return f"{verdict.claim.along} ({few})"


def _trend(verdict: Verdict, words: str) -> Wording:
    moves, opposite = ("rises", "falls") if verdict.sign > 0 else ("falls", "rises")
    along, measured = f"with {_along(verdict)}", "from one level to the next it changes by"
    return Wording(f"{words} {moves} {along}", f"{words} {opposite} {along}", measured)


def _monotone(verdict: Verdict, words: str) -> Wording:
    moves, opposite = ("rises", "falls") if verdict.sign > 0 else ("falls", "rises")
    steps, along = f"at each step of {_along(verdict)}", verdict.claim.along
    measured = "the step is" if len(verdict.told) == 1 else "the steps are"
    reversed_step = f"from {verdict.step.first} to {verdict.step.second} of {along}"
    return Wording(f"{words} {moves} {steps}", f"{words} {opposite} {reversed_step}", measured)


_WORDINGS: Mapping[str, Callable[[Verdict, str], Wording]] = {
    "beats": _beats,
    "equals": _equals,
    "above": _level,
    "below": _level,
    "order": _order,
    "trend": _trend,
    "monotone": _monotone,
}


def of_verdict(verdict: Verdict) -> str:
    """Return the verdict on a claim in a sentence, followed by all that limits it."""
    finding = f"{verdict.verdict.capitalize()}: {verdict.claim.name.rstrip('.')}."
    return " ".join([finding, _finding(verdict), *map(sentence, _notes(verdict))])


def _finding(verdict: Verdict) -> str:
    """Return the sentence that says what holds, or that it is not decided, with its numbers."""
    if not verdict.steps or verdict.metric is None:
        return f"It is not decided: {verdict.reason}."
    wording = _WORDINGS[verdict.claim.relation](verdict, subject(verdict.metric, verdict.claim.at))
    place = within(verdict.metric, verdict.claim.where, verdict.overlap)
    if verdict.verdict == "undecided":
        begin = f"it is not decided whether{', ' * bool(place)}{place or ' '}{wording.claimed}"
    else:
        begin = f"{place}{wording.claimed if verdict.verdict == 'supported' else wording.opposite}"
    return sentence(f"{begin}: {wording.measured} {evidence(verdict)}")


def subject(metric: Metric, at: int | None) -> str:
    """Return a metric as the subject of a sentence.

    >>> subject(Metric("final", "test", "accuracy"), None), subject(Metric("final", "test", "loss"), 500)
    ('the final test accuracy', 'the test loss at iteration 500')
    """
    if metric.kind in ("iterations_to", "column"):
        return f"the number of {metric.words}"
    return f"the {metric.words}" if at is None else f"the {metric.words.removeprefix('final ')} at iteration {at}"


def within(metric: Metric, where: PartialArm, overlap: float = 0.0) -> str:
    """Return the samples and the part of the grid that a sentence is about, with a comma; "" for all of them.

    overlap: above 0 if seeds draw their own splits.

    >>> within(Metric("final", "test", "loss"), {"init": ("he",)})
    'on these test images and with he throughout, '
    """
    own = metric.inner or metric
    told = [f"on these {_SAMPLES[own.split]}"] if own.split in _SAMPLES and own.sampled else []
    told = ["on random splits of these samples"] if told and overlap else told
    told += [f"with {name_of(where)} throughout"] if where else []
    return f"{' and '.join(told)}, " if told else ""


def evidence(verdict: Verdict) -> str:
    """Return the effects of a verdict with their intervals, the number of seeds and p."""
    sign = verdict.signed
    steps = verdict.told
    effects = ", ".join(measured(step.effect, half_width(*step.interval), sign=sign) for step in steps)
    told = [f"{100 * verdict.level:g} % interval{'s' * (len(steps) > 1)} {', '.join(intervals(verdict))}"]
    if not any(isfinite(step.effect) for step in steps):
        effects = f"not {'finite' if verdict.infinite else 'defined'}" + " in any seed" * (not verdict.exact)
        told = []
    if verdict.exact:
        return f"{effects}, exactly, since no run depends on a seed: one run of each, and no p"
    return f"{effects} ({'; '.join([*told, plural(verdict.n, 'seed'), *p_values(verdict)])})"


def intervals(verdict: Verdict) -> list[str]:
    """Return the intervals of the effects that a sentence tells, on these test images; a dash for an effect without."""
    each = ((step, interval_text(*step.interval, sign=verdict.signed)) for step in verdict.told)
    return [told if isfinite(step.effect) else "–" for step, told in each]


def p_values(verdict: Verdict) -> list[str]:
    """Return p and, of several claims, p after Holm's correction; nothing where nothing was tested."""
    if verdict.p != verdict.p:
        return []
    corrected = verdict.claims > 1 and verdict.adjusted == verdict.adjusted
    after = f", {p_text(verdict.adjusted)} after Holm over {verdict.claims} claims" * corrected
    return [f"p = {p_text(verdict.p)}{after}"]


def _notes(verdict: Verdict) -> Iterator[str]:
    """Yield what limits a verdict, each to stand as a sentence."""
    claim, decided = verdict.claim, verdict.verdict != "undecided"
    if verdict.steps and verdict.reason:
        yield verdict.reason
    yield from _diverged(verdict)
    if decided and claim.relation in ("equals", "above", "below") and not verdict.exact:
        yield f"failures in up to {100 * (1 - 0.05 ** (1 / verdict.n)):.0f} % of seeds cannot be excluded"
    yield from _new_images(verdict)
    if verdict.overlap and verdict.steps and not verdict.exact:
        yield OVERLAP
    if verdict.planned:
        yield from _looks(verdict)
    elif not decided:
        yield from _seeds(verdict)
    if verdict.metric and verdict.metric.optimistic:
        yield OPTIMISTIC
    if verdict.stopped:
        yield f"{plural(verdict.stopped, 'run')} stopped early"
    if verdict.trained > verdict.n and not (verdict.exact or verdict.planned):
        yield f"only {verdict.n} of {plural(verdict.trained, 'seed')} are shared by all arms"
    if verdict.left_out:
        yield verdict.left_out
    if verdict.late:
        yield "this claim was stated after the results"
    if verdict.unplanned:
        yield (
            "this claim is not among those of the planned looks: it was tested once, at the seeds that are there, with "
            f"an error rate of {verdict.alpha:g} beside theirs"
        )
    if not verdict.as_expected:
        yield "this is not as the config expects"


def _diverged(verdict: Verdict) -> Iterator[str]:
    """Yield how runs count that diverged, or that never reached a level; and over which seeds the numbers are."""
    kind = verdict.metric.kind if verdict.metric else ""
    if any(words in verdict.reason for words in ("diverged", "never reached", "not defined")):  # they are told already
        if 0 < verdict.finite < verdict.n:
            yield _over_finite(verdict)
    elif verdict.infinite:
        count = f"count{'s' * (verdict.infinite == 1)}"
        unreached = f"never reached the level and {count} as infinitely many iterations"
        counted = unreached if kind == "iterations_to" else f"diverged and {count} as an infinite loss"
        yield f"{plural(verdict.infinite, 'run')} {counted}{f'; {_over_finite(verdict)}' * bool(verdict.finite)}"
    elif verdict.diverged:
        guessed = f" and count{'s' * (verdict.diverged == 1)} with the accuracy of guessing"
        yield f"{plural(verdict.diverged, 'run')} diverged{guessed * (kind not in (*UNDEFINED, 'column'))}"


def _over_finite(verdict: Verdict) -> str:
    """Return the seeds that the numbers are over if some values are not finite."""
    if len(verdict.steps) > 1:
        return "the numbers of each pair are over the seeds in which both are finite"
    return f"the numbers are over the other {plural(verdict.finite, 'seed')}"


def _new_images(verdict: Verdict) -> Iterator[str]:
    """Yield the interval on new images, and that it crosses the margin of a decided claim."""
    there = [step.interval_new_images for step in verdict.told if step.interval_new_images]
    if not there:
        return
    several = "s are" if len(there) > 1 else " is"
    ends = ", ".join(interval_text(*one, sign=verdict.signed) for one in there)
    yield (
        f"on new images like these, the interval{several} {ends}"
        + ", which leaves the claim open there" * verdict.open_on_new_images
    )


def _looks(verdict: Verdict) -> Iterator[str]:
    """Yield how a claim was tested at planned looks, and what that does to its numbers."""
    if verdict.verdict != "undecided":
        yield (
            f"it was tested at planned looks up to {verdict.planned} seeds and decided at {verdict.n}, so the effect "
            "may be overestimated, and its interval is not adjusted for looking"
        )
    elif isfinite(half_width(*verdict.interval)):
        yield "its interval is not adjusted for looking"
    if verdict.seen:
        yield f"the looks were planned after {plural(verdict.seen, 'seed')} were seen, so no error rate is claimed"


def _rounded(seeds: int) -> int:
    """Return a number of seeds rounded up to two digits: the effect that it follows from is an estimate.

    >>> _rounded(8), _rounded(22_457)
    (8, 23000)
    """
    unit = int(10.0 ** max(0, len(str(seeds)) - 2))
    return ceil(seeds / unit) * unit


def _seeds(verdict: Verdict) -> Iterator[str]:
    """Yield the number of seeds that would decide a claim, and the effect that these can detect."""
    half, eighty = verdict.needed
    if half:
        often = f", and {_rounded(eighty):,} four times of five" if eighty and eighty > half else ""
        seeds = plural(_rounded(half), "seed")
        yield f"if the effect is as seen, {seeds} would decide the claim about every second time{often}"
    elif verdict.overlap and isfinite(verdict.detectable) and not verdict.reason:
        yield "if the effect is as seen, more seeds do not decide the claim, since splits overlap; more samples may"
    if isfinite(verdict.detectable) and verdict.detectable > 0:
        yield f"these seeds detect an effect of {verdict.detectable:.2g} four times of five"
