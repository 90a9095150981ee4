package delivery

import (
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// What a mail is for.
const (
	mailAsks    = "asks"    // something waits for an answer
	mailChanged = "changed" // nobody is asked any more, or not at that time
	mailDigest  = "digest"  // all that waits, once a day

	mailAnswered = "answered" // an answer has come: one of what has changed
	mailOver     = "over"     // nobody is asked any more who had not answered: another of those
	mailNews     = "news"     // there is news for who referred somebody
)

// States of a mail beside stateWaiting and stateGivenUp.
const (
	mailSent     = "sent"     // a server took it
	mailWithheld = "withheld" // what it was about was taken back, or answered, before it left
	mailRefused  = "refused"  // its address takes no mail
	mailReturned = "returned" // it came back later
)

// What came back from an address, and what became of an attempt.
const (
	troubleRefused  = "refused"
	troubleReturned = "returned"
	troubleAway     = "away" // it answers by itself
	mailLater       = "later"
	mailPolicy      = "policy" // a server refused it for reasons of its own
	mailOurs        = "ours"   // because of us
	mailLeft        = "left"   // its partner is not told by e-mail any more
)

// The local hours at which a digest goes, and at which somebody rings on a day that they would not have been rung on.
const (
	digestHour = 9
	ringHour   = 10
	usualRing  = 24 * time.Hour
)

// mailedChanges are the types that are mailed though they ask for nothing: who was asked is told that nobody waits, and
// that an answer has come, whoever gave it: a link may have been given on.
func mailedChanges() []string {
	return []string{string(schemas.OfferPaused), string(schemas.OfferWithdrawn), string(schemas.AppointmentCancelled),
		string(schemas.OfferAccepted), string(schemas.OfferDeclined), string(schemas.ReferralUpdated)}
}

// mailedAtOnce are those that do not wait for a digest, where one is wanted.
func mailedAtOnce(digest bool) []string {
	return slices.DeleteFunc(mailedChanges(), func(t string) bool {
		return digest && t == string(schemas.ReferralUpdated)
	})
}

// stillNews leaves what a mail to an organisation is about to what it may still be told, as things stand, and says
// whether anything is left.
func (l *letter) stillNews(records map[string]*record) bool {
	l.About = slices.DeleteFunc(l.About, func(a about) bool {
		r := records[a.Journey]
		if r == nil || r.State.Bars(l.Referrer) || r.State.Offers[a.Offer] == nil {
			return true
		}
		_, told := r.State.Offers[a.Offer].News[l.Referrer]
		return !told
	})
	return !l.Withheld && len(l.About) > 0
}

// says is what a mail is for, as its text says it, of an offer as it stands; nil where it is about more than one.
func (l letter) says(o *Offer) string {
	switch {
	case l.Referrer != "":
		return mailNews
	case l.Type == schemas.OfferAccepted || l.Type == schemas.OfferDeclined:
		return mailAnswered
	case l.Kind == mailChanged && o != nil && o.over() && !o.begun():
		return mailOver
	}
	return l.Kind
}

// opensByLink says whether the link to an offer opens anything: while it can be answered, or an answer be taken back.
// What has been taken on is for somebody who signs in, and what is over is for nobody.
func (l letter) opensByLink(o *Offer) bool {
	return l.Type == schemas.OfferAccepted || l.Type == schemas.OfferDeclined || !o.begun() && !o.over()
}

// stillAsks says whether a mail about an offer is still to go, as things stand: nothing stops it, the offer stands, and
// what it asks for has not been done.
func (k *JourneyState) stillAsks(offer, partner string, typ schemas.Type) bool {
	o := k.Offers[offer]
	if o == nil || o.Partner != partner || k.stopped(partner) || !o.open() {
		return false
	}
	return typ != schemas.OfferSent || !o.begun() && !o.heard()
}

// mailText is what a mail says: that something waits, by when, and a link; nothing of anybody.
func mailText(kind string, by time.Time, link string) (subject, text string) {
	subject, first := "Something waits for you", "Something waits for your answer."
	then := "Please look."
	switch {
	case kind == mailNews:
		first = "Something waits for you to read."
	case kind == mailOver:
		subject, first = "Something has changed", "Something that waited for your answer does not wait any more."
		then = "You need not do anything."
	case kind == mailChanged:
		subject, first = "Something has changed", "Something that you were told of has changed."
	case kind == mailAnswered:
		subject, first = "Your answer has come", "An answer from your organisation has come."
		then = "If it was a mistake, please look soon: it can be taken back for a while."
	case !by.IsZero():
		then = "Please look by " + by.Format("Monday 2 January 2006, 15:04") + "."
	}
	var b strings.Builder
	b.WriteString(first + "\r\n" + then + "\r\n")
	b.WriteString("\r\n" + link + "\r\n\r\n")
	b.WriteString("This message says no more on purpose. Nobody reads answers to it.\r\n" +
		"If it is not for you, please delete it.\r\n")
	return subject, b.String()
}

// ringAt is when a navigator rings about an offer that was mailed and that no human acted on within a time: on a
// working day.
func ringAt(mailed time.Time, within time.Duration, zone *time.Location) time.Time {
	at, week := mailed.Add(within), calendar.Weekdays{}
	for day := time.Monday; day <= time.Friday; day++ {
		week[day] = true
	}
	day := calendar.DayOf(at, zone)
	if calendar.England().Working(day, week) {
		return at
	}
	return calendar.England().NextWorking(day, week).At(ringHour, 0, zone)
}

// nextDigest is when the next digest goes.
func nextDigest(now time.Time, zone *time.Location) time.Time {
	day := calendar.DayOf(now, zone)
	if at := day.At(digestHour, 0, zone); at.After(now) {
		return at
	}
	return (day + 1).At(digestHour, 0, zone)
}
