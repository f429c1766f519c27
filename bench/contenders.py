"""The contenders, and the function that runs and times one of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.common import ROOT, Job, Report, environment


@dataclass(frozen=True)
class Contender:
    """One way to do the job.

    group: of the contenders of a group, the best counts (one library with 1 and 2 threads). module: in `bench`. needs:
    the module that its Python must be able to import; empty if the Python of the bench runs it. threads: None is the
    library's default.
    """

    name: str
    group: str
    module: str
    needs: str = ""
    threads: int | None = None


DLSWEEP = Contender("dlsweep, 2 processes", "dlsweep", "dlsweep_command")
LIMIT = Contender("the machine's limit", "limit", "limit")
TEXTBOOK = Contender("textbook loop, float64", "textbook", "textbook")
TEXTBOOK_ONCE = Contender("textbook, one forward pass", "textbook, one pass", "textbook_once")
PEERS = (
    TEXTBOOK,
    TEXTBOOK_ONCE,
    Contender("PyTorch loop, 1 thread", "PyTorch loop", "torch_loop", "torch", 1),
    Contender("PyTorch loop, 2 threads", "PyTorch loop", "torch_loop", "torch", 2),
    Contender("torch.func.vmap, 1 thread", "torch.func.vmap", "torch_vmap", "torch", 1),
    Contender("torch.func.vmap, 2 threads", "torch.func.vmap", "torch_vmap", "torch", 2),
    Contender("jax.vmap and scan", "jax.vmap", "jax_vmap", "jax"),
    Contender("scikit-learn MLPClassifier", "scikit-learn", "sklearn_mlp", "sklearn"),
)


@dataclass(frozen=True)
class Measurement:
    """A contender's report on one job; whole: seconds of its whole process."""

    contender: Contender
    job: Job
    round: int
    report: Report
    whole: float


class Broken(Exception):
    """Installed contender that failed, or did another job."""


def importable(packages: set[str], python: Path) -> set[str]:
    """Return the packages that this Python can import."""
    code = "import importlib.util as u, sys; print(*[p for p in sys.argv[1:] if u.find_spec(p)])"
    done = subprocess.run([python, "-c", code, *packages], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def measure(contender: Contender, job: Job, number: int, python: Path) -> Measurement:
    """Run a contender in its own process, time the process, and check that it did the job.

    python: the interpreter for contenders that need another library. Raise `Broken`.
    """
    interpreter = python if contender.needs else Path(sys.executable)
    command = [str(interpreter), "-m", f"bench.{contender.module}"]
    command += ["--seeds", str(job.seeds), "--iterations", str(job.iterations)]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(contender.threads))
    elapsed = time.perf_counter() - start
    if done.returncode:
        raise Broken(f"{contender.name} ended with {done.returncode}:\n{done.stderr.strip()}")
    report = Report(**json.loads(done.stdout.splitlines()[-1]))
    if faults := report.faults(job):
        raise Broken(f"{contender.name} did another job: {'; '.join(faults)}")
    return Measurement(contender, job, number, report, report.whole_seconds or elapsed)
