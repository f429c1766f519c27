"""Measure dlsweep side by side with other tools: `python -m bench --help`.

In each round, every contender trains once, one after the other. dlsweep and the machine's limit come first and last.
The job with six runs comes first, and tries some libraries with 1 and 2 threads. The job with thirty runs uses the
better number.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import report, summary
from bench.common import ROOT, Job
from bench.contenders import DLSWEEP, LIMIT, PEERS, Broken, Contender, Measurement, importable, measure
from bench.figure import draw


def main() -> int:
    """Measure, print and write; the exit code is 0 unless something broke, or with --strict a bar was missed."""
    options = arguments()
    here = importable({c.needs for c in PEERS if c.needs}, options.python)
    absent = {c: f"no {c.needs} to import" for c in PEERS if c.needs and c.needs not in here}
    peers = [c for c in PEERS if c not in absent]
    measurements: list[Measurement] = []
    broken: dict[Contender, str] = {}

    def sweep(job: Job, rounds: int, contenders: list[Contender]) -> None:
        for number in range(rounds):
            once = [LIMIT, DLSWEEP, *contenders]
            for contender in once if options.quick else [*once, DLSWEEP, LIMIT]:
                if contender in broken:
                    continue
                try:
                    measurements.append(measure(contender, job, number, options.python))
                except Broken as error:
                    broken[contender] = str(error)
                    print(f"! {error}", file=sys.stderr)
                else:
                    done = measurements[-1]
                    print(
                        f"{job.runs:3} runs, round {number + 1}: {contender.name:28} {done.report.seconds:7.2f} s, "
                        f"whole process {done.whole:7.2f} s",
                        file=sys.stderr,
                    )

    if options.quick:
        jobs = [Job(seeds=1, iterations=20)]
        sweep(jobs[0], 1, peers)
    else:
        jobs = [Job(seeds=5), Job(seeds=1)]
        sweep(jobs[1], options.short_rounds, peers)
        sweep(jobs[0], options.rounds, better(peers, summary.lines(measurements, jobs[1], {})))

    measurements = [m for m in measurements if m.contender not in broken]
    missing = absent | dict.fromkeys(broken, "it broke")
    tables = {job: summary.lines(measurements, job, missing) for job in jobs}
    bars = [] if options.quick else summary.bars(*tables.values())
    report.write(options.output, measurements, tables, bars)
    draw(tables).savefig(options.output / "bench.png", dpi=200)
    print((options.output / "bench.md").read_text(encoding="utf-8"))
    if broken:
        return 1
    return int(options.strict and any(bar.verdict != "pass" for bar in bars))


def better(peers: list[Contender], table: list[summary.Line]) -> list[Contender]:
    """The fastest contender of every group."""
    fastest: dict[str, Contender] = {}
    for line in table:  # the fastest first
        fastest.setdefault(line.contender.group, line.contender)
    return [c for c in peers if c in fastest.values()]


def arguments() -> argparse.Namespace:
    """The command line."""
    own = ROOT / ".venv-bench" / "bin" / "python"
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure dlsweep side by side with others.")
    add = parser.add_argument
    add("--python", type=Path, default=own if own.exists() else Path(sys.executable), help="which has the peers")
    add("--rounds", type=int, default=1, help="of 30 runs (about 6 minutes each)")
    add("--short-rounds", type=int, default=3, help="of 6 runs (about 2 minutes each)")
    add("--output", type=Path, default=ROOT / "bench" / "results", help="folder for the tables and the figure")
    add("--quick", action="store_true", help="a smoke run of a few iterations")
    add("--strict", action="store_true", help="exit with 1 when a bar is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
