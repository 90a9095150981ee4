package journeys

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// linked is somebody who holds the link in a mail, and whatever looks through mails before them.
type linked struct {
	*offering
	token string
}

// mailed is the link to an offer, as delivery keeps it.
func (o *offering) mailed(offer, partner, token string) linked {
	o.t.Helper()
	if _, err := o.Admin().Exec(o.t.Context(), `insert into delivery.link (token, offer, partner, made_at, until)
		values ($1, $2::text::uuid, $3::text::uuid, now(), now() + interval '14 days')`, sum(token), offer,
		partner); err != nil {
		o.t.Fatal(err)
	}
	return linked{o, token}
}

// opens asks for the page behind the link; headers are pairs.
func (l linked) opens(method, query string, form url.Values, headers ...string) (status int, page string) {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), method, "http://"+l.HTTP+"/p/"+l.token+query,
		strings.NewReader(form.Encode()))
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	if kept := answer.Header.Get("Cache-Control"); answer.StatusCode < 300 && kept != "no-store" {
		l.t.Errorf("the page may be kept: %q", kept)
	}
	return answer.StatusCode, string(text)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// form is that of a page, with what a button says.
func (l linked) form(query string, button ...string) url.Values {
	l.t.Helper()
	_, page := l.opens("GET", query, nil)
	form := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(field[1], field[2])
	}
	for i := 0; i+1 < len(button); i += 2 {
		form.Set(button[i], button[i+1])
	}
	return form
}

// presses looks at a page and presses its button.
func (l linked) presses(query string, button ...string) (status int, page string) {
	l.t.Helper()
	return l.opens("POST", query, l.form(query, button...))
}

// stands is all that an answer, or a look, could change.
func (o *offering) stands() (all string) {
	o.t.Helper()
	o.one(&all, `select concat((select jsonb_agg(o order by id) from followup.offer o),
		(select jsonb_agg(s order by journey) from followup.journey_state s),
		(select jsonb_agg(o order by id) from delivery.offer o),
		(select jsonb_agg(l order by token) from delivery.link l),
		(select jsonb_agg(e order by id) from delivery.partner_event e), (select count(*) from followup.idempotency),
		(select jsonb_agg(q) from followup.offer_question q), (select count(*) from intake.access_log),
		(select count(*) from followup.outbox), (select count(*) from delivery.outbox))`)
	return all
}

// scanners are what looks through mails before a human does: each a request as it sends it.
var scanners = []struct {
	name, method, query string
	form                url.Values
	headers             []string
}{
	{"a gateway's link check", "GET", "", nil, []string{"User-Agent", "Mozilla/5.0 (compatible; SafeLinks)"}},
	{"one that asks for the head first", "HEAD", "", nil, nil},
	{"one with a browser of its own", "GET", "", nil, []string{"User-Agent", "Mozilla/5.0 HeadlessChrome/126.0"}},
	{"a browser that fetches ahead", "GET", "", nil, []string{"Sec-Purpose", "prefetch;prerender"}},
	{"a preview in a chat", "GET", "", nil, []string{"User-Agent", "Slackbot-LinkExpanding 1.0"}},
	{"a telephone's preview", "GET", "", nil, []string{"User-Agent", "WhatsApp/2.24"}},
	{"one that follows each link of the page", "GET", "?say=accept", nil, nil},
	{"one that follows the others", "GET", "?say=decline", nil, nil},
	{"one that follows them by head", "HEAD", "?say=may-know", nil, nil},
	{"one that asks in part", "GET", "", nil, []string{"Range", "bytes=0-100"}},
	{"one that posts nothing", "POST", "", url.Values{}, nil},
	{"one that posts what it has read", "POST", "?say=accept", url.Values{"do": {"accept"}}, nil},
	{"one that posts with a mark of its own", "POST", "", url.Values{"do": {"accept"}, "opened-as": {"x"}}, nil},
	{"one that asks what it may", "OPTIONS", "", nil, nil},
	{"one that puts", "PUT", "", url.Values{"do": {"accept"}}, nil},
}

