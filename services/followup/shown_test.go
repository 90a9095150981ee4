package followup

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"footbridge/libs/principal"
	"footbridge/schemas"
)

// TestWhatLeftForEachPartnerIsListedForThePerson: which fields each could read, by which way and since when, and what
// it did with what it knew; to the person and to the team whose journey it is, and to nobody else. What nobody has
// fetched was shown to nobody, and staff who look are no partner.
func TestWhatLeftForEachPartnerIsListedForThePerson(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey, offer, partner := s.offered()
	page := principal.Principal{Organisation: "own", Role: string(schemas.Person), Subject: "another-record",
		Team: schemas.OwnPageOf(journey)}
	list := func(who principal.Principal) (all []passedOn) {
		t.Helper()
		text, err := json.Marshal(s.ask(who, "GET", "/api/journeys/"+journey+"/shown", "", 200)["items"])
		if err == nil {
			err = json.Unmarshal(text, &all)
		}
		if err != nil || len(all) != 1 || all[0].Offer != offer || all[0].Partner != partner || all[0].SentAt == nil {
			t.Fatalf("%s reads %s (%v)", who.Role, text, err)
		}
		return all
	}
	s.ask(aNavigator, "GET", "/api/offers/"+offer, "", 200)
	s.ask(aNavigator, "GET", "/api/offers", "", 200)
	if all := list(aNavigator); len(all[0].Pages) != 0 || all[0].AcceptedAt != nil {
		t.Errorf("before anybody at the partner has looked: %+v", all)
	}
	s.hears(journey, event("", 0, schemas.InformationSupplied, schemas.InformationSuppliedData{
		Facts: schemas.Facts{Age: new(30), Channels: []string{"phone"}}}))
	about, _ := s.ask(holder(partner, offer), "GET", "/api/offers/"+offer, "", 200)["about"].(map[string]any)
	s.clock.to(s.clock.Now().Add(time.Minute))
	for range 2 { // it was shown once
		s.ask(peer(partner), "GET", "/api/offers", "", 200)
		s.ask(holder(partner, offer), "GET", "/api/offers/"+offer, "", 200)
	}
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/hand-back", `{"reason":"worker-away"}`, 200)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/confirm-deletion",
		`{"kept":["payments"],"keptBecause":"accounts"}`, 200)
	var fields []string
	for name := range about {
		if name != "withheld" {
			fields = append(fields, name)
		}
	}
	slices.Sort(fields)
	if len(fields) == 0 {
		t.Fatal("nothing was shown of it, so that nothing below would show")
	}
	for _, who := range []principal.Principal{aNavigator, page,
		{Organisation: "RXX", Role: string(schemas.SendingTeam), Subject: "nurse"}} {
		one := list(who)[0]
		if len(one.Pages) != 2 || one.Pages[0].By != readByLink || one.Pages[1].By != readSignedIn ||
			!one.Pages[0].At.Before(one.Pages[1].At) || !reflect.DeepEqual(one.Pages[0].Fields, fields) ||
			!reflect.DeepEqual(one.Pages[1].Fields, fields) || one.AcceptedAt == nil || one.EndedAt == nil ||
			one.DeletedAt == nil || one.KeptBecause != "accounts" {
			t.Errorf("%s reads %+v, and shown was %v", who.Role, one, fields)
		}
	}
	path := "/api/journeys/" + journey + "/shown"
	elsewhere := principal.Principal{Organisation: "RYY", Role: string(schemas.Navigator), Subject: "navigator"}
	s.ask(elsewhere, "GET", path, "", 404)
	other := page
	other.Team = schemas.OwnPageOf(partner)
	s.ask(other, "GET", path, "", 404)
	s.ask(peer(partner), "GET", path, "", 403)
	s.hears(journey, event("", 0, schemas.PreferencesChanged, schemas.PreferencesChangedData{
		MustNotKnow: []string{"RXX"}})) // where a merge has said so of whose it is
	s.ask(aNavigator, "GET", path, "", 404)
	s.ask(holder(partner, offer), "GET", path, "", 403)
}
