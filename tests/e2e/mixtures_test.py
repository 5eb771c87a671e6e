# RUN: %python %s
"""Steps of any mixture of pieces of prompts and single tokens, against the oracle, and each against other company."""

import numpy as np

import harness
from bamba_ctypes import LOGITS_ALL, LOGITS_LAST, LOGITS_NONE, Library, Model
from bamba_oracle import Oracle

VOCAB = 256


class MixedStepsTest(harness.Case):
    NAME, DTYPE = "tiny", "f32"
    OPTIONS = ("--max-batch=16", "--max-context=512", "--prefill-chunk=128")

    @classmethod
    def open_model(cls):
        return Model(Library(harness.library(cls.NAME, cls.DTYPE, *cls.OPTIONS)), harness.fixture(cls.NAME))

    @classmethod
    def setUpClass(cls):
        cls.model = cls.open_model()
        cls.oracle = Oracle.load(harness.fixture(cls.NAME))

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def assert_oracle(self, got, want, alone, what):
        """`alone`: the same rows of a prompt in one piece."""
        self.assert_f32_logits(got, want, what)

    def assert_same_bits(self, got, want, what):
        self.assertEqual(got.tobytes(), want.tobytes(), f"{what}: off by up to {harness.max_error(got, want)}")

    @staticmethod
    def draw_piece(rng, left):
        """Half of the pieces are single tokens; of the others some have two or three, and some are long."""
        most = rng.choice([1, 1, 1, 3, 40, 150])
        return int(min(left, rng.integers(1, most + 1) if most > 1 else 1))

    def serve(self, texts, seed, slots=6):
        """Feeds all texts in random pieces, sequences joining and leaving: {(text, tokens so far): logits}."""
        rng, found = np.random.default_rng(seed), {}
        waiting, active = list(range(len(texts))), {}
        with self.model.session(slots=slots) as session:
            while waiting or active:
                while waiting and len(active) < slots:
                    active[session.create()] = (waiting.pop(0), 0)
                batch, ends = [], []
                for sequence, (text, done) in active.items():
                    if rng.random() < 0.8:
                        count = self.draw_piece(rng, len(texts[text]) - done)
                        batch.append((sequence, texts[text][done : done + count]))
                        ends.append((text, done + count))
                if not batch:
                    continue
                order = rng.permutation(len(batch))
                rows = session.run([batch[i] for i in order])
                for row, item in zip(rows, order):
                    sequence, (text, done) = batch[item][0], ends[item]
                    found[text, done] = row
                    active[sequence] = (text, done)
                    if done == len(texts[text]):
                        session.free(sequence)
                        del active[sequence]
        return found

    def alone(self, text):
        with self.model.session(slots=1) as session:
            return session.run([(session.create(), text)], LOGITS_ALL)[0]

    def test_random_mixtures(self):
        rng = np.random.default_rng(11)
        texts = [rng.integers(0, VOCAB, int(rng.integers(1, 160))).tolist() for _ in range(14)]
        want = [self.oracle.logits(text) for text in texts]
        alone = [self.alone(text) for text in texts]
        for seed in (1, 2):
            found = self.serve(texts, seed)
            for text in range(len(texts)):
                places = sorted(done for other, done in found if other == text)
                rows = np.concatenate([found[text, done] for done in places])
                at = [done - 1 for done in places]
                self.assert_oracle(rows, want[text][at], alone[text][at], f"seed {seed}, text {text}: {places}")
        again = self.serve(texts, seed)
        for key, row in found.items():
            self.assert_same_bits(again[key], row, f"again, {key}")

    def step(self, session, others, pieces):
        """The logits of `pieces`, [(tokens before, tokens)], in a step with `others`, sizes of more pieces."""
        rng = np.random.default_rng(sum(others) + len(others))
        batch = []
        for before, tokens in [*pieces, *((0, rng.integers(0, VOCAB, size).tolist()) for size in others)]:
            sequence = session.create()
            if before:
                session.run([(sequence, before)], LOGITS_NONE)
            batch.append((sequence, tokens))
        order = rng.permutation(len(batch))
        rows = session.run([batch[i] for i in order], LOGITS_LAST)
        for sequence, _ in batch:
            session.free(sequence)
        return [rows[int(np.flatnonzero(order == i)[0])] for i in range(len(pieces))]

    def test_company_does_not_matter(self):
        """Steps of 65 to 128 rows, which run in one entry point."""
        rng = np.random.default_rng(3)
        draw = lambda count: rng.integers(0, VOCAB, count).tolist()  # noqa: E731
        pieces = [(draw(19), draw(1)), (draw(70), draw(1)), (0, draw(2)), (draw(5), draw(3)), (0, draw(43))]
        with self.model.session(slots=8) as session:
            want = self.step(session, [20], pieces)
            for others in ([61], [1, 30, 25], [1, 1, 16], [70, 1]):
                for i, row in enumerate(self.step(session, others, pieces)):
                    self.assert_same_bits(row, want[i], f"piece {i} with {others}")

    def test_a_piece_is_what_it_is_alone(self):
        """The same entry point with nothing else in the step."""
        tokens = np.random.default_rng(4).integers(0, VOCAB, 90).tolist()
        with self.model.session(slots=8) as session:
            want = self.step(session, [], [(0, tokens)])[0]
            self.assert_same_bits(self.step(session, [1, 1, 2, 30], [(0, tokens)])[0], want, "among others")


if __name__ == "__main__":
    harness.main()
