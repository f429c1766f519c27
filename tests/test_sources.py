"""The source of a function from another package: what counts as a change of it."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from dlsweep.sources import digest

MODULE = '''
import numpy as np
from own_package import helpers

SLOPE = 0.1
OTHER = 1
x = 3


def up(x):
    return np.maximum(x, 0)


class Line:
    def __init__(self, slope):
        self.slope = slope


def mine(x, *, start: float = 0.5):
    """What it does."""
    y = up(x) + Line(SLOPE).slope * np.minimum(x, 0)
    return y, lambda dy: dy * helpers.slope(y)  # so far
'''
HELPERS = "def slope(y):\n    return y > 0\n"


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """The digest of `mine` in a package with this source."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package/__init__.py").touch()

    def found(module: str = MODULE, helpers: str = HELPERS) -> str:
        for name in [name for name in sys.modules if name.startswith("own_package")]:
            del sys.modules[name]
        name = f"m{abs(hash((module, helpers)))}"  # a file of its own: no stale bytecode
        (tmp_path / "own_package/helpers.py").unlink(missing_ok=True)
        (tmp_path / "own_package/helpers.py").write_text(helpers)
        (tmp_path / f"own_package/{name}.py").write_text(module)
        return digest(import_module(f"own_package.{name}").mine)

    return found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("What it does.", "What it does, better."),
        ("  # so far", ""),
        ("y = up(x)", "y = (up(x))"),
        ("OTHER = 1", "OTHER = 2"),
        ("x = 3", "x = 4"),  # the parameter hides it
    ],
)
def test_what_is_no_change(found, old, new):
    assert old in MODULE
    assert found(MODULE.replace(old, new)) == found() != ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SLOPE = 0.1", "SLOPE = 0.2"),
        ("np.maximum(x, 0)", "np.maximum(x, 1)"),
        ("self.slope = slope", "self.slope = -slope"),
        ("start: float = 0.5", "start: float = 0.6"),
        ("lambda dy: dy", "lambda dy: -dy"),
    ],
)
def test_what_is_a_change(found, old, new):
    assert old in MODULE
    assert found(MODULE.replace(old, new)) != found()


def test_a_function_of_another_module_of_the_package_counts(found):
    assert found(helpers=HELPERS.replace("y > 0", "y >= 0")) != found()


def test_a_closure_counts():
    def made(slope):
        def mine(x):
            return slope * x, lambda dy: slope * dy

        return mine

    assert digest(made(0.1)) == digest(made(0.1)) != digest(made(0.2))


def test_a_function_without_a_source_has_no_digest():
    space: dict[str, object] = {}
    exec("def mine(x):\n    return x, lambda dy: dy", space)
    assert [digest(function) for function in (space["mine"], np.tanh, lambda x: x)][:2] == ["", ""]
