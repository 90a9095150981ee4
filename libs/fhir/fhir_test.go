package fhir_test

import (
	"encoding/json"
	"reflect"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"footbridge/libs/fhir"
)

const patient = `{"resourceType":"Patient","id":"p1","meta":{"lastUpdated":"2026-11-20T08:00:00.1234567Z","versionId":"1"},
	"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107","assigner":{"display":"x"},
		"extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
			"valueCodeableConcept":{"coding":[{"code":"number-present-and-verified"}]}}]}],
	"name":[{"family":"Example","given":["Ada",null],"_given":[null,{"extension":[{"url":"urn:x","valueString":"y"}]}]}],
	"birthDate":"1990-04-01","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1990-04-01T01:00:00Z"}]},
	"multipleBirthInteger":2,"deceasedBoolean":false}`

func TestAResourceComesBackWithAllThatCame(t *testing.T) {
	t.Parallel()
	resource, issues := fhir.Read([]byte("\xef\xbb\xbf"+patient), fhir.Limits{})
	if len(issues) > 0 {
		t.Fatalf("issues %+v", issues)
	}
	p := resource.(*fhir.Patient)
	if p.Name[0].Family != "Example" ||
		p.Identifier[0].Extension[0].ValueCodeableConcept.Coding[0].Code != "number-present-and-verified" {
		t.Errorf("read %+v", p)
	}
	again, err := json.Marshal(p)
	var before, after any
	if err != nil || json.Unmarshal([]byte(patient), &before) != nil || json.Unmarshal(again, &after) != nil ||
		!reflect.DeepEqual(before, after) {
		t.Errorf("came back as %s, %v", again, err)
	}
}

func TestWhatIsNoR4IsRefusedAndSaidWhere(t *testing.T) {
	t.Parallel()
	request := `{"resourceType":"ServiceRequest","status":"active","intent":"plan","subject":{"reference":"Patient/1"}}`
	with := func(body, old, new string) string { return strings.Replace(body, old, new, 1) }
	for claim, c := range map[string]struct{ body, code, at string }{
		"not JSON":              {`{"resourceType":`, "structure", ""},
		"not UTF-8":             {"{\"resourceType\":\"Patient\",\"id\":\"\xff\"}", "structure", ""},
		"a list":                {`[]`, "structure", ""},
		"two values":            {request + request, "structure", ""},
		"no type":               {`{"id":"1"}`, "structure", ""},
		"a type that is none":   {`{"resourceType":"../etc"}`, "structure", ""},
		"the same member twice": {with(request, `"status"`, `"status":"revoked","status"`), "structure", ""},
		"unknown element": {with(request, `"intent"`, `"PatientInstruction":"x","intent"`), "structure",
			"ServiceRequest"},
		"unknown status": {with(request, `"active"`, `"inactive"`), "code-invalid",
			"ServiceRequest.status"},
		"no subject": {with(request, `,"subject":{"reference":"Patient/1"}`, ``), "required",
			"ServiceRequest.subject"},
		"one value for a list": {with(request, `"intent"`, `"basedOn":{"reference":"x"},"intent"`), "structure",
			"ServiceRequest.basedOn"},
		"a list for one value": {with(request, `{"reference":"Patient/1"}`, `[{"reference":"Patient/1"}]`),
			"structure", "ServiceRequest.subject"},
		"null": {with(request, `"intent"`, `"priority":null,"intent"`), "structure",
			"ServiceRequest.priority"},
		"empty object": {with(request, `{"reference":"Patient/1"}`, `{}`), "structure",
			"ServiceRequest.subject"},
		"empty list": {with(request, `"intent"`, `"note":[],"intent"`), "structure",
			"ServiceRequest.note"},
		"empty text": {with(request, `Patient/1`, ` `), "value", "ServiceRequest.subject.reference"},
		"two of a choice": {with(request, `"intent"`,
			`"occurrenceDateTime":"2026","occurrencePeriod":{"start":"2026"},"intent"`), "structure", "ServiceRequest"},
		"30 February": {with(request, `"intent"`, `"authoredOn":"2026-02-30","intent"`), "value",
			"ServiceRequest.authoredOn"},
		"an instant to the day": {`{"resourceType":"Slot","schedule":{"reference":"x"},"status":"free","start":"2026-11-20","end":"2026-11-20T09:00:00Z"}`, "value", "Slot.start"},
		"a time without zone": {with(request, `"intent"`, `"authoredOn":"2026-02-03T10:00:00","intent"`),
			"value", "ServiceRequest.authoredOn"},
		"a number as text": {`{"resourceType":"Patient","active":"true"}`, "value", "Patient.active"},
		"an extension of no use": {`{"resourceType":"Patient","extension":[{"url":"urn:x"}]}`, "invariant",
			"Patient.extension[0]"},
		"a message without header": {`{"resourceType":"Bundle","type":"message","entry":[{"resource":` + request +
			`}]}`, "invariant", "Bundle.entry[0]"},
		"a resource not in resource": {`{"resourceType":"Bundle","type":"searchset","entry":[` + request + `]}`,
			"structure", "Bundle.entry[0]"},
		"broken deep in a bundle": {`{"resourceType":"Bundle","type":"collection","entry":[{"resource":` +
			with(request, "active", "on") + `}]}`, "code-invalid", "Bundle.entry[0].resource.status"},
		"null in a type not narrowed": {`{"resourceType":"CarePlan","status":null}`, "structure", "CarePlan.status"},
		"nested too deeply": {`{"resourceType":"Patient","extension":` +
			strings.Repeat(`[{"url":"urn:x","extension":`, 60) + `1` + strings.Repeat(`}]`, 60) + `}`, "too-costly",
			""},
	} {
		resource, issues := fhir.Read([]byte(c.body), fhir.Limits{})
		if resource != nil || len(issues) == 0 {
			t.Errorf("%s: read", claim)
			continue
		}
		at := ""
		if len(issues[0].Expression) > 0 {
			at = issues[0].Expression[0]
		}
		if issues[0].Code != c.code || at != c.at || issues[0].Diagnostics == "" {
			t.Errorf("%s: %+v", claim, issues)
		}
	}
}

