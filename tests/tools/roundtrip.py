"""Runs every .mlir input of the tests through bambac-opt and back, in the pretty and in the generic form.

usage: roundtrip.py BAMBAC_OPT FOLDER

What is printed must parse again and print the same. Inputs that are meant to be refused (with `expected-error`) are
left out, as are those that say `roundtrip: no` and why.
"""

import os
import subprocess
import sys

# In a build with sanitizers this runs with their runtime preloaded; the tools that it starts bring their own.
os.environ.pop("LD_PRELOAD", None)


def inputs(folder):
    for path, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".mlir"):
                yield os.path.join(path, name)


def opt(tool, text, *options):
    command = [tool, "-split-input-file", "-allow-unregistered-dialect", *options]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def check(tool, text):
    once = opt(tool, text)
    if opt(tool, once) != once:
        raise ValueError("what was printed prints otherwise when it is read again")
    if opt(tool, opt(tool, text, "-mlir-print-op-generic")) != once:
        raise ValueError("the generic form prints otherwise when it is read again")


def main():
    tool, folder = sys.argv[1:]
    checked = failed = 0
    for path in inputs(folder):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if "expected-error" in text or "roundtrip: no" in text:
            continue
        checked += 1
        try:
            check(tool, text)
        except ValueError as error:
            failed += 1
            print(f"{path}: {error}")
    print(f"{checked - failed} of {checked} inputs survive the round trip")
    sys.exit(failed > 0 or checked == 0)


if __name__ == "__main__":
    main()
