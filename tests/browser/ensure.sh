#!/usr/bin/env bash
# Makes sure that there is a browser for the tests, and what the pages are checked with: Chromium or Chrome as
# installed, else Debian's Chromium where this runs as root; NHS.UK frontend and axe-core from npm. Prints the
# browser's path.
set -euo pipefail
cd "$(dirname "$0")"

../../tools/frontend/ensure.sh --check

find_browser() {
  if [ -n "${FOOTBRIDGE_BROWSER:-}" ]; then command -v "$FOOTBRIDGE_BROWSER" && return; fi
  for name in chromium chromium-browser google-chrome google-chrome-stable headless-shell; do
    command -v "$name" && return
  done
  return 1
}

if find_browser; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation; } >&2 ||
    { echo "browser: installing Debian's chromium failed; see above" >&2; exit 1; }
  if find_browser; then exit 0; fi
fi
echo "browser: the browser tests need Chromium or Chrome, and only root can install one here: apt-get install chromium (Debian), brew install --cask chromium (macOS); or name one in FOOTBRIDGE_BROWSER" >&2
exit 1
