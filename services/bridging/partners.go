package bridging

import (
	"slices"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// partnerTerms is how a third-sector partner stands that may ring, as followup says.
type partnerTerms struct {
	id string
	// first and last are the days of its agreement, both inclusive; 0 where none is recorded.
	first, last calendar.Day
	// paused is the last day on which it takes nobody on.
	paused calendar.Day
	away   []span
	// live are the organisations for which outward sending is on; invented: it needs no decision.
	live     []string
	invented bool
}

// span is from one local day to another, both inclusive.
type span struct{ first, last calendar.Day }

// partners are all that are known, by id. One that is not known rings nobody: what has not arrived means no.
type partners map[string]partnerTerms

// isPartner says whether an organisation's code is a partner's: an opaque id.
func isPartner(organisation string) bool {
	id, _ := schemas.KindNamed("uuid")
	return id.Allows(organisation)
}

// rings says whether an organisation may ring somebody of home's on a day: any of the NHS, and a partner under an
// agreement in force that is not away for long, where outward sending is on for home. already: it rings them as it is.
// A partner that pauses takes nobody else on, and goes on with those whom it rings.
func (all partners) rings(organisation, home string, already bool, today calendar.Day) bool {
	if !isPartner(organisation) {
		return true
	}
	p, known := all[organisation]
	return known && p.first > 0 && p.first <= today && today <= p.last && (already || p.paused < today) &&
		(p.invented || slices.Contains(p.live, home)) && len(p.awayDays(today, today+longestSearch-1)) <= mostAway
}

// awayDays are the days on which a partner is away, and nobody rings for it, until a last day. One that is not known,
// as any organisation of the NHS, has none.
func (p partnerTerms) awayDays(today, until calendar.Day) map[calendar.Day]bool {
	days := map[calendar.Day]bool{}
	for _, s := range p.away {
		for day := max(s.first, today); day <= min(s.last, until); day++ {
			days[day] = true
		}
	}
	return days
}

// termsOf reads how a partner stands.
func termsOf(d schemas.PartnerChangedData) (p partnerTerms) {
	day := func(text string) calendar.Day {
		day, err := calendar.ParseDay(text)
		if err != nil {
			return 0
		}
		return day
	}
	p = partnerTerms{id: d.Partner, first: day(d.AgreementFrom), last: day(d.AgreementUntil),
		paused: day(d.PausedUntil), live: d.Live, invented: d.Invented}
	for _, s := range d.Away {
		if first, last := day(s.From), day(s.Until); first > 0 && last >= first {
			p.away = append(p.away, span{first, last})
		}
	}
	return p
}
