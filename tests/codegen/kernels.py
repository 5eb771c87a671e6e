"""Every op as a kernel of its own, in odd shapes, against numpy; the targets to test are the arguments."""

import numpy as np

import kernel_harness as harness
from kernel_harness import Case, e4m3, store, stored_values, type_of
from kernel_text import kernel, poison, randn, rng, schedule, silu
from linear_kernels import gate_up, infinite_linear, linear, split


def rms_norm(name, rows, width, workgroup=(1,)):
    x, w = randn(rows, width), randn(width)
    xd = x.astype(np.float64)
    wanted = xd / np.sqrt((xd * xd).mean(1, keepdims=True) + 1e-5) * w
    arguments = [x, w, poison(rows, width)]
    t = type_of(x)
    body = f"""  %r = bamba.rms_norm ins(%a0, %a1 : {t}, {type_of(w)}) outs(%a2 : {t}) eps(1.0e-05)
  return %r : {t}"""
    return Case(name, kernel(name, arguments, 1, body, schedule(workgroup)), arguments, [wanted])


def gated_rms_norm(name, rows, width, offset, workgroup=(1,)):
    """The gate is a slice of a wider tensor, as in a model."""
    y, z, w = randn(rows, width), randn(rows, width + offset + 3), randn(width)
    g = y.astype(np.float64) * silu(z[:, offset : offset + width].astype(np.float64))
    wanted = g / np.sqrt((g * g).mean(1, keepdims=True) + 1e-5) * w
    arguments = [y, z, w, poison(rows, width)]
    t = type_of(y)
    body = f"""  %z = tensor.extract_slice %a1[0, {offset}] [{rows}, {width}] [1, 1] : {type_of(z)} to {t}
  %r = bamba.gated_rms_norm ins(%a0, %z, %a2 : {t}, {t}, {type_of(w)}) outs(%a3 : {t}) eps(1.0e-05)
  return %r : {t}"""
    return Case(name, kernel(name, arguments, 1, body, schedule(workgroup)), arguments, [wanted])


def embedding(name, rows, vocabulary, width, dtype="bf16", workgroup=(1, 0)):
    table, tokens = store(randn(vocabulary, width), dtype), rng.integers(0, vocabulary, rows).astype(np.int32)
    arguments = [tokens, table, poison(rows, width)]
    t = f"tensor<{rows}x{width}xf32>"
    body = f"""  %r = bamba.embedding ins(%a0, %a1 : {type_of(tokens)}, {type_of(table)}) outs(%a2 : {t})
  return %r : {t}"""
    source = kernel(name, arguments, 1, body, schedule(workgroup))
    return Case(name, source, arguments, [stored_values(table)[tokens].astype(np.float64)], 0.0)


def take_rows(name, rows, width, numbers):
    x, numbers = randn(rows, width), np.array(numbers, np.int32)
    arguments = [x, numbers, poison(len(numbers), width)]
    t = f"tensor<{len(numbers)}x{width}xf32>"
    body = f"""  %r = bamba.take_rows ins(%a0, %a1 : {type_of(x)}, {type_of(numbers)}) outs(%a2 : {t})
  return %r : {t}"""
    return Case(name, kernel(name, arguments, 1, body, schedule([1, 16])), arguments, [x[numbers].astype(np.float64)], 0.0)


