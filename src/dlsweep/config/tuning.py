"""Settings that are tuned: the arms that differ only in these are candidates of one arm, of which the best is compared.

Every arm has the same budget: each candidate trains with the same tuning seeds, for as many steps as the arms compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

from dlsweep.config.draws import Span, without_choice
from dlsweep.config.runs import Arm, Train
from dlsweep.config.words import FIELDS, TRAIN, Factor, own_settings
from dlsweep.randomness import stream
from dlsweep.registry import Choice
from dlsweep.text import plural, without_setting

FIRST_SEED = 1000  # of tuning; the seeds of a config are below it


A = TypeVar("A", bound=Any)  # with `fields`


@dataclass(frozen=True)
class Tried:
    """A candidate that was tried.

    values: of the tuned settings that tell it from the others, by factor. mean: of the metric over the tuning seeds;
    None if it is not finite, or a run failed.
    """

    values: Mapping[str, str]
    mean: float | None = None

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.values.items())


@dataclass(frozen=True)
class TunedArm:
    """An arm with its candidates. name: without the tuned settings. chosen: the index of the best candidate.

    edges: sentences on its settings at the edge of their candidates. seconds: of the training of all of them.
    """

    name: str
    candidates: Sequence[Tried]
    chosen: int
    edges: Sequence[str] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Tuning:
    """The settings to tune, as names of factors, and the candidates once they were tried.

    metric: its whole name. seeds: the number of tuning seeds. random: the number of candidates of each arm that are
    drawn; None for all. ranges: that settings are drawn from. seconds: the budget of each arm. arms: none until
    they are chosen.
    """

    over: tuple[str, ...]
    metric: str
    seeds: int
    random: int | None = None
    ranges: tuple[Span, ...] = ()
    seconds: float | None = None
    arms: tuple[TunedArm, ...] = ()

    @property
    def factors(self) -> list[Factor]:
        """The tuned settings as factors."""
        return [Factor.of(name) for name in self.over]

    def covers(self, factor: str) -> bool:
        """Return True if the levels of a factor are tuned.

        >>> Tuning(("optimizer.lr",), "final_validation_accuracy", 3).covers("optimizer.sgd.lr")
        True
        """
        ends = [(f.field, f.setting) for f in self.factors if f.choice is None]
        return factor in self.over or (factor.partition(".")[0], factor.rpartition(".")[2]) in ends

    def rest(self, fields: Mapping[str, Any]) -> str:
        """Return a text that is the same for the candidates of an arm. fields: of an arm."""
        kept = [field for field in FIELDS if field in fields and field not in self.over]
        dotted = {field: [f for f in self.factors if f.field == field] for field in kept}
        return repr([(f, c.name, own_settings(c, dotted[f])) for f in kept for c in _choices(f, fields[f])])

    def range_of(self, name: str, values: Iterable[float]) -> Span | None:
        """Return the range that the values of a setting are drawn from; None if they are written."""
        own = [span for span in self.ranges if span.setting == without_choice(name)]
        return next((span for span in own if {*values} <= {*span.values(self.random or 0)}), None)

    def values(self, arm: Arm) -> dict[str, str]:
        """Return the values of the tuned settings in an arm, by factor."""
        whole = {f.name: arm.levels[f.name] for f in self.factors if not f.setting}
        dotted = [f for f in self.factors if f.setting]
        return whole | {f.name: f.value_in(_choices(f.field, arm.fields[f.field])) for f in dotted}

    def name(self, labels: Iterable[tuple[str, str]]) -> str:
        """Return the name of an arm without its tuned settings. labels: of its levels, with their factors."""
        tuned = [f.setting for f in self.factors if f.setting]
        return ", ".join(reduce(without_setting, tuned, label) for factor, label in labels if not self.covers(factor))

    def drawn(self, candidates: Sequence[Arm], number: int | None) -> list[Arm]:
        """Return the candidates of an arm that are tried, in their order: as many as `number`, drawn; None for all.

        Each combination of values has a random number of its own, so arms with the same candidates try the same ones,
        and another arm or level changes no draw.
        """

        def place(i: int) -> float:
            values = ", ".join(f"{name}={value}" for name, value in self.values(candidates[i]).items())
            return float(stream(0, f"tuning/{values}").random())

        order = sorted(range(len(candidates)), key=place) if number else range(len(candidates))
        return [candidates[i] for i in sorted(order[:number])]

    def notes(self) -> Iterator[str]:
        """Yield sentences on the candidates of the arms, and on choices at the edge."""
        counts = [len(arm.candidates) for arm in self.arms]
        if not counts:
            return
        several = f"{min(counts)} to {max(counts)}" if len({*counts}) > 1 else f"{counts[0]}"
        drawn = " drawn at random" if self.random is not None else ""
        within = f" in {self.seconds:g} seconds of training" if self.seconds else ""
        yield (
            f"Tuning of each arm: {several} candidates of {' and '.join(self.over)}{drawn}{within}, "
            f"{plural(self.seeds, 'tuning seed')}, chosen by {self.metric.replace('_', ' ')}."
        )
        if self.seconds:
            each = ", ".join(f"{n} of {arm.name} took {arm.seconds:.3g}" for n, arm in zip(counts, self.arms))
            yield f"The number of candidates depends on the machine that they were trained on; seconds: {each}."
        elif told := unlike(zip([arm.name for arm in self.arms], counts)):
            yield f"Arms were not tuned alike: {told}."
        yield from (f"{arm.name}: {edge}." for arm in self.arms for edge in arm.edges)


def grouped(tuning: Tuning, arms: Iterable[A]) -> list[list[A]]:
    """Return the candidates of each arm, in the order of the first one."""
    groups: dict[str, list[A]] = {}
    for arm in arms:
        groups.setdefault(tuning.rest(arm.fields), []).append(arm)
    return list(groups.values())


def _choices(field: str, value: Any) -> tuple[Choice, ...]:
    """Return the value of a field of an arm as choices."""
    if isinstance(value, Train):
        return (Choice(field, {name: value.settings.get(name) for name in TRAIN.settings}),)
    return value if isinstance(value, tuple) else (value,)


def unlike(counts: Iterable[tuple[str, int]]) -> str:
    """Return the numbers of candidates of arms that were not tuned alike; "" if all have the same number.

    >>> unlike([("sgd", 4), ("adam", 4), ("adagrad", 1)])
    '1 candidate of adagrad, 4 of sgd, adam'
    """
    by_count: dict[int, list[str]] = {}
    for name, count in counts:
        by_count.setdefault(count, []).append(name)
    if len(by_count) < 2:
        return ""
    (fewest, names), *others = sorted(by_count.items())
    first = f"{plural(fewest, 'candidate')} of {_some(names)}"
    return ", ".join([first, *(f"{count} of {_some(own)}" for count, own in others)])


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
