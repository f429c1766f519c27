"""The machine that trained a run, and its software. Bits depend on them, so each part of runs/ records the machine."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple

import pyarrow as pa
from threadpoolctl import threadpool_info

from dlsweep import machine
from dlsweep.storage.parts import MADE_BY, note, noted


class Machine(NamedTuple):
    """The model of a processor, the library of matrix products with its kernel, and the version of NumPy.

    >>> print(Machine("EPYC 7742", "openblas 0.3.29 (Haswell)", "2.2.0"))
    EPYC 7742, openblas 0.3.29 (Haswell), NumPy 2.2.0
    """

    processor: str
    blas: str
    numpy: str

    def __str__(self) -> str:
        return f"{self.processor}, {self.blas}, NumPy {self.numpy}"


@cache
def here() -> Machine:
    """Return the machine of this process."""
    libraries = [f"{one['internal_api']} {one['version']} ({one['architecture']})" for one in blas()]
    return Machine(machine.processor(), ", ".join(libraries) or "unknown BLAS", versions()["numpy"])


@cache
def versions() -> Mapping[str, str]:
    """Return the versions of Python and of the packages that compute and store numbers, read once a process."""
    return {name: version(name) for name in ("dlsweep", "numpy", "pyarrow")} | {"python": platform.python_version()}


@cache
def blas() -> tuple[dict[str, Any], ...]:
    """Return NumPy's libraries of matrix products in this process. Other packages may load further ones."""
    import numpy  # noqa: F401  (they are loaded with it)

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    own = [pool for pool in pools if "numpy" in pool["filepath"]] or pools
    return tuple({key: pool.get(key) for key in ("internal_api", "version", "architecture")} for pool in own)


def signed(rows: pa.Table) -> pa.Table:
    """Return rows of runs/ that this process has trained, with its machine in their metadata."""
    return noted(rows, MADE_BY, json.dumps(here()._asdict(), sort_keys=True))


def machine_of(rows: pa.Table) -> Machine | None:
    """Return the machine that trained rows of runs/; None if they do not name one."""
    try:
        found = json.loads(note(rows.schema, MADE_BY))
        return Machine(*(str(found[name]) for name in Machine._fields))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def mixture(machines: dict[Machine, int]) -> str:
    """Return a sentence on runs of several machines, with the number of runs of each; "" for one machine.

    >>> mixture({Machine("EPYC 7742", "openblas 0.3.29 (Haswell)", "2.2.0"): 3})
    ''
    """
    if len(machines) < 2:
        return ""
    each: Sequence[str] = [f"{count} from {one}" for one, count in sorted(machines.items())]
    return f"The runs come from {len(machines)} machines, which may round differently: {'; '.join(each)}."
