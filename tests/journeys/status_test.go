package journeys

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/tests/system"
)

// TestStatusSaysThatNobodyWatchesAndWhatTheBrokerDoesNotTake: it says so where it is so, and not where all is well.
func TestStatusSaysThatNobodyWatchesAndWhatTheBrokerDoesNotTake(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	settings := s.Settings()
	settings["FOOTBRIDGE_NATS_URL"] = s.NATS
	status := func() string {
		out, code := system.Run(t, s.StateDir, settings, "status")
		if code != 0 {
			t.Fatalf("status ended with %d:\n%s", code, out)
		}
		return out
	}
	system.Eventually(t, func() error {
		var until time.Time // the first look of the sentinel may still be under way
		return s.Admin().QueryRow(t.Context(),
			`select until from journey.sentinel_lease where holder <> ''`).Scan(&until)
	})
	if out := status(); !strings.HasPrefix(out, "journeys without a next step in time: 0\n") ||
		strings.Contains(out, "no sentinel") || strings.Contains(out, "does not take") {
		t.Errorf("while all is well:\n%s", out)
	}
	away := regexp.MustCompile(`(?m)^footbridge_sentinel_away\S* (\S+)$`)
	if shown := away.FindSubmatch(s.Metrics()); shown == nil || string(shown[1]) != "0" {
		t.Errorf("while a sentinel looks, the figure is %q", shown)
	}
	system.Eventually(t, func() error { return heartbeat(s, http.StatusOK) })
	for _, statement := range []string{
		`revoke update on journey.sentinel_lease from footbridge_journey`, // nobody can take it again
		`update journey.sentinel_lease set until = 'epoch', looked_at = 'epoch'`,
		`insert into journey.outbox_writer (id, beats, closed, owner, synced_upto) values (4711, 1, true, 4711, 0)`,
	} {
		if _, err := s.Admin().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Admin().Exec(t.Context(), `insert into journey.outbox (id, writer, n, subject, payload)
		values ($1, 4711, 1, 'footbridge.fault.large.v1.x', repeat('x', 9000000))`,
		clock.NewID(time.Now())); err != nil {
		t.Fatal(err)
	}
	if shown := away.FindSubmatch(s.Metrics()); shown == nil || string(shown[1]) == "0" {
		t.Errorf("while none looks, the figure is %q", shown)
	}
	system.Eventually(t, func() error { return heartbeat(s, http.StatusServiceUnavailable) })
	out := status()
	for _, want := range []string{"no sentinel runs", "events that the broker does not take: 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("status does not say %q:\n%s", want, out)
		}
	}
}

// heartbeat holds what whoever asks from outside is answered against what they should be.
func heartbeat(s *system.System, want int) error {
	answer, err := http.Get("http://" + s.Ops + "/heartbeat")
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != want {
		return fmt.Errorf("GET /heartbeat answers %d, not %d", answer.StatusCode, want)
	}
	return nil
}

// TestStatusAndDoctorCountAndNameWhatIsPlacedWithNobody: before it is placed, no more once it is, and again when that
// is undone.
func TestStatusAndDoctorCountAndNameWhatIsPlacedWithNobody(t *testing.T) {
	t.Parallel()
	o := &openToNobody{system.Start(t), t}
	const counted = "facilities that belong to no agreed organisation: 1"
	expect := func(when string, unplaced bool) {
		t.Helper()
		for _, command := range []string{"status", "doctor"} {
			out, _ := system.Run(t, o.StateDir, o.Settings(), command)
			named := strings.Contains(out, counted) && strings.Contains(out, "facility RVV of sender") &&
				strings.Contains(out, "1 journeys are RXX's to place")
			if named != unplaced || strings.Contains(out, "no agreed organisation") != unplaced {
				t.Errorf("%s, %s:\n%s", when, command, out)
			}
		}
	}
	expect("while all is agreed", false)
	client := o.Dial()
	for _, message := range birds(t)[0].hl7Visit(time.Now(), "UNPLACED") {
		o.Send(client, []byte(strings.Replace(string(message), "|CANARY|RXX|", "|CANARY|RVV|", 1)))
	}
	o.Resolve()
	expect("from where nobody has agreed", true)
	o.staff("/api/facilities/RVV/place", `{"organisation":"RXX"}`)
	expect("placed", false)
	o.staff("/api/facilities/RVV/unplace", `{"reason":"it is another hospital's site"}`)
	expect("taken back", true)
}
