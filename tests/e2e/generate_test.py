# RUN: %python %s
"""bamba-run generate: several prompts at once, the end of a text, states that are saved and continued."""

import json
import os

import harness

PROMPTS = [1, 2, 3], [7], [5, 4, 3, 2, 1, 6, 7, 8, 9, 10]


class GenerateTest(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.options = ["--max-batch=2", "--max-context=64", "--prefill-chunk=8"]
        cls.library = harness.library("tiny", "bf16", *cls.options)
        cls.weights = harness.fixture("tiny")

    def generate(self, *options, library=None):
        return harness.run_ok([harness.BAMBA_RUN, "generate", library or self.library, "--weights", self.weights, *options])

    def tokens(self, prompt, count):
        return harness.run_generate(self.library, self.weights, prompt, count)

    def test_several_prompts_are_printed_by_number(self):
        """More prompts than one step can decode; each goes on as it does alone."""
        done = self.generate(*map(harness.tokens_option, PROMPTS), "-n", 6, "--ignore-eos")
        expected = [f"{number}: {' '.join(map(str, self.tokens(prompt, 6)))}" for number, prompt in enumerate(PROMPTS, 1)]
        self.assertEqual(done.stdout.splitlines(), expected)
        self.assertRegex(done.stderr, r"(?m)^prefill  14 tokens in ")
        self.assertRegex(done.stderr, r"(?m)^decode   15 tokens in ")

    def test_a_text_ends_at_its_end_of_sequence_tokens(self):
        tokens = self.tokens(PROMPTS[0], 8)
        end = next(token for index, token in enumerate(tokens) if index >= 2 and token not in tokens[:index])
        with open(os.path.join(self.weights, "config.json"), encoding="utf-8") as file:
            config = {**json.load(file), "eos_token_id": [255, end]}
        self.assertNotIn(255, tokens)
        path = os.path.join(harness.scratch(), "ends.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        library = harness.compile_model(path, os.path.join(harness.scratch(), "ends.so"), *self.options)

        short = tokens[: tokens.index(end) + 1]
        option = harness.tokens_option(PROMPTS[0])
        done = self.generate(option, "-n", 8, library=library)
        self.assertEqual([int(word) for word in done.stdout.split()], short)
        self.assertIn(f"end      token {end} ends the text\n", done.stderr)
        done = self.generate(option, "-n", 8, "--ignore-eos", library=library)
        self.assertEqual([int(word) for word in done.stdout.split()], tokens)
        self.assertNotIn("ends the text", done.stderr)

        # The other prompts of a batch go on.
        other = self.tokens(PROMPTS[1], 8)
        self.assertNotIn(end, other)
        done = self.generate(option, harness.tokens_option(PROMPTS[1]), "-n", 8, library=library)
        self.assertEqual(done.stdout.splitlines(), [f"1: {' '.join(map(str, short))}", f"2: {' '.join(map(str, other))}"])
        self.assertIn(f"end      prompt 1: token {end} ends the text\n", done.stderr)

    def test_a_saved_state_goes_on(self):
        tokens = self.tokens(PROMPTS[0], 6)
        path = os.path.join(harness.scratch(), "state")
        done = self.generate(harness.tokens_option(PROMPTS[0]), "-n", 3, "--ignore-eos", f"--save-state={path}")
        self.assertRegex(done.stderr, rf"(?m)^state    5 tokens in '{path}' \(.*iB\); "
                                      rf"--load-state={path} --tokens={tokens[2]} goes on$")
        load = f"--load-state={path}"
        done = self.generate(harness.tokens_option(tokens[2:3]), "-n", 3, "--ignore-eos", load)
        self.assertEqual([int(word) for word in done.stdout.split()], tokens[3:])
        # Several prompts can continue one state.
        done = self.generate(harness.tokens_option(tokens[2:3]), harness.tokens_option(tokens[2:4]), "-n", 2, "--ignore-eos",
                             load)
        self.assertEqual(done.stdout.splitlines(), [f"1: {tokens[3]} {tokens[4]}", f"2: {tokens[4]} {tokens[5]}"])

        refuse = [harness.BAMBA_RUN, "generate", self.library, "--weights", self.weights, "--tokens=1"]
        self.assert_refused([*refuse, load, "-n", 60], "state, prompt and new tokens: expected at most 64 tokens of context",
                            "found 65")
        self.assert_refused([*refuse, "--load-state=/no/such/state"], "cannot read the state '/no/such/state': No such file")
        self.assert_refused([*refuse, f"--load-state={self.library}"], "state")
        self.assert_refused([*refuse, f"--load-state={os.path.dirname(path)}"], "cannot read the state", "Is a directory")
        self.assert_refused([*refuse, "--load-state=/dev/zero"], "cannot read the state '/dev/zero': expected a file, found a device")
        empty = os.path.join(os.path.dirname(path), "empty")
        with open(empty, "wb"):
            pass
        self.assert_refused([*refuse, f"--load-state={empty}"], "state")
        self.assert_refused([*refuse, "--tokens=2", "--save-state=s"], "--save-state: expected one prompt, found 2")


if __name__ == "__main__":
    harness.main()
