# REQUIRES: gpu
# RUN: %python %s memcheck
# RUN: %python %s racecheck
# RUN: %python %s initcheck
"""Small fixtures under compute-sanitizer: a prompt of two chunks and a few steps. usage: sanitizer_test.py TOOL"""

import shutil
import sys
import unittest

import gpu
import harness

TOOL = sys.argv.pop(1) if len(sys.argv) > 1 else "memcheck"
SANITIZER = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")
SECONDS = 75  # for one model


@gpu.for_each_target
@unittest.skipUnless(SANITIZER, "no compute-sanitizer")
class SanitizerTest(gpu.Case):
    def check(self, name):
        tokens = harness.expected(name)[0]["input_ids.150"][:40]
        model, weights = gpu.fixture_path(name, self.target, chunk=32), harness.fixture(name)
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

    def test_tiny(self):
        self.check("tiny")

    def test_odd(self):
        self.check("odd")

    def test_groups(self):
        self.check("groups")


if __name__ == "__main__":
    gpu.main()
