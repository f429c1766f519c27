"""`dlsweep data` and sweeps on published data sets, as a user has them: the real program, a server on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support import PROGRAMS, commands
from tests.support.commands import Done
from tests.support.published import SERVED, SMALL, TEST, TRAIN, Server, serving

ROOT = Path(__file__).parents[2]

# Every Python process that is started here has the small data sets in the place of the published ones, workers too.
CUSTOM = "from tests.support import published; published.install()"

SWEEP = """\
name: things
data: {cifar10: {validation: 8, standardize: true}}
model: {mlp: {hidden: [8]}}
train: {iterations: 10, batch_size: 10}
evaluate: {on: [train, validation, test]}
seeds: 2
grid:
  activation: [relu, tanh]
  regularizer: [none, {crop: {pad: 2}, flip: }]
"""


class Dlsweep:
    """`dlsweep` in a folder with a sweep, and with a cache of its own."""

    def __init__(self, folder: Path, server: Server):
        self.folder, self.cache, self.server = folder, folder / "cache", server
        (folder / "custom").mkdir()
        (folder / "custom" / "sitecustomize.py").write_text(CUSTOM, "utf-8")
        (folder / "things.yaml").write_text(SWEEP, "utf-8")
        path = os.pathsep.join([str(folder / "custom"), str(ROOT)])
        own = {"PYTHONPATH": path, "DLSWEEP_DATA": str(self.cache), "DLSWEEP_MIRROR": server.url, "NO_PROXY": "*"}
        self.environment = {**os.environ, "COLUMNS": "200", **own}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dlsweep", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, code: int = 0, **environment: str) -> Done:
        command = (PROGRAMS / "published.py", *arguments)
        done = commands.python(*command, folder=self.folder, environment=self.environment | environment)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def held(self) -> set[str]:
        return {str(path.relative_to(self.cache)) for path in self.cache.rglob("*") if path.is_file()}


@pytest.fixture
def dlsweep(tmp_path: Path) -> Iterator[Dlsweep]:
    with serving() as server:
        yield Dlsweep(tmp_path, server)


def listed(dlsweep: Dlsweep) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in json.loads(dlsweep("data", "list", "--json").stdout)}


def test_list_get_and_path(dlsweep: Dlsweep) -> None:
    before = listed(dlsweep)
    assert set(before) == {"mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100"}
    assert before["mnist"]["state"] == "bundled"
    assert before["cifar100"]["state"].startswith("to be fetched, ")
    assert (before["cifar100"]["train"], before["cifar100"]["shape"], before["cifar100"]["classes"]) == (
        TRAIN,
        [3, 32, 32],
        100,
    )
    assert all(item["credit"] for item in before.values())

    got = dlsweep("data", "get", "kmnist")
    folder = dlsweep.cache / "kmnist"
    assert got.stdout == f"{folder}\n"
    assert f"fetching kmnist (46 kB) into {folder}" in got.stderr
    assert {name: (folder / name).read_bytes() for name in SERVED["kmnist"]} == SERVED["kmnist"]
    assert dlsweep("data", "path", "kmnist").stdout == f"{folder}\n"
    assert listed(dlsweep)["kmnist"]["state"] == "in the cache"

    again = dlsweep("data", "get", "kmnist")
    assert (again.stdout, again.stderr) == (got.stdout, "")
    assert set(dlsweep.server.asked.values()) == {1}
    (row,) = (row for row in dlsweep("data", "list").stdout.splitlines() if row.startswith("kmnist"))
    assert row.split()[:6] == ["kmnist", f"{TRAIN}", "+", f"{TEST}", "1×28×28", "10"]


def test_what_came_with_the_package(dlsweep: Dlsweep) -> None:
    folder = Path(dlsweep("data", "get", "mnist").stdout.strip())
    assert (folder / "train-images-idx3-ubyte.gz").is_file()
    assert "nothing to import" in dlsweep("data", "import", "mnist", "x", code=2).stderr
    assert not dlsweep.server.asked


def test_names_that_are_none(dlsweep: Dlsweep) -> None:
    for command in (["get"], ["path"], ["import"]):
        told = dlsweep("data", *command, "cifar_10", *(["x"] if command == ["import"] else []), code=2).stderr
        assert "there is no data set 'cifar_10' to be fetched; did you mean 'cifar10'?" in told


def test_import_by_hand(dlsweep: Dlsweep, tmp_path: Path) -> None:
    first, *others = SERVED["fashion_mnist"].items()
    (tmp_path / "download").write_bytes(first[1])
    some = dlsweep("data", "import", "fashion_mnist", "download")
    assert some.stdout == f"{dlsweep.cache / 'fashion_mnist'}\n"
    assert f"fashion_mnist is not complete yet: {', '.join(name for name, _ in others)} missing" in some.stderr
    (tmp_path / "folder").mkdir()
    for name, content in others:
        (tmp_path / "folder" / name).write_bytes(content)
    assert dlsweep("data", "import", "fashion_mnist", "folder").stderr == ""
    assert listed(dlsweep)["fashion_mnist"]["state"] == "in the cache"
    told = dlsweep("data", "import", "fashion_mnist", "things.yaml", code=2).stderr
    assert "things.yaml is not a file of fashion_mnist as published" in told
    assert not dlsweep.server.asked


def test_no_network_is_a_sentence_with_the_way_by_hand(dlsweep: Dlsweep) -> None:
    for command in (["data", "get", "cifar10"], ["run", "things.yaml"]):
        told = dlsweep(*command, code=1, DLSWEEP_MIRROR="http://127.0.0.1:9").stderr
        assert "http://127.0.0.1:9/cifar10/cifar-10-binary.tar.gz: no connection" in told
        assert f"cifar-10-binary.tar.gz (MD5 {SMALL['CIFAR10'].files[0].md5})" in told
        assert f"dlsweep data import cifar10 FILES (or put them into {dlsweep.cache / 'cifar10'})" in told
    assert dlsweep.held() == {"cifar10/.lock"}
    assert not list((dlsweep.folder / "results/things").rglob("*.parquet"))


def test_a_cache_that_cannot_be_written(dlsweep: Dlsweep) -> None:
    dlsweep.cache.write_text("a file")
    told = dlsweep("run", "things.yaml", code=1).stderr
    assert f"cannot write {dlsweep.cache / 'cifar10'}: " in told
    assert "set DLSWEEP_DATA to a folder" in told


def test_two_at_once_fetch_once(dlsweep: Dlsweep) -> None:
    dlsweep.server.slow = 0.5
    both = [dlsweep.start("data", "get", "fashion_mnist") for _ in range(2)]
    told = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert set(dlsweep.server.asked.values()) == {1}
    assert len(dlsweep.server.asked) == 4
    assert sorted("fetching" in err for _, err in told) == [False, True]


def test_a_killed_download_leaves_nothing_that_is_read(dlsweep: Dlsweep) -> None:
    dlsweep.server.endless = True
    process = dlsweep.start("data", "get", "cifar10")
    while not any(name.endswith(".part") for name in dlsweep.held()):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert "cifar10/cifar-10-binary.tar.gz" not in dlsweep.held()
    dlsweep.server.endless = False
    dlsweep("data", "get", "cifar10")
    assert dlsweep.held() == {"cifar10/.lock", "cifar10/cifar-10-binary.tar.gz"}


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_while_a_sweep_fetches(dlsweep: Dlsweep) -> None:
    dlsweep.server.slow = 1.0
    process = dlsweep.start("run", "things.yaml")
    while not dlsweep.server.asked:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130, told
    assert "dlsweep run things.yaml" in told
    assert "Traceback" not in told
    assert dlsweep.held() == {"cifar10/.lock"}


def test_a_dry_run_needs_no_network(dlsweep: Dlsweep) -> None:
    told = dlsweep("run", "things.yaml", "--dry-run")
    assert "8 runs in 4 stacks, 0 done, 8 to train" in told.stdout
    assert "cifar10 is not here yet: the run fetches it first" in told.stderr
    assert not dlsweep.server.asked
    assert dlsweep.held() == set()


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_sweep_fetches_before_it_trains(dlsweep: Dlsweep, executor: str) -> None:
    done = dlsweep("run", "things.yaml", "--executor", executor)
    assert "fetching cifar10 (" in done.stderr
    assert sum(dlsweep.server.asked.values()) == 1
    runs = pd.read_parquet(dlsweep.folder / "results/things/runs")
    assert runs["status"].tolist() == ["done"] * 8
    curves = pd.read_parquet(dlsweep.folder / "results/things/curves")
    assert set(curves["split"]) == {"train", "validation", "test"}
    again = dlsweep("run", "things.yaml", DLSWEEP_MIRROR="http://127.0.0.1:9", DLSWEEP_DATA=str(dlsweep.folder / "no"))
    assert "8 of 8 runs are done already" in again.stderr


def test_every_published_data_set_trains_a_convolutional_network(dlsweep: Dlsweep) -> None:
    (dlsweep.folder / "all.yaml").write_text(
        "train: {iterations: 3, batch_size: 5}\n"
        "model: {simple_cnn: {filters: 3, hidden: 6}}\n"
        "seeds: 1\n"
        "grid:\n"
        "  data: [fashion_mnist, kmnist, cifar10, {cifar100: {labels: [fine, coarse]}}]\n",
        "utf-8",
    )
    dlsweep("run", "all.yaml", "-j", "1")
    assert len(dlsweep.server.asked) == 10
    runs = pd.read_parquet(dlsweep.folder / "results/all/runs")
    assert runs["status"].tolist() == ["done"] * 5
    assert runs["parameters"].nunique() == 4  # those of the two grey ones are the same
