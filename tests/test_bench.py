from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import jobs
from bench.common import EXPECTED, Job, Report
from bench.contenders import DLSWEEP, LIMIT, PEERS, TEXTBOOK, Measurement
from bench.summary import bars, lines

import dlsweep
from dlsweep.config.runs import Evaluate

ROOT = Path(__file__).parent.parent


def test_smoke_run_measures_what_is_there_and_names_what_is_absent(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--quick", "--python", sys.executable, "--output", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "bench.json").read_text())
    measured = {m["contender"]["name"] for m in record["measurements"]}
    absent = {c.name for c in PEERS if c.needs and not find_spec(c.needs)}
    assert set(record["absent"]) == absent
    assert measured == {c.name for c in (DLSWEEP, LIMIT, *PEERS)} - absent
    table = (tmp_path / "bench.md").read_text()
    assert done.stdout.strip() == table.strip()
    assert all(contender.name in table for contender in (DLSWEEP, LIMIT, *PEERS))
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "bench.csv").read_text().count("\n") == 1 + 2 + len(PEERS)


def test_techniques_smoke_run(tmp_path: Path) -> None:
    parts = ["Adam"]
    parts += ["dropout", "overfitting"] if "dropout" in dlsweep.regularizers else []
    parts += ["batch normalization"] if "batch" in dlsweep.normalizations else []
    parts += ["probes"] if hasattr(Evaluate, "layers") or "layers" in Evaluate.__annotations__ else []
    command = [sys.executable, "-m", "bench.techniques", "--quick", "--python", sys.executable]
    command += ["--output", str(tmp_path), "--only", *parts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["name"]: row for row in json.loads((tmp_path / "techniques.json").read_text())["rows"]}
    assert set(rows) == set(parts)
    for name, row in rows.items():
        absent = row["other"] == "PyTorch loop" and not find_spec("torch")
        assert (row["reached"] is None) == absent, row
        assert f"| {name} |" in (tmp_path / "techniques.md").read_text()


@pytest.mark.parametrize("job", jobs.JOBS.values(), ids=list(jobs.JOBS))
def test_the_config_of_a_technique_has_its_arms(job: jobs.Job) -> None:
    words = {"batch normalization": "batch", "dropout": "dropout", "overfitting": "dropout"}
    if words.get(job.name, "") not in {"", *dlsweep.regularizers, *dlsweep.normalizations}:
        pytest.skip("not there yet")
    config = dlsweep.load(jobs.config(job))
    assert dlsweep.plan(config).runs == job.runs


@pytest.mark.parametrize(("module", "forward"), [("textbook", 2), ("textbook_once", 1)])
def test_the_textbook_goes_forward_for_each_metric_or_once(module: str, forward: int) -> None:
    loop = import_module(f"bench.{module}")
    passes = 0

    class Network(loop.Network):  # type: ignore[misc, name-defined]
        def predict(self, x: Any) -> Any:
            nonlocal passes
            passes += 1
            return super().predict(x)

    rng = np.random.default_rng(0)
    x, t = rng.random((8, 6)), np.eye(3)[rng.integers(3, size=8)]
    network = Network(import_module("bench.textbook").ReLU, [rng.standard_normal(shape) for shape in ((6, 4), (4, 3))])
    loss, accuracy = network.evaluate(x, t)
    assert passes == forward
    p = np.exp(network.predict(x))
    p /= p.sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-np.log((p * t).sum(axis=1)).mean())
    assert accuracy == np.mean(p.argmax(axis=1) == t.argmax(axis=1))


def test_nominal_arithmetic() -> None:
    # An image's way forward is 2·(784·40 + 40·20 + 20·10) = 64 720 operations; the weights' gradients take as many, the
    # gradients of the inputs of the last two layers 2·(40·20 + 20·10) = 2000.
    step, evaluation = 100 * (2 * 64_720 + 2_000), 10_100 * 64_720
    assert Job(seeds=1).flops == 6 * (1000 * step + 101 * evaluation)
    assert Job(seeds=5).flops == 5 * Job(seeds=1).flops


def test_a_contender_that_did_another_job_is_found_out() -> None:
    job = Job(seeds=5)
    good = Report(runs=30, evaluations=101, seconds=1.0, test_accuracy={arm: v for arm, (v, _) in EXPECTED.items()})
    assert good.faults(job) == []
    assert replace(good, runs=6).faults(job) == ["6 runs instead of 30"]
    assert replace(good, evaluations=100).faults(job) == ["100 evaluations a run instead of 101"]
    (fault,) = replace(good, test_accuracy=good.test_accuracy | {"relu, he": 0.5}).faults(job)
    assert "relu, he is 0.5000" in fault


def measurements(job: Job, **seconds: float) -> list[Measurement]:
    contenders = {"dlsweep": DLSWEEP, "limit": LIMIT, "textbook": TEXTBOOK}
    return [
        Measurement(contenders[name], job, 0, Report(job.runs, job.evaluations, s), whole=s + 1)
        for name, s in seconds.items()
    ]


@pytest.mark.parametrize(("textbook", "verdict"), [(100.0, "pass"), (99.0, "miss")])
def test_bars_pass_at_the_wanted_ratio_and_are_not_judged_without_their_contender(
    textbook: float, verdict: str
) -> None:
    thirty, six = Job(seeds=5), Job(seeds=1)
    found = measurements(thirty, dlsweep=10, limit=8, textbook=textbook) + measurements(six, dlsweep=2, textbook=1)
    absent = {c: "no library" for c in PEERS if c != TEXTBOOK}
    verdicts = {bar.name: bar.verdict for bar in bars(lines(found, thirty, absent), lines(found, six, absent))}
    assert list(verdicts.values()) == [verdict, "not judged", "not judged", "pass", "miss"]
