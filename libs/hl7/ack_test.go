package hl7

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var answeredAt = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// theAck is the first acknowledgement, or nil.
func theAck(m *Message, a Ack) []byte {
	for _, ack := range m.Acks(a) {
		return ack
	}
	return nil
}

func TestAcknowledgementInOriginalMode(t *testing.T) {
	t.Parallel()
	m := mustParse(t, visit)
	got := string(theAck(m, Ack{Outcome: Accepted, ControlID: "a1", At: answeredAt}))
	want := "MSH|^~\\&|FOOTBRIDGE|RXX|EDSYS|RXX|20261120080000+0000||ACK^A03^ACK|a1|P|2.4\rMSA|AA|C1\r"
	if got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	for outcome, code := range map[Outcome]string{Accepted: "AA", Failed: "AE", Refused: "AR", Outcome(77): "AR"} {
		ack, err := ParseAck(theAck(m, Ack{Outcome: outcome, Text: "visit number | missing\r"}))
		if err != nil || ack.Code != code || ack.ControlID != "C1" || ack.Text != "visit number | missing" {
			t.Errorf("%s: %+v, %v", code, ack, err)
		}
	}
}

// answers writes the codes of all acknowledgements of an outcome, in order.
func answers(t *testing.T, m *Message, a Ack) string {
	t.Helper()
	var codes []string
	for _, raw := range m.Acks(a) {
		ack, err := ParseAck(raw)
		if err != nil || ack.ControlID != m.ControlID() {
			t.Errorf("%q: %v", raw, err)
		}
		codes = append(codes, ack.Code)
	}
	return strings.Join(codes, " ")
}

func TestAcknowledgementInEnhancedModeAnswersWhatWasAsked(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string][3]string{ // for accepted, failed, refused
		"AL|":   {"CA", "CE", "CR"},
		"AL|NE": {"CA", "CE", "CR"},
		"AL|AL": {"CA AA", "CA AE", "CR"},
		"AL|ER": {"CA", "CA AE", "CR"},
		"AL|SU": {"CA AA", "CE", "CR"},
		"NE|AL": {"AA", "AE", "AR"},
		"|AL":   {"AA", "AE", "AR"},
		"NE|ER": {"", "AE", "AR"},
		"NE|SU": {"AA", "", ""},
		"ER|":   {"", "CE", "CR"},
		"ER|NE": {"", "CE", "CR"},
		"ER|AL": {"AA", "AE", "CR"},
		"ER|ER": {"", "AE", "CR"},
		"ER|SU": {"AA", "CE", "CR"},
		"SU|NE": {"CA", "", ""},
		"SU|AL": {"CA AA", "CA AE", "AR"},
		"SU|ER": {"CA", "CA AE", "AR"},
		"SU|SU": {"CA AA", "", ""},
		"NE|NE": {"", "", ""},
		"NE|":   {"", "", ""},
		"?|":    {"CA", "CE", "CR"},
		"|":     {"AA", "AE", "AR"},
	} {
		m := mustParse(t, "MSH|^~\\&|A|B|C|D|||ADT^A03|C1|P|2.4|||"+asked+"\r")
		for i, outcome := range []Outcome{Accepted, Failed, Refused} {
			if got := answers(t, m, Ack{Outcome: outcome}); got != want[i] {
				t.Errorf("%s, outcome %d: %q, want %q", asked, outcome, got, want[i])
			}
		}
		if got := answers(t, m, Ack{Mode: Original}); got != "AA" {
			t.Errorf("%s: original mode by profile gives %q", asked, got)
		}
	}
}

func TestBothAcknowledgementsAreMessagesOfTheirOwnThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	m := mustParse(t, "MSH|^~\\&|A|B|C|D|||ADT^A03|C1|P|2.4|||AL|AL||8859/1\r")
	fault := Fault{Segment: "PV1", Code: CodeSegmentSequence}
	acks := m.Acks(Ack{Outcome: Failed, ControlID: "a1", ApplicationID: "a2", Text: "broken", Faults: []Fault{fault}})
	want := []string{"MSH|^~\\&|C|D|A|B|||ACK^A03^ACK|a1|P|2.4|||NE|NE||8859/1\rMSA|CA|C1\r",
		"MSH|^~\\&|C|D|A|B|||ACK^A03^ACK|a2|P|2.4|||NE|NE||8859/1\rMSA|AE|C1|broken\rERR|PV1^1^^100&Segment sequence " +
			"error&HL70357\r"}
	for i, ack := range acks {
		if string(ack) != want[i] {
			t.Errorf("\n got %q\nwant %q", ack, want[i])
		}
		if read := mustParse(t, string(ack)); !read.IsAck() || len(read.Acks(Ack{})) > 0 {
			t.Errorf("%q would be answered", ack)
		}
	}
	if m.IsAck() || !mustParse(t, "MSH|^~\\&|A|B|C|D|||RSP^K11|C1|P|2.4\rMSA|AA|C1\r").IsAck() {
		t.Error("an answer is known by its type, or by its MSA")
	}
}

