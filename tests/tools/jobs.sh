#!/bin/sh
# tools/jobs on machines of other memory. `nproc` takes the number of cores from OMP_NUM_THREADS.
set -eu
jobs=$(cd "$(dirname "$0")/../../tools" && pwd)/jobs
machine=$(mktemp -d)
trap 'rm -rf "$machine"' EXIT
mkdir -p "$machine/proc" "$machine/sys/fs/cgroup"

# expect CORES JOBS
expect() {
  found=$(OMP_NUM_THREADS=$1 "$jobs" "$machine")
  [ "$found" = "$2" ] || { echo "jobs: expected $2 with $1 cores, found $found" >&2; exit 1; }
}
# free KIBIBYTES
free() { printf 'MemTotal: 99999999 kB\nMemFree: 1 kB\nMemAvailable: %s kB\n' "$1" > "$machine/proc/meminfo"; }
# group MOST NOW: of a container, bytes
group() { echo "$1" > "$machine/sys/fs/cgroup/memory.max"; echo "$2" > "$machine/sys/fs/cgroup/memory.current"; }

expect 4 4 # nothing is known of the memory
free 33000000; expect 8 8
free 13000000; expect 8 6
free 3000000; expect 8 1
free 1000000; expect 8 1
free 33000000
group max 5000000000; expect 8 8
group 9000000000 4500000000; expect 8 2
free 3000000; expect 8 1
