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
	Expiring  Subscribed `json:"expiring,omitzero"`
	Questions Answer     `json:"questions,omitzero"`
	Merged    Answer     `json:"merged,omitzero"`
	// Missing are facts that somebody asks for; Facts what was last said of each.
	Missing Missing             `json:"missing,omitzero"`
	Facts   map[string]FactSaid `json:"facts,omitempty"`
	// Ages are what was said of the person's age, TakesOver who looks after them from 18 on, and Met that they have
	// met.
	Ages      []AgeSaid `json:"ages,omitempty"`
	TakesOver string    `json:"takesOver,omitempty"`
	Met       string    `json:"met,omitempty"`
	// Assessed is what was said to have become of the assessment; Assessment who holds the last one. FirstContact is an
	// early voice that the person asked for.
	Assessed     Said         `json:"assessed,omitzero"`
	Assessment   *Assessment  `json:"assessment,omitempty"`
	FirstContact FirstContact `json:"firstContact,omitzero"`
	// Reached is when somebody last recorded how the person may be reached safely; MayBeRung in which hours.
	Reached Subscribed `json:"reached,omitzero"`
	schemas.MayBeRung
	// Helps are requests for help, by their id; Outcomes what became of calls, by the call's.
	Helps    map[string]Help    `json:"helps,omitempty"`
	Outcomes map[string]Outcome `json:"outcomes,omitempty"`
	// Review is that a plan of calls is to be looked at with the person.
	Review Review `json:"review,omitzero"`
	// Stop is that somebody on the telephone asked for the calls to stop, in the person's place; StopCall on which.
	Stop     Subscribed `json:"stop,omitzero"`
	StopCall string     `json:"stopCall,omitempty"`
	StopAt   time.Time  `json:"stopAt,omitzero"` // when it was said, which may have been written down later
	// OwnPage is what happened last on the person's own page that they are asked about.
	OwnPage Subscribed `json:"ownPage,omitzero"`
	// Looks are those from other organisations, which are reviewed.
	Looks Looks `json:"looks,omitzero"`
	// Lapsed is when an answer counted no more, by purpose: the person is asked from then on.
	Lapsed map[string]Subscribed `json:"lapsed,omitempty"`
	// ToldUpTo is up to what change the person has been told, by the sequence of follow-up.
	ToldUpTo int64 `json:"toldUpTo,omitempty"`
	// ToldOfServices is up to which answer of a service they have been told, by the sequence of threshold.
	ToldOfServices int64            `json:"toldOfServices,omitempty"`
	Offers         map[string]Offer `json:"offers,omitempty"`
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
	schemas.MustNotKnow
	// Unread is what did not come to the mailboxes of organisations that referred the person, by their codes.
	Unread map[string]Unread `json:"unread,omitempty"`
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

