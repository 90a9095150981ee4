#!/usr/bin/env bash
# Runs the property tests with a seed of their own each time, CHECKS cases each (1,000); a case that fails is printed with
# the seed that repeats it. make test tries the same cases each time, so that its verdict is about the change alone.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS="${GOFLAGS:--trimpath}" RAPID_SEED="${RAPID_SEED:-0}" RAPID_CHECKS="${CHECKS:-1000}" RAPID_NOFAILFILE=1
files=$(grep -rl 'pgregory.net/rapid' --include='*_test.go' libs services schemas tests)
names=$(awk '/^func Test/ { split($2, part, "("); name = part[1] } /rapid\.Check\(/ { print name }' $files | sort -u | paste -sd'|')
mapfile -t packages < <(dirname $files | sort -u | sed 's|^|footbridge/|')
exec go test -count=1 -timeout 90m -run "^($names)\$" "${packages[@]}"
