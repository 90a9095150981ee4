package followup

import (
	"fmt"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// TestAPartnerIsAskedForWhatThePersonAskedFor: what either did not say excludes nothing; what both said must meet.
func TestAPartnerIsAskedForWhatThePersonAskedFor(t *testing.T) {
	t.Parallel()
	asked := schemas.Facts{Channels: []string{"in-person"}, Hours: []string{"weekday-evening", "weekend-daytime"},
		Access: []string{"step-free", "bsl"}, Group: new("women"), AreaResidence: new("north")}
	for name, tc := range map[string]struct {
		partner Partner
		asked   schemas.Facts
		want    string
	}{
		"nothing is known of it": {Partner{}, asked, ""},
		"nothing is known of them": {Partner{Hours: []string{"weekday-daytime"}, Access: []string{"bsl"},
			Groups: []string{"men"}, Areas: []string{"south"}}, schemas.Facts{}, ""},
		"all of it": {Partner{Hours: []string{"weekend-daytime"},
			Access: []string{"bsl", "step-free"}, Groups: []string{"women"}, Areas: []string{"north"}}, asked, ""},
		"other hours":               {Partner{Hours: []string{"weekday-daytime"}}, asked, whyHours},
		"one need of two":           {Partner{Access: []string{"bsl"}}, asked, whyAccess},
		"no such group":             {Partner{Groups: []string{"men"}}, asked, whyGroup},
		"too far to meet in person": {Partner{Areas: []string{"south"}}, asked, whyDistance},
		"far, and by telephone": {Partner{Areas: []string{"south"}},
			schemas.Facts{Channels: []string{"in-person", "phone"}, AreaResidence: new("north")}, ""},
		"near to where they stay": {Partner{Areas: []string{"south"}},
			schemas.Facts{Channels: []string{"in-person"}, AreaResidence: new("north"), AreaStaying: new("south")}, ""},
		"nobody knows where they are": {Partner{Areas: []string{"south"}},
			schemas.Facts{Channels: []string{"in-person"}}, ""},
	} {
		if got := tc.partner.offers(tc.asked); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// TestTheNearerOfTwoIsAskedFirst, after the person's own order.
func TestTheNearerOfTwoIsAskedFirst(t *testing.T) {
	t.Parallel()
	far, near, unsaid := Candidate{Partner: Partner{ID: "a", Rank: 1}, near: farAway},
		Candidate{Partner: Partner{ID: "b", Rank: 3}, near: nearby}, Candidate{Partner: Partner{ID: "c", Rank: 2},
			near: notSaid}
	if before(near, unsaid) >= 0 || before(unsaid, far) >= 0 {
		t.Error("who is nearer is asked later")
	}
	far.Named, far.chosen = true, 1
	if before(far, near) >= 0 {
		t.Error("the person's own order is outranked")
	}
}

// TestTheFairestOfEquals has taken fewest this week in relation to its places; rank decides between equals alone.
func TestTheFairestOfEquals(t *testing.T) {
	t.Parallel()
	of := func(id string, week, weekly int) Candidate {
		return Candidate{Partner: Partner{ID: id, Week: week, Weekly: weekly}, Fits: true}
	}
	named := of("n", 9, 10)
	named.Named = true
	for name, tc := range map[string]struct {
		fits []Candidate
		want int
	}{
		"nobody has taken any":          {[]Candidate{of("a", 0, 4), of("b", 0, 8)}, 0},
		"fewer, of as many":             {[]Candidate{of("a", 2, 4), of("b", 1, 4)}, 1},
		"more, of many more":            {[]Candidate{of("a", 1, 2), of("b", 3, 10)}, 1},
		"the same share":                {[]Candidate{of("a", 1, 2), of("b", 2, 4)}, 0},
		"no bound is as many as theirs": {[]Candidate{of("a", 3, 0), of("b", 2, 10)}, 1},
		"the person's own choice":       {[]Candidate{named, of("b", 0, 10)}, 0},
	} {
		if got := fairest(tc.fits); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// TestOffersAreSpreadBetweenEqualsAndStayWhereTheyWerePrepared: the second of two people goes to the other partner,
// and what happens to others does not move them.
func TestOffersAreSpreadBetweenEqualsAndStayWhereTheyWerePrepared(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	first := s.begins(yes("", schemas.ConsentGiven))
	_, one := s.brought(first)
	second := s.begins()
	if state, partner := s.stands(second); state != stateRaised || partner == one {
		t.Fatalf("the second is %s with %s, as the first", state, partner)
	}
	_, two := s.stands(second)
	for range 3 { // the other partner takes more meanwhile: who was prepared for it stays
		s.brought(s.begins(yes(two, schemas.ConsentGiven), yes(one, schemas.ConsentDeclined)))
	}
	s.hears(second, yes("", schemas.ConsentGiven))
	s.due()
	s.is(second, stateRaised, two)
	s.hasSaid(second, "offer.raised", 1)
	s.hasSaid(second, "offer.cleared", 1)
}

// TestASessionIsAtHoursThatThePersonNamed, where they named any.
func TestASessionIsAtHoursThatThePersonNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey := s.begins(yes(partnerA, schemas.ConsentGiven),
		event("", 0, schemas.InformationSupplied, schemas.InformationSuppliedData{
			Facts: schemas.Facts{Hours: []string{"weekday-evening"}}}))
	offer, partner := s.brought(journey)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
	day := calendar.DayOf(now, s.zone) + 7
	for day.Weekday() != time.Wednesday {
		day++
	}
	for hour, status := range map[int]int{10: 409, 16: 409} {
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment",
			fmt.Sprintf(`{"startsAt":%q,"channel":"phone"}`, day.At(hour, 0, s.zone).Format(time.RFC3339)), status)
	}
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment", fmt.Sprintf(`{"startsAt":%q,"channel":"phone"}`,
		(day+3).At(18, 0, s.zone).Format(time.RFC3339)), 409)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment", fmt.Sprintf(`{"startsAt":%q,"channel":"phone"}`,
		day.At(18, 0, s.zone).Format(time.RFC3339)), 200)
}
