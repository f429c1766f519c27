"""Start programs in forks of this process, which has imported what they need; each would take a second to import it.

Reads a request a line, as JSON: `arguments` of `python` (`-m MODULE …` or `SCRIPT …`), `folder`, `environment`, and the
files `out` and `err`. Prints the exit code of each. A fork is a process like any other: its own folder, streams,
environment, signals, and the end that its program has.
"""

import atexit
import gc
import json
import os
import runpy
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import dlsweep
from dlsweep.registry import Registry

HEAVY = (
    "matplotlib.backends.backend_agg", "matplotlib.figure", "matplotlib.patheffects", "matplotlib.style", "pandas",
    "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin", "pyarrow.pandas_compat", "pyarrow.parquet",
    "pyarrow.vendored.version", "pydantic.dataclasses", "pydantic.type_adapter", "pydantic.types", "scipy.stats",
)  # fmt: skip
OWN = (
    "analysis.checked", "analysis.closing", "cli.app", "cli.choosing", "config.schema", "deciding", "forecast",
    "plots.figures", "progress", "sweep", "tuning",
)  # fmt: skip
NEWER = ("typer._adapters",)  # in newer versions only
REMOTE = ("aiobotocore.session", "s3fs", "upath.implementations.cloud")  # where they are installed
for module in (*HEAVY, *(f"dlsweep.{name}" for name in OWN)):
    import_module(module)
for module in (*filter(find_spec, NEWER), *(REMOTE if find_spec("s3fs") else ())):
    import_module(module)


def warm_up():
    """Train, compare and draw a tiny sweep: this builds once what each program would build again at its first use."""
    with TemporaryDirectory() as folder:
        samples = {"x_train": np.eye(6), "t_train": np.arange(6) % 3, "x_test": np.eye(6), "t_test": np.arange(6) % 3}
        np.savez(Path(folder, "tiny.npz"), **samples)
        config = {
            "name": "tiny", "data": {"npz": {"path": str(Path(folder, "tiny.npz"))}}, "model": {"mlp": {"hidden": [4]}},
            "train": {"iterations": 2, "batch_size": 2}, "seeds": 2, "grid": {"activation": ["tanh", "relu"]},
        }  # fmt: skip
        results = dlsweep.run(dlsweep.load(config), output=folder, executor="inline", quiet=True)
        results.leaderboard()
        dlsweep.plot(results)
    for registry in filter(lambda thing: isinstance(thing, Registry), gc.get_objects()):
        registry._asked_plugins = False  # a program has packages of its own


warm_up()
gc.freeze()  # else the collector touches, and so copies, every page in every fork
sys.dont_write_bytecode = True  # a test may change a module twice in the second that bytecode is dated to


def become(arguments, folder, environment, out, err):
    """Take the streams, the folder, the environment and the arguments of a program; return what runs it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, stream in enumerate((os.open(os.devnull, os.O_RDONLY), os.open(out, flags), os.open(err, flags))):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    added = list(filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)))
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[:1] = [folder, *added]
        return lambda: runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    sys.argv = arguments
    sys.path[:1] = [str(Path(arguments[0]).parent), *added]
    return lambda: runpy.run_path(arguments[0], run_name="__main__")


def run(program):
    """Run a program in a fork to its end.

    Nothing is taken apart after its last handler: that would touch, and so copy, every page of the process.
    """
    code = 0
    try:
        program()
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def program():
    """Wait for requests; return the program of the next one in a fork, and never in this process."""
    while line := sys.stdin.readline():
        request = json.loads(line)
        if not (pid := os.fork()):
            return become(**request)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    sys.exit()


run(program())
