package followup

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// JourneyState is everything followup has been told about one journey. It is built by adding, and adding the same
// things in another order, or twice, gives the same Known: each entry carries the sequence of the event that set it,
// and an older one changes nothing.
type JourneyState struct {
	Visits schemas.Visits `json:"visits,omitempty"`
	// Open holds the services (by the directory's id) whose door a decision has found open, with the sequence of
	// the first such decision. Decisions only add to it: re-evaluation may open a door, never close one.
	Open    map[string]int64 `json:"open,omitempty"`
	Decided int64            `json:"decided,omitempty"` // sequence of the newest decision
	// Sure holds the services of Open that a decision found open with nothing unknown; Named those that the newest
	// decision named, nil where it could not name all. A door that was only open if a fact turned out well is not open
	// once it has not: an offer prepared while the age was not known must not stay with a partner for other ages.
	Sure                map[string]bool  `json:"sure,omitempty"`
	Named               map[string]bool  `json:"named"`
	Consent             schemas.Answers  `json:"consent,omitzero"` // to follow-up
	Contact             schemas.Answered `json:"contact,omitzero"` // Yes: contact may be made
	schemas.MustNotKnow                  // those are never asked, whatever else was said
	schemas.MayBeRung                    // no session but one in person is outside of these
	schemas.Course
	schemas.Origin
	// GoesOn is the local day from which windows count again: the journey was held or closed before. A hold that
	// follows does not change it before they are back.
	GoesOn goesOn `json:"goesOn,omitzero"`
	// Reopened is the local day on which the journey was last reopened: what was completed before was of an earlier
	// asking. A hold makes nothing of that.
	Reopened goesOn `json:"reopened,omitzero"`
	Facts    facts  `json:"facts,omitzero"`
	// Delivered says of each offer how far it has come to its partner.
	Delivered map[string]string `json:"delivered,omitempty"`
	// Shown are the offers by which somebody at the partner has looked at who the person is.
	Shown []string `json:"shown,omitempty"`
}

type goesOn struct {
	At int64  `json:"at"`
	On string `json:"on"`
}

// goOn takes in that the journey goes on from a day.
func (k *JourneyState) goOn(at int64, day string) {
	k.Take(schemas.Transition{At: at, From: day})
	if schemas.Newer(at, &k.GoesOn.At) {
		k.GoesOn.On = day
	}
}

// reopen takes in that the journey was closed, and goes on from a day.
func (k *JourneyState) reopen(at int64, day string) {
	k.goOn(at, day)
	if schemas.Newer(at, &k.Reopened.At) {
		k.Reopened.On = day
	}
}

// from is the day from which windows count again, and whether there is one.
func (k *JourneyState) from() (calendar.Day, bool) {
	day, err := calendar.ParseDay(cmp.Or(k.Transition.From, k.GoesOn.On))
	return day, err == nil
}

// addDelivered takes in how far an offer has come. What is with its partner was taken by a channel before, in whatever
// order that is said.
func (k *JourneyState) addDelivered(d schemas.DeliveryMadeData) {
	if k.Delivered[d.Offer] == schemas.DeliveryAcknowledged {
		return
	}
	if k.Delivered == nil {
		k.Delivered = map[string]string{}
	}
	k.Delivered[d.Offer] = d.How
}

// addShown takes in that a partner has looked, by an offer, at who the person is.
func (k *JourneyState) addShown(offer string) {
	if !slices.Contains(k.Shown, offer) {
		k.Shown = append(k.Shown, offer)
	}
}

// facts are those that a session depends on, each with the sequence of the event that stated it or took it back.
type facts struct {
	schemas.Facts
	At map[string]int64 `json:"at,omitempty"`
}

// IsZero says that none was ever stated or taken back.
func (f facts) IsZero() bool { return f.Facts.IsZero() && len(f.At) == 0 }

// factsKept are the facts that a partner is matched by, or is shown of before it has taken an offer on.
var factsKept = []string{"access", "age", "areaResidence", "areaStaying", "channels", "gender", "group", "hours",
	"interpreterNeeded", "language", "workerGender"}

