package delivery

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"footbridge/libs/clock"
	"footbridge/schemas"
)

// TestWhatAPartnerWasToldIsListedOnceItWasGivenOut: looking gives nothing out, so that it can still be taken back.
func TestWhatAPartnerWasToldIsListedOnceItWasGivenOut(t *testing.T) {
	t.Parallel()
	s, partner, other := newSite(t, Config{}), clock.NewRandomID(), clock.NewRandomID()
	_, first := s.offers(partner)
	list := func(who, query string) (items []given, next string) {
		t.Helper()
		var p struct {
			Items []given
			Next  string
		}
		if status := s.ask(who, "GET", "/api/told"+query, "", &p); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
		return p.Items, p.Next
	}
	for range 2 {
		if got, _ := list(partner, ""); len(got) != 0 {
			t.Errorf("what nobody has read yet is listed as told: %v", got)
		}
	}
	_, second := s.offers(partner)
	s.fed(partner)
	got, next := list(partner, "?limit=1")
	if len(got) != 1 || got[0].Offer != second || got[0].Type != string(schemas.OfferSent) || got[0].GivenAt.IsZero() {
		t.Errorf("the newest is %+v, not offer %s", got, second)
	}
	rest, none := list(partner, "?limit=1&cursor="+next)
	if len(rest) != 1 || rest[0].Offer != first || none != "" {
		t.Errorf("the next is %+v, then %q", rest, none)
	}
	if got, _ := list(other, ""); len(got) != 0 {
		t.Errorf("another partner is told of %+v", got)
	}
	if status := s.ask(partner, "GET", fmt.Sprintf("/api/told?cursor=%s", "bm90"), "", nil); status != 400 {
		t.Errorf("a cursor that is none: %d", status)
	}
}

// TestWhatEachPartnerWasToldIsListedForThePerson: what has gone out, with its members and the ways that it came by, to
// the person and the team whose journey it is, and to nobody else.
func TestWhatEachPartnerWasToldIsListedForThePerson(t *testing.T) {
	t.Parallel()
	s, partner, person := newSite(t, Config{}), clock.NewRandomID(), clock.NewRandomID()
	journey, offer := s.offers(partner)
	path := "/api/journeys/" + journey + "/told"
	as := func(organisation, team string, role schemas.Role, query string) (status int, items []partnerTold,
		next string) {
		t.Helper()
		var p struct {
			Items []partnerTold
			Next  string
		}
		status = s.askWith(organisation, "GET", path+query, "", &p, roleHeader, string(role), teamHeader, team)
		return status, p.Items, p.Next
	}
	if status, _, _ := as("RXX", "", schemas.Navigator, ""); status != http.StatusNotFound {
		t.Errorf("before its beginning has come it is not known whose it is: %d", status)
	}
	s.hears(journey, schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: person, Organisation: "RXX"})
	if status, all, _ := as("RXX", "", schemas.Navigator, ""); status != http.StatusOK || len(all) != 0 {
		t.Errorf("before anything has gone out: %d %+v", status, all)
	}
	s.fed(partner)
	s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
	var feed feedPage
	s.ask(partner, "GET", "/api/feed?limit=1", "", &feed) // and asks for what follows: the first has come
	s.ask(partner, "GET", "/api/feed?after="+feed.Next, "", &feed)
	for name, who := range map[string]struct {
		organisation, team string
		role               schemas.Role
	}{"a navigator": {"RXX", "", schemas.Navigator}, "the sending team": {"RXX", "", schemas.SendingTeam},
		"the page of the person": {"own", schemas.OwnPageOf(journey), schemas.Person}} {
		status, all, next := as(who.organisation, who.team, who.role, "")
		if status != http.StatusOK || len(all) != 2 || next != "" {
			t.Fatalf("%s reads %d %+v, then %q", name, status, all, next)
		}
		asked := all[1]
		if all[0].Type != string(schemas.OfferAccepted) || asked.Type != string(schemas.OfferSent) ||
			asked.Partner != partner || asked.Offer != offer || asked.GivenAt.IsZero() ||
			!slices.Equal(asked.Shows, []string{"firstDay", "lastDay", "offer", "state"}) ||
			!slices.Equal(asked.Ways, []string{"feed"}) || len(all[0].Ways) != 0 {
			t.Errorf("%s reads %+v", name, all)
		}
	}
	_, first, next := as("RXX", "", schemas.Navigator, "?limit=1")
	if _, rest, none := as("RXX", "", schemas.Navigator, "?limit=1&cursor="+next); len(first) != 1 || len(rest) != 1 ||
		rest[0].Type != string(schemas.OfferSent) || none != "" {
		t.Errorf("page by page: %+v, then %+v", first, rest)
	}
	for name, who := range map[string]struct {
		organisation, team string
		role               schemas.Role
	}{"another organisation's navigator": {"RYY", "", schemas.Navigator},
		"the page of somebody else": {"own", schemas.OwnPageOf(clock.NewID(s.clock.Now())), schemas.Person},
		"the partner":               {partner, "", schemas.Partner}, "a system": {"RXX", "", schemas.System}} {
		if status, all, _ := as(who.organisation, who.team, who.role, ""); status != http.StatusNotFound &&
			status != http.StatusForbidden || len(all) != 0 {
			t.Errorf("%s reads %d %+v", name, status, all)
		}
	}
	if status, _, _ := as("RXX", "", schemas.Navigator, "?cursor=bm90"); status != http.StatusBadRequest {
		t.Errorf("a cursor that is none: %d", status)
	}
	bar := func(organisations ...string) {
		s.hears(journey, schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: organisations})
	}
	bar("RXX") // where a merge has said so of whose it is
	if status, _, _ := as("RXX", "", schemas.Navigator, ""); status != http.StatusNotFound {
		t.Errorf("whoever must not know reads %d", status)
	}
	bar([]string{}...)
	s.hears(journey, schemas.DischargeCorrected, schemas.DischargeCorrectedData{Organisation: "RYY"})
	if status, _, _ := as("RXX", "", schemas.Navigator, ""); status != http.StatusNotFound {
		t.Errorf("a journey that was placed elsewhere is read by whose it was: %d", status)
	}
}
