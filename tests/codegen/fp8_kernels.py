"""Quantizations and linears of codes on the processor against numpy; the targets to test are the arguments."""

import numpy as np

import kernel_harness as harness
from kernel_harness import Case, Panel, e4m3, pack, takes_pairs, to_bf16, type_of
from kernel_text import kernel, poison, schedule
from kernels import attention, kv_append

rng = np.random.default_rng(3)
# Columns of a block that the schedule of a deep linear of codes has.
CHOSEN_BLOCKS = {"amx": 2048, "avx512bf16": 1024, "avx512": 512, "avx2": 1024}


def hard_rows(rows, columns):
    """Numbers that meet every corner of a quantization: ties, numbers beyond the range of codes, zeros, tiny rows."""
    x = rng.standard_normal((rows, columns)).astype(np.float32)
    x[0] = 0
    # A row whose scale is a power of two, so that ties are exact: halfway between neighbouring codes.
    ties = (e4m3.NUMBERS[:-1] + e4m3.NUMBERS[1:]) / 2
    x[1] = np.resize(ties, columns) * np.resize([1, -1, 1], columns)
    x[1, 0] = 448
    x[2] *= 1e-9
    x[3] = np.float32(2.0) ** -rng.integers(0, 30, columns)
    return x


def quantize(name, rows, columns, group=0, static=None, workgroup=(1,)):
    x = hard_rows(rows, columns)
    codes, scales = e4m3.quantize(x, group, static)
    # The codes of the processor are numbers of f32.
    wanted = [e4m3.decode(codes).astype(np.float32), scales]
    arguments = [x] + ([np.float32(static)] if static else []) + [poison(*array.shape) for array in wanted]
    types = [type_of(array) for array in arguments]
    last, fixed = len(types) - 1, f"static(%a1 : {types[1]}) " if static else ""
    body = (
        f"  %q, %s = bamba.quantize ins(%a0 : {types[0]}) {fixed}outs(%a{last - 1}, %a{last} : {types[-2]}, {types[-1]})"
        f" group({group})\n  return %q, %s : {types[-2]}, {types[-1]}"
    )
    return Case(name, kernel(name, arguments, 2, body, schedule(workgroup)), arguments, wanted, tolerance=0)


def scaled_linear(target, name, rows, depth, columns, group=0, bias=False, workgroup=(0, 64), tile=8, block=0, spread=0, there=None):
    """With `there`, only so many rows are."""
    panel = Panel(target, "f8E4M3FN")
    x, xs = e4m3.quantize(rng.standard_normal((rows, depth)), group)
    # Numbers that differ by powers of two, so that many of their codes are subnormal.
    powers = 2.0 ** -rng.integers(0, spread + 1, (columns, depth))
    w, ws = e4m3.quantize(rng.standard_normal((columns, depth)) * powers, group)
    b = rng.standard_normal(columns).astype(np.float32)
    size = group or depth
    wanted = np.zeros((rows, columns)) + (b if bias else 0)
    for number, start in enumerate(range(0, depth, size)):
        part = slice(start, start + size)
        sums = e4m3.decode(x[:, part]) @ e4m3.decode(w[:, part]).T
        wanted += sums * xs[:, number, None].astype(np.float64) * ws[None, :, number]
    numbers = e4m3.decode(x).astype(np.float32)
    pairs = takes_pairs(target, "f8E4M3FN")
    arguments = [to_bf16(numbers) if pairs else numbers, pack(w, panel)] + [b] * bias
    scales = len(arguments)  # the number of the first
    arguments += [xs, np.ascontiguousarray(ws.T)]
    if there is not None:
        arguments[0][there:], xs[there:], wanted[there:] = 0x7FC0 if pairs else np.nan, np.nan, np.nan
        arguments.append(np.array([there], np.int32))
    arguments.append(poison(rows, columns))
    types = [type_of(array) for array in arguments]
    types[1] = f"tensor<{columns}x{depth}xf8E4M3FN, {panel}>"
    if there is not None:
        types[-2] = "tensor<1xi32> {bamba.rows}"
    last, biased = len(types) - 1, f"bias(%a2 : {types[2]}) " if bias else ""
    body = (
        f"  %l = bamba.linear ins(%a0, %a1 : {types[0]}, {types[1]}) {biased}"
        f"scales(%a{scales}, %a{scales + 1} : {types[scales]}, {types[scales + 1]}) group({group})"
        f" outs(%a{last} : {types[-1]}) acc(f32)\n  return %l : {types[-1]}"
    )
    plan = schedule(workgroup, tile, block)
    return Case(name, kernel(name, arguments, 1, body, plan, types), arguments, [wanted], tolerance=1e-6)


