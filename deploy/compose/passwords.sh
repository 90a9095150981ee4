#!/usr/bin/env bash
# Run once by the PostgreSQL image, after roles.sql: gives each role its password.
set -euo pipefail
for service in intake threshold followup bridging journey delivery gateway traces sentinel; do
  variable="DB_${service^^}"
  printf "alter role footbridge_%s password '%s';\n" "$service" "${!variable}"
done | psql -v ON_ERROR_STOP=1 -q -U postgres -d footbridge
