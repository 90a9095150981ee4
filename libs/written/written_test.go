package written

import (
	"fmt"
	"testing"
	"time"
)

func TestOneSpellingOfEach(t *testing.T) {
	t.Parallel()
	phone := func(text string) string { number, _ := Phone(text); return number }
	number := func(text string) string {
		if n, valid := NHSNumber(text); valid {
			return n
		}
		return "invalid"
	}
	day := func(text string) string {
		if d, ok := Day(text); ok {
			return d
		}
		return "none"
	}
	for _, c := range []struct {
		read       func(string) string
		text, want string
	}{
		{number, "999 000 0018", "9990000018"}, {number, "999\u00a0000\u20090018", "9990000018"},
		{number, "999–000—0018", "9990000018"},
		{number, "９９９０００００１８", "9990000018"}, {number, "\ufeff9990000018", "9990000018"},
		{number, "999 000 0019", "invalid"}, {number, "999O000018", "invalid"},
		{Name, " Ada\u00a0 Maria ", "Ada Maria"}, {Name, "Zoe\u0308", "Zoë"}, {Name, "O\u2019Neill\u200b", "O’Neill"},
		{SameName, "Zoë O’Neill-Brown", "zoeoneillbrown"}, {SameName, "ZOE ONEILL BROWN", "zoeoneillbrown"},
		{Postcode, "tq14ab", "TQ1 4AB"}, {Postcode, " TQ1\u00a04AB ", "TQ1 4AB"}, {Postcode, "SW1A  1AA", "SW1A 1AA"},
		{Postcode, "tq1", "TQ1"},
		{phone, "+44 7700 900123", "07700 900123"}, {phone, "0044 (0)7700-900123", "07700 900123"},
		{phone, "07700\u00a0900\u2009123", "07700 900123"},
		{phone, "07700 900 12", "07700 900 12"}, {phone, "01204 5202", "012045202"},
		{phone, "0800 123 456", "0800 123456"},
		{phone, "00000000000", "00000000000"}, {phone, "not known", "not known"},
		{phone, "+353 1 234 5678", "+353 1 234 5678"},
		{day, "01/04/1990", "1990-04-01"}, {day, "1.4.1990", "1990-04-01"}, {day, "1990-04-01", "1990-04-01"},
		{day, "19900401", "1990-04-01"},
		{day, "1 April 1990", "1990-04-01"}, {day, "30/02/1990", "none"}, {day, "1990-13-01", "none"},
		{day, "01/04/90", "none"},
	} {
		if got := c.read(c.text); got != c.want {
			t.Errorf("%q is %q, not %q", c.text, got, c.want)
		}
	}
}

func TestAWholeNumberIsToldFromPartOfOne(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"07700 900123": true, "+44 (0)7700 900123": true,
		"07700 900123, ask for Jo": true, "020 7946 0958": true, "+48 600 123 456": true,
		"07700 90012": false, "0770": false, "1234567": false, "ask my mum": false, "": false} {
		if HasPhone(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}

func TestTimesAreOfTheZoneUnlessTheySayOtherwise(t *testing.T) {
	t.Parallel()
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"2026-07-01T10:00:00+05:30": "2026-07-01T04:30:00Z",
		"01/07/2026 10:00": "2026-07-01T09:00:00Z",
		"2026-12-01 10:00": "2026-12-01T10:00:00Z", "20260701 1000": "2026-07-01T09:00:00Z", "30/02/2026 10:00": "",
		"01/07/2026 24:10": ""} {
		at, ok := Time(text, london)
		if ok != (want != "") || (ok && at.UTC().Format(time.RFC3339) != want) {
			t.Errorf("%q is %v, %t", text, at, ok)
		}
	}
}

func TestFilesAreReadAsDeclaredOrAsTheyLook(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct{ raw, declared, want string }{
		"UTF-8": {"Zoë", "", "Zoë"}, "UTF-8 with its mark": {"\xef\xbb\xbfZoë", "", "Zoë"},
		"Windows-1252":      {"Zo\xeb \x92", "", "Zoë ’"},
		"Latin-1, declared": {"Zo\xeb", "iso-8859-1", "Zoë"}, "UTF-8 declared as Latin-1": {"Zoë", "ISO-8859-1", "Zoë"},
		"Latin-9": {"\xa4", "iso-8859-15", "€"}, "UTF-16, little end first": {"\xff\xfeZ\x00o\x00\xeb\x00", "", "Zoë"},
		"UTF-16, big end first": {"\xfe\xff\x00Z\x00o\x00\xeb", "", "Zoë"},
		"UTF-16 without a mark": {"Z\x00o\x00", "utf-16le", "Zo"},
	} {
		if got, ok := Decode([]byte(c.raw), c.declared); !ok || got != c.want {
			t.Errorf("%s: %q, %t", claim, got, ok)
		}
	}
	if got, _ := Decode([]byte("a\x81b"), ""); !IsDamaged(got) {
		t.Errorf("an unassigned byte is %q", got)
	}
	if _, ok := Decode([]byte("a"), "klingon"); ok {
		t.Error("any name is a character set")
	}
}

func TestAMobileNumberIsReadAsAnyOther(t *testing.T) {
	t.Parallel()
	quick := 0
	for prefix := range 1000 {
		for _, rest := range []string{"900123", "000000", "999999", "777777", "123456"} {
			for _, line := range []string{fmt.Sprintf("07%03d%s", prefix, rest), fmt.Sprintf("07%03d %s", prefix, rest),
				fmt.Sprintf("07%03d %s %s", prefix, rest[:3], rest[3:])} {
				number, ok := mobile(line)
				if !ok {
					continue
				}
				quick++
				if want, valid := phone(line); number != want || !valid {
					t.Errorf("%q is read as %q, and by the library as %q, %t", line, number, want, valid)
				}
			}
		}
	}
	if quick < 10000 {
		t.Errorf("%d numbers were read without the library", quick)
	}
}
