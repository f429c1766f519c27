"""Print how many page faults it takes to allocate and free memory again."""

import resource

import numpy as np

from dlsweep.machine import keep_freed_memory


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        arrays = [np.zeros(1 << 18) + 1 for _ in range(4)]  # two megabytes each, all freed together
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


keep_freed_memory()
faults()
print(faults())
