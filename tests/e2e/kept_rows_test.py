# RUN: %python %s
"""Steps that keep fewer logits than they have room for: a session has memory for a multiple of 32 rows of them, with a
page after it that nothing may touch. The vocabularies are small, so that a workgroup has many rows."""

import os

import numpy as np

import harness
import random_model
from bamba_ctypes import LOGITS_ALL, LOGITS_LAST, Library, Model
from bamba_oracle import Oracle
from property_test import BASE

CHUNK = 48  # no multiple of 32


class KeptRowsTest(harness.Case):
    def open_model(self, vocabulary):
        folder = os.path.join(harness.scratch(), str(vocabulary))
        random_model.write_model(folder, {**BASE, "vocab_size": vocabulary}, seed=vocabulary)
        path = os.path.join(folder, "model.so")
        harness.compile_model(
            folder, path, "--dtype=f32", "--max-batch=2", "--max-context=128", f"--prefill-chunk={CHUNK}"
        )
        return Model(Library(path), folder), Oracle.load(folder, max_context=128)

    def check(self, model, oracle, lengths, logits):
        rng = np.random.default_rng(7)
        texts = [rng.integers(0, oracle.config.vocab_size, length).tolist() for length in lengths]
        with model, model.session(slots=len(texts)) as session:
            found = session.run([(session.create(), text) for text in texts], logits)
            for item, text in enumerate(texts):
                want = oracle.logits(text)
                self.assert_f32_logits(found[item], want if logits == LOGITS_ALL else want[-1:], f"item {item}")
                self.assertEqual(session.greedy(item), int(np.argmax(want[-1])))

    def test_a_workgroup_of_48(self):
        """There is memory for 33 rows; 48 rows of 85 logits reach beyond the page in which it ends."""
        self.check(*self.open_model(85), [20], LOGITS_LAST)

    def test_rows_that_are_not_aligned(self):
        """The second item starts at a row at no multiple of 64 bytes: its logits are computed elsewhere, in 32 rows.
        Tiles of 6 or 12 rows would make 36 of 31, and 36 rows of 95 logits reach beyond the page in which it ends."""
        self.check(*self.open_model(95), [1, 31], LOGITS_ALL)


if __name__ == "__main__":
    harness.main()
