package httpx_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
)

func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func problem(t *testing.T, w *httptest.ResponseRecorder, status int) httpx.Problem {
	t.Helper()
	var p httpx.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("answer %d %q is no problem: %v", w.Code, w.Body, err)
	}
	if w.Code != status || p.Status != status || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("want a problem %d, got %d %s %s", status, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return p
}

func TestRefusalsOfTheRouterAreProblems(t *testing.T) {
	t.Parallel()
	mux := httpx.NewMux(httpx.Options{})
	mux.Handle("GET /api/orders/{id}", func(w http.ResponseWriter, r *http.Request) error {
		return httpx.WriteJSON(w, 200, map[string]string{"id": r.PathValue("id")})
	})
	t.Run("an unknown path", func(t *testing.T) {
		t.Parallel()
		w := ask(mux, "GET", "/nowhere", "")
		p := problem(t, w, 404)
		if p.Instance != "urn:uuid:"+w.Header().Get("X-Request-Id") {
			t.Errorf("instance %q is not the request id %q", p.Instance, w.Header().Get("X-Request-Id"))
		}
	})
	t.Run("an unknown method", func(t *testing.T) {
		t.Parallel()
		w := ask(mux, "DELETE", "/api/orders/1", "")
		if p := problem(t, w, 405); !strings.Contains(p.Detail, "GET") || !strings.Contains(w.Header().Get("Allow"),
			"GET") {
			t.Errorf("does not say what to use: %q, Allow %q", p.Detail, w.Header().Get("Allow"))
		}
	})
	t.Run("a known route answers", func(t *testing.T) {
		t.Parallel()
		if w := ask(mux, "GET", "/api/orders/7", ""); w.Code != 200 || w.Body.String() != "{\"id\":\"7\"}\n" {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
	t.Run("a path that is not clean is redirected", func(t *testing.T) {
		t.Parallel()
		if w := ask(mux, "GET", "/api//orders/7", ""); w.Code/100 != 3 {
			t.Errorf("got %d", w.Code)
		}
	})
}

func TestTheInsideStaysInside(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	mux := httpx.NewMux(httpx.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	mux.Handle("GET /error", func(http.ResponseWriter, *http.Request) error {
		return errors.New("table shelves is gone")
	})
	mux.Handle("GET /panic", func(http.ResponseWriter, *http.Request) error { panic("Alice Example") })
	mux.Handle("GET /problem", func(http.ResponseWriter, *http.Request) error {
		return fmt.Errorf("accepting: %w",
			httpx.NewProblem(409, "Taken.").With("by", "someone").Because(errors.New("inner")))
	})
	if w := ask(mux, "GET", "/error", ""); strings.Contains(w.Body.String(), "shelves") {
		t.Errorf("an error's text left: %s", w.Body)
	} else {
		problem(t, w, 500)
	}
	problem(t, ask(mux, "GET", "/panic", ""), 500)
	if !strings.Contains(log.String(), "shelves") || strings.Contains(log.String(), "Alice") {
		t.Errorf("the log should hold the error and not the panic's text: %s", log.String())
	}
	p := problem(t, ask(mux, "GET", "/problem", ""), 409)
	if p.Extensions["by"] != "someone" || strings.Contains(p.Detail, "inner") {
		t.Errorf("got %+v", p)
	}
}

func TestSpansAreNamedByTheRouteNeverThePath(t *testing.T) {
	t.Parallel()
	recorded := tracetest.NewSpanRecorder()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorded))
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, trust := range []bool{false, true} {
		mux := httpx.NewMux(httpx.Options{Tracers: tracers, TrustCaller: trust})
		mux.Handle("POST /p/{token}", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(204)
			return nil
		})
		ask(mux, "POST", "/p/secret-token?q=alice", "", "traceparent", parent)
	}
	spans := recorded.Ended()
	for _, s := range spans {
		if s.Name() != "POST /p/{token}" || strings.Contains(fmt.Sprint(s.Attributes()), "secret") ||
			strings.Contains(fmt.Sprint(s.Attributes()), "alice") {
			t.Errorf("span %q with %v", s.Name(), s.Attributes())
		}
		if !hasAttribute(s.Attributes(), attribute.Int("http.response.status_code", 204)) {
			t.Errorf("no status in %v", s.Attributes())
		}
	}
	if spans[0].Parent().IsValid() || len(spans[0].Links()) != 1 {
		t.Error("a caller from outside chose the trace")
	}
	if spans[1].Parent().SpanID().String() != "b7ad6b7169203331" {
		t.Error("a trusted caller's trace was not continued")
	}
}

func hasAttribute(all []attribute.KeyValue, wanted attribute.KeyValue) bool {
	for _, kv := range all {
		if kv == wanted {
			return true
		}
	}
	return false
}

// TestAStreamIsNotSlowForStandingOpen: what is measured of a stream of events is how long it took to begin, at each mux
// that it passes; an answer of another kind is measured when it has ended.
func TestAStreamIsNotSlowForStandingOpen(t *testing.T) {
	t.Parallel()
	recorded := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorded))
	inner := httpx.NewMux(httpx.Options{Tracers: provider, TrustCaller: true})
	ended := map[string]int{}
	for path, kind := range map[string]string{"/stream": "text/event-stream", "/list": "application/json"} {
		inner.Handle("GET "+path, func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(http.StatusOK)
			ended[path] = len(recorded.Ended()) // while it stands open
			return nil
		})
	}
	outer := httpx.NewMux(httpx.Options{Tracers: provider})
	outer.HandleHTTP("GET /{what}", inner)
	ask(outer, "GET", "/list", "")
	ask(outer, "GET", "/stream", "")
	if ended["/list"] != 0 || ended["/stream"] != 4 || len(recorded.Ended()) != 4 {
		t.Errorf("while they stood open %v had ended; in all %d did", ended, len(recorded.Ended()))
	}
}

