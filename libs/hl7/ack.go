package hl7

import (
	"bytes"
	"strconv"
	"time"
)

// Outcome is what became of a message, before it is put into the words of an acknowledgement mode.
type Outcome uint8

const (
	// Accepted says that the message can no longer be lost: AA, or CA.
	Accepted Outcome = iota
	// Failed says that its content cannot be used, and that sending it again unchanged will not help: AE, or CE.
	Failed
	// Refused says that its type, version or processing ID is not taken, or that the receiver cannot take it now and
	// it should be sent again: AR, or CR.
	Refused
)

// AckMode is which of HL7's two acknowledgement modes an answer is in.
type AckMode uint8

const (
	// AsAsked is the mode the message asks for by MSH-15 and MSH-16.
	AsAsked AckMode = iota
	// Original answers AA, AE or AR whatever MSH-15 and MSH-16 say: for senders that fill them in but know
	// the original mode only, as the NHS ITK pack has it.
	Original
	// AtLeastOne is as asked, but answers in original mode where that would be no answer at all, such as where one of
	// MSH-15 and MSH-16 is NE and the other empty: several senders wait for ever then.
	AtLeastOne
)

// Ack is what an acknowledgement says.
type Ack struct {
	Outcome Outcome
	Mode    AckMode
	// Text becomes MSA-3, at most 80 characters, printable ASCII. Give constant phrases: never anything from the
	// message, since acknowledgements end up in engines' logs.
	Text string
	// ControlID becomes MSH-10 of the answer: fresh for each. ApplicationID is that of an application acknowledgement
	// which follows an accept acknowledgement.
	ControlID, ApplicationID string
	// At becomes MSH-7, with its offset.
	At time.Time
	// Faults become ERR segments; at most 10 are sent.
	Faults []Fault
}

// Fault says where and what is wrong. It holds places and codes, no values.
type Fault struct {
	Segment    string // the segment's name, "" when the whole message is meant
	Occurrence int    // which of that name, from 1; 0 counts as 1
	Field      int    // from 1; 0 when the whole segment is meant
	Code       int    // HL7 table 0357, such as [CodeRequiredFieldMissing]
}

// HL7 table 0357, message error conditions.
const (
	CodeSegmentSequence      = 100
	CodeRequiredFieldMissing = 101
	CodeWrongType            = 102 // the value is not of the field's type
	CodeTableValueNotFound   = 103
	CodeUnsupportedMessage   = 200
	CodeUnsupportedEvent     = 201
	CodeUnsupportedID        = 202 // processing ID
	CodeUnsupportedVersion   = 203
	CodeUnknownKey           = 204
	CodeDuplicateKey         = 205
	CodeInternalError        = 207
)

func codeText(code int) string {
	switch code {
	case CodeSegmentSequence:
		return "Segment sequence error"
	case CodeRequiredFieldMissing:
		return "Required field missing"
	case CodeWrongType:
		return "Data type error"
	case CodeTableValueNotFound:
		return "Table value not found"
	case CodeUnsupportedMessage:
		return "Unsupported message type"
	case CodeUnsupportedEvent:
		return "Unsupported event code"
	case CodeUnsupportedID:
		return "Unsupported processing id"
	case CodeUnsupportedVersion:
		return "Unsupported version id"
	case CodeUnknownKey:
		return "Unknown key identifier"
	case CodeDuplicateKey:
		return "Duplicate key identifier"
	}
	return "Application internal error"
}

// Enhanced tells whether the message asks for the enhanced acknowledgement mode: MSH-15 or MSH-16 is valued
// (HL7 2.4, 2.9.3; HL7 UK A.3 2.3).
func (m *Message) Enhanced() bool { return !m.msh(15).IsEmpty() || !m.msh(16).IsEmpty() }

// Acks builds the acknowledgements that the message asks for, each a message of its own, in the order in which they
// go back; none when its sender wants none for this outcome. [Message.AckCodes] says which.
//
// Sender and receiver change places; delimiters, processing ID, version and character set are the message's; its
// control ID comes back in MSA-2 as it was sent, without control characters and up to 250 bytes. In enhanced mode
// MSH-15 and MSH-16 are NE: nobody acknowledges an acknowledgement. Only the one that says what is wrong has Text and
// Faults.
func (m *Message) Acks(a Ack) [][]byte {
	codes := m.AckCodes(a.Mode, a.Outcome)
	acks := make([][]byte, 0, len(codes))
	enhanced := a.Mode != Original && m.Enhanced() && len(m.AckCodes(AsAsked, a.Outcome)) > 0
	for i, code := range codes {
		if i > 0 {
			a.ControlID = a.ApplicationID
		}
		said := a
		if i+1 < len(codes) {
			said.Text, said.Faults = "", nil
		}
		acks = append(acks, m.acknowledge(said, code, enhanced))
	}
	return acks
}

