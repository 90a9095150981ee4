package followup

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// TestWhoCouldNotBeContactedIsTheNavigators: whichever way a partner says so, nobody else is asked until the person has
// answered again.
func TestWhoCouldNotBeContactedIsTheNavigators(t *testing.T) {
	t.Parallel()
	for path, body := range map[string]string{"/hand-back": `{"reason":"could-not-contact"}`,
		"/outcome": `{"outcome":"could-not-contact"}`} {
		s := newSite(t, true)
		journey := s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentGiven))
		offer, partner := s.brought(journey)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+path, body, 200)
		s.due()
		s.hasSaid(journey, "offer.handed-back", 1)
		s.is(journey, "", "")
		s.at(now.AddDate(0, 0, 7)) // nor later, in another week
		s.is(journey, "", "")
		s.hears(journey, yes(partnerB, schemas.ConsentGiven)) // a navigator found them
		s.is(journey, stateRaised, partnerB)
	}
	// another reason has the next partner asked at once, as before
	s := newSite(t, true)
	journey := s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentGiven))
	offer, partner := s.brought(journey)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/hand-back", `{"reason":"worker-away"}`, 200)
	s.is(journey, stateRaised, partnerB)
}

// TestWhoWasNotReachedIsNotAskedForAgainByRecordsThatAreJoinedAndParted: what counts otherwise while two records are
// one, and again once they are two, nobody has answered: whoever could not be reached was not reached by it. The place
// was given free in vain, or the partner handed it back.
func TestWhoWasNotReachedIsNotAskedForAgainByRecordsThatAreJoinedAndParted(t *testing.T) {
	t.Parallel()
	for name, unreached := range map[string]func(s *site, partner, offer string){
		"not reached": func(s *site, _, _ string) { s.at(now.Add(73 * time.Hour)) },
		"handed back": func(s *site, partner, offer string) {
			s.ask(peer(partner), "POST", "/api/offers/"+offer+"/hand-back", `{"reason":"could-not-contact"}`, 200)
			s.due()
		},
	} {
		for _, held := range []schemas.Type{schemas.ConsentLapsed, schemas.ConsentDeclined} {
			s := newSite(t, true)
			journey := s.begins(yes("", schemas.ConsentGiven))
			offer, partner := s.brought(journey)
			s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
			unreached(s, partner, offer)
			s.is(journey, "", "")
			s.hears(journey, asBefore(held))
			s.hears(journey, asBefore(schemas.ConsentGiven))
			s.due()
			if state, _ := s.stands(journey); state != "" {
				t.Errorf("%s, then %s: an offer is %s, and nobody reached the person", name, held, state)
			}
			s.hears(journey, yes("", schemas.ConsentGiven)) // a navigator found them
			if state, _ := s.stands(journey); state != stateRaised {
				t.Errorf("%s, then %s: they were found, and an offer is %q", name, held, state)
			}
		}
	}
}

// asBefore is an answer that counts otherwise since two records were joined or parted.
func asBefore(typ schemas.Type) flow.Event {
	return event("", 0, typ, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp},
		AsBefore: typ != schemas.ConsentLapsed})
}

// TestWhoTurnsOutToBeAChildIsSeenByNobodyBeforeTheCliniciansRecord: whatever a partner had agreed to is off, somebody
// about to go is rung, and its place is kept for as long as the clinician takes: nobody may ask the young person
// meanwhile, so that nobody gives it free as not reached. Their record and a yes let it go on.
func TestWhoTurnsOutToBeAChildIsSeenByNobodyBeforeTheCliniciansRecord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		flag     string
		to, then string // to whom the yes is, and how the offer stands afterwards
	}{
		"booked":               {schemas.FlagUnder18, partnerA, stateAccepted},
		"waits for their yes":  {schemas.FlagUnder18, "", stateWaiting},
		"of an age not known":  {schemas.FlagAgeUnknown, partnerA, stateAccepted},
		"not placed by anyone": {schemas.FlagUnplaced, partnerA, stateAccepted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, true)
			journey := s.begins(yes(tc.to, schemas.ConsentGiven))
			offer, partner := s.brought(journey)
			s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
			booked := tc.then == stateAccepted
			if booked {
				s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment", fmt.Sprintf(
					`{"startsAt":%q,"channel":"phone"}`, now.Add(30*time.Hour).Format(time.RFC3339)), 200)
			}
			flagged := func(flags []string) {
				s.hears(journey, event("", 0, schemas.DischargeCorrected, schemas.DischargeCorrectedData{
					Visit: s.visit(journey), Flags: flags}))
			}
			flagged([]string{tc.flag})
			s.is(journey, tc.then, partner)
			if booked {
				if said := s.text(journey, schemas.AppointmentCancelled); !strings.Contains(said, "ringBy") {
					t.Errorf("nobody rings the partner, who is about to go: %s", said)
				}
				s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment",
					fmt.Sprintf(`{"startsAt":%q,"channel":"phone"}`, now.Add(50*time.Hour).Format(time.RFC3339)), 409)
			}
			s.hasSaid(journey, "offer.paused", 1)
			for day := range 6 {
				s.at(now.AddDate(0, 0, day+1))
			}
			s.is(journey, tc.then, partner) // the place is kept
			s.hasSaid(journey, "offer.nudged", 0)
			flagged([]string{})
			s.is(journey, tc.then, partner)
			s.hears(journey, yes(partner, schemas.ConsentGiven))
			s.is(journey, stateAccepted, partner)
			s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment", fmt.Sprintf(
				`{"startsAt":%q,"channel":"phone"}`, now.AddDate(0, 0, 8).Format(time.RFC3339)), 200)
		})
	}
}

