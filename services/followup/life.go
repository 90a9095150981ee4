package followup

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// Offer is a follow-up asked of one partner. While its state is raised, nothing has left the NHS boundary.
type Offer struct {
	ID, Journey, Organisation, Person, Partner string
	Visit                                      string
	LeftOn                                     calendar.Day
	Window                                     Window
	AnswerBy                                   time.Time
	Consent                                    string
	State                                      string
	Because                                    string // why it no longer stands
	// PlacedAt is when a place of the partner's was taken for it: from then on it may be told. SentAt is when a
	// channel's server took it. AcceptedAt is when its partner said yes.
	PlacedAt, SentAt, AcceptedAt, EndedAt time.Time
	PlacedWeek                            calendar.Day // the Monday of the week of PlacedAt
	// LateSaid is the last day of the window of which it was said that no session is within it.
	LateSaid calendar.Day
	// YesBy is until when a place is kept for the person's own answer, BookBy until when a time is to be agreed on.
	YesBy, BookBy time.Time
	Nudged        string // of what the partner was reminded since the offer last moved
	NotKept       int    // how often a session did not take place as agreed
	// Paused: contact is stopped, somebody else has the person, or their yes is asked for again. The place is kept, and
	// nobody outside is told anything.
	Paused bool
	// Spread: of partners of equal standing it was prepared for this one, which had taken fewest this week.
	Spread  bool
	LateYes bool // said yes after it had been passed over, beside another's acceptance
	// AnsweredUpTo is the newest that the person had answered when it ended since they were not reached.
	AnsweredUpTo int64
	DeletedAt    time.Time // when the partner said what it did with what it knew; KeptBecause is why it kept something
	KeptBecause  string
	Introduced   string    // how the person was introduced to whoever sees them there
	Kept         []string  // what, as codes
	MayKnow      string    // who is to see to it instead, where somebody at the partner may know the person
	DueAt        time.Time // when time alone changes something, zero where nothing does
	// Session is the appointment that stands.
	Session *Appointment
	byLink  bool // declined a moment ago, by the link of a mail
	// ended are appointments to be written that do not stand any more.
	ended []Appointment
}

// Appointment is a session with a time.
type Appointment struct {
	ID       string
	StartsAt time.Time
	Day      calendar.Day
	Channel  string
	Minutes  int
	State    string
	BookedAt time.Time
	EndedAt  time.Time
	fresh    bool // has no row yet
}

// within says whether a session is at a time at which the person can be reached safely: in person at any.
func (a Appointment) within(hours schemas.MayBeRung, zone *time.Location) bool {
	return a.Channel == inPerson || hours.Holds(a.StartsAt.In(zone), a.Minutes)
}

// placedIn is the Monday of the week in which a place was taken, as text, empty before.
func (o *Offer) placedIn() string {
	if o.PlacedAt.IsZero() {
		return ""
	}
	return o.PlacedWeek.String()
}

// The states of an offer.
const (
	stateRaised       = "raised"
	stateSent         = "sent"
	stateAcknowledged = "acknowledged"
	stateAccepted     = "accepted"
	stateWaiting      = "waiting" // for the person's own yes to this partner
	stateBooked       = "booked"
	stateKept         = "kept" // what comes next has not been said yet
	stateNotKept      = "not-kept"
	stateDeclined     = "declined"
	statePassedOn     = "passed-on"
	stateWithdrawn    = "withdrawn"
	stateHandedBack   = "handed-back"
	stateCompleted    = "completed"
	stateCancelled    = "cancelled" // of an appointment
)

// How long things may take; defaults, for a clinical safety officer to set.
const (
	bookWithin  = 2                   // the partner's working days from its yes, and the person's, to a time agreed on
	yesWithin   = 24 * time.Hour      // by when the person's own answer is hoped for
	yesAtMost   = 3 * 24 * time.Hour  // until when the place is kept for it
	triesToBook = 3                   // sessions that are tried before a navigator decides
	aboutToGo   = 48 * time.Hour      // so long before a session a navigator rings the partner
	ringWithin  = time.Hour           // within which it does
	lookAgain   = time.Hour           // when an offer that could not be sent is looked at again
	undoWithin  = 5 * time.Minute     // for so long nobody else is told after a no by a link
	ahead       = 30 * 24 * time.Hour // an offer that was handed back is seen to before all others
)

// Moment is what a decision about an offer is made with.
type Moment struct {
	Now      time.Time
	Zone     *time.Location
	Holidays *calendar.Holidays
}