func TestIssuesNeverQuoteWhatTheResourceSays(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"resourceType":"Patient","birthDate":"Canary"}`, `{"resourceType":"Patient","name":{"family":"Canary"}}`,
		`{"resourceType":"Patient","gender":"Canary"}`, `{"resourceType":"Patient","Canary lives here":1}`,
		`{"Canary":"Canary`,
		`{"resourceType":"Canary 1"}`,
	} {
		_, issues := fhir.Read([]byte(body), fhir.Limits{})
		written, _ := json.Marshal(issues)
		if len(issues) == 0 || strings.Contains(string(written), "Canary") {
			t.Errorf("%s: %s", body, written)
		}
	}
}

func TestTheNumberOfIssuesAndValuesIsBounded(t *testing.T) {
	t.Parallel()
	_, issues := fhir.Read([]byte(`{"resourceType":"Patient","name":[`+strings.Repeat(`null,`, 5000)+`null]}`),
		fhir.Limits{})
	if len(issues) != 20 {
		t.Errorf("%d issues", len(issues))
	}
	_, issues = fhir.Read([]byte(`{"resourceType":"Patient","name":[`+strings.Repeat(`null,`, 200_000)+`null]}`),
		fhir.Limits{})
	if len(issues) != 1 || issues[0].Code != "too-costly" {
		t.Errorf("%d issues", len(issues))
	}
}

