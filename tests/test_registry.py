"""A name means one function, whoever registers it: scripts with a decorator, packages with an entry point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dlsweep
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.registry import Contract, Registry

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


def without_rate(w, g, t):
    return (w - g,)


def without_start(x, slope):
    return x, lambda dy: (dy, dy)


def without_step(t, *, factor: float = 0.1):
    return factor


def untyped(x, *, slope=0.1):
    return x, lambda dy: dy


def anything(x, **settings):
    return x, lambda dy: dy


def with_argument(strength):
    return strength


@pytest.mark.parametrize(
    ("registry", "function", "sentence"),
    [
        ("optimizers", without_rate, "must have a keyword-only setting 'lr', because schedules multiply it"),
        ("activations", without_start, "must have a keyword-only setting 'start', because its learned"),
        ("schedules", without_step, "must take the positional parameters t, steps, and has t; settings come after a *"),
        ("activations", untyped, "must have a type for its setting 'slope', as in slope: float = 0.1"),
        ("activations", anything, "must name each of its parameters, since they are its settings, and has **settings"),
        ("regularizers", with_argument, "must take the positional parameters none, and has strength; settings come"),
    ],
)
def test_a_wrong_signature_is_refused_where_it_is_written(registry: str, function: Any, sentence: str) -> None:
    found: Registry = getattr(dlsweep, registry)
    place = f"{found.kind} {function.__name__!r} ({__file__}:{function.__code__.co_firstlineno}) "
    with pytest.raises(UsageError) as told:
        found.register(function)
    assert str(told.value).startswith(place + sentence)
    assert function.__name__ not in found


def test_what_a_function_has_beyond_its_contract_is_its_own() -> None:
    assert dlsweep.optimizers["adam"].rest == ("m", "v")
    assert dlsweep.optimizers["sgd"].rest == ()
    assert dlsweep.activations["prelu"].rest == ("slope",)


def test_a_package_with_a_wrong_signature_is_told(install: Install) -> None:
    registry = Registry("thing", "dlsweep.things", Contract(("x",)))
    install("wrongly_made", "def ours(): return 0")
    with pytest.raises(
        UsageError, match=r"thing 'ours' \(.*wrongly_made\.py:1\) must take the positional parameters x"
    ):
        list(registry)
