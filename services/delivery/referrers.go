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
	if _, known := k.Referrers[organisation]; !known {
		for _, o := range k.Offers {
			o.passOver(organisation)
		}
	}
	k.Referrers[organisation] = at
}

// newsBefore stands for an offer that was over before its referrer was one: it says nothing of whom they refer.
const newsBefore = "before"

// passOver notes that an offer is over, of which a new referrer is told nothing.
func (o *Offer) passOver(referrer string) {
	if o.over() {
		o.setNews(referrer, newsBefore)
	}
}

func (o *Offer) setNews(referrer, state string) {
	if o.News == nil {
		o.News = map[string]string{}
	}
	o.News[referrer] = state
}

// saidOf is what the person said about telling a referrer more, to it by name or to any. What they answered before the
// journey was closed is of what has been closed: it counts no more once it goes on.
func (k *JourneyState) saidOf(referrer string) schemas.Answered {
	if k.Transition.Closed {
		return k.TellReferrer.To(referrer)
	}
	return k.TellReferrer.Since(k.AnsweredUpTo).To(referrer)
}

// unsaid is what may not be given out any more to a referrer of an offer: all of it, or what needs a yes alone.
type unsaid struct {
	offer, log string
	all        bool
}

// news brings what referrers were told in line with what is known, and returns what they are told now, and what may
// not be given out to them any more.
func (k *JourneyState) news(journey string) (told []entry, withhold []unsaid) {
	for _, id := range slices.Sorted(maps.Keys(k.Offers)) {
		o := k.Offers[id]
		for _, referrer := range slices.Sorted(maps.Keys(k.Referrers)) {
			log := schemas.ReferrerLog(referrer)
			if o.takeBack(referrer, k.Bars(referrer), k.TellReferrer.To(referrer)) {
				withhold = append(withhold, unsaid{id, log, k.Bars(referrer)})
			}
			before := o.News[referrer]
			state := o.newsFor(before != "", k.saidOf(referrer).Yes)
			if state == "" || state == before || k.Bars(referrer) || before == newsBefore && o.over() ||
				schemas.ByYes(before) && state == schemas.NewsInTouch {
				continue
			}
			o.setNews(referrer, state)
			told = append(told, entry{Telling: Telling{Partner: log, Offer: id, Type: schemas.ReferralUpdated},
				Journey: journey, News: &schemas.ReferralNewsData{Referral: journey, State: state}})
		}
	}
	return told, withhold
}

// takeBack says whether something that a referrer was told may not be given out any more: it must not know of anything,
// or the person has said no to what needs a yes. What was taken back is told anew where they think otherwise later.
func (o *Offer) takeBack(referrer string, barred bool, said schemas.Answered) bool {
	switch last, known := o.News[referrer]; {
	case last == newsBefore:
		return false
	case known && barred:
		delete(o.News, referrer)
	case schemas.ByYes(last) && said.At > 0 && !said.Yes:
		o.News[referrer] = schemas.NewsInTouch
	default:
		return false
	}
	return true
}

// newsFor is how an offer stands for a referrer who was told of it or was not, with the person's yes to more or without
// it; empty while nobody outside knows of it.
func (o *Offer) newsFor(told, yes bool) string {
	completed, kept := o.has(schemas.FollowupCompleted), o.has(schemas.AppointmentKept)
	switch {
	case completed && yes:
		return schemas.NewsCompleted
	case kept && yes:
		return schemas.NewsKept
	case completed: // it is not over for want of a partner, and more is not theirs to know
		return schemas.NewsInTouch
	case o.over() && (o.begun() || told):
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

// hasNews says whether an organisation was told of an offer of the journey, and may know of it still.
func (k *JourneyState) hasNews(referrer string) bool {
	return !k.Bars(referrer) && slices.ContainsFunc(slices.Collect(maps.Values(k.Offers)), func(o *Offer) bool {
		state := o.News[referrer]
		return state != "" && state != newsBefore
	})
}
