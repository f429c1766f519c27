"""What the machine lends: memory that was freed is used again instead of being asked for anew."""

import platform
import subprocess
import sys

import pytest
from tests.support import PROGRAMS

from dlsweep import machine

FAULTS = (PROGRAMS / "freed_memory.py").read_text()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_freed_memory_is_used_again():
    """Without it each of the 200 arrays has its 512 pages cleared by the system anew."""
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 5_000


def test_a_job_of_slurm_uses_the_cores_and_the_memory_that_it_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CPUS_PER_TASK", "CPUS_ON_NODE", "MEM_PER_NODE", "MEM_PER_CPU"):
        monkeypatch.delenv(f"SLURM_{name}", raising=False)
    cores, memory = machine.cores(), machine.memory()
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")  # a job without --cpus-per-task
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "250")
    assert (machine.cores(), machine.memory()) == (1, 250 << 20)
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "2")
    assert machine.memory() == 500 << 20
    monkeypatch.delenv("SLURM_MEM_PER_CPU")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "500")
    assert (machine.cores(), machine.memory()) == (1, 500 << 20)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1000")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")  # all of the node
    assert (machine.cores(), machine.memory()) == (cores, memory)
