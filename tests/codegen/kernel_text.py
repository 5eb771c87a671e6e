"""What the kernels of tests are made of: numbers, schedules and functions."""

import numpy as np

from kernel_harness import type_of

rng = np.random.default_rng(1)


def randn(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def silu(v):
    return v / (1 + np.exp(-v))


def schedule(workgroup, rows=1, depth=0, chunk=0):
    return f"#bamba.cpu_schedule<workgroup = {list(workgroup)}, rows = {rows}, depth = {depth}, chunk = {chunk}>"


def kernel(name, arguments, results, body, plan, types=None):
    """A kernel function whose last `results` arguments are the destinations."""
    types = types or [type_of(array) for array in arguments]
    signature = ", ".join(f"%a{i}: {kind}" for i, kind in enumerate(types))
    out = types[len(types) - results :]
    return (
        f"func.func private @{name}({signature}) -> ({', '.join(out)}) "
        f"attributes {{bamba.kernel, bamba.schedule = {plan}}} {{\n{body}\n}}"
    )


def poison(*shape):
    return np.full(shape, np.nan, np.float32)