// AckCodes tells by which codes (MSA-1) a message is answered, in order, and so how many answers there are: none to
// two.
//
// Original mode has one: AA, AE or AR. In enhanced mode MSH-15 asks for the accept acknowledgement and MSH-16 for the
// application acknowledgement. Accepted is CA, then AA. Refused is CR, after which there is no application
// acknowledgement, since the message was not taken (HL7 2.4, 2.9.3); AR where only MSH-16 asks. Failed, which has been
// taken and cannot be used, is CA, then AE; CE where no application acknowledgement is to say it: never a CA alone.
func (m *Message) AckCodes(mode AckMode, outcome Outcome) []string {
	outcome = min(outcome, Refused)
	accept, application := [...]string{"CA", "CE", "CR"}[outcome], [...]string{"AA", "AE", "AR"}[outcome]
	if mode == Original || !m.Enhanced() {
		return []string{application}
	}
	applies, accepts := asks(m.msh(16), outcome), asks(m.msh(15), outcome)
	if outcome == Failed && applies {
		accept, accepts = "CA", asks(m.msh(15), Accepted)
	}
	switch {
	case accepts && applies && outcome != Refused:
		return []string{accept, application}
	case accepts:
		return []string{accept}
	case applies, mode == AtLeastOne:
		return []string{application}
	}
	return nil
}

// IsAck tells whether the message is itself an answer: of type ACK (or MCF, its delayed form up to 2.2), or with an MSA
// segment. Answering it would never end.
func (m *Message) IsAck() bool {
	return m.Type() == "ACK" || m.Type() == "MCF" || m.Segment("MSA").Exists()
}

// asks reads HL7 table 0155: AL always, ER on error or reject, SU on success, NE and empty never. What is none of
// them counts as always: an answer too many does less harm than a sender that waits for ever.
func asks(condition Value, outcome Outcome) bool {
	switch {
	case condition.IsEmpty() || condition.IsNull() || condition.Is("NE"):
		return false
	case condition.Is("ER"):
		return outcome != Accepted
	case condition.Is("SU"):
		return outcome == Accepted
	}
	return true
}

// AckUnparsed answers bytes that [Parse] could not read, in original mode, with the sender's control ID if it can be
// found. It never returns nil.
func AckUnparsed(raw []byte, a Ack) []byte {
	line := headerLine(raw)
	m := &Message{raw: line, delims: DefaultDelimiters}
	if d, err := readDelimiters(line); err == nil {
		m.delims = d
	} else if !bytes.HasPrefix(line, []byte(`MSH|`)) {
		m.raw = []byte(`MSH|^~\&`)
	}
	m.segs = append(m.inline[:0], span{0, uint32(len(m.raw))})
	return m.acknowledge(a, [...]string{"AA", "AE", "AR"}[min(a.Outcome, Refused)], false)
}

// headerLine returns the line that begins with MSH, as far as it lies in the first 4 KiB.
func headerLine(raw []byte) []byte {
	head := raw[:min(len(raw), 4096)]
	start := bytes.Index(head, []byte("MSH"))
	if start < 0 {
		return nil
	}
	head = head[start:]
	if end := bytes.IndexAny(head, "\r\n\x0b\x1c"); end >= 0 {
		head = head[:end]
	}
	return head
}

// answer writes fields of an acknowledgement with the delimiters of the message it answers.
type answer struct {
	b []byte
	d Delimiters
}

// acknowledge writes MSH, MSA and ERR. Sender and receiver change places.
func (m *Message) acknowledge(a Ack, code string, enhanced bool) []byte {
	w := answer{b: make([]byte, 0, 256), d: m.delims}
	w.header(m, a, enhanced)
	w.b = append(w.b, "MSA"...)
	w.raw([]byte(code))
	w.echo(m.msh(10))
	if text := printable(a.Text, 80); text != "" {
		w.text(text)
	}
	w.end()
	for _, fault := range a.Faults[:min(len(a.Faults), 10)] {
		w.fault(m, fault)
	}
	return w.b
}

func (w *answer) header(m *Message, a Ack, enhanced bool) {
	d := w.d
	w.b = d.appendHeader(append(w.b, "MSH"...))
	for _, n := range []int{5, 6, 3, 4} {
		w.echo(m.msh(n))
	}
	w.text(wallTimeText(a.At))
	w.raw(nil) // MSH-8
	w.messageType(m)
	w.text(printable(a.ControlID, 199))
	w.echoOr(m.msh(11), "P")
	w.echoOr(m.msh(12), "2.4")
	var wanted []byte // MSH-15 and MSH-16
	if enhanced {
		wanted = []byte("NE")
	}
	charset := m.msh(18) // the names echoed are in it
	if enhanced || !charset.IsEmpty() {
		for _, field := range [][]byte{nil, nil, wanted, wanted} {
			w.raw(field)
		}
	}
	if !charset.IsEmpty() {
		w.raw(nil) // MSH-17
		w.echo(charset)
	}
	w.end()
}

