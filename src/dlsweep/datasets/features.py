"""Samples of the user: images with their channels first or last, and rows of features, as float32 or uint8."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

Channels = Literal["first", "last"]

SOME = 2000  # samples, evenly spaced, that plausibility is judged by
MIN_SCALE, MAX_SCALE = 1e-3, 20.0  # root mean squares of an input outside which a note is given
MAX_RATIO = 5.0  # between the root mean squares of training and test samples


def problems(name: str, x: np.ndarray, channels: Channels | None) -> Iterator[str]:
    """Yield the reasons why an array cannot hold samples."""
    if not 2 <= x.ndim <= 4:
        remedy = {0: "", 1: f"; {name}.reshape(-1, 1) makes one feature of it"}.get(
            x.ndim, f"; {name}.reshape(len({name}), -1) makes features of it"
        )
        yield f"{name} must be (N, features), (N, H, W) or (N, C, H, W), found the shape {x.shape}{remedy}"
    elif channels == "last" and x.ndim != 4:
        yield f"channels: last needs images (N, H, W, C), and {name} is {x.shape}; remove the setting"
    elif channels is None and x.ndim == 4 and x.shape[3] <= 4 < min(x.shape[1:3]):
        yield (
            f"{name} is {x.shape}, by its shape (N, H, W, C): write channels: last (as numpy.moveaxis({name}, -1, 1) "
            f"does), or channels: first if its images have {x.shape[1]} channels"
        )
    if not x.size:
        yield f"{name} is empty, its shape is {x.shape}; save at least one sample"
    elif x.dtype.kind == "f":
        most = np.finfo(np.float32).max
        if not (x.min() >= -most and x.max() <= most):  # NaN is neither
            told = "has values that are not finite numbers in float32 (NaN, infinite or too large)"
            yield f"{name} {told}; remove these samples, or write other numbers, as numpy.nan_to_num does for NaN"
    elif x.dtype.kind in "iu" and x.dtype != np.uint8:
        bytes_ = (
            f", or {name}.astype(numpy.uint8), which is then divided by 255" if 0 <= x.min() <= x.max() < 256 else ""
        )
        yield f"{name} must be uint8 or floating point, found {x.dtype}; save {name}.astype(numpy.float32){bytes_}"
    elif x.dtype.kind not in "bu":
        yield f"{name} must be uint8 or floating point, found {x.dtype}; save numbers"


def pair_problems(names: tuple[str, str], x: np.ndarray, x_test: np.ndarray) -> Iterator[str]:
    """Yield the reasons why training and test samples do not belong together."""
    train, test = names
    if x.shape[1:] != x_test.shape[1:]:
        yield f"samples of {test} are {x_test.shape[1:]}, those of {train} {x.shape[1:]}; they must be the same"
    if (x.dtype == np.uint8) != (x_test.dtype == np.uint8):
        both = "both must be uint8, which is divided by 255, or both floating point"
        yield f"{test} is {x_test.dtype}, {train} {x.dtype}; {both}"


def converted(x: np.ndarray, channels: Channels | None) -> np.ndarray:
    """Return uint8 or float32, contiguous in memory, channels first; `(N, H, W)` gets a channel axis."""
    x = np.moveaxis(x, -1, 1) if channels == "last" else x
    x = np.ascontiguousarray(x, dtype=np.uint8 if x.dtype == np.uint8 else np.float32)
    return x[:, None] if x.ndim == 3 else x


def axis_notes(name: str, x: np.ndarray, channels: Channels | None) -> list[str]:
    """Return a sentence on images that have, by their shape, their channels first, though the setting says last."""
    if channels != "last" or not x.shape[1] <= 4 < min(x.shape[2:]):
        return []
    shape = f"{name} is {x.shape}, by its shape (N, C, H, W)"
    return [
        f"{shape}, and channels: last makes {x.shape[3]} channels of it; write channels: first if it has {x.shape[1]}"
    ]


def notes(names: tuple[str, str], x: np.ndarray, x_test: np.ndarray, standardize: bool) -> list[str]:
    """Return sentences on samples, converted, that a network can use and that are probably not as they were meant."""
    (train, test), (low, high) = names, (x.min() + 0, x.max() + 0)  # −0 + 0 is 0
    if low == high:
        return [f"every value of {train} is {low:g}, so that samples do not differ"]
    found = []
    scale, test_scale = map(_root_mean_square, (x, x_test))
    if x.dtype == np.uint8 and high <= 1:
        found.append(f"{train} is uint8 and at most 1, and the input is x/255; save {train}.astype(numpy.float32)")
    elif x.dtype != np.uint8 and scale > MAX_SCALE and not standardize:
        advice = "standardize: true, or divide by 255" if 1 < high <= 255 and low >= 0 else "standardize: true"
        found.append(f"{train} has values from {low:g} to {high:g}, large for an input; write {advice}")
    elif scale < MIN_SCALE and not standardize:
        found.append(f"{train} has values from {low:g} to {high:g}, small for an input; write standardize: true")
    if max(scale, test_scale) > MAX_RATIO * min(scale, test_scale):
        ratio = f"{test_scale:.3g} in {test} and {scale:.3g} in {train}"
        found.append(f"the root mean square is {ratio}: probably only one of them was scaled")
    return found


def _root_mean_square(x: np.ndarray) -> float:
    some = x[:: max(1, len(x) // SOME)].astype(np.float64)
    return float(np.sqrt(np.mean(some * some)))
