"""The PyTorch loop that `bench.convolution` measures trains what dlsweep trains, from the same weights, in float32."""

import numpy as np
import pytest
import torch
from bench import convolution_jobs as jobs
from bench import torch_convolution as loop
from tests.support.by_hand import ByHand

import dlsweep
from dlsweep.datasets import Arrays, Dataset

SAMPLES, STEPS = 20, 10


@pytest.mark.parametrize("layout", loop.LAYOUTS)
@pytest.mark.parametrize("job", jobs.JOBS.values(), ids=list(jobs.JOBS))
def test_ten_steps(job, layout):
    rng = np.random.default_rng(0)
    x, t = rng.random((SAMPLES, *jobs.IMAGE), np.float32), rng.integers(10, size=SAMPLES)
    arrays = Arrays(x, t, x[:0], t[:0], x, t)
    sizes = {"train": SAMPLES, "validation": 0, "test": SAMPLES}
    runs = list(dlsweep.plan(dlsweep.load(jobs.config(job))).missing(()))
    stack = ByHand(runs, Dataset("same", jobs.IMAGE, 10, sizes, lambda: arrays), np.dtype(np.float32))
    batch = {seed: stack.gather(seed, np.arange(SAMPLES)) for seed in stack.slices}
    stack.begin(batch)
    kernels = [p["W"] for p in stack.parameters if "W" in p]
    settings = [(runs[i].arm.optimizer.settings["lr"], runs[i].seed) for i in stack.positions]
    assert sorted(settings) == job.settings
    for r, (_, seed) in enumerate(settings):
        for kernel, w in zip(kernels, job.weights(seed), strict=True):
            kernel[r] = w
    models = [loop.network(job.name, job.weights(seed)).to(memory_format=loop.LAYOUTS[layout]) for _, seed in settings]
    adams = [loop.optimizer(model, lr) for model, (lr, _) in zip(models, settings, strict=True)]
    x, t = torch.from_numpy(x), torch.from_numpy(t)
    for step in range(1, STEPS + 1):
        stack.step(step, STEPS, batch)
        stack.evaluate(step, batch)
        losses, accuracies = (stack.rows[-1][name] for name in ("loss", "accuracy"))
        for r, (model, adam) in enumerate(zip(models, adams, strict=True)):
            loop.step(model, adam, x, t)
            loss, accuracy = loop.evaluate(model, x, t)
            np.testing.assert_allclose(losses[r], loss, rtol=2e-4, err_msg=f"step {step}")
            assert abs(accuracies[r] - accuracy) <= 1 / SAMPLES
