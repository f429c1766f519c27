"""Convolutional networks as a plain, good PyTorch loop: a module and an optimizer per run, one at a time, float32.

Before, it tries 1 and 2 threads, and channels before or after height and width in memory, and takes the fastest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import product

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bench import common
from bench import convolution_jobs as jobs

BLOCK = 250  # test images that go forward together: the quickest of 100, 250, 500 and 1000
TRIES = 10  # of each way, of which the quickest counts
LAYOUTS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
Images = tuple[torch.Tensor, torch.Tensor]


def modules(name: str) -> list[nn.Module]:
    """The layers of a network."""
    if name == jobs.SIMPLE_CNN.name:
        dense = [nn.Flatten(), nn.Linear(30 * 12 * 12, 100), nn.ReLU(), nn.Linear(100, 10)]
        return [nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), *dense]
    return [
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 120, 5), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    ]


def network(name: str, weights: Iterable[np.ndarray]) -> nn.Sequential:
    """A network with its initial weights."""
    model = nn.Sequential(*modules(name))
    with torch.no_grad():
        for module, w in zip((m for m in model if isinstance(m, nn.Conv2d | nn.Linear)), weights, strict=True):
            module.weight.copy_(torch.from_numpy(w))
            module.bias.zero_()
    return model


def optimizer(model: nn.Module, lr: float) -> torch.optim.Optimizer:
    """Adam."""
    return torch.optim.Adam(model.parameters(), lr=lr, eps=1e-7)


def step(model: nn.Module, adam: torch.optim.Optimizer, x: torch.Tensor, t: torch.Tensor) -> None:
    """A step of training."""
    adam.zero_grad()
    F.cross_entropy(model(x), t).backward()
    adam.step()


@torch.inference_mode()
def evaluate(model: nn.Module, x: torch.Tensor, t: torch.Tensor) -> tuple[float, float]:
    """Loss and accuracy."""
    loss, correct = 0.0, 0
    for images, labels in zip(x.split(BLOCK), t.split(BLOCK), strict=True):
        logits = model(images)
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        correct += int((logits.argmax(1) == labels).sum())
    return loss / len(t), correct / len(t)


def train_one(
    job: jobs.Job, lr: float, seed: int, layout: torch.memory_format, training: Images, test: Images
) -> float:
    """A run's accuracy on the test images at the end."""
    model = network(job.name, job.weights(seed)).to(memory_format=layout)  # type: ignore[call-overload]
    adam = optimizer(model, lr)
    (x_train, t_train), (x_test, t_test) = training, test
    batches = torch.from_numpy(common.minibatches(seed, job.iterations, len(x_train)))
    evaluate(model, x_train[batches[0]], t_train[batches[0]])
    _, accuracy = evaluate(model, x_test, t_test)
    for iteration, batch in enumerate(batches, start=1):
        x, t = x_train[batch], t_train[batch]
        step(model, adam, x, t)
        if iteration % job.every == 0:
            evaluate(model, x, t)
            _, accuracy = evaluate(model, x_test, t_test)
    return accuracy


def quickest(model: nn.Module, work: Callable[[], object]) -> tuple[torch.memory_format, str]:
    """Set the fastest layout and number of threads for some work; return the layout, and both in words."""
    seconds = {}

    def take(threads: int, layout: str) -> None:
        torch.set_num_threads(threads)
        model.to(memory_format=LAYOUTS[layout])  # type: ignore[call-overload]

    for way in product((1, 2), LAYOUTS):
        take(*way)
        seconds[way] = min(_seconds(work) for _ in range(TRIES))
    threads, layout = min(seconds, key=seconds.__getitem__)
    take(threads, layout)
    return LAYOUTS[layout], f"{threads} thread{'s' * (threads > 1)}, {layout}"


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _tensors(job: jobs.Job) -> tuple[Images, Images]:
    data = jobs.read(job)
    arrays = (data.x_train, data.t_train), (data.x_test, data.t_test)
    training, test = (tuple(map(torch.from_numpy, pair)) for pair in arrays)
    return training, test


def training(job: jobs.Job) -> common.Report:
    """All runs of the job, one after the other."""
    data, (x_test, t_test) = _tensors(job)
    test = x_test[: job.tested], t_test[: job.tested]
    x, t = (a[: common.BATCH_SIZE] for a in data)
    model = network(job.name, job.weights(0))
    adam = optimizer(model, 0.001)
    begin = time.perf_counter()
    layout, way = quickest(model, lambda: step(model, adam, x, t))
    start = time.perf_counter()
    accuracies = [train_one(job, lr, seed, layout, data, test) for lr, seed in job.settings]
    return common.Report(
        job.runs,
        job.evaluations,
        time.perf_counter() - start,
        compile_seconds=start - begin,
        test_accuracy={job.name: float(np.mean(accuracies))},
        note=way,
        versions=common.versions("torch"),
    )


def evaluation(job: jobs.Job) -> common.Report:
    """The untrained networks on the test images."""
    _, (x, t) = _tensors(job)
    models = [network(job.name, job.weights(seed)) for _, seed in job.settings]
    layout, way = quickest(models[0], lambda: evaluate(models[0], x[: 2 * BLOCK], t[: 2 * BLOCK]))
    models = [model.to(memory_format=layout) for model in models]  # type: ignore[call-overload]
    start = time.perf_counter()
    for model in models:
        evaluate(model, x, t)
    return common.Report(job.runs, 1, time.perf_counter() - start, note=way, versions=common.versions("torch"))


if __name__ == "__main__":
    jobs.main({"training": training, "evaluation": evaluation})
