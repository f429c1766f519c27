"""Output of commands: data to stdout, messages to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlsweep.text import printable


def say(text: str) -> None:
    """Print a message to stderr."""
    print("\n".join(map(printable, text.splitlines())), file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_paths(paths: Iterable[Path]) -> None:
    """Print paths, one on each line."""
    print("".join(f"{path}\n" for path in paths), end="")