func (w Moment) today() calendar.Day { return calendar.DayOf(w.Now, w.Zone) }

// Effect is an event that follows.
type Effect struct {
	Type schemas.Type
	Data any
}

func (o *Offer) open() bool { return o != nil && o.EndedAt.IsZero() }

// notReached says that it ended since the person could not be reached.
func (o *Offer) notReached() bool {
	return o.State == stateWithdrawn && o.Because == becauseNotReached ||
		o.State == stateHandedBack && o.Because == wentNoContact
}

// told says whether its partner may know of the offer.
func (o *Offer) told() bool { return o.open() && o.State != stateRaised }

// taken says whether its partner has taken it on.
func (o *Offer) taken() bool {
	return o.open() && slices.Contains([]string{stateAccepted, stateWaiting, stateBooked, stateKept, stateNotKept},
		o.State)
}

// asked says whether its partner has been asked and has not answered.
func (o *Offer) asked() bool {
	return o.open() && (o.State == stateSent || o.State == stateAcknowledged)
}

// move brings an offer to another state, in which nothing has been reminded of yet.
func (o *Offer) move(state string) { o.State, o.Nudged = state, "" }

// end ends an offer; what was booked is cancelled.
func (o *Offer) end(state, because string, w Moment) []Effect {
	effects := o.cancel(w, true)
	o.move(state)
	o.Because, o.EndedAt, o.Paused = because, w.Now, false
	switch state {
	case stateWithdrawn:
		return append(effects, Effect{schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: o.ID, Reason: because}})
	case stateDeclined:
		return append(effects, Effect{schemas.OfferDeclined, schemas.OfferDeclinedData{Offer: o.ID, Reason: because}})
	case stateHandedBack:
		return append(effects, Effect{schemas.OfferHandedBack,
			schemas.OfferHandedBackData{Offer: o.ID, Reason: because}})
	case statePassedOn:
		return append(effects, Effect{schemas.OfferPassedOn,
			schemas.OfferPassedOnData{Offer: o.ID, Partner: o.Partner}})
	}
	return effects
}

// cancel takes a session that has not begun off the calendar. Where somebody is about to go, a navigator rings the
// partner within the hour, or at once: telling it by a message is not telling it.
func (o *Offer) cancel(w Moment, ring bool) []Effect {
	if o.Session == nil {
		return nil
	}
	data := schemas.AppointmentCancelledData{Offer: o.ID, Appointment: o.Session.ID}
	if ring && o.Session.StartsAt.After(w.Now) && o.Session.StartsAt.Sub(w.Now) <= aboutToGo {
		by := w.Now.Add(ringWithin)
		if o.Session.StartsAt.Before(by) {
			by = w.Now
		}
		by = by.In(w.Zone)
		data.RingBy = &by
	}
	o.close(stateCancelled, w)
	return []Effect{{schemas.AppointmentCancelled, data}}
}

// close ends the appointment that stands.
func (o *Offer) close(state string, w Moment) {
	over := *o.Session
	over.State, over.EndedAt = state, w.Now
	o.ended, o.Session = append(o.ended, over), nil
}

// pause keeps the place while nobody may be told anything.
func (o *Offer) pause(w Moment) []Effect {
	effects := o.cancel(w, true)
	if o.State == stateBooked {
		o.move(stateAccepted)
	}
	o.Paused = true
	return append(effects, o.paused())
}

// resume lets a paused offer go on: its clocks start again.
func (o *Offer) resume(p Partner, named bool, w Moment) []Effect {
	o.Paused, o.Nudged = false, ""
	effects := []Effect{o.cleared(w.Zone)}
	switch {
	case o.asked():
		o.AnswerBy = answerBy(o.Window, w.today(), p, w.Holidays, w.Zone)
		effects = append(effects, Effect{schemas.OfferSent, schemas.OfferSentData{Offer: o.ID, Partner: o.Partner,
			AnswerBy: o.AnswerBy.In(w.Zone)}})
	case o.State == stateWaiting || o.State == stateAccepted && !named:
		o.wait(w)
	case o.State == stateAccepted:
		o.BookBy = bookBy(p, w)
	}
	return effects
}

// wait keeps the place for the person's own answer.
func (o *Offer) wait(w Moment) {
	o.move(stateWaiting)
	o.YesBy, o.BookBy = w.Now.Add(yesAtMost), time.Time{}
}

