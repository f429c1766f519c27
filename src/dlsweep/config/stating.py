"""Read what a config asks of its results: `claims:`, and `tune:`, the settings to choose for each arm.

A claim is a name with a relation between arms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from dlsweep.config.claims import CLAIM, LONGEST_CLAIM, PARTS, RELATIONS, Claim, PartialArm, Relation, Stated
from dlsweep.config.document import Key, Node, Reading, each, read_list, whole
from dlsweep.config.draws import Draws
from dlsweep.config.labels import Words, read_partial_arm, words_of
from dlsweep.config.settings import check, read_section
from dlsweep.config.sweep import Sweep
from dlsweep.config.tuning import Tuning
from dlsweep.config.words import TUNE, factor
from dlsweep.errors import UsageError
from dlsweep.metric_names import parse_metric
from dlsweep.metrics import Metric
from dlsweep.text import nearest, similar, steering
from dlsweep.types import Split

_EXAMPLE = "{He beats Xavier: {arm: {init: he}, beats: {init: xavier}}}"


def read_claims(sweep: Sweep) -> Reading[list[Stated]]:
    """Read the claims of a sweep, whose levels have their labels."""
    nodes = yield from read_list(sweep.top.get("claims"), f"claims must be a list of claims such as [{_EXAMPLE}]")
    words = words_of(sweep)
    read = yield from each(_read_claim(sweep, one, words) for one in nodes)
    first: dict[str, Key] = {}
    for name in (key for one in nodes if one.is_mapping for key in one.value):
        if (known := first.setdefault(name.strip(), name)) is not name:
            line = f", first on line {known.place.line}" if known.place.line else ""
            yield name.place.mistake(f"two claims have the name {str(name)!r}{line}; give one of them another")
    return [stated for stated in read if stated is not None]


@whole
def _read_claim(sweep: Sweep, node: Node, words: Words) -> Reading[Stated | None]:
    if not node.is_mapping or len(node.value) != 1:
        raise node.place.refused(f"a claim is a name with a relation, such as {_EXAMPLE}, got {node}")
    ((name, body),) = node.value.items()
    if not name.strip() or len(name) > LONGEST_CLAIM or steering(name):
        yield name.place.mistake(
            f"the name of a claim must be a line of text, of 1 to {LONGEST_CLAIM} characters, got {str(name)[:40]!r}"
        )
    if not body.is_mapping:
        raise body.place.refused(f"a claim is a name with a relation, such as {_EXAMPLE}, got {body} as the relation")
    relation = _relation(body, name)
    settings = yield from _read_settings(body, name, relation)
    parts = yield from _read_parts(sweep, body, words)
    metric = _metric(sweep, body.value.get("metric"))
    if settings is None or parts is None or metric is None:
        return None
    return Stated(_claim(str(name).strip(), relation, settings, parts, metric), name, body.value)


def _relation(body: Node, name: Key) -> Relation:
    """Return the relation of a claim: the one of its settings that names one."""
    given: list[Key] = [key for key in body.value if key in RELATIONS]
    if len(given) > 1:
        raise given[1].place.refused(f"a claim has one relation, got {' and '.join(given)}; make two claims of it")
    if given:
        return next(relation for relation in RELATIONS if relation == given[0])
    known = {setting for form in RELATIONS.values() for setting in form.settings}
    word: Key | None = next((key for key in body.value if key not in known and similar(key, RELATIONS)), None)
    told = f"there is no relation {str(word)!r}" if word else f"the claim {str(name)!r} has no relation"
    hint = f"{nearest(word or '', RELATIONS)}; a claim is written such as {_EXAMPLE}"
    raise (word or name).place.refused(f"{told}{hint}")


@whole
def _read_settings(body: Node, name: Key, relation: Relation) -> Reading[dict[str, Any]]:
    """Read the settings of a claim, with defaults for the rest."""
    form = RELATIONS[relation]
    for key in body.value:
        if key not in form.settings and key not in RELATIONS:
            told = f"a claim with {relation} has no setting {str(key)!r}{nearest(key, form.settings)}"
            yield key.place.mistake(told)
    known = {key: node for key, node in body.value.items() if key in form.settings}
    others = {key: node for key, node in known.items() if key not in (*PARTS, "order")}
    checked = yield from each(check(CLAIM, key, node, f"claims.{key}") for key, node in others.items())
    for missing in (word for word in form.required if word not in known):
        example = {"within": "0.01", "arm": "{init: he}"}[missing]
        yield name.place.mistake(f"a claim with {relation} needs {missing} as well, such as {missing}: {example}")
    for one, other in (("more", "than"), ("than", "more")):
        if one in known and other not in known:
            yield next(key for key in known if key == one).place.mistake(
                f"{one} goes with {other}; give both, or neither"
            )
    return CLAIM.complete({key: node.meaning for key, node in zip(others, checked) if node is not None})


@whole
def _read_parts(sweep: Sweep, body: Node, words: Words) -> Reading[dict[str, list[PartialArm]]]:
    """Read the partial arms of a claim, by the setting that has them."""
    parts: dict[str, list[PartialArm]] = {}
    for key, node in body.value.items():
        if key == "order" and not (node.is_list and len(node.value) > 1):
            example = "the best one first, such as [{optimizer: adam}, {optimizer: sgd}]"
            yield node.place.mistake(f"claims.order lists two arms or more, {example}, got {node}")
            continue
        nodes = node.items() if key == "order" else (node,) if key in PARTS else ()
        read = yield from each(read_partial_arm(f"claims.{key}", one, words, sweep.every_fault) for one in nodes)
        parts[str(key)] = [partial for partial in read if partial is not None]
    return parts


def _metric(sweep: Sweep, node: Node | None) -> Metric | None:
    """Return the metric of a claim: by default the one that arms are compared by."""
    name = sweep.task.metrics[0] if node is None else node.value
    try:
        return metric_of(sweep, name) if isinstance(name, str) else None
    except UsageError as error:
        if node is not None:
            raise node.place.refused(str(error)) from None
    return None


def metric_of(sweep: Sweep, name: str) -> Metric:
    """Return a metric of a sweep. A `UsageError` says that the sweep does not record it."""
    on, layers = sweep.evaluate.on, sweep.evaluate.layers
    return parse_metric(name, splits=on, factors=sweep.columns, task=sweep.task, layers=layers)


def _claim(
    name: str, relation: Relation, settings: Mapping[str, Any], parts: Mapping[str, list[PartialArm]], metric: Metric
) -> Claim:
    arms = [arm for key in ("arm", "beats", "equals", "order") for arm in parts.get(key, ())]
    margins = {"beats": "by", "equals": "within", "above": "above", "below": "below"}
    return Claim(
        name=name,
        relation=relation,
        arms=tuple(arms),
        margin=settings[margins[relation]] if relation in margins else 0.0,
        **{key: parts[key][0] for key in ("more", "than", "where") if parts.get(key)},
        along=settings[relation] if relation in ("trend", "monotone") else "",
        direction=settings["direction"],
        metric=metric.name,
        at=settings.get("at"),
        better=settings.get("better", ""),
        expect=settings["expect"],
    )


def draws_of(node: Node | None) -> Draws:
    """Return the draws that `tune` asks for, as far as it can be read: its mistakes are reported by `read_tuning`."""
    given = node.value if node is not None and node.is_mapping else {}
    over = given["over"].items() if "over" in given else ()
    number = given["random"].value if "random" in given else 0
    is_count = type(number) is int and number > 0
    return Draws(frozenset(str(one.value) for one in over), number if is_count or not number else 2)


@whole
def read_tuning(sweep: Sweep) -> Reading[Tuning | None]:
    """Read `tune`; None if it is not there."""
    node = sweep.top.get("tune")
    if node is None:
        return None
    place = sweep.place_of("tune")
    if sweep.task.chance:
        raise place.refused(f"tune has no effect on a {sweep.task.noun}; take it out")
    read = yield from read_section(TUNE, node, place)
    if read is None:
        return None
    settings, nodes = read
    over = yield from each(_read_tuned(sweep, one) for one in nodes["over"].items())
    yield from _check_split(sweep, settings["on"], nodes.get("on", replace(node, place=place)))
    metric = _tuned_metric(sweep, settings["metric"], settings["on"], nodes.get("metric", node))
    ranges = dict.fromkeys(draw.span for axis in sweep.axes for draw in axis.draws)
    return Tuning(tuple(over), metric, settings["seeds"], settings["random"], tuple(ranges), settings["seconds"])


def _read_tuned(sweep: Sweep, node: Node) -> Reading[str]:
    """Read the name of a factor that is tuned: a field, or a setting."""
    name = str(node.value)
    found = yield from factor(name, node.place)
    if found and found.field == "data":
        yield node.place.mistake(f"tune.over chooses settings of the training, not the data, got {name}")
    if name in ("train.iterations", "train.epochs"):
        hint = nearest("", [other for other in sweep.columns if other != name])
        yield node.place.mistake(f"candidates have the same number of steps, so {name} is not tuned{hint}")
    return name


def _check_split(sweep: Sweep, on: str, node: Node) -> Reading[None]:
    if on == "test":
        yield node.place.mistake(
            "tune.on must not be test: a setting that is chosen on the test images makes their accuracy too high; "
            "write validation"
        )
    elif on not in sweep.evaluate.on:
        default = ", the default," if node.is_mapping else ""
        several = ", ".join(split for split in get_args(Split) if split in (*sweep.evaluate.on, on))
        yield node.place.mistake(
            f"tune.on is {on}{default} and evaluate.on has {', '.join(sweep.evaluate.on)} only; write evaluate: {{on: "
            f"[{several}]}}"
        )


def _tuned_metric(sweep: Sweep, name: str, on: str, node: Node) -> str:
    """Return the metric that candidates are judged by."""
    if named := [split for split in get_args(Split) if split in name.split("_")]:
        raise node.place.refused(f"tune.metric has no split, got {name!r}; write on: {named[0]} beside it")
    try:
        metric = parse_metric(name, splits=(on,), factors=sweep.columns, task=sweep.task, layers=False)
    except UsageError as error:
        raise node.place.refused(str(error)) from None
    if metric.kind in ("column", "spread"):
        raise node.place.refused(f"tune.metric must be of a curve, such as accuracy or best_loss, got {name!r}")
    return metric.name
