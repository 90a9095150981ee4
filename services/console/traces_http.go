package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/telemetry"
	"footbridge/schemas"
)

// traceFound is one line of what a search of traces found.
type traceFound struct {
	Trace    string    `json:"trace"`
	Service  string    `json:"service"`
	Work     string    `json:"work"`
	At       time.Time `json:"at"`
	Micros   int64     `json:"micros"`
	Failed   bool      `json:"failed"`
	Journeys []string  `json:"journeys"`
}

// tracesFound is what a search found.
type tracesFound struct {
	httpx.List[traceFound]
	Counted   int         `json:"counted"`
	Cut       bool        `json:"cut"`
	Durations []barFound  `json:"durations"`
	Works     []workFound `json:"works"`
}

// barFound is how much took from so many microseconds to so many; To is 0 in the last.
type barFound struct {
	From   int64 `json:"from"`
	To     int64 `json:"to"`
	Count  int   `json:"count"`
	Failed int   `json:"failed"`
}

// workFound is one kind of work of one service.
type workFound struct {
	Service string `json:"service"`
	Work    string `json:"work"`
	Count   int    `json:"count"`
	Failed  int    `json:"failed"`
	Median  int64  `json:"median"`
	P95     int64  `json:"p95"`
	Longest int64  `json:"longest"`
}

// spansFound are those of one trace or of a journey.
type spansFound struct {
	Spans []telemetry.Span `json:"spans"`
	Cut   bool             `json:"cut"`
}

func (c *client) traces(ctx context.Context, p principal.Principal, asked string) (found tracesFound, err error) {
	err = c.get(ctx, p, schemas.Traces, "/api/traces"+asked, &found)
	return found, err
}

func (c *client) spans(ctx context.Context, p principal.Principal, path string) (found spansFound, err error) {
	err = c.get(ctx, p, schemas.Traces, path, &found)
	return found, err
}

// tracesView is the page of a search.
type tracesView struct {
	Day, From, Until    string // as the form has them
	Work, Least         string
	Journey             string
	Failed              bool
	Services            []outcomeView
	Traces              []traceLine
	Works               []workLine
	Bars                []barView
	Counted             int
	FailedCount         int
	Cut                 bool
	Next                string
	When                string // in words
	Width, Height, Base int    // of the drawing
}

type traceLine struct {
	At, AtISO, Service, Work, Took, Trace string
	Failed                                bool
	Journeys                              []journeyLink
	More                                  int // further journeys
}

type journeyLink struct{ ID, Code string }

type workLine struct {
	Service, Work, Median, P95, Longest string
	Count, Failed                       int
	Link                                string
}

// barView is one bar of the histogram and one line of its table.
type barView struct {
	Words                        string
	Count, Failed                int
	X, Y, Width, Height          int
	FailedY, FailedHeight        int
	CountX, CountY, TextX, TextY int
	Short                        string
}

// servicesTraced are the services that an operator may choose from.
var servicesTraced = []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
	schemas.Delivery, schemas.Gateway, schemas.Console}

// searchTraces shows what was found. The form speaks of a day and of times of it, here; left out, the last 24 hours.
func (s *Console) searchTraces(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	form := r.URL.Query()
	page := tracesView{Day: form.Get("day"), From: form.Get("from"), Until: form.Get("until"), Work: form.Get("work"),
		Least: form.Get("least"), Journey: strings.TrimSpace(form.Get("journey")), Failed: form.Get("failed") == "yes"}
	from, to, problem := s.spanOfTime(page)
	page.Services = []outcomeView{{"", "Any", form.Get("service") == ""}}
	for _, name := range servicesTraced {
		page.Services = append(page.Services, outcomeView{name, name, name == form.Get("service")})
	}
	shown := view{Title: "Traces", Here: "/traces"}
	var found tracesFound
	if problem == nil {
		failed := ""
		if page.Failed {
			failed = "true"
		}
		found, err = s.client.traces(r.Context(), p, query("from", from, "to", to, "service", form.Get("service"),
			"work", page.Work, "least", page.Least, "failed", failed, "journey", page.Journey, "cursor",
			form.Get("cursor")))
		var refused *httpx.Problem
		switch {
		case errors.As(err, &refused) && refused.Status == http.StatusBadRequest:
			problem = &problemView{refused.Detail, "traces-form"}
		case err != nil:
			return err
		}
	}
	status := http.StatusOK
	if problem != nil {
		shown.Problems, status = []problemView{*problem}, http.StatusBadRequest
	}
	s.fill(&page, found, form)
	shown.Page = page
	return s.show(w, r, status, "traces", shown)
}

// spanOfTime reads the day and the times of the form, in the zone of the pages.
func (s *Console) spanOfTime(page tracesView) (from, to string, problem *problemView) {
	day := page.Day
	if day == "" && page.From == "" && page.Until == "" {
		return "", "", nil
	}
	if day == "" {
		day = s.config.Clock.Now().In(s.zone).Format(time.DateOnly)
	}
	begin, err := time.ParseInLocation(time.DateOnly, day, s.zone)
	if err != nil {
		return "", "", &problemView{"Write the day as year-month-day, like 2026-11-28", "day"}
	}
	end := begin.AddDate(0, 0, 1)
	at := func(text string, otherwise time.Time) (time.Time, bool) {
		if text == "" {
			return otherwise, true
		}
		clock, err := time.Parse("15:04", text)
		if err != nil {
			return otherwise, false
		}
		return time.Date(begin.Year(), begin.Month(), begin.Day(), clock.Hour(), clock.Minute(), 0, 0, s.zone), true
	}
	first, ok := at(page.From, begin)
	if !ok {
		return "", "", &problemView{"Write the time from which on as hours and minutes, like 10:00", "from"}
	}
	last, ok := at(page.Until, end)
	if !ok {
		return "", "", &problemView{"Write the time until which as hours and minutes, like 10:00", "until"}
	}
	return first.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339), nil
}

