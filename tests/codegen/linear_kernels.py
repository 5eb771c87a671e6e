"""Linears, alone and fused, as kernels of their own."""

import numpy as np

from kernel_harness import Case, Panel, Terms, pack, store, stored_values, takes_terms, type_of
from kernel_text import kernel, poison, randn, schedule, silu


def split_input(target, dtype, x, block):
    """The input of a linear as the target takes it, and what the linear says of it."""
    if takes_terms(target, dtype, len(x), block):
        return Terms().split(x), f"terms({Terms()})"
    return x, ""


def split(name, rows, depth, workgroup=(1,)):
    x, terms = randn(rows, depth), Terms()
    x[0, :4] = np.inf, -np.inf, 0, -0.0
    x[-1, -2:] = 3e38, 1e-30
    wanted = terms.split(x)
    arguments = [x, np.full_like(wanted, 0x7FC0)]
    body = (
        f"  %s = bamba.split ins(%a0 : {type_of(x)}) terms({terms}) outs(%a1 : {type_of(wanted)})\n"
        f"  return %s : {type_of(wanted)}"
    )
    return Case(name, kernel(name, arguments, 1, body, schedule(workgroup)), arguments, [wanted], tolerance=0)


def linear(target, name, rows, depth, columns, dtype="f32", bias=False, workgroup=(0, 64), tile=8, block=0, add=False, size=1, there=None):
    """With `there`, only so many rows are."""
    panel = Panel(target, dtype)
    x, w, b, r = randn(rows, depth), randn(columns, depth), randn(columns), randn(rows, columns)
    x *= np.float32(size)
    stored = store(w, dtype)
    exact = stored_values(stored)
    wanted = x.astype(np.float64) @ exact.T.astype(np.float64) + (b if bias else 0) + (r if add else 0)
    if there is not None:
        assert not add
        x[there:] = wanted[there:] = np.nan
    count = [] if there is None else [np.array([there], np.int32)]
    x, terms = split_input(target, dtype, x, block)
    arguments = [x, pack(stored, panel)] + [b] * bias + [r] * add + count + [poison(rows, columns)]
    out, wtype = f"tensor<{rows}x{columns}xf32>", f"tensor<{columns}x{depth}x{dtype}, {panel}>"
    types = [type_of(x), wtype] + [type_of(b)] * bias + [out] * add + ["tensor<1xi32> {bamba.rows}"] * len(count) + [out]
    last = len(types) - 1
    biased = f"bias(%a2 : {type_of(b)})" if bias else ""
    body = ""
    init = f"%a{last}"
    if add:
        body, init = f"  %e = tensor.empty() : {out}\n", "%e"
    body += (
        f"  %l = bamba.linear ins(%a0, %a1 : {types[0]}, {wtype}) {terms} {biased} outs({init} : {out}) acc(f32)\n"
    )
    result = "%l"
    if add:
        body += f"  %s = linalg.add ins(%l, %a{last - 1} : {out}, {out}) outs(%a{last} : {out}) -> {out}\n"
        result = "%s"
    body += f"  return {result} : {out}"
    plan = schedule(workgroup, tile, block)
    return Case(name, kernel(name, arguments, 1, body, plan, types), arguments, [wanted])


def infinite_linear(target, name, rows, depth, columns, dtype, block=0):
    """Infinities and a NaN in the input: they are in the result, and in no other row."""
    panel, numbers = Panel(target, dtype), np.random.default_rng(5)  # not those of the cases after this one
    x, w = (numbers.standard_normal(shape).astype(np.float32) for shape in ((rows, depth), (columns, depth)))
    x[0, 5] = np.inf
    w[:, 6][::3] = 0
    if rows > 1:
        x[1, 7], x[2, [3, 8]], x[3, 9], x[4, 6] = -np.inf, [np.inf, -np.inf], np.nan, np.inf
    stored = store(w, dtype)
    with np.errstate(invalid="ignore"):
        wanted = x.astype(np.float64) @ stored_values(stored).T.astype(np.float64)
    x, terms = split_input(target, dtype, x, block)
    arguments = [x, pack(stored, panel), poison(rows, columns)]
    types = [type_of(x), f"tensor<{columns}x{depth}x{dtype}, {panel}>", f"tensor<{rows}x{columns}xf32>"]
    body = (
        f"  %l = bamba.linear ins(%a0, %a1 : {types[0]}, {types[1]}) {terms} outs(%a2 : {types[2]}) acc(f32)\n"
        f"  return %l : {types[2]}"
    )
    source = kernel(name, arguments, 1, body, schedule((0, 64), 8, block), types)
    return Case(name, source, arguments, [wanted], checks_nan=True)


def gate_up(target, name, rows, depth, columns, workgroup):
    panel = Panel(target, "f32")
    x, g, u = randn(rows, depth), randn(columns, depth) / 4, randn(columns, depth)
    xd = x.astype(np.float64)
    wanted = silu(xd @ g.T) * (xd @ u.T)
    arguments = [x, pack(g, panel), pack(u, panel), poison(rows, columns)]
    out, w = f"tensor<{rows}x{columns}xf32>", f"tensor<{columns}x{depth}xf32, {panel}>"
    types = [type_of(x), w, w, out]
    body = f"""  %e = tensor.empty() : {out}
  %g = bamba.linear ins(%a0, %a1 : {types[0]}, {w}) outs(%e : {out}) acc(f32)
  %u = bamba.linear ins(%a0, %a2 : {types[0]}, {w}) outs(%e : {out}) acc(f32)
  %s = bamba.swiglu ins(%g, %u : {out}, {out}) outs(%a3 : {out})
  return %s : {out}"""
    return Case(name, kernel(name, arguments, 1, body, schedule(workgroup, 4), types), arguments, [wanted])
