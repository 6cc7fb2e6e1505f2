#!/bin/sh
# Usage: level_symbols.sh OBJECT...
# An inline function that is emitted for a SIMD level outside the level's namespace may be the copy that the linker
# keeps for the whole program, and then runs on processors without those instructions.
status=0
[ $# -gt 0 ] || status=1
for object; do
  symbols=$(nm -C "$object") || status=1
  shared=$(echo "$symbols" | grep ' W ' | grep -v -e __clang_call_terminate -e 'toy::cpu::\(v[0-9]\|generic\)' \
    -e ' _ZZ*NK*3toy3cpu[0-9]*\(v[0-9]\|generic\)')  # nm cannot read all names
  if [ -n "$shared" ]; then
    echo "$object leaves functions for all levels:"
    echo "$shared"
    status=1
  fi
done
exit $status
