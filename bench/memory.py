"""Memory of a sweep, and its growth with the number of runs: `python -m bench.memory` (needs psutil).

The command line trains short sweeps of the 784-40-20-10 network of `configs/activation_init.yaml`. Every few
milliseconds, the resident memory of the command and of all its workers is summed. Shared memory counts once for each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time

import psutil

from bench.common import ACTIVATIONS, INITS, PROCESSES
from bench.dlsweep_command import CONFIG

ITERATIONS = 20
PAUSE = 0.005  # seconds between two measurements


def peak(seeds: int) -> int:
    """The maximum of the resident bytes of a sweep with this number of seeds."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "dlsweep", "run", str(CONFIG), f"seeds={seeds}", "plots=[]", "--quiet"]
        command += [f"train.iterations={ITERATIONS}", "--jobs", str(PROCESSES), "--output", output]
        process = psutil.Popen(command, stdout=subprocess.DEVNULL)
        most = 0
        while process.poll() is None:
            most = max(most, resident(process))
            time.sleep(PAUSE)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return most


def resident(process: psutil.Process) -> int:
    """Bytes of a process and of its descendants; an ended process has none."""
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return total
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def main() -> None:
    """Measure sweeps of growing size, print the peaks."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description="Peak memory by number of runs.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 50, 167, 334], help="each makes six runs")
    for seeds in parser.parse_args().seeds:
        runs = len(ACTIVATIONS) * len(INITS) * seeds
        print(f"{runs:6} runs: peak {peak(seeds) / 2**20:6.0f} MiB over command and workers", flush=True)


if __name__ == "__main__":
    main()
