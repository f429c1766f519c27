"""`exclude:` and `only:`, which choose among the arms of the grid by partial arms such as `{activation: relu}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from dlsweep.config.nodes import Mistakes, Node, value_text
from dlsweep.config.points import Part, Point
from dlsweep.registry import nearest

Rule = Mapping[str, frozenset[str]]  # for each factor that it speaks of, the labels that fit

_MOST_CHOICES = 50  # that a sentence lists


def read_rules(
    key: str,
    node: Node | None,
    names: Mapping[str, Mapping[str, str]],
    grids: Sequence[Sequence[Part]],
    faulty: frozenset[str],
    mistakes: Mistakes,
) -> tuple[Rule, ...]:
    """The partial arms of `exclude` or `only`.

    names: for each factor its labels, each with its level's name, by which it can be called too; grids: their parts, to
    see that a partial arm fits some arm; faulty: the fields whose levels are not all known.
    """
    if node is None:
        return ()
    if not node.is_list:
        mistakes.add(node.place, f"{key} must be a list of partial arms such as [{{activation: relu}}], got {node}")
        return ()
    rules = []
    for partial in node.value:
        rule = _read_rule(key, partial, names, faulty, mistakes)
        if rule is None:
            continue
        rules.append(rule)
        known = not any(factor.partition(".")[0] in faulty for factor in rule)
        if known and not any(_fits_some_arm(rule, parts) for parts in grids):
            arm = ", ".join(f"{factor} {' or '.join(sorted(labels))}" for factor, labels in rule.items())
            mistakes.add(partial.place, f"{key} names levels that no arm has together: {arm}")
    return tuple(rules)


def _read_rule(
    key: str, partial: Node, names: Mapping[str, Mapping[str, str]], faulty: frozenset[str], mistakes: Mistakes
) -> Rule | None:
    before = len(mistakes)
    if not partial.is_mapping or not partial.value:
        mistakes.add(partial.place, f"a partial arm of {key} is a mapping such as {{activation: relu}}, got {partial}")
        return None
    rule: dict[str, frozenset[str]] = {}
    for factor, levels in partial.value.items():
        if factor not in names:
            if factor.partition(".")[0] not in faulty:
                mistakes.add(factor.place, f"{key} speaks of {str(factor)!r}, no factor here{nearest(factor, names)}")
            continue
        if factor.partition(".")[0] in faulty:
            continue
        labels = names[factor]
        whole = value_text(levels.plain())  # a list may be one value, [40, 20]
        found: set[str] = set()
        for node in (levels,) if whole in labels else levels.items():
            text = node.text if node.text in labels else value_text(node.plain())
            matching = {label for label, name in labels.items() if text in (label, name)}
            if not matching:
                choices = labels if len(labels) <= _MOST_CHOICES else []
                mistakes.add(node.place, f"{factor} has no level {text!r}{nearest(text, choices)}")
            found |= matching
        rule[str(factor)] = frozenset(found)
    return rule if rule and len(mistakes) == before else None


def _fits_some_arm(rule: Rule, parts: Sequence[Part]) -> bool:
    """Every arm is one point of each part: so some arm fits if each part has a point that fits."""
    return all(any(fits(rule, point.labels) for point in part) for part in parts)


def fits(rule: Rule, labels: Mapping[str, str]) -> bool:
    """Whether nothing in the labels, which may be of some factors only, is against the rule."""
    return all(labels[factor] in fitting for factor, fitting in rule.items() if factor in labels)


def allowed(labels: Mapping[str, str], exclude: Sequence[Rule], only: Sequence[Rule]) -> bool:
    """Whether the rules leave an arm with these labels."""
    return not any(fits(rule, labels) for rule in exclude) and (not only or any(fits(rule, labels) for rule in only))


def leaves_some(points: Sequence[Point], parts: Sequence[Part], exclude: Sequence[Rule], only: Sequence[Rule]) -> bool:
    """Whether the rules leave an arm that has these points, which are of some of the parts."""
    if not exclude and not only:
        return True
    known = {frozenset(point.fields): point for point in points}
    choices = [(known[fields],) if (fields := frozenset(part[0].fields)) in known else part for part in parts]
    combinations = ({f: label for point in c for f, label in point.labels.items()} for c in product(*choices))
    return any(allowed(labels, exclude, only) for labels in combinations)
