"""Regularizers: `w -> (penalty, gradient)` of one kernel, so that the two cannot disagree.

w: `(R, …)`; penalty: `(R,)`, added to what is minimized and reported apart from the loss; gradient: like `w`.
Settings are arrays that broadcast against `w`. A run may have several at once.
"""

from __future__ import annotations

import numpy as np

from dlsweep.registry import Registry

Array = np.ndarray

regularizers = Registry("regularizer", "dlsweep.regularizers")


@regularizers.register
def none_(w: Array) -> tuple[Array, Array]:
    """No regularization: penalty and gradient are zero."""
    return np.zeros(len(w), w.dtype), np.zeros_like(w)
