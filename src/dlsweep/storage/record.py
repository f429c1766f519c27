"""`sweep.json`: the config of a results folder, the columns of its tables, and the circumstances of its training."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from dlsweep.config.claims import ALPHA, RELATIONS, Claim, Looks
from dlsweep.config.resolved import differences
from dlsweep.config.tuning import Tuning
from dlsweep.errors import ResultsDamaged, UsageError
from dlsweep.metric_names import parse_metric
from dlsweep.randomness import RANDOMNESS_VERSION
from dlsweep.registry import Choice
from dlsweep.storage import made_by
from dlsweep.storage.folder import Folder
from dlsweep.storage.tables import KEPT, OPTIONAL, Tables
from dlsweep.tasks import DESCENT, TASKS
from dlsweep.text import identifier, steering
from dlsweep.types import Split

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# The layout of a results folder. Version 1 had no checksum; a folder with another number is not read.
SCHEMA_VERSION = 2
READABLE = (1, SCHEMA_VERSION)

FILE = "sweep.json"
ANEW = "give the sweep another name, or replace its results with --force"  # the advice if results cannot be used
_DEEPEST = 50  # levels of nesting; a config has about ten

_ALWAYS = ("levels", "plots", "sessions", "sources")  # fields that are written even if they are empty


class OtherVersion(ResultsDamaged):
    """Results in a layout that this version does not know. They are not damaged, so they are not repaired."""


@dataclass(frozen=True)
class Outline:
    """The types of a config's parts, as `Config.resolved` gives them. A landscape has neither data nor fingerprints."""

    name: str
    model: dict[str, Any]
    train: dict[str, Any]
    evaluate: dict[str, Any]
    seeds: list[int] | dict[str, list[int]]
    grid: list[dict[str, list[Any]]]
    exclude: list[dict[str, list[str]]]
    only: list[dict[str, list[str]]]
    data: dict[str, Any] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True)
