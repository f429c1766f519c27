"""The sweep with torch.func: the runs of an activation are one stack, vmap(grad) computes its gradients, float32."""

from __future__ import annotations

import numpy as np
import torch
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from bench import common
from bench.torch_loop import network

TEST_BLOCK = 2000


def train(job: common.Job, data: common.Data) -> common.Curves:
    """All runs of the job, a stack per activation."""
    x_train, t_train = torch.from_numpy(data.x_train), torch.from_numpy(data.t_train)
    x_test, t_test = torch.from_numpy(data.x_test), torch.from_numpy(data.t_test)
    # Blocks of the test images take a fifth less time than all at once: a stack's intermediates are large.
    test_blocks = list(zip(x_test.split(TEST_BLOCK), t_test.split(TEST_BLOCK), strict=True))
    batches = torch.from_numpy(
        np.stack([common.minibatches(s, job.iterations, len(x_train)) for s in range(job.seeds)])
    )

    def train_stack(activation: str) -> np.ndarray:
        """`(inits, seeds, evaluations, METRICS)`."""
        models = [network(activation, init, seed) for init in common.INITS for seed in range(job.seeds)]
        skeleton = network(activation, "he", 0).to("meta")
        params, _ = stack_module_state(models)
        params = {k: v.detach() for k, v in params.items()}

        def loss(params, x, t):
            return F.cross_entropy(functional_call(skeleton, params, (x,)), t)

        def measure(params, x, t):
            logits = functional_call(skeleton, params, (x,))
            return torch.stack([F.cross_entropy(logits, t), (logits.argmax(1) == t).float().mean()])

        gradients = vmap(grad(loss))
        measure_batch, measure_test = vmap(measure), vmap(measure, in_dims=(0, None, None))

        def evaluate(params, x, t):
            blocks = [measure_test(params, *block) for block in test_blocks]
            return torch.cat([measure_batch(params, x, t), torch.stack(blocks).mean(0)], 1)

        def minibatch(i):
            rows = batches[:, i].repeat(len(common.INITS), 1)
            return x_train[rows], t_train[rows]

        with torch.no_grad():
            curve = [evaluate(params, *minibatch(0))]
            for i in range(job.iterations):
                x, t = minibatch(i)
                g = gradients(params, x, t)
                params = {k: params[k] - common.LR * g[k] for k in params}
                if (i + 1) % common.EVERY == 0:
                    curve.append(evaluate(params, x, t))
        return torch.stack(curve, 1).numpy().reshape(len(common.INITS), job.seeds, job.evaluations, -1)

    return {
        (activation, init): curves
        for activation in common.ACTIVATIONS
        for init, curves in zip(common.INITS, train_stack(activation), strict=True)
    }


if __name__ == "__main__":
    common.main(common.timed(train, "torch"))
