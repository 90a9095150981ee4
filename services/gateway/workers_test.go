package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/libs/vault"
	"footbridge/schemas"
	"footbridge/services/gateway/workers"
)

const (
	northgate = "019cac6b-9e60-7abc-a568-92bb0000dd44"
	southgate = "019cac6b-9e60-7abc-a568-92bb0000dd45"
)

var (
	navigator = principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "navigator-1"}
	colleague = principal.Principal{Organisation: northgate, Role: string(schemas.Partner), Subject: "somebody"}
	elsewhere = principal.Principal{Organisation: "RZZ", Role: string(schemas.Navigator), Subject: "navigator-2"}
	stranger  = principal.Principal{Organisation: southgate, Role: string(schemas.Partner), Subject: "somebody"}
)

// machine is a clock that stands for the machine's, and can be moved: codes and links go by it.
type machine struct {
	mu sync.Mutex
	at time.Time
}

func (m *machine) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

func (m *machine) add(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = m.at.Add(d)
}

// office is a gateway with a partner, whose workers sign in.
type office struct {
	*fixture
	t       *testing.T
	db      *testkit.DB
	clock   *machine
	workers *workers.Workers
	mails   []workers.Letter
	refuse  error // of whoever takes mails
	offs    []workers.Off
	busy    error // of whoever is told who was signed out
	notices http.HandlerFunc
	noticed int // how many requests came to where it is kept how partners are told
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, db: database(t), clock: &machine{at: time.Now().UTC()}}
	key := filepath.Join(t.TempDir(), "kek")
	seal, err := vault.OpenOrCreateFile(key)
	ok(t, err)
	o.workers, err = workers.New(workers.Config{Pool: o.db.Pool(schemas.Gateway), Clock: o.clock, Vault: seal,
		URL: "https://footbridge.example", Mail: func(_ context.Context, l workers.Letter) error {
			if o.refuse == nil {
				o.mails = append(o.mails, l)
			}
			return o.refuse
		}, SignedOff: func(_ context.Context, off workers.Off) error {
			if o.busy == nil {
				o.offs = append(o.offs, off)
			}
			return o.busy
		}})
	ok(t, err)
	sessions, err := NewSessions(o.db.Pool(schemas.Gateway), o.clock, false)
	ok(t, err)
	o.notices = func(w http.ResponseWriter, _ *http.Request) {
		o.noticed++
		w.WriteHeader(http.StatusOK)
	}
	partners := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.TrimPrefix(r.URL.Path, "/api/partners/")
		if id != northgate && id != southgate {
			httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusNotFound, "None."))
			return
		}
		who, err := principal.Signed(o.journey.verifier, schemas.Followup, o.clock)(r)
		ok(t, err)
		_ = httpx.WriteJSON(w, http.StatusOK, map[string]any{"name": "Northgate Peers",
			"heldElsewhere": who == elsewhere, "agreement": map[string]any{"inForce": id == northgate}})
	})
	o.fixture = start(t, func(c *Config) {
		c.Workers, c.Sessions, c.Clock, c.Source = o.workers, sessions, o.clock, sessions.Source()
		c.Backends[schemas.Followup], c.Backends[schemas.Delivery] = partners, o.notices
		c.Rates = Rates{Knocks: 1000}
	})
	o.sessions = sessions
	return o
}

// browse is a browser: it keeps cookies.
type browse struct {
	o    *office
	jar  map[string]*http.Cookie
	from string // its address, where it is not the usual one
}

func (o *office) browser() *browse { return &browse{o: o, jar: map[string]*http.Cookie{}} }

func (b *browse) send(method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", browser)
	r.RemoteAddr = cmp.Or(b.from, r.RemoteAddr)
	for _, c := range b.jar {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.o.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.jar[c.Name] = c
	}
	return w
}

// who is whom the browser is signed in as; nobody where it is not.
func (b *browse) who() principal.Principal {
	r := httptest.NewRequest("GET", "/", nil)
	for _, c := range b.jar {
		r.AddCookie(c)
	}
	p, _ := b.o.sessions.Source()(r)
	return p
}

// added adds a worker over the API, and gives the code to be told.
func (o *office) added(as principal.Principal, mail string) workers.Told {
	o.t.Helper()
	body, _ := json.Marshal(workers.NewWorker{Name: "Robin Peer", Mail: mail, Phone: "07700 900123"})
	w := o.ask(o.t, "POST", "/api/partners/"+northgate+"/workers", string(body), &as, "Content-Type",
		"application/json")
	var told workers.Told
	if w.Code != http.StatusCreated || json.Unmarshal(w.Body.Bytes(), &told) != nil {
		o.t.Fatalf("adding a worker: %d %s", w.Code, w.Body)
	}
	return told
}

