"""Choose the settings of each arm on tuning seeds, so that arms are compared at their best with the same budget.

The candidates of all arms are a sweep of their own, in the folder `<name>-tuning`. Then the best candidate of each arm
is compared on other seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from dlsweep.analysis.metrics import metric_of, metric_values
from dlsweep.config import Config, load
from dlsweep.config.checks.fairness import FOLDER
from dlsweep.config.runs import Arm
from dlsweep.config.seeds import Replicates
from dlsweep.config.tuning import FIRST_SEED, Tried, TunedArm
from dlsweep.config.words import numeric_settings
from dlsweep.execution.executors import Options
from dlsweep.progress import Progress, Reporter
from dlsweep.storage.compatibility import open_record
from dlsweep.storage.folder import open_folder
from dlsweep.storage.location import located
from dlsweep.storage.opening import open_results
from dlsweep.storage.record import FILE
from dlsweep.storage.results import Results
from dlsweep.sweep import train_missing
from dlsweep.text import plural, value_text

Counts = Sequence[int] | None  # of the candidates of each arm; None for all of them

EDGE = 0.1  # share of a range: a value so near to one of its ends is at the edge


def tune(
    config: Config | str | Path | Mapping[str, Any],
    *,
    output: str | Path = "results",
    jobs: int | None = None,
    executor: str | None = None,
    force: bool = False,
    retry: bool = False,
    quiet: bool = False,
    report: Reporter | None = None,
) -> Config:
    """Train the candidates of a config with `tune:`, and return the config with the best candidate of each arm.

    `dlsweep.run` trains the config that is returned. The candidates are a sweep in `<output>/<name>-tuning/`; those
    that are there are not trained again. Without `tune:`, the config is returned unchanged. The settings are those of
    `dlsweep.run`.

    >>> import dlsweep
    >>> config = {"name": "start", "data": {"mnist": {"train": 100, "validation": 100, "test": 100}}, "seeds": 2}
    >>> config |= {"train": {"iterations": 2}, "evaluate": {"on": ["validation", "test"]}}
    >>> config |= {"grid": {"optimizer.lr": [0.01, 0.1, 1e9]}, "tune": {"over": "optimizer.lr", "metric": "loss"}}
    >>> chosen = tune(config, executor="inline", quiet=True)
    >>> [arm.levels["optimizer.lr"] for arm in chosen.arms()], len(dlsweep.run(chosen, executor="inline").runs)
    (['0.1'], 2)
    """
    config = config if isinstance(config, Config) else load(config)
    options = Options(located(output), jobs, executor, force, retry)
    return tuned(config, options, report or Progress(config.name, quiet=quiet))


def tuned(config: Config, options: Options, report: Reporter) -> Config:
    """Do what `tune` does, with its options in one record."""
    if not config.is_open:
        return config
    counts, results = _tried(config, options, report)
    found = chosen(config, results, counts)
    assert found.tuning
    for sentence in found.tuning.notes():
        report.note(sentence)
    return found


def _tried(config: Config, options: Options, report: Reporter) -> tuple[Counts, Results]:
    """Train the candidates; return their numbers, which a budget of seconds decides, and their results."""
    tuning, rounds = config.tuning, count(1)
    assert tuning
    counts, ended = _counts(config, options)
    while True:
        groups, sweep = config.candidates(counts), candidates_of(config, counts)
        runs = f"{plural(sum(map(len, groups)), 'candidate')} of {plural(len(groups), 'arm')}"
        begin = f"round {next(rounds)} of {tuning.seconds:g} seconds of tuning, " if tuning.seconds else "tuning "
        report.note(f"{config.name}: {begin}with {runs}, {plural(tuning.seeds, 'seed')} each, in {sweep.name}")
        results = train_missing(sweep, options, report, growing=bool(tuning.seconds))
        if ended:
            return counts, results
        options = replace(options, force=False)
        counts, ended = _replayed(config, _seconds(results))
        if ended:
            return counts, results


def candidates_of(config: Config, counts: Counts = None) -> Config:
    """Return the sweep of the candidates of a config: with tuning seeds, and only what the choice needs.

    counts: as in `Config.candidates`.
    """
    assert config.tuning
    name = FOLDER.format(config.name)
    seeds = range(FIRST_SEED, FIRST_SEED + config.tuning.seeds)
    off: dict[str, Any] = {"ensemble": False, "layers": False, "keep": None, "predictions": False}
    resolved = config.resolved()
    evaluate = {key: value for key, value in {**resolved["evaluate"], **off}.items() if value is not None}
    return config.keeping(
        (arm for group in config.candidates(counts) for arm in group),
        resolved={"name": name, "seeds": list(seeds), "evaluate": evaluate},
        name=name,
        replicates=Replicates(seeds),
        evaluate=replace(config.evaluate, **off),
        plots=(),
        notes=(),
        claims=(),
        tuning=None,
    )


def _counts(config: Config, options: Options) -> tuple[Counts, bool]:
    """Return the numbers of the candidates to train now, and True if no more will follow.

    With a budget of seconds they are those that the results of the config record. Until these exist, the seconds that
    the candidates are known to take decide, so a tuning that was interrupted goes on as it would have.
    """
    assert config.tuning
    if not config.tuning.seconds:
        return None, True
    if not options.force:
        old, _ = open_record(open_folder(options.output / config.name))
        if old and old.tuning and replace(old.tuning, arms=()) == config.tuning:
            known = [len(arm.candidates) for arm in old.tuning.arms]
            if len(known) == len(config.candidates()):
                return known, True
    return _replayed(config, _seconds(_candidate_results(config, options)))


def _candidate_results(config: Config, options: Options) -> Results | None:
    """Return the results of the candidates; None if there are none, or if `force` replaces them."""
    folder = open_folder(options.output / FOLDER.format(config.name))
    return None if options.force or FILE not in folder.list() else open_results(str(folder))


def _seconds(results: Results | None) -> dict[str, float]:
    """Return the seconds that each run took, by its id: its share of the seconds of its stack."""
    return dict(zip(results.runs["run_id"], results.runs["seconds"])) if results and len(results.runs) else {}


def _replayed(config: Config, seconds: Mapping[str, float]) -> tuple[list[int], bool]:
    """Return the numbers of candidates in the first round that lacks a run; if none does, in the last round, and True.

    In the first round each arm tries one candidate. In the next ones an arm at most doubles their number: it tries as
    many more as fit into the rest of its budget, at their mean seconds so far. seconds: of the runs that are there.
    """
    assert config.tuning
    assert config.tuning.seconds
    most = list(map(len, config.candidates()))
    counts = [1] * len(most)
    while True:
        spent = _spent(config, counts, seconds)
        if any(map(np.isnan, spent)):
            return counts, False
        fit = [int((config.tuning.seconds - s) * n / s) if s else n for n, s in zip(counts, spent)]
        more = [max(0, min(n, own, all_ - n)) for n, own, all_ in zip(counts, fit, most)]
        if not any(more):
            return counts, True
        counts = [n + own for n, own in zip(counts, more)]


def _spent(config: Config, counts: Counts, seconds: Mapping[str, float]) -> list[float]:
    """Return the seconds of the candidates of each arm; NaN where a run is missing."""
    by_arm: dict[tuple[str, ...], float] = {}
    for run in candidates_of(config, counts).runs():
        key = tuple(run.arm.levels.values())
        by_arm[key] = by_arm.get(key, 0.0) + seconds.get(run.id, np.nan)
    return [sum(by_arm[tuple(arm.levels.values())] for arm in group) for group in config.candidates(counts)]


def stages(config: Config, options: Options) -> tuple[Config | None, Config, list[str]]:
    """Return the sweep of the candidates (None without `tune:`), the config that is compared, and notes on both.

    Until the candidates are trained, the first one of each arm stands for the best.
    """
    if not config.is_open:
        return None, config, []
    counts, ended = _counts(config, options)
    known = _chosen_before(config, options, counts) if ended else None
    if known and known.tuning:
        return candidates_of(config, counts), known, list(known.tuning.notes())
    first = config.keeping((group[0] for group in config.candidates()), tuning=None)
    notes = ["until the candidates are trained, the first of each arm stands for the best"]
    if not ended:
        assert config.tuning
        told = f"the candidates are those of the next round; each arm tries more for {config.tuning.seconds:g} seconds"
        notes.append(f"{told} of training")
    return candidates_of(config, counts), first, notes


def _chosen_before(config: Config, options: Options, counts: Counts) -> Config | None:
    """Return a config with the best candidate of each arm; None if some candidate is not trained yet."""
    results = _candidate_results(config, options)
    there = _seconds(results).keys()
    done = all(run.id in there for run in candidates_of(config, counts).runs())
    return chosen(config, results, counts) if results and done else None


def chosen(config: Config, results: Results, counts: Counts = None) -> Config:
    """Return a config with the best candidate of each arm.

    results: of the sweep of its candidates; counts: as in `Config.candidates`.
    """
    tuning = config.tuning
    assert tuning
    metric = metric_of(results, tuning.metric)
    values = metric_values(results, metric).set_index("run_id")["value"]
    means: dict[tuple[str, ...], list[float]] = {}
    for run in candidates_of(config, counts).runs():
        means.setdefault(tuple(run.arm.levels.values()), []).append(float(values.get(run.id, np.nan)))
    groups = config.candidates(counts)
    judged = [[float(np.mean(means[tuple(arm.levels.values())])) for arm in group] for group in groups]
    best = [_best(own, less=bool(metric.less_is_better)) for own in judged]
    arms = [_tuned_arm(config, *one) for one in zip(groups, judged, best)]
    if tuning.seconds:
        spent, most = _spent(config, counts, _seconds(results)), map(len, config.candidates())
        arms = [_within(tuning.seconds, *one) for one in zip(arms, spent, most)]
    kept = [group[i] for group, i in zip(groups, best)]
    return config.keeping(kept, tuning=replace(tuning, arms=tuple(arms)))


def _best(means: Sequence[float], *, less: bool) -> int:
    """Return the index of the best mean; of equal ones, the first. A mean that is not finite is the worst."""
    worst = np.inf if less else -np.inf
    finite = [mean if isfinite(mean) else worst for mean in means]
    return int(np.argmin(finite) if less else np.argmax(finite))


def _tuned_arm(config: Config, group: Sequence[Arm], means: Sequence[float], best: int) -> TunedArm:
    """Return an arm with its candidates and the choice."""
    tuning = config.tuning
    assert tuning
    tried = [Tried(tuning.values(arm), mean if isfinite(mean) else None) for arm, mean in zip(group, means)]
    name = tuning.name((factor, group[0].levels[factor]) for factor in config.varying) or config.name
    edges = list(_edges(config, group, best))
    if not isfinite(means[best]):
        edges.append("no candidate has a finite mean, so the first is compared")
    return TunedArm(name, tried, best, edges)


def _within(budget: float, arm: TunedArm, spent: float, most: int) -> TunedArm:
    """Return an arm with the seconds of its candidates. most: the number of candidates that it can have."""
    if len(arm.candidates) < most:
        return replace(arm, seconds=spent)
    told = f"all candidates together took {spent:.3g} of {budget:g} seconds; it could try more"
    return replace(arm, seconds=spent, edges=[*arm.edges, told])


def _edges(config: Config, group: Sequence[Arm], best: int) -> Iterator[str]:
    """Yield a sentence for each tuned number that is chosen at the edge of its candidates, or of its range."""
    assert config.tuning
    numbers = [numeric_settings(arm.fields, arm.levels, config.task) for arm in group]
    for name in config.tuning.over:
        there = [own[name] for own in numbers if name in own]
        if name not in numbers[best] or len({*there}) < 2:
            continue
        at, low, high, place = numbers[best][name], min(there), max(there), "at the edge of its candidates"
        below, above = at == low, at == high
        if span := config.tuning.range_of(name, there):
            low, high, place = span.low, span.high, "near the end of its range"
            below, above = span.part(at) < EDGE, span.part(at) > 1 - EDGE
        if below or above:
            told = f"{name} {value_text(at)} was chosen, {place} ({value_text(low)} to {value_text(high)})"
            yield f"{told}; {'smaller' if below else 'larger'} ones may be better"
