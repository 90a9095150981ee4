package followup

import (
	"slices"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// holder is whoever holds the link to an offer.
func holder(partner, offer string) principal.Principal {
	return principal.Principal{Organisation: partner, Role: string(schemas.OfferLink), Subject: offer}
}

// offered is a journey whose person said yes to both partners by name, with the offer that was brought to the first.
func (s *site) offered() (journey, offer, partner string) {
	s.t.Helper()
	journey = s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentGiven))
	offer, partner = s.brought(journey)
	return journey, offer, partner
}

// may is what somebody may say of an offer.
func (s *site) may(who principal.Principal, offer string) (all []string) {
	s.t.Helper()
	for _, what := range s.ask(who, "GET", "/api/offers/"+offer, "", 200)["may"].([]any) {
		all = append(all, what.(string))
	}
	return all
}

func TestALinkAnswersOneOfferAndShowsNoMoreOnceItIsTakenOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey, offer, partner := s.offered()
	link, path := holder(partner, offer), "/api/offers/"+offer
	if may := s.may(link, offer); !slices.Equal(may, []string{"accept", "decline", "may-know", "question"}) {
		t.Errorf("by the link may be said: %v", may)
	}
	for who, shown := range map[string]principal.Principal{"another offer's": holder(partner, clock.NewID(now)),
		"another partner's": holder(partnerB, offer)} {
		if s.ask(shown, "GET", path, "", 404)["journey"] != nil {
			t.Errorf("%s link shows the offer", who)
		}
		s.ask(shown, "POST", path+"/accept", `{}`, 404)
	}
	for what, body := range map[string]string{"hand-back": `{"reason":"closing","all":true}`,
		"introduce":        `{"how":"one-call"}`,
		"appointment":      `{"startsAt":"2026-11-10T18:00:00Z","channel":"phone"}`,
		"outcome":          `{"outcome":"kept"}`,
		"confirm-deletion": `{}`} {
		s.ask(link, "POST", path+"/"+what, body, 403)
	}
	s.ask(link, "GET", "/api/offers", "", 403)
	s.ask(link, "GET", "/api/partners/"+partner, "", 403)
	s.ask(link, "POST", path+"/accept", `{}`, 200)
	s.is(journey, stateAccepted, partner)
	shown := s.ask(link, "GET", path, "", 200)
	for _, later := range []string{"journey", "bookBy", "about", "appointment", "placeKeptUntil", "considered"} {
		if shown[later] != nil {
			t.Errorf("once the offer is taken on, its link shows %s: %v", later, shown[later])
		}
	}
	for what, body := range map[string]string{"may-know": `{"who":"another-partner"}`, "question": `{"about":"hours"}`,
		"decline": `{"code":"no-place"}`} {
		s.ask(link, "POST", path+"/"+what, body, 409)
	}
	s.is(journey, stateAccepted, partner)
	if may := s.may(link, offer); !slices.Equal(may, []string{"undo"}) {
		t.Errorf("once the offer is taken on, by its link may be said: %v", may)
	}
}

func TestAnAnswerByAnyWayHasTheSameEffectOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	for _, answer := range []struct{ what, body, event, state string }{
		{"accept", `{}`, "offer.accepted", stateAccepted},
		{"decline", `{"code":"no-place"}`, "offer.declined", stateDeclined}} {
		journey, offer, partner := s.offered()
		link := holder(partner, offer)
		for _, who := range []principal.Principal{link, peer(partner), aNavigator, link} {
			s.ask(who, "POST", "/api/offers/"+offer+"/"+answer.what, answer.body, 200)
		}
		s.hasSaid(journey, answer.event, 1)
		if state := s.ask(peer(partner), "GET", "/api/offers/"+offer, "", 200)["state"]; state != answer.state {
			t.Errorf("%s by every way: the offer is %v", answer.what, state)
		}
	}
}

func TestAQuestionIsFromSomebodyWhoKnowsOfTheOffer(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	for _, ask := range []func(offer, partner string) principal.Principal{
		func(offer, partner string) principal.Principal { return holder(partner, offer) },
		func(_, partner string) principal.Principal { return peer(partner) }} {
		journey, offer, partner := s.offered()
		s.ask(ask(offer, partner), "GET", "/api/offers/"+offer, "", 200)
		s.is(journey, stateSent, partner) // a page that was fetched is nobody
		s.ask(ask(offer, partner), "POST", "/api/offers/"+offer+"/question", `{"about":"hours"}`, 200)
		s.is(journey, stateAcknowledged, partner)
		s.hasSaid(journey, "offer.acknowledged", 1)
		s.hasSaid(journey, "offer.questioned", 1)
	}
}

