"""Wait until the tests end, however they do, and then kill every process of their SLURM: of daemons, steps and jobs.

Steps work in the folder of the cluster, and hide their environment; jobs work elsewhere, and know its configuration.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

folder = sys.argv[1]
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
sys.stdin.read()


def belongs(process: Path) -> bool:
    with suppress(OSError):
        known = f"SLURM_CONF={folder}/slurm.conf".encode() in (process / "environ").read_bytes().split(b"\0")
        return known or (process / "cwd").readlink() == Path(folder)
    return False


while found := [int(process.name) for process in Path("/proc").glob("[0-9]*") if belongs(process)]:
    for pid in found:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
