# RUN: %python %s
"""What must not change a sequence's logits, through the C ABI: its company, the number of threads, forks, saves."""

import threading

import numpy as np

import harness
from bamba_ctypes import LOGITS_ALL, Library, Model

RNG = np.random.default_rng(7)
VOCAB = 256


def random_tokens(count):
    return RNG.integers(0, VOCAB, count).tolist()


PROMPT = random_tokens(37)
STEPS = random_tokens(9)


class InvarianceTest(harness.Case):
    NAME, DTYPE = "tiny", "f32"

    @classmethod
    def open_model(cls):
        return Model(Library(harness.library(cls.NAME, cls.DTYPE)), harness.fixture(cls.NAME))

    @classmethod
    def setUpClass(cls):
        cls.model = cls.open_model()

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def assert_same_bits(self, got, want, what=""):
        self.assertEqual(got.shape, want.shape, what)
        self.assertEqual(got.tobytes(), want.tobytes(), f"{what}: off by up to {harness.max_error(got, want)}")

    def assert_close(self, got, want, what=""):
        self.assertEqual(got.shape, want.shape, what)
        self.assertLessEqual(harness.max_error(got, want), 1e-5 * max(1.0, float(want.std())), what)

    def alone(self, prompt=None, steps=None, **options):
        """The logits after the prompt and after each step of one sequence that has the session to itself."""
        with self.model.session(**options) as session:
            sequence = session.create()
            rows = session.run([(sequence, PROMPT if prompt is None else prompt)])
            for token in STEPS if steps is None else steps:
                rows += session.run([(sequence, [token])])
            return np.concatenate(rows)

    def in_company(self, seed, company=3):
        """The same sequence while others, drawn from `seed`, are decoded with it."""
        rng = np.random.default_rng(seed)
        with self.model.session(slots=4) as session:
            sequences = [session.create() for _ in range(company + 1)]
            for other in sequences[1:]:
                session.run([(other, rng.integers(0, VOCAB, rng.integers(1, 50)).tolist())])
            rows = session.run([(sequences[0], PROMPT)])
            for token in STEPS:
                others = [(other, [int(rng.integers(0, VOCAB))]) for other in sequences[1:]]
                rows.append(session.run([*others, (sequences[0], [token])])[-1])
            return np.concatenate(rows)

    def test_content_of_the_batch_does_not_matter(self):
        for company in (1, 2, 3):
            first = self.in_company(1, company)
            for seed in (2, 3, 4):
                self.assert_same_bits(self.in_company(seed, company), first, f"company of {company}, seed {seed}")

    def test_place_in_the_batch_does_not_matter(self):
        with self.model.session(slots=4) as session:
            for place in range(4):
                sequences = [session.create() for _ in range(4)]
                for sequence in sequences:
                    session.run([(sequence, PROMPT if sequence == sequences[place] else random_tokens(5))])
                batch = [(s, [STEPS[0] if i == place else i]) for i, s in enumerate(sequences)]
                row = session.run(batch)[place]
                want = row if place == 0 else want
                self.assert_same_bits(row, want, f"place {place}")
                for sequence in sequences:
                    session.free(sequence)

    def test_bucket_matters_little(self):
        alone = self.alone()
        for company in (1, 2, 3):
            self.assert_close(self.in_company(5, company), alone, f"company of {company}")

    def test_thread_counts(self):
        one = self.alone(threads=1)
        for threads in (2, 3):
            self.assert_same_bits(self.alone(threads=threads), one, f"{threads} threads")

    def test_thread_counts_in_a_batch(self):
        results = []
        for threads in (1, 2):
            rng = np.random.default_rng(3)
            with self.model.session(slots=4, threads=threads) as session:
                batch = [(session.create(), rng.integers(0, VOCAB, 1 + 40 * i).tolist()) for i in range(4)]
                rows = session.run(batch, LOGITS_ALL)
                rows += session.run([(sequence, [5]) for sequence, _ in batch])
                results.append(np.concatenate(rows))
        self.assert_same_bits(results[1], results[0])

    def test_runs_repeat(self):
        self.assert_same_bits(self.alone(), self.alone())

    def test_reset_and_reuse_leave_nothing_behind(self):
        want = self.alone()
        with self.model.session(slots=1) as session:
            sequence = session.create()
            for attempt in range(3):
                rows = session.run([(sequence, PROMPT)])
                for token in STEPS:
                    rows += session.run([(sequence, [token])])
                self.assert_same_bits(np.concatenate(rows), want, f"attempt {attempt}")
                if attempt == 0:
                    session.reset(sequence)
                    self.assertEqual(session.length(sequence), 0)
                else:
                    session.free(sequence)
                    sequence = session.create()

    def test_fork(self):
        want = self.alone()
        with self.model.session(slots=3) as session:
            source = session.create()
            session.run([(source, PROMPT)])
            fork = session.fork(source)
            self.assertEqual(session.length(fork), len(PROMPT))
            session.run([(source, random_tokens(20))])  # must not reach the fork
            rows = [session.run([(fork, [token])])[0] for token in STEPS]
            self.assert_same_bits(np.concatenate(rows), want[1:])
            session.free(source)
            second = session.fork(fork)
            session.free(fork)
            self.assertEqual(session.length(second), len(PROMPT) + len(STEPS))
            session.run([(second, [1])])

    def test_save_and_restore(self):
        want = self.alone()
        with self.model.session(slots=2) as session:
            sequence = session.create()
            session.run([(sequence, PROMPT)])
            state = session.save(sequence)
            session.run([(sequence, random_tokens(20))])
            session.restore(sequence, state)
            self.assertEqual(session.length(sequence), len(PROMPT))
            rows = [session.run([(sequence, [token])])[0] for token in STEPS]
            self.assert_same_bits(np.concatenate(rows), want[1:], "the same sequence")
            other = session.create()
            session.run([(other, random_tokens(3))])
            session.restore(other, state)
            self.assertEqual(session.save(other), state)
        with self.open_model() as model, model.session(slots=4) as session:
            session.run([(session.create(), random_tokens(70))])
            sequence = session.create()
            session.restore(sequence, state)
            rows = [session.run([(sequence, [token])])[0] for token in STEPS]
            self.assert_same_bits(np.concatenate(rows), want[1:], "another session")

    def test_empty_state(self):
        with self.model.session(slots=2) as session:
            sequence, other = session.create(), session.create()
            session.run([(other, PROMPT)])
            session.restore(other, session.save(sequence))
            self.assertEqual(session.length(other), 0)
            self.assert_same_bits(session.run([(other, PROMPT)])[0], self.alone(steps=[]))

    def test_mixed_batch(self):
        """A prompt of several chunks, a short one and two single tokens in one call."""
        prompts = [random_tokens(150), random_tokens(7), random_tokens(20), random_tokens(30)]
        with self.model.session(slots=4) as session:
            sequences = [session.create() for _ in prompts]
            session.run([(sequences[2], prompts[2][:-1]), (sequences[3], prompts[3][:-1])])
            batch = [
                (sequences[2], prompts[2][-1:]), (sequences[0], prompts[0]), (sequences[3], prompts[3][-1:]),
                (sequences[1], prompts[1]),
            ]
            rows = session.run(batch)
            greedy = [session.greedy(item) for item in range(4)]
            lengths = [session.length(sequence) for sequence in sequences]
        self.assertEqual(lengths, [150, 7, 20, 30])
        self.assertEqual(greedy, [int(row.argmax()) for row in rows])
        for item, prompt in enumerate([prompts[2], prompts[0], prompts[3], prompts[1]]):
            if len(batch[item][1]) > 1:
                self.assert_close(rows[item], self.alone(prompt, []), f"item {item}")
            else:
                self.assert_close(rows[item], self.alone(prompt[:-1], prompt[-1:])[1:], f"item {item}")

    def test_all_and_last_logits(self):
        tokens = random_tokens(100)
        with self.model.session(slots=2) as session:
            first, second = session.create(), session.create()
            every = session.run([(first, tokens)], LOGITS_ALL)[0]
            self.assertEqual(every.shape, (len(tokens), VOCAB))
            self.assertEqual(session.greedy(0), int(every[-1].argmax()))
            self.assert_close(session.run([(second, tokens)])[0], every[-1:])

    def test_chosen_logits(self):
        with self.model.session(slots=1) as session:
            for prompt in (PROMPT, PROMPT[:33]):  # of the second, the last token is left alone
                everything = session.run([(session.create(), prompt)], LOGITS_ALL)[0]
                session.free(0)
                for chosen in ([0], [3, 4, 31, 32], [len(prompt) - 1], list(range(len(prompt)))):
                    rows = session.run([(session.create(), prompt)], chosen=chosen)[0]
                    session.free(0)
                    self.assert_close(rows, everything[chosen], f"{chosen}")

    def test_more_sequences_than_one_step_decodes(self):
        want = self.alone()
        with self.model.session(slots=7) as session:
            sequences = [session.create() for _ in range(7)]
            rows = session.run([(sequence, PROMPT) for sequence in sequences])
            for row in rows:
                self.assert_same_bits(row, rows[0], "prompt")
            for step, token in enumerate(STEPS):
                for item, row in enumerate(session.run([(sequence, [token]) for sequence in sequences])):
                    self.assert_close(row, want[step + 1 : step + 2], f"step {step}, item {item}")

    def test_two_threads(self):
        """Two threads, a session each, on one model at the same time."""
        want, results = self.alone(threads=1), [None, None]

        def work(index):
            results[index] = [self.alone(threads=1 + index) for _ in range(4)]

        workers = [threading.Thread(target=work, args=(index,)) for index in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for index, rows in enumerate(results):
            self.assertIsNotNone(rows, f"thread {index} failed")
            for row in rows:
                self.assert_same_bits(row, want, f"thread {index}")


class Bf16InvarianceTest(InvarianceTest):
    DTYPE = "bf16"


class GroupsInvarianceTest(InvarianceTest):
    NAME = "groups"


class TwoModelsTest(harness.Case):
    def test_two_models_in_one_process(self):
        """Two libraries open at once, used in turn: each gives its own golden logits."""
        models = {}
        for name in ("tiny", "odd"):
            models[name] = Model(Library(harness.library(name)), harness.fixture(name))
        self.assertNotEqual(models["tiny"].info().vocab_size, models["odd"].info().vocab_size)
        sessions = {name: model.session(slots=1) for name, model in models.items()}
        for length in (7, 64):
            for name, session in sessions.items():
                data, _ = harness.expected(name)
                sequence = session.create()
                got = session.run([(sequence, data[f"input_ids.{length}"])], LOGITS_ALL)[0]
                self.assert_f32_logits(got, data[f"logits.{length}"], f"{name} {length}")
                session.free(sequence)
        sessions["tiny"].close()
        models["tiny"].close()
        data, _ = harness.expected("odd")
        session = sessions["odd"]
        prompt, want = data["input_ids.7"], data["greedy.7"].tolist()
        self.assertEqual(session.generate(session.create(), prompt, len(want)), want, "after the other was closed")
        session.close()
        models["odd"].close()


if __name__ == "__main__":
    harness.main()
