package journey

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// Steps that follow from a follow-up offer, from its preparation to what comes next: one table in words.

// ringWithin is within how long after somebody is not to be contacted whoever is about to go has been rung, and
// aboutToGo how far ahead that looks.
const (
	ringWithin = time.Hour
	aboutToGo  = 48 * time.Hour
)

// tellReferrerWithin is within how long an organisation that referred the person is told what a mail did not bring.
const tellReferrerWithin = 24 * time.Hour

// Days, after a partner may not read any more, by which it has said what it did with what it knew: its data contact
// first, then the lead for information governance.
const (
	deletionDays     = 3
	deletionLateDays = 7
)

// notForThePerson are ways in which an offer ends of which the person knows, or need not be told: it was theirs, or the
// journey's.
var notForThePerson = []string{"person", "journey-closed", "contact-stopped", "clinician-first", "discharge-withdrawn",
	"another-accepted", wasUndone}

// wasUndone is how an offer ends whose partner took its answer back: it is asked again by another.
const wasUndone = "undone"

// followUps are all of them.
func (s situation) followUps() []DesiredStep {
	wanted := slices.Concat(s.ofOffer(), s.ofQuestions(), s.known(), s.toTell(), s.toRing(), s.toReach(),
		s.toTellReferrers(),
		s.toDelete())
	return wanted
}

// meets says that the offer's session has a time ahead, or has taken place.
func (s situation) meets() bool {
	_, a, ok := s.offer.appointmentNow()
	return ok && (a.ahead() || a.How == wasKept)
}

// meetsInTime is meets, by the last day of the offer's window; or a navigator decides already how to go on.
func (s situation) meetsInTime() bool {
	_, a, _ := s.offer.appointmentNow()
	return a.tried() || s.meets() && (a.On == "" || s.offer.LastDay == "" || a.On <= s.offer.LastDay)
}

// ofOffer is what the offer that stands waits for.
func (s situation) ofOffer() []DesiredStep {
	o, partner := s.offer, schemas.OwnerPartner+":"+s.offer.Partner
	if !s.offered || !s.mayAsk() {
		return nil
	}
	if o.Accepted.At > 0 {
		return s.ofAccepted(o, partner)
	}
	switch {
	case !s.followUp.is(true):
		return nil
	case o.Sent.At == 0: // no screen may claim that a partner knows
		return []DesiredStep{{Kind: stepTellPartner, Owner: s.owners.Navigator,
			DueAt: s.nextDay(o.Raised.When, s.followUp.When, s.Contact.When), Basis: perRaising(s)}}
	}
	due := o.AnswerBy
	if s.Resumed.When.After(o.Raised.When) { // its new window is on its way
		due = latest(due, s.nextDay(s.Resumed.When))
	}
	return []DesiredStep{{Kind: stepPartnerAnswers, Owner: partner, DueAt: due, Basis: perRaising(s)}}
}

// ofAccepted is what an offer waits for that a partner has taken on.
func (s situation) ofAccepted(o Offer, partner string) []DesiredStep {
	var wanted []DesiredStep
	if id, late := s.acceptedLate(); late.AcceptedLate.At > 0 {
		wanted = append(wanted, DesiredStep{Kind: stepChoosePartner, Owner: teamLiaison,
			DueAt: s.nextDay(late.AcceptedLate.When), Basis: id})
	}
	id, a, met := o.appointmentNow()
	step := func(kind, owner string, due time.Time, basis string) []DesiredStep {
		return append(wanted, DesiredStep{Kind: kind, Owner: owner, DueAt: latest(due, s.resumedDay()), Basis: basis})
	}
	meeting := func(kind string, due time.Time, basis string) []DesiredStep { // they are introduced before they meet
		steps := step(kind, partner, due, basis)
		if o.Introduced.At > o.Accepted.At {
			return steps
		}
		return append(steps, DesiredStep{Kind: stepIntroduce, Owner: partner, DueAt: latest(due, s.resumedDay()),
			Basis: basis})
	}
	since := fmt.Sprintf("%s/accepted-%d", s.offerID, o.Accepted.At)
	switch {
	case !o.PersonAnswersBy.IsZero() && o.Confirmed.At < o.Accepted.At:
		return step(stepAskAboutPartner, teamLiaison, o.PersonAnswersBy, since)
	case !a.ahead() && !s.followUp.is(true): // their place is kept; nobody is in touch before their yes
		return wanted
	case !met:
		return meeting(stepPartnerArranges, s.bookBy(o.BookBy, o.Accepted.When), since)
	case a.ahead():
		return meeting(stepSession, a.OutcomeBy, id)
	case a.How == wasKept:
		return step(stepAskWhatNext, partner, s.nextDay(a.Ended.When), fmt.Sprintf("%s/kept-%d", id, a.Ended.At))
	case a.tried():
		return step(stepAnotherTime, s.owners.Navigator, s.nextDay(a.Ended.When), fmt.Sprintf("%s/%d", id, a.Ended.At))
	}
	return meeting(stepPartnerArranges, s.bookBy(a.BookBy, a.Ended.When), fmt.Sprintf("%s/%d", id, a.Ended.At))
}

