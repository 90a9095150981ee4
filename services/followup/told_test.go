package followup

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// toldOf is what was said last of a partner, and how often.
func (s *site) toldOf(partner string) (last schemas.PartnerChangedData, times int) {
	s.t.Helper()
	s.due()
	rows, err := s.pool.Query(s.t.Context(), `select payload from outbox where subject like '%.' || $1 order by n`,
		partner)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	before := int64(0)
	for rows.Next() {
		var payload []byte
		if err := rows.Scan(&payload); err != nil {
			s.t.Fatal(err)
		}
		e, err := flow.Unmarshal(payload)
		if err != nil {
			s.t.Fatal(err)
		}
		if at := flow.ReadSequence(e.Sequence); at <= before {
			s.t.Errorf("said with sequence %d after %d", at, before)
		} else {
			before = at
		}
		last = schemas.PartnerChangedData{}
		if err := json.Unmarshal(e.Data, &last); err != nil {
			s.t.Fatal(err)
		}
		if faults := schemas.Validate(last); len(faults) > 0 {
			s.t.Error(faults)
		}
		times++
	}
	return last, times
}

// Whoever keeps to a partner's agreement, pause and holidays, and to going live, is told of each change once, with all
// that stands; a start of the process that changes nothing says nothing.
func TestWhatChangesOfAPartnerIsToldToWhoeverKeepsToIt(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	today := calendar.DayOf(now, london(t))
	day := func(days int) string { return (today + calendar.Day(days)).String() }
	want := schemas.PartnerChangedData{Partner: partnerA, AgreementFrom: day(-10), AgreementUntil: day(300)}
	is := func(what string, times int) {
		t.Helper()
		if got, n := s.toldOf(partnerA); !reflect.DeepEqual(got, want) || n != times {
			t.Errorf("%s: %d times %+v", what, n, got)
		}
	}
	is("at the beginning", 1)
	path := "/api/partners/" + partnerA
	s.ask(aNavigator, "PUT", path+"/agreement", `{"from":"`+day(-10)+`","until":"`+day(5)+
		`","outwardName":"A","safeguarding":"The desk, 01632 960 000"}`, 200)
	want.AgreementUntil = day(5)
	is("an agreement that ends sooner", 2)
	s.ask(peer(partnerA), "PUT", path+"/pause", `{"until":"`+day(3)+`"}`, 200)
	want.PausedUntil = day(3)
	is("a pause", 3)
	s.ask(peer(partnerA), "PUT", path+"/holidays", `{"holidays":[{"from":"`+day(-9)+`","until":"`+day(-8)+
		`"},{"from":"`+day(7)+`","until":"`+day(9)+`"}]}`, 200)
	want.Away = []schemas.AwayDays{{From: day(7), Until: day(9)}}
	is("holidays", 4)
	live := "/api/organisations/RXX/going-live"
	rests := `"safetyOfficer":"a","hazardLog":"1","dpia":"2","caldicott":"3"`
	s.ask(aNavigator, "POST", live, `{`+rests+`}`, 202)
	s.ask(another, "POST", live, `{"confirm":true,`+rests+`}`, 200)
	want.Live = []string{"RXX"}
	is("sending is on", 5)
	s.ask(aNavigator, "DELETE", live, "", 200)
	want.Live = nil
	is("sending is off", 6)
	is("nothing more", 6)
}

// Whoever keeps to a partner's terms is told all of them, however many: of every holiday that is kept, and of every
// organisation that is live. What is more than one event says is refused to whoever asks for it, and never left out.
func TestEveryHolidayAndEveryOrganisationThatIsLiveIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	today := calendar.DayOf(now, london(t))
	holidays := make([]string, mostHolidays)
	for i := range holidays {
		day := (today + calendar.Day(2*i+1)).String()
		holidays[i] = fmt.Sprintf(`{"from":%q,"until":%q}`, day, day)
	}
	put := func(status int, holidays ...string) {
		t.Helper()
		s.ask(peer(partnerA), "PUT", "/api/partners/"+partnerA+"/holidays",
			`{"holidays":[`+strings.Join(holidays, ",")+`]}`, status)
	}
	put(200, holidays...)
	put(422, append(holidays, holidays[0])...)
	live := func(n int) {
		t.Helper()
		if _, err := s.pool.Exec(t.Context(), `insert into live (organisation, safety_officer, hazard_log, dpia,
			caldicott, asked_by, asked_at, confirmed_by, confirmed_at)
			select 'R' || lpad(i::text, 4, '0'), 'a', '1', '2', '3', 'x', $2, 'y', $2 from generate_series(1, $1) i
			on conflict do nothing`, n, now); err != nil {
			t.Fatal(err)
		}
	}
	rests := `"safetyOfficer":"a","hazardLog":"1","dpia":"2","caldicott":"3"`
	goLive := func(organisation string, status int) {
		t.Helper()
		path := "/api/organisations/" + organisation + "/going-live"
		s.ask(aNavigator, "POST", path, `{`+rests+`}`, 202)
		s.ask(another, "POST", path, `{"confirm":true,`+rests+`}`, status)
	}
	live(60)
	goLive("RXX", 200)
	got, _ := s.toldOf(partnerA)
	if len(got.Live) != 61 || !slices.Contains(got.Live, "RXX") || len(got.Away) != mostHolidays {
		t.Errorf("told of %d organisations and %d holidays", len(got.Live), len(got.Away))
	}
	live(mostLive - 2) // with RXX one is left
	s.ask(aNavigator, "DELETE", "/api/organisations/RXX/going-live", "", 200)
	goLive("RXX", 200)
	live(mostLive - 1)
	s.ask(aNavigator, "PUT", "/api/partners/"+partnerA+"/holidays", `{"holidays":[]}`, 200)
	if got, _ := s.toldOf(partnerA); len(got.Live) != mostLive {
		t.Errorf("told of %d organisations", len(got.Live))
	}
	s.ask(aNavigator, "DELETE", "/api/organisations/RXX/going-live", "", 200)
	live(mostLive)
	goLive("RXX", 409)
}