// FactSaid is the sequence of what was last said of a fact: that it is so, or was asked for in vain; negative, that it
// is known no more. A journey has many facts and is stored often, so that each is a number and no more.
type FactSaid int64

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
	Raised     Subscribed `json:"raised,omitzero"`
	Partner    string     `json:"partner,omitempty"`
	AnswerBy   time.Time  `json:"answerBy,omitzero"`
	AnswerByAt int64      `json:"answerByAt,omitempty"`
	Late       bool       `json:"late,omitempty"`
	LastDay    string     `json:"lastDay,omitempty"` // of its window
	// NotInTime: the last day of its window is near, and no session is within it.
	NotInTime Subscribed `json:"notInTime,omitzero"`
	// Accepted is that the partner has taken it on, Completed that what it was for has been done. Ended: it was
	// declined, handed back or withdrawn.
	Accepted  Subscribed `json:"accepted,omitzero"`
	Completed Subscribed `json:"completed,omitzero"`
	// Sent: a channel's server took it. PassedOn: the next partner is asked, unless this one said yes since.
	Sent     Subscribed `json:"sent,omitzero"`
	PassedOn Subscribed `json:"passedOn,omitzero"`
	Ended    bool       `json:"ended,omitempty"`
	// How it ended, and when; Deleted is that the partner said what it did with what it had been told.
	EndedAt Subscribed `json:"endedAt,omitzero"`
	How     string     `json:"how,omitempty"`
	Deleted Subscribed `json:"deleted,omitzero"`
	// Untold are what was sent to the partner and has not come to it since somebody there last heard by telephone: the
	// first and the last. HeardUpTo is up to what they have heard, by the sequence of delivery.
	Untold    [2]Subscribed `json:"untold,omitzero"`
	HeardUpTo int64         `json:"heardUpTo,omitempty"`
	// MayKnow is that somebody at the partner may know the person.
	MayKnow Subscribed `json:"mayKnow,omitzero"`
	// Shown is that somebody at the partner has looked at who the person is.
	Shown Subscribed `json:"shown,omitzero"`
	// Introduced is that the person was introduced to whoever sees them there.
	Introduced Subscribed `json:"introduced,omitzero"`
	// Undeleted: the third day has come, and the partner has not said what it did with what it knew.
	Undeleted Subscribed `json:"undeleted,omitzero"`
	// PersonAnswersBy is until when the person's own answer is hoped for; Confirmed that they gave it. BookBy is by
	// when a time is agreed.
	PersonAnswersBy time.Time  `json:"personAnswersBy,omitzero"`
	Confirmed       Subscribed `json:"confirmed,omitzero"`
	BookBy          time.Time  `json:"bookBy,omitzero"`
	BookByAt        int64      `json:"bookByAt,omitempty"`
	// AcceptedLate: it said yes beside another. Next is what was agreed to come after what it was for.
	AcceptedLate Subscribed             `json:"acceptedLate,omitzero"`
	Next         string                 `json:"next,omitempty"`
	Appointments map[string]Appointment `json:"appointments,omitempty"`
	Questions    map[string]Question    `json:"questions,omitempty"`
}

// Appointment is a session's time, and what became of it: by the greater of the two sequences.
type Appointment struct {
	Booked    Subscribed `json:"booked,omitzero"`
	On        string     `json:"on,omitempty"` // its local day
	OutcomeBy time.Time  `json:"outcomeBy,omitzero"`
	Ended     Subscribed `json:"ended,omitzero"`
	How       string     `json:"how,omitempty"` // kept, not-kept or cancelled
	// BookBy is by when another time is agreed; RingBy by when a navigator has rung the partner.
	BookBy time.Time `json:"bookBy,omitzero"`
	RingBy time.Time `json:"ringBy,omitzero"`
}

const (
	wasKept      = "kept"
	wasNotKept   = "not-kept"
	wasCancelled = "cancelled"
)

// Question is what a partner asked about an offer.
type Question struct {
	Asked    Subscribed `json:"asked,omitzero"`
	Answered Subscribed `json:"answered,omitzero"`
}

// Missing is which facts somebody asks for.
type Missing struct {
	Subscribed
	Facts []string `json:"facts,omitempty"`
}

// AgeSaid is what one event said of the person's age: in whole years, and the day by which they are a year older.
type AgeSaid struct {
	Subscribed
	Age     int    `json:"age,omitempty"`
	RisesOn string `json:"risesOn,omitempty"`
}

// Help is that help was asked for, and that somebody took it on.
type Help struct {
	Asked Subscribed `json:"asked,omitzero"`
	Kind  string     `json:"kind,omitempty"`
	DueAt time.Time  `json:"dueAt,omitzero"`
	Taken Subscribed `json:"taken,omitzero"`
}

// Outcome is what became of a call last: whether it reached the person, and on which local day it is tried again.
type Outcome struct {
	Subscribed
	Reached   bool   `json:"reached,omitempty"`
	Again     string `json:"again,omitempty"`
	Navigator string `json:"navigator,omitempty"` // the kind of step by which a navigator decides how to go on
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
	// Said is the newest sequence with which it gave each answer that the person may have been told.
	Said map[string]int64 `json:"said,omitempty"`
}