// addFacts takes in facts that an event states and those that it takes back.
func (k *JourneyState) addFacts(at int64, stated *schemas.Facts, takenBack []string) {
	if stated == nil {
		stated = &schemas.Facts{}
	}
	told := maps.Collect(stated.Fields())
	for name, field := range k.Facts.Fields() {
		taken := slices.Contains(takenBack, name)
		if !slices.Contains(factsKept, name) || told[name].IsZero() && !taken || at <= k.Facts.At[name] {
			continue
		}
		if k.Facts.At == nil {
			k.Facts.At = map[string]int64{}
		}
		k.Facts.At[name] = at
		field.Set(told[name])
	}
}

// answers are what the person said in this episode.
func (k *JourneyState) answers() schemas.Answers { return k.Consent.Since(k.AnsweredUpTo) }

// The add functions take what one event says into what is known.

func (k *JourneyState) addRecorded(at int64, d schemas.DischargeRecordedData, leftOn string) {
	k.Begin(at, d.Person, d.Organisation)
	k.addFacts(at, &d.Facts, nil)
	k.Visits.Record(at, d.Visit, d.Flags)
	k.Visits.Change(d.Visit, func(v *schemas.Visit) {
		v.Leave(at, leftOn)
		v.Age(at, &d.Facts, nil)
	})
}

func (k *JourneyState) addCorrected(at int64, d schemas.DischargeCorrectedData, leftOn string) {
	k.Place(at, d.Organisation)
	k.addFacts(at, d.Facts, d.Retracted)
	k.Visits.Change(d.Visit, func(v *schemas.Visit) {
		if leftOn != "" {
			v.Leave(at, leftOn)
		}
		if d.Flags != nil {
			v.Flag(at, d.Flags)
		}
		v.Age(at, d.Facts, d.Retracted)
	})
}

// addDecided takes in which of the partners' services are open. Unknown is not no: one that is open if a missing fact
// turns out well is offered while the fact is asked for. One that takes a conversation is not among them.
func (k *JourneyState) addDecided(at int64, d schemas.PathwayDecidedData, partners []Partner) {
	newest := schemas.Newer(at, &k.Decided)
	var named map[string]bool
	if newest && len(d.Open) < schemas.MostNamed && len(d.OpenIf) < schemas.MostNamed {
		named = map[string]bool{}
	}
	for _, p := range partners {
		sure := slices.Contains(d.Open, p.Service)
		if !sure && !slices.Contains(d.OpenIf, p.Service) {
			continue
		}
		if named != nil {
			named[p.Service] = true
		}
		if sure {
			mark(&k.Sure, p.Service)
		}
		if since, ok := k.Open[p.Service]; !ok || at < since {
			if k.Open == nil {
				k.Open = map[string]int64{}
			}
			k.Open[p.Service] = at
		}
	}
	if newest {
		k.Named = named
	}
}

func mark(set *map[string]bool, service string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[service] = true
}

// open are the services whose door may be offered, with the sequence of the decision that first found it so.
func (k *JourneyState) open() map[string]int64 {
	open := maps.Clone(k.Open)
	maps.DeleteFunc(open, func(service string, _ int64) bool {
		return k.Named != nil && !k.Named[service] && !k.Sure[service]
	})
	return open
}

func (k *JourneyState) addConsent(d schemas.ConsentData, said schemas.Answered) {
	if slices.Contains(d.Purposes, schemas.PurposeFollowUp) {
		k.Consent.Apply(d.Organisation, said)
	}
}

// Status is what followup does about a journey.
type Status string

const (
	Waiting   Status = "waiting"   // not everything is known yet that an offer needs
	Offered   Status = "offered"   // an offer stands
	Exhausted Status = "exhausted" // no partner fits; the navigator holds the journey
	Paused    Status = "paused"    // contact is stopped, the visit is withdrawn, or a human decides first
	Refused   Status = "refused"   // the person said no to this
	Over      Status = "closed"    // the journey is closed
	Completed Status = "completed" // a session has taken place, and what comes next was agreed on
)

