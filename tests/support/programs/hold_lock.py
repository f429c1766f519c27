"""Hold the lock of a folder, the argument, until killed."""

import sys
import time
from pathlib import Path

from dlsweep.storage.folder import LocalFolder

with LocalFolder(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
