"""What the README says holds: its configs load, its Python runs, its commands and options are there."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.support import commands

from dlsweep import load
from dlsweep.errors import ConfigError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place to work, with the configs, and with the data that a reader has."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    x, t = np.random.default_rng(0).normal(size=(200, 4)), np.arange(200) % 2
    np.savez(tmp_path / "mine.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    return tmp_path


@pytest.mark.parametrize("text", blocks("yaml"), ids=lambda text: yaml.safe_load(text)["name"])
def test_configs_load_or_fail_as_shown(folder: Path, text: str) -> None:
    name = yaml.safe_load(text)["name"]
    (folder / f"{name}.yaml").write_text(text, "utf-8")
    if name == "wrong":
        with pytest.raises(ConfigError) as caught:
            load(folder / "wrong.yaml")
        assert str(caught.value).replace(f"{folder}/", "") == blocks("text")[0].strip()
    else:
        assert list(load(folder / f"{name}.yaml").runs())


def test_the_first_config_is_the_committed_one(folder: Path) -> None:
    (folder / "first.yaml").write_text(blocks("yaml")[0], "utf-8")
    assert load(folder / "first.yaml").difference(load(ROOT / "configs/activation_init.yaml").resolved()) == []


@pytest.mark.parametrize("program", blocks("python"), ids=["use", "load", "predictions", "extend"])
def test_python_runs(folder: Path, program: str) -> None:
    (folder / "program.py").write_text(program, "utf-8")
    done = commands.python("program.py", folder=folder)
    assert done.returncode == 0, done.stderr
    told = [re.sub(r"\d.*", "…", line.partition(": ")[2]) for line in done.stderr.splitlines()]
    assert set(told) <= {"training …", "…", ""}  # progress, and a note on functions of a script
    assert all(line.startswith("training in one process") for line in done.stderr.splitlines() if ": " not in line)


def test_python_in_ten_lines() -> None:
    assert len([line for line in blocks("python")[0].splitlines() if line]) <= 10


@cache
def help_of(command: str) -> str:
    done = commands.dlsweep(command, "--help", folder=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`dlsweep ([a-z]+)", README)) - {"COMMAND"}))
def test_commands_and_their_options_exist(command: str) -> None:
    told = help_of(command)
    for row in re.findall(rf"^\| `dlsweep {command}.*$", README, re.MULTILINE):
        for option in re.findall(r"(?<=[ `])--?[a-z][a-z-]*", row):
            assert option in told


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_options_of_commands_exist() -> None:
    rows = re.findall(r"^\| (`-.*) \| (`[a-z].*) \| .* \|$", README, re.MULTILINE)
    assert len(rows) >= 10
    for options, names in rows:
        for command in re.findall(r"`([a-z]+)`", names):
            for option in re.findall(r"--?[a-z][a-z-]*", options):
                assert re.search(rf"{option}\b", help_of(command)), f"{command} {option}"


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda page: page.name)
def test_files_and_headings_that_are_linked_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        if not target.startswith("http"):
            linked = page.parent / name if name else page
            assert linked.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}"


def test_make_targets_that_are_named_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    pages = README + (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", pages)) <= targets
