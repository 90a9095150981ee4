#!/usr/bin/env bash
# Breaks rules of the system on purpose, one at a time, in a copy of what is committed, lets a short simulation run in it
# and sees that the oracle, which knows the log alone, finds each: the promise that it names is the one that was broken.
# A rule that is not there any more as it is written here is an error too. About a minute each on idle cores.
# tests/oracle.sh [NAME…]; the names are those of breaks.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS="${GOFLAGS:--trimpath}"

# name | promise | file below services | what it does instead
breaks='
consent  | offer-unasked      | followup/matching.go     | s/Given: answers.To(p.ID).Yes,/Given: answers.To(p.ID).Yes || true,/
capacity | oversold           | followup/partners.go     | s/return (p.AtMost == 0 || p.Held < p.AtMost) && .*/return true/
window   | window-wrong       | followup/window.go       | s/lastDayAfter  = 14/lastDayAfter  = 21/
silence  | silence-stands     | followup/life.go         | s/^\t\tif half := o.halfTime(p, w); .*/\t\treturn time.Time{}\n&/
owners   | nobody-added       | journey/rules.go         | s/if o != s.Owner && !slices.Contains(added, o) {/if false {/
hours    | call-outside       | bridging/schedule.go     | s/firstHour   = 10/firstHour   = 20/; s/lastHour    = 19/lastHour    = 22/
identity | read-without-grant | intake/record/grants.go  | s/return o.Accepted > 0 && !o.Ended && /return o.Accepted > 0 \&\& /
'

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# Partners that have few places and often say nothing, so that a few days show how both are dealt with.
cat >"$copy/scenario.yaml" <<'YAML'
name: Partners with few places, of whom many say nothing
partners:
  - {id: north-peers, name: North Peers (made up), from: 18, areas: [area-north], way: feed, weekly: 1, accepts: 60, declines: 5, handsBack: 20}
  - {id: south-peers, name: South Peers (made up), from: 18, areas: [area-south], way: feed, weekly: 1, accepts: 60, declines: 5, handsBack: 20}
  - {id: county-peers, name: County Peers (made up), from: 16, way: feed, weekly: 2, accepts: 40, declines: 10, handsBack: 20}
YAML
git archive HEAD | tar -x -C "$copy"
failed=
while IFS='|' read -r name promise file instead; do
  name=${name// /} promise=${promise// /} file=services/${file// /}
  if [ -z "$name" ] || { [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; }; then continue; fi
  cp "$copy/$file" "$copy/kept.go"
  sed -i "${instead# }" "$copy/$file"
  if cmp -s "$copy/$file" "$copy/kept.go"; then
    echo "$name: $file has no such rule any more" >&2
    failed="$failed $name"
    continue
  fi
  (cd "$copy" && go build -o "$copy/broken" ./services/footbridge)
  cp "$copy/kept.go" "$copy/$file"
  (cd "$copy" && timeout 15m ./broken sim --days 8 --discharges 24 --seed 7 --scenario scenario.yaml --out "$copy/out" >"$copy/said" 2>&1) || true
  if grep -q "counted again: $promise: " "$copy/said"; then
    echo "$name: found ($(grep -c "counted again: $promise: " "$copy/said"))"
  else
    echo "$name: $promise is broken, and nothing was found; the simulation ended with:" >&2
    tail -20 "$copy/said" >&2
    failed="$failed $name"
  fi
done <<<"$breaks"
[ -z "$failed" ]
