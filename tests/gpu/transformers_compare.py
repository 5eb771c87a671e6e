"""A library's logits against those of transformers' BambaForCausalLM with the same weights on the same card.

usage: transformers_compare.py LIBRARY CHECKPOINT [--tokens N] [--steps N] [--bound X]
Where there is no CHECKPOINT, `bamba-run init-weights` writes one with random weights. The last line is the result:
relative errors of the last rows of a prompt and of decoded tokens against transformers in f32, or why it was skipped.
The line before says the same of transformers' own computation in bf16, and of the library against that one. Exit code 1:
above the bound.
"""

import argparse
import json
import os
import sys
import time

import gpu
import harness
import numpy as np
from bamba_config import Config
from bamba_ctypes import LOGITS_ALL, Library, Model

LAST_ROWS = 16  # of the prompt's logits; all rows of a long prompt would be gigabytes


def library_logits(options, tokens, prompt):
    """The last rows of the prompt and a row for each token after it, decoded one by one: [LAST_ROWS + steps, vocab]."""
    with Model(Library(options.library), options.checkpoint, options.device) as model:
        info = model.info()
        print(f"{info.device.decode()} ({info.device_name.decode()}), code for {info.target.decode()}", flush=True)
        context = len(tokens)
        assert context <= info.max_context, f"expected --max-context of at least {context}, found {info.max_context}"
        pages = -(-context // info.page_tokens) if info.page_tokens else 0
        with model.session(slots=1, pages=pages) as session:
            sequence = session.create()
            begin = time.monotonic()
            session.run([(sequence, tokens[: prompt - LAST_ROWS])])
            rows = session.run([(sequence, tokens[prompt - LAST_ROWS : prompt])], LOGITS_ALL)
            middle = time.monotonic()
            for token in tokens[prompt:]:
                rows += session.run([(sequence, [token])])
            print(f"library: prompt {middle - begin:.2f} s, steps {time.monotonic() - middle:.2f} s", flush=True)
            return np.concatenate(rows)


def reference_logits(options, tokens, rows):
    """The last rows of one pass over all tokens, which is what decoding them one by one gives: in f32 and in bf16."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # or it looks for kernels on the network
    import torch
    from transformers import BambaConfig, BambaForCausalLM

    with open(os.path.join(options.checkpoint, "config.json"), encoding="utf-8") as file:
        fields = json.load(file)
    # It takes floats alone, and JSON's writers may shorten 0.0 to 0 and have to paraphrase infinity.
    limits = (v["__float__"] if isinstance(v, dict) else v for v in fields.get("time_step_limit", (0, "inf")))
    config = BambaConfig(**{**fields, "time_step_limit": tuple(float(value) for value in limits)})
    # Its scan without kernels takes memory that grows with the chunk; the result does not depend on it.
    config.mamba_chunk_size = min(config.mamba_chunk_size, 64)
    ours = Config.load(options.checkpoint)  # older checkpoints tell the rotation's width in a field that it does not read
    config.partial_rotary_factor = config.rope_parameters["partial_rotary_factor"] = ours.rotary / ours.head_dim
    begin = time.monotonic()
    model = BambaForCausalLM.from_pretrained(options.checkpoint, config=config, dtype=torch.float32)
    model = model.to("cuda" if options.device.startswith("cuda") else "cpu").eval()
    middle = time.monotonic()
    logits = []
    for dtype in (torch.float32, torch.bfloat16):
        model = model.to(dtype)
        with torch.inference_mode():
            ids = torch.tensor([tokens], device=model.device)
            logits.append(model(input_ids=ids, use_cache=False, logits_to_keep=rows).logits[0].float().cpu().numpy())
    print(f"transformers: load {middle - begin:.1f} s, forward {time.monotonic() - middle:.1f} s", flush=True)
    return logits


def why_not(options):
    """Why nothing can be compared, or nothing."""
    if options.device != "cpu" and isinstance(gpu.driver(), str):
        return gpu.driver()
    for module in ("torch", "transformers"):
        try:
            __import__(module)
        except ImportError as error:
            return str(error)
    return None


class Comparison:
    """Of logits with others: errors of the prompt's rows, of all steps and of the worst step; best tokens in common."""

    def __init__(self, got, want):
        assert got.shape == want.shape, f"expected logits of shape {want.shape}, found {got.shape}"
        steps = list(zip(got[LAST_ROWS:], want[LAST_ROWS:]))
        self.prompt = harness.relative_error(got[:LAST_ROWS], want[:LAST_ROWS])
        self.steps = harness.relative_error(got[LAST_ROWS:], want[LAST_ROWS:])
        self.worst = max(harness.relative_error(*pair) for pair in steps)
        self.same = sum(int(a.argmax() == b.argmax()) for a, b in steps)
        self.count = len(steps)

    def __str__(self):
        return (
            f"relative error of the last {LAST_ROWS} rows of the prompt {self.prompt:.2e}, of {self.count} decoded "
            f"tokens {self.steps:.2e} (worst {self.worst:.2e}), best token the same in {self.same}"
        )


def compare(options):
    """The library against transformers in f32 and in bf16, and those against each other."""
    if not os.path.exists(options.checkpoint):
        harness.run_ok([harness.BAMBA_RUN, "init-weights", options.library, "-o", options.checkpoint, "--seed=1"])
    with Model(Library(options.library), device=options.device) as model:
        vocab = model.info().vocab_size
    tokens = np.random.default_rng(1).integers(0, vocab, options.tokens + options.steps).tolist()
    got = library_logits(options, tokens, options.tokens)
    exact, rounded = reference_logits(options, tokens, LAST_ROWS + options.steps)
    return Comparison(got, exact), Comparison(got, rounded), Comparison(rounded, exact)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("checkpoint")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--bound", type=float, default=gpu.BOUND)
    parser.add_argument("--device", default=gpu.DEVICE)
    options = parser.parse_args()
    if reason := why_not(options):
        print(f"SKIPPED: comparison with transformers: {reason}")
        return
    ours, apart, theirs = compare(options)
    print(f"transformers in bf16 against its f32: {theirs}; the library against transformers in bf16: {apart}")
    good = max(ours.prompt, ours.steps) <= options.bound
    print(f"{'ok' if good else 'FAIL'}: against transformers in f32, {options.tokens} tokens: {ours}")
    sys.exit(not good)


if __name__ == "__main__":
    main()
