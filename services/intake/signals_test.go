package intake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/clock"
	"footbridge/services/intake/record"
)

// signal writes a signal in the publisher's form, about an invented person.
func signal(kind, number string, more ...string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"%s","source":"uk.nhs.personal-demographics-service","type":"%s",
		"time":"2026-11-20T09:00:00Z","subject":"%s"%s}`, clock.NewRandomID(), kind, number, strings.Join(more, ""))
}

// history is the same signal in the form that subscribers outside get.
func history(kind, number string) string {
	return fmt.Sprintf(
		`{"resourceType":"Bundle","id":"%s","type":"history","timestamp":"2026-11-20T09:00:00Z","entry":[{
		"fullUrl":"urn:uuid:fb88f7a9-0000-4000-8000-000000000001","request":{"method":"GET","url":"https://example.org/s"},"response":{"status":"200"},
		"resource":{"resourceType":"Parameters","parameter":[{"name":"type","valueCode":"event-notification"},
			{"name":"notification-event","part":[{"name":"timestamp","valueInstant":"2026-11-20T09:00:00.1234567Z"}]},
			{"name":"additional-context","part":[{"name":"event-type","valueString":"%s"},{"name":"source","valueUri":"uk.nhs.example"},
				{"name":"subject","valueReference":{"identifier":{"value":"%s"}}}]}]}}]}`, clock.NewRandomID(), kind,
		number)
}

func (p *process) sendSignal(t testing.TB, body string) fhirAnswered {
	t.Helper()
	return p.askFHIR(t, http.MethodPost, p.http.URL+"/api/signals", body, "Content-Type", "application/json")
}

// begin lets a journey begin for a person with a verified NHS number.
func (p *process) begin(t testing.TB, h *hospital) {
	t.Helper()
	client := p.dial(t)
	for _, m := range [][]byte{withTraced(h.message("A01", reason("248062006", "", "SCT"))),
		withTraced(h.message("A03"))} {
		if ack := send(t, client, m); ack.Code != "AA" {
			t.Fatalf("answered %+v", ack)
		}
	}
}

func TestASignalOfADeathStopsContactInBothForms(t *testing.T) {
	t.Parallel()
	for form, body := range map[string]string{"publisher's": signal("pds-death-notification-2", "9990000107",
		`,"filtering":{"x":{"y":1}},"versionid":"W/\"1\""`),
		"FHIR": history("pds-death-notification-2", "9990000107")} {
		p := newSite(t).start()
		p.begin(t, newHospital())
		if answer := p.sendSignal(t, body); answer.status != http.StatusAccepted {
			t.Fatalf("%s: answered %d %s", form, answer.status, answer.body)
		}
		types, journeys := p.outbox(t)
		expect(t, types, "discharge.recorded", "person.contact-stopped")
		if len(journeys) != 1 {
			t.Errorf("%s: journeys %v", form, journeys)
		}
		again := p.sendSignal(t, body)
		expect(t, p.ledgerNow(t)[2:], "202 corrected death-reported", "202 duplicate death-reported")
		if again.status != http.StatusAccepted {
			t.Errorf("%s: again: %d %s", form, again.status, again.body)
		}
		p.canaries(t, "9990000107")
	}
}

func TestASignalAboutSomebodyUnknownLeavesNoTraceOfThem(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	for _, kind := range []string{"pds-death-notification-2", "pds-record-change-2", "nhs-number-change-2",
		"pds-change-of-gp-2", "patientflags-change-1"} {
		if answer := p.sendSignal(t, signal(kind, "9990000107")); answer.status != http.StatusAccepted {
			t.Errorf("%s: %d %s", kind, answer.status, answer.body)
		}
	}
	expect(t, p.ledgerNow(t), "202 ignored person-not-known", "202 ignored person-not-known",
		"202 ignored person-not-known", "202 ignored person-not-known", "202 ignored person-not-known")
	var persons int
	if err := p.site.db.Admin().QueryRow(t.Context(),
		`select count(*) from intake.person`).Scan(&persons); err != nil || persons != 0 {
		t.Errorf("%d persons, %v", persons, err)
	}
}

func TestAChangedNumberLeadsToThePersonToo(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.begin(t, newHospital())
	p.sendSignal(t, signal("nhs-number-change-2", "9990000107",
		`,"dataref":"https://example.org/personal-demographics/FHIR/R4/Patient/9990000115"`))
	p.sendSignal(t, signal("pds-death-notification-2", "9990000115"))
	expect(t, p.ledgerNow(t)[2:], "202 corrected nhs-number-changed", "202 corrected death-reported")
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "person.contact-stopped")
}

func TestAChangedNumberWithoutTheNewOneIsForAHuman(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.begin(t, newHospital())
	p.sendSignal(t, signal("nhs-number-change-2", "9990000107"))
	expect(t, p.ledgerNow(t)[2:], "202 quarantined nhs-number-changed")
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "message.quarantined")
}

func TestAChangedRecordIsAQuestionAboutContact(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.begin(t, newHospital())
	p.sendSignal(t, signal("pds-record-change-2", "9990000107"))
	expect(t, p.ledgerNow(t)[2:], "202 corrected record-changed")
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "person.preferences-changed")
}

func TestAnotherGPMakesAreasLookedAtAgainAndIsForAHuman(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	status, answer := p.post(t, "application/cloudevents+json",
		report("r-1", `{"organisation":"RXX","visit":"V1","inScope":true,"leftAt":"2026-11-20T08:00:00Z",
		"person":{"localId":"L1","nhsNumber":"9990000107","nhsNumberVerified":true},"facts":{"areaGP":"E06000027","areaResidence":"E06000027"}}`))
	var a eventAnswer
	if err := json.Unmarshal([]byte(answer), &a); err != nil || status != http.StatusAccepted {
		t.Fatalf("%d %s", status, answer)
	}
	p.sendSignal(t, signal("pds-change-of-gp-2", "9990000107"))
	expect(t, p.ledgerNow(t)[1:], "202 quarantined gp-changed")
	said := p.corrections(t, a.Journey)
	if len(said) != 1 || !slices.Equal(said[0].Retracted, []string{"areaGP"}) {
		t.Fatalf("said %+v", said)
	}
	path := "/api/messages/" + p.question(t, record.ReasonGPChanged) + "/release"
	p.must(t, http.StatusUnprocessableEntity, guide, "POST", path, "{}")
	p.must(t, http.StatusOK, guide, "POST", path, `{"facts":{"areaGP":"E07000041"}}`)
	if said = p.corrections(t, a.Journey); len(said) != 2 || said[1].Facts == nil ||
		*said[1].Facts.AreaGP != "E07000041" || p.waiting(t) != 0 {
		t.Errorf("said %+v, %d waiting", said, p.waiting(t))
	}
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "message.quarantined", "discharge.corrected", "discharge.corrected",
		"message.released")
}

func TestAChangedFlagIsAnOwnedStepWhereAJourneyGoesOn(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"patientflags-change-1", "patient-flag-change-2"} {
		p := newSite(t).start()
		p.begin(t, newHospital())
		p.sendSignal(t, signal(kind, "9990000107"))
		expect(t, p.ledgerNow(t)[2:], "202 quarantined flag-changed")
		journey := journeyOf(t, p.site.db.Admin(), "V1")
		types, _ := p.outbox(t)
		expect(t, types, "discharge.recorded", "message.quarantined")
		p.must(t, http.StatusOK, guide, "POST", "/api/messages/"+p.question(t, record.ReasonFlagChanged)+"/dismiss", "")
		p.close(t, journey)
		p.sendSignal(t, signal(kind, "9990000107"))
		if last := p.ledgerNow(t)[3:]; !slices.Equal(last, []string{"202 joined flag-changed"}) {
			t.Errorf("with every journey closed: %v", last)
		}
	}
}

func TestWhatIsNoSignalIsRefusedAndInTheLedger(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	good := signal("pds-death-notification-2", "9990000107")
	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	cases := map[string]struct {
		body   string
		status int
	}{
		"the older form":          {`{"id":"1","type":"pds-death-notification-1","subject":{"nhsNumber":"9990000107"},"source":{"name":"x"},"time":"2026-11-20T09:00:00Z","data":{}}`, 400},
		"no specversion":          {replace(`"specversion":"1.0",`, ``), 400},
		"another specversion":     {replace(`"1.0"`, `"0.3"`), 400},
		"with data":               {replace(`"specversion"`, `"data":{},"specversion"`), 400},
		"a name in reverse DNS":   {replace("pds-death-notification-2", "uk.nhs.death"), 400},
		"filtering as a text":     {replace(`"specversion"`, `"filtering":"x","specversion"`), 400},
		"a time without offset":   {replace("09:00:00Z", "09:00:00"), 400},
		"a number that is none":   {replace("9990000107", "9990000108"), 422},
		"no number":               {replace(`,"subject":"9990000107"`, ``) + "", 422},
		"two signals":             {good + good, 400},
		"a NUL in its id":         {replace(`"id":"`, `"id":"a\u0000`), 400},
		"a letter that was lost":  {replace(`"id":"`, `"id":"a\ufffd`), 400},
		"half a letter":           {replace(`"id":"`, `"id":"a\ud800`), 400},
		"a NUL in its version":    {replace(`"specversion"`, `"versionid":"1\u0000","specversion"`), 422},
		"bytes that are no UTF-8": {replace(`"id":"`, "\"id\":\"a\xc3"), 400},
		"not JSON":                {`<signal/>`, 400},
		"a list":                  {`[` + good + `]`, 400},
		"another Bundle":          {`{"resourceType":"Bundle","type":"searchset"}`, 400},
		"a Bundle that is no R4": {strings.Replace(history("pds-death-notification-2", "9990000107"),
			`"type":"history"`, `"type":"past"`, 1), 400},
		"too long": {good + strings.Repeat(" ", maxSignal), 413},
	}
	for claim, c := range cases {
		answer := p.sendSignal(t, c.body)
		if answer.status != c.status || strings.Contains(answer.body, "9990000107") {
			t.Errorf("%s: %d %s", claim, answer.status, answer.body)
		}
	}
	if answer := p.askFHIR(t, http.MethodPost, p.http.URL+"/api/signals", "<a/>", "Content-Type",
		"application/xml"); answer.status != http.StatusUnsupportedMediaType {
		t.Errorf("XML: %d %s", answer.status, answer.body)
	}
	ledger := p.ledgerNow(t)
	if len(ledger) != len(cases)+1 ||
		slices.ContainsFunc(ledger, func(line string) bool { return !strings.Contains(line, "rejected") }) {
		t.Errorf("ledger %v", ledger)
	}
}

