"""Run `dlsweep ARGUMENTS` with the fault that the environment has."""

import runpy
import sys

from tests.support import faults

if __name__ == "__main__":
    faults.from_environment(runner=True)
    sys.argv[0] = "dlsweep"
    runpy.run_module("dlsweep", run_name="__main__")
