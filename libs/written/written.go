// Package written reads what people write about themselves and each other (NHS numbers, names, postcodes, days, times,
// telephone numbers) and gives each one spelling, so that the same thing is the same by every way in.
//
// What comes in is text as somebody typed, pasted or exported it: with no-break, thin and zero-width blanks, dashes of
// every kind, digits of other scripts, Unicode composed in one way or the other. What goes out is the one spelling, or
// the text without needless blanks where it is not understood: nothing that somebody wrote is dropped for being odd.
// Nothing here says whether a number or an address is anybody's.
package written

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	xunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/unicode/norm"

	"footbridge/libs/hl7"
)

// region is where a telephone number without a country's code is from.
const region = "GB"

// Line is a text in one line: composed (NFC), without invisible characters, each run of blanks one space, none around
// it.
func Line(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Zs, r):
			return ' '
		case r == '\u200d' || r == '\u200c': // they join letters in some scripts
			return r
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, norm.NFC.String(text))
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' }), " ")
}

// NHSNumber is an NHS number as ten digits, and whether it can be one (see [hl7.ValidNHSNumber]).
func NHSNumber(text string) (number string, valid bool) {
	number = hl7.CompactNumber(text)
	return number, hl7.ValidNHSNumber(number)
}

// Name is a name in one line, spelt as it was written.
func Name(text string) string { return Line(text) }

// SameName is a name as names are compared: letters alone, small, without accents. It is never shown.
func SameName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1 // marks, blanks, hyphens and apostrophes
	}, norm.NFKD.String(name))
}

// Postcode is a postcode in capitals with one space before its last three characters: "TQ1 4AB" of "tq14ab". What is
// none, such as its first part alone, stays one line in capitals.
func Postcode(text string) string {
	line := strings.ToUpper(Line(text))
	bare := strings.ReplaceAll(line, " ", "")
	n := len(bare)
	if n < 5 || n > 7 || !isDigit(bare[n-3]) || !isLetter(bare[n-2]) || !isLetter(bare[n-1]) || !isLetter(bare[0]) {
		return line
	}
	return bare[:n-3] + " " + bare[n-3:]
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' }

// noAddress are postcodes that stand for having none, or for not being known (NHS Postcode Directory).
var noAddress = []string{"ZZ99 3VZ", "ZZ99 3WZ", "ZZ99 3CZ"}

// IsAddress says whether anything could be sent to an address: neither 'no fixed abode' and the like, nor nothing.
func IsAddress(address, postcode string) bool {
	for _, none := range noAddress {
		if Postcode(postcode) == none {
			return false
		}
	}
	plain := SameName(address)
	for _, none := range []string{"", "nfa", "nofixedabode", "nofixedaddress", "unknown", "notknown", "none",
		"homeless", "na", "noaddress"} {
		if plain == none {
			return false
		}
	}
	return true
}

// Phone is a telephone number as it is dialled in the United Kingdom ("07700 900123"), or with its country's code; and
// whether it may be one. What is none, such as a mobile number that lacks a digit, stays as it was written: whoever
// rings sees what was meant.
func Phone(text string) (number string, valid bool) {
	line := Line(text)
	if number, ok := mobile(line); ok {
		return number, true
	}
	return phone(line)
}

// mobile reads what nearly everybody gives, a British mobile number in eleven digits, as phone does; others are left
// to that.
func mobile(line string) (number string, ok bool) {
	digits := strings.ReplaceAll(line, " ", "")
	if len(digits) != mobileDigits+1 || !strings.HasPrefix(digits, "07") || digits[2] == '0' || digits[2] == '6' ||
		isOneDigit(digits[1:]) {
		return "", false
	}
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return "", false
		}
	}
	return digits[:5] + " " + digits[5:], true
}

func phone(line string) (number string, valid bool) {
	parsed, err := phonenumbers.Parse(line, region)
	if err != nil || !phonenumbers.IsPossibleNumber(parsed) {
		return line, false
	}
	significant := phonenumbers.GetNationalSignificantNumber(parsed)
	if isOneDigit(significant) || parsed.GetCountryCode() == british && strings.HasPrefix(significant, "7") &&
		len(significant) != mobileDigits {
		return line, false
	}
	if parsed.GetCountryCode() != british {
		return phonenumbers.Format(parsed, phonenumbers.INTERNATIONAL), true
	}
	number = phonenumbers.Format(parsed, phonenumbers.NATIONAL)
	// a length for which no way of writing is known
	if strings.HasPrefix(line, "0") && !strings.HasPrefix(number, "0") {
		number = "0" + number
	}
	return number, true
}

