"""The measurements as files: a table for people, a table and a record for programs."""

from __future__ import annotations

import csv
import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from bench.common import ACTIVATIONS, INITS, Job
from bench.contenders import Measurement
from bench.summary import Bar, Line
from dlsweep.storage import made_by

Tables = dict[Job, list[Line]]


def machine() -> dict[str, Any]:
    """Return the description of the machine. The kernel of the BLAS explains a good part of every ratio."""
    here = made_by.here()
    return {
        "processor": f"{here.processor}, {here.blas}",
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": date.today().isoformat(),
    }


def versions(measurements: Iterable[Measurement]) -> dict[str, str]:
    """Return the version of every library that took part."""
    return {name: v for m in measurements for name, v in m.report.versions.items()}


def write(folder: Path, measurements: list[Measurement], tables: Tables, bars: list[Bar]) -> None:
    """`bench.md`, `bench.csv` and `bench.json` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    about = machine() | {"versions": versions(measurements)}
    (folder / "bench.md").write_text(markdown(measurements, tables, bars, about), encoding="utf-8")
    record = {
        **about,
        "bars": [asdict(bar) | {"verdict": bar.verdict} for bar in bars],
        "measurements": [asdict(m) for m in measurements],
        "absent": {line.contender.name: line.note for table in tables.values() for line in table if line.best is None},
    }
    (folder / "bench.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    with (folder / "bench.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        columns = ["best", "median", "ratio", "compile", "whole", "whole_ratio", "note"]
        rows.writerow(["runs", "contender", *columns])
        for job, table in tables.items():
            rows.writerows([job.runs, line.contender.name, *(getattr(line, c) for c in columns)] for line in table)


def markdown(measurements: list[Measurement], tables: Tables, bars: list[Bar], about: dict[str, Any]) -> str:
    """The table for people."""
    names = ", ".join(f"{name} {v}" for name, v in about["versions"].items())
    parts = [
        "# Benchmark",
        f"{about['processor']}, {about['cores']} cores; {about['system']}; Python {about['python']}; {names}; "
        f"{about['date']}.",
        "Each contender trains the sweep of `configs/activation_init.yaml` (784-40-20-10, batch 100) in a process of "
        "its own, with the same arithmetic and the same evaluations, in float32 (the textbook: float64). The "
        "textbook's loop asks a network for its loss and for its accuracy, and the network goes forward for each; the "
        "row *one forward pass* takes both from the same logits, as all others do. *Training* is "
        "without start-up, reading of the data and compilation; the *whole process* is with them, and for dlsweep it "
        "is the whole command, results on disk included. What was tried with 1 and 2 threads goes into the longer job "
        "with the better of them. Ratios are taken within a round, in units of dlsweep's time; with several "
        "rounds, the median.",
    ]
    for job, table in tables.items():
        count = len({m.round for m in measurements if m.job == job})
        title = f"{job.runs} runs, {job.iterations} iterations, {job.evaluations} evaluations each"
        parts.append(f"## {title} ({count} round{'s' * (count > 1)})")
        parts.append(_table(table))
    if bars:
        parts += ["## Bars", "| bar | wanted | reached | |\n|---|--:|--:|---|\n" + "\n".join(map(_bar, bars))]
    if any(m.job.whole for m in measurements):
        parts += ["## Final test accuracy", _accuracies(measurements)]
    return "\n\n".join(parts) + "\n"


def _table(table: list[Line]) -> str:
    head = (
        "| contender | training, best s | median s | × dlsweep | compilation s | whole process s | × dlsweep | |\n"
        "|---|--:|--:|--:|--:|--:|--:|---|\n"
    )

    def cell(value: float | None, form: str = ".2f") -> str:
        return format(value, form) if value else ""

    return head + "\n".join(
        f"| {line.contender.name} | {cell(line.best)} | {cell(line.median)} | {cell(line.ratio)} "
        f"| {cell(line.compile)} | {cell(line.whole)} | {cell(line.whole_ratio)} | {line.note} |"
        for line in table
    )


def _bar(bar: Bar) -> str:
    reached = "" if bar.reached is None else f"{bar.reached:.2f}"
    return f"| {bar.name} ({bar.detail}) | {bar.wanted:g} | {reached} | {bar.verdict} |"


def _accuracies(measurements: list[Measurement]) -> str:
    """Each contender's accuracy per arm in the job with the most runs, which shows that all learned the same."""
    most = max(m.job.runs for m in measurements)
    reports = {m.contender.name: m.report.test_accuracy for m in measurements if m.job.runs == most}
    reports = {name: accuracy for name, accuracy in reports.items() if accuracy}
    arms = [f"{activation}, {init}" for activation in ACTIVATIONS for init in INITS]
    head = f"| contender | {' | '.join(arms)} | initialization of its own |\n|---|{'--:|' * len(arms)}---|\n"

    def row(accuracy: dict[str, float]) -> str:
        own = ", ".join(f"{arm.split(',')[0]} {value:.4f}" for arm, value in accuracy.items() if arm.endswith(" own"))
        return " | ".join([*(f"{accuracy[arm]:.4f}" if arm in accuracy else "" for arm in arms), own])

    return head + "\n".join(f"| {name} | {row(accuracy)} |" for name, accuracy in reports.items())
