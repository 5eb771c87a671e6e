"""The lit suites: every folder of tests/ that holds .mlir, .test or *_test.py files, each with its RUN lines.

Parameters: --param property_cases=N sets how many random models the property test draws.
Features:   avx2, avx512f, avx512bf16, amx (of this processor; the last two are all that linears of pairs need), sanitize (a build with sanitizers), nvrtc (CUDA targets can be compiled
            for), gpu (a CUDA device).
"""

import ctypes
import glob
import os
import shutil
import subprocess

import lit.formats

config.name = "bambac"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test", "_test.py"]
# Inputs of tests, GoogleTest and libFuzzer sources, and what only helps tests.
config.excludes = ["fixtures", "Inputs", "inputs", "runtime", "unit", "fuzz", "tools"]
config.test_source_root = os.path.join(config.bambac_source, "tests")
config.test_exec_root = os.path.join(config.bambac_build, "tests")

bin_dir = os.path.join(config.bambac_build, "bin")
config.environment["PATH"] = os.pathsep.join([bin_dir, config.llvm_tools, config.environment["PATH"]])
config.environment["BAMBAC_BUILD"] = config.bambac_build
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"


def grants_tiles():
    """Whether the system lets a process use tile registers: ARCH_GET_XCOMP_SUPP has the bit of XTILEDATA."""
    supported = ctypes.c_uint64()
    return ctypes.CDLL(None).syscall(158, 0x1021, ctypes.byref(supported)) == 0 and bool(supported.value >> 18 & 1)


def processor_features():
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return set()
    found = set(flags.split())
    decodes = found >= {"gfni", "avx512vbmi"}
    amx = {"amx"} if decodes and found >= {"amx_tile", "amx_bf16"} and grants_tiles() else set()
    pairs = {"avx512bf16"} if decodes and "avx512_bf16" in found else set()
    return found & {"avx2", "avx512f"} | amx | pairs


def sanitizer_runtime():
    """The sanitizer's shared library, which Python needs before it opens a library that was compiled with it."""
    for name in ("libclang_rt.asan-x86_64.so", "libclang_rt.asan.so", "libasan.so"):
        command = [config.cxx, f"-print-file-name={name}"]
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if os.path.isabs(path) and os.path.exists(path):
            return path
    lit_config.fatal(f"{config.cxx} has no shared AddressSanitizer runtime")


def has_nvrtc():
    """Whether bambac finds NVRTC: the folders are those of codegen/cuda/Nvrtc.cpp."""
    homes = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"]
    folders = [os.path.join(home, "lib64") for home in homes if home]
    folders += [os.path.join(config.bambac_build, "lib", "bambac", "cuda"), "/usr/lib/x86_64-linux-gnu"]
    if any(glob.glob(os.path.join(folder, "libnvrtc.so*")) for folder in folders):
        return True
    lit_config.note(f"no NVRTC in {', '.join(folders)}: tests that compile for CUDA are skipped; see cmake/fetch-nvrtc.sh")
    return False


def has_gpu():
    return os.path.exists("/dev/nvidia0") or shutil.which("nvidia-smi") is not None


config.available_features |= processor_features()
if has_nvrtc():
    config.available_features.add("nvrtc")
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if variable in os.environ:
            config.environment[variable] = os.environ[variable]
if has_gpu():
    config.available_features.add("gpu")
python = config.python
if config.sanitize:
    config.available_features.add("sanitize")
    # LLVM's arenas poison their memory in what is compiled here, from headers, but not in LLVM's own libraries, which hand the
    # same memory out: only poisoning by hand must go, what the sanitizer itself sees stays.
    config.environment["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0:allow_user_poisoning=0"
    config.environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
    if "address" in config.sanitize:
        # Python itself leaks at exit; the harness turns leak detection on again for the tools it runs.
        python = f"env LD_PRELOAD={sanitizer_runtime()} ASAN_OPTIONS=detect_leaks=0:abort_on_error=0:allow_user_poisoning=0 {python}"

config.substitutions += [
    ("%bambac-opt", os.path.join(bin_dir, "bambac-opt")),
    ("%bambac", os.path.join(bin_dir, "bambac")),
    ("%bamba-run", os.path.join(bin_dir, "bamba-run")),
    ("%fixtures", os.path.join(config.test_source_root, "fixtures")),
    ("%examples", os.path.join(config.bambac_source, "examples")),
    ("%docs", os.path.join(config.bambac_source, "docs")),
    ("%build", config.bambac_build),
    ("%tools", os.path.join(config.test_source_root, "tools")),
    ("%property_cases", lit_config.params.get("property_cases", "32")),
    ("%python", python),
]
