package ics

import (
	"fmt"
	"net/http"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

// Lasts is for how many days an address is read. Whoever leaves and forgets to end theirs is out after it.
const Lasts = 90

// Seen is for how many days after its worker was last here, signed in, an address of staff is read: nobody says of
// everybody who leaves that they have left.
const Seen = 14

// Calendars are those of a service's workers, each read by its token. They are off until a worker makes one.
type Calendars struct {
	Flow *flow.Flow
	Zone *time.Location
	// Path is where they are read, and Outside the address of this system to put before it.
	Path, Outside string
	// Name is what a calendar program calls it, What whoever has the address can read.
	Name, What string
	// While is what else it takes that an address is read, as it goes on after 'It is read for 90 days'.
	While string
	// Keep queues by which token, as its hash, a worker's calendar is read up to and with a day; by none where that is
	// empty.
	Keep func(q flow.Queuer, p principal.Principal, hash string, until calendar.Day)
	// Read queues what whoever has a token has from a day to another, both inclusive, where the token is still read on
	// the first: nil once where the token is somebody's and there is nothing.
	Read func(q flow.Queuer, hash string, from, until calendar.Day, now time.Time, each func(*Entry))
}

// Made is the address of a calendar, shown once.
type Made struct {
	URL string `json:"url"`
	// ReadUntil is the last local day on which it is read.
	ReadUntil string `json:"readUntil"`
	// Words are to be shown as they are.
	Words string `json:"words"`
}

// Shape is what reading a calendar answers.
func Shape() httpx.Shape {
	shape := httpx.Gives[string]()
	shape.Media = "text/calendar"
	return shape
}

// Make makes the worker's own calendar, or its address anew: one that was there is read no more.
func (c Calendars) Make(w http.ResponseWriter, r *http.Request) error {
	token, hash := NewToken()
	until, err := c.keep(r, hash)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpx.WriteJSON(w, http.StatusCreated, Made{URL: c.Outside + c.Path + "?token=" + token,
		ReadUntil: until.String(),
		Words: "Whoever has this address can read " + c.What + ". It is shown this once: put it into your own " +
			"calendar program, nowhere else. It is read for " + fmt.Sprint(Lasts) + " days" + c.While +
			"; then make a new one. " +
			"Calendars are hours behind: look here before you go or ring."})
}

// Revoke ends it.
func (c Calendars) Revoke(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.keep(r, ""); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c Calendars) keep(r *http.Request, hash string) (until calendar.Day, err error) {
	p, err := principal.Need(r.Context())
	if err != nil {
		return 0, err
	}
	return until, c.Flow.Do(r.Context(), func(tx *flow.Tx) error {
		until = calendar.DayOf(tx.Now, c.Zone) + Lasts
		c.Keep(tx, p, hash, until)
		return tx.Flush()
	})
}

// Give gives out what the worker has who made a token, for fourteen days: a code and a time. The token says whose it
// is; whoever sends it is nobody.
func (c Calendars) Give(w http.ResponseWriter, r *http.Request) error {
	var found bool
	var entries []Entry
	err := c.Flow.Do(r.Context(), func(tx *flow.Tx) error {
		found, entries = false, nil
		today := calendar.DayOf(tx.Now, c.Zone)
		c.Read(tx, Hash(r.URL.Query().Get("token")), today, today+Days, tx.Now, func(e *Entry) {
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
		return ErrUnknown()
	}
	return Write(w, c.Name, entries)
}
