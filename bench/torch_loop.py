"""The sweep as a plain, good PyTorch loop: a module and an optimizer per run, one run after the other, float32."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bench import common

LAYERS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}


def network(activation: str, init: str, seed: int) -> nn.Sequential:
    """A run's network with its initial weights."""
    layers: list[nn.Module] = []
    for w in common.initial_weights(init, seed):
        dense = nn.Linear(*w.shape)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(w.T))
            dense.bias.zero_()
        layers += [dense, LAYERS[activation]()]
    return nn.Sequential(*layers[:-1])


@torch.inference_mode()
def evaluate(model: nn.Module, x: torch.Tensor, t: torch.Tensor) -> tuple[float, float]:
    """Loss and accuracy."""
    logits = model(x)
    return F.cross_entropy(logits, t).item(), (logits.argmax(1) == t).float().mean().item()


def train(job: common.Job, data: common.Data) -> common.Curves:
    """All runs of the job, one after the other."""
    x_train, t_train = torch.from_numpy(data.x_train), torch.from_numpy(data.t_train)
    x_test, t_test = torch.from_numpy(data.x_test), torch.from_numpy(data.t_test)

    def train_one(activation: str, init: str, seed: int) -> list[tuple[float, ...]]:
        model = network(activation, init, seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=common.LR)
        batches = torch.from_numpy(common.minibatches(seed, job.iterations, len(x_train)))
        x, t = x_train[batches[0]], t_train[batches[0]]
        curve = [evaluate(model, x, t) + evaluate(model, x_test, t_test)]
        for iteration, batch in enumerate(batches, start=1):
            x, t = x_train[batch], t_train[batch]
            optimizer.zero_grad()
            F.cross_entropy(model(x), t).backward()
            optimizer.step()
            if iteration % common.EVERY == 0:
                curve.append(evaluate(model, x, t) + evaluate(model, x_test, t_test))
        return curve

    return {
        (activation, init): np.array([train_one(activation, init, seed) for seed in range(job.seeds)])
        for activation in common.ACTIVATIONS
        for init in common.INITS
    }


if __name__ == "__main__":
    common.main(common.timed(train, "torch"))
