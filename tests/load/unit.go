package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"footbridge/schemas"
)

// The unit of work: a discharge of a made-up person who said yes to both and waits on a talking-therapies service's
// list. Every variant gets it by the same bytes over the same door.
const (
	organisation = "RXX"
	source       = "/load/ed-system"
	// Where the two numbers stand in the body that differ from unit to unit.
	visitMark = "VISIT-0000000000"
	localMark = "LOCAL-0000000000"
	idMark    = "00000000-0000-7000-8000-000000000000"
)

// request is one POST /events as bytes, with the places where units differ.
type request struct {
	bytes            []byte
	id, visit, local int
}

// newRequest writes the request once. CloudEvents in binary mode: the attributes are headers, the body is the data.
func newRequest(host, token string, now time.Time) (*request, error) {
	yes, no, age := true, false, 34
	word := func(s string) *string { return &s }
	left, arrived := now.Add(-10*time.Minute).UTC().Truncate(time.Second),
		now.Add(-6*time.Hour).UTC().Truncate(time.Second)
	data, err := json.Marshal(schemas.DischargeReportedData{
		Organisation: organisation, Visit: visitMark, ArrivedAt: &arrived, LeftAt: &left, InScope: true,
		Person: schemas.ReportedPerson{LocalID: localMark, FamilyName: "Examplewood", GivenName: "Rowan",
			BirthDate: "1991-06-14",
			Phone:     "07700 900123", Email: "rowan@example.org", Address: "1 Sample Street\nExampleton",
			Postcode: "ZZ99 3WZ"},
		Codes: []schemas.Code{{System: "snomed", Code: "000000000", Role: "reason"},
			{System: "ecds", Code: "X1", Role: "intent"}},
		Facts: schemas.Facts{Age: &age, AreaResidence: word("E06000027"), RegisteredGP: &yes, Gender: word("woman"),
			Language:          word("en"),
			InterpreterNeeded: &no, Route: word("discharge"), Assessment: word("done"), Destination: word("home"),
			Channels: []string{"phone", "video"},
			Carer:    &no, InEducation: &no, WaitingOn: []string{"talking-therapies"}},
		Consents: []schemas.ReportedConsent{{Purpose: schemas.PurposeFollowUp, Given: true, How: "spoken",
			RecordedBy: "liaison-nurse"},
			{Purpose: schemas.PurposeBridging, Given: true, How: "spoken", RecordedBy: "liaison-nurse"}},
	})
	if err != nil {
		return nil, fmt.Errorf("writing the unit: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: "+
		"application/json\r\n"+
		"Ce-Specversion: 1.0\r\nCe-Id: %s\r\nCe-Source: %s\r\nCe-Type: %s\r\nCe-Time: %s\r\nContent-Length: "+
		"%d\r\n\r\n%s",
		host, token, idMark, source, schemas.DischargeReported, now.UTC().Format(time.RFC3339), len(data), data)
	r := &request{bytes: b.Bytes()}
	r.id, r.visit, r.local = bytes.Index(r.bytes, []byte(idMark)), bytes.Index(r.bytes, []byte(visitMark)),
		bytes.Index(r.bytes, []byte(localMark))
	return r, nil
}

// copyFor makes the n-th unit of a series of it, in buffer.
func (r *request) copyFor(buffer []byte, n int) []byte {
	buffer = append(buffer[:0], r.bytes...)
	digits := func(at, width int) {
		text := strconv.Itoa(n)
		copy(buffer[at+width-len(text):at+width], text)
	}
	digits(r.id, len(idMark))
	digits(r.visit, len(visitMark))
	digits(r.local, len(localMark))
	return buffer
}
