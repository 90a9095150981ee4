package followup

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// life is one journey in memory, to which everything happens that can: events in any order and again, what partners
// say, deliveries, and time.
type life struct {
	t       *rapid.T
	s       *Service
	r       *record
	now     time.Time
	emitted []flow.Emission
	said    int64
	before  Offer // the offer that stood before what happens now
	// partnersOwn: it is the partner that speaks, and knows what it says.
	partnersOwn bool
}

func newLife(t *rapid.T) *life {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)
	agreement := Span{calendar.DayOf(start, zone) - 1, calendar.DayOf(start, zone) + 400}
	s := &Service{zone: zone, partners: partnersAB(), invented: true}
	for i := range s.partners {
		s.partners[i].Agreement = &agreement
	}
	s.subscriptions = s.subscribe()
	return &life{t: t, s: s, r: store.Fresh(aJourney), now: start}
}

// happen applies events as the bus brings them.
func (l *life) happen(events ...flow.Event) {
	l.looks()
	emitted, err := l.s.handler().Apply(&pgx.Batch{}, l.now, map[string]*record{aJourney: l.r}, events)
	l.keep(emitted, err)
}

// change does what people or the time do, and ends as their transactions do.
func (l *life) change(do func(w *writes)) {
	l.looks()
	w := l.s.writes(l.now)
	w.partners = slices.Clone(l.s.partners)
	do(w)
	emitted, err := flow.Handler[JourneyState, record]{Store: store, Reconcile: w.reconcile}.Commit(&pgx.Batch{}, l.now,
		w.records)
	l.keep(emitted, err)
}

func (l *life) keep(emitted []flow.Emission, err error) {
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range emitted {
		for _, f := range schemas.Validate(e.Data) {
			if f.Pointer != "/person" { // this test's people have short ids
				l.t.Fatalf("%s is not as its schema has it: %v", e.Type, f)
			}
		}
	}
	l.emitted = append(l.emitted, emitted...)
	l.holds()
	l.ended()
	l.stopped(emitted)
	if len(emitted) > 0 { // it was brought in line just now
		l.stays()
	}
}

// stays says that what was brought in line stays as it is when it is looked at again: nobody is told the same for ever.
func (l *life) stays() {
	w := l.s.writes(l.now)
	w.partners = slices.Clone(l.s.partners)
	again, err := flow.Handler[JourneyState, record]{Store: store, Reconcile: w.reconcile}.Commit(&pgx.Batch{}, l.now,
		[]*record{l.r})
	if err != nil || len(again) > 0 {
		l.t.Fatalf("looked at again, it changes: %v %+v", err, again)
	}
}

// looks keeps how the offer stands, before anything happens.
func (l *life) looks() {
	l.before = Offer{}
	if l.r.Open != nil {
		l.before = *l.r.Open
	}
}

// endings are the events that say that an offer has come to its end.
var endings = []schemas.Type{schemas.OfferWithdrawn, schemas.OfferDeclined, schemas.OfferPassedOn,
	schemas.OfferHandedBack, schemas.OfferUndone, schemas.FollowupCompleted}

// ended says that no offer ends unsaid, and that whoever had one that is over is shown nothing of anybody.
func (l *life) ended() {
	over := map[string]bool{}
	for _, e := range l.emitted {
		var about struct {
			Offer string `json:"offer"`
		}
		text, err := json.Marshal(e.Data)
		if err == nil {
			err = json.Unmarshal(text, &about)
		}
		if err != nil {
			l.t.Fatal(err)
		}
		if slices.Contains(endings, schemas.Type(e.Type)) {
			over[about.Offer] = true
		}
	}
	for _, o := range l.r.Past {
		shown := l.shown(o)
		if !over[o.ID] || o.Session != nil || shown.Journey != "" || shown.About != nil || shown.Appointment != nil {
			l.t.Fatalf("an offer ends unsaid, or goes on: %+v, shown %+v", o, shown)
		}
	}
}

