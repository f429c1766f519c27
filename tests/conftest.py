"""What every test relies on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_blas_thread() -> Iterator[None]:
    """Hold the tests' own process to one BLAS thread, as the executors do: the count changes the bits."""
    import numpy as np  # noqa: F401  (a BLAS can be limited once it is loaded)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
