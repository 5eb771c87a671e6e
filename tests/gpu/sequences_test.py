# REQUIRES: gpu
# RUN: %python %s
"""What must not change a sequence's logits on the GPU: its company, forks, saves, resets, the stream. Each test of
tests/e2e/invariance_test.py, with the GPU's bound where bits may differ."""

import ctypes

import gpu
import harness
import invariance_test
from bamba_ctypes import LOGITS_ALL
from invariance_test import PROMPT, STEPS


class SequencesTest(gpu.Case, invariance_test.InvarianceTest):
    STATE = "f32"

    @classmethod
    def open_model(cls):
        file = gpu.fixture_path(cls.NAME, cls.target, **cls.LIMITS)
        return gpu.open_model(file, harness.fixture(cls.NAME), cls.target)


@gpu.for_each_target
class TinyTest(SequencesTest):
    NAME, LIMITS = "tiny", {"batch": 4, "chunk": 64}

    def test_stream_of_the_caller(self):
        """In a stream of the caller's the results are the same bits."""
        cuda, context, stream = gpu.driver(), ctypes.c_void_p(), ctypes.c_void_p()
        self.assertEqual(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0), 0)
        self.assertEqual(cuda.cuCtxSetCurrent(context), 0)
        self.assertEqual(cuda.cuStreamCreate(ctypes.byref(stream), 1), 0)  # CU_STREAM_NON_BLOCKING
        want = self.alone()
        with self.model.session(slots=1, stream=stream) as session:
            sequence = session.create()
            rows = session.run([(sequence, PROMPT)])
            for token in STEPS:
                rows += session.run([(sequence, [token])])
            self.assert_same_bits(gpu.np.concatenate(rows), want)
        self.assertEqual(cuda.cuStreamSynchronize(stream), 0)
        self.assertEqual(cuda.cuStreamDestroy_v2(stream), 0)


@gpu.for_each_target
class GroupsTest(SequencesTest):
    NAME, LIMITS = "groups", {"batch": 4, "chunk": 64}


@gpu.for_each_target
class Bf16StateTest(SequencesTest):
    NAME, LIMITS = "hub", {"state": "bf16"}


@gpu.for_each_target
class TwoModelsTest(gpu.Case):
    def test_two_models_in_one_process(self):
        """Two libraries on one GPU, used in turn: each gives its own golden logits."""
        sessions = {}
        for name in ("tiny", "odd"):
            model = gpu.open_model(gpu.fixture_path(name, self.target), harness.fixture(name), self.target)
            sessions[name] = self.enterContext(self.enterContext(model).session(slots=1))
        for length in (7, 64):
            for name, session in sessions.items():
                data, _ = harness.expected(name)
                sequence = session.create()
                got = session.run([(sequence, data[f"input_ids.{length}"])], LOGITS_ALL)[0]
                self.assert_close(got, data[f"logits.{length}"], f"{name} {length}")
                session.free(sequence)


del SequencesTest  # tests of its own only with a model

if __name__ == "__main__":
    gpu.main()
