// Package hl7 reads HL7 v2 messages as hospitals really send them, answers them, and carries them over MLLP.
//
// # What comes in
//
// [Parse] takes the bytes of one message: any delimiters (they come from MSH-1 and MSH-2, never from constants),
// segments ended by CR, LF or CRLF in any mixture, versions 2.1 to 2.8, Z segments, and the character sets of
// MSH-18 with a fallback to Windows-1252 where a sender declares nothing and sends something. [Split] cuts a file
// that holds several messages. [Server] takes frames off MLLP connections, [Client] sends them.
//
// # What goes out
//
// A [Message] is an index into the bytes it was given: segments are found while parsing, everything finer when it
// is asked for. [Message.Get] reads by path ("PID-3.1"), [Message.Segment], [Segment.Field], [Value.Rep],
// [Value.Comp] and [Value.Sub] read step by step. [ParseTime] reads time stamps together with how precise they are.
// [Message.Acks] builds the acknowledgements that the message asked for.
//
// # What is promised
//
//   - No bytes make it panic, and memory stays within a small multiple of the size of what was given.
//   - Reading never fails on a field: what is absent is an empty [Value]. Only a message whose header cannot be
//     understood is an error, each kind with its own sentinel.
//   - Decoded text is valid UTF-8 without NUL and without replacement characters, so that it can be stored anywhere.
//   - Empty (nothing said) and null (`""`, delete what is stored) are never confused.
//   - No error text, log line or acknowledgement made here holds content of a message, except the control ID and
//     header fields that an acknowledgement must return.
//
// # What is not promised
//
// Messages are not validated against a version's structure: that is the sender's profile's business. Batch files
// (FHS, BHS) and continuation pointers (DSC) are refused or left unread, as HL7 UK A.3 recommends (2.4.5, 2.3.6).
//
// The package imports the standard library only.
package hl7

import (
	"bytes"
	"errors"
	"iter"
	"unicode/utf8"
)

// MaxMessage is the largest message in bytes that [Parse] takes (16 MiB). A server's own limit is usually lower,
// see [Server].
const MaxMessage = 16 << 20

// Why a message could not be read. [Parse] and [Split] return these, possibly wrapped; compare with [errors.Is].
var (
	// ErrEmpty comes when there is nothing but blanks.
	ErrEmpty = errors.New("hl7: the message is empty")
	// ErrNoMSH comes when the first segment is not MSH.
	ErrNoMSH = errors.New("hl7: the message does not begin with an MSH segment")
	// ErrTruncated comes when the bytes end inside MSH-1 or MSH-2, so that not even the delimiters are known.
	ErrTruncated = errors.New("hl7: the message ends before its delimiters (MSH-1, MSH-2) are complete")
	// ErrDelimiters comes when MSH-1 or MSH-2 cannot be delimiters: letters, digits, blanks, or the same one twice.
	ErrDelimiters = errors.New("hl7: MSH-1 or MSH-2 holds characters that cannot be delimiters")
	// ErrBatch comes for a batch file. HL7 UK A.3 2.4.5 recommends against them.
	ErrBatch = errors.New("hl7: this is a batch (FHS, BHS, BTS or FTS); batches are not taken, send its messages one " +
		"by one")
	// ErrSeveral comes when a second MSH follows. Reading only the first would acknowledge the others unread.
	ErrSeveral = errors.New("hl7: there is more than one message here; send each in a frame of its own")
	// ErrTooLong comes for more than [MaxMessage] bytes.
	ErrTooLong = errors.New("hl7: the message is longer than 16 MiB")
	// ErrNoMSA comes when an answer is not an acknowledgement.
	ErrNoMSA = errors.New("hl7: the answer has no MSA segment")
	// ErrUTF16 comes when the bytes begin with a UTF-16 byte order mark. Convert to UTF-8 before sending.
	ErrUTF16 = errors.New("hl7: the message is in UTF-16; send it in UTF-8 or ISO 8859-1")
)

