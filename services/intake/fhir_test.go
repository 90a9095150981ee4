package intake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/fhir"
	"footbridge/libs/httpx"
	"footbridge/services/intake/reading"
)

// fhirRequest writes a message as a sending system would. Everybody in it is invented.
type fhirRequest struct {
	request, correlation string // ids of the message
	id                   string // of the ServiceRequest, as fullUrl
	reason, status       string
	category             string
	visit, class, ended  string
	local, number        string
	snomed               string
	sender               string
	contentType, accept  string
	change               func(body string) string
}

func newFHIRRequest() fhirRequest {
	return fhirRequest{request: clock.NewRandomID(), correlation: clock.NewRandomID(), id: clock.NewRandomID(),
		reason: "new", status: "active",
		category: "referral", local: "L42", number: "9990000107", sender: "RXX", contentType: "application/fhir+json"}
}

func (f fhirRequest) body() string {
	encounter, patient := "", fmt.Sprintf(
		`{"fullUrl":"urn:uuid:5b2f1a52-0000-4000-8000-000000000002","resource":{"resourceType":"Patient",
		"identifier":[{"system":"https://fhir.nhs.uk/id/nhs-number","value":%q,"extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
			"valueCodeableConcept":{"coding":[{"code":"number-present-and-verified"}]}}]},
			{"type":{"coding":[{"code":"MR"}]},"value":%q}],
		"name":[{"use":"official","family":"Example","given":["Ada"]}],"birthDate":"1990-04-01",
		"contact":[{"relationship":[{"coding":[{"code":"ONESELF"}]}],"telecom":[{"system":"phone","value":"01632 960001","rank":1}]}],
		"communication":[{"language":{"coding":[{"code":"cy"}]},"preferred":true}]}}`, f.number, f.local)
	if f.visit != "" {
		end := ""
		if f.ended != "" {
			end = `,"end":"` + f.ended + `"`
		}
		encounter = fmt.Sprintf(
			`,{"fullUrl":"urn:uuid:5b2f1a52-0000-4000-8000-000000000003","resource":{"resourceType":"Encounter","status":"finished",
			"identifier":[{"value":%q}],"class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":%q},
			"subject":{"reference":"urn:uuid:5b2f1a52-0000-4000-8000-000000000002"},"period":{"start":"2026-11-20T05:00:00.1234567Z"%s}}}`,
			f.visit, cmp.Or(f.class, "EMER"), end)
	}
	more := ""
	if f.visit != "" {
		more += `,"encounter":{"reference":"urn:uuid:5b2f1a52-0000-4000-8000-000000000003"}`
	}
	if f.snomed != "" {
		more += `,"reasonCode":[{"coding":[{"system":"http://snomed.info/sct","code":"` + f.snomed + `"}]}]`
	}
	body := fmt.Sprintf(
		`{"resourceType":"Bundle","id":"%s","type":"message","timestamp":"2026-11-20T09:00:00.1234567+00:00","entry":[
		{"fullUrl":"urn:uuid:5b2f1a52-0000-4000-8000-000000000001","resource":{"resourceType":"MessageHeader",
			"eventCoding":{"system":"https://fhir.nhs.uk/CodeSystem/message-events-bars","code":"servicerequest-request"},
			"sender":{"reference":"urn:uuid:5b2f1a52-0000-4000-8000-000000000004"},"source":{"endpoint":"https://sender.example/fhir"},
			"reason":{"coding":[{"system":"https://fhir.nhs.uk/CodeSystem/message-reason-bars","code":"%s"}]},"focus":[{"reference":"urn:uuid:%s"}]}},
		{"fullUrl":"urn:uuid:%s","resource":{"resourceType":"ServiceRequest","status":"%s","intent":"plan","authoredOn":"2026-11-20T08:59:00Z",
			"category":[{"coding":[{"system":"https://fhir.nhs.uk/CodeSystem/message-category-servicerequest","code":"%s"}]}],
			"subject":{"reference":"urn:uuid:5b2f1a52-0000-4000-8000-000000000002"}%s}},
		%s%s,
		{"fullUrl":"urn:uuid:5b2f1a52-0000-4000-8000-000000000004","resource":{"resourceType":"Organization",
			"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"%s"}]}}]}`,
		f.request, f.reason, f.id, f.id, f.status, f.category, more, patient, encounter, f.sender)
	if f.change != nil {
		body = f.change(body)
	}
	return body
}

