"""Answer comparison questions about deep learning: a YAML grid in, paired curves and figures out.

    import dlsweep

    results = dlsweep.run("configs/activation_init.yaml")
    results.curves.query("split == 'test'").groupby(["activation", "init", "iteration"], observed=True).accuracy.mean()

Everything here is imported when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlsweep.analysis.checked import check as check
    from dlsweep.analysis.comparison import compare as compare
    from dlsweep.analysis.effects import effects as effects
    from dlsweep.analysis.frames import summary as summary
    from dlsweep.config import load as load
    from dlsweep.deciding import run_until_decided as run_until_decided
    from dlsweep.execution.executors import executors as executors
    from dlsweep.exports.export import export as export
    from dlsweep.forecast import dry_run as dry_run
    from dlsweep.nn.activations import activations as activations
    from dlsweep.nn.initializers import initializers as initializers
    from dlsweep.nn.landscapes import landscapes as landscapes
    from dlsweep.nn.networks import networks as networks
    from dlsweep.nn.normalization import normalizations as normalizations
    from dlsweep.nn.optimizers import optimizers as optimizers
    from dlsweep.nn.patches import col2im as col2im
    from dlsweep.nn.patches import im2col as im2col
    from dlsweep.nn.regularizers import regularizers as regularizers
    from dlsweep.nn.schedules import schedules as schedules
    from dlsweep.plots.figures import plot as plot
    from dlsweep.progress import Reporter as Reporter
    from dlsweep.storage.merging import merge as merge
    from dlsweep.storage.opening import open_all as open_all
    from dlsweep.storage.opening import open_results as open_results
    from dlsweep.sweep import run as run
    from dlsweep.training.plan import plan as plan
    from dlsweep.tuning import tune as tune
    from dlsweep.verifying import verify as verify

    __version__: str

# Where each name comes from. dlsweep.datasets and dlsweep.plots are packages; each has its registry's `register`.
_SOURCES = {
    "load": "config",
    "plan": "training.plan",
    "run": "sweep",
    "tune": "tuning",
    "run_until_decided": "deciding",
    "dry_run": "forecast",
    "Reporter": "progress",
    "open_results": "storage.opening",
    "open_all": "storage.opening",
    "merge": "storage.merging",
    "plot": "plots.figures",
    "summary": "analysis.frames",
    "effects": "analysis.effects",
    "compare": "analysis.comparison",
    "check": "analysis.checked",
    "export": "exports.export",
    "verify": "verifying",
    "activations": "nn.activations",
    "initializers": "nn.initializers",
    "landscapes": "nn.landscapes",
    "networks": "nn.networks",
    "normalizations": "nn.normalization",
    "optimizers": "nn.optimizers",
    "regularizers": "nn.regularizers",
    "schedules": "nn.schedules",
    "executors": "execution.executors",
    "im2col": "nn.patches",
    "col2im": "nn.patches",
}
_PACKAGES = ("datasets", "plots")

__all__ = sorted(["__version__", *_SOURCES, *_PACKAGES])


def __getattr__(name: str) -> Any:
    if name in _SOURCES:
        value = getattr(import_module(f"dlsweep.{_SOURCES[name]}"), name)
    elif name in _PACKAGES:
        value = import_module(f"dlsweep.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("dlsweep")
    else:
        raise AttributeError(f"module 'dlsweep' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