var linkIn = regexp.MustCompile(`https://footbridge\.example(/sign-in/link/[0-9a-z]+)\n`)

// linked asks for a link and takes it out of the mail.
func (o *office) linked(mail string) string {
	o.t.Helper()
	before := len(o.mails)
	if w := o.browser().send("POST", "/sign-in/worker", url.Values{"mail": {mail}}); w.Code != http.StatusOK {
		o.t.Fatalf("asking for a link: %d %s", w.Code, w.Body)
	}
	ok(o.t, o.workers.MailDue(o.t.Context()))
	if len(o.mails) != before+1 {
		o.t.Fatalf("%d mails", len(o.mails)-before)
	}
	found := linkIn.FindStringSubmatch(o.mails[before].Text)
	if found == nil || o.mails[before].To != strings.ToLower(strings.TrimSpace(mail)) {
		o.t.Fatalf("mailed %+v", o.mails[before])
	}
	return found[1]
}

// opened is a browser that has used its link.
func (o *office) opened(mail string) *browse {
	o.t.Helper()
	b := o.browser()
	if w := b.send("POST", o.linked(mail), nil); w.Header().Get("Location") != "/sign-in/second" {
		o.t.Fatalf("using a link: %d %s", w.Code, w.Body)
	}
	return b
}

func (b *browse) second(code string) *httptest.ResponseRecorder {
	return b.send("POST", "/sign-in/second", url.Values{"code": {code}})
}

// enrolled is a worker with an authenticator, by its secret.
func (o *office) enrolled(as principal.Principal, mail string) (id, secret string) {
	o.t.Helper()
	told := o.added(as, mail)
	b := o.opened(mail)
	if w := b.second(told.Code); w.Header().Get("Location") != "/sign-in/keys" {
		o.t.Fatalf("with the told code: %d %s", w.Code, w.Body)
	}
	page := b.send("GET", "/sign-in/keys", nil).Body.String()
	found := regexp.MustCompile(`<code class="fb-long">([A-Z2-7]+)</code>`).FindStringSubmatch(page)
	if found == nil {
		o.t.Fatalf("no secret on the page: %s", page)
	}
	w := b.send("POST", "/sign-in/keys", url.Values{"do": {"authenticator"}, "code": {o.digits(found[1])}})
	if w.Header().Get("Location") != "/sign-in/keys?added=authenticator" {
		o.t.Fatalf("adding an authenticator: %d %s", w.Code, w.Body)
	}
	o.clock.add(time.Minute) // the digits are taken once
	return told.Worker, found[1]
}

func (o *office) digits(secret string) string {
	code, err := totp.GenerateCode(secret, o.clock.Now())
	ok(o.t, err)
	return code
}

func TestAWorkerSignsInByTheirMailboxAndSomethingOutsideIt(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id, secret := o.enrolled(navigator, "Robin@Northgate.example")
	link := o.linked(" robin@northgate.example ")
	b := o.browser()
	for _, method := range []string{"GET", "HEAD", "GET"} { // as programs do that look at links in mails
		if w := b.send(method, link, nil); w.Code != http.StatusOK || len(w.Result().Cookies()) != 0 {
			t.Errorf("%s of a link: %d %v", method, w.Code, w.Result().Cookies())
		}
	}
	b.send("POST", link, nil)
	if b.who().Valid() {
		t.Fatal("the mailbox alone signs in")
	}
	if w := o.browser().send("POST", link, nil); !strings.Contains(w.Body.String(), "does not work any more") {
		t.Errorf("a link used twice: %d %s", w.Code, w.Body)
	}
	digits := o.digits(secret)
	if w := b.second(digits); w.Header().Get("Location") != "/offers" {
		t.Fatalf("with the right digits: %d %s", w.Code, w.Body)
	}
	want := principal.Principal{Organisation: northgate, Role: string(schemas.Partner), Subject: id}
	if p := b.who(); p != want {
		t.Errorf("signed in as %v", p)
	}
	again := o.opened("robin@northgate.example")
	if w := again.second(digits); w.Code != http.StatusUnprocessableEntity || again.who().Valid() {
		t.Errorf("the same digits twice: %d", w.Code)
	}
	b.send("POST", "/sign-out", nil)
	if b.who().Valid() {
		t.Error("signed out, and still in")
	}
}

