# RUN: %python %s
# UNSUPPORTED: sanitize
"""The examples as a user builds them: against an installed bambac, found by find_package, outside of this tree."""

import os
import re

import harness

EXAMPLES = os.path.join(harness.SOURCE, "examples")


class ExamplesTest(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.prefix = harness.install()
        cls.build = os.path.join(harness.scratch(), "examples")
        harness.run_ok(["cmake", "-G", "Ninja", "-S", EXAMPLES, "-B", cls.build, f"-DCMAKE_PREFIX_PATH={cls.prefix}"])
        harness.run_ok(["cmake", "--build", cls.build])

    def test_programs(self):
        """Each example is a test of the examples' own project."""
        done = harness.run_ok(["ctest", "--test-dir", self.build, "--output-on-failure", "--no-tests=error"])
        passed = int(re.search(r"tests passed, 0 tests failed out of (\d+)", done.stdout).group(1))
        self.assertGreaterEqual(passed, 3, "expected one in C, one in C++ and one in Python")

    def test_installed_tools_work(self):
        """The installed compiler finds its runtime next to it, not in the build directory."""
        out = os.path.join(harness.scratch(), "installed.so")
        harness.run_ok([os.path.join(self.prefix, "bin", "bambac"), "compile", harness.fixture("tiny"), "-o", out])
        listing = harness.run_ok([os.path.join(self.prefix, "bin", "bamba-run"), "inspect", out]).stdout
        self.assertIn("hidden_size", listing)

    def test_nothing_depends_on_this_tree(self):
        for folder, _, files in os.walk(self.prefix):
            for name in files:
                if name.endswith((".cmake", ".h", ".pc")):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        text = file.read()
                    self.assertNotIn(harness.SOURCE, text, name)
                    self.assertNotIn(harness.BUILD, text, name)


if __name__ == "__main__":
    harness.main()
