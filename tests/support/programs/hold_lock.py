"""Hold the lock of a folder, the argument, until killed."""

import sys
import time
from pathlib import Path

from dlsweep.storage.lock import sole_runner

with sole_runner(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
