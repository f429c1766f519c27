"""Measure dlsweep on the techniques: `python -m bench.techniques --help`.

Batch normalization, dropout and Adam against a PyTorch loop, the overfitting of 300 images against the textbook's loop,
each by its whole process, start-up and results on disk included; and what the probes cost: training with
`evaluate: {layers: true}` against training without, on the 2×3 sweep.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

import dlsweep
from bench import jobs
from bench.common import PROCESSES, ROOT, environment
from bench.contenders import importable
from bench.report import machine

PROBED = ROOT / "configs" / "activation_init.yaml"
CLOSE = 0.05  # accuracies of the same job, mean over its runs: the draws differ


@dataclass(frozen=True)
class Row:
    """A bar, in words and numbers; seconds of dlsweep and of the other, the best of the rounds.

    reached: how many times as long the other takes, or by which share the probes lengthen the training; None where
    one of the two is absent or broke, and `note` says why.
    """

    name: str
    other: str
    wanted: float
    own_seconds: float | None = None
    seconds: float | None = None
    reached: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.reached is None:
            return "not judged"
        good = self.reached <= self.wanted if self.name == "probes" else self.reached >= self.wanted
        return "pass" if good else "miss"


class Broken(Exception):
    """Something was measured that failed, or that did another job; a line says what."""


@dataclass(frozen=True)
class Done:
    """Seconds of a process, and the mean accuracy on the test images at the end."""

    seconds: float
    accuracy: float


def peer(module: str, python: Path, threads: int | None, job: jobs.Job, quick: bool) -> Done:
    """A contender's whole process."""
    command = [str(python), "-m", f"bench.{module}", job.name, *["--quick"] * quick]
    seconds, output = timed(command, environment(threads))
    report = json.loads(output.splitlines()[-1])
    job = jobs.shortened(job) if quick else job
    if (report["runs"], report["evaluations"]) != (job.runs, job.evaluations):
        raise Broken(f"{module} did another job: {report['runs']} runs, {report['evaluations']} evaluations")
    return Done(seconds, report["test_accuracy"][job.name])


def own(config: dict[str, Any], runs: int, *overrides: str) -> tuple[Done, float]:
    """The command that a user types, and the seconds of its training loops."""
    import dlsweep

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "technique.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [sys.executable, "-m", "dlsweep", "run", str(path), "--quiet", *overrides]
        seconds, _ = timed([*command, "--jobs", str(PROCESSES), "--output", place])
        results = dlsweep.open_results(Path(place) / config["name"])
        table = results.runs
    if len(table) != runs or set(table["status"]) != {"done"}:
        raise Broken(f"dlsweep: {table['status'].value_counts().to_dict()} instead of {runs} runs done")
    return Done(seconds, float(table["final_test_accuracy"].mean())), float(table["seconds"].sum())


