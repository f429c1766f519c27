"""Run a sweep again and again, each time in a fork in which its next durable operation is its end.

Arguments: "kill" or "error"; the config; a config that is run before, or null; options of the sweep; two folders. After
each fork the sweep runs once more, in this process, and ends well. Prints for every operation how both ended, a digest
of the results, and the lengths that a reader found between the two, if the config before trained shorter or the option
`parts` has the parts united.
"""

import errno
import gc
import hashlib
import json
import os
import shutil
import signal
import sys
from functools import partial
from pathlib import Path

from tests.support.forks import forked

import dlsweep
import dlsweep.sweep
from dlsweep.errors import DlsweepError
from dlsweep.storage import compaction

fate, config, before, options = sys.argv[1], *map(json.loads, sys.argv[2:5])
output, start = Path(sys.argv[5]), Path(sys.argv[6])


compaction.MOST = options.pop("parts", compaction.MOST)
compacted = compaction.MOST == 1
shorter = bool(before) and before["train"] != config["train"]
config, before = dlsweep.load(config), before and dlsweep.load(before)


def sweep(config=config, **options):
    dlsweep.run(config, output=output, executor="inline", quiet=True, **options)


def doomed(number):
    count = 0

    def meeting(operation):
        def met(*args, **kwargs):
            nonlocal count
            count += 1
            if count == number and fate == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if count == number:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return operation(*args, **kwargs)

        return met

    for name in ("fsync", "replace", "mkdir", "unlink"):
        setattr(os, name, meeting(getattr(os, name)))
    sweep(**options)
    os._exit(0 if count >= number else 42)


def resumed():
    try:
        sweep(**options)
    except DlsweepError as error:
        return error.exit_code
    return 0


def look():
    results = dlsweep.open_results(output / config.name)
    curves = results.curves
    tables = list(results.record.tables.schemas)
    frames = [curves, *([results.ensembles] if "ensembles" in tables else [])]
    measured = [frame[c].to_numpy().tobytes() for frame in frames for c in ("iteration", "loss", "accuracy")]
    kept = sorted((path.name, path.read_bytes()) for path in results.folder.glob("weights/*"))
    told = results.runs.run_id.tolist(), *measured, *kept
    hidden = [path.name for path in output.rglob(".*") if path.name != ".lock"]
    parts = {len(list((results.folder / table).iterdir())) for table in tables}
    return hashlib.sha256(repr(told).encode()).hexdigest(), hidden, parts == {1} if compacted else len(parts) == 1


def warm_up():
    """Import and cache what the first sweep of a process needs, once and not in each fork."""
    sweep()
    look()
    shutil.rmtree(output)
    gc.freeze()


warm_up()
if before:
    assert forked(lambda: sweep(before)) == 0
    if not (options or shorter):
        part = next((output / config.name / "curves").iterdir())
        part.write_bytes(part.read_bytes()[:-1])
    shutil.copytree(output, start, dirs_exist_ok=True)
number, ended = 0, 0
while ended != 42:
    number += 1
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(start, output)
    ended = forked(partial(doomed, number))
    readable = shorter or (compacted and (output / config.name / "sweep.json").exists())
    found = dlsweep.open_results(output / config.name).runs.iterations.tolist() if readable else []
    print(json.dumps([number, ended, resumed(), *look(), found]), flush=True)
