"""Compiled fixtures against golden data. usage: golden.py FIXTURE f32|bf16|f16"""

import sys

import harness

FIXTURE, DTYPE = sys.argv[1:3] if len(sys.argv) > 2 else ("tiny", "f32")
MODES = ("prefill", "decode", "chunk:1", "chunk:5", "chunk:64")
# A prefill chunk that takes every prompt whole, and one that cuts the longer ones.
CHUNKS = (512, 32)


class GoldenTest(harness.Case):
    def setUp(self):
        self.weights = harness.fixture(FIXTURE)
        self.data, self.lengths = harness.expected(FIXTURE)
        self.assertGreaterEqual(len(self.lengths), 3)

    def library(self, chunk, length):
        context = harness.context_for(FIXTURE, length)
        return harness.library(FIXTURE, DTYPE, "--max-batch=4", f"--max-context={context}", f"--prefill-chunk={chunk}")

    def test_logits(self):
        # The fixtures' weights are bf16 of a size that f16 holds exactly.
        check = self.assert_bf16_logits if DTYPE == "bf16" else self.assert_f32_logits
        for chunk in CHUNKS:
            for length in self.lengths:
                tokens, want = self.data[f"input_ids.{length}"], self.data[f"logits.{length}"]
                for mode in MODES:
                    with self.subTest(prefill_chunk=chunk, length=length, mode=mode):
                        got = harness.run_logits(self.library(chunk, length), self.weights, tokens, mode)
                        self.assertEqual(len(got), length)
                        check(got[-len(want) :], want)

    def test_greedy(self):
        for chunk in CHUNKS:
            for length in self.lengths:
                with self.subTest(prefill_chunk=chunk, length=length):
                    self.check_greedy(chunk, self.data[f"input_ids.{length}"], self.data[f"greedy.{length}"].tolist())

    def check_greedy(self, chunk, prompt, want):
        library = self.library(chunk, len(prompt))
        got = harness.run_generate(library, self.weights, prompt, len(want))
        if DTYPE != "bf16":
            self.assertEqual(got, want)
            return
        # In bf16 a near tie may fall otherwise: each token must then be (nearly) the best by the model's own logits.
        self.assertEqual(len(got), len(want))
        tokens = [*prompt.tolist(), *got]
        logits = harness.run_logits(library, self.weights, tokens, "prefill")
        for position, token in enumerate(got, start=len(prompt) - 1):
            row = logits[position]
            self.assertLessEqual(row.max() - row[token], 1e-2 * max(1.0, float(row.std())), f"token {position + 1}")


if __name__ == "__main__":
    del sys.argv[1:3]
    harness.main()
