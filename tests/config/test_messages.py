"""The sentences about what is wrong, each with its exact place; all at once, in the order of the lines."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tests.support.configs import ACTIVATIONS, FACTORS, TRAIN_SETTINGS, Load, Refused

from dlsweep.config import load
from dlsweep.errors import ConfigError
from dlsweep.plots import plots

KEYS = (
    "(choices: claims, data, evaluate, exclude, grid, model, name, only, plots, seeds, statistics, title, train, tune)"
)
NAME = (
    "name must be the name of a folder: 1 to 100 letters, digits, spaces, '.', '_' or '-', the first a letter or digit"
)


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        ("activation: {leaky_relu: {slope: ▲-0.1}}", "activation.leaky_relu.slope must be at least 0, got -0.1"),
        ("activation: {elu: {alpha: ▲0}}", "activation.elu.alpha must be above 0, got 0"),
        ("init: {truncated_normal: {std: ▲-1}}", "init.truncated_normal.std must be at least 0, got -1"),
        ("init: {orthogonal: {gain: ▲-1}}", "init.orthogonal.gain must be above 0, got -1"),
        ("init: {constant: {value: ▲.inf}}", "init.constant.value must be a finite number, got .inf"),
        ("optimizer: {adamw: {weight_decay: ▲-1e-4}}", "optimizer.adamw.weight_decay must be at least 0, got -1e-4"),
        ("optimizer: {lion: {beta2: ▲1}}", "optimizer.lion.beta2 must be below 1, got 1"),
        ("optimizer: {adadelta: {eps: ▲0}}", "optimizer.adadelta.eps must be above 0, got 0"),
        ("schedule: {step: {every: ▲0}}", "schedule.step.every must be at least 1, got 0"),
        ("schedule: {step: {gamma: ▲2}}", "schedule.step.gamma must be at most 1, got 2"),
        ("schedule: {exponential: {end: ▲0}}", "schedule.exponential.end must be above 0, got 0"),
        ("schedule: {cosine: {end: ▲-1}}", "schedule.cosine.end must be at least 0, got -1"),
        ("schedule: {warm_up: {iterations: ▲1.5}}", "schedule.warm_up.iterations must be a whole number, got 1.5"),
        ("schedule: {one_cycle: {warm_up: ▲1}}", "schedule.one_cycle.warm_up must be below 1, got 1"),
    ],
)
def test_settings_out_of_their_bounds(refused: Refused, grid: str, sentence: str) -> None:
    refused(f"grid: {{{grid}}}", sentence)


def test_every_mistake_at_once_in_the_order_of_the_lines(refused: Refused) -> None:
    refused(
        """
        # a file with much wrong
        ▲nmae: x
        data: mnist
        train:
          iterations: ▲0
          batch_size: ▲"100"
          sampling: ▲shufle
        evaluate: {every: ▲1.5, on: [batch, ▲tset]}
        seeds: ▲0
        grid:
          activation: [▲rleu, tanh]
          optimizer:
            - {sgd: {lr: [0.1, ▲0, ▲yes]}}
            - {momentum: {▲alhpa: 0.9}}
          ▲optimzer.lr: 3
        exclude: [{▲activatoin: relu}]
        plots:
          - ▲curvs
          - curves: {rows: ▲init_, columns: init, lines: ▲init, y: ▲acuracy, splits: [train]}
        """,
        f"there is no key 'nmae'; did you mean 'name'? {KEYS}",
        "train.iterations must be at least 1, got 0",
        "train.batch_size must be a whole number, got '100', which is text; remove the quotes",
        "train.sampling must be one of shuffle, replacement, got 'shufle'; did you mean 'shuffle'?",
        "evaluate.every must be a whole number, got 1.5",
        "an item of evaluate.on must be one of batch, train, validation, test, got 'tset'; did you mean 'test'?",
        "seeds must be a count of at least 1, or a list such as [0, 1, 2], got 0",
        f"there is no activation 'rleu'; did you mean 'relu'? {ACTIVATIONS}",
        "optimizer.sgd.lr must be above 0, got 0",
        "optimizer.sgd.lr must be a number, got 'yes'",
        "optimizer.momentum has no setting 'alhpa'; did you mean 'alpha'? (choices: alpha, lr)",
        f"there is no factor 'optimzer.lr'; did you mean 'optimizer'? {FACTORS}",
        "exclude speaks of 'activatoin', no factor here; did you mean 'activation'? (choices: activation, init,"
        " normalization, optimizer, regularizer, schedule)",
        f"there is no plot 'curvs'; did you mean 'curves'? (choices: {', '.join(plots)})",
        "plots.curves.rows must name a factor of this sweep, got 'init_'; did you mean 'init'? (choices: activation,"
        " arm, init, normalization, optimizer, regularizer, schedule, seed, split)",
        "plots.curves.lines must be another factor than columns, got 'init' for both",
        "plots.curves.y must be one of accuracy, loss, penalty, got 'acuracy'; did you mean 'accuracy'?",
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "name: ▲!!python/name:os.system",
            "the tag !!python/name:os.system is not allowed …",
        ),
        ("seeds: ▲!mine {a: 1}", "the tag !mine is not allowed …"),
        ("seeds: [0, ▲!mine 1]", "the tag !mine is not allowed …"),
        ("? ▲[seeds, x]\n: 5", "a key is a word, got [seeds, x]"),
        ("▲optimizer: {sgd: {lr: 1}}", "optimizer is a factor; it belongs under grid, as in grid: {optimizer: …}"),
        (
            "▲train.batch_size: 5",
            "train.batch_size can be a factor under grid; here write train: {batch_size: …}",
        ),
        (
            "▲model.mlp.hidden: 5",
            "model.mlp.hidden can be a factor under grid; here write model: {mlp: {hidden: …}}",
        ),
        ("▲- a\n- b", "a config is a mapping with keys such as name, data, train and grid, got [a, b]"),
        ("▲relu", "a config is a mapping with keys such as name, data, train and grid, got 'relu'"),
        ("data: ▲[mnist, npz]", "data is one level here, got [mnist, npz]; to compare several, write grid: {data: …}"),
        ("data: ▲mnst", "there is no data set 'mnst'; did you mean 'mnist'? (choices: mnist, none, npz)"),
        ("data: ▲npz", "data.npz needs the setting 'path', as in {npz: {path: …}}"),
        ("data: {▲npz: {train: 5}}", "data.npz needs the setting 'path', as in {npz: {path: …}}"),
        ("data: {npz: {path: ▲3}}", "data.npz.path must be the path of a file, got 3"),
        ("data: {mnist: {train: ▲true}}", "data.mnist.train must be a whole number, got true"),
        (
            "data: {mnist: {train: ▲[1, 2]}}",
            "data.mnist.train has one value here, got [1, 2]; to compare several, use a factor of the grid",
        ),
        ("model: {mlp: {hidden: ▲40}}", "model.mlp.hidden must be a list, got 40 (write [40])"),
        ("model: {mlp: {hidden: [40, ▲x]}}", "an item of model.mlp.hidden must be a whole number, got 'x'"),
        ("model: {mlp: {hidden: [40, ▲[2]]}}", "an item of model.mlp.hidden must be a whole number, got [2]"),
        (
            "model: {mlp: {hidden: ▲[[40], [20]]}}",
            "model.mlp.hidden has one value here, got [[40], [20]]; to compare several, use a factor of the grid",
        ),
        (
            "train: {batch_size: ▲[10, 100]}",
            "train.batch_size has one value here, got [10, 100]; to compare several, use a factor of the grid",
        ),
        ("train: {iterations: 5, epochs: ▲5}", "train has both iterations and epochs; give one of them"),
        ("train: {iterations: ▲null}", "train.iterations must be a whole number, got nothing"),
        ("train: {iterations: ▲1000000001}", "train.iterations must be at most 1000000000, got 1000000001"),
        ("train: {batch_size: ▲}", "train.batch_size must be a whole number, got nothing"),
        ("train: ▲5", "settings of train must be a mapping such as {iterations: …}, got 5"),
        ("train: {▲lr: 5}", f"train has no setting 'lr' {TRAIN_SETTINGS}"),
        ("evaluate: {on: ▲test}", "evaluate.on must be a list, got 'test' (write [test])"),
        ("evaluate: {on: ▲[]}", "evaluate.on must be a list of length 1 or more, got an empty list"),
        ("evaluate: {on: [test, batch, ▲test]}", "evaluate.on has test twice"),
        ("seeds: ▲1.5", "seeds must be a count of at least 1, or a list such as [0, 1, 2], got 1.5"),
        ("seeds: ▲true", "seeds must be a count of at least 1, or a list such as [0, 1, 2], got true"),
        ("seeds: ▲[]", "seeds must have at least one seed, got an empty list"),
        ("seeds: [0, ▲-1]", "a seed must be a whole number of at least 0, got -1"),
        ("seeds: [0, 1, ▲0]", "the seed 0 is given twice"),
        ("plots: ▲curves", "plots must be a list of plots such as [{curves: {rows: activation}}], got 'curves'"),
        (
            "plots: [curves: {splits: [test, ▲train]}]",
            "plots.curves.splits has train, but evaluate.on has batch, test only",
        ),
        (
            "plots: [final: {split: ▲validation}]",
            "plots.final.split has validation, but evaluate.on has batch, test only",
        ),
        ("plots: [layers: {y: ▲gradient}]", "plots.layers.y must be one of gradient_rms, …"),
        (
            "plots: [response: {x: ▲optimizer.lrr}]",
            "there is no factor 'optimizer.lrr'; did you mean 'optimizer.lr'? …",
        ),
        ("plots: [histograms: {at: ▲-1}]", "plots.histograms.at must be …"),
        (
            "plots: [curves: ▲inti]",
            "plots.curves.rows must name a factor of this sweep, got 'inti'; did you mean 'init'?",
        ),
        ("grid: {regularizer: {dropout: ▲1.5}}", "regularizer.dropout.ratio must be below 1, got 1.5"),
        ("model: {mlp: ▲40}", "model.mlp.hidden must be a list, got 40 (write [40])"),
        ("plots: [curves: {▲clumns: init}]", "plots.curves has no setting 'clumns'; did you mean 'columns'?"),
        ("grid: {optimizer: {sgd: {lr: ▲.nan}}}", "optimizer.sgd.lr must be a finite number, got .nan"),
        ("grid: {optimizer: {sgd: {lr: ▲-.inf}}}", "optimizer.sgd.lr must be a finite number, got -.inf"),
        ("grid: {optimizer: {sgd: {lr: ▲1e999}}}", "optimizer.sgd.lr must be a finite number, got 1e999"),
        ("grid: {optimizer: {sgd: {lr: ▲off}}}", "optimizer.sgd.lr must be a number, got 'off'"),
        ("grid: {optimizer: {sgd: {lr: ▲12:30}}}", "optimizer.sgd.lr must be a number, got '12:30'"),
        ("grid: {optimizer: {sgd: {lr: ▲{a: 1}}}}", "optimizer.sgd.lr must be a number, got {a: …}"),
        ("grid: {optimizer: {momentum: {alpha: ▲1}}}", "optimizer.momentum.alpha must be below 1, got 1"),
        ("grid: {optimizer: {momentum: {alpha: ▲-0.1}}}", "optimizer.momentum.alpha must be at least 0, got -0.1"),
        ("grid: {optimizer: {sgd: ▲0}}", "optimizer.sgd.lr must be above 0, got 0"),
        (
            "grid: {activation: {relu: ▲0.1}}",
            "settings of activation.relu must be removed, since it has no settings, got 0.1",
        ),
        (
            "grid: {optimizer: ▲{sgd: , adam: }}",
            "a level of optimizer is one name, got sgd and adam; to compare, list them: [sgd, adam]",
        ),
        (
            "grid: {optimizer: ▲{label: x}}",
            "a level of optimizer is a name, or a name with settings; this one has no name",
        ),
        (
            "grid: {optimizer: [▲{lr: 0.1}]}",
            "a level of optimizer is a name with settings, such as {sgd: {lr: …}}; got {lr: …} without a name",
        ),
        ("grid: {optimizer: {sgd: , ▲adm: }}", "there is no optimizer 'adm'; did you mean 'adam'?"),
        (
            "grid: {optimizer: [adam, ▲momentum lr=1 alpha=0.5]}",
            "'momentum lr=1 alpha=0.5' is a label; write the name with its settings: {momentum: {lr: 1, alpha: 0.5}}",
        ),
        ("grid: {optimizer: ▲sdg lr=0.1}", "there is no optimizer 'sdg lr=0.1'"),
        ("plots: [▲3]", "a plot is a name, or a name with settings, got 3"),
        (
            "plots: [▲{rows: init}]",
            "a plot is a name with settings, such as {response: {rows: …}}; got {rows: …} without a name",
        ),
        ("plots: [{curves: , ▲label: x}]", "a label belongs to a level of the grid; here it would be seen nowhere"),
        ("data: {mnist: , ▲label: x}", "a label belongs to a level of the grid; here it would be seen nowhere"),
        ("grid: {init: ▲0.01}", "a level of init is a name, or a name with settings, got 0.01"),
        ("grid: {init: ▲off}", "there is no initializer 'off'"),
        ("grid: {init: {he: , label: ▲''}}", "a label must be a line of text, of 1 to 100 characters, got ''"),
        ("grid: {init: {he: , label: ▲[a]}}", "a label must be a line of text, of 1 to 100 characters, got [a]"),
        (
            'grid: {init: {he: , label: ▲"a\\nb"}}',
            "a label must be a line of text, of 1 to 100 characters, got 'a\\nb'",
        ),
        (
            f"grid: {{init: {{he: , label: ▲{'x' * 101}}}}}",
            f"a label must be a line of text, of 1 to 100 characters, got '{'x' * 40}…'",
        ),
        ("grid: ▲relu", "a grid is a mapping from factors to levels, got 'relu'"),
        ("grid: {▲evaluate.every: [1, 2]}", "there is no factor 'evaluate.every'"),
        ("grid: {▲train: [1, 2]}", "there is no factor 'train'"),
        ("grid: {▲optimizer.sgd.rate: 3}", "there is no factor 'optimizer.sgd.rate'; did you mean …"),
    ],
)
def test_one_mistake(tmp_path: Path, text: str, sentence: str) -> None:
    before, _, after = text.partition("▲")
    path = tmp_path / "x.yaml"
    path.write_text(before + after)
    with pytest.raises(ConfigError) as caught:
        load(path)
    (mistake,) = caught.value.mistakes
    assert (mistake.file, mistake.line, mistake.column) == (str(path), 1, len(before) + 1)
    if sentence.endswith(" …"):
        assert mistake.message.startswith(sentence[:-2])
    else:
        assert mistake.message.partition(" (choices")[0] == sentence.partition(" (choices")[0]


@pytest.mark.parametrize(
    "name",
    [
        *("../../x", "/abs", "a/b", "a\\b", "..", ".", ".hidden", "-x", "_x", "a.", "a ", " a", ""),
        *("a\0b", "a\nb", "a\u202eb", "a\u200bb", "😀", "a:b", "a*", "a?", 'a"b', "a<b", "a>b", "a|b", "$HOME", "~"),
        *("x" * 101, "日" * 100),
    ],
)
def test_names_that_are_no_folder_everywhere(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({"name": name})
    (mistake,) = caught.value.mistakes
    assert mistake.message.startswith(f"{NAME}, got '")


@pytest.mark.parametrize("name", ["CON", "con", "Nul.txt", "COM1", "lpt9.a.b", "AUX", "com¹", "prn "])
def test_names_of_windows_devices(name: str) -> None:
    with pytest.raises(ConfigError, match="name must"):
        load({"name": name})


@pytest.mark.parametrize(
    "name", ["a", "7", "activation-init", "a.b_c d", "初期化", "ünïcödé", "हिन्दी", "CONSOLE", "x" * 100]
)
def test_names_that_are_folders(name: str, tmp_path: Path) -> None:
    assert load({"name": name}).name == name
    (tmp_path / name).mkdir()


def test_a_name_of_digits_is_text(sweep: Load) -> None:
    assert sweep("name: 007").name == "007"
    assert sweep("name: 1e3").name == "1e3"


def test_letters_of_a_name_have_one_form() -> None:
    assert load({"name": "e\u0301t\u00e9"}).name == "\u00e9t\u00e9"


def test_the_name_is_the_files_unless_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "my sweep.yaml").write_text("data: mnist")
    assert load(tmp_path / "my sweep.yaml").name == "my sweep"
    (tmp_path / "what?.yaml").write_text("data: mnist")
    with pytest.raises(ConfigError, match=r"give the sweep a name: the file's own name, 'what\?', cannot be"):
        load(tmp_path / "what?.yaml")


def test_the_file_is_shown_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.yaml").write_text("seeds: 0")
    monkeypatch.chdir(tmp_path)
    for given in ("x.yaml", "./x.yaml", f"../{tmp_path.name}/x.yaml"):
        with pytest.raises(ConfigError) as caught:
            load(given)
        assert str(caught.value).startswith(f"{given}:1:8: seeds must be")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    def sentence(path: Path | str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.exit_code == 2
        return str(caught.value)

    (tmp_path / "sweep.yaml").write_text("data: mnist")
    assert sentence(tmp_path) == f"{tmp_path}: this is no file; a config is a YAML file, or - for standard input"
    near = f"did you mean '{tmp_path / 'sweep.yaml'}'?"
    assert sentence(tmp_path / "swep.yaml") == f"{tmp_path / 'swep.yaml'}: there is no such file; {near}"
    assert sentence(tmp_path / "other" / "a.yaml").endswith("a.yaml: there is no such file")
    assert sentence("a\0b").startswith("a\0b: the file cannot be read")
    assert "the file cannot be read: File name too long" in sentence("x" * 300)
    assert sentence("/dev/zero") == "/dev/zero: this is no file; a config is a YAML file, or - for standard input"


def test_places_of_a_mapping_are_key_paths() -> None:
    with pytest.raises(ConfigError) as caught:
        load({"seeds": [0, 0], "grid": [{"optimizer": [{"sgd": {"lr": 0}}]}]})
    assert str(caught.value).splitlines() == [
        "grid[0].optimizer[0].sgd.lr: optimizer.sgd.lr must be above 0, got 0",
        "seeds[1]: the seed 0 is given twice",
    ]
    with pytest.raises(ConfigError, match=r"^seeds: a config holds no set; use text, numbers, lists and mappings$"):
        load({"seeds": {1, 2}})


def test_a_mapping_that_holds_itself() -> None:
    loop: dict[str, object] = {}
    loop["grid"] = loop
    with pytest.raises(ConfigError, match="nested more than 50 deep"):
        load(loop)


def write_npz(path: Path, n: int = 20, labels: object = None) -> None:
    x = np.zeros((n, 4), np.float32)
    t = np.arange(n) % 3 if labels is None else np.asarray(labels)
    np.savez(path, x_train=x, t_train=t, x_test=x, t_test=t)


def test_what_the_data_does_not_hold(refused: Refused, tmp_path: Path) -> None:
    write_npz(tmp_path / "mine.npz")
    refused(
        """
        data: {npz: {path: mine.npz}}
        train: {batch_size: ▲21}
        evaluate: {on: [batch, ▲validation]}
        """,
        "train.batch_size must be at most the 20 training samples of npz, got 21",
        "evaluate.on has validation, but npz has no validation samples here; set aside some, such as"
        " data: {npz: {validation: 2}}",
    )
    refused(
        "data: {npz: {path: ▲mine.npz}}",
        "train.batch_size must be at most the 20 training samples of npz, got 100, the default",
    )
    refused(
        "data: {mnist: {train: ▲50}}",
        "train.batch_size must be at most the 50 training samples of mnist, got 100, the default",
    )
    refused("data: {mnist: {train: ▲70000}}", "mnist has 60,000 training samples; train: 70,000 ask for 70,000")
    refused("data: {npz: {path: ▲none.npz}}", f"{tmp_path / 'none.npz'} cannot be read: No such file or directory")
    write_npz(tmp_path / "bad.npz", labels=np.arange(20) / 2)
    refused(
        "data: {npz: {path: ▲▲bad.npz}}\nseeds: ▲0",
        f"{tmp_path / 'bad.npz'}: t_test must hold whole numbers or names, found 0.5; a class is no quantity",
        f"{tmp_path / 'bad.npz'}: t_train must hold whole numbers or names, found 0.5; a class is no quantity",
        "seeds must be a count of at least 1, or a list such as [0, 1, 2], got 0",
    )


def test_data_that_cannot_be_opened_hides_and_adds_nothing(refused: Refused) -> None:
    refused(
        """
        data: {mnist: {train: ▲70000}}
        train: {batch_size: 10}
        grid: {activation: [relu, tanh]}
        exclude: [{schedule: constant, activation: relu}, {activation: ▲rleu}]
        """,
        "mnist has 60,000 training samples; train: 70,000 ask for 70,000",
        "activation has no level 'rleu'; did you mean 'relu'? (choices: relu, tanh)",
    )


def test_what_many_arms_have_wrong_is_said_once(refused: Refused) -> None:
    sizes = ", ".join(map(str, range(100, 400)))
    refused(
        f"grid: {{data.mnist.train: [{sizes}]}}\nevaluate: {{on: [▲validation]}}",
        "evaluate.on has validation, but mnist has no validation samples here; set aside some, such as"
        " data: {mnist: {validation: 5000}}",
    )


def test_batches_are_compared_with_the_data_of_their_own_arms(refused: Refused, sweep: Load) -> None:
    grid = "grid: {data.mnist.train: [300, 50], train.batch_size: [10, ▲100]}"
    refused(grid, "train.batch_size must be at most the 50 training samples of mnist, got 100")
    grid = grid.replace("▲", "")
    assert len(list(sweep(grid + "\nexclude: [{data.mnist.train: 50, train.batch_size: 100}]").arms())) == 3
    assert len(list(sweep(grid + "\nonly: [{train.batch_size: 10}]").arms())) == 2
    together = 'grid: {"data.mnist.train, train.batch_size": [[300, 300], [50, 50]]}'
    assert len(list(sweep(together).arms())) == 2


def test_mistakes_of_the_grid_do_not_hide_those_of_the_data(refused: Refused) -> None:
    refused(
        """
        data: {mnist: {train: 300}}
        train: {batch_size: ▲301}
        grid: {activation: [▲rleu]}
        """,
        "train.batch_size must be at most the 300 training samples of mnist, got 301",
        f"there is no activation 'rleu'; did you mean 'relu'? {ACTIVATIONS}",
    )


def test_too_many_runs_hide_no_mistake_that_needs_no_expansion(refused: Refused) -> None:
    refused(
        """
        train: {iterations: ▲5, monitor: ▲test_loss}
        ▲seeds: 100001
        grid: {train.iterations: 5}
        plots: [curves: {rows: ▲inti}]
        """,
        "train.iterations has no effect here, since it is a factor of the grid; take it out",
        "train.monitor has no effect without train.patience; give that too, or take it out",
        "the grid has 100,001 runs (1 arm × 100,001 seeds), the limit is 100,000; make it smaller, or raise the limit"
        " (--max-runs)",
        "plots.curves.rows must name a factor of this sweep, got 'inti'; did you mean 'init'? (choices: activation,"
        " arm, init, normalization, optimizer, regularizer, schedule, seed, split, train.iterations)",
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("▲seeds: 100001", "the grid has 100,001 runs (1 arm × 100,001 seeds), the limit is 100,000"),
        (
            "▲grid: {optimizer: {adam: {lr: [1, 2], beta1: [0.1, 0.2]}}, init: [he, xavier]}\nseeds: 20000",
            "the grid has 160,000 runs (8 arms × 20,000 seeds), the limit is 100,000",
        ),
    ],
)
def test_too_many_runs_are_counted_not_expanded(refused: Refused, sweep: Load, text: str, sentence: str) -> None:
    refused(text, f"{sentence}; make it smaller, or raise the limit (--max-runs)")
    assert sweep(text.replace("▲", ""), max_runs=160_000).count > 100_000


def test_the_line_of_a_mistake_is_shown_with_a_caret(tmp_path: Path) -> None:
    def told(text: bytes, *overrides: str) -> list[str]:
        path = tmp_path / "x.yaml"
        path.write_bytes(text)
        with pytest.raises(ConfigError) as caught:
            load(path, overrides)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    seeds = "seeds must be a count of at least 1, or a list such as [0, 1, 2], got 0"
    assert told(b"name: x\nseeds: 0\n") == [f"x.yaml:2:8: {seeds}", "    seeds: 0", "           ^"]
    assert told(b"\xef\xbb\xbfname: x\r\nseeds:\t0  # none\r\n") == [
        f"x.yaml:2:8: {seeds}",
        "    seeds: 0  # none",
        "           ^",
    ]
    wide = "{name: 初期化, seeds: 0}"  # of two columns each in a terminal
    assert told(wide.encode()) == [f"x.yaml:1:20: {seeds}", f"    {wide}", " " * 26 + "^"]
    override = "command line: train.iterations must be at least 1, got 0"
    assert told(b"seeds: 0", "train.iterations=0") == [f"x.yaml:1:8: {seeds}", "    seeds: 0", "           ^", override]
    assert told(b"name: x", "train.iterations=0") == [override]
    long = told(b"seeds: [" + b"".join(b"%d, " % n for n in range(90)) + b"-7" + b", 100" * 1 + b", 101]" + b" " * 90)
    assert long[-2].startswith("    …")
    assert long[-2][len(long[-1]) - 1 :].startswith("-7")
    assert told(b"a: 1\x07")[1:] == ["    a: 1\N{REPLACEMENT CHARACTER}", "        ^"]
    with pytest.raises(ConfigError) as caught:
        load({"seeds": 0})
    assert str(caught.value) == seeds  # a mapping has no lines, and the sentence names the key


@pytest.mark.parametrize("grid", ["abc", "3", "true", "'@'", "[relu, tanh]", "[[relu]]", "[null]", "[]"])
@pytest.mark.parametrize("seeds", ["", "seeds: 5\n"])
def test_a_grid_that_is_none_is_told_and_nothing_else(sweep: Load, grid: str, seeds: str) -> None:
    for text, overrides in ((f"{seeds}grid: {grid}", []), (seeds or "seeds: 1", [f"grid={grid}"])):
        with pytest.raises(ConfigError) as caught:
            sweep(text, *overrides)
        for mistake in caught.value.mistakes:
            assert mistake.message.startswith(("a grid is a mapping from factors to levels, got ", "grid must have"))
            assert bool(mistake.line) is not bool(overrides)


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("grid: {activation: [▲relu，tanh]}", "'relu，tanh'; '，' is FULLWIDTH COMMA (U+FF0C), write ','"),
        ("grid: {▲activation：relu}", "'activation：relu'; '：' is FULLWIDTH COLON (U+FF1A), write ':'"),
        ("grid: {optimizer.lr: ▲−0.1}", "a number, got '−0.1'; '−' is MINUS SIGN (U+2212), write '-'"),
        ("seeds: ▲５", "got '５'; '５' is FULLWIDTH DIGIT FIVE (U+FF15), write '5'"),
        ("grid: {init: ［he▲]}", "indent; '［' is FULLWIDTH LEFT SQUARE BRACKET (U+FF3B), write '['"),
        ("grid：\n  activation▲: relu", "indent; '：' is FULLWIDTH COLON (U+FF1A), write ':'"),
        ("seeds: 3\ndata：mnist\n▲", "indent; '：' is FULLWIDTH COLON (U+FF1A), write ':'"),
        ("# a，b\ngrid: {init: [{he: , label: 甲，乙}, ▲xaver]}", "uniform, xavier, zeros)"),
    ],
)
def test_a_character_that_looks_like_one_of_yaml_is_named(sweep: Load, text: str, ending: str) -> None:
    before, _, after = text.partition("▲")
    with pytest.raises(ConfigError) as caught:
        sweep(before + after)
    (mistake,) = caught.value.mistakes
    assert mistake.message.endswith(ending)
    assert (mistake.line, mistake.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\ufeff", "\u00ad", "\x1b", "\x7f", "\u2028"])
def test_what_steers_a_terminal_or_hides_is_no_part_of_a_label(refused: Refused, character: str) -> None:
    escaped = f"\\u{ord(character):04x}"
    shown = repr(f"a{character}")
    rule = "a label must be a line of text, of 1 to 100 characters, got"
    labels = f'[{{he: , label: ▲"a{escaped}"}}, {{xavier: , label: ▲"{escaped}b"}}]'
    refused(f"grid: {{init: {labels}}}", f"{rule} {shown}", f"{rule} {shown[:1]}{shown[2:-1]}b'")


def test_forbidden_characters_are_all_told(refused: Refused) -> None:
    forbidden = "a control character, which YAML does not allow; take it out"
    reorders = "a character that reorders the text around it; take it out"
    text = "name: a▲\u202eb # ▲\u2067\ngrid:\n  init: [{he: , label: ▲\x1bx}, {xavier: , label: é▲\u202dy}]\n▲\0"
    refused(text, reorders, reorders, forbidden, reorders, forbidden)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("train: {iterations: ▲1_000}", "train.iterations must be a whole number, got '1_000'; write 1000"),
        ("train: {batch_size: ▲'10,000'}", "train.batch_size must be a whole number, got '10,000'; write 10000"),
        ("train: {batch_size: ▲1_0}", "train.batch_size must be a whole number, got '1_0'"),
        ("train: {iterations: ▲1e30}", "train.iterations must be a whole number, got 1e30"),
        ("grid: {optimizer.lr: ▲1 000.5}", "optimizer.lr must be a number, got '1 000.5'; write 1000.5"),
        ("seeds: ▲1_000", "seeds must be a count of at least 1, or a list such as [0, 1, 2], got '1_000'; write 1000"),
        ("seeds: [▲1_000]", "a seed must be a whole number of at least 0, got '1_000'; write 1000"),
        ("seeds: [1, ▲1.0]", "the seed 1 is given twice"),
    ],
)
def test_numbers_in_other_spellings(refused: Refused, text: str, sentence: str) -> None:
    refused(text, sentence)


def test_a_whole_number_may_have_a_point_or_an_exponent(sweep: Load) -> None:
    config = sweep("{train: {iterations: 1e3, batch_size: 10.0}, model: {mlp: {hidden: [1e2, 50.0]}}, seeds: 3.0}")
    plain = sweep("{train: {iterations: 1000, batch_size: 10}, model: {mlp: {hidden: [100, 50]}}, seeds: 3}")
    assert [run.id for run in config.runs()] == [run.id for run in plain.runs()]
    assert config.resolved() == plain.resolved()
    assert sweep("seeds: [0.0, 2e0]\ngrid: {train.batch_size: [1e1, 20.0]}").levels("train.batch_size") == ("10", "20")


@pytest.mark.parametrize(
    ("key", "in_grid", "at_the_top"),
    [
        ("lr", "'optimizer.lr'", "'grid: {optimizer.lr: …}'"),
        ("learning_rate", "'optimizer.lr'", "'grid: {optimizer.lr: …}'"),
        ("hidden", "'model.hidden'", "'model: {mlp: {hidden: …}}'"),
        ("epochs", "'train.epochs'", "'train: {epochs: …}'"),
        ("sgd", "'optimizer: sgd'", "'grid: {optimizer: sgd}'"),
        ("saddle", "'model: saddle'", "'model: saddle'"),
        ("every", "'schedule.every'", "'grid: {schedule.every: …}' or 'evaluate: {every: …}'"),
        ("dropout", "'regularizer: dropout' or ", "'grid: {regularizer: dropout}' or "),
    ],
)
def test_a_name_without_its_field_is_understood(sweep: Load, key: str, in_grid: str, at_the_top: str) -> None:
    for text, said in ((f"grid: {{{key}: [1, 2]}}", f"no factor {key!r}; did you mean {in_grid}"),
                       (f"{key}: 3", f"no key {key!r}; did you mean {at_the_top}")):  # fmt: skip
        with pytest.raises(ConfigError, match=re.escape(said)):
            sweep(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("plots: [▲response]", None),
        ("plots: [▲{response: {y: loss}}]\ngrid: {activation: [relu, tanh]}", None),
        ("plots: [▲{response: {y: loss}}]\nmodel: saddle", None),
        (
            "plots: [response: {x: ▲optimizer.alpha}]\ngrid: {optimizer.lr: [0.1, 1]}",
            "plots.response.x must name a numeric setting of this sweep, got 'optimizer.alpha'; did you mean "
            "'optimizer.lr'? (choices: data.validation, optimizer.lr, train.batch_size, train.iterations)",
        ),
    ],
)
def test_a_plot_along_a_number_needs_one_that_varies(refused: Refused, text: str, sentence: str | None) -> None:
    none = "response shows a numeric setting, and none varies in this sweep; give several values of one, such as grid: "
    refused(text, sentence or none + "{optimizer.lr: [0.01, 0.1]}")


TWO = "grid: {activation: [relu, tanh], init: [he, xavier]}"
ADD = "add one to grid, such as init: [he, xavier]"
CROSSED = "luck needs crossed seeds, such as seeds: {init: 10, batches: 10}"
PAIR = "interaction needs two factors that vary, and"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("plots: [▲luck]", CROSSED),
        ("plots: [▲{luck: {y: loss}}]\nseeds: {init: 1}", CROSSED),
        ("plots: [▲interaction]\ngrid: {init: [he, xavier]}", f"{PAIR} one varies here; {ADD}"),
        (
            "plots: [▲interaction]\ngrid: {'init, activation': [[he, relu], [xavier, tanh]]}",
            f"{PAIR} one varies here; {ADD}",
        ),
        ("plots: [▲interaction]", f"{PAIR} none varies here; {ADD}"),
        (f"plots: [▲interaction]\n{TWO}\nexclude: [{{init: he}}]", f"{PAIR} one varies here; {ADD}"),
        (
            f"plots: [▲interaction]\n{TWO}\nseeds: {{init: 2}}",
            "interaction needs plain seeds, such as seeds: 10; of crossed ones, luck shows the sources",
        ),
        ("plots: [▲effects]", f"effects needs a factor that varies; {ADD}"),
        (
            f"plots: [▲effects]\n{TWO}\nexclude: [{{init: he, activation: relu}}]",
            "effects needs every combination of levels, and exclude keeps 3 of 4; take the plot out, and see dlsweep "
            "effects, which then shows the effects of single factors",
        ),
        ("plots: [▲churn]\nseeds: 1", "churn compares the seeds of an arm, and there is one; write seeds: 2 or more"),
        ("plots: [▲gap]\nevaluate: {on: [train]}", "gap compares train with test; add test to evaluate.on"),
        ("plots: [▲layers]", "layers needs measurements of layers; add evaluate: {layers: true}"),
    ],
)
def test_a_plot_needs_what_it_shows(refused: Refused, text: str, sentence: str) -> None:
    refused(text, sentence)


@pytest.mark.parametrize(
    "text",
    [
        "plots: [luck]\nseeds: {init: 2}",
        f"plots: [effects, interaction, churn]\n{TWO}",
        f"plots: [effects]\n{TWO}\nexclude: [{{init: he}}]",
        "plots: [interaction]\ngrid: [{init: [he, xavier]}, {activation: [relu, tanh]}]",
        "plots: [gap]\nevaluate: {on: [batch, test]}",
    ],
)
def test_a_plot_has_what_it_needs(sweep: Load, text: str) -> None:
    assert sweep(text).plots


@pytest.mark.parametrize(
    "text",
    [
        "plots: [response]\ngrid: {optimizer.lr: [0.1, 1]}",
        "plots: [response]\ngrid: {optimizer: {sgd: [0.1, 1]}}",
        "plots: [response: {x: optimizer.alpha}]\ngrid: {optimizer: [sgd, {momentum: {alpha: [0.1, 0.9]}}]}",
        "plots: [response: {x: regularizer.ratio}]\ngrid: {regularizer: dropout, regularizer.ratio: [0.1, 0.2]}",
        "plots: [response: {x: optimizer.lr}]",
    ],
)
def test_plots_along_a_number(sweep: Load, text: str) -> None:
    assert sweep(text).plots


def test_one_list_for_a_setting_that_is_a_list_is_noted(sweep: Load, tmp_path: Path) -> None:
    said = "model.mlp.hidden has one level, [50, 100]; for 2 levels, write [[50], [100]]"
    assert sweep("grid:\n  model.mlp.hidden: [50, 100]").notes == (f"{tmp_path / 'sweep.yaml'}:2:21: {said}",)
    assert sweep("seeds: 1", "grid.model.mlp.hidden=50,100").notes == (f"command line: {said}",)
    for grid in (
        "model.hidden: [50]",
        "model.mlp.hidden: [[50, 100]]",
        "model: {mlp: {hidden: [50, 100]}}",
        "init: he",
    ):
        assert sweep(f"grid: {{{grid}}}").notes == ()
    assert sweep("model: saddle\ngrid: {model.start: [1, 2]}").notes == ()
