package intake

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
)

// TestOneBadRowStopsOnlyItselfInEveryLoop plants, for each of intake's loops about people and visits, a row that cannot
// be read beside a sound one: the sound one is done, and intake stays ready.
func TestOneBadRowStopsOnlyItselfInEveryLoop(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.start()
	comer := func(visit, local, given, born string) (journey, person string) {
		t.Helper()
		status, body := p.post(t, "application/cloudevents+json", report("r-"+visit, fmt.Sprintf(
			`{"organisation":"RXX","visit":%q,"inScope":true,"leftAt":"2026-11-20T08:00:00Z",
			"person":{"localId":%q,"familyName":"Examplewood","givenName":%q,"birthDate":%q,"phone":"07700 900001"}}`,
			visit, local, given, born)))
		if status != http.StatusAccepted {
			t.Fatalf("reporting %s: %d %s", visit, status, body)
		}
		if err := s.db.Admin().QueryRow(t.Context(), `select coalesce(journey::text, ''), person::text
			from intake.visit where number = $1`, visit).Scan(&journey, &person); err != nil {
			t.Fatal(err)
		}
		return journey, person
	}
	pairs := map[string]string{}
	for _, name := range []string{"Robin", "Sage"} { // two records of each name
		for _, n := range []string{"1", "2"} {
			pairs[name+n], _ = comer(name+n, "L"+name+n, name, "1990-04-01")
		}
	}
	aged, sealed := map[string]string{}, map[string]string{}
	for _, name := range []string{"Ash", "Bay"} { // who turn 36 two days later
		aged[name], _ = comer(name, "L"+name, name, "1990-11-22")
	}
	for _, name := range []string{"Cedar", "Dale"} { // whose confirmed number a feed contradicts
		journey, person := comer(name, "L"+name, name, "1991-04-01")
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/contact",
			`{"channels":[{"channel":"phone","value":"07700 900099","confirmed":true}]}`)
		sealed[name] = journey
		comer(name+"-again", "L"+name, name, "1991-04-01")
		if _, err := s.db.Admin().Exec(t.Context(), `update intake.contact_card set look_at = 'epoch'
			, hours_read = false where person = $1::uuid`, person); err != nil {
			t.Fatal(err)
		}
	}
	for _, visit := range []string{"O1", "O2"} { // of no concern
		other := fmt.Sprintf(
			`{"organisation":"RXX","visit":%q,"inScope":false,"leftAt":"2026-11-20T08:00:00Z","person":{"localId":%q,"familyName":"Otherwood"}}`, visit, "L"+visit)
		if status, body := p.post(t, "application/cloudevents+json",
			report("r-"+visit, other)); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, body)
		}
	}
	p.stop()
	for _, bad := range []string{
		`update intake.visit set says = says || '{"raised": {"flags": "not a list"}}' where number = 'Robin1'`,
		`update intake.visit set says = jsonb_set(says, '{request}', '{"unverified": "perhaps"}')
			where number = 'Robin2'`,
		`update intake.visit set says = jsonb_set(says, '{raised,facts,age}', '"old"') where number = 'Ash'`,
		`update intake.contact_card set sealed = '\x00' where person = (select person from intake.visit
			where number = 'Cedar')`,
		`update intake.visit set says = jsonb_set(says, '{wasInScope}', '"perhaps"') where number = 'O1'`,
	} {
		if tag, err := s.db.Admin().Exec(t.Context(), bad); err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("%s: %v, %v", bad, tag, err)
		}
	}
	s.clock, s.due = testkit.ClockFrom(evening.AddDate(0, 0, 5)), true
	p = s.start()
	said := func(journey string, kind schemas.Type, what string) func() bool {
		return func() bool {
			for _, e := range p.eventsOf(t, journey, kind) {
				if strings.Contains(strings.ReplaceAll(string(e.Data), " ", ""), what) {
					return true
				}
			}
			return false
		}
	}
	for what, done := range map[string]func() bool{
		"possible-doubles":  said(pairs["Sage1"], schemas.DischargeCorrected, schemas.FlagPossibleDouble),
		"birthdays":         said(aged["Bay"], schemas.DischargeCorrected, `"age":36`),
		"contact-questions": said(sealed["Dale"], schemas.PreferencesChanged, `"questions":["phone"]`),
		"hours-of-old-cards": func() bool {
			return p.count(t, `select count(*) from intake.contact_card where not hours_read`) == 1
		},
		"content": func() bool {
			return p.count(t, `select count(*) from intake.message m join intake.visit v on v.id = m.visit
				where v.number = 'O2' and m.raw is not null`) == 0
		},
	} {
		testkit.Eventually(t, "beside a bad row, "+what+" does the sound one", done)
	}
	testkit.Eventually(t, "intake is ready", func() bool { return p.flow.Ready() == nil })
}

// TestAFeedThatCannotBeCountedKeepsNoOtherFromAnAlarm: one sender's hours hold a time that is none.
func TestAFeedThatCannotBeCountedKeepsNoOtherFromAnAlarm(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.profiles.Fallback.Rhythm = reading.Rhythm{Day: 20, Night: 20, Weekend: 20, QuietFor: 10 * time.Minute}
	client := p.dial(t)
	for _, sender := range []string{"EPR", "EDIS"} {
		h := newHospital()
		h.application, h.number = sender, "V-"+sender
		send(t, client, h.message("A04"))
	}
	now := p.clock.Now()
	p.watch(t, now)
	if tag, err := p.site.db.Admin().Exec(t.Context(), `update intake.feed_hour
		set last_at = 'infinity', hour = 'infinity' where sender = 'EPR'`); err != nil || tag.RowsAffected() != 1 {
		t.Fatal(tag, err)
	}
	p.watch(t, now.Add(3*time.Hour))
	if n := p.count(t, `select count(*) from intake.alarm where sender = 'EDIS' and kind = 'feed-silent'`); n != 1 {
		t.Errorf("%d alarms of the other sender", n)
	}
}
