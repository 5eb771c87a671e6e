# RUN: %python %s
"""Checkpoints of codes and scales: what is refused, with the tensor, and what is made of numbers."""

import json
import os
import shutil

import numpy as np

import harness
import safetensors_io

WEIGHT = "model.layers.0.mamba.in_proj.weight"
SCALE = WEIGHT + "_scale"
PROMPT = [3, 1, 4, 1, 5]


class Copy:
    """A copy of a fixture whose tensors can be changed before it is written."""

    def __init__(self, name):
        self.folder = os.path.join(harness.scratch(), f"copy-of-{name}")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        shutil.copy(os.path.join(harness.fixture(name), "config.json"), self.folder)
        source = os.path.join(harness.fixture(name), "model.safetensors")
        self.tensors = {key: value.copy() for key, value in safetensors_io.read_file(source).items()}
        header, _ = safetensors_io.read_header(source)
        self.dtypes = {key: entry["dtype"] for key, entry in header.items() if key != "__metadata__"}

    def add(self, name, array, dtype):
        self.tensors[name], self.dtypes[name] = np.asarray(array, np.float32), dtype

    def remove(self, name):
        del self.tensors[name], self.dtypes[name]

    def dequantize(self):
        """Numbers of f32 in place of all codes and scales."""
        for name in [name for name in self.tensors if name.endswith(".weight_scale")]:
            weight = name.removesuffix("_scale")
            self.add(weight, self.tensors[weight] * self.tensors[name].reshape(-1, 1), "F32")
            self.remove(name)

    def change_quantization(self, change):
        path = os.path.join(self.folder, "config.json")
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        change(config["quantization_config"])
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)

    def write(self):
        safetensors_io.write_file(os.path.join(self.folder, "model.safetensors"), self.tensors, self.dtypes)
        return self.folder


