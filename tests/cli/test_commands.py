"""The command line as a user has it: the real program in a process of its own, real files, real signals."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.commands import ENDING, TINY, Dlsweep, Done

import dlsweep as api
from dlsweep.cli import listing
from dlsweep.config import words

DLSWEEP = [sys.executable, "-m", "dlsweep"]

PLOTS = "plots=[{curves: {rows: activation, columns: init}}]"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Dlsweep:
    """The command, in a folder with the results of two sweeps."""
    dlsweep = Dlsweep(tmp_path_factory.mktemp("finished"))
    dlsweep("run", "tiny.yaml", "-q", "-j", "1")
    dlsweep("run", "tiny.yaml", "name=other", "seeds=1", "-q", "-j", "1")
    return dlsweep


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    program = """
import sys
sys.argv = ["dlsweep", "run", "--help"]
from dlsweep.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
print("imported:", *{"numpy", "pandas", "matplotlib", "pyarrow", "yaml", "scipy"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "--dry-run" in done.stdout
    assert done.stdout.splitlines()[-1] == "imported:"


def test_the_installed_script_and_its_version(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("dlsweep")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"dlsweep \d+\.\d+\.\d+\n", done.stdout)


def test_run_trains_draws_and_tells(dlsweep: Dlsweep, tmp_path: Path) -> None:
    first = dlsweep("run", "tiny.yaml", PLOTS, anew=True)
    assert "training 12 runs, 240 iterations" in first.stderr
    header, *lines, figure = first.stdout.splitlines()
    names = "activation init final_test_accuracy 95 % interval minus the best 95 % interval on new images n seconds"
    assert " ".join(header.split()) == names
    rows, notes = lines[:4], lines[5:]
    assert {tuple(row.split()[:2]) for row in rows} == {(a, i) for a in ("tanh", "relu") for i in ("xavier", "he")}
    assert rows[0].split()[2] == "best"
    assert "Differences to the best are paired by seed: arms are compared by these and their intervals." in notes
    assert figure == "results/tiny/figures/curves-accuracy.png"
    assert (tmp_path / figure).read_bytes().startswith(b"\x89PNG")
    assert len(pd.read_parquet(tmp_path / "results/tiny/runs")) == 12

    assert "draws figures" not in first.stderr

    again = dlsweep("run", "tiny.yaml", PLOTS, "-j", "1")
    assert "12 of 12 runs are done already" in again.stderr
    assert "nothing to do" in again.stderr
    assert again.stdout == first.stdout


def test_run_on_part_of_mnist_adds_what_a_grown_config_asks_for(dlsweep: Dlsweep, tmp_path: Path) -> None:
    lines = [
        "data: {mnist: {train: 300, test: 200}}",
        "train: {iterations: 10}",
        "seeds: 1",
        "grid: {init: [he, xavier]}",
    ]
    (tmp_path / "digits.yaml").write_text("\n".join(lines))
    assert "training 2 runs" in dlsweep("run", "digits.yaml", "-o", "out", "-j", "1").stderr
    grown = dlsweep("run", "digits.yaml", "seeds=2", "-o", "out", "-j", "1", "-v")
    assert "2 of 4 runs are done already" in grown.stderr
    assert "training 2 runs" in grown.stderr
    assert len(pd.read_parquet(tmp_path / "out/digits/runs")) == 4


def test_another_config_under_an_old_name_is_refused(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-q", "-j", "1")
    refused = dlsweep("run", "tiny.yaml", "train.iterations=30", "-j", "1", code=2)
    assert "20" in refused.stderr
    assert "30" in refused.stderr
    assert "--force" in refused.stderr
    assert dlsweep("run", "tiny.yaml", "train.iterations=30", "--force", "-q", "-j", "1").stdout == ""


def test_the_unchanged_config_shows_its_own_runs_after_another_number_of_seeds(dlsweep: Dlsweep) -> None:
    first = dlsweep("run", "tiny.yaml", PLOTS, "-j", "1")
    dlsweep("run", "tiny.yaml", "seeds=4", "grid.optimizer=sgd,momentum", "-q", "-j", "1")
    planned = dlsweep("run", "tiny.yaml", "--dry-run")
    again = dlsweep("run", "tiny.yaml", PLOTS, "-j", "1")
    assert again.stdout == first.stdout
    assert "20 runs in results/tiny that this config does not ask for stay there, and are not shown" in again.stderr
    assert "12 runs in 2 stacks, 12 done, 0 to train" in planned.stdout
    assert "4 of 32" not in dlsweep("run", "tiny.yaml", "seeds=4", "grid.optimizer=sgd,momentum", "-j", "1").stderr
    assert dlsweep("show", "results/tiny").stdout.count("momentum") == 4


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_config_from_standard_input(dlsweep: Dlsweep, tmp_path: Path, jobs: str) -> None:
    def piped(text: str, *arguments: str, **options: Any) -> Done:
        return subprocess.run(
            [*DLSWEEP, *arguments], cwd=tmp_path, input=text, capture_output=True, text=True, **options
        )

    assert piped(TINY, "run", "-", "-j", jobs, "-q").returncode == 0
    assert len(pd.read_parquet(tmp_path / "results/tiny/runs")) == 12
    if jobs == "2":
        return
    unnamed = TINY.partition("\n")[2]
    refused = piped(unnamed, "run", "-", "--dry-run")
    assert refused.returncode == 2
    told = "standard input:1:1: a config from standard input needs a name, as in name: my-question\n    data: {npz"
    assert refused.stderr.startswith(told)
    assert piped(unnamed, "run", "-", "--dry-run", "name=tiny").stdout.startswith("tiny: 12 runs in 2 stacks, 12 done")
    assert piped(TINY, "explain", "model", "-").stdout.startswith("tiny (all 4 arms)")
    assert "standard input:2:1: there is no key 'b'" in piped("name: a\nb: 1", "explain", "model", "-").stderr


def test_one_list_as_a_level_is_noted(dlsweep: Dlsweep) -> None:
    note = "command line: model.mlp.hidden has one level, [8, 4]; for 2 levels, write [[8], [4]]"
    for arguments in (["--dry-run"], ["-j", "1"]):
        assert note in dlsweep("run", "tiny.yaml", "grid.model.mlp.hidden=8,4", *arguments).stderr


def test_a_range_on_the_command_line(dlsweep: Dlsweep) -> None:
    planned = dlsweep("run", "tiny.yaml", "--dry-run", "grid.optimizer.lr={logspace: [1e-3, 1, 4]}")
    assert "48 runs in 2 stacks" in planned.stdout


def test_run_prints_json(dlsweep: Dlsweep) -> None:
    told = json.loads(dlsweep("run", "tiny.yaml", PLOTS, "--json", "-j", "1").stdout)
    assert told["runs"] == {"total": 12, "done": 12, "diverged": 0, "stopped": 0, "failed": 0}
    assert told["figures"] == ["results/tiny/figures/curves-accuracy.png"]
    assert [arm["factors"]["init"] for arm in told["arms"]] == ["xavier", "he"] * 2
    for arm in told["arms"]:
        metric = arm["metrics"]["final_test_accuracy"]
        assert arm["n"] == 3
        assert metric["low"] <= metric["mean"] <= metric["high"]


def test_quiet_says_nothing(dlsweep: Dlsweep) -> None:
    done = dlsweep("run", "tiny.yaml", "-q", "-j", "1")
    assert (done.stdout, done.stderr) == ("", "")


def test_dry_run_trains_nothing(dlsweep: Dlsweep, tmp_path: Path) -> None:
    plan = dlsweep("run", "tiny.yaml", "--dry-run")
    assert "tiny: 12 runs in 2 stacks, 0 done, 12 to train" in plan.stdout
    header, *stacks = plan.stdout.splitlines()[2:5]
    assert re.split("  +", header) == ["activation", "arms", "runs", "to train", "parameters"]
    assert [row.split()[:4] for row in stacks] == [["tanh", "2", "6", "6"], ["relu", "2", "6", "6"]]
    assert "on disk" in plan.stdout
    assert not (tmp_path / "results").exists()
    dlsweep("run", "tiny.yaml", "-q", "-j", "1")
    assert "12 done, 0 to train" in dlsweep("run", "tiny.yaml", "--dry-run").stdout
    told = json.loads(dlsweep("run", "tiny.yaml", "--dry-run", "--json", "-o", "elsewhere").stdout)
    assert (told["runs"], told["done"]) == (12, 0)
    assert "0 done, 12 to train" in dlsweep("run", "tiny.yaml", "--dry-run", "--force").stdout
    changed = dlsweep("run", "tiny.yaml", "train.iterations=30", "--dry-run", "--force").stdout
    assert "0 done, 12 to train" in changed


@pytest.mark.parametrize("rate", ["1e6", "1e30", "3e38"])
def test_diverged_runs_count_and_are_no_failure(dlsweep: Dlsweep, rate: str) -> None:
    command = ["run", "tiny.yaml", f"grid.optimizer.sgd.lr={rate}", "grid.activation=relu", "grid.init=he", "-j", "1"]
    done = dlsweep(*command)
    assert done.stdout.splitlines()[1].split()[-3:-1] == ["3", "3"]
    assert "0.3333" in done.stdout  # chance, with three classes
    assert "warning" not in done.stderr.lower()


def test_a_number_that_single_precision_cannot_hold_is_refused(dlsweep: Dlsweep) -> None:
    done = dlsweep("run", "tiny.yaml", "grid.optimizer.sgd.lr=1e308", code=2)
    assert done.stderr == (
        "command line: optimizer.sgd.lr must be a finite number, got 1e308, which single precision rounds to infinity\n"
    )


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, Any]:
    """A package of somebody's, which registers activations through an entry point: one works, one raises."""
    folder = tmp_path / "plugin"
    (folder / "plugin-1.0.dist-info").mkdir(parents=True)
    (folder / "plugin.py").write_text(
        "def cube(x):\n    '''Cube.'''\n    return x * x * x, lambda dy: 3 * x * x * dy\n"
        "def broken(x):\n    '''Never works.'''\n    raise ArithmeticError('as it must')\n"
        "def several(x):\n    '''Fails twice.'''\n    raise ExceptionGroup('both', [ValueError('a'), KeyError('b')])\n"
    )
    (folder / "plugin-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (folder / "plugin-1.0.dist-info/entry_points.txt").write_text(
        "[dlsweep.activations]\ncube = plugin:cube\nbroken = plugin:broken\nseveral = plugin:several\n"
    )
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def test_a_function_of_a_package_that_has_changed_is_refused_like_another_config(
    dlsweep: Dlsweep, plugin: dict[str, Any], tmp_path: Path
) -> None:
    module = tmp_path / "plugin/plugin.py"
    command = ["tiny.yaml", "grid.activation=cube", "grid.init=he"]
    dlsweep("run", *command, "-j", "1", **plugin)
    module.write_text(module.read_text().replace("    '''Cube.'''\n", "    '''Third power.'''  # better\n\n"))
    assert "3 done, 0 to train" in dlsweep("run", *command, "--dry-run", **plugin).stdout

    module.write_text(module.read_text().replace("3 * x * x * dy", "2 * x * x * dy"))
    for flags in ([], ["--dry-run"]):
        assert dlsweep("run", *command, *flags, code=2, **plugin).stderr == (
            "results/tiny was trained with other functions:\n"
            f"  the activation 'cube' ({module}:1) has another source now, not only other comments and docstrings\n"
            "give the sweep another name, or replace its results with --force\n"
        )
    dlsweep("run", *command, "-j", "1", "--force", **plugin)

    record = tmp_path / "results/tiny/sweep.json"  # as an older version wrote it
    content = json.loads(record.read_text("utf-8"))
    del content["sources"], content["checksum"]
    record.write_text(json.dumps({**content, "schema_version": 1}))
    told = dlsweep("run", *command, "-j", "1", **plugin).stderr
    assert "it is not known if the activation 'cube'" in told
    assert "because its source was not recorded" in told


def test_a_failed_run_is_told_by_the_type_and_the_first_line_of_its_error(
    dlsweep: Dlsweep, plugin: dict[str, Any], tmp_path: Path
) -> None:
    module = tmp_path / "plugin/plugin.py"
    module.write_text(module.read_text().replace("'as it must'", "'as it must\\nbe'"))
    command = ["run", "tiny.yaml", "grid.activation=[several, broken]", "grid.init=he", "seeds=1", "-j", "1"]
    told = dlsweep(*command, code=1, **plugin).stderr
    assert "several, seed 0: ExceptionGroup: both (2 sub-exceptions)\n" in told
    assert "broken, seed 0: ArithmeticError: as it must\n" in told
    assert "+---" not in told


def test_a_function_may_be_corrected_if_all_its_runs_failed(
    dlsweep: Dlsweep, plugin: dict[str, Any], tmp_path: Path
) -> None:
    module = tmp_path / "plugin/plugin.py"
    command = ["run", "tiny.yaml", "grid.activation=[broken, cube]", "grid.init=he", "-j", "1"]
    dlsweep(*command, code=1, **plugin)
    module.write_text(module.read_text().replace("raise ArithmeticError('as it must')", "return x, lambda dy: dy"))
    done = dlsweep(*command, "--retry", **plugin)
    assert [row.split()[-2] for row in done.stdout.splitlines()[1:3]] == ["3", "3"]
    assert "failed" not in done.stdout


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_failed_runs_do_not_stop_the_others(dlsweep: Dlsweep, plugin: dict[str, Any], executor: str) -> None:
    command = ["run", "tiny.yaml", "grid.activation=broken, cube", "grid.init=he", "--executor", executor]
    command += ["-j", "1"] if executor == "processes" else []
    done = dlsweep(*command, code=1, **plugin)
    assert "broken, seed 0: ArithmeticError: as it must" in done.stderr
    assert "3 runs failed; --retry" in done.stderr
    assert [row.split()[-3:-1] for row in done.stdout.splitlines()[1:3]] == [["3", "0"], ["0", "3"]]  # n, failed
    assert "failed: broken, seed 0: ArithmeticError: as it must" in done.stdout
    assert "training 3 runs" in dlsweep(*command, "--retry", code=1, **plugin).stderr
    if executor == "inline":
        assert "6 of 6 runs are done already" in dlsweep(*command, code=1, **plugin).stderr
        assert "6 done, 0 to train" in dlsweep(*command, "--dry-run", **plugin).stdout


def test_fail_fast_ends_at_the_first_failure(dlsweep: Dlsweep, plugin: dict[str, Any]) -> None:
    assert "cube: Cube." in dlsweep("list", "activation", **plugin).stdout
    command = ("run", "tiny.yaml", "grid.activation=broken", "grid.init=he", "--fail-fast", "--executor", "inline")
    done = dlsweep(*command, code=1, **plugin)
    assert done.stdout == ""
    assert "first failure" in done.stderr


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_ctrl_c_keeps_what_is_finished_and_tells_how_to_go_on(dlsweep: Dlsweep, tmp_path: Path, executor: str) -> None:
    # A stop comes at an evaluation: of the longer run at the next of a hundred thousand.
    command = ["run", "tiny.yaml", "grid={train.iterations: [5, 100000000]}", "evaluate.every=1000"]
    command += ["--executor", executor, *(["-j", "1"] if executor == "processes" else [])]
    with subprocess.Popen([*ENDING, *DLSWEEP, *command], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not list(tmp_path.glob("results/tiny/runs/*.parquet")):
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate()
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert "stopping: finished runs are kept; Ctrl-C again stops at once" in stderr
    assert "stopped with 3 of 6 runs done; the others start over; to go on:" in stderr
    resume = shlex.split(stderr.splitlines()[-1])
    assert resume == ["dlsweep", *command]
    assert "3 done, 3 to train" in dlsweep(*resume[1:], "--dry-run").stdout


def test_two_runners_on_one_folder(dlsweep: Dlsweep, tmp_path: Path) -> None:
    endless = ["run", "tiny.yaml", "train.iterations=100000000"]
    with subprocess.Popen([*ENDING, *DLSWEEP, *endless], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "training" in process.stderr.readline()
            refused = dlsweep(*endless, code=4)
        finally:
            process.kill()
    assert str(process.pid) in refused.stderr


def test_plot_draws_one_sweep_or_all(finished: Dlsweep) -> None:
    one = finished("plot", "results/tiny")
    assert one.stdout.split() == ["results/tiny/figures/curves-accuracy.png"]
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    both = finished("plot", "results", "--format", ",".join(starts), "-y", "loss", "--rows", "init")
    drawn = [f"results/{name}/figures/curves-loss.{kind}" for name in ("other", "tiny") for kind in starts]
    assert both.stdout.split() == drawn
    for path in drawn:
        assert (finished.folder / path).read_bytes().startswith(starts[path.rpartition(".")[2]])


@pytest.mark.parametrize("kind", ["gap", "final", "heatmap"])
def test_plot_draws_every_kind(finished: Dlsweep, kind: str) -> None:
    done = finished("plot", "results/tiny", "-k", kind, "-y", "loss", "--columns", "init")
    assert done.stdout.split() == [f"results/tiny/figures/{kind}-loss.png"]
    assert done.stderr == ""


def test_plots_of_a_config_with_their_settings(dlsweep: Dlsweep) -> None:
    plots = "plots=[{curves: {y: loss, log_y: true}}, {response: {x: optimizer.lr}}, {final: {order: value}}, heatmap]"
    done = dlsweep("run", "tiny.yaml", "grid.optimizer.sgd.lr=0.01,0.1,1", plots, "-j", "1")
    drawn = [f"results/tiny/figures/{name}.png" for name in ("curves-loss", "response-accuracy", "final-accuracy")]
    assert [line for line in done.stdout.splitlines() if line.endswith(".png")][:3] == drawn
    some = dlsweep("plot", "results/tiny", "-y", "accuracy", "--lines", "activation")
    assert {Path(path).name.split("-")[0] for path in some.stdout.split()} == {"curves", "response", "final"}
    assert dlsweep("plot", "results/tiny", "--log-x", "-k", "response").stdout


def test_plot_in_several_formats(dlsweep: Dlsweep) -> None:
    done = dlsweep("run", "tiny.yaml", PLOTS, "-j", "1", "--format", "png,svg")
    assert [line.rpartition(".")[2] for line in done.stdout.splitlines()[-2:]] == ["png", "svg"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plot", "results", "--rows", "inti"], "did you mean 'init'?"),
        (["plot", "results", "-k", "curve"], "did you mean 'curves'?"),
        (["plot", "results/tiny", "init=hee"], "init has no level 'hee' in results/tiny; did you mean 'he'?"),
        (["plot", "results", "-k", "heatmap", "--lines", "init"], "heatmap has no setting 'lines' (choices: columns,"),
        (["plot", "results", "-k", "layers"], "has no measurements of layers; train with evaluate.layers: true"),
        (["plot", "results", "-k", "response", "-x", "init.std"], "there is no numeric setting 'init.std' for x"),
        (
            ["plot", "results", "-y", "acuracy"],
            "plots.curves.y must be one of accuracy, loss, penalty, got 'acuracy'; did you mean 'accuracy'?",
        ),
        (
            ["plot", "results", "-x", "epohc"],
            "plots.curves.x must be one of iteration, epoch, got 'epohc'; did you mean",
        ),
        (["plot", "results", "--format", "jpg"], "there is no format 'jpg'"),
        (["plot", "nowhere"], "there are no results in nowhere"),
        (["plot", "results/tny"], "there are no results in results/tny; did you mean 'results/tiny'?"),
        (["plot", "tiny.yaml"], "tiny.yaml is a file; give the folder of a sweep, such as results/tiny"),
        (["show", "results/tiny", "-y", "acuracy"], "did you mean 'accuracy'?"),
        (["show", "results/tiny/sweep.json"], "is a file; give the folder of a sweep, such as results/tiny"),
        (["show", "results", "-y", "test_acuracy"], "did you mean"),
        (["show", "results/tiny/runs"], "there are no results"),
    ],
)
def test_what_cannot_be_plotted_or_shown(finished: Dlsweep, arguments: list[str], said: str) -> None:
    done = finished(*arguments, code=2)
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["run", "tiny.yaml", "--sed", "3"],
            "dlsweep run has no option '--sed'; a key of the config has no dashes: seeds=…",
        ),
        (["run", "tiny.yaml", "--train.epochs=3"], "dlsweep run has no option '--train.epochs'"),
        (
            ["run", "tiny.yaml", "--dryrun"],
            "dlsweep run has no option '--dryrun'; did you mean '--dry-run'? (choices: ",
        ),
        (["run", "tiny.yaml", "-j"], "dlsweep: option '-j' requires an argument"),
        (["run"], "dlsweep run: missing argument 'CONFIG'; dlsweep run -h shows its arguments and options"),
        (["list", "a", "b"], "dlsweep list: got unexpected extra argument"),
        (
            ["show", "results/tiny", "--sortby", "arm"],
            "dlsweep show has no option '--sortby'; did you mean '--sort-by'?",
        ),
        (["--vershion"], "dlsweep has no option '--vershion'; did you mean '--version'? (choices: --help, --version)"),
        (["rn"], "dlsweep has no command 'rn'; did you mean 'run'? (choices: check, data, diff, "),
        (["explain", "modl"], "dlsweep explain has no command 'modl'; did you mean 'model'? (choices: col2im, "),
    ],
)
def test_a_mistyped_command_is_told_in_the_voice_of_all_messages(
    dlsweep: Dlsweep, arguments: list[str], said: str
) -> None:
    done = dlsweep(*arguments, code=2)
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_sweep_without_runs_does_not_keep_others_from_being_seen(dlsweep: Dlsweep, tmp_path: Path) -> None:
    dlsweep("run", "tiny.yaml", "-q", "-j", "1")
    (tmp_path / "results/begun").mkdir()
    record = (tmp_path / "results/tiny/sweep.json").read_text("utf-8")
    (tmp_path / "results/begun/sweep.json").write_text(record, "utf-8")
    for command, first in (("plot", "results/tiny/figures/"), ("show", "activation")):
        done = dlsweep(command, "results")
        assert done.stdout.startswith(first)
        assert done.stderr == f"there is nothing to {command} in results/begun: no run is done yet\n"
    told = json.loads(dlsweep("show", "results", "--json").stdout)
    assert [sweep["runs"]["total"] for sweep in told] == [0, 12]
    refused = dlsweep("show", "results/begun", code=2)
    assert refused.stderr == "there is nothing to show in results/begun: no run is done yet\n"


