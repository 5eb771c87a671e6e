"""Checks that what the documentation names is there, so that a page that a change has overtaken is found.

usage: check_docs.py SOURCE_DIR

Read are README.md, CONTRIBUTING.md and docs/. Checked are, outside of blocks of code:
- `folder/file.cpp`, `folder/` and `folder/*.h` in backticks, where the first part is a folder of the tree; `{a,b}` stands
  for both, as in a shell;
- `name()` and `Class::name` in backticks: the last part is a word of some source;
- `--bamba-name` in backticks: a pass of that name;
- links to files, and to headings of files.
"""

import glob
import itertools
import os
import re
import sys

SOURCES = (".h", ".c", ".cpp", ".cuh", ".cu", ".def", ".td", ".py", ".sh", ".cmake", ".txt", ".in")


def documents(root):
    names = ["README.md", "CONTRIBUTING.md", *glob.glob("docs/**/*.md", root_dir=root, recursive=True)]
    return sorted(name for name in names if os.path.exists(os.path.join(root, name)))


def folders_of(root):
    return sorted(entry.name for entry in os.scandir(root)
                  if entry.is_dir() and not entry.name.startswith((".", "build")))


def words_of(root):
    """All words of all sources."""
    words = set()
    for folder in [*folders_of(root), "."]:
        for path, _, names in os.walk(os.path.join(root, folder)) if folder != "." else [(root, [], os.listdir(root))]:
            for name in names:
                if name.endswith(SOURCES):
                    with open(os.path.join(path, name), encoding="utf-8", errors="replace") as file:
                        words.update(re.findall(r"[\w-]+", file.read()))
    return words | {part for word in words for part in word.split("-")}


def expand(path):
    """What a shell makes of the braces in a path."""
    parts = re.split(r"\{([^{}]*)\}", path)
    choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


def anchors_of(path):
    """The anchors that GitHub gives a file's headings."""
    with open(path, encoding="utf-8") as file:
        headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", file.read(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Checker:
    def __init__(self, root):
        self.root, self.folders, self.words = root, set(folders_of(root)), words_of(root)
        self.wrong = 0

    def exists(self, path):
        return all(glob.glob(os.path.join(self.root, one)) for one in expand(path))

    def check_span(self, span):
        """What is wrong with the text between two backticks, or None."""
        if re.fullmatch(r"[\w.{},*/+-]+", span) and "/" in span and span.split("/")[0] in self.folders:
            return None if self.exists(span) else f"expected a file or a folder, found `{span}`"
        if match := re.fullmatch(r"(?:\w+(?:::|\.|->))*(~?\w+)\(\)", span) or re.fullmatch(r"(?:\w+::)+(\w+)", span):
            return None if match[1] in self.words else f"expected a name that a source uses, found `{span}`"
        if match := re.match(r"--(bamba-[\w-]+)", span):
            return None if match[1] in self.words else f"expected a pass, found `{span}`"
        return None

    def check_link(self, document, target):
        if re.match(r"[a-z]+:", target):
            return None
        name, _, anchor = target.partition("#")
        path = os.path.join(self.root, os.path.dirname(document), name) if name else os.path.join(self.root, document)
        if not os.path.exists(path):
            return f"expected a file, found a link to {target}"
        if anchor and path.endswith(".md") and anchor not in anchors_of(path):
            return f"expected a heading of {name or document}, found a link to #{anchor}"
        return None

    def check(self, document):
        with open(os.path.join(self.root, document), encoding="utf-8") as file:
            lines = file.read().splitlines()
        in_code = False
        for number, line in enumerate(lines, 1):
            if line.lstrip().startswith("```"):
                in_code = not in_code
            if in_code or line.startswith("    "):
                continue
            found = [self.check_span(span) for span in re.findall(r"`([^`]+)`", line)]
            found += [self.check_link(document, target)
                      for target in re.findall(r"\]\(([^()\s]+)\)", re.sub(r"`[^`]*`", "", line))]
            for error in filter(None, found):
                self.wrong += 1
                print(f"{document}:{number}: {error}")


def main():
    root = os.path.realpath(sys.argv[1])
    checker, names = Checker(root), documents(root)
    for name in names:
        checker.check(name)
    print(f"{checker.wrong} names are wrong in {len(names)} documents")
    sys.exit(checker.wrong > 0 or not names)


if __name__ == "__main__":
    main()
