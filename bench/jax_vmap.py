"""The sweep with jax.vmap over the runs of an activation and lax.scan over the iterations, compiled whole, float32."""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench import common

FUNCTIONS = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}


def train_one(act, params, batches, data):
    """The curve of one run, `(evaluations, METRICS)`; params: a weight and a bias per layer."""
    x_train, t_train, x_test, t_test = data

    def logits(params, x):
        *hidden, (w_out, b_out) = params
        for w, b in hidden:
            x = act(x @ w + b)
        return x @ w_out + b_out

    def cross_entropy(y, t):
        return -jnp.take_along_axis(jax.nn.log_softmax(y), t[:, None], 1).mean()

    def measure(params, x, t):
        y = logits(params, x)
        return jnp.stack([cross_entropy(y, t), (y.argmax(1) == t).mean()])

    def evaluate(params, rows):
        return jnp.concatenate([measure(params, x_train[rows], t_train[rows]), measure(params, x_test, t_test)])

    def step(params, rows):
        x, t = x_train[rows], t_train[rows]
        gradient = jax.grad(lambda params: cross_entropy(logits(params, x), t))(params)
        return jax.tree.map(lambda p, g: p - common.LR * g, params, gradient), None

    def block(params, rows):
        params, _ = lax.scan(step, params, rows)
        return params, evaluate(params, rows[-1])

    first = evaluate(params, batches[0])
    _, rest = lax.scan(block, params, batches.reshape(-1, common.EVERY, common.BATCH_SIZE))
    return jnp.concatenate([first[None], rest])


def train(job: common.Job, data: common.Data) -> tuple[common.Curves, float]:
    """All runs of the job, a stack per activation; and the seconds of compilation."""
    arrays = tuple(map(jnp.asarray, (data.x_train, data.t_train, data.x_test, data.t_test)))
    batches = np.stack([common.minibatches(s, job.iterations, len(data.x_train)) for s in range(job.seeds)])
    stacks = [list(common.initial_weights(i, s)) for i in common.INITS for s in range(job.seeds)]
    params = [(jnp.stack(w), jnp.zeros((len(w), w[0].shape[1]))) for w in zip(*stacks, strict=True)]
    rows = jnp.tile(batches, (len(common.INITS), 1, 1))

    compile_seconds, curves = 0.0, {}
    for activation in common.ACTIVATIONS:
        start = time.perf_counter()
        together = jax.jit(jax.vmap(train_one, in_axes=(None, 0, 0, None)), static_argnums=0)
        compiled = together.lower(FUNCTIONS[activation], params, rows, arrays).compile()
        compile_seconds += time.perf_counter() - start
        result = np.asarray(compiled(params, rows, arrays)).reshape(len(common.INITS), job.seeds, job.evaluations, -1)
        curves |= {(activation, init): c for init, c in zip(common.INITS, result, strict=True)}
    return curves, compile_seconds


if __name__ == "__main__":
    common.main(common.timed(train, "jax", "jaxlib"))
