# REQUIRES: gpu
# RUN: %python %s
"""Up to 256 sequences decoded together, of random lengths, joining and leaving, against each alone."""

import gpu
import harness
import numpy as np

VOCAB, MAX_BATCH = 256, 256


class Request:
    """A prompt, and how many tokens shall follow it."""

    def __init__(self, rng):
        self.prompt = rng.integers(0, VOCAB, int(rng.integers(1, 80))).tolist()
        self.count = int(rng.integers(1, 41))
        self.arrival = int(rng.integers(0, 11))  # the step from which it may join
        self.tokens = []


@gpu.for_each_target
class ManySequencesTest(gpu.Case):
    @classmethod
    def setUpClass(cls):
        file = gpu.fixture_path("tiny", cls.target, batch=MAX_BATCH, chunk=128)
        cls.model = gpu.open_model(file, harness.fixture("tiny"), cls.target)

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def serve(self, requests, slots):
        """Decodes all requests, each as soon as it has arrived and a slot is free; how many there were at most."""
        waiting, active, step, most = sorted(requests, key=lambda request: request.arrival), {}, 0, 0
        with self.model.session(slots=slots) as session:
            while waiting or active:
                while waiting and waiting[0].arrival <= step and len(active) < slots:
                    active[session.create()] = waiting.pop(0)
                batch = [(s, request.tokens[-1:] or request.prompt) for s, request in active.items()]
                if batch:
                    session.run(batch)
                for item, (sequence, _) in enumerate(batch):
                    request = active[sequence]
                    request.tokens.append(session.greedy(item))
                    if len(request.tokens) == request.count:
                        session.free(sequence)
                        del active[sequence]
                most, step = max(most, len(batch)), step + 1
        return most

    def check_alone(self, session, request):
        """The tokens are those of the sequence alone, up to a near tie."""
        sequence = session.create()
        tokens = request.prompt
        for place, found in enumerate(request.tokens):
            row = session.run([(sequence, tokens)])[0][-1]
            want = session.greedy(0)
            if found != want:
                self.assertTrue(gpu.is_near_tie(row, found), f"token {place + 1}: expected {want}, found {found}")
                break
            tokens = [found]
        session.free(sequence)
        return len(request.tokens) if found == want else place

    def test_joining_and_leaving(self):
        for slots in (MAX_BATCH, 100):
            rng = np.random.default_rng(slots)
            requests = [Request(rng) for _ in range(256)]
            most = self.serve(requests, slots)
            self.assertGreaterEqual(most, min(slots, 180))
            with self.subTest(slots=slots), self.model.session(slots=1) as session:
                same = sum(self.check_alone(session, request) for request in requests)
                total = sum(request.count for request in requests)
                print(f"{same} of {total} tokens before a near tie, up to {most} sequences at a time")
                self.assertGreater(same, 0.8 * total)

    def test_every_bucket(self):
        """In each bucket, full or nearly so, each sequence gets what it gets alone, wherever in the batch it is."""
        rng = np.random.default_rng(5)
        prompts = [rng.integers(0, VOCAB, length).tolist() for length in (1, 5, 17, 40)]
        token = 9
        with self.model.session(slots=1) as session:
            alone = []
            for prompt in prompts:
                sequence = session.create()
                session.run([(sequence, prompt)])
                alone.append(session.run([(sequence, [token])])[0])
                session.free(sequence)
        for bucket in (2**i for i in range(9)):
            seen = {}
            for size in {bucket, max(1, bucket - 1), bucket // 2 + 1}:
                with self.subTest(bucket=bucket, size=size), self.model.session(slots=size) as session:
                    sequences = [session.create() for _ in range(size)]
                    for i, sequence in enumerate(sequences):  # alone: together they may be a step of another kind
                        session.run([(sequence, prompts[i % len(prompts)])])
                    rows = session.run([(sequence, [token]) for sequence in sequences])
                    greedy = [session.greedy(item) for item in range(size)]
                    self.assertEqual(greedy, [int(row[-1].argmax()) for row in rows])
                    for i, row in enumerate(rows):
                        kind = i % len(prompts)
                        self.assert_same_bits(row, seen.setdefault(kind, row), f"sequence {i}")
                        self.assert_close(row, alone[kind], f"sequence {i} against alone")


if __name__ == "__main__":
    gpu.main()