// confirm is the person's yes, by its name, to a partner that had taken the offer on.
func (o *Offer) confirm(p Partner, w Moment) []Effect {
	o.move(stateAccepted)
	o.YesBy, o.BookBy = time.Time{}, bookBy(p, w)
	return []Effect{{schemas.OfferConfirmed, schemas.OfferConfirmedData{Offer: o.ID, BookBy: o.BookBy.In(w.Zone)}}}
}

// bookBy is five in the afternoon of the partner's second working day from now.
func bookBy(p Partner, w Moment) time.Time {
	return p.workingDay(w.today(), bookWithin, w.Holidays).At(answerHour, 0, w.Zone)
}

// outcomeBy is by when a partner says how a session went: its next working day.
func outcomeBy(day calendar.Day, p Partner, w Moment) time.Time {
	return p.workingDay(day, 1, w.Holidays).At(answerHour, 0, w.Zone)
}

// place takes a place of the partner's, so that the offer may be told. It is called under the partner's lock.
func (o *Offer) place(p Partner, w Moment) []Effect {
	o.PlacedAt, o.PlacedWeek, o.Nudged = w.Now, monday(w.today()), ""
	o.AnswerBy = answerBy(o.Window, w.today(), p, w.Holidays, w.Zone)
	return []Effect{o.cleared(w.Zone)}
}

// mayBeSent says whether an offer that has not gone anywhere may be told to its partner.
func (o *Offer) mayBeSent() bool { return o.open() && !o.PlacedAt.IsZero() && !o.Paused }

func (o *Offer) cleared(zone *time.Location) Effect {
	by := o.AnswerBy.In(zone)
	return Effect{schemas.OfferCleared, schemas.OfferClearedData{Offer: o.ID, Partner: o.Partner, AnswerBy: &by}}
}

func (o *Offer) paused() Effect {
	return Effect{schemas.OfferPaused, schemas.OfferPausedData{Offer: o.ID, Partner: o.Partner}}
}

// raised is how the offer stands before it has gone anywhere.
func (o *Offer) raised(zone *time.Location) schemas.OfferRaisedData {
	return schemas.OfferRaisedData{
		Offer: o.ID, Person: o.Person, Partner: o.Partner, FirstDay: o.Window.First.String(),
		LastDay: o.Window.Last.String(),
		Late:    o.Window.Late, AnswerBy: o.AnswerBy.In(zone),
	}
}

// delivered takes in what a delivery said. What comes twice, late, or of another partner's changes nothing.
func (o *Offer) delivered(how string, p Partner, w Moment) (effects []Effect) {
	if how == "" || !o.open() || o.PlacedAt.IsZero() || how == schemas.DeliveryHandedOver && o.State == stateSent ||
		o.State != stateRaised && o.State != stateSent {
		return nil
	}
	if o.State == stateRaised {
		o.move(stateSent)
		o.SentAt = w.Now
		o.AnswerBy = answerBy(o.Window, w.today(), p, w.Holidays, w.Zone)
		effects = append(effects, Effect{schemas.OfferSent, schemas.OfferSentData{Offer: o.ID, Partner: o.Partner,
			AnswerBy: o.AnswerBy.In(w.Zone)}})
	}
	if how == schemas.DeliveryAcknowledged {
		nudged := o.Nudged
		o.move(stateAcknowledged)
		o.Nudged = nudged
		effects = append(effects, Effect{schemas.OfferAcknowledged, schemas.OfferAcknowledgedData{Offer: o.ID}})
	}
	return effects
}

// telephoned is that a navigator told the partner, which answered there and then: somebody there knows of it.
func (o *Offer) telephoned(w Moment) []Effect {
	o.move(stateAcknowledged)
	o.SentAt = w.Now
	return []Effect{{schemas.OfferAcknowledged, schemas.OfferAcknowledgedData{Offer: o.ID}}}
}

// halfTime is when a partner that has been asked is reminded: halfway, on a day on which it works.
func (o *Offer) halfTime(p Partner, w Moment) time.Time {
	half := o.SentAt.Add(o.AnswerBy.Sub(o.SentAt) / 2)
	if day := calendar.DayOf(half, w.Zone); !p.answers(day, w.Holidays) {
		half = p.workingDay(day, 1, w.Holidays).At(remindHour, 0, w.Zone)
	}
	return half
}

// remindHour is the local hour at which somebody is reminded on a day that has not begun for them.
const remindHour = 10

