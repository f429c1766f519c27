"""Types of the fixtures that make sweeps, start programs and compare results."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from dlsweep.storage.results import Results

Make = Callable[..., dict[str, Any]]
Launch = Callable[..., "subprocess.Popen[str]"]
Execute = Callable[..., tuple[int, str]]
Bits = Callable[[Results], dict[str, bytes]]
