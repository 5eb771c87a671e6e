# REQUIRES: gpu
# RUN: %python %s
"""Random small configs with random weights: the GPU against the processor, which the property test holds to the oracle."""

import gpu
import harness
import libraries


@gpu.for_each_target
class RandomModelsTest(gpu.Case):
    def test_logits(self):
        for index in libraries.random_cases(self.target):
            name, config, rng = libraries.random_case(index)
            model, weights = gpu.random_path(index, self.target)
            tokens = rng.integers(0, config["vocab_size"], int(rng.integers(2, 100)))
            want = harness.run_logits(model, weights, tokens, "prefill", "--device=cpu")
            for mode in ("prefill", "decode", f"chunk:{rng.integers(2, 20)}"):
                with self.subTest(case=index, name=name, mode=mode, tokens=len(tokens)):
                    self.assert_close(harness.run_logits(model, weights, tokens, mode, gpu.ON_GPU), want)


if __name__ == "__main__":
    gpu.main()
