package intake

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/textproto"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"footbridge/libs/fhir"
	"footbridge/libs/hl7"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// Fuzz targets of the doors: whatever comes, reading it ends, in memory bounded by its length, and either something
// is to be kept or there is a reason why not.

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

// reshape changes a JSON document as edits say, so that fuzzing gets beyond what is no JSON: each three bytes choose
// a place and give it another value, take it away, rename it, or double it. What is no JSON stays as it is.
func reshape(document, edits []byte) []byte {
	var tree any
	if len(edits) < 3 || json.Unmarshal(document, &tree) != nil {
		return document
	}
	for n := 0; n < 6 && len(edits) >= 3; n, edits = n+1, edits[3:] {
		places := placesIn(tree)
		if len(places) == 0 {
			break
		}
		at := places[(int(edits[0])<<8|int(edits[1]))%len(places)]
		other := places[int(edits[2]/8)*7%len(places)].value
		at.change(edits[2]%8, other)
	}
	written, err := json.Marshal(tree)
	if err != nil {
		return document
	}
	return written
}

// place is a member of an object, or one of a list.
type place struct {
	object map[string]any
	member string
	list   []any
	index  int
	value  any
}

func placesIn(tree any) (places []place) {
	switch in := tree.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(in)) {
			places = append(append(places, place{object: in, member: name, value: in[name]}), placesIn(in[name])...)
		}
	case []any:
		for i, value := range in {
			places = append(append(places, place{list: in, index: i, value: value}), placesIn(value)...)
		}
	}
	return places
}

func (p place) set(value any) {
	if p.list != nil {
		p.list[p.index] = value
		return
	}
	p.object[p.member] = value
}

func (p place) change(how byte, other any) {
	switch how {
	case 0:
		p.set(nil)
	case 1:
		p.set(copied(other))
	case 2:
		p.set([]any{p.value, copied(p.value)})
	case 3:
		p.set("")
	case 4:
		p.set(-1.5)
	case 5:
		p.set(map[string]any{})
	case 6:
		p.set("2026-11-20T08:00:00Z")
	case 7:
		if p.object != nil {
			delete(p.object, p.member)
		}
	}
}

// copied makes a value that shares nothing: else a document could be put into itself.
func copied(value any) (again any) {
	text, err := json.Marshal(value)
	if err != nil || json.Unmarshal(text, &again) != nil {
		return nil
	}
	return again
}

// seedDocuments adds each document as it is, and changed in one place or another.
func seedDocuments(f *testing.F, documents ...string) {
	for i, document := range documents {
		f.Add([]byte(document), []byte(nil))
		for how := range byte(8) {
			f.Add([]byte(document), []byte{byte(i), 3 * how, how})
		}
	}
}

func TestReshapingReachesEveryPlaceAndEnds(t *testing.T) {
	t.Parallel()
	made := map[string]bool{}
	for place := range byte(4) {
		for how := range byte(8) {
			made[string(reshape([]byte(`{"a":[1,"x"],"b":true}`), []byte{0, place, how}))] = true
		}
	}
	for _, want := range []string{`{"a":null,"b":true}`, `{"a":[1,null],"b":true}`, `{"a":[1,"x"]}`,
		`{"a":[1,["x","x"]],"b":true}`} {
		if !made[want] {
			t.Errorf("%s was not made", want)
		}
	}
	if same := string(reshape([]byte("no JSON"), []byte("abc"))); same != "no JSON" {
		t.Errorf("made %s of what is no JSON", same)
	}
}

