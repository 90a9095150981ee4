package journeys

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/gateway"
	"footbridge/tests/system"
)

// tab is a browser as far as sessions go: it keeps cookies and sends forms.
type tab struct {
	t    *testing.T
	base string
	http *http.Client
}

func newTab(t *testing.T, addr string) *tab {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &tab{t, "http://" + addr, &http.Client{Jar: jar}}
}

// do asks as a browser would and returns status and page; a nil form is a GET.
func (b *tab) do(path string, form url.Values) (status int, page string) {
	b.t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	answer, err := b.http.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func (b *tab) signIn(who string) {
	b.t.Helper()
	if status, page := b.do("/sign-in", url.Values{"who": {who}, "next": {"/refer"}}); status != http.StatusOK ||
		!strings.Contains(page, "Sign out") {
		b.t.Fatalf("signing in as %s: %d %s", who, status, page)
	}
}

var (
	hiddenFields = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	headings     = regexp.MustCompile(`<h1[^>]*>([^<]+)</h1>`)
)

// formTo are the hidden fields of the page's form to a path.
func formTo(t *testing.T, page, path string) url.Values {
	t.Helper()
	_, rest, found := strings.Cut(page, `<form action="`+path+`"`)
	if !found {
		t.Fatalf("there is no form to %s on the page %v", path, headings.FindStringSubmatch(page))
	}
	form, _, _ := strings.Cut(rest, "</form>")
	fields := url.Values{}
	for _, one := range hiddenFields.FindAllStringSubmatch(form, -1) {
		fields.Add(one[1], html.UnescapeString(one[2]))
	}
	return fields
}

// A form that was opened as one person and is sent as another is refused in words of its own, by whatever role the
// other is, and what was entered can be sent again: in the first's name, or knowingly in the other's. So is one that
// comes after its session has ended.
func TestAFormOpenedAsOnePersonAndSentAsAnotherIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	typed := map[string]string{"given": "Rowan <i>&", "family": "Examplewood", "notes": "words that took a while",
		"nhs": "12"}
	for _, second := range []string{"navigator", "operator"} { // the operator may not send this form at all
		b := newTab(t, s.HTTP)
		b.signIn("liaison")
		_, page := b.do("/refer", nil)
		form := formTo(t, page, "/refer")
		for name, value := range typed {
			form.Set(name, value)
		}
		b.signInElsewhere(second)
		status, refused := b.do("/refer", form)
		if status != http.StatusConflict ||
			!strings.Contains(refused, "<h1>This form was opened as somebody else</h1>") ||
			strings.Contains(refused, "your role") {
			t.Fatalf("sent as %s: %d %v", second, status, headings.FindStringSubmatch(refused))
		}
		kept := formTo(t, refused, "/refer")
		for name, value := range typed {
			if kept.Get(name) != value || !strings.Contains(refused, "<li>"+strings.ReplaceAll(html.EscapeString(value),
				"&#39;", "'")+"</li>") {
				t.Errorf("%s is lost: %q", name, kept.Get(name))
			}
		}
		if second == "navigator" { // sent again, knowingly: only the form itself is at fault now
			if status, page := b.do("/refer", kept); status != http.StatusUnprocessableEntity ||
				!strings.Contains(page, html.EscapeString(typed["family"])) {
				t.Errorf("sent again as %s: %d %v", second, status, headings.FindStringSubmatch(page))
			}
		}
		b.signInElsewhere("liaison")
		if status, _ := b.do("/refer", form); status != http.StatusUnprocessableEntity {
			t.Errorf("sent as the first again: %d", status)
		}
	}
	b := newTab(t, s.HTTP)
	b.signIn("liaison")
	_, page := b.do("/refer", nil)
	form := formTo(t, page, "/refer")
	form.Set("family", typed["family"])
	if _, err := s.Admin().Exec(t.Context(),
		`update gateway.session set seen_at = seen_at - interval '31 minutes'`); err != nil {
		t.Fatal(err)
	}
	status, refused := b.do("/refer", form)
	if status != http.StatusUnauthorized || formTo(t, refused, "/refer").Encode() != form.Encode() {
		t.Errorf("after its session: %d %v", status, headings.FindStringSubmatch(refused))
	}
}

// signInElsewhere signs in in another tab of the same browser.
func (b *tab) signInElsewhere(who string) {
	b.t.Helper()
	if status, page := b.do("/sign-in", url.Values{"who": {who}, "next": {"/journeys"}}); status != http.StatusOK {
		b.t.Fatalf("signing in as %s: %d %s", who, status, page)
	}
}

