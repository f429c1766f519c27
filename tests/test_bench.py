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
from bench import answers, common, convolution_jobs, jobs, scale, stores
from bench.common import EXPECTED, Job, Report
from bench.contenders import DLSWEEP, LIMIT, PEERS, TEXTBOOK, Measurement
from bench.projection import Measured, Prices, Sweep, projection
from bench.summary import bars, lines
from tests.support.by_hand import ByHand

import dlsweep
from dlsweep.config.claims import RELATIONS
from dlsweep.config.runs import Evaluate
from dlsweep.datasets import Arrays, Dataset

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a bench with one BLAS thread: several wait for each other in busy loops if other programs work, too."""
    return subprocess.run(command, cwd=ROOT, env=common.environment(1), capture_output=True, text=True)


def test_smoke_run_measures_what_is_there_and_names_what_is_absent(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--quick", "--python", sys.executable, "--output", str(tmp_path)]
    done = run(command)
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
    done = run(command)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["name"]: row for row in json.loads((tmp_path / "techniques.json").read_text())["rows"]}
    assert set(rows) == set(parts)
    for name, row in rows.items():
        absent = row["other"] == "PyTorch loop" and not find_spec("torch")
        assert (row["reached"] is None) == absent, row
        assert f"| {name} |" in (tmp_path / "techniques.md").read_text()


def test_convolution_smoke_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.convolution", "--quick", "--rounds", "1", "--python", sys.executable]
    done = run([*command, "--output", str(tmp_path)])
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "convolution.json").read_text())["rows"]
    assert {row["name"].split(",")[0] for row in rows} == set(convolution_jobs.JOBS)
    for row in rows:
        absent = row["other"] == "PyTorch loop" and not find_spec("torch")
        assert (row["reached"] is None) == absent, row
        assert f"| {row['name']} | {row['other']} |" in (tmp_path / "convolution.md").read_text()


@pytest.mark.parametrize("name", ["coverage", "error_rates", "until_decided"])
def test_a_simulation_writes_its_tables(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"bench.{name}", "--quick", "--output", str(tmp_path)]
    done = run(command)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / f"{name}.md").read_text("utf-8")
    assert done.stdout.strip() in written
    assert "nan" not in written
    recorded = (ROOT / "bench" / "results" / f"{name}.md").read_text("utf-8")
    titles = [line for line in written.splitlines() if line.startswith("#")]
    assert [line for line in recorded.splitlines() if line.startswith("#")] == titles


@pytest.mark.parametrize("job", convolution_jobs.JOBS.values(), ids=list(convolution_jobs.JOBS))
def test_the_config_of_a_convolutional_network_has_its_runs_and_its_weights(job: convolution_jobs.Job) -> None:
    plan = dlsweep.plan(dlsweep.load(convolution_jobs.config(job)))
    assert plan.runs == job.runs == len(job.settings)
    weights = list(job.weights(0))
    assert [c.parameters for c in plan.cohorts] == [sum(w.size + len(w) for w in weights)]


def test_the_textbook_convolution_takes_the_same_steps() -> None:
    job = convolution_jobs.SIMPLE_CNN
    lr, seed = job.settings[-1]
    rng = np.random.default_rng(0)
    x, t = rng.random((6, *convolution_jobs.IMAGE)), rng.integers(10, size=6)
    arrays = Arrays(x, t, x[:0], t[:0], x, t)
    data = Dataset("same", convolution_jobs.IMAGE, 10, {"train": 6, "validation": 0, "test": 6}, lambda: arrays)
    (run,) = [
        run
        for run in dlsweep.plan(dlsweep.load(convolution_jobs.config(job))).missing(())
        if (run.arm.optimizer.settings["lr"], run.seed) == (lr, seed)
    ]
    stack = ByHand([run], data, np.dtype(np.float64))
    batch = {run.seeds: stack.gather(run.seeds, np.arange(6))}
    stack.begin(batch)
    weights = iter(job.weights(seed))
    for p in stack.parameters:
        if "W" in p:
            p["W"][0] = 10 * next(weights)
    textbook = import_module("bench.textbook_convolution").SimpleCNN([10 * w for w in job.weights(seed)], lr)
    for step in range(1, 6):
        stack.step(step, 5, batch)
        textbook.step(x, np.eye(10)[t])
        stack.evaluate(step, batch)
        (loss,), (accuracy,) = (stack.rows[-1][name] for name in ("loss", "accuracy"))
        assert textbook.evaluate(x, np.eye(10)[t]) == pytest.approx((loss, accuracy), rel=1e-8)


def test_the_textbook_counts_up_to_the_whole_job(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = import_module("bench.textbook_convolution")
    job = replace(convolution_jobs.SIMPLE_CNN, iterations=100, every=2, tested=3, images=20, first=50)
    small = common.Data(*(a[:n] for a, n in zip(loop.jobs.read(job).__dict__.values(), (50, 50, 20, 20))))
    monkeypatch.setattr(loop.jobs, "read", lambda job: small)
    monkeypatch.setattr(loop, "STEPS", 4)
    monkeypatch.setattr(loop, "IMAGES", 5)
    worked: list[Any] = []

    def seconds(work: Any) -> float:
        worked.append(work())
        return 2.0 if worked[-1] is None else 3.0

    monkeypatch.setattr(loop, "_seconds", seconds)
    report = loop.training(job)
    assert (report.runs, report.evaluations, len(worked)) == (6, 51, 6)
    assert report.seconds == 6 * (100 * 2 + 51 * 3)  # a step has no result, an evaluation has
    assert loop.evaluation(job).seconds == 6 * 3 * 20 / 5


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


def test_a_generated_store_has_claims_of_every_relation_and_predictions_that_fit(tmp_path: Path) -> None:
    results = answers.store(tmp_path, arms=80, points=60, predictions=True)
    assert {claim.relation for claim in results.record.claims} == set(RELATIONS)
    verdicts = results.check()
    assert not [verdict.reason for verdict in verdicts if verdict.verdict == "undecided" and verdict.p <= 0.05]
    assert verdicts.verdicts[0].step.interval_new_images
    assert all(float(number) > 0 for number in answers.measured(("show", "--top", "3"), results.folder))


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


def test_a_measured_command_finds_bytecode_as_that_of_a_user_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert stores.usage([sys.executable, "-c", "import sys; sys.exit(sys.dont_write_bytecode)"])[1] > 0


def test_the_cost_of_size_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PLANNED": (20, 200), "CHUNKS": (20,), "HALVES": 40, "STEPS": 10, "ROUNDS": 1}.items():
        monkeypatch.setattr(scale, name, value)
    measured = Measured()
    planned = scale.planning(tmp_path, 1, measured)
    assert [row[0] for row in planned.rows] == ["20", "200"]
    assert all(cpu > 0 and memory > 1e7 for cpu, memory in measured.planned.values())
    ((chunks, *_, most, left),) = scale.many_chunks(tmp_path, 1, measured).rows
    assert (chunks, left) == ("20", str(3 * 20 + 3))
    assert int(str(most)) >= 63
    ((runs, *_),) = scale.messages(tmp_path, 1, measured).rows
    assert runs == str(measured.small.chunk)
    assert measured.message > 40 * measured.small.chunk  # two names of runs and more
    ((_, *numbers),) = scale.cores(tmp_path, 1, measured).rows
    assert all(float(str(number).rstrip("%")) > 0 for number in numbers)


def test_a_larger_sweep_is_computed_from_measurements() -> None:
    small = Sweep(training=0.01, beyond=1e-4, disk=200, memory=500, chunk=500)
    planned = {100_000: (3.0, 1e8), 1_000_000: (21.0, 1.9e8)}  # 20 µs and 100 B a run
    measured = Measured(planned, small, replace(small, memory=16_000, disk=3000), chunk=0.01, message=70_000)
    found = {name: own for name, _, *own in projection(measured, Prices(0.05, 0.02, 10)).rows}
    assert found["chunks"] == ["200,000", "10,000,000"]
    assert found["memory of this process"] == ["10.0 GB"] * 2
    assert found["planning by all shards"] == ["556 core-hours"] * 2  # 1000 × 2000 s
    assert found["training"] == ["278 core-hours", "1,666,667 core-hours"]
    assert found["other work"] == ["3.3 core-hours", "30.6 core-hours"]
    assert found["files of a table after `merge`"] == ["2,000", "23,842"]
    assert found["disk"] == ["20 GB", "300 GB"]
    assert found["their bytes"] == ["14 GB", "700 GB"]
    assert found["money for cores"] == ["$42", "$83,363"]
    assert found["money for the disk"] == ["$4", "$60"]


def test_the_page_on_scale_has_the_table_of_the_bench() -> None:
    page, results = ((ROOT / name).read_text("utf-8") for name in ("docs/scale.md", "bench/results/scale.md"))
    table = results.partition("## A hundred million runs\n")[2].strip()
    assert table
    assert table in page
