"""Odd environments: files with names of modules, temporary folders, limits, users without home, early signals."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.support import PROGRAMS
from tests.support.commands import TINY, Dlsweep, python

from dlsweep import machine

pytestmark = pytest.mark.slow

DLSWEEP = shlex.join([str(Path(sys.executable).with_name("dlsweep"))])
PLOTS = "plots=[{curves: {rows: activation, columns: init}}]"
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and namespaces of Linux")


def shell(dlsweep: Dlsweep, command: str, **environment: str) -> tuple[int, str, str]:
    """Run a shell command in the folder, with the installed script as $D; return its exit code, stdout and stderr."""
    env = {**os.environ, "COLUMNS": "200", "D": DLSWEEP, **environment}
    done = subprocess.run(["bash", "-c", command], cwd=dlsweep.folder, env=env, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_files_of_the_current_folder_are_not_imported(dlsweep: Dlsweep) -> None:
    for name in ("random", "queue", "types", "yaml", "numpy", "pandas", "pyarrow"):
        (dlsweep.folder / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')")
    assert shell(dlsweep, "$D run tiny.yaml -j 2 -q") == (0, "", "")
    (dlsweep.folder / "types.py").unlink()  # Python itself imports it for `-m`
    assert shell(dlsweep, f"{sys.executable} -m dlsweep run tiny.yaml -j 2 -q name=module") == (0, "", "")


def test_a_temporary_folder_with_a_long_path_or_none(dlsweep: Dlsweep) -> None:
    long = dlsweep.folder / ("x" * 100)
    long.mkdir()
    assert shell(dlsweep, "$D run tiny.yaml -j 2 -q", TMPDIR=str(long)) == (0, "", "")
    program = """
