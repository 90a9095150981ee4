package journey

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// States of a journey. Open and held ones hold a step, by the database too; a closed one need not.
const (
	journeyOpen   = "open"
	journeyOnHold = "held"
	journeyClosed = "closed"
)

// Hold is that somebody else has the person for now: a ward, custody, another hospital. Contact stops until it is
// released; the day of review is a step, and an overdue one rises as any does.
type Hold struct {
	Subscribed        // the journey's own sequence, and when
	Place      string `json:"place"`
	OnHoldBy   string `json:"heldBy"`   // a role there, never a name
	ReviewOn   string `json:"reviewOn"` // local day
	Owner      string `json:"owner"`    // of the review
	// With is another journey of the same person, which a human holds: this one is held as long as that is.
	With string `json:"with,omitempty"`
}

// maxHold is for how many calendar days a journey may be held before somebody looks again; a hold may be renewed. A
// default, for a clinical safety officer to set.
const maxHold = 28

// fault says what is wrong with a hold, or nothing. today and the day of review are local days.
func (h Hold) fault(today calendar.Day) string {
	_, err := calendar.Between(h.ReviewOn, today+1, today+maxHold)
	switch {
	case !slices.Contains(schemas.Values("hold-place"), h.Place):
		return "Say in place where the person is: " + choices("hold-place") + "."
	case !isCode(h.OnHoldBy):
		return "Say in heldBy who holds the person there, as a role in lower-case words joined by hyphens such as " +
			"ward-team. Name nobody."
	case errors.Is(err, calendar.ErrNoDay):
		return "Say in reviewOn on which day somebody looks again: a local date, YYYY-MM-DD."
	case errors.Is(err, calendar.ErrBefore):
		return "The day of review is not in the future. Choose tomorrow or later."
	case err != nil:
		return fmt.Sprintf("The day of review is more than %d days away. Choose a nearer one; whoever looks then can "+
			"hold again.", maxHold)
	}
	return ""
}

// Closing is a named human's decision that a journey ends, as they record it: codes and days only.
type Closing struct {
	Reason string `json:"reason"`
	// Told is how the person was told, WayBack how they come back if they want to.
	Told    string `json:"told"`
	WayBack string `json:"wayBack"`
	// On is the local day of what the reason says has happened: the session, the first contact elsewhere, the
	// acknowledgement. PersonAgrees is that the person says so themselves.
	On           string `json:"on,omitempty"`
	PersonAgrees bool   `json:"personAgrees,omitempty"`
	// Service is whose care has started, by the directory's id; AcknowledgedBy the role of who has taken over there.
	Service        string `json:"service,omitempty"`
	AcknowledgedBy string `json:"acknowledgedBy,omitempty"`
	// Tried are the channels by which the person was tried, where they could not be reached.
	Tried []string `json:"tried,omitempty"`
}

// Closed is how a journey was closed, and what was known then: what is news afterwards opens it again.
type Closed struct {
	Subscribed // the journey's own sequence, and when
	Closing
	Visits  map[string]int64 `json:"visits,omitempty"` // sequences of the visits' recordings
	Contact int64            `json:"contact,omitempty"`
}

// agreedTries is on how many different days the person is tried before a human may say that they could not be
// reached: the first asking and the rungs of the ladder.
var agreedTries = len(ladder)

