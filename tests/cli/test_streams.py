"""Streams that are closed, full, of another encoding, or a terminal: data arrives whole, and messages never matter."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.commands import ENDING, Dlsweep

pytestmark = pytest.mark.slow

PLOTS = "'plots=[{curves: {rows: activation, columns: init}}]'"
FIGURE = "results/tiny/figures/curves-accuracy.png"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Dlsweep:
    """The command, in a folder with the results of a sweep whose name and levels are not ASCII."""
    dlsweep = Dlsweep(tmp_path_factory.mktemp("finished"))
    labelled = "grid.activation=[{relu: , label: größe}, {tanh: , label: 日本}]"
    dlsweep("run", "tiny.yaml", "name=größe", labelled, "seeds=1", "-q", "-j", "1")
    return dlsweep


def shell(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command with the program as $D."""
    env = {**os.environ, "COLUMNS": "200", "D": f"{sys.executable} -m dlsweep", **environment}
    return subprocess.run(["bash", "-c", command], cwd=folder, env=env, capture_output=True)


def test_closed_streams(dlsweep: Dlsweep) -> None:
    for closed in (">&- 2>&-", "<&- 2>&-"):
        assert shell(dlsweep.folder, f"$D run tiny.yaml {PLOTS} --force -j 1 {closed}").returncode == 0
        assert (dlsweep.folder / FIGURE).exists()
    texts = [path for path in (dlsweep.folder / "results").rglob("*") if path.is_file()]
    assert not [path for path in texts if b"training 12 runs" in path.read_bytes()]
    done = shell(dlsweep.folder, "$D show results >&-")
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_that_ends_does_not_end_the_sweep(dlsweep: Dlsweep) -> None:
    done = shell(dlsweep.folder, f"$D run tiny.yaml {PLOTS} -v -j 1 2>&1 | head -n 1")
    assert done.stdout == b"tiny: training 12 runs, 240 iterations\n"
    assert done.stderr == b""
    assert (dlsweep.folder / FIGURE).exists()


def test_a_full_disk_behind_a_stream(dlsweep: Dlsweep) -> None:
    done = shell(dlsweep.folder, f"$D run tiny.yaml {PLOTS} -v -j 1 2>/dev/full")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines()[-1] == FIGURE.encode()
    for command in ("show results", "list", "--help", "explain conv-size", "data path kmnist"):
        done = shell(dlsweep.folder, f"$D {command} >/dev/full")
        assert (done.returncode, done.stderr) == (1, b"standard output: No space left on device\n")


def test_a_terminal_that_goes_away(dlsweep: Dlsweep) -> None:
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "dlsweep",
        "run",
        "tiny.yaml",
        PLOTS.strip("'"),
        "train.iterations=2000",
        "-j",
        "1",
    ]
    with subprocess.Popen(command, cwd=dlsweep.folder, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        assert b"iterations" in os.read(ours, 10_000)
        os.close(ours)
        process.wait()
    assert process.returncode == 1  # the table could not be printed
    assert (dlsweep.folder / FIGURE).exists()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_data_is_ascii_or_utf_8_whatever_the_encoding_of_the_stream(finished: Dlsweep, encoding: str) -> None:
    odd = {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    told = shell(finished.folder, "$D show results --json", **odd).stdout
    assert json.loads(told.decode("ascii"))[0]["name"] == "größe"
    table = shell(finished.folder, "$D show results", **odd).stdout.decode("utf-8")
    assert {line.split()[0] for line in table.splitlines()[1:5]} == {"größe", "日本"}
    paths = shell(finished.folder, "$D plot results -k final", **odd).stdout.decode("utf-8")
    assert paths == "results/größe/figures/final-accuracy.png\n"
    assert "°" not in shell(finished.folder, "$D schema", **odd).stdout.decode("ascii")


def test_a_path_cannot_steer_the_terminal(dlsweep: Dlsweep) -> None:
    odd = "\x1b[31mred\u202e\x9b"
    (dlsweep.folder / odd).mkdir()
    dlsweep("run", "tiny.yaml", "-o", odd, "seeds=1", "-q", "-j", "1")
    piped = dlsweep("plot", odd)
    assert piped.stdout == f"{odd}/tiny/figures/curves-accuracy.png\n"
    told = dlsweep("run", "tiny.yaml", "-o", odd, "seeds=1", "-j", "1", "--json", "plots=[curves]").stdout
    assert told.isascii()
    assert json.loads(told)["figures"] == [f"{odd}/tiny/figures/curves-accuracy.png"]

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "dlsweep", "plot", odd]
    with subprocess.Popen(command, cwd=dlsweep.folder, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += os.read(ours, 10_000)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert process.returncode == 0
    assert "red" in seen.decode()
    assert not {"\x1b", "\u202e", "\x9b"} & set(seen.decode())


def test_a_path_with_a_line_break_is_exact_in_a_pipe_and_one_line_in_messages(dlsweep: Dlsweep) -> None:
    odd = "a\nb\udcff"
    (dlsweep.folder / odd).mkdir()
    done = shell(dlsweep.folder, '$D run tiny.yaml -o "$ODD" seeds=1 -j 1', ODD=odd)
    assert b"\ndlsweep plot 'a\xef\xbf\xbdb" in done.stderr
    (dlsweep.folder / odd / "tiny" / "sweep.json").write_text("{")
    (dlsweep.folder / odd / "tiny" / "sweep.yaml").unlink()
    told = shell(dlsweep.folder, '$D show "$ODD"', ODD=odd).stderr.decode("utf-8")
    assert told.startswith("a\N{REPLACEMENT CHARACTER}b")
    assert len(told.splitlines()) == 1
    paths = shell(dlsweep.folder, '$D run tiny.yaml -o "$ODD" seeds=1 -j 1 -q && $D plot "$ODD"', ODD=odd).stdout
    assert paths.endswith(b"a\nb\xff/tiny/figures/curves-accuracy.png\n")


def test_ctrl_c_on_a_terminal_ends_a_sweep_with_its_bar(dlsweep: Dlsweep) -> None:
    ours, theirs = pty.openpty()
    endless = ("run", "tiny.yaml", "train.iterations=100000000", "-j", "2")
    command = [*ENDING, sys.executable, "-m", "dlsweep", *endless]
    with subprocess.Popen(
        command, cwd=dlsweep.folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        seen = b""
        while b"iterations [" not in seen:
            seen += os.read(ours, 10_000)
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        while True:
            try:
                seen += os.read(ours, 10_000)
            except OSError:
                break
    os.close(ours)
    assert process.returncode == 130
    assert b"stopped with 0 of 12 runs done" in seen
    assert b"Traceback" not in seen
