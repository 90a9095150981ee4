package journey

import (
	"fmt"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// A look at a journey from another organisation, for a reason, is told to the journey's organisation, and reviewed
// there by a navigator who did not look themselves. However many looks there were, one review is of all that were told.

// Looks are those from elsewhere: the last that each service told of, and up to which they have been reviewed.
type Looks struct {
	Person  Subscribed `json:"person,omitzero"`  // at who the person is, or what they said: by intake
	Pathway Subscribed `json:"pathway,omitzero"` // at what was decided: by threshold
	Journey Subscribed `json:"journey,omitzero"` // at the journey itself, counted here
	// By are who looked at the journey itself since the last review, as they are named beside what people do.
	By []string `json:"by,omitempty"`
	// Reviewed are the same three, as they were when the last review was recorded.
	Reviewed [3]int64  `json:"reviewed,omitzero"`
	When     time.Time `json:"when,omitzero"` // of that review
}

func (l Looks) all() [3]Subscribed { return [3]Subscribed{l.Person, l.Pathway, l.Journey} }

// waiting is when the first of the looks was that nobody has reviewed; the zero time where none waits.
func (l Looks) waiting() (since time.Time) {
	for i, look := range l.all() {
		if look.At > l.Reviewed[i] && (since.IsZero() || look.When.Before(since)) {
			since = look.When
		}
	}
	return since
}

// reviewed are looks of which none waits.
func (l Looks) reviewed(now time.Time) Looks {
	for i, look := range l.all() {
		l.Reviewed[i] = max(l.Reviewed[i], look.At)
	}
	l.By, l.When = nil, now
	return l
}

// byOf notes who looked at the journey itself.
func (l *Looks) byOf(who string, now time.Time) {
	l.Journey = Subscribed{At: l.Journey.At + 1, When: now}
	if !slices.Contains(l.By, who) {
		l.By = append(slices.Clone(l.By), who)
	}
}

// reviewWithin is within how many days a look is reviewed.
const reviewWithin = 7

// toReview is the step of the review, in every state of the journey. It is beside what happens next for the person, and
// never that.
func (s situation) toReview() []DesiredStep {
	since := s.Looks.waiting()
	if since.IsZero() {
		return nil
	}
	return []DesiredStep{{Kind: stepReviewLook, Owner: s.owners.Navigator,
		DueAt: (calendar.DayOf(since, s.zone) + reviewWithin).At(dueHour, 0, s.zone),
		Basis: fmt.Sprint("since-", s.Looks.When.UnixMicro())}}
}

// lookReviewFault says what is wrong with a review, or nothing.
func lookReviewFault(said schemas.LookReviewRecord) error {
	if faults := schemas.Validate(said); len(faults) > 0 {
		return unprocessable("The review is not as expected: see errors.").With("errors", faults)
	}
	if (said.Finding == schemas.AccessPassedOn) != (said.PassedTo != "") {
		return unprocessable("Where a look was not in order, say to which role it was passed on (passedTo), such as " +
			"privacy-officer; where it was, leave that out.")
	}
	return nil
}
