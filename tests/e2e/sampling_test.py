# RUN: %python %s
"""Draws through the C ABI: the same seed gives the same tokens in any company, and each row's distribution is that of
its own logits."""

import ctypes

import harness
import numpy as np
from bamba_ctypes import LOGITS_ALL, Library, Model, Sampling

VOCAB = 256
PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]


class SamplingTest(harness.Case):
    @classmethod
    def setUpClass(cls):
        path = harness.library("tiny", "f32", "--max-batch=4", "--max-context=512", "--prefill-chunk=128")
        cls.path, cls.model = path, Model(Library(path), harness.fixture("tiny"))

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def generate(self, sampling, count, company=0):
        """Tokens drawn after PROMPT one by one, others in the same batches."""
        with self.model.session(slots=company + 1) as session:
            sequences = [session.create() for _ in range(company + 1)]
            batch = [(sequence, [7, 8]) for sequence in sequences[1:]] + [(sequences[0], PROMPT)]
            tokens = []
            for _ in range(count):
                session.run(batch, sampling=[Sampling(temperature=2, seed=5)] * company + [sampling])
                tokens.append(session.sample(company).token)
                batch = [(sequence, [9]) for sequence in sequences[1:]] + [(sequences[0], [tokens[-1]])]
            return tokens

    def test_the_same_seed_draws_the_same_in_any_company(self):
        sampling = Sampling(temperature=1.5, top_p=0.95, seed=11)
        alone = self.generate(sampling, 12)
        self.assertNotEqual(alone, self.generate(Sampling(temperature=1.5, top_p=0.95, seed=12), 12))
        for company in (1, 3, 6):
            self.assertEqual(self.generate(sampling, 12, company), alone, company)

    def test_zeros_are_greedy(self):
        with self.model.session(slots=1) as session:
            sequence = session.create()
            session.run([(sequence, PROMPT)], sampling=[Sampling(seed=3, wants_logprobs=1, num_best=20)])
            sample = session.sample(0)
            logits = session.logits(0)[0].astype(np.float64)
            self.assertEqual(sample.token, session.greedy(0))
            expected = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
            self.assertAlmostEqual(sample.logprob, expected[sample.token], delta=1e-5)
            order = np.argsort(-logits, kind="stable")[:20]
            self.assertEqual(sample.best_tokens[:20], order.tolist())
            np.testing.assert_allclose(sample.best_logprobs[:20], expected[order], atol=1e-5)

    def test_distribution(self):
        """4,000 draws from one row, of as many seeds: chi-squared against softmax of the logits in double."""
        draws, temperature, top_k = 4000, 1.2, 30
        with self.model.session(slots=4) as session:
            base = session.create()
            session.run([(base, PROMPT[:-1])])
            state = session.save(base)
            others = [session.create() for _ in range(3)]
            counts = np.zeros(VOCAB)
            for seed in range(0, draws, 4):
                for sequence in (base, *others):
                    session.restore(sequence, state)
                session.run([(sequence, PROMPT[-1:]) for sequence in (base, *others)],
                            sampling=[Sampling(temperature=temperature, top_k=top_k, seed=seed + i) for i in range(4)])
                for item in range(4):
                    counts[session.sample(item).token] += 1
            logits = session.logits(0)[0].astype(np.float64) / temperature
        p = np.exp(logits - logits.max())
        p[logits < np.sort(logits)[-top_k]] = 0
        expected = p / p.sum() * draws
        self.assertEqual(counts[expected == 0].sum(), 0)
        often = expected >= 5
        statistic = ((counts - expected)[often] ** 2 / expected[often]).sum()
        freedom = often.sum() - 1
        self.assertLess(statistic, freedom + 5 * np.sqrt(2 * freedom))

    def test_every_row_of_a_prompt(self):
        """A row of a chunk draws what the same row draws when its token is decoded."""
        sampling = Sampling(temperature=1, top_p=0.9, seed=21)
        with self.model.session(slots=2) as session:
            whole, single = session.create(), session.create()
            session.run([(whole, PROMPT)], LOGITS_ALL, sampling=[sampling])
            rows = [session.sample(0, row).token for row in range(len(PROMPT))]
            for token, drawn in zip(PROMPT, rows):
                session.run([(single, [token])], sampling=[sampling])
                self.assertEqual(session.sample(0).token, drawn)

    def test_bamba_run_generates(self):
        command = [harness.BAMBA_RUN, "generate", self.path, "--weights", harness.fixture("tiny"),
                   harness.tokens_option(PROMPT), "-n", "12", "--ignore-eos"]
        options = ["--temperature=1.5", "--top-p=0.95", "--seed=11"]
        words = harness.run_ok([*command, *options]).stdout.split()
        self.assertEqual([int(word) for word in words], self.generate(Sampling(temperature=1.5, top_p=0.95, seed=11), 12))
        self.assertEqual(harness.run_ok([*command, "--temperature=0"]).stdout, harness.run_ok(command).stdout)
        done = harness.run([*command, "--top-p=2"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("--top-p: expected a number from 1e-06 to 1, found '2'", done.stderr)


if __name__ == "__main__":
    harness.main()
