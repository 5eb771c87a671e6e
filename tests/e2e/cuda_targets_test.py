# REQUIRES: nvrtc
# RUN: %python %s
"""The examples compile for every target with default options, at their full sizes; so do the widest shapes that a
configuration may ask of attention and of the state space ops. What fits nowhere is an error that names the fields."""

import copy
import json
import os
import time

import harness
import schedules

EXAMPLES = os.path.join(harness.SOURCE, "examples", "configs")
GPUS = ("sm_80", "sm_86", "sm_89", "sm_90", "sm_90a")

# A model of one layer: attention (or Mamba) and an MLP, everything else small.
SMALL = {
    "model_type": "bamba", "hidden_size": 64, "intermediate_size": 64, "vocab_size": 256, "num_hidden_layers": 1,
    "max_position_embeddings": 256, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "attn_layer_indices": [0], "mamba_n_heads": 4, "mamba_d_head": 32, "mamba_d_state": 32, "mamba_n_groups": 1,
    "mamba_expand": 2,
}


class CudaTargetsTest(harness.Case):
    def write(self, config):
        path = os.path.join(harness.scratch(), "config.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        return path

    def compile(self, config, targets, *options):
        """The metadata of the library's models."""
        if isinstance(config, dict):
            config = self.write(config)
        out = os.path.join(harness.scratch(), "m.so")
        begin = time.monotonic()
        harness.compile_model(config, out, "--target=" + ",".join(targets), *options)
        models = json.loads(harness.run_ok([harness.BAMBA_RUN, "inspect", out, "--json"]).stdout)["models"]
        kernels = sum(len(model["kernels"]) for model in models)
        print(f"{os.path.basename(config)} {' '.join(targets)}: {kernels} kernels, {time.monotonic() - begin:.1f} s")
        self.assertEqual(len(models), len(targets))
        harness.assert_runs_on_glibc_2_34(self, out)
        for model in models:
            for kernel in model["kernels"]:
                self.assertNotIn("fallbacks", json.dumps(kernel))
        os.remove(out)
        return models

    def schedules(self, models, stem):
        """The schedules of the kernels whose names start with `stem`."""
        found = [json.dumps(kernel["schedule"]) for model in models for kernel in model["kernels"]
                 if kernel["name"].startswith(stem)]
        self.assertTrue(found)
        return found

    def test_examples(self):
        for name in ("tiny.json", "bamba-9b.json"):
            with self.subTest(config=name):
                self.compile(os.path.join(EXAMPLES, name), GPUS)

    def test_fallbacks(self):
        """Tiny's linears of 128 rows spill on sm_80 with the schedule that is tried first: the next one is taken, and the
        library says which."""
        config = os.path.join(EXAMPLES, "tiny.json")
        (model,) = self.compile(config, ("sm_80",))
        changed = schedules.fallen_back(config, model["kernels"], "--target=sm_80")
        self.assertIn("linear_add_128x256x256_bf16", changed)
        self.assertTrue(all("linear" in name for name in changed), changed)

    def test_examples_on_the_processor(self):
        for name in ("tiny.json", "bamba-9b.json"):
            with self.subTest(config=name):
                self.compile(os.path.join(EXAMPLES, name), ("cpu",))

    def small(self, **fields):
        config = copy.deepcopy(SMALL)
        config.update(fields)
        return config

    def test_wide_heads(self):
        for head_dim in (192, 224, 256):
            with self.subTest(head_dim=head_dim):
                config = self.small(head_dim=head_dim)
                models = self.compile(config, GPUS, "--max-batch=1", "--prefill-chunk=128")
                on_wgmma = ["wgmma/attention_prefill" in line for line in self.schedules(models, "attention_128x")]
                self.assertEqual(any(on_wgmma), head_dim % 64 == 0, "sm_90a alone has it")

    def test_many_query_heads(self):
        config = self.small(num_attention_heads=64, num_key_value_heads=1, head_dim=128)
        models = self.compile(config, GPUS, "--max-batch=1", "--prefill-chunk=32")
        for schedule in self.schedules(models, "attention_1x"):
            self.assertIn("tile_heads 32,", schedule)

    def test_heads_of_codes(self):
        """Queries of wide heads and of many take too many registers to be held."""
        for heads, head_dim in ((4, 256), (32, 128), (18, 32)):
            with self.subTest(heads=heads, head_dim=head_dim):
                config = self.small(num_attention_heads=heads, num_key_value_heads=1, head_dim=head_dim)
                models = self.compile(config, ("sm_80", "sm_90a"), "--max-batch=1", "--prefill-chunk=32",
                                      "--dtype=fp8", "--kv-dtype=fp8")
                for schedule in self.schedules(models, "attention_1x"):
                    self.assertIn(f"tile_heads {heads},", schedule)

    def test_few_rows_with_scales_of_blocks(self):
        """What a linear of up to 16 rows holds, scales of its blocks included, has registers."""
        config = self.small(hidden_size=4096, intermediate_size=14336, num_attention_heads=32, num_key_value_heads=8,
                            head_dim=128, mamba_n_heads=128, mamba_d_head=64,
                            quantization_config={"quant_method": "fp8", "activation_scheme": "dynamic",
                                                 "weight_block_size": [128, 128]})
        models = self.compile(config, ("sm_90a",), "--max-batch=16", "--prefill-chunk=32")
        for rows, collective in ((8, "wgmma/linear_skinny"), (16, "wgmma/linear_middle")):
            for stem in ("quantize_linear_add_{}x4096x14336", "quantize_linear_add_{}x4096x4096",
                         "linear_swiglu_{}x"):
                for schedule in self.schedules(models, stem.format(rows)):
                    self.assertIn(collective, schedule)

    def test_more_heads_than_counters(self):
        config = self.small(num_attention_heads=32, num_key_value_heads=32, head_dim=16)
        models = self.compile(config, ("sm_80", "sm_90a"), "--max-batch=512", "--prefill-chunk=16")
        for schedule in self.schedules(models, "attention_512x"):
            self.assertIn("splits 1,", schedule)

    def test_long_convolutions_and_wide_states(self):
        """Up to 8 taps are a step's own; with a wide state more threads hold their inputs."""
        for taps, state in ((5, 32), (8, 192), (9, 32), (16, 64), (64, 32)):
            with self.subTest(taps=taps, state=state):
                config = self.small(attn_layer_indices=[], mamba_d_conv=taps, mamba_d_state=state)
                models = self.compile(config, ("sm_80", "sm_90a"), "--max-batch=1", "--prefill-chunk=32")
                steps = [kernel["name"] for model in models for kernel in model["kernels"] if "ssm_step" in kernel["name"]]
                self.assertEqual(len(steps), 2)
                for name in steps:
                    self.assertEqual(name.startswith("causal_conv1d"), taps <= 8, name)

    def test_spills(self):
        """The widest state spills: that is a warning, one line for each target."""
        path = self.write(self.small(attn_layer_indices=[], mamba_d_state=256))
        out = os.path.join(harness.scratch(), "m.so")
        done = harness.run_ok([harness.BAMBAC, "compile", path, "-o", out, "--target=sm_80,sm_90a", "--max-batch=1",
                               "--prefill-chunk=32"])
        warnings = done.stderr.splitlines()
        self.assertEqual(len(warnings), 2, done.stderr)
        for target, warning in zip(("sm_80", "sm_90a"), warnings, strict=True):
            self.assertRegex(warning, rf"^bambac: warning: layers\.0: kernel 'ssm_scan\w*': expected values that fit into "
                                      rf"registers of {target}, found \d+ bytes spilled, which takes time; its sizes come "
                                      r"from the configuration's mamba_d_head, mamba_d_state, ")
        os.remove(out)

    def test_states_that_fit_nowhere(self):
        config = self.small(attn_layer_indices=[], mamba_d_state=272)
        path = self.write(config)
        done = harness.run([harness.BAMBAC, "compile", path, "-o", os.path.join(harness.scratch(), "m.so"),
                            "--target=sm_86"])
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"kernel 'ssm_scan\w*': expected a schedule that fits sm_86, found none: "
                         r"mma/ssm_scan: expected at most 256 elements of a channel's state, found 272; the sizes come "
                         r"from the configuration's mamba_d_head, mamba_d_state, ")


if __name__ == "__main__":
    with harness.keep_cores():
        harness.main()
