"""What the server imports so that every worker begins with it. Only the server does."""

from __future__ import annotations

import sys

import pyarrow as pa

from dlsweep.execution import processes

__all__ = ["processes"]


class _NoPandas:
    """An importer that lets nobody import pandas."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError(name)


# Arrow looks for pandas when it makes its first array, and never again: to a worker's Arrow a Series is a list like any
# other. A worker needs no more, and the import would take as long as everything else together.
sys.meta_path.insert(0, _NoPandas)
try:
    pa.array([])
finally:
    sys.meta_path.remove(_NoPandas)
