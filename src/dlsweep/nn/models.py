"""Everything that `model` can name: networks, which learn from data, and landscapes, on which a point descends."""

from __future__ import annotations

from collections import ChainMap

from dlsweep.nn.landscapes import landscapes
from dlsweep.nn.networks import networks
from dlsweep.registry import Registry


class Models(Registry):
    """The names of several registries together. What is new is registered with one of them."""

    def __init__(self, *registries: Registry):
        super().__init__("model", "dlsweep.models")
        self._registries = registries
        self._entries = ChainMap(*(registry._entries for registry in registries))

    def _load_plugins(self) -> None:
        for registry in self._registries:
            registry._load_plugins()


models = Models(networks, landscapes)
