"""Crossed seeds, and splits by seed: some arm draws from every source, folds are whole rounds, nothing needs more."""

from __future__ import annotations

from collections.abc import Iterator

from dlsweep.config.checks.unused import named
from dlsweep.config.seeds import DRAWN_BY
from dlsweep.config.sweep import Sweep
from dlsweep.datasets.division import Division
from dlsweep.errors import Mistake
from dlsweep.factors import foreign
from dlsweep.registry import Choice
from dlsweep.text import plural

# Advice where no arm draws from a source.
_ADVICE = {
    "dropout": "add the regularizer dropout",
    "augmentation": "add data augmentation such as the regularizer input_noise",
}


def sources(sweep: Sweep) -> Iterator[Mistake]:
    """Report sources of chance that no arm draws from: their seeds would train the same networks again."""
    node = sweep.top.get("seeds")
    if not sweep.seeds.crossed or node is None or sweep.every_fault:
        return
    for key, own in node.value.items():
        if key not in sweep.seeds.crossed or (own.is_scalar and own.value == 1):
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


def ensembles(sweep: Sweep) -> Iterator[Mistake]:
    """Report ensembles of crossed seeds."""
    if sweep.seeds.crossed and sweep.ensemble:
        yield sweep.ensemble.place.mistake(
            "evaluate.ensemble averages independent runs, and those of crossed seeds are not; write a number of seeds"
        )


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
        crossed, node = sweep.seeds.crossed, sweep.top.get("seeds")
        seeds = [*(crossed.get("split", (0,)) if crossed else sweep.seeds.numbers)]
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


CHECKS = (sources, ensembles, rounds, no_common_test)
