"""A cluster of SLURM with one node, on loopback, with its files in one folder; it ends with the tests."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.support import PROGRAMS

MISSING = [name for name in ("munged", "slurmctld", "slurmd", "sbatch", "srun") if not shutil.which(name)]

# CPUs and memory are stated, not found: several jobs share a machine with two cores. A requeued job starts again after
# the lifetime of its credential, which is two minutes by default.
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
MailProg=/bin/true
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000
PartitionName=tests Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """The cluster. environment: the variables with which commands find it."""

    def __init__(self, folder: Path):
        self.folder = folder
        configuration = folder / "slurm.conf"
        host = platform.node().partition(".")[0]
        configuration.write_text(CONFIGURATION.format(host=host, folder=folder, ports=free_ports(2)), "utf-8")
        self.environment = {**os.environ, "SLURM_CONF": str(configuration)}
        if int(self.said("slurmd", "-V").split()[-1].partition(".")[0]) > 22:  # 22 needs none
            (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n", "utf-8")
        for name in ("state", "spool"):
            (folder / name).mkdir()
        guard = [sys.executable, str(PROGRAMS / "slurm_guard.py"), str(folder)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)
        key = folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        own = [f"--{option}={folder}/munge.{name}" for option, name in files.items()]
        self._processes = [self._start("munged", "--foreground", "--force", *own)]
        while not (folder / "munge.socket").exists():
            self._wait()
        self._processes += [self._start("slurmctld", "-D"), self._start("slurmd", "-D")]
        while self.said("sinfo", "--noheader", "--format=%T", check=False) != "idle":
            self._wait()

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{command[0]}.log").open("wb") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _wait(self) -> None:
        dead = [process.args[0] for process in self._processes if process.poll() is not None]  # type: ignore[index]
        assert not dead, f"{dead} ended; see the logs in {self.folder}"
        time.sleep(0.05)

    def said(self, *command: str, folder: Path | None = None, check: bool = True) -> str:
        """Run a command of SLURM, and return its output."""
        done = subprocess.run(
            command, cwd=folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def state(self, job: str) -> str:
        """Return the state of a job, or those of the tasks of an array, in the order of their numbers."""
        jobs = self.said("squeue", "--states=all", "--noheader", "--array", "--format=%K %T", f"--jobs={job}")
        return " ".join(line.split()[1] for line in sorted(jobs.splitlines()))

    def end(self) -> None:
        """Kill the cluster with its jobs; the guard also does this if the tests are killed."""
        self._guard.communicate()
        for process in self._processes:
            process.wait()


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that are free at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
