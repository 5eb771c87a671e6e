# RUN: %python %s
"""What the C ABI refuses, each with its status, one line of text and nothing changed."""

import ctypes
import os
from ctypes import POINTER, byref, c_float, c_int32, c_size_t, c_uint32, c_void_p

import harness
import safetensors_io
from bamba_ctypes import (
    ABI_VERSION, API_MEMBERS, LOGITS_ALL, LOGITS_NONE, STATUSES, VERSION, Api, BambaError, BatchItem, Error, Library, Model, ModelInfo, ModelOptions, Sample,
    Profile, SessionOptions,
)

PROMPT = list(range(3, 20))
OPTIONS = ("--max-batch=2", "--max-context=64", "--prefill-chunk=16")


class AbiTest(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.library = Library(harness.library("tiny", "f32", *OPTIONS))
        cls.weights = harness.fixture("tiny")
        cls.model = Model(cls.library, cls.weights)

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def assert_status(self, status, call, *arguments, says=()):
        with self.assertRaises(BambaError) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.status, status, caught.exception.message)
        for text in says:
            self.assertIn(str(text), caught.exception.message)


class QueryTest(AbiTest):
    def test_status_names(self):
        names = [self.library.function("status_name")(i).decode() for i in range(len(STATUSES))]
        self.assertEqual(names, STATUSES)
        for unknown in (-1, len(STATUSES), 1 << 30):
            self.assertTrue(self.library.function("status_name")(unknown))

    def test_api_table(self):
        table = self.library.function("get_api")(ABI_VERSION).contents
        self.assertEqual(table.struct_size, ctypes.sizeof(Api))
        self.assertEqual(table.abi_version, self.library.function("abi_version")())
        self.assertTrue(table.engine)
        for member in API_MEMBERS:
            if member == "engine":  # a table, of bamba/engine.h
                continue
            address = ctypes.cast(self.library.function(member), c_void_p).value
            self.assertEqual(getattr(table, member), address, member)
        self.assertEqual((table.version, self.library.function("version")()), (VERSION, VERSION))
        for version in (0, ABI_VERSION - 1, ABI_VERSION + 1, 99):
            self.assertFalse(self.library.function("get_api")(version))

    def test_info(self):
        info = self.model.info()
        self.assertEqual((info.vocab_size, info.max_batch, info.max_context, info.prefill_chunk), (256, 2, 64, 16))
        self.assertGreater(info.page_tokens, 0)
        # As the fixture's config.json has them.
        self.assertEqual((info.bos_token, info.eos_tokens[: info.num_eos_tokens]), (1, [2]))
        self.assertGreater(info.weight_bytes, 0)
        # A convolution state of 3 x (256 + 2*32) and an SSM state of 8 x 32 x 32 floats in each of 3 layers, at least.
        self.assertGreaterEqual(info.slot_bytes, 3 * 4 * (3 * 320 + 8 * 32 * 32))
        self.assertEqual(info.page_bytes, 2 * 2 * 32 * info.page_tokens * 4)

    def test_no_error_buffer(self):
        """A caller may pass no bamba_error."""
        status = self.library.function("model_load")(self.model.handle, b"nowhere", None, None)
        self.assertNotEqual(STATUSES[status], "BAMBA_OK")


