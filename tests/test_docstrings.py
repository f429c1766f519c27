"""Every name of the API, every entry of a registry and every public function of nn/ has an example in its docstring."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import dlsweep
import dlsweep.nn
from dlsweep.registry import Registry


def documented() -> Iterator[tuple[str, str]]:
    """Names and their docstrings."""
    for name in dlsweep.__all__:
        value = getattr(dlsweep, name)
        if callable(value):
            yield f"dlsweep.{name}", inspect.getdoc(value) or ""
        elif isinstance(value, Registry):
            yield from ((f"{name}.{entry}", inspect.getdoc(value[entry].function) or "") for entry in value)
    for package, registry in (("datasets", dlsweep.datasets.datasets), ("plots", dlsweep.plots.plots)):
        yield from ((f"{package}.{entry}", inspect.getdoc(registry[entry].function) or "") for entry in registry)
    for module in map(import_module, sorted(m.name for m in pkgutil.walk_packages(dlsweep.nn.__path__, "dlsweep.nn."))):
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{module.__name__}.{name}", inspect.getdoc(value) or ""


def test_every_public_name_has_an_example() -> None:
    assert [name for name, text in documented() if ">>>" not in text] == []
