"""Choose the settings of each arm on tuning seeds, so that arms are compared at their best with the same budget.

All candidates of all arms are a sweep of their own, in the folder `<name>-tuning`. The best of each arm is compared, on
other seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
from dlsweep.storage.folder import open_folder
from dlsweep.storage.opening import open_results
from dlsweep.storage.record import FILE
from dlsweep.storage.results import Results
from dlsweep.sweep import train_missing
from dlsweep.text import plural, value_text


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
    options = Options(Path(output), jobs, executor, force, retry)
    return tuned(config, options, report or Progress(config.name, quiet=quiet))


def tuned(config: Config, options: Options, report: Reporter) -> Config:
    """Do what `tune` does, with its options in one record."""
    if not config.is_open:
        return config
    groups, sweep = config.candidates(), candidates_of(config)
    assert config.tuning
    runs = f"{plural(sum(map(len, groups)), 'candidate')} of {plural(len(groups), 'arm')}"
    report.note(f"{config.name}: tuning with {runs}, {plural(config.tuning.seeds, 'seed')} each, in {sweep.name}")
    found = chosen(config, train_missing(sweep, options, report))
    assert found.tuning
    for sentence in found.tuning.notes():
        report.note(sentence)
    return found


def candidates_of(config: Config) -> Config:
    """Return the sweep of the candidates of a config: with tuning seeds, and only what the choice needs."""
    assert config.tuning
    name = FOLDER.format(config.name)
    seeds = range(FIRST_SEED, FIRST_SEED + config.tuning.seeds)
    off: dict[str, Any] = {"ensemble": False, "layers": False, "keep": None, "predictions": False}
    resolved = config.resolved()
    evaluate = {key: value for key, value in {**resolved["evaluate"], **off}.items() if value is not None}
    return config.keeping(
        (arm for group in config.candidates() for arm in group),
        resolved={"name": name, "seeds": list(seeds), "evaluate": evaluate},
        name=name,
        replicates=Replicates(seeds),
        evaluate=replace(config.evaluate, **off),
        plots=(),
        notes=(),
        claims=(),
        tuning=None,
    )


def stages(config: Config, options: Options) -> tuple[Config | None, Config, list[str]]:
    """Return the sweep of the candidates, None without any, and the config that is compared; with notes on both.

    Until the candidates are trained, the first one of each arm stands for the best.
    """
    if not config.is_open:
        return None, config, []
    known = _chosen_before(config, options)
    if known and known.tuning:
        return candidates_of(config), known, list(known.tuning.notes())
    first = config.keeping((group[0] for group in config.candidates()), tuning=None)
    return candidates_of(config), first, ["until the candidates are trained, the first of each arm stands for the best"]


def _chosen_before(config: Config, options: Options) -> Config | None:
    """Return a config with the best candidate of each arm; None if some candidate is not trained yet."""
    sweep = candidates_of(config)
    folder = open_folder(options.output / sweep.name)
    if options.force or FILE not in folder.list():
        return None
    results = open_results(str(folder))
    there = set(results.runs["run_id"]) if len(results.runs) else set()
    return chosen(config, results) if there.issuperset(run.id for run in sweep.runs()) else None


def chosen(config: Config, results: Results) -> Config:
    """Return a config with the best candidate of each arm. results: of the sweep of its candidates."""
    tuning = config.tuning
    assert tuning
    metric = metric_of(results, tuning.metric)
    values = metric_values(results, metric).set_index("run_id")["value"]
    means: dict[tuple[str, ...], list[float]] = {}
    for run in candidates_of(config).runs():
        means.setdefault(tuple(run.arm.levels.values()), []).append(float(values.get(run.id, np.nan)))
    groups = config.candidates()
    judged = [[float(np.mean(means[tuple(arm.levels.values())])) for arm in group] for group in groups]
    best = [_best(own, less=bool(metric.less_is_better)) for own in judged]
    arms = [_tuned_arm(config, *one) for one in zip(groups, judged, best)]
    kept = [group[i] for group, i in zip(groups, best)]
    return config.keeping(kept, tuning=replace(tuning, arms=tuple(arms)))


def _best(means: Sequence[float], *, less: bool) -> int:
    """Return the index of the best mean, of equals the first; a mean that is not finite is the worst."""
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


def _edges(config: Config, group: Sequence[Arm], best: int) -> Iterator[str]:
    """Yield a sentence for each tuned number that is chosen at the edge of its candidates."""
    assert config.tuning
    numbers = [numeric_settings(arm.fields, arm.levels, config.task) for arm in group]
    for name in config.tuning.over:
        there = [own[name] for own in numbers if name in own]
        if name in numbers[best] and len({*there}) > 1 and (at := numbers[best][name]) in (min(there), max(there)):
            ends = f"{value_text(min(there))} to {value_text(max(there))}"
            beyond = "smaller" if at == min(there) else "larger"
            told = f"{name} {value_text(at)} was chosen, at the edge of its candidates ({ends})"
            yield f"{told}; {beyond} ones may be better"