func TestAYesIsTakenBackUntilSomebodyHasLookedAtWhoThePersonIs(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey, offer, partner := s.offered()
	link := holder(partner, offer)
	s.ask(link, "POST", "/api/offers/"+offer+"/undo", `{}`, 409) // nothing has been answered
	s.ask(link, "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
	s.ask(link, "POST", "/api/offers/"+offer+"/undo", `{}`, 200)
	s.ask(link, "POST", "/api/offers/"+offer+"/undo", `{}`, 200)
	s.hasSaid(journey, "offer.undone", 1)
	if may := s.may(link, offer); len(may) > 0 {
		t.Errorf("of an offer that is over may be said: %v", may)
	}
	again, whose := s.brought(journey)
	if again == offer || whose != partner {
		t.Fatalf("whoever took its answer back is not asked again: %s is", whose)
	}
	s.ask(holder(partner, again), "POST", "/api/offers/"+again+"/accept", `{}`, 200)
	s.hears(journey, event("", 0, schemas.PersonShown, schemas.ShownData{Offer: again, Partner: partner}))
	for _, who := range []principal.Principal{holder(partner, again), peer(partner), aNavigator} {
		s.ask(who, "POST", "/api/offers/"+again+"/undo", `{}`, 409)
	}
	s.is(journey, stateAccepted, partner)
	s.hasSaid(journey, "offer.undone", 1)
}

func TestANoByALinkIsTakenBackUntilAnotherIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey, offer, partner := s.offered()
	link := holder(partner, offer)
	s.ask(link, "POST", "/api/offers/"+offer+"/decline", `{"code":"no-place"}`, 200)
	s.at(now.Add(undoWithin - time.Second))
	if state, whose := s.stands(journey); state != stateRaised || whose == partner {
		t.Fatalf("after a no the offer is %q with %q", state, whose)
	}
	s.hasSaid(journey, "offer.cleared", 1)
	s.ask(link, "POST", "/api/offers/"+offer+"/undo", `{}`, 200)
	again, whose := s.brought(journey)
	if whose != partner || again == offer {
		t.Fatalf("whoever took its no back is not asked again: %s is", whose)
	}
	s.ask(holder(partner, again), "POST", "/api/offers/"+again+"/may-know", `{"who":"another-partner"}`, 200)
	s.at(now.Add(2 * undoWithin))
	next, whose := s.brought(journey)
	if whose == partner || next == again {
		t.Fatalf("after a no nobody else is asked: %s", whose)
	}
	s.ask(holder(partner, again), "POST", "/api/offers/"+again+"/undo", `{}`, 409)
	s.is(journey, stateSent, whose)
}

// Whoever took its answer back is asked again, before one that the person named sooner: where neither has a place, the
// offer is prepared once and waits, however often it is looked at.
func TestAnAnswerTakenBackIsPreparedForOnceWhereNobodyHasAPlace(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	change := func(partner, what, body string) {
		t.Helper()
		s.ask(peer(partner), "PUT", "/api/partners/"+partner+"/"+what, body, 200)
	}
	takes := func(journey string) (offer, partner string) {
		t.Helper()
		offer, partner = s.brought(journey)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
		return offer, partner
	}
	takes(s.begins(yes(partnerA, schemas.ConsentGiven)))
	takes(s.begins(yes(partnerB, schemas.ConsentGiven)))
	change(partnerA, "pause", `{"until":"`+calendar.DayOf(now, time.UTC).String()+`"}`)
	journey := s.begins(yes("", schemas.ConsentGiven), yes(partnerA, schemas.ConsentGiven))
	offer, partner := takes(journey)
	change(partnerA, "pause", `{"until":""}`)
	for _, full := range []string{partnerA, partnerB} {
		change(full, "capacity", `{"atMost":1}`)
	}
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/undo", `{}`, 200)
	for range 3 {
		s.do(func(tx *flow.Tx) error {
			_, err := s.offersDue(t.Context(), tx, 256)
			return err
		})
	}
	if n := count(t, s.pool, `select count(*) from offer where journey = $1::uuid`, journey); partner != partnerB ||
		n != 2 {
		t.Errorf("%d offers were made, the first to %s: %v", n, partner, s.said(journey))
	}
	s.is(journey, stateRaised, partnerB)
}

// Whoever takes its answer back is not asked again where the person has named another meanwhile, and their yes to any
// has ended.
func TestAnAnswerTakenBackGoesToWhomThePersonHasNamedSince(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	s.ask(peer(partnerA), "PUT", "/api/partners/"+partnerA+"/pause",
		`{"until":"`+calendar.DayOf(now, time.UTC).String()+`"}`, 200)
	journey := s.begins(yes("", schemas.ConsentGiven))
	offer, partner := s.brought(journey)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
	s.ask(peer(partnerA), "PUT", "/api/partners/"+partnerA+"/pause", `{"until":""}`, 200)
	s.hears(journey, yes("", schemas.ConsentLapsed), yes(partnerA, schemas.ConsentGiven))
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/undo", `{}`, 200)
	if s.is(journey, stateRaised, partnerA); partner != partnerB {
		t.Errorf("%s was asked first", partner)
	}
}
