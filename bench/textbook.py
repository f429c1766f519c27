"""The sweep as an introductory textbook writes it: NumPy in float64, a class per layer, one run after the other.

A network has one method for its loss and one for its accuracy, each with its own forward pass. An evaluation uses both.
`bench.textbook_once` has a single forward pass for both.
"""

from __future__ import annotations

import numpy as np

from bench import common


class Dense:
    """y = x W + b."""

    def __init__(self, w):
        self.w = w
        self.b = np.zeros(w.shape[1])

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, dy):
        self.dw = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.w.T


class Sigmoid:
    """y = 1 / (1 + exp(-x))."""

    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)


class ReLU:
    """y = max(x, 0)."""

    def forward(self, x):
        self.positive = x > 0
        return x * self.positive

    def backward(self, dy):
        return dy * self.positive


class SoftmaxCrossEntropy:
    """Mean cross-entropy of the softmax of the logits with one-hot targets."""

    def forward(self, logits, t):
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        self.p, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.sum(t * np.log(self.p + 1e-12)) / len(t)

    def backward(self):
        return (self.p - self.t) / len(self.t)


class Network:
    """Dense layers with an activation between them."""

    def __init__(self, activation, weights):
        self.layers = []
        for w in weights:
            self.layers += [Dense(w), activation()]
        self.layers.pop()  # the last layer gives logits
        self.criterion = SoftmaxCrossEntropy()

    def predict(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        return self.criterion.forward(self.predict(x), t)

    def accuracy(self, x, t):
        return np.mean(self.predict(x).argmax(axis=1) == t.argmax(axis=1))

    def step(self, x, t, lr):
        """One step of gradient descent."""
        self.loss(x, t)
        dy = self.criterion.backward()
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        for layer in self.layers:
            if isinstance(layer, Dense):
                layer.w -= lr * layer.dw
                layer.b -= lr * layer.db

    def evaluate(self, x, t):
        return self.loss(x, t), self.accuracy(x, t)


def train(job: common.Job, data: common.Data, network: type[Network] = Network) -> common.Curves:
    """All runs of the job, one after the other."""
    x_train, x_test = data.x_train.astype(np.float64), data.x_test.astype(np.float64)
    t_train, t_test = np.eye(common.SIZES[-1])[data.t_train], np.eye(common.SIZES[-1])[data.t_test]
    curves = {}
    for name, activation in zip(common.ACTIVATIONS, (Sigmoid, ReLU), strict=True):
        for init in common.INITS:
            curves[name, init] = np.array(
                [
                    train_one(network(activation, weights(init, seed)), seed, job, x_train, t_train, x_test, t_test)
                    for seed in range(job.seeds)
                ]
            )
    return curves


def weights(init, seed):
    """A run's initial weights."""
    return [w.astype(np.float64) for w in common.initial_weights(init, seed)]


def train_one(network, seed, job, x_train, t_train, x_test, t_test):
    """The curve of one run, `(evaluations, METRICS)`."""
    batches = common.minibatches(seed, job.iterations, len(x_train))
    x, t = x_train[batches[0]], t_train[batches[0]]
    curve = [network.evaluate(x, t) + network.evaluate(x_test, t_test)]
    for iteration, batch in enumerate(batches, start=1):
        x, t = x_train[batch], t_train[batch]
        network.step(x, t, common.LR)
        if iteration % common.EVERY == 0:
            curve.append(network.evaluate(x, t) + network.evaluate(x_test, t_test))
    return curve


if __name__ == "__main__":
    common.main(common.timed(train, "numpy"))
