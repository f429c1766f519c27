"""Circumstances of a training, as the record keeps them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dlsweep.storage.record import session


@pytest.mark.skipif(not shutil.which("git"), reason="Git is not installed")
def test_the_commit_is_that_of_the_repository_of_the_config(tmp_path: Path) -> None:
    config = tmp_path / "repository" / "configs" / "x.yaml"
    config.parent.mkdir(parents=True)
    config.touch()
    assert session(config)["git_commit"] is None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path / "repository"), "-c", "user.name=x", "-c", "user.email=x@x", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init")
    assert session(config)["git_commit"] is None  # before the first commit
    git("commit", "--allow-empty", "-m", "first")
    assert session(config)["git_commit"] == git("rev-parse", "HEAD")
    (tmp_path / "link").symlink_to(config.parent)
    assert session(tmp_path / "link" / "x.yaml")["git_commit"] == git("rev-parse", "HEAD")
