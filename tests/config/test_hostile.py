"""Files made to harm: refused with a sentence, in little time and memory, and nothing in them is run.

Each is read in a process of its own, a fork of one that has imported everything; it has 200 MB more than that, and 30 s
of processor time. Each takes well below a second on a quiet machine; the limit ends what would never end.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import PROGRAMS

pytestmark = pytest.mark.slow

PROGRAM = PROGRAMS / "load_each.py"

BOMB = "a0: &a0 [" + ", ".join(["x"] * 9) + "]\n"
BOMB += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
MANY = ", ".join(str(i / 1001) for i in range(1, 1001))

FILES = {
    "python object": b"name: !!python/object/apply:os.system ['touch pwned']",
    "python name": b"name: !!python/name:os.system",
    "unknown tag": b"name: !Ref x",
    "alias bomb": BOMB.encode(),
    "alias bomb in keys": b"a: &a {x: 1}\nb: {? *a : 1}\n",
    "deep flow": b"grid: " + b"[" * 100_000,
    "deep flow closed": b"grid: " + b"[" * 100_000 + b"]" * 100_000,
    "deep mappings": b"{a: " * 100_000,
    "deep block": b"".join(b" " * i + b"a:\n" for i in range(1300)),
    "deep block list": b"- " * 100_000,
    "deep complex keys": b"? " * 100_000,
    "ten megabytes": b"# " + b"x" * 10_000_000,
    "a megabyte of values": b"[" + b"1," * 499_990 + b"]",
    "a megabyte of mappings": b"{a: 1}\n" * 140_000,
    "a megabyte of unknown keys": b"".join(b"key%d: 1\n" % i for i in range(49_000)),
    "a megabyte of the same key": b"a: 1\n" * 49_000,
    "a megabyte in a key": b"a" * 990_000 + b": 1",
    "a megabyte in a value": b"name: " + b"a" * 990_000,
    "a megabyte of spaces": b" " * 999_000 + b"x",
    "a megabyte of anchors": b"".join(b"- &a%d x\n" % i for i in range(60_000)),
    "ten thousand digits": b"seeds: " + b"9" * 10_000,
    "ten thousand digits in hexadecimal": b"seeds: 0x" + b"f" * 10_000,
    "a huge exponent": b"grid: {optimizer: {sgd: {lr: 1e999999999999}}}",
    "a huge integer": b"train: {iterations: 9223372036854775808}",
    "a huge network": b"model: {mlp: {hidden: [9223372036854775807]}}\nseeds: 0",
    "self-reference": b"grid: &g {activation: *g}",
    "self-reference at the top": b"&a [*a]",
    "not UTF-8": b"name: \xff\xfe",
    "UTF-16": "name: x".encode("utf-16"),
    "NUL": b"name: a\0b",
    "tab": b"grid:\n\tactivation: relu",
    "duplicate key": b"name: a\nname: b",
    "two documents": b"name: a\n---\nname: b",
    "a grid of 10^9 runs": f"grid: {{optimizer: {{adam: {{lr: [{MANY}], beta1: [{MANY}],"
    f" beta2: [{MANY}]}}}}}}".encode(),
    "a grid of 10^15 runs": f"grid: {{optimizer.adam.lr: [{MANY}], optimizer: adam, optimizer.adam.beta1: [{MANY}],"
    f" optimizer.adam.beta2: [{MANY}], init: {{normal: {{std: [{MANY}]}}}}}}\nseeds: 1000".encode(),
    "10^18 seeds": b"seeds: 1000000000000000000",
    "many misspelt levels": b"grid: {activation: [" + b", ".join(b"rel%d" % i for i in range(60_000)) + b"]}",
    "many misspelt factors": b"grid: {" + b", ".join(b"optimizr.lr%d: 1" % i for i in range(40_000)) + b"}",
    "many bad values": b"grid: {optimizer.lr: [" + b"0, " * 90_000 + b"0]}",
    "many factors moving together": b"grid: {'" + b"init, " * 800 + b"init': []}",
    "many rules": b"seeds: 1\ngrid: {train.batch_size: [%s]}\nexclude: [%s]"
    % (
        b",".join(b"%d" % i for i in range(1, 5001)),
        b",".join(b"{train.batch_size: %d}" % i for i in range(1, 5001)),
    ),
    "many rules that fit nothing": b"seeds: 1\ngrid: {train.batch_size: [%s]}\nonly: [%s]"
    % (b",".join(b"%d" % i for i in range(1, 3001)), b"{train.batch_size: 1, init: xavier}," * 6000),
    "quadratic scalar": b"name: '" + b"''" * 400_000,
    "unclosed": b"name: '" + b"\n" * 900_000,
    "nothing": b"",
}


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process as Linux has them")
def test_they_are_refused(tmp_path: Path) -> None:
    names = {f"{i}.yaml": what for i, what in enumerate(FILES)}
    for name, what in names.items():
        (tmp_path / name).write_bytes(FILES[what])
    done = subprocess.run(
        [sys.executable, PROGRAM],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.stderr == ""
    status = json.loads(done.stdout)
    wrong = {}
    for name, what in names.items():
        told = (tmp_path / f"{name}.out").read_text()
        if status[name] != 2 or not told.startswith(f"{name}:") or len(told) > 50_000:
            wrong[what] = (status[name], told[:2000])
    assert not wrong
    assert {file.name for file in tmp_path.iterdir()} == {*names, *(f"{name}.out" for name in names)}  # nothing was run
