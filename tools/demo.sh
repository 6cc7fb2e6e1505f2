#!/bin/sh
# The main job: installs and builds what the program needs. Without a model it trains one on built-in stories for about a
# minute and lets it tell a story. With one: what it is, what it says, how fast it is.
# Usage: tools/demo.sh [MODEL.gguf]     JOBS: compilers at a time
set -eu
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(tools/jobs)}
model=${1:-}

# compile_minutes: of one core, for the program.
compile_minutes=10
if [ -x build/toy ]; then
  echo "1. Builds what has changed in the program."
else
  echo "1. Installs the packages that the program is built from, if some are missing."
  echo "   Builds the program for this processor, with $jobs compilers at a time: about $(((compile_minutes + jobs - 1) / jobs)) minutes."
fi
if [ -n "$model" ]; then
  echo "2. Describes $model, lets it write, and measures it."
else
  echo "2. Trains a new model on built-in stories: about a minute."
  echo "3. Lets it tell one."
fi
echo

tools/install-deps --program
mkdir -p build
# The kernels of other processors come with `make build`; what has them keeps them.
levels=native
if grep -q '^TOY_CPU_LEVELS:STRING=all' build/CMakeCache.txt 2>/dev/null; then levels=all; fi
cmake --preset release -DTOY_CPU_LEVELS=$levels > build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
# On a terminal ninja shows one line that changes; elsewhere that would be a line for each file.
quiet=
[ -t 1 ] || quiet=--quiet
NINJA_STATUS='building the program: %f of %t, %es: ' cmake --build build --target toy -j "$jobs" -- $quiet

run() {
  printf '\n$ build/toy'
  printf ' %s' "$@"
  printf '\n'
  build/toy "$@"
}

if [ -n "$model" ]; then
  run describe "$model"
  run infer "$model" --prompt "Once upon a time" --n 64
  run bench "$model" -p 128 -n 32
  exit 0
fi

rm -rf data/demo
echo
echo "A new model learns to tell stories. Step 0 is what it says before."
run train from-scratch --fit-time 60 --batch-size 16 --lr 8e-3 --cosine --documents --cuts 3 --val-share 0.03 \
  --eval-every 100 --gen-every 1000 --save-every 0 --out data/demo
weights=$(ls -t data/demo/*/weights/*.gguf | head -n 1)
echo
echo "What it says now; the model inside the program (build/toy infer) had more time to learn:"
run infer "$weights" --prompt "Once upon a time" --n 100 --quiet
