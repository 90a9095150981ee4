package followup

import (
	"cmp"
	"slices"
	"time"

	"footbridge/libs/calendar"
)

// Candidate is a partner looked at for a journey: the offer may go to it, or not, and why.
type Candidate struct {
	Partner
	Fits bool
	Why  string
	// Given says that the person's yes covers it, Named that it names it.
	Given, Named bool
	again        bool  // it said that it had no place, in another week
	opened       int64 // sequence of the decision that first found its service open
	near         int   // how near it is, as far as is known
	chosen       int64 // sequence of the person's yes by its name
}

// considered looks at every partner for a journey, and says of each why it is asked or is not. Unknown is not no: what
// is not known of a partner or of the person excludes nothing.
func considered(k *JourneyState, past []Offer, partners []Partner, w Moment, last calendar.Day) []Candidate {
	answers, open := k.answers(), k.open()
	all := make([]Candidate, 0, len(partners))
	for _, p := range partners {
		c := Candidate{Partner: p, Given: answers.To(p.ID).Yes, opened: open[p.Service],
			near: p.nearness(k.Facts.Facts)}
		c.again = slices.ContainsFunc(past, func(o Offer) bool {
			return o.Partner == p.ID && o.declinedFull() && k.sinceNow(o, w)
		})
		if c.Named = slices.Contains(answers.Yes(), p.ID); c.Named {
			c.chosen = answers.Named[p.ID].At
		}
		c.Why = k.against(p, past, w, last)
		if c.Fits = c.Why == ""; c.Fits {
			c.Why = whyFits
			if c.Named {
				c.Why = whyNamed
			}
		}
		all = append(all, c)
	}
	slices.SortFunc(all, before)
	return all
}

// against says why a partner is not asked, or "".
func (k *JourneyState) against(p Partner, past []Offer, w Moment, last calendar.Day) string {
	_, open := k.open()[p.Service]
	said := k.answers().To(p.ID)
	switch {
	case k.Bars(p.ID):
		return whyMustNotKnow
	case said.At > 0 && !said.Yes: // to it by name, or to all but those that they named
		return whySaidNo
	case !open:
		return whyNotOpen
	case k.tried(p, past, w):
		return whyTried
	case p.Agreement != nil && !p.Agreement.holds(w.today()):
		return whyEnded
	case p.PausedUntil >= w.today():
		return whyPaused
	case len(p.Away) > 0 && last > w.today() && p.workingDay(w.today(), 1, w.Holidays) > last:
		return whyAway
	}
	return p.offers(k.Facts.Facts)
}

// mostFull is how many weeks without a place for them a partner may have before it is asked no more: the navigator then
// decides, and the person is told (ADR 33).
const mostFull = 2

// tried says whether a partner is not asked again since the journey last went on: it gave an answer, or none. One that
// had no place is asked again in another week, twice in all; one that said so itself within the same window, and after
// all others. So is one that could not be told, once it has changed.
func (k *JourneyState) tried(p Partner, past []Offer, w Moment) bool {
	full := 0
	for _, o := range past {
		switch {
		case o.Partner != p.ID || !k.sinceNow(o, w):
		case o.declinedFull():
			if full++; !anotherWeek(o, w) || w.today() > o.Window.Last-daysForNext {
				return true
			}
		case slices.Contains([]string{stateDeclined, statePassedOn, stateHandedBack}, o.State):
			return true
		case o.Because != becauseNotDelivered || p.ChangedAt.After(o.EndedAt):
		case o.PlacedAt.IsZero() && (p.Weekly > 0 || p.AtMost > 0) && anotherWeek(o, w):
			full++
		default:
			return true
		}
	}
	return full >= mostFull
}

// declinedFull says that its partner had no place, and said so.
func (o Offer) declinedFull() bool {
	return o.State == stateDeclined && (o.Because == declineCapacity || o.Because == declineNoPlace)
}

// The codes by which a partner says that it has no place: the national one, and ours.
const declineCapacity, declineNoPlace = "22", "no-place"

// anotherWeek says whether a week has begun since an offer ended.
func anotherWeek(o Offer, w Moment) bool {
	return monday(w.today()) > monday(calendar.DayOf(o.EndedAt, w.Zone))
}

