"""Measure dlsweep on the techniques: `python -m bench.techniques --help`.

It compares batch normalization, dropout and Adam with a PyTorch loop, and the overfitting of 300 images with the
textbook's loop. The times are those of whole processes, including start-up and results on disk. It also measures the
time of probes: the 2×3 sweep with and without `evaluate: {layers: true}`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlsweep
from bench import jobs
from bench.common import ROOT, SMOKE, environment
from bench.contenders import importable
from bench.rows import CLOSE, Broken, Done, Row, arguments, finish, own, timed

PROBED = ROOT / "configs" / "activation_init.yaml"


def peer(module: str, python: Path, threads: int | None, job: jobs.Job, quick: bool) -> Done:
    """A contender's whole process."""
    command = [str(python), "-m", f"bench.{module}", job.name, *["--quick"] * quick]
    seconds, output = timed(command, environment(threads))
    report = json.loads(output.splitlines()[-1])
    job = jobs.shortened(job) if quick else job
    if (report["runs"], report["evaluations"]) != (job.runs, job.evaluations):
        raise Broken(f"{module} did another job: {report['runs']} runs, {report['evaluations']} evaluations")
    return Done(seconds, report["test_accuracy"][job.name])


def against(job: jobs.Job, other: str, wanted: float, others: list[Callable[[], Done]], options: Any) -> Row:
    """dlsweep against the best of `others`, in rounds."""
    row = Row(job.name, other, wanted)
    mine, theirs = [], []
    small = jobs.shortened(job) if options.quick else job
    try:
        for _ in range(options.rounds):
            mine.append(own(jobs.config(small), small.runs, quick=options.quick)[0])
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
    config |= {"data": {"mnist": {"train": SMOKE, "test": SMOKE}}} if options.quick else {}
    config |= {"seeds": seeds, "train": config["train"] | {"iterations": iterations}}
    probed = config | {"evaluate": config["evaluate"] | {"layers": True}}
    plain_seconds, probed_seconds = [], []
    try:
        for _ in range(options.rounds):
            plain_seconds.append(own(config, 6 * seeds, quick=options.quick)[1])
            probed_seconds.append(own(probed, 6 * seeds, quick=options.quick)[1])
    except Broken as error:
        return Row("probes", "without", 0.05, note=str(error))
    a, b = min(plain_seconds), min(probed_seconds)
    return Row("probes", "without", 0.05, b, a, b / a - 1, "seconds of the training loops, both workers together")


def main() -> int:
    """Measure, print and write."""
    parts = [*jobs.JOBS, "probes"]
    options = arguments("techniques", "Measure dlsweep on techniques.", parts, rounds=1, minutes=5)
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
    about = (
        "A network of six hidden layers of 100 units on MNIST. Batch normalization, dropout and Adam: four settings by "
        "five seeds, 500 iterations, 21 evaluations on the minibatch and on all test images, against a PyTorch loop "
        "(the better of 1 and 2 threads). Overfitting: 300 images, six ways against it by five seeds, 20 epochs, "
        "each followed by an evaluation on the training and on all test images, against the textbook's loop in "
        "float64, which goes forward for the loss and for the accuracy. Seconds of the whole process, start-up and "
        f"results included; the best of {options.rounds}. Probes: what `evaluate: {{layers: true}}` adds to the "
        "training of the 2×3 sweep."
    )
    return finish("techniques", "Benchmark of the techniques", about, "technique", rows, options)


if __name__ == "__main__":
    sys.exit(main())
