package intake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

const sixAnswers = `{"referral":"R1","visit":"V1","leftAt":"2026-11-20T08:00:00Z",
	"person":{"localId":"L1","familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01"},
	"safeContact":{"channel":"phone","value":"07700 900099","confirmed":true,"fromHour":18,"toHour":21},
	"consents":[{"purpose":"follow-up","given":true,"how":"spoken","organisation":"8c4bba9e-7c82-48a1-8bbd-6fb23f09d445"}],
	"facts":{"assessment":"done"},"under18":"no","told":["what-it-is","who-will-see-it"]}`

func (p *process) refer(t testing.TB, who principal.Principal, body string, headers ...string) referralAnswer {
	t.Helper()
	var answer referralAnswer
	if err := json.Unmarshal([]byte(p.must(t, http.StatusAccepted, who, "POST", "/api/referrals", body, headers...)),
		&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestAProfessionalsSixAnswersBeginAJourneyWithContactConsentAndGrant(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	first := p.refer(t, liaison, sixAnswers, "Idempotency-Key", "k1")
	if first.Journey == "" || first.Outcome != record.RaisedOutcome {
		t.Fatalf("answered %+v", first)
	}
	if again := p.refer(t, liaison, sixAnswers, "Idempotency-Key", "k1"); again.Journey != first.Journey ||
		again.Outcome != record.Duplicate {
		t.Errorf("a repetition got %+v", again)
	}
	p.must(t, http.StatusConflict, liaison, "POST", "/api/referrals", strings.Replace(sixAnswers, "done", "offered", 1),
		"Idempotency-Key", "k1")
	p.must(t, http.StatusNotFound, ours, "GET", "/api/journeys/"+first.Journey+"/identity", "")
	p.accept(t, first.Journey, "1", 1)
	seen := p.must(t, http.StatusOK, ours, "GET", "/api/journeys/"+first.Journey+"/identity", "")
	if !strings.Contains(seen, `"value":"07700 900099","confirmed":true,"fromHour":18,"toHour":21`) {
		t.Errorf("the partner sees %s", seen)
	}
	p.must(t, http.StatusNotFound, theirs, "GET", "/api/journeys/"+first.Journey+"/identity", "")
	if shown := p.must(t, http.StatusOK, liaison, "GET", "/api/journeys/"+first.Journey+"/consent",
		""); !strings.Contains(shown, `"told":["what-it-is","who-will-see-it"]`) {
		t.Errorf("consent %s", shown)
	}
	types, _ := p.outbox(t)
	expect(t, types, "referral.requested", "consent.given", "person.shown")
	p.must(t, http.StatusForbidden, liaison, "POST", "/api/referrals", `{"organisation":"RZZ","person":{}}`)
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", "/api/referrals", `{"person":{},"under18":"perhaps"}`)
	p.must(t, http.StatusForbidden, ours, "POST", "/api/referrals", sixAnswers)
	p.canariesIn(t, []string{"message", "visit", "person", "receipt", "outbox", "consent", "journey", "partner_offer",
		"partner_person"}, "Examplewood", "900099", "1990-04-01")
}

func TestFormAndFeedOfOneAttendanceJoin(t *testing.T) {
	t.Parallel()
	t.Run("by visit number, the form first", func(t *testing.T) {
		t.Parallel()
		p := newSite(t).start()
		asked := p.refer(t, liaison, sixAnswers)
		if journey, _ := p.discharge(t, "V1", "L1", "1990-04-01"); journey != asked.Journey {
			t.Errorf("the feed began %s, the form %s", journey, asked.Journey)
		}
	})
	t.Run("by visit number, the feed first", func(t *testing.T) {
		t.Parallel()
		p := newSite(t).start()
		journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
		if asked := p.refer(t, liaison, sixAnswers); journey != asked.Journey {
			t.Errorf("the feed began %s, the form %s", journey, asked.Journey)
		}
	})
	t.Run("by a verified number within a day", func(t *testing.T) {
		t.Parallel()
		p := newSite(t).start()
		verified := `"person":{"nhsNumber":"9990000018","nhsNumberVerified":true,"familyName":"Examplewood"`
		status, body := p.post(t, "application/cloudevents+json",
			report("1", `{"organisation":"RXX","visit":"V9","inScope":true,"leftAt":"`+
				p.clock.Now().UTC().Format("2006-01-02T15:04:05Z")+`",`+verified+`,"localId":"L1"}}`))
		var fed eventAnswer
		if err := json.Unmarshal([]byte(body), &fed); err != nil || status != http.StatusAccepted {
			t.Fatalf("%d %s", status, body)
		}
		if asked := p.refer(t, liaison, `{"referral":"R9",`+verified+`}}`); asked.Journey != fed.Journey {
			t.Errorf("the feed began %s, the form %+v", fed.Journey, asked)
		}
	})
	t.Run("not by an unverified number", func(t *testing.T) {
		t.Parallel()
		p := newSite(t).start()
		unverified := `"person":{"nhsNumber":"9990000018","familyName":"Examplewood"}}`
		one, two := p.refer(t, liaison, `{"referral":"R1",`+unverified),
			p.refer(t, liaison, `{"referral":"R2",`+unverified)
		if one.Journey == two.Journey {
			t.Error("two people may share one journey")
		}
	})
}

func TestThePersonsOwnRequestNeverConfirmsThatAJourneyExists(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	self := principal.Principal{Organisation: "RXX", Role: string(schemas.Person), Subject: "somebody"}
	known := p.must(t, http.StatusAccepted, self, "POST", "/api/referrals",
		`{"referral":"S1","visit":"V1","person":{"localId":"L1","familyName":"Examplewood","givenName":"Rowan",
		"birthDate":"1990-04-01","phone":"07700 900777"}}`)
	unknown := p.must(t, http.StatusAccepted, self, "POST", "/api/referrals",
		`{"referral":"S2","person":{"familyName":"Nobody","givenName":"Known","birthDate":"1991-04-01"}}`)
	if known != unknown || strings.Contains(known, "journey") {
		t.Errorf("answers differ: %s and %s", known, unknown)
	}
	types, journeys := p.outbox(t)
	expect(t, types, "discharge.recorded", "referral.requested", "referral.requested")
	if journeys[journey] != 1 {
		t.Error("a request of somebody not verified joined a journey")
	}
	expect(t, p.ledgerNow(t)[1:], "202 raised-flagged unverified possible-double",
		"202 raised-flagged unverified no-safe-channel")
}

func TestAPossibleDoubleIsShownAndAHumanSettlesIt(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	_, known := p.discharge(t, "V1", "L1", "1990-04-01")
	asked := p.refer(t, liaison,
		`{"referral":"R2","person":{"familyName":"examplewood","givenName":" Rowan","birthDate":"1990-04-01"}}`)
	if !slices.Contains(asked.Flags, schemas.FlagPossibleDouble) {
		t.Fatalf("answered %+v", asked)
	}
	var person string
	if err := p.site.db.Admin().QueryRow(t.Context(), `select person::text from intake.journey where id = $1::uuid`,
		asked.Journey).Scan(&person); err != nil {
		t.Fatal(err)
	}
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+known+"/unmerge",
		`{"other":"`+person+`","reason":"two people: spoke with both"}`)
	e := p.lastEvent(t, asked.Journey)
	var data schemas.DischargeCorrectedData
	if err := json.Unmarshal(e, &data); err != nil || slices.Contains(data.Flags, schemas.FlagPossibleDouble) ||
		data.Visit == "" {
		t.Errorf("said %s (%v)", e, err)
	}
	p.must(t, http.StatusConflict, guide, "POST", "/api/people/"+known+"/unmerge",
		`{"other":"`+person+`","reason":"again"}`)
}

// lastEvent is the data of what was said last of a journey.
func (p *process) lastEvent(t testing.TB, journey string) (data []byte) {
	t.Helper()
	if err := p.site.db.Admin().QueryRow(t.Context(), `select payload::jsonb -> 'data' from intake.outbox
		where subject like '%' || $1
		order by payload::jsonb ->> 'sequence' desc limit 1`, journey).Scan(&data); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestANightsListIsReconciledRowByRow(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	list := "visit,local_id,family_name,birth_date,left_at,follow_up,under_18\n" +
		"V1,L1,Examplewood,1990-04-01,2026-11-20T08:00:00Z,,\n" +
		"V2,L2,Samplewood,1991-04-01,2026-11-20T09:00:00Z,yes,no\n" +
		"V3,L3,Otherwood,the first of April,,,\n" +
		",L4,Fourthwood,,,,\n" +
		"V2,L2,Samplewood,,,,\n"
	send := func() (answer listAnswer) {
		if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, guide, "POST", "/api/referrals/list", list,
			"Content-Type", "text/csv")), &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	results := func(a listAnswer) (lines []string) {
		for _, row := range a.Rows {
			lines = append(lines, string(row.Result))
		}
		return lines
	}
	first := send()
	expect(t, results(first), "already-known", "raised-now", "cannot-be-read", "cannot-be-read", "cannot-be-read")
	if first.Rows[0].Journey != journey || len(first.Rows[2].Errors) == 0 || first.Rows[2].Errors[0].Do == "" ||
		first.Counts[reading.RowBroken] != 3 {
		t.Errorf("answered %+v", first)
	}
	expect(t, results(send()), "already-known", "already-known", "cannot-be-read", "cannot-be-read", "cannot-be-read")
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "referral.requested", "consent.given")
	for claim, body := range map[string]string{"no header": "", "an unknown column": "visit,risk\nV9,high\n",
		"no visit": "local_id\nL9\n", "a column twice": "visit,visit\n1,2\n"} {
		if status, answer := p.ask(t, guide, "POST", "/api/referrals/list", body, "Content-Type",
			"text/csv"); status != http.StatusUnprocessableEntity ||
			!strings.Contains(answer, "nothing of it was taken") {
			t.Errorf("%s: %d %s", claim, status, answer)
		}
	}
	p.must(t, http.StatusUnsupportedMediaType, guide, "POST", "/api/referrals/list", list)
}

func TestARequestForSupportOverTheEventsDoorIsTaken(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	submitted := strings.Replace(report("s1",
		`{"organisation":"RXX","referral":"R1","route":"professional","person":{"localId":"L1"},"under18":"yes"}`),
		"discharge.reported", "referral.submitted", 1)
	status, body := p.post(t, "application/cloudevents+json", submitted)
	var answer eventAnswer
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusAccepted ||
		answer.Journey == "" {
		t.Fatalf("%d %s", status, body)
	}
	expect(t, p.ledgerNow(t), "202 raised-flagged under-18 no-safe-channel")
	status, body = p.post(t, "application/cloudevents+json", strings.Replace(strings.Replace(submitted, "s1", "s2", 1),
		`"route":"professional",`, "", 1))
	if status != http.StatusUnprocessableEntity {
		t.Errorf("without a route: %d %s", status, body)
	}
}
