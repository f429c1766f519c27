"""`dlsweep` where the control groups of this process are the folder `groups`, and the file `own`."""

import os
import sys
from pathlib import Path

from dlsweep.cli import main
from dlsweep.execution import machine

machine.GROUPS, machine.OWN = Path("groups"), Path("own")
os.sched_getaffinity = lambda number: set(range(8))
sys.argv[0] = "dlsweep"
main()
