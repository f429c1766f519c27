"""What every test relies on, and which tests belong to which part of the suite."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# An example may take as long as a loaded machine needs. `make check` tries a fifth of the examples, for a quick answer.
settings.register_profile("suite", deadline=None)
settings.register_profile("quick", settings.get_profile("suite"), max_examples=20)
settings.load_profile("suite")

# Tests whose outcome could depend on the processor's BLAS kernel; `make test-kernels` runs them on each.
NUMERICS = ("nn", "training", "test_same_bits.py", "test_claims.py")

# Tests of whole sweeps, commands and figures are slow, except the first one of each file, unless it is marked slow.
END_TO_END = ("cli", "exports", "plots", "sweep")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by where they are, and leave some to `make torture` and `make test-cluster`."""
    for marker in ("torture", "cluster"):
        if marker not in config.getoption("markexpr"):
            left = [item for item in items if item.get_closest_marker(marker)]
            config.hook.pytest_deselected(items=left)
            items[:] = [item for item in items if item not in left]
    begun = set()
    for item in items:
        place = item.path.relative_to(Path(__file__).parent).parts[0]
        if place in NUMERICS:
            item.add_marker(pytest.mark.numerics)
        if place in END_TO_END and item.path in begun:
            item.add_marker(pytest.mark.slow)
        begun.add(item.path)


def pytest_collection_finish() -> None:
    """Keep modules and tests, which stay to the end, out of every garbage collection; collect less often."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(autouse=True, scope="session")
def _one_blas_thread() -> Iterator[None]:
    """Hold the tests' own process to one BLAS thread, as the executors do: the count changes the bits."""
    import numpy as np  # noqa: F401  (a BLAS can be limited once it is loaded)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
