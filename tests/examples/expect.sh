# Sourced by example_NN.sh with PROGRAM in $1: runs it twice and gives its output in $output.
program=$1
[ -x "$1" ] || { echo "$1 is not built; make everything builds it" >&2; exit 1; }
output=$("$1") || { echo "$1: exit code $?" >&2; exit 1; }
[ "$output" = "$("$1")" ] || { echo "$1: a second run prints something else" >&2; exit 1; }

# A line of the output must match the extended regular expression $1.
expect_line() {
  printf '%s\n' "$output" | grep -qE "$1" && return
  printf '%s\nno line matches: %s\n' "$output" "$1" >&2
  exit 1
}

# With the arguments "$@" it must fail with one line that begins with "error: ".
expect_error() {
  said=$("$program" "$@" 2>&1 >/dev/null)
  [ $? = 1 ] && [ "$(printf '%s\n' "$said" | wc -l)" = 1 ] && [ "${said#error: }" != "$said" ] && return
  printf 'not one line of error: %s\n' "$said" >&2
  exit 1
}

# "step N  loss X": every X must be below the one before, and the last below $1.
expect_falling_loss() {
  printf '%s\n' "$output" | awk -v bound="$1" '
    $1 == "step" { ++n; if (n > 1 && !($4 < last)) rose = 1; last = $4 }
    END { exit !(n > 1 && !rose && last < bound) }' && return
  printf '%s\nthe loss must fall below %s\n' "$output" "$1" >&2
  exit 1
}
