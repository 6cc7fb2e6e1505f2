#!/bin/sh
# The main job on one model: what it is, what it says, how fast it is.
# Usage: tools/demo.sh [MODEL.gguf]      Without a model it uses a small random one, which it writes itself.
set -eu
cd "$(dirname "$0")/.."

model=${1:-}
if [ -z "$model" ]; then
  model=data/untrained.gguf
  mkdir -p data
  build/tools/random-model "$model"
  echo "No MODEL given: $model is a small model with random parameters and a byte vocabulary."
  echo "It is untrained, so its text is noise. A real one: make demo MODEL=path/to/model.gguf"
fi

run() {
  printf '\n$ build/toy'
  printf ' %s' "$@"
  printf '\n'
  build/toy "$@"
}
run describe "$model"
run infer "$model" --prompt "Once upon a time" --n 64
run bench "$model" -p 128 -n 32
