package sim

import (
	"context"
	"encoding/json"
	"fmt"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// window is a journey's promise of a session, as events say it: until when, and which session has a time.
type window struct {
	last   calendar.Day // the last day, inclusive; 0 before anybody has left
	booked calendar.Day // the day of the session that has a time; 0 where none has
	met    bool
	held   bool // somebody else has the person: contact stops, the window begins again afterwards
}

// promised is how many days after leaving hospital the last day of the window is.
const promised = 14

// apply notes what an event says about the window.
func (w *window) apply(kind schemas.Type, data []byte) error {
	var d struct{ LeftOn, LastDay, On, ReleasedOn, ReopenedOn string }
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	from := func(day string, days int) (err error) {
		last, err := calendar.ParseDay(day)
		w.last = last + calendar.Day(days)
		return err
	}
	switch kind {
	case schemas.DischargeRecorded:
		if left, err := calendar.ParseDay(d.LeftOn); err != nil || left+promised <= w.last {
			return err // an earlier visit, of which it was said late why they came
		}
		w.booked, w.met = 0, false
		return from(d.LeftOn, promised)
	case schemas.OfferRaised:
		return from(d.LastDay, 0)
	case schemas.JourneyHeld:
		w.held = true
	case schemas.JourneyReleased:
		w.held = false
		return from(d.ReleasedOn, promised)
	case schemas.JourneyReopened:
		w.held, w.booked, w.met = false, 0, false
		return from(d.ReopenedOn, promised)
	case schemas.AppointmentBooked:
		day, err := calendar.ParseDay(d.On)
		w.booked = day
		return err
	case schemas.AppointmentCancelled, schemas.AppointmentNotKept, schemas.OfferHandedBack, schemas.OfferWithdrawn:
		w.booked = 0
	case schemas.AppointmentKept, schemas.FollowupCompleted:
		w.met = true
	}
	return nil
}

// lostOn says whether a day was the last of a window in which no session took place or has a time.
func (w *window) lostOn(day calendar.Day) bool {
	return w.last == day && !w.met && !w.held && (w.booked == 0 || w.booked > day)
}

// windows counts the windows of people who want a session of which that day was the last, and that no session was in.
func (r *run) windows(ctx context.Context, day calendar.Day) error {
	var lost []string
	for id, f := range r.journeys {
		if f.closed == "" && f.session != nil && *f.session && f.window.lostOn(day) {
			lost = append(lost, id)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	var who map[string]holding
	if err := r.patiently(ctx, func() (err error) {
		who, err = whoHolds(ctx, r.cfg.Database, lost, day.At(0, 0, r.zone), (day+1).At(0, 0, r.zone))
		return err
	}); err != nil {
		return err
	}
	for _, id := range lost {
		r.report.WindowsLost++
		if !who[id].Held {
			r.fault(fmt.Sprintf("a window was lost (%s) that no navigator had a step about", day), id)
		}
		if !who[id].Told {
			r.fault(fmt.Sprintf("a window was lost (%s) and nobody was to tell the person", day), id)
		}
	}
	return nil
}
