#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test. The last line of stdout is
# `N passed, N failed, N skipped` over all suites.
#
# usage: tests/run.sh [--sanitize] [--build-dir DIR] [--fuzz-seconds N] [--tidy-minutes N]
#   --sanitize       builds and runs with AddressSanitizer and UBSan, in build-asan/
#   --build-dir DIR  where to build (default build/ in the checkout)
#   --fuzz-seconds N how long each fuzz target runs (default 10; 0 leaves them out)
#   --tidy-minutes N how long clang-tidy checks what the last commits changed (default 5; 0 leaves it out)
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=release build_dir= fuzz_seconds=10 tidy_minutes=5
while [ $# -gt 0 ]; do
  case $1 in
    --sanitize) preset=asan; export ASAN_OPTIONS=allow_user_poisoning=0 ;; # see lit.cfg.py
    --build-dir) build_dir=${2:?--build-dir expects a folder}; shift ;;
    --fuzz-seconds) fuzz_seconds=${2:?--fuzz-seconds expects a number}; shift ;;
    --tidy-minutes) tidy_minutes=${2:?--tidy-minutes expects a number}; shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "unknown option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
[ -n "$build_dir" ] || { [ "$preset" = asan ] && build_dir=$source_dir/build-asan || build_dir=$source_dir/build; }
build_dir=$(mkdir -p "$build_dir" && cd "$build_dir" && pwd)
results=$build_dir/test-results

. "$source_dir/cmake/setup-debian.sh"
trap 'echo "0 passed, 1 failed, 0 skipped"' EXIT # until there are results, what fails is the set-up itself
bambac_install_packages chromium-headless-shell
# The sanitizers do not see through Python. Downloading takes long and no processor: it is done meanwhile.
python_environment=
if [ "$preset" = release ]; then
  "$source_dir/tests/python.sh" --build-dir "$build_dir" --environment-only >"$build_dir/python-env.log" 2>&1 &
  python_environment=$!
fi
bambac_build "$source_dir" "$build_dir" "$preset"
bambac_fetch_nvrtc "$source_dir" "$build_dir"
[ "$fuzz_seconds" -eq 0 ] || bambac_build "$source_dir" "$build_dir/fuzz" fuzz fuzzers
trap - EXIT

rm -rf "$results"
mkdir -p "$results"
suites=("$results/style.xml" "$results/unit.xml" "$results/lit.xml")

# A suite that fails must not keep the next from running; summarize.py finds its failures in its results.
as_test() { python3 "$source_dir/tests/tools/run_as_test.py" "$@" || true; }
echo "== style"
as_test "$results/style.xml" style clang-format "$source_dir/tests/format.sh"
if [ "$tidy_minutes" -gt 0 ]; then
  suites+=("$results/tidy.xml")
  as_test "$results/tidy.xml" style clang-tidy \
    "$source_dir/tests/tidy.sh" --last 10 --minutes "$tidy_minutes" --build-dir "$build_dir"
fi

echo "== unit tests"
ctest --test-dir "$build_dir" --output-on-failure --output-junit "$results/unit.xml" -j "$(nproc)" \
  >"$results/unit.log" || cat "$results/unit.log"

echo "== lit and end-to-end tests"
lit=$(sed -n 's/^LLVM_DIR:PATH=\(.*\)\/lib\/cmake\/llvm$/\1/p' "$build_dir/CMakeCache.txt")/bin/lit
"$lit" -v --no-progress-bar --xunit-xml-output "$results/lit.xml" "$build_dir/tests" || true

if [ -n "$python_environment" ]; then
  echo "== Python package"
  suites+=("$results/python-format.xml" "$results/python-ruff.xml" "$results/python-mypy.xml" "$results/python.xml")
  wait "$python_environment" || cat "$build_dir/python-env.log"
  "$source_dir/tests/python.sh" --build-dir "$build_dir" --results "$results" || true
fi

if [ "$fuzz_seconds" -gt 0 ]; then
  echo "== fuzz targets, $fuzz_seconds s each"
  suites+=("$results/fuzz.xml")
  python3 "$source_dir/tests/tools/run_fuzzers.py" "$build_dir/fuzz/bin" "$fuzz_seconds" "$results/fuzz.xml" || true
fi

python3 "$source_dir/tests/tools/summarize.py" "${suites[@]}"