class NullTest(AbiTest):
    """A null handle or pointer is BAMBA_INVALID_ARGUMENT in every function that takes one."""

    def test_null_handles(self):
        out, size = c_uint32(), c_size_t()
        item, token, handle = (BatchItem * 1)(), c_int32(), c_void_p()
        info = ModelInfo(ctypes.sizeof(ModelInfo))
        calls = [
            ("model_open", None, None),
            ("model_load", None, b"x", None),
            ("model_load_random", None, 1),
            ("model_get_info", None, byref(info)),
            ("session_create", None, None, byref(handle)),
            ("session_run", None, item, 1, ctypes.sizeof(BatchItem)),
            ("session_get_logits", None, 0, byref(POINTER(c_float)()), byref(size)),
            ("session_get_greedy", None, 0, byref(token)),
            ("session_get_sample", None, 0, 0, byref(Sample())),
            ("session_profile", None, item, 1, ctypes.sizeof(BatchItem), 1, Profile(0), None),
            ("sequence_create", None, byref(out)),
            ("sequence_free", None, 0),
            ("sequence_fork", None, 0, byref(out)),
            ("sequence_reset", None, 0),
            ("sequence_get_length", None, 0, byref(out)),
            ("sequence_save", None, 0, None, byref(size)),
            ("sequence_restore", None, 0, b"x", 1),
        ]
        for name, *arguments in calls:
            with self.subTest(function=name):
                self.assert_status("BAMBA_INVALID_ARGUMENT", self.library.call, name, *arguments)
        self.library.function("model_close")(None)
        self.library.function("session_destroy")(None)

    def test_null_results(self):
        with self.model.session(slots=1) as session:
            sequence = session.create()
            session.run([(sequence, PROMPT)])
            calls = [
                ("model_load", self.model.handle, None, None),
                ("model_get_info", self.model.handle, None),
                ("session_create", self.model.handle, None, None),
                ("session_run", session.handle, None, 1, ctypes.sizeof(BatchItem)),
                ("session_get_logits", session.handle, 0, None, None),
                ("session_get_greedy", session.handle, 0, None),
                ("session_get_sample", session.handle, 0, 0, None),
                ("session_profile", session.handle, None, 1, ctypes.sizeof(BatchItem), 1, Profile(0), None),
                ("sequence_create", session.handle, None),
                ("sequence_fork", session.handle, sequence, None),
                ("sequence_get_length", session.handle, sequence, None),
                ("sequence_save", session.handle, sequence, None, None),
                ("sequence_restore", session.handle, sequence, None, 8),
            ]
            for name, *arguments in calls:
                with self.subTest(function=name):
                    self.assert_status("BAMBA_INVALID_ARGUMENT", self.library.call, name, *arguments)

    def test_struct_sizes(self):
        handle = c_void_p()
        calls = [
            ("model_open", byref(ModelOptions(0, None)), byref(handle)),
            ("model_get_info", self.model.handle, byref(ModelInfo(0))),
            ("session_create", self.model.handle, byref(SessionOptions(0)), byref(handle)),
        ]
        for name, *arguments in calls:
            with self.subTest(function=name):
                self.assert_status("BAMBA_INVALID_ARGUMENT", self.library.call, name, *arguments, says=["struct_size"])
        self.assertFalse(handle)
        # An error buffer of a size that the library does not know stays as it is.
        error = Error(0)
        status = self.library.function("model_open")(byref(ModelOptions(0, None)), byref(handle), byref(error))
        self.assertEqual(STATUSES[status], "BAMBA_INVALID_ARGUMENT")
        self.assertEqual(error.message, b"")


class ModelTest(AbiTest):
    def test_unknown_device(self):
        self.assert_status("BAMBA_UNSUPPORTED", Model, self.library, None, "abacus", says=["abacus"])

    def test_cpu_device(self):
        Model(self.library, device="cpu").close()

    def test_missing_checkpoint(self):
        with Model(self.library) as model:
            self.assert_status("BAMBA_NOT_FOUND", model.load, "/nonexistent/weights", says=["/nonexistent/weights"])
            model.load(self.weights)  # a failed load may be tried again

    def test_bad_checkpoint(self):
        with harness.temporary_folder() as folder, Model(self.library) as model:
            tensors = safetensors_io.read_checkpoint(self.weights)
            del tensors["model.layers.1.mamba.D"]
            safetensors_io.write_file(os.path.join(folder, "model.safetensors"), tensors)
            self.assert_status("BAMBA_BAD_CHECKPOINT", model.load, folder, says=["model.layers.1.mamba.D"])
            self.assert_status("BAMBA_NOT_READY", lambda: model.session().run([(0, [1])]))
            model.load(self.weights)

    def test_second_load(self):
        self.assert_status("BAMBA_INVALID_ARGUMENT", self.model.load, self.weights)

    def test_progress(self):
        seen = []
        with Model(self.library) as model:
            model.load(self.weights, lambda user, done, total: seen.append((done, total)) or 0)
        self.assertTrue(seen)
        self.assertEqual(seen[-1][0], seen[-1][1])
        self.assertEqual(sorted(seen), seen)
        with Model(self.library) as model:
            self.assert_status("BAMBA_IO_ERROR", model.load, self.weights, lambda user, done, total: 1)
            model.load(self.weights)

    def test_no_weights(self):
        with Model(self.library) as model:
            try:
                session = model.session()
            except BambaError as error:
                self.assertEqual(error.status, "BAMBA_NOT_READY")
                return
            with session:
                self.assert_status("BAMBA_NOT_READY", session.run, [(session.create(), [1])])

    def test_random_weights_repeat(self):
        rows = []
        for seed in (1, 1, 2):
            with Model(self.library, random_seed=seed) as model, model.session() as session:
                rows.append(session.run([(session.create(), PROMPT)])[0])
        self.assertEqual(rows[0].tobytes(), rows[1].tobytes())
        self.assertNotEqual(rows[0].tobytes(), rows[2].tobytes())