import sys, tempfile
def none(): raise FileNotFoundError("No usable temporary directory found")
tempfile.gettempdir = none
from dlsweep.cli import main
sys.argv = ["dlsweep", "run", "tiny.yaml", "-q", "name=none", *sys.argv[1:]]
main()
"""
    (dlsweep.folder / "program.py").write_text(program)
    code, _, told = shell(dlsweep, f"{sys.executable} program.py -j 2")
    assert code == 1
    assert "need a folder for temporary files, with a path of at most 70 characters; set TMPDIR to one" in told
    assert "use -j 1" in told
    assert shell(dlsweep, f"{sys.executable} program.py -j 1") == (0, "", "")


def test_a_backend_of_a_notebook_does_not_matter(dlsweep: Dlsweep) -> None:
    backend = "module://matplotlib_inline.backend_inline"
    done = dlsweep("run", "tiny.yaml", PLOTS, "-j", "1", anew=True, MPLBACKEND=backend)
    assert done.stdout.splitlines()[-1] == "results/tiny/figures/curves-accuracy.png"


def test_a_user_that_is_unknown_or_has_no_home(dlsweep: Dlsweep) -> None:
    (dlsweep.folder / "home.yaml").write_text(TINY.replace("path: tiny", "path: ~nosuch/tiny"))
    told = dlsweep("run", "home.yaml", code=2).stderr
    assert "home.yaml:2:20: " in told
    assert "is '~nosuch/tiny.npz', and there is no such home folder; write the whole path" in told
    told = dlsweep("data", "list", code=2, DLSWEEP_DATA="~nosuch/x").stderr
    assert told == "no home folder is known for ~nosuch/x; set DLSWEEP_DATA to a folder for data sets\n"


SETPRIV = "setpriv --reuid=54321 --clear-groups --inh-caps=+{0} --ambient-caps=+{0} "


@pytest.fixture
def shared() -> Iterator[Dlsweep]:
    """The command, in a folder that every user may read."""
    if sys.platform != "linux" or os.getuid() or os.system(f"{SETPRIV.format('dac_override')} true"):
        pytest.skip("only root can become another user, with setpriv")
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Dlsweep(Path(folder))


def test_another_user_without_home_or_with_few_processes(shared: Dlsweep) -> None:
    other = SETPRIV.format("dac_override") + "env -u HOME "
    code, _, told = shell(shared, f"{other} $D data get kmnist")
    assert code == 2
    assert told == "no home folder is known for the cache; set DLSWEEP_DATA to a folder for data sets\n"
    for number in (2, 5):
        code, out, told = shell(shared, f"{other} bash -c 'ulimit -u {number}; $D run tiny.yaml -j 2 -q'")
        assert (code, out) == (1, ""), told
        assert told.splitlines()[-1].startswith("worker processes cannot start: ")


@linux
def test_limits_are_told_in_a_sentence(dlsweep: Dlsweep) -> None:
    assert shell(dlsweep, f"ulimit -v 1500000; $D run tiny.yaml -j 2 -q {shlex.quote(PLOTS)}") == (0, "", "")
    assert (dlsweep.folder / "results/tiny/figures/curves-accuracy.png").exists()
    told = shell(dlsweep, "ulimit -v 700000; $D run tiny.yaml")
    assert told == (2, "", "dlsweep needs 800 MB of address space, but ulimit -v allows 717 MB\n")
    code, out, error = shell(dlsweep, "ulimit -n 8; $D run tiny.yaml -j 2 -q name=files")
    assert (code, out) == (1, "")
    assert error == (
        "worker processes cannot start: Too many open files; to train without workers, use -j 1 (in Python: jobs=1)\n"
    )
    assert shell(dlsweep, "ulimit -n 16; $D run tiny.yaml -j 1 -q name=files") == (0, "", "")


@linux
def test_a_limit_of_cpu_time_is_named(dlsweep: Dlsweep) -> None:
    endless = "$D run tiny.yaml -j 2 train.iterations=100000000 seeds=1 grid.activation=relu grid.init=he --fail-fast"
    code, _, told = shell(dlsweep, f"ulimit -t 6; {endless}")
    assert code == 1
    assert "killed by SIGKILL, perhaps because memory ran out or the limit of CPU time (6 s, see ulimit -t)" in told


def test_a_folder_that_has_been_removed(dlsweep: Dlsweep) -> None:
    (dlsweep.folder / "gone").mkdir()
    config = dlsweep.folder / "tiny.yaml"
    code, _, told = shell(dlsweep, f"cd gone; rmdir ../gone; $D run {config} -j 2 -o {dlsweep.folder}/results")
    assert (code, told) == (1, "worker processes cannot start: the current folder has been removed\n")


def test_letters_of_turkish(dlsweep: Dlsweep) -> None:
    code, out, _ = shell(dlsweep, "$D run tiny.yaml -j 1 -q name=TITLE", LC_ALL="tr_TR.UTF-8")
    assert (code, out) == (0, "")  # a shell may warn that it has no such locale


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8, 1.2])
def test_an_early_ctrl_c_is_silent(dlsweep: Dlsweep, seconds: float) -> None:
    command = [DLSWEEP, "run", "tiny.yaml", "train.iterations=100000000", "-j", "2", "-q"]
    with subprocess.Popen(
        command, cwd=dlsweep.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode in (130, -signal.SIGINT)  # the second: Python had not begun the program
    assert out == ""
    assert "Traceback" not in err or "in main" not in err  # Python had not come to the program


@linux
def test_time_in_which_everything_is_stopped_does_not_count(dlsweep: Dlsweep) -> None:
    command = [DLSWEEP, "run", "tiny.yaml", "train.iterations=4000", "evaluate.every=100", "-j", "2", "--timeout", "3"]
    with subprocess.Popen(
        command, cwd=dlsweep.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert "training 12 runs" in process.stderr.readline()
        for _ in range(2):
            os.killpg(process.pid, signal.SIGSTOP)
            time.sleep(4.5)
            os.killpg(process.pid, signal.SIGCONT)
            time.sleep(0.3)
        _, err = process.communicate()
    assert process.returncode == 0, err


def test_results_that_become_read_only(shared: Dlsweep) -> None:
    folder = shared.folder / "out"
    folder.mkdir()
    os.chown(folder, 54321, -1)
    grid = "grid={train.iterations: [5, 4000]}"
    command = [
        *SETPRIV.format("dac_read_search").split(),
        DLSWEEP,
        "run",
        "tiny.yaml",
        grid,
        "evaluate.every=1000",
        "-j",
        "1",
        "-o",
        "out",
    ]
    with subprocess.Popen(
        command, cwd=shared.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not list(folder.glob("tiny/runs/*.parquet")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        tables = [folder / "tiny", *(path for path in (folder / "tiny").iterdir() if path.is_dir())]
        for path in tables:
            path.chmod(0o555)
        out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[-1].startswith("cannot write out/tiny/")
    assert err.splitlines()[-1].endswith(": Permission denied")
    for path in tables:
        path.chmod(0o777)
    assert (
        "3 of 6 runs are done already" in shell(shared, f"$D run tiny.yaml '{grid}' -j 1 -o out evaluate.every=1000")[2]
    )


GROUPS = {
    "version 2": ("0::/batch/job\n", {"batch/job/cpu.max": "max 100000", "batch/cpu.max": "50000 100000"}),
    "version 2 of a container": ("0::/\n", {"cpu.max": "100000 100000", "memory.max": "1000000000"}),
    "version 1": (
        "4:cpu,cpuacct:/slice/job\n3:memory:/job\n0::/\n",
        {"cpu/slice/cpu.cfs_quota_us": "100000", "cpu/slice/cpu.cfs_period_us": "100000"},
    ),
    "version 1 of a container": (
        "4:cpuacct,cpu:/docker/0123\n",
        {"cpu/cpu.cfs_quota_us": "70000", "cpu/cpu.cfs_period_us": "100000"},
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_quota_of_a_container_bounds_the_workers(dlsweep: Dlsweep, name: str) -> None:
    own, files = GROUPS[name]
    for path, text in files.items():
        (dlsweep.folder / "groups" / path).parent.mkdir(parents=True, exist_ok=True)
        (dlsweep.folder / "groups" / path).write_text(text + "\n")
    (dlsweep.folder / "own").write_text(own)
    command = ("run", "tiny.yaml", "--dry-run", "--json", "--executor", "processes")
    done = python(PROGRAMS / "grouped.py", *command, folder=dlsweep.folder)
    assert json.loads(done.stdout)["workers"] == 1, done.stderr


@pytest.mark.parametrize(
    ("own", "limit"), [("0::/job", "job/memory.max"), ("3:memory:/", "memory/memory.limit_in_bytes")]
)
def test_the_memory_of_a_container_bounds_own_data(dlsweep: Dlsweep, own: str, limit: str) -> None:
    path = dlsweep.folder / "groups" / limit
    path.parent.mkdir(parents=True)
    path.write_text("3000\n")
    (dlsweep.folder / "own").write_text(own)
    done = python(PROGRAMS / "grouped.py", "run", "tiny.yaml", "--dry-run", folder=dlsweep.folder)
    assert done.returncode == 2
    assert re.search(r"tiny\.npz: it needs about \S+ kB of memory, and there is 3\.0 kB", done.stderr)
    path.write_text("max\n")
    assert python(PROGRAMS / "grouped.py", "run", "tiny.yaml", "--dry-run", folder=dlsweep.folder).returncode == 0


def test_no_quota(dlsweep: Dlsweep, monkeypatch: pytest.MonkeyPatch) -> None:
    cores = machine.cores()
    (dlsweep.folder / "own").write_text("4:cpu:/a\n0::/a\n")
    (dlsweep.folder / "a").mkdir()
    (dlsweep.folder / "a/cpu.max").write_text(f"{100000 * (cores + 3)} 100000")
    monkeypatch.setattr(machine, "GROUPS", dlsweep.folder)
    monkeypatch.setattr(machine, "OWN", dlsweep.folder / "own")
    assert machine.cores() == cores
    (dlsweep.folder / "a/memory.max").write_text("123456789")
    assert machine.memory() == 123456789
