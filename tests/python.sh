#!/usr/bin/env bash
# Tests the Python package: ruff, mypy and pytest, in a virtual environment that is made from PyPI.
#
# usage: tests/python.sh [--build-dir DIR] [--results DIR] [--environment-only] [PYTEST_ARGUMENT...]
#   --build-dir DIR     a build with bambac and bamba-run, also for the environment (default build/)
#   --results DIR       where JUnit files go (default DIR/test-results of the build)
#   --environment-only  only makes the environment
# The environment is made again when runtime/python/pyproject.toml has changed; the package itself is installed each time.
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
package=$source_dir/runtime/python
build_dir=$source_dir/build results= environment_only=
while [ $# -gt 0 ]; do
  case $1 in
    --build-dir) build_dir=${2:?--build-dir expects a folder}; shift ;;
    --results) results=${2:?--results expects a folder}; shift ;;
    --environment-only) environment_only=1 ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) break ;;
  esac
  shift
done
build_dir=$(mkdir -p "$build_dir" && cd "$build_dir" && pwd)
results=${results:-$build_dir/test-results}
environment=$build_dir/python-env
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

# A copy, since building a package leaves files next to its sources.
copy_package() {
  rm -rf "$build_dir/python-package"
  mkdir -p "$build_dir/python-package"
  cp -r "$package/pyproject.toml" "$package/README.md" "$package/bamba" "$build_dir/python-package"
}

make_environment() {
  local stamp=$environment/pyproject.toml
  cmp -s "$package/pyproject.toml" "$stamp" && return
  rm -rf "$environment"
  /usr/bin/python3 -m venv "$environment"
  copy_package
  "$environment/bin/pip" install --quiet --no-compile setuptools wheel "$build_dir/python-package[test,ray]"
  cp "$package/pyproject.toml" "$stamp"
}

make_environment
[ -z "$environment_only" ] || exit 0
copy_package
"$environment/bin/pip" install --quiet --no-deps --no-build-isolation --force-reinstall "$build_dir/python-package"

mkdir -p "$results"
cd "$package"
as_test() { python3 "$source_dir/tests/tools/run_as_test.py" "$@"; }
failed=0
as_test "$results/python-format.xml" python ruff-format "$environment/bin/ruff" format --check --quiet . || failed=1
as_test "$results/python-ruff.xml" python ruff "$environment/bin/ruff" check --quiet . || failed=1
as_test "$results/python-mypy.xml" python mypy "$environment/bin/mypy" --python-executable "$environment/bin/python" || failed=1
export BAMBAC_BUILD=$build_dir PYTHONDONTWRITEBYTECODE=1
"$environment/bin/pytest" -q -p no:cacheprovider --junitxml="$results/python.xml" -o junit_suite_name=python "$@" || failed=1
exit "$failed"