func TestContactIsStoppedAndResumedByANamedHumanOnce(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h := newHospital()
	p.begin(t, h)
	var person string
	if err := p.site.db.Admin().QueryRow(t.Context(),
		`select person::text from intake.visit`).Scan(&person); err != nil {
		t.Fatal(err)
	}
	navigator := httptest.NewServer(p.mux("navigator", ""))
	t.Cleanup(navigator.Close)
	ask := func(what, key, body string) fhirAnswered {
		return p.askFHIR(t, http.MethodPost, navigator.URL+"/api/people/"+person+"/"+what, body, "Content-Type",
			"application/json", "Idempotency-Key", key)
	}
	if answer := ask("contact-stopped", "a", `{"reason":" "}`); answer.status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: %d %s", answer.status, answer.body)
	}
	for range 2 {
		answer := ask("contact-stopped", "b", `{"reason":"the sister rang"}`)
		var said stopAnswer
		if err := json.Unmarshal([]byte(answer.body), &said); err != nil || answer.status != http.StatusOK ||
			said.Journeys != 1 {
			t.Fatalf("stopped: %d %s", answer.status, answer.body)
		}
	}
	if answer := ask("contact-stopped", "b", `{"reason":"another"}`); answer.status != http.StatusConflict {
		t.Errorf("the key with another body: %d %s", answer.status, answer.body)
	}
	if answer := ask("contact-resumed", "c",
		`{"reason":"a mistake: another person of that name"}`); answer.status != http.StatusOK {
		t.Fatalf("resumed: %d %s", answer.status, answer.body)
	}
	p.sendSignal(t, signal("pds-death-notification-2", "9990000107"))
	if answer := ask("contact-resumed", "d",
		`{"reason":"the signal was about somebody else"}`); answer.status != http.StatusOK {
		t.Fatalf("resumed: %d %s", answer.status, answer.body)
	}
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "person.contact-stopped", "person.contact-resumed", "person.contact-stopped",
		"person.contact-resumed")
	other := httptest.NewServer(p.muxOf("RYY", "navigator", ""))
	t.Cleanup(other.Close)
	answer := p.askFHIR(t, http.MethodPost, other.URL+"/api/people/"+person+"/contact-stopped", `{"reason":"x"}`,
		"Content-Type", "application/json")
	if answer.status != http.StatusNotFound {
		t.Errorf("another organisation: %d %s", answer.status, answer.body)
	}
	p.canaries(t, "sister")
}

func TestAStopByHandHoldsForAJourneyThatBeginsLater(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h, client := newHospital(), p.dial(t)
	send(t, client, withTraced(h.message("A01")))
	var person string
	if err := p.site.db.Admin().QueryRow(t.Context(),
		`select person::text from intake.visit`).Scan(&person); err != nil {
		t.Fatal(err)
	}
	navigator := httptest.NewServer(p.mux("navigator", ""))
	t.Cleanup(navigator.Close)
	answer := p.askFHIR(t, http.MethodPost, navigator.URL+"/api/people/"+person+"/contact-stopped",
		`{"reason":"asked not to be rung"}`, "Content-Type", "application/json")
	if answer.status != http.StatusOK {
		t.Fatalf("stopped: %d %s", answer.status, answer.body)
	}
	send(t, client, h.message("A08", diagnosis("276853009", "", "SCT")))
	send(t, client, h.message("A03"))
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "person.contact-stopped")
}
