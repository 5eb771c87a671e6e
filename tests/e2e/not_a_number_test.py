# RUN: %python %s
"""Weights that give logits which are not numbers: who asks for the greedy token is told, and other sequences go on."""

import os

import harness
import numpy as np
import safetensors_io
from bamba_ctypes import BambaError, Library, Model

BAD, GOOD = 9, 5  # a token whose embedding is not a number, and another
PROMPT = [1, 2, 3]


class NotANumberTest(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.path = harness.library("tiny", "f32", "--max-batch=4", "--max-context=64", "--prefill-chunk=16")
        cls.weights = os.path.join(harness.scratch(), "weights")
        os.makedirs(cls.weights, exist_ok=True)
        tensors = safetensors_io.read_checkpoint(harness.fixture("tiny"))
        (name,) = [name for name in tensors if name.endswith("embed_tokens.weight")]
        tensors[name] = np.array(tensors[name], np.float32)
        tensors[name][BAD, 3] = np.nan
        safetensors_io.write_file(os.path.join(cls.weights, "model.safetensors"), tensors)

    def test_generate(self):
        command = [harness.BAMBA_RUN, "generate", self.path, "--weights", self.weights, "-n", "4"]
        for tokens in ([BAD], [1, BAD, 2]):
            done = harness.run([*command, harness.tokens_option(tokens)])
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertEqual(done.stdout.strip(), "")
            self.assertIn("bamba-run: error: expected numbers as logits after the last token of item 0", done.stderr)
        self.assertEqual(len(harness.run_ok([*command, harness.tokens_option([GOOD])]).stdout.split()), 4)

    def test_other_sequences_go_on(self):
        with Model(Library(self.path), self.weights) as model, model.session(slots=4) as session:
            alone = session.create()
            session.run([(alone, PROMPT)])
            wanted = [session.greedy(0)]
            session.run([(alone, [GOOD])])
            wanted.append(session.greedy(0))

            bad, good, single = session.create(), session.create(), session.create()
            session.run([(bad, [1, BAD]), (good, PROMPT), (single, [BAD])])
            for item in (0, 2):
                with self.assertRaises(BambaError) as caught:
                    session.greedy(item)
                self.assertEqual(caught.exception.status, "BAMBA_NOT_A_NUMBER")
                self.assertIn(f"item {item}", caught.exception.message)
                self.assertTrue(np.isnan(session.logits(item)).any())
            self.assertEqual(session.greedy(1), wanted[0])
            # In the next step all three are decoded together.
            session.run([(bad, [GOOD]), (good, [GOOD]), (single, [GOOD])])
            self.assertEqual(session.greedy(1), wanted[1])
            with self.assertRaises(BambaError):
                session.greedy(0)


if __name__ == "__main__":
    harness.main()
