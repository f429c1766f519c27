"""Time of a run beyond its arithmetic: `python -m bench.orchestration`.

The command line trains 2000 tiny networks. The time of the training loop is subtracted from the time of the command.
The rest (start-up, config, plan, workers, tables, files) is divided by the number of runs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.common import PROCESSES

LEVELS, SEEDS = 100, 20

CONFIG = """\
name: orchestration
data: {{npz: {{path: tiny.npz}}}}
model: {{mlp: {{hidden: [4]}}}}
train: {{iterations: 20, batch_size: 10, sampling: replacement}}
evaluate: {{every: 10, on: [batch, test]}}
seeds: {seeds}
grid:
  activation: [sigmoid, relu]
  optimizer: {{sgd: {{lr: {rates}}}}}
"""


def main() -> None:
    """Write the sweep, run it, print the milliseconds per run."""
    import dlsweep

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        x, t = rng.random((120, 8), np.float32), rng.integers(0, 3, 120)
        np.savez(folder / "tiny.npz", x_train=x[:100], t_train=t[:100], x_test=x[100:], t_test=t[100:])
        rates = [round(0.001 * (1 + i), 3) for i in range(LEVELS // 2)]
        config = folder / "tiny.yaml"
        config.write_text(CONFIG.format(seeds=SEEDS, rates=rates), encoding="utf-8")
        command = [sys.executable, "-m", "dlsweep", "run", str(config), "--quiet", "-o", place, "-j", str(PROCESSES)]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        whole = time.perf_counter() - start
        runs = dlsweep.open_results(folder / "orchestration").runs

    assert len(runs) == LEVELS * SEEDS, len(runs)
    assert set(runs["status"]) == {"done"}
    arithmetic = runs["seconds"].sum() / PROCESSES
    each = 1000 * (whole - arithmetic) / len(runs)
    print(
        f"{len(runs)} runs in {whole:.2f} s, {arithmetic:.2f} s of it in the training loop: {each:.2f} ms a run beyond"
    )


if __name__ == "__main__":
    main()