// lateFrom is from when it is said that an offer that was taken on has no session in its window: from the morning of
// the working day before its last, so that a navigator sees to it in time; the zero time where it has one, or where
// that was said. Once sessions were tried as often as is agreed a navigator has it anyway.
func (o *Offer) lateFrom(w Moment) time.Time {
	inTime := o.State == stateBooked && o.Session.Day <= o.Window.Last
	if !o.open() || o.Paused || inTime || o.LateSaid == o.Window.Last ||
		o.State != stateBooked && o.State != stateAccepted && (o.State != stateNotKept || o.NotKept >= triesToBook) {
		return time.Time{}
	}
	day := o.Window.Last - 1
	for !w.Holidays.Working(day, calendar.MondayToFriday) {
		day--
	}
	return day.At(remindHour, 0, w.Zone)
}

// due is when time alone changes something next, and zero where nothing does.
func (o *Offer) due(p Partner, live bool, w Moment) time.Time {
	next, late := o.nextDue(p, live, w), o.lateFrom(w)
	if late.IsZero() || !next.IsZero() && next.Before(late) {
		return next
	}
	return late
}

// nextDue is when time alone changes something next in what an offer waits for. It follows from the offer, so that it
// is written wherever the offer is. live says that outward sending is on; while it is not, there is nothing to look
// for a place for, until the next partner has to be asked.
func (o *Offer) nextDue(p Partner, live bool, w Moment) time.Time {
	once := func(about string, at time.Time) time.Time {
		if o.Nudged == about {
			return time.Time{}
		}
		return at
	}
	switch {
	case !o.open() || o.Paused:
		return time.Time{}
	case o.State == stateRaised && o.PlacedAt.IsZero():
		switch {
		case o.Consent != consentGiven:
			return time.Time{}
		case !live:
			return o.AnswerBy
		}
		return cmpZero(o.DueAt, w.Now)
	case o.State == stateRaised:
		return o.AnswerBy
	case o.asked():
		if half := o.halfTime(p, w); o.Nudged == "" && half.Before(o.AnswerBy) {
			return half
		}
		return o.AnswerBy
	case o.State == stateWaiting:
		return o.YesBy
	case o.State == stateAccepted, o.State == stateNotKept && o.NotKept < triesToBook:
		return once(schemas.NudgeBook, o.BookBy)
	case o.State == stateBooked:
		return once(schemas.NudgeOutcome, outcomeBy(o.Session.Day, p, w))
	case o.State == stateKept:
		return once(schemas.NudgeOutcome, o.BookBy)
	}
	return time.Time{}
}

func cmpZero(t, or time.Time) time.Time {
	if t.IsZero() {
		return or
	}
	return t
}

// fire does what time alone changes in an offer whose time has come. again says that the next partner is looked for.
// After downtime of any length each is done once, as it stands now.
func (o *Offer) fire(p Partner, newest int64, w Moment) []Effect {
	late := o.lateFrom(w)
	if late.IsZero() || w.Now.Before(late) {
		return o.passed(newest, w)
	}
	o.LateSaid = o.Window.Last
	said := []Effect{{schemas.OfferNotInTime, schemas.OfferNotInTimeData{Offer: o.ID, LastDay: o.Window.Last.String()}}}
	if next := o.nextDue(p, true, w); next.IsZero() || next.After(w.Now) {
		return said
	}
	return append(said, o.passed(newest, w)...)
}

// nudge reminds the partner of something that it was asked for.
func (o *Offer) nudge(about string) []Effect {
	o.Nudged = about
	return []Effect{{schemas.OfferNudged, schemas.OfferNudgedData{Offer: o.ID, Partner: o.Partner, About: about}}}
}

// passed is what time alone changes in what an offer waits for.
func (o *Offer) passed(newest int64, w Moment) []Effect {
	switch {
	case !o.open() || o.Paused:
		return nil
	case o.State == stateRaised && !o.PlacedAt.IsZero() && !w.Now.Before(o.AnswerBy):
		return o.end(stateWithdrawn, becauseNotDelivered, w)
	case o.asked() && !w.Now.Before(o.AnswerBy):
		return o.end(statePassedOn, "", w)
	case o.asked() && o.Nudged == "":
		return o.nudge(schemas.NudgeAnswer)
	case o.State == stateWaiting && !w.Now.Before(o.YesBy):
		o.AnsweredUpTo = newest
		return o.end(stateWithdrawn, becauseNotReached, w)
	case (o.State == stateAccepted || o.State == stateNotKept) && o.Nudged == "" && !w.Now.Before(o.BookBy):
		return o.nudge(schemas.NudgeBook)
	case (o.State == stateBooked || o.State == stateKept) && o.Nudged == "":
		return o.nudge(schemas.NudgeOutcome)
	}
	return nil
}

