package bridging

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// Known is everything bridging has been told about one journey. It is built by adding: each entry carries the
// sequence of the event that set it, an older one changes nothing, and the order of arrival does not matter.
type Known struct {
	Visits map[string]Visit `json:"visits,omitempty"`
	// Waits holds the services (by the directory's id) whose list the person is, or was, on. Decisions only add to
	// it: who waited is not dropped because a later message is silent about it.
	Waits map[string]bool `json:"waits,omitempty"`
	// Gap says that nothing statutory was open: whoever falls between services is between them as much as who waits.
	Gap     bool            `json:"gap,omitempty"`
	Consent schemas.Answers `json:"consent,omitzero"` // to bridging calls
	Contact answer          `json:"contact,omitzero"` // Yes: contact may be made
	// Turn is how the journey stands as a whole. AnsweredUpTo is up to which answers were about what has been closed: they
	// count no more, and the person is asked anew.
	Turn         turn  `json:"turn,omitzero"`
	AnsweredUpTo int64 `json:"answeredUpTo,omitempty"`
	schemas.Origin
}

// answer is a yes or no with the sequence of the event that said it; sequence 0 is not said yet.
type answer struct {
	At  int64 `json:"at"`
	Yes bool  `json:"yes"`
}

func (a *answer) say(at int64, yes bool) bool {
	if at <= a.At {
		return false
	}
	*a = answer{At: at, Yes: yes}
	return true
}

// turn is the last that was decided about the journey as a whole, with the sequence of the event that said it.
type turn struct {
	At     int64 `json:"at"`
	Held   bool  `json:"held,omitempty"`
	Closed bool  `json:"closed,omitempty"`
}

func (k *Known) addTurn(t turn) bool {
	if t.At <= k.Turn.At {
		return false
	}
	k.Turn = t
	return true
}

// addClosed takes in that the journey was closed. What was answered before counts no more, even when the reopening was
// heard of first.
func (k *Known) addClosed(at int64, d schemas.JourneyClosedData) bool {
	lapsed := int64(d.AnsweredUpTo) > k.AnsweredUpTo
	k.AnsweredUpTo = max(k.AnsweredUpTo, int64(d.AnsweredUpTo))
	return k.addTurn(turn{At: at, Closed: true}) || lapsed
}

// Visit is one time in A&E or urgent care. Recorded and Withdrawn are sequences: the greater of the two is how it
// stands, so a withdrawal that arrives before what it withdraws is a tombstone.
type Visit struct {
	Recorded  int64    `json:"recorded,omitempty"`
	Withdrawn int64    `json:"withdrawn,omitempty"`
	Flags     []string `json:"flags,omitempty"`
	FlagsAt   int64    `json:"flagsAt,omitempty"` // sequence of the event Flags are from
}

func (v Visit) stands() bool { return v.Recorded > v.Withdrawn }

// The add functions take one event's data into what is known and say whether it changed anything.

func (k *Known) visit(id string, change func(v *Visit) bool) bool {
	v := k.Visits[id]
	if !change(&v) {
		return false
	}
	if k.Visits == nil {
		k.Visits = map[string]Visit{}
	}
	k.Visits[id] = v
	return true
}

func (v *Visit) flag(at int64, flags []string) bool {
	if at <= v.FlagsAt {
		return false
	}
	v.Flags, v.FlagsAt = flags, at
	return true
}

func (k *Known) addRecorded(at int64, d schemas.DischargeRecordedData) bool {
	k.Begin(at, d.Person, d.Organisation)
	return k.visit(d.Visit, func(v *Visit) bool {
		changed := v.flag(at, d.Flags)
		if at > v.Recorded {
			v.Recorded, changed = at, true
		}
		return changed
	})
}

func (k *Known) addCorrected(at int64, d schemas.DischargeCorrectedData) bool {
	placed := k.Place(at, d.Organisation)
	return d.Flags != nil && k.visit(d.Visit, func(v *Visit) bool { return v.flag(at, d.Flags) }) || placed
}

func (k *Known) addWithdrawn(at int64, d schemas.DischargeWithdrawnData) bool {
	return k.visit(d.Visit, func(v *Visit) bool {
		if at <= v.Withdrawn {
			return false
		}
		v.Withdrawn = at
		return true
	})
}

