"""What the GPU tests share: the card and the targets it runs, the libraries under test, comparing and reporting.

The libraries are in the folder that BAMBAC_PACK names (see pack.sh) or, without one, compiled when they are needed.
"""

import ctypes
import functools
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("e2e", "oracle"):
    sys.path.append(os.path.join(os.path.dirname(HERE), folder))

import numpy as np  # noqa: E402

import harness  # noqa: E402
import libraries  # noqa: E402
from bamba_ctypes import Library, Model  # noqa: E402

PACK = os.environ.get("BAMBAC_PACK")
DEVICE = "cuda:0"
ON_GPU = "--device=" + DEVICE
# bf16 activations: twice what is asked of bf16 weights alone. f16 has three bits more.
BOUND = 2e-2
F16_BOUND = 5e-3


@functools.cache
def driver():
    """The CUDA driver, or why there is none."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return f"no CUDA driver: {error}"
    count = ctypes.c_int()
    status = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count))
    if status or not count.value:
        return f"no CUDA device: the driver found {count.value} with status {status}"
    return cuda


@functools.cache
def compute():
    """The first card's compute capability, such as 90."""
    digits = []
    for attribute in (75, 76):  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
        value = ctypes.c_int()
        assert driver().cuDeviceGetAttribute(ctypes.byref(value), attribute, 0) == 0
        digits.append(value.value)
    return 10 * digits[0] + digits[1]


def targets():
    """The targets that can be tested on the first card, or why there are none."""
    if isinstance(driver(), str):
        return driver()
    if compute() == 90:
        return libraries.TARGETS
    if PACK or compute() // 10 != 8:
        return f"no libraries for a card of compute capability {compute() / 10}"
    return ("sm_80",)


def for_each_target(case):
    """Makes a test case for each of the card's targets, with the attribute `target`; one that is skipped without any."""
    found = targets()
    module = sys.modules[case.__module__]
    if isinstance(found, str):
        return unittest.skip(found)(case)
    for target in found:
        name = f"{case.__name__}_{target}"
        setattr(module, name, type(name, (case,), {"target": target, "__module__": case.__module__}))
    return None


def path(library):
    """The compiled library."""
    folder = os.path.join(PACK, "libraries") if PACK else harness.scratch()
    file = os.path.join(folder, library.name + ".so")
    if not os.path.exists(file):
        assert not PACK, f"{file} was not packed"
        harness.compile_model(library.config, file, *library.options)
    return file


def fixture_path(name, target, **options):
    return path(libraries.fixture(name, target, **options))


def random_path(index, target):
    """The library of a random model and its checkpoint."""
    folder = os.path.join(PACK or harness.scratch(), "random")
    if not os.path.exists(os.path.join(folder, str(index))):
        libraries.write_random(index, folder)
    library = libraries.random(index, target, folder)
    return path(library), library.config


def open_model(file, weights, target):
    """The model on the card, with the code of `target`."""
    model = Model(Library(file), weights, DEVICE)
    assert model.info().target.decode() == target, f"expected code for {target}, found {model.info().target}"
    return model


def is_near_tie(row, token):
    """Whether `token` is so near the best of a row of logits that errors within the bound can make it the best."""
    return row.max() - row[token] <= 4 * BOUND * np.sqrt(np.mean(np.square(row)))


class Case(harness.Case):
    bound = BOUND

    def assert_close(self, got, want, what=""):
        self.assertEqual(got.shape, want.shape, what)
        self.assertTrue(np.isfinite(got).all(), f"{what}: not all logits are finite")
        self.assertLessEqual(harness.relative_error(got, want), self.bound, what)

    def assert_same_bits(self, got, want, what=""):
        self.assertEqual(got.shape, want.shape, what)
        self.assertEqual(got.tobytes(), want.tobytes(), f"{what}: off by up to {harness.max_error(got, want)}")


def main():
    """Runs the tests of the program and ends with the line that run_all.py adds up."""
    if not os.path.exists(harness.BAMBA_RUN):
        sys.exit(f"{harness.BAMBA_RUN}: not there; set BAMBAC_BUILD to the build folder")
    result = unittest.main(exit=False, verbosity=2).result
    # A test with several bad subtests is one that failed; so is a class that could not be set up, which ran none.
    bad = {getattr(test, "test_case", test) for test, _ in result.failures + result.errors}
    good = result.testsRun - sum(isinstance(test, unittest.TestCase) for test in bad) - len(result.skipped)
    for test, reason in result.skipped:
        print(f"SKIPPED: {test.id()}: {reason}")
    print(f"{good} passed, {len(bad)} failed, {len(result.skipped)} skipped")
    sys.exit(bool(bad))
