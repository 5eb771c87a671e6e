#!/usr/bin/env bash
# From nothing to tokens on Debian 12: installs what is missing, builds bambac, compiles a small model, gives it random
# weights and generates. Running it again only repeats what changed.
#
# usage: examples/quickstart.sh [BUILD_DIR]    (default: build/ in the checkout)
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${1:-$source_dir/build}
work_dir=$build_dir/quickstart

. "$source_dir/cmake/setup-debian.sh"

say() { printf '\n== %s\n' "$*"; }
show() { printf '$ %s\n' "${*//$source_dir\//}"; "$@"; }

say "Packages: LLVM 22 and a few libraries, from Debian"
bambac_install_packages

say "Building bambac and bamba-run into build/bin"
bambac_build "$source_dir" "$build_dir" release bambac bamba-run
bambac_fetch_nvrtc "$source_dir" "$build_dir"

mkdir -p "$work_dir"
say "A config.json becomes a library with the model's kernels in it"
show "$build_dir/bin/bambac" compile "$source_dir/examples/configs/tiny.json" -o "$work_dir/tiny.so" --dtype=bf16

say "What is inside"
show "$build_dir/bin/bamba-run" inspect "$work_dir/tiny.so"

if [ ! -e "$work_dir/weights/model.safetensors" ]; then
  say "A checkpoint with random weights (a real one has the same names and shapes)"
  show "$build_dir/bin/bamba-run" init-weights "$work_dir/tiny.so" -o "$work_dir/weights" --seed=1
fi

say "Sixteen new tokens after three of a prompt"
show "$build_dir/bin/bamba-run" generate "$work_dir/tiny.so" --weights "$work_dir/weights" --tokens=1,2,3 -n 16
