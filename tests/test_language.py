"""Docstrings, comments and messages are in plain English."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src/dlsweep"

# Each has a plainer word: leave out, except, this many, given or current, anyone who, no one, the largest, unchanged.
WORDS = re.compile(
    r"\b(lea(ve|ves|ving) (\w+ )?away|left away|but for|so many|at hand|whoever|nobody|the greatest|as it is|that of|"
    r"what (is|are|was|were|makes|says|said|lies|it|they))\b",
    re.IGNORECASE,
)
OPENING = re.compile(r"\A(What|Who|Whose|Whether|How|Where|Which|By what)\b")
FILES = sorted(SOURCE.rglob("*.py"))


def passages(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module, with their lines: strings and comments."""
    with tokenize.open(path) as file:
        text = file.read()
        file.seek(0)
        yield from (
            (t.start[0], t.string) for t in tokenize.generate_tokens(file.readline) if t.type == tokenize.COMMENT
        )
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())


def openings(path: Path) -> Iterator[tuple[int, str]]:
    """The docstrings of a module, with their lines."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text


# How many still wait for plainer words; the numbers only fall.
WORDS_LEFT, OPENINGS_LEFT = 0, 0


def places(read: Callable[[Path], Iterator[tuple[int, str]]], match: re.Pattern[str]) -> list[str]:
    """Each place in the package that a pattern matches."""
    return [f"{path}:{line}: {m[0]}" for path in FILES for line, text in read(path) for m in match.finditer(text)]


def test_words_that_are_not_used() -> None:
    found = places(passages, WORDS)
    assert len(found) <= WORDS_LEFT, "\n".join(found)


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    found = places(openings, OPENING)
    assert len(found) <= OPENINGS_LEFT, "\n".join(found)