// resumedDay is before when nothing is due after a journey went on again; the zero time where it never stood still.
func (s situation) resumedDay() time.Time {
	if s.resumed().IsZero() {
		return time.Time{}
	}
	return s.nextDay()
}

// bookBy is by when a time is agreed: as it was said, or two working days after.
func (s situation) bookBy(said, from time.Time) time.Time {
	if !said.IsZero() {
		return said
	}
	day := calendar.DayOf(latest(from, s.resumed()), s.zone)
	return calendar.England().AddWorking(day, arrangeWithin, calendar.MondayToFriday).At(dueHour, 0, s.zone)
}

// acceptedLate is an offer to a partner that said yes beside the one that stands.
func (s situation) acceptedLate() (id string, o Offer) {
	for other, p := range s.Offers {
		if other != s.offerID && p.AcceptedLate.At > o.AcceptedLate.At && !p.Ended {
			id, o = other, p
		}
	}
	return id, o
}

// ofQuestions are what a partner asked about the offer that stands.
func (s situation) ofQuestions() []DesiredStep {
	var wanted []DesiredStep
	for _, id := range slices.Sorted(maps.Keys(s.offer.Questions)) {
		if q := s.offer.Questions[id]; s.offered && !s.quiet && q.Asked.At > 0 && q.Answered.At == 0 {
			wanted = append(wanted, DesiredStep{Kind: stepAnswerPartner, Owner: s.owners.Navigator,
				DueAt: s.nextDay(q.Asked.When), Basis: s.offerID + "/" + id})
		}
	}
	return wanted
}

// known are the offers of which somebody at the partner said that they may know the person: a navigator sees to it that
// somebody else looks after them.
func (s situation) known() []DesiredStep {
	var wanted []DesiredStep
	for _, id := range slices.Sorted(maps.Keys(s.Offers)) {
		if o := s.Offers[id]; o.MayKnow.At > 0 {
			wanted = append(wanted, DesiredStep{Kind: stepMayKnow, Owner: s.owners.Navigator,
				DueAt: s.nextDay(o.MayKnow.When), Basis: fmt.Sprintf("%s/known-%d", id, o.MayKnow.At)})
		}
	}
	return wanted
}

// untrue is the one table of what makes untrue what the person was told: each entry finds what did, of a journey, and
// when. What a partner does not know of has not been told to anybody.
var untrue = []struct {
	what  string
	since func(k *JourneyState) []Subscribed
}{
	{"an organisation that knew said no, or gave them back", ofOffers(func(o Offer, _ *JourneyState) []Subscribed {
		return only(o.knew() && o.EndedAt.At > 0 && !slices.Contains(notForThePerson, o.How), o.EndedAt)
	})},
	{"another organisation is asked in its place", ofOffers(func(o Offer, _ *JourneyState) []Subscribed {
		ended := o.EndedAt.At > 0 && !slices.Contains(notForThePerson, o.How)
		return only(o.knew() && !ended && o.PassedOn.At > o.Accepted.At, o.PassedOn)
	})},
	{"no organisation is left, so that the window is lost", func(k *JourneyState) []Subscribed {
		return only(k.Exhausted.At > 0, k.Exhausted)
	}},
	{"a session was called off, or has another time", ofSessions(func(a Appointment, _ *JourneyState) bool {
		return a.RingBy.IsZero()
	})},
	{"a session was called off while they were on hold, and nobody could tell them",
		ofSessions(func(a Appointment, k *JourneyState) bool {
			return !a.RingBy.IsZero() && k.Resumed.At > k.Reopened.At && k.Resumed.When.After(a.Ended.When)
		})},
}

