"""Own data on the real command line: what is understood, refused with its line, and noted."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.datasets.test_npz import save
from tests.support import commands
from tests.support.commands import Done

import dlsweep

RNG = np.random.default_rng(0)
T = np.arange(40) % 3
X = RNG.random((40, 4), np.float32)
GOOD = {"x_train": X, "t_train": T, "x_test": X[:12], "t_test": T[:12]}
REST = """\
name: own
train: {iterations: 5, batch_size: 10}
evaluate: {on: [train, test]}
seeds: 2
grid: {activation: [relu, tanh]}
"""


class Folder:
    """A folder with a config and its data."""

    def __init__(self, path: Path):
        self.path = path

    def config(self, data: str = "{npz: {path: mine.npz}}", more: str = "") -> None:
        (self.path / "x.yaml").write_text(f"data: {data}\n{REST}{more}", "utf-8")

    def save(self, **changes: Any) -> None:
        arrays = {name: array for name, array in (GOOD | changes).items() if array is not None}
        save(self.path / "mine.npz", arrays)

    def __call__(self, *arguments: str, code: int = 0) -> Done:
        done = commands.dlsweep(*arguments, folder=self.path)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def run(self, code: int = 0) -> Done:
        return self("run", "x.yaml", "-j", "1", code=code)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.config()
    return made


def test_usual_data_trains_without_a_note(folder: Folder) -> None:
    folder.save()
    assert "mine.npz" not in folder.run().stderr


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        (
            {"t_train": None, "t_test": None, "y_train": np.eye(3)[T], "y_test": np.eye(3)[T[:12]]},
            "labels in y_train and y_test are one-hot rows",
        ),
        ({"t_train": T + 1, "t_test": T[:12] + 1}, "no sample has the label 0"),
        ({"t_train": T * 50, "t_test": T[:12] * 50}, "the classes are 0 = 0, 1 = 50, 2 = 100"),
        ({"x_train": X * 255, "x_test": X[:12] * 255}, "large for an input; write standardize: true"),
    ],
)
def test_what_is_doubted_is_noted_once(folder: Folder, changes: dict[str, Any], note: str) -> None:
    folder.save(**changes)
    told = folder.run().stderr
    assert told.count(note) == 1
    runs = pd.read_parquet(folder.path / "results/own/runs")
    assert runs["status"].tolist() == ["done"] * 4
    assert set(runs["classes"]) == {4 if "label 0" in note else 3}


LAST = RNG.random((40, 8, 8, 3), np.float32)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"t_train": T * 0}, "t_train has one class only, 0; a network needs two to tell apart"),
        ({"x_train": LAST, "x_test": LAST[:12]}, "by its shape (N, H, W, C): write channels: last"),
        ({"x_test": None, "t_test": None}, "it has no test samples; test: 0.2 sets a fifth of its samples aside"),
    ],
)
def test_what_is_refused_has_its_line(folder: Folder, changes: dict[str, Any], sentence: str) -> None:
    folder.save(**changes)
    told = folder.run(code=2).stderr
    assert told.startswith("x.yaml:1:20: ")
    assert sentence in told
    assert not (folder.path / "results").exists()


def test_settings_for_what_was_refused(folder: Folder) -> None:
    folder.save(x_train=LAST, x_test=None, t_test=None)
    folder.config(
        "{npz: {path: mine.npz, channels: last, test: 0.2}}",
        "model: {layers: [{conv: {filters: 2, kernel: 3}}, activation]}",
    )
    assert "8 samples of 40, drawn by seed 0, are for testing" in folder.run().stderr
    folder("plot", "results/own")


def test_a_table(folder: Folder) -> None:
    frame = pd.DataFrame(X, columns=list("abcd")).assign(kind=np.array(["cat", "dog", "cow"])[T])
    frame.to_csv(folder.path / "mine.csv", index=False)
    folder.config("{table: {path: mine.csv, label: kind, standardize: true}}", "plots: [{confusion: }]\n")
    (folder.path / "x.yaml").write_text(
        (folder.path / "x.yaml").read_text().replace("[train, test]}", "[test], keep: final}")
    )
    told = folder.run().stderr
    assert "features are a, b, c, d; labels are kind" in told
    assert "the classes are 0 = cat, 1 = cow, 2 = dog" in told
    figure = next((folder.path / "results/own/figures").iterdir())
    assert figure.stat().st_size > 0


def test_check_says_what_was_understood(folder: Folder) -> None:
    folder.save(t_test=T[:12] + 1)
    done = folder("data", "check", "mine.npz", "validation=10")
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert rows["samples"].strip() == "30 train, 10 validation, 12 test"
    assert rows["in a config"].strip() == "data: {npz: {path: mine.npz, validation: 10}}"
    assert "t_test has classes that t_train never shows: 3" in done.stderr
    facts = json.loads(folder("data", "check", "mine.npz", "--json").stdout)
    assert (facts["classes"], facts["shape"], facts["counts"]) == (4, [4], [14, 13, 13, 0])
    assert len(facts["notes"]) == 1
    folder.save(t_train=T * 0)
    assert "one class only" in folder("data", "check", "mine.npz", code=2).stderr
    assert "has no setting 'tests'" in folder("data", "check", "mine.npz", "tests=1", code=2).stderr
    told = "data.npz.path is '~nosuch/x.npz', and there is no such home folder; write the whole path\n"
    assert folder("data", "check", "~nosuch/x.npz", code=2).stderr == told


def test_the_page_on_data_shows_what_is_printed(folder: Folder) -> None:
    x = np.random.default_rng(0).random((60, 5)).astype(np.float32)
    folder.save(x_train=x, t_train=np.arange(60) % 3, x_test=x[:20], t_test=np.arange(20) % 3)
    page = (Path(__file__).parents[2] / "docs/data.md").read_text("utf-8")
    command, shown = page.split("```console\n$ dlsweep ", 1)[1].split("```", 1)[0].split("\n", 1)
    assert folder(*command.split()).stdout == shown


def test_one_process_reads_the_content_that_is_there(folder: Folder) -> None:
    losses: list[list[float]] = []
    for labels in (T, T[::-1]):
        folder.save(t_train=labels)
        os.utime(folder.path / "mine.npz", ns=(10**18, 10**18))
        for executor in ("inline", "processes"):
            folder.config(more=f"# {executor}\n")
            results = dlsweep.run(folder.path / "x.yaml", output=folder.path / f"{len(losses)}", executor=executor)
            losses.append(results.runs["final_train_loss"].tolist())
    assert losses[0] == losses[1] != losses[2] == losses[3]


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_pipe_is_no_file(folder: Folder) -> None:
    os.mkfifo(folder.path / "mine.npz")
    assert "mine.npz cannot be read: it is not a regular file" in folder.run(code=2).stderr
    assert "not a regular file" in folder("data", "check", "mine.npz", code=2).stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits on memory")
def test_arrays_that_do_not_fit_into_memory(folder: Folder) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (40, 5_000_000)})
    zeros = header.getvalue() + bytes(200_000_000)
    folder.save(x_train=None, x_test=None)
    with zipfile.ZipFile(folder.path / "mine.npz", "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("x_train.npy", "x_test.npy"):
            archive.writestr(name, zeros)
    done = subprocess.run(
        [sys.executable, "-m", "dlsweep", "run", "x.yaml", "-j", "1"],
        cwd=folder.path,
        capture_output=True,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1_000_000_000,) * 2),
    )
    assert done.returncode == 2, done.stderr
    assert "mine.npz: it needs about 800 MB of memory, and there is " in done.stderr
    assert "save fewer samples, or x as uint8" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_silent_server_delays_no_stop(folder: Folder, number: signal.Signals, code: int) -> None:
    import socket

    folder.config("kmnist")
    with socket.create_server(("127.0.0.1", 0)) as server:
        own = {
            "DLSWEEP_DATA": "cache",
            "DLSWEEP_MIRROR": f"http://127.0.0.1:{server.getsockname()[1]}",
            "NO_PROXY": "*",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "dlsweep", "run", "x.yaml", "-j", "1"],
            cwd=folder.path,
            env=os.environ | own,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = server.accept()
        with connection:
            process.send_signal(number)
            _, told = process.communicate(timeout=20)  # the server's silence would be borne for 30 s
    assert process.returncode == code, told
    assert not list(folder.path.glob("cache/kmnist/.*.part"))