// deletionAfter is on which local day after an offer ended its partner's contact about data is written to, where the
// partner has not said what it did with what it knew.
const deletionAfter = 3

// deletionDue is before which moment an offer has ended whose partner's contact about data is to be written to now: in
// the morning of the third day.
func deletionDue(w Moment) time.Time {
	day := w.today() - deletionAfter + 1
	if w.Now.In(w.Zone).Hour() < remindHour {
		day--
	}
	return day.At(0, 0, w.Zone)
}

// askDeletion asks, once, what a partner did with what it knew of somebody; not one that has seen them to the end, nor
// one that took its yes back before anybody there had looked at who the person is, which shown says.
func (o *Offer) askDeletion(shown bool) []Effect {
	if o.open() || o.AcceptedAt.IsZero() || !o.DeletedAt.IsZero() || o.Nudged == schemas.NudgeDeletion {
		return nil
	}
	asks := o.nudge(schemas.NudgeDeletion)
	if o.State == stateCompleted || o.Because == becauseUndone && !shown {
		return nil
	}
	return asks
}

// What people say about an offer. Each returns what follows, or what stands against it, for a person to read.

// notCleared is said to a navigator who would record an answer to what may not be told yet.
const notCleared = "This organisation may not be told yet: the person has not said yes to it, no place of theirs is " +
	"free, or sending is not turned on. GET the offer says which (considered). It goes out by itself once it may; " +
	"otherwise the next organisation is asked in time."

// accept is the partner's yes. turn is the last that was decided about the journey as a whole.
func (o *Offer) accept(p Partner, named bool, turn int64, w Moment) (effects []Effect, against string) {
	switch {
	case o.taken():
		return nil, "" // said again
	case o.open() && o.State == stateRaised:
		return nil, notCleared
	case !o.asked():
		return nil, "This offer is not open any more. The navigator knows what became of it."
	case o.Paused:
		return nil, "This offer is paused, and its place is kept. You will hear when it goes on."
	case !p.mayBeTold(w.today()):
		return nil, "Your agreement is not in force today, so nobody can be passed to you. Ask the navigator to look " +
			"at it."
	}
	data := schemas.OfferAcceptedData{Offer: o.ID, Partner: o.Partner, AgreementUntil: p.Agreement.Last.String(),
		Transition: int(turn)}
	o.AcceptedAt, o.Because = w.Now, ""
	if named {
		o.move(stateAccepted)
		o.BookBy = bookBy(p, w)
		by := o.BookBy.In(w.Zone)
		data.BookBy = &by
	} else {
		o.wait(w)
		by := w.Now.Add(yesWithin).In(w.Zone)
		data.PersonAnswersBy = &by
	}
	return []Effect{{schemas.OfferAccepted, data}}, ""
}

// undo is that a partner takes its answer back: the offer is over, and the partner is asked again. undoable says that
// it can, shown that somebody there has looked at who the person is.
func (o *Offer) undo(undoable, shown bool, w Moment) ([]Effect, string) {
	answer := schemas.AnsweredYes
	switch {
	case o.Because == becauseUndone:
		return nil, "" // said again
	case !undoable && shown && o.taken():
		return nil, "Somebody of yours has looked at who the person is. Hand the offer back instead, with POST " +
			"/api/offers/{id}/hand-back, so that the person is told by somebody."
	case !undoable && o.State == stateDeclined:
		return nil, "Others have been asked since. If you have a place after all, ring the navigator."
	case !undoable:
		return nil, "There is no answer here that could be taken back. The navigator knows how the offer stands."
	case o.State == stateDeclined:
		answer = schemas.AnsweredNo
	default:
		o.EndedAt, o.Paused = w.Now, false
	}
	o.move(stateWithdrawn)
	o.Because = becauseUndone
	return []Effect{{schemas.OfferUndone, schemas.OfferUndoneData{Offer: o.ID, Answer: answer}}}, ""
}

// mayUndo says whether an answer can be taken back still: a yes of which nothing has come yet, and a no, within its
// window, after which nobody else was told. standing is another offer of the journey that stands, or nil.
func (o *Offer) mayUndo(shown bool, standing *Offer, w Moment) bool {
	if o.State == stateDeclined {
		return !standing.told() && w.today() < o.Window.Last
	}
	return !shown && o.open() && o.Session == nil && o.NotKept == 0 && o.Introduced == "" && !o.LateYes &&
		(o.State == stateAccepted || o.State == stateWaiting)
}

