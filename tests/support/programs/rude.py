"""Run a sweep whose activation raises what ends programs. Arguments: the config, the output folder, the executor."""

import builtins
import json
import sys

import dlsweep


@dlsweep.activations.register
def rude(x, *, mood: str = "SystemExit"):
    """Raise the exception of that name."""
    raise getattr(builtins, mood)


if __name__ == "__main__":
    dlsweep.run(json.loads(sys.argv[1]), output=sys.argv[2], executor=sys.argv[3], report=dlsweep.Reporter())