// Somebody sees where they are signed in, and ends what is not them, by page and by HTTP; nobody else's.
func TestSomebodySeesTheirOwnSessionsAndEndsEach(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	here, ward, home, other := newTab(t, s.HTTP), newTab(t, s.HTTP), newTab(t, s.HTTP), newTab(t, s.HTTP)
	for _, b := range []*tab{here, ward, home} {
		b.signIn("liaison")
	}
	other.signIn("navigator")
	mine := here.sessions()
	if len(mine) != 3 || !mine[2].Here && !mine[1].Here && !mine[0].Here || mine[0].Device != "Firefox on Linux" ||
		mine[0].EndsAt.Before(mine[0].BeganAt) {
		t.Fatalf("sees %+v", mine)
	}
	_, page := here.do("/sessions", nil)
	if strings.Count(page, "End this one") != 2 || strings.Count(page, "Sign out here") != 1 ||
		strings.Contains(page, "dev-liaison") {
		t.Errorf("the page: %s", page)
	}
	wards, homes := ward.here(), home.here()
	theirs := other.here()
	ended := here.post("/api/sessions/"+theirs+"/end", nil)
	if ended != http.StatusNotFound {
		t.Errorf("ending another's: %d", ended)
	}
	if status := here.post("/api/sessions/"+wards+"/end", nil); status != http.StatusNoContent {
		t.Errorf("ending one by HTTP: %d", status)
	}
	if status, after := here.do("/sessions/"+homes+"/end",
		formTo(t, page, "/sessions/"+homes+"/end")); status != http.StatusOK ||
		strings.Count(after, "End this one") != 0 {
		t.Errorf("ending one by page: %d %s", status, after)
	}
	for what, b := range map[string]*tab{"on the ward": ward, "at home": home} {
		if status := b.post("/api/sessions/"+wards+"/end", nil); status != http.StatusUnauthorized {
			t.Errorf("the ended one %s: %d", what, status)
		}
	}
	if len(here.sessions()) != 1 || len(other.sessions()) != 1 {
		t.Error("other sessions were ended too")
	}
	if status, page := here.do("/sessions/"+here.here()+"/end", formTo(t, must(here.do("/sessions", nil)),
		"/sessions/"+here.here()+"/end")); status != http.StatusOK || !strings.Contains(page, "You have signed out") {
		t.Errorf("ending this one: %d %v", status, headings.FindStringSubmatch(page))
	}
	if got := s.AskWith(system.Token(schemas.Navigator), "GET", "/api/sessions", "",
		nil); got.Status != http.StatusOK || !strings.Contains(string(got.Body), `"items":[]`) {
		t.Errorf("with a token: %d %s", got.Status, got.Body)
	}
}

func must(_ int, page string) string { return page }

type sessionSeen struct {
	ID, Device              string
	BeganAt, SeenAt, EndsAt time.Time
	Here                    bool
}

// sessions are those that a program of the person sees.
func (b *tab) sessions() (all []sessionSeen) {
	b.t.Helper()
	answer := b.api(http.MethodGet, "/api/sessions")
	defer func() { _ = answer.Body.Close() }()
	var list struct{ Items []sessionSeen }
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil || answer.StatusCode != http.StatusOK {
		b.t.Fatalf("listing sessions: %d %v", answer.StatusCode, err)
	}
	return list.Items
}

func (b *tab) here() string {
	b.t.Helper()
	for _, one := range b.sessions() {
		if one.Here {
			return one.ID
		}
	}
	b.t.Fatal("none of the sessions is the one that asks")
	return ""
}

func (b *tab) post(path string, _ []byte) int {
	b.t.Helper()
	answer := b.api(http.MethodPost, path)
	_ = answer.Body.Close()
	return answer.StatusCode
}

func (b *tab) api(method, path string) *http.Response {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := b.http.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer
}

// serve started again knows who was signed in, and since when they did nothing.
func TestARestartOfServeKeepsSessionsAndTheirLimits(t *testing.T) {
	t.Parallel()
	a := newApart(t)
	admin, err := pgxpool.New(t.Context(), a.database.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	as, _ := url.Parse(a.url(schemas.Gateway))
	as.User = url.UserPassword(as.User.Username(), a.private(schemas.Gateway).Database)
	pool, err := pg.Open(t.Context(), as.String(), pg.OpenConfig{Service: schemas.Gateway, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	sessions, err := gateway.NewSessions(pool, clock.Real(), false)
	if err != nil {
		t.Fatal(err)
	}
	begin := func(subject string) *http.Cookie {
		t.Helper()
		w := httptest.NewRecorder()
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "/sign-in", nil)
		if err := sessions.Begin(w, request, principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator),
			Subject: subject}); err != nil {
			t.Fatal(err)
		}
		return w.Result().Cookies()[0]
	}
	ask := func(cookie *http.Cookie) (int, string) {
		t.Helper()
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.addrs["FOOTBRIDGE_HTTP_ADDR"]+
			"/api/sessions", nil)
		request.AddCookie(cookie)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		body, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(body)
	}
	busy, idle, over := begin("busy"), begin("idle"), begin("over")
	for subject, change := range map[string]string{"idle": `seen_at = seen_at - interval '29 minutes'`,
		"over": `ends_at = began_at`} {
		if _, err := admin.Exec(t.Context(), fmt.Sprintf(`update gateway.session set %s where subject = '%s'`, change,
			subject)); err != nil {
			t.Fatal(err)
		}
	}
	running := a.start(schemas.Gateway, "serve", "--only", schemas.Gateway)
	running.Ready()
	if status, body := ask(busy); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, body)
	}
	running.Stop()
	// while nothing runs
	if _, err := admin.Exec(t.Context(), `update gateway.session set seen_at = seen_at - interval '2 minutes'
		where subject = 'idle'`); err != nil {
		t.Fatal(err)
	}
	a.start(schemas.Gateway, "serve", "--only", schemas.Gateway).Ready()
	if status, body := ask(busy); status != http.StatusOK || !strings.Contains(body, `"here":true`) {
		t.Errorf("after a restart: %d %s", status, body)
	}
	for cookie, why := range map[*http.Cookie]string{idle: "session-idle", over: "session-over"} {
		if status, body := ask(cookie); status != http.StatusUnauthorized || !strings.Contains(body, why) {
			t.Errorf("%s after a restart: %d %s", why, status, body)
		}
	}
}
