package hl7

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

const visit = "MSH|^~\\&|EDSYS|RXX|FOOTBRIDGE|RXX|20261120074232||ADT^A03|C1|P|2.4\r" +
	"EVN|A03|20261120074232||||20261120073000\r" +
	"PID|1||L42^^^RXX&2.16&ISO^MR~9990000107^^^NHS^NH||TESTPERSON^ANN^B&C\r" +
	"PV1|1|E|||||||||||||||||V1001^^^RXX\r" +
	"DG1|1||self-harm\r" +
	"DG1|2||second\r" +
	"ZU1|x\r"

func mustParse(t *testing.T, raw string) *Message {
	t.Helper()
	m, err := Parse([]byte(raw))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return m
}

func TestValuesAreReadByPathAndByStep(t *testing.T) {
	t.Parallel()
	m := mustParse(t, visit)
	for path, want := range map[string]string{
		"MSH-1": "|", "MSH-2": `^~\&`, "MSH-3": "EDSYS", "MSH-9.2": "A03", "MSH-12": "2.4",
		"PID-3": "L42", "PID-3.1": "L42", "PID-3[1].1": "9990000107", "PID-3[1].5": "NH", "PID-3[2].1": "",
		"PID-3.4": "RXX", "PID-3.4.2": "2.16", "PID-3.4.3": "ISO", "PID-3.4.4": "",
		"PID-5.3.2": "C", "PID-5.1.1": "TESTPERSON", "PID-5.1.2": "", "PID-99": "",
		"DG1-3": "self-harm", "DG1[1]-3": "second", "DG1[2]-3": "", "ZU1-1": "x", "NK1-2": "",
		"PV1-19.1": "V1001", "pid-3": "", "PID": "", "PID-": "", "PID-0": "", "PID-3.": "", "PID-3[1": "", "": "",
		"PID-99999": "",
	} {
		if got := m.Get(path).String(); got != want {
			t.Errorf("Get(%q) = %q, want %q", path, got, want)
		}
	}
	if got := m.Segment("PID").Field(3).Rep(1).Comp(4).Sub(1).String(); got != "NHS" {
		t.Errorf("step by step: %q", got)
	}
	if got := m.Segment("PID").Field(3).RepCount(); got != 2 {
		t.Errorf("RepCount = %d", got)
	}
	var codes []string
	for dg1 := range m.All("DG1") {
		codes = append(codes, dg1.Field(1).String())
	}
	if !slices.Equal(codes, []string{"1", "2"}) {
		t.Errorf("All(DG1) = %v", codes)
	}
	if m.SegmentCount() != 7 || m.Segment("DG1").FieldCount() != 3 || m.Segment("MSH").FieldCount() != 12 {
		t.Errorf("counts: %d segments, DG1 %d, MSH %d", m.SegmentCount(), m.Segment("DG1").FieldCount(),
			m.Segment("MSH").FieldCount())
	}
}

func TestSegmentsEndInCROrLFOrBoth(t *testing.T) {
	t.Parallel()
	want := mustParse(t, visit).SegmentCount()
	for name, raw := range map[string]string{
		"LF":                     strings.ReplaceAll(visit, "\r", "\n"),
		"CRLF":                   strings.ReplaceAll(visit, "\r", "\r\n"),
		"blank lines":            strings.ReplaceAll(visit, "\r", "\r\n\n \r"),
		"first CR then LF":       strings.Replace(strings.ReplaceAll(visit, "\r", "\n"), "\n", "\r", 1),
		"no end on the last":     strings.TrimSuffix(visit, "\r"),
		"byte order mark":        "\xef\xbb\xbf" + visit,
		"framing left around it": "\x0b" + visit + "\x1c\r",
		"blanks before segments": strings.ReplaceAll(visit, "\rP", "\r  P"),
	} {
		m := mustParse(t, raw)
		if m.SegmentCount() != want || m.Get("PV1-19.1").String() != "V1001" || m.Continued() != 0 {
			t.Errorf("%s: %d segments, visit %q, %d continued", name, m.SegmentCount(), m.Get("PV1-19.1"),
				m.Continued())
		}
	}
}