func (o Offer) knew() bool { return o.Sent.At > 0 || o.Accepted.At > 0 }

func only(so bool, since Subscribed) []Subscribed {
	if so {
		return []Subscribed{since}
	}
	return nil
}

func ofOffers(of func(o Offer, k *JourneyState) []Subscribed) func(*JourneyState) []Subscribed {
	return func(k *JourneyState) (all []Subscribed) {
		for _, o := range k.Offers {
			all = append(all, of(o, k)...)
		}
		return all
	}
}

// ofSessions are those that were booked and called off, where it is so of them.
func ofSessions(so func(a Appointment, k *JourneyState) bool) func(*JourneyState) []Subscribed {
	return ofOffers(func(o Offer, k *JourneyState) (all []Subscribed) {
		for _, a := range o.Appointments {
			all = append(all, only(a.How == wasCancelled && a.Booked.At > 0 && so(a, k), a.Ended)...)
		}
		return all
	})
}

// changes are what made untrue what the person was told of their follow-up, since they were last told.
func (k *JourneyState) changes() (all []Subscribed) {
	for _, one := range untrue {
		all = append(all, one.since(k)...)
	}
	return slices.DeleteFunc(all, func(h Subscribed) bool { return h.At <= k.ToldUpTo })
}

// turns are the answers of services that are other than what they answered before, since the person was last told. They
// are threshold's, whose sequences are compared with its own alone.
func (k *JourneyState) turns() (all []Subscribed) {
	for _, a := range k.Services {
		all = append(all, only(a.turned() && a.Answered.At > k.ToldOfServices, a.Answered)...)
	}
	return all
}

// told notes that the person was told of all that had changed.
func (k *JourneyState) told() {
	for _, change := range k.changes() {
		k.ToldUpTo = max(k.ToldUpTo, change.At)
	}
	for _, turn := range k.turns() {
		k.ToldOfServices = max(k.ToldOfServices, turn.At)
	}
}

// toTell is that the person is told what has changed since they were last told: one step for all of it.
func (s situation) toTell() []DesiredStep {
	changes, turns := s.changes(), s.turns()
	if !s.followUp.is(true) {
		changes = nil
	}
	if len(changes)+len(turns) == 0 || !s.mayAsk() {
		return nil
	}
	bySequence := func(a, b Subscribed) int { return cmp.Compare(a.At, b.At) }
	basis, of := "", changes
	if len(changes) == 0 {
		basis, of = "service-", turns
	}
	first := slices.MinFunc(of, bySequence)
	return []DesiredStep{{Kind: stepTellPerson, Owner: teamLiaison, DueAt: s.nextAsk(first.When, s.Contact.When),
		Basis: basis + fmt.Sprint(first.At)}}
}

// toRing are the partners and the caller that are rung since somebody of theirs is about to go, or to ring: in every
// state.
func (s situation) toRing() []DesiredStep {
	var wanted []DesiredStep
	if s.callToStop() {
		wanted = append(wanted, DesiredStep{Kind: stepRingCaller, Owner: s.owners.Navigator,
			DueAt: latest(s.stoppedAt(), earliest(s.stoppedAt().Add(ringWithin), s.Call.DueAt)), Basis: s.Call.ID})
	}
	for _, offer := range slices.Sorted(maps.Keys(s.Offers)) {
		for _, id := range slices.Sorted(maps.Keys(s.Offers[offer].Appointments)) {
			if a := s.Offers[offer].Appointments[id]; !a.RingBy.IsZero() {
				wanted = append(wanted, DesiredStep{Kind: stepRingPartner, Owner: s.owners.Navigator, DueAt: a.RingBy,
					Basis: offer + "/" + id})
			}
		}
	}
	return wanted
}