// decline is the partner's no, by a code.
func (o *Offer) decline(code string, w Moment) ([]Effect, string) {
	kind, _ := schemas.KindNamed("offer-decline")
	switch {
	case !kind.Allows(code):
		return nil, "Say why by a code (code): " + kind.Do + "."
	case o.State == stateDeclined:
		return nil, ""
	case o.taken():
		return nil, "You have taken this offer on. Hand it back with POST /api/offers/{id}/hand-back, so that the " +
			"person is told by somebody."
	case o.open() && o.State == stateRaised:
		return nil, notCleared
	case !o.asked():
		return nil, "This offer is not open any more. Nothing is asked of you."
	}
	return o.end(stateDeclined, code, w), ""
}

// Booking is a session as it was agreed on with the person.
type Booking struct {
	StartsAt time.Time `json:"startsAt"`
	Channel  string    `json:"channel"`
	Minutes  int       `json:"minutes"`
}

// usualMinutes is how long a session takes where nothing else is said: Self-Injury Support's is 90 minutes.
const usualMinutes = 90

// book records a time that was agreed on; one that stands is replaced by it. hours are those in which the person may be
// rung: who can talk safely at some hours of the day alone is met outside of them in person only.
func (o *Offer) book(id string, b Booking, asked schemas.Facts, hours schemas.MayBeRung, p Partner, w Moment) (
	effects []Effect, against string) {
	b.Minutes = cmp.Or(b.Minutes, usualMinutes)
	channel, _ := schemas.KindNamed("channel")
	switch {
	case o.State == stateWaiting:
		return nil, "The person has not said yes to you by name yet. Your place is kept for them; you will hear."
	case o.Paused:
		return nil, "This offer is paused, and its place is kept. You will hear when it goes on."
	case o.State == stateNotKept && o.NotKept >= triesToBook:
		return nil, "This has been tried as often as is agreed. A navigator decides with the person what comes next."
	case !o.taken() || o.State == stateKept:
		return nil, "A time is agreed on for an offer that you have taken on. This one is not, or is over."
	case !b.StartsAt.After(w.Now) || b.StartsAt.After(w.Now.AddDate(0, 3, 0)):
		return nil, "Say when the session begins (startsAt): a time to come, within three months."
	case !channel.Allows(b.Channel):
		return nil, "Say how you meet (channel): " + channel.Do + "."
	case len(asked.Channels) > 0 && !slices.Contains(asked.Channels, b.Channel):
		return nil, "The person did not ask to meet in this way. Agree with them on one that they named, or ask the " +
			"navigator."
	case len(asked.Hours) > 0 && !slices.Contains(asked.Hours, hoursOf(b.StartsAt, w)):
		return nil, "The person did not say that they can meet at this time of the week. Agree with them on one of " +
			"the hours that they named, or ask the navigator."
	case b.Minutes < 1 || b.Minutes > 120:
		return nil, "Say how long it takes (minutes): 1 to 120."
	case !Appointment{StartsAt: b.StartsAt, Channel: b.Channel, Minutes: b.Minutes}.within(hours, w.Zone):
		return nil, fmt.Sprintf("The person can be reached safely from %d:00 until %d:00 alone. Agree with them on a "+
			"time "+
			"within that, or meet in person.", hours.From, hours.Until)
	}
	if o.Session != nil {
		effects = o.cancel(w, false)
	}
	day := calendar.DayOf(b.StartsAt, w.Zone)
	o.move(stateBooked)
	o.Session = &Appointment{ID: id, StartsAt: b.StartsAt.UTC(), Day: day, Channel: b.Channel, Minutes: b.Minutes,
		State: stateBooked, BookedAt: w.Now, fresh: true}
	return append(effects, Effect{schemas.AppointmentBooked, schemas.AppointmentBookedData{Offer: o.ID, Appointment: id,
		Partner:  o.Partner,
		StartsAt: b.StartsAt.In(w.Zone), On: day.String(), Channel: b.Channel, Minutes: b.Minutes,
		OutcomeBy: outcomeBy(day, p, w)}}), ""
}

// eveningFrom is the local hour at which the evening begins.
const eveningFrom = 17

