# RUN: %python %s
"""Bamba-9B's own config compiles to every phase within its limits, and its layers share kernels."""

import json
import os
import resource
import time

import harness

CONFIG = os.path.join(harness.SOURCE, "examples", "configs", "bamba-9b.json")
PHASES = ("model", "fused", "scheduled", "kernels", "library")


class Bamba9BTest(harness.Case):
    def test_phases(self):
        for phase in PHASES[:-1]:
            with self.subTest(phase=phase):
                out = os.path.join(harness.scratch(), "bamba-9b." + phase)
                harness.compile_model(CONFIG, out, f"--compile-to={phase}")
                self.assertGreater(os.path.getsize(out), 0)

    def test_library(self):
        out = os.path.join(harness.scratch(), "bamba-9b.so")
        begin = time.monotonic()
        harness.compile_model(CONFIG, out)
        seconds = time.monotonic() - begin
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        size = os.path.getsize(out)
        print(f"{seconds:.1f} s, {peak / 1e9:.2f} GB, library {size / 1e6:.2f} MB")
        if not harness.SANITIZED:  # the limits are for what is shipped: checks make the compiler slow, the runtime large
            self.assertLessEqual(seconds, 30)
            self.assertLessEqual(size, 20e6)
        self.assertLessEqual(peak, 4e9)
        metadata = json.loads(harness.run_ok([harness.BAMBA_RUN, "inspect", out, "--json"]).stdout)["models"][0]
        self.assert_kernels_are_shared(metadata)

    def assert_kernels_are_shared(self, metadata):
        kernels = metadata["kernels"]
        launches = sum(kernel["count"] for kernel in kernels)
        print(f"{len(kernels)} kernels for {launches} launches")
        self.assertGreater(launches, 32 * 4)  # 32 layers, at least a few launches each
        self.assertLess(len(kernels) * 8, launches)


if __name__ == "__main__":
    harness.main()
