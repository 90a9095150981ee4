package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Where somebody stands, in the order in which the pictures show it.
const (
	standsAsked   = "being asked"
	standsPartner = "a partner is asked"
	standsMeeting = "a session is arranged"
	standsCalls   = "short calls meanwhile"
	standsStaff   = "a navigator sees to it"
	standsHold    = "somebody else has them"
	standsVoid    = "past its time and grace"
	standsClosed  = "brought to a close"
)

// Stands are all of them.
var Stands = []string{standsVoid, standsStaff, standsAsked, standsPartner, standsMeeting, standsCalls, standsHold,
	standsClosed}

// bands say where somebody stands by the kind of the step that comes next.
var bands = map[string]string{"ask-the-person": standsAsked, "ask-about-calls": standsAsked,
	"ask-how-to-reach": standsAsked, "find-out": standsAsked, "find-where-they-are": standsAsked,
	"ask-again-on-return": standsAsked, "clinician-decides": standsAsked, "ask-the-parent": standsAsked,
	"partner-answers": standsPartner, "ask-about-partner": standsPartner, "tell-the-partner": standsPartner,
	"partner-arranges": standsMeeting, "introduce": standsMeeting, "session": standsMeeting,
	"ask-what-next": standsMeeting, "bridging-call": standsCalls, "review-the-hold": standsHold}

// listedJourney is a journey of the list.
type listedJourney struct {
	Journey, State string
	Next           *step
}

// check sees that what must always hold does: by plain SQL, and by what anybody may read. An error is that it could not
// be looked at.
func (r *run) check(ctx context.Context) error {
	r.report.Ticks++
	var missing []string
	if err := r.patiently(ctx, func() (err error) {
		missing, err = stepless(ctx, r.cfg.Database)
		return err
	}); err != nil {
		return err
	}
	for _, id := range missing {
		r.fault("an open journey has no next step", id)
	}
	var late []listedJourney
	if err := r.patiently(ctx, func() (err error) {
		late, err = pastGrace(ctx, r.cfg.Database, r.now.Add(time.Second-grace)) // the clock goes on a little
		return err
	}); err != nil {
		return err
	}
	r.judge(late)
	return r.tellsTick(ctx)
}

// rung notes that somebody was rung: only who said yes to calls, and within the hours at which they may be.
func (r *run) rung(f *followed) {
	if f.calls == nil || !*f.calls {
		r.fault("somebody was rung who has not said yes to calls", f.id)
	}
	from, to := f.hours()
	if at := r.now.In(r.zone); !r.mayRing(f) {
		r.fault(fmt.Sprintf("somebody was rung at %s who may be from %d to %d o'clock", at.Format("15:04"), from, to),
			f.id)
	}
}

// planned looks at the time for which a call is planned: never outside the hours that any of these people has named.
func (r *run) planned(c *call) {
	if at := c.due.In(r.zone); at.Hour() < earliestAsk || at.Hour() >= latestAsk {
		r.fault("a call is planned for "+at.Format("2 January 15:04"), c.journey)
	}
}

// sentOut looks at an offer that was told to its partner: only of whoever said yes to a session.
func (r *run) sentOut(f *followed) {
	if f.session == nil || !*f.session {
		r.fault("an offer was sent of somebody who has not said yes", f.id)
	}
}

// hours are those within which somebody may be rung: those that they named, or from 10:00 until 19:00.
func (f *followed) hours() (from, to int) {
	if f.toHour > 0 {
		return f.fromHour, f.toHour
	}
	return earliestAsk, latestAsk
}

// void compares the list of journeys that are past their time and grace, as whoever watches over the place reads it,
// with what stands in the database.
func (r *run) void(ctx context.Context) error {
	operator := Who{Organisation: r.cfg.Organisation, Role: schemas.Operator, Subject: "sim-operator"}
	list, err := all[listedJourney](ctx, r, operator, "/api/journeys?void=true")
	if err != nil {
		return err
	}
	least := r.report.Void - r.report.voidJust // of these it hangs on a few milliseconds
	if n := len(list); n < least || n > r.report.Void {
		r.fault(fmt.Sprintf("the list shows %d journeys in the void, and there are %d", n, r.report.Void), "")
	}
	return nil
}

