#!/usr/bin/env bash
# Searches the model of the exchange (exchange.pml) exhaustively with spin, and sees that with each mend taken away
# the loss is found. Needs spin and a C compiler (Debian: apt-get install spin gcc). Takes a few minutes and 1.5 GB.
set -euo pipefail
cd "$(dirname "$0")"
command -v spin > /dev/null || { echo "model: spin is not installed; Debian has it: apt-get install spin" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp exchange.pml "$work" && cd "$work"

# search DEFINES...: prints how many states were searched and how many errors found.
search() {
  rm -f pan* ./*.trail
  spin -a "$@" exchange.pml > /dev/null
  gcc -w -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=6000 -o pan pan.c
  ./pan -E -m100000 -w25 > out
  if grep -qE 'max search depth too small|out of memory|Search not completed' out && ! grep -q 'errors: 1' out; then
    echo "model: the search of '$*' was not completed" >&2
    exit 1
  fi
  errors=$(sed -nE 's/.*errors: ([0-9]+).*/\1/p' out)
  states=$(sed -nE 's/ *([0-9]+) states, stored.*/\1/p' out)
}

search -DFAULTS=1
echo "one fault of any kind: $states states, $errors errors"; [ "$errors" = 0 ]
search -DFAULTS=2 -DCALM
echo "two faults of processes and commits: $states states, $errors errors"; [ "$errors" = 0 ]
for mend in NO_FENCE RETENTION_BY_CLOCK PURGE_AT_AGE_UNSEEN REDRIVE_WITHOUT_VALUE FLOOR_WITHOUT_LOOK PUBLISH_BEFORE_COMMIT \
  REBUILD_AT_ONCE ACK_ACROSS_READINGS; do
  calm=; if [ "$mend" = NO_FENCE ]; then calm=-DCALM; fi
  search "-D$mend" $calm
  echo "with $mend: the model $([ "$errors" = 0 ] && echo finds nothing || echo finds the loss), $states states"
  [ "$errors" != 0 ]
done
