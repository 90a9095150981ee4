package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/mail"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/tests/system"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// charity is the whole program, with a partner of its directory whose mails come to a mailbox of the test's.
type charity struct {
	*system.System
	t       *testing.T
	browser context.Context
	mailbox *mail.Sink      // nil where the system's own takes the mails
	desk    context.Context // a page of somebody who may look into the system's own
	given   map[string]bool // the links in its mails that were followed
	seen    bool            // its pages are looked at by other tests
	partner string
	at      string // the site, by the name that passkeys are made for
}

func newCharity(t *testing.T) *charity {
	t.Helper()
	mailbox, err := mail.NewSink(context.WithoutCancel(t.Context()))
	ok(t, err)
	t.Cleanup(mailbox.Close)
	c := charityOf(t, system.StartWith(t, "FOOTBRIDGE_SMTP_URL="+mailbox.URL,
		"FOOTBRIDGE_MAIL_FROM=footbridge@example.org"))
	c.mailbox = mailbox
	return c
}

// charityOf is a partner of a program's directory.
func charityOf(t *testing.T, program *system.System) *charity {
	t.Helper()
	c := &charity{System: program, t: t, browser: start(t)}
	c.at = "http://localhost" + c.HTTP[strings.LastIndex(c.HTTP, ":"):]
	c.one(&c.partner, `select id::text from followup.partner where service = 'peer-follow-up'`)
	return c
}

func (c *charity) one(into any, query string, args ...any) {
	c.t.Helper()
	ok(c.t, c.Admin().QueryRow(c.t.Context(), query, args...).Scan(into))
}

func (c *charity) must(got system.Answer, status int) system.Answer {
	c.t.Helper()
	if got.Status != status {
		c.t.Fatalf("answered %d, not %d: %s", got.Status, status, got.Body)
	}
	return got
}

// leaves reports that somebody has left A&E, with the hours at which they can meet, and records their yes to the
// partner; the offer has come to it when this returns.
func (c *charity) leaves(name, hours string) (journey, offer string) {
	c.t.Helper()
	id, now := clock.NewRandomID(), time.Now()
	data := fmt.Sprintf(`{"organisation":"RXX","visit":"V%[1]s","inScope":true,"leftAt":%[2]q,"person":{"localId":"L%[1]s",
		"familyName":%[3]q,"givenName":"Rowan","birthDate":"1988-02-03"},"facts":{"destination":"home","assessment":"done",
		"areaResidence":"area-north"%[4]s}}`, id[:8], now.Add(-time.Hour).Format(time.RFC3339), name, hours)
	got := c.AskWith(system.Token(schemas.System), http.MethodPost, "/events", "application/cloudevents+json",
		[]byte(fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":"care.footbridge.discharge.reported.v1",
		"time":%q,"datacontenttype":"application/json","data":%s}`, id, system.HospitalSource,
			now.Format(time.RFC3339), data)))
	var answer struct{ Journey string }
	if err := json.Unmarshal(got.Body, &answer); err != nil || answer.Journey == "" {
		c.t.Fatalf("a report: %d %s", got.Status, got.Body)
	}
	c.Resolve()
	c.must(c.Ask(schemas.SendingTeam, http.MethodPost, "/api/journeys/"+answer.Journey+"/consent", "application/json",
		[]byte(`{"answers":[{"purpose":"follow-up","organisation":"`+c.partner+`","state":"given"}],"how":"spoken"}`)), 200)
	peer := principal.Principal{Organisation: c.partner, Role: string(schemas.Partner), Subject: "its-system"}
	after := ""
	system.Eventually(c.t, func() error {
		feed := c.AskAs(peer, http.MethodGet, "/api/feed?after="+after, "", nil)
		var p struct{ Next string }
		if err := json.Unmarshal(feed.Body, &p); err != nil {
			return err
		}
		after = p.Next
		err := c.Admin().QueryRow(c.t.Context(), `select id::text from followup.offer where journey = $1::uuid and
			partner = $2::uuid and sent_at is not null`, answer.Journey, c.partner).Scan(&offer)
		return err
	})
	return answer.Journey, offer
}

// link waits for a mail to an address that came after so many, and takes the link out of it.
func (c *charity) link(to string, after int) string {
	c.t.Helper()
	for deadline := time.After(testkit.Patience); ; {
		came, all := c.mailbox.Came(), c.mailbox.Mails()
		for _, m := range all[min(after, len(all)):] {
			text := strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(string(m.Text))
			if found := regexp.MustCompile(`/sign-in/link/[0-9a-z]+`).FindString(text); m.To == to && found != "" {
				return found
			}
		}
		select {
		case <-came:
		case <-deadline:
			c.t.Fatalf("no mail came to %s; there are %d", to, len(all))
		}
	}
}

// came is how many mails came to the mailbox of the test's.
func (c *charity) came() int {
	if c.mailbox == nil {
		return 0
	}
	return len(c.mailbox.Mails())
}

// asks asks for a link, opens it and presses its button: what is shown next asks for the second factor.
func (c *charity) asks(ctx context.Context, to string) {
	c.t.Helper()
	before := c.came()
	do(c.t, ctx, visit(c.at+"/sign-in/worker"), visible(`#mail`),
		chromedp.SetValue(`#mail`, to), press(`main form button`),
		absent(`#mail`))
	link := ""
	if c.mailbox == nil {
		link = c.linkShown(to, `/sign-in/link/[0-9a-z]+`)
	} else {
		link = c.link(to, before)
	}
	do(c.t, ctx, visit(c.at+link), press(`form[action="`+link+`"] button`), visible(`#code`))
}

