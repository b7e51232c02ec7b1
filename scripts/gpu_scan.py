"""JAX's own scan over the steps that crates/cornu-xla/examples/steps.rs times: 784-128-10, batches of 32, Adam."""

import sys
import time

import jax
import jax.numpy as jnp

jax.config.update("jax_default_matmul_precision", "highest")
ROWS, BATCH, SIZES, TIMES = 60_000, 32, (784, 128, 10), 5


def loss_of(weights, x, y):
    (w1, b1), (w2, b2) = weights
    z = jax.nn.relu(x @ w1 + b1) @ w2 + b2
    z = z - jax.lax.stop_gradient(z.max(1, keepdims=True))
    return (jnp.log(jnp.exp(z).sum(1)) - jnp.take_along_axis(z, y[:, None], 1)[:, 0]).mean()


def step(state, rows, x, y):
    weights, m, v, total, count = state
    loss, slopes = jax.value_and_grad(loss_of)(weights, x[rows], y[rows])
    t = count + 1.0
    alpha = 0.001 * jnp.sqrt(1.0 - 0.999**t) / (1.0 - 0.9**t)
    m = jax.tree.map(lambda m, g: m + (g - m) * 0.1, m, slopes)
    v = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, v, slopes)
    weights = jax.tree.map(lambda w, m, v: w - m * alpha / (jnp.sqrt(v) + 1e-7), weights, m, v)
    return weights, m, v, total + loss * BATCH, t


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    keys = jax.random.split(jax.random.key(0), 4)
    limits = [(6.0 / (a + b)) ** 0.5 for a, b in zip(SIZES, SIZES[1:])]
    weights = [
        (jax.random.uniform(key, (a, b), minval=-limit, maxval=limit), jnp.zeros(b))
        for key, a, b, limit in zip(keys, SIZES, SIZES[1:], limits)
    ]
    zeros = jax.tree.map(jnp.zeros_like, weights)
    x, y = jax.random.uniform(keys[2], (ROWS, SIZES[0])), jax.random.randint(keys[3], (ROWS,), 0, SIZES[-1])
    order = (jnp.arange(steps * BATCH) * 7919 % ROWS).reshape(steps, BATCH)
    print(f"JAX {jax.__version__} on {jax.devices()[0].device_kind}; microseconds a step, {TIMES} times")
    for at_once in (1, 25, 500):

        def run(state, rows, x, y):
            return jax.lax.scan(lambda state, rows: (step(state, rows, x, y), None), state, rows)[0]

        run = jax.jit(run, donate_argnums=0)
        batches = [order[i : i + at_once] for i in range(0, steps, at_once)]
        copied = jax.tree.map(jnp.copy, (weights, zeros, zeros, jnp.float32(0), jnp.float32(0)))
        times = []
        for number in range(TIMES + 1):
            begun = time.perf_counter()
            for rows in batches[:1] if number == 0 else batches:
                copied = run(copied, rows, x, y)
            jax.block_until_ready(copied)
            times.append((time.perf_counter() - begun) * 1e6 / (1 if number == 0 else steps))
        print(f"{at_once:>4} steps a run: {' '.join(f'{t:.1f}' for t in times[1:])}; first {times[0] / 1e3:.0f} ms")


main()