func TestAcknowledgementKeepsDelimitersVersionAndCharacterSet(t *testing.T) {
	t.Parallel()
	m := mustParse(t, "MSH#*+!%#S*x#F#R#G###ADT*A01#C!F!1#T#2.2######8859/1\r")
	got := string(theAck(m, Ack{ControlID: "a#1", Text: "a#b"}))
	if want := "MSH#*+!%#R#G#S*x#F###ACK#a!F!1#T#2.2######8859/1\rMSA#AA#C!F!1#a!F!b\r"; got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	ack, err := ParseAck([]byte(got))
	if err != nil || ack.ControlID != m.ControlID() {
		t.Errorf("%+v, %v", ack, err)
	}
}

func TestFaultsNamePlacesAndNeverValues(t *testing.T) {
	t.Parallel()
	fault := Fault{Segment: "PV1", Field: 19, Code: CodeRequiredFieldMissing}
	for version, want := range map[string]string{
		"2.3": "ERR|PV1^1^19^101&Required field missing&HL70357\r",
		"2.4": "ERR|PV1^1^19^101&Required field missing&HL70357\r",
		"2.5": "ERR||PV1^1^19|101^Required field missing^HL70357|E\r",
	} {
		m := mustParse(t, "MSH|^~\\&|A|B|C|D|||ADT^A03|C1|P|"+version+"\rPID|1||9990000107^^^NHS^NH||TESTPERSON\r")
		got := string(theAck(m, Ack{Outcome: Failed, Faults: []Fault{fault}}))
		if !strings.HasSuffix(got, want) || strings.Contains(got, "999") || strings.Contains(got, "TEST") {
			t.Errorf("%s: %q", version, got)
		}
	}
}

func TestUnreadableMessageIsAnsweredWithItsControlIDWhereItCanBeFound(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                    "",
		"rubbish":                             "",
		"MSH":                                 "",
		"MSH|":                                "",
		"MSH|^~^&|A|B|C|D|||ADT^A03|C9|P|2.4": "C9",
		visit + visit:                         "C1",
		"\x0bMSH|^~\\&|A|B|C|D|||ADT^A03|C8":  "C8",
		"xx\rMSH#*+!%#A#B#C#D###ADT*A03#C7#P": "C7",
		"FHS|^~\\&|A\rMSH|^~\\&|A|B|C|D|||X|C6|\rPID": "C6",
	} {
		ack, err := ParseAck(AckUnparsed([]byte(raw), Ack{Outcome: Refused, ControlID: "a1", Text: "not readable"}))
		if err != nil || ack.Code != "AR" || ack.ControlID != want {
			t.Errorf("%.20q: %+v, %v", raw, ack, err)
		}
	}
}

func TestEchoedHeaderCannotBreakTheAnswersFrame(t *testing.T) {
	t.Parallel()
	m := mustParse(t, "MSH|^~\\&|A\x1c|B\x0b|C|D|||ADT^A03|C1\nX\x1c\r\nstill here|P|2.4\r")
	got := string(theAck(m, Ack{ControlID: "a\x1c\r1"}))
	if strings.ContainsAny(got, "\x0b\x1c\n") || strings.Count(got, "\r") != 2 {
		t.Errorf("%q", got)
	}
}

func TestEverySenderIsAnsweredWhereOneAnswerAtLeastIsAgreed(t *testing.T) {
	t.Parallel()
	values := []string{"", `""`, "NE", "ne", "AL", "ER", "SU", "XX"}
	for _, accept := range values {
		for _, application := range values {
			m := mustParse(t, "MSH|^~\\&|A|B|C|D|||ADT^A03|C1|P|2.4|||"+accept+"|"+application+"\r")
			for _, outcome := range []Outcome{Accepted, Failed, Refused} {
				asked := m.AckCodes(AsAsked, outcome)
				got := m.AckCodes(AtLeastOne, outcome)
				if len(got) == 0 || (len(asked) > 0 && !slices.Equal(got, asked)) ||
					len(m.Acks(Ack{Mode: AtLeastOne, Outcome: outcome})) != len(got) {
					t.Errorf("MSH-15 %q, MSH-16 %q, outcome %d: answered %q, asked for %q", accept, application,
						outcome, got, asked)
				}
			}
		}
	}
}