// fill puts what was found into the page.
func (s *Console) fill(page *tracesView, found tracesFound, form url.Values) {
	page.Counted, page.Cut = found.Counted, found.Cut
	page.When = "in the last 24 hours"
	if page.Day != "" || page.From != "" || page.Until != "" {
		page.When = "at the times that you chose"
	}
	for _, f := range found.Items {
		line := traceLine{At: f.At.In(s.zone).Format("2 Jan, 15:04:05.000"), AtISO: f.At.Format(time.RFC3339Nano),
			Service: f.Service, Work: f.Work, Took: took(time.Duration(f.Micros) * time.Microsecond), Trace: f.Trace,
			Failed: f.Failed}
		for i, id := range f.Journeys {
			if i == 3 {
				line.More = len(f.Journeys) - i
				break
			}
			line.Journeys = append(line.Journeys, journeyLink{id, codeOf(id)})
		}
		page.Traces = append(page.Traces, line)
	}
	micros := func(n int64) string { return took(time.Duration(n) * time.Microsecond) }
	for _, one := range found.Works {
		page.Works = append(page.Works, workLine{Service: one.Service, Work: one.Work, Count: one.Count,
			Failed: one.Failed, Median: micros(one.Median), P95: micros(one.P95), Longest: micros(one.Longest),
			Link: "/traces" + altered(form, "service", one.Service, "work", one.Work)})
		page.FailedCount += one.Failed
	}
	if found.Next != nil {
		page.Next = "/traces" + altered(form, "cursor", *found.Next)
	}
	drawHistogram(page, found.Durations)
}

// altered is the form's query with some of it changed; a page further on goes back to the first.
func altered(form url.Values, pairs ...string) string {
	all := url.Values{}
	for _, name := range []string{"day", "from", "until", "service", "work", "least", "failed", "journey"} {
		if value := form.Get(name); value != "" {
			all.Set(name, value)
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		all.Set(pairs[i], pairs[i+1])
	}
	return "?" + all.Encode()
}

// Measures of the histogram, in its own units.
const (
	barStep    = 78
	barWidth   = 54
	barsHigh   = 150
	barsTop    = 24
	barsBottom = 34
)

// drawHistogram lays the bars out: each as high as its share of the highest.
func drawHistogram(page *tracesView, bars []barFound) {
	most := 1
	for _, b := range bars {
		most = max(most, b.Count)
	}
	page.Width, page.Height, page.Base = len(bars)*barStep+24, barsTop+barsHigh+barsBottom, barsTop+barsHigh
	for i, b := range bars {
		high := func(n int) int {
			if n == 0 {
				return 0
			}
			return max(barsHigh*n/most, 2)
		}
		v := barView{Words: rangeWords(b), Short: rangeShort(b), Count: b.Count, Failed: b.Failed,
			X: 24 + i*barStep, Width: barWidth, Height: high(b.Count), FailedHeight: high(b.Failed)}
		v.Y, v.FailedY = page.Base-v.Height, page.Base-v.FailedHeight
		v.CountX, v.CountY, v.TextX, v.TextY = v.X+barWidth/2, v.Y-6, v.X+barWidth/2, page.Base+20
		page.Bars = append(page.Bars, v)
	}
}

func rangeWords(b barFound) string {
	from, to := took(time.Duration(b.From)*time.Microsecond), took(time.Duration(b.To)*time.Microsecond)
	switch {
	case b.To == 0:
		return from + " or longer"
	case b.From == 0:
		return "under " + to
	}
	return from + " to under " + to
}

func rangeShort(b barFound) string {
	if b.From == 0 {
		return "< " + boundWords(b.To)
	}
	return "≥ " + boundWords(b.From)
}

// boundWords writes a bound of the histogram.
func boundWords(micros int64) string {
	if micros >= 1_000_000 {
		return strconv.FormatInt(micros/1_000_000, 10) + " s"
	}
	return strconv.FormatInt(micros/1000, 10) + " ms"
}

// traceView is a waterfall.
type traceView struct {
	Heading  string
	ID, Code string // of the journey; empty: it is one trace
	Trace    string
	Episodes []episode
	Cut      bool
}

func (s *Console) showTrace(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := s.client.journey(r.Context(), p, id, ""); err != nil {
		return err // whoever may not see the journey may not see its trace
	}
	found, err := s.client.spans(r.Context(), p, "/api/journeys/"+url.PathEscape(id)+"/trace")
	if err != nil {
		return err
	}
	page := traceView{ID: id, Code: codeOf(id), Episodes: drawWaterfall(found.Spans, s.zone), Cut: found.Cut}
	return s.show(w, r, http.StatusOK, "trace", view{Title: "How journey " + page.Code + " was processed",
		Here: "/journeys", Page: page})
}

func (s *Console) showOneTrace(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	found, err := s.client.spans(r.Context(), p, "/api/traces/"+url.PathEscape(id))
	if err != nil {
		return err
	}
	page := traceView{Trace: id, Episodes: drawWaterfall(found.Spans, s.zone), Cut: found.Cut}
	return s.show(w, r, http.StatusOK, "trace", view{Title: "Trace " + shorten(id, 9), Here: "/traces", Page: page})
}
