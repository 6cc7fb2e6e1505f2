#!/bin/sh
# Runs build/examples/NN-name, on a model if it takes one; without MODEL on the one that the program carries.
# Usage: tools/example.sh NN [MODEL.gguf]
set -eu
cd "$(dirname "$0")/.."
program=$(echo build/examples/"$1"-*)
[ -x "$program" ] || { echo "example $1: there is no examples/$1-*" >&2; exit 2; }
grep -q 'MODEL' examples/"$1"-*/main.cpp || exec "$program"
exec "$program" "${2:-models/stories.gguf}"
