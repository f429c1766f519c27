"""Run a sweep that is done again and again, each time in a fork in which the next of its reads fails.

Arguments: the config, the folder of its results, the error. Prints for each fork how it ended and how the folder looks;
the last line is that of the fork in which nothing failed any more.
"""

import errno
import gc
import hashlib
import json
import os
import sys
from functools import partial
from pathlib import Path

from tests.support.forks import forked

import dlsweep
import dlsweep.sweep

config, output, name = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
config = dlsweep.load(config)


def doomed(number):
    """Run the sweep; the read of that number, below the folder of results, fails."""
    count = 0

    def failing(operation):
        def called(what, *args, **kwargs):
            nonlocal count
            path = os.fspath(what) if isinstance(what, (str, os.PathLike)) else ""
            writes = bool(args) and isinstance(args[0], int) and bool(args[0] & (os.O_WRONLY | os.O_RDWR))
            syncs = operation is plain_open and Path(path).is_dir()
            if path.startswith(str(output)) and not path.endswith((".tmp", ".runner.json")) and not (writes or syncs):
                count += 1
                if count == number:
                    raise OSError(getattr(errno, name), os.strerror(getattr(errno, name)), path)
            return operation(what, *args, **kwargs)

        return called

    plain_open = os.open
    for function in ("open", "listdir", "scandir"):
        setattr(os, function, failing(getattr(os, function)))
    dlsweep.run(config, output=output, executor="inline", quiet=True)
    os._exit(0 if count >= number else 42)


def look():
    """All files with their content, but for the list of sessions, which grows."""
    files = sorted(p for p in output.rglob("*") if p.is_file() and p.name not in (".lock", "sweep.json"))
    return hashlib.sha256(repr([(str(p), p.read_bytes()) for p in files]).encode()).hexdigest()


dlsweep.run(
    config, output=output, executor="inline", quiet=True
)  # import and cache once, and not in each fork, what it needs
gc.freeze()
number, ended = 0, 0
while ended != 42:
    number += 1
    ended = forked(partial(doomed, number), str(output))
    print(json.dumps([ended, look()]), flush=True)
