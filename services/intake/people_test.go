package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

var (
	liaison = principal.Principal{Organisation: "RXX", Role: string(schemas.SendingTeam), Subject: "nurse-1"}
	doctor  = principal.Principal{Organisation: "RXX", Role: string(schemas.YoungPeoplesClinician),
		Subject: "clinician-1"}
	guide    = principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "navigator-1"}
	treating = principal.Principal{Organisation: "RYY", Role: string(schemas.TreatingStaff), Subject: "doctor-1"}
	ours     = principal.Principal{Organisation: "8c4bba9e-7c82-48a1-8bbd-6fb23f09d445", Role: string(schemas.Partner),
		Subject: "peer-1"}
	theirs = principal.Principal{Organisation: "0a4bba9e-7c82-48a1-8bbd-6fb23f09d446", Role: string(schemas.Partner),
		Subject: "peer-2"}
)

// ask sends a request as somebody.
func (p *process) ask(t testing.TB, who principal.Principal, method, path, body string, headers ...string) (int,
	string) {
	t.Helper()
	mux := httpx.NewMux(httpx.Options{Clock: p.clock})
	mux.Use(principal.Require(principal.Fixed(who)))
	if err := p.Routes(mux); err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, request)
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Code, string(read)
}

func (p *process) must(t testing.TB, status int, who principal.Principal, method, path, body string,
	headers ...string) string {
	t.Helper()
	got, answer := p.ask(t, who, method, path, body, headers...)
	if got != status {
		t.Fatalf("%s %s %s: %d %s, want %d", who, method, path, got, answer, status)
	}
	return answer
}

// discharge reports one visit of one person and returns its journey and the person's reference.
func (p *process) discharge(t testing.TB, visit, local, born string) (journey, person string) {
	t.Helper()
	status, body := p.post(t, "application/cloudevents+json",
		report("r-"+visit, `{"organisation":"RXX","visit":"`+visit+`","inScope":true,"leftAt":"2026-11-20T08:00:00Z",
		"person":{"localId":"`+local+`","familyName":"Examplewood","givenName":"Rowan","birthDate":"`+born+
			`","phone":"07700 900001"}}`))
	var a eventAnswer
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusAccepted || a.Journey == "" {
		t.Fatalf("reporting a discharge: %d %s", status, body)
	}
	if err := p.site.db.Admin().QueryRow(t.Context(), `select person::text from intake.visit where journey = $1::uuid`,
		a.Journey).Scan(&person); err != nil {
		t.Fatal(err)
	}
	return a.Journey, person
}

