#!/usr/bin/env bash
# Runs the GPU tests on a machine that has a GPU and Python with numpy, from a folder that tests/gpu/pack.sh made. The
# last line of stdout is `N passed, N failed, N skipped`; a test that cannot run is skipped and says why.
#
# usage: tests/run-gpu.sh [DIR] [--jobs N] [--only PARTS_OF_NAMES] [--logs DIR]
#   DIR  the packed folder (default: the one that this script is in)
set -euo pipefail

case ${1:-} in
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
  -* | '') dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) ;;
  *) dir=$(cd "$1" && pwd); shift ;;
esac
[ -e "$dir/libraries.tar.xz" ] || { echo "$dir: no libraries; make a folder with tests/gpu/pack.sh" >&2; exit 2; }
if ! python3 -c 'import numpy' 2>/dev/null; then
  echo "SKIPPED: all: python3 has no numpy"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
exec python3 "$dir/tests/gpu/run_all.py" "$dir" "$@"
