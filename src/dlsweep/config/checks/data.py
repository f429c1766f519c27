"""Data with samples for every split and minibatch, networks that can be built for it, and seeds that suit it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dlsweep.config.checks.unused import named
from dlsweep.config.document import Place
from dlsweep.config.runs import Train
from dlsweep.config.seeds import DRAWN_BY
from dlsweep.config.sweep import Sweep
from dlsweep.config.words import entry
from dlsweep.datasets.division import Division
from dlsweep.errors import DlsweepError, Mistake
from dlsweep.factors import foreign
from dlsweep.registry import Choice
from dlsweep.tasks import task_of
from dlsweep.text import plural

if TYPE_CHECKING:
    from dlsweep.nn.layers import Layer


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
                pool = 50_000 if choice.settings.get("train") else dataset.sizes["train"]
                some = max(1, min(5000, pool // 10))
                hint = f"such as data: {{{choice.name}: {{{split}: {some}}}}}"
                yield node.place.mistake(
                    f"evaluate.on has {split}, but {choice.name} has no {split} samples here; set aside some, {hint}"
                )


def batches(sweep: Sweep) -> Iterator[Mistake]:
    """Report minibatches that are larger than the training data, in arms that the rules leave."""
    for arm in sweep.parts("data", "train"):
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
    for arm in sweep.parts("train"):
        train: Train = arm.fields["train"]
        if train.stopping is None or train.stopping.split in on or not arm.is_kept:
            continue
        given = arm.places.get("train.monitor")
        yield (given or arm.places["train.patience"]).mistake(
            f"train.monitor is {train.stopping.monitor}{'' if given else ', the default'}, but evaluate.on has "
            f"{', '.join(on)} only; add {train.stopping.split}, or monitor another split"
        )


def ensembles(sweep: Sweep) -> Iterator[Mistake]:
    """Report ensembles of crossed seeds, without samples that all members share, or with members that stop early."""
    on = sweep.evaluate.on
    if sweep.ensemble is None:
        return
    if sweep.replicates.crossed:
        yield sweep.ensemble.place.mistake(
            "evaluate.ensemble averages independent runs, and those of crossed seeds are not; write a number of seeds"
        )
    for combination in sweep.all("data"):
        own = combination.fields["data"].settings.get("train") is not None
        if not set(on) - ({"batch", "train"} if own else {"batch"}):
            there = f"evaluate.on has {', '.join(on)} only" + (", and each seed trains on samples of its own" * own)
            yield sweep.ensemble.place.mistake(
                f"evaluate.ensemble needs a split that all seeds share, such as test; {there}"
            )
    for combination in sweep.all("train"):
        if combination.fields["train"].stopping is not None:
            yield combination.places["train.patience"].mistake(
                "train.patience does not go with evaluate.ensemble, whose members all train to the end; "
                "take one of them out"
            )


def networks(sweep: Sweep) -> Iterator[Mistake]:
    """Report layers that cannot be made for the data, in arms that the rules leave."""
    tried = set()
    for arm in sweep.parts("data", "model", "normalization"):
        fields, dataset = arm.fields, arm.dataset
        told = fields["data"].name == "none" or not task_of(fields["model"].name).concerns("data")
        if dataset is None or told or not arm.is_kept:
            continue
        asked = (dataset.shape, dataset.classes, fields["model"], fields["normalization"])
        if asked not in tried:
            tried.add(asked)
            _, culprit, sentence = try_layers(*asked)
            if sentence:
                yield (arm.places.get(culprit) or arm.places["model"]).mistake(sentence)


def try_layers(
    shape: tuple[int, ...], classes: int, model: Choice, normalization: Choice
) -> tuple[Sequence[Layer], str, str]:
    """Make a network's layers, which hold no arrays yet.

    Return them, the field at fault and a sentence on the fault; "" if there is none.
    """
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
        layers = entry("model", model.name)(shape, classes, activated, **model.settings)
        at_fault = "normalization"
        refuse_pointless(places)
    except LayerError as error:
        return (), at_fault if at_fault == "normalization" else f"layer {error.number}", str(error)
    except DlsweepError as error:
        return (), at_fault, str(error)
    except Exception as error:  # somebody's own model or normalization
        name = {"model": model, "normalization": normalization}[at_fault].name
        return (), at_fault, f"the {at_fault} {name} cannot be built: {type(error).__name__}: {error}"
    return layers, "", ""


def regularizers(sweep: Sweep) -> Iterator[Mistake]:
    """Report regularizers that cannot change samples of this shape, in arms that the rules leave."""
    for arm in sweep.parts("data", "regularizer"):
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


# Advice where no arm draws from a source.
_ADVICE = {
    "dropout": "add the regularizer dropout",
    "augmentation": "add data augmentation such as the regularizer input_noise",
}


def sources(sweep: Sweep) -> Iterator[Mistake]:
    """Report sources of chance that no arm draws from: their seeds would train the same networks again."""
    node = sweep.top.get("seeds")
    if not sweep.replicates.crossed or node is None or sweep.every_fault:
        return
    for key, own in node.value.items():
        if key not in sweep.replicates.crossed or (own.is_scalar and own.value == 1):
            continue
        if key == "subset" and not any(one.fields["data"].settings.get("train") for one in sweep.all("data")):
            yield key.place.mistake(
                "no arm draws a subset: all train on the whole training set; take the source subset out, or set "
                "train of the data, as in data: {mnist: {train: 1000}}"
            )
        if key == "split" and not any(one.fields["data"] in divided(sweep) for one in sweep.all("data")):
            yield key.place.mistake(
                "no arm draws a split: all seeds share one; take the source split out, or let seeds draw it, as in "
                "data: {table: {path: …, test: 0.2, split: seed}}"
            )
        if key in DRAWN_BY and not foreign() and DRAWN_BY[key].isdisjoint(_names(sweep)):
            yield key.place.mistake(f"no arm draws {key}; take the source {key} out, or {_ADVICE[key]}")


def divided(sweep: Sweep) -> dict[Choice, Division]:
    """Return the data sets whose splits differ by seed, with their divisions."""
    opened = sweep.datasets.opened.items()
    return {choice: dataset.division for choice, dataset in opened if dataset and dataset.division}


def rounds(sweep: Sweep) -> Iterator[Mistake]:
    """Report seeds that are not whole rounds of a cross-validation."""
    found = divided(sweep)
    for one in sweep.all("data"):
        folds = found[one.fields["data"]].folds if one.fields["data"] in found else 0
        if not folds:
            continue
        crossed, node = sweep.replicates.crossed, sweep.top.get("seeds")
        seeds = [*(crossed.get("split", (0,)) if crossed else sweep.replicates.numbers)]
        short = {turn: {s for s in seeds if s // folds == turn} for turn in {s // folds for s in seeds}}
        turn, own = next(((turn, own) for turn, own in short.items() if len(own) < folds), (0, set()))
        if own:
            whole = max(1, len(seeds) // folds) * folds
            advice = " or ".join(str(count) for count in dict.fromkeys((whole, whole + folds)))
            missing = f"round {turn} (seeds {turn * folds} to {turn * folds + folds - 1}) has {len(own)} of its folds"
            place = node.place if node is not None else one.places.get("data.folds", one.places["data"])
            told = f"folds: {folds} needs whole rounds of {folds} seeds, got {plural(len(seeds), 'seed')}: {missing}"
            yield place.mistake(f"{told}; write {'seeds: {split: …} of' if crossed else 'seeds:'} {advice}")
            return


def _by_seed(sweep: Sweep) -> str:
    """Return the setting that lets seeds draw their own splits; "" if none does."""
    return next((f"folds: {d.folds}" if d.folds else "split: seed" for d in divided(sweep).values()), "")


def no_common_test(sweep: Sweep) -> Iterator[Mistake]:
    """Report ensembles and tuning where each seed has test samples of its own."""
    word = _by_seed(sweep)
    if word and sweep.ensemble:
        yield sweep.ensemble.place.mistake(
            f"evaluate.ensemble averages predictions for the same samples, and with {word} each seed has its own; "
            "take one of them out"
        )
    if word and "tune" in sweep.top:
        yield sweep.place_of("tune").mistake(
            f"tune needs test samples that no choice has seen, and with {word} those of one seed are trained on by "
            "others; set one test part aside, such as test: 0.2"
        )


def _names(sweep: Sweep) -> Iterator[str]:
    """Yield the names of all regularizers, and of the layers of all models."""
    for one in sweep.combinations():
        yield from (choice.name for choice in one.fields.get("regularizer", ()))
        model: Choice | None = one.fields.get("model")
        if model is not None:
            yield from named(model.settings.get("of"))
            yield from ("dropout" for name, value in model.settings.items() if name == "dropout" and value)


CHECKS = (readable, splits, batches, monitors, ensembles, networks, regularizers, sources, rounds, no_common_test)
