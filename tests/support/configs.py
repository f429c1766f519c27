"""Types of the fixtures that load configs, and ends of sentences that many mistakes share."""

from __future__ import annotations

from typing import Any, Protocol

from dlsweep.config import Config
from dlsweep.config.words import CHOSEN, TRAIN, dotted_names
from dlsweep.nn.activations import activations

ACTIVATIONS = f"(choices: {', '.join(activations)})"
FACTORS = f"(choices: {', '.join(sorted([*CHOSEN, *dotted_names('train')]))})"
TRAIN_SETTINGS = f"(choices: {', '.join(sorted(TRAIN.settings))})"


class Load(Protocol):
    def __call__(self, text: str, *overrides: str, **options: Any) -> Config: ...


class Refused(Protocol):
    def __call__(self, text: str, *sentences: str, overrides: tuple[str, ...] = (), **options: Any) -> None: ...
