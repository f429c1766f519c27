"""The overfitting job as an introductory textbook writes it: `bench.textbook` with weight decay and dropout layers."""

from __future__ import annotations

import sys

import numpy as np

from bench import common, jobs, textbook


class Dropout:
    """While training, some outputs are 0 and the rest is scaled up."""

    def __init__(self, ratio, rng):
        self.ratio, self.rng = ratio, rng
        self.training = False

    def forward(self, x):
        if not self.training:
            return x
        self.mask = (self.rng.random(x.shape) >= self.ratio) / (1 - self.ratio)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class Network(textbook.Network):
    """With penalties on the weights, and a dropout after each activation."""

    def __init__(self, weights, rng, *, l1=0.0, l2=0.0, ratio=0.0):
        super().__init__(textbook.ReLU, weights)
        self.l1, self.l2 = l1, l2
        if ratio:
            pairs = [(layer, Dropout(ratio, rng)) for layer in self.layers]
            self.layers = [
                layer
                for dense_or_relu, dropout in pairs
                for layer in ([dense_or_relu, dropout] if isinstance(dense_or_relu, textbook.ReLU) else [dense_or_relu])
            ]

    def dense(self):
        return [layer for layer in self.layers if isinstance(layer, textbook.Dense)]

    def train(self, training):
        for layer in self.layers:
            layer.training = training

    def loss(self, x, t):
        penalty = sum(0.5 * self.l2 * np.sum(d.w**2) + self.l1 * np.sum(np.abs(d.w)) for d in self.dense())
        return super().loss(x, t) + penalty

    def step(self, x, t, lr):
        self.train(True)
        self.loss(x, t)
        dy = self.criterion.backward()
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        for layer in self.dense():
            layer.w -= lr * (layer.dw + self.l2 * layer.w + self.l1 * np.sign(layer.w))
            layer.b -= lr * layer.db
        self.train(False)


def train_one(job, arm, seed, data):
    """A run's metrics on the training and the test images, epoch by epoch."""
    x_pool, t_pool, x_test, t_test = data
    rng = np.random.default_rng([seed, 2])
    chosen = rng.permutation(len(x_pool))[: jobs.IMAGES]
    x_train, t_train = x_pool[chosen], t_pool[chosen]
    network = Network([w.astype(np.float64) for w in jobs.initial_weights(seed)], rng, **arm)
    curve = [network.evaluate(x_train, t_train) + network.evaluate(x_test, t_test)]
    for _ in range(job.iterations // jobs.EPOCH):
        for batch in np.split(rng.permutation(jobs.IMAGES), jobs.EPOCH):
            network.step(x_train[batch], t_train[batch], jobs.LR)
        curve.append(network.evaluate(x_train, t_train) + network.evaluate(x_test, t_test))
    return curve


def measure(job: jobs.Job) -> common.Report:
    """All runs of the job, one after the other."""
    read = common.read_mnist(job.first)
    one_hot = np.eye(jobs.SIZES[-1])
    data = (
        read.x_train.astype(np.float64),
        one_hot[read.t_train],
        read.x_test.astype(np.float64),
        one_hot[read.t_test],
    )
    return jobs.measured(job, lambda arm, seed: [accuracy for *_, accuracy in train_one(job, arm, seed, data)], "numpy")


if __name__ == "__main__":
    jobs.main(measure, sys.argv[1:])
