package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/httpx"
	"footbridge/schemas"
)

// says fails for each text that a page lacks.
func says(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
}

// TestAJourneySaysHowItStands: on hold where and until when, with the way to let it go on; closed why, with the way to
// open it again; open, when somebody last spoke with the person.
func TestAJourneySaysHowItStands(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.more = map[string]any{"state": "held",
		"held": map[string]any{"place": "ward", "heldBy": "ward-team", "reviewOn": "2026-03-09"}}
	f.services.actions = schemas.JourneyActions(schemas.SendingTeam, firstID, "held")
	says(t, f.page(t, "/journeys/"+firstID, nurse), "On hold", "on a ward, ward team.",
		"Somebody looks again on Monday 9 March 2026", "They are back: let the journey go on",
		"?do="+keyIn(f, "/release"))
	f.services.more = map[string]any{"state": "closed", "closed": map[string]any{"at": "2026-03-02T10:00:00Z",
		"reason": "said-no", "told": "phone", "wayBack": "our-number"}}
	f.services.actions = schemas.JourneyActions(schemas.SendingTeam, firstID, "closed")
	says(t, f.page(t, "/journeys/"+firstID, nurse),
		"Closed on Monday 2 March 2026, 10:00am: they said no to all of it.",
		"Their way back: our number.", "Open it again", "?do="+keyIn(f, "/reopen"))
	f.services.more = nil
	says(t, f.page(t, "/journeys/"+firstID, nurse), "Show who this is",
		"No call that reached them, no yes and no session is recorded yet, since yesterday.")
}

func keyIn(f *fixture, last string) string {
	for i, a := range f.services.actions {
		if strings.HasSuffix(a.Path, last) {
			return keyOf(i)
		}
	}
	return "none"
}

// TestAJourneyPointsToCareAndNeverIntoIt: who holds the last assessment and since when, lists with the day that the
// service said so, whom they are with already, the calls.
func TestAJourneyPointsToCareAndNeverIntoIt(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.more = map[string]any{"assessment": map[string]any{"holder": "service:svc-community", "on": "2026-03-01",
		"aftercare": "team:liaison", "changed": []string{"where-they-live"}, "cameBackSince": true},
		"retold": map[string]any{"count": 3, "last": "2026-03-02"},
		"at18":   map[string]any{"by": "2026-09-01", "takesOver": "service:svc-psychology-east"}}
	f.services.decision = "waits.json"
	f.services.mux.HandleFunc("GET /api/journeys/"+firstID+"/plan", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusOK, map[string]any{"state": "active", "everyDays": 14, "minutes": 10,
			"next": map[string]any{"call": callID, "dueAt": "2026-03-10T11:00:00Z"}})
	})
	says(t, f.page(t, "/journeys/"+firstID, nurse), "Sunday 1 March 2026, held by Community Team",
		"With Liaison team", "They have been in hospital again", "Where they live",
		"3 times, last on Monday 2 March 2026",
		"Then: Psychology East", "Psychology East, as it said on Tuesday 24 February 2026: ‘About eight weeks.’",
		"Community Team. Ask there first", "Every two weeks, 10 minutes each.", "Tuesday 10 March 2026, 11:00am",
		"/calls/"+callID)
}

// TestTheDaysOfASessionAreAPictureAndATable: a title, a description, and every day of the picture in words.
func TestTheDaysOfASessionAreAPictureAndATable(t *testing.T) {
	t.Parallel()
	page := start(t).page(t, "/journeys/"+firstID, nurse)
	says(t, page, `role="img" aria-labelledby="days-title days-desc"`, "Left hospital", "Promised by",
		"The session is promised between Monday 9 March 2026 and Monday 16 March 2026. Today is Monday 2 March 2026.")
	day := func(text string) calendar.Day {
		d, err := calendar.ParseDay(text)
		ok(t, err)
		return d
	}
	for _, c := range []struct{ first, last, left, booked, today string }{
		{"2026-03-09", "2026-03-16", "2026-03-02", "2026-03-12", "2026-03-10"},
		{"2026-03-09", "2026-03-16", "2026-03-02", "", "2027-01-01"},
		{"2026-03-09", "2026-03-09", "2026-03-09", "", "2026-03-09"},
	} {
		booked, left := calendar.Day(0), day(c.left)
		if c.booked != "" {
			booked = day(c.booked)
		}
		v := drawWindow(day(c.first), day(c.last), left, booked, day(c.today))
		for _, mark := range v.Marks {
			if mark.X < windowLeft || mark.X > v.Right {
				t.Errorf("%+v: %s stands outside, at %d", c, mark.Words, mark.X)
			}
		}
		if len(v.Rows) != len(v.Marks) || v.FromX+v.Width > v.Right+1 {
			t.Errorf("%+v: %d marks and %d rows, until %d", c, len(v.Marks), len(v.Rows), v.FromX+v.Width)
		}
	}
}

