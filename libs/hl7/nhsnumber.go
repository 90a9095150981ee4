package hl7

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValidNHSNumber tells whether s is ten digits whose last is right by the NHS number's check (modulus 11: weights 10
// to 2, eleven minus the remainder, 11 counts as 0, 10 is never given out). Numbers of one repeated digit pass the
// arithmetic and are refused: they are typed to fill a field. A valid number may still belong to nobody, or to
// someone else: the check says nothing about tracing.
func ValidNHSNumber(s string) bool {
	if len(s) != 10 {
		return false
	}
	sum, repeated := 0, true
	for i := range 10 {
		if s[i] < '0' || '9' < s[i] {
			return false
		}
		repeated = repeated && s[i] == s[0]
		if i < 9 {
			sum += int(s[i]-'0') * (10 - i)
		}
	}
	check := 11 - sum%11
	if check == 11 {
		check = 0
	}
	return !repeated && check == int(s[9]-'0')
}

// IsTestNHSNumber tells whether s lies in the range kept for tests, 999 000 0000 to 999 999 9999. Real systems must
// refuse it, test systems must accept nothing else.
func IsTestNHSNumber(s string) bool { return len(s) == 10 && strings.HasPrefix(s, "999") }

// IdentifierKind is what an identifier of PID-3 says of itself: who gave it (CX.4) and what it is (CX.5). Case is
// ignored; "" matches only an absent one.
type IdentifierKind struct {
	Authority string
	Type      string
}

// NHSNumberKinds are the ways in which senders mark an NHS number, the proper one first: HL7 UK A.3 3.3.1, its
// object identifier, no authority at all (seen in real feeds), and the way a well-known simulator writes it.
// Scotland's CHI and Northern Ireland's H&C numbers are other numbers and are not among them.
var NHSNumberKinds = []IdentifierKind{
	{Authority: "NHS", Type: "NH"},
	{Authority: "2.16.840.1.113883.2.1.4.1", Type: "NH"},
	{Authority: "", Type: "NH"},
	{Authority: "NHSNBR", Type: "NHSNMBR"},
}

// Identifier is one repetition of PID-3, MRG-1 or another field of type CX.
type Identifier struct {
	Number string         // CX.1, without blanks and hyphens
	Kind   IdentifierKind // as sent
	// Tolerated is true when it was found by another than the first of the kinds asked for: worth a warning.
	Tolerated bool
}

// SelectIdentifiers returns the repetitions of a field of type CX that are of one of the kinds, those of earlier
// kinds first, each number once. Empty and null ones are left out. It does not check the numbers.
func SelectIdentifiers(field Value, kinds []IdentifierKind) []Identifier {
	var found []Identifier
	for place, kind := range kinds {
		for rep := range field.Reps() {
			number := compact(rep.Comp(1).String())
			if number == "" || !kind.matches(rep) || contains(found, number) {
				continue
			}
			sent := IdentifierKind{Authority: rep.Comp(4).String(), Type: rep.Comp(5).String()}
			found = append(found, Identifier{Number: number, Kind: sent, Tolerated: place > 0})
		}
	}
	return found
}

// matches compares the authority with its name (CX.4.1) and its universal id (CX.4.2).
func (k IdentifierKind) matches(rep Value) bool {
	authority := rep.Comp(4)
	if !rep.Comp(5).Is(k.Type) {
		return false
	}
	if k.Authority == "" {
		return authority.IsEmpty() || authority.IsNull()
	}
	return authority.Sub(1).Is(k.Authority) || authority.Sub(2).Is(k.Authority)
}

func contains(found []Identifier, number string) bool {
	for _, f := range found {
		if f.Number == number {
			return true
		}
	}
	return false
}

// compact is [CompactNumber] for what mostly needs nothing done.
func compact(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || r == ' ' || r == '-' || r == '\t' }) {
		return s
	}
	return CompactNumber(s)
}

// CompactNumber drops what people group digits with: blanks, dashes and invisible characters of any kind; and writes
// the digits of other scripts and widths as 0 to 9.
func CompactNumber(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.In(r, unicode.Zs, unicode.Pd, unicode.Cf), r == '\u2212':
			return -1
		case r >= utf8.RuneSelf && unicode.IsDigit(r):
			return '0' + digitOf(r)
		}
		return r
	}, s)
}

// digitOf is the value of a decimal digit of any script: each range of them is made of runs from 0 to 9.
func digitOf(r rune) rune {
	for _, run := range unicode.Nd.R16 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return (r - rune(run.Lo)) % 10
		}
	}
	for _, run := range unicode.Nd.R32 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return (r - rune(run.Lo)) % 10
		}
	}
	return 0
}

// NHSNumber is what PID-3 says about a person's NHS number.
type NHSNumber struct {
	// Number is the ten digits; "" unless exactly one valid number was sent.
	Number string
	// Tolerated is true when the number was not marked as HL7 UK A.3 asks.
	Tolerated bool
	// Invalid is true when something marked as an NHS number fails the check.
	Invalid bool
	// Conflicting is true when two different valid numbers were sent: whose the message is, is then unknown.
	Conflicting bool
}

// NHSNumber reads the person's NHS number from PID-3 by the kinds given, usually [NHSNumberKinds]. It never takes a
// repetition for its place alone, and never chooses between two numbers: taking the wrong one would join one
// person's visit to another's journey.
func (m *Message) NHSNumber(kinds []IdentifierKind) NHSNumber {
	var n NHSNumber
	for _, id := range SelectIdentifiers(m.Segment("PID").Field(3), kinds) {
		switch {
		case !ValidNHSNumber(id.Number):
			n.Invalid = true
		case n.Number != "":
			n.Conflicting = true
		default:
			n.Number, n.Tolerated = id.Number, id.Tolerated
		}
	}
	if n.Conflicting {
		n.Number = ""
	}
	return n
}