// stopped says that a session which is called off for the person has its partner rung, where they are about to go, and
// that one is booked within the hours and the ways that were named alone.
func (l *life) stopped(emitted []flow.Emission) {
	for _, e := range emitted {
		switch d := e.Data.(type) {
		case schemas.AppointmentCancelledData:
			begins := l.before.Session
			if begins == nil || begins.ID != d.Appointment || !begins.StartsAt.After(l.now) ||
				begins.StartsAt.Sub(l.now) > aboutToGo || l.partnersOwn {
				continue
			}
			if d.RingBy == nil || d.RingBy.After(l.now.Add(ringWithin)) || d.RingBy.After(begins.StartsAt) {
				l.t.Fatalf("a session at %s is called off at %s, and its partner rung by %v", begins.StartsAt, l.now,
					d.RingBy)
			}
		case schemas.OfferAcceptedData:
			if o := l.r.find(d.Offer); d.BookBy != nil && !slices.Contains(l.r.State.answers().Yes(), o.Partner) {
				l.t.Fatalf("a partner is told to agree on a time, and the person has not said yes to it: %+v", o)
			}
		case schemas.AppointmentBookedData:
			if k := &l.r.State; d.Channel != inPerson && !k.MayBeRung.Holds(d.StartsAt, d.Minutes) ||
				len(k.Facts.Channels) > 0 && !slices.Contains(k.Facts.Channels, d.Channel) {
				l.t.Fatalf("a session is booked by %s at %s, and they may be rung %+v", d.Channel, d.StartsAt,
					k.MayBeRung)
			}
		}
	}
}

// shown is an offer as its partner's workers see it.
func (l *life) shown(o Offer) offerShown {
	return api{Service: l.s}.shown(o, l.r.State.Facts.Facts, Partner{},
		principal.Principal{Role: string(schemas.Partner)}, l.s.writes(l.now).Moment)
}

// tick lets what is due happen, until nothing is.
func (l *life) tick() {
	for try := 0; l.r.Open != nil && !l.r.Open.DueAt.IsZero() && !l.r.Open.DueAt.After(l.now); try++ {
		if try > 20 {
			l.t.Fatalf("what is due stays due: %+v", l.r.Open)
		}
		l.change(func(w *writes) { w.fall(l.r) })
	}
}

// delivers says that an offer has left for its partner, or is with it.
func (l *life) delivers(offer string) {
	l.happen(event(aJourney, 9, schemas.DeliveryMade, schemas.DeliveryMadeData{Offer: offer, Partner: partnerA,
		How: rapid.SampledFrom([]string{schemas.DeliveryHandedOver, schemas.DeliveryAcknowledged}).Draw(l.t, "how")}))
}

// answers is what the person says to a partner by name, or to any.
func (l *life) answers(typ schemas.Type, to string) {
	l.said++
	l.happen(event(aJourney, 100+l.said, typ, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp},
		Organisation: to}))
}

