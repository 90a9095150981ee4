#!/usr/bin/env bash
# Puts the built files of NHS.UK frontend where the console embeds them: services/console/frontend/, which is not
# committed. It takes them from npm by the lock file, once; run again it does nothing while the lock file is the same.
#
#   ensure.sh            without npm, or without its registry, warns and ends 0: the console then shows plain pages
#   ensure.sh --require  ends 1 instead
#   ensure.sh --check    with what tests read from node_modules/ too: axe-core, and the library by which receivers of
#                        webhooks check who sent them
#
# The style sheet's two font-face blocks are taken out: the font is licensed for NHS use alone and would be loaded
# from another host. The icons with the NHS logo are left out as well.
set -euo pipefail
cd "$(dirname "$0")"
into=../../services/console/frontend
require=false omit=(--omit=dev)
for argument in "$@"; do
  case $argument in
    --require) require=true ;;
    --check) require=true omit=() ;;
    *) echo "$0: $argument is not known; use --require or --check" >&2; exit 2 ;;
  esac
done

fail() {
  echo "frontend: $1" >&2
  if $require; then exit 1; fi
  echo "frontend: the console will show plain pages until tools/frontend/ensure.sh has run" >&2
  exit 0
}

have=$(cat package-lock.json ensure.sh | sha256sum | cut -d' ' -f1)
complete() {
  [ "$(cat "$into/stamp" 2>/dev/null)" = "$have" ] && { [ ${#omit[@]} -gt 0 ] ||
    { [ -f node_modules/axe-core/axe.min.js ] && [ -f node_modules/standardwebhooks/dist/index.js ]; }; }
}
if complete; then exit 0; fi
# One at a time: make may run several targets at once.
exec 9>.lock
flock 9
if complete; then exit 0; fi

command -v npm >/dev/null || fail "npm is not installed; install Node.js 20 or newer"
npm ci --silent "${omit[@]}" >&2 || fail "npm ci failed in tools/frontend; is npm's registry reachable?"

built=node_modules/nhsuk-frontend/dist/nhsuk
new=$(mktemp -d "$into/.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
mkdir "$new/images"
sed -E 's/@font-face ?\{[^}]*\}//g; s#/\*\# sourceMappingURL=[^*]*\*/##' "$built/nhsuk-frontend.min.css" > "$new/nhsuk-frontend.css"
sed -E 's#//\# sourceMappingURL=.*$##' "$built/nhsuk-frontend.min.js" > "$new/nhsuk-frontend.js"
if grep -q 'url(["'\'']\?\(https\?:\)\?//' "$new/nhsuk-frontend.css"; then
  echo "frontend: the style sheet still loads from another host; look at what changed in nhsuk-frontend" >&2
  exit 1
fi
for icon in "$built"/assets/images/nhsuk-icon-{arrow,cross}*.svg; do cp "$icon" "$new/images/"; done
for part in nhsuk-frontend.css nhsuk-frontend.js images; do
  rm -rf "${into:?}/$part"
  mv "$new/$part" "$into/$part"
done
chmod -R u=rwX,go=rX "$into/images" "$into"/nhsuk-frontend.*
echo "$have" > "$into/stamp"
