package followup

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// JourneyState is everything followup has been told about one journey. It is built by adding, and adding the same things
// in another order, or twice, gives the same Known: each entry carries the sequence of the event that set it, and
// an older one changes nothing.
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
	schemas.Course
	schemas.Origin
}

// answers are what the person said in this episode.
func (k *JourneyState) answers() schemas.Answers { return k.Consent.Since(k.AnsweredUpTo) }

// The add functions take what one event says into what is known.

func (k *JourneyState) addRecorded(at int64, d schemas.DischargeRecordedData, leftOn string) {
	k.Begin(at, d.Person, d.Organisation)
	k.Visits.Record(at, d.Visit, d.Flags)
	k.Visits.Change(d.Visit, func(v *schemas.Visit) {
		v.Leave(at, leftOn)
		v.Age(at, &d.Facts, nil)
	})
}

func (k *JourneyState) addCorrected(at int64, d schemas.DischargeCorrectedData, leftOn string) {
	k.Place(at, d.Organisation)
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
	maps.DeleteFunc(open, func(service string, _ int64) bool { return k.Named != nil && !k.Named[service] && !k.Sure[service] })
	return open
}

func (k *JourneyState) addConsent(d schemas.ConsentData, said schemas.Answered) {
	if slices.Contains(d.Purposes, schemas.PurposeFollowUp) {
		k.Consent.Apply(d.Organisation, said)
	}
}

// matchNamed finds the partner: first among those the person said yes to by name, then among all they did not say
// no to; never one that must not know. given says whether the person's yes covers the one found.
func matchNamed(k *JourneyState, partners []Partner) (found Partner, given, ok bool) {
	answers, open := k.answers(), k.open()
	partners = slices.DeleteFunc(slices.Clone(partners), func(p Partner) bool { return slices.Contains(k.Barred, p.ID) })
	named := slices.DeleteFunc(slices.Clone(partners), func(p Partner) bool { return !slices.Contains(answers.Yes(), p.ID) })
	if found, ok = match(open, named); ok {
		return found, true, true
	}
	found, ok = match(open, slices.DeleteFunc(slices.Clone(partners), func(p Partner) bool { return slices.Contains(answers.No(), p.ID) }))
	return found, answers.Any.Yes, ok
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
)

// Reasons why an offer no longer stands, as offer.withdrawn gives them.
const (
	becauseWithdrawn = "discharge-withdrawn"
	becauseStopped   = "contact-stopped"
	becausePerson    = "person"
	becauseClinician = "clinician-first"
	becauseHuman     = "human" // somebody has to look before anybody is contacted
	becauseClosed    = "journey-closed"
	becauseReplaced  = "replaced" // by an offer with another window or partner; nothing had been sent
)

// Desired is what should stand for a journey, whatever came before.
type Desired struct {
	Status  Status
	Because string // why nothing may stand, one of the because constants; empty when Status is Offered
	Partner Partner
	Visit   string
	LeftOn  calendar.Day // the day the window counts from
	Resumed bool         // that is the day the journey went on, after it was held or closed
	// Consent is not-asked or given. It is never given while a clinician decides first, whatever was said: an offer may
	// then be prepared, and goes nowhere.
	Consent string
}

// desiredOffer decides from what is known alone, not from how it came to be known: the same facts in any order end in the
// same wish (domain invariant 9).
func desiredOffer(k *JourneyState, partners []Partner) Desired {
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
	w := Desired{Status: Offered, Visit: id, LeftOn: left, Consent: consentNotAsked}
	if from, err := calendar.ParseDay(k.Transition.From); err == nil && from > left {
		w.LeftOn, w.Resumed = from, true
	}
	var given bool
	if w.Partner, given, ok = matchNamed(k, partners); !ok {
		w.Status = Exhausted
	}
	if (given || (!ok && answers.Any.Yes)) && !schemas.ClinicianFirst(visit.Flags) && !schemas.Unplaced(visit.Flags) {
		w.Consent = consentGiven
	}
	return w
}

const (
	consentNotAsked = "not-asked"
	consentGiven    = "given"
)

// Offer is a follow-up asked of one partner. While its state is raised, nothing has left the NHS boundary.
type Offer struct {
	ID, Journey, Organisation, Person, Partner string
	Visit                                      string
	LeftOn                                     calendar.Day
	Window                                     Window
	AnswerBy                                   time.Time
	Consent                                    string
	State                                      string // raised, withdrawn
	Because                                    string // why it no longer stands
}

// answers says whether the offer is the one the wish asks for. The window is not compared: it was promised when
// the offer was raised, and time passing does not change a promise.
func (o Offer) answers(w Desired) bool {
	return w.Status == Offered && o.Partner == w.Partner.ID && o.Visit == w.Visit && o.LeftOn == w.LeftOn
}

// keepsItsPlace says that only the window is another one, because the journey was held in between: the partner keeps
// the offer.
func (o Offer) keepsItsPlace(w Desired) bool {
	return w.Status == Offered && w.Resumed && o.Partner == w.Partner.ID && o.Visit == w.Visit
}

// Changes is what is to be done so that the wish stands: the open offer is left alone, or ended, and one is raised,
// or not. With Same, neither.
type Changes struct {
	End       *Offer // the open offer, ended
	Raise     *Offer // without an id yet
	Consent   *Offer // the open offer, with its consent renewed
	Renew     *Offer // the open offer, which kept its place, with its new window
	Exhausted bool   // this wish is the first to find no partner
}

// reconcile compares the wish with what stands. open is the offer that stands, or nil; was is the status before.
// A hospital's correction replaces an offer that has not been sent; what has happened is never rewritten.
func reconcile(w Desired, open *Offer, was Status, today calendar.Day, holidays *calendar.Holidays, zone *time.Location) Changes {
	var c Changes
	if open != nil && open.answers(w) {
		if open.Consent != w.Consent {
			renewed := *open
			renewed.Consent = w.Consent
			c.Consent = &renewed
		}
		return c
	}
	if open != nil && open.keepsItsPlace(w) {
		kept := *raise(w, today, holidays, zone)
		kept.ID, kept.Journey, kept.Organisation, kept.Person, kept.State = open.ID, open.Journey, open.Organisation, open.Person, open.State
		c.Renew = &kept
		return c
	}
	if open != nil && open.State != stateRaised && w.Status == Offered {
		return c // it has gone out: a correction is told to the partner, not taken from under it
	}
	if open != nil {
		ended := *open
		ended.State, ended.Because = stateWithdrawn, cmp.Or(w.Because, becauseReplaced)
		c.End = &ended
	}
	switch w.Status {
	case Offered:
		c.Raise = raise(w, today, holidays, zone)
	case Exhausted:
		c.Exhausted = was != Exhausted
	}
	return c
}

const (
	stateRaised    = "raised"
	stateWithdrawn = "withdrawn"
)

func raise(w Desired, today calendar.Day, holidays *calendar.Holidays, zone *time.Location) *Offer {
	window := windowOf(w.LeftOn, today)
	return &Offer{
		Partner: w.Partner.ID, Visit: w.Visit, LeftOn: w.LeftOn, Window: window, Consent: w.Consent, State: stateRaised,
		AnswerBy: answerBy(window, today, w.Partner.Works, holidays, zone),
	}
}
