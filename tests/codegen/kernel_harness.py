"""Compiles hand-written scheduled kernels, runs them with ctypes and compares them with numpy in float64."""

import ctypes
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import e4m3  # noqa: E402

# In a build with sanitizers this runs with their runtime preloaded; the tools that it starts bring their own.
os.environ.pop("LD_PRELOAD", None)

TARGETS = {
    "avx512": '#bamba.cpu_target<arch = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, '
    "l2_bytes = 1048576, fusions = [siblings, epilogue]>",
    "amx": '#bamba.cpu_target<arch = "sapphirerapids", '
    'features = "+amx-tile,+amx-bf16,+gfni,+avx512vbmi", vector_bits = 512, vector_registers = 32, '
    "l2_bytes = 1048576, fusions = [siblings, epilogue]>",
    "avx512bf16": '#bamba.cpu_target<arch = "znver4", '
    'features = "+avx512bf16,+gfni,+avx512vbmi", vector_bits = 512, vector_registers = 32, '
    "l2_bytes = 1048576, fusions = [siblings, epilogue]>",
    "avx2": '#bamba.cpu_target<arch = "x86-64-v3", features = "", vector_bits = 256, vector_registers = 16, '
    "l2_bytes = 1048576, fusions = [siblings, epilogue]>",
}


def takes_pairs(target, dtype):
    """Whether linears of weights of a type multiply pairs of bf16."""
    return dtype in {"amx": ("bf16", "f8E4M3FN"), "avx512bf16": ("f8E4M3FN",)}.get(target, ())


class Panel:
    """How a weight lies in memory: panels of `size` rows, groups of `group` columns, columns padded to `align`."""

    def __init__(self, target, dtype):
        pairs = takes_pairs(target, dtype)
        self.size, self.group = 16 if target == "avx2" else 32, 2 if pairs else 1
        self.align = 32 if pairs and target == "amx" else self.group

    def __str__(self):
        grouped = f", group = {self.group}, align = {self.align}" if self.group > 1 else ""
        return f"#bamba.panel<{self.size}{grouped}>"


def allow_tiles():
    """Asks the system for tile registers, as the runtime does: ARCH_REQ_XCOMP_PERM for XTILEDATA."""
    if ctypes.CDLL(None).syscall(158, 0x1023, 18) != 0:
        sys.exit("the system does not grant tile registers")


