#!/usr/bin/env bash
# Makes what compose.yaml needs beside it, once: secrets/ (the key files, the key that wraps keys, an
# empty token file) and .env with passwords. What is there already stays.
#
#   deploy/compose/prepare.sh PATH_OF_A_KEK_FILE [PATH_OF_A_SIGN_IN_FILE]
#
# The sign-in file says who may sign in as whom (docs/guides/sign-in.md); without one no staff can, until
# sign-in/sign-in.yaml and FOOTBRIDGE_SIGN_IN_FILE in .env are there. Secrets and keys of its providers go into
# sign-in-secrets/, which the gateway alone sees; the file names them as ../sign-in-secrets/NAME.
# The key file: bin/footbridge keys new --out PATH.
# Keep it, and a copy of it, apart from the database's backups: without it nobody's identity can be read.
set -euo pipefail
kek=${1:?name the key file}
kek=$(realpath "$kek")
sign_in=${2:+$(realpath "$2")}
cd "$(dirname "$0")"
umask 077
mkdir -p secrets sign-in sign-in-secrets
[ -e secrets/kek ] || cp "$kek" secrets/kek
export FOOTBRIDGE_KEYS=secrets FOOTBRIDGE_KEK_FILE=secrets/kek
../../bin/footbridge keys new
../../bin/footbridge keys nats > secrets/users.conf # public keys only
[ -e secrets/tokens ] || echo 'tokens: []' > secrets/tokens
chmod 600 secrets/*
chmod 755 sign-in # it holds no secret
if [ -n "$sign_in" ] && [ ! -e sign-in/sign-in.yaml ]; then install -m 644 "$sign_in" sign-in/sign-in.yaml; fi
if [ ! -e .env ]; then
  {
    for name in OWNER INTAKE THRESHOLD FOLLOWUP BRIDGING JOURNEY DELIVERY GATEWAY TRACES SENTINEL; do
      printf 'DB_%s=%s\n' "$name" "$(od -An -vtx1 -N16 /dev/urandom | tr -d ' \n')"
    done
    printf 'FOOTBRIDGE_URL=\nFOOTBRIDGE_NAVIGATOR=\nFOOTBRIDGE_DEPUTY=\nFOOTBRIDGE_OUT_OF_HOURS=\n'
    printf 'FOOTBRIDGE_SMTP_URL=\nFOOTBRIDGE_SMTP_USER=\nFOOTBRIDGE_SMTP_PASSWORD=\nFOOTBRIDGE_MAIL_FROM=\nFOOTBRIDGE_MAIL_RETURN=\nFOOTBRIDGE_NAVIGATOR_TOLD=\nFOOTBRIDGE_PAGE_SECRET=%s\n' "$(od -An -vtx1 -N24 /dev/urandom | tr -d ' \n')"
    printf 'FOOTBRIDGE_SIGN_IN_FILE=%s\n' "${sign_in:+/etc/footbridge/sign-in/sign-in.yaml}"
  } > .env
fi
echo "Now name the URL, the three owners and the mail server in deploy/compose/.env, and give what is secret to user 65532: sudo chown -R 65532 secrets sign-in-secrets"
