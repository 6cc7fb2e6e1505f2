#!/bin/sh
# The main job. Without a model: trains one on built-in stories for at most a minute, then lets the model that the program
# carries finish a story. With one: what it is, what it says, how fast it is. Usage: tools/demo.sh [MODEL.gguf]
set -eu
cd "$(dirname "$0")/.."

run() {
  printf '\n$ build/toy'
  printf ' %s' "$@"
  printf '\n'
  build/toy "$@"
}

if [ $# -gt 0 ] && [ -n "$1" ]; then
  run describe "$1"
  run infer "$1" --prompt "Once upon a time" --n 64
  run bench "$1" -p 128 -n 32
  exit 0
fi

rm -rf data/demo
echo "A new model learns to tell stories, for at most 60 seconds. Step 0 is what it says before."
run train from-scratch --max-time 60 --steps 600 --batch-size 16 --lr 8e-3 --warmup-steps 50 --cosine --documents --cuts 3 \
  --eval-every 200 --gen-every 600 --out data/demo
weights=$(ls -t data/demo/*/weights/*.gguf | head -n 1)
echo
echo "What it says now, and what the model inside the program says, which had more time to learn:"
run infer "$weights" --prompt "Once upon a time" --n 100 --quiet
run infer --prompt "Once upon a time, there was a little" --n 120 --quiet
