#!/usr/bin/env bash
# Runs every test of every module. Extra arguments go to go test (for instance -race or -run NAME). With
# FOOTBRIDGE_TEST_TODAY the suite runs as if on that day; see today.sh. The property tests try the same cases each time;
# properties.sh tries others.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS="${GOFLAGS:--trimpath}" RAPID_SEED="${RAPID_SEED:-20261127}" RAPID_NOFAILFILE=1
. tests/today.sh
# A kept result does not know which day it was for.
if [ -n "${FOOTBRIDGE_TEST_TODAY:-}" ]; then set -- -count=1 "$@"; fi
exec go test -timeout 20m "$@" work
