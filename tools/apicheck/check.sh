#!/usr/bin/env bash
# Checks the published descriptions with the public linters: schemas/openapi.json by Redocly's rules (redocly.yaml),
# schemas/asyncapi.json by AsyncAPI's own parser.
set -euo pipefail
cd "$(dirname "$0")"
./ensure.sh
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
if ! said=$(npx --no-install redocly lint ../../schemas/openapi.json --config redocly.yaml --format=summary --max-problems=20 2>&1); then
  echo "$said" >&2
  exit 1
fi
if grep -qE '^(warning|error) ' <<<"$said"; then echo "$said" >&2; exit 1; fi
node asyncapi.mjs ../../schemas