// Delimiters are the characters of MSH-1 and MSH-2. A zero byte means that the sender declared none, and nothing is
// divided (or escaped) by it.
type Delimiters struct {
	Field        byte // MSH-1, usually |
	Component    byte // first of MSH-2, usually ^
	Repetition   byte // second, usually ~
	Escape       byte // third, usually \
	Subcomponent byte // fourth, usually &
	Truncation   byte // fifth, from version 2.7, usually #; read and kept, not acted upon
}

// DefaultDelimiters are the ones HL7 recommends: |^~\&.
var DefaultDelimiters = Delimiters{Field: '|', Component: '^', Repetition: '~', Escape: '\\', Subcomponent: '&'}

type span struct{ start, end uint32 }

// Message is one message, read lazily from the bytes that [Parse] was given. It is safe for reading from several
// goroutines as long as nobody writes to those bytes.
type Message struct {
	raw       []byte
	delims    Delimiters
	charset   Charset
	segs      []span
	continued int
	inline    [24]span
}

// Parse reads the bytes of one message. The message refers to raw: do not change raw while it is in use.
//
// Tolerated: a UTF-8 byte order mark, blank lines anywhere, MLLP framing bytes left around the message, CR, LF and
// CRLF mixed, blanks before a segment's name, and a line break inside a text: a line that does not begin with a
// segment's name and a field delimiter belongs to the line before (see [Message.Continued]).
//
// The errors are [ErrEmpty], [ErrNoMSH], [ErrTruncated], [ErrDelimiters], [ErrBatch], [ErrSeveral], [ErrTooLong]
// and [ErrUTF16]. On an error there is no message; [AckUnparsed] can still answer it.
func Parse(raw []byte) (*Message, error) {
	if len(raw) > MaxMessage {
		return nil, ErrTooLong
	}
	body, err := trimMessage(raw)
	if err != nil {
		return nil, err
	}
	m := &Message{raw: body}
	if m.delims, err = readDelimiters(body); err != nil {
		return nil, err
	}
	m.segs = m.inline[:0]
	if err := m.index(); err != nil {
		return nil, err
	}
	m.charset = charsetOf(m.Segment("MSH").Field(18).String(), body)
	return m, nil
}

// trimMessage removes what may stand around a message, and refuses what is none.
func trimMessage(raw []byte) ([]byte, error) {
	if bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")) {
		return nil, ErrUTF16
	}
	body := trimStart(raw)
	for len(body) > 0 && isPadding(body[len(body)-1]) {
		body = body[:len(body)-1]
	}
	switch {
	case len(body) == 0:
		return nil, ErrEmpty
	case isBatchLine(body):
		return nil, ErrBatch
	case bytes.HasPrefix(body, []byte("MSH")):
		return body, nil
	case bytes.HasPrefix([]byte("MSH"), body):
		return nil, ErrTruncated
	}
	return nil, ErrNoMSH
}

func trimStart(b []byte) []byte {
	for {
		switch {
		case len(b) > 0 && (isPadding(b[0]) || b[0] == ' ' || b[0] == '\t'):
			b = b[1:]
		case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
			b = b[3:]
		default:
			return b
		}
	}
}

// isPadding tells the bytes that are never content at either end: line ends, MLLP's framing, and NUL.
func isPadding(c byte) bool {
	return c == '\r' || c == '\n' || c == startBlock || c == endBlock || c == 0
}

func isBatchLine(line []byte) bool {
	if len(line) < 4 || !canDelimit(line[3]) {
		return false
	}
	switch string(line[:3]) {
	case "FHS", "BHS", "BTS", "FTS":
		return true
	}
	return false
}

