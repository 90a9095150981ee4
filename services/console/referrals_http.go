package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What a team is told of those its organisation referred or sent home: how each referral stands, the newest in front,
// and which mailbox is told that there is something new here. A journey's page says more to whoever may open it.

// referralNews is one thing that an organisation was told.
type referralNews struct {
	Event struct {
		Time time.Time                `json:"time"`
		Data schemas.ReferralNewsData `json:"data"`
	} `json:"event"`
}

// newestNews is how many of the last events the page reads.
const newestNews = "100"

func (c *client) referralNews(ctx context.Context, p principal.Principal) (all []referralNews, err error) {
	var found struct {
		Items []referralNews `json:"items"`
	}
	err = c.get(ctx, p, schemas.Delivery, "/api/referrals/feed"+query("newest", newestNews), &found)
	return found.Items, err
}

type referralsView struct {
	Lines   []referralLine
	Mailbox string
	Trouble string
	Acts    actionsView
}

type referralLine struct{ At, AtISO, Words, Journey, Code string }

// referralWords say how a referral stands. What was taken back is not shown.
var referralWords = map[string]string{
	schemas.NewsOffered:   "A partner organisation has been asked",
	schemas.NewsInTouch:   "A partner organisation is in touch with them",
	schemas.NewsNotWith:   "That partner organisation is not in touch with them any more",
	schemas.NewsKept:      "They met, and wanted you to know",
	schemas.NewsCompleted: "What comes next is agreed, and they wanted you to know",
}

// referralLines are how each referral stands now, the newest in front.
func referralLines(news []referralNews, zone *time.Location) (lines []referralLine) {
	seen := map[string]bool{}
	for _, one := range slices.Backward(news) {
		words, told := referralWords[one.Event.Data.State]
		if !told || seen[one.Event.Data.Referral] {
			continue
		}
		seen[one.Event.Data.Referral] = true
		lines = append(lines, referralLine{At: shortTime(one.Event.Time, zone),
			AtISO: one.Event.Time.In(zone).Format(time.RFC3339), Words: words,
			Journey: url.PathEscape(one.Event.Data.Referral), Code: codeOf(one.Event.Data.Referral)})
	}
	return lines
}

// mailboxTrouble says what came back from a team's mailbox.
var mailboxTrouble = map[string]string{"refused": "This mailbox takes no mail: name another one",
	"returned": "A message came back from this mailbox: look whether it is right",
	"away":     "This mailbox answers by itself that nobody is there"}

func (s *Console) referralsPage(w http.ResponseWriter, r *http.Request) (n partnerNotice, show again,
	p principal.Principal, err error) {
	if p, err = principal.Need(r.Context()); err != nil {
		return n, nil, p, err
	}
	news, err := s.client.referralNews(r.Context(), p)
	if err != nil {
		return n, nil, p, err
	}
	if err = s.client.get(r.Context(), p, schemas.Delivery, "/api/referrals/notice", &n); err != nil {
		return n, nil, p, err
	}
	return n, func(status int, f filledIn, more ...problemView) error {
		page := referralsView{Lines: referralLines(news, s.zone), Mailbox: toldInWords(n),
			Trouble: mailboxTrouble[n.Trouble], Acts: formsOf(schemas.ReferralsPage, "your team's mailbox",
				clock.NewRandomID(), n.Actions, f)}
		if f.entered.Get("action") == "" && len(page.Acts.Forms) > 0 {
			page.Acts.Forms[0].Open = false // it is not what somebody comes for
		}
		return s.show(w, r, status, "referrals", view{Title: "What became of those you referred",
			Here: schemas.ReferralsPage, Problems: append(page.Acts.problems(), more...),
			Separate: s.separateFrom(r, p, p.Organisation), Done: partnerDone[r.URL.Query().Get("said")], Page: page})
	}, p, nil
}

func (s *Console) showReferrals(w http.ResponseWriter, r *http.Request) error {
	_, show, _, err := s.referralsPage(w, r)
	if err != nil {
		return err
	}
	return show(http.StatusOK, filledIn{})
}

func (s *Console) changeReferrals(w http.ResponseWriter, r *http.Request) error {
	n, show, p, err := s.referralsPage(w, r)
	if err != nil {
		return err
	}
	return s.send(w, r, p, n.Actions, show, schemas.ReferralsPage+"?said=recorded")
}
