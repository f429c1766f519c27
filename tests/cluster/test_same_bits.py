"""Batch invariance: executors, numbers of workers, shards, resumes and storages have one set of bits (fault 22)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import faults
from tests.support.s3 import Remote

import dlsweep as package

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

KEPT = ["seeds=2", "evaluate.keep=final", "evaluate.layers=true", "evaluate.ensemble=true", "-q"]
SMALL = ["--max-memory", "1e-6"]
WAYS = [
    ["-j", "2"],
    ["-j", "2", *SMALL],
    ["--executor", "dask", "-j", "1"],
    ["--executor", "dask", "-j", "2", *SMALL],
]

KILLED = ["timeout", "--signal=KILL", "3"]  # while it starts, trains or has just ended, as the machine is busy or not


def bits(place: str | Path) -> tuple[str, ...]:
    """Every number of some results, and every byte of the weights."""
    results = package.open_results(place)
    tables = [results.layers.to_csv(), results.ensembles.to_csv()]
    weights = [repr(results.files.get(name)) for name in results.files.list("weights")]
    return (faults.digest(results), *tables, *weights)


def test_executors_workers_shards_and_storages_have_one_set_of_bits(remote: Remote) -> None:
    def run(output: str, *options: str) -> None:
        remote("run", "tiny.yaml", *KEPT, *options, "-o", output)

    run("whole", "-j", "1")
    expected = bits(remote.folder / "whole/tiny")
    for storage in ("folder", remote.url):
        for i, way in enumerate(WAYS if storage == "folder" else WAYS[1::2]):
            run(f"{storage}/{i}", *way)
            assert bits(_place(remote, f"{storage}/{i}/tiny")) == expected, (storage, way)
        for i, way in enumerate(WAYS[:2]):
            run(f"{storage}/shards", *way, "--shard", f"{i}/2")
        shards = [f"{storage}/shards/tiny.shard-{i}-of-2" for i in range(2)]
        remote("merge", f"{storage}/merged/tiny", *shards)
        assert bits(_place(remote, f"{storage}/merged/tiny")) == expected
        with remote.start(*KEPT, *WAYS[1], "-o", f"{storage}/resumed", before=KILLED) as killed:
            killed.communicate()
        run(f"{storage}/resumed", "-j", "1")
        assert bits(_place(remote, f"{storage}/resumed/tiny")) == expected


def _place(remote: Remote, name: str) -> str | Path:
    return name if name.startswith("s3://") else remote.folder / name