// TestLinkScannersUseNoLinkToSignIn: as the programs send that look through mails and chats before a human does.
func TestLinkScannersUseNoLinkToSignIn(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	_, secret := o.enrolled(navigator, "robin@northgate.example")
	link := o.linked("robin@northgate.example")
	stands := func() (all string) {
		ok(t, o.db.Admin().QueryRow(t.Context(), `select concat((select jsonb_agg(s order by id)
			from gateway.sign_in s),
			(select jsonb_agg(w order by id) from gateway.worker w),
			(select jsonb_agg(s order by hash) from gateway.session s))`).Scan(&all))
		return all
	}
	before := stands()
	scanners := map[string][]string{
		"SafeLinks":             {"GET", "User-Agent", "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1) SafeLinks"},
		"SafeLinks, the head":   {"HEAD", "X-Forwarded-For", "40.94.20.11"},
		"Proofpoint":            {"GET", "User-Agent", "Mozilla/5.0 Chrome/108", "Referer", "https://urldefense.com/"},
		"Barracuda":             {"GET", "User-Agent", "BarracudaCentral", "Via", "1.1 barracuda"},
		"Mimecast":              {"HEAD", "User-Agent", "Mimecast-URL-Protect", "Accept", "*/*"},
		"a browser in a box":    {"GET", "User-Agent", "HeadlessChrome/126.0", "Sec-Fetch-Mode", "navigate"},
		"Slack":                 {"GET", "User-Agent", "Slackbot-LinkExpanding 1.0", "Range", "bytes=0-32768"},
		"WhatsApp":              {"GET", "User-Agent", "WhatsApp/2.24.6 A"},
		"Teams":                 {"GET", "User-Agent", "SkypeUriPreview Preview/0.5"},
		"a browser, ahead":      {"GET", "Sec-Purpose", "prefetch;prerender", "Purpose", "prefetch"},
		"Apple's mail":          {"GET", "User-Agent", "Mozilla/5.0 Version/17 Safari", "X-Purpose", "preview"},
		"one that asks how":     {"OPTIONS", "Origin", "https://scanner.example"},
		"a page of its own":     {"POST", "Origin", "https://scanner.example", "Sec-Fetch-Site", "cross-site"},
		"Gmail's picture proxy": {"GET", "User-Agent", "GoogleImageProxy", "Accept", "image/*"},
	}
	for name, as := range scanners {
		for _, at := range []string{link, "/sign-in/second", "/sign-in/keys"} {
			w := o.ask(t, as[0], at, "", nil, as[1:]...)
			if len(w.Result().Cookies()) != 0 || w.Code >= 500 {
				t.Errorf("%s at %s is answered with %d and %v", name, at, w.Code, w.Result().Cookies())
			}
		}
	}
	if after := stands(); after != before {
		t.Fatalf("looking changed something:\n%s\n%s", before, after)
	}
	b := o.browser()
	b.send("POST", link, nil)
	if b.second(o.digits(secret)); !b.who().Valid() {
		t.Error("the link was used up")
	}
}

func TestASecondFactorWithoutTheLinkIsNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	_, secret := o.enrolled(navigator, "robin@northgate.example")
	for _, path := range []string{"/sign-in/second", "/sign-in/keys"} {
		b := o.browser()
		w := b.send("POST", path, url.Values{"code": {o.digits(secret)}, "do": {"authenticator"}})
		if w.Code != http.StatusOK || b.who().Valid() {
			t.Errorf("%s: %d", path, w.Code)
		}
		if w := b.send("GET", "/sign-in/authenticator.png", nil); w.Code != http.StatusNotFound {
			t.Errorf("the picture: %d", w.Code)
		}
	}
	b := o.opened("robin@northgate.example")
	if w := b.send("GET", "/sign-in/keys", nil); strings.Contains(w.Body.String(), "<code") {
		t.Error("a mailbox alone adds an authenticator")
	}
	if w := b.send("POST", "/sign-in/keys", url.Values{"do": {"drop-authenticator"}}); w.Code != http.StatusOK {
		t.Errorf("removing: %d", w.Code)
	}
	if w := b.second(o.digits(secret)); w.Header().Get("Location") != "/offers" {
		t.Errorf("the authenticator was removed from outside: %d", w.Code)
	}
}

