package journeys

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"footbridge/libs/mail"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// desk is a partner that is told by every way there is, and keeps whatever comes.
type desk struct {
	*offering
	mailbox  *mail.Sink
	endpoint *httptest.Server
	partner  string
	peer     principal.Principal
	webhook  string // its subscription
	person   string
	pages    []place // that it has looked at before it took somebody on

	mu   sync.Mutex
	came []place
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	mailbox, err := mail.NewSink(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mailbox.Close)
	d := &desk{mailbox: mailbox, offering: &offering{t: t}}
	d.endpoint = httptest.NewServer(http.HandlerFunc(d.take))
	t.Cleanup(d.endpoint.Close)
	return d
}

func (d *desk) take(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WebHook-Allowed-Origin", r.Header.Get("WebHook-Request-Origin"))
	body, _ := io.ReadAll(r.Body) // what is cut short is looked through as far as it came
	d.mu.Lock()
	defer d.mu.Unlock()
	d.came = append(d.came, place{kindWebhook, r.Method + " " + r.URL.String(),
		fmt.Appendf(nil, "%s\n%v", body, r.Header)})
}

// settings are those by which the program sends to it.
func (d *desk) settings() []string {
	return []string{"FOOTBRIDGE_OUTWARD_ALLOW=127.0.0.0/8", "FOOTBRIDGE_SMTP_URL=" + d.mailbox.URL,
		"FOOTBRIDGE_MAIL_FROM=footbridge@trust.example"}
}

const deskAddress = "desk@peers.example"

// teamBox is a mailbox of the team that referred.
const teamBox = "liaison@trust.example"

// life brings somebody to the desk: with all that a hospital, the liaison team and they themselves say of them. It is
// offered, looked at in the mail's link, taken on, met, and stopped.
func (d *desk) life(s *system.System, b birdPerson) {
	d.t.Helper()
	d.System = s
	d.partner = d.offering.partner(secondService)
	d.peer = *as(d.partner, schemas.Partner, "peer")
	d.toldAt(deskAddress)
	d.must(d.Ask(schemas.SendingTeam, http.MethodPut, "/api/referrals/notice", typeJSON,
		[]byte(`{"by":"email","to":"`+teamBox+`"}`)), http.StatusOK)
	var made struct{ ID string }
	got := d.must(d.AskAs(d.peer, http.MethodPost, "/api/subscriptions", typeJSON,
		[]byte(fmt.Sprintf(`{"url":%q}`, d.endpoint.URL))), http.StatusCreated)
	if err := json.Unmarshal(got.Body, &made); err != nil {
		d.t.Fatal(err)
	}
	d.webhook = made.ID
	d.arrives(b)
	offer := d.mayBeSent(d.partner)
	d.brought(offer, d.partner)
	d.pages = append(d.pages, place{kindAnswer, "the offer, before it was taken on", d.looks(d.partner, offer).Body},
		d.page())
	d.must(d.says(d.partner, offer, "accept", `{}`), http.StatusOK)
	system.Eventually(d.t, func() error { // so that there is somebody who could be found
		if got := d.identity(d.partner); !strings.Contains(string(got.Body), b.family) {
			return fmt.Errorf("the partner that has accepted reads %d", got.Status)
		}
		return nil
	})
	d.must(d.says(d.partner, offer, "appointment", `{"startsAt":"`+ago(-24*time.Hour)+`","channel":"video"}`),
		http.StatusOK)
	if _, err := d.Admin().Exec(d.t.Context(), `update followup.appointment set starts_at = $1 where offer = $2::uuid`,
		time.Now().Add(-time.Hour), offer); err != nil {
		d.t.Fatal(err) // as if its day had come
	}
	d.must(d.says(d.partner, offer, "outcome", `{"outcome":"kept","next":"another-session"}`), http.StatusOK)
	d.must(d.Ask(schemas.Navigator, http.MethodPost, "/api/people/"+d.person+"/contact-stopped", typeJSON,
		[]byte(`{"reason":"`+b.kin+` rang for `+b.given+`"}`)), http.StatusOK)
	d.Resolve()
	d.allCame()
}

