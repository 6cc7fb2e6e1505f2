#!/bin/sh
# Runs build/examples/NN-name, on a model if it takes one. Usage: tools/example.sh NN [MODEL.gguf]
set -eu
cd "$(dirname "$0")/.."
program=$(echo build/examples/"$1"-*)
[ -x "$program" ] || { echo "example $1: there is no examples/$1-*" >&2; exit 2; }
grep -q 'MODEL' examples/"$1"-*/main.cpp || exec "$program"
model=${2:-}
if [ -z "$model" ]; then
  model=data/untrained.gguf
  mkdir -p data
  build/tools/random-model "$model"
  echo "No MODEL given: $model is untrained, so its text is noise." >&2
fi
"$program" "$model"