func TestWhoseAnAddressIsIsNotTold(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.added(navigator, "robin@northgate.example")
	ask := func(mail string) string {
		w := o.browser().send("POST", "/sign-in/worker", url.Values{"mail": {mail}})
		return http.StatusText(w.Code) + w.Body.String()
	}
	known := ask("robin@northgate.example")
	for _, mail := range []string{"nobody@northgate.example", "no address", "", "a@b\r\nBcc: c@d"} {
		if got := ask(mail); got != known {
			t.Errorf("%q is answered with %s", mail, got)
		}
	}
	ok(t, o.workers.MailDue(t.Context()))
	if len(o.mails) != 1 {
		t.Errorf("%d mails", len(o.mails))
	}
	for range 10 {
		ask("robin@northgate.example")
	}
	ok(t, o.workers.MailDue(t.Context()))
	if len(o.mails) != 3 {
		t.Errorf("%d mails in a quarter of an hour", len(o.mails))
	}
	for _, text := range []string{"Robin", "Northgate", "Peer", "A&E", "offer"} {
		if strings.Contains(o.mails[0].Text+o.mails[0].Subject, text) {
			t.Errorf("the mail says %q", text)
		}
	}
}

// TestNobodyIsLockedOutByLinksThatOthersAskFor: however many links somebody asks for in a day, and from wherever, the
// worker comes in at any minute of it, and their mailbox is not flooded.
func TestNobodyIsLockedOutByLinksThatOthersAskFor(t *testing.T) {
	t.Parallel()
	for name, elsewhere := range map[string]func(i int) string{
		"from one address":      func(int) string { return "203.0.113.9:40000" },
		"from many":             func(i int) string { return fmt.Sprintf("203.0.%d.%d:40000", i/200, 1+i%200) },
		"from the worker's own": func(int) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			_, secret := o.enrolled(navigator, "robin@northgate.example")
			const robin = "robin@northgate.example"
			asked, before := 0, len(o.mails)
			for range 60 { // four of them in each quarter of an hour, for most of a day
				for range 4 {
					b := o.browser()
					b.from = elsewhere(asked)
					b.send("POST", "/sign-in/worker", url.Values{"mail": {robin}})
					asked++
				}
				ok(t, o.workers.MailDue(t.Context()))
				o.clock.add(15 * time.Minute)
			}
			if came := len(o.mails) - before; came > 120 {
				t.Errorf("%d mails came", came)
			}
			o.clock.add(-time.Minute)
			o.browser().send("POST", "/sign-in/worker", url.Values{"mail": {robin}})
			ok(t, o.workers.MailDue(t.Context()))
			b := o.browser()
			b.send("POST", linkIn.FindStringSubmatch(o.mails[len(o.mails)-1].Text)[1], nil)
			if b.second(o.digits(secret)); !b.who().Valid() {
				t.Error("the worker does not come in")
			}
		})
	}
}

func TestAMailThatIsNotTakenIsTheSameOneLater(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.added(navigator, "robin@northgate.example")
	var tried []workers.Letter
	o.refuse = context.DeadlineExceeded
	o.browser().send("POST", "/sign-in/worker", url.Values{"mail": {"robin@northgate.example"}})
	ok(t, o.workers.MailDue(t.Context()))
	o.refuse = nil
	o.clock.add(2 * time.Second)
	ok(t, o.workers.MailDue(t.Context()))
	tried = append(tried, o.mails...)
	if len(tried) != 1 {
		t.Fatalf("%d mails", len(tried))
	}
	o.clock.add(time.Hour)
	ok(t, o.workers.MailDue(t.Context()))
	if len(o.mails) != 1 {
		t.Error("a mail that was taken is sent again")
	}
	o.clock.add(-time.Hour)
	b := o.browser()
	if w := b.send("POST", linkIn.FindStringSubmatch(tried[0].Text)[1], nil); w.Code != http.StatusSeeOther {
		t.Errorf("its link: %d", w.Code)
	}
	var kept int
	ok(t, o.db.Admin().QueryRow(t.Context(),
		`select count(*) from gateway.sign_in where sealed is not null`).Scan(&kept))
	if kept != 0 {
		t.Error("a link's token is kept after its mail was handed over")
	}
}

// TestARecordThatCannotBeReadHoldsUpNoOthersMail: what is damaged of one worker is set aside, and the next is mailed.
func TestARecordThatCannotBeReadHoldsUpNoOthersMail(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	damaged := o.added(navigator, "robin@northgate.example")
	o.added(navigator, "sam@northgate.example")
	_, err := o.db.Admin().Exec(t.Context(), `update gateway.worker set mail = '\x00' where id = $1::text::uuid`,
		damaged.Worker)
	ok(t, err)
	o.browser().send("POST", "/sign-in/worker", url.Values{"mail": {"robin@northgate.example"}})
	o.browser().send("POST", "/sign-in/worker", url.Values{"mail": {"sam@northgate.example"}})
	ok(t, o.workers.MailDue(t.Context()))
	if len(o.mails) != 1 || o.mails[0].To != "sam@northgate.example" {
		t.Errorf("mailed were %v", o.mails)
	}
}