class RunTest(AbiTest):
    def setUp(self):
        self.session = self.model.session(slots=2)
        self.sequence = self.session.create()
        self.session.run([(self.sequence, PROMPT)])
        self.before = self.session.save(self.sequence)

    def tearDown(self):
        self.assertEqual(self.session.save(self.sequence), self.before, "a refused call changed the sequence")
        self.session.close()

    def test_tokens_out_of_range(self):
        for token in (-1, 256, 2**31 - 1, -(2**31)):
            for tokens in ([token], [1, 2, token]):
                batch = [(self.sequence, tokens)]
                self.assert_status("BAMBA_OUT_OF_RANGE", self.session.run, batch, says=[token, 255])

    def test_a_bad_item_refuses_the_whole_batch(self):
        other = self.session.create()
        self.assert_status("BAMBA_OUT_OF_RANGE", self.session.run, [(self.sequence, [1]), (other, [256])])
        self.assertEqual(self.session.length(other), 0)

    def test_context_beyond_the_limit(self):
        self.assert_status("BAMBA_OUT_OF_RANGE", self.session.run, [(self.sequence, [1] * 48)], says=[48, 64])
        other = self.session.create()
        self.session.run([(other, [1] * 64)])  # exactly full
        self.assertEqual(self.session.length(other), 64)
        self.assert_status("BAMBA_OUT_OF_RANGE", self.session.run, [(other, [1])], says=[64])

    def test_batch_beyond_the_limit(self):
        batch = [(self.sequence, [1]), (self.session.create(), [1]), (7, [1])]
        self.assert_status("BAMBA_INVALID_ARGUMENT", self.session.run, batch, says=[3, 2])

    def test_malformed_batches(self):
        run = self.session.run
        self.assert_status("BAMBA_INVALID_ARGUMENT", run, [(self.sequence, [1]), (self.sequence, [2])])
        self.assert_status("BAMBA_INVALID_ARGUMENT", run, [(self.sequence, [])])
        self.assert_status("BAMBA_NOT_FOUND", run, [(99, [1])], says=[99])
        self.assert_status("BAMBA_INVALID_ARGUMENT", run, [(self.sequence, [1])], 17)
        null_tokens = (BatchItem * 1)(BatchItem(self.sequence, 1, None, 0, 0))
        self.assert_status(
            "BAMBA_INVALID_ARGUMENT", self.library.call, "session_run", self.session.handle, null_tokens, 1,
            ctypes.sizeof(BatchItem)
        )

    def test_results_that_are_not_there(self):
        for call in (self.session.logits, self.session.greedy):
            for item in (1, 2**40):
                self.assert_status("BAMBA_INVALID_ARGUMENT", call, item)
        other = self.session.create()
        self.session.run([(other, PROMPT)], LOGITS_NONE)
        for call in (self.session.logits, self.session.greedy):
            self.assert_status("BAMBA_NOT_READY", call, 0, says=["BAMBA_LOGITS_NONE"])
        self.assertEqual(self.session.length(other), len(PROMPT))
        with self.model.session() as fresh:
            self.assert_status("BAMBA_NOT_READY", fresh.logits, 0)
            self.assert_status("BAMBA_NOT_READY", fresh.greedy, 0)

    def test_unknown_sequences(self):
        freed = self.session.create()
        self.session.free(freed)
        for sequence in (freed, 99, 2**32 - 1):
            for call in (self.session.free, self.session.fork, self.session.reset, self.session.length,
                         self.session.save, lambda s: self.session.restore(s, self.before)):
                self.assert_status("BAMBA_NOT_FOUND", call, sequence, says=[sequence])

    def test_no_slot_left(self):
        other = self.session.create()
        self.assert_status("BAMBA_EXHAUSTED", self.session.create)
        self.assert_status("BAMBA_EXHAUSTED", self.session.fork, self.sequence)
        self.session.free(other)
        self.session.create()

    def test_no_page_left(self):
        page = self.model.info().page_tokens
        pages = max(1, 64 // page // 2)
        with self.model.session(slots=2, pages=pages) as session:
            first, second = session.create(), session.create()
            capacity = min(64, pages * page)
            session.run([(first, [1] * (capacity - 1))])
            self.assert_status("BAMBA_EXHAUSTED", session.run, [(second, [1])])
            self.assertEqual(session.length(second), 0)
            session.run([(first, [1])])
            state = session.save(first)
            session.free(first)
            session.restore(second, state)
            self.assertEqual(session.length(second), capacity)

    def test_pages_of_a_failed_batch_come_back(self):
        page = self.model.info().page_tokens
        pages = max(1, 64 // page)
        with self.model.session(slots=2, pages=pages) as session:
            first, second = session.create(), session.create()
            most = min(64, pages * page)
            self.assert_status("BAMBA_EXHAUSTED", session.run, [(first, [1] * most), (second, [1])])
            session.run([(second, [1] * most)])


class LogitsRowsTest(AbiTest):
    def test_rows(self):
        with self.model.session(slots=2) as session:
            first, second = session.create(), session.create()
            rows = session.run([(first, PROMPT), (second, [1])], LOGITS_ALL)
            self.assertEqual([len(row) for row in rows], [len(PROMPT), 1])
            rows = session.run([(first, PROMPT), (second, [1])])
            self.assertEqual([len(row) for row in rows], [1, 1])


class StateTest(AbiTest):
    def state_of(self, name, dtype="f32"):
        library = Library(harness.library(name, dtype, *OPTIONS))
        with Model(library, harness.fixture(name)) as model, model.session() as session:
            sequence = session.create()
            session.run([(sequence, PROMPT)])
            return session.save(sequence)

    def test_states_that_do_not_fit(self):
        good = self.state_of("tiny")
        damaged = [
            ("empty", b""),
            ("one byte", good[:1]),
            ("half", good[: len(good) // 2]),
            ("one byte short", good[:-1]),
            ("one byte more", good + b"\0"),
            ("a flipped bit", good[:-5] + bytes([good[-5] ^ 1]) + good[-4:]),
            ("another magic", bytes(b ^ 0xFF for b in good[:4]) + good[4:]),
            ("header of ones", b"\xff" * 64 + good[64:]),
            ("groups", self.state_of("groups")),
            ("tied", self.state_of("tied")),
        ]
        with self.model.session(slots=1) as session:
            sequence = session.create()
            session.run([(sequence, PROMPT)])
            before = session.save(sequence)
            for what, state in damaged:
                with self.subTest(state=what):
                    self.assert_status("BAMBA_BAD_STATE", session.restore, sequence, state)
                    self.assertEqual(session.save(sequence), before)
            session.restore(sequence, good)

    def test_small_buffer(self):
        with self.model.session(slots=1) as session:
            sequence = session.create()
            session.run([(sequence, PROMPT)])
            size = c_size_t(16)
            buffer = ctypes.create_string_buffer(b"\xaa" * 16, 16)
            self.assert_status(
                "BAMBA_INVALID_ARGUMENT", self.library.call, "sequence_save", session.handle, sequence, buffer,
                byref(size),
            )
            self.assertEqual(buffer.raw, b"\xaa" * 16)


if __name__ == "__main__":
    harness.main()
