# REQUIRES: gpu
# RUN: %python %s
"""The tests of tests/e2e/mixtures_test.py on the GPU."""

import gpu
import harness
import mixtures_test


class MixedStepsTest(gpu.Case, mixtures_test.MixedStepsTest):
    @classmethod
    def open_model(cls):
        return gpu.open_model(gpu.fixture_path(cls.NAME, cls.target, **cls.LIMITS), harness.fixture(cls.NAME), cls.target)

    def assert_oracle(self, got, want, alone, what):
        """Some texts round badly in 16 bits, whatever step they are in: alone two of 14 are off by more than the bound."""
        bound = max(self.bound, 1.5 * harness.relative_error(alone, want))
        self.assertLessEqual(harness.relative_error(got, want), bound, what)


@gpu.for_each_target
class TinyTest(MixedStepsTest):
    NAME, LIMITS = "tiny", {}


@gpu.for_each_target
class OddTest(MixedStepsTest):
    NAME, LIMITS = "odd", {}


@gpu.for_each_target
class WideTest(MixedStepsTest):  # heads of 64
    NAME, LIMITS = "hub", {}


del MixedStepsTest  # tests of its own only with a model

if __name__ == "__main__":
    gpu.main()
