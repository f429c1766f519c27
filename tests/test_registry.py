"""A name means one function, whoever registers it: scripts with a decorator, packages with an entry point."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.arms import make_arm, make_data

import dlsweep
from dlsweep.config.runs import Run
from dlsweep.config.words import CHOSEN, TRAIN
from dlsweep.config.words import registry as registry_of
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.nn.layers import Layer, Output, kinds
from dlsweep.nn.sequences import items
from dlsweep.randomness import Seeds
from dlsweep.registry import Choice, Entry, Positive, Registry
from dlsweep.signatures import Contract
from dlsweep.training.loop import train

Install = Callable[[str, str], None]


@pytest.fixture
def registry() -> Registry:
    return Registry("thing", "dlsweep.things")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package with one module, which offers the thing `ours`."""

    def install(name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        about = tmp_path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[dlsweep.things]\nours = {name}:ours\n")
        monkeypatch.syspath_prepend(tmp_path)

    return install


def register(registry: Registry, value: int) -> None:
    @registry.register
    def ours() -> int:
        return value


def test_the_same_module_may_register_a_name_again(registry: Registry) -> None:
    for value in (1, 2):
        register(registry, value)
    assert registry["ours"]() == 2


def test_a_script_may_not_take_the_name_that_a_package_has(registry: Registry, install: Install) -> None:
    install("early", "def ours(): return 0")
    assert registry["ours"]() == 0
    sentence = f"{__name__} registers the thing 'ours', which early has registered already; give it another name"
    with pytest.raises(UsageError, match=sentence):
        register(registry, 1)
    assert registry["ours"]() == 0


def test_a_package_may_not_take_the_name_that_a_script_has(registry: Registry, install: Install) -> None:
    install("late", "def ours(): return 0")
    register(registry, 1)
    sentence = f"late registers the thing 'ours', which {__name__} has registered already; give it another name"
    with pytest.raises(UsageError, match=sentence):
        list(registry)


def test_a_package_that_cannot_be_loaded_is_named_every_time(registry: Registry, install: Install) -> None:
    install("broken_package", "import nothing_of_this_name")
    for _ in range(2):
        with pytest.raises(DlsweepError) as told:
            list(registry)
        assert str(told.value) == (
            "the package broken_package offers the thing 'ours' (entry point in dlsweep.things), which cannot be "
            "loaded: ModuleNotFoundError: No module named 'nothing_of_this_name'"
        )


def without_rate(w, g, t):
    return (w - g,)


def without_start(x, slope):
    return x, lambda dy: (dy, dy)


def without_step(t, *, factor: float = 0.1):
    return factor


def untyped(x, *, slope=0.1):
    return x, lambda dy: dy


def anything(x, **settings):
    return x, lambda dy: dy


def with_argument(strength):
    return strength


def rate_of_text(w, g, t, *, lr: str = "a"):
    return (w - g,)


def rate_without_default(w, g, t, *, lr: float):
    return (w - g,)


def start_of_text(x, slope, *, start: str = "x"):
    return x, lambda dy: (dy, dy)


def default_of_another_type(x, *, k: float = "y"):  # type: ignore[assignment]
    return x, lambda dy: dy


def default_out_of_bounds(x, *, k: Positive = -1.0):
    return x, lambda dy: dy


def arrays_as_settings(x, *, k: np.ndarray | None = None):
    return x, lambda dy: dy


NUMBER = "must have a number with a default as its setting"


@pytest.mark.parametrize(
    ("registry", "function", "sentence"),
    [
        ("optimizers", rate_of_text, f"{NUMBER} 'lr', as in lr: float = 0.1, because schedules multiply it"),
        ("optimizers", rate_without_default, f"{NUMBER} 'lr', as in lr: float = 0.1, because schedules multiply it"),
        ("activations", start_of_text, f"{NUMBER} 'start', as in start: float = 0.1, because its learned parameters"),
        ("activations", default_of_another_type, "has a default that its type refuses: k must be a number, got 'y'"),
        ("activations", default_out_of_bounds, "has a default that its type refuses: k must be above 0, got -1.0"),
        ("activations", arrays_as_settings, "has a type for its setting 'k' that no value in a config can have: "),
        ("optimizers", without_rate, "must have a keyword-only setting 'lr', because schedules multiply it"),
        ("activations", without_start, "must have a keyword-only setting 'start', because its learned"),
        ("schedules", without_step, "must take the positional parameters t, steps, and has t; settings come after a *"),
        ("activations", untyped, "must have a type for its setting 'slope', as in slope: float = 0.1"),
        ("activations", anything, "must name each of its parameters, since they are its settings, and has **settings"),
        ("regularizers", with_argument, "must take no positional parameters, and has strength; settings come"),
    ],
)
def test_a_wrong_signature_is_refused_where_it_is_written(registry: str, function: Any, sentence: str) -> None:
    found: Registry = getattr(dlsweep, registry)
    place = f"{found.kind} {function.__name__!r} ({__file__}:{function.__code__.co_firstlineno}) "
    with pytest.raises(UsageError) as told:
        found.register(function)
    assert str(told.value).startswith(place + sentence)
    assert function.__name__ not in found


@pytest.mark.parametrize(
    "thing", [3, "relu", lambda x: x, partial(with_argument, 3)], ids=["int", "str", "lambda", "partial"]
)
@pytest.mark.parametrize("registry", ["activations", "datasets.datasets", "plots.plots"])
def test_what_has_no_name_is_refused_where_it_registers(registry: str, thing: Any) -> None:
    found: Registry = attrgetter(registry)(dlsweep)
    with pytest.raises(UsageError) as told:
        found.register(thing)
    place = rf"{re.escape(__file__)}:\d+: only a function with a name registers as {found.kind}, "
    assert re.fullmatch(place + rf"since a config gives this name, got {re.escape(repr(thing))}", str(told.value))


def test_a_compiled_function_is_refused() -> None:
    with pytest.raises(UsageError, match=r"activation 'max' \(builtins\) must be a function whose parameters can be"):
        dlsweep.activations.register(max)


def unreadable(x, *, slope: Undefined = 0.1):  # type: ignore[name-defined]  # noqa: F821
    return x, lambda dy: dy


def test_a_type_that_cannot_be_read_is_told_with_its_place() -> None:
    entry = Entry("activation", "unreadable", unreadable)
    with pytest.raises(UsageError) as told:
        entry.settings  # noqa: B018
    line = unreadable.__code__.co_firstlineno
    assert str(told.value) == (
        f"activation 'unreadable' ({__file__}:{line}) has a type that cannot be read: "
        "NameError: name 'Undefined' is not defined"
    )


def test_what_a_function_has_beyond_its_contract_is_its_own() -> None:
    assert dlsweep.optimizers["adam"].rest == ("m", "v")
    assert dlsweep.optimizers["sgd"].rest == ()
    assert dlsweep.activations["prelu"].rest == ("slope",)


def test_a_package_with_a_wrong_signature_is_told(install: Install) -> None:
    registry = Registry("thing", "dlsweep.things", Contract(("x",)))
    install("wrongly_made", "def ours(): return 0")
    with pytest.raises(
        UsageError, match=r"thing 'ours' \(.*wrongly_made\.py:1\) must take the positional parameters x"
    ):
        list(registry)


ENTRIES = [registry_of(field)[name] for field in CHOSEN for name in registry_of(field)] + [items[n] for n in items]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind} {entry.name}")
def test_the_defaults_of_an_entry_pass_its_own_check(entry: Entry) -> None:
    # Of settings that spell one quantity, one is given: the others are null.
    free = {name: s for name, s in entry.settings.items() if not s.required and not s.is_file and s.quantity == name}
    usual = {name: s.usual for name, s in free.items()}
    values, faults = entry.check(usual)
    assert [f.sentence for f in faults if "needs the setting" not in f.sentence] == []
    assert repr(values) == repr(usual)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind} {entry.name}")
