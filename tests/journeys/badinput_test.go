package journeys

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// frames are what may come over one MLLP connection, one after the other: each with its answer, and with the outcome
// and reason that the ledger must show. A frame that another one cuts off is not answered: it had not been sent.
var frames = []struct {
	what, bytes, ack, outcome, reason string
}{
	{"no HL7", "\x0bhello, is anybody there?\x1c\r", "AR", "rejected", "not-hl7"},
	{"an empty frame", "\x0b\x1c\r", "AR", "rejected", "empty"},
	{"an unknown type", "\x0b" + header("ORU^R01", "B2") + "\r\x1c\r", "AR", "rejected", "message-type"},
	{"an unknown trigger", "\x0b" + header("ADT^Z99", "B3") + "\r\x1c\r", "AR", "rejected", "unknown-event"},
	{"a header cut short", "\x0bMSH|^~\\&|BAD|RX\x1c\r", "AE", "quarantined", "broken-content"},
	{"no person", "\x0b" + header("ADT^A03", "B5") + "\rPID|1\rPV1|1|E\r\x1c\r", "AA", "quarantined", "no-person"},
	{"another version", "\x0b" + strings.Replace(header("ADT^A03", "B6"), "|P|2.4", "|P|9.9", 1) + "\r\x1c\r", "AR",
		"rejected", "version"},
	{"a frame cut off by the next", "\x0b" + header("ADT^A03", "B7"), "", "quarantined", "frame-truncated"},
	{"10 MiB without an end", "\x0b" + strings.Repeat("MSH|", 10<<18), "AR", "rejected", "too-large"},
}

func header(kind, control string) string {
	return `MSH|^~\&|BAD|RXX|FOOTBRIDGE|RXX|` + time.Now().Format(hl7Time) + `||` + kind + "|" + control + "|P|2.4"
}

func good(control string) string {
	return header("ADT^A01", control) + "\rEVN|A01|" + time.Now().Format(hl7Time) +
		"\rPID|1||BAD-1^^^RXX^MR||Example^Good||19900101|M|||||07700 900123\rPV1|1|E|AE||||||||||||||||VBAD" + control +
		"\r"
}

func TestBadFramesAreAnsweredAndInTheLedgerAndTheNextGoodOneWorks(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	conn, err := net.Dial("tcp", s.MLLP)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	wanted := map[string]int{}
	for i, f := range frames {
		control := fmt.Sprintf("GOOD%d", i)
		if _, err := conn.Write([]byte(f.bytes + "\x0b" + good(control) + "\x1c\r")); err != nil {
			t.Fatalf("%s: %v", f.what, err)
		}
		if f.ack != "" {
			if ack := answerOn(t, conn); string(ack.Code) != f.ack {
				t.Errorf("%s: answered %s, want %s", f.what, ack.Code, f.ack)
			}
		}
		if ack := answerOn(t, conn); string(ack.Code) != "AA" || ack.ControlID != control {
			t.Errorf("after %s the good message was answered %s %s", f.what, ack.Code, ack.ControlID)
		}
		wanted["joined not-ended"]++
		wanted[f.outcome+" "+f.reason]++
	}
	for _, m := range s.Ledger("") {
		if wanted[m.Outcome+" "+m.Reason] > 0 {
			wanted[m.Outcome+" "+m.Reason]--
			continue
		}
		t.Errorf("in the ledger and not sent: %s %s", m.Outcome, m.Reason)
	}
	for what, left := range wanted {
		if left != 0 {
			t.Errorf("%d of %q are not in the ledger", left, what)
		}
	}
}

func answerOn(t *testing.T, conn net.Conn) hl7.Acknowledgement {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(system.Patience)); err != nil {
		t.Fatal(err)
	}
	var frame []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(frame, []byte("\x1c\r")) {
		if _, err := conn.Read(one); err != nil {
			t.Fatalf("reading an answer after %q: %v", frame, err)
		}
		frame = append(frame, one[0])
	}
	ack, err := hl7.ParseAck(bytes.Trim(frame, "\x0b\x1c\r"))
	if err != nil {
		t.Fatalf("reading the answer %q: %v", frame, err)
	}
	return ack
}

