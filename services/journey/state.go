package journey

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// JourneyState is everything that has been heard about one journey and bears on its steps. It is built by adding: each
// entry carries the sequence of the event that set it (sequences of one service are only compared with its own), an
// older one changes nothing, and the order of arrival does not matter.
type JourneyState struct {
	// Visits holds times in A&E and requests for support, by their opaque id.
	Visits   map[string]Visit           `json:"visits,omitempty"`
	Consents map[string]schemas.Answers `json:"consents,omitempty"` // by purpose
	Contact  Answer                     `json:"contact,omitzero"`   // Yes: contact may be made
	Gap      Subscribed                 `json:"gap,omitzero"`
	// Services are those that were asked for help, by the directory's id.
	Services map[string]Asking `json:"services,omitempty"`
	// Deletion is the last yes taken back: partners confirm what they did with the details they had.
	Deletion Subscribed `json:"deletion,omitzero"`
	// Expiring is the last yes that comes to its end; Questions, while Yes, what somebody has to ask about contact;
	// Merged, while not Yes, a merge that nobody has confirmed.
	Expiring  Subscribed       `json:"expiring,omitzero"`
	Questions Answer           `json:"questions,omitzero"`
	Merged    Answer           `json:"merged,omitzero"`
	Missing   Subscribed       `json:"missing,omitzero"` // facts that somebody has to find out
	Offers    map[string]Offer `json:"offers,omitempty"`
	// Exhausted is when no partner was left.
	Exhausted Subscribed `json:"exhausted,omitzero"`
	Plan      Plan       `json:"plan,omitzero"`
	Call      Call       `json:"call,omitzero"`

	schemas.Origin
	// Hold and Closed say so while it is; Resumed is when it was last released or reopened, and Reopened that it was
	// reopened, by the journey's own sequence. Answers to consent up to AnsweredUpTo were about what is over.
	Hold         *Hold      `json:"hold,omitempty"`
	Closed       *Closed    `json:"closed,omitempty"`
	Resumed      Subscribed `json:"resumed,omitzero"`
	Reopened     Subscribed `json:"reopened,omitzero"`
	AnsweredUpTo int64      `json:"answeredUpTo,omitempty"`
	// Pairs are records that were said to be one person's (Yes), or two people's, by both of them.
	Pairs map[string]Answer `json:"pairs,omitempty"`
	// Barred are the organisations that the person said must not know, by the event with sequence BarredAt.
	Barred   []string `json:"barred,omitempty"`
	BarredAt int64    `json:"barredAt,omitempty"`
	// Tries are when somebody tried to reach the person and got no answer.
	Tries []time.Time `json:"tries,omitempty"`

	// First and Last are the times of the earliest and the latest event.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// Subscribed is that something was said: its sequence and when.
type Subscribed struct {
	At   int64     `json:"at"`
	When time.Time `json:"when"`
}

func (h *Subscribed) apply(at int64, when time.Time) bool {
	if at <= h.At {
		return false
	}
	*h = Subscribed{At: at, When: when}
	return true
}

// Answer is a yes or no; with At 0 it has not been given.
type Answer struct {
	Subscribed
	Yes bool `json:"yes"`
}

func (a Answer) is(yes bool) bool { return a.At > 0 && a.Yes == yes }

// Visit is one time in A&E or urgent care, or one request for support. The greater of Recorded and Withdrawn is how
// it stands: a withdrawal that arrives before what it withdraws is a tombstone.
type Visit struct {
	Recorded  Subscribed `json:"recorded,omitzero"`
	Withdrawn Subscribed `json:"withdrawn,omitzero"`
	// LeftOn is the local day of leaving hospital, or of the request, as last said.
	LeftOn   string   `json:"leftOn,omitempty"`
	LeftOnAt int64    `json:"leftOnAt,omitempty"`
	Flags    []string `json:"flags,omitempty"`
	FlagsAt  int64    `json:"flagsAt,omitempty"`
	// Decided is the record of a young people's clinician; MayAnswer is who may answer by it, empty for an adult.
	Decided   Subscribed `json:"decided,omitzero"`
	MayAnswer string     `json:"mayAnswer,omitempty"`
}

func (v Visit) isActive() bool { return v.Recorded.At > v.Withdrawn.At }

// Offer is an offer as the journey knows it. An offer that was withdrawn before it was heard of has only Ended.
type Offer struct {
	Raised   Subscribed `json:"raised,omitzero"`
	Partner  string     `json:"partner,omitempty"`
	AnswerBy time.Time  `json:"answerBy,omitzero"`
	Late     bool       `json:"late,omitempty"`
	// Accepted is that the partner has taken it on, Completed that what it was for has been done. Ended: it was declined,
	// handed back or withdrawn.
	Accepted  Subscribed `json:"accepted,omitzero"`
	Completed Subscribed `json:"completed,omitzero"`
	// Sent: a channel's server took it. PassedOn: the next partner is asked, unless this one said yes since.
	Sent     Subscribed `json:"sent,omitzero"`
	PassedOn Subscribed `json:"passedOn,omitzero"`
	Ended    bool       `json:"ended,omitempty"`
}

// Asking is how it stands with one service: it was asked, and it answered. The greater of the two sequences is how it
// stands; By is the role that sees to it.
type Asking struct {
	Asked    Subscribed `json:"asked,omitzero"`
	By       string     `json:"by,omitempty"`
	AnswerBy time.Time  `json:"answerBy,omitzero"`
	Answered Subscribed `json:"answered,omitzero"`
	Answer   string     `json:"answer,omitempty"`
	SeenToBy string     `json:"seenToBy,omitempty"` // the role that recorded the answer
	// Questioned says that it may not decline for the reason that it gave: somebody asks it about that.
	Questioned bool `json:"questioned,omitempty"`
}

// pending says that an answer is still to come.
func (a Asking) pending() bool { return a.Asked.At > a.Answered.At }

// silent says that the last thing heard of it was no reply: it is asked again.
func (a Asking) silent() bool { return a.Answered.At > a.Asked.At && a.Answer == answerNoReply }

const answerNoReply = "no-reply"

// Plan is how the bridging plan stands: proposed, active, paused or ended.
type Plan struct {
	Subscribed
	ID    string `json:"id,omitempty"`
	State string `json:"state,omitempty"`
}

// Call is the bridging call that was scheduled last.
type Call struct {
	Subscribed
	ID    string    `json:"id,omitempty"`
	DueAt time.Time `json:"dueAt,omitzero"`
}

// began says whether what began the journey has been heard of.
func (k *JourneyState) began() bool { return k.PersonAt > 0 }

// apply notes that an event of this time concerns the journey.
func (k *JourneyState) apply(when time.Time) {
	if k.First.IsZero() || when.Before(k.First) {
		k.First = when
	}
	if when.After(k.Last) {
		k.Last = when
	}
}

func (k *JourneyState) visit(id string, change func(v *Visit)) {
	if k.Visits == nil {
		k.Visits = map[string]Visit{}
	}
	v := k.Visits[id]
	change(&v)
	k.Visits[id] = v
}

// addBeginning takes in a recorded discharge or a request for support.
func (k *JourneyState) addBeginning(at int64, when time.Time, person, sender, visit, leftOn string, flags []string) {
	k.Begin(at, person, sender)
	k.visit(visit, func(v *Visit) {
		v.Recorded.apply(at, when)
		v.left(at, leftOn)
		v.flag(at, flags)
	})
}

func (v *Visit) left(at int64, on string) {
	if on != "" && at > v.LeftOnAt {
		v.LeftOn, v.LeftOnAt = on, at
	}
}

// beganOn is the local day on which a journey began: the earliest on which somebody left hospital or asked, or on which
// anything was heard of it.
func (k *JourneyState) beganOn(zone *time.Location) calendar.Day {
	first := calendar.DayOf(k.First, zone)
	for _, v := range k.Visits {
		if day, err := calendar.ParseDay(v.LeftOn); err == nil {
			first = min(first, day)
		}
	}
	return first
}

func (v *Visit) flag(at int64, flags []string) {
	if at > v.FlagsAt {
		v.Flags, v.FlagsAt = slices.Sorted(slices.Values(flags)), at
	}
}

func (k *JourneyState) addCorrected(at int64, when time.Time, d schemas.DischargeCorrectedData) {
	k.Place(at, d.Organisation)
	k.visit(d.Visit, func(v *Visit) {
		v.left(at, d.LeftOn)
		if d.Flags != nil {
			v.flag(at, d.Flags)
		}
		if d.MayAnswer != "" && v.Decided.apply(at, when) {
			v.MayAnswer = d.MayAnswer
		}
	})
}

func (k *JourneyState) addWithdrawn(at int64, when time.Time, visit string) {
	k.visit(visit, func(v *Visit) { v.Withdrawn.apply(at, when) })
}

// addConsent takes in an answer, to whom it was given: a no to one partner ends nothing else, and a yes to one is to
// nobody else.
func (k *JourneyState) addConsent(d schemas.ConsentData, said schemas.Answered) {
	for _, purpose := range d.Purposes {
		if k.Consents == nil {
			k.Consents = map[string]schemas.Answers{}
		}
		answers := k.Consents[purpose]
		answers.Apply(d.Organisation, said)
		k.Consents[purpose] = answers
	}
}

func (k *JourneyState) addContact(at int64, when time.Time, may bool) {
	if k.Contact.apply(at, when) {
		k.Contact.Yes = may
	}
}

// addPair takes in that two records are one person's, or two people's.
func (k *JourneyState) addPair(at int64, when time.Time, d schemas.PersonMergedData, one bool) {
	if k.Pairs == nil {
		k.Pairs = map[string]Answer{}
	}
	key := min(d.Person, d.Other) + " " + max(d.Person, d.Other)
	pair := k.Pairs[key]
	if pair.apply(at, when) {
		pair.Yes = one
	}
	k.Pairs[key] = pair
}

// same are the other records that are said to be this journey's person's, sorted.
func (k *JourneyState) same() []string {
	found := []string{k.Person}
	for i := 0; i < len(found); i++ {
		for key, pair := range k.Pairs {
			one, other, _ := strings.Cut(key, " ")
			for _, next := range [][2]string{{one, other}, {other, one}} {
				if pair.Yes && next[0] == found[i] && !slices.Contains(found, next[1]) {
					found = append(found, next[1])
				}
			}
		}
	}
	return slices.Sorted(slices.Values(found[1:]))
}

// onHoldWith is the journey with which this one is held, or nil.
func (k *JourneyState) onHoldWith() *string {
	if k.Hold == nil || k.Hold.With == "" {
		return nil
	}
	return &k.Hold.With
}

// addBarred takes in the whole list of organisations that must not know, where an event speaks of it.
func (k *JourneyState) addBarred(at int64, organisations []string) {
	if organisations != nil && at > k.BarredAt {
		k.Barred, k.BarredAt = organisations, at
	}
}

// barred are the organisations from which the journey is kept. Its own looks after it, and is never among them.
func (k *JourneyState) barred() []string {
	return append([]string{}, slices.DeleteFunc(slices.Clone(k.Barred), func(o string) bool { return o == k.Sender })...)
}

func (k *JourneyState) offer(id string, change func(o *Offer)) {
	if k.Offers == nil {
		k.Offers = map[string]Offer{}
	}
	o := k.Offers[id]
	change(&o)
	k.Offers[id] = o
}

func (k *JourneyState) addRaised(at int64, when time.Time, d schemas.OfferRaisedData) {
	k.offer(d.Offer, func(o *Offer) {
		if o.Raised.apply(at, when) {
			o.Partner, o.AnswerBy, o.Late = d.Partner, d.AnswerBy.UTC(), d.Late
		}
	})
}

func (k *JourneyState) service(id string, change func(a *Asking)) {
	if k.Services == nil {
		k.Services = map[string]Asking{}
	}
	a := k.Services[id]
	change(&a)
	k.Services[id] = a
}

func (k *JourneyState) addAsked(at int64, when time.Time, d schemas.ServiceAskedData) {
	k.service(d.Service, func(a *Asking) {
		if a.Asked.apply(at, when) {
			a.By, a.AnswerBy = d.By, d.AnswerBy.UTC()
		}
	})
}

func (k *JourneyState) addAnswered(at int64, when time.Time, d schemas.ServiceAnsweredData) {
	k.service(d.Service, func(a *Asking) {
		if a.Answered.apply(at, when) {
			a.Answer, a.SeenToBy, a.Questioned = d.Answer, d.By, d.Questioned
		}
	})
}

func (k *JourneyState) addPlan(at int64, when time.Time, id, state string) {
	if k.Plan.apply(at, when) {
		k.Plan.ID, k.Plan.State = id, state
	}
}

func (k *JourneyState) addCall(at int64, when time.Time, d schemas.CallScheduledData) {
	k.addPlan(at, when, d.Plan, planActive) // a call ahead says that the plan goes on
	if k.Call.apply(at, when) {
		k.Call.ID, k.Call.DueAt = d.Call, d.DueAt.UTC()
	}
}

const (
	planProposed = "proposed"
	planActive   = "active"
	planPaused   = "paused"
	planEnded    = "ended"
)

// current returns the visit recorded last of those that stand.
func (k *JourneyState) current() (id string, v Visit, ok bool) {
	for other, o := range k.Visits {
		if o.isActive() && (!ok || cmp.Or(cmp.Compare(o.Recorded.At, v.Recorded.At), cmp.Compare(other, id)) > 0) {
			id, v, ok = other, o, true
		}
	}
	return id, v, ok
}

// askFrom is when asking begins: when the visit became known, and again when a stop on contact was lifted, a clinician
// had said who may be asked, or the journey went on after it was held or closed.
func (k *JourneyState) askFrom() time.Time {
	_, v, _ := k.current()
	return latest(v.Recorded.When, k.Contact.When, v.Decided.When, k.Resumed.When)
}

// cancelled returns the visit withdrawn last.
func (k *JourneyState) cancelled() (id string, v Visit, ok bool) {
	for other, o := range k.Visits {
		if o.Withdrawn.At > 0 && (!ok || cmp.Or(cmp.Compare(o.Withdrawn.At, v.Withdrawn.At), cmp.Compare(other, id)) > 0) {
			id, v, ok = other, o, true
		}
	}
	return id, v, ok
}

// active returns the offer that stands, the one raised last if several seem to.
func (k *JourneyState) active() (id string, o Offer, ok bool) {
	for other, p := range k.Offers {
		if p.Raised.At > 0 && !p.Ended && p.PassedOn.At <= p.Accepted.At && p.Completed.At == 0 && (!ok || p.Raised.At > o.Raised.At) {
			id, o, ok = other, p, true
		}
	}
	return id, o, ok
}
