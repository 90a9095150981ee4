#!/usr/bin/env bash
# Runs every fuzz target of every module for FUZZTIME each (default 10m), or those of the folders named. What is found
# interesting is made smaller for a moment only: else a target that reads long messages does nothing but that.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- schemas libs services tests
for file in $(grep -rl --include='*_test.go' '^func Fuzz' "$@"); do
	dir=$(dirname "$file")
	for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "fuzzing $name in $dir"
		(cd "$dir" && go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-10m}" -fuzzminimizetime "${FUZZMINIMIZETIME:-500x}" .)
	done
done
