"""Source of registered functions: its place in messages, and its hash, because results belong to the source."""

from __future__ import annotations

import ast
import inspect
import symtable
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from dlsweep.text import identifier


def digest(function: Callable[..., Any]) -> str:
    """Return a hash of a function's source, without comments and docstrings; "" if the source cannot be read.

    It includes what the function uses of its own package: functions, classes, numbers and texts.
    """
    found: dict[Any, str] = {}
    try:
        _collect(inspect.unwrap(function), found)
    except (OSError, TypeError, SyntaxError, AttributeError, KeyError):  # made by `exec`, compiled, or not a function
        return ""
    return identifier("\n".join(sorted(found.values())))


def place(function: Callable[..., Any]) -> str:
    """Return the file and line of a function, for a message; its module if it has no source."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else function.__module__


def _collect(thing: Any, found: dict[Any, str]) -> None:
    """Add the source of a function or class, and of everything that it uses of its own package."""
    text = textwrap.dedent(inspect.getsource(thing))
    tree = ast.parse(text)
    found[thing] = _bare(tree)
    for name, value in _used(thing, text, tree):
        if _is_plain(value):
            found[thing.__module__, name] = f"{name} = {value!r}"
        elif (
            isinstance(value, FunctionType | type)
            and value not in found
            and _same_package(value.__module__, thing.__module__)
        ):
            _collect(value, found)


def _bare(tree: ast.Module) -> str:
    """Return a source without docstrings and comments, in a normal form."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _used(thing: Any, text: str, tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Yield the outer names that a source uses, with their values; for modules of its package, the members it uses."""
    if isinstance(thing, FunctionType):
        around = {**thing.__globals__, **inspect.getclosurevars(thing).nonlocals}
    else:
        around = vars(sys.modules[thing.__module__])
    names = sorted(set(_outer_names(symtable.symtable(text, "source", "exec"))))
    found = {name: around[name] for name in names if name in around}
    yield from found.items()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = found.get(node.value.id)
            if isinstance(module, ModuleType) and _same_package(module.__name__, thing.__module__):
                yield ast.unparse(node), getattr(module, node.attr, None)


def _outer_names(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_global() or (table.get_type() == "module" and symbol.is_referenced()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _outer_names(child)


def _same_package(module: str, other: str) -> bool:
    return module.partition(".")[0] == other.partition(".")[0]


def _is_plain(value: Any) -> bool:
    """Tell if a value is a number or a text, or a tuple of such values."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | complex | str)
