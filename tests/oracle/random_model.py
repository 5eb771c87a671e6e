"""Random weights for a config, of a scale at which every part of the model matters to the logits."""

import json
import os

import numpy as np

import safetensors_io
from bamba_config import Config


def random_weights(config, rng):
    """Weights by checkpoint name, float32."""
    return {name: _tensor(name, shape, rng).astype(np.float32) for name, shape in config.tensor_shapes().items()}


def _tensor(name, shape, rng):
    if name.endswith("layernorm.weight") or name.endswith("mamba.norm.weight"):
        return 1 + 0.2 * rng.standard_normal(shape)
    if name.endswith("A_log"):
        return np.log(rng.uniform(0.5, 16, shape))
    if name.endswith("dt_bias"):
        # The inverse of softplus at time steps between 0.01 and 1.
        return np.log(np.expm1(np.exp(rng.uniform(np.log(0.01), 0, shape))))
    if name.endswith(".D"):
        return 1 + 0.3 * rng.standard_normal(shape)
    if name.endswith(".bias"):
        return 0.3 * rng.standard_normal(shape)
    if name == "model.embed_tokens.weight":
        return 0.5 * rng.standard_normal(shape)
    return rng.standard_normal(shape) / np.sqrt(shape[-1])


def write_model(folder, config_json, seed, dtype="BF16", shards=1):
    """Writes config.json and a checkpoint with random weights into `folder`, which is made."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config_json, file, indent=1)
    weights = random_weights(Config.from_json(config_json), np.random.default_rng(seed))
    if shards > 1:
        safetensors_io.write_sharded(folder, weights, dtype, shards)
    else:
        safetensors_io.write_file(os.path.join(folder, "model.safetensors"), weights, dtype)
