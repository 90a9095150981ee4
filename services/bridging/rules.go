package bridging

import (
	"maps"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// JourneyState is everything bridging has been told about one journey. It is built by adding: each entry carries the
// sequence of the event that set it, an older one changes nothing, and the order of arrival does not matter.
type JourneyState struct {
	Visits schemas.Visits `json:"visits,omitempty"`
	// Waits holds the services (by the directory's id) whose list the person is, or was, on. Decisions only add to
	// it: who waited is not dropped because a later message is silent about it.
	Waits map[string]bool `json:"waits,omitempty"`
	// Gap says that nothing statutory was open: whoever falls between services is between them as much as who waits.
	Gap bool `json:"gap,omitempty"`
	// Appointments are the sessions that others have planned, by their ids.
	Appointments map[string]*Appointment `json:"appointments,omitempty"`
	Consent      schemas.Answers         `json:"consent,omitzero"` // to bridging calls
	Contact      schemas.Answered        `json:"contact,omitzero"` // Yes: contact may be made
	// AnsweredAt is when the person last answered about calls, ReachedAt when somebody last recorded how they may be
	// reached, ClosedAt when the journey was last closed.
	AnsweredAt time.Time `json:"answeredAt,omitzero"`
	ReachedAt  time.Time `json:"reachedAt,omitzero"`
	ClosedAt   time.Time `json:"closedAt,omitzero"`
	// Agreed is what the person agreed about their calls; Tries what became of calls, in the order in which it
	// happened.
	Agreed              Agreement `json:"agreed,omitzero"`
	Tries               []Try     `json:"tries,omitempty"`
	schemas.MustNotKnow           // those ring nobody, whatever was agreed
	schemas.MayBeRung             // nobody rings outside of these, whatever was agreed
	schemas.Course
	schemas.Origin
}

// The add functions take what one event says into what is known.

func (k *JourneyState) addRecorded(at int64, d schemas.DischargeRecordedData) {
	k.Begin(at, d.Person, d.Organisation)
	k.Visits.Record(at, d.Visit, d.Flags)
}

func (k *JourneyState) addCorrected(at int64, d schemas.DischargeCorrectedData) {
	k.Place(at, d.Organisation)
	if d.Flags != nil {
		k.Visits.Change(d.Visit, func(v *schemas.Visit) { v.Flag(at, d.Flags) })
	}
}

func (k *JourneyState) addWaits(services ...string) {
	for _, service := range services {
		if k.Waits == nil {
			k.Waits = map[string]bool{}
		}
		k.Waits[service] = true
	}
}

// Appointment is a session that somebody else has planned: there is no second planned contact on its day.
type Appointment struct {
	On    string `json:"on,omitempty"`
	At    int64  `json:"at,omitempty"`    // of the booking that On is from
	Ended int64  `json:"ended,omitempty"` // of the newest event that it does not take place as agreed
	Kept  bool   `json:"kept,omitempty"`
}

func (a *Appointment) book(at int64, on string) {
	if schemas.Newer(at, &a.At) {
		a.On = on
	}
}

func (a *Appointment) end(at int64) { a.Ended = max(a.Ended, at) }

func (k *JourneyState) appointment(id string) *Appointment {
	if k.Appointments == nil {
		k.Appointments = map[string]*Appointment{}
	}
	if k.Appointments[id] == nil {
		k.Appointments[id] = &Appointment{}
	}
	return k.Appointments[id]
}

// busy are the days on which somebody else has planned to be in touch.
func (k *JourneyState) busy() map[calendar.Day]bool {
	days := map[calendar.Day]bool{}
	for _, a := range k.Appointments {
		if day, err := calendar.ParseDay(a.On); err == nil && (a.Kept || a.At > a.Ended) {
			days[day] = true
		}
	}
	return days
}

// notOn are the days on which nobody rings: somebody else is in touch, or whoever rings is away.
func (k *JourneyState) notOn(team string, m moment) map[calendar.Day]bool {
	days := k.busy()
	maps.Copy(days, m.partners[team].awayDays(m.today, m.today+furthest))
	return days
}

// addAnswered: who is on a service's list waits.
func (k *JourneyState) addAnswered(d schemas.ServiceAnsweredData) {
	if d.Answer == answerWaiting {
		k.addWaits(d.Service)
	}
}

const answerWaiting = "waiting"

func (k *JourneyState) addConsent(d schemas.ConsentData, said schemas.Answered) {
	if !slices.Contains(d.Purposes, schemas.PurposeBridging) {
		return
	}
	if !said.Lapsed && !said.AsBefore {
		latest(&k.AnsweredAt, said.When)
	}
	said.When = time.Time{} // one time is kept, of the last
	k.Consent.Apply(d.Organisation, said)
}

// latest keeps the latest of some times.
func latest(kept *time.Time, when time.Time) {
	if when.After(*kept) {
		*kept = when.UTC()
	}
}

// State is how a plan stands.
type State string

const (
	None     State = "" // no plan
	Proposed State = "proposed"
	Active   State = "active"
	Paused   State = "paused"
	Ended    State = "ended"
)

// Reasons why a plan is paused or ended.
const (
	becauseWithdrawn = "discharge-withdrawn"
	becauseStopped   = "contact-stopped"
	becausePerson    = "person"
	becauseOnHold    = "held"
	becauseClosed    = "journey-closed"
	becauseNobody    = "nobody-rings" // of those to whom the person said yes, none may ring
	becauseNoTime    = "no-time"      // none of them can within the hours that the person named
)

// nobody says that a plan is paused since nobody can make its calls, so that a navigator asks the person.
func nobody(because string) bool { return because == becauseNobody || because == becauseNoTime }

// answers are what the person said to calls in this episode.
func (k *JourneyState) answers() schemas.Answers { return k.Consent.Since(k.AnsweredUpTo) }

// callers are who may ring by the person's yes: only the organisations they named, or, where they said yes to any,
// everybody; but those that they named in a no, or that must not know, never. Where there is no yes, both are empty.
func (k *JourneyState) callers() (only, never []string) {
	a := k.answers()
	if !a.Whole().Yes {
		return nil, nil
	}
	never = k.BarredBut(k.Sender)
	if a.Any.Yes {
		return nil, append(never, a.No()...)
	}
	return a.Yes(), never
}

// desired says how the journey's plan should stand, and why, from what is known alone. Nobody is rung before their yes
// to this purpose, while contact is stopped, or under 18 or of unknown age before a clinician has decided.
func desired(k *JourneyState, today calendar.Day) (State, string) {
	_, visit, stands := k.Visits.Current()
	consent := k.answers().Whole()
	switch {
	case k.PersonAt == 0 || len(k.Waits) == 0 && !k.Gap:
		return None, ""
	case k.Transition.Closed:
		return Ended, becauseClosed
	case consent.At > 0 && !consent.Yes, k.stopped() == schemas.StoppedByPerson:
		return Ended, becausePerson
	case k.Contact.At > 0 && !k.Contact.Yes:
		return Paused, becauseStopped
	case !stands:
		return Paused, becauseWithdrawn
	case k.Transition.Held:
		return Paused, becauseOnHold
	case consent.Yes && !humanFirst(visit):
		if because := k.paused(today); because != "" {
			return Paused, because
		}
		return Active, ""
	}
	return Proposed, ""
}

// moment is what a decision about calls is made with.
type moment struct {
	today    calendar.Day
	zone     *time.Location
	partners partners
	// unable are organisations that may ring, and for which no call finds a time.
	unable []string
}

// desired is desired, where somebody may ring, and can: else the plan pauses, and a navigator sees to it.
func (k *JourneyState) desired(standing *Plan, m moment) (State, string) {
	state, because := desired(k, m.today)
	if state != Active {
		return state, because
	}
	only, never := k.callers()
	switch {
	case k.teamOf(only, never, standing, m) != "":
		return Active, ""
	case len(m.unable) > 0:
		return Paused, becauseNoTime
	}
	return Paused, becauseNobody
}

// humanFirst says that somebody looks before the person is rung: a clinician, or whoever compares two records, or asks.
func humanFirst(v schemas.Visit) bool {
	return schemas.ClinicianFirst(v.Flags) || schemas.HumanFirst(v.Flags) || schemas.Unplaced(v.Flags)
}

// Plan is the agreed cadence of short calls while someone waits.
type Plan struct {
	ID, Journey, Organisation, Person string
	State                             State
	Because                           string
	WaitingOn                         []string // sorted
	EveryDays, Minutes                int
	Monthly                           bool
	Started                           bool         // it has been active before
	Anchor                            calendar.Day // its rhythm counts from here; 0 before it has started
	Team                              string       // whose callers ring
	// when it goes on after a pause, or is looked at with the person; 0 for never
	LookOn calendar.Day
	// Only are the organisations that may ring, by their opaque ids; empty for any but those of Never.
	Only, Never []string
	Caller      string // who reached the person last, by mark
	Call        *Call
}

// Call is the one bridging call ahead of a plan.
type Call struct {
	ID, Plan, Journey, Organisation, Team string
	Nominal                               calendar.Day // what the rhythm gives
	On                                    calendar.Day
	DueAt                                 time.Time
	Try, Sequence                         int
	State                                 string // once it has ended
	Late                                  bool
	Claim                                 Claim
}

// Claim is who rings.
type Claim struct {
	Of, Mark string
	Until    time.Time
}

// Changes is what is to be done so that the wish stands.
type Changes struct {
	Open     *Plan // a new plan, without an id yet
	Changes  *Plan // the plan as it now is
	Schedule *Call // a call to be scheduled, without an id yet
	Move     *Call // the call as it now is: at another time, or to be tried again
	Cancel   *Call
	Finish   *Call // how the call has ended
	Late     bool  // the call that is scheduled or moved comes late, as whoever rings is away
	Propose  bool  // say bridging.proposed
	Start    bool  // say bridging.started
	Pause    bool  // say bridging.paused
	Resume   bool  // say bridging.resumed
	End      bool  // say bridging.ended
}

// reconcile compares the wish with the plan that stands, nil for none. Where no call finds a time with whoever rings,
// the next who may is taken; an active plan always has a call ahead.
func reconcile(k *JourneyState, standing *Plan, journey string, m moment) Changes {
	for {
		c, plan, placed := k.compare(standing, journey, m)
		if placed {
			return c
		}
		m.unable = append(m.unable, plan.Team)
	}
}

// compare is reconcile with whoever is able; placed says that the plan has the calls that it should. A plan may begin
// paused, when the reason to pause came first: then nobody is told before it goes on. A plan is not opened only to be
// ended.
func (k *JourneyState) compare(standing *Plan, journey string, m moment) (c Changes, plan *Plan, placed bool) {
	state, because := k.desired(standing, m)
	switch {
	case standing == nil && (state == None || state == Ended):
		return c, nil, true
	case standing == nil:
		c.Open = k.planned(Plan{}, state, because, m)
		c.Propose, c.Start, c.Pause = state == Proposed, state == Active, nobody(because)
	default:
		now := k.planned(*standing, state, because, m)
		c.Propose = state == Proposed && standing.State != Proposed
		c.Start = state == Active && !standing.Started
		c.Pause = state == Paused && (standing.State != Paused || nobody(because) != nobody(standing.Because))
		c.Resume = state == Active && standing.Started && standing.State != Active // paused, or asked about again
		c.End = state == Ended
		if !now.same(standing) {
			c.Changes = now
		}
	}
	if plan = c.Open; plan == nil {
		plan = k.planned(*standing, state, because, m)
	}
	return c, plan, c.call(k, plan, journey, m)
}

// planned is a plan as it should stand.
func (k *JourneyState) planned(p Plan, state State, because string, m moment) *Plan {
	standing := p
	p.State, p.Because = state, because
	p.WaitingOn = append([]string{}, slices.Sorted(maps.Keys(k.Waits))...) // never nil: events say an empty list
	p.Only, p.Never = k.callers()
	p.EveryDays, p.Monthly, p.Minutes, p.Team = k.Agreed.every(), k.Agreed.Monthly, k.Agreed.length(),
		k.teamOf(p.Only, p.Never, &standing, m)
	p.Started = p.Started || state == Active
	if from, err := calendar.ParseDay(k.Agreed.From); err == nil {
		p.Anchor = from
	} else if p.Started && p.Anchor == 0 {
		p.Anchor = m.today
	}
	p.LookOn = k.lookOn(&p, m.today)
	return &p
}

// lookOn is the day on which something about a plan falls due: a pause ends, half a year is over, or another day may
// bring a time for a call.
func (k *JourneyState) lookOn(p *Plan, today calendar.Day) calendar.Day {
	until, err := calendar.ParseDay(k.Agreed.PausedUntil)
	switch {
	case p.Because == becauseNoTime:
		return today + 1
	case p.State == Ended || !p.Started:
		return 0
	case err == nil && until > today:
		return min(until, k.Agreed.reviewOn(p.Anchor))
	}
	return k.Agreed.reviewOn(p.Anchor)
}

func (p *Plan) same(o *Plan) bool {
	return p.State == o.State && p.Because == o.Because && slices.Equal(p.WaitingOn, o.WaitingOn) &&
		slices.Equal(p.Only, o.Only) && slices.Equal(p.Never, o.Never) &&
		p.EveryDays == o.EveryDays && p.Monthly == o.Monthly && p.Minutes == o.Minutes && p.Team == o.Team &&
		p.Anchor == o.Anchor && p.LookOn == o.LookOn && p.Started == o.Started
}

// call keeps one call ahead of an active plan and none ahead of any other. A call that has passed without an outcome
// stays the one ahead, however long ago it was: what was missed is one call, marked late, and the rhythm goes on from
// today. It says whether the plan has the call that it should: a time was found for it.
func (c *Changes) call(k *JourneyState, plan *Plan, journey string, m moment) (placed bool) {
	ahead, base, busy, zone := plan.Call, m.today, k.notOn(plan.Team, m), m.zone
	if ahead != nil {
		state, ended, again := k.agreed().standing(k.triesOf(ahead.ID), journey, busy, zone)
		switch {
		case ended:
			done := *ahead
			done.State = state
			c.Finish, ahead, base = &done, nil, max(base, done.Nominal)
		case plan.State != Active:
			gone := *ahead
			gone.Team = plan.Team // whoever may not ring any more sees nothing of it
			c.Cancel = &gone
		default:
			return c.move(k, plan, *ahead, again, journey, busy, m)
		}
	}
	if plan.State != Active {
		return true
	}
	next := Call{Team: plan.Team, Try: 1, Nominal: k.Agreed.next(plan.Anchor, base)}
	if next.On, next.DueAt, placed = k.agreed().place(journey, next.Nominal, 1, busy, zone); placed {
		c.Schedule, c.Late = &next, next.late(m)
	}
	return placed
}

// lateDays is by how many days a call may come later than agreed before somebody asks the person about it.
const lateDays = 7

// late says that a call comes so much later than its rhythm because whoever rings is away.
func (c Call) late(m moment) bool {
	return c.On > c.Nominal+lateDays && len(m.partners[c.Team].awayDays(c.Nominal, c.On)) > 0
}

// move brings the call ahead to where it should be: tried again, on another day because somebody else is in touch on
// that one, or as what was agreed has changed. One that is past its day is not moved: it is late, and made when it may
// be. It says whether there is a time for it.
func (c *Changes) move(k *JourneyState, plan *Plan, ahead Call, again calendar.Day, journey string,
	busy map[calendar.Day]bool, m moment) (placed bool) {
	now, today, zone := ahead, m.today, m.zone
	from := ahead.Nominal
	if again > 0 {
		from, now.Try = again, min(1+tried(k.triesOf(ahead.ID)), mostTries)
	} else if ahead.Nominal > today && k.Agreed.next(plan.Anchor, ahead.Nominal-1) != ahead.Nominal { // another rhythm
		from = k.Agreed.next(plan.Anchor, today)
		now.Nominal = from
	}
	now.Team = plan.Team
	on, at, ok := k.agreed().place(journey, from, now.Try, busy, zone)
	switch late := ahead.On < today && now.Try == ahead.Try; {
	case late:
	case !ok:
		return false
	default:
		now.On, now.DueAt = on, at
	}
	if now.On != ahead.On || !now.DueAt.Equal(ahead.DueAt) || now.Try != ahead.Try || now.Team != ahead.Team {
		c.Move, c.Late = &now, now.late(m) && !ahead.late(m)
	}
	return true
}
