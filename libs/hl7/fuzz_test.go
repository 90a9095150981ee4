package hl7

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

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
	for _, seed := range []string{visit, visit + visit, "", "MSH", "MSH|^~\\&", "MSH|^~\\\\&|A\nNTE|1||a\nb", "\xef\xbb\xbfMSH#*+!%#",
		"MSH|^~\\&|A|||||||||||||||8859/15\rPID|\xa4\\XE9\\\\.br\\", "FHS|^~\\&|", "\xff\xfeM", "MSH|^|", "MSH|^~\\&|\x00|\"\""} {
		f.Add([]byte(seed))
	}
}

func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		m, err := Parse(raw)
		if (m == nil) == (err == nil) {
			t.Fatalf("message %v with error %v", m, err)
		}
		if m == nil {
			return
		}
		for _, text := range readAll(m) {
			if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
				t.Fatalf("text %q", text)
			}
		}
		m.NHSNumber(NHSNumberKinds)
		if !bytes.Equal(before, raw) {
			t.Fatal("the bytes given were changed")
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
	for _, seed := range []string{"2026", "20260229", "202610250130", "20261120074232.25+0100", "20260329013000", " 2026112012Z", "00000000"} {
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
		m, err := Parse([]byte("MSH|^~\\&|A|||||||||||||||" + DefaultDelimiters.Quote(set) + "\rNTE|" + quoted + "|" + text + "|\r"))
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
			acks = append(acks, m.Ack(answer), m.ApplicationAck(answer))
			answer.Mode = Original
			acks = append(acks, m.Ack(answer))
		}
		for i, ack := range acks {
			if ack == nil && (i == 1 || i == 2) {
				continue
			}
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
