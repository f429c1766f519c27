"""`dlsweep run`: train the missing runs of a sweep, and draw its plots."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from dlsweep.cli.init import example
from dlsweep.cli.options import Above0, AtLeast1, Formats, Quiet, checked, suffixes
from dlsweep.cli.terminal import print_json, print_paths, say
from dlsweep.errors import Interrupted, UsageError
from dlsweep.storage.location import located
from dlsweep.tabular import table
from dlsweep.text import duration, plural, printable, size

if TYPE_CHECKING:
    from dlsweep.config import Config
    from dlsweep.execution.executors import Options
    from dlsweep.forecast import Forecast
    from dlsweep.progress import Progress
    from dlsweep.storage.results import Results

CONFIG = "YAML file; - for standard input; example:NAME for one of dlsweep init."
OVERRIDES = "Changes, such as train.iterations=200 grid.optimizer.sgd.lr=0.1,0.01"
UNTIL = "Add seeds to the arms of claims until these are decided, at planned looks."
EXECUTOR = "inline, processes or dask; default: automatic."
SCHEDULER = "Train on the workers of a running scheduler of Dask, such as tcp://node7:8786."
SHARD = "Train part I of N, counted from 0; dlsweep merge unites the parts."
FAILURES = "--max-consecutive-failures"

OUTPUT = Option("-o", "--output", parser=located, metavar="DIR", help="Write to DIR/<name>/.")
JOBS = Option("-j", "--jobs", parser=checked("--jobs", AtLeast1), metavar="N", help="Workers; default: all cores.")
KILL = "Kill a worker that makes no progress for SECONDS."
TIMEOUT = Option(parser=checked("--timeout", Above0), metavar="SECONDS", help=KILL)
MEMORY = "Memory of all workers together; default: half of the machine's."
MAX_MEMORY = Option(parser=checked("--max-memory", Above0), metavar="GB", help=MEMORY)
LAST = "Seeds at the last look of --until-decided; 20 by default."
IN_A_ROW = "Stop when N runs in a row have failed."
MAX_FAILURES = Option(FAILURES, parser=checked(FAILURES, AtLeast1), metavar="N", help=IN_A_ROW)
MAX_SEEDS = Option(parser=checked("--max-seeds", AtLeast1), metavar="N", help=LAST)
MAX_RUNS = Option(parser=checked("--max-runs", AtLeast1), metavar="N", help="Refuse a sweep with more runs.")


def run(
    config: Annotated[Path, Argument(metavar="CONFIG", help=CONFIG, show_default=False)],
    overrides: Annotated[list[str] | None, Argument(metavar="key=value", help=OVERRIDES)] = None,
    output: Annotated[Path, OUTPUT] = Path("results"),
    dry_run: Annotated[bool, Option("--dry-run", help="Show what would be done; train nothing.")] = False,
    jobs: Annotated[int | None, JOBS] = None,
    executor: Annotated[str | None, Option(metavar="NAME", help=EXECUTOR)] = None,
    scheduler: Annotated[str | None, Option(metavar="ADDRESS", help=SCHEDULER)] = None,
    force: Annotated[bool, Option("--force", help="Replace existing results.")] = False,
    retry: Annotated[bool, Option("--retry", help="Train failed runs again.")] = False,
    fail_fast: Annotated[bool, Option("--fail-fast", help="Stop at the first failed run.")] = False,
    max_failures: Annotated[int | None, MAX_FAILURES] = None,
    timeout: Annotated[float | None, TIMEOUT] = None,
    max_memory: Annotated[float | None, MAX_MEMORY] = None,
    shard: Annotated[str | None, Option(metavar="I/N", help=SHARD)] = None,
    until_decided: Annotated[bool, Option("--until-decided", help=UNTIL)] = False,
    max_seeds: Annotated[int | None, MAX_SEEDS] = None,
    max_runs: Annotated[int, MAX_RUNS] = 100_000,
    formats: Formats = "png",
    as_json: Annotated[bool, Option("--json", help="Print the result as JSON.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, Option("-v", "--verbose", help="Report every chunk and every folded arm.")] = False,
) -> int:
    """Train the missing runs of a sweep, and draw its plots.

    Run it again at any time, also after a crash: finished runs are kept.
    """
    from dlsweep import machine
    from dlsweep.execution import startup

    if executor in (None, "processes") and scheduler is None and (jobs or machine.cores()) > 1 and not dry_run:
        startup.warm_up()  # it imports while this process does

    from dlsweep.config import load
    from dlsweep.execution.executors import Options
    from dlsweep.progress import Progress
    from dlsweep.training.shards import parse_shard

    drawn = suffixes(formats)
    asked = load(example(config), overrides or (), max_runs=max_runs)
    memory = None if max_memory is None else int(max_memory * 1e9)
    own = parse_shard(shard) if shard is not None else None
    failures = 1 if fail_fast else max_failures
    options = Options(output, jobs, executor, force, retry, timeout, memory, failures, own, scheduler)
    most = _last_look(asked, options, until_decided, max_seeds)
    progress = Progress(asked.name, quiet=quiet, verbose=verbose)
    if dry_run:
        _forecast(asked, options, as_json, progress, most)
        return 0
    return _train(asked, options, drawn, as_json, progress, most)


def _last_look(asked: Config, options: Options, until_decided: bool, max_seeds: int | None) -> int | None:
    """Return the seeds at the last planned look, None without looks. Refuse options that do not fit together."""
    from dlsweep.deciding import MAX_SEEDS

    if options.shard and (until_decided or asked.is_open):
        reason = "--until-decided looks at all runs" if until_decided else "`tune` chooses settings first"
        raise UsageError(f"{reason}, so the sweep cannot be divided; remove --shard")
    if max_seeds and not until_decided:
        raise UsageError("--max-seeds needs --until-decided; without it, `seeds:` in the config is the number of seeds")
    return (max_seeds or MAX_SEEDS) if until_decided else None


def _train(
    asked: Config, options: Options, formats: list[str], as_json: bool, progress: Progress, most: int | None
) -> int:
    """Train the missing runs of a sweep; return the exit code, 1 if some failed.

    most: the seeds at the last look, if seeds are added until the claims are decided.
    """
    from dlsweep.deciding import decide
    from dlsweep.sweep import train_missing
    from dlsweep.tuning import tuned

    if not most:
        _note_outlook(asked, options, progress)
    try:
        asked = tuned(asked, options, progress)
        results = decide(asked, options, progress, most) if most else train_missing(asked, options, progress)
    except Interrupted as stop:
        command = shlex.join(["dlsweep", *(word for word in sys.argv[1:] if word != "--force")])
        done = f"{progress.done} of {plural(progress.total, 'run')}"
        say(f"{asked.name}: stopped with {done} done; the others start over; to go on:\n  {command}")
        return stop.exit_code
    if options.shard:
        _close_shard(asked, options, results, as_json, progress.quiet)
    else:
        _close(asked, results, formats, as_json, progress.quiet)
    if failed := results.counts["failed"]:
        say(f"{plural(failed, 'run')} failed; --retry trains them again")
    return 1 if failed else 0


def _note_outlook(asked: Config, options: Options, progress: Progress) -> None:
    """Report planned looks that the sweep follows, and claims that its seeds cannot decide."""
    from dlsweep.analysis.outlook import outlook, undecidable
    from dlsweep.deciding import followed, looks_text

    follows = followed(asked, options)
    if follows.looks:
        go_on = f"--until-decided --max-seeds {follows.looks.most} goes on with them"
        progress.note(f"{asked.name} follows its {looks_text(follows.looks)}; {go_on}")
    for note in undecidable(outlook(follows)):
        progress.note(note)


def _close_shard(asked: Config, options: Options, results: Results, as_json: bool, quiet: bool) -> None:
    """Print the results of a shard, or how to unite it with the others."""
    from dlsweep.analysis.closing import closing_data

    united = shlex.quote(str(options.output / asked.name))
    if as_json:
        print_json(closing_data(results))
    elif not quiet:
        say(f"shard {options.shard} is done; when all are: dlsweep merge {united} {united}.shard-*")


def _close(asked: Config, results: Results, formats: list[str], as_json: bool, quiet: bool) -> None:
    """Draw the plots of a sweep, and print its closing table and its verdicts."""
    from dlsweep.analysis.checked import check
    from dlsweep.analysis.closing import MOST, closing_data, closing_table
    from dlsweep.plots.figures import clear, draw

    if not (as_json or quiet):
        print(closing_table(results, most=MOST), flush=True)
        if results.record.claims:
            print(f"\n{check(results)}", flush=True)
    clear(results)
    figures = draw(results, asked.plots, formats=formats) if asked.plots else []
    if as_json:
        claims = {"claims": check(results).data()["claims"]} if results.record.claims else {}
        print_json({**closing_data(results), **claims, "figures": figures})
    elif not quiet:
        print_paths(figures)
        if not asked.plots:
            say(f"dlsweep plot {shlex.quote(str(results.folder))} draws figures")


def _forecast(asked: Config, options: Options, as_json: bool, progress: Progress, most: int | None) -> None:
    """Print the result of a dry run: of the seeds up to the first look, if looks are planned."""
    from dlsweep.analysis.outlook import detected, outlook, undecidable
    from dlsweep.deciding import followed, looks_text, planned
    from dlsweep.forecast import predict
    from dlsweep.tuning import stages

    candidates, asked, notes = stages(asked, options)
    tuning = predict(candidates, options) if candidates else None
    asked = planned(asked, options, progress.note, most) if most else followed(asked, options)
    told, claims = predict(asked, options), outlook(asked)
    looks = asked.looks
    if as_json:
        before = {"tuning": {"name": candidates.name, **asdict(tuning)}} if candidates and tuning else {}
        plan = {"looks": {"at": looks.at, "claims": [claim.name for claim in looks.claims]}} if looks else {}
        claimed = {"claims": [asdict(claim) for claim in claims], **plan}
        print_json({"name": asked.name, **asdict(told), **before, **claimed})
    else:
        if candidates and tuning:
            print(forecast_text(candidates.name, tuning, progress.verbose), end="\n\n")
        print(forecast_text(asked.name, told, progress.verbose))
        if looks:
            print(f"{looks_text(looks)}; this is the training up to the look at {max(looks.seeds.values())}")
        if sentence := detected(claims, asked.alpha):
            print(sentence)
    for note in () if progress.quiet else (*notes, *told.notes, *undecidable(claims)):
        say(note)


def forecast_text(name: str, told: Forecast, verbose: bool = False) -> str:
    """Format the result of a dry run for a person."""
    missing = told.runs - told.done
    runs, stacks = plural(told.runs, "run"), plural(len(told.cohorts), "stack")
    lines = [f"{name}: {runs} in {stacks}, {told.done} done, {missing} to train"]
    factors = list(dict.fromkeys(factor for c in told.cohorts for factor in c.levels))
    numbers = [map(str, (c.arms, c.runs, c.missing, c.parameters)) for c in told.cohorts]
    levels = [[_several(c.levels.get(factor, [])) for factor in factors] for c in told.cohorts]
    rows = [[*some, *counts] for some, counts in zip(levels, numbers)]
    header = [*factors, "arms", "runs", "to train", "parameters"]
    lines += ["", table(header, rows, [False] * len(factors) + [True] * 4)]
    if told.folded:
        shown = told.folded if verbose else told.folded[:5]
        lines += ["", f"{plural(len(told.folded), 'arm')} folded, because another trains the same network:"]
        lines += [f"  {printable(arm)} = {printable(kept)}" for arm, kept in shown]
        lines += [f"  … and {len(told.folded) - len(shown)} more (-v shows all)"] * (len(shown) < len(told.folded))
    if missing:
        cost = f"about {duration(told.seconds)} with {plural(told.workers, 'worker')}"
        lines += ["", f"{cost}, up to {size(told.memory)} of memory each, {size(told.disk)} on disk"]
    return "\n".join(lines)


def _several(labels: Sequence[str]) -> str:
    """Join the levels of a factor in a stack; no levels stand for all of them."""
    return (" | ".join(labels[:3]) + " | …" * (len(labels) > 3)) or "all"
