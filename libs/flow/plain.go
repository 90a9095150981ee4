package flow

import (
	"strings"
	"time"
)

// Nearly every event that travels is plain: written by append below, with attributes of letters, digits and a few
// signs, which need no escaping. Those are written and read here, in the very bytes that the CloudEvents SDK writes
// (tests compare the two); anything else, be it correct or not, is left to the SDK. On a backlog this is a quarter of
// what a service computes.

const plainStart = `{"specversion":"1.0","id":"`

// isPlain says whether a text is the same inside of JSON quotes, and in a URI reference.
func isPlain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', 'A' <= c && c <= 'Z', c == '-', c == '.', c == '/', c == '_':
		default:
			return false
		}
	}
	return s != ""
}

// isQuotable says whether a text is the same inside of JSON quotes.
func isQuotable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// appendPlain writes a plain event whose data json.Marshal has made; ok is false where it is not plain.
func appendPlain(b []byte, e Event) (payload []byte, ok bool) {
	utc := e.Time.UTC()
	if !isPlain(e.ID) || !isPlain(e.Source) || e.Source[0] != '/' || strings.HasPrefix(e.Source, "//") ||
		!isPlain(e.Type) || !isPlain(e.Subject) ||
		!isQuotable(e.Correlation) || !isQuotable(e.Causation) || !isQuotable(e.Sequence) ||
		!isQuotable(e.TraceParent) ||
		!isQuotable(e.TraceState) || len(e.Data) == 0 || e.Data[0] != '{' || e.Time.IsZero() || utc.Year() < 0 ||
		utc.Year() > 9999 {
		return b, false
	}
	b = append(append(b, plainStart...), e.ID...)
	b = append(append(b, `","source":"`...), e.Source...)
	b = append(append(b, `","type":"`...), e.Type...)
	b = append(append(b, `","subject":"`...), e.Subject...)
	b = append(append(append(b, `","datacontenttype":"application/json","dataschema":"`...), schemaURN...), e.Type...)
	b = utc.AppendFormat(append(b, `","time":"`...), time.RFC3339Nano)
	b = append(append(b, `","data":`...), e.Data...)
	for _, extension := range [...]struct{ start, value string }{ // in alphabetical order, as the SDK has them
		{`,"` + extCausation + `":"`, e.Causation}, {`,"` + extCorrelation + `":"`, e.Correlation},
		{`,"` + extSequence + `":"`, e.Sequence},
		{`,"` + extTraceParent + `":"`, e.TraceParent}, {`,"` + extTraceState + `":"`, e.TraceState},
	} {
		if extension.value != "" {
			b = append(append(append(b, extension.start...), extension.value...), '"')
		}
	}
	return append(b, '}'), true
}

// readPlain reads a plain event; ok is false for anything that appendPlain has not written. What is inside of data is
// only looked at for where it ends: whoever decodes it checks it.
func readPlain(payload []byte) (e Event, ok bool) {
	text := string(payload)
	r := plainReader{text: text}
	e.ID = r.after(plainStart)
	e.Source = r.after(`,"source":"`)
	e.Type = r.after(`,"type":"`)
	e.Subject = r.after(`,"subject":"`)
	schema := r.after(`,"datacontenttype":"application/json","dataschema":"`)
	at := r.after(`,"time":"`)
	from, to := r.object(`,"data":`)
	e.Causation = r.perhaps(`,"` + extCausation + `":"`)
	e.Correlation = r.perhaps(`,"` + extCorrelation + `":"`)
	e.Sequence = r.perhaps(`,"` + extSequence + `":"`)
	e.TraceParent = r.perhaps(`,"` + extTraceParent + `":"`)
	e.TraceState = r.perhaps(`,"` + extTraceState + `":"`)
	if r.failed || text[r.at:] != "}" {
		return Event{}, false
	}
	typeOfSchema, isURN := strings.CutPrefix(schema, schemaURN)
	var err error
	e.Time, err = time.Parse(time.RFC3339Nano, at)
	if err != nil || !strings.HasSuffix(at, "Z") || !isURN || typeOfSchema != e.Type || !isPlain(e.ID) ||
		!isPlain(e.Source) || e.Source[0] != '/' ||
		strings.HasPrefix(e.Source, "//") || !isPlain(e.Type) || !isPlain(e.Subject) {
		return Event{}, false
	}
	e.Data = payload[from:to:to]
	return e, true
}

// plainReader goes through a text piece by piece.
type plainReader struct {
	text   string
	at     int
	failed bool
}

// after takes a piece that must stand here, and the text up to the next quote.
func (r *plainReader) after(piece string) string {
	if r.failed || !strings.HasPrefix(r.text[r.at:], piece) {
		r.failed = true
		return ""
	}
	from := r.at + len(piece)
	length := strings.IndexByte(r.text[from:], '"')
	if length <= 0 || !isQuotable(r.text[from:from+length]) {
		r.failed = true
		return ""
	}
	r.at = from + length + 1
	return r.text[from : from+length]
}

// perhaps is after for a piece that need not be there.
func (r *plainReader) perhaps(piece string) string {
	if r.failed || !strings.HasPrefix(r.text[r.at:], piece) {
		return ""
	}
	return r.after(piece)
}

// object takes a piece and finds the object that follows it: to the bracket that closes it, strings left out.
func (r *plainReader) object(piece string) (from, to int) {
	if r.failed || !strings.HasPrefix(r.text[r.at:], piece+"{") {
		r.failed = true
		return 0, 0
	}
	from = r.at + len(piece)
	depth := 0
	for i := from; i < len(r.text); i++ {
		switch r.text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				r.at = i + 1
				return from, r.at
			}
		case '"':
			i = endOfString(r.text, i)
		}
	}
	r.failed = true
	return 0, 0
}

// endOfString finds the quote that ends the string which begins at i; the end of the text where there is none.
func endOfString(text string, i int) int {
	for i++; i < len(text); i++ {
		length := strings.IndexByte(text[i:], '"')
		if length < 0 {
			return len(text)
		}
		escape := strings.IndexByte(text[i:i+length], '\\')
		if escape < 0 {
			return i + length
		}
		i += escape + 1 // the escaped sign is passed over by the loop
	}
	return i
}
