package ics

import (
	"net/http"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

// OffPath is where a service that gives out calendars is told that somebody was signed out everywhere: what they were
// given to read by is read no more. It is no route: the gateway alone comes there, as itself.
const OffPath = "/signed-off"

// Off is whom that is about.
type Off struct {
	Organisation string `json:"organisation"`
	Role         string `json:"role"`
	Subject      string `json:"subject"`
	// Left: they do nothing here any more; else they come back, with other keys.
	Left bool `json:"left"`
}

// Hear adds OffPath to mux.
func (c Calendars) Hear(mux *httpx.Mux, by principal.Principal, also func(tx *flow.Tx, p principal.Principal,
	left bool) error) {
	mux.Handle("POST "+OffPath, c.signedOff(by, also))
}

// signedOff ends the calendar of whom the body names, and has the service do what else follows; nil: nothing. Only by
// may say so; to anybody else there is nothing under this path. Said twice, it is as said once.
func (c Calendars) signedOff(by principal.Principal, also func(tx *flow.Tx, p principal.Principal,
	left bool) error) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := principal.Need(r.Context())
		if err != nil {
			return err
		}
		if who.Role != by.Role || who.Subject != by.Subject {
			return httpx.NewProblem(http.StatusNotFound, "Nothing is served under this path.")
		}
		off, _, err := httpx.ReadJSON[Off](w, r, 1<<10)
		if err != nil {
			return err
		}
		p := principal.Principal{Organisation: off.Organisation, Role: off.Role, Subject: off.Subject}
		if !p.Valid() {
			return httpx.NewProblem(http.StatusBadRequest, "Say who was signed out (organisation, role, subject).")
		}
		if err := c.Flow.Do(r.Context(), func(tx *flow.Tx) error {
			c.Keep(tx, p, "", calendar.DayOf(tx.Now, c.Zone))
			if also != nil {
				if err := also(tx, p, off.Left); err != nil {
					return err
				}
			}
			return tx.Flush()
		}); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}
