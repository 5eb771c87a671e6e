# RUN: %python %s
"""Configurations as transformers 4.57 and 5.24 write them for the model of the fixture rope_yarn: what save_pretrained()
keeps (`saved`) and every field (`whole`). None draws a warning, and each is the model of the golden data."""

import os
import shutil

import harness

CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Inputs", "transformers")
FIXTURE, LENGTH = "rope_yarn", 64


class TransformersConfigsTest(harness.Case):
    def test_logits(self):
        files = sorted(os.listdir(CONFIGS))
        self.assertEqual(files, ["4-saved.json", "4-whole.json", "5-saved.json", "5-whole.json"])
        data, _ = harness.expected(FIXTURE)
        want = data[f"logits.{LENGTH}"]
        for file in files:
            with self.subTest(file=file), harness.temporary_folder() as folder:
                shutil.copy(os.path.join(CONFIGS, file), os.path.join(folder, "config.json"))
                weights = os.path.join(harness.fixture(FIXTURE), "model.safetensors")
                os.symlink(weights, os.path.join(folder, "model.safetensors"))
                model = os.path.join(folder, "model.so")
                done = harness.run_ok([harness.BAMBAC, "compile", folder, "-o", model, "--dtype=f32", *harness.SMALL])
                self.assertEqual(done.stderr, "")
                got = harness.run_logits(model, folder, data[f"input_ids.{LENGTH}"], "prefill")
                self.assert_f32_logits(got[-len(want) :], want)


if __name__ == "__main__":
    harness.main()