// added adds a worker on the page that ctx has open as whoever may, and gives the code that is to be told to them.
func (c *charity) added(ctx context.Context, name, to string) string {
	c.t.Helper()
	do(c.t, ctx, visit(c.at+"/partners/"+c.partner+"/workers"), visible(`#name`),
		chromedp.SetValue(`#name`, name), chromedp.SetValue(`#mail`, to), chromedp.SetValue(`#phone`, "07700 900123"),
		press(`form:has(#name) button`), visible(`#told-code`))
	return strings.TrimSpace(read(c.t, ctx, chromedp.Text(`#told-code`)))
}

// look looks at a page: how it fits, and what axe finds where scripts may run.
func (c *charity) look(ctx context.Context, width int64, scripts bool) {
	c.t.Helper()
	if scripts && !c.seen {
		// after a press nothing else waits for the styles
		loaded := `new Promise(done => document.readyState === "complete" ? done(true) :
			addEventListener("load", () => done(true)))`
		read(c.t, ctx, chromedp.Evaluate[bool](loaded, chromedp.EvalAwaitPromise))
		checkWhole(c.t, ctx, width)
	}
}

// chosen is a choice of a form, by its question and the code of the option.
func chosen(question, code string) string {
	return `input[name$=".` + question + `"][value="` + code + `"]`
}

// days are a coming working day by day in London, and a coming Saturday.
func days(t *testing.T) (working, saturday time.Time) {
	t.Helper()
	zone, err := calendar.ZoneOr(nil)
	ok(t, err)
	day := calendar.DayOf(time.Now(), zone) + 1
	working = calendar.England().NextWorking(day, calendar.MondayToFriday).At(11, 0, zone)
	for day.Weekday() != time.Saturday {
		day++
	}
	return working, day.At(11, 0, zone)
}

// unfolds opens a form that is folded, unless it is open.
func (c *charity) unfolds(ctx context.Context, about string) {
	c.t.Helper()
	do(c.t, ctx, present(about))
	if !read(c.t, ctx, chromedp.Evaluate[bool](`document.querySelector('`+about+`').open`)) {
		do(c.t, ctx, press(about+` summary`))
	}
}

// books fills in and sends the form of a time that was agreed on.
func (c *charity) books(ctx context.Context, at time.Time) {
	c.t.Helper()
	about := `details:has(input[name$=".startsAt-at"])`
	c.unfolds(ctx, about)
	for part, value := range map[string]string{"-day": at.Format("2"), "-month": at.Format("1"),
		"-year": at.Format("2006"), "-at": at.Format("15:04")} {
		do(c.t, ctx, chromedp.SetValue(about+` input[name$=".startsAt`+part+`"]`, value))
	}
	do(c.t, ctx, press(about+` `+chosen("channel", "video")), press(about+` form button`))
}

