"""The Python API: what `dlsweep` offers, imported when it is first used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dlsweep
from dlsweep.registry import Registry

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", dlsweep.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(dlsweep, name) is not None
    assert name in dir(dlsweep)


def test_the_registries_are_registries() -> None:
    kinds = ("activations", "initializers", "networks", "normalizations", "optimizers", "regularizers", "schedules")
    for name in (*kinds, "executors"):
        assert isinstance(getattr(dlsweep, name), Registry)
    assert dlsweep.datasets.register == dlsweep.datasets.datasets.register
    assert dlsweep.plots.register == dlsweep.plots.plots.register


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'dlsweep' has no attribute 'rum'"):
        dlsweep.__getattr__("rum")


def test_a_function_that_a_script_registers_is_trained_with(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("""
import numpy as np
import dlsweep

@dlsweep.activations.register
def swish(x):
    "x times its sigmoid."
    s = 1 / (1 + np.exp(-x))
    return x * s, lambda dy: dy * (s + x * s * (1 - s))

config = {
    "name": "swish",
    "data": {"mnist": {"train": 100, "test": 100}},
    "train": {"iterations": 2},
    "grid": {"activation": ["relu", "swish"]},
}
print(dlsweep.run(config, output="out", quiet=True).runs.groupby("activation", observed=True).size().to_dict())
""")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith("{'relu': ")
    assert "'swish': " in done.stdout
