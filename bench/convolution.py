"""Measure dlsweep on convolutional networks: `python -m bench.convolution --help`.

It compares six runs of `simple_cnn` with the textbook's im2col loop and a PyTorch loop, and six runs of `lenet` with a
PyTorch loop. It measures training with its evaluations, as the whole process and as the training loops alone. It also
measures the evaluation of six networks on all test images.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import convolution_jobs as jobs
from bench.common import PROCESSES
from bench.contenders import importable
from bench.rows import CLOSE, Broken, Row, arguments, finish, own, timed

TEXTBOOK, TORCH = "textbook loop, float64", "PyTorch loop"
WANTED = {(jobs.SIMPLE_CNN, TEXTBOOK): 15.0, (jobs.SIMPLE_CNN, TORCH): 2.0, (jobs.LENET, TORCH): 1.5}
MODULES = {TEXTBOOK: "textbook_convolution", TORCH: "torch_convolution"}


@dataclass
class Seconds:
    """The best seconds of a contender in the rounds so far, and notes."""

    best: dict[str, float] = field(default_factory=dict)
    accuracy: float | None = None
    note: str = ""

    def add(self, **seconds: float) -> None:
        """Another round's."""
        for what, value in seconds.items():
            self.best[what] = min(value, self.best.get(what, value))


def peer(seconds: Seconds, name: str, python: Path, job: jobs.Job, quick: bool) -> None:
    """A contender's round: training, and the separate evaluation."""
    for part in jobs.PARTS:
        whole, report = _reported(python, MODULES[name], job, part, quick)
        expected = job.evaluations if part == "training" else 1
        if (report["runs"], report["evaluations"]) != (job.runs, expected):
            raise Broken(f"{name} did another job: {report['runs']} runs, {report['evaluations']} evaluations")
        seconds.add(**{part: report["seconds"]})
        if part == "training":
            seconds.note = report["note"]
            seconds.accuracy = report["test_accuracy"].get(job.name)
            if not report["note"].startswith("counted up"):
                seconds.add(**{"whole process": whole - report["compile_seconds"]})


def dlsweep_round(seconds: Seconds, job: jobs.Job, quick: bool) -> None:
    """A round of dlsweep: the user's command, its loops spread over the processes, and the separate evaluation."""
    done, loops = own(jobs.config(job), job.runs, quick=quick)
    seconds.accuracy = done.accuracy
    _, report = _reported(Path(sys.executable), "dlsweep_evaluation", job, "evaluation", quick)
    seconds.add(**{"whole process": done.seconds, "training": loops / PROCESSES, "evaluation": report["seconds"]})


def _reported(python: Path, module: str, job: jobs.Job, part: str, quick: bool) -> tuple[float, dict[str, Any]]:
    seconds, output = timed([str(python), "-m", f"bench.{module}", job.name, part, *["--quick"] * quick])
    report: dict[str, Any] = json.loads(output.splitlines()[-1])
    return seconds, report


def compared(named: jobs.Job, options: Any, absent: dict[str, str]) -> list[Row]:
    """dlsweep and its peers on a job, in turn, round by round."""
    job = jobs.shortened(named) if options.quick else named
    others = {name: Seconds() for of, name in WANTED if of == named and name not in absent}
    mine = Seconds()
    pythons = {TEXTBOOK: Path(sys.executable), TORCH: options.python}
    broken = ""
    try:
        for _ in range(options.rounds):
            dlsweep_round(mine, job, options.quick)
            for name, seconds in others.items():
                peer(seconds, name, pythons[name], job, options.quick)
    except Broken as error:
        broken = str(error)
    rows = []
    for (of, name), wanted in WANTED.items():
        if of != named:
            continue
        for what in ("whole process", "training", "evaluation"):
            row = Row(f"{named.name}, {what}", name, wanted)
            if broken or name in absent:
                rows.append(Row(row.name, name, wanted, note=broken or absent[name]))
            elif what in others[name].best:
                rows.append(_judged(row, what, mine, others[name], options.quick))
    return rows


def _judged(row: Row, what: str, mine: Seconds, other: Seconds, quick: bool) -> Row:
    note = other.note
    if mine.accuracy is not None and other.accuracy is not None and what == "training":
        note += f"; test accuracy {mine.accuracy:.3f}, the other's {other.accuracy:.3f}"
        if abs(mine.accuracy - other.accuracy) > CLOSE and not quick:
            return Row(row.name, row.other, row.wanted, note=f"not the same job: {note}")
    a, b = mine.best[what], other.best[what]
    return Row(row.name, row.other, row.wanted, a, b, b / a, note)


def main() -> int:
    """Measure, print and write."""
    options = arguments("convolution", "Measure dlsweep on images.", jobs.JOBS, rounds=2, minutes=1)
    absent = {} if importable({"torch"}, options.python) else {TORCH: "absent: no torch to import"}
    rows = [row for name in options.only for row in compared(jobs.JOBS[name], options, absent)]
    job = jobs.SIMPLE_CNN
    about = (
        "`simple_cnn` (30 kernels of 5×5, ReLU, max-pooling, 100 units) and `lenet` (the original's layout, ReLU) on "
        f"MNIST: three learning rates of Adam by two seeds, six runs; {job.iterations} iterations with minibatches of "
        f"100, and {job.evaluations} evaluations on the minibatch and on {job.tested} test images. *Whole process*: "
        "`dlsweep run` with two processes, start-up and results on disk included, against the other's process. "
        "*Training*: the training loops with their evaluations alone; dlsweep's are the `seconds` of its runs, spread "
        "over two processes. *Evaluation*: six networks on "
        f"{job.images:,} test images. PyTorch in float32 with 1 or 2 threads and either layout of memory, whichever "
        "ten steps beforehand were quicker with (they do not count); the textbook's loop, im2col in float64, is timed "
        "on one run and counted up to the same number of steps and evaluations. Seconds: the best of the rounds, "
        f"{options.rounds}."
    )
    return finish("convolution", "Benchmark of convolutional networks", about, "network", rows, options)


if __name__ == "__main__":
    sys.exit(main())
