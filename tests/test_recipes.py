"""docs/recipes.md holds: its configs train, its commands end well, and they print the lines that it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from tests.support import commands

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parent.parent / "docs" / "recipes.md").read_text("utf-8")
RECIPES = PAGE.split("\n## ")[1:]


def blocks(recipe: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", recipe, re.DOTALL | re.MULTILINE)


def masked(text: str) -> str:
    """A text without its numbers and without the spaces and signs around them, which depend on the processor."""
    return re.sub(r"\s+", " ", re.sub(r"[-+]?\d[\d.]*(e-\d+)?", "#", text)).strip()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.partition("\n")[0])
def test_a_recipe_works_as_shown(recipe: str, tmp_path: Path) -> None:
    for number, program in enumerate(blocks(recipe, "python")):
        (tmp_path / f"{number}.py").write_text(program, "utf-8")
        done = commands.python(f"{number}.py", folder=tmp_path)
        assert done.returncode == 0, done.stderr
    (config,) = blocks(recipe, "yaml")
    (tmp_path / f"{yaml.safe_load(config)['name']}.yaml").write_text(config, "utf-8")
    (console,) = blocks(recipe, "console")
    for part in console.split("$ dlsweep ")[1:]:
        command, *shown = part.splitlines()
        done = commands.dlsweep(*shlex.split(command), folder=tmp_path)
        assert done.returncode == 0, done.stderr
        told = masked(done.stdout)
        for line in (line for line in shown if " best " not in line):  # which arm it is may depend on the processor
            assert masked(line.removesuffix("…")) in told


def test_every_recipe_is_run() -> None:
    assert len(RECIPES) == PAGE.count("```yaml") == PAGE.count("```console") == 3
