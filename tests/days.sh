#!/usr/bin/env bash
# Runs the tests that know of days as if on other days: minutes before the clocks change, a leap day, the end of a year,
# and 400 days ahead. Days or instants of your own are arguments: tests/days.sh 2027-01-01 2027-06-30T22:59:30Z
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS="${GOFLAGS:--trimpath}"
# What has no calendar in it, or runs for minutes, is left to make test.
packages=(footbridge/schemas/... footbridge/libs/calendar footbridge/libs/clock footbridge/libs/flow footbridge/libs/httpx
  footbridge/libs/principal footbridge/libs/vault footbridge/services/... footbridge/tests/journeys)

# last_sunday YEAR MONTH prints the day on which British clocks change at 01:00 UTC.
last_sunday() {
  local day=31
  while [ "$(date -u -d "$1-$2-$day" +%u)" != 7 ]; do day=$((day - 1)); done
  echo "$1-$2-$day"
}

year=$(($(date -u +%Y) + 1))
leap=$year
while [ $((leap % 4)) != 0 ]; do leap=$((leap + 1)); done
if [ $# = 0 ]; then
  set -- "$(last_sunday $year 03)T00:59:30Z" "$(last_sunday $year 10)T00:59:30Z" "$leap-02-29" "$year-12-31T23:59:30Z" \
    "$(date -u -d '400 days' +%F)"
fi
# FAST=1 takes the pure rules alone, without a database, in minutes.
select=(-skip 'Interleaving|MemoryStaysFlat|Hostile|UnderLoad|Killed|Rebuild')
if [ "${FAST:-}" = 1 ]; then
  packages=(footbridge/libs/calendar footbridge/libs/clock footbridge/services/followup footbridge/services/bridging footbridge/services/journey
    footbridge/services/intake)
  select=(-run 'Window|Calendar|Holiday|Weekday|KeptApartByTime|Birthday|CannotBeTrue|Rhythm|CallsFall|OnlyEverPlaced|WhoIsOnCall|HardDays|TheListIsByStep')
fi
for today in "$@"; do
  (FOOTBRIDGE_TEST_TODAY=$today
    . tests/today.sh
    go test -timeout 10m -count=1 "${select[@]}" "${packages[@]}") || failed="${failed:-} $today"
done
if [ -n "${failed:-}" ]; then echo "failed as of:$failed" >&2; exit 1; fi
