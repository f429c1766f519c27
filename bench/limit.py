"""The machine's limit: large matrix products in as many processes as dlsweep has, each with one BLAS thread.

Their operations per second give the time of the sweep's nominal arithmetic, as if it consisted only of such products. A
contender that skips arithmetic (products with zeros) can be faster than this limit.
"""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from bench import common

SIZE = 2048  # rows and columns; 1024 reaches the same
SECONDS = 2.0


def products() -> float:
    """Operations a second of `SIZE`² products, one after the other."""
    a, b = np.random.default_rng(0).random((2, SIZE, SIZE), np.float32)
    c = a @ b
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        np.matmul(a, b, out=c)
        count += 1
    return 2 * SIZE**3 * count / (time.perf_counter() - start)


def measure(job: common.Job) -> common.Report:
    """All processes at once, and the job's nominal time at their rate."""
    command = [sys.executable, "-c", "from bench import limit; print(limit.products())"]
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=common.environment(threads=1), cwd=common.ROOT, text=True)
        for _ in range(common.PROCESSES)
    ]
    rate = sum(float(worker.communicate()[0]) for worker in workers)
    seconds = job.flops / rate
    return common.Report(
        runs=job.runs,
        evaluations=job.evaluations,
        seconds=seconds,
        whole_seconds=seconds,
        note=f"{rate / 1e9:.0f} GFLOP/s",
        versions={"numpy": np.__version__},
    )


if __name__ == "__main__":
    common.main(measure)
