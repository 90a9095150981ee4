package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

const (
	rightCode, rightWord = "7K2M-4XQ9-W8TB", "blue kettle"
	ownSession           = "c2Vzc2lvbg"
	ownPerson            = "0a4bba9e-7c82-48a1-8bbd-6fb23f09d446"
	ownJourney           = "019cac6b-9e60-7cde-a568-92bbebbf6c5f"
)

// pages is intake as far as it says whose a code is, and the console as far as it sees who asks.
type pages struct {
	verifier *principal.Verifier
	down     bool

	mu      sync.Mutex
	left    bool
	asked   []string // paths that intake was asked
	shownTo []principal.Principal
	sent    []string // bodies that came to the console
}

func (s *pages) intake(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.Path)
	who, err := principal.Signed(s.verifier, schemas.Intake, clock.Real())(r)
	var said struct{ Code, Word, Session string }
	switch {
	case s.down:
		httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusServiceUnavailable, "down"))
	case err != nil || who.Role != string(schemas.ServiceItself) || who.Subject != schemas.Gateway,
		json.NewDecoder(r.Body).Decode(&said) != nil:
		httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusForbidden, "nobody"))
	case r.URL.Path == "/api/own-page/open" && said.Code == rightCode && said.Word == rightWord:
		s.left = false
		_ = httpx.WriteJSON(w, http.StatusOK, schemas.OwnPageOpened{Session: ownSession})
	case r.URL.Path == "/api/own-page/session" && said.Session == ownSession && !s.left:
		_ = httpx.WriteJSON(w, http.StatusOK, schemas.OwnPageHolder{Person: ownPerson, Journey: ownJourney})
	case r.URL.Path == "/api/own-page/leave":
		s.left = true
		w.WriteHeader(http.StatusNoContent)
	default:
		httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusNotFound, "Nothing opens with this."))
	}
}

func (s *pages) console(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who, _ := principal.Signed(s.verifier, schemas.Console, clock.Real())(r)
	body, _ := io.ReadAll(r.Body)
	s.shownTo, s.sent = append(s.shownTo, who), append(s.sent, string(body))
	w.Header().Set("Cache-Control", "no-store")
}

// last is who the console saw last, and what was sent then.
func (s *pages) last() (principal.Principal, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shownTo[len(s.shownTo)-1], s.sent[len(s.sent)-1]
}

func startOwn(t *testing.T, change ...func(*Config)) (*fixture, *pages) {
	t.Helper()
	s := &pages{}
	f := start(t, append([]func(*Config){func(c *Config) {
		for _, route := range [][2]string{{"GET", "/y"}, {"POST", "/y"}, {"GET", "/y/more"}, {"GET", "/y/leave"}} {
			c.Pages = append(c.Pages, schemas.Route{Method: route[0], Pattern: route[1], Service: schemas.Console,
				Public: true})
		}
		c.Backends[schemas.Intake] = http.HandlerFunc(s.intake)
		c.Backends[schemas.Console] = http.HandlerFunc(s.console)
	}}, change...)...)
	s.verifier = f.intake.verifier
	return f, s
}

