package gateway

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/gateway/signin"
)

// streaming is a service whose answers do not end by themselves.
type streaming chan struct{}

func (s streaming) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = w.Write([]byte(": beat\n\n"))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
	s <- struct{}{}
}

// streams has the gateway's work list hear of news.
func streams(every time.Duration) (func(*Config), streaming) {
	ended := make(streaming, 10)
	return func(c *Config) {
		c.Watch = every
		c.Backends[schemas.Console] = ended
		c.Pages = append(c.Pages, schemas.Route{Method: "GET", Pattern: schemas.StepNews, Service: schemas.Console,
			Roles: []schemas.Role{schemas.SendingTeam}})
	}, ended
}

// Whoever signs out, by whichever way, hears no more of anything from that moment; whoever did not goes on.
func TestSigningOutEndsStreamsAtOnce(t *testing.T) {
	t.Parallel()
	change, ended := streams(time.Hour)
	f := start(t, change)
	server := httptest.NewServer(f.Gateway)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	ok(t, err)
	browser := func(p principal.Principal) (*http.Client, func(path string) *http.Response) {
		jar, err := cookiejar.New(nil)
		ok(t, err)
		w := httptest.NewRecorder()
		ok(t, f.sessions.Begin(w, httptest.NewRequest("POST", "/", nil), p))
		jar.SetCookies(at, w.Result().Cookies())
		c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
		return c, func(path string) *http.Response {
			r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+path, nil)
			ok(t, err)
			answer, err := c.Do(r)
			ok(t, err)
			t.Cleanup(func() { _ = answer.Body.Close() })
			return answer
		}
	}
	other := nurse
	other.Subject = "nurse-2"
	_, listens := browser(other)
	if got := listens(schemas.StepNews); got.StatusCode != http.StatusOK {
		t.Fatalf("a stream is answered with %d", got.StatusCode)
	}
	for _, path := range []string{"/sign-out", "/sign-out/all"} {
		c, get := browser(nurse)
		if got := get(schemas.StepNews); got.StatusCode != http.StatusOK {
			t.Fatalf("a stream is answered with %d", got.StatusCode)
		}
		answer, err := c.PostForm(server.URL+path, url.Values{schemas.OpenedAs: {nurse.Mark()}})
		ok(t, err)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s is answered with %d", path, answer.StatusCode)
		}
		<-ended // the test's own time limit says where it never comes
	}
	select {
	case <-ended:
		t.Error("the stream of somebody who did not sign out has ended")
	default:
	}
}

// What is decided elsewhere ends a stream too: the sign-in file, another replica, the provider.
func TestAStreamEndsWhereItsReaderMayNotReadItAnyMore(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	change, ended := streams(5 * time.Millisecond)
	c := s.config
	change(&c)
	g, err := New(c)
	ok(t, err)
	s.Gateway = g
	v := s.visitor(t)
	v.comesIn("nurse")
	front := httptest.NewServer(g)
	t.Cleanup(front.Close)
	at, err := url.Parse(s.at)
	ok(t, err)
	listens := func() {
		r, err := http.NewRequestWithContext(t.Context(), "GET", front.URL+schemas.StepNews, nil)
		ok(t, err)
		for _, cookie := range v.Jar.Cookies(at) {
			r.AddCookie(cookie)
		}
		answer, err := http.DefaultClient.Do(r)
		ok(t, err)
		t.Cleanup(func() { _ = answer.Body.Close() })
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("a stream is answered with %d", answer.StatusCode)
		}
	}
	listens()
	without := *s.signIn.Mapping()
	without.Rules = []signin.Rule{without.Rules[2]}
	ok(t, s.signIn.Replace(&without))
	<-ended
}
