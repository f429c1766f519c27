"""Summary of the measurements: a line per contender, and the bars that dlsweep must reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, median

from bench.common import Job
from bench.contenders import DLSWEEP, LIMIT, PEERS, TEXTBOOK, Contender, Measurement

Rounds = dict[int, float]  # seconds by the number of the round


def seconds(measurement: Measurement, whole: bool) -> float:
    """Return the seconds of the whole process, or of the training with its evaluations."""
    return measurement.whole if whole else measurement.report.seconds


def rounds(measurements: Iterable[Measurement], contender: Contender, job: Job, whole: bool) -> Rounds:
    """A contender's time in every round; if it ran more than once in a round, the mean."""
    times: dict[int, list[float]] = {}
    for m in measurements:
        if (m.contender, m.job) == (contender, job):
            times.setdefault(m.round, []).append(seconds(m, whole))
    return {number: mean(values) for number, values in times.items()}


def ratio(peer: Rounds, own: Rounds) -> float | None:
    """Ratio to dlsweep's time: the median of the ratios within each round, because the machine's speed may drift."""
    ratios = [peer[number] / own[number] for number in peer.keys() & own.keys()]
    return median(ratios) if ratios else None


@dataclass(frozen=True)
class Line:
    """A contender's row: times in seconds, `ratio` and `whole_ratio` in units of dlsweep's; None if it is absent."""

    contender: Contender
    best: float | None = None
    median: float | None = None
    ratio: float | None = None
    compile: float = 0.0
    whole: float | None = None
    whole_ratio: float | None = None
    note: str = ""


def lines(measurements: list[Measurement], job: Job, absent: dict[Contender, str]) -> list[Line]:
    """The row of every contender that did this job or is absent; the fastest first, the absent last."""
    own = {whole: rounds(measurements, DLSWEEP, job, whole) for whole in (False, True)}
    found = []
    for contender in dict.fromkeys(m.contender for m in measurements if m.job == job):
        training, whole = (rounds(measurements, contender, job, w) for w in (False, True))
        reports = [m.report for m in measurements if (m.contender, m.job) == (contender, job)]
        found.append(
            Line(
                contender,
                best=min(training.values()),
                median=median(training.values()),
                ratio=ratio(training, own[False]),
                compile=median(r.compile_seconds for r in reports),
                whole=median(whole.values()),
                whole_ratio=ratio(whole, own[True]),
                note=reports[-1].note,
            )
        )
    found.sort(key=lambda line: line.median or 0)
    return found + [Line(contender, note=f"absent: {why}") for contender, why in absent.items()]


@dataclass(frozen=True)
class Bar:
    """A requirement; reached: None if a contender that it needs is absent."""

    name: str
    wanted: float
    reached: float | None
    detail: str

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.reached is None:
            return "not judged"
        return "pass" if self.reached >= self.wanted else "miss"


def bars(thirty: list[Line], six: list[Line]) -> list[Bar]:
    """Return the bars: thirty runs compare the training, six runs the whole process."""

    def bar(name: str, wanted: float, groups: set[str]) -> Bar:
        whole = name.startswith("6")
        ratios = [
            (line.whole_ratio if whole else line.ratio, line.contender.name)
            for line in (six if whole else thirty)
            if line.contender.group in groups
        ]
        known = [(reached, peer) for reached, peer in ratios if reached is not None]
        return Bar(name, wanted, *min(known, default=(None, "absent")))

    return [
        bar("30 runs: times as fast as the textbook", 10, {TEXTBOOK.group}),
        bar("30 runs: times as fast as the PyTorch loop", 3, {"PyTorch loop"}),
        bar("30 runs: times as fast as the better vmap", 2, {"torch.func.vmap", "jax.vmap"}),
        bar("30 runs: share of the limit", 0.75, {LIMIT.group}),
        bar("6 runs, start-up included: times as fast as the best peer", 1, {c.group for c in PEERS}),
    ]