class CheckpointTest(harness.Case):
    def logits(self, library, folder):
        return harness.run_logits(library, folder, PROMPT, "prefill")

    def refused(self, copy, *mentions, fixture="fp8_dynamic", library=None):
        library = library or harness.library(fixture, "bf16")
        arguments = [harness.BAMBA_RUN, "logits", library, "--weights", copy.write(),
                     harness.tokens_option(PROMPT), "-o", os.path.join(harness.scratch(), "x.safetensors")]
        self.assert_refused(arguments, *mentions)

    def test_scales_that_are_no_scales(self):
        for value in (0.0, -1.0, np.nan, np.inf):
            with self.subTest(value=value):
                copy = Copy("fp8_dynamic")
                copy.tensors[SCALE][7] = value
                self.refused(copy, SCALE, "element 7", "expected a scale greater than 0")

    def test_tensors_that_do_not_fit(self):
        copy = Copy("fp8_dynamic")
        copy.remove(SCALE)
        self.refused(copy, SCALE, "found no such tensor")
        copy = Copy("fp8_dynamic")
        copy.add("model.layers.0.mamba.in_proj.input_scale", [1.0], "F32")
        self.refused(copy, "found also", "in_proj.input_scale")
        copy = Copy("fp8_dynamic")
        copy.add(SCALE, np.ones((3, 1)), "F32")
        self.refused(copy, SCALE, "shape", "[584, 1]", "[3, 1]")
        copy = Copy("fp8_dynamic")
        copy.dtypes["lm_head.weight"] = "F8_E4M3"
        self.refused(copy, "lm_head.weight", "dtype", "BF16", "F8_E4M3")

    def test_codes_that_are_no_numbers(self):
        copy = Copy("fp8_dynamic")
        copy.tensors[WEIGHT][300, 5] = copy.tensors[WEIGHT][301, 0] = copy.tensors[WEIGHT][583, 127] = np.nan
        self.refused(copy, WEIGHT, "NaN 3 times", "first at [300, 5]")

    def test_types_of_scales(self):
        library = harness.library("fp8_dynamic", "bf16")
        want = self.logits(library, harness.fixture("fp8_dynamic"))
        for dtype in ("F32", "F16"):
            copy = Copy("fp8_dynamic")
            for name in copy.tensors:
                if name.endswith("_scale"):
                    # A power of two: exact in each type.
                    copy.tensors[name] = 2.0 ** np.round(np.log2(copy.tensors[name]))
                    copy.dtypes[name] = "BF16"
            rounded = self.logits(library, copy.write())
            self.assertGreater(harness.max_error(rounded, want), 0)
            for name in copy.tensors:
                if name.endswith("_scale"):
                    copy.dtypes[name] = dtype
            np.testing.assert_array_equal(self.logits(library, copy.write()), rounded)

    def test_numbers_become_codes(self):
        """Of the numbers of an fp8 checkpoint come its codes: each row has one of the largest magnitude."""
        copy = Copy("fp8_dynamic")
        for name in copy.tensors:
            if name.endswith("_scale"):
                copy.tensors[name.removesuffix("_scale")][:, 0] = 448
        library = harness.library("fp8_dynamic", "bf16")
        want = self.logits(library, copy.write())
        copy.dequantize()
        np.testing.assert_array_equal(self.logits(library, copy.write()), want)
        # As with a library that was compiled without a word of quantization in the config.
        with open(os.path.join(copy.folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        del config["quantization_config"]
        with open(os.path.join(copy.folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        model = harness.compile_model(copy.folder, os.path.join(harness.scratch(), "fp8.so"), "--dtype=fp8", *harness.SMALL)
        np.testing.assert_array_equal(self.logits(model, copy.write()), want)

    def test_numbers_do_not_become_codes_of_blocks(self):
        copy = Copy("fp8_block")
        copy.dtypes[WEIGHT] = "BF16"
        self.refused(copy, WEIGHT, "expected F8_E4M3, found BF16", fixture="fp8_block")

    def test_a_cache_without_scales(self):
        library = harness.library("fp8_kv", "bf16")
        copy = Copy("fp8_kv")
        names = [name for name in copy.tensors if name.endswith(("k_scale", "v_scale"))]
        self.assertEqual(len(names), 2)
        for name in names:
            copy.tensors[name][:] = 1
        want = self.logits(library, copy.write())
        for name in names:
            copy.remove(name)
        np.testing.assert_array_equal(self.logits(library, copy.write()), want)
        copy = Copy("fp8_kv")
        copy.tensors[names[0]][:] = -2
        self.refused(copy, names[0], "expected a scale greater than 0, found -2", fixture="fp8_kv")

    def test_scales_of_a_cache_that_an_option_asks_for(self):
        """The config says nothing of the cache: --kv-dtype=fp8 takes scales where the checkpoint has them."""
        attention = "model.layers.2.self_attn."
        said = Copy("fp8_kv")
        scales = {name: said.tensors[name] for name in said.tensors if name.endswith(("k_scale", "v_scale"))}
        self.assertEqual(sorted(scales), [attention + "k_scale", attention + "v_scale"])
        want = self.logits(harness.library("fp8_kv", "bf16"), said.write())

        unsaid = Copy("fp8_kv")
        unsaid.change_quantization(lambda quantization: quantization.pop("kv_cache_scheme"))
        option = harness.compile_model(unsaid.folder, os.path.join(harness.scratch(), "kv-option.so"), "--dtype=bf16",
                                       "--kv-dtype=fp8", *harness.SMALL)
        numbers = harness.compile_model(unsaid.folder, os.path.join(harness.scratch(), "kv-numbers.so"), "--dtype=bf16",
                                        *harness.SMALL)
        np.testing.assert_array_equal(self.logits(option, unsaid.write()), want)
        ignored = self.logits(numbers, unsaid.write())

        # A scale that is not there is 1, each for itself.
        unsaid.remove(attention + "v_scale")
        one = self.logits(option, unsaid.write())
        unsaid.add(attention + "v_scale", [1.0], "F32")
        np.testing.assert_array_equal(self.logits(option, unsaid.write()), one)
        self.assertGreater(harness.max_error(one, want), 0)
        unsaid.remove(attention + "k_scale")
        unsaid.remove(attention + "v_scale")
        self.assertGreater(harness.max_error(self.logits(option, unsaid.write()), one), 0)
        np.testing.assert_array_equal(self.logits(numbers, unsaid.write()), ignored)

        name = attention + "v_scale"
        for value in (0.0, -1.0, np.nan, np.inf):
            with self.subTest(value=value):
                unsaid.add(name, [value], "F32")
                self.refused(unsaid, name, "element 0", "expected a scale greater than 0", library=option)
        unsaid.add(name, [1.0, 1.0], "F32")
        self.refused(unsaid, name, "shape: expected [1], found [2]", library=option)
        unsaid.remove(name)
        # A scale under a name of another format would otherwise be 1 in silence.
        unsaid.add(attention + "v_proj.v_scale", [2.0], "F32")
        self.refused(unsaid, "found also", "v_proj.v_scale", library=option)

    def test_scales_of_a_cache_without_other_codes(self):
        """A checkpoint of numbers may have scales of the cache, too; a library with a cache of numbers ignores them."""
        copy = Copy("tiny")
        layers = {name.split(".self_attn.")[0] for name in copy.tensors if ".self_attn." in name}
        option = harness.library("tiny", "bf16", "--kv-dtype=fp8", *harness.SMALL)
        numbers = harness.library("tiny", "bf16")
        of_ones, of_numbers = self.logits(option, copy.write()), self.logits(numbers, copy.write())
        for layer in layers:
            copy.add(layer + ".self_attn.k_scale", [0.75], "BF16")
            copy.add(layer + ".self_attn.v_scale", [0.75], "BF16")
        scaled = self.logits(option, copy.write())
        self.assertGreater(harness.max_error(scaled, of_ones), 0)
        self.assert_cached_logits(scaled, of_numbers)
        np.testing.assert_array_equal(self.logits(numbers, copy.write()), of_numbers)

    def assert_cached_logits(self, got, want):
        """Codes have three bits after the first: keys and values are off by up to 2^-4, logits of less than that."""
        self.assertLess(harness.relative_error(got, want), 2.0**-4)

    def test_random_checkpoints(self):
        """init-weights writes what a random model has, in each format."""
        for name in ("fp8_dynamic", "fp8_static", "fp8_block", "fp8_kv"):
            with self.subTest(name=name):
                library, folder = harness.library(name, "bf16"), os.path.join(harness.scratch(), "random-" + name)
                harness.run_ok([harness.BAMBA_RUN, "init-weights", library, "-o", folder, "--seed", "5"])
                header, _ = safetensors_io.read_header(os.path.join(folder, "model.safetensors"))
                self.assertEqual(header["model.layers.0.feed_forward.up_proj.weight"]["dtype"], "F8_E4M3")
                self.assertTrue(np.isfinite(self.logits(library, folder)).all())


if __name__ == "__main__":
    harness.main()