type fhirAnswered struct {
	status int
	header http.Header
	body   string
}

func (a fhirAnswered) outcome(t testing.TB) fhir.Issue {
	t.Helper()
	outcome, issues := fhir.ReadAs[*fhir.OperationOutcome]([]byte(a.body), fhir.Limits{})
	if len(issues) > 0 {
		t.Fatalf("answered %d %s, which is no OperationOutcome: %+v", a.status, a.body, issues)
	}
	return outcome.Issue[0]
}

func (p *process) sendFHIR(t testing.TB, f fhirRequest) fhirAnswered {
	t.Helper()
	return p.askFHIR(t, http.MethodPost, p.http.URL+"/fhir/$process-message", f.body(), "Content-Type", f.contentType,
		"Accept", f.accept,
		"X-Request-Id", f.request, "X-Correlation-Id", f.correlation, "NHSD-Target-Identifier", "e30",
		"NHSD-End-User-Organisation", "not base64!")
}

func (p *process) askFHIR(t testing.TB, method, url, body string, headers ...string) fhirAnswered {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] != "" {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fhirAnswered{response.StatusCode, response.Header, string(answer)}
}

// task is the status of the Task about a request, or empty where there is none.
func (p *process) task(t testing.TB, id string) string {
	t.Helper()
	answer := p.askFHIR(t, http.MethodGet, p.http.URL+"/fhir/Task?focus=ServiceRequest/"+id, "")
	bundle, issues := fhir.ReadAs[*fhir.Bundle]([]byte(answer.body), fhir.Limits{})
	if answer.status != http.StatusOK || len(issues) > 0 || bundle.Type != "searchset" {
		t.Fatalf("Task: %d %s %+v", answer.status, answer.body, issues)
	}
	if len(bundle.Entry) == 0 {
		return ""
	}
	return bundle.Entry[0].Resource.(*fhir.Task).Status
}

func TestAReferralOverFHIRBeginsAJourneyAndARepetitionIsADuplicate(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	f := newFHIRRequest()
	answer := p.sendFHIR(t, f)
	if answer.status != http.StatusOK {
		t.Fatalf("answered %d %s", answer.status, answer.body)
	}
	bundle, issues := fhir.ReadAs[*fhir.Bundle]([]byte(answer.body), fhir.Limits{})
	if len(issues) > 0 || bundle.Header() == nil {
		t.Fatalf("the answer %s is no message: %+v", answer.body, issues)
	}
	header := bundle.Header()
	if header.Response.Identifier != f.request || header.Response.Code != "ok" ||
		header.EventCoding.Code != "servicerequest-response" ||
		header.Destination[0].Endpoint != "https://sender.example/fhir" {
		t.Errorf("the answer is %s", answer.body)
	}
	if answer.header.Get("X-Request-Id") != f.request || answer.header.Get("X-Correlation-Id") != f.correlation {
		t.Errorf("ids mirrored as %v", answer.header)
	}
	again := p.sendFHIR(t, f)
	if issue := again.outcome(t); again.status != http.StatusConflict || issue.Code != "duplicate" ||
		issue.Details.Coding[0].Code != "REC_CONFLICT" {
		t.Errorf("a repetition: %d %s", again.status, again.body)
	}
	f.number = "9990000115"
	other := p.sendFHIR(t, f)
	if issue := other.outcome(t); other.status != http.StatusConflict || issue.Code != "conflict" {
		t.Errorf("the same id with another body: %d %s", other.status, other.body)
	}
	types, journeys := p.outbox(t)
	expect(t, types, "referral.requested")
	if len(journeys) != 1 {
		t.Errorf("journeys %v", journeys)
	}
	expect(t, p.ledgerNow(t), "200 raised", "409 duplicate", "409 rejected control-id-reused")
	if status := p.task(t, f.id); status != "accepted" {
		t.Errorf("Task is %s", status)
	}
	p.canaries(t, "Example", "Ada", "9990000107", "L42", "1990-04-01", "01632 960001")
}

