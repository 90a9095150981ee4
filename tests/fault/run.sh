#!/bin/sh
# The long runs of faults, one after the other. What a run has done is kept in .build/fault: one that was cut goes on where
# it was. FAULTS is how many faults (300); SEED repeats the order of another run, else one is drawn and printed.
set -eu
cd "$(dirname "$0")/../.."
kept=.build/fault
mkdir -p "$kept"
export FOOTBRIDGE_FAULTS="${FAULTS:-300}" FOOTBRIDGE_FAULT_STATE="$PWD/$kept/run.json" FOOTBRIDGE_DISCHARGES=20000 FOOTBRIDGE_PAST_EVENTS=20000 FOOTBRIDGE_PARTNER_EVENTS=20000 \
	FOOTBRIDGE_MOMENT_ROUNDS=5 FOOTBRIDGE_AWAY_SECONDS=60
[ -z "${SEED:-}" ] || export FOOTBRIDGE_FAULT_SEED="$SEED"

# step NAME COMMAND…: does it, unless this run has done it.
step() {
	name=$1
	shift
	if [ -e "$kept/$name.done" ]; then
		echo "$name: done before"
		return
	fi
	if "$@"; then
		: >"$kept/$name.done"
	else
		failed="$failed $name"
	fi
}

# As root the broker has a disk of its own; in a mount namespace of this run it is gone with it, however it ends.
apart=
[ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null || apart="unshare -m"

failed=
step faults $apart go test -count=1 -timeout 180m -v -run '^TestFaults$' footbridge/tests/fault
step others $apart go test -count=1 -timeout 60m -v -skip '^TestFaults$' footbridge/tests/fault
if [ "$(id -u)" = 0 ]; then
	step full-disk $apart go test -timeout 5m -count=1 -tags fulldisk -run TestAFullDisk -v footbridge/libs/flow
else
	echo "a full disk was not tried: only root may mount one"
fi
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
rm -rf "$kept"
