# REQUIRES: gpu
# RUN: %python %s groups
# RUN: %python %s hub
# RUN: %python %s odd
# RUN: %python %s rope_linear
# RUN: %python %s rope_llama3
# RUN: %python %s rope_longrope
# RUN: %python %s rope_yarn
# RUN: %python %s tied
# RUN: %python %s tiny
"""A fixture on the GPU against its golden data. usage: golden_test.py FIXTURE"""

import sys
import unittest

import gpu
import harness
import libraries
from bamba_oracle import Oracle

FIXTURE = sys.argv.pop(1) if len(sys.argv) > 1 else "tiny"


@gpu.for_each_target
class GoldenTest(gpu.Case):
    def setUp(self):
        self.weights = harness.fixture(FIXTURE)
        self.data, self.lengths = harness.expected(FIXTURE)

    def library(self, length, **options):
        return gpu.fixture_path(FIXTURE, self.target, context=harness.context_for(FIXTURE, length), **options)

    def check_logits(self, modes, **options):
        """Each way to feed a prompt gives the golden logits, and all ways the same."""
        for length in self.lengths:
            model = self.library(length, **options)
            tokens, want = self.data[f"input_ids.{length}"], self.data[f"logits.{length}"]
            results = {}
            for mode in modes:
                with self.subTest(length=length, mode=mode, **options):
                    results[mode] = harness.run_logits(model, self.weights, tokens, mode, gpu.ON_GPU)
                    self.assertEqual(len(results[mode]), length)
                    self.assert_close(results[mode][-len(want) :], want, "golden")
                    self.assert_close(results[mode], results[modes[0]], f"against {modes[0]}")

    def test_logits(self):
        self.check_logits(("prefill", "decode", "chunk:5"))

    @unittest.skipIf(FIXTURE in libraries.ROPE_FIXTURES, "compiled with one chunk")
    def test_logits_of_small_chunks(self):
        self.check_logits(("prefill", "chunk:20"), chunk=32)

    @unittest.skipUnless(FIXTURE in libraries.STATE_FIXTURES, "not compiled with a narrow state")
    def test_logits_with_narrow_state(self):
        for state in libraries.STATE_TYPES:
            with self.subTest(state=state):
                self.check_logits(("prefill", "decode"), state=state)

    @unittest.skipUnless(FIXTURE in libraries.RING_FIXTURES, "not compiled with a state ring")
    def test_logits_with_state_ring(self):
        self.check_logits(("prefill", "decode", "chunk:5"), ring=libraries.RING_FIXTURES[FIXTURE])

    @unittest.skipUnless(FIXTURE == "hub", "not compiled with a state ring of f16")
    def test_logits_with_narrow_state_and_ring(self):
        self.check_logits(("prefill", "decode", "chunk:3"), state="f16", ring=4)

    @unittest.skipUnless(FIXTURE in libraries.CODED_RING_FIXTURES, "not compiled with codes in a state ring")
    def test_logits_with_codes_and_ring(self):
        """The golden logits are those of exact states. Codes are another model, which the oracle knows: the state is
        rounded where it is written. Ways to feed a prompt that write it at the same tokens give the same."""
        ring = libraries.RING_FIXTURES[FIXTURE]
        oracle = Oracle.load(self.weights)
        for length in self.lengths:
            model, tokens = self.library(length, state="int8", ring=ring), self.data[f"input_ids.{length}"]
            results = {}
            for mode, coded_every in {"prefill": 0, "decode": ring, f"chunk:{ring}": ring, "chunk:5": 5}.items():
                with self.subTest(length=length, mode=mode):
                    oracle.coded_every = coded_every
                    results[mode] = harness.run_logits(model, self.weights, tokens, mode, gpu.ON_GPU)
                    self.assert_close(results[mode], oracle.logits(tokens), "oracle")
            with self.subTest(length=length):
                self.assert_close(results[f"chunk:{ring}"], results["decode"], "against decode")

    def test_logits_with_f16(self):
        if FIXTURE in libraries.ROPE_FIXTURES or FIXTURE not in libraries.f16_fixtures(self.target):
            self.skipTest(f"not compiled with f16 for {self.target}")
        self.bound = gpu.F16_BOUND
        self.check_logits(("prefill", "decode", "chunk:5"), dtype="f16")

    def test_greedy(self):
        for options in ({},) if FIXTURE in libraries.ROPE_FIXTURES else ({}, {"chunk": 32}):
            for length in self.lengths:
                model = self.library(length, **options)
                prompt, want = self.data[f"input_ids.{length}"].tolist(), self.data[f"greedy.{length}"].tolist()
                with self.subTest(length=length, **options):
                    self.check_greedy(model, prompt, want)

    def check_greedy(self, model, prompt, want):
        got = harness.run_generate(model, self.weights, prompt, len(want), gpu.ON_GPU)
        self.assertEqual(len(got), len(want))
        if got == want:
            return
        # They may part only where the reference has a near tie; what follows is another text.
        same = next(i for i, (a, b) in enumerate(zip(got, want)) if a != b)
        row = harness.run_logits(model, self.weights, [*prompt, *want[:same]], "prefill", "--device=cpu")[-1]
        self.assertTrue(gpu.is_near_tie(row, got[same]), f"token {same + 1}: expected {want}, found {got}")


if __name__ == "__main__":
    gpu.main()