func TestLineBreakInsideATextStaysInItsField(t *testing.T) {
	t.Parallel()
	m := mustParse(t, "MSH|^~\\&|A\rNTE|1||first line\nsecond line\r\nthird|x\rPV1|1\r")
	if got := m.Get("NTE-3").Text(); got != "first line\nsecond line\nthird" {
		t.Errorf("NTE-3 = %q", got)
	}
	if m.Get("NTE-4").String() != "x" || m.Continued() != 2 || !m.Segment("PV1").Exists() {
		t.Errorf("NTE-4 %q, continued %d", m.Get("NTE-4"), m.Continued())
	}
}

func TestDelimitersComeFromTheHeader(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"other ones":     "MSH#*+!%#A#B\rPID#1##X*Y%Z+N*M%O#!F!\r",
		"control bytes":  "MSH\x1d\x1e\x1f\x02\x03\x1dA\x1dB\rPID\x1d1\x1d\x1dX\x1eY\x03Z\x1fN\x1eM\x03O\x1d\x02F\x02\r",
		"escape doubled": "MSH|^~\\\\&|A|B\rPID|1||X^Y&Z~N^M&O|\\F\\\r",
		"truncation":     "MSH|^~\\&#|A|B\rPID|1||X^Y&Z~N^M&O|\\F\\\r",
	} {
		m := mustParse(t, raw)
		if m.Get("PID-3.2.2").String() != "Z" || m.Get("PID-3[1].2.2").String() != "O" ||
			m.Get("MSH-3").String() != "A" {
			t.Errorf("%s: %q %q %q", name, m.Get("PID-3.2.2"), m.Get("PID-3[1].2.2"), m.Get("MSH-3"))
		}
		if got, want := m.Get("PID-4").String(), string(m.Delimiters().Field); got != want {
			t.Errorf("%s: escaped field delimiter reads %q", name, got)
		}
	}
	m := mustParse(t, "MSH|^|A\rPID|a~b|c\\F\\d&e^f\r")
	if m.Get("PID-1").String() != "a~b" || m.Get("PID-2").String() != `c\F\d&e` {
		t.Errorf("undeclared delimiters divide: %q %q", m.Get("PID-1"), m.Get("PID-2"))
	}
}

func TestHeaderThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]error{
		"": ErrEmpty, " \r\n\t": ErrEmpty, "\x0b\x1c\r": ErrEmpty,
		"M": ErrTruncated, "MSH": ErrTruncated, "MSH|": ErrTruncated,
		"PID|1": ErrNoMSH, "msh|^~\\&": ErrNoMSH, "{}": ErrNoMSH,
		"MSHA^~\\&|": ErrDelimiters, "MSH|||": ErrDelimiters, "MSH|^~^&|": ErrDelimiters, "MSH|^~\\&#$|": ErrDelimiters,
		"MSH ^~\\&": ErrDelimiters, "MSH|^~\\\xc3|": ErrDelimiters,
		"FHS|^~\\&|A": ErrBatch, "BHS|^~\\&|A": ErrBatch, "MSH|^~\\&|A\rBTS|1\r": ErrBatch,
		visit + visit:             ErrSeveral,
		visit + "MSH":             ErrSeveral,
		visit + "MSH|\r":          ErrSeveral,
		visit + "MSH#*+!%#A\r":    ErrSeveral,
		"\xff\xfeM\x00S\x00H\x00": ErrUTF16,
	} {
		if m, err := Parse([]byte(raw)); !errors.Is(err, want) || m != nil {
			t.Errorf("Parse(%.20q) = %v, want %v", raw, err, want)
		}
	}
	if _, err := Parse(make([]byte, MaxMessage+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
}

func TestNullIsNotEmpty(t *testing.T) {
	t.Parallel()
	m := mustParse(t, "MSH|^~\\&|A\rPID|\"\"||^^~&|\"\"^x|\"\"\"\"\r")
	for path, want := range map[string][2]bool{ // null, empty
		"PID-1": {true, false}, "PID-2": {false, true}, "PID-3": {false, true}, "PID-4": {false, false},
		"PID-4.1": {true, false}, "PID-4.2": {false, false}, "PID-5": {false, false}, "PID-9": {false, true},
	} {
		v := m.Get(path)
		if got := [2]bool{v.IsNull(), v.IsEmpty()}; got != want {
			t.Errorf("%s: null, empty = %v, want %v", path, got, want)
		}
	}
	if got := m.Get("PID-1").String(); got != "" {
		t.Errorf("null reads as %q", got)
	}
}

func TestEscapesAreDecodedAndUnknownOnesKept(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`a\F\b\S\c\T\d\R\e\E\f`: `a|b^c&d~e\f`,
		`\F\\S\\T\`:             `|^&`,
		`one\.br\two`:           "one\ntwo",
		`\X41\\X6263\`:          "Abc",
		`\XE9\`:                 "é",
		`\Xc3a9\`:               "é",
		`\X4\ \XZZ\ \X\`:        `\X4\ \XZZ\ \X\`,
		`\H\bold\N\`:            `\H\bold\N\`,
		`C:\temp\file`:          `C:\temp\file`,
		`odd\`:                  `odd\`,
		`a\b\F\c`:               `a\b|c`,
		`\E\F\E\`:               `\F\`,
		`nul\X00\`:              "nul",
	} {
		m := mustParse(t, "MSH|^~\\&|A\rNTE|"+raw+"\r")
		if got := m.Get("NTE-1").String(); got != want {
			t.Errorf("%q reads %q, want %q", raw, got, want)
		}
	}
}

func TestFinerDivisionReadsAsItsFirstPartAndTextKeepsAll(t *testing.T) {
	t.Parallel()
	m := mustParse(t, "MSH|^~\\&|A\rPV1|1|E^Emergency|fish & chips ~ x\r")
	if got := m.Get("PV1-2").String(); got != "E" || !m.Get("PV1-2").Is("e") || m.Get("PV1-2").Is("ee") {
		t.Errorf("PV1-2 = %q", got)
	}
	if got := m.Get("PV1-3").Text(); got != "fish & chips ~ x" {
		t.Errorf("Text = %q", got)
	}
}

func TestCharacterSets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		declared, bytes, want, encoding string
		doubtful                        bool
	}{
		"nothing declared, ASCII":        {"", "Rene", "Rene", "ASCII", false},
		"nothing declared, UTF-8":        {"", "René", "René", "UTF-8", false},
		"nothing declared, Windows-1252": {"", "Ren\xe9 \x80 \x92", "René € ’", "WINDOWS-1252", false},
		"UTF-8":                          {"UNICODE UTF-8", "Łukasz", "Łukasz", "UTF-8", false},
		"UTF-8 declared, not sent":       {"UNICODE UTF-8", "Ren\xe9", "René", "WINDOWS-1252", true},
		"8859/1":                         {"8859/1", "Ren\xe9 \xa4", "René ¤", "8859/1", false},
		"8859/1 whose bytes look UTF-8":  {"8859/1", "\xc3\xa9", "é", "UTF-8", true},
		"8859/15":                        {"8859/15", "\xa4 \xa6\xbd", "€ Šœ", "8859/15", false},
		"ISO name with blanks":           {"ISO 8859-1", "\xe9", "é", "8859/1", false},
		"ASCII declared, more sent":      {"ASCII", "\xe9", "é", "WINDOWS-1252", true},
		"first repetition is it":         {"8859/15~UNICODE UTF-8", "\xa4", "€", "8859/15", false},
		"a set we do not know":           {"ISO IR87", "abc", "abc", "ASCII", true},
		"NUL":                            {"", "a\x00b", "ab", "ASCII", true},
	} {
		m := mustParse(t, "MSH|^~\\&|A|||||||||||||||"+c.declared+"\rPID|"+c.bytes+"\r")
		if got := m.Get("PID-1").String(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := m.Charset(); got.Encoding != c.encoding || got.Doubtful != c.doubtful {
			t.Errorf("%s: %+v", name, got)
		}
	}
	m := mustParse(t, "MSH|^~\\&|A\rPID|Ren\xe9|Łukasz\r")
	if m.Get("PID-1").String() != "René" || m.Get("PID-2").String() != "Łukasz" {
		t.Errorf("one value in another set spoils the next: %q %q", m.Get("PID-1"), m.Get("PID-2"))
	}
}

func TestHeaderIsReadInEveryForm(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][3]string{
		"MSH|^~\\&|||||||ADT^A03":                   {"ADT", "A03", ""},
		"MSH|^~\\&|||||||ADT^A08^ADT_A01":           {"ADT", "A08", "ADT_A01"},
		"MSH|^~\\&|||||||ADT_A03":                   {"ADT", "A03", ""},
		"MSH|^~\\&|||||||ADT\rEVN|A04":              {"ADT", "A04", ""},
		"MSH|^~\\&|||||||ADT^^ADT_A01":              {"ADT", "", "ADT_A01"},
		"MSH|^~\\&|||||||ACK":                       {"ACK", "", ""},
		"MSH|^~\\&|":                                {"", "", ""},
		"MSH|^~\\&|||||||ADT^A03^ADT_A03\rEVN|A99|": {"ADT", "A03", "ADT_A03"},
	} {
		m := mustParse(t, raw)
		if got := [3]string{m.Type(), m.Trigger(), m.Structure()}; got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
	m := mustParse(t, visit)
	got := []string{m.SendingApplication(), m.SendingFacility(), m.ReceivingApplication(), m.ReceivingFacility(),
		m.ControlID(), m.ProcessingID(), m.Version(), m.SentAt().String()}
	if want := []string{"EDSYS", "RXX", "FOOTBRIDGE", "RXX", "C1", "P", "2.4", "20261120074232"}; !slices.Equal(got,
		want) {
		t.Errorf("header %q, want %q", got, want)
	}
}

func TestFileOfSeveralMessagesIsCutIntoThem(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"directly after another": visit + visit + visit,
		"blank lines between":    visit + "\n\n" + visit + "\r\n \r\n" + visit,
		"LF ends":                strings.ReplaceAll(visit+"\r"+visit+"\r"+visit, "\r", "\n"),
		"framed":                 "\x0b" + visit + "\x1c\r\x0b" + visit + "\x1c\r\x0b" + visit + "\x1c\r",
		"byte order mark":        "\xef\xbb\xbf" + visit + visit + visit,
	} {
		pieces, err := Split([]byte(file))
		if err != nil || len(pieces) != 3 {
			t.Errorf("%s: %d pieces, %v", name, len(pieces), err)
			continue
		}
		for _, piece := range pieces {
			if m, err := Parse(piece); err != nil || m.SegmentCount() != 7 {
				t.Errorf("%s: piece %q: %v", name, piece, err)
			}
		}
	}
	for file, want := range map[string]error{
		"": ErrEmpty, "hello": ErrNoMSH, "FHS|^~\\&|x\r" + visit: ErrBatch, visit + "BTS|1\r": ErrBatch,
		"\xfe\xff": ErrUTF16,
	} {
		if _, err := Split([]byte(file)); !errors.Is(err, want) {
			t.Errorf("Split(%.10q) = %v, want %v", file, err, want)
		}
	}
}

func TestWrittenMessageReadsBack(t *testing.T) {
	t.Parallel()
	text := "pipe | hat ^ tilde ~ and & slash \\ line\nend \\F\\ é"
	for _, d := range []Delimiters{DefaultDelimiters, {Field: '#', Component: '*', Repetition: '+', Escape: '!',
		Subcomponent: '%'}} {
		w := NewWriter(Header{Delimiters: d, Type: "ADT", Trigger: "A03", ControlID: "7",
			At: time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)})
		w.Segment("PID").Set(3, "9990000107", "", "", "NHS", "NH").Repeat(3, "L|42").Set(5, text, "Ann").SetRaw(6, `""`)
		m := mustParse(t, string(w.Bytes()))
		if m.Get("PID-5.1").String() != text || m.Get("PID-3[1].1").String() != "L|42" || !m.Get("PID-6").IsNull() {
			t.Errorf("%q", w.Bytes())
		}
		if m.Trigger() != "A03" || m.ControlID() != "7" || m.SentAt().String() != "20261120070000+0000" {
			t.Errorf("header %q", m.Segment("MSH").Raw())
		}
	}
}

func TestReadingAllocatesOnlyTheMessage(t *testing.T) {
	raw := []byte(visit) // not parallel: it counts allocations
	allocations := testing.AllocsPerRun(200, func() {
		m, _ := Parse(raw)
		if !m.Segment("PV1").Field(2).Is("E") || m.Segment("PID").Field(3).Rep(1).Comp(1).IsEmpty() {
			t.Error("misread")
		}
	})
	if allocations > 1 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestPathIsWrittenAsItIsRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"PID-3", "PID-3.1", "PID-3[1].4.2", "DG1[2]-3.1", "ZU1-1[3]"} {
		p, err := ParsePath(text)
		if err != nil || p.String() != text {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	if _, err := ParsePath("PID3"); !errors.Is(err, ErrPath) {
		t.Errorf("PID3: %v", err)
	}
}