// readDelimiters takes MSH-1 and MSH-2. Some senders write the escape character twice, as source code would; a
// delimiter that follows itself counts once.
func readDelimiters(body []byte) (Delimiters, error) {
	if len(body) < 5 {
		return Delimiters{}, ErrTruncated
	}
	d := Delimiters{Field: body[3]}
	if !canDelimit(d.Field) {
		return Delimiters{}, ErrDelimiters
	}
	places := [...]*byte{&d.Component, &d.Repetition, &d.Escape, &d.Subcomponent, &d.Truncation}
	n := 0
	for i := 4; i < len(body) && body[i] != d.Field && body[i] != '\r' && body[i] != '\n'; i++ {
		switch c := body[i]; {
		case i > 4 && c == body[i-1]:
		case n == len(places) || !canDelimit(c) || d.has(c):
			return Delimiters{}, ErrDelimiters
		default:
			*places[n] = c
			n++
		}
	}
	if n == 0 {
		return Delimiters{}, ErrDelimiters
	}
	return d, nil
}

func (d *Delimiters) has(c byte) bool {
	return c == d.Component || c == d.Repetition || c == d.Escape || c == d.Subcomponent || c == d.Truncation
}

// canDelimit refuses what occurs in values or frames: letters, digits, blanks, quotes (they write null), line ends,
// framing bytes, and anything beyond ASCII (it would cut characters in two).
func canDelimit(c byte) bool {
	switch {
	case c == 0, c == '\r', c == '\n', c == startBlock, c == endBlock, c == ' ', c == '\t', c == '"',
		c >= utf8.RuneSelf:
		return false
	case '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z':
		return false
	}
	return true
}

// index finds where the segments begin and end.
func (m *Message) index() error {
	lines := lineScanner{b: m.raw}
	for lines.next() {
		start, end := lines.start, lines.end
		for start < end && (m.raw[start] == ' ' || m.raw[start] == '\t') {
			start++
		}
		switch {
		case start == end:
		case len(m.segs) > 0 && m.beginsAnother(m.raw[start:end]):
			return ErrSeveral
		case !m.beginsSegment(m.raw[start:end]):
			m.segs[len(m.segs)-1].end = uint32(end)
			m.continued++
		case isBatchLine(m.raw[start:end]):
			return ErrBatch
		default:
			m.segs = append(m.segs, span{uint32(start), uint32(end)})
		}
	}
	return nil
}

// beginsSegment: three characters of a name, then the field delimiter or the end. The first line is MSH, so there
// is always a segment before a line that begins none.
func (m *Message) beginsSegment(line []byte) bool {
	return isSegmentName(line) && (len(line) == 3 || line[3] == m.delims.Field)
}

// beginsAnother: a second header, be it with other delimiters or broken off.
func (m *Message) beginsAnother(line []byte) bool {
	return isHeaderLine(line) || (m.beginsSegment(line) && string(line[:3]) == "MSH")
}

func isSegmentName(line []byte) bool {
	return len(line) >= 3 && isUpper(line[0]) && isUpperOrDigit(line[1]) && isUpperOrDigit(line[2])
}

func isUpper(c byte) bool        { return 'A' <= c && c <= 'Z' }
func isUpperOrDigit(c byte) bool { return isUpper(c) || '0' <= c && c <= '9' }

// lineScanner walks over lines that end in CR, LF or CRLF. It remembers where the next of each is, so that a
// message with only one kind is not searched for the other again and again.
type lineScanner struct {
	b               []byte
	start, end, pos int
	cr, lf          int // position of the next one, at or after pos; len(b) for none; 0 before the first search
	searched        bool
}

func (s *lineScanner) next() bool {
	if s.pos >= len(s.b) {
		return false
	}
	if !s.searched || s.cr < s.pos {
		s.cr = indexFrom(s.b, '\r', s.pos)
	}
	if !s.searched || s.lf < s.pos {
		s.lf = indexFrom(s.b, '\n', s.pos)
	}
	s.searched = true
	s.start, s.end = s.pos, min(s.cr, s.lf)
	s.pos = s.end + 1
	return true
}

