package ics

import (
	"strings"
	"testing"
	"time"

	ical "github.com/arran4/golang-ical"
)

// A calendar holds an alias and a time and nothing else; it is read back as RFC 5545 says, and what is cancelled stays
// as cancelled, under the same id.
func TestACalendarHoldsAnAliasAndATimeAndNothingElse(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 17, 15, 0, 0, 0, time.UTC)
	one := Entry{ID: "019cac6b-9e60-7cde-a568-92bbebbf6c5f", Sequence: 2, Changed: at.Add(-time.Hour), Start: at,
		End: at.Add(10 * time.Minute), Alias: "EBBF-6C5F"}
	gone := one
	gone.Cancelled = true
	read, err := ical.ParseCalendar(strings.NewReader(Text("Calls", []Entry{one, gone})))
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{"UID": true, "SEQUENCE": true, "DTSTAMP": true, "DTSTART": true, "DTEND": true,
		"SUMMARY": true, "CLASS": true, "STATUS": true}
	for i, status := range []string{"CONFIRMED", "CANCELLED"} {
		event := read.Events()[i]
		for _, p := range event.Properties {
			if !kept[p.IANAToken] {
				t.Errorf("it holds %s", p.IANAToken)
			}
		}
		start, err := event.GetStartAt()
		if err != nil || !start.Equal(at) || event.GetProperty(ical.ComponentPropertyStatus).Value != status ||
			event.Id() != one.ID+"@footbridge" {
			t.Errorf("%v %+v", err, event)
		}
	}
	if Code(one.ID) != one.Alias {
		t.Error(Code(one.ID))
	}
}

func TestATokenIsReadInAnyCaseAndKeptAsItsHash(t *testing.T) {
	t.Parallel()
	token, hash := NewToken()
	other, _ := NewToken()
	if Hash(strings.ToLower(token)+"\n") != hash || Hash(other) == hash || strings.Contains(hash, token) ||
		len(token) < 26 {
		t.Error(token, hash)
	}
}