// Reasons why an offer no longer stands, as offer.withdrawn gives them.
const (
	becauseWithdrawn = "discharge-withdrawn"
	becauseStopped   = "contact-stopped"
	becausePerson    = "person"
	becauseClinician = "clinician-first"
	becauseHuman     = "human" // somebody has to look before anybody is contacted
	becauseClosed    = "journey-closed"
	becauseHeld      = "held"     // somebody else has the person: never said of an offer, which keeps its place
	becauseReplaced  = "replaced" // by an offer with another window or partner; nothing had been sent
	// What follows is about offers that may have gone out.
	becauseNotReached   = "not-reached" // the person's own answer could not be had while their place was kept
	becauseNotDelivered = "no-place"    // nobody at the partner could be told in time, or it has no place
	becauseAnother      = "another-accepted"
	// Its partner took its answer back, and is asked again by another offer.
	becauseUndone = "undone"
)

// Desired is what should stand for a journey, whatever came before.
type Desired struct {
	Status  Status
	Because string // why nothing may stand, one of the because constants; empty when Status is Offered
	// Fits are the partners that may be asked, in order.
	Fits    []Candidate
	Visit   string
	LeftOn  calendar.Day // the day the window counts from
	Resumed bool         // that is the day the journey went on, after it was held or closed
	// Consent is not-asked or given. It is never given while a clinician decides first, whatever was said: an offer may
	// then be prepared, and goes nowhere.
	Consent string
	// Held: somebody else has the person for now. Their offer keeps its place, and goes nowhere.
	Held    bool
	guarded bool // a clinician, or whoever places a facility, decides first
}

// desiredOffer decides from what is known alone, not from how it came to be known: the same facts in any order end in
// the same wish (domain invariant 9).
func desiredOffer(k *JourneyState, past []Offer, partners []Partner, m Moment) Desired {
	id, visit, ok := k.Visits.Current()
	answers := k.answers()
	switch {
	case k.Transition.Closed:
		return Desired{Status: Over, Because: becauseClosed}
	case !ok && k.Visits.AnyWithdrawn():
		return Desired{Status: Paused, Because: becauseWithdrawn}
	case !ok:
		return Desired{Status: Waiting}
	case k.Contact.At > 0 && !k.Contact.Yes:
		return Desired{Status: Paused, Because: becauseStopped}
	case answers.Whole().At > 0 && !answers.Whole().Yes:
		return Desired{Status: Refused, Because: becausePerson}
	case slices.ContainsFunc(past, func(o Offer) bool {
		return k.sinceReopened(o, id, m) && o.State == stateCompleted && o.Because != anotherSession
	}):
		return Desired{Status: Completed}
	case slices.ContainsFunc(past, func(o Offer) bool {
		return o.notReached() && o.AnsweredUpTo >= answers.Anew().At
	}):
		return Desired{Status: Paused, Because: becauseNotReached} // a navigator finds out how they may be reached
	case slices.Contains(visit.Flags, schemas.FlagUnder18) && !visit.Aged:
		return Desired{Status: Paused, Because: becauseClinician} // which partner fits their age nobody can tell
	case schemas.HumanFirst(visit.Flags):
		return Desired{Status: Paused, Because: becauseHuman}
	case k.Decided == 0:
		return Desired{Status: Waiting}
	}
	left, err := calendar.ParseDay(visit.LeftOn)
	if err != nil {
		return Desired{Status: Waiting}
	}
	w := Desired{Status: Offered, Visit: id, LeftOn: left, Consent: consentNotAsked, Held: k.Transition.Held}
	if from, ok := k.from(); ok && from > left {
		w.LeftOn, w.Resumed = from, true
	}
	w.Fits = fitting(considered(k, past, partners, m, windowFor(w, past, m.today()).Last-daysForNext))
	given := answers.Any.Yes
	if len(w.Fits) == 0 {
		w.Status = Exhausted
	} else {
		given = w.Fits[0].Given
	}
	w.guarded = schemas.ClinicianFirst(visit.Flags) || schemas.Unplaced(visit.Flags)
	if given && !w.guarded {
		w.Consent = consentGiven
	}
	return w
}

