# REQUIRES: gpu
# RUN: %python %s
"""What a GPU is refused for: each gets a status and one line, and the process goes on."""

import ctypes
import os
import unittest

import gpu
import harness
import libraries
from bamba_ctypes import BambaError, Library, Model, ModelOptions

WEIGHTS = harness.fixture("tiny")


@unittest.skipIf(isinstance(gpu.targets(), str), gpu.targets())
class ErrorsTest(gpu.Case):
    def setUp(self):
        self.file = gpu.fixture_path("tiny", gpu.targets()[0])
        self.library = Library(self.file)

    def tearDown(self):
        """Whatever was refused, the process can still use the GPU."""
        with gpu.open_model(self.file, WEIGHTS, gpu.targets()[0]) as model, model.session(slots=1) as session:
            data, _ = harness.expected("tiny")
            got = session.run([(session.create(), data["input_ids.7"])], 1)[0]
            self.assert_close(got, data["logits.7"], "afterwards")

    def assert_open_fails(self, library, device, *mentions):
        options, handle = ModelOptions(ctypes.sizeof(ModelOptions), device.encode()), ctypes.c_void_p()
        with self.assertRaises(BambaError) as caught:
            library.call("model_open", ctypes.byref(options), ctypes.byref(handle))
        self.assertEqual(caught.exception.status, "BAMBA_UNSUPPORTED")
        self.assertFalse(handle)
        for mention in mentions:
            self.assertIn(mention, caught.exception.message)

    def test_no_such_device(self):
        self.assert_open_fails(self.library, "cuda:99", "cuda:99")
        for name in ("cuda:", "cuda:-1", "cuda:x", "gpu", "cuda:99999999999"):
            self.assert_open_fails(self.library, name, name)
        self.assert_refused(
            [harness.BAMBA_RUN, "generate", self.file, "--weights", WEIGHTS, "--tokens=1", "--device=cuda:99"], "cuda:99"
        )

    @unittest.skipIf(isinstance(gpu.targets(), tuple) and gpu.compute() // 10 == 8, "the library is for this card")
    def test_wrong_architecture(self):
        without_cpu = Library(gpu.path(libraries.for_another_card("sm_80")))
        for device in ("cuda:0", "cuda"):
            self.assert_open_fails(without_cpu, device, "8.0")
        with_cpu = Library(gpu.path(libraries.for_another_card("cpu,sm_80")))
        self.assert_open_fails(with_cpu, "cuda:0", "8.0")
        # With no device asked for, the processor serves.
        with Model(with_cpu, WEIGHTS) as model, model.session(slots=1) as session:
            self.assertEqual(model.info().device, b"cpu")
            session.run([(session.create(), [1, 2, 3])])

    def test_best_target_is_chosen(self):
        with Model(gpu.path(libraries.many_targets()), WEIGHTS) as model, model.session(slots=1) as session:
            self.assertEqual(model.info().target.decode(), gpu.targets()[0])
            self.assertEqual(model.info().device, b"cuda:0")
            session.run([(session.create(), [1, 2, 3])])

    def test_no_visible_device(self):
        hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        command = [harness.BAMBA_RUN, "generate", self.file, "--weights", WEIGHTS, "--tokens=1,2", "-n2"]
        done = harness.run([*command, gpu.ON_GPU], env=hidden)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        self.assertIn("device   cpu", harness.run_ok(command, env=hidden).stderr)

    def test_session_larger_than_the_card(self):
        with gpu.open_model(self.file, WEIGHTS, gpu.targets()[0]) as model:
            for _ in range(3):
                with self.assertRaises(BambaError) as caught:
                    model.session(slots=8, pages=1 << 26)
                self.assertEqual(caught.exception.status, "BAMBA_OUT_OF_MEMORY")
            model.session(slots=1).close()

    def test_refused_batches(self):
        with gpu.open_model(self.file, WEIGHTS, gpu.targets()[0]) as model, model.session(slots=1) as session:
            sequence = session.create()
            with self.assertRaises(BambaError):
                session.run([(sequence, [1 << 20])])
            with self.assertRaises(BambaError):
                session.run([(sequence, [1] * 513)])
            self.assertEqual(session.length(sequence), 0)
            with self.assertRaises(BambaError) as caught:
                session.create()
            self.assertEqual(caught.exception.status, "BAMBA_EXHAUSTED")


if __name__ == "__main__":
    gpu.main()
