"""Load every file of the working folder as a config, each in a fork with little memory; print how each ended.

What a fork says goes to a file beside the config. It exits with 2 if it refused the config in a sentence, with 1
after a traceback; a limit ends it with a signal.
"""

import gc
import json
import os
import resource
import sys
import traceback
import warnings
from pathlib import Path

import pydantic  # noqa: F401  imported before the memory is limited, as the others

import dlsweep.datasets
import dlsweep.nn.networks
import dlsweep.plots  # noqa: F401
from dlsweep.config import load
from dlsweep.errors import ConfigError

MEMORY, SECONDS = 200_000_000, 30


def read(path):
    """Load a config within the limits."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        load(path)
    except ConfigError as error:
        print(error)
        return 2
    return 0


warnings.simplefilter(
    "ignore", DeprecationWarning
)  # newer Pythons warn of a fork beside threads, which these forks do not use
gc.freeze()  # else the collector touches, and so copies, every page in every fork
status = {}
for path in sorted(file.name for file in Path().iterdir()):
    pid = os.fork()
    if not pid:
        out = os.open(f"{path}.out", os.O_WRONLY | os.O_CREAT)
        os.dup2(out, 1), os.dup2(out, 2)
        code = 1
        try:
            code = read(path)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)  # nothing is taken apart, which would touch every page, too
    status[path] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps(status))