// partnerSays is something that a partner says about one of its offers, in any state.
func (l *life) partnerSays() {
	var ids []string
	if l.r.Open != nil {
		ids = append(ids, l.r.Open.ID)
	}
	for _, o := range l.r.Past {
		if !o.SentAt.IsZero() {
			ids = append(ids, o.ID)
		}
	}
	if len(ids) == 0 || l.r.Open != nil && l.r.Open.SentAt.IsZero() && len(ids) == 1 {
		return
	}
	id := rapid.SampledFrom(ids).Draw(l.t, "offer")
	if o := l.r.find(id); o.SentAt.IsZero() {
		return
	}
	l.partnersOwn = true
	defer func() { l.partnersOwn = false }()
	l.change(func(w *writes) {
		h := &command{writes: w, s: l.s, record: l.r, offer: l.r.find(id)}
		who := principal.Principal{Organisation: h.offer.Partner, Role: string(schemas.Partner), Subject: "peer"}
		var err error
		switch rapid.IntRange(0, 7).Draw(l.t, "says") {
		case 0, 1:
			_, err = h.accept(nothing{}, who)
		case 2:
			_, err = h.decline(declined{Code: "22"}, who)
		case 3:
			_, err = h.book(Booking{StartsAt: l.now.Add(time.Duration(rapid.IntRange(1, 70).Draw(l.t,
				"until")) * time.Hour), Channel: rapid.SampledFrom([]string{"phone", "video", "in-person"}).Draw(l.t,
				"channel")}, who)
		case 4:
			_, err = h.went(Went{Outcome: rapid.SampledFrom([]string{"kept", "not-kept", "cancelled",
				"could-not-contact"}).Draw(l.t, "went"),
				Next: rapid.SampledFrom([]string{"", "nothing-more", "another-session"}).Draw(l.t, "next")}, who)
		case 5:
			_, err = h.handBack(handedBack{Reason: "worker-away"}, who)
		case 6:
			_, err = h.undo(nothing{}, who)
		default:
			_, err = h.mayKnow(knows{Who: rapid.SampledFrom([]string{"another-worker", "another-partner"}).Draw(l.t,
				"who")}, who)
		}
		if err != nil {
			l.t.Fatal(err)
		}
	})
}

// holds is what is true of a journey at every moment.
func (l *life) holds() {
	k, o := &l.r.State, l.r.Open
	answers := k.answers()
	if o == nil {
		return
	}
	yes, named := answers.To(o.Partner), slices.Contains(answers.Yes(), o.Partner)
	_, visit, stands := k.Visits.Current()
	stopped := k.Contact.At > 0 && !k.Contact.Yes || k.Transition.Held || !stands || schemas.HumanFirst(visit.Flags)
	guarded := schemas.ClinicianFirst(visit.Flags) || schemas.Unplaced(visit.Flags)
	fault := ""
	switch {
	case !o.open():
		fault = "an offer that has ended stands"
	case k.Transition.Closed:
		fault = "an offer stands on a closed journey"
	case slices.Contains(k.Barred, o.Partner):
		fault = "somebody has an offer who must not know"
	case yes.At > 0 && !yes.Yes:
		fault = "an offer stands with a partner that the person said no to"
	case o.State == stateRaised && o.mayBeSent() && (!yes.Yes || stopped || guarded):
		fault = "an offer may be sent without a yes, while contact is stopped, or before a clinician's record"
	case o.asked() && !o.Paused && guarded:
		fault = "a partner is asked before a clinician's record, or before anybody has placed the journey"
	case o.told() && !o.Paused && stopped:
		fault = "an offer goes on while contact is stopped"
	case (o.State == stateAccepted || o.State == stateBooked) && !o.Paused && (!(named && yes.Yes) || guarded):
		fault = "a partner goes on without the person's yes to it by name"
	case o.State == stateBooked && o.Paused, (o.State == stateBooked) != (o.Session != nil):
		fault = "a session stands that does not take place, or none that does"
	case o.Session != nil && o.Session.Channel != inPerson && o.Session.StartsAt.After(l.now) &&
		!k.MayBeRung.Holds(o.Session.StartsAt.In(l.s.zone), o.Session.Minutes):
		fault = "a session is to come at an hour at which the person cannot be reached safely"
	case o.told() && o.PlacedAt.IsZero():
		fault = "an offer is with a partner that has no place for it"
	}
	shown := l.shown(*o)
	if fault == "" && (shown.About != nil && (!yes.Yes || stopped) || shown.Journey != "" && (!o.taken() || stopped)) {
		fault = "a partner is shown what it may not see"
	}
	if fault != "" {
		l.t.Fatalf("%s: %+v, paused %v, status %s; %+v", fault, o, o.Paused, l.r.Status, answers)
	}
}

