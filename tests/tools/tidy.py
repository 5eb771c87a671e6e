"""Runs clang-tidy over sources of a build, see tests/tidy.sh.

A file that was clean is not checked again until something that its result depends on changes: the file, a header of the
project or of the build that it includes, its compile command, .clang-tidy, or clang-tidy. `ninja -t deps` says which
headers a file includes, so that a stamp costs no preprocessing. Headers of the system count by name, size and time.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
import time

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
TOOL = "clang-tidy-22"  # the precompiled header of clang 22 is readable by it alone
STAMPS = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "bambac-tidy")


def output_of(*command):
    return subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=True).stdout


def fail(message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)


class Unit:
    """A source as a build compiles it, and what it includes."""

    def __init__(self, build, entry, includes):
        self.path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        self.command = entry["command"]
        self.name = os.path.relpath(self.path, SOURCE)
        self.build, self.includes = build, includes

    def key(self, common):
        """A hash of all that the result depends on. The same in every checkout of the same files."""
        digest = hashlib.sha256(common)
        digest.update(self.command.replace(self.build, "BUILD").replace(SOURCE, "SOURCE").encode())
        for path in sorted({self.path, *self.includes}):
            if path.endswith(".pch"):
                continue  # made from the headers that are hashed
            if path.startswith(SOURCE + os.sep):
                with open(path, "rb") as file:
                    digest.update(hashlib.sha256(file.read()).digest())
            else:
                status = os.stat(path)
                digest.update(f"{path} {status.st_size} {status.st_mtime}".encode())
        return digest.hexdigest()


def read_includes(build):
    """{object: the files that it was compiled from}, as far as ninja knows."""
    includes, current = {}, None
    for line in output_of("ninja", "-C", build, "-t", "deps").splitlines():
        if line.startswith("    "):
            current.append(os.path.normpath(os.path.join(build, line.strip())))
        elif ": #deps" in line:
            current = includes.setdefault(line.split(": #deps")[0], [])
            if "(STALE)" in line:
                current.append("/stale")
    return includes


def read_units(build):
    """{name: Unit} of what the build compiles and the project wrote."""
    path = os.path.join(build, "compile_commands.json")
    if not os.path.exists(path):
        fail(f"{path}: expected a configured build, found none")
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    if not any("clang" in entry["command"].split()[0] for entry in entries):
        fail(f"{build}: expected a build with clang, found {entries[0]['command'].split()[0]}")
    includes, units = read_includes(build), {}
    for entry in entries:
        output = entry.get("output") or entry["command"].split(" -o ")[1].split()[0]
        unit = Unit(build, entry, includes.get(output, []))
        if unit.name.startswith("..") or unit.path.startswith(build + os.sep):
            continue
        if any(name == "/stale" or not os.path.exists(name) for name in unit.includes):
            unit.includes = []
        if unit.name not in units or not units[unit.name].includes:
            units[unit.name] = unit
    return units


def changed_files(options):
    """Names of files, the last changed first. Outside of a git checkout the exit code is 77: nothing was checked."""
    if subprocess.run(["git", "rev-parse", "HEAD"], cwd=SOURCE, stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit(77)
    names = output_of("git", "diff", "--name-only", "HEAD").splitlines()
    names += output_of("git", "ls-files", "--others", "--exclude-standard").splitlines()
    if options.since:
        log = ["git", "log", "--format=", "--name-only", f"{options.since}..HEAD"]
    else:
        log = ["git", "log", "--format=", "--name-only", f"-n{options.last}"]
    return list(dict.fromkeys(names + output_of(*log).splitlines()))


def units_of(name, units):
    """The units to check for a file: itself, or for a header its own source, else the smallest that includes it."""
    if name in units:
        return [units[name]]
    own = os.path.splitext(name)[0]
    path = os.path.join(SOURCE, name)
    including = [unit for unit in units.values() if path in unit.includes]
    including.sort(key=lambda unit: (not unit.name.startswith(own + "."), len(unit.includes), unit.name))
    return including[:1]


def select(options, units):
    if options.all:
        return list(units.values())
    names = [os.path.relpath(os.path.realpath(file), SOURCE) for file in options.files] or changed_files(options)
    chosen = {}
    for name in names:
        for unit in units_of(name, units):
            chosen.setdefault(unit.name, unit)
        if options.files and not units_of(name, units):
            fail(f"{name}: expected a source of {options.build_dir} or a header that one includes")
    return list(chosen.values())


def check(unit, key):
    """None where the file is clean, else what clang-tidy says."""
    command = [TOOL, "--quiet", "-p", unit.build, unit.path]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        return done.stdout + done.stderr
    if key:
        with open(os.path.join(STAMPS, key), "w", encoding="utf-8"):
            pass
    return None


def parse_options():
    parser = argparse.ArgumentParser(prog="tests/tidy.sh")
    parser.add_argument("--all", action="store_true", help="every source")
    parser.add_argument("--since", metavar="REV", help="what changed since a commit")
    parser.add_argument("--last", metavar="N", type=int, help="what the last N commits changed")
    parser.add_argument("files", metavar="FILE", nargs="*")
    parser.add_argument("--minutes", metavar="N", type=float, help="start no file after N minutes")
    parser.add_argument("--build-dir", metavar="DIR", help="a build with clang that is up to date")
    parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if sum(map(bool, (options.all, options.since, options.last, options.files))) != 1:
        parser.error("expected one of --all, --since, --last, and files")
    if not options.build_dir:
        folders = [os.path.join(SOURCE, name) for name in ("build-dev", "build")]
        options.build_dir = next(filter(os.path.exists, folders), folders[0])
    options.build_dir = os.path.realpath(options.build_dir)
    return options


def main():
    options = parse_options()
    units = select(options, read_units(options.build_dir))
    os.makedirs(STAMPS, exist_ok=True)
    with open(os.path.join(SOURCE, ".clang-tidy"), "rb") as file:
        common = file.read() + output_of(TOOL, "--version").encode()
    keys = {unit.name: unit.key(common) if unit.includes else None for unit in units}
    known = [unit for unit in units if keys[unit.name] and os.path.exists(os.path.join(STAMPS, keys[unit.name]))]
    todo = [unit for unit in units if unit not in known]

    begin, left, failed = time.monotonic(), [], 0

    def run(unit):
        if options.minutes is not None and time.monotonic() - begin > 60 * options.minutes:
            left.append(unit.name)
            return None
        return check(unit, keys[unit.name])

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as executor:
        running = {executor.submit(run, unit): unit for unit in todo}
        for done in concurrent.futures.as_completed(running):
            if done.result() is not None:
                failed += 1
                print(f"{running[done].name}:\n{done.result()}", flush=True)
    for name in sorted(left):
        print(f"left out for lack of time: {name}")
    print(f"clang-tidy: {len(todo) - len(left)} files checked, {failed} with findings, {len(known)} clean before, "
          f"{len(left)} left out, {time.monotonic() - begin:.0f} s")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
