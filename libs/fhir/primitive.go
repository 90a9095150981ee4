package fhir

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The primitive types of R4 and what their values look like. The JSON kind is that of a string unless said.
const (
	zonePattern  = `(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))`
	clockPattern = `([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?`
	dayPattern   = `[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])`
)

var shapesOfText = map[string]*regexp.Regexp{
	"uri":          regexp.MustCompile(`^\S+$`),
	"url":          regexp.MustCompile(`^\S+$`),
	"canonical":    regexp.MustCompile(`^\S+$`),
	"oid":          regexp.MustCompile(`^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$`),
	"uuid":         regexp.MustCompile(`^urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`),
	"code":         regexp.MustCompile(`^[^\s]+( [^\s]+)*$`),
	"id":           regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`),
	"base64Binary": regexp.MustCompile(`^(\s*[0-9a-zA-Z+/=]){4,}\s*$`),
	"instant":      regexp.MustCompile(`^` + dayPattern + `T` + clockPattern + zonePattern + `$`),
	"date":         regexp.MustCompile(`^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?$`),
	"dateTime": regexp.MustCompile(`^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01])(T` + clockPattern +
		zonePattern + `)?)?)?$`),
	"time": regexp.MustCompile(`^` + clockPattern + `$`),
}

var shapesOfNumber = map[string]*regexp.Regexp{
	"integer":     regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`),
	"unsignedInt": regexp.MustCompile(`^(0|[1-9][0-9]*)$`),
	"positiveInt": regexp.MustCompile(`^[1-9][0-9]*$`),
	"decimal":     regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`),
}

var plainText = map[string]bool{"string": true, "markdown": true, "xhtml": true}

func isPrimitive(kind string) bool {
	return kind == "boolean" || plainText[kind] || shapesOfText[kind] != nil || shapesOfNumber[kind] != nil
}

const maxTimeText = 48 // no clock needs more digits

// primitive says whether a value is of a primitive type, and if not, what is wrong in words that quote nothing.
func primitive(kind string, n *node) (string, bool) {
	if shape := shapesOfNumber[kind]; shape != nil {
		if n.kind != isNumber || !shape.MatchString(n.value) || (kind != "decimal" && !fits32(n.value)) ||
			len(n.value) > 64 {
			return "is not a number of type " + kind, false
		}
		return "", true
	}
	if kind == "boolean" {
		return "is not true or false", n.kind == isBool
	}
	switch {
	case n.kind != isString:
		return "is " + n.kind.String() + ", not a text", false
	case strings.TrimSpace(n.value) == "":
		return "is empty: leave it out", false
	case strings.ContainsFunc(n.value, isControl):
		return "holds a control character", false
	case plainText[kind]:
		return "", true
	}
	if !shapesOfText[kind].MatchString(n.value) || !onCalendar(kind, n.value) {
		return "is not of the form of " + article(kind), false
	}
	return "", true
}

func article(kind string) string {
	if strings.ContainsAny(kind[:1], "aeio") {
		return "an " + kind
	}
	return "a " + kind
}

func fits32(number string) bool {
	_, err := strconv.ParseInt(number, 10, 32)
	return err == nil
}

// isControl: FHIR allows tab, line feed and carriage return in texts.
func isControl(r rune) bool {
	return (r < 0x20 && r != '\t' && r != '\n' && r != '\r') || r == utf8.RuneError
}

// onCalendar refuses 30 February, and years before the first.
func onCalendar(kind, value string) bool {
	switch kind {
	case "instant":
		_, err := ParseInstant(value)
		return err == nil
	case "date", "dateTime":
		_, err := ParseDateTime(value)
		return err == nil
	}
	return true
}

// ErrTime: a text that is no FHIR date or time. It does not quote the text, which may be somebody's birth date.
var ErrTime = errors.New("not a FHIR date or time")

// ParseInstant reads an instant: to the second at least, with an offset, and any number of fractional digits
// (national systems write up to seven), of which nine count. A leap second is the second before it.
func ParseInstant(text string) (time.Time, error) {
	if len(text) > maxTimeText || !shapesOfText["instant"].MatchString(text) {
		return time.Time{}, ErrTime
	}
	return parseClock(text)
}

func parseClock(text string) (time.Time, error) {
	if text[17:19] == "60" {
		text = text[:17] + "59" + text[19:]
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1 {
		return time.Time{}, ErrTime
	}
	return t, nil
}

// Precision is how exactly a dateTime was given.
type Precision int

// The precisions.
const (
	ToYear Precision = iota
	ToMonth
	ToDay
	ToSecond // or better
)

// DateTime is a dateTime as precisely as it was written. Below ToSecond, Time is the beginning of that year, month
// or day in UTC: a date says nothing of an hour, and whoever reads it decides whose day it is.
type DateTime struct {
	Time      time.Time
	Precision Precision
}

// ParseDateTime reads a date or a dateTime.
func ParseDateTime(text string) (DateTime, error) {
	if len(text) > maxTimeText || !shapesOfText["dateTime"].MatchString(text) {
		return DateTime{}, ErrTime
	}
	layouts := map[int]Precision{4: ToYear, 7: ToMonth, 10: ToDay}
	precision, short := layouts[len(text)]
	if !short {
		t, err := parseClock(text)
		return DateTime{t, ToSecond}, err
	}
	t, err := time.Parse("2006-01-02"[:len(text)], text)
	if err != nil || t.Year() < 1 {
		return DateTime{}, ErrTime
	}
	return DateTime{t, precision}, nil
}

// FormatInstant writes an instant in UTC, to the millisecond, as the Booking and Referral Standard asks for.
func FormatInstant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
