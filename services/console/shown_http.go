package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What each organisation was shown of somebody, on one page that can be printed: for the person on their own page, and
// for staff who hand it to them. It is addressed to the person.

// offerOut is an offer that has left for its partner, with what could be read of it.
type offerOut struct {
	Partner     string     `json:"partner"`
	DeletedAt   *time.Time `json:"deletedAt"`
	Kept        []string   `json:"kept"`
	KeptBecause string     `json:"keptBecause"`
	Pages       []struct {
		By     string    `json:"by"`
		Fields []string  `json:"fields"`
		At     time.Time `json:"at"`
	} `json:"pages"`
}

// partnerTold is one thing that a partner was told.
type partnerTold struct {
	Partner string    `json:"partner"`
	Type    string    `json:"type"`
	Shows   []string  `json:"shows"`
	GivenAt time.Time `json:"givenAt"`
	Ways    []string  `json:"ways"`
}

func (c *client) passedOn(ctx context.Context, p principal.Principal, journey string) ([]offerOut, error) {
	var list httpx.List[offerOut]
	err := c.get(ctx, p, schemas.Followup, "/api/journeys/"+url.PathEscape(journey)+"/shown", &list)
	return list.Items, err
}

func (c *client) partnersTold(ctx context.Context, p principal.Principal, journey string) ([]partnerTold, bool, error) {
	var list httpx.List[partnerTold]
	err := c.get(ctx, p, schemas.Delivery, "/api/journeys/"+url.PathEscape(journey)+"/told", &list)
	return list.Items, list.Next != nil, err
}

// looksBy are the latest looks by a journey at who its person is, which staff may read; the person reads all of theirs.
func (c *client) looksBy(ctx context.Context, p principal.Principal, journey string) ([]look, bool, error) {
	if p.Role == string(schemas.Person) {
		return c.looks(ctx, p, p.Subject)
	}
	var list httpx.List[look]
	err := c.get(ctx, p, schemas.Intake, "/api/journeys/"+url.PathEscape(journey)+"/access"+query("limit", "200"),
		&list)
	return list.Items, list.Next != nil, err
}

type shownView struct {
	ID, Code string // of the journey, to staff
	To       []shownTo
	More     bool // others are not shown
}

// shownTo is what one organisation was shown.
type shownTo struct {
	Name   string
	Pages  []shownLine
	Told   []shownLine
	Looks  []string
	Ending []string

	id string
}

type shownLine struct{ At, Words, Fields, Way string }

// showShown is what each organisation was shown of a journey, to staff.
func (s *Console) showShown(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	page, err := s.shown(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return err
	}
	page.ID, page.Code = r.PathValue("id"), codeOf(r.PathValue("id"))
	return s.show(w, r, http.StatusOK, "shown", view{Title: shownTitle, Here: "/journeys", Page: page})
}

// showOwnShown is the same on the page of the person.
func (s *Console) showOwnShown(w http.ResponseWriter, r *http.Request) error {
	p, id, ok := pageHolder(r.Context())
	if !ok {
		return s.askCode(w, r, false)
	}
	page, err := s.shown(r.Context(), p, id)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "shown", view{Title: shownTitle, Leave: ownLeave, Page: page})
}

// shownTitle is neutral: a browser prints it, and keeps it in its history.
const shownTitle = "Who was shown what"

func (s *Console) shown(ctx context.Context, p principal.Principal, journey string) (page shownView, err error) {
	offers, err := s.client.passedOn(ctx, p, journey)
	if err != nil {
		return page, err
	}
	told, more, err := s.client.partnersTold(ctx, p, journey)
	if err != nil {
		return page, err
	}
	looks, earlier, err := s.client.looksBy(ctx, p, journey)
	if err != nil {
		return page, err
	}
	page.More = more || earlier
	for _, o := range offers {
		to := page.to(s, o.Partner)
		for _, one := range o.Pages {
			to.Pages = append(to.Pages, shownLine{At: timeWords(one.At, s.zone), Fields: inParts(aboutYou, one.Fields),
				Way: wordsFor(readWays, one.By)})
		}
		if o.DeletedAt != nil {
			to.Ending = append(to.Ending, timeWords(*o.DeletedAt, s.zone)+": "+
				schemas.DeletionSentence(o.Kept, o.KeptBecause))
		}
	}
	for _, one := range slices.Backward(told) { // the first in front
		to := page.to(s, one.Partner)
		to.Told = append(to.Told, shownLine{timeWords(one.GivenAt, s.zone), wordsFor(toldOfYou, one.Type),
			inParts(toldFields, one.Shows), waysWords(one.Ways)})
	}
	for _, l := range slices.Backward(looks) {
		if clock.IsID(l.Organisation) { // an organisation outside, whether it is listed still or not
			to := page.to(s, l.Organisation)
			to.Looks = append(to.Looks, s.lookWords(l))
		}
	}
	return page, nil
}

