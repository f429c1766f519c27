"""Progress in Python: a bar or sentences by default, on stderr; silence, or a listener of one's own, if asked."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.sweeps import Execute, Make

RUN = """
import json, sys, dlsweep
options = json.loads(sys.argv[3])
dlsweep.run(json.loads(sys.argv[1]), output=sys.argv[2], **options)
"""

SWISH = """
import numpy as np, dlsweep

@dlsweep.activations.register
def swish(x):
    "x times its sigmoid."
    s = 1 / (1 + np.exp(-x))
    return x * s, lambda dy: dy * (s + x * s * (1 - s))
"""

LISTENER = """
import sys, dlsweep

class Listener(dlsweep.Reporter):
    def start(self, total, done, iterations):
        print("start", total, done, iterations, file=sys.stderr)
    def receipt(self, receipt):
        print("receipt", *receipt.statuses, file=sys.stderr)
    def close(self):
        print("close", file=sys.stderr)
"""


def test_sentences_where_there_is_no_terminal(make: Make, execute: Execute, tmp_path: Path) -> None:
    config = json.dumps(make())
    code, told = execute(RUN, config, tmp_path, json.dumps({"jobs": 1}))
    first, last = told.splitlines()
    assert (code, first) == (0, "tiny: training 12 runs, 72 iterations")
    assert re.fullmatch(r"tiny: 12/12 runs after \d+\.\d s", last)
    assert execute(RUN, config, tmp_path / "quiet", json.dumps({"jobs": 1, "quiet": True})) == (0, "")


def test_a_bar_in_a_notebook(make: Make, execute: Execute, tmp_path: Path) -> None:
    notebook = "import sys, types; sys.modules['ipykernel'] = types.ModuleType('ipykernel')\n"
    code, told = execute(notebook + RUN, json.dumps(make()), tmp_path, json.dumps({"jobs": 1}))
    assert code == 0
    assert re.search(r"tiny: 12/12 runs \|█+\| 72\.0/72\.0 iterations", told)


def test_a_listener_hears_the_start_the_receipts_and_the_end(make: Make, execute: Execute, tmp_path: Path) -> None:
    program = LISTENER + RUN.replace("**options", "report=Listener(), **options")
    code, told = execute(program, json.dumps(make(seeds=1)), tmp_path, json.dumps({"jobs": 1}))
    assert code == 0
    assert told.splitlines() == ["start 4 0 24", "receipt done done", "receipt done done", "close"]


def test_why_only_one_process_trains_is_told(make: Make, execute: Execute, tmp_path: Path) -> None:
    config = json.dumps(make(grid={"activation": ["swish"]}))
    code, told = execute(SWISH + RUN, config, tmp_path, json.dumps({"jobs": 2}))
    assert code == 0
    assert told.startswith(
        "training in one process, because this script or notebook registers functions, which workers cannot import; "
        "to use all cores, move these functions to a module and import it\n"
    )


def test_a_script_without_a_main_guard_is_told_in_one_sentence(make: Make, execute: Execute, tmp_path: Path) -> None:
    program = SWISH + RUN.replace("dlsweep.run", "try:\n    dlsweep.run", 1)
    program += "except dlsweep.errors.DlsweepError as error:\n    sys.exit(str(error))\n"
    config = json.dumps(make(grid={"activation": ["swish"]}))
    options = json.dumps({"executor": "processes", "jobs": 2, "quiet": True})
    assert execute(program.replace("dlsweep\n", "dlsweep, dlsweep.errors\n", 1), config, tmp_path, options) == (
        1,
        "worker processes cannot start: each imports the script, which starts the sweep again; call run under "
        '`if __name__ == "__main__":`\n',
    )
