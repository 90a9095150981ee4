package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
)

const detail500 = "Something went wrong here, not in your request. Send it again in a minute with the same " +
	"Idempotency-Key; if it goes on, tell the operator the instance."

// Problem is an RFC 9457 problem: an error that the caller may read. It must hold nothing that the caller may not.
type Problem struct {
	// Type is a URI that names the kind of problem; empty is about:blank, "what the status says".
	Type string
	// Title is the kind in a few words; empty takes the status's own.
	Title  string
	Status int
	// Detail says what was wrong with this request and what to do next.
	Detail string
	// Instance finds this occurrence again; WriteProblem fills it in from the request's id.
	Instance string
	// Extensions are further members, e.g. "errors" with a list of fields. A name of the members above is ignored.
	Extensions map[string]any
	// Header is added to the answer, e.g. Retry-After.
	Header http.Header
	// Cause is for the log; it is never written to the caller.
	Cause error
}

// NewProblem makes a problem of the plain kind, about:blank. The detail is formatted as by fmt.Sprintf.
func NewProblem(status int, detail string, args ...any) *Problem {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &Problem{Status: status, Detail: detail}
}

// With returns a copy of p with one more extension member.
func (p *Problem) With(name string, value any) *Problem {
	c := *p
	c.Extensions = maps.Clone(p.Extensions)
	if c.Extensions == nil {
		c.Extensions = map[string]any{}
	}
	c.Extensions[name] = value
	return &c
}

// Because returns a copy of p that remembers, for the log, what it came from.
func (p *Problem) Because(cause error) *Problem {
	c := *p
	c.Cause = cause
	return &c
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Cause != nil {
		return fmt.Sprintf("%d %s: %v", p.Status, p.title(), p.Cause)
	}
	return fmt.Sprintf("%d %s: %s", p.Status, p.title(), p.Detail)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

func (p *Problem) title() string {
	if p.Title != "" {
		return p.Title
	}
	return http.StatusText(p.Status)
}

// MarshalJSON writes the standard members and the extensions beside them.
func (p *Problem) MarshalJSON() ([]byte, error) {
	members := map[string]any{}
	maps.Copy(members, p.Extensions)
	members["type"] = "about:blank"
	if p.Type != "" {
		members["type"] = p.Type
	}
	members["title"] = p.title()
	members["status"] = p.Status
	delete(members, "detail")
	delete(members, "instance")
	if p.Detail != "" {
		members["detail"] = p.Detail
	}
	if p.Instance != "" {
		members["instance"] = p.Instance
	}
	return json.Marshal(members)
}

// UnmarshalJSON reads a problem; members it does not know become extensions.
func (p *Problem) UnmarshalJSON(text []byte) error {
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return fmt.Errorf("reading problem: %w", err)
	}
	take := func(name string) string {
		s, _ := members[name].(string)
		delete(members, name)
		return s
	}
	status, _ := members["status"].(float64)
	delete(members, "status")
	*p = Problem{Type: take("type"), Title: take("title"), Status: int(status), Detail: take("detail"),
		Instance: take("instance")}
	if len(members) > 0 {
		p.Extensions = members
	}
	return nil
}

// WriteProblem answers with p. It works outside a Mux too.
func WriteProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	c := *p
	if c.Status < 400 || c.Status > 599 {
		c.Status = http.StatusInternalServerError
	}
	if id := RequestID(r.Context()); c.Instance == "" && id != "" {
		c.Instance = "urn:uuid:" + id
	}
	body, err := json.Marshal(&c)
	if err != nil { // an extension that cannot be written must not hide the problem
		c.Extensions = nil
		body, _ = json.Marshal(&c)
	}
	header := w.Header()
	for name, values := range c.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	header.Del("Content-Length")
	header.Del("ETag")
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(c.Status)
	_, _ = w.Write(append(body, '\n'))
}

// problemOf says what the caller may see of err, and logs what it may not.
func (m *Mux) problemOf(ctx context.Context, err error, route string) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		if p.Status >= 500 {
			m.log.LogAttrs(ctx, slog.LevelError, "request could not be answered", slog.String("http.route", route),
				slog.Any("error", err))
		}
		return p
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return NewProblem(499, "The request was given up before it was answered. Send it again with the same "+
			"Idempotency-Key.")
	}
	m.log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("http.route", route), slog.Any("error", err))
	return NewProblem(http.StatusInternalServerError, detail500)
}

// panicKind names a panic without its text, which may hold what a request said.
func panicKind(p any) string {
	if _, ok := p.(runtime.Error); ok {
		return p.(runtime.Error).Error()
	}
	return fmt.Sprintf("%T", p)
}
