package followup

import (
	"context"
	"maps"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Due are the loops over what falls due by time.
func (s *Service) Due() []flow.Due {
	return []flow.Due{{Name: "partners-changed", Every: time.Second, Limit: 64, Run: s.tellOfPartners},
		{Name: "offers-due", Every: time.Second, Limit: 256, Run: s.offersDue},
		{Name: "exhausted-again", Every: time.Second, Limit: 256, Run: s.exhaustedAgain},
		{Name: "deletions-due", Every: time.Minute, Limit: 256, Run: s.deletionsDue}}
}

// tellOfPartners says how partners stand that have changed: whoever keeps to their agreements reads it there.
func (s *Service) tellOfPartners(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	var all []partnerNews
	var live []string
	unsaidPartners(tx, limit, tx.Postponed(), func(n partnerNews) {
		tx.Attempt(n.ID)
		all = append(all, n)
	})
	loadLive(tx, &live)
	if err := tx.Flush(); err != nil || len(all) == 0 {
		return 0, err
	}
	slices.Sort(live)
	ids := make([]string, len(all))
	for i, n := range all {
		ids[i] = n.ID
		tx.Emit(flow.Emission{Type: string(schemas.PartnerChanged), Journey: n.ID, Version: n.version + 1,
			Data: n.changed(live, s.writes(tx.Now).today())})
	}
	saidPartners(tx, ids)
	return len(all), tx.Flush()
}

// changed is how a partner stands on a day, for whoever keeps to it.
func (n partnerNews) changed(live []string, today calendar.Day) schemas.PartnerChangedData {
	d := schemas.PartnerChangedData{Partner: n.ID, Live: live, Invented: n.invented}
	if n.Agreement != nil {
		d.AgreementFrom, d.AgreementUntil = n.Agreement.First.String(), n.Agreement.Last.String()
	}
	if n.PausedUntil != 0 {
		d.PausedUntil = n.PausedUntil.String()
	}
	for _, away := range n.Away {
		if away.Last >= today {
			d.Away = append(d.Away, schemas.AwayDays{From: away.First.String(), Until: away.Last.String()})
		}
	}
	return d
}

// deletionsDue says of each offer that is over, once, that its partner's contact about data is to be written to.
func (s *Service) deletionsDue(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	w, found := s.writes(tx.Now), map[string]string{}
	offersUndeleted(tx, deletionDue(w.Moment), limit, tx.Postponed(), func(offer, journey string) {
		tx.Attempt(offer)
		found[offer] = journey
	})
	if err := tx.Flush(); err != nil || len(found) == 0 {
		return 0, err
	}
	journeys := slices.Compact(slices.Sorted(maps.Values(found)))
	records, now := store.Load(tx, journeys), *s
	loadPartners(tx, false, &now.partners)
	loadLive(tx, &now.live)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	w = now.writes(tx.Now)
	for _, offer := range slices.Sorted(maps.Keys(found)) {
		r := records[found[offer]]
		if o := r.find(offer); o != nil {
			w.follow(r, o, o.askDeletion(slices.Contains(r.State.Shown, offer)))
		}
	}
	return len(found), w.commit(tx)
}

// exhaustedAgain looks again at those for whom no partner was left: a partner has changed, a new week has brought
// places, or what stood against a partner has ended.
func (s *Service) exhaustedAgain(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	var journeys []string
	exhaustedToLookAt(tx, tx.Now, limit, tx.Postponed(), func(journey string) {
		tx.Attempt(journey)
		journeys = append(journeys, journey)
	})
	if err := tx.Flush(); err != nil || len(journeys) == 0 {
		return 0, err
	}
	slices.Sort(journeys)
	records := store.Load(tx, journeys)
	now := *s
	loadPartners(tx, false, &now.partners)
	countWeek(tx, monday(s.writes(tx.Now).today()), &now.partners)
	loadLive(tx, &now.live)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	w := now.writes(tx.Now)
	for _, journey := range journeys {
		w.records = append(w.records, records[journey])
	}
	return len(journeys), w.commit(tx)
}

// offersDue does what time alone changes: offers that may go out take a place, partners are reminded, silence is passed
// on, places that were kept for an answer are given free. After downtime of any length each is done once.
func (s *Service) offersDue(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	found, raised, journeys := 0, false, []string{}
	dueOffers(tx, tx.Now, limit, tx.Postponed(), func(offer, journey, state string) {
		tx.Attempt(offer)
		found, raised, journeys = found+1, raised || state == stateRaised, append(journeys, journey)
	})
	if err := tx.Flush(); err != nil || found == 0 {
		return 0, err
	}
	records := map[string]*record{}
	store.Lock(tx, records, nil, `where s.journey = any($1::uuid[]) order by s.journey for update of s skip locked`,
		journeys)
	loadOffers(tx, journeys, records)
	now := *s
	loadPartners(tx, raised, &now.partners)
	w := now.writes(tx.Now)
	if raised {
		countPlaces(tx, monday(w.today()), &now.partners)
	}
	loadLive(tx, &now.live)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	w.partners = now.partners
	for _, journey := range slices.Sorted(maps.Keys(records)) {
		w.fall(records[journey])
	}
	return found, w.commit(tx)
}

// fall does what has fallen due on one journey, if anything has under the lock.
func (w *writes) fall(r *record) {
	o := r.Open
	switch {
	case o == nil || o.DueAt.IsZero() || o.DueAt.After(w.Now):
	case o.Paused || w.turnedOff(o): // outward sending was turned off, or on again
		w.decide(r)
		if r.Open == o {
			w.follow(r, o, nil)
		}
	case o.State == stateRaised && o.PlacedAt.IsZero():
		w.dispatch(r)
	case o.due(w.partner(o.Partner), w.live(o.Organisation), w.Moment).After(w.Now):
		w.follow(r, o, nil) // it was looked at for another reason: nobody is reminded before the time
	default:
		effects := o.fire(w.partner(o.Partner), r.State.answers().Anew().At, w.Moment)
		w.follow(r, o, effects)
	}
}

// dispatch takes a place for an offer that the person's yes covers, so that it may be told: of its partner, or of the
// next that has one. Where nobody can be told yet it is looked at again, until the next partner has to be asked. The
// partners are locked, and their places counted.
func (w *writes) dispatch(r *record) {
	o := r.Open
	wanted := desiredOffer(&r.State, r.Past, w.partners, w.Moment)
	ready := func(c Candidate) bool {
		return w.live(o.Organisation) && c.Given && !wanted.guarded && c.mayBeTold(w.today()) && c.free()
	}
	i := slices.IndexFunc(wanted.Fits, ready)
	own := slices.IndexFunc(wanted.Fits, func(c Candidate) bool { return c.ID == o.Partner })
	if i >= 0 && own > i && ready(wanted.Fits[own]) && (own == askedAgain(wanted.Fits, r.Past) ||
		o.Spread && standing(wanted.Fits[i], wanted.Fits[own]) == 0) {
		i = own // it was prepared for this one, of equals, or since it took its answer back
	}
	switch {
	case wanted.Status != Offered || wanted.Held || o.Consent != consentGiven:
		w.follow(r, o, nil) // as soon as it is brought in line, it is looked at no more
	case i >= 0 && wanted.Fits[i].ID == o.Partner:
		w.take(o.Partner)
		w.follow(r, o, o.place(wanted.Fits[i].Partner, w.Moment))
	case i >= 0:
		w.follow(r, o, o.end(stateWithdrawn, becauseReplaced, w.Moment))
		wanted.Fits = wanted.Fits[i : i+1]
		next := raise(wanted, r.Past, nil, w.Moment)
		next.PlacedAt, next.PlacedWeek = w.Now, monday(w.today())
		w.take(next.Partner)
		w.raise(r, next)
		w.follow(r, next, []Effect{next.cleared(w.Zone)})
	case !w.Now.Before(o.AnswerBy):
		w.follow(r, o, o.end(stateWithdrawn, becauseNotDelivered, w.Moment))
	default:
		o.DueAt = w.Now.Add(lookAgain)
		if o.AnswerBy.Before(o.DueAt) {
			o.DueAt = o.AnswerBy
		}
		w.follow(r, o, nil)
	}
}

// take counts a place as taken.
func (w *writes) take(partner string) {
	if i := slices.IndexFunc(w.partners, func(p Partner) bool { return p.ID == partner }); i >= 0 {
		w.partners[i].Held++
		w.partners[i].Week++
	}
}