// own asks for a path of the page with a session, or without one.
func (f *fixture) own(t *testing.T, method, path string, form url.Values, session string,
	headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if session != "" {
		r.AddCookie(&http.Cookie{Name: "footbridge-y", Value: session})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func TestACodeAndAWordBeginASessionOfThePageAlone(t *testing.T) {
	t.Parallel()
	f, s := startOwn(t)
	opened := f.own(t, "POST", "/y", url.Values{"code": {rightCode}, "word": {rightWord}}, "")
	if opened.Code != http.StatusSeeOther || opened.Header().Get("Location") != "/y" {
		t.Fatalf("opened with %d to %q", opened.Code, opened.Header().Get("Location"))
	}
	cookie := opened.Result().Cookies()[0]
	if cookie.Value != ownSession || cookie.Path != "/y" || !cookie.HttpOnly || cookie.MaxAge != 0 ||
		cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %v", cookie)
	}
	f.own(t, "GET", "/y", nil, ownSession)
	who, _ := s.last()
	if who.Role != string(schemas.Person) || who.Subject != ownPerson ||
		schemas.JourneyOfOwnPage(who.Team) != ownJourney {
		t.Errorf("the page is shown to %#v", who)
	}
	// whatever else asks with it, or without it, is nobody
	for _, session := range []string{"", "something", ownSession + "x"} {
		if f.own(t, "GET", "/y/more", nil, session); func() bool { who, _ = s.last(); return who.Valid() }() {
			t.Errorf("with %q the page is shown to %v", session, who)
		}
	}
	if got := f.own(t, "GET", "/journeys", nil, ownSession).Code; got != http.StatusSeeOther {
		t.Errorf("with a session of the page the list of journeys is answered %d", got)
	}
	if got := f.ask(t, "GET", "/api/journeys/"+ownJourney, "", nil, "Cookie",
		"footbridge-y="+ownSession).Code; got != http.StatusUnauthorized {
		t.Errorf("with a session of the page the interface answers %d", got)
	}
	for _, path := range []string{"/api/own-page/open", "/api/own-page/session", "/api/own-page/leave"} {
		if got := f.ask(t, "POST", path, `{}`, &nurse).Code; got != http.StatusNotFound {
			t.Errorf("%s is served to somebody, with %d", path, got)
		}
	}
	// a nurse who is signed in on the same device is nobody here
	f.ask(t, "GET", "/y", "", &nurse)
	if who, _ = s.last(); who.Valid() {
		t.Errorf("the page is shown to %v, who is signed in for something else", who)
	}
}

func TestWhatOpensNothingGoesNoFurther(t *testing.T) {
	t.Parallel()
	f, s := startOwn(t)
	f.own(t, "POST", "/y", url.Values{"code": {"0000-0000-0000"}, "word": {"planted word"}}, "")
	if who, sent := s.last(); who.Valid() || sent != "" {
		t.Errorf("the console is told %q by %v", sent, who)
	}
	mark := principal.Principal{Organisation: selfOrganisation, Role: string(schemas.Person), Subject: ownPerson}.Mark()
	f.own(t, "POST", "/y", url.Values{"do": {"no"}, schemas.OpenedAs: {mark}}, ownSession)
	if who, _ := s.last(); !who.Valid() {
		t.Error("what was said on the page is nobody's")
	}
	f.own(t, "POST", "/y", url.Values{"do": {"no"}, schemas.OpenedAs: {"another's"}}, ownSession)
	if who, _ := s.last(); who.Valid() {
		t.Error("a form of another's page is sent in this one's name")
	}
	if got := f.own(t, "POST", "/y", url.Values{"do": {"no"}, schemas.OpenedAs: {mark}}, ownSession, "Origin",
		"https://elsewhere.example", "Sec-Fetch-Site", "cross-site").Code; got != http.StatusForbidden {
		t.Errorf("a form of another site is answered %d", got)
	}
	s.down = true
	for _, w := range []*httptest.ResponseRecorder{f.own(t, "GET", "/y", nil, ownSession),
		f.own(t, "POST", "/y", url.Values{"code": {rightCode}, "word": {"planted word"}}, "")} {
		if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "planted word") ||
			w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("where it cannot be known whose it is: %d %s", w.Code, w.Body)
		}
	}
	left := f.own(t, "GET", "/y/leave", nil, ownSession)
	if left.Code != http.StatusSeeOther || left.Header().Get("Location") != leaveTo {
		t.Errorf("leaving while nothing answers: %d", left.Code)
	}
}

func TestLeavingEndsTheSession(t *testing.T) {
	t.Parallel()
	f, s := startOwn(t)
	f.own(t, "GET", "/y", nil, ownSession)
	left := f.own(t, "GET", "/y/leave", nil, ownSession)
	if left.Code != http.StatusSeeOther || left.Header().Get("Location") != leaveTo ||
		left.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("leaving: %d %v", left.Code, left.Result().Cookies())
	}
	f.own(t, "GET", "/y", nil, ownSession)
	if who, _ := s.last(); who.Valid() {
		t.Error("after leaving the page is open still")
	}
}

// Nobody tries on and on, and a browser that is refused is shown nothing of what it tried.
func TestTryingCodesIsLimitedByAddressAndAltogether(t *testing.T) {
	t.Parallel()
	f, s := startOwn(t, func(c *Config) { c.Rates.Codes, c.Rates.AllCodes = 1e-9, 1e-9 })
	try := func(address string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/y",
			strings.NewReader(url.Values{"code": {rightCode}, "word": {"planted word"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
		r.RemoteAddr = address + ":4711"
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		return w
	}
	for i := range codesAtOnce {
		if got := try("192.0.2.1").Code; got != http.StatusOK {
			t.Fatalf("try %d is answered %d", i, got)
		}
	}
	refused := try("192.0.2.1")
	if refused.Code != http.StatusTooManyRequests || strings.Contains(refused.Body.String(), "planted word") {
		t.Errorf("one try more is answered %d %s", refused.Code, refused.Body)
	}
	if got := try("192.0.2.2").Code; got != http.StatusOK {
		t.Errorf("somebody elsewhere is answered %d", got)
	}
	tries := slices.DeleteFunc(s.asked, func(path string) bool { return path != "/api/own-page/open" })
	if len(tries) != codesAtOnce+1 {
		t.Errorf("intake was asked %d times", len(tries))
	}
}
