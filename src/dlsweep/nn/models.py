"""Names for `model`: networks, which learn from data, and landscapes, on which a point descends."""

from __future__ import annotations

from dlsweep.nn.landscapes import landscapes
from dlsweep.nn.networks import networks
from dlsweep.registry import Joined

models = Joined("model", networks, landscapes)