def test_a_value_without_a_name_is_that_of_the_setting_that_must_be_given(entry: Entry) -> None:
    required = [name for name, setting in entry.settings.items() if setting.required]
    assert len(required) <= 1
    assert entry.short == next(iter(required or entry.settings), None)


def test_settings_are_checked_with_sentences() -> None:
    def told(entry: Entry, given: Any) -> list[str]:
        return [fault.sentence for fault in entry.check(given)[1]]

    dropout, curves = dlsweep.regularizers["dropout"], registry_of("plots")["curves"]
    assert dropout.check(0) == ({"ratio": 0.0}, [])
    assert told(dropout, 1) == ["dropout.ratio must be below 1, got 1"]
    assert told(dropout, {"ratoi": 1}) == [
        "dropout has no setting 'ratoi'; did you mean 'ratio'? (choices: mode, ratio)"
    ]
    hint = "must be one of accuracy, loss, penalty, got 'acuracy'; did you mean 'accuracy'?"
    assert told(curves, {"y": "acuracy"}) == [f"curves.y {hint}"]
    assert told(registry_of("data")["npz"], None) == ["npz needs the setting 'path', as in {npz: {path: …}}"]
    assert told(TRAIN, {"iterations": 5, "epochs": 5}) == ["train has both iterations and epochs; give one of them"]
    assert told(TRAIN, 5) == ["settings of train must be a mapping such as {iterations: …}, got 5"]
    of = [{"conv": {"filters": 0}}, {"dense": "x"}, "rleu"]
    assert told(registry_of("model")["layers"], of)[:2] == [
        "layers.of.conv.filters must be at least 1, got 0",
        "layers.of.dense.units must be a whole number, got 'x'",
    ]


