package intake

import (
	"net/http"
	"strings"
	"testing"
	"time"

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
		p.hear(t, offerEvent(t, journey, schemas.CallClaimed, sequence, p.clock.Now(), schemas.CallClaimedData{Call: call, Organisation: "RXX", Holder: caller.Mark(), Until: until}))
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
		"nothing more":           {func(*testing.T, when) {}, true},
		"reached":                {say(schemas.CallReached, schemas.CallReachedData{Call: call}), false},
		"unanswered":             {say(schemas.CallUnanswered, schemas.CallUnansweredData{Call: call}), false},
		"somebody else":          {say(schemas.CallOtherPerson, schemas.CallOtherPersonData{Call: call}), false},
		"not made":               {say(schemas.CallNotMade, schemas.CallNotMadeData{Call: call}), false},
		"asked to stop":          {say(schemas.AskedToStop, schemas.AskedToStopData{Call: call}), false},
		"another call's":         {say(schemas.CallReached, schemas.CallReachedData{Call: "44444444-3333-4333-8333-333333333333"}), true},
		"held":                   {func(t *testing.T, w when) { w.p.hear(t, turned(w.journey, schemas.JourneyHeld, 7, w.p.clock.Now())) }, false},
		"contact stopped":        {staff("/api/people/PERSON/contact-stopped", `{"reason":"asked for"}`), false},
		"a no to calls":          {staff("/api/journeys/JOURNEY/consent", `{"answers":[{"purpose":"bridging","state":"declined"}]}`), false},
		"a no to this team":      {staff("/api/journeys/JOURNEY/consent", `{"answers":[{"purpose":"bridging","organisation":"RXX","state":"declined"}]}`), false},
		"a no to something else": {staff("/api/journeys/JOURNEY/consent", `{"answers":[{"purpose":"follow-up","state":"declined"}]}`), true},
		"its time is over":       {func(t *testing.T, w when) { claim(w.p, t, w.journey, 7, w.p.clock.Now().Add(-time.Second)) }, false},
		"somebody else's now":    {say(schemas.CallClaimed, schemas.CallClaimedData{Call: call, Organisation: "RXX", Holder: "0000000000000000", Until: time.Now().AddDate(1, 0, 0)}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
			claim(p, t, journey, 5, p.clock.Now().Add(time.Hour))
			p.must(t, http.StatusNotFound, caller, "GET", path, "") // no yes
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent", `{"answers":[{"purpose":"bridging","state":"given"}],"how":"spoken"}`)
			if text := p.must(t, http.StatusOK, caller, "GET", path, ""); strings.Contains(text, person) || strings.Contains(text, "birthDate") {
				t.Errorf("a caller reads %s", text)
			}
			another := caller
			another.Subject = "another"
			p.must(t, http.StatusNotFound, another, "GET", path, "")
			p.must(t, http.StatusNotFound, principal.Principal{Organisation: ours.Organisation, Role: ours.Role, Subject: "caller"}, "GET", path, "")
			p.must(t, http.StatusForbidden, caller, "GET", "/api/journeys/"+journey+"/identity", "") // the journey's own path is none of theirs
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
