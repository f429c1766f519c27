"""The evaluation of the six networks alone, as in dlsweep's training: two processes, each with half of the runs.

Both start at the same moment, after an evaluation that does not count. The seconds of the slower process count.
"""

from __future__ import annotations

import time
from multiprocessing import get_context
from typing import Any

import numpy as np

from bench import common
from bench import convolution_jobs as jobs


def evaluation(job: jobs.Job) -> common.Report:
    """The untrained networks on the test images."""
    context = get_context("spawn")
    barrier, seconds = context.Barrier(common.PROCESSES), context.SimpleQueue()
    workers = [context.Process(target=_work, args=(job, i, barrier, seconds)) for i in range(common.PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a process that evaluates has failed")
    slower = max(seconds.get() for _ in workers)
    return common.Report(job.runs, 1, slower, versions=common.versions("dlsweep", "numpy"))


def _work(job: jobs.Job, number: int, barrier: Any, seconds: Any) -> None:
    """One process, one BLAS thread."""
    from threadpoolctl import threadpool_limits

    import dlsweep
    from dlsweep.datasets import open_dataset
    from dlsweep.machine import keep_freed_memory
    from dlsweep.training.loop import Training

    keep_freed_memory()
    config = jobs.config(job)
    config["data"]["mnist"]["test"] = job.images
    config["evaluate"] = {"every": job.every, "on": ["test"]}
    runs = list(dlsweep.plan(dlsweep.load(config)).missing(()))[number :: common.PROCESSES]
    with threadpool_limits(1):
        try:
            training = Training(runs, open_dataset(runs[0].arm.data), np.dtype(np.float32))
            training.evaluate(0)
            barrier.wait(timeout=120)
        except BaseException:
            barrier.abort()
            raise
        start = time.perf_counter()
        training.evaluate(0)
        seconds.put(time.perf_counter() - start)


if __name__ == "__main__":
    jobs.main({"evaluation": evaluation})
