"""`dlsweep init` and `example:NAME`: configs that come with the package, in the repository and in a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.support.commands import Dlsweep

ROOT = Path(__file__).parents[2]
EXAMPLES = {path.stem: path for path in (ROOT / "configs").glob("*.yaml")}


@pytest.mark.slow
def test_examples_are_listed_written_and_run(dlsweep: Dlsweep) -> None:
    listed = dlsweep("init")
    names = [line.split()[0] for line in listed.stdout.splitlines()[1:]]
    assert names == sorted(EXAMPLES)
    assert "activation_init             Which initialization suits which activation?" in listed.stdout
    assert (
        listed.stderr == "dlsweep run example:NAME runs an example; dlsweep init --from NAME writes it to NAME.yaml\n"
    )

    assert dlsweep("init", "--from", "sparsity").stdout == "sparsity.yaml\n"
    assert (dlsweep.folder / "sparsity.yaml").read_bytes() == EXAMPLES["sparsity"].read_bytes()
    refused = dlsweep("init", "--from", "sparsity", code=2).stderr
    assert refused == "sparsity.yaml exists; for another file: dlsweep init --from sparsity FILE\n"
    assert dlsweep("init", "--from", "sparsity", "mine.yaml").stdout == "mine.yaml\n"
    assert "did you mean 'sparsity'?" in dlsweep("init", "--from", "sparsty", code=2).stderr
    assert "--from NAME mine.yaml" in dlsweep("init", "mine.yaml", code=2).stderr

    dlsweep("run", "example:optimizer_paths", "train.iterations=3", "-q", "-j", "1")
    assert (dlsweep.folder / "results/optimizer-paths/runs").is_dir()
    assert "did you mean 'depth'?" in dlsweep("run", "example:dept", code=2).stderr
    assert dlsweep("explain", "model", "example:cnn_shapes").stdout
    assert "dlsweep run example:activation_init" in dlsweep("--help").stdout


def test_a_wheel_has_them(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()

    def python(*arguments: str) -> str:
        env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=tmp_path / "empty", env=env, capture_output=True, text=True, check=True)
        return done.stdout

    assert python("-c", "import dlsweep; print(dlsweep.__file__)").startswith(str(tmp_path / "site"))
    names = [line.split()[0] for line in python("-m", "dlsweep", "init").splitlines()[1:]]
    assert names == sorted(EXAMPLES)
    python("-m", "dlsweep", "run", "example:optimizer_paths", "train.iterations=3", "-q", "-j", "1")
    assert (tmp_path / "empty/results/optimizer-paths/runs").is_dir()
