# Shared by the tests of the checkers: a scratch project in $tree, and two verdicts.
set -eu
lint=$(cd "$(dirname "$0")/../../tools/lint" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# put PATH < text: writes a file of the scratch project.
put() {
  mkdir -p "$tree/$(dirname "$1")"
  cat > "$tree/$1"
}

# repeat COUNT LINE
repeat() { awk -v n="$1" -v line="$2" 'BEGIN { while (n-- > 0) print line }'; }

# good CHECKER: it accepts the scratch project.
good() {
  "$lint/$1" "$tree" > "$tree/said" 2>&1 || { echo "$1 refuses a good sample:"; cat "$tree/said"; exit 1; }
  rm "$tree/said"
}

# bad CHECKER TEXT: it refuses the scratch project and says TEXT.
bad() {
  if "$lint/$1" "$tree" > "$tree/said" 2>&1; then echo "$1 accepts a bad sample (expected: $2)"; exit 1; fi
  grep -qF -- "$2" "$tree/said" || { echo "$1 does not say '$2' but:"; cat "$tree/said"; exit 1; }
  rm "$tree/said"
}
