package delivery

import (
	"maps"
	"slices"

	"footbridge/schemas"
)

// What referrers are told of the offers of a journey goes into a log of their organisation's own, with positions and
// cursors like a partner's.

// selfReferred is the route of a request by the person, who has nobody to be told.
const selfReferred = "self"

// refers notes that an organisation asked for support for somebody, or sent them home.
func (k *JourneyState) refers(organisation string, at int64) {
	if organisation == "" || k.Referrers[organisation] >= at {
		return
	}
	if k.Referrers == nil {
		k.Referrers = map[string]int64{}
	}
	k.Referrers[organisation] = at
}

// tells says whether a referrer may be told of what needs the person's yes.
func (k *JourneyState) tells() bool {
	said := k.TellReferrer.Any
	return said.At > 0 && said.Yes
}

// news brings what referrers were told in line with what is known, and returns what they are told now, and the offers
// of which nothing that needs a yes may be given out.
func (k *JourneyState) news(journey string) (told []entry, withhold []string) {
	for _, id := range slices.Sorted(maps.Keys(k.Offers)) {
		o := k.Offers[id]
		if k.TellReferrer.Any.At > 0 && !k.tells() && o.newsByYes() {
			withhold = append(withhold, id)
		}
		for _, referrer := range slices.Sorted(maps.Keys(k.Referrers)) {
			state := o.newsFor(k.tells())
			if state == "" || state == o.News[referrer] || k.Bars(referrer) ||
				schemas.ByYes(o.News[referrer]) && state == schemas.NewsInTouch {
				continue
			}
			if o.News == nil {
				o.News = map[string]string{}
			}
			o.News[referrer] = state
			told = append(told, entry{Telling: Telling{Partner: schemas.ReferrerLog(referrer), Offer: id,
				Type: schemas.ReferralUpdated}, Journey: journey,
				News: &schemas.ReferralNewsData{Referral: journey, State: state}})
		}
	}
	return told, withhold
}

// newsByYes says whether somebody was told what needs a yes.
func (o *Offer) newsByYes() bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(o.News)), schemas.ByYes)
}

// newsFor is how an offer stands for a referrer, with the person's yes to more or without it; empty while nobody
// outside knows of it.
func (o *Offer) newsFor(yes bool) string {
	completed, kept := o.has(schemas.FollowupCompleted), o.has(schemas.AppointmentKept)
	switch {
	case completed && yes:
		return schemas.NewsCompleted
	case kept && yes:
		return schemas.NewsKept
	case completed: // it is not over for want of a partner, and more is not theirs to know
		return schemas.NewsInTouch
	case o.over() && (o.begun() || len(o.News) > 0):
		return schemas.NewsNotWith
	case o.begun():
		return schemas.NewsInTouch
	case o.Shown == schemas.StateWaits:
		return schemas.NewsOffered
	}
	return ""
}

// has says whether something was said of an offer.
func (o *Offer) has(t schemas.Type) bool {
	for _, line := range o.Lines {
		if line.Type == t {
			return true
		}
	}
	return false
}