func TestAPartnerReadsWhoSomebodyIsOnlyUnderAConsentInForceAndEveryLookIsKept(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	base, because := "/api/journeys/"+journey, "called about tonight"
	p.must(t, http.StatusNotFound, ours, "GET", base+"/identity", "")
	p.must(t, http.StatusNotFound, treating, "GET", base+"/identity", "")
	if seen := p.must(t, http.StatusOK, treating, "GET", base+"/identity", "", ReasonHeader,
		because); !strings.Contains(seen, "Examplewood") {
		t.Errorf("treating staff with a reason see %s", seen)
	}
	p.must(t, http.StatusOK, liaison, "POST", base+"/contact",
		`{"channels":[{"channel":"phone","value":"07700 900099","confirmed":true},
		{"channel":"email","value":"unsure@example.org"}],"neverTell":["an employer"],"needs":["large-print"]}`)
	answer := p.must(t, http.StatusOK, liaison, "POST", base+"/consent",
		`{"answers":[{"purpose":"follow-up","organisation":"`+ours.Organisation+
			`","state":"given"},{"purpose":"bridging","state":"declined"}],"how":"spoken","told":["what-it-is"]}`)
	if !strings.Contains(answer, `"state":"given"`) || !strings.Contains(answer, `"state":"declined"`) {
		t.Errorf("recorded %s", answer)
	}
	p.must(t, http.StatusNotFound, ours, "GET", base+"/identity", "") // a yes alone opens nothing
	p.accept(t, journey, "1", 2)
	seen := p.must(t, http.StatusOK, ours, "GET", base+"/identity", "")
	for _, hidden := range []string{"900001", "unsure@", "1990-04-01", "L1\"", person, "employer"} {
		if strings.Contains(seen, hidden) {
			t.Errorf("the partner sees %q in %s", hidden, seen)
		}
	}
	if !strings.Contains(seen, "900099") || !strings.Contains(seen, "Rowan") {
		t.Errorf("the partner sees %s", seen)
	}
	p.must(t, http.StatusNotFound, theirs, "GET", base+"/identity", "")
	p.must(t, http.StatusOK, liaison, "POST", base+"/consent", `{"answers":[{"purpose":"follow-up","organisation":"`+
		ours.Organisation+`","state":"withdrawn"}]}`)
	p.must(t, http.StatusNotFound, ours, "GET", base+"/identity", "")

	own := principal.Principal{Organisation: "self", Role: string(schemas.Person), Subject: person}
	var looks httpx.List[AccessLogEntry]
	if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, own, "GET", "/api/people/"+person+"/access", "")),
		&looks); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range slices.Backward(looks.Items) {
		lines = append(lines, strings.TrimSpace(l.Role+" "+l.Sees+" "+l.Refused+" "+l.Reason))
	}
	expect(t, lines, "partner  no-offer", "treating-staff  no-reason", "treating-staff all  called about tonight",
		"partner  no-offer", "partner partner",
		"partner  no-offer", "partner  no-offer")
	other := principal.Principal{Organisation: "self", Role: string(schemas.Person),
		Subject: "11111111-1111-4111-8111-111111111111"}
	p.must(t, http.StatusNotFound, other, "GET", "/api/people/"+person+"/access", "")
	var byJourney httpx.List[AccessLogEntry]
	if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, liaison, "GET", base+"/access", "")),
		&byJourney); err != nil || !slices.Equal(byJourney.Items, looks.Items) {
		t.Errorf("their team reads, by the journey, %+v (%v)", byJourney, err)
	}
	if _, err := p.site.db.Admin().Exec(t.Context(), `update intake.access_log set journey = $1 where id = $2`,
		clock.NewRandomID(), looks.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	if one := p.must(t, http.StatusOK, liaison, "GET", base+"/access", ""); strings.Contains(one, looks.Items[0].ID) ||
		!strings.Contains(one, looks.Items[1].ID) {
		t.Errorf("a look by another journey of theirs is not left out: %s", one)
	}
	elsewhere := liaison
	elsewhere.Organisation = "RYY"
	p.must(t, http.StatusNotFound, elsewhere, "GET", base+"/access", "")
	p.must(t, http.StatusForbidden, ours, "GET", base+"/access", "")
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "person.seen", "person.preferences-changed", "consent.given",
		"consent.declined", "person.shown", "consent.withdrawn")
	p.canariesIn(t, []string{"consent", "contact_card", "access_log", "partner_offer", "partner_person", "note",
		"idempotency", "outbox", "journey"}, "Examplewood", "900099", "unsure@", "employer", because, "large-print")
}

// canariesIn looks for what identifies somebody in the named tables.
func (p *process) canariesIn(t *testing.T, tables []string, words ...string) {
	t.Helper()
	for _, table := range tables {
		rows, err := p.site.db.Admin().Query(t.Context(), `select row_to_json(t)::text from intake.`+table+` t`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			for _, word := range words {
				if strings.Contains(row, word) || strings.Contains(row, fmt.Sprintf("%x", word)) {
					t.Errorf("table %s shows %q", table, word)
				}
			}
		}
		rows.Close()
	}
}

