# RUN: %python %s
# UNSUPPORTED: sanitize
"""bambac_add_model as projects use it: what it refuses, when it compiles, and programs with several models."""

import os
import re
import textwrap

import harness

FAST = "OPTIONS --max-batch=1 --max-context=32 --prefill-chunk=8"

# Prints for each model the size of its vocabulary and the token after a prompt of one; random weights have one seed.
TWO_MODELS = """
    #include <bamba/linked_model.h>
    #include <cstdio>

    BAMBA_DECLARE_MODEL(first_);
    BAMBA_DECLARE_MODEL(second_);

    static bool run(const bamba_api *api) {
      bamba_error error = {sizeof error, {}};
      bamba_model *model = nullptr;
      bamba_session *session = nullptr;
      bamba_model_info info = {};
      info.struct_size = sizeof info;
      bool good = api && api->model_open(nullptr, &model, &error) == BAMBA_OK &&
                  api->model_load_random(model, 1, &error) == BAMBA_OK &&
                  api->model_get_info(model, &info, &error) == BAMBA_OK &&
                  api->session_create(model, nullptr, &session, &error) == BAMBA_OK;
      std::printf("%u %s\\n", info.vocab_size, error.message);
      if (api) {
        api->session_destroy(session);
        api->model_close(model);
      }
      return good;
    }

    int main() {
      bool good = run(first_bamba_get_api(BAMBA_ABI_VERSION));
      return run(second_bamba_get_api(BAMBA_ABI_VERSION)) && good ? 0 : 1;
    }
"""

OPEN_A_MODEL = """
    #include <bamba/bamba.h>
    #include <cstdio>

    int main() {
      bamba_error error = {sizeof error, {}};
      bamba_model *model = nullptr;
      bamba_status status = bamba_model_open(nullptr, &model, &error);
      std::puts(status == BAMBA_OK ? "open" : error.message);
      bamba_model_close(model);
      return status == BAMBA_OK ? 0 : 1;
    }
"""


