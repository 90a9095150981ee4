package journeys

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/operations"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// stands asks a running system how it stands.
func stands(s *system.System) (r operations.Report, err error) {
	answer := s.Ask(schemas.Operator, http.MethodGet, "/api/operations?charts=true", "", nil)
	if answer.Status != http.StatusOK {
		return r, fmt.Errorf("GET /api/operations answered %d %s", answer.Status, answer.Body)
	}
	return r, json.Unmarshal(answer.Body, &r)
}

// alarmed says whether the alert of a figure is as it should be.
func alarmed(s *system.System, figure string, want bool) error {
	r, err := stands(s)
	if err != nil {
		return err
	}
	for _, a := range r.Alerts {
		if a.Words != operations.KindOf(figure).Words {
			continue
		}
		if a.Active != want || a.Unknown {
			return fmt.Errorf("%s is active: %v, not known: %v", figure, a.Active, a.Unknown)
		}
		return nil
	}
	return fmt.Errorf("there is no alert of %s", figure)
}

// stopped is a fault as rows have it, and how it ends.
type stopped struct {
	figure      string
	begin, mend []string
}

func plantedFaults(now time.Time) []stopped {
	letter, partner, endpoint := clock.NewID(now), clock.NewRandomID(), clock.NewRandomID()
	past := func(ago time.Duration) string { return "'" + now.Add(-ago).UTC().Format(time.RFC3339) + "'" }
	return []stopped{
		{operations.DeadLetters, []string{`insert into followup.letter (event_id, type, journey, subject, headers,
			payload,
			reason, state, tries, next_try_at, since) values ('` + letter + `',
			'care.footbridge.consent.given.v1', '` + letter +
			`', '', '', 'x', 'no such offer', 'dead', 8, ` +
			past(0) + `, ` + past(time.Hour) + `)`}, nil}, // mended by redriving
		{operations.EndpointsFailing, []string{`insert into delivery.subscription (id, partner, url, types, state,
			because,
			secret, taken, failing_at, next_at, created_at) values ('` + endpoint + `', '` + partner +
			`', 'https://partner.example/hook', '{}', 'off', 'gone', '', 0, ` + past(3*time.Hour) + `, 'infinity', ` +
			past(24*time.Hour) + `)`}, []string{`update delivery.subscription set state = 'ended'`}},
		{operations.MailStopped, []string{`update delivery.mail_channel set failures = 3, since = ` + past(time.Hour) +
			`, because = 'no-connection', rests = ` + past(-time.Hour)},
			[]string{`update delivery.mail_channel set failures = 0, since = null, because = '', rests = 'epoch'`}},
		{operations.ChannelDown, []string{`insert into bridging.channel_down (channel, since) values ('email', ` +
			past(time.Hour) + `)`}, []string{`delete from bridging.channel_down`}},
		{operations.FeedsSilent, []string{`insert into intake.feed_hour (organisation, sender, hour, messages, ends,
			triggers, unknown, last_at) select 'RXX', 'PLANTED', date_trunc('hour', at), 50, 0, 0, 0, at
			from generate_series(` +
			past(240*time.Hour) + `::timestamptz, ` + past(48*time.Hour) + `, interval '1 hour') as at`},
			[]string{`delete from intake.feed_hour where sender = 'PLANTED'`}},
		{operations.SentinelAway, []string{`revoke update on journey.sentinel_lease from footbridge_journey`,
			`update journey.sentinel_lease set until = ` + past(time.Hour) + `, looked_at = ` + past(time.Hour)},
			[]string{`grant update (holder, until, looked_at) on journey.sentinel_lease to footbridge_journey`}},
	}
}

