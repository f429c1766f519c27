"""The words of the config language: its keys, the registries behind them, and the names that a factor can have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Gt, Le, Lt, MinLen

from dlsweep.config.document import Place, Reading
from dlsweep.config.runs import Evaluate, Keep, Monitor, Stopping, Train
from dlsweep.factors import BY_NAME, FACTORS
from dlsweep.marks import Needs, Spells
from dlsweep.registry import Choice, Count, Entry, Positive, Registry, imported
from dlsweep.tasks import Task
from dlsweep.text import NUMBER, label_text, nearest
from dlsweep.types import Split

CHOSEN = tuple(BY_NAME)  # the factors whose levels are registered names with settings
FIELDS = (*CHOSEN, "train")  # what an arm has, and so what a factor can vary

OUTSIDE = tuple(factor.name for factor in FACTORS if factor.outside)
ALPHA = 0.05  # the default level of the tests, for all claims of a sweep together

OTHER_NAMES = {"learning_rate": "lr", "epoch": "epochs", "iteration": "iterations", "steps": "iterations"}

# The plots belong to a later stage: a config knows only the names and settings that their registry has.
_PLOTS = "dlsweep.plots:plots"


def train(
    *,
    iterations: Annotated[Annotated[int, Ge(1), Le(10**9)] | None, Spells("length")] = 1000,
    epochs: Annotated[Annotated[int, Ge(1), Le(10**6)] | None, Spells("length")] = None,
    batch_size: Count = 100,
    sampling: Literal["shuffle", "replacement"] = "shuffle",
    clip_norm: Positive | None = None,
    patience: Count | None = None,
    monitor: Annotated[Monitor, Needs("patience")] = "validation_loss",
    min_delta: Annotated[float, Ge(0), Needs("patience")] = 0.0,
    restore_best: Annotated[bool, Needs("patience")] = True,
) -> Train:
    """Length and minibatches of the training of a run.

    iterations: updates; epochs: passes over the training data, instead of iterations; batch_size: samples per update;
    sampling: a new permutation each epoch (shuffle), or independent draws (replacement); clip_norm: largest norm of the
    gradient over all parameters; a longer gradient is scaled down to it (Pascanu et al. 2013, Algorithm 1). patience: a
    run stops early after this many evaluations in a row that do not improve the metric `monitor` by more than
    `min_delta` (Goodfellow et al. 2016, Algorithm 7.1); null: never. restore_best: true if its final metrics are those
    of its best evaluation.
    """
    stopping = None if patience is None else Stopping(patience, monitor, min_delta, restore_best)
    return Train(iterations, epochs, batch_size, sampling, clip_norm, stopping)


def evaluate(
    *,
    every: Count | None = None,
    on: Annotated[list[Split], MinLen(1)] = ["batch", "test"],  # noqa: B006
    ensemble: bool = False,
    layers: bool = False,
    keep: Keep | None = None,
    planned: Count | None = None,
    predictions: bool = True,
) -> Evaluate:
    """Iterations and splits at which loss and accuracy are measured.

    every: iterations between two evaluations; by default a run has about 50; on: the current minibatch (batch), train,
    validation, test; ensemble: true to measure the averaged predictions of each arm's seeds too, on the splits whose
    samples they share; layers: true to measure weights, gradients and activations in every layer too; keep: the
    weights to keep of each run: those of its final metrics (final), or of its best evaluation (best). With patience,
    the best evaluation is the last improvement. Without, it is the first one with the highest accuracy on validation
    or, if that is not evaluated, on the last of the splits. With final weights, `dlsweep run` can train a sweep
    further. planned: length of training from which the default of `every` follows, in iterations or epochs as in train;
    set when a sweep is trained further. predictions: false to keep no predictions. A prediction is the class that a
    run's final network gives a test image.
    """
    splits = tuple(split for split in get_args(Split) if split in on)
    return Evaluate(every or 0, splits, ensemble, layers, keep, planned, predictions)


def statistics(*, alpha: Annotated[float, Gt(0), Lt(0.5)] = ALPHA) -> float:
    """Tests of the claims.

    alpha: probability that any claim is decided, if the true effects of all claims are equal to their margins.
    """
    return alpha


def tune(
    *,
    over: list[str] | str,
    on: Split = "validation",
    seeds: Annotated[int, Ge(1), Le(1000)] = 3,
    metric: str = "accuracy",
    random: Count | None = None,
    seconds: Positive | None = None,
) -> None:
    """Settings to choose for each arm before it is compared.

    over: a setting such as optimizer.lr, or several. Arms that differ only in these are candidates of one arm, and the
    best candidate is compared; on: the split on which candidates are compared; seeds: number of tuning seeds, 1000,
    1001, …, which are never reported; metric: without a split, such as loss or best_accuracy, by default the final
    accuracy; random: number of candidates of each arm, drawn at random; by default all are tried; seconds: of training,
    after which an arm tries no more candidates.
    """


class Section(Entry):
    """A part of a config: every value in it has a name."""

    @property
    def short(self) -> None:
        """None: there is no short form."""


TRAIN = Section("part of a config", "train", train)
EVALUATE = Section("part of a config", "evaluate", evaluate)
STATISTICS = Section("part of a config", "statistics", statistics)
TUNE = Section("part of a config", "tune", tune)
SECTIONS = {section.name: section for section in (TRAIN, EVALUATE, STATISTICS, TUNE)}
KEYS = ("name", "title", *OUTSIDE, *SECTIONS, "seeds", "grid", "exclude", "only", "plots", "claims")


def registry(word: str) -> Registry:
    """Return the registry whose names stand under a key of the config."""
    found: Registry = imported(_PLOTS) if word == "plots" else BY_NAME[word].registry
    return found


def entries(field: str) -> list[Entry]:
    """Return all names of a field of an arm, or all plots."""
    return [TRAIN] if field == "train" else [registry(field)[name] for name in registry(field)]


def entry(field: str, name: str) -> Entry:
    """Return the meaning of a name in a field of an arm, or as a plot."""
    return TRAIN if field == "train" else registry(field)[name]


def data_files() -> set[tuple[str, ...]]:
    """The settings of data sets that name files: ("npz", "path")."""
    return {(entry.name, s.name) for entry in entries("data") for s in entry.settings.values() if s.is_file}


@dataclass(frozen=True)
class Factor:
    """A factor of the grid: a field (`optimizer`), or a setting in it (`optimizer.lr`, of every optimizer that has it;
    `optimizer.momentum.alpha`, of this one only)."""

    name: str
    field: str
    choice: str | None = None
    setting: str = ""  # "" for a whole field

    @classmethod
    def of(cls, name: str) -> Factor:
        """Return the factor that a name spells; see `factor` for a name that may have no meaning.

        >>> Factor.of("optimizer.momentum.alpha")
        Factor(name='optimizer.momentum.alpha', field='optimizer', choice='momentum', setting='alpha')
        """
        field, _, rest = name.partition(".")
        choice, _, setting = rest.rpartition(".")
        return cls(name, field, choice or None, setting)

    @property
    def quantity(self) -> str:
        """The quantity that the setting of a dotted factor sets."""
        return self.owners(entries(self.field))[0].settings[self.setting].quantity

    def owners(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the entries whose setting a dotted factor sets."""
        return [entry for entry in entries if self.setting in entry.settings and self.choice in (None, entry.name)]

    def concerns(self, choice: str, setting: str) -> bool:
        """Return True if a dotted factor sets this setting of a choice of that name."""
        return setting == self.setting and self.choice in (None, choice)

    def value_in(self, choices: Iterable[Choice]) -> str:
        """Return the value of a dotted factor in an arm, "-" if the arm has no such setting."""
        chosen = {choice.name: choice.settings for choice in choices}
        owners = self.owners(entry(self.field, name) for name in chosen)
        settings = [chosen[owner.name] for owner in owners if self.setting not in owner.idle(chosen[owner.name])]
        return ", ".join(dict.fromkeys(label_text(own[self.setting]) for own in settings)) or "-"


