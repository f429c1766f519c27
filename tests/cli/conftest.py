"""The command line in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.commands import Dlsweep


@pytest.fixture
def dlsweep(tmp_path: Path) -> Dlsweep:
    """The command, in a folder where it has not run yet."""
    return Dlsweep(tmp_path)
