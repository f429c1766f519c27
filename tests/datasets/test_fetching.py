"""What comes from a network, or from a person's hand, is in the cache only if it is what was published (fault 16)."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest
from tests.support.published import SERVED, SMALL, Server

from dlsweep.datasets.fetching import fetch, take
from dlsweep.datasets.published import File, Published
from dlsweep.errors import DataError, DlsweepError, FetchError, Interrupted

FASHION, CIFAR10 = SMALL["FASHION_MNIST"], SMALL["CIFAR10"]


def held(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*")} - {".lock"}


@pytest.mark.parametrize("published", SMALL.values(), ids=lambda p: p.name)
def test_what_is_served_lies_in_the_cache(published: Published, cache: Path, server: Server) -> None:
    notes: list[str] = []
    pieces: list[int] = []
    assert not published.here
    fetch(published, notes.append, pieces.append)
    assert published.missing() == []
    assert published.folder == cache / published.name
    assert {f: (published.folder / f).read_bytes() for f in SERVED[published.name]} == SERVED[published.name]
    assert held(published.folder) == set(SERVED[published.name])
    assert sum(pieces) == sum(map(len, SERVED[published.name].values()))
    assert len(notes) == 1
    assert f"fetching {published.name} (" in notes[0]


def test_what_is_there_is_not_fetched_again(cache: Path, server: Server) -> None:
    fetch(FASHION)
    first, *_ = FASHION.files
    (FASHION.folder / first.name).unlink()
    fetch(FASHION)
    fetch(FASHION)
    asked = {path.rpartition("/")[2]: count for path, count in server.asked.items()}
    assert asked == {file.name: 2 if file is first else 1 for file in FASHION.files}


def test_what_is_in_the_cache_and_is_another_is_replaced(cache: Path, server: Server) -> None:
    CIFAR10.folder.mkdir(parents=True)
    there = CIFAR10.folder / CIFAR10.files[0].name
    there.write_bytes(b"something else")
    assert CIFAR10.here
    fetch(CIFAR10)
    assert there.read_bytes() == SERVED["cifar10"][there.name]


BOMB = gzip.compress(bytes(50_000_000))

REFUSALS = {
    "another file": (lambda s, path: s.content.update({path: b"x" * 1000}), "sends 1,000 bytes that are not"),
    "one bit": (lambda s, path: s.content.update({path: s.content[path][:-1] + b"\1"}), "that are not the published"),
    "a web page": (lambda s, path: s.content.update({path: b"\n<!DOCTYPE html><p>Sign in"}), "a web page in place of"),
    "a gzip bomb": (lambda s, path: s.content.update({path: BOMB}), "bytes that are not the published file"),
    "a cut file": (lambda s, path: setattr(s, "cut", True), "broke before the whole file had arrived"),
    "no end": (lambda s, path: setattr(s, "endless", True), "sends more than "),
    "nothing": (lambda s, path: s.content.clear(), "the server answers 404"),
}  # fmt: skip


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("published", [FASHION, CIFAR10], ids=lambda p: p.name)
def test_nothing_bad_is_kept(refusal: str, published: Published, cache: Path, server: Server) -> None:
    change, sentence = REFUSALS[refusal]
    path = f"/{published.name}/{published.files[0].name}"
    change(server, path)
    with pytest.raises(FetchError) as error:
        fetch(published)
    told = str(error.value)
    assert f"{published.name} cannot be fetched: {server.url}{path}" in told
    assert sentence in told
    assert f"dlsweep data import {published.name} FILES (or put them into {published.folder})" in told
    assert all(f"{file.name} (MD5 {file.md5})" in told for file in published.files)
    assert error.value.exit_code == 1
    assert held(published.folder) == set()


def test_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(FetchError, match=r"http://127.0.0.1:9/cifar10/cifar-10-binary.tar.gz: no connection"):
        fetch(CIFAR10)
    monkeypatch.setenv("DLSWEEP_MIRROR", "localhost:80/data/")
    with pytest.raises(FetchError, match=r"/data/cifar10/cifar-10-binary.tar.gz: this is not an http address"):
        fetch(CIFAR10)
    assert held(CIFAR10.folder) == set()


def test_a_download_that_is_stopped_leaves_nothing(cache: Path, server: Server) -> None:
    with pytest.raises(Interrupted):
        fetch(CIFAR10, progress=Mock(side_effect=Interrupted(2)))
    assert held(CIFAR10.folder) == set()
    fetch(CIFAR10)
    assert CIFAR10.missing() == []


def test_what_a_killed_download_left_is_no_trouble(cache: Path, server: Server) -> None:
    CIFAR10.folder.mkdir(parents=True)
    (CIFAR10.folder / f".{CIFAR10.files[0].name}.part").write_bytes(b"half")
    fetch(CIFAR10)
    assert held(CIFAR10.folder) == {CIFAR10.files[0].name}


def test_a_cache_that_cannot_be_written(cache: Path, server: Server) -> None:
    cache.write_bytes(b"a file where the folder should be")
    with pytest.raises(DlsweepError) as error:
        fetch(FASHION)
    assert f"cannot write {FASHION.folder}: " in str(error.value)
    assert "set DLSWEEP_DATA to a folder" in str(error.value)
    assert error.value.exit_code == 1


def test_a_cache_that_is_only_to_be_read_is_enough(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(FASHION)
    monkeypatch.setattr("dlsweep.datasets.fetching._sole_writer", None)
    fetch(FASHION)


def test_files_of_any_name_are_taken_for_what_they_hold(cache: Path, tmp_path: Path) -> None:
    paths = []
    for i, content in enumerate(SERVED["fashion_mnist"].values()):
        paths.append(tmp_path / f"download ({i})")
        paths[-1].write_bytes(content)
    assert take(FASHION, paths[:2]) == list(FASHION.files[2:])
    assert take(FASHION, paths[2:]) == []
    assert held(FASHION.folder) == set(SERVED["fashion_mnist"])
    assert all(path.exists() for path in paths)


@pytest.mark.parametrize("how", ["packed anew", "unpacked"])
def test_a_folder_with_the_same_content(how: str, cache: Path, tmp_path: Path) -> None:
    """As a distribution has them: the files of another MD5, or plain; known by what they unpack to."""
    for name, packed in SERVED["fashion_mnist"].items():
        content = gzip.decompress(packed)
        if how == "unpacked":
            (tmp_path / name.removesuffix(".gz")).write_bytes(content)
        else:
            (tmp_path / name).write_bytes(gzip.compress(content, 1))
    (tmp_path / "README").write_text("not ours")
    assert take(FASHION, [tmp_path]) == []
    assert FASHION.missing() == []


def test_one_that_is_not_theirs_and_none_is_taken(cache: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(next(iter(SERVED["fashion_mnist"].values())))
    bad.write_bytes(next(iter(SERVED["kmnist"].values())))
    with pytest.raises(DataError) as error:
        take(FASHION, [good, bad])
    assert f"{bad} is not a file of fashion_mnist" in str(error.value)
    assert FASHION.files[0].md5 in str(error.value)
    assert not FASHION.folder.exists()
    with pytest.raises(DataError, match="there is no such file"):
        take(FASHION, [tmp_path / "absent"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"has none of the files of fashion_mnist: train-images-idx3-ubyte.gz"):
        take(FASHION, [tmp_path / "empty"])


def test_a_file_is_itself_whoever_packed_it(tmp_path: Path) -> None:
    content = bytes(1000)
    file = File("f", 0, "0" * 32, len(content), hashlib.sha256(content).hexdigest())
    path = tmp_path / "f"
    for good in (content, gzip.compress(content), gzip.compress(content[:500]) + gzip.compress(content[500:])):
        path.write_bytes(good)
        assert file.is_at(path)
    for bad in (
        b"",
        content + b"\0",
        gzip.compress(content + b"\0"),
        gzip.compress(content)[:-9],
        gzip.compress(bytes(50_000_000)),
        b"\x1f\x8b" + bytes(50),
        bytes(file.limit + 1),
    ):
        path.write_bytes(bad)
        assert not file.is_at(path)
    path.unlink()
    assert not file.is_at(path)
    assert not file.is_at(tmp_path)


def test_importing_what_the_cache_holds_keeps_it(cache: Path, server: Server) -> None:
    fetch(CIFAR10)
    assert take(CIFAR10, [CIFAR10.folder]) == []
    assert CIFAR10.missing() == []
    shutil.rmtree(cache)
    assert not CIFAR10.here