func TestGuessingASecondFactorIsLimited(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	_, secret := o.enrolled(navigator, "robin@northgate.example")
	wrong := func() string {
		right := o.digits(secret)
		return map[bool]string{true: "000001", false: "000000"}[right == "000000"]
	}
	b := o.opened("robin@northgate.example")
	for i := range mostTries {
		if w := b.second(wrong()); w.Code != http.StatusUnprocessableEntity {
			t.Fatalf("wrong for the %d. time: %d", i+1, w.Code)
		}
	}
	if w := b.second(o.digits(secret)); b.who().Valid() ||
		!strings.Contains(w.Body.String(), "does not work any more") {
		t.Errorf("after %d wrong ones the right one is taken: %d", mostTries, w.Code)
	}
	b = o.opened("robin@northgate.example")
	for range mostTries {
		b.second(wrong())
	}
	o.clock.add(20 * time.Minute) // more links
	b = o.opened("robin@northgate.example")
	if b.second(o.digits(secret)); b.who().Valid() {
		t.Error("after ten wrong ones in an hour the right one is taken")
	}
	o.clock.add(time.Hour)
	b = o.opened("robin@northgate.example")
	if b.second(o.digits(secret)); !b.who().Valid() {
		t.Error("an hour later the right one is not taken")
	}
}

const mostTries = 5

func TestWhoSignsOutChangesNoKeysAfterwards(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	_, secret := o.enrolled(navigator, "robin@northgate.example")
	b := o.opened("robin@northgate.example")
	b.second(o.digits(secret))
	pending := b.jar["footbridge-session-on-the-way"]
	if w := b.send("GET", "/sign-in/keys", nil); !strings.Contains(w.Body.String(), "Remove my authenticator") {
		t.Fatalf("one's own keys: %d %s", w.Code, w.Body)
	}
	b.send("POST", "/sign-out", nil)
	b.jar[pending.Name] = pending // whoever copied it
	for _, do := range []string{"drop-authenticator", "authenticator"} {
		w := b.send("POST", "/sign-in/keys", url.Values{"do": {do}, "code": {o.digits(secret)}})
		if !strings.Contains(w.Body.String(), "Sign in again") {
			t.Errorf("%s after signing out: %d %s", do, w.Code, w.Body)
		}
	}
}

// TestWhoSignsOutElsewhereLeavesNoBrowserThatChangesKeys: a screen that was left with its ten minutes for keys, or with
// its link used, is nobody's once its owner signs out from another, everywhere or there alone.
func TestWhoSignsOutElsewhereLeavesNoBrowserThatChangesKeys(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"everywhere", "there alone"} {
		o := newOffice(t)
		_, secret := o.enrolled(navigator, "robin@northgate.example")
		o.clock.add(15 * time.Minute) // there are so many links at once
		left, half, b := o.opened("robin@northgate.example"), o.opened("robin@northgate.example"),
			o.opened("robin@northgate.example")
		left.second(o.digits(secret))
		var there string
		ok(t, o.db.Admin().QueryRow(t.Context(), `select id::text from gateway.session where ended_at is null
			order by began_at desc limit 1`).Scan(&there))
		o.clock.add(time.Minute)
		b.second(o.digits(secret))
		if !left.who().Valid() || !b.who().Valid() {
			t.Fatal("nobody is signed in")
		}
		path := "/sign-out/all"
		if how == "there alone" {
			path = "/sessions/" + there + "/end"
		}
		form := url.Values{schemas.OpenedAs: {b.who().Mark()}}
		if w := b.send("POST", path, form); w.Code != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		if left.who().Valid() || b.who().Valid() != (how == "there alone") {
			t.Errorf("%s: signed in still", how)
		}
		w := left.send("POST", "/sign-in/keys", url.Values{"do": {"drop-authenticator"}})
		if !strings.Contains(w.Body.String(), "Sign in again") {
			t.Errorf("%s: keys are changed at a screen that was left: %d %s", how, w.Code, w.Body)
		}
		o.clock.add(time.Minute)
		if half.second(o.digits(secret)); half.who().Valid() {
			t.Errorf("%s: a sign-in that was on its way goes on", how)
		}
	}
}

