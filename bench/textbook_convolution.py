"""`simple_cnn` as an introductory textbook writes it: im2col in NumPy, float64, a class per layer, one run at a time.

Images are `(N, C, H, W)`. Loss and accuracy come from the same forward pass, as for all other contenders. Steps and
evaluations are timed separately on one run, and extrapolated to the whole job.
"""

from __future__ import annotations

import time

import numpy as np

from bench import common
from bench import convolution_jobs as jobs
from bench.textbook import ReLU, SoftmaxCrossEntropy

BLOCK = 100  # images that go forward together
STEPS, IMAGES = 40, 2000  # that are timed


def im2col(x, height, width, stride=1):
    """The values under a window, with a row for each of its positions: `(N · OH · OW, C · height · width)`."""
    n, c, h, w = x.shape
    oh, ow = (h - height) // stride + 1, (w - width) // stride + 1
    seen = np.zeros((n, c, height, width, oh, ow))
    for i in range(height):
        for j in range(width):
            seen[:, :, i, j] = x[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]
    return seen.transpose(0, 4, 5, 1, 2, 3).reshape(n * oh * ow, -1)


def col2im(columns, shape, height, width, stride=1):
    """Add every number of `columns` at the pixel from which im2col took it, in images of a shape."""
    n, c, h, w = shape
    oh, ow = (h - height) // stride + 1, (w - width) // stride + 1
    seen = columns.reshape(n, oh, ow, c, height, width).transpose(0, 3, 4, 5, 1, 2)
    x = np.zeros(shape)
    for i in range(height):
        for j in range(width):
            x[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride] += seen[:, :, i, j]
    return x


class Convolution:
    """The product of each kernel with the values under each window, plus a bias."""

    def __init__(self, w):
        self.w = w
        self.b = np.zeros(len(w))

    def forward(self, x):
        filters, _, height, width = self.w.shape
        n, _, h, w = self.shape = x.shape
        self.columns = im2col(x, height, width)
        y = self.columns @ self.w.reshape(filters, -1).T + self.b
        return y.reshape(n, h - height + 1, w - width + 1, filters).transpose(0, 3, 1, 2)

    def backward(self, dy):
        filters, _, height, width = self.w.shape
        dy = dy.transpose(0, 2, 3, 1).reshape(-1, filters)
        self.dw = (self.columns.T @ dy).T.reshape(self.w.shape)
        self.db = dy.sum(axis=0)
        return col2im(dy @ self.w.reshape(filters, -1), self.shape, height, width)


class MaxPool:
    """The maximum of each square of 2×2."""

    def forward(self, x):
        n, c, h, w = self.shape = x.shape
        columns = im2col(x, 2, 2, stride=2).reshape(-1, 4)
        self.where = columns.argmax(axis=1)
        return columns.max(axis=1).reshape(n, h // 2, w // 2, c).transpose(0, 3, 1, 2)

    def backward(self, dy):
        dy = dy.transpose(0, 2, 3, 1).ravel()
        columns = np.zeros((len(dy), 4))
        columns[np.arange(len(dy)), self.where] = dy
        return col2im(columns, self.shape, 2, 2, stride=2)


class Dense:
    """y = W x + b, of samples of any shape."""

    def __init__(self, w):
        self.w = w
        self.b = np.zeros(len(w))

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(len(x), -1)
        return self.x @ self.w.T + self.b

    def backward(self, dy):
        self.dw = dy.T @ self.x
        self.db = dy.sum(axis=0)
        return (dy @ self.w).reshape(self.shape)


class Adam:
    """Adam, with both bias corrections."""

    def __init__(self, lr, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2 = lr, beta1, beta2
        self.t, self.m, self.v = 0, {}, {}

    def update(self, parameters, gradients):
        if self.t == 0:
            self.m = {k: np.zeros_like(w) for k, w in parameters.items()}
            self.v = {k: np.zeros_like(w) for k, w in parameters.items()}
        self.t += 1
        for k, g in gradients.items():
            self.m[k] += (1 - self.beta1) * (g - self.m[k])
            self.v[k] += (1 - self.beta2) * (g**2 - self.v[k])
            m = self.m[k] / (1 - self.beta1**self.t)
            v = self.v[k] / (1 - self.beta2**self.t)
            parameters[k] -= self.lr * m / (np.sqrt(v) + 1e-7)


class SimpleCNN:
    """Convolution, ReLU, pooling, dense, ReLU, dense."""

    def __init__(self, weights, lr):
        kernel, hidden, last = (w.astype(np.float64) for w in weights)
        self.layers = [Convolution(kernel), ReLU(), MaxPool(), Dense(hidden), ReLU(), Dense(last)]
        self.criterion = SoftmaxCrossEntropy()
        self.adam = Adam(lr)

    def predict(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def step(self, x, t):
        """A step of training."""
        self.criterion.forward(self.predict(x), t)
        dy = self.criterion.backward()
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        affine = {i: layer for i, layer in enumerate(self.layers) if hasattr(layer, "w")}
        parameters = {(i, k): getattr(layer, k) for i, layer in affine.items() for k in ("w", "b")}
        self.adam.update(parameters, {(i, k): getattr(affine[i], f"d{k}") for i, k in parameters})

    def evaluate(self, x, t):
        """Loss and accuracy."""
        loss = correct = 0
        for begin in range(0, len(x), BLOCK):
            images, targets = x[begin : begin + BLOCK], t[begin : begin + BLOCK]
            logits = self.predict(images)
            loss += self.criterion.forward(logits, targets) * len(images)
            correct += np.sum(logits.argmax(axis=1) == targets.argmax(axis=1))
        return loss / len(x), correct / len(x)


def _read(job):
    """The images and one-hot labels for training, and those for testing."""
    data = jobs.read(job)
    one_hot = np.eye(10)
    training, test = (data.x_train, one_hot[data.t_train]), (data.x_test.astype(np.float64), one_hot[data.t_test])
    return training, test


def training(job):
    """Train one run for some iterations, and extrapolate to all runs of the job."""
    (x_train, t_train), (x_test, t_test) = _read(job)
    x_test, t_test = x_test[: job.tested], t_test[: job.tested]
    lr, seed = job.settings[0]
    network = SimpleCNN(job.weights(seed), lr)
    steps = min(STEPS, job.iterations)
    stepping, evaluating = [], []
    for iteration, batch in enumerate(common.minibatches(seed, steps, len(x_train)), start=1):
        x, t = x_train[batch].astype(np.float64), t_train[batch]
        stepping.append(_seconds(lambda x=x, t=t: network.step(x, t)))
        if iteration % job.every == 0:
            evaluating.append(_seconds(lambda x=x, t=t: (network.evaluate(x, t), network.evaluate(x_test, t_test))))
    each = job.iterations * np.mean(stepping) + job.evaluations * np.mean(evaluating)
    note = f"counted up from one run, iterations: {len(stepping)}, evaluations: {len(evaluating)}"
    return common.Report(job.runs, job.evaluations, float(job.runs * each), note=note)


def evaluation(job):
    """Evaluate one untrained network on the test images, and extrapolate to all runs."""
    _, (x, t) = _read(job)
    lr, seed = job.settings[0]
    network = SimpleCNN(job.weights(seed), lr)
    network.evaluate(x[:BLOCK], t[:BLOCK])
    some = min(IMAGES, len(x))
    seconds = _seconds(lambda: network.evaluate(x[:some], t[:some])) * len(x) / some
    return common.Report(job.runs, 1, job.runs * seconds, note=f"counted up from one run and {some:,} images")


def _seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    jobs.main({"training": training, "evaluation": evaluation})
