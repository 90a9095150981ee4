package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/operations"
)

// figuresOf is what a service says of itself in these tests: a journey is without a step, a letter is dead, an endpoint
// fails, and nothing is known of threshold.
func figuresOf(service string) operations.Answer {
	a := operations.Answer{Service: service, At: now}
	value := map[string]float64{operations.WithoutStep: 1, operations.EndpointsFailing: 1, operations.FeedsSilent: 1}
	since := now.Add(-3 * time.Hour)
	for _, k := range operations.Kinds() {
		if k.Name == operations.Unseen || k.By != "" && k.By != service {
			continue
		}
		r := operations.Reading{Name: k.Name, Value: value[k.Name]}
		switch {
		case k.Below:
			r.Value = 8
		case k.Name == operations.DeadLetters && service == "followup":
			r.Value, r.Since = 1, &since
			r.Lines = []operations.Line{{ID: offerID, Journey: firstID, What: "care.footbridge.discharge.recorded.v1",
				Since: &since, Why: "the visit is not known"}}
		case k.Name == operations.EndpointsFailing:
			r.Lines = []operations.Line{{ID: peersID, What: "active", Since: &since, Count: 3, Why: "status-500",
				Amiss: true}}
		case k.Name == operations.FeedsSilent:
			r.Lines = []operations.Line{{ID: "RXX-EPR", Organisation: "RXX", Since: &since, By: &now, Amiss: true}}
		}
		a.Readings = append(a.Readings, r)
	}
	a.Hours = []flow.Sample{{At: now.UTC().Truncate(quarterHour),
		Figures: map[string]float64{operations.WithoutStep: 1, operations.DeadLetters: 1}}}
	return a
}

func (s *services) answerFigures() {
	s.mux.HandleFunc("GET /figures", func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "threshold" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(figuresOf(r.Host))
	})
	s.mux.HandleFunc("POST /redrive", func(w http.ResponseWriter, r *http.Request) {
		var asked operations.Redriven
		_ = json.NewDecoder(r.Body).Decode(&asked)
		if asked.ID != offerID {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"status":404,"title":"Not Found"}`))
			return
		}
		s.changes = append(s.changes, change{r.Host + r.URL.Path, "", asked.ID})
		_ = json.NewEncoder(w).Encode(asked)
	})
}

// TestTheOperatorsPageSaysWhatAsksForSomebodyAndWhatIsNotKnown: first of all whether anybody is without a next step; a
// service that does not answer is none with nothing waiting.
func TestTheOperatorsPageSaysWhatAsksForSomebodyAndWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.page(t, "/operations", opera)
	says(t, page, "things need somebody at once", "Journeys without a next step in time", "Dead letters",
		eventWords("care.footbridge.discharge.recorded.v1"), codeOf(firstID), "Try again", "threshold <strong",
		"Does not answer", "not known", "Fails",
		"status 500", "RXX-EPR of RXX", "Silent", `role="img"`, "<desc", "as a table",
		`data-figures="/operations/news"`,
		"docs/runbooks/dead-letters.md")
	if first := strings.Index(page, "Journeys without a next step in time"); first > strings.Index(page,
		"Dead letters") {
		t.Error("something stands before who is without a next step")
	}
	page = f.page(t, "/operations", guide)
	says(t, page, "Journeys without a next step in time", "Fails", `href="/partners/`+peersID)
	for _, hidden := range []string{"Try again", "Dead letters", "Services", "Parked events"} {
		if strings.Contains(page, hidden) {
			t.Errorf("a navigator sees %q", hidden)
		}
	}
}

// TestEveryFigureLeadsToWhatItCounts: an operator by a page, a place on the page itself or a command, a navigator by a
// page or a place.
func TestEveryFigureLeadsToWhatItCounts(t *testing.T) {
	t.Parallel()
	page := start(t).page(t, "/operations", opera)
	for _, k := range operations.Kinds() {
		place, here := strings.CutPrefix(k.Link, "#")
		path, _, _ := strings.Cut(k.Link, "?")
		leads := func(role string) bool { return here || opens("GET", path, role) }
		switch {
		case here && !strings.Contains(page, `id="`+place+`"`):
			t.Errorf("%s leads to %s, which is not on the page", k.Name, k.Link)
		case !leads(opera.Role) && !strings.HasPrefix(k.Command, "footbridge "):
			t.Errorf("%s leads an operator nowhere: %q", k.Name, k.Link)
		case k.Human && k.Command == "" && !leads(guide.Role):
			t.Errorf("%s leads a navigator nowhere: %q", k.Name, k.Link)
		}
	}
}

// TestADeadLetterIsPutBackInLineByOnePress: once.
func TestADeadLetterIsPutBackInLineByOnePress(t *testing.T) {
	t.Parallel()
	f := start(t)
	letter := url.Values{"service": {"followup"}, "letter": {offerID}}
	w := f.ask(t, "POST", "/operations", letter, opera)
	if w.Code != http.StatusSeeOther || len(f.services.changes) != 1 ||
		f.services.changes[0].Path != "followup/redrive" || f.services.changes[0].Body != offerID {
		t.Errorf("answered %d, asked for %+v", w.Code, f.services.changes)
	}
	says(t, f.page(t, w.Header().Get("Location"), opera), "It is tried again now")
	for name, one := range map[string]url.Values{"another letter": {"service": {"followup"}, "letter": {firstID}},
		"another service": {"service": {"elsewhere"}, "letter": {offerID}}} {
		if w := f.ask(t, "POST", "/operations", one, opera); w.Code != http.StatusConflict {
			t.Errorf("%s: answered %d", name, w.Code)
		}
	}
}

// TestAStretchOfWhichNothingWasKeptIsNoZero: it is drawn as a gap, and the table says so.
func TestAStretchOfWhichNothingWasKeptIsNoZero(t *testing.T) {
	t.Parallel()
	from := now.UTC().Truncate(quarterHour).Add(-time.Hour)
	c := drawChart(map[time.Time]float64{from: 0, from.Add(quarterHour): 4}, "count", from, from.Add(time.Hour),
		quarterHour, time.UTC, "3:04pm")
	gaps := 0
	for _, b := range c.Bars {
		if b.Gap {
			gaps++
		}
	}
	if gaps != 3 || len(c.Bars) != 4 || c.Top != "4" { // the one of 0 has no height
		t.Errorf("%d gaps of %d bars, up to %s", gaps, len(c.Bars), c.Top)
	}
	if len(c.Rows) != 3 || c.Rows[0].Value != "nothing was kept" || c.Rows[1].Value != "4" || c.Rows[2].Value != "0" {
		t.Errorf("rows %+v", c.Rows)
	}
}
