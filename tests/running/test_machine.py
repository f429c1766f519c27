"""What the machine lends: memory that was freed is used again instead of being asked for anew."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from dlsweep.running.machine import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        arrays = [np.zeros(1 << 18) + 1 for _ in range(4)]  # two megabytes each, all freed together
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_freed_memory_is_used_again():
    """Without it each of the 200 arrays has its 512 pages cleared by the system anew."""
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 5_000
