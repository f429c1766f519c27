"""`sweep.json`: the config of a results folder, the columns of its tables, and the circumstances of its training."""

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

from dlsweep.errors import ResultsDamaged
from dlsweep.randomness import RANDOMNESS_VERSION
from dlsweep.registry import Choice
from dlsweep.storage.folder import Folder
from dlsweep.storage.tables import Tables
from dlsweep.tasks import DESCENT

# The layout of a results folder. Version 1 had no checksum; a folder with another number is not read.
SCHEMA_VERSION = 2
READABLE = (1, SCHEMA_VERSION)

FILE = "sweep.json"


class OtherVersion(ResultsDamaged):
    """Results in a layout that this version does not know. They are not damaged, so they are not repaired."""


@dataclass(frozen=True)
class Record:
    """The content of `sweep.json`.

    config: resolved, as `Config.resolved` gives it. levels: the labels of every factor in the order of the config.
    plots: as in the config; the results do not depend on them. sessions: one entry for each training into this folder.
    sources: the hash of every function from another package, "" if its source could not be read; None if not recorded.
    """

    name: str
    config: Mapping[str, Any]
    tables: Tables
    levels: Mapping[str, list[str]]
    plots: tuple[Choice, ...]
    sessions: list[dict[str, Any]]
    sources: Mapping[str, str] | None = None
    randomness_version: int = RANDOMNESS_VERSION
    schema_version: int = SCHEMA_VERSION

    def write(self, folder: Folder) -> None:
        """Write the record into its folder."""
        content = json.loads(json.dumps(asdict(self)))
        text = json.dumps({**content, "checksum": _checksum(content)}, indent=2, ensure_ascii=False)
        folder.put(FILE, text.encode() + b"\n")


def read(folder: Folder) -> Record | None:
    """Return the record of a results folder; None if there is none.

    Raise `ResultsDamaged` if it was changed since it was written, and `Unreadable` if it cannot be read at the moment.
    """
    path = f"{folder}/{FILE}"
    try:
        content = json.loads(folder.get(FILE))
        if (found := content["schema_version"]) not in READABLE:
            raise OtherVersion(f"{path} has schema version {found}; this dlsweep reads version {SCHEMA_VERSION}")
        if found > 1 and content.pop("checksum") != _checksum(content):
            raise ValueError("it is not as it was written")
        columns = content.pop("tables")
        if columns.pop("coordinates", ()):  # written before tables had a task
            columns["task"] = DESCENT.name
        named: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in columns.items()}
        plots = tuple(Choice(**plot) for plot in content.pop("plots"))
        return Record(tables=Tables(**named), plots=plots, **content)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsDamaged(f"{path} is damaged or not from dlsweep: {error}") from error


def _checksum(content: Mapping[str, Any]) -> str:
    """Return the checksum of a record, which depends on neither the order nor the spaces of its JSON."""
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()


def session(config_file: Path | None) -> dict[str, Any]:
    """Return the circumstances of a training that starts now. The bits of a curve may depend on each of them."""
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
    """Return the versions of the numerical software; of BLAS also its kernels for this processor and its threads."""
    blas = [
        {"threads": 1} | {key: pool.get(key) for key in ("internal_api", "version", "architecture")}
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]
    ]
    packages = {name: version(name) for name in ("dlsweep", "numpy", "pyarrow")}
    return {**packages, "python": platform.python_version(), "blas": blas}


def _git_commit(folder: Path) -> str | None:
    """Return the commit of the config's repository, if there is one."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