func TestConsentIsRecordedOnceAndRefusesWhatItShould(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	child, _ := p.discharge(t, "V2", "L2", "2014-04-01")
	path := "/api/journeys/" + journey + "/consent"
	yes := `{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken"}`
	first := p.must(t, http.StatusOK, liaison, "POST", path, yes, "Idempotency-Key", "k1")
	if again := p.must(t, http.StatusOK, liaison, "POST", path, yes, "Idempotency-Key", "k1"); again != first {
		t.Errorf("a repetition got %s, not %s", again, first)
	}
	p.must(t, http.StatusConflict, liaison, "POST", path, strings.Replace(yes, "given", "declined", 1),
		"Idempotency-Key", "k1")
	for claim, body := range map[string]string{
		"no how":              `{"answers":[{"purpose":"follow-up","state":"given"}]}`,
		"unknown purpose":     `{"answers":[{"purpose":"else","state":"given"}],"how":"spoken"}`,
		"family answers":      `{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken","giver":"family"}`,
		"nothing to withdraw": `{"answers":[{"purpose":"bridging","state":"withdrawn"}]}`,
		"nothing":             `{}`,
		"over":                `{"answers":[{"purpose":"follow-up","state":"given","until":"2020-01-01"}],"how":"spoken"}`,
	} {
		if status, answer := p.ask(t, liaison, "POST", path, body); status != http.StatusUnprocessableEntity ||
			!strings.Contains(answer, `"detail"`) {
			t.Errorf("%s: %d %s", claim, status, answer)
		}
	}
	p.must(t, http.StatusNotFound, principal.Principal{Organisation: "RZZ", Role: liaison.Role, Subject: "n"}, "POST",
		path, yes)
	p.must(t, http.StatusForbidden, ours, "POST", path, yes)

	path = "/api/journeys/" + child + "/consent"
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", path, yes)
	p.must(t, http.StatusOK, doctor, "POST", path, `{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken",
		"mayConsent":{"basis":"gillick","whosePhone":"their own","mayKnow":"a parent"}}`)
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "discharge.recorded", "consent.given", "discharge.corrected",
		"consent.given")
}

func TestWhatThePersonConfirmedIsNotOverwrittenByAMessage(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	path := "/api/journeys/" + journey + "/"
	p.must(t, http.StatusOK, guide, "POST", path+"contact",
		`{"channels":[{"channel":"phone","value":"07700 900001","confirmed":true}]}`)
	status, body := p.post(t, "application/cloudevents+json",
		report("later", `{"organisation":"RXX","visit":"V1","inScope":true,"leftAt":"2026-11-20T08:00:00Z",
		"person":{"localId":"L1","familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01","phone":"07700 900555"}}`))
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	seen := p.must(t, http.StatusOK, guide, "GET", path+"identity", "", ReasonHeader, "ringing back")
	var shown identityShown
	if err := json.Unmarshal([]byte(seen), &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown.Contact) != 1 || shown.Contact[0].Value != "07700 900001" ||
		!slices.Equal(shown.Questions, []string{"phone"}) {
		t.Errorf("shown %s", seen)
	}
	p.must(t, http.StatusUnprocessableEntity, guide, "POST", path+"contact", `{"noSafeChannel":true}`)
	p.must(t, http.StatusPreconditionFailed, guide, "POST", path+"contact",
		`{"noSafeChannel":true,"arrangement":"Tuesday at two, the library"}`, "If-Match", `"v7"`)
	p.must(t, http.StatusOK, guide, "POST", path+"contact",
		`{"noSafeChannel":true,"arrangement":"Tuesday at two, the library"}`, "If-Match", `"v1"`)
	p.must(t, http.StatusOK, guide, "POST", path+"preferences",
		`{"channels":["text"],"workerGender":"woman","words":"I work nights"}`)
	seen = p.must(t, http.StatusOK, guide, "GET", path+"identity", "", ReasonHeader, "ringing back")
	if !strings.Contains(seen, "the library") || !strings.Contains(seen, "I work nights") ||
		strings.Contains(seen, `"contact":[{`) {
		t.Errorf("shown %s", seen)
	}
	types, _ := p.outbox(t)
	if types[len(types)-1] != "information.supplied" || types[len(types)-2] != "person.preferences-changed" {
		t.Errorf("events %v", types)
	}
}

func (p *process) close(t testing.TB, journeys ...string) {
	t.Helper()
	for _, journey := range journeys {
		p.hear(t, turned(journey, schemas.JourneyClosed, 2, p.clock.Now().Add(time.Hour)))
	}
}

// turned is an event of the journey service.
func turned(journey string, typ schemas.Type, sequence int64, at time.Time) flow.Event {
	return flow.Event{ID: journey, Type: string(typ), Subject: journey, Sequence: flow.FormatSequence(sequence),
		Time: at, Data: []byte(`{}`)}
}

// closing is that the journey service closed a journey, knowing every answer that has been told on it.
func (p *process) closing(t testing.TB, journey string, sequence int64, at time.Time) flow.Event {
	t.Helper()
	e := turned(journey, schemas.JourneyClosed, sequence, at)
	var told int64
	if err := p.site.db.Admin().QueryRow(t.Context(), `select coalesce(max(told), 0) from intake.yes_told
		where journey = $1`, journey).Scan(&told); err != nil {
		t.Fatal(err)
	}
	e.Data = fmt.Appendf(nil, `{"answeredUpTo":%d}`, told)
	return e
}

