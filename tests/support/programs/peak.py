"""Print the bytes that a sweep's only stack took while it trained, and the bytes that its plan says that it takes."""

import json
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

from dlsweep import load
from dlsweep.datasets import data_of
from dlsweep.training.loop import train
from dlsweep.training.plan import plan


def status(name):
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


threadpool_limits(1)
config = load(json.loads(sys.argv[1]))
runs, (cohort,) = tuple(config.runs()), plan(config).cohorts
data = data_of(runs[0].arm)
_ = data.arrays
before = status("VmRSS")
train(runs, data)
print(status("VmHWM") - before, len(runs) * cohort.memory)