// looked is what is there once somebody has asked who the person is: they are shown, or why they are not.
const looked = `main:not(:has(input[name="do"][value="who"])), .nhsuk-error-summary`

// session is what a worker does with one offer: taken on, looked at who it is, booked in the person's hours, kept.
func (c *charity) session(ctx context.Context, offer, name string, width int64, scripts bool) {
	c.t.Helper()
	do(c.t, ctx, visit(c.at+"/offers"), press(`a[href="/offers/`+offer+`"]`), visible(`#next`))
	main := func() string { c.t.Helper(); return read(c.t, ctx, chromedp.Text("main")) }
	if text := main(); strings.Contains(text, name) || strings.Contains(text, "Show who the person is") {
		c.t.Errorf("before it is taken on the page says %q", text)
	}
	if !strings.Contains(main(), "separate from the hospital team's own follow-up, which is with the team at RXX") {
		c.t.Errorf("the page does not say from what the session is separate: %q", main())
	}
	c.look(ctx, width, scripts)
	do(c.t, ctx, press(`form:has(input[name="does"][value$="/accept"]) button`),
		visible(`input[name="do"][value="who"] + button`))
	c.keeps(ctx, offer, name, width, scripts)
}

// keeps is what a worker does with an offer that was taken on: looked at who it is, booked in the person's hours, kept.
func (c *charity) keeps(ctx context.Context, offer, name string, width int64, scripts bool) {
	c.t.Helper()
	page := c.at + "/offers/" + offer
	main := func() string { c.t.Helper(); return read(c.t, ctx, chromedp.Text("main")) }
	do(c.t, ctx, press(`input[name="do"][value="who"] + button`), present(looked))
	system.Eventually(c.t, func() error { // the acceptance has to have come to where identity is kept
		if strings.Contains(main(), name) {
			return nil
		}
		do(c.t, ctx, visit(page), press(`input[name="do"][value="who"] + button`), present(looked))
		return errors.New("who the person is is not shown")
	})
	c.look(ctx, width, scripts)
	working, saturday := days(c.t)
	do(c.t, ctx, visit(page))
	c.books(ctx, saturday)
	do(c.t, ctx, visible(`.nhsuk-error-summary`))
	if text := main(); !strings.Contains(text, "did not say that they can meet at this time of the week") {
		c.t.Errorf("outside the person's hours the page says %q", text)
	}
	c.books(ctx, working)
	do(c.t, ctx, visible(`.nhsuk-notification-banner--success`))
	if text := main(); !strings.Contains(text, "A time has been agreed on") {
		c.t.Errorf("once booked the page says %q", text)
	}
	_, err := c.Admin().Exec(c.t.Context(), `update followup.appointment set starts_at = $1 where offer = $2::uuid`,
		time.Now().Add(-time.Hour), offer)
	ok(c.t, err) // as if its day had come
	about := `details:has(input[name="does"][value$="/outcome"])`
	do(c.t, ctx, visit(page))
	c.unfolds(ctx, about)
	do(c.t, ctx, press(about+` `+chosen("outcome", "kept")), press(about+` `+chosen("next", "nothing-more")),
		press(about+` form button`), visible(`.nhsuk-notification-banner--success`))
	if text := main(); !strings.Contains(text, "Completed") {
		c.t.Errorf("once kept the page says %q", text)
	}
	c.look(ctx, width, scripts)
	var kept int
	c.one(&kept, `select count(*) from followup.appointment where offer = $1::uuid and state = 'kept'`, offer)
	if kept != 1 {
		c.t.Error("the session is not kept")
	}
}

