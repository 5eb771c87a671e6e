# REQUIRES: gpu
# RUN: %python %s
"""What must not change a sequence's logits on the GPU: its company, forks, saves, resets, the stream. Each test of
tests/e2e/invariance_test.py, with the GPU's bound where bits may differ."""

import ctypes

import gpu
import harness
import invariance_test
from bamba_ctypes import LOGITS_ALL, BambaError
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
class CodedStateTest(SequencesTest):
    """States of codes with the ring that a library has by itself."""

    NAME, LIMITS = "hub", {"state": "int8"}


class StateRingTest(SequencesTest):
    """Also wherever the ring stands."""

    def test_tokens_that_wait_are_dropped(self):
        want = self.alone()
        with self.model.session(slots=1) as session:
            for waiting in range(self.RING):
                for dropped in range(waiting + 1):
                    sequence = session.create()
                    session.run([(sequence, PROMPT)])
                    for token in STEPS[: waiting - dropped] + [7] * dropped:
                        session.run([(sequence, [token])])
                    self.assertEqual(session.rollback(sequence), waiting)
                    session.truncate(sequence, dropped)
                    self.assertEqual(session.length(sequence), len(PROMPT) + waiting - dropped)
                    rows = [session.run([(sequence, [token])])[0] for token in STEPS[waiting - dropped :]]
                    self.assert_same_bits(
                        gpu.np.concatenate(rows), want[1 + waiting - dropped :], f"{dropped} of {waiting}")
                    session.free(sequence)

    def test_more_than_waits_is_refused(self):
        with self.model.session(slots=1) as session:
            sequence = session.create()
            session.run([(sequence, PROMPT)])
            with self.assertRaisesRegex(BambaError, "at most 0 tokens to drop"):
                session.truncate(sequence, 1)

    def test_forks_and_saves_wherever_the_ring_stands(self):
        want = self.alone()
        with self.model.session(slots=3) as session:
            for waiting in range(self.RING):
                sequence = session.create()
                session.run([(sequence, PROMPT)])
                for token in STEPS[:waiting]:
                    session.run([(sequence, [token])])
                fork, restored = session.fork(sequence), session.create()
                session.restore(restored, session.save(sequence))
                session.run([(sequence, [3])])  # must not reach the others
                for other in (fork, restored):
                    rows = [session.run([(other, [token])])[0] for token in STEPS[waiting:]]
                    self.assert_same_bits(gpu.np.concatenate(rows), want[1 + waiting :], f"{waiting} tokens wait")
                for other in (sequence, fork, restored):
                    session.free(other)

    def test_prompts_wherever_the_ring_stands(self):
        rest = PROMPT[:11]
        with self.model.session(slots=1) as session:
            for waiting in range(self.RING):
                want = self.alone(PROMPT + STEPS[:waiting] + rest, STEPS[:2])
                sequence = session.create()
                session.run([(sequence, PROMPT)])
                for token in STEPS[:waiting]:
                    session.run([(sequence, [token])])
                rows = session.run([(sequence, rest)])
                for token in STEPS[:2]:
                    rows += session.run([(sequence, [token])])
                self.assert_close(gpu.np.concatenate(rows), want, f"{waiting} tokens wait")
                session.free(sequence)


@gpu.for_each_target
class RingTest(StateRingTest):
    NAME, LIMITS, RING = "tiny", {"ring": 5}, 5


@gpu.for_each_target
class CodedStateRingTest(StateRingTest):
    """Codes and their scales go with a fork and a saved state, and are what they were once tokens are dropped: states
    are quantized where a ring is full, which is at the same tokens."""

    NAME, LIMITS, RING = "tiny", {"state": "int8", "ring": 5}, 5


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


del SequencesTest, StateRingTest  # tests of their own only with a model

if __name__ == "__main__":
    gpu.main()