// turned says that it answered otherwise than it had before: yes, no, or that there is a list.
func (a Asking) turned() bool {
	for answer, at := range a.Said {
		if a.Said[a.Answer] > at && answer != a.Answer {
			return true
		}
	}
	return false
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
	// NobodyRings: of those to whom the person said yes nobody may ring at present.
	NobodyRings bool `json:"nobodyRings,omitempty"`
}

// Review is that somebody is asked to look at a plan of calls with the person.
type Review struct {
	Subscribed
	Plan string `json:"plan,omitempty"`
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
			o.Partner, o.Late, o.LastDay = d.Partner, d.Late, d.LastDay
			o.answerBy(at, d.AnswerBy)
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
		if d.Answer != answerNoReply && at > a.Said[d.Answer] {
			if a.Said == nil {
				a.Said = map[string]int64{}
			}
			a.Said[d.Answer] = at
		}
	})
}

func (k *JourneyState) addPlan(at int64, when time.Time, id, state string) {
	if k.Plan.apply(at, when) {
		k.Plan.ID, k.Plan.State, k.Plan.NobodyRings = id, state, false
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
// had said who may be asked, an answer counted no more, the person had said no to one partner and to nobody else, or
// the journey went on after it was held or closed.
func (k *JourneyState) askFrom() time.Time {
	_, v, _ := k.current()
	return latest(v.Recorded.When, k.Contact.When, v.Decided.When, k.Resumed.When,
		k.Consents[schemas.PurposeFollowUp].Newest().When)
}

// cancelled returns the visit withdrawn last.
func (k *JourneyState) cancelled() (id string, v Visit, ok bool) {
	for other, o := range k.Visits {
		if o.Withdrawn.At > 0 && (!ok || cmp.Or(cmp.Compare(o.Withdrawn.At, v.Withdrawn.At),
			cmp.Compare(other, id)) > 0) {
			id, v, ok = other, o, true
		}
	}
	return id, v, ok
}

// active returns the offer that stands, the one raised last if several seem to.
func (k *JourneyState) active() (id string, o Offer, ok bool) {
	for other, p := range k.Offers {
		if p.Raised.At > 0 && !p.Ended && p.PassedOn.At <= p.Accepted.At && p.Completed.At == 0 &&
			(!ok || p.Raised.At > o.Raised.At) {
			id, o, ok = other, p, true
		}
	}
	return id, o, ok
}

// answerBy and bookBy take in by when the partner is asked to answer, or to agree on a time: the newest that says so
// stands.
func (o *Offer) answerBy(at int64, by time.Time) {
	if at > o.AnswerByAt {
		o.AnswerBy, o.AnswerByAt = by.UTC(), at
	}
}

func (o *Offer) bookBy(at int64, by *time.Time) {
	if by != nil && at > o.BookByAt {
		o.BookBy, o.BookByAt = by.UTC(), at
	}
}

// end notes that an offer stands no more, and how: the newest that says so stands.
func (k *JourneyState) end(id string, at int64, when time.Time, how string) {
	k.offer(id, func(o *Offer) {
		o.Ended = true
		if o.EndedAt.apply(at, when) {
			o.How = how
		}
	})
}

// addUntold takes in that something about an offer has not come to its partner.
func (k *JourneyState) addUntold(offer, partner string, at int64, when time.Time) {
	k.offer(offer, func(o *Offer) {
		if at <= o.HeardUpTo {
			return
		}
		o.Partner = cmp.Or(o.Partner, partner)
		first, last := &o.Untold[0], &o.Untold[1]
		if first.At == 0 || at < first.At {
			*first = Subscribed{at, when}
		}
		last.apply(at, when)
	})
}

// heard takes in that somebody at an offer's partner has heard what had not come to it.
func (k *JourneyState) heard(offer string) {
	k.offer(offer, func(o *Offer) { o.HeardUpTo, o.Untold = o.Untold[1].At, [2]Subscribed{} })
}

// Unread are the mails to an organisation that referred the person which have not come to it, by the sequence of
// delivery and oldest first, and up to which it has been told since.
type Unread struct {
	Mails []Subscribed `json:"mails,omitempty"`
	UpTo  int64        `json:"upTo,omitempty"`
}

// referrerUntold takes in that a mail to an organisation that referred the person did not come.
func (k *JourneyState) referrerUntold(organisation string, at int64, when time.Time) {
	u := k.Unread[organisation]
	place, known := slices.BinarySearchFunc(u.Mails, at,
		func(m Subscribed, at int64) int { return cmp.Compare(m.At, at) })
	if known || at <= u.UpTo {
		return
	}
	u.Mails = slices.Insert(slices.Clone(u.Mails), place, Subscribed{at, when})
	k.setUnread(organisation, u)
}

// referrerTold takes in that an organisation that referred the person has been told of all up to a sequence.
func (k *JourneyState) referrerTold(organisation string, upTo int64) {
	u := k.Unread[organisation]
	if u.UpTo = max(u.UpTo, upTo); len(u.Mails) > 0 {
		u.Mails = slices.DeleteFunc(slices.Clone(u.Mails), func(m Subscribed) bool { return m.At <= u.UpTo })
	}
	k.setUnread(organisation, u)
}

// referrerHeard takes in that somebody there has heard what had not come.
func (k *JourneyState) referrerHeard(organisation string) {
	if mails := k.Unread[organisation].Mails; len(mails) > 0 {
		k.referrerTold(organisation, mails[len(mails)-1].At)
	}
}

func (k *JourneyState) setUnread(organisation string, u Unread) {
	if k.Unread == nil {
		k.Unread = map[string]Unread{}
	}
	k.Unread[organisation] = u
}

func (k *JourneyState) appointment(offer, id string, change func(a *Appointment)) {
	k.offer(offer, func(o *Offer) {
		if o.Appointments == nil {
			o.Appointments = map[string]Appointment{}
		}
		a := o.Appointments[id]
		change(&a)
		o.Appointments[id] = a
	})
}

// became notes what became of an appointment.
func (k *JourneyState) became(offer, id, how string, at int64, when time.Time, bookBy, ringBy *time.Time) {
	k.appointment(offer, id, func(a *Appointment) {
		if a.Ended.apply(at, when) {
			a.How, a.BookBy, a.RingBy = how, utc(bookBy), utc(ringBy)
		}
	})
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// appointmentNow is the appointment of an offer of which was heard last.
func (o Offer) appointmentNow() (id string, a Appointment, ok bool) {
	for other, p := range o.Appointments {
		if p.Booked.At > 0 && (!ok || p.Booked.At > a.Booked.At) {
			id, a, ok = other, p, true
		}
	}
	return id, a, ok
}

func (a Appointment) ahead() bool { return a.Booked.At > a.Ended.At }

// tried says that sessions did not take place as often as is agreed: a navigator decides.
func (a Appointment) tried() bool { return !a.ahead() && a.How == wasNotKept && a.BookBy.IsZero() }

func (k *JourneyState) question(offer, id string, change func(q *Question)) {
	k.offer(offer, func(o *Offer) {
		if o.Questions == nil {
			o.Questions = map[string]Question{}
		}
		q := o.Questions[id]
		change(&q)
		o.Questions[id] = q
	})
}

// state takes in which facts an event states, takes back, or was told that nobody will say.
func (k *JourneyState) state(at int64, when time.Time, facts *schemas.Facts, takenBack, notSaid []string) {
	if facts == nil {
		facts = &schemas.Facts{}
	}
	if facts.Age != nil || facts.AgeRisesOn != nil {
		k.addAge(at, when, *facts)
	}
	if taken := slices.Contains(takenBack, "assessment"); (facts.Assessment != nil || taken) &&
		k.Assessed.apply(at, when) {
		k.Assessed.Said = ""
		if facts.Assessment != nil {
			k.Assessed.Said = *facts.Assessment
		}
	}
	for name, value := range facts.Fields() {
		switch {
		case !value.IsZero() || slices.Contains(notSaid, name):
			k.fact(name, at, FactSaid(at))
		case slices.Contains(takenBack, name):
			k.fact(name, at, FactSaid(-at))
		}
	}
}

func (k *JourneyState) fact(name string, at int64, said FactSaid) {
	if k.Facts == nil {
		k.Facts = map[string]FactSaid{}
	}
	if at > max(int64(k.Facts[name]), -int64(k.Facts[name])) {
		k.Facts[name] = said
	}
}

// addAge keeps what was said of the age, each event once, in the order in which it was said.
func (k *JourneyState) addAge(at int64, when time.Time, facts schemas.Facts) {
	said := AgeSaid{Subscribed: Subscribed{at, when}}
	if facts.Age != nil {
		said.Age = *facts.Age
	}
	if facts.AgeRisesOn != nil {
		said.RisesOn = *facts.AgeRisesOn
	}
	i, found := slices.BinarySearchFunc(k.Ages, at, func(a AgeSaid, at int64) int { return cmp.Compare(a.At, at) })
	if !found {
		k.Ages = slices.Insert(k.Ages, i, said)
	}
}

// turning is since when it is known that somebody who is 17 turns 18, and by which day. It stays known afterwards.
func (k *JourneyState) turning() (since AgeSaid, ok bool) {
	age, rises := 0, ""
	for _, said := range k.Ages {
		age, rises = cmp.Or(said.Age, age), cmp.Or(said.RisesOn, rises)
		if age == 17 && rises != "" {
			return AgeSaid{said.Subscribed, age, rises}, true
		}
		if said.Age > 0 && said.RisesOn == "" {
			rises = "" // the day that was known is over
		}
	}
	return AgeSaid{}, false
}

// missing are the facts that are asked for still, in the order in which they open most.
func (k *JourneyState) missing() []string {
	return slices.DeleteFunc(slices.Clone(k.Missing.Facts), func(name string) bool { return k.Facts[name] > 0 })
}

func (k *JourneyState) help(id string, change func(h *Help)) {
	if k.Helps == nil {
		k.Helps = map[string]Help{}
	}
	h := k.Helps[id]
	change(&h)
	k.Helps[id] = h
}

// addOutcome takes in what became of a call.
func (k *JourneyState) addOutcome(call string, at int64, when time.Time, o Outcome) {
	if k.Outcomes == nil {
		k.Outcomes = map[string]Outcome{}
	}
	if at > k.Outcomes[call].At {
		o.Subscribed = Subscribed{at, when}
		k.Outcomes[call] = o
	}
}

// merged is the other record of the newest merge that is said to be so.
func (k *JourneyState) mergedWith() string {
	other, newest := "", int64(0)
	for key, pair := range k.Pairs {
		one, two, _ := strings.Cut(key, " ")
		if pair.Yes && pair.At > newest && (one == k.Person || two == k.Person) {
			newest, other = pair.At, one
			if one == k.Person {
				other = two
			}
		}
	}
	return other
}

// lapse notes that answers count no more.
func (k *JourneyState) lapse(purposes []string, at int64, when time.Time) {
	if k.Lapsed == nil {
		k.Lapsed = map[string]Subscribed{}
	}
	for _, purpose := range purposes {
		lapsed := k.Lapsed[purpose]
		lapsed.apply(at, when)
		k.Lapsed[purpose] = lapsed
	}
}

// lapsedAt is when an answer last counted no more.
func (k *JourneyState) lapsedAt() (at int64) {
	for _, lapsed := range k.Lapsed {
		at = max(at, lapsed.At)
	}
	return at
}

// lastEnded is when an offer last came to its end; the zero time where none has.
func (k *JourneyState) lastEnded() (when time.Time) {
	for _, o := range k.Offers {
		when = latest(when, o.EndedAt.When)
	}
	return when
}
