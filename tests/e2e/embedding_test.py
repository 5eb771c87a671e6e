# RUN: %python %s
# UNSUPPORTED: sanitize
"""Every listing of docs/embedding.md, built and run against an installed bambac as a reader would do it."""

import os
import re
import shutil

import harness

PAGE = os.path.join(harness.SOURCE, "docs", "embedding.md")


class EmbeddingTest(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.prefix = harness.install()
        cls.folder = os.path.join(harness.scratch(), "page")
        os.makedirs(cls.folder)
        shutil.copy(os.path.join(harness.fixture("odd"), "config.json"), cls.folder)

    def listings(self):
        """Files by name, and the commands of all shell listings in order."""
        with open(PAGE, encoding="utf-8") as file:
            blocks = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        files = {name: text for language, name, text in blocks if name}
        commands = [text for language, name, text in blocks if language == "sh" and not name]
        self.assertEqual(len(files) + len(commands), len(blocks), "expected listings with a file's name or of a shell")
        return files, commands

    def test_the_page(self):
        files, commands = self.listings()
        self.assertGreaterEqual(len(files), 4)
        self.assertGreaterEqual(len(commands), 5)
        for name, text in files.items():
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        script = "".join(f"echo '== {number}'\n{text}" for number, text in enumerate(commands))
        done = harness.run_ok(["bash", "-euc", script], cwd=self.folder, env={**os.environ, "PREFIX": self.prefix})
        said = dict(re.findall(r"^== (\d+)\n(.*?)(?=^== |\Z)", done.stdout, re.MULTILINE | re.DOTALL))

        # Built, installed and linked by hand, the program continues the prompt as bamba-run does. (The checkpoint of
        # the last one is equal: it has the same seed.)
        model, weights = f"{self.folder}/build/libmy_model.so", f"{self.folder}/weights"
        expected = harness.run_generate(model, weights, [1, 2, 3], 8)
        for number in "0", "1", "2":
            self.assertEqual([int(word) for word in said[number].split("\n")[-2].split()], expected, said[number])
        self.assertRegex(said["3"], r"tokens, \d+ bytes\n$")
        self.assertEqual(said["4"], "1 2\n")

        # Installed, it needs nothing of the build, and can be moved.
        moved = f"{self.folder}/moved"
        os.rename(f"{self.folder}/stage", moved)
        os.rename(f"{self.folder}/build", f"{self.folder}/gone")
        harness.run_ok([f"{moved}/bin/service", f"{self.folder}/weights"])

    def test_pkg_config_follows_an_installation_that_moved(self):
        moved = os.path.join(harness.scratch(), "elsewhere")
        shutil.copytree(self.prefix, moved, symlinks=True)
        flags = harness.run_ok(["pkg-config", "--cflags", "bambac"],
                               env={**os.environ, "PKG_CONFIG_PATH": f"{moved}/lib/pkgconfig"}).stdout
        include = re.search(r"-I(\S+)", flags).group(1)
        self.assertTrue(os.path.samefile(include, f"{moved}/include"), flags)


if __name__ == "__main__":
    harness.main()
