"""One way down: a stage imports earlier stages only. And what must not be in the tree at all."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dlsweep

PACKAGE = Path(dlsweep.__path__[0])
FOUNDATION = [
    "text",
    "tabular",
    "errors",
    "files",
    "machine",
    "types",
    "randomness",
    "marks",
    "settings",
    "sources",
    "signatures",
    "registry",
]
STAGES = [
    "nn",
    "datasets",
    "factors",
    "tasks",
    "metrics",
    "metric_names",
    "config",
    "training",
    "storage",
    "execution",
    "progress",
    "forecast",
    "sweep",
    "verifying",
    "status",
    "analysis",
    "tuning",
    "deciding",
    "plots",
    "exports",
    "explain",
    "doctor",
    "cli",
]
ORDER = [*FOUNDATION, *STAGES]
# A config names plots, so the language looks into their registry, a later stage's; a task names
# its training; results show themselves. Nothing else knows what comes later.
VOCABULARY: dict[tuple[str, ...], set[str]] = {
    ("config", "words"): {"plots.plots"},
    ("tasks",): {
        f"training.{name}" for name in ("loop.train", "descent.descend", "costs.of_network", "costs.of_descent")
    },
    ("storage", "results"): {
        "analysis.leaderboard.leaderboard",
        "analysis.closing.page",
        "analysis.measured.Measured",
        "analysis.predictions.Correctness",
    },
}
SOURCES = sorted(PACKAGE.rglob("*.py"))
STAGED = [p for p in SOURCES if p.relative_to(PACKAGE).parts[0] not in ("__init__.py", "__main__.py")]  # these use all


def parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(PACKAGE).with_suffix("").parts


def imports(path: Path) -> Iterator[str]:
    """Every module of dlsweep that a file imports, anywhere in it, for type checkers too, as `nn.activations`.

    A text such as "dlsweep.nn.activations:activations" is an import that happens late.
    """
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports name the whole module"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and re.fullmatch(r"dlsweep(\.\w+)+:\w+", str(node.value)):
            modules = [str(node.value).replace(":", ".")]
        else:
            continue
        yield from (m.removeprefix("dlsweep.") for m in modules if m.startswith("dlsweep."))


@pytest.mark.parametrize("path", STAGED, ids=lambda p: "/".join(parts(p)))
def test_stages_import_earlier_stages_only(path: Path) -> None:
    own = parts(path)[0]
    allowed = set(ORDER[: ORDER.index(own) + 1])
    later = {module for module in imports(path) if module.partition(".")[0] not in allowed}
    assert later == VOCABULARY.get(parts(path), set())


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: "/".join(parts(p)))
def test_nothing_in_the_tree_can_run_code_from_a_file(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        assert not {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "click"} & set(names)
        if isinstance(node, ast.ImportFrom):
            assert node.module not in {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "click"}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "compile"}
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False


@pytest.mark.parametrize("module", ["dlsweep", "dlsweep.cli"])
def test_importing_costs_nothing(module: str) -> None:
    heavy = {"numpy", "pandas", "matplotlib", "pyarrow", "pydantic", "yaml", "scipy", "tqdm"}
    program = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