// TestAPartnersWorkersSignInAndKeepASession is the whole way in a real browser: a navigator adds the partner's first
// worker, who signs in by a mailed link and a passkey and keeps a session; they add a colleague, who does the same with
// an authenticator and without scripts.
func TestAPartnersWorkersSignInAndKeepASession(t *testing.T) {
	t.Parallel()
	c := newCharity(t)
	const byDay = `,"hours":["weekday-daytime"]`
	_, first := c.leaves("Examplewood", byDay)
	_, second := c.leaves("Samplefield", byDay)
	navigator := open(t, c.browser, 1280)
	do(t, navigator, visit(c.at+"/sign-in"), press(`input[value="navigator"]`),
		press(`form[action="/sign-in"] button`), visible(`.nhsuk-header__account`))
	code := c.added(navigator, "Robin Peer", "robin@northgate.example")
	c.look(navigator, 1280, true)

	robin := open(t, c.browser, phone390)
	c.entersByPasskey(robin, "robin@northgate.example", code)
	c.session(robin, first, "Examplewood", phone390, true)

	code = c.added(robin, "Sam Peer", "sam@northgate.example")
	sam := open(t, c.browser, 1280)
	withoutScripts(t, sam)
	c.entersByDigits(sam, "sam@northgate.example", code)
	c.session(sam, second, "Samplefield", 1280, false)
	c.nothingElse(sam, first)
}

// entersByPasskey has a new worker add a passkey, with the code that they were told, and sign in by it.
func (c *charity) entersByPasskey(ctx context.Context, to, code string) {
	c.t.Helper()
	_, err := chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{})
	ok(c.t, err)
	_, err = chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{Protocol: "ctap2", Transport: "internal", HasResidentKey: true,
			HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
	ok(c.t, err)
	c.asks(ctx, to)
	c.look(ctx, phone390, true)
	do(c.t, ctx, chromedp.SetValue(`#code`, code), press(`form:has(#code) button`),
		press(`form[data-passkey="create"] button`), visible(`input[value="drop-passkey"] ~ button`))
	c.look(ctx, phone390, true)
	do(c.t, ctx, press(`.nhsuk-header__service-name`), press(`form[action="/sign-out"] button`),
		visible(`a[href="/sign-in/worker"]`))
	c.asks(ctx, to)
	do(c.t, ctx, press(`form[data-passkey="get"] button`), visible(`.nhsuk-header__account`))
}

// entersByDigits has a new worker add an authenticator, with the code that they were told, and sign in by it.
func (c *charity) entersByDigits(ctx context.Context, to, code string) {
	c.t.Helper()
	c.asks(ctx, to)
	do(c.t, ctx, chromedp.SetValue(`#code`, code), press(`form:has(#code) button`), visible(`code.fb-long`))
	secret := strings.TrimSpace(read(c.t, ctx, chromedp.Text(`code.fb-long`)))
	digits, err := totp.GenerateCode(secret, time.Now().Add(-30*time.Second)) // the step before now
	ok(c.t, err)
	do(c.t, ctx, chromedp.SetValue(`#code`, digits), press(`form:has(#code) button`),
		visible(`input[value="drop-authenticator"] + button`))
	c.asks(ctx, to)
	digits, err = totp.GenerateCode(secret, time.Now().Add(30*time.Second)) // a later step
	ok(c.t, err)
	do(c.t, ctx, chromedp.SetValue(`#code`, digits), press(`form:has(#code) button`),
		visible(`.nhsuk-header__account`))
}

// phone390 is the width that partners' pages are made for.
const phone390 = 390

// nothingElse tries a signed-in worker on what is not theirs: journeys, other people's steps, another partner, staff's
// pages. Each is refused or looks as if it were not there.
func (c *charity) nothingElse(ctx context.Context, offer string) {
	c.t.Helper()
	var journey string
	c.one(&journey, `select journey::text from followup.offer where id = $1::uuid`, offer)
	other, whole := clock.NewRandomID(), "/journeys/"+journey
	for _, path := range []string{whole, whole + "/who", "/journeys", "/steps", "/messages", "/look", "/refer",
		"/partners/" + other, "/partners/" + other + "/workers", "/offers/" + other, "/api" + whole,
		"/api" + whole + "/consent", "/api/offers/" + other, "/api/steps", "/api/messages",
		"/api/partners/" + other + "/workers"} {
		do(c.t, ctx, visit(c.at+path), present("body"))
		text := read(c.t, ctx, chromedp.Text("body"))
		if !slices.ContainsFunc([]string{"not open to you", "could not find", "not found", "Page not found",
			"There is no such", "not open to your role"}, func(s string) bool { return strings.Contains(text, s) }) ||
			strings.Contains(text, "Examplewood") || strings.Contains(text, "Samplefield") {
			c.t.Errorf("%s shows a worker %q", path, text)
		}
	}
}