// fit is the partner among those that may be asked.
func (w Desired) fit(partner string) (Candidate, bool) {
	i := slices.IndexFunc(w.Fits, func(c Candidate) bool { return c.ID == partner })
	if i < 0 {
		return Candidate{}, false
	}
	return w.Fits[i], true
}

// windowFor is the window of an offer raised today. What was promised stands: an offer that follows one that came to
// nothing has the window of that, while there is a day of it left.
func windowFor(w Desired, past []Offer, today calendar.Day) Window {
	for _, o := range slices.Backward(past) {
		if o.Visit == w.Visit && o.LeftOn == w.LeftOn && o.Window.Last > today {
			return o.Window
		}
	}
	return windowOf(w.LeftOn, today)
}

const (
	consentNotAsked = "not-asked"
	consentGiven    = "given"
)

// Changes is what is to be done so that the wish stands.
type Changes struct {
	Raise     *Offer // without an id yet
	Exhausted bool   // this wish is the first to find no partner
	Changed   bool   // the open offer differs from before
	Effects   []Effect
}

// reconcile brings the open offer (or nil) in line with the wish; was is the status before. A hospital's correction
// replaces an offer that has not been sent; what has happened is never rewritten.
func reconcile(k *JourneyState, w Desired, open *Offer, past []Offer, was Status, m Moment,
	partners []Partner) Changes {
	var c Changes
	switch {
	case open == nil:
	case open.told():
		c.keep(k, w, open, m, partners)
	default:
		c.prepare(w, open, past, m)
	}
	if open.open() {
		return c
	}
	switch w.Status {
	case Offered:
		c.Raise = raise(w, past, open, m)
	case Exhausted:
		c.Exhausted = was != Exhausted || open != nil
	}
	return c
}

// prepare brings an offer in line that has not gone anywhere. One that has a place stays with its partner while that
// may be asked.
func (c *Changes) prepare(w Desired, open *Offer, past []Offer, m Moment) {
	fit, fits := w.fit(open.Partner)
	// One that was given to its partner for a fair spread stays there among equals: it does not change hands with every
	// other offer. So does one to whoever took its answer back: it would only be prepared for them again.
	again := askedAgain(w.Fits, past)
	first := fits && (w.Fits[0].ID == open.Partner || open.Spread && standing(w.Fits[0], fit) == 0 ||
		again >= 0 && w.Fits[again].ID == open.Partner)
	keeps := !open.PlacedAt.IsZero() && fit.Given && !w.guarded // a place that no yes covers is given free
	same := fits && open.Visit == w.Visit && (first || keeps)
	switch {
	case w.Status == Offered && same && open.LeftOn == w.LeftOn:
		c.agree(w, open, fit, m)
	case w.Status == Offered && same && w.Resumed:
		kept := raise(w, nil, nil, m)
		open.LeftOn, open.Window, open.AnswerBy, c.Changed = kept.LeftOn, kept.Window, kept.AnswerBy, true
		c.agree(w, open, fit, m)
		c.Effects = append([]Effect{{schemas.OfferRaised, open.raised(m.Zone)}}, c.Effects...)
	default:
		c.Effects = open.end(stateWithdrawn, cmp.Or(w.Because, becauseReplaced), m)
		c.Changed = true
	}
}

