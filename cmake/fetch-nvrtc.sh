#!/usr/bin/env bash
# Fetches NVRTC, which compiles for CUDA targets, from NVIDIA's wheel on PyPI into BUILD_DIR/lib/bambac/cuda, where
# bambac looks for it. Does nothing where a toolkit has it already. Without a network it says so and fails; bambac then
# compiles for the CPU only.
#
# usage: cmake/fetch-nvrtc.sh BUILD_DIR
set -euo pipefail

version='13.0.*'
target=$(mkdir -p "${1:?usage: cmake/fetch-nvrtc.sh BUILD_DIR}" && cd "$1" && pwd)/lib/bambac/cuda

has_nvrtc() { compgen -G "$1/libnvrtc.so*" >/dev/null; }
# The places where bambac looks too.
for folder in "$target" ${CUDA_HOME:+"$CUDA_HOME/lib64"} ${CUDA_PATH:+"$CUDA_PATH/lib64"} /usr/local/cuda/lib64 \
  /usr/lib/x86_64-linux-gnu; do
  if has_nvrtc "$folder"; then
    echo "NVRTC is in $folder"
    exit 0
  fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "Fetching NVRTC $version from PyPI"
if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --retries 1 --timeout 10 --dest "$work" "nvidia-cuda-nvrtc==$version"; then
  echo "cannot fetch NVRTC: CUDA targets need it, the CPU does not" >&2
  exit 1
fi
python3 -m zipfile -e "$work"/nvidia_cuda_nvrtc-*.whl "$work/wheel"
mkdir -p "$target"
find "$work/wheel" -name 'libnvrtc*.so*' ! -name '*.alt.*' -exec mv -t "$target" {} +
has_nvrtc "$target" || { echo "found no libnvrtc.so in the wheel of NVRTC $version" >&2; exit 1; }
echo "NVRTC is in $target"