// british is the code of the United Kingdom, whose mobile numbers have so many digits after it.
const british, mobileDigits = 44, 10

// HasPhone says whether a text holds a whole telephone number that can be dialled from anywhere in the country, words
// beside it or not ("07700 900123, ask for Jo").
func HasPhone(text string) bool {
	digits := strings.Map(func(r rune) rune {
		if r == '+' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, asciiDigits(Line(text)))
	_, valid := Phone(text)
	if !valid {
		_, valid = Phone(digits)
	}
	return valid && len(digits) >= mobileDigits-1
}

func isOneDigit(number string) bool { return strings.Trim(number, number[:min(1, len(number))]) == "" }

// SamePhone says whether two texts are one telephone number.
func SamePhone(a, b string) bool {
	a, validA := Phone(a)
	b, validB := Phone(b)
	return validA == validB && strings.EqualFold(hl7.CompactNumber(a), hl7.CompactNumber(b))
}

// days are how days are written, the year with four digits; in the United Kingdom the day comes before the month.
var days = []string{"2006-01-02", "20060102", "2006/01/02", "2/1/2006", "2-1-2006", "2.1.2006", "2 Jan 2006",
	"2 January 2006", "2-Jan-2006"}

// Day is a day as YYYY-MM-DD. false: it is none, or does not exist.
func Day(text string) (day string, ok bool) {
	line := asciiDigits(Line(text))
	for _, layout := range days {
		if at, err := time.Parse(layout, line); err == nil && at.Year() >= 1000 {
			return at.Format(time.DateOnly), true
		}
	}
	return line, false
}

// Time is a time with a day: RFC 3339, or a day followed by hours and minutes, in the zone where it carries no offset.
func Time(text string, zone *time.Location) (time.Time, bool) {
	line := asciiDigits(Line(text))
	if at, err := time.Parse(time.RFC3339, line); err == nil {
		return at, true
	}
	for _, layout := range days {
		for _, clock := range []string{" 15:04", "T15:04", " 15:04:05", "T15:04:05", " 1504"} {
			if at, err := time.ParseInLocation(layout+clock, line, zone); err == nil {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

// asciiDigits writes the digits of other scripts as 0 to 9.
func asciiDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf && unicode.IsDigit(r) {
			return rune(hl7.CompactNumber(string(r))[0])
		}
		return r
	}, text)
}

// IsDamaged says whether a text holds what another system wrote for letters that it could not read, or a NUL.
func IsDamaged(text string) bool { return strings.ContainsAny(text, "\uFFFD\x00") }

// Decode gives a file's bytes as UTF-8: by its byte order mark, as declared, or as they look, which is UTF-8 or else
// Windows-1252. Bytes that are no letter there become the replacement character: see [IsDamaged]. false: the declared
// character set is not known.
func Decode(raw []byte, declared string) (text string, ok bool) {
	switch {
	case strings.HasPrefix(string(raw), "\xef\xbb\xbf"):
		raw, declared = raw[3:], "utf-8"
	case strings.HasPrefix(string(raw), "\xff\xfe"), strings.HasPrefix(string(raw), "\xfe\xff"):
		declared = "utf-16"
	}
	var from encoding.Encoding
	switch plainCharset(declared) {
	case "", "utf8", "usascii", "ascii":
		if utf8.Valid(raw) {
			return string(raw), true
		}
		from = charmap.Windows1252
	case "windows1252", "cp1252", "iso88591", "latin1", "88591":
		if utf8.Valid(raw) { // hardly any text in a set of single bytes is valid UTF-8 by chance
			return string(raw), true
		}
		from = charmap.Windows1252
	case "iso885915", "latin9":
		from = charmap.ISO8859_15
	case "utf16", "utf16le":
		from = xunicode.UTF16(xunicode.LittleEndian, xunicode.UseBOM)
		if !strings.HasPrefix(string(raw), "\xff\xfe") && !strings.HasPrefix(string(raw), "\xfe\xff") {
			from = xunicode.UTF16(xunicode.LittleEndian, xunicode.IgnoreBOM)
		}
	case "utf16be":
		from = xunicode.UTF16(xunicode.BigEndian, xunicode.UseBOM)
		if !strings.HasPrefix(string(raw), "\xff\xfe") && !strings.HasPrefix(string(raw), "\xfe\xff") {
			from = xunicode.UTF16(xunicode.BigEndian, xunicode.IgnoreBOM)
		}
	default:
		return "", false
	}
	decoded, err := from.NewDecoder().Bytes(raw)
	return string(decoded), err == nil
}

// plainCharset is the name of a character set as names are compared.
func plainCharset(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}