// arrives reports somebody, and records what is known of them and wanted by them, with a yes to the desk.
func (d *desk) arrives(b birdPerson) {
	d.t.Helper()
	var report map[string]any
	if err := json.Unmarshal(b.reported(time.Now()), &report); err != nil {
		d.t.Fatal(err)
	}
	delete(report, "consents") // a yes to anybody would ask another partner first
	report["facts"].(map[string]any)["areaResidence"] = "area-north"
	text, err := json.Marshal(report)
	if err != nil {
		d.t.Fatal(err)
	}
	got := d.must(d.Ask(schemas.System, http.MethodPost, "/events", structured,
		[]byte(event("DESK-"+b.visit, string(schemas.DischargeReported), string(text)))), http.StatusAccepted)
	var answer struct{ Journey string }
	if err := json.Unmarshal(got.Body, &answer); err != nil {
		d.t.Fatal(err)
	}
	d.journey = answer.Journey
	d.Resolve()
	d.one(&d.person, `select person::text from intake.message where journey = $1::uuid limit 1`, d.journey)
	for _, said := range [][2]string{
		{"/contact", fmt.Sprintf(`{"channels":[{"channel":"phone","value":%q,"confirmed":true}],
			"named":[{"name":%q,"is":"sister","mayHear":"that-we-called"}],"neverTell":[%q],"needsNote":%q,"note":%q}`,
			b.phone, b.kin, b.doctor, b.ownWords, b.alias)},
		{"/summary", fmt.Sprintf(`{"words":%q,"release":[{"organisation":%q,"state":"given"}]}`, b.ownWords,
			d.partner)},
		{"/preferences", fmt.Sprintf(`{"channels":["phone","video"],"words":%q}`, b.ownWords+" says "+b.given)},
		{"/consent", `{"answers":[{"purpose":"follow-up","organisation":"` + d.partner +
			`","state":"given"}],"how":"spoken"}`},
	} {
		d.must(d.Ask(schemas.Navigator, http.MethodPost, "/api/journeys/"+d.journey+said[0], typeJSON, []byte(said[1])),
			http.StatusOK)
	}
}

// toldAt has the desk told by e-mail at an address.
func (d *desk) toldAt(address string) {
	d.t.Helper()
	d.must(d.AskAs(d.peer, http.MethodPut, "/api/partners/"+d.partner+"/notice", typeJSON,
		[]byte(fmt.Sprintf(`{"by":"email","to":%q}`, address))), http.StatusOK)
}

// page is what is behind the link of the first mail.
func (d *desk) page() place {
	d.t.Helper()
	var link string
	system.Eventually(d.t, func() error {
		for _, m := range d.mailbox.Mails() {
			text := strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(string(m.Text))
			if link = regexp.MustCompile(`/p/[0-9a-z]+`).FindString(text); link != "" {
				return nil
			}
		}
		return fmt.Errorf("no mail with a link has come: %d mails", len(d.mailbox.Mails()))
	})
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, "http://"+d.HTTP+link, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		d.t.Fatalf("the page behind the link answers %d (%v)", answer.StatusCode, err)
	}
	return place{kindAnswer, "the page behind a mail's link", fmt.Appendf(nil, "%s\n%v", text, answer.Header)}
}

// events is how many events the desk's log holds.
func (d *desk) events() (n int) {
	d.t.Helper()
	d.one(&n, `select count(*) from delivery.partner_event where partner = $1::uuid`, d.partner)
	return n
}

// allCame waits until whatever is to come to the desk has.
func (d *desk) allCame() {
	d.t.Helper()
	system.Eventually(d.t, func() error {
		var waiting int
		d.one(&waiting, `select (select count(*) from delivery.outgoing where state = 'waiting')
			+ (select count(*) from delivery.mail where state = 'waiting')
			+ (select count(*) from delivery.notice n join delivery.partner p on p.id = n.partner
			where n.by = 'email' and n.taken < p.last)
			+ (select count(*) from delivery.subscription s join delivery.partner p on p.id = s.partner
			where s.taken < p.last)`)
		if waiting > 0 {
			return fmt.Errorf("%d are still to come to the desk", waiting)
		}
		return nil
	})
}