// hear gives events to intake in one batch, as the bus would.
func (p *process) hear(t testing.TB, events ...flow.Event) {
	t.Helper()
	if err := p.flow.Do(t.Context(), func(tx *flow.Tx) error { return p.Handle(tx, events)(events) }); err != nil {
		t.Fatal(err)
	}
}

func TestAClosedJourneyOpensToNoPartnerUntilANewYes(t *testing.T) {
	t.Parallel()
	yes := `{"answers":[{"purpose":"follow-up","organisation":"` + ours.Organisation +
		`","state":"given"}],"how":"spoken"}`
	for name, tc := range map[string]struct {
		order [][]int // which of the events below, batch by batch
		state string
	}{
		"closed":                            {[][]int{{0}}, "closed"},
		"closed, then reopened":             {[][]int{{0}, {1}}, "open"},
		"reopened is heard first":           {[][]int{{1}, {0}}, "open"},
		"both at once":                      {[][]int{{1, 0}}, "open"},
		"held, heard after it was closed":   {[][]int{{0}, {2}}, "closed"},
		"closed twice over, and held first": {[][]int{{2}, {0}, {0}}, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
			path := "/api/journeys/" + journey + "/"
			p.must(t, http.StatusOK, liaison, "POST", path+"consent", yes)
			p.accept(t, journey, "1", 2)
			p.must(t, http.StatusOK, ours, "GET", path+"identity", "")
			at := p.clock.Now()
			events := []flow.Event{p.closing(t, journey, 3, at), turned(journey, schemas.JourneyReopened, 4,
				at.Add(time.Millisecond)),
				turned(journey, schemas.JourneyHeld, 2, at.Add(-time.Hour))}
			for _, batch := range tc.order {
				var together []flow.Event
				for _, i := range batch {
					together = append(together, events[i])
				}
				p.hear(t, together...)
			}
			if got := p.count(t, `select count(*) from intake.journey where state = '`+tc.state+`'`); got != 1 {
				t.Errorf("the journey is not %s", tc.state)
			}
			p.must(t, http.StatusNotFound, ours, "GET", path+"identity", "")
			status, _ := p.ask(t, guide, "POST", "/api/people/"+person+"/erase", `{"reason":"asked for"}`)
			if erasable := status == http.StatusAccepted; erasable != (tc.state == "closed") {
				t.Errorf("%s, and erasing answers %d", tc.state, status)
			}
			if tc.state == "open" {
				p.must(t, http.StatusOK, liaison, "POST", path+"consent", yes)
				p.accept(t, journey, "1", 2) // said again, it opens nothing
				p.must(t, http.StatusNotFound, ours, "GET", path+"identity", "")
				p.accept(t, journey, "2", 3)
				p.must(t, http.StatusOK, ours, "GET", path+"identity", "")
			}
		})
	}
}

func TestAYesGivenWhileAJourneyIsClosedOpensNothingYet(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	path := "/api/journeys/" + journey + "/"
	p.hear(t, turned(journey, schemas.JourneyClosed, 2, p.clock.Now().Add(-time.Minute)))
	p.must(t, http.StatusOK, liaison, "POST", path+"consent", `{"answers":[{"purpose":"follow-up","organisation":"`+
		ours.Organisation+`","state":"given"}],"how":"spoken"}`)
	p.must(t, http.StatusNotFound, ours, "GET", path+"identity", "")
	p.acceptKnowing(t, journey, "1", 2, 3) // the follow-up service has heard of the reopening first
	p.must(t, http.StatusNotFound, ours, "GET", path+"identity", "")
	p.hear(t, turned(journey, schemas.JourneyReopened, 3, p.clock.Now()))
	p.must(t, http.StatusOK, ours, "GET", path+"identity", "")
}

