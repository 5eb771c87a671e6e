# REQUIRES: gpu
# RUN: %python %s fp8_block
# RUN: %python %s fp8_dynamic
# RUN: %python %s fp8_kv
# RUN: %python %s fp8_static
"""A fixture of an fp8 checkpoint on the GPU against its golden data. usage: golden_fp8_test.py FIXTURE

The bounds are shares of `distance`, how far the model without quantized activations is: see tests/e2e/golden_fp8.py. A
GPU rounds what tensor cores multiply, which turns codes of short prompts too."""

import sys

import gpu
import harness

FIXTURE = sys.argv.pop(1) if len(sys.argv) > 1 else "fp8_dynamic"
SHORT_BOUND, LONG_BOUND = 1.6, 0.9


@gpu.for_each_target
class GoldenFp8Test(gpu.Case):
    def test_logits(self):
        weights = harness.fixture(FIXTURE)
        data, lengths = harness.expected(FIXTURE)
        model = gpu.fixture_path(FIXTURE, self.target)
        for length in lengths:
            tokens, want = data[f"input_ids.{length}"], data[f"logits.{length}"]
            bound = (SHORT_BOUND if length <= 2 else LONG_BOUND) * data[f"distance.{length}"][0]
            for mode in ("prefill", "decode", "chunk:5"):
                with self.subTest(length=length, mode=mode):
                    got = harness.run_logits(model, weights, tokens, mode, gpu.ON_GPU)
                    self.assertEqual(got.shape, want.shape)
                    self.assertLessEqual(harness.relative_error(got, want), bound)


if __name__ == "__main__":
    gpu.main()
