"""The data must be there before the first training step: samples for every split, and for every minibatch."""

from __future__ import annotations

from collections.abc import Iterator

from dlsweep.config.document import Place
from dlsweep.config.runs import Train
from dlsweep.config.sweep import Sweep
from dlsweep.errors import Mistake
from dlsweep.registry import Choice
from dlsweep.text import plural


def readable(sweep: Sweep) -> Iterator[Mistake]:
    """Report data sets that cannot be used."""
    yield from sweep.datasets.mistakes


def splits(sweep: Sweep) -> Iterator[Mistake]:
    """Report evaluated splits without samples."""
    for combination in sweep.all("data"):
        choice: Choice = combination.fields["data"]
        dataset = sweep.datasets.opened[choice]
        for node in sweep.evaluate_nodes["on"].items() if "on" in sweep.evaluate_nodes else ():
            split = node.value
            if dataset is not None and split != "batch" and not dataset.sizes[split]:
                hint = f"such as data: {{{choice.name}: {{{split}: 5000}}}}"
                yield node.place.mistake(
                    f"evaluate.on has {split}, but {choice.name} has no {split} samples here; set aside some, {hint}"
                )


def batches(sweep: Sweep) -> Iterator[Mistake]:
    """Report minibatches that are larger than the training data, in arms that the rules leave."""
    for arm in sweep.partial_arms("data", "train"):
        asked, dataset, places = arm.fields["train"].batch_size, arm.dataset, arm.places
        if arm.fields["data"].name == "none":  # a landscape's, or told already
            continue
        if dataset is None or asked <= dataset.sizes["train"] or not arm.is_kept:
            continue
        there = plural(dataset.sizes["train"], "training sample")
        given = [n for n in ("train.batch_size", "data.train", "data.validation", "data.path") if n in places]
        default = "" if "train.batch_size" in places else ", the default"
        yield (places[given[0]] if given else Place("config")).mistake(
            f"train.batch_size must be at most the {there} of {arm.fields['data'].name}, got {asked}{default}"
        )


def monitors(sweep: Sweep) -> Iterator[Mistake]:
    """Report monitored splits that are not evaluated, in arms that the rules leave."""
    on = sweep.evaluate.on
    for arm in sweep.partial_arms("train"):
        train: Train = arm.fields["train"]
        if train.stopping is None or train.stopping.split in on or not arm.is_kept:
            continue
        given = arm.places.get("train.monitor")
        yield (given or arm.places["train.patience"]).mistake(
            f"train.monitor is {train.stopping.monitor}{'' if given else ', the default'}, but evaluate.on has "
            f"{', '.join(on)} only; add {train.stopping.split}, or monitor another split"
        )


def ensembles(sweep: Sweep) -> Iterator[Mistake]:
    """Report ensembles without samples that all members share, or with members that stop early."""
    on = sweep.evaluate.on
    if not sweep.evaluate.ensemble or "ensemble" not in sweep.evaluate_nodes:
        return
    for combination in sweep.all("data"):
        own = combination.fields["data"].settings.get("train") is not None
        if not set(on) - ({"batch", "train"} if own else {"batch"}):
            there = f"evaluate.on has {', '.join(on)} only" + (", and each seed trains on samples of its own" * own)
            yield sweep.evaluate_nodes["ensemble"].place.mistake(
                f"evaluate.ensemble needs a split that all seeds share, such as test; {there}"
            )
    for combination in sweep.all("train"):
        if combination.fields["train"].stopping is not None:
            yield combination.places["train.patience"].mistake(
                "train.patience does not go with evaluate.ensemble, whose members all train to the end; "
                "take one of them out"
            )
