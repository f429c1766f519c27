"""The example notebook: its cells show tables and sentences as HTML, here and in a kernel of Jupyter."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import python

NOTEBOOK = Path(__file__).parents[2] / "examples" / "answers.ipynb"
INSTALLED = all(find_spec(name) for name in ("nbclient", "ipykernel"))

EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
nbformat.validate(notebook)
NotebookClient(notebook, timeout=300).execute()
nbformat.write(notebook, "executed.ipynb")
"""


def code(path: Path) -> list[Any]:
    """The cells of a notebook with code."""
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def verify(pages: Sequence[str]) -> None:
    """Assert that the cells show what the notebook promises."""
    board, verdicts, comparison, effects, frame = pages
    assert all(page.count("<table") == page.count("</table>") for page in pages)
    assert "On new images" in board
    assert "Supported: ReLU needs He." in verdicts
    assert comparison.startswith("<p>On these test images and with relu throughout, the final test accuracy is ")
    assert "activation × init" in effects
    assert "final_test_loss_difference" in frame


def test_each_cell_ends_with_a_value_that_is_shown_as_html(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    pages = []
    for cell in code(NOTEBOOK):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)  # committed as not executed
        *body, last = ast.parse("".join(cell["source"])).body
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        assert isinstance(last, ast.Expr)
        pages.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names)._repr_html_())
    verify(pages)


@pytest.mark.skipif(not INSTALLED, reason="Jupyter is not installed: make test-export")
def test_the_notebook_runs_in_a_kernel(tmp_path: Path) -> None:
    done = python("-c", EXECUTE, NOTEBOOK, folder=tmp_path, anew=True)
    assert done.returncode == 0, done.stderr
    outputs = [cell["outputs"] for cell in code(tmp_path / "executed.ipynb")]
    assert [[one["output_type"] for one in shown] for shown in outputs] == [["execute_result"]] * len(outputs)
    verify(["".join(shown[0]["data"]["text/html"]) for shown in outputs])