// visit is the one that a journey is about.
func (s *site) visit(journey string) (visit string) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), `select jsonb_object_keys(known->'visits') from journey_state
		where journey = $1::uuid`, journey).Scan(&visit); err != nil {
		s.t.Fatal(err)
	}
	return visit
}

// TestAPartnerThatIsFullEveryWeekIsAskedTwice: then a navigator decides, and the person is told; nobody is offered the
// same every week.
func TestAPartnerThatIsFullEveryWeekIsAskedTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	s.ask(aNavigator, "PUT", "/api/partners/"+partnerA+"/capacity", `{"atMost":1}`, 200)
	begins := func() string {
		return s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentDeclined))
	}
	first := begins()
	offer, partner := s.brought(first)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", "{}", 200) // its only place, for weeks
	waits := begins()
	monday := (monday(calendar.DayOf(now, london(t))) + 7).At(9, 0, london(t))
	for day := 0; day < 50; day++ {
		s.at(monday.AddDate(0, 0, day))
	}
	s.is(waits, "", "")
	s.hasSaid(waits, "offer.raised", 2)
	s.hasSaid(waits, "offer.cleared", 0)
	s.hasSaid(waits, "offer.exhausted", 2)
	s.ask(aNavigator, "PUT", "/api/partners/"+partnerA+"/capacity", `{"atMost":2}`, 200) // it has changed: asked anew
	s.due()
	s.hasSaid(waits, "offer.cleared", 1)
}

// TestWhoHadNoPlaceIsAskedAgainInALaterWeekAfterAllOthers, within the window that was promised, and once: a second no
// for want of a place is the navigator's. Any other no stands.
func TestWhoHadNoPlaceIsAskedAgainInALaterWeekAfterAllOthers(t *testing.T) {
	t.Parallel()
	nextWeek := (monday(calendar.DayOf(now, london(t))) + 7).At(9, 0, london(t))
	for code, again := range map[string]bool{"22": true, "no-place": true, "24": false, "40": false} {
		s := newSite(t, true)
		journey := s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentGiven))
		decline := func(partner, code string) {
			t.Helper()
			offer, whose := s.brought(journey)
			if whose != partner {
				t.Fatalf("%s: %s is asked, want %s", code, whose, partner)
			}
			s.ask(peer(partner), "POST", "/api/offers/"+offer+"/decline", `{"code":"`+code+`"}`, 200)
			s.due()
		}
		decline(partnerA, code)
		decline(partnerB, "24") // whoever has not been asked comes first
		s.is(journey, "", "")
		s.at(nextWeek.Add(-10 * time.Hour))
		s.is(journey, "", "")
		s.at(nextWeek)
		if !again {
			s.is(journey, "", "")
			continue
		}
		decline(partnerA, code)
		for day := 0; day < 21; day++ {
			s.at(nextWeek.AddDate(0, 0, day))
		}
		s.is(journey, "", "")
		s.hasSaid(journey, "offer.raised", 3)
	}
}

// TestALateYesBesideAnothersAcceptanceIsThePersonsChoice: nobody who has taken the person on loses them to a late yes,
// and it is said once. Before anybody else has taken them on, it is welcome where a place is free.
func TestALateYesBesideAnothersAcceptanceIsThePersonsChoice(t *testing.T) {
	t.Parallel()
	for accepted, want := range map[bool]string{true: partnerB, false: partnerA} {
		s := newSite(t, true)
		journey := s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentGiven))
		late, _ := s.brought(journey)
		s.at(now.AddDate(0, 0, 5)) // silent
		second, partner := s.brought(journey)
		if partner != partnerB {
			t.Fatalf("%s is asked next", partner)
		}
		if accepted {
			s.ask(peer(partnerB), "POST", "/api/offers/"+second+"/accept", `{}`, 200)
		}
		for range 2 {
			s.ask(peer(partnerA), "POST", "/api/offers/"+late+"/accept", `{}`, 200)
		}
		s.is(journey, stateAccepted, want)
		s.hasSaid(journey, "offer.accepted-late", map[bool]int{true: 1}[accepted])
		s.hasSaid(journey, "offer.accepted", 1)
		s.hasSaid(journey, "offer.withdrawn", map[bool]int{false: 1}[accepted])
	}
}
