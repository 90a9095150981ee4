#!/usr/bin/env bash
# Prints the passwords of the NATS users as environment lines for nats-server. Footbridge derives them from the
# installation's secret (the file `secret` in FOOTBRIDGE_STATE_DIR), so there is nothing to hand out twice:
#
#   deploy/nats/passwords.sh /var/lib/footbridge/secret > /etc/nats/footbridge.env   # then chmod 600
#
# The quotes are part of each value: nats-server reads values as configuration, and one that begins with a digit must
# be a string.
set -euo pipefail
secret=$(tr -d '[:space:]' < "${1:?name the secret file}")
for user in intake threshold followup bridging journey sentinel owner; do
  password=$(printf 'broker user %s' "$user" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$secret" | sed 's/.*= *//')
  printf 'NATS_%s="%s"\n' "${user^^}" "$password"
done
