package traces

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/telemetry"
	"footbridge/schemas"
)

// Routes adds the service's paths to mux. The mux must have put a principal into the context (principal.Require).
func (s *Service) Routes(mux *httpx.Mux) error {
	mux.Handle("POST "+telemetry.ReceiverPath, s.takeSpans)
	return httpx.Register(mux, schemas.RoutesOf(Name), map[string]httpx.Handler{
		"GET /api/traces":              s.searchTraces,
		"GET /api/traces/{id}":         s.showTrace,
		"GET /api/journeys/{id}/trace": s.showJourney,
	}, principal.Guard)
}

// takeSpans takes in what a process of the installation hands over, as one of its services. To anybody else there is
// nothing under this path.
func (s *Service) takeSpans(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if who.Role != string(schemas.ServiceItself) {
		return httpx.NewProblem(http.StatusNotFound, "Nothing is served under this path.")
	}
	sent, err := telemetry.ReadExport(w, r)
	if err != nil {
		return err
	}
	err = s.Take(r.Context(), sent.GetResourceSpans())
	switch {
	case errors.Is(err, telemetry.ErrRefused):
		return httpx.NewProblem(http.StatusBadRequest, "These spans cannot be kept.")
	case err != nil:
		return away()
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func away() error {
	return httpx.NewProblem(http.StatusServiceUnavailable, "Traces cannot be read now: their database does not answer.")
}

// readTime bounds how long one question may take.
const readTime = 10 * time.Second

// asked is who asks, an operator by the route table, and bounds how long the answer may take.
func (s *Service) asked(r *http.Request) (context.Context, context.CancelFunc, principal.Principal, error) {
	who, err := principal.Need(r.Context())
	if err != nil {
		return nil, nil, who, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTime)
	return ctx, cancel, who, nil
}

// countedMost is how many of what was found are counted into the histogram.
const countedMost = 1000

// Answer is what a search found.
type Answer struct {
	// Items are the latest of it.
	Items []Found `json:"items"`
	// Next is the cursor of those before.
	Next *string `json:"next"`
	// Counted is how many durations and works are made of: the latest 1,000 at most.
	Counted int `json:"counted"`
	// Cut says that more was found than was counted.
	Cut bool `json:"cut"`
	// Durations is how many of what was counted took how long.
	Durations []Bar `json:"durations"`
	// Works sums what was counted up by service and kind of work, the slowest first.
	Works []Work `json:"works"`
}

func (s *Service) searchTraces(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel, who, err := s.asked(r)
	if err != nil {
		return err
	}
	defer cancel()
	asked, err := readSearch(r.URL.Query(), s.cfg.Clock.Now())
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/traces")
	page, err := httpx.ParsePage(r.URL.Query(), 1, usual, most)
	if err != nil {
		return err
	}
	if len(page.After) == 1 {
		if asked.Before = page.After[0]; !clock.IsID(asked.Before) {
			return httpx.NewProblem(http.StatusBadRequest, "The cursor is not one of this list.")
		}
	}
	pool, err := s.database()
	if err != nil {
		return away()
	}
	found, err := search(ctx, pool, who, asked, countedMost+1)
	if err != nil {
		return s.unread(ctx, err)
	}
	answer := Answer{Counted: min(len(found), countedMost), Cut: len(found) > countedMost}
	answer.Durations, answer.Works = histogram(found[:answer.Counted]), byWork(found[:answer.Counted])
	list := httpx.NewList(found, page.Limit, func(f Found) []string { return []string{f.ID} })
	answer.Items, answer.Next = list.Items, list.Next
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

func (s *Service) unread(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return httpx.NewProblem(http.StatusServiceUnavailable, "That took too long. Look at a shorter time, or say "+
			"which "+
			"service.")
	}
	s.cfg.Log.Warn("traces could not be read", schemas.AttrError, err)
	return away()
}

// readSearch reads what is looked for. Left out, the last 24 hours.
func readSearch(query url.Values, now time.Time) (Search, error) {
	asked := Search{To: now.Add(time.Minute), Service: query.Get("service"), Work: query.Get("work"),
		Failed: query.Get("failed") == "true"}
	var err error
	if text := query.Get("to"); text != "" {
		if asked.To, err = time.Parse(time.RFC3339, text); err != nil {
			return asked, notATime("to")
		}
	}
	asked.From = asked.To.Add(-24 * time.Hour)
	if text := query.Get("from"); text != "" {
		if asked.From, err = time.Parse(time.RFC3339, text); err != nil {
			return asked, notATime("from")
		}
	}
	if asked.Journey = strings.ToLower(query.Get("journey")); asked.Journey != "" && !clock.IsID(asked.Journey) {
		return asked, httpx.NewProblem(http.StatusBadRequest, "journey is not the id of a journey.")
	}
	if text := query.Get("least"); text != "" {
		least, err := strconv.Atoi(text)
		if err != nil || least < 0 || least > 24*3600*1000 {
			return asked, httpx.NewProblem(http.StatusBadRequest, "least is not a number of milliseconds.")
		}
		asked.Least = time.Duration(least) * time.Millisecond
	}
	return asked, nil
}

func notATime(name string) error {
	return httpx.NewProblem(http.StatusBadRequest, "%s is not a time. Write it like 2006-01-02T15:04:05Z.", name)
}

// Spans are those of one waterfall.
type Spans struct {
	// Spans are by their start.
	Spans []telemetry.Span `json:"spans"`
	// Cut says that there are more than are shown.
	Cut bool `json:"cut"`
}

func (s *Service) showTrace(w http.ResponseWriter, r *http.Request) error {
	trace, err := hex.DecodeString(r.PathValue("id"))
	if err != nil || len(trace) != 16 {
		return noTrace()
	}
	return s.showSpans(w, r, "", func(context.Context, principal.Principal) ([][]byte, error) {
		return [][]byte{trace}, nil
	})
}

func noTrace() error {
	return httpx.NewProblem(http.StatusNotFound, "No such trace is kept. A trace's id has 32 hexadecimal digits; "+
		"traces "+
		"go after some weeks.")
}

// showJourney shows what concerns one journey of all its traces.
func (s *Service) showJourney(w http.ResponseWriter, r *http.Request) error {
	journey, ok := httpx.PathID(r, "id")
	if !ok {
		return httpx.NewProblem(http.StatusNotFound, "That is not the id of a journey.")
	}
	return s.showSpans(w, r, journey, func(ctx context.Context, who principal.Principal) ([][]byte, error) {
		pool, err := s.database()
		if err != nil {
			return nil, err
		}
		return tracesOfJourney(ctx, pool, who, journey)
	})
}

// showSpans answers with the spans of some traces, of a journey's those that concern it. A journey of which none is
// kept has an empty list; a trace that is not there is a 404.
func (s *Service) showSpans(w http.ResponseWriter, r *http.Request, journey string,
	which func(context.Context, principal.Principal) ([][]byte, error)) error {
	ctx, cancel, who, err := s.asked(r)
	if err != nil {
		return err
	}
	defer cancel()
	pool, err := s.database()
	if err != nil {
		return away()
	}
	traces, err := which(ctx, who)
	if err != nil {
		return s.unread(ctx, err)
	}
	rows, err := spansOfTraces(ctx, pool, who, traces)
	if err != nil {
		return s.unread(ctx, err)
	}
	cut := len(rows) > maxRows || len(traces) > maxRows
	sent, err := s.packing.unpack(rows[:min(len(rows), maxRows)])
	if err != nil {
		return s.unread(ctx, err)
	}
	shown := Spans{Spans: telemetry.SpansOf(sent, schemas.AttrJourney, journey, s.sieve.listed()), Cut: cut}
	if shown.Spans == nil {
		shown.Spans = []telemetry.Span{}
	}
	if journey == "" && len(shown.Spans) == 0 {
		return noTrace()
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}
