"""A finished sweep to export."""

from __future__ import annotations

import pytest
from tests.support.commands import Dlsweep


@pytest.fixture(scope="package")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Dlsweep:
    """The command, in a folder with a sweep of 2 × 2 arms × 3 seeds that measured everything but ensembles."""
    command = Dlsweep(tmp_path_factory.mktemp("export"))
    command("run", "tiny.yaml", "evaluate.on=[train, test]", "evaluate.layers=true", "-q", "-j", "1")
    return command
