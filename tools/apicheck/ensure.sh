#!/usr/bin/env bash
# Fetches from npm, by the lock file, the linters of check.sh, once.
set -euo pipefail
cd "$(dirname "$0")"
have=$(sha256sum package-lock.json | cut -d' ' -f1)
complete() { [ "$(cat node_modules/.stamp 2>/dev/null)" = "$have" ]; }
if complete; then exit 0; fi
exec 9>.lock
flock 9
if complete; then exit 0; fi
command -v npm >/dev/null || { echo "apicheck: npm is not installed; install Node.js 20 or newer" >&2; exit 1; }
npm ci --silent --no-audit --no-fund >&2 || { echo "apicheck: npm ci failed in tools/apicheck; is npm's registry reachable?" >&2; exit 1; }
echo "$have" > node_modules/.stamp
