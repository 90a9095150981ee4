package criteria

import (
	"fmt"
	"slices"
	"strings"

	"footbridge/schemas"
)

// declineReasons are the reasons for a no, by code, with their words: those of the national list
// (dos-rejected-reasons-bars), and ours for what it lacks.
var declineReasons = map[string]string{
	"21":                      "transport",
	"22":                      "it is full",
	"23":                      "not clinically appropriate",
	"24":                      "it declines",
	"26":                      "the person's choice",
	"27":                      "it could not reach the person",
	"31":                      "no appointments",
	"32":                      "no suitable appointments",
	"40":                      "not eligible",
	"41":                      "a home visit is wanted",
	"42":                      "too far away",
	"99":                      "another reason",
	"threshold-not-published": "a condition that it does not publish",
	"too-high":                "more than it is for",
	"too-low":                 "less than it is for",
	"waiting-list-closed":     "its waiting list is closed",
}

// DeclineCodes lists the reasons for a no with their words, for whoever gave none that is known.
func DeclineCodes() string {
	codes := make([]string, 0, len(declineReasons))
	for _, code := range schemas.Values("decline-reason") {
		codes = append(codes, fmt.Sprintf("%s (%s)", code, declineReasons[code]))
	}
	return strings.Join(codes, ", ")
}

// DeclineWords are the words of a reason for a no; empty for what is none.
func DeclineWords(reason string) string { return declineReasons[reason] }

// SideOf is where the request lies that is declined for a reason, where the reason says so.
func SideOf(reason string) string {
	return map[string]string{"too-high": SideAbove, "too-low": SideBelow}[reason]
}

// MayNotDecline says whether a service has agreed never to decline for a reason: such a no is a question to the
// service, and closes no door.
func (d *Directory) MayNotDecline(service, reason string) bool {
	s := d.byID[service]
	return s != nil && s.doc.Agreement != nil && slices.Contains(s.doc.Agreement.NeverDeclinesFor, reason)
}