func TestAVisitThatHasEndedIsADischargeAndJoinsItsFeed(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h, client := newHospital(), p.dial(t)
	h.number = "E77"
	send(t, client, h.message("A04"))
	f := newFHIRRequest()
	f.visit, f.ended, f.snomed = "E77", "2026-11-20T08:00:00Z", "248062006"
	if answer := p.sendFHIR(t, f); answer.status != http.StatusOK {
		t.Fatalf("answered %d %s", answer.status, answer.body)
	}
	types, journeys := p.outbox(t)
	expect(t, types, "discharge.recorded")
	if len(journeys) != 1 {
		t.Errorf("journeys %v", journeys)
	}
	send(t, client, h.message("A03"))
	if _, journeys = p.outbox(t); len(journeys) != 1 {
		t.Errorf("with the feed's end: journeys %v", journeys)
	}
}

func TestARequestTakenBackIsWithdrawnAndAHumanLooks(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	for _, status := range []string{"revoked", "entered-in-error"} {
		f := newFHIRRequest()
		f.local, f.number = "L-"+status, ""
		f.change = func(body string) string { return strings.Replace(body, `"value":""`, `"value":"0"`, 1) }
		p.sendFHIR(t, f)
		f.request, f.reason, f.status = clock.NewRandomID(), "update", status
		if answer := p.sendFHIR(t, f); answer.status != http.StatusOK {
			t.Fatalf("answered %d %s", answer.status, answer.body)
		}
		want := map[string]string{"revoked": "cancelled", "entered-in-error": "entered-in-error"}[status]
		if got := p.task(t, f.id); got != want {
			t.Errorf("Task is %s, want %s", got, want)
		}
		shown := p.askFHIR(t, http.MethodGet, p.http.URL+"/fhir/ServiceRequest/"+f.id, "")
		request, issues := fhir.ReadAs[*fhir.ServiceRequest]([]byte(shown.body), fhir.Limits{})
		if len(issues) > 0 || request.Status != status || strings.Contains(shown.body, "Example") {
			t.Errorf("GET ServiceRequest: %d %s %+v", shown.status, shown.body, issues)
		}
	}
	types, _ := p.outbox(t)
	expect(t, types, "referral.requested", "discharge.withdrawn", "referral.requested", "discharge.withdrawn")
	gone := newFHIRRequest()
	gone.local, gone.number = "L-gone", ""
	gone.change = func(body string) string { return strings.Replace(body, `"value":""`, `"value":"0"`, 1) }
	p.sendFHIR(t, gone)
	gone.request, gone.reason, gone.status = clock.NewRandomID(), "update", "revoked"
	p.sendFHIR(t, gone)
	if answer := p.sendFHIR(t, gone); answer.status != http.StatusConflict || answer.outcome(t).Code != "duplicate" {
		t.Errorf("the same cancellation again: %d %s", answer.status, answer.body)
	}
	for _, status := range []string{"revoked", "entered-in-error", "active"} {
		gone.request, gone.status = clock.NewRandomID(), status
		if answer := p.sendFHIR(t, gone); answer.status != http.StatusConflict ||
			answer.outcome(t).Code != "conflict" || answer.outcome(t).Details.Coding[0].Code != "REC_CONFLICT" {
			t.Errorf("%s, of a request that is not active any more: %d %s", status, answer.status, answer.body)
		}
	}
	unknown := newFHIRRequest()
	unknown.reason, unknown.status = "update", "revoked"
	if answer := p.sendFHIR(t, unknown); answer.status != http.StatusNotFound {
		t.Errorf("cancelling what is not known: %d %s", answer.status, answer.body)
	}
}