func TestSomebodyWhoComesBackAfterTheirJourneyIsClosedBeginsANewOne(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	report := func(visit string) string {
		status, body := p.post(t, "application/cloudevents+json",
			report("r-"+visit, `{"organisation":"RXX","visit":"`+visit+`","inScope":true,"leftAt":"2026-11-1`+visit[1:]+
				`T08:00:00Z",
			"person":{"nhsNumber":"9990000018","nhsNumberVerified":true,"localId":"L1","familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01"}}`))
		var a eventAnswer
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusAccepted {
			t.Fatalf("%d %s", status, body)
		}
		return a.Journey
	}
	first := report("V0")
	if joined := report("V1"); joined != first {
		t.Fatalf("while it is open, a further attendance joins it: %s, %s", first, joined)
	}
	p.hear(t, turned(first, schemas.JourneyHeld, 2, p.clock.Now()))
	if joined := report("V2"); joined != first {
		t.Fatalf("while it is held too: %s, %s", first, joined)
	}
	p.hear(t, turned(first, schemas.JourneyClosed, 3, p.clock.Now()))
	if fresh := report("V3"); fresh == first {
		t.Error("it joined a closed journey")
	}
	if n := p.count(t, `select count(distinct person) from intake.journey`); n != 1 {
		t.Errorf("the two journeys are about %d people", n)
	}
}

// secondGuide confirms what guide asks for.
var secondGuide = principal.Principal{Organisation: guide.Organisation, Role: guide.Role, Subject: "second-navigator"}

// erase erases a person: one asks for it, and another confirms.
func (p *process) erase(t testing.TB, person string) string {
	t.Helper()
	path := "/api/people/" + person + "/erase"
	var asked eraseAsked
	if err := json.Unmarshal([]byte(p.must(t, http.StatusAccepted, guide, "POST", path,
		`{"reason":"asked for by the person"}`)), &asked); err != nil {
		t.Fatal(err)
	}
	return p.must(t, http.StatusOK, secondGuide, "POST", path, `{"confirm":"`+asked.Request+`"}`)
}

// Naming two people in a body is one caller's word: nothing is erased before another person, as themselves, confirms
// the very request that the first made.
func TestAnErasureTakesTwoPeopleWhoEachActAsThemselves(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	another, other := p.discharge(t, "V2", "L2", "1991-04-01")
	p.close(t, journey, another)
	path := "/api/people/" + person + "/erase"
	if status, said := p.ask(t, guide, "POST", path,
		`{"by":["A Sample","B Sample"],"reason":"asked for"}`); status < 400 {
		t.Errorf("one caller who names two: %d %s", status, said)
	}
	var asked eraseAsked
	if err := json.Unmarshal([]byte(p.must(t, http.StatusAccepted, guide, "POST", path,
		`{"reason":"asked for by the person"}`)), &asked); err != nil {
		t.Fatal(err)
	}
	confirm := `{"confirm":"` + asked.Request + `"}`
	as := func(organisation string, role schemas.Role, subject, source string) principal.Principal {
		return principal.Principal{Organisation: organisation, Role: string(role), Subject: subject, Source: source}
	}
	for name, tc := range map[string]struct {
		who    principal.Principal
		status int
	}{
		"who asked":                  {guide, http.StatusForbidden},
		"who asked, in another role": {as("RXX", schemas.Operator, guide.Subject, ""), http.StatusForbidden},
		"who asked, spelt otherwise": {as("RXX", schemas.Navigator, strings.ToUpper(guide.Subject), ""),
			http.StatusForbidden},
		"a role that may not":             {liaison, http.StatusForbidden},
		"a navigator of another hospital": {as("RZZ", schemas.Navigator, "other", ""), http.StatusNotFound},
		"a command, which is nobody":      {as("RXX", schemas.Operator, "command", "/command"), http.StatusForbidden},
	} {
		if status, said := p.ask(t, tc.who, "POST", path, confirm); status != tc.status {
			t.Errorf("%s: %d %s, want %d", name, status, said, tc.status)
		}
	}
	p.must(t, http.StatusNotFound, secondGuide, "POST", path, `{"confirm":"11111111-1111-4111-8111-111111111111"}`)
	p.must(t, http.StatusNotFound, secondGuide, "POST", "/api/people/"+other+"/erase", confirm)
	if n := p.count(t, `select count(*) from intake.person_key`); n != 2 {
		t.Fatalf("%d of 2 keys are left before anybody confirmed", n)
	}
	p.must(t, http.StatusOK, secondGuide, "POST", path, confirm)
	p.must(t, http.StatusNotFound, secondGuide, "POST", path, confirm)
	if n := p.count(t, `select count(*) from intake.erasure where asked_by = '{navigator:`+guide.Subject+
		`,navigator:second-navigator}'`); n != 1 {
		t.Errorf("%d erasures say who asked and who confirmed", n)
	}
}