def make_cases(target):
    return [
        quantize("quantize_rows", 6, 333),
        quantize("quantize_groups", 5, 300, group=128, workgroup=(2,)),
        quantize("quantize_whole_groups", 4, 256, group=128),
        quantize("quantize_static", 4, 96, static=[0.01, 0.002]),
        quantize("quantize_static_clips", 4, 40, static=[1e-4]),
        scaled_linear(target, "one_row", 1, 320, 200),
        scaled_linear(target, "few_rows_bias", 5, 96, 100, bias=True),
        scaled_linear(target, "few_rows_groups", 3, 300, 72, group=128, bias=True),
        scaled_linear(target, "tall", 20, 130, 96, tile=4, block=64, bias=True),
        scaled_linear(target, "tall_groups", 19, 300, 70, tile=4, block=256, group=128),
        scaled_linear(target, "tall_small_groups", 18, 96, 70, tile=4, block=64, group=32, bias=True),
        scaled_linear(target, "one_row_odd", 1, 97, 70, bias=True),
        scaled_linear(target, "one_row_odd_groups", 1, 300, 70, group=33, bias=True),
        scaled_linear(target, "few_rows_odd_groups", 3, 131, 40, group=3),
        scaled_linear(target, "tall_odd_groups", 35, 300, 70, tile=4, block=64, group=33),
        scaled_linear(target, "tall_wide", 33, 161, 1100, workgroup=(0, 0), tile=32, block=64),
        scaled_linear(target, "some_of_sixteen_rows", 16, 160, 100, there=5, bias=True),
        scaled_linear(target, "some_of_sixteen_rows_odd_groups", 16, 100, 70, group=33, there=9),
        scaled_linear(target, "some_rows", 64, 128, 96, tile=32, block=64, there=37),
        scaled_linear(target, "some_rows_of_many", 300, 96, 64, tile=256, block=96, there=49),
        scaled_linear(target, "some_rows_odd_groups", 48, 100, 40, tile=32, block=64, group=33, there=20),
        scaled_linear(target, "deep", 2, 14336, 64),
        scaled_linear(target, "deep_rows", 8, 14336, 64),
        scaled_linear(target, "deep_tall", 64, 14336, 64, block=512),
        scaled_linear(target, "deep_tall_chosen_block", 64, 14336, 64, block=CHOSEN_BLOCKS[target]),
        # Sums over groups are as exact as those over columns.
        scaled_linear(target, "deep_groups", 2, 14336, 64, group=128),
        scaled_linear(target, "deep_groups_of_one", 2, 4096, 64, group=1),
        scaled_linear(target, "deep_tall_groups", 64, 14336, 64, group=128, block=512),
        scaled_linear(target, "deep_tall_groups_chosen_block", 64, 14336, 64, group=128, block=CHOSEN_BLOCKS[target]),
        scaled_linear(target, "deep_tall_groups_of_one", 64, 4096, 64, group=1, block=CHOSEN_BLOCKS[target]),
        scaled_linear(target, "deep_tall_odd_groups", 35, 4099, 70, group=33, block=CHOSEN_BLOCKS[target], bias=True),
        scaled_linear(target, "subnormal_codes", 1, 64, 64, spread=12),
        scaled_linear(target, "tall_subnormal_codes", 20, 64, 64, block=64, spread=12),
        kv_append("append_codes", 4, 2, 24, 16, scales=(0.01, 0.5)),
        kv_append("append_codes_pieces", 10, 3, 10, 4, [1, 4, 3], (0,), scales=(1.0, 1.0)),
        attention("attention_to_codes", 3, 8, 2, 32, 16, [40, 0, 15], [1, 1, 1], scales=(0.3, 0.02), runs=False),
        attention("attention_to_codes_pieces", 24, 6, 2, 21, 16, [37, 5], [19, 3], scales=(1.0, 2.0)),
    ]


if __name__ == "__main__":
    harness.main(make_cases)
