"""Train seeds until the claims of a sweep are decided, at looks that were planned before the first one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlsweep.analysis.questions import Questions
from dlsweep.analysis.sequential import Plan
from dlsweep.analysis.testing import examined
from dlsweep.config import Config, load
from dlsweep.config.claims import MOST, Looks, arm_id, arms_of
from dlsweep.errors import ResultsDamaged, Unreadable, UsageError
from dlsweep.execution.executors import Options
from dlsweep.progress import Progress, Reporter
from dlsweep.storage import compatibility, record
from dlsweep.storage.folder import Folder, open_folder
from dlsweep.storage.location import located
from dlsweep.storage.opening import open_results
from dlsweep.storage.results import Results
from dlsweep.sweep import train_missing
from dlsweep.text import plural

MAX_SEEDS = 20


def run_until_decided(
    config: Config | str | Path | Mapping[str, Any],
    *,
    max_seeds: int = MAX_SEEDS,
    output: str | Path = "results",
    jobs: int | None = None,
    executor: str | None = None,
    force: bool = False,
    quiet: bool = False,
    report: Reporter | None = None,
) -> Results:
    """Train seeds 0, 1, 2, … of the arms that claims are about, until the claims are decided.

    Seeds are added at planned looks, and only to the arms of claims that are still undecided. The tests spend the error
    rate over the looks (`dlsweep.analysis.sequential`), so looking does not inflate it. Other arms have the seeds of
    the config. A later call, also after a crash, continues the same plan. max_seeds: at the last look. The other
    settings are those of `dlsweep.run`.

    Raise a `UsageError` if there are no claims, or if the folder has another plan.

    >>> claim = {"arm": {"init": "he"}, "beats": {"init": "normal"}, "metric": "train_loss"}
    >>> config = {"name": "start", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 30}}
    >>> config |= {"evaluate": {"on": ["train"]}, "grid": {"init": ["he", "normal"]}}
    >>> results = run_until_decided({**config, "claims": [{"He learns faster": claim}]}, executor="inline", quiet=True)
    >>> len(results.runs), [verdict.verdict for verdict in results.check()]
    (14, ['supported'])
    """
    config = config if isinstance(config, Config) else load(config)
    options = Options(located(output), jobs, executor, force)
    return decide(config, options, report or Progress(config.name, quiet=quiet), max_seeds)


def decide(config: Config, options: Options, report: Reporter, max_seeds: int) -> Results:
    """Do what `run_until_decided` does, with its options in one record."""
    config = planned(config, options, report.note, max_seeds)
    while True:
        looks = config.looks
        assert looks
        results = train_missing(config, options, report)
        questions = Questions(results)
        tests = (examined(questions, claim, looks) for claim in results.record.claims if looks.covers(claim))
        left = [one.claim for one in tests if one.is_open]
        at = max(looks.seeds.values(), default=0)
        following = next((n for n in looks.at if n > at), None)
        if not left or following is None:
            return results
        report.note(f"{plural(len(left), 'claim')} undecided at {at} seeds; the next look is at {following}")
        more = dict.fromkeys(arms_of(left, config.arms()), following)
        config = replace(config, looks=replace(looks, seeds={**looks.seeds, **more}))
        options = replace(options, force=False)


def planned(config: Config, options: Options, note: Callable[[str], None], max_seeds: int) -> Config:
    """Return a config with the looks at its claims: those that were planned before in its folder, or new ones.

    A plan that begins after verdicts were read claims no error rate; a note says so. Raise a `UsageError` for a config
    whose claims cannot be decided so.
    """
    if not config.claims:
        for text in config.notes:  # claims may have been left out
            note(text)
        raise UsageError("there is nothing to decide: the config has no claims; write some under `claims:`")
    if config.divided:
        raise UsageError(
            "planned looks need independent seeds, and seeds that draw splits of one data set (split: seed, folds) "
            "share samples; remove --until-decided: `seeds:` in the config is the number of splits"
        )
    if max_seeds > MOST:
        raise UsageError(f"a plan has at most {MOST} seeds, got {max_seeds}; seeds from {MOST} on are for tuning")
    folder = open_folder(options.output / config.name)
    old = None if options.force else compatibility.open_record(folder, config)[0]
    if old and old.looks:
        return _continued(config, old.looks, max_seeds, folder)
    ids = arms_of(config.claims, config.arms())
    trained = _trained(folder) if old else 0
    seen = trained if old and old.claims else 0
    plan = Plan.of(config.alpha, claims=len(config.claims), most=max_seeds, trained=trained)
    if seen:
        note(f"planned after {plural(seen, 'seed')} were seen; no error rate is claimed")
    seeds = dict.fromkeys(ids, plan.looks[0])
    return replace(config, looks=Looks(config.claims, config.alpha, max_seeds, plan.looks, seen, config.name, seeds))


def followed(config: Config, options: Options) -> Config:
    """Return a config with the looks that were planned in its folder, which any later run follows.

    Without such looks, it stays unchanged. A damaged folder is no error here: `run` reports it.
    """
    try:
        old = None if options.force else record.read(open_folder(options.output / config.name))
    except (ResultsDamaged, Unreadable):
        return config
    return replace(config, looks=old.looks) if old and not config.looks else config


def looks_text(looks: Looks) -> str:
    """Return a sentence on planned looks.

    >>> looks_text(Looks((), 0.05, 20, (7, 8, 20)))
    'planned looks at 7, 8, 20 seeds, for 0 claims'
    """
    return f"planned looks at {', '.join(map(str, looks.at))} seeds, for {plural(len(looks.claims), 'claim')}"


def _continued(config: Config, looks: Looks, max_seeds: int, folder: Folder) -> Config:
    """Return a config with the looks of its folder."""
    if (looks.most, looks.alpha) != (max_seeds, config.alpha):
        raise UsageError(
            f"{folder} has a plan up to {looks.most} seeds at an error rate of {looks.alpha:g}, made before its first "
            f"look; write --max-seeds {looks.most}, or give the sweep another name"
        )
    if not looks.seeds.keys() & {arm_id(arm) for arm in config.arms()}:
        raise UsageError(f"{folder} has a plan for other arms, or for another training; give the sweep another name")
    return replace(config, looks=looks)


def _trained(folder: Folder) -> int:
    """Return the number of seeds 0, 1, 2, … that include all those in a folder."""
    runs = open_results(str(folder)).runs
    return int(runs["seed"].max()) + 1 if len(runs) else 0