func TestARequestToEraseLapsesAfterAWeek(t *testing.T) {
	t.Parallel()
	asked := &eraseWaits{Subject: "a", At: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	if mayConfirm(asked, "b", asked.At.Add(eraseWithin)) != nil ||
		mayConfirm(asked, "b", asked.At.Add(eraseWithin+1)) == nil {
		t.Error("a request is confirmed within a week, and not after it")
	}
}

func TestErasureByTwoPeopleLeavesNobodyAbleToRead(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	path, erase := "/api/journeys/"+journey+"/", `{"reason":"asked for by the person"}`
	p.must(t, http.StatusOK, liaison, "POST", path+"contact",
		`{"channels":[{"channel":"phone","value":"07700 900099","confirmed":true}]}`)
	p.must(t, http.StatusOK, liaison, "POST", path+"consent", `{"answers":[{"purpose":"follow-up","organisation":"`+
		ours.Organisation+`","state":"given"}],"how":"spoken"}`)
	p.accept(t, journey, "1", 2)
	p.must(t, http.StatusOK, ours, "GET", path+"identity", "")
	door := "/api/people/" + person + "/"
	p.must(t, http.StatusForbidden, liaison, "POST", door+"erase", erase)
	p.must(t, http.StatusUnprocessableEntity, guide, "POST", door+"erase", `{"reason":" "}`)
	if refused := p.must(t, http.StatusConflict, guide, "POST", door+"erase", erase); !strings.Contains(refused,
		journey) || !strings.Contains(refused, "/close") {
		t.Errorf("refused with %s", refused)
	}
	p.close(t, journey)
	p.must(t, http.StatusOK, guide, "POST", door+"legal-hold", `{"on":true}`)
	p.must(t, http.StatusConflict, guide, "POST", door+"erase", erase)
	p.must(t, http.StatusOK, guide, "POST", door+"legal-hold", `{"on":false}`)
	done := p.erase(t, person)
	var erased Erased
	if err := json.Unmarshal([]byte(done), &erased); err != nil || erased.Rows["person_key"] != 1 ||
		erased.Rows["message_key"] != 1 || erased.Rows["contact_card"] != 1 || erased.Backups == "" {
		t.Errorf("erased %s (%v)", done, err)
	}
	for _, who := range []principal.Principal{guide, liaison, treating, ours} {
		if status, seen := p.ask(t, who, "GET", path+"identity", "", ReasonHeader, "to ring them back"); status < 400 ||
			strings.Contains(seen, "Examplewood") {
			t.Errorf("%s still reads: %d %s", who, status, seen)
		}
	}
	p.must(t, http.StatusGone, guide, "POST", path+"consent",
		`{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken"}`)
	expect(t, p.ledgerNow(t), "202 raised")
	var kept int
	if err := p.site.db.Admin().QueryRow(t.Context(),
		`select count(*) from intake.message where raw is not null`).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d messages keep their content (%v)", kept, err)
	}
}

