package intake

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

var caller = principal.Principal{Organisation: "RXX", Role: string(schemas.Caller), Subject: "caller"}

// A caller reads whom they ring by their own claim alone, until its end or any outcome, under a yes that covers their
// organisation, and never while contact is stopped, held or hidden.
func TestACallerReadsWhomTheyRingUntilTheOutcomeAlone(t *testing.T) {
	t.Parallel()
	const call = "33333333-3333-4333-8333-333333333333"
	path := "/api/calls/" + call + "/person"
	type when struct {
		p               *process
		journey, person string
	}
	claim := func(p *process, t *testing.T, journey string, sequence int64, until time.Time) {
		p.hear(t, offerEvent(t, journey, schemas.CallClaimed, sequence, p.clock.Now(),
			schemas.CallClaimedData{Call: call, Organisation: "RXX", Holder: caller.Mark(), Until: until}))
	}
	say := func(typ schemas.Type, data any) func(*testing.T, when) {
		return func(t *testing.T, w when) { w.p.hear(t, offerEvent(t, w.journey, typ, 6, w.p.clock.Now(), data)) }
	}
	staff := func(path, body string) func(*testing.T, when) {
		return func(t *testing.T, w when) {
			path := strings.NewReplacer("JOURNEY", w.journey, "PERSON", w.person).Replace(path)
			w.p.must(t, http.StatusOK, guide, "POST", path, body)
		}
	}
	for name, tc := range map[string]struct {
		do    func(*testing.T, when)
		reads bool
	}{
		"nothing more":  {func(*testing.T, when) {}, true},
		"reached":       {say(schemas.CallReached, schemas.CallReachedData{Call: call}), false},
		"unanswered":    {say(schemas.CallUnanswered, schemas.CallUnansweredData{Call: call}), false},
		"somebody else": {say(schemas.CallOtherPerson, schemas.CallOtherPersonData{Call: call}), false},
		"not made":      {say(schemas.CallNotMade, schemas.CallNotMadeData{Call: call}), false},
		"asked to stop": {say(schemas.AskedToStop, schemas.AskedToStopData{Call: call}), false},
		"another call's": {say(schemas.CallReached,
			schemas.CallReachedData{Call: "44444444-3333-4333-8333-333333333333"}), true},
		"held": {func(t *testing.T, w when) {
			w.p.hear(t, turned(w.journey, schemas.JourneyHeld, 7, w.p.clock.Now()))
		}, false},
		"contact stopped": {staff("/api/people/PERSON/contact-stopped", `{"reason":"asked for"}`), false},
		"a no to calls": {staff("/api/journeys/JOURNEY/consent",
			`{"answers":[{"purpose":"bridging","state":"declined"}]}`), false},
		"a no to this team": {staff("/api/journeys/JOURNEY/consent",
			`{"answers":[{"purpose":"bridging","organisation":"RXX","state":"declined"}]}`), false},
		"a no to something else": {staff("/api/journeys/JOURNEY/consent",
			`{"answers":[{"purpose":"follow-up","state":"declined"}]}`), true},
		"its time is over": {func(t *testing.T, w when) {
			claim(w.p, t, w.journey, 7, w.p.clock.Now().Add(-time.Second))
		}, false},
		"somebody else's now": {say(schemas.CallClaimed, schemas.CallClaimedData{Call: call, Organisation: "RXX",
			Holder: "0000000000000000", Until: time.Now().AddDate(1, 0, 0)}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
			claim(p, t, journey, 5, p.clock.Now().Add(time.Hour))
			p.must(t, http.StatusNotFound, caller, "GET", path, "") // no yes
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
				`{"answers":[{"purpose":"bridging","state":"given"}],"how":"spoken"}`)
			if text := p.must(t, http.StatusOK, caller, "GET", path, ""); strings.Contains(text, person) ||
				strings.Contains(text, "birthDate") {
				t.Errorf("a caller reads %s", text)
			}
			another := caller
			another.Subject = "another"
			p.must(t, http.StatusNotFound, another, "GET", path, "")
			p.must(t, http.StatusNotFound, principal.Principal{Organisation: ours.Organisation, Role: ours.Role,
				Subject: "caller"}, "GET", path, "")
			// the journey's own path is none of theirs
			p.must(t, http.StatusForbidden, caller, "GET", "/api/journeys/"+journey+"/identity", "")
			tc.do(t, when{p, journey, person})
			want := http.StatusNotFound
			if tc.reads {
				want = http.StatusOK
			}
			p.must(t, want, caller, "GET", path, "")
			claim(p, t, journey, 5, p.clock.Now().Add(time.Hour)) // the same claim again opens nothing
			p.must(t, want, caller, "GET", path, "")
		})
	}
}

