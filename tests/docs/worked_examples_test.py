# RUN: %python %s
# REQUIRES: avx2
# UNSUPPORTED: sanitize
"""The worked examples of docs/examples: each patch touches the places that its page and the guides name, and a copy of
the tree with all of them builds and passes the tests that they add.

To bring a patch up to date after a change of what surrounds it: `git apply -3` it, mend, and write `git diff` to it.
"""

import glob
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "e2e"))
import harness  # noqa: E402

EXAMPLES = os.path.join(harness.SOURCE, "docs", "examples")
GUIDES = os.path.join(harness.SOURCE, "docs", "guides")
NAMES = ("element-type", "mlp-kind")
TARGETS = ("bambac", "bambac-opt", "bamba-run", "bamba-cpu-compile", "bambac_unit_tests", "bamba_rt_tests")
LIT = (r"dialects/(ops|invalid-ops|tiling|roundtrip)|passes/(form-dispatches|estimate-costs)\.mlir|codegen/kernels-avx2"
       r"|codegen/cuda/(emit-cuda|compile-emitted)|compiler/option-errors|e2e/(f8e5m2|property)|docs/(ir-ref|names)")
UNIT = "*Element*:*Plan*:*Description*:*Builder*:Weights*"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def paths_of(patch):
    return set(re.findall(r"^\+\+\+ b/(\S+)$", read(patch), re.MULTILINE))


def places_in(page):
    """Files and folders, which end with a slash, that a page names in backticks."""
    return {span for span in re.findall(r"`([\w./{},-]+/[\w./{},-]*)`", read(page))}


def names(places, path):
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in places)


class WorkedExamplesTest(harness.Case):
    def test_patches_touch_what_pages_name(self):
        guides = set().union(*(places_in(guide) for guide in glob.glob(os.path.join(GUIDES, "*.md"))))
        for name in NAMES:
            touched = paths_of(os.path.join(EXAMPLES, name + ".patch"))
            page = places_in(os.path.join(EXAMPLES, name + ".md"))
            self.assertGreater(len(touched), 10, name)
            for path in sorted(touched):
                self.assertTrue(names(page, path), f"{name}.md does not name {path}")
                self.assertTrue(names(guides, path), f"no guide names {path}, which {name}.patch touches")
            rows = re.findall(r"^\| (`.*?) \|", read(os.path.join(EXAMPLES, name + ".md")), re.MULTILINE)
            for place in re.findall(r"`(.*?)`", " ".join(rows)):
                self.assertTrue(any(names({place}, path) for path in touched), f"{name}.patch does not touch {place}")

    def test_patches_build_and_pass(self):
        with harness.temporary_folder() as folder:
            tree = os.path.join(folder, "tree")
            shutil.copytree(harness.SOURCE, tree, ignore=self.left_out)
            for name in NAMES:
                harness.run_ok(["git", "apply", "-C1", os.path.join(EXAMPLES, name + ".patch")], cwd=tree)
            harness.run_ok(["bash", os.path.join(tree, "docs", "update-ir-reference.sh")])
            build = self.build(tree)
            self.run_tests(build)

    @staticmethod
    def left_out(path, found):
        """Build directories and what is hidden, at the top only: folders inside are called build, too."""
        return [name for name in found if path == harness.SOURCE and name.startswith(("build", "."))]

    def build(self, tree):
        """Configured like the build that is under test."""
        build = os.path.join(tree, "build")
        cache = read(os.path.join(harness.BUILD, "CMakeCache.txt"))
        keep = ("CMAKE_BUILD_TYPE", "CMAKE_C_COMPILER", "CMAKE_CXX_COMPILER", "LLVM_DIR", "MLIR_DIR")
        options = [f"-D{key}={value}" for key, value in re.findall(r"^(\w+):\w+=(.*)$", cache, re.MULTILINE)
                   if key in keep]
        harness.run_ok(["cmake", "-G", "Ninja", "-S", tree, "-B", build, *options])
        harness.run_ok(["cmake", "--build", build, "--target", *TARGETS], timeout=3600)
        nvrtc = os.path.join(harness.BUILD, "lib", "bambac", "cuda")
        if os.path.isdir(nvrtc):
            os.makedirs(os.path.join(build, "lib", "bambac"), exist_ok=True)
            os.symlink(nvrtc, os.path.join(build, "lib", "bambac", "cuda"))
        return build

    def run_tests(self, build):
        for program in ("bambac_unit_tests", "bamba_rt_tests"):
            done = harness.run_ok([os.path.join(build, "bin", program), f"--gtest_filter={UNIT}"])
            self.assertNotIn("Running 0 tests", done.stdout)
        cache = read(os.path.join(harness.BUILD, "CMakeCache.txt"))
        tools = re.search(r"^LLVM_DIR:PATH=(.*)/lib/cmake/llvm$", cache, re.MULTILINE)
        done = harness.run_ok([os.path.join(tools[1], "bin", "lit"), "-v", "--param", "property_cases=1",
                               "--filter", LIT, os.path.join(build, "tests")], timeout=1800)
        self.assertGreaterEqual(done.stdout.count("PASS: "), 11, done.stdout)


if __name__ == "__main__":
    harness.main()