def to_bf16(array):
    """float32 to the bits of bfloat16, to nearest even."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def store(array, dtype):
    """float32 as it is stored in a type of the IR; bf16 as its bits."""
    return to_bf16(array) if dtype == "bf16" else array.astype({"f32": np.float32, "f16": np.float16}[dtype])


def stored_values(stored):
    """What `store` gave, as float32."""
    return from_bf16(stored) if stored.dtype == np.uint16 else stored.astype(np.float32)


class Terms:
    """How many bf16 make an f32, and the columns of a run of each: #bamba.terms."""

    count, run = 3, 32

    def __str__(self):
        return f"<count = {self.count}, run = {self.run}>"

    def split(self, array):
        """float32 [R, K] to the bits of its terms, zero where there is no column."""
        rows, depth = array.shape
        runs = -(-depth // self.run)
        left = np.zeros((rows, runs * self.run), np.float32)
        left[:, :depth] = array
        result = np.zeros((rows, (runs * self.count | 1) * self.run), np.uint16)
        columns = result[:, : runs * self.count * self.run].reshape(rows, runs, self.count, self.run)
        for term in range(self.count):
            high = (left.view(np.uint32) & 0xFFFF0000).view(np.float32)
            columns[:, :, term] = (high.view(np.uint32) >> 16).astype(np.uint16).reshape(rows, runs, self.run)
            with np.errstate(invalid="ignore"):
                left = np.where(left == high, np.float32(0), left - high)
        return result


def takes_terms(target, dtype, rows, block):
    """Whether a linear of so many rows multiplies its input in tile registers."""
    return target == "amx" and dtype == "bf16" and (rows > 14 or block > 0)


def pack(weight, panel):
    """[N, K] to [N / size, K / group, size, group], zero where there is no row or column."""
    rows, depth = weight.shape
    width = -(-depth // panel.align) * panel.align
    padded = np.zeros((-(-rows // panel.size) * panel.size, width), weight.dtype)
    padded[:rows, :depth] = weight
    return np.ascontiguousarray(padded.reshape(-1, panel.size, width // panel.group, panel.group).transpose(0, 2, 1, 3))


def type_of(array):
    names = {"float32": "f32", "uint16": "bf16", "float16": "f16", "int32": "i32", "uint8": "f8E4M3FN"}
    return f"tensor<{'x'.join(map(str, array.shape))}x{names[array.dtype.name]}>"


class Case:
    """A kernel, its arguments (arrays; results are written into the last ones) and what they should become. With
    `checks_nan`, what is expected to be no number must be none; else it may be anything."""

    def __init__(self, name, source, arguments, expected, tolerance=1e-5, checks_nan=False):
        self.name, self.source, self.arguments = name, source, arguments
        self.expected, self.tolerance, self.checks_nan = expected, tolerance, checks_nan


def compile_cases(cases, target, folder):
    path = os.path.join(folder, "kernels.mlir")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"module attributes {{bamba.target = {TARGETS[target]}}} {{\n")
        file.write("\n".join(case.source for case in cases) + "\n}\n")
    command = [os.environ.get("BAMBA_CPU_COMPILE", "bamba-cpu-compile"), path, "-o", folder, "--llvm"]
    kernels = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    library = os.path.join(folder, "kernels.so")
    objects = [os.path.join(folder, kernel["name"] + ".o") for kernel in kernels]
    linker = os.environ.get("LLD", "ld.lld")
    subprocess.run([linker, "-shared", "-o", library, *objects], check=True)
    return ctypes.CDLL(library), {kernel["name"]: kernel for kernel in kernels}


def aligned(size):
    """Bytes at a multiple of 64, with a guard after them."""
    raw = np.full(size + 192, 0xAB, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size], raw[start + size : start + size + 64]


def run(library, kernel, arguments):
    """Runs all workgroups, backwards, since their order must not matter."""
    ctypes.CDLL("libm.so.6", mode=ctypes.RTLD_GLOBAL)
    pointers = (ctypes.c_void_p * len(arguments))(*[array.ctypes.data for array in arguments])
    scratch, guard = aligned(kernel["scratch_bytes"])
    # NaN everywhere: what is read before it is written shows.
    scratch[:] = 0xFF
    function = getattr(library, kernel["name"])
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64]
    function.restype = None
    for workgroup in reversed(range(kernel["workgroups"])):
        function(pointers, scratch.ctypes.data, workgroup)
    assert (guard == 0xAB).all(), f"{kernel['name']}: wrote beyond its scratch memory"


def check(case, library, kernels):
    """The largest error of the case relative to the size of what is expected, where that is finite."""
    arguments = [np.array(array, copy=True, order="C") for array in case.arguments]
    run(library, kernels[case.name], arguments)
    worst = 0.0
    for result, wanted in zip(arguments[len(arguments) - len(case.expected) :], case.expected):
        if wanted.dtype.kind == "i":
            worst = max(worst, 0.0 if (result == wanted).all() else np.inf)
            continue
        infinite, counts = np.isinf(wanted), np.isfinite(wanted)
        if (result[infinite] != wanted[infinite]).any() or case.checks_nan and not np.isnan(result[np.isnan(wanted)]).all():
            return np.inf
        if not counts.any():
            continue
        result, wanted = result[counts], wanted[counts]
        error = np.abs(result.astype(np.float64) - wanted)
        scale = max(np.sqrt(np.mean(np.square(wanted))), 1e-30)
        worst = max(worst, float(error.max() / scale) if np.isfinite(result).all() else np.inf)
    return worst


def main(make_cases):
    """Runs the cases for each target named on the command line; exits with 1 if one is wrong."""
    failures = 0
    for target in sys.argv[1:]:
        if target == "amx":
            allow_tiles()
        cases = make_cases(target)
        with tempfile.TemporaryDirectory() as folder:
            library, kernels = compile_cases(cases, target, folder)
            for case in cases:
                error = check(case, library, kernels)
                good = error <= case.tolerance
                failures += not good
                print(f"{'ok  ' if good else 'FAIL'} {target} {case.name}: error {error:.2e}")
    sys.exit(1 if failures else 0)
