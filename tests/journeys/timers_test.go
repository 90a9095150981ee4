package journeys

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// lateCalls are how many reminders of calls are late at once.
const lateCalls = 40

// TestTimersAreShownAndSpreadOnARunningSystem: what will fire is shown by hour and kind; what is late, as after a stop,
// is spread over a time by a command, and then fires bit by bit, each once and the oldest first; a call that is long
// past its time is late at once.
func TestTimersAreShownAndSpreadOnARunningSystem(t *testing.T) {
	t.Parallel()
	at := aMonday.Add(time.Hour)
	s := system.StartAt(t, at)
	// Whoever fires what is late may be faster than whoever spreads it: then both begin anew.
	testkit.Eventually(t, "what is late is spread before it has gone out", func() bool { return spread(t, s, at) })
	if late := counted(t, s, `select count(*) from bridging.call where late`); late != 1 {
		t.Errorf("%d calls are late", late)
	}
	reminded := func() int { return counted(t, s, `select count(*) from bridging.timer where stage = 1`) }
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {30 * time.Minute, lateCalls / 2}, {time.Hour, lateCalls}, {5 * time.Hour, lateCalls},
		{6 * time.Hour, lateCalls + 2}} {
		s.MoveTo(at.Add(step.after))
		if got := reminded(); got != step.want {
			t.Errorf("after %s %d were reminded of, not %d", step.after, got, step.want)
		}
	}
	if _, code := askTimers(t, s, "--spread", "9h"); code == 0 {
		t.Error("a day's calls are put off to another")
	}
}

// spread stores calls of which some are late, and spreads those over an hour; false where they had gone out before.
func spread(t *testing.T, s *system.Steered, at time.Time) bool {
	t.Helper()
	for _, table := range []string{"notice", "timer", "call"} {
		if _, err := s.Admin().Exec(t.Context(), `delete from bridging.`+table); err != nil {
			t.Fatal(err)
		}
	}
	plan(t, s, lateCalls, at.Add(23*time.Hour), at.Add(-time.Hour)) // whose callers were to be reminded
	plan(t, s, 1, at.Add(-5*time.Hour), at.Add(-5*time.Hour))       // which is over
	plan(t, s, 2, at.Add(30*time.Hour), at.Add(6*time.Hour))
	if shown := timersOf(t, s, "--hours", "12"); shown["call-reminder"] != [2]int{lateCalls + 3, lateCalls + 1} {
		return false
	}
	out, code := askTimers(t, s, "--spread", "60m")
	if code != 0 {
		t.Fatalf("spreading ended with %d:\n%s", code, out)
	}
	return strings.Contains(out, fmt.Sprintf("%d calls and 0 messages", lateCalls+1)) &&
		strings.Contains(out, "call-reminder")
}

// plan stores calls that are due at one time, and of which their callers are reminded at another.
func plan(t *testing.T, s *system.Steered, calls int, due, remind time.Time) {
	t.Helper()
	tx, err := s.Admin().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{`set local session_replication_role = replica`,
		fmt.Sprintf(`with calls as (
			insert into bridging.call (id, plan, journey, organisation, due_at, on_day, state, scheduled_at, nominal, team)
			select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'RXX', '%[1]s', '%[1]s'::timestamptz::date,
				'scheduled', now(), '%[1]s'::timestamptz::date, 'RXX' from generate_series(1, %[2]d) returning id)
			insert into bridging.timer (call, act_at) select id, '%[3]s' from calls`, due.UTC().Format(time.RFC3339),
			calls, remind.UTC().Format(time.RFC3339))} {
		if _, err := tx.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// askTimers runs the command beside the running system.
func askTimers(t *testing.T, s *system.Steered, args ...string) (out string, code int) {
	t.Helper()
	settings := map[string]string{"FOOTBRIDGE_STATE_DIR": s.StateDir, "FOOTBRIDGE_HTTP_ADDR": s.HTTP,
		"FOOTBRIDGE_TOKEN": system.Token(schemas.Operator)}
	return system.Run(t, s.StateDir, settings, append([]string{"timers"}, args...)...)
}

// timersOf is what the command shows of each kind: how many fire, and how many of those are late.
func timersOf(t *testing.T, s *system.Steered, args ...string) map[string][2]int {
	t.Helper()
	out, code := askTimers(t, s, append([]string{"--json"}, args...)...)
	var answer struct {
		Items []struct {
			Kind        string
			Count, Late int
		}
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 {
		t.Fatalf("it ended with %d, %v:\n%s", code, err, out)
	}
	all := map[string][2]int{}
	for _, i := range answer.Items {
		all[i.Kind] = [2]int{all[i.Kind][0] + i.Count, all[i.Kind][1] + i.Late}
	}
	return all
}

func counted(t *testing.T, s *system.Steered, query string) (n int) {
	t.Helper()
	if err := s.Admin().QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
