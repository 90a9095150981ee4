package hl7

import "testing"

func TestNHSNumberCheck(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{
		"9990000107": true, "9990500002": true, "9991234567": false,
		"9990000108": false, "0000000000": false, "9999999999": false, "1111111111": false,
		"999000010": false, "99900001070": false, "999000010X": false, "": false, "999 000 0107": false,
	} {
		if got := ValidNHSNumber(number); got != want {
			t.Errorf("ValidNHSNumber(%q) = %v", number, got)
		}
	}
}

func TestNumberWhoseCheckDigitWouldBeTenIsRefused(t *testing.T) {
	t.Parallel()
	for d := byte('0'); d <= '9'; d++ { // 9·10 + 9·9 + 9·8 = 243, remainder 1: the check would be 10
		if number := "999000000" + string(d); ValidNHSNumber(number) {
			t.Errorf("%s accepted", number)
		}
	}
}

func TestNHSNumberIsChosenByWhatItSaysOfItself(t *testing.T) {
	t.Parallel()
	for pid3, want := range map[string]NHSNumber{
		"9990500002^^^RXX^MR~9990000107^^^NHS^NH":    {Number: "9990000107"},
		"999 000 0107^^^NHS^NH":                      {Number: "9990000107"},
		"9990000107^^^nhs^nh":                        {Number: "9990000107"},
		"9990000107^^^^NH":                           {Number: "9990000107", Tolerated: true},
		"9990000107^^^&2.16.840.1.113883.2.1.4.1^NH": {Number: "9990000107", Tolerated: true},
		"1^^^SIM^MRN~9990000107^^^NHSNBR^NHSNMBR":    {Number: "9990000107", Tolerated: true},
		"9990000107^^^NHS^NH~9990000107^^^^NH":       {Number: "9990000107"},
		"9990000107^^^NHS^NH~9990500002^^^^NH":       {Conflicting: true},
		"9990000107^^^NHS^NH~9990500002^^^NHS^NH":    {Conflicting: true},
		"9990000108^^^NHS^NH":                        {Invalid: true},
		"9990000108^^^NHS^NH~9990000107^^^NHS^NH":    {Number: "9990000107", Invalid: true},
		"9990000107^^^CHI^NH":                        {}, "9990000107^^^RXX^MR": {}, "9990000107": {},
		"\"\"^^^NHS^NH": {}, "": {},
	} {
		m := mustParse(t, "MSH|^~\\&|A\rPID|1||"+pid3+"\r")
		if got := m.NHSNumber(NHSNumberKinds); got != want {
			t.Errorf("%q: %+v, want %+v", pid3, got, want)
		}
	}
	strict := mustParse(t, "MSH|^~\\&|A\rPID|1||9990000107^^^^NH\r").NHSNumber(NHSNumberKinds[:1])
	if strict != (NHSNumber{}) {
		t.Errorf("kinds are a parameter: %+v", strict)
	}
}

func TestNumbersAreReadHoweverTheyAreGrouped(t *testing.T) {
	t.Parallel()
	for _, written := range []string{"999 000 0018", "999-000-0018", "999\u00a0000\u00a00018", "999\u2009000\u200a0018",
		"999\u2013000\u20110018",
		" 9990000018\t", "\u200b9990000018\ufeff", "９９９００００018", "٩٩٩٠٠٠٠٠١٨", "𝟿𝟿𝟿𝟶𝟶𝟶𝟶𝟶𝟷𝟾"} {
		if got := CompactNumber(written); got != "9990000018" {
			t.Errorf("%q is %q", written, got)
		}
	}
	if got := CompactNumber("A 12\u00a0b"); got != "A12b" {
		t.Errorf("letters stay, but became %q", got)
	}
}
