package gateway

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

const browser = "text/html,application/xhtml+xml,*/*;q=0.8"

// signedIn is the cookie of a new session.
func signedIn(t *testing.T, s *Sessions, came ...*http.Cookie) *http.Cookie {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/sign-in", nil)
	for _, cookie := range came {
		r.AddCookie(cookie)
	}
	ok(t, s.Begin(w, r, nurse))
	return w.Result().Cookies()[0]
}

func who(s *Sessions, cookie *http.Cookie) (principal.Principal, error) {
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(cookie)
	return s.Source()(r)
}

func TestASessionEndsOnEveryGatewayWhenSomebodySignsOut(t *testing.T) {
	t.Parallel()
	db := database(t)
	one, err := NewSessions(db.Pool(schemas.Gateway), clock.Real(), true)
	ok(t, err)
	// another replica, or the same one started again
	other, err := NewSessions(db.Pool(schemas.Gateway), clock.Real(), true)
	ok(t, err)
	cookie := signedIn(t, one)
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode ||
		!strings.HasPrefix(cookie.Name, "__Host-") {
		t.Errorf("cookie %+v", cookie)
	}
	if p, err := who(other, cookie); err != nil || p != nurse {
		t.Fatalf("the other knows %v, %v", p, err)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/sign-out", nil)
	r.AddCookie(cookie)
	ok(t, other.End(w, r))
	if _, err := who(one, cookie); !errors.Is(err, errSessionEnded) || !errors.Is(err, principal.ErrRefused) {
		t.Errorf("sent again after signing out: %v", err)
	}
	second, third := signedIn(t, one), signedIn(t, one)
	if n, err := one.EndAll(t.Context(), nurse); err != nil || n != 2 {
		t.Errorf("ended %d, %v", n, err)
	}
	for _, cookie := range []*http.Cookie{second, third} {
		if _, err := who(other, cookie); !errors.Is(err, errSessionEnded) {
			t.Errorf("after ending all: %v", err)
		}
	}
}

func TestASessionEndsByItsTimeAndByDoingNothing(t *testing.T) {
	t.Parallel()
	now := &clock.Shifted{}
	s, err := NewSessions(database(t).Pool(schemas.Gateway), now, false)
	ok(t, err)
	idle, busy := signedIn(t, s), signedIn(t, s)
	for at := 20 * time.Minute; at < sessionLasts; at += 20 * time.Minute {
		now.Set(at)
		if _, err := who(s, busy); err != nil {
			t.Fatalf("in use after %v: %v", at, err)
		}
	}
	if _, err := who(s, idle); !errors.Is(err, errSessionIdle) {
		t.Errorf("unused: %v", err)
	}
	now.Set(sessionLasts)
	if _, err := who(s, busy); !errors.Is(err, errSessionOver) {
		t.Errorf("in use beyond its time: %v", err)
	}
}

func TestSigningInGivesANewIDAndStoresItsHashAlone(t *testing.T) {
	t.Parallel()
	db := database(t)
	s, err := NewSessions(db.Pool(schemas.Gateway), clock.Real(), false)
	ok(t, err)
	planted := &http.Cookie{Name: s.name, Value: "an id that somebody else chose"}
	first := signedIn(t, s, planted)
	if first.Value == planted.Value {
		t.Error("the id that came is kept")
	}
	second := signedIn(t, s, first)
	if _, err := who(s, planted); !errors.Is(err, errSessionUnknown) {
		t.Errorf("the planted id: %v", err)
	}
	if _, err := who(s, first); !errors.Is(err, errSessionEnded) {
		t.Errorf("the session before: %v", err)
	}
	if p, err := who(s, second); err != nil || p != nurse {
		t.Errorf("the new one: %v, %v", p, err)
	}
	var stored []byte
	ok(t, db.Admin().QueryRow(t.Context(),
		`select string_agg(session::text, ' ')::bytea from gateway.session`).Scan(&stored))
	if bytes.Contains(stored, []byte(second.Value)) {
		t.Error("the id itself is stored")
	}
	if _, err := who(s, &http.Cookie{Name: s.name, Value: hex.EncodeToString(hashOf(second.Value))}); err == nil {
		t.Error("the stored hash is taken for an id")
	}
}

func TestEachRefusalHasWordsOfItsOwn(t *testing.T) {
	t.Parallel()
	now := &clock.Shifted{}
	db := database(t)
	admin := db.Admin()
	f := start(t, func(c *Config) {
		sessions, err := NewSessions(db.Pool(schemas.Gateway), now, false)
		ok(t, err)
		c.Sessions, c.Source = sessions, sessions.Source()
	})
	s := f.config.Sessions
	idle, over, out := signedIn(t, s), signedIn(t, s), signedIn(t, s)
	r := httptest.NewRequest("POST", "/", nil)
	r.AddCookie(out)
	ok(t, s.End(httptest.NewRecorder(), r))
	_, err := admin.Exec(t.Context(), `update gateway.session set ends_at = began_at where hash = $1`,
		hashOf(over.Value))
	ok(t, err)
	_, err = admin.Exec(t.Context(), `update gateway.session set seen_at = seen_at - interval '31 minutes'
		where hash = $1`, hashOf(idle.Value))
	ok(t, err)
	const path = "/api/steps/0b6f7c3a-0000-4000-8000-000000000000/done"
	send := func(method, path, accept string, cookie *http.Cookie, site string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader("{}"))
		r.Header.Set("Accept", accept)
		r.Header.Set("Sec-Fetch-Site", site)
		if cookie != nil {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		kind   kind
		cookie *http.Cookie
		site   string
	}{
		{otherSite, signedIn(t, s), "cross-site"}, {otherSite, nil, "cross-site"}, {notSignedIn, nil, "same-origin"},
		{signedOut, out, "same-origin"}, {idleTooLong, idle, "same-origin"}, {shiftOver, over, "same-origin"},
	} {
		w := send("POST", path, browser, c.cookie, c.site)
		if page := w.Body.String(); w.Code != c.kind.status || !strings.Contains(page, "<h1>"+c.kind.title+"</h1>") ||
			strings.Contains(page, "your role") {
			t.Errorf("%s: a browser is answered with %d %s", c.kind.name, w.Code, page)
		}
		if c.kind == notSignedIn {
			continue // a program is told to send its token
		}
		p := problemOf(t, send("POST", path, "application/json", c.cookie, c.site), c.kind.status)
		if p.Type != problemPrefix+c.kind.name || p.Detail != c.kind.words {
			t.Errorf("%s: a program is told %+v", c.kind.name, p)
		}
	}
	w := send("GET", "/journeys", browser, idle, "none")
	if at := w.Header().Get("Location"); w.Code != http.StatusSeeOther ||
		at != "/sign-in?because=session-idle&next=%2Fjourneys" {
		t.Errorf("a page asked for too late: %d to %q", w.Code, at)
	}
	s.pool.Close()
	if p := problemOf(t, send("GET", "/api/journeys", "application/json", out, "none"),
		http.StatusServiceUnavailable); p.Type != problemPrefix+cannotSay.name {
		t.Errorf("without the database: %+v", p)
	}
}

func TestSigningInTakesOnlyWhoIsOfferedAndStaysHere(t *testing.T) {
	t.Parallel()
	f := start(t)
	post := func(path string, form url.Values, cookies ...*http.Cookie) *http.Response {
		r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		return w.Result()
	}
	in := post("/sign-in", url.Values{"who": {"nurse"}, "next": {"/messages?outcome=raised"}})
	if in.StatusCode != http.StatusSeeOther || in.Header.Get("Location") != "/messages?outcome=raised" ||
		len(in.Cookies()) != 1 {
		t.Fatalf("answered %d to %q", in.StatusCode, in.Header.Get("Location"))
	}
	cookie := in.Cookies()[0]
	if p, err := who(f.sessions, cookie); err != nil || p != nurse {
		t.Errorf("signed in as %v, %v", p, err)
	}
	if w := post("/sign-in", url.Values{"who": {"root"}}); len(w.Cookies()) != 0 ||
		!strings.Contains(w.Header.Get("Location"), "who=nobody") {
		t.Errorf("nobody offered: %d %q", w.StatusCode, w.Header.Get("Location"))
	}
	if w := post("/sign-out", nil, cookie); w.StatusCode != http.StatusSeeOther || w.Cookies()[0].MaxAge >= 0 {
		t.Errorf("signing out: %d", w.StatusCode)
	}
	if _, err := who(f.sessions, cookie); !errors.Is(err, errSessionEnded) {
		t.Errorf("sent again after signing out: %v", err)
	}
	for _, next := range []string{"//example.org", "https://example.org/", `/\example.org`, "javascript:alert(1)",
		"journeys", "", "/\texample.org", "/%zz"} {
		if got := ownPath(next); got != "/" {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}

// TestAPageThatAsksByItselfKeepsNobodySignedIn: a list that is open hears of new steps for as long as its session
// lasts, and does not make it last.
func TestAPageThatAsksByItselfKeepsNobodySignedIn(t *testing.T) {
	t.Parallel()
	now := &clock.Shifted{}
	db := database(t)
	s, err := NewSessions(db.Pool(schemas.Gateway), now, false)
	ok(t, err)
	cookie := signedIn(t, s)
	asked := func(path string) error {
		r := httptest.NewRequest("GET", path, nil)
		r.AddCookie(cookie)
		_, err := s.Source()(r)
		return err
	}
	now.Set(20 * time.Minute)
	ok(t, asked(schemas.StepNews))
	ok(t, asked(schemas.OperationsNews))
	now.Set(31 * time.Minute)
	if asked(schemas.StepNews) == nil {
		t.Error("31 minutes after somebody did something, they are still signed in")
	}
	cookie = signedIn(t, s)
	now.Set(51 * time.Minute)
	ok(t, asked("/steps"))
	now.Set(62 * time.Minute)
	ok(t, asked(schemas.StepNews))
}
