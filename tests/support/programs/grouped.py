"""`dlsweep` where the control groups of this process are the folder `groups`, and the file `own`."""

import os
import sys
from pathlib import Path

from dlsweep import machine
from dlsweep.cli import main

machine.GROUPS, machine.OWN = Path("groups"), Path("own")
os.sched_getaffinity = lambda number: set(range(8))
sys.argv[0] = "dlsweep"
main()
