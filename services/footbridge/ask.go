package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/telemetry"
	"footbridge/schemas"
	"footbridge/services/traces"
)

// client asks the running system, as a command of its operators.
type client struct {
	base string
	// authorise says in a request's headers who is asking.
	authorise func(*http.Request) error
	http      *http.Client
}

// ownSystem asks this installation's own listeners. It follows no redirect: a token goes where it was meant to. What
// leaves for addresses that others wrote goes through libs/outward.
var ownSystem = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ownStreams follows what the running system sends for as long as it does.
var ownStreams = &http.Client{CheckRedirect: ownSystem.CheckRedirect}

// client asks the running system as somebody of a role: by the token that was given, or with the key of the role's
// holder.
func (c *Config) client(role schemas.Role) (*client, error) {
	authorise, err := c.authorise(role)
	if err != nil {
		return nil, err
	}
	return &client{base: c.outside(), authorise: authorise, http: ownSystem}, nil
}

func (c *client) call(ctx context.Context, method, path string, body []byte, contentType string, out any) (status int,
	err error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if err := c.authorise(request); err != nil {
		return 0, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("asking %s: %w; is it running? (footbridge dev)", c.base, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	if err != nil {
		return response.StatusCode, fmt.Errorf("reading the answer of %s: %w", c.base, err)
	}
	if response.StatusCode >= 400 {
		var problem httpx.Problem
		if json.Unmarshal(answer, &problem) == nil && problem.Detail != "" {
			return response.StatusCode, fmt.Errorf("%d %s: %s%s", response.StatusCode, problem.Title, problem.Detail,
				faultsIn(answer))
		}
		return response.StatusCode, fmt.Errorf("%s answered %s", c.base, response.Status)
	}
	if out == nil {
		return response.StatusCode, nil
	}
	return response.StatusCode, json.Unmarshal(answer, out)
}

// faultsIn are the faults that a refusal names, a line for each.
func faultsIn(problem []byte) string {
	var named struct{ Errors []schemas.Fault }
	if json.Unmarshal(problem, &named) != nil {
		return ""
	}
	var text strings.Builder
	for _, fault := range named.Errors {
		text.WriteString("\n  " + fault.String())
	}
	return text.String()
}

// page is one page of any list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// all reads a list from its beginning to its end; asked may be nil.
func all[T any](ctx context.Context, c *client, path string, asked url.Values) ([]T, error) {
	var items []T
	query := url.Values{}
	maps.Copy(query, asked)
	query.Set("limit", "200")
	for {
		var p page[T]
		if _, err := c.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, "", &p); err != nil {
			return nil, err
		}
		items = append(items, p.Items...)
		if p.Next == "" {
			return items, nil
		}
		query.Set("cursor", p.Next)
	}
}

// printJSON prints data as every --json does: one indented document.
func printJSON(v any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// table prints columns.
func table(rows func(w io.Writer)) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	rows(w)
	return w.Flush()
}

// journeyLine is one journey of the list, as the API gives it.
type journeyLine struct {
	Journey  string      `json:"journey"`
	State    string      `json:"state"`
	Began    *time.Time  `json:"beganAt"`
	Held     *holdLine   `json:"held"`
	Closed   *closedLine `json:"closed"`
	Away     bool        `json:"overdueSinceAway"`
	Next     stepLine    `json:"next"`  // in a list
	Steps    []stepLine  `json:"steps"` // of one journey
	Timeline []struct {
		At       time.Time       `json:"at"`
		Type     string          `json:"type"`
		Sentence string          `json:"sentence"`
		Details  json.RawMessage `json:"details"`
	} `json:"timeline"`
}

// holdLine is who has the person while a journey is held.
type holdLine struct {
	Place    string `json:"place"`
	OnHoldBy string `json:"heldBy"`
	ReviewOn string `json:"reviewOn"`
}

// closedLine is how a journey was closed.
type closedLine struct {
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
	Told    string    `json:"told"`
	WayBack string    `json:"wayBack"`
}

// stands says how a journey stands, with what was recorded about it.
func (j journeyLine) stands() string {
	switch {
	case j.Held != nil:
		return fmt.Sprintf("%s: %s (%s), looked at again on %s", j.State, j.Held.Place, j.Held.OnHoldBy,
			j.Held.ReviewOn)
	case j.Closed != nil:
		return fmt.Sprintf("%s on %s: %s; told: %s; way back: %s", j.State,
			j.Closed.At.Local().Format("Mon 2 Jan 15:04"), j.Closed.Reason, j.Closed.Told, j.Closed.WayBack)
	}
	return j.State
}

// stepLine is one step of a journey.
type stepLine struct {
	Kind    string    `json:"kind"`
	Words   string    `json:"words"`
	Owner   string    `json:"owner"`
	DueAt   time.Time `json:"dueAt"`
	Overdue bool      `json:"overdue"`
	State   string    `json:"state"`
}

type journeyFlags struct {
	Closed bool `env:"CLOSED" help:"those that are closed, the latest first, with why"`
	Void   bool `env:"VOID" help:"only those without an open next step, or past its due time and its grace"`
	JSON   bool `env:"JSON" help:"print data"`
}

// journeys lists journeys with their next step, or shows one timeline.
func journeys(ctx context.Context, args []string) error {
	o, rest, err := load[journeyFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(rest) > 1 {
		return noMore(rest[1:])
	}
	c, err := o.client(schemas.Operator)
	if err != nil {
		return err
	}
	if len(rest) == 1 {
		return showJourney(ctx, c, rest[0], o.Own.JSON)
	}
	query := url.Values{}
	if o.Own.Closed {
		query.Set("state", "closed")
	}
	if o.Own.Void {
		query.Set("void", strconv.FormatBool(true))
	}
	if o.Own.JSON {
		lines, err := all[json.RawMessage](ctx, c, "/api/journeys", query)
		if err != nil {
			return err
		}
		return printJSON(lines)
	}
	lines, err := all[journeyLine](ctx, c, "/api/journeys", query)
	if err != nil {
		return err
	}
	if o.Own.Closed {
		return table(func(w io.Writer) {
			fmt.Fprintln(w, "JOURNEY\tSTATE")
			for _, j := range lines {
				fmt.Fprintf(w, "%s\t%s\n", j.Journey, j.stands())
			}
		})
	}
	return table(func(w io.Writer) {
		fmt.Fprintln(w, "JOURNEY\tSTATE\tNEXT STEP\tOWNER\tDUE")
		for _, j := range lines {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", j.Journey, j.State, j.Next.Kind, j.Next.Owner,
				due(j.Next.DueAt, j.Next.Overdue))
		}
	})
}

func due(at time.Time, overdue bool) string {
	text := at.Local().Format("Mon 2 Jan 15:04")
	if overdue {
		return text + " (past)"
	}
	return text
}

func showJourney(ctx context.Context, c *client, id string, asJSON bool) error {
	path := "/api/journeys/" + url.PathEscape(id)
	if asJSON {
		var raw json.RawMessage
		if _, err := c.call(ctx, http.MethodGet, path, nil, "", &raw); err != nil {
			return err
		}
		return printJSON(raw)
	}
	var j journeyLine
	if _, err := c.call(ctx, http.MethodGet, path, nil, "", &j); err != nil {
		return err
	}
	printJourney(j)
	return nil
}

func printJourney(j journeyLine) {
	fmt.Printf("journey %s, %s\n", j.Journey, j.stands())
	for _, s := range j.Steps {
		fmt.Printf("  next: %s, by %s, due %s\n", s.Kind, s.Owner, due(s.DueAt, s.Overdue))
	}
	for _, line := range j.Timeline {
		fmt.Printf("  %s  %-50s %s\n", line.At.Local().Format("2 Jan 15:04:05"), line.Type, line.Sentence)
	}
}

type traceFlags struct {
	JSON    bool          `env:"JSON" help:"print data"`
	Service string        `env:"SERVICE" help:"what one service did"`
	Work    string        `env:"WORK" help:"one kind of work"`
	Least   time.Duration `env:"LEAST" help:"what took at least so long"`
	Failed  bool          `env:"FAILED" help:"what failed alone"`
	Since   time.Duration `env:"SINCE" default:"24h" help:"for how long back"`
}

// traceCommand searches what was done, or prints the waterfall of one journey or one trace across the services.
func traceCommand(ctx context.Context, args []string) error {
	o, rest, err := load[traceFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(rest) > 1 {
		return noMore(rest[1:])
	}
	c, err := o.client(schemas.Operator)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return searchTraces(ctx, c, o.Own)
	}
	path := "/api/journeys/" + url.PathEscape(rest[0]) + "/trace"
	if len(rest[0]) == 32 { // a journey's id has hyphens
		path = "/api/traces/" + url.PathEscape(rest[0])
	}
	var got traces.Spans
	if _, err := c.call(ctx, http.MethodGet, path, nil, "", &got); err != nil {
		return err
	}
	if len(got.Spans) == 0 {
		return fmt.Errorf("no span is kept for journey %q; traces go after FOOTBRIDGE_KEEP_TRACES, and when much is "+
			"done "+
			"only a part is kept", rest[0])
	}
	if o.Own.JSON {
		return printJSON(got.Spans)
	}
	return telemetry.WriteWaterfall(os.Stdout, got.Spans, 120)
}

// searchTraces prints what a search finds, the latest first.
func searchTraces(ctx context.Context, c *client, asked traceFlags) error {
	now := systemClock().Now()
	query := url.Values{"from": {now.Add(-asked.Since).Format(time.RFC3339)}, "limit": {"50"}}
	for name, value := range map[string]string{"service": asked.Service, "work": asked.Work} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if asked.Least > 0 {
		query.Set("least", strconv.FormatInt(asked.Least.Milliseconds(), 10))
	}
	if asked.Failed {
		query.Set("failed", "true")
	}
	var found traces.Answer
	if _, err := c.call(ctx, http.MethodGet, "/api/traces?"+query.Encode(), nil, "", &found); err != nil {
		return err
	}
	if asked.JSON {
		return printJSON(found)
	}
	micros := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	if err := table(func(w io.Writer) {
		fmt.Fprintln(w, "SERVICE\tWORK\tHOW MANY\tFAILED\tHALF WITHIN\t19 OF 20\tLONGEST")
		for _, one := range found.Works {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%v\t%v\t%v\n", one.Service, one.Work, one.Count, one.Failed,
				micros(one.Median), micros(one.P95), micros(one.Longest))
		}
	}); err != nil {
		return err
	}
	if found.Cut {
		fmt.Printf("of the latest %d; there is more\n", found.Counted)
	}
	fmt.Println()
	return table(func(w io.Writer) {
		fmt.Fprintln(w, "BEGAN\tSERVICE\tWORK\tTOOK\tTRACE")
		for _, f := range found.Items {
			failed := ""
			if f.Failed {
				failed = " FAILED"
			}
			fmt.Fprintf(w, "%s\t%s\t%s%s\t%v\t%s\n", f.At.Local().Format("2 Jan 15:04:05.000"), f.Service, f.Work,
				failed,
				micros(f.Micros), f.Trace)
		}
	})
}