func TestInstantsMayHaveSevenDigitsAndAnyOffset(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2021-11-26T15:00:00.8185338+00:00": "2021-11-26T15:00:00.8185338Z",
		"2021-11-26T15:00:00Z":              "2021-11-26T15:00:00Z",
		"2021-11-26T15:00:00+05:30":         "2021-11-26T09:30:00Z", "2016-12-31T23:59:60Z": "2016-12-31T23:59:59Z",
		"2021-11-26T15:00:00.123456789123Z": "2021-11-26T15:00:00.123456789Z",
	} {
		got, err := fhir.ParseInstant(text)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2021-11-26", "2021-11-26T15:00Z", "2021-02-30T15:00:00Z", "2021-11-26T15:00:00",
		"2021-11-26T15:00:00." + strings.Repeat("1", 100) + "Z"} {
		if _, err := fhir.ParseInstant(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestReferencesAreFoundWithinTheBundleOnly(t *testing.T) {
	t.Parallel()
	bundle, issues := fhir.ReadAs[*fhir.Bundle]([]byte(`{"resourceType":"Bundle","type":"collection","entry":[
		{"fullUrl":"urn:uuid:11111111-1111-4111-8111-111111111111","resource":{"resourceType":"Patient","id":"7"}},
		{"fullUrl":"urn:uuid:22222222-2222-4222-8222-222222222222","resource":{"resourceType":"CarePlan","id":"7","status":"active"}}]}`), fhir.Limits{})
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	for reference, found := range map[string]bool{"urn:uuid:11111111-1111-4111-8111-111111111111": true,
		"Patient/7":                          true,
		"https://example.org/fhir/Patient/7": true, "Patient/8": false,
		"urn:uuid:22222222-2222-4222-8222-222222222222": false, "": false} {
		if p := fhir.Find[*fhir.Patient](bundle, &fhir.Reference{Reference: reference}); (p != nil) != found {
			t.Errorf("%q: %v", reference, p)
		}
	}
}

// FuzzRead: whatever comes, reading ends, with a resource that can be written and read again, or with issues; in memory
// and with an answer bounded by what came. intake's FuzzReadFHIR changes whole messages in their structure.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{patient,
		`{"resourceType":"Bundle","type":"message","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"MessageHeader","eventUri":"urn:x","source":{"endpoint":"urn:y"}}},{"resource":{"resourceType":"CarePlan","contained":[{"resourceType":"Patient"}]}}]}`,
		`{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b","valueInstant":"2020-06-01T13:00:00.1234567Z"}]}]}`,
		`{"resourceType":"Task","status":"requested","intent":"order","input":[{"type":{"text":"x"},"valueQuantity":{"value":1e3}}]}`,
		`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"duplicate"}]}`,
		`{"resourceType":"Encounter","status":"finished","class":{"code":"EMER"},"period":{"start":"2026-11-20T05:00:00.1Z","end":"2026-11-20"}}`,
		`{"resourceType":"ServiceRequest","status":"active","intent":"plan","subject":{"reference":"Patient/1"},"reasonCode":[{"coding":[{"code":"1"}],"text":null}]}`,
		`{"resourceType":"Condition","subject":{},"onsetDateTime":"2026-02-30","note":[{"text":"<&>"}]}`,
		`{"resourceType":"Other","a":[[[[{"a":1}]]]],"a":2}`, strings.Repeat("[", 300)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var resource fhir.Resource
		var issues []fhir.Issue
		bounded(t, len(body), 1000, func() { resource, issues = fhir.Read(body, fhir.Limits{}) })
		if (resource == nil) != (len(issues) > 0) || len(issues) > 21 {
			t.Fatalf("neither a resource nor issues, or both: %d issues", len(issues))
		}
		for _, issue := range issues {
			if issue.Diagnostics == "" || issue.Code == "" {
				t.Fatalf("issue %+v", issue)
			}
		}
		if resource == nil {
			return
		}
		written, err := json.Marshal(resource)
		if err != nil || len(written) > 6*len(body)+1000 { // < is written as six characters
			t.Fatalf("%d bytes written of %d: %v", len(written), len(body), err)
		}
		if _, issues := fhir.Read(written, fhir.Limits{}); len(issues) > 0 {
			t.Fatalf("what was written is not read again: %+v", issues)
		}
	})
}

// bounded fails where do allocates more than each byte of what came may cost, freed or not. Other goroutines count
// too, so there is something to spare.
func bounded(t *testing.T, came, each int, do func()) {
	t.Helper()
	const spare = 4 << 20
	before := allocated()
	do()
	if taken := allocated() - before; taken > uint64(spare+each*came) {
		t.Fatalf("%d bytes made it allocate %d", came, taken)
	}
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
