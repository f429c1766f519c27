"""The committed 2×3 sweep on real MNIST ends where careful measurements say that it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

import dlsweep

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).parents[1] / "configs" / "activation_init.yaml"


def test_relu_learns_with_he_and_sigmoid_does_not_with_small_gaussians(tmp_path: Path) -> None:
    """After 1000 iterations: 0.1135, the share of the most frequent class, and about 0.87; means of five seeds."""
    arms = "only=[{activation: sigmoid, init: normal}, {activation: relu, init: he}]"
    config = dlsweep.load(CONFIG, [arms, "evaluate.every=1000", "seeds=5", "claims=[]"])
    runs = dlsweep.run(config, output=tmp_path).runs
    assert runs.groupby("activation", observed=True).seed.count().to_dict() == {"sigmoid": 5, "relu": 5}
    accuracy = runs.groupby("activation", observed=True).final_test_accuracy
    assert set(accuracy.get_group("sigmoid")) == {0.1135}
    assert accuracy.get_group("relu").mean() == pytest.approx(0.87, abs=0.02)
