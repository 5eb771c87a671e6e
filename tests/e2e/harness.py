"""What the end-to-end tests share: where the tools are, running them, compiling models once, comparing logits.

BAMBAC_BUILD names the build directory (default: build/ in the checkout); lit sets it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BAMBAC_BUILD", os.path.join(SOURCE, "build")))
BAMBAC = os.path.join(BUILD, "bin", "bambac")
BAMBA_RUN = os.path.join(BUILD, "bin", "bamba-run")
FIXTURES = os.path.join(SOURCE, "tests", "fixtures")

sys.path.insert(0, os.path.join(SOURCE, "tests", "oracle"))
import safetensors_io  # noqa: E402

# In a build with sanitizers Python runs with their runtime preloaded and without leak detection; the tools that it
# starts bring their own runtime and are to report leaks.
SANITIZED = bool(os.environ.pop("LD_PRELOAD", None))
if SANITIZED:
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "").replace("detect_leaks=0", "detect_leaks=1")

# Sizes that keep a session of any test model small.
SMALL = ("--max-batch=4", "--max-context=512", "--prefill-chunk=64")


# A compiler with sanitizers takes some ten times as long.
TIMEOUT = 3600 if SANITIZED else 600


def run(arguments, timeout=TIMEOUT, **options):
    """Runs a tool and returns it finished, with its output as text."""
    return subprocess.run(
        [str(a) for a in arguments], capture_output=True, text=True, timeout=timeout, check=False, **options
    )


def run_ok(arguments, **options):
    done = run(arguments, **options)
    if done.returncode != 0:
        command = " ".join(str(a) for a in arguments)
        raise AssertionError(f"{command}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def compile_model(config, output, *options):
    """Compiles without a kernel that spills registers, which is a warning."""
    done = run_ok([BAMBAC, "compile", config, "-o", output, *options])
    if "spilled" in done.stderr:
        raise AssertionError(done.stderr)
    return output


def fixture(name):
    return os.path.join(FIXTURES, name)


def context_for(name, length):
    """The --max-context of a library that gives the golden data of a prompt: longrope has other frequencies for prompts
    of more than 128 tokens, and a library one table of them."""
    return 128 if name == "rope_longrope" and length <= 128 else 512


_folder = None


def scratch():
    """A folder that lives as long as this process."""
    global _folder
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="bambac-e2e-")
    return _folder.name


def library(name, dtype="f32", *options):
    """The compiled library of a fixture, made at its first use in this process."""
    options = options or SMALL
    key = hashlib.sha1(json.dumps([name, dtype, options]).encode()).hexdigest()[:8]
    path = os.path.join(scratch(), f"{name}-{dtype}-{key}.so")
    if not os.path.exists(path):
        compile_model(fixture(name), path, f"--dtype={dtype}", *options)
    return path


def needed_versions(path):
    """The versions of symbols that a library asks its system for, such as "GLIBC_2.34"."""
    listing = run_ok(["readelf", "--version-info", path]).stdout
    return re.findall(r"Name: (\S+)", listing[listing.index("Version needs section"):])


def assert_runs_on_glibc_2_34(test, path):
    """No symbol that the library asks for is newer, or of anything but the C library. README names the systems."""
    versions = needed_versions(path)
    test.assertIn("GLIBC_2.2.5", versions)
    for version in versions:
        number = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", version)
        test.assertTrue(number, f"expected versions of glibc only, found {version}")
        test.assertLessEqual((int(number[1]), int(number[2])), (2, 34), version)


def install():
    """The folder that bambac is installed in, at its first use in this process."""
    prefix = os.path.join(scratch(), "prefix")
    if not os.path.exists(prefix):
        run_ok(["cmake", "--install", BUILD, "--prefix", prefix])
    return prefix


def copy_of(path, name):
    """A copy of a library under another name, which the loader takes for another library."""
    target = os.path.join(scratch(), name)
    shutil.copy(path, target)
    return target


def expected(name):
    """The golden data of a fixture and its prompt lengths."""
    data = safetensors_io.read_file(os.path.join(fixture(name), "expected.safetensors"))
    return data, sorted(int(key.split(".")[1]) for key in data if key.startswith("input_ids."))


def tokens_option(tokens):
    return "--tokens=" + ",".join(str(int(token)) for token in tokens)


def run_logits(model, weights, tokens, mode, *options):
    """`bamba-run logits`, read back: [T, vocab] float32."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        out = os.path.join(folder, "logits.safetensors")
        run_ok(
            [BAMBA_RUN, "logits", model, "--weights", weights, tokens_option(tokens), f"--mode={mode}", "-o", out,
             *options]
        )
        tensors = safetensors_io.read_file(out)
    assert list(tensors) == ["logits"], f"expected the tensor 'logits', found {list(tensors)}"
    return tensors["logits"]


def run_generate(model, weights, tokens, count, *options):
    """`bamba-run generate`: the new tokens, which are one line of stdout. It does not stop where a text would end."""
    done = run_ok([BAMBA_RUN, "generate", model, "--weights", weights, tokens_option(tokens), "-n", count, "--ignore-eos",
                   *options])
    assert done.stdout.endswith("\n") and done.stdout.count("\n") == 1, f"expected one line, found {done.stdout!r}"
    return [int(word) for word in done.stdout.split()]


def max_error(got, want):
    return float(np.abs(got.astype(np.float64) - want).max())


def relative_error(got, want):
    return float(np.linalg.norm(got.astype(np.float64) - want) / np.linalg.norm(want))


class Case(unittest.TestCase):
    """Assertions on logits and on refused input."""

    longMessage = True

    def assert_f32_logits(self, got, want, what=""):
        """The bound for f32: 2e-4 * max(1, standard deviation)."""
        self.assertEqual(got.shape, want.shape, what)
        self.assertTrue(np.isfinite(got).all(), f"{what}: not all logits are finite")
        self.assertLessEqual(max_error(got, want), 2e-4 * max(1.0, float(want.std())), what)

    def assert_bf16_logits(self, got, want, what=""):
        self.assertEqual(got.shape, want.shape, what)
        self.assertTrue(np.isfinite(got).all(), f"{what}: not all logits are finite")
        self.assertLessEqual(relative_error(got, want), 1e-2, what)

    def assert_refused(self, arguments, *mentions, absent=None):
        """The tool exits with 1 and one line on stderr that holds each of `mentions`; `absent` was not written."""
        done = run(arguments)
        context = f"{' '.join(str(a) for a in arguments)}\nstdout: {done.stdout}\nstderr: {done.stderr}"
        self.assertEqual(done.returncode, 1, context)
        self.assertEqual(done.stderr.count("\n"), 1, f"expected one line on stderr\n{context}")
        for mention in mentions:
            self.assertIn(str(mention), done.stderr, context)
        if absent:
            self.assertFalse(os.path.exists(absent), f"{absent} was left behind\n{context}")


@contextlib.contextmanager
def temporary_folder():
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        yield folder


def require_tools():
    for tool in (BAMBAC, BAMBA_RUN):
        if not os.path.exists(tool):
            sys.exit(f"{tool}: not built; set BAMBAC_BUILD to the build directory")



def keep_cores():
    """Waits for other tests that keep every core busy, and makes those that come later wait until the result is closed.
    Side by side, each would take twice as long and miss its limits of time."""
    lock = open(os.path.join(BUILD, "cores.lock"), "w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def main():
    require_tools()
    unittest.main()