func indexFrom(b []byte, c byte, from int) int {
	if i := bytes.IndexByte(b[from:], c); i >= 0 {
		return from + i
	}
	return len(b)
}

// Raw returns the bytes of the message, without what stood around it. It shares memory with what was parsed.
func (m *Message) Raw() []byte { return m.raw }

// Delimiters returns what MSH-1 and MSH-2 declare.
func (m *Message) Delimiters() Delimiters { return m.delims }

// Charset tells which character set the message declares and which one it is read in.
func (m *Message) Charset() Charset { return m.charset }

// Continued returns how many lines were joined to the line before because they do not begin a segment. More than 0
// means that the sender puts unescaped line breaks into texts, or that the message is damaged: worth a flag.
func (m *Message) Continued() int { return m.continued }

// SegmentCount returns the number of segments, MSH included.
func (m *Message) SegmentCount() int { return len(m.segs) }

func (m *Message) at(i int) Segment {
	s := m.segs[i]
	return Segment{m: m, raw: m.raw[s.start:s.end:s.end]}
}

// Segments walks over all segments in their order.
func (m *Message) Segments() iter.Seq[Segment] {
	return func(yield func(Segment) bool) {
		for i := range m.segs {
			if !yield(m.at(i)) {
				return
			}
		}
	}
}

// Segment returns the first segment of that name; an empty one, on which [Segment.Exists] is false, if there is none.
func (m *Message) Segment(name string) Segment { return m.SegmentN(name, 0) }

// SegmentN returns the segment of that name at place n, counted from 0; an empty one if there are not so many.
func (m *Message) SegmentN(name string, n int) Segment {
	for i, s := range m.segs {
		if string(m.raw[s.start:s.start+3]) != name {
			continue
		}
		if n == 0 {
			return m.at(i)
		}
		n--
	}
	return Segment{}
}

// All walks over the segments of one name in their order.
func (m *Message) All(name string) iter.Seq[Segment] {
	return func(yield func(Segment) bool) {
		for i, s := range m.segs {
			if string(m.raw[s.start:s.start+3]) == name && !yield(m.at(i)) {
				return
			}
		}
	}
}

// Segment is one segment of a message: a name and fields. The zero value is an absent one, all of whose fields are
// empty.
type Segment struct {
	m   *Message
	raw []byte
}

// Exists tells whether the message has this segment.
func (s Segment) Exists() bool { return s.m != nil }

// Name returns the three characters of the segment's name, "" for an absent one.
func (s Segment) Name() string {
	if s.m == nil {
		return ""
	}
	return string(s.raw[:3])
}

// Raw returns the segment's bytes without its line end. It shares memory with the message.
func (s Segment) Raw() []byte { return s.raw }

// Field returns field n, counted from 1 as HL7 does; for MSH field 1 is the field delimiter itself. What is absent
// is an empty [Value].
func (s Segment) Field(n int) Value {
	if s.m == nil || n < 1 {
		return Value{}
	}
	if s.hasDelimiters() {
		return s.headerField(n)
	}
	return Value{m: s.m, raw: nth(s.raw, s.m.delims.Field, n)}
}

func (s Segment) hasDelimiters() bool { return string(s.raw[:3]) == "MSH" }

// headerField counts MSH-1 as a field, and leaves MSH-2 undivided: it is made of delimiters.
func (s Segment) headerField(n int) Value {
	switch n {
	case 1:
		return Value{m: s.m, raw: s.raw[3:4:4], level: levelLiteral}
	case 2:
		return Value{m: s.m, raw: nth(s.raw, s.m.delims.Field, 1), level: levelLiteral}
	}
	return Value{m: s.m, raw: nth(s.raw, s.m.delims.Field, n-1)}
}

// FieldCount returns the number of the last field that was sent, even empty.
func (s Segment) FieldCount() int {
	if s.m == nil {
		return 0
	}
	n := bytes.Count(s.raw, []byte{s.m.delims.Field})
	if s.hasDelimiters() {
		n++
	}
	return n
}
