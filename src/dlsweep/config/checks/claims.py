"""Claims are about arms that the sweep has, and about numbers that it records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import isfinite
from typing import Any, NamedTuple

from dlsweep.config import expansion
from dlsweep.config.checks.data import try_layers
from dlsweep.config.claims import PARTS, PartialArm, Stated
from dlsweep.config.document import Key, Place, Reading
from dlsweep.config.labels import arm_text
from dlsweep.config.sides import ABSENT, aligned, along, in_all, open_factors, partial_arms
from dlsweep.config.stating import metric_of
from dlsweep.config.sweep import Combination, Combined, Sweep
from dlsweep.config.words import numeric_settings, numeric_values
from dlsweep.errors import Mistake
from dlsweep.metrics import Metric
from dlsweep.text import nearest, plural, value_text

Arms = Sequence[Combined]


class _Arms(NamedTuple):
    """The arms of a sweep: those that train, and those that are folded into another one, with that one."""

    sweep: Sweep
    trained: Arms
    folded: Mapping[Combined, Combined]

    def name(self, arm: Combined) -> str:
        """Return the labels of an arm that tell it from the others."""
        varying = [f for f in self.sweep.columns if len({one.labels[f] for one in self.trained}) > 1]
        return ", ".join(arm.labels[factor] for factor in varying) or self.sweep.name


def possible(sweep: Sweep) -> Iterator[Mistake]:
    """Report claims that no results of the sweep can decide."""
    if not sweep.claims or not sweep.is_read:
        return
    found = list(expansion.arms(sweep.blocks, sweep.rules))
    arms = _Arms(sweep, [a for a, first in found if a is first], {a: first for a, first in found if a is not first})
    for stated in sweep.claims if arms.trained else ():  # a config without arms is refused for that alone
        yield from _claim(stated, arms)


def crossed(sweep: Sweep) -> Iterator[Mistake]:
    """Report claims on crossed seeds."""
    if sweep.claims and sweep.replicates.crossed:
        yield sweep.place_of("claims").mistake(
            "claims compare independent runs, and those of crossed seeds are not; write a number of seeds, such as "
            "seeds: 10, or take the claims out"
        )


def _claim(stated: Stated, arms: _Arms) -> Iterator[Mistake]:
    claim, metric = stated.claim, metric_of(arms.sweep, stated.claim.metric)
    yield from _range(stated, metric)
    yield from _timing(stated, metric)
    there = [arm for arm in arms.trained if arm.fits(claim.where)]
    if not there:
        yield stated.nodes["where"].place.mistake(_none(arms, claim.where))
        return
    tuned = arms.sweep.tuning
    factors = [f for f in arms.sweep.columns if f != metric.factor and not (tuned and tuned.covers(f))]
    faults = list(_spread(stated, metric, there)) if metric.factor else []
    yield from faults
    compared = yield from (_along if claim.along else _sides)(stated, there, factors, arms)
    if metric.factor and not faults:
        yield from _whole_spread(stated, metric.factor, compared, factors, arms)
    yield from _evaluations(stated, metric, compared, arms)
    yield from _layers(stated, metric.inner or metric, compared, arms)


def _range(stated: Stated, metric: Metric) -> Iterator[Mistake]:
    """Report margins and levels that the metric cannot reach, and a relation that needs a better direction."""
    claim, (low, high) = stated.claim, metric.bounds
    if claim.relation in ("above", "below"):
        beyond = claim.margin >= high if claim.relation == "above" else claim.margin <= low
        if beyond or not low <= claim.margin <= high:
            told = f"the range of {metric.words}, from {value_text(low)} to {value_text(high)}"
            yield stated.nodes[claim.relation].place.mistake(
                f"claims.{claim.relation} must lie inside {told}, got {value_text(claim.margin)}"
            )
    elif isfinite(high - low) and claim.margin >= high - low:
        key = "by" if claim.relation == "beats" else "within"
        yield stated.nodes[key].place.mistake(
            f"claims.{key} must be below {value_text(high - low)}, the range of {metric.words}, got "
            f"{value_text(claim.margin)}"
        )
    if claim.relation in ("beats", "order") and not claim.better and metric.less_is_better is None:
        told = f"it is not known if more or less {metric.words} is better; add better: more, or better: less"
        yield stated.nodes["metric"].place.mistake(told)


def refutable(sweep: Sweep) -> Iterator[Mistake]:
    """Yield notes on claims that no results can refute, since their level is an end of the metric's range."""
    for stated in () if sweep.every_fault else sweep.claims:
        claim, metric = stated.claim, metric_of(sweep, stated.claim.metric)
        end = metric.bounds[claim.relation == "below"]
        if claim.relation in ("above", "below") and claim.margin == end:
            never = "below" if claim.relation == "above" else "above"
            yield stated.nodes[claim.relation].place.mistake(
                f"{claim.name}: {metric.words} is never {never} {value_text(end)}, so no results refute this claim; "
                "give a level that matters"
            )