// TestAPasskeyThatIsRemovedTwiceIsNotTwo: the button is pressed again before the page has come.
func TestAPasskeyThatIsRemovedTwiceIsNotTwo(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id, secret := o.enrolled(navigator, "robin@northgate.example")
	for _, credential := range []string{"first", "second"} {
		_, err := o.db.Admin().Exec(t.Context(), `insert into gateway.passkey (credential, worker, record, added_at)
			values ($1, $2, '{}', now())`, []byte(credential), id)
		ok(t, err)
	}
	b := o.opened("robin@northgate.example")
	b.second(o.digits(secret))
	page := b.send("GET", "/sign-in/keys", nil).Body.String()
	hidden := regexp.MustCompile(`name="do" value="drop-passkey"><input type="hidden" name="(\w+)" value="(\w+)"`).
		FindStringSubmatch(page)
	if hidden == nil {
		t.Fatalf("no passkey can be removed: %s", page)
	}
	for range 2 {
		b.send("POST", "/sign-in/keys", url.Values{"do": {"drop-passkey"}, hidden[1]: {hidden[2]}})
	}
	var left string
	ok(t, o.db.Admin().QueryRow(t.Context(), `select string_agg(convert_from(credential, 'UTF8'), ' ')
		from gateway.passkey`).Scan(&left))
	if left != "second" {
		t.Errorf("left are %q", left)
	}
}

func TestASignInByAnAddressThatIsNotTheirsAnyMoreIsOver(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	told := o.added(navigator, "robin@northgate.example")
	b := o.opened("robin@northgate.example")
	_, err := o.db.Admin().Exec(t.Context(), `update gateway.worker set mail_hash = 'another'`)
	ok(t, err) // as when the mail was being made while the address was changed
	if b.second(told.Code); b.who().Valid() {
		t.Error("it goes on")
	}
}

