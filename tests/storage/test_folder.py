"""A sweep needs no more of its folder than the interface has, so a folder may be anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import dlsweep.sweep
from dlsweep.errors import ResultsDamaged
from dlsweep.storage import opening, results
from dlsweep.storage.folder import Folder, LocalFolder


@dataclass
class MemoryFolder:
    """A folder in the memory of this process."""

    name: str
    content: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"memory:{self.name}"

    def get(self, name: str) -> bytes:
        if name not in self.content:
            raise FileNotFoundError(name)
        return self.content[name]

    def put(self, name: str, content: bytes) -> None:
        self.content[name] = content

    def list(self, inside: str = "") -> Sequence[str]:
        return sorted(name for name in self.content if name.rpartition("/")[0] == inside)

    def delete(self, name: str) -> None:
        self.content.pop(name, None)

    def move(self, name: str, to: str) -> None:
        self.content[to] = self.content.pop(name)

    def clean(self, inside: str = "") -> None:
        """Nothing is ever unfinished."""

    def lock(self) -> AbstractContextManager[None]:
        return nullcontext()

    def holder(self) -> None:
        """Nobody holds it."""

    def subfolders(self, holding: str) -> Sequence[Folder]:
        return []


CONFIG: dict[str, Any] = {
    "name": "tiny",
    "data": {"mnist": {"train": 50, "test": 50}},
    "model": {"mlp": {"hidden": [4]}},
    "train": {"iterations": 4, "batch_size": 5},
    "evaluate": {"every": 2, "on": ["test"], "keep": "final"},
    "grid": {"activation": ["relu", "tanh"]},
    "seeds": 2,
}


def test_a_sweep_in_a_folder_that_is_no_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    memory = MemoryFolder("tiny")
    monkeypatch.setattr(dlsweep.sweep, "make_folder", lambda *_: memory)
    for module in (opening, results):
        monkeypatch.setattr(module, "open_folder", lambda path: memory)
    monkeypatch.chdir(tmp_path)

    def run(**options: Any) -> results.Results:
        return dlsweep.run(CONFIG, executor="inline", **options)

    local = dlsweep.run(CONFIG, output=tmp_path, executor="inline")
    first = run()
    assert not (tmp_path / "results").exists()
    assert first.curves.equals(local.curves)
    assert first.load(first.runs["run_id"][0]).iteration == 4
    whole = {name: content for name, content in memory.content.items() if name.startswith("weights/")}
    assert len(whole) == 4
    for damaged in ("runs", "curves", "predictions", "weights"):
        name = memory.list(damaged)[0]
        memory.content[name] = memory.content[name][:-1]
        assert run().curves.equals(first.curves)
        assert {name: content for name, content in memory.content.items() if name.startswith("weights/")} == whole
        assert name.split("/")[1] in [moved.rpartition("/")[2] for moved in memory.list(f"quarantine/{damaged}")]
    memory.content["sweep.json"] = b"{"
    assert run().curves.equals(first.curves)
    memory.put("curves/mine.parquet", b"")
    with pytest.raises(ResultsDamaged, match=r"memory:tiny/curves/mine\.parquet is not a part"):
        run()
    memory.delete("curves/mine.parquet")
    run(force=True)
    assert len(memory.list("weights")) == 4


def test_a_local_folder(tmp_path: Path) -> None:
    folder: Folder = LocalFolder(tmp_path / "new")
    assert folder.list() == []
    assert folder.list("inside") == []
    with pytest.raises(FileNotFoundError):
        folder.get("inside/file")
    folder.put("inside/file", b"content")
    (tmp_path / "new/inside/.file.tmp").touch()
    (tmp_path / "new/inside/.hidden").touch()
    assert folder.list() == ["inside"]
    assert folder.list("inside") == ["inside/file"]
    folder.clean("inside")
    assert sorted(path.name for path in (tmp_path / "new/inside").iterdir()) == [".hidden", "file"]
    folder.move("inside/file", "a/b/file")
    assert folder.get("a/b/file") == b"content"
    assert [str(inside) for inside in LocalFolder(tmp_path / "new/a").subfolders("file")] == [f"{folder}/a/b"]
    folder.delete("a/b/file")
    folder.delete("a/b/file")
    assert folder.list("a/b") == []
