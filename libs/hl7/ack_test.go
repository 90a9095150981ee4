package hl7

import (
	"strings"
	"testing"
	"time"
)

var answeredAt = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

func TestAcknowledgementInOriginalMode(t *testing.T) {
	t.Parallel()
	m := mustParse(t, visit)
	got := string(m.Ack(Ack{Outcome: Accepted, ControlID: "a1", At: answeredAt}))
	want := "MSH|^~\\&|FOOTBRIDGE|RXX|EDSYS|RXX|20261120080000+0000||ACK^A03^ACK|a1|P|2.4\rMSA|AA|C1\r"
	if got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	for outcome, code := range map[Outcome]string{Accepted: "AA", Failed: "AE", Refused: "AR", Outcome(77): "AR"} {
		ack, err := ParseAck(m.Ack(Ack{Outcome: outcome, Text: "visit number | missing\r"}))
		if err != nil || ack.Code != code || ack.ControlID != "C1" || ack.Text != "visit number | missing" {
			t.Errorf("%s: %+v, %v", code, ack, err)
		}
	}
}

func TestAcknowledgementInEnhancedModeAnswersWhatWasAsked(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string][3]string{ // at once for accepted, failed, refused
		"AL|":   {"CA", "CE", "CR"},
		"AL|AL": {"CA", "CE", "CR"},
		"NE|AL": {"AA", "AE", "AR"},
		"|AL":   {"AA", "AE", "AR"},
		"ER|":   {"", "CE", "CR"},
		"SU|ER": {"CA", "AE", "AR"},
		"NE|NE": {"", "", ""},
		"?|":    {"CA", "CE", "CR"},
	} {
		m := mustParse(t, "MSH|^~\\&|A|B|C|D|||ADT^A03|C1|P|2.4|||"+asked+"\r")
		for i, outcome := range []Outcome{Accepted, Failed, Refused} {
			ack, _ := ParseAck(m.Ack(Ack{Outcome: outcome}))
			if ack.Code != want[i] {
				t.Errorf("%s, outcome %d: %q, want %q", asked, outcome, ack.Code, want[i])
			}
		}
		if ack, _ := ParseAck(m.Ack(Ack{Mode: Original})); ack.Code != "AA" {
			t.Errorf("%s: original mode by profile gives %q", asked, ack.Code)
		}
	}
	m := mustParse(t, "MSH|^~\\&|A|B|C|D|||ADT^A03|C1|P|2.4|||AL|AL\r")
	if ack, _ := ParseAck(m.ApplicationAck(Ack{})); ack.Code != "AA" {
		t.Errorf("application acknowledgement: %+v", ack)
	}
}

func TestAcknowledgementKeepsDelimitersVersionAndCharacterSet(t *testing.T) {
	t.Parallel()
	m := mustParse(t, "MSH#*+!%#S*x#F#R#G###ADT*A01#C!F!1#T#2.2######8859/1\r")
	got := string(m.Ack(Ack{ControlID: "a#1", Text: "a#b"}))
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
		got := string(m.Ack(Ack{Outcome: Failed, Faults: []Fault{fault}}))
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
	got := string(m.Ack(Ack{ControlID: "a\x1c\r1"}))
	if strings.ContainsAny(got, "\x0b\x1c\n") || strings.Count(got, "\r") != 2 {
		t.Errorf("%q", got)
	}
}