func TestWhatIsNotTakenOverFHIRIsRefusedByTheNationalCodesAndInTheLedger(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	replace := func(old, new string) func(string) string {
		return func(body string) string { return strings.Replace(body, old, new, 1) }
	}
	cases := map[string]struct {
		change         func(f *fhirRequest)
		status         int
		national, code string
	}{
		"no X-Request-Id":       {func(f *fhirRequest) { f.request = "" }, 400, "REC_BAD_REQUEST", "required"},
		"no X-Correlation-Id":   {func(f *fhirRequest) { f.correlation = "" }, 400, "REC_BAD_REQUEST", "required"},
		"an id that is no UUID": {func(f *fhirRequest) { f.request = "17" }, 400, "REC_BAD_REQUEST", "value"},
		"XML": {func(f *fhirRequest) { f.contentType = "application/fhir+xml" }, 415,
			"REC_BAD_REQUEST", "not-supported"},
		"text": {func(f *fhirRequest) { f.contentType = "text/plain" }, 415, "REC_BAD_REQUEST",
			"not-supported"},
		"accepts XML only": {func(f *fhirRequest) { f.accept = "application/fhir+xml" }, 406,
			"REC_NOT_ACCEPTABLE", "not-supported"},
		"accepts version 2": {func(f *fhirRequest) { f.accept = "application/fhir+json; version=2.0.0" }, 406,
			"REC_NOT_ACCEPTABLE", "not-supported"},
		"not JSON": {func(f *fhirRequest) { f.change = func(string) string { return "<Bundle/>" } }, 400,
			"REC_BAD_REQUEST", "structure"},
		"too long": {func(f *fhirRequest) {
			f.change = func(s string) string {
				return s +
					strings.Repeat(" ", 2<<20)
			}
		}, 413, "REC_BAD_REQUEST", "too-long"},
		"a resource, no message": {func(f *fhirRequest) {
			f.change = func(string) string { return `{"resourceType":"Patient"}` }
		}, 400, "REC_BAD_REQUEST", "value"},
		"a searchset": {func(f *fhirRequest) {
			f.change = replace(`"type":"message"`,
				`"type":"collection"`)
		}, 400, "REC_BAD_REQUEST", "value"},
		"not R4": {func(f *fhirRequest) {
			f.change = replace(`"intent":"plan"`, `"intent":"plan","basedOn":{"reference":"x"}`)
		}, 400, "REC_BAD_REQUEST", "structure"},
		"a status that is none": {func(f *fhirRequest) { f.status = "inactive" }, 400, "REC_BAD_REQUEST",
			"code-invalid"},
		"a booking": {func(f *fhirRequest) {
			f.change = replace("servicerequest-request", "booking-request")
		}, 422, "REC_UNPROCESSABLE_ENTITY", "not-supported"},
		"a validation": {func(f *fhirRequest) { f.category = "validation" }, 422, "REC_UNPROCESSABLE_ENTITY",
			"not-supported"},
		"delete": {func(f *fhirRequest) { f.reason = "delete" }, 422, "REC_UNPROCESSABLE_ENTITY",
			"not-supported"},
		"new and revoked": {func(f *fhirRequest) { f.status = "revoked" }, 422, "REC_UNPROCESSABLE_ENTITY",
			"business-rule"},
		"nobody it is about": {func(f *fhirRequest) {
			f.change = replace(`"subject":{"reference":"urn:uuid:5b2f1a52-0000-4000-8000-000000000002"}`,
				`"subject":{"reference":"Patient/9"}`)
		}, 400, "REC_BAD_REQUEST", "required"},
		"what must not be done": {func(f *fhirRequest) {
			f.change = replace(`"intent":"plan"`,
				`"intent":"plan","doNotPerform":true`)
		}, 422, "REC_UNPROCESSABLE_ENTITY", "not-supported"},
		"an unknown modifier": {func(f *fhirRequest) {
			f.change = replace(`"intent":"plan"`,
				`"intent":"plan","modifierExtension":[{"url":"urn:x","valueBoolean":true}]`)
		}, 422, "REC_UNPROCESSABLE_ENTITY", "not-supported"},
		"a bundle without id": {func(f *fhirRequest) { f.change = replace(`"id":"`+f.request+`",`, ``) }, 400,
			"REC_BAD_REQUEST", "required"},
		"a name of a thousand signs": {func(f *fhirRequest) {
			f.change = replace("Example", strings.Repeat("x", 1000))
		}, 422, "REC_UNPROCESSABLE_ENTITY", "value"},
	}
	for claim, c := range cases {
		f := newFHIRRequest()
		c.change(&f)
		answer := p.sendFHIR(t, f)
		issue := answer.outcome(t)
		if answer.status != c.status || issue.Details == nil || issue.Details.Coding[0].Code != c.national ||
			issue.Code != c.code ||
			issue.Details.Coding[0].System != "https://fhir.nhs.uk/Codesystem/http-error-codes" ||
			strings.Contains(answer.body, "Example") {
			t.Errorf("%s: %d %s", claim, answer.status, answer.body)
		}
	}
	ledger := p.ledgerNow(t)
	if len(ledger) != len(cases) {
		t.Errorf("%d lines in the ledger, want %d", len(ledger), len(cases))
	}
	for _, line := range ledger {
		if !strings.Contains(line, "rejected") {
			t.Errorf("ledger: %s", line)
		}
	}
	if types, _ := p.outbox(t); len(types) != 0 {
		t.Errorf("events %v", types)
	}
}