// toReach are the partners to whom something that they were sent has not come: a navigator tells them another way, in
// every state. One that never knew of its offer need not be told that nothing is asked of it any more.
func (s situation) toReach() []DesiredStep {
	var wanted []DesiredStep
	for _, id := range slices.Sorted(maps.Keys(s.Offers)) {
		o := s.Offers[id]
		knew := o.Sent.At > 0 || o.Accepted.At > 0
		if first := o.Untold[0]; first.At > 0 && (knew || !o.Ended && o.PassedOn.At == 0 && s.Closed == nil) {
			wanted = append(wanted, DesiredStep{Kind: stepReachPartner, Owner: s.owners.Navigator,
				DueAt: first.When.Add(ringWithin), Basis: fmt.Sprintf("%s/untold-%d", id, first.At)})
		}
	}
	return wanted
}

// toTellReferrers are the organisations that referred the person to whom a mail that news waits did not come: a
// navigator tells them another way, in every state; none of whom the person said that they must not know.
func (s situation) toTellReferrers() []DesiredStep {
	var wanted []DesiredStep
	for _, referrer := range slices.Sorted(maps.Keys(s.Unread)) {
		if s.Bars(referrer) ||
			s.Closed != nil && s.Closed.Reason == schemas.ClosedInError || len(s.Unread[referrer].Mails) == 0 {
			continue
		}
		first := s.Unread[referrer].Mails[0]
		wanted = append(wanted, DesiredStep{Kind: stepTellReferrer, Owner: s.owners.Navigator,
			DueAt: first.When.Add(tellReferrerWithin), Basis: fmt.Sprintf("%s/unread-%d", referrer, first.At)})
	}
	return wanted
}

// stoppedAt is since when the person is not to be contacted, or not to be rung; the zero time where they may be.
func (s situation) stoppedAt() time.Time {
	calls := s.Consents[schemas.PurposeBridging].Since(s.AnsweredUpTo)
	newest := calls.Newest()
	switch {
	case s.Contact.is(false):
		return s.Contact.When
	case s.Hold != nil:
		return s.Hold.When
	case newest.At > 0 && !newest.Yes && !calls.Whole().Yes: // to any, or to the only one that rang by name
		return newest.When
	}
	if lapsed := s.Lapsed[schemas.PurposeBridging]; lapsed.At > newest.At && !calls.Whole().Yes {
		return lapsed.When // their yes is over, or a merge holds it
	}
	return time.Time{}
}

// beingMade is how long after its time somebody may still be making a call.
const beingMade = time.Hour

// callToStop says that a call lies so near, or may be being made, that whoever makes it is told by voice.
func (s situation) callToStop() bool {
	at := s.stoppedAt()
	return !at.IsZero() && s.callAhead() && s.Call.DueAt.After(at.Add(-beingMade)) &&
		s.Call.DueAt.Before(at.Add(aboutToGo)) && s.Call.When.Before(at)
}

// toDelete are the partners that have not said what they did with what they knew: of offers that they had taken on and
// that have ended.
func (s situation) toDelete() []DesiredStep {
	var wanted []DesiredStep
	for _, id := range slices.Sorted(maps.Keys(s.Offers)) {
		o := s.Offers[id]
		if o.Accepted.At == 0 || o.EndedAt.At < o.Accepted.At || o.Deleted.At > o.EndedAt.At {
			continue
		}
		if o.How == wasUndone && o.Shown.At == 0 {
			continue // it knew nothing
		}
		by := func(days int) time.Time {
			return (calendar.DayOf(o.EndedAt.When, s.zone) + calendar.Day(days)).At(dueHour, 0, s.zone)
		}
		basis := fmt.Sprintf("%s/%d", id, o.EndedAt.At)
		wanted = append(wanted, DesiredStep{Kind: stepDeletion, Owner: schemas.OwnerPartner + ":" + o.Partner,
			DueAt: by(deletionDays), Basis: basis},
			DesiredStep{Kind: stepDeletionLate, Owner: teamGovernance, DueAt: by(deletionLateDays), Basis: basis})
		if o.Undeleted.At > o.EndedAt.At {
			wanted = append(wanted, DesiredStep{Kind: stepAskDataContact, Owner: s.owners.Navigator,
				DueAt: by(deletionDays + 1), Basis: basis})
		}
	}
	return wanted
}
