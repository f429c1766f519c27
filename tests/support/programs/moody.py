"""Run a sweep with an optimizer that behaves badly at one learning rate. Arguments: config and options, as JSON."""

import gc
import json
import os
import signal
import struct
import sys
import time
from multiprocessing.connection import Connection

import numpy as np

import dlsweep
from dlsweep.errors import DlsweepError


def fail():
    raise ValueError("no such luck")


def crash():
    os.kill(os.getpid(), signal.SIGKILL)


def leave():
    os._exit(3)


def hang():
    time.sleep(600)


def mumble():
    """Die in the middle of a message to the runner."""
    (pipe,) = (one for one in gc.get_objects() if isinstance(one, Connection))
    os.write(pipe.fileno(), struct.pack("!i", 100) + b"half")
    crash()


@dlsweep.optimizers.register
def moody(w, g, t, *, lr: float = 0.1, mood: str = "fail"):
    "Plain gradient descent, but not with every learning rate."
    if np.any(lr == np.float32(0.5)):
        globals()[mood]()
    return (w - lr * g,)


if __name__ == "__main__":
    config, options = map(json.loads, sys.argv[1:])
    try:
        dlsweep.run(config, report=dlsweep.Reporter(), **options)
    except DlsweepError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
