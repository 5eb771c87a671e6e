# RUN: %python %s --cases %property_cases
"""Random small configs with random weights against the float64 oracle.

usage: property_test.py [--cases N] [--seed S] [--only CASE]
Case i of seed S is always the same model; the first cases are the shapes that a generator would rarely draw.
"""

import argparse
import json
import os
import sys

import numpy as np

import harness
import random_model
import rope
from bamba_oracle import Oracle

BASE = {
    "model_type": "bamba", "architectures": ["BambaForCausalLM"], "hidden_size": 32, "intermediate_size": 48,
    "vocab_size": 67, "num_hidden_layers": 2, "attn_layer_indices": [1], "num_attention_heads": 4,
    "num_key_value_heads": 2, "mamba_n_heads": 4, "mamba_d_head": "auto", "mamba_expand": 2, "mamba_n_groups": 1,
    "mamba_d_state": 16, "mamba_d_conv": 4, "mamba_chunk_size": 16, "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
}

# Each edge is what it changes in BASE.
EDGES = [
    ("no mamba layer", {"attn_layer_indices": [0, 1]}),
    ("no attention layer", {"attn_layer_indices": []}),
    ("attention layers null", {"attn_layer_indices": None}),
    ("one layer, mamba", {"num_hidden_layers": 1, "attn_layer_indices": []}),
    ("one layer, attention", {"num_hidden_layers": 1, "attn_layer_indices": [0]}),
    ("a group a head", {"mamba_n_groups": 4}),
    ("kernel of two", {"mamba_d_conv": 2}),
    ("head_dim 10", {"attn_rotary_emb": 4, "hidden_size": 40, "mamba_n_heads": 5, "num_attention_heads": 4}),
    ("head_dim given", {"head_dim": 12}),
    ("as many kv heads", {"num_key_value_heads": 4}),
    ("kv heads null", {"num_key_value_heads": None}),
    ("expand 1", {"mamba_expand": 1}),
    ("expand 3", {"mamba_expand": 3, "mamba_n_heads": 6}),
    ("every bias, tied, time step limits", {
        "attention_bias": True, "mlp_bias": True, "mamba_proj_bias": True, "mamba_conv_bias": True,
        "tie_word_embeddings": True, "time_step_limit": [0.05, 0.5]}),
    ("no bias, odd sizes, full rotary", {
        "mamba_conv_bias": False, "hidden_size": 36, "intermediate_size": 37, "vocab_size": 101, "mamba_n_heads": 3,
        "mamba_d_state": 7, "num_attention_heads": 3, "num_key_value_heads": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 1.0}}),
    ("flags that are null", {
        "mamba_conv_bias": None, "tie_word_embeddings": None, "mlp_bias": None, "attention_bias": None}),
    ("a factor whose product is truncated", {
        "head_dim": 100, "partial_rotary_factor": 0.29, "num_attention_heads": 1, "num_key_value_heads": 1}),
    ("layer types", {
        "layer_types": ["full_attention", "linear_attention"], "attn_layer_indices": None, "rope_theta": 1234.5,
        "partial_rotary_factor": 0.25, "num_attention_heads": 2}),
    ("one head of everything", {
        "num_attention_heads": 1, "num_key_value_heads": 1, "mamba_n_heads": 1, "mamba_d_state": 1, "head_dim": 8}),
]


