package bridging

import (
	"fmt"
	"net/http"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/ics"
	"footbridge/libs/principal"
)

// calendarMade is the address of a calendar, shown once.
type calendarMade struct {
	URL string `json:"url"`
	// Words are to be shown as they are.
	Words string `json:"words"`
}

// makeCalendar makes the caller's own calendar, or its address anew: one that was there is read no more.
func (a api) makeCalendar(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	token, hash := ics.NewToken()
	if err := a.keepCalendar(r, p, hash); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpx.WriteJSON(w, http.StatusCreated, calendarMade{URL: a.url + "/api/calls.ics?token=" + token,
		Words: "Whoever has this address can read when you make calls. It is shown this once: put it into your own " +
			"calendar program, nowhere else. Calendars are hours behind: look at your list before you ring."})
}

// revokeCalendar ends it.
func (a api) revokeCalendar(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if err := a.keepCalendar(r, p, ""); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a api) keepCalendar(r *http.Request, p principal.Principal, hash string) error {
	return a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		saveCalendar(tx, p, hash)
		return tx.Flush()
	})
}

// calendar gives out the calls of whoever made a token, for fourteen days: a code and a time. The token says whose it
// is; whoever sends it is nobody.
func (a api) calendar(w http.ResponseWriter, r *http.Request) error {
	var found bool
	var entries []ics.Entry
	err := a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		found, entries = false, nil
		today := calendar.DayOf(tx.Now, a.zone)
		calendarOf(tx, principal.Principal{}, ics.Hash(r.URL.Query().Get("token")), today.String(),
			(today + ics.Days).String(), tx.Now, func(e *ics.Entry) {
				if found = true; e != nil {
					entries = append(entries, *e)
				}
			})
		return tx.Flush()
	})
	switch {
	case err != nil:
		return fmt.Errorf("reading a calendar: %w", err)
	case !found:
		return ics.ErrUnknown()
	}
	return ics.Write(w, "Calls", entries)
}
