"""A factor is a line in the table and its registry: configs, plans, lists and schemas follow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parent / "support/programs/new_factor.py"


def test_a_new_factor_is_one_line_and_its_registry(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, PROGRAM], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "levels": ["exact", "steps size=0.1", "steps size=0.2"],
        "chosen": [
            '["exact",{}]',
            '["steps",{"mode":"up","size":0.1}]',
            '["steps",{"mode":"down","size":0.1}]',
            '["steps",{"mode":"up","size":0.2}]',
            '["steps",{"mode":"down","size":0.2}]',
        ],
        "settings": ["rounding.size"],
        "ids": 10,
        "stacks": [1, 2, 2],  # sizes share a stack, modes do not
        "resolved": [["exact", "label"], ["steps", "label"], ["steps", "label"]],
        "schema": True,
        "listed": True,
        "modules": ["__main__"],
        "usual": "exact",
    }
