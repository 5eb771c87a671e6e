"""The libraries that the GPU tests run: what each is compiled from and how. pack.py compiles all of them beforehand."""

import os
from typing import NamedTuple

import harness
import property_test
import random_model

FIXTURES = ("groups", "hub", "odd", "tied", "tiny")
# Those that differ in their table of frequencies only: for each, the contexts of its libraries.
ROPE_FIXTURES = {"rope_linear": (512,), "rope_llama3": (512,), "rope_longrope": (128, 512), "rope_yarn": (512,)}
FP8_FIXTURES = ("fp8_block", "fp8_dynamic", "fp8_kv", "fp8_static")
# Those that run under compute-sanitizer, too.
SANITIZED_FP8_FIXTURES = ("fp8_dynamic", "fp8_kv")
# What is packed. Both run on one card: the kernels of sm_90 are those of older cards, compiled for this one.
TARGETS = ("sm_90a", "sm_90")
RANDOM_SEED = 31
# Of the property test's models: those with sizes that kernels might not divide, and some that are drawn.
# Without 18, of hidden size 8: in float64 with bf16 rounding where tensor cores need it, it is off by 8e-2 already.
RANDOM_CASES = {"sm_90a": (1, 4, 5, 6, 7, 8, 13, 14, 16, 17, 19, 20), "sm_90": (5, 7, 13, 14, 16, 17)}
# The fixtures that are also compiled with f16, by target; and those with states of 16 bits and of codes.
F16_FIXTURES = {"sm_90a": FIXTURES, "sm_90": ("odd", "tiny")}
STATE_FIXTURES = ("hub", "odd")
STATE_TYPES = ("bf16", "f16", "int8")
# Those with a state ring, and its length: one that prompts and single tokens fill, a long one and the shortest.
RING_FIXTURES = {"tiny": 5, "odd": 16, "hub": 2}
# Those with states of codes in such a ring.
CODED_RING_FIXTURES = ("tiny", "odd")


class Library(NamedTuple):
    name: str  # of the file, without .so
    config: str  # the folder of the config and the checkpoint
    options: tuple


def _library(name, config, targets, batch, context, chunk, state="f32", dtype="bf16", ring=None):
    options = (
        f"--target={targets}", "--cpu=x86-64-v3", f"--max-batch={batch}", f"--max-context={context}",
        f"--prefill-chunk={chunk}", f"--state-dtype={state}", f"--dtype={dtype}",
    )
    kind = f"{targets.replace(',', '+')}-b{batch}-c{chunk}-{state}" + ("" if dtype == "bf16" else f"-{dtype}")
    if ring:
        options += (f"--state-ring={ring}",)
        kind += f"-ring{ring}"
    return Library(f"{name}-{kind}", config, options)


def fixture(name, target, batch=8, chunk=512, state="f32", dtype="bf16", context=512, ring=None):
    file = name if context == 512 else f"{name}-{context}"
    return _library(file, harness.fixture(name), f"cpu,{target}", batch, context, chunk, state, dtype, ring)


def many_targets():
    """A library that has a choice."""
    return _library("tiny", harness.fixture("tiny"), "cpu,sm_80,sm_90,sm_90a", 2, 512, 64)


def for_another_card(targets):
    """A library without code for the cards that TARGETS are for."""
    return _library("tiny", harness.fixture("tiny"), targets, 1, 512, 16)


def bamba_9b(target, dtype):
    """For transformers_compare.py; its checkpoint is made on the machine that has the GPU."""
    config = os.path.join(harness.SOURCE, "examples", "configs", "bamba-9b.json")
    return _library("bamba-9b", config, target, 64, 8192, 4096, dtype=dtype)


def random_case(index):
    """What the random model is called, its config and a generator for all else."""
    return property_test.make_case(index, RANDOM_SEED)


def random(index, target, folder):
    """A random model, whose config and checkpoint lie in a folder for each index."""
    return _library(f"random{RANDOM_SEED}.{index}", os.path.join(folder, str(index)), f"cpu,{target}", 2, 128, 32)


def write_random(index, folder):
    config = random_case(index)[1]
    random_model.write_model(os.path.join(folder, str(index)), config, RANDOM_SEED + index)


def random_cases(target):
    return RANDOM_CASES.get(target, RANDOM_CASES["sm_90a"])


def f16_fixtures(target):
    return F16_FIXTURES.get(target, FIXTURES)


def every(random_folder):
    """All of them, the most telling first."""
    for options in ({}, {"chunk": 32}):
        for target in TARGETS:
            yield from (fixture(name, target, **options) for name in FIXTURES)
    for target in TARGETS:
        yield from (fixture(name, target) for name in FP8_FIXTURES)
        yield from (fixture(name, target, chunk=32) for name in SANITIZED_FP8_FIXTURES)
        yield from (fixture(name, target, batch=4, chunk=64) for name in ("tiny", "groups"))
        yield fixture("tiny", target, batch=256, chunk=128)
        yield from (fixture(name, target, state=state) for name in STATE_FIXTURES for state in STATE_TYPES)
        yield from (fixture(name, target, ring=ring) for name, ring in RING_FIXTURES.items())
        yield fixture("hub", target, state="f16", ring=4)
        yield from (fixture(name, target, state="int8", ring=RING_FIXTURES[name]) for name in CODED_RING_FIXTURES)
        yield from (fixture(name, target, dtype="f16") for name in f16_fixtures(target))
        for name, contexts in ROPE_FIXTURES.items():
            yield from (fixture(name, target, context=context) for context in contexts)
    yield many_targets()
    yield for_another_card("cpu,sm_80")
    yield for_another_card("sm_80")
    yield from (bamba_9b("sm_90a", dtype) for dtype in ("bf16", "f16"))
    for target in TARGETS:
        yield from (random(index, target, random_folder) for index in random_cases(target))
