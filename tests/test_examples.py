"""Run the examples in docstrings as doctests."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import dlsweep

MODULES = sorted(m.name for m in pkgutil.walk_packages(dlsweep.__path__, "dlsweep.") if not m.name.endswith("__main__"))


@pytest.mark.numerics
@pytest.mark.parametrize("module", ["dlsweep", *MODULES])
def test_docstring_examples(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # an example may write files
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    report: list[str] = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(import_module(module)):
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
