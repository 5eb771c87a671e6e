# REQUIRES: gpu
# RUN: %python %s memcheck
# RUN: %python %s racecheck
# RUN: %python %s initcheck
# RUN: %python %s memcheck fp8
# RUN: %python %s racecheck fp8
# RUN: %python %s initcheck fp8
"""Small fixtures under compute-sanitizer: a prompt of two chunks and a few steps. usage: sanitizer_test.py TOOL [fp8]

With fp8, those of fp8 checkpoints: a program of their own, with a time limit of its own."""

import shutil
import sys
import unittest

import gpu
import harness
import libraries

TOOL = sys.argv.pop(1) if len(sys.argv) > 1 else "memcheck"
KIND = sys.argv.pop(1) if len(sys.argv) > 1 else ""
SANITIZER = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")
SECONDS = 75  # for one model


class Sanitized(gpu.Case):
    def check(self, name, **options):
        data, lengths = harness.expected(name)
        tokens = data[f"input_ids.{max(lengths)}"][:40]
        model, weights = gpu.fixture_path(name, self.target, **(options or {"chunk": 32})), harness.fixture(name)
        # `timeout` ends what the sanitizer started, too. An error is told by an exit code that bamba-run does not use.
        command = [
            "timeout", SECONDS, SANITIZER, f"--tool={TOOL}", "--error-exitcode=9", "--print-limit=20", harness.BAMBA_RUN,
            "generate", model, "--weights", weights, harness.tokens_option(tokens), "-n3", gpu.ON_GPU,
        ]
        done = harness.run(command)
        if done.returncode == 124:
            self.skipTest(f"{TOOL} took more than {SECONDS} s")
        if "Device not supported" in done.stdout:
            self.skipTest("compute-sanitizer: Device not supported")
        self.assertEqual(done.returncode, 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")


if KIND == "fp8":

    @gpu.for_each_target
    @unittest.skipUnless(SANITIZER, "no compute-sanitizer")
    class SanitizeFp8Test(Sanitized):
        def test_dynamic(self):
            self.check("fp8_dynamic")

        def test_kv(self):
            self.check("fp8_kv")

else:

    @gpu.for_each_target
    @unittest.skipUnless(SANITIZER, "no compute-sanitizer")
    class SanitizerTest(Sanitized):
        def test_state_ring(self):
            self.check("hub", ring=libraries.RING_FIXTURES["hub"])

        def test_tiny(self):
            self.check("tiny")

        def test_odd(self):
            self.check("odd")

        def test_groups(self):
            self.check("groups")


if __name__ == "__main__":
    gpu.main()