// FuzzReadHL7: a message has a statement, or an outcome that is allowed.
func FuzzReadHL7(f *testing.F) {
	h := newHospital()
	f.Add(h.message("A03", reason("248062006", "self-harm", "SCT"), diagnosis("X61.8", "", "I10")))
	f.Add(h.message("A34", func(w *hl7.Writer) { w.Segment("MRG").Set(1, "L42", "", "", "RXX", "MR") }))
	f.Add(h.message("A42", func(w *hl7.Writer) { w.Segment("MRG").Set(5, "V2") }))
	f.Add(deathOn(h.message("A31")))
	f.Add([]byte("MSH|^~\\&|A|RXX|B|C|20261120||ACK^A03|7|P|2.4\rMSA|AA|C1"))
	f.Add([]byte("MSH|^~\\&|A|RXX|B|C|20261120||ADT^A03|7|P|2.4\rPID|1\rPV1|1|E\rPV2|||\"\"\rDG1|||\"\""))
	profiles, err := reading.ShippedProfiles()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		message, err := hl7.Parse(raw)
		if err != nil {
			if r := reading.ReadFailure(err); r.Outcome == "" || r.Reason == "" {
				t.Errorf("no outcome for %v", err)
			}
			return
		}
		var r reading.Reading
		bounded(t, len(raw), 100, func() { r = reading.ReadHL7(message, profiles, morning) })
		if r.ClinicalEvent == nil && r.Outcome == "" {
			t.Error("neither a statement nor an outcome")
		}
		if r.Ack == reading.NoAck && (r.Outcome != record.Ignored || !message.IsAck()) {
			t.Errorf("unanswered with outcome %s", r.Outcome)
		}
		if r.Ack != hl7.Accepted && r.Ack != reading.NoAck && r.Outcome != record.Rejected &&
			r.Outcome != record.Quarantined {
			t.Errorf("answered %v with outcome %s", r.Ack, r.Outcome)
		}
		if r.ClinicalEvent != nil {
			checkIdentity(t, r.ClinicalEvent.Person.Reveal())
		}
	})
}

// checkIdentity: a birth date is a day or nothing, and a number that is matched on is one.
func checkIdentity(t *testing.T, identity record.Identity) {
	t.Helper()
	if identity.BirthDate != "" && len(identity.BirthDate) != len("2006-01-02") {
		t.Errorf("a birth date of %d bytes", len(identity.BirthDate))
	}
	if identity.NHSNumber != "" && !hl7.ValidNHSNumber(identity.NHSNumber) {
		t.Error("an NHS number that is none")
	}
}

func fuzzedService(f *testing.F) *Service {
	profiles, err := reading.ShippedProfiles()
	if err != nil {
		f.Fatal(err)
	}
	s := &Service{profiles: profiles}
	if err := s.setDefaults(); err != nil {
		f.Fatal(err)
	}
	return s
}

// readHeaders makes request headers of lines, by the rules of Go's server: what it refuses never gets here.
func readHeaders(lines string) http.Header {
	header := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		name, value, found := strings.Cut(line, ":")
		token := name != "" && strings.Trim(name,
			"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
		if found && token && !strings.ContainsFunc(value, func(r rune) bool {
			return r < ' ' && r != '\t' || r == 0x7f
		}) {
			header.Add(textproto.CanonicalMIMEHeaderKey(name), strings.TrimSpace(value))
		}
	}
	return header
}

// FuzzReadEvent: every mode, by the headers: an event that is taken or refused, or no event.
func FuzzReadEvent(f *testing.F) {
	binary := "Ce-Specversion: 1.0\nCe-Id: 1\nCe-Source: /x%20%E2%82%AC\nCe-Type: " +
		"care.footbridge.discharge.reported.v1\nContent-Type: application/json"
	f.Add(binary, []byte(reportData), []byte(nil))
	f.Add(strings.Replace(binary, "discharge.reported", "referral.submitted", 1), []byte(sixAnswers), []byte{0, 3, 7})
	f.Add(binary+"\nCe-: x\nCe-Time: 2026-11-20T08:00:00Z\nCe-Subject: \"a\\\"b\"", []byte(reportData), []byte{0, 1, 2})
	structured, batch := "Content-Type: "+typeStructured, "Content-Type: "+typeBatch
	f.Add(structured, []byte(report("1", reportData)), []byte(nil))
	f.Add(structured, []byte(`{"specversion":"1.0","id":"1","source":"/x","type":"y","data_base64":"AA=="}`),
		[]byte(nil))
	f.Add(batch, []byte("["+report("1", reportData)+","+report("2", sixAnswers)+",{}]"), []byte{0, 9, 3})
	s := fuzzedService(f)
	f.Fuzz(func(t *testing.T, headers string, body, edits []byte) {
		header := readHeaders(headers)
		body = reshape(body, edits)
		pieces, mode := []json.RawMessage{body}, modeOf(header)
		if mode == modeUnknown || mode == modeBatch && json.Unmarshal(body, &pieces) != nil {
			return
		}
		if mode == modeBatch {
			mode = modeStructured
		}
		for _, piece := range pieces[:min(len(pieces), 20)] {
			bounded(t, len(piece)+len(headers), 400, func() { readsEvent(t, s, mode, header, piece) })
		}
	})
}