// TestStaffWhoTreatThemSeeTheSameAndRecordNothing: at any hour, for a reason that goes to each service; no way leads to
// a form but to the one that asks for help.
func TestStaffWhoTreatThemSeeTheSameAndRecordNothing(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.decision, f.services.actions = "gap.json", nil
	page := f.ask(t, "POST", "/look", url.Values{"number": {firstID}, "why": {"they are on our ward tonight"}},
		heals).Body.String()
	says(t, page, "How it stands", "The days of the follow-up session", "Psychology West says:",
		"Services and what they offer",
		"What happens next", "What has happened", "Rowan Examplewood")
	for _, way := range []string{"/record", `href="/steps/`, "/paper", `name="action"`} {
		if strings.Contains(page, way) {
			t.Errorf("it leads to %s", way)
		}
	}
}

// TestDaysSinceSomebodySpokeWithThemAreCountedInLocalDays, and by what says that somebody did.
func TestDaysSinceSomebodySpokeWithThemAreCountedInLocalDays(t *testing.T) {
	t.Parallel()
	zone, err := calendar.ZoneOr(nil)
	ok(t, err)
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		ok(t, err)
		return when
	}
	call := event{Type: string(schemas.CallReached), At: at("2026-03-28T23:30:00Z"), Details: json.RawMessage(`{}`)}
	tried := event{Type: string(schemas.CallUnanswered), At: at("2026-03-30T10:00:00Z")}
	for now, want := range map[string]string{"2026-03-28T23:45:00Z": "today", "2026-03-29T00:10:00Z": "yesterday",
		"2026-03-30T22:59:00Z": "2 days ago", "2026-03-30T23:00:00Z": "3 days ago"} {
		if got := spokeWords([]event{call, tried}, at(now), zone); got != "Somebody last spoke with them "+want+"." {
			t.Errorf("at %s: %q", now, got)
		}
	}
}

// TestANoOfTheirOwnPageIsNotSpeakingWithSomebody: a no may be written on the page of the person, where nobody is.
func TestANoOfTheirOwnPageIsNotSpeakingWithSomebody(t *testing.T) {
	t.Parallel()
	zone, err := calendar.ZoneOr(nil)
	ok(t, err)
	now := time.Date(2026, time.March, 6, 12, 0, 0, 0, time.UTC)
	for _, no := range []schemas.Type{schemas.ConsentDeclined, schemas.ConsentWithdrawn} {
		yes := event{Type: string(schemas.ConsentGiven), At: now.AddDate(0, 0, -3)}
		said := event{Type: string(no), At: now}
		if got := spokeWords([]event{yes, said}, now, zone); got != "Somebody last spoke with them 3 days ago." {
			t.Errorf("after %s: %q", no, got)
		}
		if got := spokeWords([]event{said}, now, zone); strings.HasPrefix(got, "Somebody") {
			t.Errorf("%s alone: %q", no, got)
		}
	}
}

// TestNobodySpokeWithThemByTakingTwoRecordsApart: a yes that counts again by that nobody said.
func TestNobodySpokeWithThemByTakingTwoRecordsApart(t *testing.T) {
	t.Parallel()
	zone, err := calendar.ZoneOr(nil)
	ok(t, err)
	now := time.Date(2026, time.March, 6, 12, 0, 0, 0, time.UTC)
	yes := event{Type: string(schemas.ConsentGiven), At: now.AddDate(0, 0, -3),
		Details: json.RawMessage(`{"purposes":["follow-up"]}`)}
	again := event{Type: string(schemas.ConsentGiven), At: now,
		Details: json.RawMessage(`{"purposes":["follow-up"],"asBefore":true}`)}
	if got := spokeWords([]event{yes, again}, now, zone); got != "Somebody last spoke with them 3 days ago." {
		t.Error(got)
	}
}

// TestNoSessionIsPromisedThatWasWithdrawnOrHasBeenHeld: the days of an offer are shown as long as they are promised.
func TestNoSessionIsPromisedThatWasWithdrawnOrHasBeenHeld(t *testing.T) {
	t.Parallel()
	zone, err := calendar.ZoneOr(nil)
	ok(t, err)
	now := time.Date(2026, time.March, 6, 12, 0, 0, 0, time.UTC)
	raised := event{Type: string(schemas.OfferRaised),
		Details: json.RawMessage(`{"firstDay":"2026-03-09","lastDay":"2026-03-16"}`)}
	for _, end := range []schemas.Type{schemas.OfferWithdrawn, schemas.FollowupCompleted} {
		ended := event{Type: string(end), Details: json.RawMessage(`{}`)}
		if v := viewWindow([]event{raised, ended}, now, zone); v != nil {
			t.Errorf("after %s: %s", end, v.Desc)
		}
		if viewWindow([]event{raised, ended, raised}, now, zone) == nil {
			t.Errorf("after %s, another offer is not shown", end)
		}
	}
}

// TestTheJourneySaysWhoTheyAreWithAlready: the service is named, and it is said that it is asked first.
func TestTheJourneySaysWhoTheyAreWithAlready(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.decision = "gap.json"
	says(t, f.page(t, "/journeys/"+firstID, nurse), "Already with",
		"Psychology East. Ask there first who owns the next step.")
}
