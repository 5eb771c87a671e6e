"""A library for one level of x86-64 gives the golden logits. usage: cpu_levels.py LEVEL"""

import sys

import harness

LEVEL = sys.argv[1] if len(sys.argv) > 1 else "native"


class CpuTest(harness.Case):
    def test_golden(self):
        for name in ("tiny", "odd"):
            data, lengths = harness.expected(name)
            path = harness.library(name, "f32", f"--cpu={LEVEL}", *harness.SMALL)
            for length in lengths[:3]:
                for mode in ("prefill", "decode"):
                    with self.subTest(fixture=name, length=length, mode=mode):
                        tokens, want = data[f"input_ids.{length}"], data[f"logits.{length}"]
                        got = harness.run_logits(path, harness.fixture(name), tokens, mode)
                        self.assert_f32_logits(got[-len(want) :], want)


if __name__ == "__main__":
    del sys.argv[1:2]
    harness.main()
