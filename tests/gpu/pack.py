"""Compiles the libraries of the GPU tests and packs them into one archive: they are much alike, and so it is small.

usage: pack.py OUT_DIR JOBS [PARTS]
PARTS, with commas between them: only libraries whose name has one of them.
They stay in the build folder, and one that is newer than the compiler is kept. A library that does not compile is
named, left out, and the exit code is 1.
"""

import concurrent.futures
import lzma
import os
import shutil
import subprocess
import sys
import tarfile

import gpu  # noqa: F401  (finds the modules of tests/e2e)
import harness
import libraries

RUNTIME = os.path.join(harness.BUILD, "lib", "bambac", "bamba_rt.o")
CACHE = os.path.join(harness.BUILD, "gpu-libraries")
# A window that reaches back over several libraries.
COMPRESSION = [{"id": lzma.FILTER_LZMA2, "preset": 3, "dict_size": 1 << 26}]


def cached(library):
    return os.path.join(CACHE, library.name + ".so")


def build(library):
    """Compiles one library; the error, if any."""
    made_from = (harness.BAMBAC, RUNTIME)  # and the options, which its name tells
    file = cached(library)
    if os.path.exists(file) and os.path.getmtime(file) > max(os.path.getmtime(part) for part in made_from):
        return None
    try:
        harness.compile_model(library.config, file + ".new", *library.options)
    except AssertionError as error:
        return f"{library.name}: {error}"
    subprocess.run(["strip", file + ".new"], check=True)
    os.rename(file + ".new", file)
    return None


def main():
    out, jobs = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    parts = sys.argv[3].split(",") if len(sys.argv) > 3 else [""]
    random_folder = os.path.join(out, "random")
    os.makedirs(CACHE, exist_ok=True)
    shutil.rmtree(random_folder, ignore_errors=True)
    for index in {index for target in libraries.TARGETS for index in libraries.random_cases(target)}:
        libraries.write_random(index, random_folder)
    wanted = [library for library in libraries.every(random_folder) if any(part in library.name for part in parts)]
    with concurrent.futures.ThreadPoolExecutor(jobs) as executor:
        errors = [error for error in executor.map(build, wanted) if error]
    failed = {error.split(": ")[0] for error in errors}
    with lzma.open(os.path.join(out, "libraries.tar.xz"), "wb", filters=COMPRESSION) as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for library in wanted:
                if library.name not in failed:
                    archive.add(cached(library), f"libraries/{library.name}.so")
    print("\n".join([*errors, f"{len(wanted) - len(errors)} of {len(wanted)} libraries"]))
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
