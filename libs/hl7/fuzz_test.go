package hl7

import (
	"bytes"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

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

// readAll touches every part of a message and returns the texts found.
func readAll(m *Message) []string {
	var texts []string
	for segment := range m.Segments() {
		for n := range segment.FieldCount() + 2 {
			field := segment.Field(n)
			texts = append(texts, field.String(), field.Text())
			for rep := range field.Reps() {
				for c := 1; c <= 3; c++ {
					for s := 1; s <= 2; s++ {
						texts = append(texts, rep.Comp(c).Sub(s).String())
					}
				}
			}
		}
	}
	return texts
}

func addSeeds(f *testing.F) {
	for _, seed := range []string{visit, visit + visit, "", "MSH", "MSH|^~\\&", "MSH|^~\\\\&|A\nNTE|1||a\nb",
		"\xef\xbb\xbfMSH#*+!%#",
		"MSH|^~\\&|A|||||||||||||||8859/15\rPID|\xa4\\XE9\\\\.br\\", "FHS|^~\\&|", "\xff\xfeM", "MSH|^|",
		"MSH|^~\\&|\x00|\"\""} {
		f.Add([]byte(seed))
	}
}

func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		var m *Message
		var err error
		bounded(t, len(raw), 64, func() { m, err = Parse(raw) })
		if (m == nil) == (err == nil) {
			t.Fatalf("message %v with error %v", m, err)
		}
		if m == nil {
			return
		}
		for _, text := range readAll(m) {
			if !utf8.ValidString(text) || strings.Contains(text, "\x00") || len(text) > 3*len(raw) {
				t.Fatalf("text %q", text)
			}
		}
		if number := m.NHSNumber(NHSNumberKinds); number.Number != "" && !ValidNHSNumber(number.Number) {
			t.Fatalf("NHS number %q", number.Number)
		}
		if ack, err := ParseAck(raw); err == nil && !m.Segment("MSA").Exists() {
			t.Fatalf("%+v of no acknowledgement", ack)
		}
		if !bytes.Equal(before, raw) {
			t.Fatal("the bytes given were changed")
		}
	})
}

func FuzzValidNHSNumber(f *testing.F) {
	for _, seed := range []string{"9990000107", "9990000018", "9999999999", "999 000 0107", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !ValidNHSNumber(s) {
			return
		}
		if len(s) != 10 || strings.Trim(s, "0123456789") != "" || strings.Count(s, s[:1]) == 10 {
			t.Fatalf("%q is no NHS number", s)
		}
		for i := range s { // the check digit finds every single wrong digit
			other := []byte(s)
			other[i] = '0' + (other[i]-'0'+1)%10
			if ValidNHSNumber(string(other)) {
				t.Fatalf("%q and %q are both valid", s, other)
			}
		}
	})
}

func FuzzSplit(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		pieces, err := Split(file)
		total := 0
		for _, piece := range pieces {
			total += len(piece)
			if !isHeaderLine(piece) {
				t.Fatalf("piece %q", piece)
			}
		}
		if (err == nil) != (len(pieces) > 0) || total > len(file) {
			t.Fatalf("%d pieces of %d bytes from %d, %v", len(pieces), total, len(file), err)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"2026", "20260229", "202610250130", "20261120074232.25+0100", "20260329013000",
		" 2026112012Z", "00000000"} {
		f.Add(seed)
	}
	zone := london(f)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseTime(s, zone)
		if err != nil {
			if !got.IsZero() {
				t.Fatalf("%q: %+v with an error", s, got)
			}
			return
		}
		if got.Precision < PrecisionSecond || got.HasOffset || got.Skipped {
			return
		}
		if wall := got.Time.Format("20060102150405"); !strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), wall) {
			t.Fatalf("%q reads as %s", s, wall)
		}
	})
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"Ren\xe9", "René", "a\\F\\b\\XE9\\", "\\E\\X41\\E\\", "\x80\x81", "\r\n\x00"} {
		for _, set := range []string{"", "8859/1", "8859/15", "UNICODE UTF-8", "ASCII", "ISO IR87"} {
			f.Add(seed, set)
		}
	}
	f.Fuzz(func(t *testing.T, text, set string) {
		quoted := DefaultDelimiters.Quote(text)
		if strings.ContainsAny(quoted, "|^~&\r\n\x0b\x1c") {
			t.Fatalf("%q quoted as %q", text, quoted)
		}
		m, err := Parse([]byte("MSH|^~\\&|A|||||||||||||||" + DefaultDelimiters.Quote(set) + "\rNTE|" + quoted + "|" +
			text + "|\r"))
		if err != nil {
			return // text may hold whatever ends a message
		}
		read := m.Get("NTE-1").Text()
		if !utf8.ValidString(read) || !utf8.ValidString(m.Get("NTE-2").Text()) {
			t.Fatalf("%q reads %q", text, read)
		}
		plain := utf8.ValidString(text) && !strings.ContainsAny(text, "\x00\r") && text != `""`
		if plain && m.Charset().Encoding == "UTF-8" && read != strings.Trim(text, " \t\n") {
			t.Fatalf("%q came back as %q", text, read)
		}
	})
}

func FuzzAck(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer := Ack{Outcome: Failed, ControlID: "a1", At: time.Unix(0, 0).UTC(), Text: "not readable",
			Faults: []Fault{{Segment: "PV1", Field: 19, Code: CodeRequiredFieldMissing}}}
		acks := [][]byte{AckUnparsed(raw, answer)}
		if m, err := Parse(raw); err == nil {
			acks = append(acks, m.Acks(answer)...)
			answer.Mode = Original
			acks = append(acks, m.Acks(answer)...)
			if len(acks) > 4 {
				t.Fatalf("%d acknowledgements", len(acks))
			}
		}
		for _, ack := range acks {
			if bytes.ContainsAny(ack, "\x0b\x1c\n") || len(ack) > 4000 {
				t.Fatalf("frame bytes or %d bytes in %q", len(ack), ack)
			}
			read, err := ParseAck(ack)
			if err != nil || len(read.Code) != 2 {
				t.Fatalf("%q: %+v, %v", ack, read, err)
			}
		}
	})
}