// TestLinkScannersChangeNothingAndAHumanAnswersOnce: in the whole system, from the offer that was mailed to the worker
// who looks at who the person is, after which the link is spent. Neither the token nor who the person is is anywhere.
func TestLinkScannersChangeNothingAndAHumanAnswersOnce(t *testing.T) {
	t.Parallel()
	o := &offering{System: system.Start(t, loud(t)), t: t}
	partner := o.partner(secondService)
	o.leaves(partner)
	offer := o.mayBeSent(partner)
	o.brought(offer, partner)
	o.Resolve()
	link := o.mailed(offer, partner, "0123456789abcdefghjkmnpqrs")
	before := o.stands()
	for _, s := range scanners {
		status, page := link.opens(s.method, s.query, s.form, s.headers...)
		if s.method == "GET" && status != http.StatusOK || s.method == "POST" && status != http.StatusForbidden {
			t.Errorf("%s is answered with %d", s.name, status)
		}
		if strings.Contains(page, "Offered") || strings.Contains(page, o.journey) ||
			strings.Contains(page, link.token) {
			t.Errorf("%s reads %s", s.name, page)
		}
	}
	if after := o.stands(); after != before {
		t.Fatalf("looking changed something:\n%s\n%s", before, after)
	}
	if status, page := link.presses("?say=question", "about", "access"); status != http.StatusSeeOther {
		t.Fatalf("a question is answered with %d %s", status, page)
	}
	yes := link.form("?say=accept")
	for range 2 { // pressed twice, it is said once
		if status, page := link.opens("POST", "?say=accept", yes); status != http.StatusSeeOther {
			t.Fatalf("a yes is answered with %d: %s", status, page)
		}
	}
	o.said("offer.accepted.v1")
	o.Resolve()
	for _, what := range []string{"offer.acknowledged.v1", "offer.questioned.v1", "offer.accepted.v1"} {
		if said := o.Emitted(o.journey)[what]; said != 1 {
			t.Errorf("%s was said %d times", what, said)
		}
	}
	if _, page := link.opens("GET", "", nil); !strings.Contains(page, "You said yes") ||
		strings.Contains(page, "Offered") || strings.Contains(page, "25-64") {
		t.Errorf("once it is taken on, the link shows %s", page)
	}
	system.Eventually(t, func() error {
		if got := o.identity(partner); got.Status != http.StatusOK {
			return fmt.Errorf("the partner that has accepted reads %d", got.Status)
		}
		if status, _ := link.opens("GET", "", nil); status != http.StatusNotFound {
			return fmt.Errorf("once somebody has looked at who the person is the link is answered with %d", status)
		}
		return nil
	})
	o.must(o.says(partner, offer, "undo", `{}`), http.StatusConflict)
	o.nothingOf(link)
}

// nothingOf looks for the token and for who the person is wherever anything is kept or said.
func (o *offering) nothingOf(link linked) {
	o.t.Helper()
	var kept string
	o.one(&kept, `select string_agg(l::text, ' ') from delivery.link l`)
	if kept == "" || strings.Contains(kept, link.token) {
		o.t.Errorf("the link is kept as %q", kept)
	}
	system.Eventually(o.t, func() error {
		for _, e := range o.Collector.Exports() {
			if e.Path == "/v1/traces" && strings.Contains(string(e.Body), schemas.LinkPattern) {
				return nil
			}
		}
		return fmt.Errorf("no span of the link was exported yet")
	})
	for _, l := range scan(append(places(o.t, o.System), serverLog(o.t, o.System)), []canary{
		{label: "token", plain: []string{link.token}}}) {
		o.t.Error(l)
	}
}