def _timing(stated: Stated, metric: Metric) -> Iterator[Mistake]:
    if stated.claim.at is not None and not metric.timed:
        yield stated.nodes["at"].place.mistake(
            f"claims.at goes with a metric at one iteration, such as {metric.split or 'test'}_loss; {metric.name} is "
            "one of the whole training; take at out"
        )


def _spread(stated: Stated, metric: Metric, there: Arms) -> Iterator[Mistake]:
    """Report a spread over a factor that the claim names, or that has one level."""
    arms = [node for key, node in stated.nodes.items() if key in (*PARTS, "order")]
    for chosen in (one for node in arms for _, one in node.walk() if isinstance(one, Key) and one == metric.factor):
        told = f"{metric.name} runs over all levels of {metric.factor}, so the claim cannot choose some"
        yield chosen.place.mistake(told)
    levels = {arm.labels[metric.factor] for arm in there} - {ABSENT}
    if len(levels) < 2:
        told = f"{metric.factor} has {plural(len(levels), 'level')} in these arms, so there is no spread over it"
        yield stated.nodes["metric"].place.mistake(told)


def _whole_spread(
    stated: Stated, factor: str, compared: Arms, factors: Sequence[str], arms: _Arms
) -> Iterator[Mistake]:
    """Report a spread over a factor if a compared combination of the other factors lacks one of its levels."""
    levels = {one.labels.get(factor, ABSENT) for one in arms.sweep.combinations()} - {ABSENT}
    there: dict[tuple[str, ...], set[str]] = {}
    for arm in compared:
        if (label := arm.labels[factor]) != ABSENT:
            there.setdefault(tuple(arm.labels[other] for other in factors), set()).add(label)
    for key, own in there.items():
        if len(own) < len(levels):
            varying = [other for other in factors if len({arm.labels[other] for arm in compared}) > 1]
            here = arm_text({other: [label] for other, label in zip(factors, key) if other in varying})
            yield stated.nodes["metric"].place.mistake(
                f"a spread over {factor} needs arms that differ in {factor} alone, at all of its levels; with {here} "
                f"there is only {' and '.join(sorted(own))}; compare the arms themselves, or choose a part of the grid "
                "with where"
            )
            return


def _sides(stated: Stated, there: Arms, factors: Sequence[str], arms: _Arms) -> Reading[list[Combined]]:
    """Return the arms that a claim compares."""
    partial = partial_arms(stated.claim)
    sides = [[arm for arm in there if arm.fits(one)] for one in partial]
    places = _places(stated, len(sides))
    for place, side, one in zip(places, sides, partial):
        if not side:
            yield place.mistake(_none(arms, one, stated.claim.where))
    if not all(sides):
        return []
    alignment = aligned(sides, open_factors(partial, factors))
    if not alignment.common:
        told = f"have no combination of {', '.join(alignment.disjoint)} in common, over which they could be compared"
        yield places[-1].mistake(f"{' and '.join(map(arm_text, partial))} {told}")
    for i, j in combinations(range(len(sides)), 2):
        if arm := alignment.shared(i, j):
            yield places[j].mistake(f"the arm {arms.name(arm)} is on both sides of the comparison")
    return [arm for rows in alignment.sides for key in alignment.common for arm in rows[key]]


def _places(stated: Stated, count: int) -> list[Place]:
    """Return the places of the sides of a claim."""
    nodes = stated.nodes
    if "order" in nodes:
        return [one.place for one in nodes["order"].value]
    own = [nodes[key].place for key in ("arm", "beats", "equals") if key in nodes]
    return own if count == len(own) else [nodes[key].place for key in ("more", "than") for _ in own]