// TestAWithdrawalHalfAnHourBeforeASessionStopsIt: who the person is cannot be read from that moment, the partner's page
// says stop, and a navigator rings within the hour.
func TestAWithdrawalHalfAnHourBeforeASessionStopsIt(t *testing.T) {
	t.Parallel()
	c := newCharity(t)
	journey, offer := c.leaves("Examplewood", "")
	peer := principal.Principal{Organisation: c.partner, Role: string(schemas.Partner), Subject: "robin"}
	c.must(c.AskAs(peer, http.MethodPost, "/api/offers/"+offer+"/accept", "application/json", []byte(`{}`)), 200)
	identity := func() system.Answer {
		return c.AskAs(peer, http.MethodGet, "/api/journeys/"+journey+"/identity", "", nil)
	}
	system.Eventually(t, func() error {
		if got := identity(); got.Status != 200 {
			return fmt.Errorf("accepted, and who the person is is answered with %d", got.Status)
		}
		return nil
	})
	c.must(c.AskAs(peer, http.MethodPost, "/api/offers/"+offer+"/appointment", "application/json",
		[]byte(`{"startsAt":"`+time.Now().Add(30*time.Minute).Format(time.RFC3339)+`","channel":"video"}`)), 200)
	c.Resolve()
	ctx := open(t, c.browser, phone390)
	c.enters(ctx, "robin@northgate.example")
	withdrawn := time.Now()
	c.must(c.Ask(schemas.SendingTeam, http.MethodPost, "/api/journeys/"+journey+"/consent", "application/json",
		[]byte(`{"answers":[{"purpose":"follow-up","organisation":"`+c.partner+`","state":"withdrawn"}],"how":"spoken"}`)),
		200)
	if got := identity(); got.Status != 404 || strings.Contains(string(got.Body), "Examplewood") {
		t.Errorf("withdrawn, and who the person is is answered with %d %s", got.Status, got.Body)
	}
	system.Eventually(t, func() error {
		do(t, ctx, visit(c.at+"/offers/"+offer), visible("h1"))
		text := read(t, ctx, chromedp.Text("main"))
		if !strings.Contains(text, "Stop") || !strings.Contains(text, "no session, no call, no message") {
			return fmt.Errorf("the page says %q", text)
		}
		return nil
	})
	c.look(ctx, phone390, true)
	do(t, ctx, visit(c.at+"/offers"), visible("h1"))
	if text := read(t, ctx, chromedp.Text("main")); !strings.Contains(text, "Do not be in touch with the person") {
		t.Errorf("the list says %q", text)
	}
	c.look(ctx, phone390, true)
	system.Eventually(t, func() error {
		var due time.Time
		if err := c.Admin().QueryRow(t.Context(), `select due_at from journey.step where journey = $1::uuid and
			kind = 'ring-the-partner' and state = 'open'`, journey).Scan(&due); err != nil {
			return err
		}
		if due.After(withdrawn.Add(time.Hour + time.Minute)) {
			t.Errorf("the partner is to be rung by %v; the yes was withdrawn at %v", due, withdrawn)
		}
		return nil
	})
}

// enters has a new worker of the partner sign in, by a code that a navigator told them.
func (c *charity) enters(ctx context.Context, to string) {
	c.t.Helper()
	navigator := principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "navigator"}
	added := c.must(c.AskAs(navigator, http.MethodPost, "/api/partners/"+c.partner+"/workers", "application/json",
		[]byte(`{"name":"Robin Peer","mail":"`+to+`","phone":"07700 900123"}`)), http.StatusCreated)
	var told struct{ Code string }
	ok(c.t, json.Unmarshal(added.Body, &told))
	c.asks(ctx, to)
	do(c.t, ctx, chromedp.SetValue(`#code`, told.Code), press(`form:has(#code) button`),
		visible(`a[href="/offers"]`))
}