func TestARefusedMessageMayComeAgainCorrected(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	f := newFHIRRequest()
	f.status = "inactive"
	p.sendFHIR(t, f)
	f.status = "active"
	if answer := p.sendFHIR(t, f); answer.status != http.StatusOK {
		t.Errorf("answered %d %s", answer.status, answer.body)
	}
}

func TestAReferralForAnotherReasonWaitsForAHuman(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	f := newFHIRRequest()
	f.snomed = "271594007"
	if answer := p.sendFHIR(t, f); answer.status != http.StatusOK {
		t.Fatalf("answered %d %s", answer.status, answer.body)
	}
	expect(t, p.ledgerNow(t), "200 quarantined other-reason")
	if status := p.task(t, f.id); status != "requested" {
		t.Errorf("Task is %s", status)
	}
	navigator := httptest.NewServer(p.mux("navigator", ""))
	t.Cleanup(navigator.Close)
	var list struct{ Items []LedgerLine }
	call(t, http.MethodGet, navigator.URL+"/api/messages?outcome=quarantined", http.StatusOK, &list)
	var released LedgerLine
	call(t, http.MethodPost, navigator.URL+"/api/messages/"+list.Items[0].ID+"/release", http.StatusOK, &released)
	if released.Outcome != "raised" {
		t.Errorf("released: %+v", released)
	}
	if status := p.task(t, f.id); status != "accepted" {
		t.Errorf("Task is %s", status)
	}
}

// TestTheSenderLearnsThatItHasEndedByThePersonsYesAlone: without it a request that was taken on reads the same while it
// goes on, while it waits, and once it has come to its end; and again once the yes is taken back.
func TestTheSenderLearnsThatItHasEndedByThePersonsYesAlone(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	f := newFHIRRequest()
	if answer := p.sendFHIR(t, f); answer.status != http.StatusOK {
		t.Fatalf("answered %d %s", answer.status, answer.body)
	}
	var journey string
	if err := p.pool.QueryRow(t.Context(), `select id::text from journey`).Scan(&journey); err != nil {
		t.Fatal(err)
	}
	reads := func() string {
		return p.askFHIR(t, http.MethodGet, p.http.URL+"/fhir/Task?focus=ServiceRequest/"+f.id, "").body
	}
	stands := func(state string) {
		t.Helper()
		if _, err := p.pool.Exec(t.Context(), `update journey set state = $1 where id = $2::uuid`, state,
			journey); err != nil {
			t.Fatal(err)
		}
	}
	said := func(state string) {
		t.Helper()
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
			`{"answers":[{"purpose":"tell-referrer","state":"`+state+`"}],"how":"spoken"}`)
	}
	words := regexp.MustCompile(`"businessStatus":\{"text":"[^"]*"`)
	open := words.FindString(reads())
	for _, state := range []string{"held", "closed"} {
		stands(state)
		if status, now := p.task(t, f.id), words.FindString(reads()); status != "accepted" || now != open {
			t.Errorf("of what is %s the sender reads %s %s, and not %s", state, status, now, open)
		}
	}
	stands("open")
	said("given")
	stands("closed")
	if status := p.task(t, f.id); status != "completed" {
		t.Errorf("with the person's yes the sender reads %s of what has ended", status)
	}
	stands("open")
	said("withdrawn")
	stands("closed")
	if status := p.task(t, f.id); status != "accepted" {
		t.Errorf("after the yes was taken back the sender reads %s of what has ended", status)
	}
}

