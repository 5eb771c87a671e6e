#!/usr/bin/env bash
# From nothing to tokens and text on Debian 12: installs what is missing, builds bambac, compiles a small model, gives it
# random weights and generates; then serves it with OpenAI's interface. Running it again only repeats what changed.
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

python=$work_dir/python/bin
package=$source_dir/runtime/python
if [ ! -x "$python/bamba" ] || ! diff -rq -x __pycache__ "$package/bamba" "$work_dir/package/bamba" >/dev/null; then
  say "A virtual environment with the package bamba and OpenAI's client, from PyPI"
  /usr/bin/python3 -m venv "$work_dir/python"
  rm -rf "$python/bamba" "$work_dir/package" && cp -r "$package" "$work_dir/package" # a build leaves files there
  "$python/pip" install --quiet --disable-pip-version-check --no-compile "$work_dir/package" openai
fi

say "A tokenizer for the model, trained on the spot"
show "$python/python" "$source_dir/examples/train_tokenizer.py" "$work_dir/weights" 400

say "A server with OpenAI's interface (random weights give random text)"
log=$work_dir/server.log
serve=("$python/bamba" serve "$work_dir/weights" --library "$work_dir/tiny.so" --device=cpu --port=0
  --served-model-name=tiny)
printf '$ %s\n' "${serve[*]//$source_dir\//}"
"${serve[@]}" >"$log" 2>&1 & # no function around it: $! is the server itself
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 600); do
  url=$(sed -n 's/^serving \(.*\)\/v1 .*/\1/p' "$log")
  [ -z "$url" ] || break
  kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.1
done
cat "$log"

say "curl asks it to continue a text"
show curl --silent --show-error --fail --retry 20 --retry-connrefused --retry-delay 1 "$url/v1/completions" \
  -H 'Content-Type: application/json' -d '{"model": "tiny", "prompt": "Once upon a time", "max_tokens": 16}'

printf '\n'
say "OpenAI's client shows the answer to a chat as it comes"
show "$python/python" "$source_dir/examples/stream.py" "$url" "Who are you?"

say "Of a JSON schema even random weights make what it says"
show curl --silent --show-error --fail "$url/v1/completions" -H 'Content-Type: application/json' -d '{
  "model": "tiny", "prompt": "Who?", "max_tokens": 256, "response_format": {"type": "json_schema", "json_schema": {
    "name": "animal", "schema": {"type": "object", "required": ["kind", "legs"], "additionalProperties": false,
      "properties": {"kind": {"enum": ["cat", "crab"]}, "legs": {"type": "integer", "minimum": 0, "maximum": 8}}}}}}'

printf '\n'
say "It ends in order"
kill -TERM "$server"
wait "$server"
trap - EXIT
