// Package ics writes the calendar of one worker for their own calendar program, as RFC 5545 says.
//
// In: appointments, each as an alias and a time; nothing else can be given. Out: the text. A calendar is read by a
// token that opens nothing else, is kept as its hash alone, and is shown once. Programs keep what they read for hours,
// so that a calendar never tells anybody anything: what is cancelled stays in it as cancelled, and whoever must be
// told is told.
package ics

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	ical "github.com/arran4/golang-ical"

	"footbridge/libs/httpx"
)

// Days is how far ahead a calendar goes.
const Days = 14

// Entry is one appointment.
type Entry struct {
	// ID stays the same for life, Sequence rises with each change.
	ID       string
	Sequence int
	// Changed is when it was last changed.
	Changed    time.Time
	Start, End time.Time
	// Alias is the code by which the worker knows what it is about; it names nobody.
	Alias     string
	Cancelled bool
}

// NewToken makes a token of 130 bits in one case without look-alikes, and what is kept of it.
func NewToken() (token, hash string) {
	token = rand.Text()
	return token, Hash(token)
}

// Hash is what is kept of a token, read in any case.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(strings.ToUpper(strings.TrimSpace(token))))
	return hex.EncodeToString(sum[:])
}

// ErrUnknown is the one answer to a token that is unknown, revoked, or not given.
func ErrUnknown() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "There is no such calendar.")
}

// Code is how a journey is named to people: the last eight characters of its id.
func Code(id string) string {
	id = strings.ToUpper(strings.ReplaceAll(id, "-", ""))
	if len(id) < 8 {
		return id
	}
	return id[len(id)-8:len(id)-4] + "-" + id[len(id)-4:]
}

// Text is the calendar.
func Text(name string, entries []Entry) string {
	calendar := ical.NewCalendarFor("Footbridge")
	calendar.SetMethod(ical.MethodPublish)
	calendar.SetXWRCalName(name)
	calendar.SetRefreshInterval("PT1H")
	for _, e := range entries {
		event := calendar.AddEvent(e.ID + "@footbridge")
		event.SetSequence(e.Sequence)
		event.SetDtStampTime(e.Changed)
		event.SetStartAt(e.Start)
		event.SetEndAt(e.End)
		event.SetSummary(e.Alias)
		event.SetClass(ical.ClassificationPrivate)
		event.SetStatus(ical.ObjectStatusConfirmed)
		if e.Cancelled {
			event.SetStatus(ical.ObjectStatusCancelled)
		}
	}
	return calendar.Serialize()
}

// Write answers with a calendar, which nothing between may keep.
func Write(w http.ResponseWriter, name string, entries []Entry) error {
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	_, err := w.Write([]byte(Text(name, entries)))
	return err
}