class Record:
    """The content of `sweep.json`.

    config: resolved, as `Config.resolved` gives it. levels: the labels of every factor in the order of the config.
    plots: as in the config; the results do not depend on them. sessions: one entry for each training into this folder.
    shard: the part of the sweep that this folder is for, such as "0/4"; "" for the whole. runs: their number in the
    sweep, or in this part of it; 0 if not recorded.
    further, earlier: the id of a longer training of the same sweep while it is under way, and of a shorter one that it
    has replaced (`dlsweep.storage.further`).
    relabelled: by id, the arm and the labels (in the order of `levels`) of runs whose rows have others, since they are
    from before the config changed. hidden: the ids of runs in the folder that the config does not ask for.
    claims: as in the config; alpha: of their tests. late: the names of claims that were stated or changed after some
    run was trained; removed: of claims that were removed since then; early: hashes of claims that were stated before
    the first run and then removed: they are not late if they come back. looks: at the claims, if they were planned.
    tuning: the candidates that were tried for each arm, and the choice; None if nothing was tuned.
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
    shard: str = ""
    runs: int = 0
    further: str = ""
    earlier: str = ""
    relabelled: Mapping[str, list[str]] = field(default_factory=dict)
    hidden: Sequence[str] = ()
    claims: tuple[Claim, ...] = ()
    alpha: float = ALPHA
    late: Sequence[str] = ()
    removed: Sequence[str] = ()
    early: Sequence[str] = ()
    looks: Looks | None = None
    tuning: Tuning | None = None

    @property
    def aligning(self) -> list[str]:
        """The factors over whose combinations arms are compared: all but those that were tuned for each arm."""
        return [factor for factor in self.tables.factors if not (self.tuning and self.tuning.covers(factor))]

    @property
    def beside(self) -> str:
        """The id of another sweep whose parts may be in the folder, and do not count; "" if there is none."""
        return self.further or self.earlier

    def write(self, folder: Folder) -> None:
        """Write the record into its folder."""
        content = json.loads(json.dumps({name: v for name, v in asdict(self).items() if v or name in _ALWAYS}))
        text = json.dumps({**content, "checksum": _checksum(content)}, indent=2, ensure_ascii=False)
        folder.put(FILE, text.encode(errors="backslashreplace") + b"\n")  # as JSON writes a byte of a path


def read(folder: Folder) -> Record | None:
    """Return the record of a results folder; None if there is none.

    Raise `ResultsDamaged` if it was changed since it was written or is not a record, and `Unreadable` if it cannot be
    read at the moment.
    """
    path = f"{folder}/{FILE}"
    try:
        content = json.loads(folder.get(FILE))
        if type(found := content["schema_version"]) is not int or found not in READABLE:
            raise OtherVersion(f"{path} has schema version {found!r}; this dlsweep reads version {SCHEMA_VERSION}")
        if found > 1 and content.pop("checksum") != _checksum(content):
            raise ValueError("it is not as it was written")
        _bound(content)
        if content["tables"].pop("coordinates", ()):  # written before tables had a task
            content["tables"]["task"] = DESCENT.name
        _typed(Outline, content["config"])
        record: Record = _typed(Record, content)
        _compare(record)
        return record
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsDamaged(f"{path} is damaged, or not made by dlsweep: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return the fault of a record, from the error that reading it has raised."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON (line {error.lineno}, column {error.colno})"
    return str(error) if isinstance(error, ValueError) else "it does not have the fields of a record"


def _bound(content: Any) -> None:
    """Raise a `ValueError` for values that are nested too deeply, or have text that no file can hold."""
    json.dumps(content, ensure_ascii=False).encode(errors="surrogateescape")  # a path may have any bytes
    values = [content]
    for _ in range(_DEEPEST):
        inside = (one.values() if isinstance(one, dict) else one for one in values if isinstance(one, (dict, list)))
        values = list(chain.from_iterable(inside))
    if values:
        raise ValueError("it is nested too deeply")


def _typed(kind: type, content: Any) -> Any:
    """Return JSON as an object of a type. Raise a `ValueError` that names the first value of another type."""
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _compare(record: Record) -> None:
    """Raise a `ValueError` if parts of a record contradict each other, or have unknown words."""
    differences(record.config, record.config)  # reads all of it
    tables = record.tables
    for name, known in {"splits": get_args(Split), "optional": OPTIONAL, "kept": KEPT}.items():
        if unknown := set(getattr(tables, name)) - set(known):
            raise ValueError(f"tables.{name} has {min(unknown)!r}")
    if tables.task not in TASKS:
        raise ValueError(f"tables.task is {tables.task!r}")
    if list(tables.sources) != (list(seeds) if isinstance(seeds := record.config["seeds"], dict) else []):
        raise ValueError("its sources of chance are not those of its seeds")
    if list(record.levels) != list(tables.factors):
        raise ValueError("its levels are not those of its factors")
    if any(len(own) != 1 + len(record.levels) for own in record.relabelled.values()):
        raise ValueError("a run has not one label for its arm and one for each factor")
    if any(len(set(labels)) < len(labels) for labels in record.levels.values()):
        raise ValueError("a factor has a level twice")
    _compare_claims(record)


def _compare_claims(record: Record) -> None:
    """Raise a `ValueError` for claims that no config can have."""
    tables, names = record.tables, [claim.name for claim in record.claims]
    if len(set(names)) < len(names) or not set(record.late) <= set(names) or set(record.removed) & set(names):
        raise ValueError("its late or removed claims are not those of the sweep, or two have the same name")
    if not 0 < record.alpha < 1:
        raise ValueError(f"alpha is {record.alpha!r}")
    if record.looks and not (record.looks.is_sound and 0 < record.looks.alpha < 1):
        raise ValueError("its planned looks contradict each other")
    for claim in record.claims:
        partial = (*claim.arms, claim.more, claim.than, claim.where)
        known = all(set(labels) <= set(record.levels.get(f, ())) for arm in partial for f, labels in arm.items())
        if (
            not known
            or len(claim.arms) < RELATIONS[claim.relation].arms
            or not isfinite(claim.margin)
            or steering(claim.name)
        ):
            raise ValueError(f"the claim {claim.name!r} does not fit this sweep")
        try:
            layers = "layers" in tables.optional
            parse_metric(claim.metric, splits=tables.splits, factors=tables.factors, task=tables.of_task, layers=layers)
        except UsageError as error:
            raise ValueError(str(error)) from error


def _checksum(content: Mapping[str, Any]) -> str:
    """Return the checksum of a record, which depends on neither the order nor the spaces of its JSON."""
    return identifier(json.dumps(content, sort_keys=True))


def session(config_file: Path | None) -> dict[str, Any]:
    """Return the circumstances of a training that starts now. The bits of a curve may depend on each of them."""
    return {
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": _command(),
        "versions": versions(),
        "git_commit": _git_commit(config_file.parent if config_file else Path()),
        "machine": {
            "host": platform.node(),
            "system": platform.platform(),
            "processor": made_by.here().processor,
            "cores": os.cpu_count(),
        },
    }


def _command() -> str:
    """Return the command of this process, as a person writes it."""
    program, *words = sys.argv or [""]
    own = Path(program).name == "dlsweep" or Path(program).parts[-2:] == ("dlsweep", "__main__.py")
    return shlex.join(["dlsweep" if own else program, *words])


def versions() -> dict[str, Any]:
    """Return the versions of the numerical software; of BLAS also its kernels for this processor and its threads."""
    return {**made_by.versions(), "blas": [{"threads": 1, **library} for library in made_by.blas()]}


def _git_commit(folder: Path) -> str | None:
    """Return the commit of the config's repository, if there is one. Git is started in repositories only."""
    place = folder.resolve()
    if "GIT_DIR" not in os.environ and not any((parent / ".git").exists() for parent in (place, *place.parents)):
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
