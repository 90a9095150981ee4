#!/usr/bin/env bash
# Runs every test of every module. Extra arguments go to go test (for instance -race or -run NAME).
set -euo pipefail
cd "$(dirname "$0")/.."
exec go test -timeout 20m "$@" work
