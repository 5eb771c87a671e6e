# RUN: %python %s
"""Tokens, lengths, paths and libraries that cannot be used: each gets one line and exit code 1."""

import os
import shutil

import harness


class RunTest(harness.Case):
    def setUp(self):
        self.model = harness.library("tiny", "f32", "--max-batch=2", "--max-context=64", "--prefill-chunk=16")
        self.weights = harness.fixture("tiny")
        self.folder = self.enterContext(harness.temporary_folder())
        self.out = os.path.join(self.folder, "out.safetensors")

    def refuse_tokens(self, tokens, *mentions):
        common = [self.model, "--weights", self.weights, f"--tokens={tokens}"]
        self.assert_refused([harness.BAMBA_RUN, "generate", *common, "-n", "4"], *mentions)
        for mode in ("prefill", "decode", "chunk:3"):
            command = [harness.BAMBA_RUN, "logits", *common, f"--mode={mode}", "-o", self.out]
            self.assert_refused(command, *mentions, absent=self.out)

    def test_tokens(self):
        for token in ("256", "-1", "2147483647", "99999999999999999999"):
            self.refuse_tokens(token, token)
            self.refuse_tokens("1,2," + token, token)
        for tokens in ("", "a", "1,,2", "1,b", "1.5", "1 2x", ","):
            self.refuse_tokens(tokens)

    def test_token_files(self):
        missing = os.path.join(self.folder, "missing.txt")
        self.refuse_tokens("@" + missing, missing)
        for text in ("", "1,x", "1,256"):
            path = os.path.join(self.folder, "tokens.txt")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.refuse_tokens("@" + path)
        with open(path, "w", encoding="utf-8") as file:
            file.write("1,2,3\n")
        common = ["--weights", self.weights, "-o", self.out]
        harness.run_ok([harness.BAMBA_RUN, "logits", self.model, *common, f"--tokens=@{path}"])

    def test_context(self):
        self.refuse_tokens(",".join(["1"] * 65), 64)
        full = ["generate", self.model, "--weights", self.weights, "--tokens=" + ",".join(["1"] * 60)]
        self.assert_refused([harness.BAMBA_RUN, *full, "-n", "20"], 64)
        self.assertEqual(len(harness.run_generate(self.model, self.weights, [1] * 60, 4)), 4)

    def test_modes(self):
        for mode in ("backwards", "chunk:0", "chunk:-1", "chunk:", "chunk:x", "chunk:99999999999999999999"):
            command = [harness.BAMBA_RUN, "logits", self.model, "--weights", self.weights, "--tokens=1"]
            self.assert_refused([*command, f"--mode={mode}", "-o", self.out], absent=self.out)

    def test_options(self):
        common = ["generate", self.model, "--weights", self.weights, "--tokens=1"]
        for options in (["-n", "-1"], ["-n", "x"], ["-n", "1", "--threads=0"], ["-n", "1", "--threads=x"]):
            self.assert_refused([harness.BAMBA_RUN, *common, *options])

    def test_output_paths(self):
        for out in (os.path.join(self.folder, "no", "such", "out.safetensors"), self.folder):
            command = [harness.BAMBA_RUN, "logits", self.model, "--weights", self.weights, "--tokens=1", "-o", out]
            self.assert_refused(command, out)
        self.assertEqual(os.listdir(self.folder), [])
        blocked = os.path.join(self.model, "weights")
        self.assert_refused([harness.BAMBA_RUN, "init-weights", self.model, "-o", blocked], blocked)

    def test_libraries(self):
        text = os.path.join(self.folder, "text.so")
        with open(text, "w", encoding="utf-8") as file:
            file.write("no library\n")
        half = os.path.join(self.folder, "half.so")
        shutil.copy(self.model, half)
        os.truncate(half, 100)
        missing = os.path.join(self.folder, "missing.so")
        foreign = shutil.which("true")
        for path in (text, half, missing, foreign, self.folder):
            for command in (["inspect", path], ["generate", path, "--weights", self.weights, "--tokens=1", "-n", "1"]):
                with self.subTest(command=command):
                    self.assert_refused([harness.BAMBA_RUN, *command], path)

    def test_library_for_another_processor(self):
        """A library whose list of instructions names one that no processor has."""
        with open(self.model, "rb") as file:
            content = file.read()
        # The name is in the library's tables and in the runtime's list of what it can check. A library whose tables ask
        # for more than the runtime knows is refused, whichever of the two is newer.
        pieces = content.split(b"\0avx2\0")
        self.assertEqual(len(pieces), 3)
        path = os.path.join(self.folder, "future.so")
        refused = set()
        for first, second in ((b"\0avx9\0", b"\0avx2\0"), (b"\0avx2\0", b"\0avx9\0")):
            with open(path, "wb") as file:
                file.write(pieces[0] + first + pieces[1] + second + pieces[2])
            command = ["generate", path, "--weights", self.weights, "--tokens=1", "-n", "1"]
            self.assert_refused([harness.BAMBA_RUN, *command], "this processor lacks")
            refused.update(name for name in ("avx2", "avx9") if f"lacks {name}," in harness.run([harness.BAMBA_RUN, *command]).stderr)
        self.assertEqual(refused, {"avx2", "avx9"}, "each message names the feature that the tables ask for")
        harness.run_ok([harness.BAMBA_RUN, "inspect", path])


class CompileTest(harness.Case):
    """bambac leaves no partial file where it cannot write, and none where it fails."""

    def test_output_path(self):
        with harness.temporary_folder() as folder:
            for out in (os.path.join(folder, "no", "such", "model.so"), folder):
                self.assert_refused([harness.BAMBAC, "compile", harness.fixture("tiny"), "-o", out], out)
            self.assertEqual(os.listdir(folder), [])

    def test_failed_compilation_keeps_the_old_file(self):
        with harness.temporary_folder() as folder:
            out, config = os.path.join(folder, "model.so"), os.path.join(folder, "config.json")
            wrong = '{"model_type": "bamba", "vocab_size": 7, "hidden_size": "big"}'
            for path, text in ((out, "precious"), (config, wrong)):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            self.assert_refused([harness.BAMBAC, "compile", config, "-o", out], config, "hidden_size")
            with open(out, encoding="utf-8") as file:
                self.assertEqual(file.read(), "precious")
            self.assertEqual(sorted(os.listdir(folder)), ["config.json", "model.so"])


if __name__ == "__main__":
    harness.main()
