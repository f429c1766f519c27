"""Sizes on the command line: `1,1,4,4`, `2`, `2,2`, `same`. Wrong ones raise a `UsageError`."""

from __future__ import annotations

import re
from collections.abc import Container
from math import prod
from typing import Literal

from dlsweep.errors import UsageError
from dlsweep.explain.sizes import Step
from dlsweep.nn.patches import Pair

MAX_NUMBERS = 1_000_000  # that an explanation computes with

_NUMBER = re.compile(r"[0-9]{1,9}")


def numbers(option: str, text: str, lengths: Container[int], wanted: str, least: int = 1) -> tuple[int, ...]:
    """Parse whole numbers with commas between them; lengths: allowed counts; least: the smallest allowed number."""
    words = [word.strip() for word in text.split(",")]
    if len(words) in lengths and all(_NUMBER.fullmatch(word) for word in words):
        found = tuple(map(int, words))
        if min(found) >= least:
            return found
    raise UsageError(f"{option} must be {wanted}, whole numbers and none below {least}, got {text!r}")


def images(option: str, text: str) -> tuple[int, int, int, int]:
    """Parse `N,C,H,W`; without N there is one image, without C it has one channel."""
    found = numbers(option, text, (2, 3, 4), "N,C,H,W (images, channels, height, width) such as 1,1,4,4")
    n, c, h, w = (1, 1, *found)[-4:]
    refuse_large("the images", n, c, h, w)
    return n, c, h, w


def image(option: str, text: str) -> Pair:
    """Parse height and width: one number for both, or the last two of `N,C,H,W`."""
    found = numbers(option, text, (1, 2, 3, 4), "the height and width such as 28,28, or 28")
    return (found[0], found[0]) if len(found) == 1 else (found[-2], found[-1])


def sample(option: str, text: str) -> tuple[int, ...]:
    """Parse the shape of a sample: `C,H,W`, or a number of features."""
    return numbers(option, text, (1, 3), "C,H,W (channels, height, width) such as 1,28,28, or a number of features")


def pair(option: str, text: str) -> Pair:
    """Parse one number for both directions, or height and width."""
    found = numbers(option, text, (1, 2), "a number such as 2, or height and width such as 2,3")
    return found[0], found[-1]


def padding(option: str, text: str) -> Pair | Literal["same"]:
    """Parse the zeros on each side: one number, two for height and width, or `same`."""
    if text.strip() == "same":
        return "same"
    found = numbers(option, text, (1, 2), "the zeros on each side such as 1, or 1,2, or same", least=0)
    return found[0], found[-1]


def step(option: str, text: str) -> Step:
    """Parse `K,S,P`: a window, its stride (default 1) and its padding (default 0; or `same`)."""
    words = [word.strip() for word in text.split(",")]
    size, stride, pad = [*words, *("", "1", "0")[len(words) :]][:3]
    read = all(map(_NUMBER.fullmatch, (size, stride, "0" if pad == "same" else pad)))
    if len(words) > 3 or not read or not int(size) or not int(stride):
        raise UsageError(f"{option} must be window, stride and padding such as 5,1,2 or 3,1,same, got {text!r}")
    return Step(int(size), int(stride), "same" if pad == "same" else int(pad))


def refuse_large(what: str, *shape: int) -> None:
    """Raise a `UsageError` for a large array: explanations are for small ones."""
    if prod(shape) > MAX_NUMBERS:
        sizes = "×".join(map(str, shape))
        raise UsageError(
            f"{what} would be {sizes} = {prod(shape):,} numbers, and an explanation has at most {MAX_NUMBERS:,}; "
            "a smaller input shows the same"
        )
