package hl7

import "time"

// Header is what [NewWriter] needs to write MSH. Only what is set is written, except that the delimiters default to
// [DefaultDelimiters], ProcessingID to "P" and Version to "2.4".
type Header struct {
	Delimiters                              Delimiters
	SendingApplication, SendingFacility     string
	ReceivingApplication, ReceivingFacility string
	At                                      time.Time // MSH-7, with its offset
	Type, Trigger, Structure                string    // MSH-9
	ControlID                               string    // MSH-10
	ProcessingID                            string    // MSH-11
	Version                                 string    // MSH-12
	AcceptAck, ApplicationAck               string    // MSH-15, MSH-16
	Charset                                 string    // MSH-18; text is written in UTF-8 whatever it says
}

// Writer composes a message, escaping every value. It is for tests, simulators and tools; it checks nothing, so that
// it can also write what a good sender would not.
//
//	w := hl7.NewWriter(hl7.Header{Type: "ADT", Trigger: "A03", ControlID: "1"})
//	w.Segment("PID").Set(3, "9990000107", "", "", "NHS", "NH").Repeat(3, "L42", "", "", "RXX", "MR")
//	message := w.Bytes()
type Writer struct {
	d        Delimiters
	segments []writtenSegment
}

type writtenSegment struct {
	name   string
	fields [][]byte // encoded; fields[0] is field 1
}

// NewWriter begins a message with its MSH segment.
func NewWriter(h Header) *Writer {
	if h.Delimiters == (Delimiters{}) {
		h.Delimiters = DefaultDelimiters
	}
	w := &Writer{d: h.Delimiters}
	w.Segment("MSH").Set(3, h.SendingApplication).Set(4, h.SendingFacility)
	w.Set(5, h.ReceivingApplication).Set(6, h.ReceivingFacility)
	w.Set(7, wallTimeText(h.At))
	w.Set(9, h.Type, h.Trigger, h.Structure).Set(10, h.ControlID)
	w.Set(11, orElse(h.ProcessingID, "P")).Set(12, orElse(h.Version, "2.4"))
	w.Set(15, h.AcceptAck).Set(16, h.ApplicationAck)
	return w.Set(18, h.Charset)
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// Segment begins a segment; what follows sets its fields.
func (w *Writer) Segment(name string) *Writer {
	w.segments = append(w.segments, writtenSegment{name: name})
	return w
}

// Set gives field n, counted from 1, of the segment begun last its components, each escaped. Empty ones at the end
// are left out. MSH-1 and MSH-2 cannot be set.
func (w *Writer) Set(n int, components ...string) *Writer {
	return w.SetRaw(n, string(w.encode(components)))
}

// Repeat adds a repetition to field n.
func (w *Writer) Repeat(n int, components ...string) *Writer {
	repetition := w.encode(components)
	if held := w.field(n); held != nil && len(*held) > 0 {
		*held = append(append(*held, w.d.Repetition), repetition...)
		return w
	}
	return w.SetRaw(n, string(repetition))
}

// SetRaw gives field n bytes as they are, unescaped: for `""`, sub-components, and broken messages in tests.
func (w *Writer) SetRaw(n int, field string) *Writer {
	if held := w.field(n); held != nil {
		*held = []byte(field)
	}
	return w
}

// field makes room for field n; nil where there is none to set. A segment has at most 1000.
func (w *Writer) field(n int) *[]byte {
	if len(w.segments) == 0 || n < 1 || n > 1000 {
		return nil
	}
	s := &w.segments[len(w.segments)-1]
	for len(s.fields) < n {
		s.fields = append(s.fields, nil)
	}
	return &s.fields[n-1]
}

func (w *Writer) encode(components []string) []byte {
	for len(components) > 0 && components[len(components)-1] == "" {
		components = components[:len(components)-1]
	}
	var b []byte
	for i, c := range components {
		if i > 0 {
			b = append(b, w.d.Component)
		}
		b = w.d.appendEscaped(b, c)
	}
	return b
}

// Bytes returns the message, its segments ended by CR. Empty fields at the end of a segment are left out.
func (w *Writer) Bytes() []byte {
	var b []byte
	for _, s := range w.segments {
		b = append(b, s.name...)
		fields := s.fields
		if s.name == "MSH" {
			b = w.d.appendHeader(b)
			fields = fields[min(len(fields), 2):]
		}
		for len(fields) > 0 && len(fields[len(fields)-1]) == 0 {
			fields = fields[:len(fields)-1]
		}
		for _, field := range fields {
			b = append(append(b, w.d.Field), field...)
		}
		b = append(b, '\r')
	}
	return b
}