// namedStory is story, with answers about partners by name, holds, and what is not known of any order.
func namedStory(t *rapid.T) []flow.Event {
	events := story(t)
	for i := range events {
		if typ := schemas.Type(events[i].Type); (typ == schemas.ConsentGiven || typ == schemas.ConsentDeclined) &&
			rapid.Bool().Draw(t, "by name") {
			named := event(aJourney, 0, typ, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp},
				Organisation: rapid.SampledFrom([]string{partnerA, partnerB}).Draw(t, "partner")})
			events[i].Data = named.Data
		}
	}
	return events
}

// TestWhateverHappensNothingGoesBeyondTheYes: events in any order and again, what partners say in any state, deliveries
// late and again, and time: at every moment nothing is sent, shown or booked beyond the person's yes, and what is due
// ends.
func TestWhateverHappensNothingGoesBeyondTheYes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		l.happen(event(aJourney, 1, schemas.DischargeRecorded,
			schemas.DischargeRecordedData{Person: "p", Organisation: "RXX", Visit: "v1", LeftOn: "2026-11-02"}),
			event(aJourney, 1, schemas.PathwayDecided, doorsOf(thirdSector("svc-a", schemas.Eligible),
				thirdSector("svc-b", schemas.Eligible))))
		if rapid.Bool().Draw(t, "yes") {
			l.happen(event(aJourney, 2, schemas.ConsentGiven,
				schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp},
					Organisation: rapid.SampledFrom([]string{"", partnerA}).Draw(t, "to")}))
		}
		arrival := rapid.Permutation(namedStory(t)).Draw(t, "arrival")
		for i := range arrival { // after what began it
			arrival[i].Sequence = flow.FormatSequence(flow.ReadSequence(arrival[i].Sequence) + 2)
		}
		var offers []string
		for range rapid.IntRange(5, 120).Draw(t, "moments") {
			if l.r.Open != nil && !slices.Contains(offers, l.r.Open.ID) {
				offers = append(offers, l.r.Open.ID)
			}
			switch happens := rapid.IntRange(0, 19).Draw(t, "happens"); {
			case happens == 0 && len(arrival) > 0:
				l.happen(rapid.SampledFrom(arrival).Draw(t, "event"))
			case happens < 3 && len(offers) > 0:
				l.delivers(rapid.SampledFrom(offers).Draw(t, "offer"))
			case happens < 7 && l.r.Open != nil:
				l.delivers(l.r.Open.ID)
			case happens < 11:
				l.now = l.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour)
				l.tick()
			case happens == 12: // another's people take the places, a pause begins, or the agreement ends; or not
				for i := range l.s.partners {
					p := &l.s.partners[i]
					p.AtMost, p.Held, p.PausedUntil = 1, rapid.IntRange(0, 1).Draw(t, "taken"),
						calendar.DayOf(l.now, l.s.zone)+calendar.Day(rapid.IntRange(-3, 1).Draw(t, "paused"))
				}
			case happens == 11:
				l.answers(rapid.SampledFrom([]schemas.Type{schemas.ConsentGiven, schemas.ConsentGiven,
					schemas.ConsentDeclined, schemas.ConsentLapsed}).Draw(t, "answer"),
					rapid.SampledFrom([]string{"", partnerA, partnerB}).Draw(t, "to"))
			default:
				l.partnerSays()
			}
		}
	})
}

