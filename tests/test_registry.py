"""A name means one function, whoever registers it: scripts with a decorator, packages with an entry point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlsweep.errors import DlsweepError, UsageError
from dlsweep.registry import Registry

Install = Callable[[str, str], None]


@pytest.fixture
def registry() -> Registry:
    return Registry("thing", "dlsweep.things")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package with one module, which offers the thing `ours`."""

    def install(name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        about = tmp_path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[dlsweep.things]\nours = {name}:ours\n")
        monkeypatch.syspath_prepend(tmp_path)

    return install


def register(registry: Registry, value: int) -> None:
    @registry.register
    def ours() -> int:
        return value


def test_the_same_module_may_register_a_name_again(registry: Registry) -> None:
    for value in (1, 2):
        register(registry, value)
    assert registry["ours"]() == 2


def test_a_script_may_not_take_the_name_that_a_package_has(registry: Registry, install: Install) -> None:
    install("early", "def ours(): return 0")
    assert registry["ours"]() == 0
    sentence = f"{__name__} registers the thing 'ours', which early has registered already; give it another name"
    with pytest.raises(UsageError, match=sentence):
        register(registry, 1)
    assert registry["ours"]() == 0


def test_a_package_may_not_take_the_name_that_a_script_has(registry: Registry, install: Install) -> None:
    install("late", "def ours(): return 0")
    register(registry, 1)
    sentence = f"late registers the thing 'ours', which {__name__} has registered already; give it another name"
    with pytest.raises(UsageError, match=sentence):
        list(registry)


def test_a_package_that_cannot_be_loaded_is_named_every_time(registry: Registry, install: Install) -> None:
    install("broken_package", "import nothing_of_this_name")
    for _ in range(2):
        with pytest.raises(DlsweepError) as told:
            list(registry)
        assert str(told.value) == (
            "the package broken_package offers the thing 'ours' (entry point in dlsweep.things), which cannot be "
            "loaded: ModuleNotFoundError: No module named 'nothing_of_this_name'"
        )