def test_settings_are_completed_with_one_spelling_of_a_quantity() -> None:
    assert dlsweep.optimizers["momentum"].complete({"alpha": 0.5}) == {"lr": 0.01, "alpha": 0.5}
    train = TRAIN.complete({"epochs": 3})
    assert (train["iterations"], train["epochs"], train["batch_size"]) == (None, 3, 100)
    assert TRAIN.idle(train) == {"iterations", "monitor", "min_delta", "restore_best"}
    assert TRAIN.idle(TRAIN.complete({"patience": 2})) == {"epochs"}
    assert TRAIN.changed(train, "iterations", 7)["epochs"] is None


def test_numbers_are_columns_of_a_stack() -> None:
    momentum = dlsweep.optimizers["momentum"]
    runs = [Choice("momentum", {"lr": lr, "alpha": 0.9}) for lr in (0.1, 0.2)]
    found = momentum.columns(runs, np.float32)
    assert {name: column.tolist() for name, column in found.items()} == {
        "lr": np.array([0.1, 0.2], np.float32).tolist(),
        "alpha": np.array([0.9], np.float32).tolist(),
    }
    assert found["lr"].dtype == np.float32
    assert momentum.code(runs[0]) == momentum.code(runs[1])
    dropout = dlsweep.regularizers["dropout"]
    modes = [Choice("dropout", {"ratio": 0.5, "mode": mode}) for mode in ("classic", "inverted")]
    assert dropout.code(modes[0]) != dropout.code(modes[1])


def one_value(x):
    return x * x


def stretched(name, shape):
    return Layer(name, lambda p, x, context: Output(np.concatenate([x, x], axis=1), lambda dy: (dy, {})), shape=shape)


def no_layer(name, shape):
    return name


def forgetful(w, g, t, v, *, lr: float = 0.1):
    return (w - lr * g,)


def flat(draw, shape, fan_in, fan_out):
    return draw.standard_normal(shape[0])


@pytest.mark.parametrize(
    ("kind", "function", "changes", "sentence"),
    [
        ("activations", one_value, {"activation": "one_value"}, "must return a pair (y, back), got ndarray"),
        ("optimizers", forgetful, {"optimizer": "forgetful"}, "must return a tuple of w, v, got 1 values"),
        ("initializers", flat, {"init": "flat"}, "must return weights (5, 12), got (5,)"),
        ("layers", no_layer, {"model": ["no_layer"]}, "must return a Layer, got str"),
        ("layers", stretched, {"model": ["stretched"]},
         "must return outputs of the stated shape (12,) for a sample, got (24,)"),
    ],
)  # fmt: skip
def test_a_wrong_result_names_the_function_s_file_and_line(
    kind: str, function: Any, changes: dict[str, Any], sentence: str
) -> None:
    found: Registry = kinds if kind == "layers" else getattr(dlsweep, kind)
    found.register(function)
    try:
        settings: dict[str, dict[str, Any]] = {"optimizer": {"lr": 0.1}, "model": {"of": changes.get("model")}}
        given = {
            field: Choice("layers" if field == "model" else name, settings.get(field, {}))
            for field, name in changes.items()
        }
        place = f"{found.kind} {function.__name__!r} ({__file__}:{function.__code__.co_firstlineno}) "
        with pytest.raises(UsageError) as told:
            train([Run(make_arm(**given), Seeds(0))], make_data())
        assert str(told.value).removeprefix("layer 1 of 1: ") == place + sentence
    finally:
        del found._entries[function.__name__]
