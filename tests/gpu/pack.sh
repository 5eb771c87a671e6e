#!/usr/bin/env bash
# Gathers what tests/run-gpu.sh needs on a machine that has a GPU, but no LLVM and no bambac: compiled libraries,
# bamba-run, the tests and their data.
#
# usage: tests/gpu/pack.sh BUILD_DIR OUT_DIR [JOBS [PARTS]]
#   JOBS   compilations at a time (default 2); with nvcc the tests of tests/cuda are built too
#   PARTS  only libraries and tests of tests/cuda whose names have one of these, with commas between them
set -euo pipefail

build=$(cd "${1:?usage: tests/gpu/pack.sh BUILD_DIR OUT_DIR [JOBS]}" && pwd)
out=$(mkdir -p "${2:?expected a folder to pack into}" && cd "$2" && pwd)
jobs=${3:-2}
parts=${4:-}
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=$(sed -n 's/^BAMBAC_TEST_PYTHON:FILEPATH=//p' "$build/CMakeCache.txt")

status=0
mkdir -p "$out/bin" "$out/lib" "$out/collectives"
rm -rf "$out/tests" && mkdir -p "$out/tests"
for folder in gpu e2e oracle fixtures run-gpu.sh; do
  cp -r "$source_dir/tests/$folder" "$out/tests/"
done
find "$out/tests" -name __pycache__ -prune -exec rm -r {} +
strip -o "$out/bin/bamba-run" "$build/bin/bamba-run"
# What bamba-run links that a machine without the project's packages lacks.
ldd "$build/bin/bamba-run" | awk '/libfmt/ { print $3 }' | xargs -r cp -L -t "$out/lib"

BAMBAC_BUILD=$build "$python" "$source_dir/tests/gpu/pack.py" "$out" "$jobs" ${parts:+"$parts"} || status=$?

nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
if [ -x "$nvcc" ]; then
  export NVCC=$nvcc SOURCE=$source_dir OUT=$out
  # Built again where a header of the collectives is newer.
  build_test() {
    local name=$(basename "$1" _test.cu)$3_test newest
    newest=$(find "$SOURCE/codegen/cuda" "$SOURCE/tests/cuda" \( -name '*.cu*' -o -name '*.h' \) -printf '%T@ %p\n' | sort -n | tail -1)
    [ "$OUT/collectives/$name" -nt "${newest#* }" ] && return
    "$NVCC" -std=c++20 -O3 -w -DBAMBAC_OPERAND=$2 -gencode arch=compute_90a,code=sm_90a \
      -I "$SOURCE/codegen/cuda/collectives" -I "$SOURCE" -lcuda "$1" \
      -o "$OUT/collectives/$name" && strip "$OUT/collectives/$name"
  }
  export -f build_test
  for test in "$source_dir"/tests/cuda/*_test.cu; do
    [ -z "$parts" ] || grep -qE "${parts//,/|}" <<<"$(basename "$test")" || continue
    printf '%s\0' "$test" bf16 '' "$test" f16 _f16
  done | xargs -0 -r -n 3 -P "$jobs" bash -c 'build_test "$@"' _
fi

du -sh "$out"
exit "$status"