// places are all that came to the desk or that it can read: mails, webhooks, feed, stream, and what was tried.
func (d *desk) places() []place {
	d.t.Helper()
	all := slices.Clone(d.pages)
	for _, m := range d.mailbox.Mails() {
		all = append(all, place{kindMail, "to " + m.To, fmt.Appendf(nil, "%s %s\n%s", m.From, m.To, m.Text)})
	}
	d.mu.Lock()
	all = append(all, d.came...)
	d.mu.Unlock()
	for path, kind := range map[string]string{"/api/feed?limit=500": kindFeed, "/api/told": kindFeed,
		"/api/subscriptions":                            kindAnswer,
		"/api/subscriptions/" + d.webhook + "/attempts": kindAnswer,
		"/api/partners/" + d.partner + "/notice":        kindAnswer,
	} {
		got := d.AskAs(d.peer, http.MethodGet, path, "", nil)
		all = append(all, place{kind, path, fmt.Appendf(nil, "%s\n%v", got.Body, got.Header)})
	}
	news := d.Ask(schemas.SendingTeam, http.MethodGet, "/api/referrals/feed", "", nil)
	if !strings.Contains(string(news.Body), schemas.NewsInTouch) || !slices.ContainsFunc(all, func(p place) bool {
		return p.where == "to "+teamBox
	}) {
		d.t.Errorf("the team that referred is told nothing, so that nothing is looked at: %d %s", news.Status,
			news.Body)
	}
	all = append(all, place{kindAnswer, "/api/referrals/feed", news.Body}) // whose journeys these are
	return append(all, place{kindStream, "/api/stream", d.Streamed(d.peer, "/api/stream", d.events())})
}

// canaries are what must not go to a partner beside what identifies somebody: our own numbers of them.
func (d *desk) canaries() []canary {
	var all []canary
	for label, text := range map[string]string{"the journey's id": d.journey, "the person's record": d.person} {
		c := identity(label, text)
		c.only = outwardOnly
		all = append(all, c)
	}
	return all
}

// plantAndFind leaks on purpose into what the desk gets: an event of its log says a name, and it is told at an address
// of the person's. Each way shows it, and each is found.
func (d *desk) plantAndFind(b birdPerson, canaries []canary) {
	d.t.Helper()
	if _, err := d.Admin().Exec(d.t.Context(), `update delivery.partner_event set body = convert_to(replace(
		convert_from(body, 'UTF8'), '/api/offers/', '/api/offers/`+b.family+`/'), 'UTF8')
		where partner = $1::uuid`, d.partner); err != nil {
		d.t.Fatal(err)
	}
	d.toldAt(b.email)
	d.must(d.AskAs(d.peer, http.MethodPost, "/api/subscriptions/"+d.webhook+"/again", typeJSON,
		[]byte(`{"all":true}`)), http.StatusOK)
	d.leaves(d.partner)
	d.brought(d.mayBeSent(d.partner), d.partner)
	d.allCame()
	looked := append(d.places(), slices.DeleteFunc(tables(d.t, d.System), func(p place) bool {
		return !strings.HasPrefix(p.where, schemas.Delivery+".")
	})...)
	found := scan(looked, canaries)
	for _, want := range []struct{ kind, where, canary string }{
		{kindWebhook, "POST", "family name"}, {kindFeed, "/api/feed", "family name"},
		{kindStream, "/api/stream", "family name"}, {kindMail, "to ", "e-mail"},
		{kindTable, "delivery.partner_event", "family name"}, {kindTable, "delivery.notice", "e-mail"},
		{kindAnswer, "/notice", "e-mail"},
	} {
		if !slices.ContainsFunc(found, func(l leak) bool {
			return l.place.kind == want.kind && strings.Contains(l.place.where, want.where) &&
				strings.HasPrefix(l.canary, b.family) && strings.HasSuffix(l.canary, want.canary)
		}) {
			d.t.Errorf("a planted leak was not found: %s in %s %s", want.canary, want.kind, want.where)
		}
	}
}