// hoursOf is in which of the hours of the closed list a time lies; a bank holiday is as a day of the weekend.
func hoursOf(at time.Time, w Moment) string {
	day, part := "weekend", "daytime"
	if w.Holidays.Working(calendar.DayOf(at, w.Zone), calendar.MondayToFriday) {
		day = "weekday"
	}
	if at.In(w.Zone).Hour() >= eveningFrom {
		part = "evening"
	}
	return day + "-" + part
}

// Went is how a session went, and what comes next.
type Went struct {
	Outcome string `json:"outcome"`
	Next    string `json:"next"`
}

// Outcomes of a session.
const (
	wentKept      = "kept"
	wentNotKept   = "not-kept"
	wentCancelled = "cancelled"
	wentNoContact = "could-not-contact"
)

// went takes in how a session went. newest is the newest of the person's answers.
func (o *Offer) went(said Went, p Partner, newest int64, w Moment) (effects []Effect, against string) {
	next, _ := schemas.KindNamed("what-next")
	switch {
	case said.Next != "" && !next.Allows(said.Next):
		return nil, "Say what comes next (next): " + next.Do + "."
	case said.Outcome == wentNoContact && o.taken() && o.State != stateKept:
		return o.handBack(wentNoContact, newest, w)
	case said.Outcome == wentKept && o.State == stateKept:
		return o.complete(said.Next, w.today(), w), ""
	case said.Outcome == wentKept && o.State == stateCompleted:
		return nil, "" // said again
	case o.Session == nil || o.State != stateBooked:
		return nil, "No session of this offer is booked. Book one first, with POST /api/offers/{id}/appointment."
	case said.Outcome == wentCancelled:
		effects = o.cancel(w, false)
		o.move(stateAccepted)
		o.BookBy = bookBy(p, w)
		return effects, ""
	case o.Session.StartsAt.After(w.Now):
		return nil, "The session has not begun yet. Say how it went afterwards; to take it off the calendar, say " +
			"cancelled."
	case said.Outcome == wentKept:
		effects = []Effect{{schemas.AppointmentKept,
			schemas.AppointmentKeptData{Offer: o.ID, Appointment: o.Session.ID}}}
		day := o.Session.Day
		o.move(stateKept)
		o.BookBy = outcomeBy(w.today(), p, w) // by when what comes next is said
		o.close(wentKept, w)
		return append(effects, o.complete(said.Next, day, w)...), ""
	case said.Outcome == wentNotKept:
		data := schemas.AppointmentNotKeptData{Offer: o.ID, Appointment: o.Session.ID}
		o.NotKept++
		o.move(stateNotKept)
		o.BookBy = time.Time{}
		if o.NotKept < triesToBook {
			o.BookBy = bookBy(p, w)
			by := o.BookBy.In(w.Zone)
			data.BookBy = &by
		}
		o.close(wentNotKept, w)
		return []Effect{{schemas.AppointmentNotKept, data}}, ""
	}
	return nil, "Say how it went (outcome): kept, not-kept, cancelled or could-not-contact."
}

// anotherSession is what comes next that opens another offer.
const anotherSession = "another-session"

// complete is that what comes next was agreed on with the person: what the offer was for is done, on a local day.
// Without it the offer stays open for the answer.
func (o *Offer) complete(next string, on calendar.Day, w Moment) []Effect {
	if next == "" {
		return nil
	}
	o.move(stateCompleted)
	o.Because, o.EndedAt = next, w.Now
	return []Effect{{schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: o.ID, CompletedOn: on.String(),
		Next: next}}}
}

// handBack is that a partner gives an offer back that it had taken on. newest is the newest of the person's answers:
// whoever could not be reached is asked by nobody else before a navigator has found out how they may be.
func (o *Offer) handBack(reason string, newest int64, w Moment) ([]Effect, string) {
	kind, _ := schemas.KindNamed("hand-back")
	switch {
	case !kind.Allows(reason):
		return nil, "Say why by a code (reason): " + kind.Do + "."
	case o.State == stateHandedBack:
		return nil, ""
	case !o.taken():
		return nil, "An offer is handed back that you have taken on. Decline one that you have not, with POST " +
			"/api/offers/{id}/decline."
	}
	if reason == wentNoContact {
		o.AnsweredUpTo = newest
	}
	return o.end(stateHandedBack, reason, w), ""
}

