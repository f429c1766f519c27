"""What the server imports so that every worker begins with it. Only the server does."""

from __future__ import annotations

import sys

import pyarrow as pa

from dlsweep.running import pool

__all__ = ["pool"]


class _NoPandas:
    """An importer that lets nobody import pandas."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError(name)


# Arrow looks for pandas once, when it makes its first array. A worker needs nothing of it, and importing it would take
# as long as everything else together.
sys.meta_path.insert(0, _NoPandas)
pa.array([])
sys.meta_path.remove(_NoPandas)
