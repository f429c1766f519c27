"""What a layer is: named parameters, and a function `(parameters, x, training) -> (y, back)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Parameters = dict[str, Array]  # by name, each `(R, …)`
Back = Callable[[Array], tuple[Array | None, Parameters]]  # dy -> (dx, gradients by parameter name)


class Parameter(NamedTuple):
    """A parameter's shape in one run, and the fans that scale its initial values; only kernels have them.

    Kernels are what initializers fill and regularizers penalize; the rest starts at 0.

    wide: kept in memory as `(in, R, out)` (the logical shape stays `(R, in, out)`), so that an input that several runs
    share meets all their kernels in one product.
    """

    shape: tuple[int, ...]
    fan_in: int = 0  # 0 for biases and the like, which start at 0
    fan_out: int = 0
    wide: bool = False

    def empty(self, runs: int, dtype: Any) -> Array:
        """Room for this parameter of `runs` runs, zero, in its memory layout."""
        if self.wide:
            rows, columns = self.shape
            return np.zeros((rows, runs, columns), dtype).transpose(1, 0, 2)
        return np.zeros((runs, *self.shape), dtype)


class Layer(NamedTuple):
    """One step of a network, with its parameters for every run of the stack passed in.

    apply(parameters, x, training) returns `y` and `back(dy) -> (dx, gradients)`; x: `(R, N, …)`, except in a network's
    first layer, which reads `Shared` input and returns None for dx: nobody needs the gradient of the data.
    """

    name: str
    parameters: Mapping[str, Parameter]
    apply: Callable[[Parameters, Any, bool], tuple[Array, Back]]