def factor(name: str, place: Place) -> Reading[Factor | None]:
    """Return the factor of that name; None, after a mistake, if there is none."""
    field, _, rest = name.partition(".")
    if name in CHOSEN or (field in FIELDS and name in dotted_names(field)):
        return Factor.of(name)
    if field in FIELDS and rest:
        names = dotted_names(field)
        alike = [known for known in names if known.count(".") == name.count(".")]
        hint = nearest(name, alike or names)
    else:
        found = meant(name) if field not in FIELDS else []
        shown = [f.name if f.setting else f"{f.field}: {f.choice}" for f in found]
        hint = nearest(name, [*CHOSEN, *dotted_names("train")], shown)
    yield place.mistake(f"there is no factor {name!r}{hint}")
    return None


def meant(word: str) -> list[Factor]:
    """Return what a word without its field can mean: levels of that name, as a factor with a choice, and settings.

    >>> [f.name for f in meant("learning_rate")], [(f.field, f.choice) for f in meant("sgd")]
    (['optimizer.lr'], [('optimizer', 'sgd')])
    """
    name = OTHER_NAMES.get(word, word)
    levels = [Factor(field, field, name) for field in CHOSEN if name in registry(field)]
    fields = [field for field in ("train", *CHOSEN) if f"{field}.{name}" in dotted_names(field)]
    return [*levels, *(Factor.of(f"{field}.{name}") for field in fields)]


def dotted_names(field: str) -> list[str]:
    """The names of all dotted factors of a field."""
    choices = [(entry, f"{field}.{entry.name}" if field != "train" else field) for entry in entries(field)]
    both = [(f"{field}.{name}", f"{path}.{name}") for entry, path in choices for name in entry.settings]
    return list(dict.fromkeys(chain.from_iterable(both)))


def own_settings(choice: Choice, dotted: Iterable[Factor]) -> dict[str, Any]:
    """Return the settings of a choice that no dotted factor of its field sets."""
    settings = choice.settings.items()
    return {name: value for name, value in settings if not any(f.concerns(choice.name, name) for f in dotted)}


def numbers(field: str, value: Any) -> dict[str, float]:
    """The settings of an arm's field that are numbers, by column name: "optimizer.lr", "regularizer.dropout.ratio"."""
    if isinstance(value, tuple):
        return {f"{field}.{c.name}.{name}": v for c in value for name, v in c.settings.items() if _is_number(v)}
    return {f"{field}.{name}": v for name, v in value.settings.items() if _is_number(v)}


def numeric_settings(fields: Mapping[str, Any], labels: Mapping[str, str], task: Task) -> dict[str, float]:
    """Return the numeric settings in some fields of an arm, and its dotted factors that have numbers for levels."""
    settings = {c: v for f, value in fields.items() if f in FIELDS for c, v in numbers(f, value).items()}
    levels = {f: float(label) for f, label in labels.items() if "." in f and NUMBER.fullmatch(label)}
    return {column: value for column, value in (settings | levels).items() if task.concerns(column)}


def numeric_values(parts: Iterable[tuple[Mapping[str, Any], Mapping[str, str]]], task: Task) -> dict[str, set[float]]:
    """Return the values of each numeric setting in some parts of arms, each given by its fields and labels."""
    values: dict[str, set[float]] = {}
    for fields, labels in parts:
        for column, value in numeric_settings(fields, labels, task).items():
            values.setdefault(column, set()).add(value)
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
