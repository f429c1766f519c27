"""The sweep with scikit-learn's MLPClassifier, as far as its options allow: one run after the other, float32.

It has the network, the optimizer and steps on given minibatches (`partial_fit`). It has only its own initialization
(uniform, by fan-in and fan-out), which replaces each of the three; the arithmetic is the same.
"""

from __future__ import annotations

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from bench import common

NAMES = {"sigmoid": "logistic", "relu": "relu"}


def evaluate(model: MLPClassifier, x: np.ndarray, t: np.ndarray) -> tuple[float, float]:
    """Loss and accuracy."""
    p = model.predict_proba(x)
    return -np.log(p[np.arange(len(t)), t] + 1e-12).mean(), (p.argmax(1) == t).mean()


def train_one(activation: str, seed: int, job: common.Job, data: common.Data) -> list[tuple[float, ...]]:
    """The curve of one run, `(evaluations, METRICS)`."""
    model = MLPClassifier(
        hidden_layer_sizes=common.SIZES[1:-1],
        activation=NAMES[activation],
        solver="sgd",
        alpha=0,
        momentum=0,
        nesterovs_momentum=False,
        learning_rate_init=common.LR,
        batch_size=common.BATCH_SIZE,
        random_state=seed,
    )
    classes, curve = np.arange(common.SIZES[-1]), []
    for iteration, batch in enumerate(common.minibatches(seed, job.iterations, len(data.x_train)), start=1):
        x, t = data.x_train[batch], data.t_train[batch]
        model.partial_fit(x, t, classes=classes)
        # A model has weights only from its first step on: that stands in for iteration 0.
        if iteration == 1 or iteration % common.EVERY == 0:
            curve.append(evaluate(model, x, t) + evaluate(model, data.x_test, data.t_test))
    return curve


def train(job: common.Job, data: common.Data) -> common.Curves:
    """All runs of the job, one after the other."""
    sklearn.set_config(assume_finite=True)  # spares it a look for NaN in every array
    return {
        (activation, init): np.array([train_one(activation, seed, job, data) for seed in range(job.seeds)])
        for activation in common.ACTIVATIONS
        for init in ("own", "own again", "own once more")
    }


if __name__ == "__main__":
    common.main(common.timed(train, "scikit-learn", "numpy"))
