"""The techniques as a plain, good PyTorch loop: a module and an optimizer per run, one run after the other, float32."""

from __future__ import annotations

import sys

import torch
from torch import nn
from torch.nn import functional as F

from bench import common, jobs
from bench.torch_loop import evaluate


def network(job: jobs.Job, arm: dict[str, float], seed: int) -> nn.Sequential:
    """A run's network with its initial weights."""
    layers: list[nn.Module] = []
    for w in jobs.initial_weights(seed):
        dense = nn.Linear(*w.shape)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(w.T))
            dense.bias.zero_()
        normalization = [nn.BatchNorm1d(w.shape[1])] if job.name == jobs.BATCH_NORM.name else []
        dropout = [nn.Dropout(arm["ratio"])] if "ratio" in arm else []
        layers += [dense, *normalization, nn.ReLU(), *dropout]
    last = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear))
    return nn.Sequential(*layers[: last + 1])


def train_one(job: jobs.Job, arm: dict[str, float], seed: int, data: tuple[torch.Tensor, ...]) -> list[float]:
    """A run's accuracies on the test images."""
    x_train, t_train, x_test, t_test = data
    torch.manual_seed(seed)
    model = network(job, arm, seed)
    adam = job.name == jobs.ADAM.name
    optimizer: torch.optim.Optimizer = (
        torch.optim.Adam(model.parameters(), lr=arm["lr"], eps=1e-7)
        if adam
        else torch.optim.SGD(model.parameters(), lr=arm["lr"])
    )
    batches = torch.from_numpy(common.minibatches(seed, job.iterations, len(x_train)))

    def metrics(x: torch.Tensor, t: torch.Tensor) -> float:
        model.eval()
        evaluate(model, x, t)
        _, accuracy = evaluate(model, x_test, t_test)
        model.train()
        return accuracy

    accuracies = [metrics(x_train[batches[0]], t_train[batches[0]])]
    for iteration, batch in enumerate(batches, start=1):
        x, t = x_train[batch], t_train[batch]
        optimizer.zero_grad()
        F.cross_entropy(model(x), t).backward()
        optimizer.step()
        if iteration % job.every == 0:
            accuracies.append(metrics(x, t))
    return accuracies


def measure(job: jobs.Job) -> common.Report:
    """All runs of the job, one after the other."""
    read = common.read_mnist(job.first)
    data = tuple(torch.from_numpy(a) for a in (read.x_train, read.t_train, read.x_test, read.t_test))
    return jobs.measured(job, lambda arm, seed: train_one(job, arm, seed, data), "torch")


if __name__ == "__main__":
    jobs.main(measure, sys.argv[1:])