def test_a_broken_sweep_does_not_keep_others_from_being_seen(dlsweep: Dlsweep, tmp_path: Path) -> None:
    for name in ("first", "last"):
        dlsweep("run", "tiny.yaml", f"name={name}", "seeds=1", "-q", "-j", "1")
    (tmp_path / "results/middle").mkdir()
    (tmp_path / "results/middle/sweep.json").write_text("{")
    next((tmp_path / "results/first/curves").iterdir()).write_bytes(b"")
    shown = dlsweep("show", "results", code=4)
    assert [line for line in shown.stdout.splitlines() if "results/" in line] == [
        "first (results/first)",
        "last (results/last)",
    ]
    assert shown.stderr.startswith("results/middle/sweep.json is damaged, or not made by dlsweep: ")
    assert [sweep["name"] for sweep in json.loads(dlsweep("show", "results", "--json", code=4).stdout)] == [
        "first",
        "last",
    ]
    drawn = dlsweep("plot", "results", code=4)
    assert drawn.stdout == "results/last/figures/curves-accuracy.png\n"
    assert [line.partition(" ")[0].split("/")[1] for line in drawn.stderr.splitlines()] == ["first", "middle"]
    with pytest.warns(UserWarning, match="middle/sweep.json is damaged"):
        opened = api.open_all(tmp_path / "results")
    assert [results.name for results in opened] == ["first", "last"]