// appendHeader writes MSH-1 and MSH-2.
func (d *Delimiters) appendHeader(b []byte) []byte {
	b = append(b, d.Field)
	for _, c := range [...]byte{d.Component, d.Repetition, d.Escape, d.Subcomponent, d.Truncation} {
		if c == 0 {
			break
		}
		b = append(b, c)
	}
	return b
}

// messageType: "ACK" before version 2.3, then with the trigger event it answers, and with its structure from 2.4.
func (w *answer) messageType(m *Message) {
	w.raw([]byte("ACK"))
	trigger := m.msh(9).Comp(2)
	version := m.Version()
	if trigger.IsEmpty() || versionBefore(version, 3) {
		return
	}
	w.b = append(w.b, w.d.Component)
	w.b = appendPrintable(w.b, trigger.Raw(), 16)
	if !versionBefore(version, 4) {
		w.b = append(append(w.b, w.d.Component), "ACK"...)
	}
}

// versionBefore tells whether version is 2.x with x below minor. What cannot be read counts as 2.4.
func versionBefore(version string, minor int) bool {
	if len(version) < 3 || version[:2] != "2." || version[2] < '0' || '9' < version[2] {
		return 4 < minor
	}
	return int(version[2]-'0') < minor
}

// fault writes an ERR segment: ERR-1 before version 2.5, ERR-2 to ERR-4 from then on.
func (w *answer) fault(m *Message, f Fault) {
	d := w.d
	w.b = append(w.b, "ERR"...)
	place := []string{printable(f.Segment, 3), "", ""}
	if f.Segment != "" {
		place[1] = strconv.Itoa(max(f.Occurrence, 1))
	}
	if f.Field > 0 {
		place[2] = strconv.Itoa(f.Field)
	}
	code, text := strconv.Itoa(f.Code), codeText(f.Code)
	if versionBefore(m.Version(), 5) {
		w.parts(d.Component, place[0], place[1], place[2], "")
		w.b = w.b[:len(w.b)-1]
		w.b = append(append(append(w.b, d.Component), code...), subcomponent(d)...)
		w.b = append(append(append(w.b, text...), subcomponent(d)...), "HL70357"...)
	} else {
		w.raw(nil)
		w.parts(d.Component, place...)
		w.parts(d.Component, code, text, "HL70357")
		w.raw([]byte{'E'})
	}
	w.end()
}

func subcomponent(d Delimiters) []byte {
	if d.Subcomponent == 0 {
		return []byte{' '}
	}
	return []byte{d.Subcomponent}
}

func (w *answer) parts(sep byte, parts ...string) {
	w.b = append(w.b, w.d.Field)
	for i, part := range parts {
		if i > 0 {
			w.b = append(w.b, sep)
		}
		w.b = w.d.appendEscaped(w.b, part)
	}
}

func (w *answer) raw(field []byte) { w.b = append(append(w.b, w.d.Field), field...) }

func (w *answer) text(field string) { w.b = w.d.appendEscaped(append(w.b, w.d.Field), field) }

// echo returns a field of the message as it came, less what would break the answer's lines or frame.
func (w *answer) echo(v Value) { w.b = appendPrintable(append(w.b, w.d.Field), v.Raw(), 250) }

func (w *answer) echoOr(v Value, fallback string) {
	if v.IsEmpty() {
		w.raw([]byte(fallback))
		return
	}
	w.echo(v)
}

func (w *answer) end() { w.b = append(w.b, '\r') }

func appendPrintable(b, raw []byte, most int) []byte {
	for _, c := range raw[:min(len(raw), most)] {
		if c >= ' ' && c != 0x7f {
			b = append(b, c)
		}
	}
	return b
}

// printable keeps printable ASCII, the only character set every receiver has (HL7 UK A.3), up to a length.
func printable(s string, most int) string {
	b := make([]byte, 0, min(len(s), most))
	for i := 0; i < len(s) && len(b) < most; i++ {
		if ' ' <= s[i] && s[i] < 0x7f {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// wallTimeText writes an instant as YYYYMMDDHHMMSS±ZZZZ; nothing for the zero time.
func wallTimeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("20060102150405-0700")
}

// Acknowledgement is what an answer says, as a sender reads it.
type Acknowledgement struct {
	Code      string // MSA-1: AA, AE, AR, CA, CE or CR
	ControlID string // MSA-2: of the message that is answered
	Text      string // MSA-3
}

// Positive tells whether the message was taken: AA or CA.
func (a Acknowledgement) Positive() bool { return a.Code == "AA" || a.Code == "CA" }

// ParseAck reads an acknowledgement. Errors are those of [Parse], and [ErrNoMSA] where it has no MSA segment.
func ParseAck(raw []byte) (Acknowledgement, error) {
	m, err := Parse(raw)
	if err != nil {
		return Acknowledgement{}, err
	}
	msa := m.Segment("MSA")
	if !msa.Exists() {
		return Acknowledgement{}, ErrNoMSA
	}
	return Acknowledgement{Code: msa.Field(1).String(), ControlID: msa.Field(2).String(), Text: msa.Field(3).Text()},
		nil
}
