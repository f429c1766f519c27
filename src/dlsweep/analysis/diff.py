"""Two result sets of the same question, paired by arm and seed: what differs around them, and which numbers differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Any, Literal

import numpy as np

from dlsweep.analysis.frames import counted
from dlsweep.analysis.outlook import FEWEST
from dlsweep.analysis.questions import paired_test
from dlsweep.analysis.sign_flips import joint_sign_flip_test
from dlsweep.analysis.statistics import Replication, holm, interval
from dlsweep.config.claims import ALPHA
from dlsweep.config.resolved import A_AND_B, differences
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.storage.tables import STATUSES
from dlsweep.text import plural, value_text
from dlsweep.types import DataFrame

NEAR = {"accuracy": 0.01, "loss": 0.02, "distance": 0.02}  # of an accuracy absolute, of others relative to their mean
KEY = ["arm", "seed"]

Outcome = Literal["same bits", "same", "different", "undecided"]


@dataclass(frozen=True)
class Change:
    """One final metric of one arm in two result sets A and B.

    n: paired seeds; same_bits: pairs with equal numbers. difference: mean of B − A, with its 95 % interval (t). p: of
    the joint sign-flip test of all changes that the difference is 0, two-sided and adjusted for their number (Westfall
    and Young 1993), which hides none in a large grid; of seeds that draw their own splits, of the test of Nadeau and
    Bengio (2003), adjusted after Holm. near: a difference within ± near counts as none. outcome: "same bits"; "same":
    the difference lies within ± near (two one-sided tests at 0.05); "different": it is real and not shown to be within;
    "undecided": the seeds decide neither. Runs of crossed seeds share draws, so these never decide: p is 1, and the
    interval NaN.
    """

    arm: str
    metric: str
    n: int
    same_bits: int
    difference: float
    interval: tuple[float, float]
    p: float
    near: float
    outcome: Outcome


@dataclass(frozen=True)
class Diff:
    """Differences between the result sets `a` and `b`.

    config: a sentence for each difference of their configs. circumstances: the versions and machines that differ, with
    the value of each. only_a, only_b: the numbers of runs without a partner. statuses: the pairs that ended otherwise,
    by `(status in A, status in B)`. curves: how many of the paired runs have the same curves, bit by bit, and how many
    pairs there are. changes: of every arm and final metric.
    """

    a: Results
    b: Results
    config: list[str]
    circumstances: dict[str, tuple[str, str]]
    only_a: int
    only_b: int
    statuses: dict[tuple[str, str], int]
    curves: tuple[int, int]
    changes: list[Change]

    @cached_property
    def outcome(self) -> Outcome:
        """Outcome of the whole: the worst one of its parts."""
        found = {one.outcome for one in self.changes}
        if self.statuses:
            found.add("different")
        if self.curves[0] < self.curves[1]:
            found.add("same")
        order: tuple[Outcome, ...] = ("different", "undecided", "same", "same bits")
        return next(outcome for outcome in order if outcome in found)

    @property
    def exit_code(self) -> int:
        """0 for the same numbers, 1 for different ones, 3 if the seeds cannot decide."""
        return {"different": 1, "undecided": 3}.get(self.outcome, 0)


def diff(a: Results, b: Results) -> Diff:
    """Compare two result sets, paired by arm and seed. A `UsageError` says that they have no runs in common.

    Arms are the same if their labels are. A diverged run counts at chance accuracy; pairs in which a run failed do
    not count, nor do losses of diverged runs.

    >>> import dlsweep
    >>> config = {"name": "x", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 2}
    >>> a, b = (dlsweep.run(config, output=folder, executor="inline") for folder in ("a", "b"))
    >>> diff(a, b).outcome
    'same bits'
    """
    pairs = _paired(a, b)
    if pairs.empty:
        raise UsageError(f"{a.folder} and {b.folder} have no runs in common: no arm and seed of one is in the other")
    ended = Counter(zip(pairs["status_a"], pairs["status_b"], strict=True))
    return Diff(
        a,
        b,
        config=[one for one in differences(a.config, b.config, A_AND_B) if not one.startswith("name: ")],
        circumstances=_circumstances(a, b),
        only_a=len(a.runs) - len(pairs),
        only_b=len(b.runs) - len(pairs),
        statuses={both: count for both, count in ended.items() if both[0] != both[1]},
        curves=_same_curves(a, b, pairs),
        changes=list(_changes(a, b, pairs)),
    )


def _paired(a: Results, b: Results) -> DataFrame:
    """Return the pairs of runs: an arm, a seed, and the status, the id and the final metrics on both sides."""
    metrics = _metrics(a, b)

    def side(results: Results) -> DataFrame:
        runs = results.runs
        frame = runs[[*KEY, "run_id", "status"]].astype({"arm": str, "status": str})
        frame[metrics] = counted(runs, metrics)
        return frame

    return side(a).merge(side(b), on=KEY, suffixes=("_a", "_b"))


def _metrics(a: Results, b: Results) -> list[str]:
    """Return the final metrics that both have."""
    there, here = ([c for c in x.runs.columns if str(c).startswith("final_")] for x in (a, b))
    return [str(metric) for metric in there if metric in here]


def _changes(a: Results, b: Results, pairs: DataFrame) -> Iterator[Change]:
    """Yield the change of every metric of every arm."""
    found: list[tuple[str, str, np.ndarray, np.ndarray, np.ndarray]] = []
    for arm, rows in pairs.groupby("arm", sort=False):
        for metric in _metrics(a, b):
            both = rows[[f"{metric}_a", f"{metric}_b"]].to_numpy(np.float64)
            kept = np.isfinite(both).all(axis=1)
            if kept.any():
                found.append((str(arm), metric, rows["seed"].to_numpy()[kept], *both[kept].T))
    overlap = max(a.overlap, b.overlap)
    crossed = bool(a.record.tables.sources or b.record.tables.sources)
    adjusted = np.ones(len(found)) if crossed else _adjusted(found, overlap)
    for (arm, metric, _, x, y), p in zip(found, adjusted, strict=True):
        d, near = y - x, _near(metric, x)
        low, high = (nan, nan) if crossed else interval(d, replication=Replication(overlap=overlap))
        bounded = max(paired_test(d + near, overlap).greater, paired_test(d - near, overlap).less) <= ALPHA
        within = bounded and len(d) >= FEWEST and not crossed
        same = int((d == 0).sum())
        outcome: Outcome = (
            "same bits" if same == len(d) else "same" if within else "different" if p <= ALPHA else "undecided"
        )
        yield Change(arm, metric, len(d), same, float(d.mean()), (float(low), float(high)), float(p), near, outcome)


def _adjusted(found: Sequence[tuple[str, str, np.ndarray, np.ndarray, np.ndarray]], overlap: float) -> np.ndarray:
    """Return p of each change, adjusted for their number. found: arm, metric, seeds, values in A and in B."""
    if overlap or not found:  # the splits of one data set share samples, so seeds cannot be flipped
        return holm([np.nan_to_num(paired_test(y - x, overlap).two_sided, nan=1.0) for *_, x, y in found])
    seeds = np.unique(np.concatenate([seeds for _, _, seeds, _, _ in found]))
    differences = np.full((len(seeds), len(found)), np.nan)
    for column, (_, _, own, x, y) in enumerate(found):
        differences[np.searchsorted(seeds, own), column] = y - x
    return joint_sign_flip_test(differences, key=" ".join(f"{arm} {metric}" for arm, metric, *_ in found))


def _near(metric: str, values: np.ndarray) -> float:
    """Return the size of a difference that counts as none."""
    y = metric.rpartition("_")[2]
    return NEAR[y] if y == "accuracy" else float(NEAR[y] * np.abs(values).mean())


def _same_curves(a: Results, b: Results, pairs: DataFrame) -> tuple[int, int]:
    """Return how many pairs have the same curves, bit by bit, and how many pairs have curves on both sides."""
    columns = ["iteration", "split", "loss", "accuracy"]

    def by_run(results: Results) -> Mapping[str, DataFrame]:
        groups = results.curves[["run_id", *columns]].astype({"split": str}).groupby("run_id", observed=True)
        return {str(run): rows[columns].reset_index(drop=True) for run, rows in groups}

    there, here = by_run(a), by_run(b)
    both = [(there[x], here[y]) for x, y in pairs[["run_id_a", "run_id_b"]].to_numpy() if x in there and y in here]
    return sum(x.equals(y) for x, y in both), len(both)


def _circumstances(a: Results, b: Results) -> dict[str, tuple[str, str]]:
    """Return what differs between the trainings: versions and machine, each with its values in A and B."""

    def values(results: Results) -> dict[str, str]:
        found: dict[str, dict[str, None]] = {}
        for session in results.record.sessions:
            for name, value in _flat({**session.get("versions", {}), "machine": session.get("machine", {})}):
                found.setdefault(name, {})[value] = None
        return {name: ", ".join(several) for name, several in found.items()}

    there, here = values(a), values(b)
    names = [*there, *(name for name in here if name not in there)]
    return {n: (there.get(n, "–"), here.get(n, "–")) for n in names if there.get(n) != here.get(n)}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the parts of a nested record by names such as `machine.cores`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, name)
    else:
        yield name, value_text(value)


def status_words(statuses: Mapping[tuple[str, str], int]) -> list[str]:
    """Return a sentence for each pair of endings.

    >>> status_words({("done", "diverged"): 2})
    ['done in A, diverged in B: 2 pairs']
    """
    known = sorted(statuses, key=lambda pair: (STATUSES.index(pair[0]), STATUSES.index(pair[1])))
    return [f"{x} in A, {y} in B: {plural(statuses[x, y], 'pair')}" for x, y in known]