class PackageTest(harness.Case):
    def project(self, name, lists, **sources):
        """Writes a project and returns its folder; `lists` is its CMakeLists.txt but for the beginning."""
        folder = os.path.join(harness.scratch(), name)
        os.makedirs(folder)
        text = f"cmake_minimum_required(VERSION 3.25)\nproject({name} LANGUAGES CXX)\nfind_package(bambac REQUIRED)\n"
        fixtures = f'set(fixtures "{harness.FIXTURES}")\n'
        for file, content in {"CMakeLists.txt": text + fixtures + textwrap.dedent(lists),
                              **{f"{source}.cpp": textwrap.dedent(code) for source, code in sources.items()}}.items():
            with open(os.path.join(folder, file), "w", encoding="utf-8") as stream:
                stream.write(content)
        return folder

    def configure(self, folder):
        return harness.run(["cmake", "-G", "Ninja", "-S", folder, "-B", f"{folder}/build",
                            f"-DCMAKE_PREFIX_PATH={harness.BUILD}"])

    def configure_ok(self, folder):
        done = self.configure(folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def refusal(self, name, lists, **sources):
        """What CMake says of a project that it refuses, as one line."""
        done = self.configure(self.project(name, lists, **sources))
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return " ".join(done.stderr.split())

    def test_arguments_are_checked_when_the_project_is_configured(self):
        for name, arguments, expected in (
            ("missing", "CONFIG nope.json", "bambac_add_model(model): expected a config.json, found no /"),
            ("folder", 'CONFIG "${CMAKE_CURRENT_BINARY_DIR}"', "bambac_add_model(model): expected a config.json, found no"),
            ("none", "DTYPE f32", "bambac_add_model(model): expected CONFIG with a config.json or its folder"),
            ("unknown", "CONFIG ${fixtures}/odd SPEED 11", "bambac_add_model(model): unknown arguments SPEED 11"),
        ):
            with self.subTest(name):
                self.assertIn(expected, self.refusal(name, f"bambac_add_model(model {arguments})\n"))
        self.assertIn("expected a name that is none of a system library, found libm.so",
                      self.refusal("system", "bambac_add_model(m CONFIG ${fixtures}/odd)\n"))

    def test_lists_and_the_processor(self):
        """Targets may be a list of either sort, and a model for this machine only has a warning."""
        folder = self.project("lists", """
            bambac_add_model(two CONFIG ${fixtures}/odd TARGET cpu sm_90a CPU x86-64-v3)
            bambac_add_model(commas CONFIG ${fixtures}/odd TARGET cpu,sm_80 OPTIONS --cpu=x86-64-v4)
            bambac_add_model(gpu CONFIG ${fixtures}/odd TARGET sm_80)
            bambac_add_model(meant CONFIG ${fixtures}/odd CPU native)
            bambac_add_model(unsaid CONFIG ${fixtures}/odd)
        """)
        warnings = self.configure_ok(folder)
        self.assertIn("bambac_add_model(unsaid): without CPU", warnings)
        self.assertEqual(warnings.count("CMake Warning"), 1, warnings)
        with open(f"{folder}/build/build.ninja", encoding="utf-8") as file:
            commands = file.read()
        self.assertIn("--target=cpu,sm_90a --cpu=x86-64-v3", commands)
        self.assertIn("--target=cpu,sm_80 --cpu=x86-64-v4", commands)
        self.assertIn("--cpu=native", commands)

    def test_models_are_compiled_where_they_are_needed(self):
        folder = self.project("needed", f"""
            bambac_add_model(unused CONFIG ${{fixtures}}/odd CPU native {FAST})
            bambac_add_model(linked CONFIG ${{fixtures}}/odd CPU native {FAST})
            bambac_add_model(always CONFIG ${{fixtures}}/odd CPU native ALL {FAST})
            add_executable(program program.cpp)
            target_link_libraries(program PRIVATE linked)
        """, program=OPEN_A_MODEL)
        self.configure_ok(folder)
        harness.run_ok(["cmake", "--build", f"{folder}/build"])
        self.assertFalse(os.path.exists(f"{folder}/build/libunused.so"))
        self.assertTrue(os.path.exists(f"{folder}/build/libalways.so"))
        self.assertEqual(harness.run_ok([f"{folder}/build/program"]).stdout, "open\n")

    def test_two_models_answer_for_themselves(self):
        folder = self.project("prefixed", f"""
            bambac_add_model(model CONFIG ${{fixtures}}/odd CPU native SYMBOL_PREFIX first_ {FAST})
            bambac_add_model(other CONFIG ${{fixtures}}/groups CPU native SYMBOL_PREFIX second_ {FAST})
            add_executable(program program.cpp)
            target_link_libraries(program PRIVATE model other)
        """, program=TWO_MODELS)
        self.configure_ok(folder)
        harness.run_ok(["cmake", "--build", f"{folder}/build"])
        sizes = [self.vocabulary("odd"), self.vocabulary("groups")]
        self.assertNotEqual(*sizes)
        self.assertEqual(harness.run_ok([f"{folder}/build/program"]).stdout.split(), sizes)
        # bamba-run finds the functions whatever they are called.
        listing = harness.run_ok([harness.BAMBA_RUN, "inspect", f"{folder}/build/libother.so"]).stdout
        self.assertRegex(listing, r"functions +second_bamba_\.\.\.")
        self.assertIn("--symbol-prefix=second_", listing)

    def vocabulary(self, fixture):
        with open(os.path.join(harness.fixture(fixture), "config.json"), encoding="utf-8") as file:
            return re.search(r'"vocab_size": (\d+)', file.read()).group(1)

    def test_two_models_of_one_name_are_refused_by_cmake(self):
        for name, prefix, rule in (
            ("plain", "", "BAMBAC_ONE_MODEL_WITHOUT_SYMBOL_PREFIX"),
            ("same", "SYMBOL_PREFIX same_", "BAMBAC_ONE_MODEL_WITH_SYMBOL_PREFIX_same_"),
        ):
            with self.subTest(name):
                said = self.refusal(name, f"""
                    bambac_add_model(model CONFIG ${{fixtures}}/odd CPU native {prefix})
                    bambac_add_model(other CONFIG ${{fixtures}}/odd CPU native {prefix})
                    add_executable(program program.cpp)
                    target_link_libraries(program PRIVATE model other)
                """, program=OPEN_A_MODEL)
                self.assertIn(f'The INTERFACE_{rule} property of "other_functions" does not agree with the value of {rule} already '
                              'determined for "program"', said)

    def test_two_models_of_one_name_are_refused_at_run_time(self):
        """Other build tools link what CMake refuses."""
        folder = self.project("by_hand", "", program=OPEN_A_MODEL)
        small = FAST.split()[1:]
        for name, options in (("model", small), ("other", small), ("apart", [*small, "--symbol-prefix=apart_"])):
            harness.compile_model(harness.fixture("odd"), f"{folder}/lib{name}.so", *options)

        def run(*models):
            harness.run_ok(["c++", f"{folder}/program.cpp", "-o", f"{folder}/program", "-Wl,--no-as-needed",
                            "-I", os.path.join(harness.SOURCE, "runtime", "include"),
                            *(f"{folder}/lib{model}.so" for model in models)], cwd=folder)
            return harness.run([f"{folder}/program"], env={**os.environ, "LD_LIBRARY_PATH": folder})

        self.assertEqual(run("model").stdout, "open\n")
        self.assertEqual(run("model", "apart").stdout, "open\n")
        self.assertEqual(run("apart", "model").stdout, "open\n")
        refused = run("model", "other")
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stdout, r"^expected a program that is linked to one model whose functions are called "
                                         r"bamba_get_api, found '.*libmodel\.so' and '.*libother\.so': compile one with "
                                         r"another --symbol-prefix\n$")


if __name__ == "__main__":
    harness.main()