def _none(arms: _Arms, *partial: PartialArm) -> str:
    """Return a sentence on partial arms that fit no arm together: one, and the part of the grid of its claim."""
    arm, *where = (arm_text(one) for one in partial)
    among = f" with {where[0]}" if where and where[0] else ""
    if folded := next((arm for arm in arms.folded if all(map(arm.fits, partial))), None):
        first = arms.name(arms.folded[folded])
        return f"an arm{among} that has {arm} is the same network as {first}, which trains in its place; name that"
    left_out = any(all(any(_fits(one, partial) for one in block) for block in blocks) for blocks in arms.sweep.blocks)
    return f"no arm{among or ' of the grid'} has {arm}" + ("; exclude and only leave none" if left_out else "")


def _fits(one: Combination, partial: Sequence[PartialArm]) -> bool:
    return all(one.labels[f] in labels for arm in partial for f, labels in arm.items() if f in one.labels)


def _along(stated: Stated, there: Arms, factors: Sequence[str], arms: _Arms) -> Reading[list[Combined]]:
    """Return the arms along the numeric setting of a claim."""
    setting, task = stated.claim.along, arms.sweep.task
    place = stated.nodes[stated.claim.relation].place
    told = f"claims.{stated.claim.relation} must name a numeric setting that varies in these arms"
    rows = along({arm: numeric_settings(arm.fields, arm.labels, task).get(setting) for arm in there}, setting, factors)
    if len(rows) < 2:
        values = numeric_values(((arm.fields, arm.labels) for arm in there), task)
        varying = [column for column, found in values.items() if len(found) > 1]
        why = f", and {setting} has one value here" if rows else f", got {setting!r}"
        yield place.mistake(f"{told}{why}{nearest(setting, varying) or '; no numeric setting varies'}")
        return []
    common = in_all([*rows.values()])
    if not common:
        yield place.mistake(
            f"there is no combination of the other factors with all values of {setting} "
            f"({', '.join(map(value_text, rows))}); choose a part of the grid with where"
        )
    return [arm for own in rows.values() for key in common for arm in own[key]]


def _evaluations(stated: Stated, metric: Metric, compared: Arms, arms: _Arms) -> Iterator[Mistake]:
    """Report an iteration without an evaluation, and a mean of more evaluations than there are."""
    at, inner, nodes = stated.claim.at, metric.inner or metric, stated.nodes
    for train, data in {(arm.fields["train"], arm.fields["data"]) for arm in compared}:
        dataset = arms.sweep.datasets.opened[data]
        if dataset is None:
            continue
        samples = dataset.sizes["train"]
        steps, evaluate = train.steps(samples), arms.sweep.evaluate.during(train, samples)
        if at is not None and metric.timed and at not in evaluate.iterations(steps):
            near = min(evaluate.iterations(steps), key=lambda iteration: abs(iteration - at))
            told = f"every {evaluate.every} iterations up to {steps}, got {at}; the nearest is {near}"
            yield nodes["at"].place.mistake(f"claims.at must be an iteration with an evaluation, {told}")
            return
        last, times = inner.number if inner.kind == "mean_last" else None, evaluate.times(steps)
        if last is not None and last > times:
            told = f"{metric.name} needs {last:g} evaluations, and a run has {times}"
            yield nodes["metric"].place.mistake(told)
            return


def _layers(stated: Stated, metric: Metric, compared: Arms, arms: _Arms) -> Iterator[Mistake]:
    """Report a probe of a layer that a network of the claim does not have."""
    asked: dict[tuple[Any, ...], Combined] = {}
    for arm in compared if metric.kind == "probe" else ():
        dataset = arms.sweep.datasets.opened[arm.fields["data"]]
        if dataset is not None:
            key = (dataset.shape, dataset.classes, arm.fields["model"], arm.fields["normalization"])
            asked.setdefault(key, arm)
    for network, arm in asked.items():
        layers, _, mistake = try_layers(*network)
        names = [layer.name for layer in layers if layer.kernels]
        if not mistake and metric.layer not in names:
            told = (
                f"there is no layer {metric.layer!r} in the network of {arms.name(arm)}{nearest(metric.layer, names)}"
            )
            yield stated.nodes["metric"].place.mistake(told)
            return


CHECKS = (possible, crossed)