func TestAnotherOrganisationSeesNothingOfARequest(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	f := newFHIRRequest()
	p.sendFHIR(t, f)
	other := httptest.NewServer(p.muxOf("RYY", "system", ""))
	t.Cleanup(other.Close)
	answer := p.askFHIR(t, http.MethodGet, other.URL+"/fhir/ServiceRequest/"+f.id, "")
	if issue := answer.outcome(t); answer.status != http.StatusNotFound ||
		issue.Details.Coding[0].Code != "REC_NOT_FOUND" {
		t.Errorf("answered %d %s", answer.status, answer.body)
	}
	tasks := p.askFHIR(t, http.MethodGet, other.URL+"/fhir/Task?focus=ServiceRequest/"+f.id, "")
	if !strings.Contains(tasks.body, `"total":0`) {
		t.Errorf("answered %d %s", tasks.status, tasks.body)
	}
	bound := httptest.NewServer(p.muxOf("RYY", "system", "/ryy"))
	t.Cleanup(bound.Close)
	forged := p.askFHIR(t, http.MethodPost, bound.URL+"/fhir/$process-message", newFHIRRequest().body(), "Content-Type",
		"application/fhir+json",
		"X-Request-Id", clock.NewRandomID(), "X-Correlation-Id", clock.NewRandomID())
	if forged.status != http.StatusForbidden || forged.outcome(t).Details.Coding[0].Code != "REC_FORBIDDEN" {
		t.Errorf("speaking for another: %d %s", forged.status, forged.body)
	}
}

func TestMetadataClaimsNoAssurance(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	answer := p.askFHIR(t, http.MethodGet, p.http.URL+"/fhir/metadata", "")
	resource, issues := fhir.Read([]byte(answer.body), fhir.Limits{})
	if answer.status != http.StatusOK || len(issues) > 0 || resource.ResourceType() != "CapabilityStatement" ||
		!strings.Contains(answer.body, "not assured") || !strings.Contains(answer.body, reading.OurCategories) {
		t.Errorf("answered %d %s %+v", answer.status, answer.body, issues)
	}
}

func TestTheMessagesThatAreTakenAreDefinedAndNamed(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	answer := p.askFHIR(t, http.MethodGet, p.http.URL+"/fhir/MessageDefinition", "", "Accept",
		"application/fhir+json; version=1.0.0", "X-Request-Id", "8F2C7A8E-0000-4000-8000-00000000000A")
	var found struct {
		ResourceType, Type string
		Total              int
		Entry              []struct {
			Resource struct {
				ResourceType, Status string
				EventCoding          fhir.Coding
			}
		}
	}
	if err := json.Unmarshal([]byte(answer.body), &found); err != nil || answer.status != http.StatusOK ||
		found.Type != "searchset" || found.Total != 1 || len(found.Entry) != 1 ||
		found.Entry[0].Resource.ResourceType != "MessageDefinition" ||
		found.Entry[0].Resource.EventCoding.Code != reading.FhirRequestEvent ||
		answer.header.Get("X-Request-Id") == "" {
		t.Errorf("answered %d %s, %v", answer.status, answer.body, err)
	}
	if answer := p.askFHIR(t, http.MethodGet, p.http.URL+"/fhir/metadata", ""); !strings.Contains(answer.body,
		ourDefinition) {
		t.Errorf("metadata does not name it: %s", answer.body)
	}
	if answer := p.askFHIR(t, http.MethodGet, p.http.URL+"/fhir/MessageDefinition", "", "Accept",
		"application/fhir+xml"); answer.status != http.StatusNotAcceptable {
		t.Errorf("as XML: %d", answer.status)
	}
}