func TestBodiesAreReadStrictlyAndWithinTheirLimit(t *testing.T) {
	t.Parallel()
	type body struct {
		Name  string `json:"name"`
		Count int    `json:"count"`
	}
	mux := httpx.NewMux(httpx.Options{})
	mux.Handle("POST /", func(w http.ResponseWriter, r *http.Request) error {
		got, _, err := httpx.ReadJSON[body](w, r, 40)
		if err != nil {
			return err
		}
		return httpx.WriteJSON(w, 200, got)
	})
	for _, c := range []struct {
		name, kind, body string
		status           int
		says             string
	}{
		{"what is right", "application/json; charset=utf-8", `{"name":"x","count":2}`, 200, ""},
		{"a suffix type", "application/thing+json", `{}`, 200, ""},
		{"another type", "text/plain", `{}`, 415, "application/json"},
		{"another character set", "application/json; charset=latin1", `{}`, 415, "UTF-8"},
		{"no type", "", `{}`, 415, "application/json"},
		{"too long", "application/json", `{"name":"` + strings.Repeat("x", 60) + `"}`, 413, "40 bytes"},
		{"an unknown field", "application/json", `{"nome":"x"}`, 400, "a field that is not known"},
		{"a wrong type", "application/json", `{"count":"Alice"}`, 400, `"count"`},
		{"two values", "application/json", `{} {}`, 400, "more than one"},
		{"not JSON", "application/json", `{"name"`, 400, "Send one complete"},
		{"nothing", "application/json", ``, 400, "empty"},
		{"broken syntax", "application/json", `{"name":x}`, 400, "byte"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := ask(mux, "POST", "/", c.body, "Content-Type", c.kind)
			if c.status == 200 {
				if w.Code != 200 {
					t.Fatalf("got %d %s", w.Code, w.Body)
				}
				return
			}
			p := problem(t, w, c.status)
			if !strings.Contains(p.Detail, c.says) || strings.Contains(p.Detail, "Alice") {
				t.Errorf("detail %q", p.Detail)
			}
		})
	}
	t.Run("too long without saying so", func(t *testing.T) {
		t.Parallel()
		r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(`{"name":"`),
			strings.NewReader(strings.Repeat("x", 60))))
		r.ContentLength = -1
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		problem(t, w, 413)
	})
}

func TestAPageLeadsToTheNext(t *testing.T) {
	t.Parallel()
	key := func(n int) []string { return []string{fmt.Sprint(n), "id"} }
	list := httpx.NewList([]int{1, 2, 3}, 2, key)
	if len(list.Items) != 2 || list.Next == nil {
		t.Fatalf("got %+v", list)
	}
	page, err := httpx.ParsePage(url.Values{"cursor": {*list.Next}, "limit": {"900"}}, 2, 50, 200)
	if err != nil || page.Limit != 200 || page.After[0] != "2" {
		t.Errorf("got %+v, %v", page, err)
	}
	last, _ := json.Marshal(httpx.NewList([]int(nil), 2, key))
	if string(last) != `{"items":[],"next":null}` {
		t.Errorf("an empty list is %s", last)
	}
	for _, query := range []url.Values{{"cursor": {"!"}}, {"cursor": {httpx.EncodeCursor("one")}}, {"limit": {"0"}},
		{"limit": {"x"}}} {
		if _, err := httpx.ParsePage(query, 2, 50, 200); err == nil {
			t.Errorf("%v was taken", query)
		}
	}
}

