"""Networks can be built for the data, with their normalizations and regularizers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlsweep.config.sweep import Sweep
from dlsweep.config.words import entry
from dlsweep.errors import DlsweepError, Mistake
from dlsweep.registry import Choice
from dlsweep.tasks import task_of


def networks(sweep: Sweep) -> Iterator[Mistake]:
    """Report layers that cannot be made for the data, in arms that the rules leave."""
    tried = set()
    for arm in sweep.partial_arms("data", "model", "normalization"):
        fields, dataset = arm.fields, arm.dataset
        if dataset is None or not task_of(fields["model"].name).concerns("data") or not arm.is_kept:
            continue
        asked = (dataset.shape, dataset.classes, fields["model"], fields["normalization"])
        if asked not in tried:
            tried.add(asked)
            culprit, sentence = _try_layers(*asked)
            if sentence:
                yield (arm.places.get(culprit) or arm.places["model"]).mistake(sentence)


def _try_layers(shape: tuple[int, ...], classes: int, model: Choice, normalization: Choice) -> tuple[str, str]:
    """Make a network's layers, which hold no arrays yet; return the field at fault and a sentence, "" for none."""
    from dlsweep.nn.normalization import Around, refuse_pointless
    from dlsweep.nn.sequences import LayerError

    normalized = entry("normalization", normalization.name)
    settings = normalized.columns([normalization], float)
    at_fault = "model"
    places: list[Around] = []

    def activated(suffix: str, shape: tuple[int, ...], own: Any = None) -> list[Any]:
        nonlocal at_fault
        at_fault = "normalization"
        around = normalized(f"normalization{suffix}", shape, **settings)
        places.append(around)
        at_fault = "model"
        return [*around.before, *around.after]

    try:
        entry("model", model.name)(shape, classes, activated, **model.settings)
        at_fault = "normalization"
        refuse_pointless(places)
    except LayerError as error:
        return at_fault if at_fault == "normalization" else f"layer {error.number}", str(error)
    except DlsweepError as error:
        return at_fault, str(error)
    except Exception as error:  # somebody's own model or normalization
        name = {"model": model, "normalization": normalization}[at_fault].name
        return at_fault, f"the {at_fault} {name} cannot be built: {type(error).__name__}: {error}"
    return "", ""


def regularizers(sweep: Sweep) -> Iterator[Mistake]:
    """Report regularizers that cannot change samples of this shape, in arms that the rules leave."""
    for arm in sweep.partial_arms("data", "regularizer"):
        dataset = arm.dataset
        if dataset is None or arm.fields["data"].name == "none" or not arm.is_kept:
            continue
        for choice in arm.fields["regularizer"]:
            if sentence := _try_regularizer(choice, dataset.shape):
                yield arm.places["regularizer"].mistake(sentence)


def _try_regularizer(choice: Choice, shape: tuple[int, ...]) -> str:
    """Return the mistake of a regularizer for samples of a shape; "" if there is none."""
    made = entry("regularizer", choice.name)
    try:
        regularizer = made(**made.columns([choice], float))
        if regularizer.augmented:
            regularizer.augmented(shape)
    except DlsweepError as error:
        return str(error)
    except Exception:  # somebody's own regularizer: told when a network is built with it
        pass
    return ""