// TestWhatStopsIsSaidWithinAMinuteAndNoMoreAfterwards: on a running system, by the figures that the page, status and
// the API share. Each planted fault turns its figure red, and mending it turns it back.
func TestWhatStopsIsSaidWithinAMinuteAndNoMoreAfterwards(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	execute := func(statements []string) {
		for _, one := range statements {
			if _, err := s.Admin().Exec(t.Context(), one); err != nil {
				t.Fatalf("%v: %s", err, one)
			}
		}
	}
	faults := plantedFaults(time.Now())
	for _, f := range faults {
		system.Eventually(t, func() error { return alarmed(s, f.figure, false) })
		execute(f.begin)
		system.Eventually(t, func() error { return alarmed(s, f.figure, true) })
	}
	out, code := system.Run(t, s.StateDir, s.Settings(), "status")
	for _, f := range faults {
		words := operations.KindOf(f.figure).Words
		if code != 0 || !strings.Contains(strings.ToLower(out), strings.ToLower(words)) {
			t.Errorf("status ended with %d and does not say %q:\n%s", code, words, out)
		}
	}
	redriveAll(t, s)
	for _, f := range faults {
		execute(f.mend)
		system.Eventually(t, func() error { return alarmed(s, f.figure, false) })
	}
	inVoid(t, s, execute)
	r, err := stands(s)
	if err != nil || len(r.Hours) == 0 || len(r.Days) == 0 {
		t.Errorf("nothing was kept for the charts: %v", err)
	}
}

// inVoid lets the step of somebody go past its time and its grace, and then has somebody take hold: the figure, its
// alert and the metric that Prometheus reads say so, and no more.
func inVoid(t *testing.T, s *system.System, execute func([]string)) {
	t.Helper()
	p := &player{t: t, System: s, scenario: Scenario{Person: Person{Age: 34}}, now: time.Now(), sender: "INVOID",
		number: 1}
	p.act(0, Act{ADT: "A03", At: "-1h", Reason: "248062006^Self-harm^SCT"})
	s.Resolve()
	shown := func(want bool) error {
		for _, name := range []string{"footbridge_void_journeys", "footbridge_void_age_seconds"} {
			value := regexp.MustCompile(`(?m)^` + name + `\{.*\} (\S+)$`).FindSubmatch(s.Metrics())
			if value == nil || (string(value[1]) != "0") != want {
				return fmt.Errorf("%s is %s", name, value)
			}
		}
		return alarmed(s, operations.WithoutStep, want)
	}
	system.Eventually(t, func() error { return shown(false) })
	for _, c := range []struct {
		due  string
		void bool
	}{{"now() - interval '5 hours'", true}, {"now() + interval '5 hours'", false}} {
		execute([]string{`update journey.step set due_at = ` + c.due + `, first_due_at = ` + c.due,
			`update journey.journey set holding_due = ` + c.due})
		system.Eventually(t, func() error { return shown(c.void) })
	}
}

// redriveAll puts every dead letter back in line over HTTP, and what cannot be applied is dismissed then.
func redriveAll(t *testing.T, s *system.System) {
	t.Helper()
	r, err := stands(s)
	if err != nil {
		t.Fatal(err)
	}
	line := r.Of(operations.DeadLetters)[0].Lines[0]
	body := []byte(`{"service":"` + line.Service + `","id":"` + line.ID + `"}`)
	for role, want := range map[schemas.Role]int{schemas.Navigator: http.StatusForbidden,
		schemas.Operator: http.StatusOK} {
		if got := s.Ask(role, http.MethodPost, "/api/operations/redrive", typeJSON, body); got.Status != want {
			t.Errorf("%s is answered %d %s", role, got.Status, got.Body)
		}
	}
	var by string
	if err := s.Admin().QueryRow(t.Context(), `select role || ' ' || by from followup.letter_redriven
		where event_id = $1::text::uuid`, line.ID).Scan(&by); err != nil || !strings.HasPrefix(by, "operator ") {
		t.Errorf("kept as redriven by %q: %v", by, err)
	}
	if _, err := s.Admin().Exec(t.Context(), `update followup.letter set state = 'dismissed'`); err != nil {
		t.Fatal(err)
	}
}