// TestLinksThatOpenNothingAreAnsweredAlike: unknown, over, spent, of another offer, and of an offer that there is none
// of; and by a crowd.
func TestLinksThatOpenNothingAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	o := &offering{System: system.Start(t), t: t}
	partner := o.partner(secondService)
	o.leaves(partner)
	offer := o.mayBeSent(partner)
	o.brought(offer, partner)
	right := o.mailed(offer, partner, "r1ght")
	foreign := o.mailed(offer, o.partner(firstService), "f0re1gn")
	none := o.mailed(clock.NewID(time.Now()), partner, "n0ne")
	over := o.mailed(offer, partner, "0ver")
	if _, err := o.Admin().Exec(t.Context(), `update delivery.link set until = now() - interval '1 second'
		where token = $1`, sum("0ver")); err != nil {
		t.Fatal(err)
	}
	if status, page := right.presses("?say=decline", "code", "42"); status != http.StatusSeeOther {
		t.Fatalf("a no is answered with %d %s", status, page)
	}
	if status, page := right.presses(""); status != http.StatusOK || !strings.Contains(page, "taken back") {
		t.Fatalf("taking it back is answered with %d %s", status, page)
	}
	number := regexp.MustCompile(`<code>[^<]*</code>`)
	pages := map[string]bool{}
	for name, l := range map[string]linked{"unknown": {o, "unknown"}, "spent": right, "foreign": foreign, "none": none,
		"over": over} {
		for _, method := range []string{"GET", "POST"} {
			status, page := l.opens(method, "", url.Values{"do": {"accept"}})
			if status != http.StatusNotFound {
				t.Errorf("%s by %s is answered with %d", name, method, status)
			}
			pages[number.ReplaceAllString(page, "")] = true
		}
	}
	if len(pages) != 1 {
		t.Errorf("links that open nothing have %d pages", len(pages))
	}
}

func sum(token string) []byte {
	hash := sha256.Sum256([]byte("link " + token))
	return hash[:]
}

// mails are what a partner was mailed, the newest first.
func (o *offering) mails(partner string) (all struct {
	Items []struct{ Subject, Text string }
}) {
	o.t.Helper()
	got := o.must(o.AskAs(*as(partner, schemas.Partner, "peer"), http.MethodGet, "/api/outbox-mail", "", nil),
		http.StatusOK)
	if err := json.Unmarshal(got.Body, &all); err != nil {
		o.t.Fatal(err)
	}
	return all
}

// TestAPartnerWithNothingButAMailboxAnswersByTheLinkInItsMail: the mail that comes holds a link that opens the offer,
// and its answer is confirmed by another.
func TestAPartnerWithNothingButAMailboxAnswersByTheLinkInItsMail(t *testing.T) {
	t.Parallel()
	o := &offering{System: system.Start(t), t: t}
	partner := o.partner(secondService)
	o.must(o.AskAs(*as(partner, schemas.Partner, "peer"), http.MethodPut, "/api/partners/"+partner+"/notice", typeJSON,
		[]byte(`{"by":"email","to":"desk@charity.example"}`)), http.StatusOK)
	o.leaves(partner)
	link := linked{offering: o}
	system.Eventually(t, func() error {
		for _, m := range o.mails(partner).Items {
			if found := inMail.FindStringSubmatch(m.Text); found != nil {
				link.token = found[1]
				return nil
			}
		}
		return errors.New("no mail with a link has come")
	})
	system.Eventually(t, func() error { // once it is known that a server took the mail
		if status, _ := link.opens("GET", "", nil); status != http.StatusOK {
			return fmt.Errorf("the link is answered with %d", status)
		}
		return nil
	})
	if status, page := link.presses("?say=accept"); status != http.StatusSeeOther {
		t.Fatalf("a yes is answered with %d %s", status, page)
	}
	o.said("offer.accepted.v1")
	system.Eventually(t, func() error {
		for _, m := range o.mails(partner).Items {
			if m.Subject == "Your answer has come" && inMail.MatchString(m.Text) {
				return nil
			}
		}
		return errors.New("the answer is not confirmed")
	})
}

// inMail is a link in a mail.
var inMail = regexp.MustCompile(`/p/([0-9a-z]{26})\s`)
