"""Bars as rows of a table, each with the seconds of a contender and of dlsweep; and the command line for them."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.common import PROCESSES, ROOT
from bench.report import machine

CLOSE = 0.05  # accuracies of the same job, mean over its runs: the draws differ


@dataclass(frozen=True)
class Row:
    """A bar, in words and numbers, with the seconds of dlsweep and of the other contender in their best rounds.

    reached: the ratio of the other's time to dlsweep's, or the share by which probes lengthen the training. It is None
    if one of the two is absent or broke; `note` then has the reason.
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
    """Failed measurement, or a measurement of another job; the message is one line."""


@dataclass(frozen=True)
class Done:
    """Seconds of a process, and the mean accuracy on the test images at the end."""

    seconds: float
    accuracy: float


def own(config: dict[str, Any], runs: int, *, quick: bool = False) -> tuple[Done, float]:
    """Time the user's command, and return the seconds of its training loops; quick: in one process."""
    import dlsweep

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "technique.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [sys.executable, "-m", "dlsweep", "run", str(path), "--quiet", "--output", place]
        seconds, _ = timed([*command, "--jobs", str(1 if quick else PROCESSES)])
        results = dlsweep.open_results(Path(place) / config["name"])
        table = results.runs
    if len(table) != runs or set(table["status"]) != {"done"}:
        raise Broken(f"dlsweep: {table['status'].value_counts().to_dict()} instead of {runs} runs done")
    return Done(seconds, float(table["final_test_accuracy"].mean())), float(table["seconds"].sum())


def timed(command: list[str], env: dict[str, str] | None = None) -> tuple[float, str]:
    """The seconds of a process, and its output."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise Broken(f"{' '.join(command[1:5])} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return seconds, done.stdout


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


def arguments(name: str, description: str, parts: Iterable[str], *, rounds: int, minutes: int) -> argparse.Namespace:
    """The command line of `bench.<name>`; rounds: the default number; minutes: of each."""
    local = ROOT / ".venv-bench" / "bin" / "python"
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=description)
    add = parser.add_argument
    add("--python", type=Path, default=local if local.exists() else Path(sys.executable), help="which has PyTorch")
    add("--rounds", type=int, default=rounds, help=f"(about {minutes} minutes each)")
    add("--output", type=Path, default=ROOT / "bench" / "results", help="folder for the table")
    parts = list(parts)
    add("--only", nargs="+", choices=parts, default=parts, metavar="PART", help=f"of {', '.join(parts)}")
    add("--quick", action="store_true", help="a smoke run of a few iterations")
    add("--strict", action="store_true", help="exit with 1 when a bar is missed")
    return parser.parse_args()


def finish(name: str, title: str, about: str, first: str, rows: Sequence[Row], options: argparse.Namespace) -> int:
    """Write the rows as a table for people and as a record for programs, and print the table.

    about: a description of the measurement; first: the heading of the first column. Return the exit code: 0 unless
    something broke or, with --strict, a bar was missed.
    """
    here = machine()
    where = f"{here['processor']}, {here['cores']} cores; {here['system']}; Python {here['python']}; {here['date']}."
    head = f"| {first} | against | dlsweep s | other s | wanted | reached | | |\n|---|---|--:|--:|--:|--:|---|---|"
    table = "\n\n".join([f"# {title}", where, about, "\n".join([head, *map(line, rows)])]) + "\n"
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / f"{name}.md").write_text(table, encoding="utf-8")
    record = here | {"rows": [asdict(row) | {"verdict": row.verdict} for row in rows]}
    (options.output / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(table)
    if any(row.reached is None and not row.note.startswith("absent") for row in rows):
        return 1
    return int(options.strict and any(row.verdict != "pass" for row in rows))
