"""The sweep with the user's command, `dlsweep run`: timed from outside, with its results read from disk.

The whole process is the whole command: start-up, reading, training, checks, and writing the results to disk. The time
of training is that of the slower worker in its training loop. Each of the two workers trains the stack of one
activation.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import common

CONFIG = common.ROOT / "configs" / "activation_init.yaml"


def measure(job: common.Job) -> common.Report:
    """Run the command in its own folder, then check that the results are those of the job."""
    import dlsweep

    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "dlsweep", "run", str(CONFIG), f"seeds={job.seeds}", "plots=[]", "--quiet"]
        command += [f"train.iterations={job.iterations}", "--jobs", str(common.PROCESSES), "--output", output]
        command += [] if job.whole else [f"data={{mnist: {{train: {common.SMOKE}, test: {common.SMOKE}}}}}"]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        (folder,) = Path(output).iterdir()
        results = dlsweep.open_results(folder)
        runs, curves = results.runs, results.curves

    per_run = curves[curves["split"] == "test"].groupby("run_id", observed=True).size()
    assert set(per_run) == {job.evaluations}, f"evaluations per run: {sorted(set(per_run))}"
    # The label of a level with settings begins with the name: "normal std=0.01".
    runs["name"] = [f"{activation}, {init.split()[0]}" for activation, init in zip(runs["activation"], runs["init"])]
    return common.Report(
        runs=len(runs),
        evaluations=job.evaluations,
        seconds=float(runs.groupby("activation", observed=True)["seconds"].sum().max()),
        whole_seconds=seconds,
        test_accuracy={str(k): float(v) for k, v in runs.groupby("name")["final_test_accuracy"].mean().items()},
        versions=common.versions("dlsweep", "numpy"),
    )


if __name__ == "__main__":
    common.main(measure)