func TestGuessesAtOnceAreCountedOneByOne(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	told := o.added(navigator, "robin@northgate.example")
	b := o.opened("robin@northgate.example")
	var all sync.WaitGroup
	for range 3 * mostTries {
		all.Go(func() {
			r := httptest.NewRequest("POST", "/sign-in/second", strings.NewReader("code=aaaa-aaaa"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, c := range b.jar {
				r.AddCookie(c)
			}
			o.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
	all.Wait()
	var wrong int
	ok(t, o.db.Admin().QueryRow(t.Context(), `select max(wrong) from gateway.worker`).Scan(&wrong))
	if wrong != mostTries {
		t.Errorf("%d guesses were looked at", wrong)
	}
	if b.second(told.Code); b.who().Valid() {
		t.Error("the right one is taken after them")
	}
}

func TestATakenOverMailboxAddsNoKeyAndOpensNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id, secret := o.enrolled(navigator, "robin@northgate.example")
	in := o.opened("robin@northgate.example")
	if in.second(o.digits(secret)); in.who().Subject != id {
		t.Fatal("not signed in")
	}
	o.clock.add(16 * time.Minute) // further links
	link, pending := o.linked("robin@northgate.example"), o.opened("robin@northgate.example")
	// whoever has the mailbox asks, and guesses
	if pending.second("2222-2222"); pending.who().Valid() {
		t.Fatal("a guess is taken")
	}
	w := o.ask(t, "POST", "/api/partners/"+northgate+"/workers/"+id+"/mail", `{"mail":"robin.new@northgate.example"}`,
		&colleague, "Content-Type", "application/json")
	if w.Code != http.StatusNoContent {
		t.Fatalf("changing the address: %d %s", w.Code, w.Body)
	}
	if in.who().Valid() {
		t.Error("they are still signed in")
	}
	if w := o.browser().send("POST", link, nil); w.Code != http.StatusOK {
		t.Errorf("a link that was sent before: %d", w.Code)
	}
	if w := pending.second(o.digits(secret)); pending.who().Valid() {
		t.Errorf("a sign-in that was under way: %d", w.Code)
	}
	o.browser().send("POST", "/sign-in/worker", url.Values{"mail": {"robin@northgate.example"}})
	before := len(o.mails)
	ok(t, o.workers.MailDue(t.Context()))
	if len(o.mails) != before {
		t.Error("the former address is still mailed")
	}
	b := o.opened("robin.new@northgate.example")
	if b.second(o.digits(secret)); b.who().Subject != id {
		t.Error("their own key does not open by the new address")
	}
}

func TestALostKeyIsReplacedByACodeThatIsTold(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id, secret := o.enrolled(navigator, "robin@northgate.example")
	in := o.opened("robin@northgate.example")
	if in.second(o.digits(secret)); in.who().Subject != id {
		t.Fatal("not signed in")
	}
	o.clock.add(time.Minute)
	path := "/api/partners/" + northgate + "/workers/" + id + "/code"
	self := in.who()
	if w := o.ask(t, "POST", path, `{}`, &self, "Content-Type", "application/json"); w.Code != http.StatusConflict {
		t.Errorf("a code for oneself: %d", w.Code)
	}
	w := o.ask(t, "POST", path, `{"lost":true}`, &navigator, "Content-Type", "application/json")
	var told workers.Told
	if w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &told) != nil {
		t.Fatalf("a lost key: %d %s", w.Code, w.Body)
	}
	if in.who().Valid() {
		t.Error("who has the key is still signed in")
	}
	b := o.opened("robin@northgate.example")
	if b.second(o.digits(secret)); b.who().Valid() {
		t.Error("the lost key still opens")
	}
	if b.second(strings.ToUpper(told.Code)); b.who().Subject != id {
		t.Error("the told code does not open")
	}
	again := o.opened("robin@northgate.example")
	if again.second(told.Code); again.who().Valid() {
		t.Error("a told code opens twice")
	}
}

func TestWhoHasLeftIsOutAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id, secret := o.enrolled(navigator, "robin@northgate.example")
	in := o.opened("robin@northgate.example")
	if in.second(o.digits(secret)); in.who().Subject != id {
		t.Fatal("not signed in")
	}
	o.clock.add(16 * time.Minute) // further links
	pending, link := o.opened("robin@northgate.example"), o.linked("robin@northgate.example")
	w := o.ask(t, "POST", "/api/partners/"+northgate+"/workers/"+id+"/end", "", &colleague)
	if w.Code != http.StatusNoContent {
		t.Fatalf("ending: %d %s", w.Code, w.Body)
	}
	if in.who().Valid() {
		t.Error("still signed in")
	}
	if pending.second(o.digits(secret)); pending.who().Valid() {
		t.Error("a sign-in under way goes on")
	}
	if w := o.browser().send("POST", link, nil); w.Code != http.StatusOK {
		t.Errorf("a link: %d", w.Code)
	}
	var left int
	ok(t, o.db.Admin().QueryRow(t.Context(), `select count(*) from gateway.worker where mail <> '' or phone <> '' or
		mail_hash is not null or totp is not null or code_hash is not null`).Scan(&left))
	if left != 0 {
		t.Error("address, number or key of somebody who left is kept")
	}
	if o.added(navigator, "robin@northgate.example").Worker == id { // the partner has nobody: a navigator begins anew
		t.Error("somebody who left is back")
	}
}

func TestWorkersAreAddedByWhoMay(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	add := func(as principal.Principal, partner, mail string) int {
		return o.ask(t, "POST", "/api/partners/"+partner+"/workers", `{"name":"Sam","mail":"`+mail+
			`","phone":"07700 900124"}`, &as, "Content-Type", "application/json").Code
	}
	id, _ := o.enrolled(navigator, "robin@northgate.example")
	for _, c := range []struct {
		name    string
		as      principal.Principal
		partner string
		mail    string
		want    int
	}{
		{"a navigator where somebody can sign in", navigator, northgate, "sam@northgate.example", 409},
		{"a colleague", colleague, northgate, "sam@northgate.example", 201},
		{"the same address again", colleague, northgate, "SAM@northgate.example", 409},
		{"no address", colleague, northgate, "sam", 422},
		{"another partner", stranger, northgate, "eve@southgate.example", 404},
		{"without an agreement in force", navigator, southgate, "eve@southgate.example", 409},
		{"to a partner that is none", navigator, "019cac6b-9e60-7abc-a568-92bb0000dd99", "eve@x.example", 404},
		{"a nurse", nurse, northgate, "eve@x.example", 403},
	} {
		if got := add(c.as, c.partner, c.mail); got != c.want {
			t.Errorf("%s: %d, not %d", c.name, got, c.want)
		}
	}
	for _, what := range []string{"code", "mail", "end"} {
		path := "/api/partners/" + northgate + "/workers/" + id + "/" + what
		body := map[string]string{"code": "{}", "mail": `{"mail":"eve@x.example"}`}[what]
		if w := o.ask(t, "POST", path, body, &stranger, "Content-Type", "application/json"); w.Code != 404 {
			t.Errorf("%s by another partner: %d", what, w.Code)
		}
		// and by way of their own partner's path
		path = strings.Replace(path, northgate, southgate, 1)
		if w := o.ask(t, "POST", path, body, &stranger, "Content-Type", "application/json"); w.Code != 404 {
			t.Errorf("%s by another partner's own path: %d", what, w.Code)
		}
	}
	if w := o.ask(t, "GET", "/api/partners/"+northgate+"/workers", "", &stranger); w.Code != 404 {
		t.Errorf("listed to another partner: %d", w.Code)
	}
	if page := o.ask(t, "GET", "/partners/"+northgate+"/workers", "", &colleague).Body.String(); !strings.Contains(
		strings.ReplaceAll(page, "&#39;", "'"), schemas.SeparateFrom("")) {
		t.Errorf("a partner's view does not say from what its sessions are separate: %s", page)
	}
	w := o.ask(t, "GET", "/api/partners/"+northgate+"/workers", "", &colleague)
	if !strings.Contains(w.Body.String(), "07700 900124") || strings.Contains(w.Body.String(), "code\":\"") {
		t.Errorf("listed: %s", w.Body)
	}
}

// TestANavigatorOfAnotherOrganisationChangesNothingOfAPartner: whose agreement it is decides who changes how it is told
// and who signs in for it, as it decides about the rest.
func TestANavigatorOfAnotherOrganisationChangesNothingOfAPartner(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id := o.added(navigator, "robin@northgate.example").Worker
	at := "/api/partners/" + northgate
	for route, body := range map[string]string{"PUT " + at + "/notice": `{"by":"email","to":"eve@x.example"}`,
		"GET " + at + "/notice":                   "",
		"GET " + at + "/workers":                  "",
		"POST " + at + "/workers":                 `{"name":"Eve","mail":"eve@x.example","phone":"07700 900125"}`,
		"POST " + at + "/workers/" + id + "/code": `{"lost":true}`,
		"POST " + at + "/workers/" + id + "/mail": `{"mail":"eve@x.example"}`,
		"POST " + at + "/workers/" + id + "/end":  "",
		"GET /partners/" + northgate + "/workers": "",
	} {
		method, path, _ := strings.Cut(route, " ")
		w := o.ask(t, method, path, body, &elsewhere, "Content-Type", "application/json")
		if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "Robin") {
			t.Errorf("%s: %d %s", route, w.Code, w.Body)
		}
	}
	if o.noticed != 0 {
		t.Error("how the partner is told was read or changed")
	}
	for _, p := range []principal.Principal{navigator, colleague} {
		o.ask(t, "PUT", at+"/notice", `{"by":"none"}`, &p, "Content-Type", "application/json")
	}
	if o.noticed != 2 {
		t.Errorf("%d of whoever may changed how it is told", o.noticed)
	}
}

func TestNothingOfAWorkerStandsInClear(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	told := o.added(navigator, "robin@northgate.example")
	link := o.linked("robin@northgate.example")
	var all string
	ok(t, o.db.Admin().QueryRow(t.Context(), `select string_agg(t, ' ') from (
		select w::text || encode(name, 'escape') || encode(mail, 'escape') from gateway.worker w union all
		select s::text from gateway.sign_in s union all select l::text from gateway.worker_log l) as x(t)`).Scan(&all))
	for _, secret := range []string{"Robin", "robin", "northgate.example", "900123", told.Code,
		strings.ReplaceAll(told.Code, "-", ""), strings.TrimPrefix(link, "/sign-in/link/")} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is stored in clear", secret)
		}
	}
}

