package intake

import (
	"net/http"
	"testing"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// hoursOn is in which hours a journey was told last that the person may be rung, and how often it was told.
func (p *process) hoursOn(t testing.TB, journey string) (last schemas.ContactHours, told int) {
	t.Helper()
	for _, e := range p.eventsOf(t, journey, schemas.PreferencesChanged) {
		d, err := flow.Decode[schemas.PreferencesChangedData](e)
		if err != nil {
			t.Fatal(err)
		}
		if d.Hours != nil {
			last, told = *d.Hours, told+1
		}
	}
	return last, told
}

// The hours in which a telephone is safe are told on every journey of the person: when they are recorded, changed or
// taken back, when a journey begins, and when a human confirms a merge or undoes it; and never across a merge that
// nobody confirmed.
func TestTheHoursInWhichThePersonMayBeRungAreToldOnEveryJourney(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	one, a := p.discharge(t, "V1", "L1", "1990-04-01")
	two, b := p.discharge(t, "V2", "L2", "1990-04-01")
	record := func(channels string) {
		t.Helper()
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+one+"/contact", `{"channels":[`+channels+`]}`)
	}
	expectHours := func(when, journey string, from, until, times int) {
		t.Helper()
		want := schemas.ContactHours{FromHour: from, ToHour: until}
		if got, told := p.hoursOn(t, journey); got != want || told != times {
			t.Errorf("%s: told %v, %d times; want %d to %d, %d times", when, got, told, from, until, times)
		}
	}
	const phone = `{"channel":"phone","value":"07700 900001","confirmed":true`
	record(phone + `}`)
	expectHours("none named", one, 0, 0, 0)
	record(phone + `,"fromHour":18,"toHour":20}`)
	record(`{"channel":"email","value":"rowan@example.org","confirmed":true},` + phone + `,"fromHour":18,"toHour":20}`)
	expectHours("recorded, and the same again", one, 18, 20, 1)
	merge := func(path, confirm string) {
		t.Helper()
		p.must(t, http.StatusOK, guide, "POST", "/api/people/"+b+path, `{"other":"`+a+`","reason":"compared"`+confirm+
			`}`)
	}
	merge("/merge", "")
	expectHours("merged, and not confirmed", two, 0, 0, 0)
	merge("/merge", `,"confirm":true`)
	expectHours("confirmed", two, 18, 20, 1)
	merge("/unmerge", "")
	expectHours("parted", two, 0, 0, 2)
	p.close(t, one)
	three, _ := p.discharge(t, "V3", "L1", "1990-04-01")
	expectHours("a journey that begins later", three, 18, 20, 1)
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+three+"/contact", `{"channels":[`+phone+`}]}`)
	expectHours("taken back", three, 0, 0, 2)
}

// A card that was written before its hours stood beside it is opened once, and every open journey told; one
// without hours is told of to nobody.
func TestTheHoursOfACardWrittenBeforeAreToldOnce(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	one, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	two, _ := p.discharge(t, "V2", "L1", "1990-04-01")
	none, _ := p.discharge(t, "V3", "L3", "1991-04-01")
	record := func(journey, hours string) {
		t.Helper()
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/contact",
			`{"channels":[{"channel":"phone","value":"07700 900001","confirmed":true`+hours+`}]}`)
	}
	p.run(t, p.clock.Now(), p.readHours)
	record(one, `,"fromHour":18,"toHour":20`)
	record(none, ``)
	before := func(times int) {
		t.Helper()
		for _, journey := range []string{one, two} {
			if got, told := p.hoursOn(t, journey); got.FromHour != 18 || got.ToHour != 20 || told != times {
				t.Errorf("told %v, %d times; want %d", got, told, times)
			}
		}
	}
	before(1)
	if _, err := p.site.db.Admin().Exec(t.Context(), `update intake.contact_card set hours_read = false, ring_from = 0,
		ring_until = 0`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.run(t, p.clock.Now(), p.readHours)
	}
	if n := p.count(t, `select count(*) from intake.contact_card where not hours_read`); n != 0 {
		t.Errorf("%d cards were not opened", n)
	}
	before(2)
	if got, told := p.hoursOn(t, none); told != 0 {
		t.Errorf("where none were named: %v, %d times", got, told)
	}
	record(one, `,"fromHour":18,"toHour":20`)
	before(2)
}
