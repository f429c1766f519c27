"""From a YAML file to the runs to train: `load` checks a config, `Config` expands it lazily to arms and runs."""

from dlsweep.config.config import Config
from dlsweep.config.loading import load, load_resolved

__all__ = ["Config", "load", "load_resolved"]
