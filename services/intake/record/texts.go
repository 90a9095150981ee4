package record

import (
	"time"

	"footbridge/schemas"
)

// SeesNumber is that a number was used for one text, and shown to nobody.
const SeesNumber = "number"

// Why a text is not sent.
const (
	RefusedNoText  = "no-text"  // nothing may be sent as things stand
	RefusedNoPhone = "no-phone" // no confirmed number for texts, or they asked for no reminders
)

// MayText decides whether a text may go to the person now, or why not. A reminder of a session takes what lets its
// partner read, one of a call what lets the home organisation ring; that something has changed takes that nobody has
// said no to the partner. All of it is read in the transaction that reads the number.
func MayText(asked schemas.TextAsked, home string, hidden bool, group Group, standing AccessState, offers []Offer,
	answers []Answer, today string) (refused string) {
	if hidden {
		return RefusedBarred
	}
	if standing.State != JourneyOpen || standing.Stopped || standing.Cancelled || standing.Waits {
		return RefusedNoText
	}
	may := false
	switch asked.About {
	case schemas.TextSession:
		may = partnerReads(asked.Partner, group, standing, offers, answers, today)
	case schemas.TextCall:
		may = MayRing(home, hidden, group, standing, answers, today) == ""
	case schemas.TextChanged:
		may = Consent(group, answers, schemas.PurposeFollowUp, asked.Partner, today).Holds()
	}
	if !may {
		return RefusedNoText
	}
	return ""
}

// TextsTo is the way by which the person is texted: one that they confirmed for texts, and for a session's reminder
// asked to be reminded by. A call's reminder was asked for with its plan.
func (c Card) TextsTo(about string) (to Channel, ok bool) {
	for _, channel := range c.Usable() {
		if channel.Channel == "text" && (about != schemas.TextSession || channel.Reminders) {
			return channel, true
		}
	}
	return Channel{}, false
}

// OpensAt is when the hours of a channel that is usable are next open: now, or when they begin, in zone.
func (c Channel) OpensAt(now time.Time, zone *time.Location) time.Time {
	local := now.In(zone)
	hour := func(ahead, hour int) time.Time {
		return time.Date(local.Year(), local.Month(), local.Day()+ahead, hour, 0, 0, 0, zone)
	}
	until := c.ToHour
	if until == 0 {
		until = 24
	}
	switch {
	case now.Before(hour(0, c.FromHour)):
		return hour(0, c.FromHour)
	case now.Before(hour(0, until)):
		return now
	}
	return hour(1, c.FromHour)
}