func TestAChangeNeedsTheVersionThatWasRead(t *testing.T) {
	t.Parallel()
	with := func(header, value string) *http.Request {
		r := httptest.NewRequest("PUT", "/", nil)
		if value != "" {
			r.Header.Set(header, value)
		}
		return r
	}
	tag := httpx.VersionTag(12)
	for value, fits := range map[string]bool{"": true, tag: true, `"v11", ` + tag: true, "*": true, `"v11"`: false,
		"W/" + tag: false} {
		if err := httpx.CheckIfMatch(with("If-Match", value), tag); (err == nil) != fits {
			t.Errorf("If-Match %q: %v", value, err)
		}
	}
	if httpx.CheckIfMatch(with("If-Match", "*"), "") == nil {
		t.Error("* matched what is not there")
	}
	if err := httpx.RequireIfMatch(with("", ""), tag); err == nil {
		t.Error("a change unseen was let through")
	}
	w := httptest.NewRecorder()
	if !httpx.NotModified(w, with("If-None-Match", "W/"+tag), tag) || w.Code != 304 || w.Header().Get("ETag") != tag {
		t.Errorf("got %d", w.Code)
	}
}

func TestARateIsKeptPerCaller(t *testing.T) {
	t.Parallel()
	var now clock.Shifted
	limiter := httpx.NewLimiter(0.01, 2, &now, func(r *http.Request) string { return r.Header.Get("Who") })
	mux := httpx.NewMux(httpx.Options{})
	mux.Handle("POST /", limiter.Wrap(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(204)
		return nil
	}))
	for range 2 {
		if w := ask(mux, "POST", "/", "", "Who", "a"); w.Code != 204 {
			t.Fatalf("the burst was refused: %d", w.Code)
		}
	}
	w := ask(mux, "POST", "/", "", "Who", "a")
	problem(t, w, 429)
	if after := w.Header().Get("Retry-After"); after != "100" {
		t.Errorf("Retry-After %q", after)
	}
	if w := ask(mux, "POST", "/", "", "Who", "b"); w.Code != 204 {
		t.Error("another caller was refused too")
	}
	now.Set(101 * time.Second)
	if w := ask(mux, "POST", "/", "", "Who", "a"); w.Code != 204 {
		t.Error("still refused after the wait")
	}
}

func TestOtherSitesCannotPost(t *testing.T) {
	t.Parallel()
	h, err := httpx.CrossOrigin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }),
		"https://console.example.org")
	if err != nil {
		t.Fatal(err)
	}
	problem(t, ask(h, "POST", "/", "", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"), 403)
	if w := ask(h, "POST", "/", "", "Sec-Fetch-Site", "cross-site", "Origin",
		"https://console.example.org"); w.Code != 204 {
		t.Errorf("a trusted origin got %d", w.Code)
	}
	if _, err := httpx.CrossOrigin(nil, "console.example.org"); err == nil {
		t.Error("an origin without a scheme was taken")
	}
}

func TestStoppingLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inside := make(chan struct{})
	srv := httpx.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-httpx.Draining(r.Context())
		_, err := io.WriteString(w, "finished")
		if err != nil || r.Context().Err() != nil {
			t.Errorf("cut off: %v %v", err, r.Context().Err())
		}
	}))
	ended := make(chan error, 1)
	go func() { ended <- httpx.Serve(ctx, srv, ln, 10*time.Second) }()
	body := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			body <- err.Error()
			return
		}
		defer response.Body.Close()
		line, _ := bufio.NewReader(response.Body).ReadString('\n')
		body <- line
	}()
	<-inside
	stop()
	if got := <-body; got != "finished" {
		t.Errorf("got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestStoppingDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(context.Background())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inside, release := make(chan struct{}), make(chan struct{})
	srv := httpx.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(inside); <-release }))
	ended := make(chan error, 1)
	go func() { ended <- httpx.Serve(ctx, srv, ln, time.Millisecond) }()
	go func() {
		if response, err := http.Get("http://" + ln.Addr().String()); err == nil {
			response.Body.Close()
		}
	}()
	<-inside
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("got %v", err)
	}
	close(release)
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add(httpx.EncodeCursor("a", "b"))
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		key, err := httpx.DecodeCursor(cursor, 2)
		if err == nil && len(key) != 2 {
			t.Errorf("%q gave %v", cursor, key)
		}
	})
}
