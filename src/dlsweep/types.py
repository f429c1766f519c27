"""The types that every part of the program shares: arrays, shapes and the names of splits."""

from __future__ import annotations

from typing import Literal

import numpy as np

Array = np.ndarray
Shape = tuple[int, ...]
Split = Literal["batch", "train", "validation", "test"]