const structured = "application/cloudevents+json"

// requests are what may come over POST /events.
var requests = []struct {
	what, contentType, body string
	status                  int
	reason                  string
}{
	{"no event", structured, `hello`, http.StatusBadRequest, "not-a-cloudevent"},
	{"an event without its attributes", structured, `{"specversion": "1.0", "type": "a.b"}`, http.StatusBadRequest,
		"not-a-cloudevent"},
	{"an older form", structured, `{"id": "B1", "source": {"name": "x"}, "type": "y"}`, http.StatusBadRequest,
		"not-a-cloudevent"},
	{"another media type", "text/plain", `hello`, http.StatusUnsupportedMediaType, "media-type"},
	{"an unknown event type", structured, event("B2", "care.footbridge.weather.observed.v1", `{}`),
		http.StatusUnprocessableEntity, ""},
	{"a schema violation", structured, event("B3", string(schemas.DischargeReported),
		`{"organisation": "RXX", "visit": 7}`), http.StatusUnprocessableEntity, "schema"},
	{"a field for a grade", structured, event("B4", string(schemas.DischargeReported),
		strings.Replace(report("VB4"), `"facts": {`, `"facts": {"riskLevel": "high", `, 1)),
		http.StatusUnprocessableEntity, "schema"},
	{"another's source", structured, strings.Replace(event("B5", string(schemas.DischargeReported), report("VB5")),
		system.HospitalSource, "/hospitals/other", 1), http.StatusForbidden, "source-not-allowed"},
	{"too much", structured, event("B6", string(schemas.DischargeReported), `{"a": "`+strings.Repeat("x", 2<<20)+`"}`),
		http.StatusRequestEntityTooLarge, "too-large"},
}

func event(id, kind, data string) string {
	return fmt.Sprintf(
		`{"specversion": "1.0", "id": %q, "source": %q, "type": %q, "datacontenttype": "application/json", "data": %s}`,
		id, system.HospitalSource, kind, data)
}

func report(visit string) string {
	return fmt.Sprintf(
		`{"organisation": "RXX", "visit": %q, "person": {"localId": "L-%s", "familyName": "Example", "givenName": "Good", "birthDate": "1990-01-01", "phone": "07700 900123"},
		"leftAt": %q, "inScope": true, "facts": {"destination": "home"}}`, visit, visit,
		time.Now().Add(-time.Hour).Format(time.RFC3339))
}

func TestBadRequestsAreAnsweredAndInTheLedgerAndTheNextGoodOneWorks(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	ledger := 0
	for i, r := range requests {
		answer := s.Ask(schemas.System, http.MethodPost, "/events", r.contentType, []byte(r.body))
		if answer.Status != r.status {
			t.Errorf("%s: answered %d %s, want %d", r.what, answer.Status, answer.Body, r.status)
		}
		if !bytes.Contains(answer.Body, []byte(`"detail"`)) {
			t.Errorf("%s: the answer says nothing about what to do: %s", r.what, answer.Body)
		}
		lines := s.Ledger("")
		if len(lines) != ledger+1 || lines[ledger].Outcome != "rejected" ||
			(r.reason != "" && lines[ledger].Reason != r.reason) {
			t.Errorf("%s: not in the ledger as rejected, %s: %+v", r.what, r.reason, lines[min(ledger, len(lines)):])
		}
		visit := fmt.Sprintf("VGOOD%d", i)
		answer = s.Ask(schemas.System, http.MethodPost, "/events", structured,
			[]byte(event(visit, string(schemas.DischargeReported), report(visit))))
		if answer.Status != http.StatusAccepted || !bytes.Contains(answer.Body, []byte(`"journey"`)) {
			t.Errorf("after %s the good event was answered %d %s", r.what, answer.Status, answer.Body)
		}
		ledger = len(s.Ledger(""))
	}
}
