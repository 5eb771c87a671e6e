# RUN: %python %s --cases %property_cases
"""Random small configs with random fp8 recipes against the float64 oracle.

usage: fp8_property_test.py [--cases N] [--seed S] [--only CASE]
One code that rounds the other way moves the logits, and the codes of later layers with it. So a model is held against how
far the same model is without quantized activations, as the golden data of fp8 is.
"""

import json
import os

import numpy as np

import harness
import property_test
import e4m3  # after harness, which says where it is
import random_model
import safetensors_io
from bamba_config import Config
from bamba_oracle import BLOCK, Oracle

RECIPES = ("channel", "tensor", "static", "block", "numbers")
# Of the distance to the model without quantized activations.
BOUND = 0.8


def make_recipe(kind, left_out):
    """The quantization_config of a recipe."""
    if kind == "block":
        return {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [BLOCK, BLOCK],
                "modules_to_not_convert": ["lm_head", *left_out]}
    number = {"num_bits": 8, "type": "float", "symmetric": True}
    weights = {**number, "strategy": "channel" if kind == "channel" else "tensor", "dynamic": False}
    inputs = {**number, "strategy": "token", "dynamic": True}
    if kind == "static":
        inputs = {**number, "strategy": "tensor", "dynamic": False}
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    return {"quant_method": "compressed-tensors", "format": "float-quantized", "ignore": ["lm_head", *left_out],
            "config_groups": {"group_0": group}}


def quantize_matrix(matrix, kind):
    """Codes as numbers, and the scales as they are stored."""
    rows, columns = matrix.shape
    if kind == "block":
        shape = -(-rows // BLOCK), -(-columns // BLOCK)
        scales = np.zeros(shape, np.float32)
        for i in range(shape[0]):
            for j in range(shape[1]):
                block = matrix[i * BLOCK : (i + 1) * BLOCK, j * BLOCK : (j + 1) * BLOCK]
                scales[i, j] = np.abs(block).max() / 448
        wide = np.repeat(np.repeat(scales, BLOCK, axis=0)[:rows], BLOCK, axis=1)[:, :columns]
    elif kind == "channel":
        scales = wide = (np.abs(matrix).max(axis=1, keepdims=True) / 448).astype(np.float32)
    else:
        scales = np.array([np.abs(matrix).max() / 448], np.float32)
        wide = scales[None]
    return e4m3.decode(e4m3.encode(matrix / wide)), scales


def quantize(weights, names, kind):
    """The tensors of the checkpoint and their types."""
    tensors, dtypes = dict(weights), {name: "F32" for name in weights}
    for name in names:
        matrix = name + ".weight"
        tensors[matrix], scales = quantize_matrix(weights[matrix], kind)
        dtypes[matrix] = "F8_E4M3"
        scale_name = matrix + ("_scale_inv" if kind == "block" else "_scale")
        tensors[scale_name], dtypes[scale_name] = scales, "F32"
        if kind == "static":
            tensors[name + ".input_scale"], dtypes[name + ".input_scale"] = np.float32([0.01]), "F32"
    return tensors, dtypes


class PlainActivations(Oracle):
    """The same weights, with activations as they are."""

    def _scaled_linear(self, x, name, matrix, scales):
        rows, columns = matrix.shape
        if scales.size not in (1, rows):
            scales = np.repeat(np.repeat(scales, BLOCK, axis=0)[:rows], BLOCK, axis=1)[:, :columns]
        return x @ (matrix * scales.reshape(1, 1) if scales.size == 1 else matrix * scales.reshape(rows, -1)).T


def check(folder, config, rng):
    kind = RECIPES[rng.integers(len(RECIPES))]
    weights = random_model.random_weights(Config.from_json(config), rng)
    # What a block adds to the residual stream is small, as in real models.
    for name in weights:
        if name.endswith(("out_proj.weight", "o_proj.weight", "down_proj.weight")):
            weights[name] = weights[name] * np.float32(0.2)
        # --dtype=fp8 keeps in bf16 what it leaves out.
        weights[name] = safetensors_io.as_stored(weights[name], "BF16")
    linears = sorted(name.removesuffix(".weight") for name, array in weights.items()
                     if array.ndim == 2 and "embed" not in name and "lm_head" not in name)
    left_out = [name for name in linears if rng.random() < 0.2]
    quantized = [name for name in linears if name not in left_out]
    if kind == "numbers":
        options = ["--dtype=fp8"] + (["--bf16-layers=" + ",".join(left_out)] if left_out else [])
    else:
        config = {**config, "quantization_config": make_recipe(kind, left_out)}
        options = ["--dtype=f32"]
    tensors, dtypes = quantize(weights, quantized, "channel" if kind == "numbers" else kind)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    stored = (weights, "F32") if kind == "numbers" else (tensors, dtypes)
    safetensors_io.write_file(os.path.join(folder, "model.safetensors"), *stored)
    model, length = os.path.join(folder, "model.so"), int(rng.integers(1, 40))
    harness.compile_model(folder, model, *options, "--max-batch=2", "--max-context=128", "--prefill-chunk=32")
    tokens = rng.integers(0, config["vocab_size"], length)
    parsed = Config.from_json(config)
    want = Oracle(parsed, tensors, 128).logits(tokens)
    plain = PlainActivations(parsed, tensors, 128).logits(tokens)
    distance = harness.relative_error(plain, want)
    bound = BOUND * distance + 1e-5  # where all linears are left out there is no distance
    for mode in ("prefill", "decode", f"chunk:{rng.integers(2, 20)}"):
        error = harness.relative_error(harness.run_logits(model, folder, tokens, mode), want)
        if not error <= bound:
            raise property_test.Mismatch(f"{kind}, {length} tokens, --mode={mode}: relative error {error:.3g}, "
                                         f"{distance:.3g} from plain activations")
    return f"{kind}, {length} tokens, off by {error / max(distance, 1e-9):.2f} of the distance {distance:.3f}"


if __name__ == "__main__":
    property_test.run_cases(check, seed=8)
