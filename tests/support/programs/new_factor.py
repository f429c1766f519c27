"""Add a factor to the table, with a registry of its own; print its part in a config, a plan, a list and a schema."""

import json

from dlsweep import factors
from dlsweep.registry import Registry

rounding = Registry("rounding", "dlsweep.rounding")


@rounding.register
def exact():
    """No rounding."""


@rounding.register
def steps(*, size: float = 0.1, mode: str = "up"):
    """Multiples of a size."""


factors.FACTORS += (factors.FactorSpec("rounding", "__main__:rounding", "exact"),)
factors.BY_NAME["rounding"] = factors.FACTORS[-1]
factors.STANDARD += ("rounding",)

from dlsweep.cli import listing  # noqa: E402  the table is read when the language is imported
from dlsweep.config import load  # noqa: E402
from dlsweep.config.schema import schema  # noqa: E402
from dlsweep.execution.executors import registering_modules  # noqa: E402
from dlsweep.training.plan import plan  # noqa: E402

config = load(
    {"name": "x", "seeds": 2, "grid": {"rounding": ["exact", {"steps": [0.1, 0.2]}], "rounding.mode": ["up", "down"]}}
)
told = {
    "levels": config.levels("rounding"),
    "chosen": [arm.rounding.canonical for arm in config.arms()],
    "settings": [name for name in config.settings if name.startswith("rounding")],
    "ids": len({run.id for run in config.runs()}),
    "stacks": [cohort.arms for cohort in plan(config).cohorts],
    "resolved": [[*level] for level in config.resolved()["grid"][0]["rounding"]],
    "schema": "rounding.steps.size" in schema()["$defs"]["grid"]["properties"],
    "listed": "rounding" in listing.KINDS,
    "modules": registering_modules(),
    "usual": next(load({"name": "x"}).arms()).rounding.name,
}
print(json.dumps(told))