def test_results_are_moved_with_or_without_their_data(dlsweep: Dlsweep, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    (before / "data").mkdir()
    (tmp_path / "tiny.npz").rename(before / "data" / "tiny.npz")
    config = TINY.replace("tiny.npz", "data/tiny.npz") + "evaluate: {keep: final}\nplots: [confusion, curves]\n"
    (before / "tiny.yaml").write_text(config, "utf-8")
    dlsweep("run", "before/tiny.yaml", "-o", "before/results", "seeds=1", "-q", "-j", "1")
    before.rename(after)
    paths = [f"after/results/tiny/figures/{name}.png\n" for name in ("confusion", "curves-accuracy")]
    assert dlsweep("plot", "after/results").stdout == "".join(paths)
    (after / "data" / "tiny.npz").unlink()
    drawn = dlsweep("plot", "after/results")
    assert drawn.stdout == paths[1]
    assert drawn.stderr.startswith("warning: a plot was not drawn: data.npz.path: ")
    assert "No such file or directory" in drawn.stderr


def test_memory_that_is_too_little_is_told(dlsweep: Dlsweep) -> None:
    command = ("run", "tiny.yaml", "-j", "1", "--max-memory", "0.000001")
    for done in (dlsweep(*command, "--dry-run"), dlsweep(*command)):
        assert re.search(r"a run of tanh, xavier takes \d+ kB, more than max_memory leaves", done.stderr)


def test_there_is_nothing_to_plot_yet(finished: Dlsweep) -> None:
    (finished.folder / "begun").mkdir(exist_ok=True)
    record = (finished.folder / "results/tiny/sweep.json").read_text("utf-8")
    (finished.folder / "begun/sweep.json").write_text(record, "utf-8")
    done = finished("plot", "begun", "--rows", "init", code=2)
    assert done.stderr == "there is nothing to plot in begun: no run is done yet\n"


def test_figures_that_are_not_asked_any_more_are_removed(dlsweep: Dlsweep, tmp_path: Path) -> None:
    dlsweep("run", "tiny.yaml", PLOTS, "-q", "-j", "1")
    dlsweep("run", "tiny.yaml", PLOTS.replace("init", "init, y: loss"), "-q", "-j", "1")
    assert [path.name for path in (tmp_path / "results/tiny/figures").iterdir()] == ["curves-loss.png"]
    dlsweep("run", "tiny.yaml", "-q", "-j", "1")
    assert not list((tmp_path / "results/tiny/figures").iterdir())


def test_show(dlsweep: Dlsweep) -> None:
    done = dlsweep("run", "tiny.yaml", "-j", "1")
    assert done.stderr.splitlines()[-1] == "dlsweep plot results/tiny draws figures"
    assert dlsweep("show", "results/tiny").stdout == done.stdout


def test_show_several(finished: Dlsweep) -> None:
    shown = finished("show", "results", "-y", "best_test_loss").stdout.splitlines()
    assert [line.count("best_test_loss") for line in shown if line.startswith("activation ")] == [1, 1]
    assert [sweep["name"] for sweep in json.loads(finished("show", "results", "--json").stdout)] == ["other", "tiny"]


def test_a_damaged_table_is_never_shown(dlsweep: Dlsweep, tmp_path: Path) -> None:
    dlsweep("run", "tiny.yaml", "-q", "-j", "1")
    part = next((tmp_path / "results/tiny/runs").glob("*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 1
    part.write_bytes(content)
    for command in ("show", "plot"):
        assert part.name in dlsweep(command, "results/tiny", code=4).stderr


def test_list_has_every_name(dlsweep: Dlsweep) -> None:
    listed = json.loads(dlsweep("list", "--json").stdout)
    assert set(listed) == set(listing.KINDS)
    names = {kind: {entry["name"] for entry in entries} for kind, entries in listed.items()}
    assert names["optimizer"] >= {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"}
    assert names["executor"] == {"inline", "processes", "dask"}
    assert names["layer"] >= {"conv", "pool", "dense", "flatten", "activation", "dropout"}
    (momentum,) = (entry for entry in listed["optimizer"] if entry["name"] == "momentum")
    alpha = {"name": "alpha", "kind": "number >= 0 and < 1", "required": False, "default": 0.9}
    assert {**alpha, "description": "α, the part of the last step that is repeated"} in momentum["settings"]
    assert all(s["description"] for entry in listed["optimizer"] for s in entry["settings"])
    assert all(entry["summary"] for entries in listed.values() for entry in entries)
    text = dlsweep("list").stdout
    for entry in (entry for entries in listed.values() for entry in entries):
        assert f"  {entry['name']}: {entry['summary']}\n" in text
    assert "did you mean 'optimizer'?" in dlsweep("list", "optimiser", code=2).stderr


def test_list_takes_a_kind_in_singular_or_plural_or_a_name(dlsweep: Dlsweep) -> None:
    plots = dlsweep("list", "plots").stdout
    assert plots.startswith("plots\n  churn: ")
    assert dlsweep("list", "plot").stdout == plots
    assert dlsweep("list", "initializers").stdout == dlsweep("list", "init").stdout
    assert dlsweep("list", "processes").stdout == (
        "executor\n"
        "  processes: Train in worker processes on this machine, with one BLAS thread each.\n"
        "      jobs: integer >= 1 | null, default null\n"
        "          workers, by default one for every core\n"
        "      timeout: number > 0 | null, default null\n"
        "          seconds without progress after which a worker is killed; its start does not count\n"
    )
    both = json.loads(dlsweep("list", "dropout", "--json").stdout)
    assert {kind: [entry["name"] for entry in entries] for kind, entries in both.items()} == {
        "regularizer": ["dropout"],
        "layer": ["dropout"],
    }
    told = dlsweep("list", "adma", code=2).stderr
    assert told.startswith("there is no kind and no name 'adma'; did you mean 'adam'? (kinds: data, model, ")


@pytest.mark.parametrize("kind", listing.KINDS)
def test_every_setting_has_a_line_of_description(dlsweep: Dlsweep, kind: str) -> None:
    entries = json.loads(dlsweep("list", kind, "--json").stdout)[kind]
    missing = [
        f"{entry['name']}.{setting['name']}"
        for entry in entries
        for setting in entry["settings"]
        if "description" not in setting
    ]
    assert missing == []


def test_list_knows_every_registry_of_the_config_language() -> None:
    assert set(listing.KINDS) == {*words.CHOSEN, "layer", "plots", "executor"}


def test_a_reader_that_has_seen_enough() -> None:
    for arguments in (["list"], ["schema"]):
        pipe = f"{shlex.join([*DLSWEEP, *arguments])} | head -n 1"
        done = subprocess.run(pipe, shell=True, capture_output=True, text=True)
        assert len(done.stdout.splitlines()) == 1
        assert done.stderr == ""


def test_schema_is_json(dlsweep: Dlsweep) -> None:
    schema = json.loads(dlsweep("schema").stdout)
    assert "grid" in schema["properties"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "run"),
        (["run"], "CONFIG"),
        (["run", "tiny.yaml", "--jobs", "0"], "--jobs must be at least 1, got 0\n"),
        (["run", "tiny.yaml", "-j", "x"], "--jobs must be a whole number, got 'x'\n"),
        (["run", "tiny.yaml", "data.npz.test=abc"], "such as 500, or a share below 1 such as 0.2, got 'abc'"),
        (["effects", "results", "--order", "0"], "--order must be at least 1, got 0\n"),
        (["explain", "im2col", "--filters", "40"], "--filters must be at most 26, got 40\n"),
        (["run", "tiny.yaml", "--executor", "process"], "did you mean 'processes'?"),
        (["run", "tiny.yaml", "--timeout", "-1"], "--timeout must be above 0, got -1\n"),
        (["run", "tiny.yaml", "--max-memory", "nan"], "--max-memory must be a number, got 'nan'"),
        (["run", "tiny.yaml", "--max-memory", "inf"], "--max-memory must be a number, got 'inf'"),
        (["run", "tiny.yaml", "train={batch_size: 10}", "grid={train.batch_size: [5, 10]}"], "has no effect"),
        (["run", "tiny.yaml", "--format", "gif"], "there is no format 'gif'"),
        (["run", "tiny.yml"], "did you mean 'tiny.yaml'?"),
        (["run", "tiny.yaml", "train.iteration=3"], "did you mean 'iterations'?"),
        (["run", "tiny.yaml", "seeds=1000000"], "--max-runs"),
        (["run", "tiny.yaml", "--max-runs", "11"], "12 runs"),
        (["run", "."], "file"),
    ],
)
def test_usage_errors(dlsweep: Dlsweep, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = dlsweep(*arguments, code=2)
    assert said in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "results").exists()


def test_every_mistake_of_a_config_has_its_line(dlsweep: Dlsweep, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(TINY.replace("relu", "rleu").replace("20", "-20").replace("8", "0"))
    done = dlsweep("run", "wrong.yaml", code=2)
    places = [line.split(": ")[0] for line in done.stderr.splitlines() if not line.startswith(" ")]
    assert places == ["wrong.yaml:3:24", "wrong.yaml:4:21", "wrong.yaml:7:22"]
    assert done.stderr.count("^\n") == 3
    assert "did you mean 'relu'?" in done.stderr
