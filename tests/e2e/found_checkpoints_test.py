# RUN: %python %s
"""Checkpoints as they are found in the wild load and answer the same; the config.json next to them is compared."""

import json
import os

import numpy as np

import harness
import safetensors_io

TOKENS = [3, 1, 4, 1, 5, 9, 2, 6]


class FoundCheckpointsTest(harness.Case):
    def setUp(self):
        self.folder = self.enterContext(harness.temporary_folder())

    def write(self, name, change, dtypes="BF16"):
        """A fixture's checkpoint after `change` has edited its tensors, without a config.json."""
        tensors = safetensors_io.read_file(os.path.join(harness.fixture(name), "model.safetensors"))
        change(tensors)
        safetensors_io.write_file(os.path.join(self.folder, "model.safetensors"), tensors, dtypes)

    def logits(self, name, weights):
        """Logits, and what is said on the way."""
        out = os.path.join(self.folder, "logits.safetensors")
        done = harness.run_ok([harness.BAMBA_RUN, "logits", harness.library(name), "--weights", weights,
                               harness.tokens_option(TOKENS), "-o", out])
        return safetensors_io.read_file(out)["logits"], done.stderr

    def check(self, name, change, warning=None, dtypes="BF16"):
        self.write(name, change, dtypes)
        want, silent = self.logits(name, harness.fixture(name))
        self.assertNotIn("warning", silent)
        got, said = self.logits(name, self.folder)
        np.testing.assert_array_equal(got, want)
        if warning:
            self.assertIn(warning, said)
        else:
            self.assertNotIn("warning", said)

    def test_a_head_next_to_tied_embeddings(self):
        def equal(tensors):
            tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]

        def different(tensors):
            tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] + 1

        self.check("tied", equal)
        self.check("tied", different, "'lm_head.weight' differs from 'model.embed_tokens.weight'")

    def test_buffers(self):
        self.check("tiny", lambda tensors: tensors.update(
            {"model.layers.1.self_attn.rotary_emb.inv_freq": np.ones(8, np.float32),
             "model.rotary_emb.inv_freq": np.ones(8, np.float32)}))

    def test_taps_without_a_dimension_of_one(self):
        def squeeze(tensors):
            for name in [name for name in tensors if name.endswith("conv1d.weight")]:
                tensors[name] = tensors[name][:, 0, :]

        self.check("tiny", squeeze)

    def test_padded_vocabulary(self):
        def pad(tensors):
            for name in ("model.embed_tokens.weight", "lm_head.weight"):
                tensors[name] = np.concatenate([tensors[name], np.full((7, tensors[name].shape[1]), 99, np.float32)])

        self.check("tiny", pad, "'lm_head.weight' has 263 rows, of which the model takes the first 256")

    def test_types_mix(self):
        """Each tensor in another type; bf16 numbers of ordinary size are exact in all of them but f16's subnormals."""
        tensors = safetensors_io.read_file(os.path.join(harness.fixture("tiny"), "model.safetensors"))
        header, data, types = {}, b"", ["F64", "F32", "BF16"]
        for index, (name, array) in enumerate(sorted(tensors.items())):
            dtype = types[index % 3]
            if (array.astype(np.float16).astype(np.float32) == array).all():
                dtype = (types + ["F16"])[index % 4]
            raw = safetensors_io.encode(array, dtype)
            header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
            data += raw
        self.assertGreater(len({entry["dtype"] for entry in header.values()}), 2)
        safetensors_io.write_raw(os.path.join(self.folder, "model.safetensors"), header, data)
        np.testing.assert_array_equal(self.logits("tiny", self.folder)[0], self.logits("tiny", harness.fixture("tiny"))[0])

    def test_prefixes(self):
        for prefix in ("_orig_mod.", "backbone."):
            def rename(tensors, prefix=prefix):
                for name in list(tensors):
                    tensors[prefix + name] = tensors.pop(name)

            self.write("tiny", rename)
            self.assert_refused(
                [harness.BAMBA_RUN, "generate", harness.library("tiny"), "--weights", self.folder, "--tokens=1", "-n", "1"],
                f"expected names without the prefix '{prefix}'")

    def test_other_configurations(self):
        """Each field that changes the answer is compared; --any-config goes on."""
        self.write("tiny", lambda tensors: None)
        with open(os.path.join(harness.fixture("tiny"), "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        path = os.path.join(self.folder, "config.json")
        command = [harness.BAMBA_RUN, "generate", harness.library("tiny"), "--weights", self.folder, "--tokens=1", "-n", "1"]
        changes = {"hidden_size": 65, "rms_norm_eps": 1e-6, "num_key_value_heads": 1, "mamba_d_state": 3,
                   "time_step_limit": [0.0, 0.5], "tie_word_embeddings": True, "hidden_act": "gelu",
                   "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}, "attn_layer_indices": [0],
                   "rope_scaling": {"type": "linear", "factor": 2.0}, "model_type": "llama"}
        for field, value in changes.items():
            with open(path, "w", encoding="utf-8") as file:
                json.dump({**config, field: value}, file)
            self.assert_refused(command, path, field, "as the library was compiled for")
            harness.run_ok([*command, "--any-config"])
        for same in ({"torch_dtype": "float16"}, {"time_step_limit": [0.0, float("inf")]}, {"mamba_d_head": "auto"}):
            with open(path, "w", encoding="utf-8") as file:
                json.dump({**config, **same}, file)
            harness.run_ok(command)

    def test_fixtures_fit_themselves(self):
        """Whichever way a configuration is written."""
        for name in ("groups", "hub", "odd", "tied", "tiny"):
            self.logits(name, harness.fixture(name))


if __name__ == "__main__":
    harness.main()
