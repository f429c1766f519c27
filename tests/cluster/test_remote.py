"""Results on a remote file system, here the memory of this process: leases, markers, and whole sweeps."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import dlsweep
from dlsweep.errors import DlsweepError, ResultsInUse, Unreadable, UsageError
from dlsweep.plots.figures import draw
from dlsweep.storage import compaction, lease
from dlsweep.storage.folder import Folder, make_folder, open_folder
from dlsweep.storage.location import is_remote, located
from dlsweep.storage.objects import Objects
from dlsweep.storage.remote import RemoteFolder

fsspec = pytest.importorskip("fsspec")
pytestmark = pytest.mark.cluster

A, B = "runs/0123456789abcdef-00000000.parquet", "runs/0123456789abcdef-11111111.parquet"
CURVES_A, CURVES_B = (name.replace("runs", "curves") for name in (A, B))
CONFIG: dict[str, Any] = {
    "name": "tiny",
    "data": {"mnist": {"train": 50, "test": 50}},
    "model": {"mlp": {"hidden": [4]}},
    "train": {"iterations": 4, "batch_size": 5},
    "evaluate": {"every": 2, "on": ["test"], "keep": "final"},
    "grid": {"activation": ["relu", "tanh"]},
    "seeds": 2,
    "plots": ["final"],
}


@pytest.fixture
def url() -> Iterator[str]:
    yield "memory://bucket/results"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def folder(url: str) -> RemoteFolder:
    return RemoteFolder(located(url))


def keys() -> list[str]:
    return sorted(name for name in fsspec.filesystem("memory").store if "/.lease/" not in name)


def put(folder: Folder, *parts: str) -> None:
    for name in parts:
        folder.put(name, name.encode())


def test_a_folder_has_files(folder: Folder, url: str) -> None:
    assert str(folder) == url
    assert folder.list() == folder.list("inside") == []
    with pytest.raises(FileNotFoundError):
        folder.get("inside/file")
    folder.put("inside/file", b"content")
    folder.put("inside/.hidden", b"")
    assert folder.list() == ["inside"]
    assert folder.list("inside") == ["inside/file"]
    folder.move("inside/file", "a/b/file")
    assert folder.get("a/b/file") == b"content"
    assert [str(one) for one in open_folder(located(url) / "a").subfolders("file")] == [f"{url}/a/b"]
    folder.delete("a/b/file")
    folder.delete("a/b/file")
    assert folder.list("a/b") == []


def test_a_part_counts_when_its_marker_is_there(folder: RemoteFolder) -> None:
    folder._objects.put(A, b"a")
    assert folder.list("runs") == []
    folder.put(A, b"a")
    folder.put(A, b"a")  # an answer that was lost
    assert folder.list("runs") == [A]
    with pytest.raises(ResultsInUse, match="has just trained the same runs"):
        folder.put(B, b"b")
    folder._objects.put(B, b"b")  # by a runner that was killed before it put the marker
    assert folder.list("runs") == [A]
    folder.clean("runs")
    assert [name for name in keys() if "11111111" in name] == []
    folder.delete(A)
    assert keys() == []
    folder._objects.put("runs/.0123456789abcdef", A.encode())  # killed while it deleted
    folder.put(B, b"b")
    assert folder.list("runs") == [B]
    folder.move(B, f"quarantine/{B}")
    assert folder.list("runs") == []
    assert folder.list("quarantine/runs") == [f"quarantine/{B}"]


def test_one_process_holds_a_folder(folder: RemoteFolder, url: str) -> None:
    other = RemoteFolder(located(url))
    assert folder.holder() is None
    with folder.lock():
        holder = other.holder()
        assert holder is not None
        with pytest.raises(ResultsInUse, match=rf"{url} is in use: process {holder.pid} .* free in \d+ seconds"):
            other.lock().__enter__()
    assert folder.holder() is None
    with other.lock():
        pass
    assert len(Objects(folder.path).names(lease.FOLDER)) == 1


def test_a_lease_is_taken_after_its_expiry_and_its_holder_stops(
    folder: RemoteFolder, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = RemoteFolder(located(url))
    with folder.lock():
        monkeypatch.setattr(lease, "_age", lambda objects, own: 61.0)
        with other.lock():
            with pytest.raises(ResultsInUse, match="was taken by another process"):
                folder.put(A, b"a")
            other.put(A, b"a")
    assert folder.list("runs") == [A]
    assert lease.newest(Objects(folder.path)) == lease.newest(Objects(other.path))


@pytest.mark.parametrize("look", [lease.take, lease.holder])
def test_a_lease_may_be_taken_by_another_process_while_one_looks(
    folder: RemoteFolder, url: str, monkeypatch: pytest.MonkeyPatch, look: Callable[[Objects], Any]
) -> None:
    objects, modified = Objects(folder.path), Objects.modified
    old = lease.take(objects)
    objects.put(old.name, lease.Lease(old.number, {**old.content, "kernel": "another"}).encoded)

    def meanwhile(self: Objects, name: str) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(Objects, "modified", modified)
            patch.setattr(lease, "_age", lambda objects, own: 61.0)
            lease.take(self)
        return modified(self, name)

    monkeypatch.setattr(Objects, "modified", meanwhile)
    if look is lease.holder:
        found, newest = look(objects), lease.newest(objects)
        assert newest is not None
        assert newest.number == 2
        assert found == newest.holder is not None
    else:
        with pytest.raises(ResultsInUse, match=f"{url} is in use: another process has just taken it"):
            look(objects)


@pytest.mark.parametrize("paused", ["before its parts", "between its parts", "before its marker"])
def test_a_runner_that_was_paused_leaves_no_part_beside_those_of_the_next_one(
    folder: RemoteFolder, url: str, monkeypatch: pytest.MonkeyPatch, paused: str
) -> None:
    """The next runner has trained the same runs to other bits, as on another processor."""
    other, create = RemoteFolder(located(url)), Objects.create

    def next_one(*parts: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Objects, "create", create)
            patch.setattr(lease, "_age", lambda objects, own: 61.0)
            with other.lock():
                put(other, *parts)

    def late(self: Objects, name: str, content: bytes) -> bytes:
        next_one()
        return create(self, name, content)

    with folder.lock():
        if paused == "before its parts":
            next_one(CURVES_B, B)
        else:
            folder.put(CURVES_A, b"a")
        if paused == "between its parts":
            next_one(CURVES_B, B)
        if paused == "before its marker":  # it has asked for the lease a moment before
            monkeypatch.setattr(Objects, "create", late)
            monkeypatch.setattr(lease, "RENEWALS", 1e9)  # a pause is longer than the time between two questions
        with pytest.raises(ResultsInUse, match="was taken by another process"):
            put(folder, CURVES_A, A)
    trained = paused != "before its marker"
    assert other.list("runs") == [B] * trained
    assert other.list("curves") == [CURVES_B if trained else CURVES_A]  # without runs/, it is cleaned up
    assert len([name for name in keys() if "/runs/" in name]) == 2 * trained
    assert len([name for name in keys() if "/curves/" in name]) == 1


def test_the_holder_of_the_lease_keeps_what_an_earlier_one_published_late(folder: RemoteFolder, url: str) -> None:
    late = RemoteFolder(located(url))
    with folder.lock():
        folder.put(CURVES_A, b"a")
        late.put(CURVES_B, b"b")
        late.put(B, b"b")
        folder.put(A, b"a")
    assert folder.list("runs") == [B]
    assert folder.list("curves") == [CURVES_B]
    assert len([name for name in keys() if name.endswith(".parquet")]) == 2


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\x00", b"../../x", CURVES_A.encode()])
def test_a_marker_that_another_program_wrote_costs_no_run(folder: RemoteFolder, content: bytes) -> None:
    put(folder, CURVES_A, A)
    folder._objects.put("runs/.0123456789abcdef", content)
    folder._objects.put(B, b"b")  # by a runner that was killed
    folder.clean("runs")
    assert folder.list("runs") == []
    put(folder, CURVES_A, A)
    assert folder.list("runs") == [A]
    folder.clean("runs")
    assert len([name for name in keys() if "/runs/" in name]) == 2
    assert not [name for name in keys() if not name.startswith("/bucket/results/")]


def test_of_two_parts_of_a_chunk_the_marker_names_one(folder: RemoteFolder) -> None:
    for name in (CURVES_B, B):
        folder.put(name, b"b")
    folder._objects.put(CURVES_A, b"a")  # by a runner that was killed, and had trained other bits
    assert folder.list("curves") == [CURVES_B]
    folder.clean("curves")
    assert [name for name in keys() if "/curves/" in name] == [f"/bucket/results/{CURVES_B}"]
    # The marker of an older dlsweep names the part of runs/ only.
    folder._objects.put("runs/.0123456789abcdef", B.encode())
    assert folder.list("runs") == [B]
    assert folder.list("curves") == [CURVES_B]


def test_a_worker_asks_for_the_lease_before_its_first_change(
    folder: RemoteFolder, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of its machine is another one than that of its runner."""
    with folder.lock():
        worker = pickle.loads(pickle.dumps(folder))
        worker.put("file", b"")
        worker = pickle.loads(pickle.dumps(folder))
        monkeypatch.setattr(lease, "_age", lambda objects, own: 61.0)
        with RemoteFolder(located(url)).lock(), pytest.raises(ResultsInUse, match="was taken by another process"):
            worker.put(CURVES_A, b"a")
    assert folder.list("curves") == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"[]",
        b'{"host": "node7", "pid": Infinity, "since": "2026-01-01"}',
        *(
            b'{"host": "node7", "pid": 1, "since": "2026-01-01", "expiry": %s}' % expiry
            for expiry in (b"Infinity", b"NaN", b"-1", b"true", b'"long"', b"1" + b"0" * 400)
        ),
    ],
    ids=lambda content: content[:90].decode().rpartition(" ")[2],
)
def test_a_lease_that_another_program_wrote_expires(
    folder: RemoteFolder, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder._objects.put(".lease/00000001", content)
    assert folder.holder() is not None
    with pytest.raises(ResultsInUse, match=r"is in use: process \d+ on .* is free in 60 seconds"):
        folder.lock().__enter__()
    monkeypatch.setattr(lease, "_age", lambda objects, own: 61.0)
    with folder.lock():
        pass


@pytest.mark.parametrize("given", ["soon", "1", "inf", "nan"])
def test_an_expiry_that_is_too_short_is_refused(
    folder: RemoteFolder, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv(lease.VARIABLE, given)
    with pytest.raises(UsageError, match=rf"DLSWEEP_LEASE={given} must be a number of seconds, at least 3, such as 60"):
        folder.lock().__enter__()


def test_a_lease_of_a_dead_process_is_free_at_once_on_its_machine(folder: RemoteFolder) -> None:
    objects = Objects(folder.path)
    own = lease.take(objects)
    dead = {**own.content, "pid": 2**22 + 1}
    objects.put(own.name, json.dumps(dead).encode())
    assert folder.holder() is None
    with folder.lock():
        pass
    objects.put(own.name.replace("1", "9"), json.dumps({**dead, "kernel": "another"}).encode())
    with pytest.raises(ResultsInUse, match="is free in 60 seconds"):
        folder.lock().__enter__()


def test_a_lease_is_renewed(folder: RemoteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEWALS", 6000)
    objects = Objects(folder.path)
    with folder.lock():
        own = lease.newest(objects)
        assert own is not None
        first = objects.modified(own.name)
        while objects.modified(own.name) == first:
            pass


def test_a_server_that_ignores_the_condition_is_found_out(
    folder: RemoteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = type(fsspec.filesystem("memory"))
    pipe = memory.pipe_file
    monkeypatch.setattr(memory, "pipe_file", lambda self, path, value, mode="": pipe(self, path, value))
    with pytest.warns(UserWarning, match="ignores the condition of a put"), folder.lock():
        pass


@pytest.mark.parametrize("lost", ["the request", "the answer"])
def test_a_put_that_is_sent_again_is_not_refused_because_of_itself(
    folder: RemoteFolder, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = type(fsspec.filesystem("memory"))
    pipe, failed = memory.pipe_file, list[str]()

    def flaky(self: Any, path: str, value: bytes, mode: str = "overwrite") -> None:
        if lost == "the answer" or failed or mode != "create":
            pipe(self, path, value, mode=mode)
        if mode == "create" and not failed:
            failed.append(path)
            raise OSError(22, "At least one of the pre-conditions you specified did not hold")

    monkeypatch.setattr(memory, "pipe_file", flaky)
    folder.put(A, b"a")
    assert failed
    assert folder.list("runs") == [A]


def test_errors_are_sentences_with_the_url(folder: RemoteFolder, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no\ncredentials")

    memory = type(fsspec.filesystem("memory"))
    for method in ("pipe_file", "cat_file", "ls"):
        monkeypatch.setattr(memory, method, broken)
    with pytest.raises(DlsweepError, match=f"cannot write {url}/file: no credentials"):
        folder.put("file", b"")
    with pytest.raises(Unreadable, match=f"cannot read {url}/file: no credentials"):
        folder.get("file")
    with pytest.raises(Unreadable, match=f"cannot read {url}/: no credentials"):
        folder.list()


def test_urls_that_cannot_be_used() -> None:
    assert located("file:///results") == Path("/results")
    assert is_remote(located("s3://bucket/x"))
    with pytest.raises(UsageError, match=r"s3://\*\*\*@bucket has a password") as error:
        located("s3://key:secret@bucket")
    assert "secret" not in str(error.value)
    with pytest.raises(UsageError, match="no file system 's4'"):
        located("s4://bucket")
    with pytest.raises(UsageError, match=r"^ftp://127.0.0.1:9/x cannot be used: .*refused"):
        located("ftp://127.0.0.1:9/x")
    with pytest.raises(UsageError, match=r"^s3:///results cannot be used: .*bucket"):
        located("s3:///results")
    with pytest.raises(UsageError, match="is not the name of a folder"):
        make_folder(located("s3://bucket"), "../x", ())


def test_a_sweep(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    local = dlsweep.run(CONFIG, executor="inline", output=tmp_path / "local")
    results = dlsweep.run(CONFIG, executor="inline", output=url)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["local"]
    assert results.curves.equals(local.curves)
    assert results.load(results.runs["run_id"][0]).iteration == 4
    assert f"{url}/tiny" in repr(results)
    store = fsspec.filesystem("memory").store
    before = {name: bytes(content.getbuffer()) for name, content in store.items() if "/.lease/" not in name}
    for damaged in ("runs", "curves", "predictions", "weights"):
        name = next(name for name in before if f"/tiny/{damaged}/" in name and "/." not in name)
        store[name].truncate(5)
        again = dlsweep.run(CONFIG, executor="inline", output=url)
        assert again.curves.equals(local.curves)
        assert again.load(again.runs["run_id"][0]).iteration == 4
    assert [one.folder.name for one in dlsweep.open_all(url)] == ["tiny"]
    figures = draw(again, again.record.plots)
    assert [str(path) for path in figures] == [f"{url}/tiny/figures/final-accuracy.png"]
    assert store["/bucket/results/tiny/figures/final-accuracy.png"].getvalue()[1:4] == b"PNG"
    shards = [dlsweep.run(CONFIG, executor="inline", output=url, shard=(i, 2)).folder for i in range(2)]
    merged = dlsweep.merge(f"{url}/merged", shards)
    assert merged.results.curves.equals(local.curves)
    assert str(dlsweep.export(merged.results, output=f"{url}/runs.csv")) == f"{url}/runs.csv"
    with pytest.raises(UsageError, match="exists; give another file"):
        dlsweep.export(merged.results, output=f"{url}/runs.csv")


def test_parts_are_united(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dlsweep.run(CONFIG, executor="inline", output=f"{url}/whole", max_memory=1)
    assert len(whole.files.list("runs")) > 1
    monkeypatch.setattr(compaction, "MOST", 1)
    kept = Objects.delete
    for kill in range(30):  # at each change of the folder
        left = kill

        def delete(self: Objects, name: str) -> None:
            nonlocal left
            left -= not name.startswith(lease.FOLDER)
            if left < 0:
                raise DlsweepError("killed")
            kept(self, name)

        output = f"{url}/{kill}"
        with suppress(DlsweepError), monkeypatch.context() as patch:
            patch.setattr(Objects, "delete", delete)
            dlsweep.run(CONFIG, executor="inline", output=output, max_memory=1)
        between = dlsweep.open_results(f"{output}/tiny")
        assert between.curves.equals(whole.curves)
        again = dlsweep.run(CONFIG, executor="inline", output=output)
        assert again.curves.equals(whole.curves)
        names = [name for name in keys() if f"/{kill}/tiny/" in name and "weights" not in name]
        assert sorted(name.split("/")[-2] for name in names) == [
            "curves",
            "predictions",
            "runs",
            "runs",
            "tiny",
            "tiny",
        ]
        if left >= 0:
            break
    assert 8 < kill < 29


def test_a_part_that_a_worker_of_a_killed_runner_publishes_late_changes_nothing(url: str) -> None:
    """It has another chunk than the next runner made of its runs."""
    late = dlsweep.run(CONFIG, executor="inline", output=f"{url}/late", max_memory=1)
    results = dlsweep.run(CONFIG, executor="inline", output=url)
    before, whole = keys(), results.curves
    for table in results.record.tables.schemas:
        name = min(late.files.list(table))
        results.files.put(name, late.files.get(name))
    assert len(keys()) > len(before)
    assert dlsweep.open_results(results.folder).curves.equals(whole)
    assert dlsweep.run(CONFIG, executor="inline", output=url).curves.equals(whole)
    assert [name for name in keys() if "/late/" not in name] == [name for name in before if "/late/" not in name]