// introduce is that the person was introduced to whoever sees them there, once the partner may read who they are: told
// to expect somebody by name, or in one call together. A stranger who rings is none.
func (o *Offer) introduce(how string) ([]Effect, string) {
	kind, _ := schemas.KindNamed("introduced-how")
	switch {
	case !kind.Allows(how):
		return nil, "Say how they were introduced (how): " + kind.Do + ". Name nobody here."
	case !o.taken() || o.State == stateWaiting:
		return nil, "The person is introduced once you have taken the offer on and they have said yes to you."
	case o.Paused:
		return nil, "This offer is paused, and its place is kept. You will hear when it goes on."
	case o.Introduced == how:
		return nil, ""
	}
	o.Introduced = how
	return []Effect{{schemas.OfferIntroduced, schemas.OfferIntroducedData{Offer: o.ID, Partner: o.Partner, How: how}}},
		""
}

// mayKnow is that somebody at the partner may know the person. Nobody is to blame: another worker sees to it, or
// another partner is asked, and a navigator sees that it is so.
func (o *Offer) mayKnow(who string, w Moment) ([]Effect, string) {
	kind, _ := schemas.KindNamed("may-know")
	switch {
	case !kind.Allows(who):
		return nil, "Say who is to see to it instead (who): " + kind.Do + "."
	case !o.told():
		return nil, "This offer is not open any more. Nothing is asked of you."
	case o.MayKnow == who:
		return nil, "" // said again
	}
	o.MayKnow = who
	effects := []Effect{{schemas.OfferPossiblyKnown, schemas.OfferPossiblyKnownData{Offer: o.ID, Partner: o.Partner,
		Who: who}}}
	switch {
	case who == anotherWorker:
		return effects, ""
	case o.taken():
		return append(effects, o.end(stateHandedBack, declineMayKnow, w)...), ""
	}
	return append(effects, o.end(stateDeclined, declineMayKnow, w)...), ""
}

const (
	declineMayKnow = "may-know"
	anotherWorker  = "another-worker"
)

// confirmDeletion is what a partner did with what it knew, once it may not read any more.
func (o *Offer) confirmDeletion(kept []string, keptBecause string, w Moment) ([]Effect, string) {
	kind, _ := schemas.KindNamed("kept-because")
	what, _ := schemas.KindNamed("kept")
	switch {
	case keptBecause != "" && !kind.Allows(keptBecause):
		return nil, "Say why something is kept by a code (keptBecause): " + kind.Do +
			"; leave it out where all is deleted."
	case len(kept) > 0 && keptBecause == "":
		return nil, "Say why it is kept (keptBecause): " + kind.Do + "."
	case slices.ContainsFunc(kept, func(k string) bool { return !what.Allows(k) }):
		return nil, "Say what is kept by codes (kept): " + what.Do + "; leave it out where all is deleted."
	case o.AcceptedAt.IsZero() || o.EndedAt.IsZero():
		return nil, "Deletion is confirmed for an offer that you had taken on and that is over."
	}
	if kept = slices.Compact(slices.Sorted(slices.Values(kept))); !o.DeletedAt.IsZero() &&
		o.KeptBecause == keptBecause && slices.Equal(o.Kept, kept) {
		return nil, ""
	}
	o.DeletedAt, o.KeptBecause, o.Kept = w.Now, keptBecause, kept
	return []Effect{{schemas.OfferDeletionConfirmed, schemas.OfferDeletionConfirmedData{Offer: o.ID,
		KeptBecause: keptBecause, Kept: kept}}}, ""
}

// acceptLate is a yes after the next had been asked. It is welcome while the partner's place is free and nobody else
// has taken the person on; else it is noted, and the person chooses.
func (o *Offer) acceptLate(standing *Offer, c Candidate, turn int64, w Moment) (effects []Effect, ended bool,
	against string) {
	if standing.taken() {
		if o.LateYes {
			return nil, false, ""
		}
		o.LateYes = true
		return []Effect{{schemas.OfferAcceptedLate, schemas.OfferAcceptedLateData{Offer: o.ID, Partner: o.Partner}}},
			false, ""
	}
	if !c.Given || standing != nil && standing.Paused {
		return nil, false, "Thank you. This offer is not open any more, and the person has not said yes to you " +
			"since. The navigator knows."
	}
	if !c.free() {
		return nil, false, "Thank you. Your places for this week are taken, so this one cannot be added. The " +
			"navigator can change that with you."
	}
	before := *o
	o.EndedAt = time.Time{}
	o.move(stateSent)
	o.PlacedAt, o.PlacedWeek = w.Now, monday(w.today())
	if effects, against = o.accept(c.Partner, c.Named, turn, w); against != "" {
		*o = before
		return nil, false, against
	}
	return effects, true, ""
}