// A partner's caller reads whom they ring under its agreement, and not a day longer.
func TestAPartnersCallerReadsUnderItsAgreementAlone(t *testing.T) {
	t.Parallel()
	const call = "33333333-3333-4333-8333-333333333333"
	peer := principal.Principal{Organisation: ours.Organisation, Role: string(schemas.Caller), Subject: "peer"}
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent", `{"answers":[{"purpose":"bridging",
		"organisation":"`+ours.Organisation+`","state":"given"}],"how":"spoken"}`)
	now := p.clock.Now()
	p.hear(t, offerEvent(t, journey, schemas.CallClaimed, 5, now, schemas.CallClaimedData{Call: call,
		Organisation: ours.Organisation, Holder: peer.Mark(), Until: now.Add(time.Hour)}))
	for i, tc := range []struct{ first, last, want int }{{-1, 30, http.StatusOK}, {-1, 0, http.StatusOK},
		{-30, -1, http.StatusNotFound}, {1, 30, http.StatusNotFound}} {
		day := func(days int) string { return now.In(time.UTC).AddDate(0, 0, days).Format(time.DateOnly) }
		p.hear(t, offerEvent(t, offerID("9"), schemas.PartnerChanged, int64(i+1), now, schemas.PartnerChangedData{
			Partner: ours.Organisation, AgreementFrom: day(tc.first), AgreementUntil: day(tc.last)}))
		p.must(t, tc.want, peer, "GET", "/api/calls/"+call+"/person", "")
	}
}

func readJSON[T any](t testing.TB, text string) (read T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// What is said on the telephone is kept as what it is: the person's stop is their no to calls, with giver and time,
// told to all who act on it; another's is no answer of theirs. A number that another answers is not used, by anybody,
// until somebody has recorded how to reach the person. Any order, any repetition and what was said since end in the
// same.
func TestWhatIsSaidOnTheTelephoneIsKeptAsWhatItIs(t *testing.T) {
	t.Parallel()
	const call = "33333333-3333-4333-8333-333333333333"
	type state struct{ calls, giver, contact string }
	const yes = `{"answers":[{"purpose":"bridging","state":"given"}],"how":"spoken"}`
	const card = `{"channels":[{"channel":"phone","value":"07700 900131","confirmed":true},{"channel":"text","value":"+447700900131","confirmed":true},
		{"channel":"email","value":"a@example.org","confirmed":true}]}`
	type heard struct {
		*process
		journey string
	}
	say := func(typ schemas.Type, data func(s heard) any) func(*testing.T, heard) {
		return func(t *testing.T, s heard) { s.hear(t, offerEvent(t, s.journey, typ, 6, s.clock.Now(), data(s))) }
	}
	stop := func(by string, ago time.Duration) func(*testing.T, heard) {
		return say(schemas.AskedToStop,
			func(s heard) any { return schemas.AskedToStopData{Call: call, By: by, At: s.clock.Now().Add(-ago)} })
	}
	other := func(navigator bool) func(*testing.T, heard) {
		return say(schemas.CallOtherPerson,
			func(heard) any { return schemas.CallOtherPersonData{Call: call, Navigator: navigator} })
	}
	post := func(path, body string) func(*testing.T, heard) {
		return func(t *testing.T, s heard) {
			s.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+s.journey+path, body)
		}
	}
	all, mail := "phone,text,email", "email"
	for name, tc := range map[string]struct {
		do   []func(*testing.T, heard)
		want state
	}{
		"they said stop": {[]func(*testing.T, heard){stop(schemas.StoppedByPerson, 0)},
			state{"withdrawn", "person", all}},
		"twice, and a yes since": {[]func(*testing.T, heard){stop(schemas.StoppedByPerson, time.Minute),
			post("/consent", yes), stop(schemas.StoppedByPerson, time.Minute)}, state{"given", "person", all}},
		"written down after a yes": {[]func(*testing.T, heard){post("/consent", yes),
			stop(schemas.StoppedByPerson, time.Minute)}, state{"given", "person", all}},
		"another said stop": {[]func(*testing.T, heard){stop(schemas.StoppedByOther, 0)},
			state{"given", "person", all}},
		"somebody else, once":  {[]func(*testing.T, heard){other(false)}, state{"given", "person", all}},
		"somebody else, twice": {[]func(*testing.T, heard){other(true)}, state{"given", "person", mail}},
		"a wrong number": {[]func(*testing.T, heard){say(schemas.CallUnanswered, func(heard) any {
			return schemas.CallUnansweredData{Call: call, Why: schemas.WrongNumber, Navigator: true}
		})}, state{"given", "person", mail}},
		"nobody answers, twice": {[]func(*testing.T,
			heard){say(schemas.CallUnanswered,
			func(heard) any { return schemas.CallUnansweredData{Call: call, Why: schemas.NoAnswer, Navigator: true} })},
			state{"given", "person", all}},
		"asked since": {[]func(*testing.T, heard){other(true), post("/contact", card)},
			state{"given", "person", all}},
		"asked since, and said again": {[]func(*testing.T, heard){other(true), post("/contact", card), other(true)},
			state{"given", "person", all}},
		"other things since": {[]func(*testing.T, heard){other(true),
			post("/contact", `{"needs":["quiet-place"]}`)}, state{"given", "person", mail}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here := newSite(t)
			at := &clock.Shifted{}
			at.Set(time.Until(evening))
			here.clock = at
			p := here.start()
			journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
			s := heard{p, journey}
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
				strings.Replace(yes, `"how"`, `"giver":"person","how"`, 1))
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/contact", card)
			at.Set(at.Offset() + 10*time.Minute)
			for _, do := range tc.do {
				do(t, s)
				p.run(t, p.clock.Now(), p.applySaidOnCalls)
				p.run(t, p.clock.Now(), p.applySaidOnCalls)
			}
			answers := readJSON[struct{ Consent []consentShown }](t,
				p.must(t, http.StatusOK, liaison, "GET", "/api/journeys/"+journey+"/consent", ""))
			var got state
			for _, a := range answers.Consent {
				if a.Purpose == schemas.PurposeBridging {
					got.calls, got.giver = string(a.State), a.Giver
				}
			}
			p.hear(t, offerEvent(t, journey, schemas.CallClaimed, 9, p.clock.Now(),
				schemas.CallClaimedData{Call: call, Organisation: "RXX", Holder: caller.Mark(),
					Until: p.clock.Now().Add(time.Hour)}))
			if got.calls == "given" {
				var ways []string
				for _, one := range readJSON[callPerson](t,
					p.must(t, http.StatusOK, caller, "GET", "/api/calls/"+call+"/person", "")).Contact {
					ways = append(ways, one.Channel)
				}
				got.contact = strings.Join(ways, ",")
			} else {
				got.contact = all
				p.must(t, http.StatusNotFound, caller, "GET", "/api/calls/"+call+"/person", "")
			}
			if got != tc.want {
				t.Errorf("kept as %+v, want %+v", got, tc.want)
			}
		})
	}
}
