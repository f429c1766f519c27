"""docs/extending.md as a package: its templates are installed through entry points and used from the command line."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support import commands

pytestmark = pytest.mark.slow

GUIDE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text("utf-8")

SWEEP = """\
name: demo
data: rings
train: {iterations: 20, batch_size: 10}
seeds: 2
grid:
  model: [{layers: {of: [gain, {dense: 8}, activation, {gain: {bias: false}}]}}, {bottleneck: {width: [2, 4]}}]
  activation: [snake, {snake: {frequency: 2}}]
  init: narrow
  optimizer: [signum, {signum: {lr: 0.01}}]
  schedule: {inverse_root: {warm_up: 5}}
  regularizer: [none, {l4: 0.1}]
  normalization: [none, rms]
evaluate: {every: 10, layers: true}
plots: [parameters, curves]
"""

DESCENT = """\
name: descent
model: {bowl: {noise: 0.1}}
train: {iterations: 5}
seeds: 2
grid: {optimizer: [signum, sgd]}
"""


def blocks(language: str) -> str:
    return "\n\n".join(re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL))


@pytest.fixture(scope="module")
def dlsweep(tmp_path_factory):
    """The command, where the package of the guide is installed."""
    folder = tmp_path_factory.mktemp("demo")
    info = folder / "installed" / "dlsweep_demo-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "installed" / "dlsweep_demo.py").write_text(blocks("python"), "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dlsweep_demo\nVersion: 1.0\n")
    groups = tomllib.loads(blocks("toml"))["project"]["entry-points"]
    lines = [
        line for group, points in groups.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (folder / "demo.yaml").write_text(SWEEP)
    (folder / "descent.yaml").write_text(DESCENT)
    path = os.pathsep.join(filter(None, [str(folder / "installed"), os.environ.get("PYTHONPATH")]))

    def run(*words: str) -> str:
        done = commands.dlsweep(*words, folder=folder, environment={"PYTHONPATH": path})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.folder = folder
    return run


def test_every_registry_has_a_template():
    from dlsweep.cli.listing import KINDS, _registry

    groups = tomllib.loads(blocks("toml"))["project"]["entry-points"]
    known = {_registry(kind).group for kind in KINDS} - {""}
    assert {*known, "dlsweep.networks", "dlsweep.landscapes"} == set(groups)


def test_a_package_is_listed_and_used_by_two_workers_and_by_its_own_executor(dlsweep):
    listed = dlsweep("list")
    templates = re.findall(r"^def ([a-z]\w+)\([^)]*\)[^:]*:\n    \"\"\"(.*)\n?", blocks("python"), re.MULTILINE)
    assert len(templates) == 12
    for name, summary in templates:
        assert f"{name}: {summary.removesuffix(chr(34) * 3)}" in listed

    figures = dlsweep("run", "demo.yaml", "-j", "2", "--executor", "processes", "-o", "two")
    assert "figures/parameters.png" in figures
    assert "figures/curves-accuracy" in figures
    dlsweep("run", "demo.yaml", "--executor", "one_by_one", "-o", "one")
    two, one = (
        pd.read_parquet(dlsweep.folder / folder / "demo/curves").sort_values(["run_id", "iteration", "split"])
        for folder in ("two", "one")
    )
    assert two["run_id"].nunique() == 48 * 2
    np.testing.assert_array_equal(two["loss"], one["loss"])


def test_its_landscape_is_descended(dlsweep):
    dlsweep("run", "descent.yaml", "-q", "-j", "1", "-o", "paths")
    curves = pd.read_parquet(dlsweep.folder / "paths/descent/curves")
    losses = curves.groupby(["optimizer", "iteration"], observed=True)["loss"].mean()
    for optimizer in ("signum", "sgd"):
        assert losses[optimizer][5] < losses[optimizer][0] == 25