// agree notes on an offer that has not gone anywhere whether the person's yes covers it, and whether it may go on.
// Whoever was to bring it to its partner is told where that changes.
func (c *Changes) agree(w Desired, open *Offer, fit Candidate, m Moment) {
	consent := consentNotAsked
	if fit.Given && !w.guarded {
		consent = consentGiven
	}
	if open.Consent == consent && open.Paused == w.Held {
		return
	}
	before := open.mayBeSent()
	if open.Paused && !w.Held {
		open.AnswerBy = answerBy(open.Window, m.today(), fit.Partner, m.Holidays, m.Zone)
	}
	open.Consent, open.Paused, c.Changed = consent, w.Held, true
	if open.PlacedAt.IsZero() {
		open.DueAt = time.Time{}
	}
	if consent == consentNotAsked {
		open.PlacedAt = time.Time{}
	}
	switch after := open.mayBeSent(); {
	case after && !before:
		c.Effects = []Effect{open.cleared(m.Zone)}
	case before && !after:
		c.Effects = []Effect{open.paused()}
	}
}

// keep brings an offer in line that its partner knows of: a place is kept while anything stands in doubt, and ends only
// by the person, or with the journey.
func (c *Changes) keep(k *JourneyState, w Desired, open *Offer, m Moment, partners []Partner) {
	answers := k.answers()
	yes, named := answers.To(open.Partner), slices.Contains(answers.Yes(), open.Partner)
	given := yes.Yes && !w.guarded
	i := slices.IndexFunc(partners, func(p Partner) bool { return p.ID == open.Partner })
	partner := Partner{ID: open.Partner, Works: calendar.MondayToFriday}
	if i >= 0 {
		partner = partners[i]
	}
	before := *open
	switch {
	case w.Status == Over || w.Status == Refused:
		c.Effects = open.end(stateWithdrawn, w.Because, m)
	case k.Bars(open.Partner) || yes.At > 0 && !yes.Yes:
		c.Effects = open.end(stateWithdrawn, becausePerson, m)
	case w.Status == Paused || w.Status == Waiting || w.Held || w.guarded || open.asked() && !given:
		if !open.Paused {
			c.Effects = open.pause(m)
		}
	case open.Paused:
		if w.Resumed && open.LeftOn != w.LeftOn {
			open.LeftOn, open.Window = w.LeftOn, windowOf(w.LeftOn, m.today())
		}
		c.Effects = open.resume(partner, given && named, m)
		if open.State == stateWaiting && given && named {
			c.Effects = append(c.Effects, open.confirm(partner, m)...)
		}
	case open.State == stateWaiting && given && named:
		c.Effects = open.confirm(partner, m)
	case (open.State == stateAccepted || open.State == stateBooked || open.State == stateNotKept) && !(given && named):
		c.Effects = open.cancel(m, true)
		open.wait(m)
	case open.State == stateBooked && open.Session.StartsAt.After(m.Now) && !open.Session.within(k.MayBeRung, m.Zone):
		c.Effects = open.cancel(m, true) // they have said since that they cannot be reached safely then
		open.move(stateAccepted)
		open.BookBy = bookBy(partner, m)
	}
	consent := consentNotAsked
	if given {
		consent = consentGiven
	}
	open.Consent = consent
	c.Changed = !same(before, *open)
}

// same compares what is stored of an offer.
func same(a, b Offer) bool { return reflect.DeepEqual(a, b) }

// raise prepares an offer. One that follows another which was handed back is seen to before all others.
func raise(w Desired, past []Offer, before *Offer, m Moment) *Offer {
	if before != nil {
		past = append(slices.Clone(past), *before)
	}
	window := windowFor(w, past, m.today())
	i := nextAsked(w.Fits, past)
	o := &Offer{
		Partner: w.Fits[i].ID, Spread: i > 0, Visit: w.Visit, LeftOn: w.LeftOn, Window: window, Consent: w.Consent,
		State: stateRaised, Paused: w.Held,
		AnswerBy: answerBy(window, m.today(), w.Fits[i].Partner, m.Holidays, m.Zone),
	}
	switch last := len(past) - 1; {
	case last < 0:
	case past[last].State == stateHandedBack:
		o.DueAt = m.Now.Add(-ahead)
	case past[last].byLink && past[last].State == stateDeclined:
		o.DueAt = m.Now.Add(undoWithin)
	}
	return o
}
