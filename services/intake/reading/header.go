package reading

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"footbridge/libs/hl7"
)

// Operators read the ledger and must not know who anybody is, yet a sender may write anything into MSH-3, MSH-4, a
// control id or an event's source. So only what has the shape of a code stands there in clear; of the rest a keyed hash
// does, by which a resend is still known, and the message as it came is sealed as ever. A shape tells no name from a
// code of few letters in capitals: what a profile names is shown, whatever it looks like.

var (
	ApplicationText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,19}$`)
	facilityText    = regexp.MustCompile(`^[A-Z0-9]{1,12}$`)
	SourceText      = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9_.:/#-]{0,99}$`)
	controlText     = regexp.MustCompile(`^[A-Za-z0-9{][A-Za-z0-9_.:/+{} -]{0,99}$`)

	letterRun  = regexp.MustCompile(`[A-Za-z]+`)
	digitRun   = regexp.MustCompile(`[0-9]+`)
	properName = regexp.MustCompile(`(^|[^A-Za-z])[A-Z][a-z]{2,}([^A-Za-z]|$)`)
)

// LooksCoded says whether a text of an allowed shape holds nothing that looks like a name or an NHS number: no word of
// more than so many letters, none written like a name, and no number that is a valid NHS number.
func LooksCoded(shape *regexp.Regexp, text string, letters int) bool {
	return shape.MatchString(text) && !holdsName(text, letters) &&
		!slices.ContainsFunc(digitRun.FindAllString(text, -1), hl7.ValidNHSNumber)
}

func holdsName(text string, letters int) bool {
	long := func(word string) bool { return len(word) > letters }
	return properName.MatchString(text) || slices.ContainsFunc(letterRun.FindAllString(text, -1), long)
}

// isControlID: control ids count, so that a part of more than four characters has a digit in it; or it is a source's
// name with dots, which stands before a signal's id. One in eleven counters of ten digits could be an NHS number, and
// senders and their messages are held against each other by these ids: see repeatsNumber.
func IsControlID(text string) bool {
	wordy := func(part string) bool { return len(part) > 4 && !strings.ContainsAny(part, "0123456789.") }
	return controlText.MatchString(text) && !holdsName(text, 14) && !slices.ContainsFunc(strings.Fields(text), wordy)
}

// RepeatsNumber says whether a control id holds an NHS number that stands elsewhere in its message, too: then it is
// somebody's, and no counter.
func RepeatsNumber(control string, raw []byte) bool {
	return slices.ContainsFunc(digitRun.FindAllString(control, -1), func(number string) bool {
		return hl7.ValidNHSNumber(number) && bytes.Count(raw, []byte(number)) > 1
	})
}

// isFacility: organisations' codes are short, or have a digit in them.
func IsFacility(text string) bool {
	return LooksCoded(facilityText, text, 5)
}
