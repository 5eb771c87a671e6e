"""Which kernels of a library were compiled with another schedule than the one that is tried first."""

import re

import harness


def _fields(text):
    """Of an attribute of the IR, or of a library's text."""
    return re.findall(r"(\w+) (?:= )?(\d+)", text)


def fallen_back(config, kernels, *options):
    """The names of those of `kernels`, a library's metadata, that took a fallback. `options`: how it was compiled."""
    scheduled = harness.run_ok([harness.BAMBAC, "compile", config, *options, "--compile-to=scheduled"]).stdout
    first = dict(re.findall(r"@(\w+)\(.*bamba\.schedule = #bamba\.cuda_schedule<([^>]*)>", scheduled))
    assert first, "no schedules"
    return [kernel["name"] for kernel in kernels
            if kernel["name"] in first and _fields(first[kernel["name"]]) != _fields(kernel["schedule"])]