var serviceID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$`)

func isCode(text string) bool { return len(text) <= 60 && codePattern.MatchString(text) }

func choices(kind string) string { return strings.Join(schemas.Values(kind), ", ") }

// fault says what is missing from what somebody recorded about closing, or cannot be so for a journey that began on
// that day, or nothing.
func (c Closing) fault(began, today calendar.Day) string {
	nobody := c.Reason == schemas.ClosedDied || c.Reason == schemas.ClosedInError
	switch {
	case !slices.Contains(schemas.Values("closing"), c.Reason):
		return "Say in reason why: " + choices("closing") + ". Time alone is no reason."
	case !slices.Contains(schemas.Values("told-by"), c.Told):
		return "Say in told how the person was told: " + choices("told-by") + "."
	case c.Told == schemas.ToldNobody && !nobody:
		return "Tell the person first, and say in told how. Nobody is told of a death or an error alone."
	case !slices.Contains(schemas.Values("way-back"), c.WayBack):
		return "Say in wayBack how the person comes back if they want to: " + choices("way-back") + "."
	case c.WayBack == schemas.WayBackNone && !nobody:
		return "Give the person a way back, and say in wayBack which. Only a death or an error has none."
	}
	return c.evidence(began, today)
}

// evidence says what a reason needs that has not been said, or cannot be.
func (c Closing) evidence(began, today calendar.Day) string {
	switch c.Reason {
	case schemas.ClosedComplete:
		return firstOf(c.happened(began, today, "the follow-up happened"), c.agreed("want nothing more"))
	case schemas.ClosedSaidNo:
		return c.agreed("want none of it")
	case schemas.ClosedCareStarted:
		if !serviceID.MatchString(c.Service) {
			return "Say in service whose care has started, by the directory's id."
		}
		return firstOf(c.happened(began, today, "the first contact there happened"), c.agreed("are in touch with it"))
	case schemas.ClosedMoved:
		if !slices.Contains(schemas.Values("answering-role"), c.AcknowledgedBy) {
			return "Say in acknowledgedBy who where the person now lives has said that they take over: " +
				choices("answering-role") + "."
		}
		return c.happened(began, today, "they said so")
	case schemas.ClosedNotReached:
		return c.notReached()
	}
	return ""
}

// happened says what is wrong with the day of what has happened: it lies from the journey's beginning to today.
func (c Closing) happened(began, today calendar.Day, what string) string {
	_, err := calendar.Between(c.On, began, today)
	switch {
	case errors.Is(err, calendar.ErrNoDay):
		return "Say in on the day on which " + what + ": a local date, YYYY-MM-DD."
	case errors.Is(err, calendar.ErrBefore):
		return "The day on which " + what + " is before this journey began, on " + began.String() +
			". Give the day since then on which it did, or another reason."
	case err != nil:
		return "The day on which " + what + " is in the future. Close the journey when it has happened."
	}
	return ""
}

func (c Closing) agreed(what string) string {
	if c.PersonAgrees {
		return ""
	}
	return "Ask the person. Send personAgrees as true when they say that they " + what + "."
}

func (c Closing) notReached() string {
	if c.Told != "letter" && c.Told != "somebody-named" {
		return "Somebody who was not reached gets a safe letter, or word by somebody they named. Send it, and say in " +
			"told which."
	}
	for _, channel := range c.Tried {
		if !slices.Contains(schemas.Values("safe-channel"), channel) {
			return "A channel in tried is not known. Use " + choices("safe-channel") + "."
		}
	}
	if len(c.Tried) == 0 {
		return "Say in tried by which channels the person was tried."
	}
	return ""
}

func firstOf(faults ...string) string {
	for _, fault := range faults {
		if fault != "" {
			return fault
		}
	}
	return ""
}

// opposes says what is known of a journey that the reason contradicts, or nothing.
func (k *JourneyState) opposes(reason string, steps []Step, zone *time.Location) string {
	followUp, calls := k.answer(schemas.PurposeFollowUp), k.answer(schemas.PurposeBridging)
	switch reason {
	case schemas.ClosedDied:
		if !k.Contact.is(false) {
			return "No death is recorded. Record it with POST /api/people/{ref}/contact-stopped, and confirm it by " +
				"the step that follows."
		}
		if !slices.ContainsFunc(steps, func(s Step) bool {
			return s.Kind == stepContactStopped && s.Basis == fmt.Sprint(k.Contact.At) && s.State == stateDone
		}) {
			return "The death is not confirmed. Confirm it first, with the step " + stepContactStopped + "."
		}
	case schemas.ClosedSaidNo:
		if !followUp.is(false) || calls.is(true) || calls.At == 0 && k.Plan.At > 0 {
			return "It is not recorded that the person said no to all of it. Record what they said with POST " +
				"/api/journeys/{id}/consent."
		}
	case schemas.ClosedNotReached:
		if n := k.daysTried(zone); n < agreedTries {
			return fmt.Sprintf("The person was tried on %d days since they last answered, and %d are agreed. Record "+
				"each try with POST /api/steps/{id}/no-answer.", n, agreedTries)
		}
	}
	return ""
}

// daysTried counts the local days on which the person was tried in vain since they last answered anything.
func (k *JourneyState) daysTried(zone *time.Location) int {
	days := map[calendar.Day]bool{}
	for _, at := range k.Tries {
		if at.After(k.Reopened.When) && !slices.ContainsFunc(slices.Collect(maps.Values(k.Consents)),
			func(a schemas.Answers) bool { return a.Anew().When.After(at) }) {
			days[calendar.DayOf(at, zone)] = true
		}
	}
	return len(days)
}

// leftOpen are steps that ask a human something which closing would leave unanswered. What an offer, a call or a
// question to the person was for ends with the journey; these do not. Where a reason answers one, it is not asked.
var leftOpen = map[string][]string{
	stepContactStopped: nil,
	stepDeletion:       nil,
	stepDeletionLate:   nil,
	stepAskDataContact: nil,
	stepRingPartner:    nil,
	stepReachPartner:   nil,
	stepTellReferrer:   {schemas.ClosedInError},
	stepMayKnow:        {schemas.ClosedDied, schemas.ClosedInError},
	stepRingCaller:     nil,
	stepPlace:          {schemas.ClosedInError},
	stepConfirmMerge:   nil,
	stepOnePerson:      {schemas.ClosedInError, schemas.ClosedDied},
	stepMendWhatFailed: nil,
	stepFindWhatIsLost: nil,
	stepFindBeginning:  {schemas.ClosedInError},
	stepAfterCancelled: {schemas.ClosedInError, schemas.ClosedDied},
	stepCheck:          {schemas.ClosedInError, schemas.ClosedDied},
	stepClinician:      {schemas.ClosedInError, schemas.ClosedDied},
}

// helpKind begins the kind of every step about help that somebody needs.
const helpKind = "help-"

// unanswered returns the kinds of open steps that must be done before a journey is closed for the reason.
func unanswered(steps []Step, reason string) []string {
	var kinds []string
	for _, s := range steps {
		answering, asks := leftOpen[s.Kind]
		asks = asks && !slices.Contains(answering, reason) || strings.HasPrefix(s.Kind, helpKind)
		if s.State == stateOpen && asks && !slices.Contains(kinds, s.Kind) {
			kinds = append(kinds, s.Kind)
		}
	}
	return kinds
}

// close takes in that the journey is closed. What the person answered so far was about this.
func (k *JourneyState) close(at int64, when time.Time, c Closing) {
	closed := &Closed{Subscribed: Subscribed{at, when}, Closing: c, Contact: k.Contact.At, Visits: map[string]int64{}}
	for id, v := range k.Visits {
		closed.Visits[id] = v.Recorded.At
	}
	for _, a := range k.Consents {
		k.AnsweredUpTo = max(k.AnsweredUpTo, a.Newest().At)
	}
	k.Closed, k.Hold = closed, nil
}

// news says why a closed journey is open again, from what was not known when it was closed, or nothing: the person
// was in A&E, or a death was none. Nothing else that arrives late opens it.
func (k *JourneyState) news() string {
	if k.Closed == nil {
		return ""
	}
	for id, v := range k.Visits {
		if v.isActive() && v.Recorded.At > k.Closed.Visits[id] {
			return schemas.ReopenedCameBack
		}
	}
	if k.Closed.Reason == schemas.ClosedDied && k.Contact.is(true) && k.Contact.At > k.Closed.Contact {
		return schemas.ReopenedResumed
	}
	return ""
}

// goOn takes in that the journey goes on: it was released, or reopened.
func (k *JourneyState) goOn(at int64, when time.Time) {
	if k.Closed != nil {
		k.Reopened = Subscribed{at, when}
	}
	k.Resumed, k.Hold, k.Closed = Subscribed{at, when}, nil, nil
}

// answer is what the person said to a purpose as a whole in this episode: after a reopening, what they said since it
// was closed.
func (k *JourneyState) answer(purpose string) Answer {
	whole := k.Consents[purpose].Since(k.AnsweredUpTo).Whole()
	return Answer{Subscribed{whole.At, whole.When}, whole.Yes}
}

// anew is when the person last answered about a purpose in this episode. What counts again since two records were taken
// apart answers nothing that they are asked.
func (k *JourneyState) anew(purpose string) Subscribed {
	said := k.Consents[purpose].Since(k.AnsweredUpTo).Anew()
	return Subscribed{said.At, said.When}
}

// due is when the review of a hold is due: five in the afternoon of its day.
func (h *Hold) due(zone *time.Location) time.Time {
	day, err := calendar.ParseDay(h.ReviewOn)
	if err != nil {
		return h.When // it was checked when it was recorded; a day that cannot be read is due at once
	}
	return day.At(dueHour, 0, zone)
}
