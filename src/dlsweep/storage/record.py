"""`sweep.json`: the question that a results folder answers, the columns of its tables, and how they were made."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from dlsweep import files
from dlsweep.errors import ResultsDamaged
from dlsweep.randomness import RANDOMNESS_VERSION
from dlsweep.registry import Choice
from dlsweep.storage.tables import Tables

# The layout of a results folder. Version 1 had no checksum; a folder with another number is not read.
SCHEMA_VERSION = 2
READABLE = (1, SCHEMA_VERSION)

FILE = "sweep.json"


class OtherVersion(ResultsDamaged):
    """Results in a layout that this version does not know: they are not damaged, so nothing of them is made anew."""


@dataclass(frozen=True)
class Record:
    """What `sweep.json` says.

    config: resolved, as `Config.resolved` gives it. levels: the labels of every factor in the order of the config.
    plots: what the config asks to be drawn, which is no part of the question.
    sessions: one entry for every time that somebody trained into this folder.
    """

    name: str
    config: Mapping[str, Any]
    tables: Tables
    levels: Mapping[str, list[str]]
    plots: tuple[Choice, ...]
    sessions: list[dict[str, Any]]
    randomness_version: int = RANDOMNESS_VERSION
    schema_version: int = SCHEMA_VERSION

    def write(self, folder: Path) -> None:
        """Put it into its folder."""
        content = json.loads(json.dumps(asdict(self)))
        text = json.dumps({**content, "checksum": _checksum(content)}, indent=2, ensure_ascii=False)
        files.write(folder / FILE, text.encode() + b"\n")


def read(folder: Path) -> Record | None:
    """Return the record of a results folder; None if there is none.

    Raises `ResultsDamaged` if it is not as it was written, and `Unreadable` if it cannot be read at the moment.
    """
    path = folder / FILE
    try:
        content = json.loads(files.read(path))
        if (found := content["schema_version"]) not in READABLE:
            raise OtherVersion(f"{path} has schema version {found}; this dlsweep reads version {SCHEMA_VERSION}")
        if found > 1 and content.pop("checksum") != _checksum(content):
            raise ValueError("it is not as it was written")
        columns = content.pop("tables")
        sweep = columns.pop("sweep", "")
        tables = Tables(**{key: tuple(names) for key, names in columns.items()}, sweep=sweep)
        plots = tuple(Choice(**plot) for plot in content.pop("plots"))
        return Record(tables=tables, plots=plots, **content)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsDamaged(f"{path} is damaged or not from dlsweep: {error}") from error


def _checksum(content: Mapping[str, Any]) -> str:
    """Return what tells whether a record is as it was written, whatever the order and the spaces of its JSON."""
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()


def session(config_file: Path | None) -> dict[str, Any]:
    """Where, when, by what command and with which versions training starts now. A bit of a curve may depend on any."""
    return {
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": shlex.join(sys.argv),
        "versions": versions(),
        "git_commit": _git_commit(config_file.parent if config_file else Path()),
        "machine": {
            "host": platform.node(),
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
        },
    }


def versions() -> dict[str, Any]:
    """Versions of what computes; of BLAS also the kernels that it chose for this processor, and a worker's threads."""
    blas = [
        {"threads": 1} | {key: pool.get(key) for key in ("internal_api", "version", "architecture")}
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]
    ]
    packages = {name: version(name) for name in ("dlsweep", "numpy", "pyarrow")}
    return {**packages, "python": platform.python_version(), "blas": blas}


def _git_commit(folder: Path) -> str | None:
    """The commit of the repository that the config is in, if it is in one."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
