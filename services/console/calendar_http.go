package console

import (
	"context"
	"net/http"
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// A partner's own view of its days: which sessions are booked, and what it was told.

// mostPages bounds how much of a list one page reads.
const mostPages = 20

// ownOffers are a partner's offers, from the first page of the list on; more says that there are others yet.
func (s *Console) ownOffers(ctx context.Context, p principal.Principal) (all []offer, more bool, err error) {
	cursor := ""
	for range mostPages {
		list, err := s.client.offers(ctx, p, cursor)
		if err != nil {
			return nil, false, err
		}
		all = append(all, list.Items...)
		if list.Next == nil {
			return all, false, nil
		}
		cursor = *list.Next
	}
	return all, true, nil
}

// calendarView is a partner's calendar, one local day after the other.
type calendarView struct {
	Days []calendarDay
	More bool // there are more offers than were looked at
	Acts actionsView
	Made madeView
}

type calendarDay struct {
	Day      string
	Sessions []calendarSession
}

type calendarSession struct {
	ID, Code, At, AtISO, How string
	Past                     bool // its time is over: how it went is to be said
}

// byDays puts the sessions that are booked under their local days, the first in front. One that was stopped, or that is
// paused, is none.
func byDays(offers []offer, now time.Time, zone *time.Location) (days []calendarDay) {
	offers = slices.DeleteFunc(slices.Clone(offers), func(o offer) bool { return o.Appointment == nil || o.Stop })
	slices.SortStableFunc(offers, func(a, b offer) int {
		return a.Appointment.StartsAt.Compare(b.Appointment.StartsAt)
	})
	for _, o := range offers {
		at := o.Appointment.StartsAt.In(zone)
		if day := at.Format("Monday 2 January 2006"); len(days) == 0 || days[len(days)-1].Day != day {
			days = append(days, calendarDay{Day: day})
		}
		today := &days[len(days)-1]
		how := wordsFor(valueWords, o.Appointment.Channel) + ", " + plural(o.Appointment.Minutes, "minute")
		today.Sessions = append(today.Sessions, calendarSession{ID: o.ID, Code: codeOf(o.ID), At: at.Format("3:04pm"),
			AtISO: at.Format(time.RFC3339), Past: now.After(at), How: how})
	}
	return days
}

func (s *Console) showCalendar(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	return s.calendarPage(w, r, p, &ownDone{})(http.StatusOK, filledIn{})
}

// calendarPage shows a partner's sessions, with what its worker has just made.
func (s *Console) calendarPage(w http.ResponseWriter, r *http.Request, p principal.Principal, done *ownDone) again {
	return func(status int, f filledIn, more ...problemView) error {
		offers, others, err := s.ownOffers(r.Context(), p)
		if err != nil {
			return err
		}
		acts := formsOf("/calendar", "your own calendar", clock.NewRandomID(),
			schemas.WorkerActions(schemas.Role(p.Role)), f)
		return s.show(w, r, status, "calendar", view{Title: "Calendar", Here: "/calendar",
			Problems: append(acts.problems(), more...), Done: partnerDone[r.URL.Query().Get("said")],
			Separate: separateWords(""),
			Page:     calendarView{byDays(offers, s.config.Clock.Now(), s.zone), others, acts, s.viewMade(*done)}})
	}
}

// told is one thing that a partner was told.
type told struct {
	Type    string    `json:"type"`
	Offer   string    `json:"offer"`
	GivenAt time.Time `json:"givenAt"`
}

func (c *client) told(ctx context.Context, p principal.Principal, cursor string) (list httpx.List[told], err error) {
	err = c.get(ctx, p, schemas.Delivery, "/api/told"+query("cursor", cursor), &list)
	return list, err
}

type toldView struct {
	Lines []toldLine
	Next  string
	Later bool
}

type toldLine struct{ At, AtISO, Words, Offer, Code string }

func (s *Console) showTold(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	cursor := r.URL.Query().Get("cursor")
	list, err := s.client.told(r.Context(), p, cursor)
	if err != nil {
		return err
	}
	page := toldView{Later: cursor != ""}
	for _, one := range list.Items {
		page.Lines = append(page.Lines, toldLine{At: shortTime(one.GivenAt, s.zone),
			AtISO: one.GivenAt.In(s.zone).Format(time.RFC3339), Words: wordsFor(newsWords, one.Type), Offer: one.Offer,
			Code: codeOf(one.Offer)})
	}
	if list.Next != nil {
		page.Next = "/told" + query("cursor", *list.Next)
	}
	return s.show(w, r, http.StatusOK, "told", view{Title: "What you were told", Here: "/told",
		Separate: separateWords(""), Page: page})
}