func readsEvent(t *testing.T, s *Service, mode eventMode, header http.Header, body []byte) {
	e, err := readEvent(mode, header, body)
	if err != nil {
		return
	}
	for _, text := range []string{e.ID(), e.Source(), e.Type(), e.Subject()} {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			t.Errorf("an attribute that cannot be stored: %q", text)
		}
	}
	reading, refusal := s.readReported(principal.Principal{Organisation: "RXX"}, e)
	if (refusal == nil) != (reading.ClinicalEvent != nil) {
		t.Error("neither taken nor refused")
	}
	if _, err := contentOf(e); err != nil {
		t.Errorf("no content: %v", err)
	}
	if reading.ClinicalEvent != nil {
		checkIdentity(t, reading.ClinicalEvent.Person.Reveal())
	}
}

func TestABinaryEventIsTheSameAsTheStructuredOne(t *testing.T) {
	t.Parallel()
	structured, err := readEvent(modeStructured, nil,
		[]byte(`{"specversion":"1.0","id":"100% \"€\"","source":"/x y","type":"t","data":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := contentOf(structured)
	for _, id := range []string{"100%25%20%22%E2%82%AC%22", `"100%25 \"%E2%82%AC\""`, "100%25 \"€\""} {
		header := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {id}, "Ce-Source": {"/x%20y"}, "Ce-Type": {"t"},
			"Content-Type": {"application/json"}}
		e, err := readEvent(modeBinary, header, []byte("{}"))
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if got, _ := contentOf(e); string(got) != string(want) {
			t.Errorf("%s reads %s, want %s", id, got, want)
		}
	}
}

func TestAttributesThatCannotBeReadAreRefusedAndPanicNobody(t *testing.T) {
	t.Parallel()
	for _, wrong := range []http.Header{{"Ce-": {"x"}}, {"Ce-Subject": {"a%zz"}}, {"Ce-Subject": {"%ff"}},
		{"Ce-Subject": {"%00"}}, {"Ce-Subject": {"a", "b"}}, {"Ce-Two-Parts": {"x"}}} {
		header := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/x"}, "Ce-Type": {"t"},
			"Content-Type": {"application/json"}}
		maps.Copy(header, wrong)
		var problem *httpx.Problem
		if _, err := readEvent(modeBinary, header, []byte("{}")); !errors.As(err, &problem) ||
			problem.Status != http.StatusBadRequest {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	for _, id := range []string{`a\u0000`, strings.Repeat("a", maxEventName+1)} {
		if _, err := readEvent(modeStructured, nil,
			[]byte(`{"specversion":"1.0","id":"`+id+`","source":"/x","type":"t"}`)); err == nil {
			t.Errorf("an id that cannot be stored was read: %.10q", id)
		}
	}
}

// FuzzReadForm: a form's request is taken, or refused with words.
func FuzzReadForm(f *testing.F) {
	seedDocuments(f, sixAnswers, `{"organisation":"RXX","referral":"9","route":"self","person":{"givenName":"Ada"}}`,
		`{"person":{}}`)
	s := fuzzedService(f)
	f.Fuzz(func(t *testing.T, body, edits []byte) {
		body = reshape(body, edits)
		for _, role := range []schemas.Role{schemas.SendingTeam, schemas.Person} {
			var data schemas.ReferralSubmittedData
			var refusal *httpx.Problem
			who := principal.Principal{Organisation: "RXX", Role: string(role), Subject: "x"}
			bounded(t, len(body), 400, func() { data, refusal = readForm(who, body, "") })
			if refusal != nil {
				if refusal.Status < 400 || refusal.Status >= 500 || refusal.Detail == "" {
					t.Errorf("refused with %d %q", refusal.Status, refusal.Detail)
				}
				continue
			}
			statement := s.submittedBy("form", morning, data)
			identity := statement.Person.Reveal()
			checkIdentity(t, identity)
			if role == schemas.Person && (data.Route != "self" || identity.NHSNumberVerified ||
				identity.LocalID != "" || statement.Visit != "") {
				t.Error("a person's own words about who they are were believed")
			}
		}
	})
}

// FuzzReadList: a list is refused whole, or every row is one that may be taken or has faults.
func FuzzReadList(f *testing.F) {
	f.Add([]byte(
		"visit,local_id,nhs_number,nhs_number_verified,family_name,birth_date,left_at,assessment,under_18,told,follow_up,safe_channel,safe_contact,safe_confirmed\n" +
			"V1,L1,9990000018,yes,Examplewood,1990-04-01,2026-11-20T08:00:00Z,done,no,what-it-is,yes,phone,01632 " +
			"960001,yes\nV1,,,,,,,,,,,,,\n"))
	f.Add([]byte("\ufeffVisit, given_name\r\n\"V\n2\",\"A\"\"da\"\r\nV3,\"broken\r\n"))
	f.Add([]byte("visit\n\n \n,\n\"\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var rows []reading.ListRow
		var err error
		bounded(t, len(text), 4000, func() { rows, err = reading.ReadList("RXX", text, "") })
		if err != nil && (rows != nil || strings.Contains(err.Error(), "csv")) {
			t.Errorf("%d rows and %v", len(rows), err)
		}
		if len(rows) > reading.MaxRows || len(rows) > len(text) {
			t.Errorf("%d rows of %d bytes", len(rows), len(text))
		}
		raw, line := 0, 1
		for _, row := range rows {
			raw += len(row.Raw)
			before := line
			line = row.Row
			if line <= before || len(row.Faults) == 0 &&
				(row.Data.Visit == "" || schemas.ValidateReferralSubmitted(row.Data) != nil) {
				t.Errorf("row %d cannot be taken and has no fault: %+v", row.Row, row.Data)
			}
		}
		if raw > 3*len(text) { // a byte of another character set is up to three of UTF-8
			t.Errorf("rows of %d bytes in all from %d", raw, len(text))
		}
	})
}

// FuzzReadWhatIsRecorded reads what staff send about a person: answers, contact, wishes, edits of a message.
func FuzzReadWhatIsRecorded(f *testing.F) {
	seedDocuments(f,
		`{"answers":[{"purpose":"follow-up","organisation":"8c4bba9e-7c82-48a1-8bbd-6fb23f09d445","state":"given","until":"2026-12-01"}],"giver":"person","how":"spoken","told":["what-it-is"],"capacityDoubt":false,"mayConsent":{"basis":"gillick","whosePhone":"their own","mayKnow":"nobody"}}`,
		`{"channels":[{"channel":"phone","value":"01632 960001","confirmed":true,"fromHour":18,"toHour":21}],"named":[{"name":"Ada"}],"neverTell":["x"],"needs":["large-print"]}`,
		`{"noSafeChannel":true,"arrangement":"at the desk"}`,
		`{"channels":["phone"],"workerGender":"woman","language":"cy","interpreterNeeded":true,"partners":["a"],"never":["b"],"words":"not on Mondays"}`,
		`{"facts":{"age":36},"leftAt":"2026-11-20T08:00:00Z","visit":"V1"}`)
	f.Fuzz(func(t *testing.T, body, edits []byte) {
		body = reshape(body, edits)
		bounded(t, len(body), 400, func() {
			var consent consentRequest
			if httpx.DecodeJSON(body, &consent) == nil {
				let := record.Guard{First: true}
				if consent.MayConsent != nil && consent.MayConsent.Fault() == "" {
					let = record.Guard{Answers: consent.MayConsent.Answers()}
				}
				for _, a := range consent.Answers {
					answer := record.Answer{Purpose: a.Purpose, State: a.State, How: consent.How,
						Giver: cmp.Or(consent.Giver, "person"), Until: a.Until}
					if record.ConsentFault(answer, "", let, "2026-11-20") == "" && a.State == record.ConsentGiven &&
						(let.First || answer.Giver != let.Answers) {
						t.Errorf("a yes of %q was taken under %+v", answer.Giver, let)
					}
				}
			}
			var card record.Card
			if httpx.DecodeJSON(body, &card) == nil && record.CardFault(card) == "" && card.NoSafeChannel &&
				len(card.Channels) > 0 {
				t.Error("a channel where there is no safe one")
			}
			var wishes record.Preferences
			if httpx.DecodeJSON(body, &wishes) == nil {
				facts := wishes.Facts(schemas.Facts{})
				facts.Validate()
			}
			if edited, err := readEdits(body); err == nil {
				var s record.ClinicalEvent
				edited.apply(&s)
			}
		})
	})
}

// FuzzReadFHIR: a message is taken, or there is an issue that can be written.
func FuzzReadFHIR(f *testing.F) {
	r := newFHIRRequest()
	seedDocuments(f, r.body())
	r.visit, r.ended, r.snomed = "E1", "2026-11-20", "248062006"
	seedDocuments(f, r.body())
	r.reason, r.status = "update", "revoked"
	seedDocuments(f, r.body())
	profiles, err := reading.ShippedProfiles()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body, edits []byte) {
		body = reshape(body, edits)
		bounded(t, len(body), 1000, func() { readsFHIR(t, profiles, body) })
	})
}

func readsFHIR(t *testing.T, profiles *reading.Profiles, body []byte) {
	bundle, issues := fhir.ReadAs[*fhir.Bundle](body, fhir.Limits{})
	if len(issues) > 0 {
		return
	}
	message, fault := reading.ReadFHIR(bundle, profiles.For("x"), "RXX")
	made := message.Discharge != nil || message.Submitted != nil || message.Revoked != ""
	if (fault == nil) != made {
		t.Error("neither taken nor refused")
	}
	if fault != nil {
		if written, err := json.Marshal(fault.Issue); err != nil || fault.Issue.Diagnostics == "" {
			t.Errorf("issue %s, %v", written, err)
		}
	}
	if d := message.Discharge; d != nil && schemas.ValidateDischargeReported(*d) != nil {
		t.Errorf("a discharge that is not as its schema says: %v", schemas.ValidateDischargeReported(*d))
	}
	if d := message.Submitted; d != nil && schemas.ValidateReferralSubmitted(*d) != nil {
		t.Errorf("a request that is not as its schema says: %v", schemas.ValidateReferralSubmitted(*d))
	}
}

// FuzzNationalHeaders: what cannot be read is as if it were not there.
func FuzzNationalHeaders(f *testing.F) {
	f.Add("eyJ2YWx1ZSI6IngiLCJzeXN0ZW0iOiJ5In0", "e30=", "application/fhir+json; version=1.0, */*",
		"application/fhir+json;charset=utf-8")
	f.Add("not base64!", "", ",;", "text")
	f.Fuzz(func(t *testing.T, target, organisation, accept, contentType string) {
		header := http.Header{"Nhsd-Target-Identifier": {target}, "Nhsd-End-User-Organisation": {organisation}}
		var read NationalHeaders
		bounded(t, len(target)+len(organisation), 1000, func() { read = readNational(header) })
		if len(read.Target) > 100 || len(read.Organisation) > len(organisation) {
			t.Errorf("%d and %d bytes", len(read.Target), len(read.Organisation))
		}
		acceptsFHIR([]string{accept})
		isFHIRJSON(contentType)
	})
}

// FuzzReadSignal: a signal whose person is known by a number, or a fault.
func FuzzReadSignal(f *testing.F) {
	seedDocuments(f, signal("pds-death-notification-2", "9990000107", `,"filtering":{"a":1}`),
		signal("nhs-number-change-1", "9990000107", `,"dataref":"https://example.org/Patient/9990000018"`),
		history("nhs-number-change-2", "9990000107"))
	f.Fuzz(func(t *testing.T, body, edits []byte) {
		body = reshape(body, edits)
		var signal reading.Signal
		var fault *reading.SignalFault
		bounded(t, len(body), 1000, func() { signal, fault = reading.ReadSignal(body) })
		switch {
		case fault != nil && fault.Words == "":
			t.Error("a fault without words")
		case fault == nil && signal.Kind != record.SignalOther && !hl7.ValidNHSNumber(signal.Person.Reveal().Number):
			t.Error("a signal about nobody")
		case fault == nil && (signal.ID == "" || signal.Type == "" || signal.At.IsZero()):
			t.Error("a signal without id, type or time")
		case fault == nil && len(signal.ID)+len(signal.Source) > 2*reading.MaxAttribute ||
			bytes.ContainsRune([]byte(signal.ID), 0):
			t.Error("an id that cannot be stored")
		}
	})
}
