"""YAML 1.2 meaning, places, and what is refused while reading."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.config.document import Node, gather
from dlsweep.config.reader import read_mapping, read_yaml


def read(text: str | bytes) -> Node:
    node, mistakes = gather(read_yaml(text.encode() if isinstance(text, str) else text, "x.yaml"))
    assert not mistakes
    assert node is not None
    return node


def wrong(text: str | bytes) -> list[str]:
    _, mistakes = gather(read_yaml(text.encode() if isinstance(text, str) else text, "x.yaml"))
    return [str(m) for m in sorted(mistakes)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5e1", -5.0),
        ("+3", 3),
        ("-3", -3),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1,000", "1,000"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        ("true", True),
        ("FALSE", False),
        ("off", "off"),
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("null", None),
        ("~", None),
        ("", None),
        ("Null", None),
        ("none", "none"),
        ("'1'", "1"),
        ('"null"', "null"),
        ("!!str 1e-3", "1e-3"),
        ("! 1", "1"),
        ("=", "="),
        ("e3", "e3"),
        (".", "."),
        ("1.e", "1.e"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(written: str, meant: Any) -> None:
    value = read(f"x: {written}").plain()["x"]
    assert value == meant
    assert type(value) is type(meant)


def test_nan_is_a_number() -> None:
    assert math.isnan(read("x: .nan").plain()["x"])


def test_words_of_yaml_1_1_are_words_as_keys_too() -> None:
    assert read("{on: 1, off: 2, yes: 3, 1: 4, null: 5}").plain() == {"on": 1, "off": 2, "yes": 3, "1": 4, "null": 5}


def test_every_value_knows_its_place() -> None:
    node = read("a: 1\nb:\n  - x\n  - {c: [2, 3]}\n")
    assert node.value["a"].place == ("x.yaml", 1, 4)
    assert node.value["b"].value[0].place == ("x.yaml", 3, 5)
    inner = node.value["b"].value[1]
    assert [key.place for key in inner.value] == [("x.yaml", 4, 6)]
    assert [item.place.column for item in inner.value["c"].value] == [10, 13]


def test_columns_count_characters_and_a_byte_order_mark_counts_for_nothing() -> None:
    node = read(b"\xef\xbb\xbf" + "{ä😀: 1, b: 2}".encode())
    assert node.value["b"].place == ("x.yaml", 1, 12)


def test_an_alias_is_what_it_stands_for() -> None:
    node = read("a: &levels [relu, {sgd: {lr: 1}}]\nb: *levels\n")
    assert node.value["b"].plain() == ["relu", {"sgd": {"lr": 1}}]
    assert node.value["b"].place == ("x.yaml", 1, 4)


def test_multiline_and_unicode_texts() -> None:
    assert read("a: |\n  one\n  two\nb: 日本\n").plain() == {"a": "one\ntwo\n", "b": "日本"}


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", ["x.yaml:1:1: the config is empty; a first line could be `data: mnist`"]),
        ("# nothing\n", ["x.yaml:1:1: the config is empty; a first line could be `data: mnist`"]),
        ("a: 1\nb: 2\na: 3\n", ["x.yaml:3:1: the key 'a' is given twice, first on line 1"]),
        ("{a: 1, 'a': 2}", ["x.yaml:1:8: the key 'a' is given twice, first on line 1"]),
        (
            "a: !!python/object/apply:os.system [echo]\nb: !mine 3",
            [
                "x.yaml:1:4: the tag !!python/object/apply:os.system is not allowed; a config holds plain values only",
                "x.yaml:2:4: the tag !mine is not allowed; a config holds plain values only",
            ],
        ),
        ("a: !!float 1", ["x.yaml:1:4: the tag !!float is not allowed; a config holds plain values only"]),
        ("b: &b {c: 1}\na:\n  <<: *b", ["x.yaml:3:3: merge keys (<<) are not part of YAML 1.2; write the keys out"]),
        ("? [a, b]\n: 1", ["x.yaml:1:3: a key is a word, got [a, b]"]),
        (
            "a: 1\n---\nb: 2",
            ["x.yaml:2:1: a second document starts here; a config is one document, without another ---"],
        ),
        ("a: *b", ["x.yaml:1:4: *b stands for nothing: there is no &b before it"]),
        ("a: &a [1, *a]", ["x.yaml:1:11: *a stands inside the value that it stands for"]),
        ("a: &a {b: {c: *a}}", ["x.yaml:1:15: *a stands inside the value that it stands for"]),
        ("a:\n\t- 1", ["x.yaml:2:1: a tab cannot indent YAML; use spaces"]),
        ("a: 1\n\tb: 2", ["x.yaml:2:1: a tab cannot indent YAML; use spaces"]),
        (b"a: \xff", ["x.yaml:1:4: not UTF-8; save the file as UTF-8"]),
        ("a: 1\nb: ä\0".encode(), ["x.yaml:2:5: a control character, which YAML does not allow; take it out"]),
        ("a: 1".encode("utf-16"), ["x.yaml:1:1: not UTF-8; save the file as UTF-8"]),
        ("a: 99999999999999999999", ["x.yaml:1:4: 99999999999999999999 is too large for a whole number of 64 bits"]),
        ("a: 0x" + "f" * 17, [f"x.yaml:1:4: {16**17 - 1} is too large for a whole number of 64 bits"]),
        ("a: " + "1" * 10_000, ["x.yaml:1:4: a text of 10,000 characters; at most 5,000 are read"]),
        ("a: " + "1" * 1_000, ["x.yaml:1:4: a number of 1,000 characters; a number has at most 100"]),
        ("a: " + "[" * 49 + "]" * 49, []),
        ("a: " + "[" * 50 + "]" * 50, ["x.yaml:1:53: nested more than 50 deep"]),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_stands(text: str | bytes, sentences: list[str]) -> None:
    assert wrong(text) == sentences


@pytest.mark.parametrize(
    "text", ["a: [1, 2", "a: {b: 1", "a: 'x", "a: b: c", "- a\nb: 1", "a: @x", "%YAML 3\n---\na: 1", "a: }"]
)
def test_what_is_no_yaml_is_told_with_its_place(text: str) -> None:
    (sentence,) = wrong(text)
    assert sentence.startswith("x.yaml:")
    assert "not valid YAML: " in sentence


def test_an_alias_counts_as_all_that_it_stands_for() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    assert wrong(bomb) == ["x.yaml:5:45: more than 100,000 values, an alias counted as all that it stands for"]
    deep = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 60))
    assert wrong(deep) == ["x.yaml:50:12: nested more than 50 deep"]


def test_many_mistakes_end_the_reading() -> None:
    from dlsweep.errors import ConfigError

    with pytest.raises(ConfigError) as caught:
        wrong("".join("a: 1\n" for _ in range(1000)))
    assert str(caught.value).startswith("x.yaml: 100 mistakes or more; these were found first\nx.yaml:2:1: ")
    assert len(caught.value.mistakes) == 101


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=10), PLAIN, min_size=1, max_size=4))
def test_python_values_keep_their_meaning(value: dict[str, Any]) -> None:
    node, mistakes = gather(read_mapping(value))
    assert node is not None
    assert not mistakes
    assert node.plain() == value


WORDS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)
TREES = st.recursive(
    st.integers(-1000, 1000)
    | st.floats(0.001, 1000).map(lambda x: round(x, 3))
    | st.booleans()
    | st.text("abc :#'\"日-", max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(WORDS.filter(lambda w: w not in {"y", "n"}), TREES, min_size=1, max_size=4), st.booleans())
def test_what_yaml_writes_is_read_the_same(value: dict[str, Any], flow: bool) -> None:
    """PyYAML quotes whatever could be misread, by 1.1 rules; so what it wrote has one meaning."""
    assert read(yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)).plain() == value


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    gather(read_yaml(data, "x.yaml"))


@given(st.text("[]{}:,-&*!|>'\"#%@`?~ab1 \n\t", max_size=60))
def test_no_punctuation_makes_it_raise(text: str) -> None:
    gather(read_yaml(text.encode(), "x.yaml"))
