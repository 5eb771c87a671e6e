"""Runs everything that pack.sh gathered, several programs at a time, each as its RUN lines say.

usage: run_all.py PACK [--jobs N] [--only PARTS_OF_NAMES] [--logs DIR]
The last line is `N passed, N failed, N skipped`; what failed is shown in full, what was skipped with its reason. With
--logs, all output goes to a file for each program in DIR, and only the end of what failed is shown.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import shlex
import subprocess
import sys
import tarfile
import time

SECONDS = 480  # for one program
SHOWN = 12  # last lines of a program that failed, where the others are in a file
# The longest first: the sanitizer's tools slow kernels down.
FIRST = ("sanitizer_test", "golden_test")


def unpack(folder):
    archive, libraries = os.path.join(folder, "libraries.tar.xz"), os.path.join(folder, "libraries")
    if not os.path.exists(libraries) or os.path.getmtime(libraries) < os.path.getmtime(archive):
        with tarfile.open(archive) as file:
            file.extractall(folder)
        os.makedirs(libraries, exist_ok=True)  # where nothing was packed
        os.utime(libraries)
    for pattern in ("bin", "collectives"):
        for program in glob.glob(os.path.join(folder, pattern, "*")):
            os.chmod(program, 0o755)  # which is easily lost on the way


def run_lines(path):
    """The commands of a test, as lit reads them."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if match := re.match(r"# RUN: (.*)", line):
                yield shlex.split(match[1].replace("%python", sys.executable).replace("%s", path))


def collect(folder):
    """[(name, command)] of all programs."""
    programs = []
    for path in sorted(glob.glob(os.path.join(folder, "tests", "gpu", "*_test.py"))):
        name = os.path.basename(path).removesuffix(".py")
        programs += [(" ".join([name, *command[2:]]), command) for command in run_lines(path)]
    programs.sort(key=lambda program: program[0].split()[0] not in FIRST)
    for path in sorted(glob.glob(os.path.join(folder, "collectives", "*_test"))):
        programs.append(("collectives/" + os.path.basename(path), [path]))
    return programs


def run(program, logs):
    """The counts (passed, failed, skipped) of one program and what is to be printed of it."""
    name, command = program
    begin = time.monotonic()
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=SECONDS,
            check=False,
        )
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        output, code = f"{(error.stdout or b'').decode(errors='replace')}\nstopped after {SECONDS} s\n", 1
    last = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped\s*\Z", output, re.MULTILINE)
    counts = tuple(int(group) for group in last.groups()) if last else (int(code == 0), int(code != 0), 0)
    if code and not counts[1]:
        counts = (counts[0], 1, counts[2])
    if logs:
        with open(os.path.join(logs, re.sub(r"[^\w.-]+", "-", name) + ".log"), "w", encoding="utf-8") as file:
            file.write(output)
    seconds = f"{time.monotonic() - begin:.0f} s"
    if counts[1]:
        if logs:
            output = "".join(line[:300] + "\n" for line in output.splitlines()[-SHOWN:])
        return counts, f"FAILED: {name} ({seconds}, exit code {code})\n{output}"
    reasons = "" if logs else "".join(line + "\n" for line in output.splitlines() if line.startswith("SKIPPED: "))
    return counts, f"{reasons}ok: {name}: {counts[0]} passed, {counts[2]} skipped ({seconds})\n"


def has_gpu():
    return os.path.exists("/dev/nvidia0") or subprocess.run(
        ["sh", "-c", "nvidia-smi"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    ).returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pack")
    parser.add_argument("--jobs", type=int, default=min(8, os.cpu_count() or 1))
    parser.add_argument("--only", default="")
    parser.add_argument("--logs")
    options = parser.parse_args()
    folder = os.path.abspath(options.pack)
    os.environ.update(BAMBAC_PACK=folder, BAMBAC_BUILD=folder, PYTHONDONTWRITEBYTECODE="1")
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(
        filter(None, [os.environ.get("LD_LIBRARY_PATH"), os.path.join(folder, "lib")])
    )
    unpack(folder)
    if options.logs:
        os.makedirs(options.logs, exist_ok=True)
    programs = [program for program in collect(folder) if any(part in program[0] for part in options.only.split(","))]
    if not has_gpu():
        for name, _ in programs:
            print(f"SKIPPED: {name}: no GPU")
        print(f"0 passed, 0 failed, {len(programs)} skipped")
        return
    total = [0, 0, 0]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as executor:
        futures = [executor.submit(run, program, options.logs) for program in programs]
        for future in concurrent.futures.as_completed(futures):
            counts, text = future.result()
            total = [a + b for a, b in zip(total, counts)]
            print(text, end="", flush=True)
    print("{} passed, {} failed, {} skipped".format(*total))
    sys.exit(total[1] > 0 or total[0] == 0)


if __name__ == "__main__":
    main()