// judge counts the journeys that are past their time and grace, each with whom it waits for. Each has an added owner,
// and the sentinel has said so of it: where its step was opened late, by its next look.
func (r *run) judge(list []listedJourney) {
	where := map[string]int{}
	r.tellsVoid(list)
	r.report.voidJust = 0
	for _, j := range list {
		if r.now.Sub(j.Next.DueAt) <= grace {
			r.report.voidJust++
		}
		where[j.Next.Kind+" of "+r.owner(j.Next.Owner)]++
		if len(j.Next.AlsoOwners) == 0 {
			r.fault(fmt.Sprintf("the step %s of %s is past its grace, and nobody was added to it", j.Next.Kind,
				r.owner(j.Next.Owner)), j.Journey)
		}
		r.report.voided[j.Journey] = true
		switch f := r.follow(j.Journey); {
		case f.watched || r.now.Sub(j.Next.DueAt) <= grace+watchedWithin:
		case f.late.IsZero():
			f.late = r.now
		case r.now.Sub(f.late) > watchedWithin:
			r.fault("a journey is in the void, and the sentinel has not said so", j.Journey)
		}
	}
	r.report.Void, r.report.VoidNow = len(list), where
	if len(list) > r.report.VoidMost {
		r.report.VoidMost, r.report.VoidWhere = len(list), where
		r.report.VoidMostAt = r.now.In(r.zone).Format("2006-01-02 15:04")
	}
}

// watchedWithin is how often the sentinel looks. A step that is opened after its look, and was to be done long before,
// is found by the next.
const watchedWithin = time.Minute

// inVoid notes what the sentinel has found. In a place in which nothing is broken it is never but a step past its
// grace.
func (r *run) inVoid(e flow.Event, f *followed) error {
	var d schemas.JourneyInVoidData
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return err
	}
	r.report.Watched[d.Reason]++
	if d.Reason != "overdue" {
		r.fault("the sentinel found a journey in the void: "+d.Reason, f.id)
	} else if !f.watched {
		f.watched = true
		r.report.VoidWatched++
	}
	return nil
}

// owner is whose a step is; a partner by its scenario's name.
func (r *run) owner(owner string) string {
	if id, ok := strings.CutPrefix(owner, schemas.OwnerPartner+":"); ok {
		for _, p := range r.partners {
			if p.id == id {
				return "partner:" + p.ID
			}
		}
	}
	return owner
}

// evening looks at where everybody stands at the end of a day.
func (r *run) evening(ctx context.Context, day calendar.Day) error {
	navigator := whoOf(r.cfg.Organisation, duty)
	list, err := all[listedJourney](ctx, r, navigator, "/api/journeys")
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, f := range r.journeys {
		if f.closed != "" {
			counts[standsClosed]++
		}
	}
	for _, j := range list {
		f := r.follow(j.Journey)
		f.band = standsStaff
		if j.Next != nil {
			f.next, f.nextOwner = j.Next.Kind, r.owner(j.Next.Owner)
			if band := bands[j.Next.Kind]; band != "" {
				f.band = band
			}
		}
		if j.State == "held" {
			f.band = standsHold
		}
		counts[f.band]++
		r.log.write(line{At: r.now, Kind: "stand", Journey: j.Journey, Data: j.Next.shown(), Person: f.number()})
	}
	r.report.Days = append(r.report.Days, DayCount{Day: day.String(), Counts: counts, Void: r.report.Void})
	r.log.write(line{At: r.now, Kind: "day", About: day.String(), Data: map[string]any{"stands": counts,
		"void": r.report.Void}})
	if err := r.void(ctx); err != nil {
		return err
	}
	if err := r.tellsSteps(ctx); err != nil {
		return err
	}
	if err := r.windows(ctx, day); err != nil {
		return err
	}
	r.tellDay(day, counts)
	return nil
}

// shown is a step as the log has it; nothing where there is none.
func (s *step) shown() any {
	if s == nil {
		return nil
	}
	return map[string]any{"step": s.Step, "kind": s.Kind, "owner": s.Owner, "alsoOwners": s.AlsoOwners,
		"dueAt": s.DueAt}
}

// tellDay is a line of progress.
func (r *run) tellDay(day calendar.Day, counts map[string]int) {
	if r.cfg.Progress == nil {
		return
	}
	var parts []string
	for _, s := range Stands {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", s, counts[s]))
		}
	}
	fmt.Fprintf(r.cfg.Progress, "%s  void %d  faults %d  %s\n", day.At(12, 0, time.UTC).Format("Mon 2 Jan"),
		r.report.Void, len(r.report.Faults), strings.Join(parts, ", "))
}

// refused notes that a request was not taken: most often since somebody else was quicker.
func (r *run) refused(by, about, why string) {
	r.report.Refused[by+": "+about+": "+why]++
}
