# Sourced by run.sh. With FOOTBRIDGE_TEST_TODAY, a day (2028-02-29: at this time of day) or an instant
# (2027-03-28T00:58:00Z), everything that go builds from here on has a clock that shows that day and runs on from there:
# tests, the programs that they start, the broker inside. Go's own -overlay puts a line into time.Now, so that nothing
# can ask another clock, not even a library. PostgreSQL keeps the machine's day, and is asked for it by pg.ServerTime alone,
# whose answer is moved as well; no SQL of ours asks for the time.
if [ -n "${FOOTBRIDGE_TEST_TODAY:-}" ]; then
  case "$FOOTBRIDGE_TEST_TODAY" in
    *T*) then="$FOOTBRIDGE_TEST_TODAY" ;;
    *) then="${FOOTBRIDGE_TEST_TODAY}T$(date -u +%H:%M:%SZ)" ;;
  esac
  # In the environment of all processes, as seconds: a midnight while they run does not part them.
  TEST_CLOCK_OFFSET=$(( $(date -u -d "$then" +%s) - $(date -u +%s) ))
  export TEST_CLOCK_OFFSET
  own=$(pwd)/.build/today
  mkdir -p "$own"
  source=$(go env GOROOT)/src/time
  sed 's|^\tsec, nsec, mono := runtimeNow()$|&\n\tsec += testClockOffset|' "$source/time.go" > "$own/time.go.new"
  if [ "$(grep -c testClockOffset "$own/time.go.new")" != 1 ]; then
    echo "tests/today.sh does not know the time.Now of $(go version): mend the pattern" >&2
    exit 1
  fi
  cat > "$own/offset.go.new" <<'GO'
package time

import "syscall"

var testClockOffset = func() (seconds int64) {
	text, _ := syscall.Getenv("TEST_CLOCK_OFFSET")
	back := len(text) > 0 && text[0] == '-'
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			seconds = seconds*10 + int64(text[i]-'0')
		}
	}
	if back {
		return -seconds
	}
	return seconds
}()
GO
  ours=$(pwd)/libs/pg
  sed 's|^\treturn at, nil$|\treturn at.Add(testClockOffset), nil|' "$ours/pg.go" > "$own/pg.go.new"
  if [ "$(grep -c testClockOffset "$own/pg.go.new")" != 1 ]; then
    echo "tests/today.sh does not know pg.ServerTime any more: mend the pattern" >&2
    exit 1
  fi
  cat > "$own/server.go.new" <<'GO'
package pg

import (
	"os"
	"strconv"
	"time"
)

var testClockOffset = func() time.Duration {
	seconds, _ := strconv.ParseInt(os.Getenv("TEST_CLOCK_OFFSET"), 10, 64)
	return time.Duration(seconds) * time.Second
}()
GO
  printf '{"Replace": {"%s": "%s", "%s": "%s", "%s": "%s", "%s": "%s"}}\n' "$source/time.go" "$own/time.go" "$source/footbridge_offset.go" "$own/offset.go" \
    "$ours/pg.go" "$own/pg.go" "$ours/footbridge_offset.go" "$own/server.go" > "$own/overlay.json.new"
  for file in time.go offset.go pg.go server.go overlay.json; do
    # Only what changed is written: what was built before with the same stays built.
    cmp -s "$own/$file.new" "$own/$file" && rm "$own/$file.new" || mv "$own/$file.new" "$own/$file"
  done
  export GOFLAGS="${GOFLAGS:-} '-overlay=$own/overlay.json'"
  echo "as of $then"
fi
