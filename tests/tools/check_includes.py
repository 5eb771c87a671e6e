#!/usr/bin/env python3
"""Reads the #include lines of the whole tree and reports those that break the order of folders (docs/architecture.md).

usage: check_includes.py [ROOT]

Prints `FILE:LINE: FOLDER includes "PATH" of FOLDER` for each and returns 1 where there is one.
"""

import os
import re
import sys

# The rungs of a ladder: a folder may include itself and the rungs before its own, but no other folder of its rung.
RUNTIME = [
    ["runtime/include", "runtime/contract"],
    ["runtime/support"],
    ["runtime/checkpoint"],
    ["runtime/device"],
    ["runtime/host", "runtime/cuda"],
    ["runtime/model"],
    ["runtime/session"],
    ["runtime/engine"],
    ["runtime/api"],
]
COMPILER = [
    ["compiler/text"],
    ["compiler/config"],
    ["compiler/models"],
    ["compiler/targets"],
    ["compiler/build"],
    ["compiler/pipeline"],
    ["compiler/tools"],
]

GEOMETRY = "codegen/cuda/collectives/geometry"
TEXT = "compiler/text"

# What else a folder may include, besides itself and the rungs below it. The longest name that fits a file counts.
MAY_INCLUDE = {
    "compiler": ["compiler", "passes", "codegen", "dialects", "runtime/contract", GEOMETRY],
    "passes": ["dialects", "runtime/contract", GEOMETRY, TEXT],
    "codegen": ["dialects", "runtime/contract", GEOMETRY],
    "codegen/cuda/collectives": ["runtime/contract", GEOMETRY],
    GEOMETRY: ["runtime/contract"],
    "dialects": ["runtime/contract"],
    "runtime/run": ["runtime/include", "runtime/contract", "runtime/support", "runtime/checkpoint"],
    "runtime/run/measure": ["runtime/support"],
}

# Edges that are known and not mended yet: (file, path that it includes).
KNOWN = set()

# Folders of compiler/ that may include nothing of passes/ and codegen/: they are below both.
BELOW_PASSES = {TEXT, "compiler/config", "compiler/models", "compiler/targets"}

# The runtime is linked into every compiled model.
FOREIGN_TO_RUNTIME = re.compile(r"(mlir|llvm|llvm-c|lld|clang)/")

# An #include path of device code counts from here, where it does not count from the root.
COLLECTIVES = "codegen/cuda/collectives"

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
TOP = ["codegen", "compiler", "dialects", "passes", "runtime"]
SUFFIXES = (".h", ".cpp", ".c", ".cu", ".cuh", ".def", ".inc")


def steps():
    """For each folder of a ladder, the folders of the rungs before its own."""
    below = {}
    for ladder in (RUNTIME, COMPILER):
        earlier = []
        for rung in ladder:
            below.update({folder: list(earlier) for folder in rung})
            earlier += rung
    return below


BELOW = steps()
FOLDERS = sorted({*BELOW, *MAY_INCLUDE, *TOP}, key=len, reverse=True)


def is_in(path, folder):
    return path == folder or path.startswith(folder + "/")


def folder_of(path):
    return next((folder for folder in FOLDERS if is_in(path, folder)), None)


def resolve(root, path):
    """The path of an included file from the root; none where it is not one of ours."""
    if path.startswith("bamba/"):
        return "runtime/include/" + path
    if path.split("/")[0] in TOP:
        return path
    inside = COLLECTIVES + "/" + path
    return inside if os.path.exists(os.path.join(root, inside)) else None


def is_allowed(source, target):
    own, other = folder_of(source), folder_of(target)
    if own == other:
        return True
    if own in BELOW and (is_in(other, "runtime") or is_in(other, "compiler")):
        if other in BELOW[own]:
            return True
        if is_in(own, "runtime") or other != "runtime/contract":
            return False
    if own in BELOW_PASSES and (is_in(other, "passes") or is_in(other, "codegen")):
        return other == GEOMETRY
    if is_in(own, "runtime/run") and is_in(other, "runtime/run"):
        return own == "runtime/run"
    rule = own if own in MAY_INCLUDE else own.split("/")[0]
    return any(is_in(target, folder) for folder in MAY_INCLUDE.get(rule, []))


def check(root):
    broken = []
    for top in TOP:
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if not name.endswith(SUFFIXES):
                    continue
                source = os.path.relpath(os.path.join(folder, name), root)
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    for number, line in enumerate(file, 1):
                        found = INCLUDE.match(line)
                        if not found:
                            continue
                        path = found[2]
                        if is_in(source, "runtime") and FOREIGN_TO_RUNTIME.match(path):
                            broken.append(f"{source}:{number}: runtime includes {path}")
                            continue
                        target = resolve(root, path)
                        if target and not is_allowed(source, target) and (source, path) not in KNOWN:
                            own, other = folder_of(source), folder_of(target)
                            broken.append(f'{source}:{number}: {own} includes "{path}" of {other}')
    return broken


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    broken = check(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", ".."))
    for line in broken:
        print(line)
    print(f"{len(broken)} includes break the order of folders")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
