"""Small published data sets, a server that has them, and a cache of this test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import published

from dlsweep import datasets


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's folder for data sets; all of them are small."""
    for name, module in published.MODULES.items():
        monkeypatch.setattr(module, name, published.SMALL[name])
    monkeypatch.setenv("DLSWEEP_DATA", str(tmp_path / "cache"))
    datasets._open.cache_clear()
    yield tmp_path / "cache"
    datasets._open.cache_clear()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[published.Server]:
    """A mirror."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with published.serving() as server:
        monkeypatch.setenv("DLSWEEP_MIRROR", server.url)
        yield server
