#!/bin/sh
# Runs every fuzz program of build-fuzz/fuzz for some seconds. Usage: tools/fuzz.sh SECONDS
# New inputs are kept in data/fuzz/NAME; seeds come from tests/data/fuzz/NAME when there are some.
set -eu
cd "$(dirname "$0")/.."
for program in build-fuzz/fuzz/*; do
  [ -x "$program" ] || { echo "fuzz: no fuzz programs are built" >&2; exit 1; }
  name=$(basename "$program")
  corpus=data/fuzz/$name
  seeds=tests/data/fuzz/$name
  mkdir -p "$corpus"
  [ -d "$seeds" ] || seeds=
  echo "fuzz: $name for $1 s"
  "$program" -max_total_time="$1" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="$corpus/" "$corpus" $seeds
done
