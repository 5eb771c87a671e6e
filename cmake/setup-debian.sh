# What it takes to build the project on Debian 12: sourced by tests/run.sh and examples/quickstart.sh.

# Everything comes from Debian itself (LLVM 22 from its security archive). python3-numpy is for the tests' oracle,
# libopenblas0 for what `bamba-run bench` compares with.
bambac_packages=(
  build-essential cmake ninja-build ccache curl git python3 python3-numpy python3-venv
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools liblld-22-dev lld-22 clang-22 libclang-rt-22-dev
  clang-format-22 clang-tidy-22
  libfmt-dev nlohmann-json3-dev libgtest-dev libcli11-dev libopenblas0
  libzstd-dev libedit-dev libcurl4-openssl-dev zlib1g-dev libxml2-dev
)

# bambac_install_packages [PACKAGE...]: installs the packages, and these in addition, that are not there yet; needs no
# network and no rights when all are.
bambac_install_packages() {
  local missing=() package
  for package in "${bambac_packages[@]}" "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  echo "Installing ${missing[*]}"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# bambac_build SOURCE_DIR BUILD_DIR PRESET [TARGET...]: configures a new build directory, then builds the targets
# (default all).
bambac_build() {
  local source=$1 build=$2 preset=$3
  shift 3
  # The cache is shared by every checkout, wherever it is.
  export CCACHE_BASEDIR=$source CCACHE_NOHASHDIR=1
  [ -e "$build/build.ninja" ] || (cd "$source" && cmake --preset "$preset" -B "$build" --log-level=WARNING >&2)
  cmake --build "$build" ${*:+--target "$@"} >&2
}

# bambac_fetch_nvrtc SOURCE_DIR BUILD_DIR: gets what compiles for GPUs where no CUDA toolkit has it. Without a network
# all that is for the CPU works nevertheless.
bambac_fetch_nvrtc() {
  "$1/cmake/fetch-nvrtc.sh" "$2" >&2 || echo "Going on without CUDA targets" >&2
}
