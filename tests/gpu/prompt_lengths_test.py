# REQUIRES: gpu
# RUN: %python %s tiny
# RUN: %python %s odd
"""Prompts on both sides of each number of rows at which kernels change, against the same tokens in one step.

usage: prompt_lengths_test.py FIXTURE
"""

import sys
import unittest

import numpy as np

import gpu
import harness

FIXTURE = sys.argv.pop(1) if len(sys.argv) > 1 else "tiny"
# Entry points of 32, 304 and 512 rows; linears of 304 rows have one part of 152, or two of 128, 136 or 152.
LENGTHS = (31, 33, 127, 152, 153, 256, 257, 272, 273, 304, 305)


@gpu.for_each_target
class PromptLengthsTest(gpu.Case):
    def test_logits_are_those_of_the_longest(self):
        model, weights = gpu.fixture_path(FIXTURE, self.target), harness.fixture(FIXTURE)
        vocabulary = harness.expected(FIXTURE)[0]["logits.1"].shape[-1]
        tokens = np.random.default_rng(5).integers(0, vocabulary, LENGTHS[-1] + 100)
        want = harness.run_logits(model, weights, tokens, "prefill", gpu.ON_GPU)
        for length in LENGTHS:
            with self.subTest(length=length):
                got = harness.run_logits(model, weights, tokens[:length], "prefill", gpu.ON_GPU)
                self.assertEqual(len(got), length)
                self.assert_close(got, want[:length], f"the first {length} of {len(tokens)}")


if __name__ == "__main__":
    gpu.main()