def draw_config(rng):
    """A config in which every field that shapes the model is drawn."""

    def pick(*values):
        return values[rng.integers(len(values))]

    heads = pick(1, 2, 3, 4, 6)
    head_dim = pick(4, 6, 8, 12, 20)
    mamba_heads, expand, groups = pick(1, 2, 4, 6), pick(1, 2, 3), 1
    groups = pick(*(g for g in (1, 2, 3, 4, 6) if mamba_heads % g == 0))
    hidden = heads * head_dim
    while expand * hidden % mamba_heads:
        hidden += heads * head_dim
    layers = int(rng.integers(1, 5))
    attention = [i for i in range(layers) if rng.random() < 0.4]
    config = dict(BASE)
    config.update(
        hidden_size=hidden, intermediate_size=int(rng.integers(1, 100)), vocab_size=int(rng.integers(2, 150)),
        num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=pick(*(k for k in (1, 2, 3, 4, 6, None) if k is None or heads % k == 0)),
        mamba_n_heads=mamba_heads, mamba_expand=expand, mamba_n_groups=groups, mamba_d_state=int(rng.integers(1, 40)),
        mamba_d_conv=pick(2, 3, 4), mamba_chunk_size=pick(8, 16, 256), mamba_conv_bias=pick(True, False),
        mamba_proj_bias=pick(True, False), attention_bias=pick(True, False), mlp_bias=pick(True, False),
        tie_word_embeddings=pick(True, False), rms_norm_eps=pick(1e-5, 1e-6, 1e-3),
    )
    if hidden != heads * head_dim or rng.random() < 0.3:
        config["head_dim"] = head_dim
    if rng.random() < 0.5:
        config["mamba_d_head"] = expand * hidden // mamba_heads
    if rng.random() < 0.3:
        config["time_step_limit"] = pick([0.1, 0.4], [0.0, {"__float__": "Infinity"}], [0.02, 10.0])
    if rng.random() < 0.5:
        config["attn_layer_indices"] = attention
    else:
        del config["attn_layer_indices"]
        config["layer_types"] = [
            "full_attention" if i in attention else "linear_attention" for i in range(layers)
        ]
    theta, rotary = pick(10000.0, 100.0), 2 * int(rng.integers(1, head_dim // 2 + 1))
    style = pick("new", "old", "default")
    if style == "new":
        config["rope_parameters"] = {
            "rope_type": "default", "rope_theta": theta, "partial_rotary_factor": rotary / head_dim}
    elif style == "old":
        config.update(rope_theta=theta, attn_rotary_emb=rotary)
    elif head_dim % 4:
        config["attn_rotary_emb"] = rotary
    return config


ROPE_TYPES = (None, "linear", "llama3", "yarn", "longrope")


def scale_rope(config, kind, rng):
    """Gives a config's rotation another type, in either spelling. Lengths are around that of the prompts."""

    def pick(*values):
        return values[rng.integers(len(values))]

    fields = {"factor": float(pick(1.0, 2.0, 4.0, 13.5))}
    original = int(pick(16, 64, 200))
    if kind == "llama3":
        fields.update(low_freq_factor=pick(1.0, 0.5), high_freq_factor=pick(4.0, 2.0))
    if kind == "yarn":
        fields.update(pick({}, {"beta_fast": 8.0, "beta_slow": 2}, {"truncate": False},
                           {"mscale": 0.7, "mscale_all_dim": 1.2}, {"attention_factor": 1.3}))
    if kind == "longrope":
        width = rope.width(config)
        fields.update(short_factor=rng.uniform(1, 2, width // 2).tolist(),
                      long_factor=rng.uniform(1, 9, width // 2).tolist())
        fields.update(pick({}, {"attention_factor": 0.8}))
    if kind in ("yarn", "longrope") and rng.random() < 0.3:
        fields["factor"] = None
    if kind != "linear":
        (config if rng.random() < 0.3 else fields)["original_max_position_embeddings"] = original
    if rng.random() < 0.5:
        config["rope_parameters"] = {**config.get("rope_parameters", {}), "rope_type": kind, **fields}
    else:
        config.update(rope_scaling={**config.pop("rope_parameters", {}), **fields})
        config["rope_scaling"].pop("rope_type", None)
        config["rope_scaling"][pick("type", "rope_type")] = kind


def make_case(index, seed):
    """What the case is called, its config, and a generator for all else."""
    rng = np.random.default_rng([seed, index])
    if index < len(EDGES):
        name, changes = EDGES[index]
        return name, {**BASE, **changes}, rng
    config, kind = draw_config(rng), ROPE_TYPES[index % len(ROPE_TYPES)]
    if kind:
        scale_rope(config, kind, np.random.default_rng([seed, index, 1]))
    return f"drawn, rope {kind or 'default'}", config, rng


class Mismatch(Exception):
    pass


def check(folder, config, rng):
    """Compiles the model and compares its logits in three modes; a word on what was run."""
    dtype = "bf16" if rng.random() < 0.25 else "f32"
    stored = "BF16" if dtype == "bf16" else ["BF16", "F16", "F32"][rng.integers(3)]
    chunk = int(rng.choice([8, 32, 128]))
    length = int(rng.integers(1, 60))
    tokens = rng.integers(0, config["vocab_size"], length)
    random_model.write_model(folder, config, int(rng.integers(2**31)), stored, shards=int(rng.integers(1, 4)))
    model = os.path.join(folder, "model.so")
    harness.compile_model(
        folder, model, f"--dtype={dtype}", "--max-batch=2", "--max-context=128", f"--prefill-chunk={chunk}"
    )
    want = Oracle.load(folder, max_context=128).logits(tokens)
    for mode in ("prefill", "decode", f"chunk:{rng.integers(2, 20)}"):
        got = harness.run_logits(model, folder, tokens, mode)
        where = f"{dtype} weights {stored}, {length} tokens, --prefill-chunk={chunk}, --mode={mode}"
        if got.shape != want.shape:
            raise Mismatch(f"{where}: expected shape {want.shape}, found {got.shape}")
        error = harness.max_error(got, want)
        if dtype == "f32" and not error <= 2e-4 * max(1.0, want.std()):
            raise Mismatch(f"{where}: logits off by {error:.3g} at a standard deviation of {want.std():.3g}")
        if dtype == "bf16" and not harness.relative_error(got, want) <= 1e-2:
            raise Mismatch(f"{where}: relative error {harness.relative_error(got, want):.3g}")
    return f"{dtype}, {stored}, {length} tokens"


def run_cases(check, seed):
    """The command line of a test of cases: check(folder, config, rng) returns a word on what was run or raises Mismatch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=32)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    if options.cases <= 0:
        parser.error("expected at least one case")
    harness.require_tools()
    failures = 0
    cases = range(options.cases) if options.only is None else [options.only]
    for index in cases:
        name, config, rng = make_case(index, options.seed)
        try:
            with harness.temporary_folder() as folder:
                what = check(folder, config, rng)
            print(f"case {index} ({name}): ok, {what}", flush=True)
        except (Mismatch, AssertionError) as error:
            failures += 1
            print(f"case {index} ({name}): {error}\n  {parser.prog} --seed {options.seed} --only {index}")
            print("  " + json.dumps(config), flush=True)
    print(f"{len(cases) - failures} of {len(cases)} cases agree")
    sys.exit(failures > 0)


if __name__ == "__main__":
    run_cases(check, seed=20)
