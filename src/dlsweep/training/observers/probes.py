"""Measurements of each layer while a network trains: sizes of weights, gradients and activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlsweep.nn.layers import Context, Layer, Output, column
from dlsweep.training.evaluation import Evaluation
from dlsweep.training.observers import Observer
from dlsweep.training.observers.curves import Row, long_columns
from dlsweep.training.random_draws import Draws
from dlsweep.training.result import TrainingResult, named
from dlsweep.training.state import Stack, State
from dlsweep.training.step import Gradients
from dlsweep.types import Array

BINS = 30  # of a histogram
HISTOGRAMS = 10  # histograms after the one at the start, the last one at the end
NEAR_ZERO = 1e-3  # weights smaller than this count as gone
SHAPES = tuple(f"{name}_{part}" for name in ("activation", "weight") for part in ("low", "high", "histogram"))
SATURATED = 0.36  # share of an activation's maximum slope: for sigmoid, outputs outside [0.1, 0.9]


class Probes(Observer):
    """Measure the layers that have a kernel at every evaluation.

    The row of iteration t describes the network after t updates, as in the curves. It is measured in training mode on
    the minibatch of step t + 1, and the gradient is the one of that step. After the last update, this gradient is
    computed and not applied.

    Columns on a layer's kernel W: `weight_norm`, ‖W_t‖₂; `gradient_rms`, of the gradient at W_t with penalties, before
    clipping; `update_ratio`, ‖W_t − W_{t−1}‖ / ‖W_{t−1}‖, NaN at iteration 0 and where W_{t−1} = 0; `sparsity`, the
    share of weights within ±0.001. Columns on the output of the next activation, or on the logits: `activation_mean`
    and `activation_std`; `saturated`, the share of outputs where the activation's slope is at most 0.36 of its maximum;
    `dead`, the share of units whose slope is 0 for all samples; both are 0 for logits. About ten times in a training
    also histograms of activations and weights: `…_low`, `…_high`, and `…_histogram`, the counts in 30 equal bins
    between them. Values that are not finite, in a run that diverges in step t + 1, become NaN.
    """

    def __init__(self, stack: Stack, steps: int):
        arm = stack.arm
        self.every, self.steps = arm.evaluate.every, steps
        self.last = max(arm.evaluate.times(steps) - 1, 1)
        # A longer training takes histograms at other evaluations: those that may go on take them at each.
        self.always = arm.evaluate.keep == "final"
        self.runs, self.ratios, self.before = len(stack), dict[str, Array](), list[Array]()
        self.due: int | None = None  # the iteration of an evaluation that is not measured yet
        self.rows: list[Row] = []
        self.stack: Stack | None = None

    def _arrange(self, stack: Stack) -> None:
        """Find the kernels and what follows them. Layers change when runs leave."""
        if stack is self.stack:
            return
        self.stack, layers = stack, stack.network.layers
        kernels = [i for i, layer in enumerate(layers) if layer.kernels]
        self.kernels = [
            (i, layers[i].name, layers[i].kernels[0], _after(layers, i, end))
            for i, end in zip(kernels, [*kernels[1:], len(layers)], strict=True)
        ]
        self.steepest = {at: _steepest(layers[at]) for _, _, _, at in self.kernels if layers[at].facts.activation}

    @property
    def pending(self) -> bool:
        """True while an evaluation is not measured yet."""
        return self.due is not None

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Make a row due."""
        self.due = evaluation.iteration

    def differentiated(self, t: int, state: State, gradients: Gradients) -> None:
        """Measure the row that is due, and note the weights before an update that an evaluation follows."""
        self._arrange(state.stack)
        if self.due is not None:
            self._measure(self.due, state, gradients)
            self.due = None
        if t % self.every == 0 or t == self.steps:
            self.before = [state.parameters[i][k].copy() for i, _, k, _ in self.kernels]

    def updated(self, t: int, state: State) -> None:
        """Note the size of the update, for the row that will be due."""
        for (i, name, k, _), w in zip(self.kernels, self.before, strict=True) if self.before else ():
            norm = _norm(w)
            ratios = self.ratios.setdefault(name, np.full(self.runs, np.nan))
            ratios[state.stack.positions] = np.where(norm > 0, _norm(state.parameters[i][k] - w) / norm, np.nan)
        self.before = []

    def _measure(self, t: int, state: State, gradients: Gradients) -> None:
        runs = state.stack.positions
        shapes = self.always or bool(self._scheduled(np.array(t)))
        for i, name, k, at in self.kernels:
            w, output = state.parameters[i][k], gradients.outputs[at]
            y = output.y
            ratios = self.ratios.get(name)
            row = {
                "iteration": t,
                "run": runs,
                "layer": name,
                "weight_norm": _norm(w),
                "gradient_rms": _norm(gradients.values[i][k]) / np.sqrt(w[0].size),
                "update_ratio": np.full(len(w), np.nan) if ratios is None else ratios[runs],
                "activation_mean": (mean := _flat(y).mean(axis=1)),
                "activation_std": _norm(_flat(y) - mean[:, None]) / np.sqrt(y[0].size),
                **_slopes(output, self.steepest.get(at)),
                "sparsity": _share(np.abs(w) < NEAR_ZERO),
                **_histogram("activation", y, shapes),
                **_histogram("weight", w, shapes),
            }
            self.rows.append(row)

    def _scheduled(self, t: Array) -> Array:
        """Return a mask of the iterations with histograms: evenly over the evaluations, the first and last included."""
        evaluated = -(-t // self.every)
        return HISTOGRAMS * evaluated // self.last > HISTOGRAMS * (evaluated - 1) // self.last

    def resume(self, before: TrainingResult) -> None:
        """Begin with the rows of the training so far, with their histograms."""
        rows = {name: values.copy() for name, values in before.layers.items()}
        for position, state in enumerate(before.states):
            if state := named("probes", state):
                own = np.flatnonzero(rows["run"] == position)
                there = np.isin(state["iteration"], rows["iteration"][own])
                for name in SHAPES:
                    rows[name][own] = state[name][there]
        self.rows = [rows] if rows else []

    def states(self) -> Sequence[Mapping[str, Array]]:
        """Return the histograms of each run at all evaluations, by column."""
        if not (self.always and self.rows):
            return ()
        found = long_columns(self.rows, "run", "iteration", *SHAPES)
        found |= {name: counts.astype(np.int32) for name, counts in found.items() if counts.ndim == 2}
        own = [np.flatnonzero(found["run"] == position) for position in range(self.runs)]
        return [{f"probes/{name}": found[name][rows] for name in ("iteration", *SHAPES)} for rows in own]

    def results(self) -> dict[str, Any]:
        """Return `layers`: all rows as long columns, `run`, `iteration`, `layer` and the measurements."""
        if not self.rows:  # all runs diverged before the first step
            return {}
        columns = long_columns(self.rows, *self.rows[0])
        left_out = ~self._scheduled(columns["iteration"])
        for name in SHAPES:
            columns[name][left_out] = -1 if columns[name].ndim == 2 else np.nan
        return {"layers": {k: _finite(values) for k, values in columns.items()}}


def _after(layers: Sequence[Layer], kernel: int, end: int) -> int:
    """Return the index of the activation after a kernel, or else of the last layer before the next kernel."""
    end = next((i for i in range(kernel, end) if layers[i].facts.route == "next"), end)  # there its branch ends
    return next((i for i in range(kernel, end) if layers[i].facts.activation), end - 1)


def _steepest(activation: Layer) -> Array:
    """Return the maximum slope of an activation between −10 and 10 for every run, with its initial parameters."""
    shape = next((p.shape for p in activation.parameters.values()), (1, 1))
    like = np.zeros((1, *shape))
    start = {k: like + column(np.asarray(p.start, float), like) for k, p in activation.parameters.items()}
    x = like + np.linspace(-10, 10, 2001)
    slope = _slope(activation.apply(start, x, Context(False, Draws({}, 0))))
    return slope.max(axis=tuple(range(1, slope.ndim)), keepdims=True)


def _slopes(output: Output, steepest: Array | None) -> dict[str, Array]:
    """Return the shares of saturated outputs and dead units; steepest: None for logits."""
    if steepest is None:
        return {"saturated": np.zeros(len(output.y)), "dead": np.zeros(len(output.y))}
    slope = _slope(output)
    units = slope.reshape(*slope.shape[:2], -1)
    return {"saturated": _share(slope <= SATURATED * steepest), "dead": _share((units == 0).all(axis=2))}


def _slope(activation: Output) -> Array:
    return np.abs(activation.back(np.ones_like(activation.y))[0])


def _finite(values: Array) -> Array:
    """Return numbers with NaN in place of infinity; counts are unchanged."""
    return np.where(np.isfinite(values), values, np.nan) if values.dtype.kind == "f" else values


def _flat(a: Array) -> Array:
    return a.reshape(len(a), -1)


def _share(true: Array) -> Array:
    """Return the share of true elements of every run. Counting row by row is many times faster than along an axis."""
    flat = _flat(true)
    return np.array([np.count_nonzero(row) for row in flat]) / flat.shape[1]


def _norm(a: Array) -> Array:
    """Return ‖a‖₂ of every run, in float64 where float32 is too narrow for the squares."""
    flat = _flat(a)
    squares = np.vecdot(flat, flat).astype(np.float64)
    for i in np.flatnonzero(~((squares > 1e-20) & (squares < 1e20))):
        row = flat[i].astype(np.float64)
        squares[i] = np.vecdot(row, row)
    return np.sqrt(squares)


def _histogram(name: str, a: Array, taken: bool) -> dict[str, Array]:
    """Return low, high and counts of every run's values; NaN and −1 where none is taken or a value is not finite."""
    flat = _flat(a)
    low, high = np.full((2, len(flat)), np.nan)
    counts = np.full((len(flat), BINS), -1)
    finite = np.flatnonzero(np.isfinite(flat).all(axis=1) & taken)
    if len(finite):
        flat = flat[finite]
        least, most = flat.min(axis=1, keepdims=True), flat.max(axis=1, keepdims=True)
        width = np.where(most > least, most - least, 1)
        bins = ((flat - least) / width * BINS).astype(np.int32)  # BINS / width may overflow
        np.minimum(bins, BINS - 1, out=bins)
        bins += BINS * np.arange(len(flat), dtype=np.int32)[:, None]
        counts[finite] = np.bincount(bins.ravel(), minlength=BINS * len(flat)).reshape(-1, BINS)
        low[finite], high[finite] = least[:, 0], most[:, 0]
    return {f"{name}_low": low, f"{name}_high": high, f"{name}_histogram": counts}
