"""Runs every fuzz target of a build for a while and writes the results as JUnit.

usage: run_fuzzers.py FOLDER SECONDS JUNIT_FILE
A fuzz target is an executable fuzz-* in FOLDER. It starts from the seeds in tests/fuzz/corpus/NAME where they exist.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus")


def fuzz(path, seconds):
    """The output of a failed run, else None."""
    seeds = os.path.join(CORPUS, os.path.basename(path).removeprefix("fuzz-"))
    with tempfile.TemporaryDirectory() as folder:
        folders = [folder] + ([seeds] if os.path.isdir(seeds) else [])
        command = [path, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]
        done = subprocess.run(
            [*command, f"-artifact_prefix={folder}/", *folders], capture_output=True, text=True, errors="replace",
            check=False,
        )
        crashes = [name for name in os.listdir(folder) if name.startswith(("crash-", "leak-", "timeout-", "oom-"))]
        for name in crashes:
            with open(os.path.join(folder, name), "rb") as file:
                done.stderr += f"\n{name}: {file.read(4096).hex()}\n"
    runs = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    print(f"{os.path.basename(path)}: {runs[0] if runs else 'no'} runs, exit code {done.returncode}", flush=True)
    return done.stderr if done.returncode != 0 or not runs else None


def main():
    folder, seconds, junit = sys.argv[1:]
    suite = ElementTree.Element("testsuite", name="fuzz")
    targets = sorted(name for name in os.listdir(folder) if name.startswith("fuzz-"))
    failures = 0
    for name in targets:
        case = ElementTree.SubElement(suite, "testcase", classname="fuzz", name=name)
        output = fuzz(os.path.join(folder, name), int(seconds))
        if output is not None:
            failures += 1
            print(output)
            ElementTree.SubElement(case, "failure", message="the fuzz target failed")
    ElementTree.ElementTree(suite).write(junit)
    sys.exit(failures > 0 or not targets)


if __name__ == "__main__":
    main()