def timed(command: list[str], env: dict[str, str] | None = None) -> tuple[float, str]:
    """The seconds of a process, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise Broken(f"{' '.join(command[1:5])} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return seconds, done.stdout


def against(job: jobs.Job, other: str, wanted: float, others: list[Callable[[], Done]], options: Any) -> Row:
    """dlsweep against the best of `others`, in rounds."""
    row = Row(job.name, other, wanted)
    mine, theirs = [], []
    small = jobs.shortened(job) if options.quick else job
    try:
        for _ in range(options.rounds):
            mine.append(own(jobs.config(small), small.runs)[0])
            theirs += [measure() for measure in others]
    except Broken as error:
        return Row(row.name, other, wanted, note=str(error))
    gap = abs(mine[-1].accuracy - theirs[-1].accuracy)
    if gap > CLOSE and not options.quick:
        return Row(row.name, other, wanted, note=f"test accuracies differ by {gap:.3f}: not the same job")
    fastest, best = min(d.seconds for d in mine), min(d.seconds for d in theirs)
    note = f"test accuracy {mine[-1].accuracy:.3f}, the other's {theirs[-1].accuracy:.3f}"
    return Row(row.name, other, wanted, fastest, best, best / fastest, note)


def probes(options: Any) -> Row:
    """The 2×3 sweep with and without the `layers/` table, in turn."""
    config = {k: v for k, v in dlsweep.load(PROBED).resolved().items() if k != "fingerprints"}
    seeds, iterations = (1, 20) if options.quick else (5, 1000)
    config |= {"seeds": seeds, "train": config["train"] | {"iterations": iterations}}
    probed = config | {"evaluate": config["evaluate"] | {"layers": True}}
    plain_seconds, probed_seconds = [], []
    try:
        for _ in range(options.rounds):
            plain_seconds.append(own(config, 6 * seeds)[1])
            probed_seconds.append(own(probed, 6 * seeds)[1])
    except Broken as error:
        return Row("probes", "without", 0.05, note=str(error))
    a, b = min(plain_seconds), min(probed_seconds)
    return Row("probes", "without", 0.05, b, a, b / a - 1, "seconds of the training loops, both workers together")


def markdown(rows: list[Row], rounds: int) -> str:
    """The table for people."""
    about = machine()
    lines = [
        "# Benchmark of the techniques",
        f"{about['processor']}, {about['cores']} cores; {about['system']}; Python {about['python']}; {about['date']}.",
        "A network of six hidden layers of 100 units on MNIST. Batch normalization, dropout and Adam: four settings by "
        "five seeds, 500 iterations, 21 evaluations on the minibatch and on all test images, against a PyTorch loop "
        "(the better of 1 and 2 threads). Overfitting: 300 images, six ways against it by five seeds, 20 epochs, "
        "each followed by an evaluation on the training and on all test images, against the textbook's loop in "
        "float64, which goes forward for the loss and for the accuracy. Seconds of the whole process, start-up and "
        f"results included; the best of {rounds}. Probes: what `evaluate: {{layers: true}}` adds to the training "
        "of the 2×3 sweep.",
        "| technique | against | dlsweep s | other s | wanted | reached | | |\n|---|---|--:|--:|--:|--:|---|---|\n"
        + "\n".join(map(line, rows)),
    ]
    return "\n\n".join(lines) + "\n"


def line(row: Row) -> str:
    """The row of the table."""

    def cell(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    if row.name == "probes":
        reached = "" if row.reached is None else f"{100 * row.reached:+.1f} %"
        wanted = f"≤ {100 * row.wanted:g} %"
    else:
        reached, wanted = cell(row.reached) and f"{cell(row.reached)} ×", f"≥ {row.wanted:g} ×"
    note = row.note.replace("\n", " ").replace("|", "\\|")
    return (
        f"| {row.name} | {row.other} | {cell(row.own_seconds)} | {cell(row.seconds)} | {wanted} | {reached} "
        f"| {row.verdict} | {note} |"
    )


def main() -> int:
    """Measure, print and write; the exit code is 0 unless something broke, or with --strict a bar was missed."""
    options = arguments()
    torch = importable({"torch"}, options.python)

    def loops(job: jobs.Job) -> list[Callable[[], Done]]:
        return [lambda n=n: peer("torch_techniques", options.python, n, job, options.quick) for n in (1, 2)]  # type: ignore[misc]

    rows = []
    for job in jobs.TECHNIQUES:
        if job.name in options.only:
            if torch:
                rows.append(against(job, "PyTorch loop", 3, loops(job), options))
            else:
                rows.append(Row(job.name, "PyTorch loop", 3, note="absent: no torch to import"))
    job = jobs.OVERFITTING
    if job.name in options.only:
        textbook = [lambda: peer("textbook_overfitting", Path(sys.executable), None, job, options.quick)]
        rows.append(against(job, "textbook loop, float64", 10, textbook, options))
    if "probes" in options.only:
        rows.append(probes(options))

    options.output.mkdir(parents=True, exist_ok=True)
    table = markdown(rows, options.rounds)
    (options.output / "techniques.md").write_text(table, encoding="utf-8")
    record = machine() | {"rows": [asdict(row) | {"verdict": row.verdict} for row in rows]}
    (options.output / "techniques.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(table)
    if any(row.reached is None and not row.note.startswith("absent") for row in rows):
        return 1
    return int(options.strict and any(row.verdict != "pass" for row in rows))


def arguments() -> argparse.Namespace:
    """The command line."""
    local = ROOT / ".venv-bench" / "bin" / "python"
    parser = argparse.ArgumentParser(prog="python -m bench.techniques", description="Measure dlsweep on techniques.")
    add = parser.add_argument
    add("--python", type=Path, default=local if local.exists() else Path(sys.executable), help="which has PyTorch")
    add("--rounds", type=int, default=1, help="(about 5 minutes each)")
    add("--output", type=Path, default=ROOT / "bench" / "results", help="folder for the table")
    parts = [*jobs.JOBS, "probes"]
    add("--only", nargs="+", choices=parts, default=parts, metavar="PART", help=f"of {', '.join(parts)}")
    add("--quick", action="store_true", help="a smoke run of a few iterations")
    add("--strict", action="store_true", help="exit with 1 when a bar is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