func TestConsentAndContactNeverCrossAMergeUntilAHumanConfirms(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	one, a := p.discharge(t, "V1", "L1", "1990-04-01")
	two, b := p.discharge(t, "V2", "L2", "1990-04-01")
	consent := func(journey, body string) {
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent", body)
	}
	state := func(journey string) string {
		var answer struct{ Consent []consentShown }
		if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, liaison, "GET", "/api/journeys/"+journey+"/consent",
			"")), &answer); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, c := range answer.Consent {
			if c.Organisation == "" {
				lines = append(lines, c.Purpose+" "+string(c.State))
			}
		}
		return strings.Join(lines, ", ")
	}
	consent(one, `{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken"}`)
	consent(two,
		`{"answers":[{"purpose":"follow-up","state":"declined"},{"purpose":"bridging","state":"given"}],"how":"spoken"}`)
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+two+"/contact",
		`{"channels":[{"channel":"phone","value":"07700 900222","confirmed":true}],"neverTell":["somebody"]}`)
	was := []string{state(one), state(two)}
	expect(t, was, "follow-up given, bridging not-asked", "follow-up declined, bridging given")

	merge := func(path, confirm string) {
		p.must(t, http.StatusOK, guide, "POST", "/api/people/"+a+path,
			`{"other":"`+b+`","reason":"same person, two cards","confirm":`+confirm+`}`)
	}
	merge("/merge", "false")
	expect(t, []string{state(one), state(two)}, "follow-up declined, bridging not-asked",
		"follow-up declined, bridging given")
	seen := p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+one+"/identity", "", ReasonHeader,
		"to ring them back")
	if strings.Contains(seen, "900222") || strings.Contains(seen, "somebody") ||
		!strings.Contains(seen, `"askFirst":true`) {
		t.Errorf("contact crossed a merge nobody confirmed: %s", seen)
	}
	merge("/unmerge", "false")
	expect(t, []string{state(one), state(two)}, was...)
	p.must(t, http.StatusConflict, guide, "POST", "/api/people/"+a+"/unmerge", `{"other":"`+b+`","reason":"again"}`)
	merge("/merge", "true")
	expect(t, []string{state(one), state(two)}, "follow-up declined, bridging given",
		"follow-up declined, bridging given")
	merge("/unmerge", "false")
	expect(t, []string{state(one), state(two)}, was...)
	types, _ := p.outbox(t)
	counts := map[string]int{}
	for _, kind := range types {
		counts[kind]++
	}
	if counts["person.merged"] != 4 || counts["person.unmerged"] != 4 {
		t.Errorf("events %v", counts)
	}
}