// to is what is shown of one organisation.
func (v *shownView) to(s *Console, partner string) *shownTo {
	i := slices.IndexFunc(v.To, func(one shownTo) bool { return one.id == partner })
	if i < 0 {
		i, v.To = len(v.To), append(v.To, shownTo{id: partner, Name: s.organisationName(partner)})
	}
	return &v.To[i]
}

// organisationName is what an organisation is called: a partner by its name, as its id is opaque.
func (s *Console) organisationName(id string) string {
	if name := s.partnerName(id); name != "" || !clock.IsID(id) {
		return cmp.Or(name, id)
	}
	return "An organisation that is not listed any more"
}

// readWays are the ways by which an offer is read.
var readWays = map[string]string{
	"link":      "By the link in a mail. Programs that look at mails open it too",
	"signed-in": "By somebody who signed in for them, or by their system",
}

// aboutYou are the fields of an offer before it is taken on.
var aboutYou = map[string]string{
	"ageBand": "Your age, as a band", "area": "The area in which you live", "channels": "How you like to talk",
	"language": "Your language", "interpreter": "That an interpreter is needed",
	"workerGender": "Whom you would like to meet, a woman or a man", "hours": "Which hours suit you",
	"access": "What you need to take part", "group": "A group of your own that you would like",
}

// toldOfYou say what an organisation was told, to the person.
var toldOfYou = map[string]string{
	string(schemas.OfferSent):              "They were asked whether they have a place for you",
	string(schemas.OfferNudged):            "They were reminded of what they were asked",
	string(schemas.OfferPaused):            "They were told that nobody is to be in touch for the time being",
	string(schemas.OfferAccepted):          "Their yes was confirmed to them",
	string(schemas.OfferConfirmed):         "They were told that you said yes to them",
	string(schemas.OfferAcceptedLate):      "Their late yes was confirmed to them",
	string(schemas.OfferDeclined):          "Their no was confirmed to them",
	string(schemas.OfferPassedOn):          "They were told that somebody else is asked",
	string(schemas.OfferWithdrawn):         "They were told that nothing is asked of them any more",
	string(schemas.OfferHandedBack):        "That they handed back was confirmed to them",
	string(schemas.OfferUndone):            "That they took their answer back was confirmed to them",
	string(schemas.OfferQuestionAnswered):  "A question of theirs was answered",
	string(schemas.OfferDeletionConfirmed): "What they said that they deleted was confirmed to them",
	string(schemas.OfferWithheld):          "Something was taken back before they were told",
	string(schemas.AppointmentBooked):      "The time of your session was confirmed to them",
	string(schemas.AppointmentKept):        "That your session took place was confirmed to them",
	string(schemas.AppointmentNotKept):     "That a session did not take place was confirmed to them",
	string(schemas.AppointmentCancelled):   "They were told that a session does not take place",
	string(schemas.FollowupCompleted):      "What comes next was confirmed to them",
}

// toldFields are what such a message has, in the words of the person.
var toldFields = map[string]string{
	"offer": "A number that says nothing of you", "state": "How it stands", "firstDay": "From which day",
	"lastDay": "Until which day", "answerBy": "By when they are asked to answer",
	"bookBy": "By when they are asked to agree on a time", "outcomeBy": "By when they are asked how it went",
	"about": "What they are reminded of", "question": "Which question of theirs",
	"appointment": "A number for the session", "startsAt": "The day and the time",
	"channel": "How you meet", "minutes": "How long it is",
}

// toldWays are the ways by which it came.
var toldWays = map[string]string{"email": "A mail that says only that something waits", "feed": "Their system read it",
	"webhook": "It was sent to their system", "broker": "Their system read it"}

// inParts lists things whose words may hold a comma.
func inParts(words map[string]string, codes []string) string {
	var all []string
	for _, code := range codes {
		all = append(all, lowerFirst(wordsFor(words, code)))
	}
	return strings.Join(all, "; ")
}

func waysWords(ways []string) string {
	if len(ways) == 0 {
		return "It went out; that it came is not known"
	}
	return listed(toldWays, slices.Compact(slices.Clone(ways)))
}
