package followup

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/ics"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// read fetches a calendar as a program does, which is nobody.
func (s *site) read(path string) (int, string) {
	s.t.Helper()
	s.mu.Lock()
	s.who = principal.Principal{Organisation: "nobody", Role: string(schemas.Guest), Subject: "guest"}
	s.mu.Unlock()
	answer, err := http.Get(s.srv.URL + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// calendar makes one for a worker, and gives the address at which it is read.
func (s *site) calendar(who principal.Principal) string {
	s.t.Helper()
	return s.ask(who, "POST", "/api/workers/me/calendar", ``, http.StatusCreated)["url"].(string)
}

// booked takes an offer on and books its session with its partner.
func (s *site) booked(at time.Time) (journey, offer, partner string) {
	s.t.Helper()
	journey = s.begins(yes(partnerA, schemas.ConsentGiven))
	offer, partner = s.brought(journey)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment",
		`{"startsAt":"`+at.Format(time.RFC3339)+`","channel":"phone"}`, 200)
	return journey, offer, partner
}

// A partner's worker has a calendar once they make one: the sessions of their organisation of the next fourteen days,
// as an offer's code and a time, and nothing that says who or whose. What is called off, also by a no, stays in it as
// cancelled; another time is another session.
func TestTheSessionsOfAPartnerAreInItsWorkersCalendarAsACodeAndATime(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	at := now.Add(3 * 24 * time.Hour)
	journey, offer, _ := s.booked(at)
	mine, others := s.calendar(peer(partnerA)), s.calendar(peer(partnerB))
	status, text := s.read(mine)
	if status != http.StatusOK || strings.Count(text, "BEGIN:VEVENT") != 1 ||
		!strings.Contains(text, "DTSTART:"+at.UTC().Format("20060102T150405Z")) ||
		!strings.Contains(text, "SUMMARY:"+ics.Code(offer)) || !strings.Contains(text, "STATUS:CONFIRMED") {
		t.Errorf("the worker's own: %d %s", status, text)
	}
	for _, secret := range []string{journey, offer, partnerA, "RXX", "phone"} {
		if strings.Contains(text, secret) {
			t.Errorf("it says %s: %s", secret, text)
		}
	}
	if status, text := s.read(others); status != http.StatusOK || strings.Contains(text, "VEVENT") {
		t.Errorf("another partner's: %d %s", status, text)
	}
	s.ask(peer(partnerA), "POST", "/api/offers/"+offer+"/appointment",
		`{"startsAt":"`+at.Add(time.Hour).Format(time.RFC3339)+`","channel":"phone"}`, 200)
	if _, text := s.read(mine); strings.Count(text, "STATUS:CANCELLED") != 1 || !strings.Contains(text, "SEQUENCE:1") ||
		strings.Count(text, "STATUS:CONFIRMED") != 1 {
		t.Errorf("at another time: %s", text)
	}
	s.hears(journey, yes("", schemas.ConsentWithdrawn))
	if _, text := s.read(mine); strings.Count(text, "STATUS:CANCELLED") != 2 || strings.Contains(text, "CONFIRMED") {
		t.Errorf("after a no: %s", text)
	}
}

// Its address is shown once, is kept as its hash alone, ends when its worker says so or makes another, and is read for
// ninety days at most; all that open nothing are answered alike. Fifteen days ahead nothing is shown.
func TestTheAddressOfASessionsCalendarEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	worker := peer(partnerA)
	s.booked(now.Add(16 * 24 * time.Hour))
	first := s.calendar(worker)
	if status, text := s.read(first); status != http.StatusOK || strings.Contains(text, "VEVENT") {
		t.Errorf("sixteen days ahead: %d %s", status, text)
	}
	second := s.calendar(worker)
	_, token, _ := strings.Cut(second, "=")
	if n := count(t, s.pool, `select count(*) from calendar where token like '%' || $1 || '%'`, token); n != 0 {
		t.Error("the token is kept")
	}
	closed := func(name, path string) {
		t.Helper()
		if status, text := s.read(path); status != http.StatusNotFound ||
			!strings.Contains(text, "There is no such calendar.") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	closed("made again", first)
	closed("nobody's", "/api/sessions.ics?token=NOBODYS")
	closed("without a token", "/api/sessions.ics")
	s.clock.to(now.Add(ics.Lasts * 24 * time.Hour))
	if status, _ := s.read(strings.ToLower(second)); status != http.StatusOK {
		t.Errorf("on its last day: %d", status)
	}
	s.clock.to(now.Add((ics.Lasts + 1) * 24 * time.Hour))
	closed("after its last day", second)
	third := s.calendar(worker)
	s.gone(worker, "/api/workers/me/calendar/revoke")
	closed("ended", third)
}

// gone sends a request that is answered by nothing.
func (s *site) gone(who principal.Principal, path string) { s.t.Helper(); s.ends(who, path, "") }

// ends sends a body that is answered by nothing.
func (s *site) ends(who principal.Principal, path, body string) {
	s.t.Helper()
	s.mu.Lock()
	s.who = who
	s.mu.Unlock()
	answer, err := http.Post(s.srv.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		s.t.Fatalf("%s answered %d", path, answer.StatusCode)
	}
}

// A worker's address ends with their access: when the gateway says that they were signed out for good, and when their
// partner's agreement is over. Nobody but the gateway can say the former, and whoever has none is not given one by it.
func TestTheAddressOfASessionsCalendarEndsWithAccess(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	s.booked(now.Add(3 * 24 * time.Hour))
	worker, colleague := peer(partnerA), peer(partnerA)
	colleague.Subject = "colleague"
	mine, theirs := s.calendar(worker), s.calendar(colleague)
	off := `{"organisation":"` + partnerA + `","role":"partner","subject":"peer","left":true}`
	open := func(when, path string, want int) {
		t.Helper()
		if status, text := s.read(path); status != want {
			t.Errorf("%s: %d %s", when, status, text)
		}
	}
	for _, who := range []principal.Principal{peer(partnerA), aNavigator,
		{Organisation: schemas.Console, Role: string(schemas.ServiceItself), Subject: schemas.Console}} {
		s.ask(who, "POST", ics.OffPath, off, http.StatusNotFound)
	}
	open("as anybody else says", mine, http.StatusOK)
	gateway := principal.Principal{Organisation: schemas.Gateway, Role: string(schemas.ServiceItself),
		Subject: schemas.Gateway}
	for range 2 {
		s.ends(gateway, ics.OffPath, off)
	}
	s.ends(gateway, ics.OffPath, strings.Replace(off, `"peer"`, `"nobody"`, 1))
	open("after they have left", mine, http.StatusNotFound)
	open("their colleague's", theirs, http.StatusOK)
	if n := count(t, s.pool, `select count(*) from calendar`); n != 2 {
		t.Errorf("%d calendars are kept", n)
	}
	today := calendar.DayOf(now, london(t))
	s.ask(aNavigator, "PUT", "/api/partners/"+partnerA+"/agreement", `{"from":"`+(today-10).String()+`","until":"`+
		(today-1).String()+`","outwardName":"Northgate","safeguarding":"a@example.org","dataContact":"b@example.org"}`,
		http.StatusOK)
	open("after the agreement", theirs, http.StatusNotFound)
}