// Any merges and un-merges by hand, undone in the reverse order, leave every record as it was.
func TestUndoingMergesRestoresEveryRecord(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	var people []string
	for i := range 4 {
		_, person := p.discharge(t, fmt.Sprint("V", i), fmt.Sprint("L", i), "1990-04-01")
		people = append(people, person)
	}
	records := func() map[string]string {
		rows, err := p.site.db.Admin().Query(t.Context(), `select id::text, coalesce(survivor::text, '') ||
			aliases::text || deceased from intake.person`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		found := map[string]string{}
		for rows.Next() {
			var id, record string
			if err := rows.Scan(&id, &record); err != nil {
				t.Fatal(err)
			}
			found[id] = record
		}
		return found
	}
	do := func(path, other string) int {
		status, answer := p.ask(t, guide, "POST", path, `{"other":"`+other+`","reason":"compared"}`)
		if status != http.StatusOK && status != http.StatusConflict {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
		return status
	}
	before := records()
	rapid.Check(t, func(rt *rapid.T) {
		var done [][2]string
		for range rapid.IntRange(1, 4).Draw(rt, "merges") {
			into, other := rapid.SampledFrom(people).Draw(rt, "into"), rapid.SampledFrom(people).Draw(rt, "other")
			if into != other && !slices.Contains(done, [2]string{into, other}) &&
				do("/api/people/"+into+"/merge", other) == http.StatusOK {
				done = append(done, [2]string{into, other})
			}
		}
		for _, m := range slices.Backward(done) {
			if status := do("/api/people/"+m[0]+"/unmerge", m[1]); status != http.StatusOK {
				rt.Fatalf("undoing %v was refused", m)
			}
		}
		if after := records(); !maps.Equal(before, after) {
			rt.Fatalf("records %v became %v", before, after)
		}
	})
}

func (p *process) run(t testing.TB, now time.Time, loop func(context.Context, *flow.Tx, int) (int, error)) {
	t.Helper()
	if err := p.flow.Do(t.Context(), func(tx *flow.Tx) error {
		tx.Now = now
		_, err := loop(t.Context(), tx, 100)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func (p *process) count(t testing.TB, query string) (n int) {
	t.Helper()
	if err := p.site.db.Admin().QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestContentOutOfScopeIsErasedAfterThreeDaysAndLateCodingStillRaises(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	kept, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	other := `{"organisation":"RXX","visit":"V2","inScope":false,"leftAt":"2026-11-20T08:00:00Z","person":{"localId":"L2","familyName":"Otherwood","birthDate":"1990-04-01"}}`
	if status, body := p.post(t, "application/cloudevents+json", report("o", other)); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	now := p.clock.Now()
	p.run(t, now.Add(71*time.Hour), p.eraseContent)
	if n := p.count(t, `select count(*) from intake.message where raw is not null`); n != 2 {
		t.Fatalf("%d messages have their content before its time is over, want 2", n)
	}
	p.run(t, now.Add(73*time.Hour), p.eraseContent)
	for query, want := range map[string]int{
		`select count(*) from intake.message where raw is not null`:    1,
		`select count(*) from intake.message_key`:                      1,
		`select count(*) from intake.person_key`:                       1,
		`select count(*) from intake.person where identity = ''`:       1,
		`select count(*) from intake.message where content_hash <> ''`: 2,
		`select count(*) from intake.visit where number = 'V2'`:        1,
	} {
		if n := p.count(t, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+kept+"/identity", "", ReasonHeader, "to ring them back")
	status, body := p.post(t, "application/cloudevents+json",
		report("late", strings.Replace(other, `"inScope":false`, `"inScope":true`, 1)))
	var late eventAnswer
	if err := json.Unmarshal([]byte(body), &late); err != nil || status != http.StatusAccepted || late.Journey == "" {
		t.Fatalf("late coding: %d %s", status, body)
	}
	if seen := p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+late.Journey+"/identity", "", ReasonHeader,
		"to ring them back"); !strings.Contains(seen, "Otherwood") {
		t.Errorf("after late coding: %s", seen)
	}
}

func TestAYesThatEndsIsAskedAboutOnceBeforehand(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	now := p.clock.Now()
	for purpose, days := range map[string]int{"follow-up": 30, "bridging": 10} {
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent", `{"answers":[{"purpose":"`+
			purpose+`","organisation":"`+
			ours.Organisation+`","state":"given","until":"`+now.AddDate(0, 0, days).Format(time.DateOnly)+
			`"}],"how":"written"}`)
	}
	p.hear(t, turned(journey, schemas.JourneyClosed, 2, now.Add(-time.Hour)))
	p.run(t, now, p.remindOfConsents) // nobody is asked while it is closed
	p.hear(t, turned(journey, schemas.JourneyReopened, 3, now))
	for range 3 {
		p.run(t, now, p.remindOfConsents)
	}
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "consent.given", "consent.given", "consent.expiring")
	if data := p.lastEvent(t, journey); !strings.Contains(string(data), "bridging") {
		t.Errorf("said %s", data)
	}
}

func TestANewNumberFromAFeedBecomesAQuestionOnTheJourney(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	p.must(t, http.StatusOK, guide, "POST", "/api/journeys/"+journey+"/contact",
		`{"channels":[{"channel":"phone","value":"07700 900001","confirmed":true}]}`)
	if status, body := p.post(t, "application/cloudevents+json",
		report("newer", `{"organisation":"RXX","visit":"V1","inScope":true,"leftAt":"2026-11-20T08:00:00Z",
		"person":{"localId":"L1","familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01","phone":"07700 900555"}}`)); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	for range 2 {
		p.run(t, p.clock.Now().Add(time.Minute), p.askAboutContact)
	}
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "person.preferences-changed", "person.preferences-changed")
	if data := p.lastEvent(t, journey); !strings.Contains(string(data), `"questions": ["phone"]`) ||
		strings.Contains(string(data), "900555") {
		t.Errorf("said %s", data)
	}
}

func TestWhatFallsDueIsDoneWithoutAnybodyAsking(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.due = true
	p := s.start()
	p.refer(t, liaison,
		`{"referral":"R2","person":{"familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01"}}`)
	p.discharge(t, "V1", "L1", "1990-04-01")
	testkit.Eventually(t, "both are flagged", func() bool {
		return p.count(t, `select count(*) from intake.visit where says #> '{raised,flags}' ? 'possible-double'`) == 2
	})
}

func TestAFeedAfterAnUnverifiedRequestIsShownAsAPossibleDouble(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	asked := p.refer(t, liaison,
		`{"referral":"R2","person":{"familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01"}}`)
	if slices.Contains(asked.Flags, schemas.FlagPossibleDouble) {
		t.Fatalf("answered %+v", asked)
	}
	p.discharge(t, "V1", "L1", "1990-04-01")
	for range 2 {
		p.run(t, p.clock.Now(), p.showDoubles)
	}
	types, journeys := p.outbox(t)
	expect(t, types, "referral.requested", "discharge.recorded", "discharge.corrected", "discharge.corrected")
	if journeys[asked.Journey] != 2 || !strings.Contains(string(p.lastEvent(t, asked.Journey)),
		schemas.FlagPossibleDouble) {
		t.Errorf("journeys %v", journeys)
	}
}
