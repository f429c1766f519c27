"""Fair comparisons: arms are tuned alike, on seeds that are not reported, and compared at the end of their schedule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from dlsweep.config import expansion
from dlsweep.config.basics import LONGEST_NAME
from dlsweep.config.document import Place
from dlsweep.config.sides import partial_arms
from dlsweep.config.sweep import Combined, Sweep
from dlsweep.config.tuning import FIRST_SEED, Tuning, grouped, unlike
from dlsweep.errors import Mistake

FOLDER = "{}-tuning"  # of the sweep in which candidates are tried


class _Arms(NamedTuple):
    """The arms of a sweep with a tuning, each as the list of its candidates."""

    sweep: Sweep
    tuning: Tuning
    groups: Sequence[Sequence[Combined]]

    def name(self, group: Sequence[Combined]) -> str:
        """Return the name of an arm without its tuned settings."""
        levels = {f: {one.labels[f] for group in self.groups for one in group} for f in self.sweep.columns}
        varying = [(f, group[0].labels[f]) for f in levels if len(levels[f]) > 1]
        return self.tuning.name(varying) or self.sweep.name

    def tried(self, group: Sequence[Combined]) -> int:
        """Return the number of candidates that are tried."""
        return len(group) if self.tuning.random is None else min(len(group), self.tuning.random)


def _arms(sweep: Sweep) -> _Arms | None:
    """Return the arms of a sweep with a tuning; None without one, or where a factor has a mistake."""
    tuning = sweep.tuning
    if tuning is None or not sweep.is_read or not tuning.over:
        return None
    there = [arm for arm, first in expansion.arms(sweep.blocks, sweep.rules) if arm is first]
    return _Arms(sweep, tuning, grouped(tuning, there))


def tunable(sweep: Sweep) -> Iterator[Mistake]:
    """Report tuned settings with one value, and a number of random candidates that no arm has."""
    arms = _arms(sweep)
    if arms is None:
        return
    nodes = sweep.top["tune"].value
    for name, node in zip(arms.tuning.over, nodes["over"].items()):
        others = replace(arms.tuning, over=tuple(other for other in arms.tuning.over if other != name))
        if all(len({others.rest(arm.fields) for arm in group}) == 1 for group in arms.groups):
            yield node.place.mistake(
                f"{name} has one value in each arm, so there is nothing to choose; give several, such as grid: "
                f"{{{name}: [0.01, 0.1, 1]}}"
            )
    most = max(map(len, arms.groups), default=0)
    if arms.tuning.random is not None and arms.tuning.random >= most > 1 and not arms.tuning.ranges:
        yield nodes["random"].place.mistake(
            f"tune.random must be below {most}, the number of candidates of an arm, got {arms.tuning.random}; take it "
            "out to try them all"
        )


def seeds(sweep: Sweep) -> Iterator[Mistake]:
    """Report seeds that are those of tuning, crossed seeds, and a name too long for the sweep of candidates."""
    if "tune" not in sweep.top or sweep.task.chance:
        return
    node = sweep.top.get("seeds")
    place = sweep.place_of("tune")
    if sweep.replicates.crossed:
        yield place.mistake("tune needs independent runs, and those of crossed seeds are not; write seeds: 10")
    elif node is not None and max(sweep.replicates.numbers) >= FIRST_SEED:
        yield node.place.mistake(
            f"seeds from {FIRST_SEED} on are for tuning, so that none of them is reported; got "
            f"{max(sweep.replicates.numbers)}, write seeds below {FIRST_SEED}"
        )
    if len(FOLDER.format(sweep.name)) > LONGEST_NAME:
        place = sweep.top["name"].place if "name" in sweep.top else place
        most = LONGEST_NAME - len(FOLDER.format(""))
        yield place.mistake(f"the name of a sweep with tune has at most {most} characters, got {len(sweep.name)}")


def claims(sweep: Sweep) -> Iterator[Mistake]:
    """Report claims about single candidates, of which only the chosen one is compared."""
    arms = _arms(sweep)
    for stated in sweep.claims if arms else ():
        assert arms
        along, over = stated.claim.along, " and ".join(arms.tuning.over)
        if along and arms.tuning.covers(along):
            yield stated.nodes[stated.claim.relation].place.mistake(
                f"{along} is tuned, so each arm is compared at one value of it; take it out of tune.over, or claim "
                "something else"
            )
        parts = (*partial_arms(stated.claim), stated.claim.where)
        for group in arms.groups:
            if any(0 < sum(one.fits(part) for one in group) < len(group) for part in parts):
                yield stated.name.place.mistake(
                    f"the claim names some candidates of {arms.name(group)} only, and {over} is chosen for it; name "
                    "the arm without it"
                )
                break


def alike(sweep: Sweep) -> Iterator[Mistake]:
    """Yield notes on arms that have not the same number of candidates, and on claims that compare such arms."""
    arms = _arms(sweep)
    if arms is None or arms.tuning.seconds:
        return
    counts = {id(group): (arms.name(group), arms.tried(group)) for group in arms.groups}
    if told := unlike(counts.values()):
        yield sweep.place_of("tune").mistake(f"arms are not tuned alike: {told}")
    for stated in sweep.claims:
        parts = partial_arms(stated.claim) if stated.claim.arms else [stated.claim.where]
        there = [g for g in arms.groups if g[0].fits(stated.claim.where) and any(map(g[0].fits, parts))]
        if told := unlike(counts[id(group)] for group in there):
            yield stated.name.place.mistake(f"{stated.claim.name}: the claim compares arms not tuned alike: {told}")


# The setting of a schedule that is a length in iterations.
_LENGTHS = {"step": "every", "warm_up": "iterations"}


def schedules(sweep: Sweep) -> Iterator[Mistake]:
    """Yield notes on runs that end, or are compared, before the end of their learning-rate schedule."""
    if not sweep.is_read:
        return
    told: dict[str, Place] = {}
    for arm in sweep.parts("schedule", "train", "data"):
        schedule, train, dataset = arm.fields["schedule"], arm.fields["train"], arm.dataset
        if dataset is None or schedule.name == "constant" or not arm.is_kept:
            continue
        steps, place = train.steps(dataset.sizes["train"]), arm.places["schedule"]
        length = schedule.settings.get(_LENGTHS.get(schedule.name, ""))
        if length is not None and length >= steps:
            told[f"the schedule {schedule.name} has {length} iterations, and runs end after {steps}"] = place
        if train.stopping is not None:
            told[f"runs with patience may end before the schedule {schedule.name} does"] = place
        for stated in sweep.claims:
            if stated.claim.at is not None and stated.claim.at < steps:
                at = f"{stated.claim.name}: at iteration {stated.claim.at} the schedule {schedule.name} has not ended"
                told.setdefault(at, stated.nodes["at"].place)
    yield from (place.mistake(sentence) for sentence, place in told.items())


CHECKS = (tunable, seeds, claims)
