#!/usr/bin/env bash
# Checks that every C, C++ and CUDA file of the tree is formatted as .clang-format says. Names each file that is not.
#
# usage: tests/format.sh [--fix]
#   --fix  formats the files instead
# The exit code is 77 outside of a git checkout, which says which files there are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in
  '') options=(--dry-run -Werror) ;;
  --fix) options=(-i) ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
  *) echo "unknown option $1; see --help" >&2; exit 2 ;;
esac

git rev-parse --git-dir >/dev/null || { echo "git does not know which files there are" >&2; exit 77; }
# Other versions of clang-format break lines at other places.
tool=clang-format-22
command -v "$tool" >/dev/null || { echo "expected $tool in PATH, found none; cmake/setup-debian.sh installs it" >&2; exit 1; }
# Also files that are not committed yet; not files that are deleted.
mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.c' '*.cpp' '*.h' '*.cu' '*.cuh' |
  while IFS= read -r file; do [ -e "$file" ] && echo "$file"; done)
[ ${#files[@]} -gt 0 ] || { echo "expected files to format, found none" >&2; exit 1; }
printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -n 64 "$tool" "${options[@]}"