func TestAskingForARequestWhileTheDatabaseIsAwayIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.fhirPatience = fhirBudget
	conn, err := p.site.db.Admin().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Rollback(t.Context()) }()
	if _, err := conn.Exec(t.Context(), `lock table intake.request in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	began, id := time.Now(), clock.NewRandomID()
	answer := p.askFHIR(t, http.MethodGet, p.http.URL+"/fhir/Task?focus=ServiceRequest/"+id, "", "X-Request-Id", id)
	if issue := answer.outcome(t); answer.status != http.StatusRequestTimeout ||
		issue.Details.Coding[0].Code != "REC_TIMEOUT" || answer.header.Get("X-Request-Id") != id {
		t.Errorf("answered %d %s", answer.status, answer.body)
	}
	if took := time.Since(began); took > p.patience-time.Second { // other doors wait longer
		t.Errorf("answered after %s", took)
	}
}

func TestEveryFailureUnderFHIRHasItsNationalCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err      error
		status   int
		national string
	}{
		{errBusy, 500, recServerError}, // only where it means that there is no room for a message: unavailableFHIR
		{unavailableFHIR(errBusy), 429, recTooMany},
		{unavailableFHIR(context.DeadlineExceeded), 408, recTimeout},
		{fmt.Errorf("asking: %w", context.DeadlineExceeded), 408, recTimeout},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, 503, recUnavailable},
		{errors.New("a fault of ours"), 500, recServerError},
		{httpx.NewProblem(406, "x"), 406, recNotAcceptable},
		{httpx.NewProblem(409, "x"), 409, recConflict},
		{httpx.NewProblem(413, "x"), 413, recBadRequest},
		{httpx.NewProblem(422, "x"), 422, recUnprocessable},
	} {
		if got := fhirRefusalOf(c.err); got.status != c.status || got.national != c.national ||
			got.issues[0].Diagnostics == "" {
			t.Errorf("%v: %d %s %+v", c.err, got.status, got.national, got.issues)
		}
	}
	p := newSite(t).start()
	handler := httpx.NewMux(httpx.Options{})
	handler.Handle("GET /fhir/x", p.answeringFHIR(func(http.ResponseWriter, *http.Request) error {
		panic("Examplewood")
	}))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	id := clock.NewRandomID()
	answer := p.askFHIR(t, http.MethodGet, server.URL+"/fhir/x", "", "X-Request-Id", id)
	if issue := answer.outcome(t); answer.status != 500 || issue.Details.Coding[0].Code != recServerError ||
		answer.header.Get("X-Request-Id") != id || strings.Contains(answer.body, "Examplewood") {
		t.Errorf("a panic: %d %s", answer.status, answer.body)
	}
}

func TestWhenTheDatabaseIsAwayFHIRIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.fhirPatience = fhirBudget
	conn, err := p.site.db.Admin().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Rollback(t.Context()) }()
	if _, err := conn.Exec(t.Context(), `lock table intake.receipt in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	f := newFHIRRequest()
	began := time.Now()
	answer := p.sendFHIR(t, f)
	if issue := answer.outcome(t); answer.status != http.StatusRequestTimeout ||
		issue.Details.Coding[0].Code != "REC_TIMEOUT" || answer.header.Get("Retry-After") == "" {
		t.Errorf("answered %d %s", answer.status, answer.body)
	}
	if took := time.Since(began); took > p.patience-time.Second { // other doors wait longer
		t.Errorf("answered after %s", took)
	}
	_ = conn.Rollback(t.Context())
	again := p.sendFHIR(t, f) // the first was kept meanwhile, or is not kept yet: either way it counts once
	if again.status != http.StatusConflict && again.status != http.StatusOK {
		t.Errorf("sent again: %d %s", again.status, again.body)
	}
	if types, _ := p.outbox(t); len(types) != 1 {
		t.Errorf("events %v", types)
	}
}
