# RUN: %python %s
# UNSUPPORTED: sanitize
"""What a compiled library is as a file: its exports, what it needs, and that the public header is C11."""

import ctypes
import json
import os
import re
import subprocess
import sys
import unittest

import bamba_ctypes
import harness

# The parts of the C library, by the names that ldd prints.
C_LIBRARY = re.compile(r"^(linux-vdso|libc|libm|libpthread|libdl|librt|ld-linux-x86-64)\.so")


def exported_symbols(path):
    output = harness.run_ok(["nm", "-D", "--defined-only", path]).stdout
    return {line.split()[-1].split("@")[0] for line in output.splitlines()}


class LibraryTest(harness.Case):
    def setUp(self):
        self.path = harness.library("tiny")

    def test_exports_are_the_header(self):
        declared = set()
        for header in "bamba.h", "engine.h":
            with open(os.path.join(INCLUDE, "bamba", header), encoding="utf-8") as file:
                declared.update(re.findall(r"^BAMBA_API .*?\b(bamba_\w+)\(", file.read(), re.M))
        self.assertGreater(len(declared), 20)
        self.assertEqual(exported_symbols(self.path), declared)

    def test_needs_the_c_library_only(self):
        for line in harness.run_ok(["ldd", self.path]).stdout.splitlines():
            name = os.path.basename(line.split()[0])
            self.assertRegex(name, C_LIBRARY, line)

    def test_no_path_of_the_build_machine_is_needed(self):
        dynamic = harness.run_ok(["readelf", "-d", self.path]).stdout
        self.assertNotIn("RUNPATH", dynamic)
        self.assertNotIn("RPATH", dynamic)
        self.assertNotIn("TEXTREL", dynamic)

    def test_runs_on_old_systems(self):
        harness.assert_runs_on_glibc_2_34(self, self.path)

    def test_stack_is_not_executable(self):
        segments = harness.run_ok(["readelf", "-lW", self.path]).stdout
        stack = [line for line in segments.splitlines() if "GNU_STACK" in line]
        self.assertEqual(len(stack), 1)
        self.assertNotRegex(stack[0], r"RWE")

    def test_closes_and_opens_again(self):
        script = (
            "import ctypes, _ctypes, sys\n"
            "for _ in range(5):\n"
            "    lib = ctypes.CDLL(sys.argv[1])\n"
            "    lib.bamba_metadata.restype = ctypes.c_char_p\n"
            "    assert lib.bamba_metadata().startswith(b'{')\n"
            "    _ctypes.dlclose(lib._handle)\n"
        )
        done = subprocess.run([sys.executable, "-c", script, self.path], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_compiling_twice_gives_the_same_bytes(self):
        # The same name in another folder: a library's name is part of it.
        again = os.path.join(harness.scratch(), "again", os.path.basename(self.path))
        os.makedirs(os.path.dirname(again))
        harness.compile_model(harness.fixture("tiny"), again, "--dtype=f32", *harness.SMALL)
        with open(self.path, "rb") as first, open(again, "rb") as second:
            self.assertEqual(first.read(), second.read())

    def test_metadata_matches_inspect(self):
        inspected = json.loads(harness.run_ok([harness.BAMBA_RUN, "inspect", self.path, "--json"]).stdout)
        self.assertEqual([model["config"]["hidden_size"] for model in inspected["models"]], [128])
        self.assertIn("128", harness.run_ok([harness.BAMBA_RUN, "inspect", self.path]).stdout)


INCLUDE = os.path.join(harness.SOURCE, "runtime", "include")


class HeaderTest(unittest.TestCase):
    def test_languages(self):
        """The headers alone compile without a warning, as C11 and as C++."""
        source = "#include <bamba/engine.h>\nint main(void) { return bamba_abi_version() != BAMBA_ABI_VERSION; }\n"
        strict = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I", INCLUDE]
        for compiler, language, standard in [("cc", "c", "c11"), ("c++", "c++", "c++17"), ("c++", "c++", "c++20")]:
            with self.subTest(standard=standard):
                command = [compiler, "-x", language, f"-std={standard}", *strict, "-"]
                done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_python_binding_has_the_same_layout(self):
        """Size and offsets of every struct in bamba_ctypes.py are the C compiler's."""
        structs = {
            "bamba_error": bamba_ctypes.Error, "bamba_model_options": bamba_ctypes.ModelOptions,
            "bamba_model_info": bamba_ctypes.ModelInfo, "bamba_session_options": bamba_ctypes.SessionOptions,
            "bamba_logit_bias": bamba_ctypes.LogitBias, "bamba_sampling": bamba_ctypes.Sampling,
            "bamba_sample": bamba_ctypes.Sample, "bamba_batch_item": bamba_ctypes.BatchItem, "bamba_api": bamba_ctypes.Api,
        }
        prints, want = [], []
        for name, struct in structs.items():
            prints.append(f'printf("%zu\\n", sizeof({name}));')
            want.append(ctypes.sizeof(struct))
            for field, _ in struct._fields_:
                prints.append(f'printf("%zu\\n", offsetof({name}, {field}));')
                want.append(getattr(struct, field).offset)
        source = "#include <bamba/bamba.h>\n#include <stdio.h>\nint main(void) { " + " ".join(prints) + " return 0; }\n"
        program = os.path.join(harness.scratch(), "layout")
        command = ["cc", "-x", "c", "-std=c11", "-I", INCLUDE, "-o", program, "-"]
        subprocess.run(command, input=source, text=True, check=True)
        self.assertEqual([int(line) for line in harness.run_ok([program]).stdout.split()], want)


if __name__ == "__main__":
    harness.main()