var _ clock.Clock = (*machine)(nil)

// Whoever was signed out everywhere is told of to those who gave them something to read by: once, and again while it
// was not taken.
func TestWhoIsSignedOutForGoodIsToldToWhoGaveThemACalendar(t *testing.T) {
	o := newOffice(t)
	id, _ := o.enrolled(navigator, "robin@example.org")
	ok(t, o.workers.TellDue(t.Context()))
	if len(o.offs) != 0 {
		t.Fatalf("whoever has signed in is told of: %v", o.offs)
	}
	for _, step := range []struct {
		path, body string
		left       bool
	}{{"code", `{"lost":true}`, false}, {"end", "", true}} {
		o.offs, o.busy = nil, errors.New("busy")
		if w := o.ask(t, "POST", "/api/partners/"+northgate+"/workers/"+id+"/"+step.path, step.body, &colleague,
			"Content-Type", "application/json"); w.Code/100 != 2 {
			t.Fatalf("%s: %d %s", step.path, w.Code, w.Body)
		}
		ok(t, o.workers.TellDue(t.Context()))
		o.busy = nil
		o.clock.add(2 * time.Second)
		ok(t, o.workers.TellDue(t.Context()))
		ok(t, o.workers.TellDue(t.Context()))
		if len(o.offs) != 1 || o.offs[0].Worker != id || o.offs[0].Partner != northgate || o.offs[0].Left != step.left {
			t.Errorf("%s: %v was told", step.path, o.offs)
		}
	}
}
