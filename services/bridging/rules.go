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
	// Offers are those of follow-up sessions, sorted.
	Offers []string `json:"offers,omitempty"`
	// Appointments are the sessions that others have planned, by their ids.
	Appointments map[string]*Appointment `json:"appointments,omitempty"`
	Consent      schemas.Answers         `json:"consent,omitzero"` // to bridging calls
	Contact      schemas.Answered        `json:"contact,omitzero"` // Yes: contact may be made
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

// addOffer takes in that an offer is of this journey: help may be asked from it.
func (k *JourneyState) addOffer(id string) {
	if at, found := slices.BinarySearch(k.Offers, id); !found {
		k.Offers = slices.Insert(slices.Clone(k.Offers), at, id)
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

// addAnswered: who is on a service's list waits.
func (k *JourneyState) addAnswered(d schemas.ServiceAnsweredData) {
	if d.Answer == answerWaiting {
		k.addWaits(d.Service)
	}
}

const answerWaiting = "waiting"

func (k *JourneyState) addConsent(d schemas.ConsentData, said schemas.Answered) {
	if slices.Contains(d.Purposes, schemas.PurposeBridging) {
		k.Consent.Apply(d.Organisation, said)
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
)

// answers are what the person said to calls in this episode.
func (k *JourneyState) answers() schemas.Answers { return k.Consent.Since(k.AnsweredUpTo) }

// callers are who may ring by the person's yes: only the organisations they named, or, where they said yes to any,
// everybody but those they named in a no. Where nobody may, both are empty.
func callers(a schemas.Answers) (only, never []string) {
	switch {
	case !a.Whole().Yes:
		return nil, nil
	case a.Any.Yes:
		return nil, a.No()
	}
	return a.Yes(), nil
}

// desired says how the journey's plan should stand, and why, from what is known alone. Nobody is rung before their yes
// to this purpose, while contact is stopped, or under 18 or of unknown age before a clinician has decided.
func desired(k *JourneyState) (State, string) {
	_, visit, stands := k.Visits.Current()
	consent := k.answers().Whole()
	switch {
	case k.PersonAt == 0 || len(k.Waits) == 0 && !k.Gap:
		return None, ""
	case k.Transition.Closed:
		return Ended, becauseClosed
	case consent.At > 0 && !consent.Yes:
		return Ended, becausePerson
	case k.Contact.At > 0 && !k.Contact.Yes:
		return Paused, becauseStopped
	case !stands:
		return Paused, becauseWithdrawn
	case k.Transition.Held:
		return Paused, becauseOnHold
	case consent.Yes && !humanFirst(visit):
		return Active, ""
	}
	return Proposed, ""
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
	Started                           bool // it has been active before
	// Only are the organisations that may ring, by their opaque ids; empty for any but those of Never.
	Only, Never []string
	Call        *Call
}

// Call is the one bridging call ahead of a plan.
type Call struct {
	ID, Plan, Journey, Organisation string
	On                              calendar.Day
	DueAt                           time.Time
}

// Changes is what is to be done so that the wish stands.
type Changes struct {
	Open     *Plan // a new plan, without an id yet
	Changes  *Plan // the plan as it now is
	Schedule *Call // a call to be scheduled, without an id yet
	Cancel   *Call
	Propose  bool // say bridging.proposed
	Start    bool // say bridging.started
	Pause    bool // say bridging.paused
	Resume   bool // say bridging.resumed
	End      bool // say bridging.ended
}

// reconcile compares the wish with the plan that stands, nil for none. A plan may begin paused, when the reason to pause
// came first: then nobody is told before it goes on. A plan is not opened only to be ended.
func reconcile(k *JourneyState, standing *Plan, journey string, today calendar.Day, holidays *calendar.Holidays, zone *time.Location) Changes {
	state, because := desired(k)
	waits := append([]string{}, slices.Sorted(maps.Keys(k.Waits))...) // never nil: events say an empty list
	only, never := callers(k.answers())
	var c Changes
	switch {
	case standing == nil && state != None && state != Ended:
		c.Open = &Plan{State: state, Because: because, WaitingOn: waits, EveryDays: everyDays, Minutes: minutes, Started: state == Active, Only: only, Never: never}
		c.Propose, c.Start = state == Proposed, state == Active
	case standing == nil || (standing.State == state && standing.Because == because && slices.Equal(standing.WaitingOn, waits) &&
		slices.Equal(standing.Only, only) && slices.Equal(standing.Never, never)):
		return c
	default:
		now := *standing
		now.State, now.Because, now.WaitingOn, now.Only, now.Never = state, because, waits, only, never
		c.Propose = state == Proposed && standing.State != Proposed
		c.Start = state == Active && !standing.Started
		c.Pause = state == Paused && standing.State != Paused
		c.Resume = state == Active && standing.Started && standing.State == Paused
		c.End = state == Ended
		now.Started = standing.Started || state == Active
		c.Changes = &now
	}
	c.call(state, standing, journey, today, holidays, zone)
	return c
}

// call keeps one call ahead of an active plan and none ahead of any other.
func (c *Changes) call(state State, standing *Plan, journey string, today calendar.Day, holidays *calendar.Holidays, zone *time.Location) {
	has := standing != nil && standing.Call != nil
	if state == Active && !has {
		c.Schedule = &Call{}
		c.Schedule.On, c.Schedule.DueAt = callAt(journey, today, holidays, zone)
	}
	if state != Active && has {
		c.Cancel = standing.Call
	}
}