// TestAStopInEveryStateEndsContactAndLiftingItRestores: whatever has become of an offer, when contact is stopped or
// somebody else has the person nothing goes out, is shown or takes place; lifted, the offer is where it was, or
// prepared again.
func TestAStopInEveryStateEndsContactAndLiftingItRestores(t *testing.T) {
	t.Parallel()
	steps := []string{stateRaised, "cleared", stateSent, stateAcknowledged, stateAccepted, stateBooked, stateNotKept,
		stateKept}
	turns := map[string][2]flow.Event{
		"stopped": {event(aJourney, 50, schemas.ContactStopped, schemas.ContactStoppedData{}),
			event(aJourney, 51, schemas.ContactResumed, schemas.ContactStoppedData{})},
		"held": {event(aJourney, 50, schemas.JourneyHeld, schemas.JourneyHeldData{}),
			event(aJourney, 51, schemas.JourneyReleased, schemas.JourneyReleasedData{ReleasedOn: "2026-11-04"})},
	}
	for name, turn := range turns {
		for upTo, state := range steps {
			rapid.Check(t, func(t *rapid.T) {
				l := newLife(t)
				l.reach(upTo)
				offer := l.r.Open.ID
				l.happen(turn[0])
				if o := l.r.Open; o != nil && (!o.Paused || o.Session != nil || o.mayBeSent() || !o.DueAt.IsZero()) {
					t.Fatalf("%s when %s: it goes on as %+v", name, state, o)
				}
				l.now = l.now.Add(100 * time.Hour)
				l.tick()
				l.happen(turn[1])
				l.tick()
				if o := l.r.Open; o == nil || o.Paused || upTo > 1 && o.ID != offer {
					t.Fatalf("%s when %s, and lifted: %+v", name, state, o)
				}
			})
		}
	}
}

// A place that the person's yes covers no more is given free, and nothing goes out; with their yes again the same offer
// takes one again.
func TestAPlaceThatNoYesCoversIsGivenFree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		l.reach(1)
		offer := l.r.Open.ID
		says := func(typ schemas.Type, at int64) {
			l.happen(event(aJourney, at, typ, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp},
				Organisation: partnerA}))
		}
		says(schemas.ConsentLapsed, 50)
		if o := l.r.Open; o == nil || !o.PlacedAt.IsZero() || o.mayBeSent() {
			t.Fatalf("without a yes: %+v", o)
		}
		l.delivers(offer) // on its way before
		if o := l.r.Open; o.told() {
			t.Fatalf("without a yes it is told: %+v", o)
		}
		says(schemas.ConsentGiven, 51)
		l.tick()
		if o := l.r.Open; o == nil || o.ID != offer || !o.mayBeSent() {
			t.Fatalf("with a yes again: %+v", o)
		}
	})
}

// reach brings the journey's offer to a state, by the steps that lead there.
func (l *life) reach(upTo int) {
	l.happen(event(aJourney, 1, schemas.DischargeRecorded,
		schemas.DischargeRecordedData{Person: "p", Organisation: "RXX", Visit: "v1", LeftOn: "2026-11-02"}),
		event(aJourney, 1, schemas.PathwayDecided, doorsOf(thirdSector("svc-a", schemas.Eligible))),
		event(aJourney, 2, schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp},
			Organisation: partnerA}))
	says := func(do func(h *command) (string, error)) {
		l.change(func(w *writes) {
			if against, err := do(&command{writes: w, s: l.s, record: l.r, offer: l.r.Open}); err != nil ||
				against != "" {
				l.t.Fatal(against, err)
			}
		})
	}
	who := principal.Principal{Organisation: partnerA, Role: string(schemas.Partner), Subject: "peer"}
	delivered := func(how string) {
		l.happen(event(aJourney, 9, schemas.DeliveryMade, schemas.DeliveryMadeData{Offer: l.r.Open.ID,
			Partner: partnerA, How: how}))
	}
	books := func(h *command) (string, error) {
		return h.book(Booking{StartsAt: l.now.Add(time.Hour), Channel: "phone"}, who)
	}
	went := func(outcome string) {
		l.now = l.now.Add(2 * time.Hour)
		says(func(h *command) (string, error) { return h.went(Went{Outcome: outcome}, who) })
	}
	for _, step := range []func(){
		func() {}, l.tick, func() { delivered(schemas.DeliveryHandedOver) },
		func() { delivered(schemas.DeliveryAcknowledged) },
		func() { says(func(h *command) (string, error) { return h.accept(nothing{}, who) }) },
		func() { says(books) }, func() { went(wentNotKept) }, func() { says(books); went(wentKept) },
	}[:upTo+1] {
		step()
	}
}
