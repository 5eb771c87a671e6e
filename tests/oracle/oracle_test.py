# RUN: %python %s
"""The oracle agrees with the golden data; the safetensors module reads back what it writes."""

import os
import tempfile
import unittest

import numpy as np

import random_model
import safetensors_io
from bamba_config import Config
from bamba_oracle import Oracle, round_to_codes

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "fixtures")


class GoldenTest(unittest.TestCase):
    def test_every_fixture(self):
        folders = sorted(os.listdir(FIXTURES))
        self.assertEqual(
            folders,
            ["fp8_block", "fp8_dynamic", "fp8_kv", "fp8_static", "groups", "hub", "odd", "rope_linear", "rope_llama3",
             "rope_longrope", "rope_yarn", "tied", "tiny"],
        )
        for name in folders:
            folder = os.path.join(FIXTURES, name)
            oracle = Oracle.load(folder)
            expected = safetensors_io.read_file(os.path.join(folder, "expected.safetensors"))
            shapes = {key: value.shape for key, value in oracle.weights.items() if "scale" not in key}
            self.assertEqual(shapes, oracle.config.tensor_shapes(), name)
            for length in (key.split(".")[1] for key in expected if key.startswith("input_ids.")):
                with self.subTest(fixture=name, length=length):
                    # Transformers changes to the long factors of rope_longrope with the length of the sequence.
                    oracle.max_context = 128 if int(length) <= 128 else 4096
                    self._check(oracle, expected, length)

    def _check(self, oracle, expected, length):
        tokens, want = expected[f"input_ids.{length}"], expected[f"logits.{length}"]
        got = oracle.logits(tokens)[-len(want) :]
        self.assertLessEqual(np.abs(got - want).max(), 1e-4 * max(1.0, want.std()))
        if int(length) == max(int(key.split(".")[1]) for key in expected if key.startswith("input_ids.")):
            self._check_hidden(oracle, expected)
        pieces = np.concatenate([oracle.logits(tokens[:1])] + [oracle.forward(tokens[1:])] * (len(tokens) > 1))
        self.assertLessEqual(np.abs(pieces[-len(want) :] - got).max(), 1e-9)
        greedy = expected[f"greedy.{length}"]
        self.assertEqual(oracle.generate(tokens, len(greedy)), greedy.tolist())

    def _check_hidden(self, oracle, expected):
        for key in (key for key in expected if key.startswith("hidden.")):
            want, got = expected[key], oracle.hidden[int(key.split(".")[1])][-4:]
            self.assertLessEqual(np.abs(got - want).max(), 1e-4 * max(1.0, want.std()), key)


class SafetensorsTest(unittest.TestCase):
    def test_round_trip(self):
        values = np.array([[0.0, -1.0, 1.00390625], [3.0e38, 1e-30, 65504.0]], dtype=np.float32)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")
            safetensors_io.write_file(path, {"a": values, "b": values}, {"a": "F32", "b": "BF16"})
            got = safetensors_io.read_checkpoint(folder)
            np.testing.assert_array_equal(got["a"], values)
            np.testing.assert_array_equal(got["b"], safetensors_io.as_stored(values, "BF16"))
            self.assertEqual(got["b"][0, 2], 1.0)  # half way between 1 and 1.0078125: to even

    def test_shards(self):
        tensors = {name: np.full((2, 3), i, np.float32) for i, name in enumerate("abcde")}
        with tempfile.TemporaryDirectory() as folder:
            safetensors_io.write_sharded(folder, tensors, "F16", shards=3)
            got = safetensors_io.read_checkpoint(folder)
        self.assertEqual(set(got), set(tensors))
        for name, array in tensors.items():
            np.testing.assert_array_equal(got[name], array)


class ConfigTest(unittest.TestCase):
    def test_styles_agree(self):
        new = {
            "hidden_size": 64, "num_attention_heads": 4, "mamba_n_heads": 8, "num_key_value_heads": None,
            "num_hidden_layers": 3, "layer_types": ["linear_attention", "full_attention", "linear_attention"],
            "rope_parameters": {"rope_theta": 5000.0, "partial_rotary_factor": 0.25},
            "time_step_limit": [0.0, {"__float__": "Infinity"}],
        }
        old = {
            "hidden_size": 64, "num_attention_heads": 4, "mamba_n_heads": 8, "num_key_value_heads": 4,
            "num_hidden_layers": 3, "attn_layer_indices": [1], "mamba_d_head": 16, "head_dim": 16,
            "rope_theta": 5000.0, "attn_rotary_emb": 4,
        }
        self.assertEqual(Config.from_json(new), Config.from_json(old))

    def test_random_model_is_complete(self):
        config = {"hidden_size": 8, "num_attention_heads": 2, "mamba_n_heads": 2, "num_key_value_heads": 1,
                  "num_hidden_layers": 2, "attn_layer_indices": [0], "vocab_size": 11, "intermediate_size": 5,
                  "mamba_d_state": 3, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}
        with tempfile.TemporaryDirectory() as folder:
            random_model.write_model(folder, config, seed=1, shards=2)
            oracle = Oracle.load(folder)
            self.assertEqual(oracle.logits([1, 2, 3]).shape, (3, 11))
            self.assertTrue(np.isfinite(oracle.logits([1, 2, 3])).all())


class CodedStateTest(unittest.TestCase):
    def test_codes_and_scales(self):
        state = np.array([[[2.0, -1.0, 0.3], [0.0, 0.0, 2.0**-101]]])
        scale = 2 / 127  # of the first row; the second counts as zero
        wanted = np.array([[[127, -64, 19], [0, 0, 0]]]) * np.array([[[scale], [0]]])
        np.testing.assert_allclose(round_to_codes(state), wanted, rtol=1e-12)

    def test_rounds_where_the_ring_is_full(self):
        oracle = Oracle.load(os.path.join(FIXTURES, "tiny"))
        exact = oracle.logits(range(1, 8))
        oracle.coded_every = 5
        coded = oracle.logits(range(1, 8))
        np.testing.assert_array_equal(coded[:5], exact[:5])
        self.assertGreater(np.abs(coded[5:] - exact[5:]).max(), 1e-5)
        # The place in the ring is that of the sequence, not of a call.
        oracle.reset()
        np.testing.assert_allclose(np.concatenate([oracle.forward([token]) for token in range(1, 8)]), coded, atol=1e-9)


if __name__ == "__main__":
    unittest.main()
