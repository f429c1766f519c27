"""What several tests rely on, where a fault of it would stay unseen."""

from __future__ import annotations

import signal
import sys

import pytest
from tests.support.processes import started


def test_a_program_ends_with_a_test_that_fails() -> None:
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    with pytest.raises(AssertionError, match="fails"), started(command) as process:  # noqa: PT012  a failing test
        assert process.stdout
        assert process.stdout.readline() == "\n"
        raise AssertionError("fails")
    assert process.returncode == -signal.SIGKILL