def starts_of(counts):
    """Where the rows of pieces lie, and the end of the last."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def argmax(name, rows, width):
    x = randn(rows, width)
    x[0, -1] = x[0, 1] = 9.0  # the first of equal ones
    x[1, :] = -np.inf
    # A NaN is found wherever it is, whatever its sign, and beside whatever number; infinity is a number.
    x[2, 0] = np.nan
    x[2, width // 2] = 7.0
    x[3, width - 1] = -np.float32(np.nan)
    x[4, width // 3] = np.nan
    x[4, width // 3 + 1] = x[4, 2] = np.inf
    x[5, width // 2] = x[5, width - 1] = np.inf
    x[6, :] = np.nan
    arguments = [x, np.full(rows, -7, np.int32)]
    t = f"tensor<{rows}xi32>"
    body = f"""  %r = bamba.argmax ins(%a0 : {type_of(x)}) outs(%a1 : {t})
  return %r : {t}"""
    wanted = np.where(np.isnan(x).any(axis=1), -1, np.argmax(x, axis=1)).astype(np.int32)
    return Case(name, kernel(name, arguments, 1, body, schedule([1])), arguments, [wanted])


def rope(name, rows, heads, head_dim, rotary, workgroup=(2,), scale=1.0):
    x, positions = randn(rows, heads * head_dim), rng.integers(-1, 5000, rows).astype(np.int32)
    half = rotary // 2
    frequencies = 10000.0 ** -(np.arange(half) / max(half, 1))
    angle = (positions.astype(np.float32)[:, None] * frequencies.astype(np.float32)).astype(np.float64)[:, None]
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    v = x.reshape(rows, heads, head_dim).astype(np.float64)
    wanted = v.copy()
    wanted[..., :half] = v[..., :half] * cos - v[..., half:rotary] * sin
    wanted[..., half:rotary] = v[..., half:rotary] * cos + v[..., :half] * sin
    arguments = [x, positions, poison(rows, heads * head_dim)]
    t = type_of(x)
    body = f"""  %r = bamba.rope ins(%a0, %a1 : {t}, {type_of(positions)}) outs(%a2 : {t})
    head_dim({head_dim}) rotation(<[{', '.join(f'{f:.17e}' for f in frequencies)}], scale = {scale}>)
  return %r : {t}"""
    return Case(name, kernel(name, arguments, 1, body, schedule(workgroup)), arguments, [wanted.reshape(rows, -1)])


def clear_padding(rows, *arrays):
    """What stands where there is no row is no number, and what is computed there may be anything."""
    for array in arrays:
        array[rows:] = np.nan


def conv(name, rows, channels, taps, counts, workgroup, bias=True):
    """Pieces of `counts` tokens, of the `rows` that there is room for."""
    x, w, b = randn(rows, channels), randn(taps, channels), randn(channels)
    state, starts = randn(len(counts) + 2, taps - 1, channels), starts_of(counts)
    slots = np.arange(len(counts), dtype=np.int32)[::-1].copy() + 1
    y, new = np.zeros((rows, channels)), state.astype(np.float64)
    for i, count in enumerate(counts):
        u = np.concatenate([state[slots[i]], x[starts[i] : starts[i + 1]]]).astype(np.float64)
        for t in range(count):
            y[starts[i] + t] = silu((u[t : t + taps] * w).sum(0) + (b if bias else 0))
        new[slots[i]] = u[count : count + taps - 1]
    clear_padding(starts[-1], x, y)
    state_type = f"tensor<?x{taps - 1}x{channels}xf32>"
    arguments = [x, w, slots, starts] + [b] * bias + [poison(*x.shape), state]
    types = [type_of(a) for a in arguments[:-1]] + [state_type]
    n = len(types)
    biased = f"bias(%a4 : {types[4]})" if bias else ""
    body = f"""  %r:2 = bamba.causal_conv1d ins(%a0, %a1, %a2, %a3 : {', '.join(types[:4])}) {biased}
    outs(%a{n - 2}, %a{n - 1} : {types[-2]}, {types[-1]})
  return %r#0, %r#1 : {types[-2]}, {types[-1]}"""
    return Case(name, kernel(name, arguments, 2, body, schedule(workgroup), types), arguments, [y, new])


