#!/usr/bin/env bash
# Runs clang-tidy with the checks of .clang-tidy over the C and C++ files that a build compiles.
#
# usage: tests/tidy.sh (--all | --since REV | --last N | FILE...) [--minutes N] [--build-dir DIR] [--jobs N]
#   --all            every source
#   --since REV      what changed since a commit, also what is not committed
#   --last N         what the last N commits changed, also what is not committed
#   FILE...          these files; a header is checked through a source that includes it
#   --minutes N      starts no file after N minutes, and names those that are left
#   --build-dir DIR  a build with clang that is up to date (default: build-dev, else build)
#   --jobs N         files at a time (default: one a processor)
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/tools/tidy.py" "$@"
