# REQUIRES: gpu
# RUN: %python %s
"""An embedding that is not a number: who asks for the greedy token is told, and sequences without it go on."""

import os
import tempfile

import gpu
import harness
import numpy as np
import safetensors_io
from bamba_ctypes import BambaError

BAD, GOOD = 9, 5  # a token whose embedding is not a number, and another
PROMPT = [1, 2, 3]


@gpu.for_each_target
class NotANumberTest(gpu.Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        tensors = safetensors_io.read_checkpoint(harness.fixture("tiny"))
        (name,) = [name for name in tensors if name.endswith("embed_tokens.weight")]
        tensors[name] = np.array(tensors[name], np.float32)
        tensors[name][BAD, 3] = np.nan
        safetensors_io.write_file(os.path.join(folder.name, "model.safetensors"), tensors)
        cls.model = gpu.open_model(gpu.fixture_path("tiny", cls.target), folder.name, cls.target)
        cls.addClassCleanup(cls.model.close)

    def check_not_a_number(self, session, item):
        with self.assertRaises(BambaError) as caught:
            session.greedy(item)
        self.assertEqual(caught.exception.status, "BAMBA_NOT_A_NUMBER")
        self.assertIn(f"item {item}", caught.exception.message)

    def test_other_sequences_go_on(self):
        with self.model.session(slots=4) as session:
            bad, good, single = session.create(), session.create(), session.create()
            # Prompts first, each alone or with others; after that all three are decoded together.
            for batch in (
                [(bad, [1, BAD]), (good, PROMPT), (single, [BAD])],
                [(bad, [GOOD]), (good, [GOOD]), (single, [GOOD])],
            ):
                rows = session.run(batch)
                for item in (0, 2):
                    self.assertTrue(np.isnan(rows[item][-1]).any())
                    self.check_not_a_number(session, item)
                self.assertTrue(np.isfinite(rows[1]).all())
                self.assertEqual(session.greedy(1), int(rows[1][-1].argmax()))
            # A sequence of its own, decoded alone.
            alone = session.create()
            session.run([(alone, PROMPT)])
            session.run([(alone, [BAD])])
            self.check_not_a_number(session, 0)


if __name__ == "__main__":
    gpu.main()