// nextLook is when time alone may bring a partner to somebody for whom none was left: the first of the days on which a
// new week begins, or something ends that stands against a partner, and on which one fits then. It is the zero time
// where there is no such day.
func nextLook(k *JourneyState, wanted Desired, past []Offer, partners []Partner, w Moment) (at time.Time) {
	last := windowFor(wanted, past, w.today()).Last - daysForNext
	for _, p := range partners {
		for _, day := range p.changes(monday(w.today())+7, last) {
			then := w
			then.Now = day.At(0, 0, w.Zone)
			if day > w.today() && (at.IsZero() || then.Now.Before(at)) &&
				k.against(p, past, then, windowFor(wanted, past, day).Last-daysForNext) == "" {
				at = then.Now
			}
		}
	}
	return at
}

// changes are the days on which time alone may change whether a partner may be asked, besides others that are known.
func (p Partner) changes(others ...calendar.Day) []calendar.Day {
	days := append(others, p.PausedUntil+1)
	if p.Agreement != nil {
		days = append(days, p.Agreement.First)
	}
	for _, s := range p.Away {
		days = append(days, s.Last+1)
	}
	return days
}

// sinceNow says whether an offer was about the visit that stands, since the journey last went on.
func (k *JourneyState) sinceNow(o Offer, w Moment) bool {
	visit, _, _ := k.Visits.Current()
	from, goesOn := k.from()
	return o.Visit == visit && (!goesOn || calendar.DayOf(o.EndedAt, w.Zone) >= from)
}

// sinceReopened says whether an offer was about a visit, since the journey was last reopened, however often it was
// held.
func (k *JourneyState) sinceReopened(o Offer, visit string, w Moment) bool {
	return o.Visit == visit && calendar.DayOf(o.EndedAt, w.Zone).String() >= k.Reopened.On
}

// before orders partners: those that fit first; one that had no place in another week last of them; the person's own
// order; one with an agreement before one without; who
// was found open first; who is nearer; then rank and id, so that any order of the same decisions finds the same. How
// many others a partner has does not order it: an offer would change hands with every other one. It decides once,
// between equals, when an offer is prepared (fairest). Who has no place is passed by when a place is taken.
func before(a, b Candidate) int {
	return cmp.Or(standing(a, b), cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.ID, b.ID))
}

// standing is before without rank: 0 between equals.
func standing(a, b Candidate) int {
	return cmp.Or(yesFirst(a.Fits, b.Fits), yesFirst(b.again, a.again), yesFirst(a.Named, b.Named),
		cmp.Compare(a.chosen, b.chosen),
		yesFirst(a.Given, b.Given),
		yesFirst(a.Agreement != nil, b.Agreement != nil), cmp.Compare(a.opened, b.opened), cmp.Compare(a.near, b.near))
}

// fairest is which of those that fit, in order, is asked: of those of equal standing with the first the one that has
// taken fewest this week in relation to its weekly places, and of those the first. One that named no bound is taken to
// have as many places as the largest of its equals.
func fairest(fits []Candidate) int {
	most := 1
	for _, c := range fits {
		if standing(fits[0], c) == 0 {
			most = max(most, c.Weekly)
		}
	}
	places := func(c Candidate) int { return cmp.Or(c.Weekly, most) }
	best := 0
	for i, c := range fits {
		if standing(fits[0], c) == 0 && c.Week*places(fits[best]) < fits[best].Week*places(c) {
			best = i
		}
	}
	return best
}

// nextAsked is which of those that fit, in order, is asked: whoever took its answer back is asked again.
func nextAsked(fits []Candidate, past []Offer) int {
	if i := askedAgain(fits, past); i >= 0 {
		return i
	}
	return fairest(fits)
}

// askedAgain is which of those that fit took its answer back last, so that it is asked again, and -1 where none did, or
// where the person's yes is to others meanwhile.
func askedAgain(fits []Candidate, past []Offer) int {
	for _, o := range slices.Backward(past) {
		if o.Because == becauseReplaced {
			continue // nobody knew of it
		}
		if o.Because == becauseUndone {
			return slices.IndexFunc(fits, func(c Candidate) bool {
				return c.ID == o.Partner && c.Given == fits[0].Given
			})
		}
		break
	}
	return -1
}

func yesFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// fitting are the partners that may be asked, in order.
func fitting(all []Candidate) []Candidate {
	return slices.DeleteFunc(slices.Clone(all), func(c Candidate) bool { return !c.Fits })
}
