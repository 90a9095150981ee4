package followup

import (
	"fmt"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// TestANewWeekBringsThePlacesOfWhoeverHadNone: places are by the week. Nobody has to change anything of a partner for
// somebody to be looked at again who found none.
func TestANewWeekBringsThePlacesOfWhoeverHadNone(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	s.ask(aNavigator, "PUT", "/api/partners/"+partnerA+"/capacity", `{"weekly":1}`, 200)
	begins := func() string {
		return s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentDeclined))
	}
	first := begins()
	offer, partner := s.brought(first)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", "{}", 200) // its only place of this week
	waits := begins()
	s.due()
	s.is(waits, stateRaised, partnerA)
	nextWeek := (monday(calendar.DayOf(now, london(t))) + 7).At(0, 0, london(t))
	s.at(nextWeek.Add(-time.Minute))
	s.is(waits, "", "")
	s.hasSaid(waits, "offer.exhausted", 1)
	s.hasSaid(waits, "offer.cleared", 0)
	s.at(nextWeek.Add(time.Minute))
	s.is(waits, stateRaised, partnerA)
	s.hasSaid(waits, "offer.cleared", 1)
	s.hasSaid(waits, "offer.exhausted", 1)
}

// TestTheEndOfAPauseOrAHolidayBringsAPartnerBack: on the day after.
func TestTheEndOfAPauseOrAHolidayBringsAPartnerBack(t *testing.T) {
	t.Parallel()
	today := calendar.DayOf(now, london(t))
	for name, change := range map[string]func(s *site, last calendar.Day){
		"pause": func(s *site, last calendar.Day) {
			s.ask(aNavigator, "PUT", "/api/partners/"+partnerA+"/pause", fmt.Sprintf(`{"until":%q}`, last.String()),
				200)
		},
		"holiday": func(s *site, last calendar.Day) {
			s.ask(aNavigator, "PUT", "/api/partners/"+partnerA+"/holidays",
				fmt.Sprintf(`{"holidays":[{"from":%q,"until":%q}]}`, (today-1).String(), last.String()), 200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, true)
			last := today + 20
			change(s, last)
			journey := s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentDeclined))
			s.is(journey, "", "")
			s.hasSaid(journey, "offer.exhausted", 1)
			before := (last + 1).At(0, 0, london(t)).Add(-time.Minute)
			if name == "pause" {
				s.at(before)
				s.is(journey, "", "")
			}
			s.at(before.Add(2 * time.Minute))
			s.is(journey, stateRaised, partnerA)
			s.hasSaid(journey, "offer.exhausted", 1)
		})
	}
}

// TestWhenTimeAloneMayBringAPartner: the first day on which one fits, and never where none will.
func TestWhenTimeAloneMayBringAPartner(t *testing.T) {
	t.Parallel()
	zone, today := london(t), day(t, "2026-11-04") // a Wednesday
	m := atDay(t, today)
	k := recorded()
	ended := func(p, state, because string) Offer {
		return Offer{Partner: p, Visit: "v", State: state, Because: because, EndedAt: m.Now.Add(-time.Hour)}
	}
	full := []Offer{ended(partnerA, stateWithdrawn, becauseNotDelivered)}
	placed := ended(partnerA, stateWithdrawn, becauseNotDelivered)
	placed.PlacedAt = m.Now.Add(-24 * time.Hour)
	for name, tc := range map[string]struct {
		past []Offer
		is   func(p *Partner)
		want string
	}{
		"it had no place this week": {full, func(p *Partner) { p.Weekly = 2 }, "2026-11-09"},
		"it has no bound":           {full, func(*Partner) {}, ""},
		"it could not be told":      {[]Offer{placed}, func(p *Partner) { p.Weekly = 2 }, ""},
		"it said no": {[]Offer{ended(partnerA, stateDeclined, "22")}, func(p *Partner) { p.Weekly = 2 },
			""},
		"it is paused": {nil, func(p *Partner) { p.PausedUntil = today + 1 }, "2026-11-06"},
		"its agreement begins later": {nil, func(p *Partner) { p.Agreement = &Span{today + 30, today + 90} },
			"2026-12-04"},
		"its agreement is over": {nil, func(p *Partner) { p.Agreement = &Span{today - 30, today - 1} }, ""},
		"it has no place while it is paused": {full, func(p *Partner) { p.Weekly, p.PausedUntil = 2, today+9 },
			"2026-11-14"},
	} {
		p := Partner{ID: partnerA, Service: "svc-a", Works: calendar.MondayToFriday,
			Agreement: &Span{today - 10, today + 300}}
		tc.is(&p)
		w := desiredOffer(k, tc.past, []Partner{p}, m)
		if w.Status != Exhausted {
			t.Fatalf("%s: %s is asked", name, w.Status)
		}
		want := time.Time{}
		if tc.want != "" {
			want = day(t, tc.want).At(0, 0, zone)
		}
		if got := nextLook(k, w, tc.past, []Partner{p}, m); !got.Equal(want) {
			t.Errorf("%s: looked at again %v, not %v", name, got, want)
		}
	}
}