func (k *Known) addDecided(waits []string) (changed bool) {
	for _, service := range waits {
		if !k.Waits[service] {
			if k.Waits == nil {
				k.Waits = map[string]bool{}
			}
			k.Waits[service], changed = true, true
		}
	}
	return changed
}

func (k *Known) addGap() bool {
	changed := !k.Gap
	k.Gap = true
	return changed
}

// addAnswered: who is on a service's list waits.
func (k *Known) addAnswered(d schemas.ServiceAnsweredData) bool {
	return d.Answer == answerWaiting && k.addDecided([]string{d.Service})
}

const answerWaiting = "waiting"

func (k *Known) addConsent(d schemas.ConsentData, said schemas.Said) bool {
	return slices.Contains(d.Purposes, schemas.PurposeBridging) && k.Consent.Hear(d.Organisation, said)
}

// current returns the visit recorded last of those that stand.
func (k *Known) current() (id string, v Visit, ok bool) {
	for other, o := range k.Visits {
		if o.stands() && (!ok || cmp.Or(cmp.Compare(o.Recorded, v.Recorded), cmp.Compare(other, id)) > 0) {
			id, v, ok = other, o, true
		}
	}
	return id, v, ok
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
	becauseHeld      = "held"
	becauseClosed    = "journey-closed"
)

// answers are what the person said to calls in this episode.
func (k *Known) answers() schemas.Answers { return k.Consent.Since(k.AnsweredUpTo) }

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

// wish says how the journey's plan should stand, and why, from what is known alone. Nobody is rung before their yes
// to this purpose, while contact is stopped, or under 18 or of unknown age before a clinician has decided.
func wish(k *Known) (State, string) {
	_, visit, stands := k.current()
	consent := k.answers().Whole()
	switch {
	case k.PersonAt == 0 || len(k.Waits) == 0 && !k.Gap:
		return None, ""
	case k.Turn.Closed:
		return Ended, becauseClosed
	case consent.At > 0 && !consent.Yes:
		return Ended, becausePerson
	case k.Contact.At > 0 && !k.Contact.Yes:
		return Paused, becauseStopped
	case !stands:
		return Paused, becauseWithdrawn
	case k.Turn.Held:
		return Paused, becauseHeld
	case consent.Yes && !humanFirst(visit):
		return Active, ""
	}
	return Proposed, ""
}

// humanFirst says that somebody looks before the person is rung: a clinician, or whoever compares two records, or asks.
func humanFirst(v Visit) bool {
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

// Change is what is to be done so that the wish stands.
type Change struct {
	Open     *Plan // a new plan, without an id yet
	Change   *Plan // the plan as it now is
	Schedule *Call // a call to be scheduled, without an id yet
	Cancel   *Call
	Propose  bool // say bridging.proposed
	Start    bool // say bridging.started
	Pause    bool // say bridging.paused
	Resume   bool // say bridging.resumed
	End      bool // say bridging.ended
}

// change compares the wish with the plan that stands, nil for none. A plan may begin paused, when the reason to pause
// came first: then nobody is told before it goes on. A plan is not opened only to be ended.
func change(k *Known, standing *Plan, journey string, today calendar.Day, holidays *calendar.Holidays, zone *time.Location) Change {
	state, because := wish(k)
	waits := append([]string{}, slices.Sorted(maps.Keys(k.Waits))...) // never nil: events say an empty list
	only, never := callers(k.answers())
	var c Change
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
		c.Change = &now
	}
	c.call(state, standing, journey, today, holidays, zone)
	return c
}

// call keeps one call ahead of an active plan and none ahead of any other.
func (c *Change) call(state State, standing *Plan, journey string, today calendar.Day, holidays *calendar.Holidays, zone *time.Location) {
	has := standing != nil && standing.Call != nil
	if state == Active && !has {
		c.Schedule = &Call{}
		c.Schedule.On, c.Schedule.DueAt = callAt(journey, today, holidays, zone)
	}
	if state != Active && has {
		c.Cancel = standing.Call
	}
}