def ssm(name, rows, heads, groups, head_dim, state_size, counts=None, workgroup=(1,), chunk=0, limit=np.inf):
    """ssm_scan of pieces of `counts` tokens, or ssm_step of a token each where `counts` is absent. Arguments are slices of
    wider tensors, as in a model."""
    starts = starts_of([1] * rows if counts is None else counts)
    pieces = len(starts) - 1
    x, dt = randn(rows, heads * head_dim), randn(rows, heads) * 2
    bc = randn(rows, 2 * groups * state_size)
    a_log, d, dt_bias = np.log(rng.uniform(1, 16, heads)).astype(np.float32), randn(heads), randn(heads)
    dt[0, 0] = 200.0  # a softplus that must not overflow
    state = randn(pieces + 2, heads, head_dim, state_size)
    slots = np.arange(pieces, dtype=np.int32)[::-1].copy() + 1
    y, new = np.zeros((rows, heads * head_dim)), state.astype(np.float64)
    for i in range(pieces):
        s = new[slots[i]]
        for r in range(starts[i], starts[i + 1]):
            delta = np.clip(np.logaddexp(0, dt[r].astype(np.float64) + dt_bias), 0.0, limit)
            xs = x[r].reshape(heads, head_dim).astype(np.float64)
            halves = np.split(bc[r].astype(np.float64), 2)
            b, c = (np.repeat(half.reshape(groups, state_size), heads // groups, 0) for half in halves)
            s *= np.exp(-delta * np.exp(a_log.astype(np.float64)))[:, None, None]
            s += (delta[:, None] * xs)[:, :, None] * b[:, None, :]
            y[r] = ((s * c[:, None, :]).sum(2) + d[:, None] * xs).reshape(-1)
    clear_padding(starts[-1], x, dt, bc, y)
    arguments = [x, dt, bc, a_log, d, dt_bias, slots] + ([] if counts is None else [starts])
    arguments += [poison(*x.shape), state]
    types = [type_of(a) for a in arguments[:-1]] + [f"tensor<?x{heads}x{head_dim}x{state_size}xf32>"]
    n, half = len(types), f"tensor<{rows}x{groups * state_size}xf32>"
    names = ["%a0", "%a1", "%b", "%c"] + [f"%a{i}" for i in range(3, n - 2)]
    kinds = types[:2] + [half, half] + types[3 : n - 2]
    top = "0x7FF0000000000000" if np.isinf(limit) else f"{limit:e}"
    op, chunks = ("ssm_step", "") if counts is None else ("ssm_scan", f"chunk({max(chunk, 1)})")
    body = f"""  %b = tensor.extract_slice %a2[0, 0] [{rows}, {groups * state_size}] [1, 1] : {types[2]} to {half}
  %c = tensor.extract_slice %a2[0, {groups * state_size}] [{rows}, {groups * state_size}] [1, 1] : {types[2]} to {half}
  %r:2 = bamba.{op} ins({', '.join(names)} : {', '.join(kinds)})
    outs(%a{n - 2}, %a{n - 1} : {types[-2]}, {types[-1]}) dt_limit(0.0, {top}) {chunks} acc(f32)
  return %r#0, %r#1 : {types[-2]}, {types[-1]}"""
    plan = schedule(workgroup, chunk=chunk)
    return Case(name, kernel(name, arguments, 2, body, plan, types), arguments, [y, new], 2e-5)


def make_pages(batch, pages_each):
    order = rng.permutation(batch * pages_each + 3).astype(np.int32)
    return np.ascontiguousarray(order[: batch * pages_each].reshape(batch, pages_each))


def kv_append(name, rows, heads, head_dim, page, counts=None, workgroup=(1,), scales=None):
    """Of pieces of `counts` tokens, or where it is absent of a token of each sequence, the last of which is padding. With
    scales, to a cache of codes."""
    sizes = [1] * (rows - 1) if counts is None else counts
    pages = make_pages(rows if counts is None else len(counts), 3)
    positions, pieces = np.full(rows, -1, np.int32), np.arange(rows, dtype=np.int32) if counts is None else np.zeros(rows, np.int32)
    for i, (start, count) in enumerate(zip(starts_of(sizes), sizes)):
        positions[start : start + count] = np.arange(count) + page - 1 - i % 2
        pieces[start : start + count] = i
    k, v = randn(rows, heads * head_dim), randn(rows, heads * head_dim)
    k_cache, v_cache = (randn(pages.max() + 4, heads, page, head_dim) for _ in range(2))
    wanted = [k_cache.astype(np.float64), v_cache.astype(np.float64)]
    for r, q in enumerate(positions):
        if q >= 0:
            at = pages[pieces[r], q // page], slice(None), q % page
            wanted[0][at], wanted[1][at] = k[r].reshape(heads, -1), v[r].reshape(heads, -1)
            if scales:
                k[r, 0], v[r, 0] = 1e6, -1e6  # beyond the range of codes
                for cache, rows, scale in zip(wanted, (k, v), np.float32(scales)):
                    cache[at] = e4m3.encode(rows[r].reshape(heads, -1) / scale)
    if scales:
        k_cache, v_cache = (rng.integers(0, 0x7F, cache.shape).astype(np.uint8) for cache in (k_cache, v_cache))
        is_new = [np.zeros(cache.shape, bool) for cache in wanted]
        for r, q in enumerate(positions):
            if q >= 0:
                for new in is_new:
                    new[pages[pieces[r], q // page], :, q % page] = True
        wanted = [np.where(new, codes, old).astype(np.int32)
                  for new, codes, old in zip(is_new, wanted, (k_cache, v_cache))]
    arguments = [k, v, positions, pages] + ([np.float32(scales)] if scales else []) + [pieces] * (counts is not None)
    cache = f"tensor<?x{heads}x{page}x{head_dim}x{'f8E4M3FN' if scales else 'f32'}>"
    types = [type_of(a) for a in arguments] + [cache, cache]
    arguments += [k_cache, v_cache]
    last, scaled = len(types) - 1, f"scales(%a4 : {types[4]})" if scales else ""
    packed = "" if counts is None else f"pieces(%a{last - 2} : {types[last - 2]})"
    body = f"""  %r:2 = bamba.kv_append ins(%a0, %a1, %a2, %a3 : {', '.join(types[:4])}) {scaled} {packed}
    outs(%a{last - 1}, %a{last} : {cache}, {cache})
  return %r#0, %r#1 : {cache}, {cache}"""
    return Case(name, kernel(name, arguments, 2, body, schedule(workgroup), types), arguments, wanted, 0.0)


def attention(name, rows, heads, kv_heads, head_dim, page, lengths, counts, workgroup=(1, 1), scales=None, runs=True):
    """Pieces of `counts` tokens after `lengths` others, or, where there are no runs, a token of each sequence. With scales,
    to a cache of codes."""
    longest = max(length + count for length, count in zip(lengths, counts))
    starts = starts_of(counts) if runs else np.arange(rows + 1)
    pages = make_pages(len(counts), -(-longest // page) + 1)
    k_cache, v_cache = (randn(pages.max() + 4, kv_heads, page, head_dim) for _ in range(2))
    q, codes = randn(rows, heads * head_dim) * 2, []
    if scales:
        codes = [e4m3.encode(cache / scale) for cache, scale in zip((k_cache, v_cache), scales)]
        k_cache, v_cache = (e4m3.decode(code) * np.float32(scale) for code, scale in zip(codes, scales))
    positions = np.full(rows, -1, np.int32)
    out = np.zeros((rows, heads, head_dim))
    scale = head_dim**-0.5
    for i, (length, count) in enumerate(zip(lengths, counts)):
        keys = k_cache[pages[i]].transpose(1, 0, 2, 3).reshape(kv_heads, -1, head_dim).astype(np.float64)
        values = v_cache[pages[i]].transpose(1, 0, 2, 3).reshape(kv_heads, -1, head_dim).astype(np.float64)
        seen = length + count
        for t in range(count):
            positions[starts[i] + t] = length + t
            for h in range(heads):
                g = h // (heads // kv_heads)
                s = keys[g, : length + t + 1] @ q[starts[i] + t].reshape(heads, -1)[h].astype(np.float64) * scale
                p = np.exp(s - s.max())
                out[starts[i] + t, h] = p @ values[g, : length + t + 1] / p.sum()
        # What is beyond the context must not be touched by arithmetic.
        for place in range(seen, pages.shape[1] * page):
            for cache in codes or (k_cache, v_cache):
                cache[pages[i, place // page], :, place % page] = e4m3.NAN if codes else np.nan
        pages[i, -(-seen // page) :] = -1
    if runs:
        clear_padding(starts[-1], q, out)
    k_cache, v_cache = codes or (k_cache, v_cache)
    arguments = [q, k_cache, v_cache, positions, pages] + ([np.float32(scales)] if scales else []) + [starts] * runs
    arguments.append(poison(*q.shape))
    cache = f"tensor<?x{kv_heads}x{page}x{head_dim}x{'f8E4M3FN' if scales else 'f32'}>"
    types = [type_of(q), cache, cache] + [type_of(a) for a in arguments[3:]]
    last, scaled = len(types) - 1, f"scales(%a5 : {types[5]})" if scales else ""
    packed = f"starts(%a{last - 1} : {types[last - 1]})" if runs else ""
    body = f"""  %r = bamba.attention ins(%a0, %a1, %a2, %a3, %a4 : {', '.join(types[:5])}) {scaled} {packed}
    outs(%a{last} : {types[last]}) scale({scale:.17e}) acc(f32)
  return %r : {types[last]}"""
    source = kernel(name, arguments, 1, body, schedule(workgroup), types)
    return Case(name, source, arguments, [out.reshape(q.shape)])


def make_cases(target):
    return [
        linear(target, "linear_gemv", 1, 96, 128),
        linear(target, "linear_odd", 3, 37, 75, bias=True),
        linear(target, "linear_bf16", 1, 130, 200, "bf16", workgroup=(0, 96)),
        linear(target, "linear_gemv_odd_bf16", 1, 37, 75, "bf16", bias=True),
        linear(target, "linear_few_rows_odd_bf16", 5, 101, 40, "bf16"),
        linear(target, "linear_tiny_bf16", 1, 96, 64, "bf16", size=1e-30),
        linear(target, "linear_tall_tiny_bf16", 40, 96, 64, "bf16", block=32, size=1e-30),
        linear(target, "linear_tall_wide_bf16", 49, 95, 1100, "bf16", workgroup=(0, 0), tile=32, block=64),
        linear(target, "linear_two_rows_bf16", 2, 64, 64, "bf16", bias=True, workgroup=(0, 0), tile=4),
        linear(target, "linear_tall", 37, 100, 75, bias=True, block=32),
        linear(target, "linear_tall_bf16", 64, 96, 96, "bf16", workgroup=(16, 32), block=48),
        linear(target, "linear_twelve_rows_bf16", 12, 96, 75, "bf16", block=32, there=7),
        linear(target, "linear_tall_ragged_bf16", 21, 50, 75, "bf16", workgroup=(8, 32), tile=4, block=24),
        infinite_linear(target, "linear_infinite", 9, 100, 72, "f32", block=32),
        infinite_linear(target, "linear_infinite_bf16", 40, 100, 72, "bf16", block=32),
        infinite_linear(target, "linear_infinite_few_rows_bf16", 5, 100, 72, "bf16"),
        linear(target, "linear_f16", 1, 130, 200, "f16", workgroup=(0, 96)),
        linear(target, "linear_tall_ragged_f16", 21, 50, 75, "f16", workgroup=(8, 32), tile=4, block=24),
        linear(target, "linear_add", 5, 40, 75, bias=True, add=True),
        linear(target, "linear_some_rows", 64, 100, 75, bias=True, block=32, there=37),
        linear(target, "linear_one_row_of_many", 64, 96, 75, "bf16", block=32, there=1),
        linear(target, "linear_some_rows_bf16", 96, 95, 200, "bf16", workgroup=(0, 64), tile=32, block=64, there=65),
        linear(target, "linear_all_rows", 40, 64, 64, "bf16", block=32, there=40),
        linear(target, "linear_whole_tiles_bf16", 64, 128, 160, "bf16", tile=32, block=64),
        linear(target, "linear_some_of_many_bf16", 336, 70, 64, "bf16", tile=256, block=64, there=300),
        split("split", 5, 64),
        split("split_odd", 7, 101, (3,)),
        split("split_short", 1, 6),
        linear(target, "linear_add_tall_bf16", 32, 64, 70, "bf16", workgroup=(0, 32), block=32, add=True),
        gate_up(target, "gate_up", 3, 48, 90, (0, 32)),
        rms_norm("rms_norm", 5, 256),
        rms_norm("rms_norm_odd", 4, 87, (3,)),
        gated_rms_norm("gated_rms_norm", 3, 151, 5),
        embedding("embedding", 4, 50, 99),
        embedding("embedding_f16", 4, 50, 99, "f16"),
        take_rows("take_row", 8, 50, [5]),
        take_rows("take_rows", 12, 35, [11, 0, 4, 4]),
        argmax("argmax", 8, 1003),
        rope("rope", 5, 3, 32, 16),
        rope("rope_odd", 4, 2, 22, 14),
        rope("rope_whole", 3, 1, 64, 64),
        rope("rope_scaled", 3, 2, 24, 20, scale=1.25),
        conv("conv_step", 3, 75, 4, [1, 1, 0], (32,)),
        conv("conv_pieces", 12, 40, 4, [6, 2, 1, 0], (0,), bias=False),
        conv("conv_two_taps", 8, 70, 2, [5], (64,)),
        ssm("ssm_step", 3, 4, 1, 16, 32),
        ssm("ssm_step_groups", 2, 6, 3, 10, 13, workgroup=(2,)),
        ssm("ssm_step_whole", 2, 6, 2, 8, 40, workgroup=(0,), limit=1.5),
        ssm("ssm_scan", 64, 4, 1, 32, 32, [64], chunk=16),
        ssm("ssm_scan_short", 48, 4, 2, 24, 20, [29], chunk=48, workgroup=(2,)),
        ssm("ssm_scan_ragged", 40, 6, 3, 11, 13, [20, 7], chunk=8, workgroup=(0,)),
        ssm("ssm_scan_pieces", 40, 4, 2, 12, 20, [1, 2, 17, 3, 9, 0], chunk=16),
        ssm("ssm_scan_full", 24, 2, 1, 16, 16, [3, 20, 1], chunk=24),
        ssm("ssm_scan_one_chunk", 8, 2, 1, 64, 128, [3], chunk=64),
        kv_append("kv_append", 4, 2, 24, 16),
        kv_append("kv_append_pieces", 10, 3, 10, 4, [1, 4, 3], (0,)),
        attention("attention_step", 3, 8, 2, 32, 16, [40, 0, 15], [1, 1, 1], runs=False),
        attention("attention_padding", 2, 4, 4, 20, 16, [16, 0], [1, 0], runs=False),
        attention("attention_chunk", 24, 6, 2, 24, 16, [37], [19]),
        attention("attention_pieces", 24, 6, 2, 24, 16, [37, 3, 0, 60, 0], [1, 2, 9, 7, 0]),
        attention("attention_small_pages", 40, 2, 1, 33, 5, [0], [40], (0, 0)),
        attention("attention_wide_group", 8, 40, 1, 16, 16, [3], [8]),
    ]


if __name__ == "__main__":
    harness.main(make_cases)
