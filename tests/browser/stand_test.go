package browser

import (
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/operations"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/telemetry"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/console"
	"footbridge/services/gateway"
)

const (
	journeyID = "019cac6b-9e60-7cde-a568-92bbebbf6c5f"
	stepID    = "8c4bba9e-7c82-48a1-8bbd-6fb23f09d445"
	heldID    = "019cac6b-9e60-7000-a568-92bbebbf6c60"
	offerID   = "019cac6b-9e60-7abc-a568-92bb0000bb22"
	callID    = "019cac6b-9e60-7abc-a568-92bb0000cc33"
	peersID   = "019cac6b-9e60-7abc-a568-92bb0000dd44"
	token     = "0123456789abcdefghjkmnpqrs" // of a link to the offer
	examples  = "../../services/console/testdata"
)

// site is the real gateway and the real console, with services behind them that answer with the console's examples
// and take a step's being done.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	done  map[string]principal.Principal // by step
	taken bool                           // the offer
	over  bool                           // its answer was taken back
	posts []post                         // what came over the other forms
}

// post is one form as the services got it.
type post struct {
	Path, Key, Body string
	Who             principal.Principal
}

// halfPastTwo is when the examples are looked at.
type halfPastTwo struct{}

func (halfPastTwo) Now() time.Time { return time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC) }

// newSite starts a site; built are the style files, nil for those that the console has.
func newSite(t *testing.T, built fs.FS) *site {
	t.Helper()
	rules := principal.Rules{Forwards: schemas.MayForward,
		May: func(holder, audience string, p principal.Principal) bool {
			return schemas.MayAssert(holder, audience, schemas.Role(p.Role), p.Subject, true)
		}}
	signers, verifier := testkit.Keys(t, rules, schemas.Gateway, schemas.Console)
	db := testkit.Database(t, pg.Service{Name: gateway.Name,
		Migrations: []pg.MigrationSet{{Name: gateway.Name, FS: gateway.Migrations()}}})
	sessions, err := gateway.NewSessions(db.Pool(gateway.Name), clock.Real(), false)
	ok(t, err)
	s := &site{done: map[string]principal.Principal{}}
	backends := map[string]http.Handler{}
	for _, service := range []string{schemas.Journey, schemas.Intake, schemas.Threshold, schemas.Followup,
		schemas.Bridging, schemas.Delivery, schemas.Traces} {
		backends[service] = principal.RequireHTTP(principal.Signed(verifier, service, halfPastTwo{}),
			s.services(t, service))
	}
	pages, err := console.New(console.Config{Backends: maps.Clone(backends), Verifier: verifier,
		Signer: signers[schemas.Console], Clock: halfPastTwo{}, Built: built,
		SignIn: &console.SignIn{Choices: choices}, Partners: peers})
	ok(t, err)
	backends[schemas.Console] = pages.Handler()
	door, err := gateway.New(gateway.Config{Backends: backends, Pages: console.Routes(),
		Signer: signers[schemas.Gateway], Clock: halfPastTwo{},
		Sessions: sessions, SignIn: choose, Source: sessions.Source(), SignInPath: "/sign-in", GuestsOf: "RXX",
		Rates: gateway.Rates{People: 1e6, Unknown: 1e6}})
	ok(t, err)
	s.Server = httptest.NewServer(door.Handler())
	t.Cleanup(func() {
		s.CloseClientConnections() // a list that is open on a page goes on listening
		s.Close()
	})
	return s
}

var peers = []console.Partner{{ID: peersID, Name: "Northgate Peers"}}

var choices = console.DevChoices(peers...)

// choose is who a choice of the sign-in page is.
func choose(choice string) (principal.Principal, bool) {
	i := slices.IndexFunc(choices, func(c console.Choice) bool { return c.ID == choice })
	if i < 0 {
		return principal.Principal{}, false
	}
	return choices[i].Principal, true
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// figures are what a service says of itself to operators: something is amiss of each kind, so that all of the page is
// there.
func figures(service string) operations.Answer {
	at := halfPastTwo{}.Now()
	since := at.Add(-3 * time.Hour)
	a := operations.Answer{Service: service, At: at, Hours: []flow.Sample{
		{At: at.UTC().Truncate(time.Hour), Figures: map[string]float64{operations.WithoutStep: 1}}}}
	for _, k := range operations.Kinds() {
		if k.Name == operations.Unseen || k.By != "" && k.By != service {
			continue
		}
		a.Readings = append(a.Readings, operations.Reading{Name: k.Name, Value: 3, Since: &since,
			Lines: []operations.Line{{ID: peersID, Journey: journeyID, Organisation: "RXX", Since: &since, By: &at,
				What: "care.footbridge.discharge.recorded.v1", Why: "status-500", Count: 3, Amiss: true}}})
	}
	return a
}

func (s *site) services(t *testing.T, service string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /figures", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusOK, figures(service))
	})
	mux.HandleFunc("GET /api/journeys", s.example(t, "journeys.json"))
	mux.HandleFunc("GET /api/journeys/"+journeyID+"/doors", s.example(t, "doors.json"))
	mux.HandleFunc("GET /api/journeys/"+journeyID+"/consent", func(w http.ResponseWriter, r *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusOK, map[string]any{"clinicianFirst": true, "consent": []map[string]string{
			{"purpose": "follow-up", "state": "given"}, {"purpose": "bridging", "state": "not-asked"}}})
	})
	traced := func(w http.ResponseWriter, _ *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusOK, map[string]any{"spans": someSpans()})
	}
	mux.HandleFunc("GET /api/journeys/{id}/trace", traced)
	mux.HandleFunc("GET /api/traces/{id}", traced)
	mux.HandleFunc("GET /api/traces", s.example(t, "traces.json"))
	mux.HandleFunc("GET /api/messages", s.example(t, "waiting.json"))
	mux.HandleFunc("GET /api/messages/"+heldID, s.held(t))
	mux.HandleFunc("GET /api/messages/"+heldID+"/content", s.example(t, "message-content.json"))
	mux.HandleFunc("POST /api/messages/{id}/{decision}", s.take(http.StatusOK, map[string]any{}))
	mux.HandleFunc("GET /api/journeys/"+journeyID, s.journey(t))
	recorded := s.take(http.StatusOK, map[string]any{})
	s.others(t, mux)
	mux.HandleFunc("POST /api/own-page/{do}", s.ownPage)
	mux.HandleFunc("POST /api/journeys/{id}/own-page", func(w http.ResponseWriter, r *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusCreated, map[string]any{"state": "stands", "code": ownCode,
			"endsAt": halfPastTwo{}.Now().AddDate(0, 0, 30)})
	})
	mux.HandleFunc("GET /api/journeys/{id}/own-page", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusOK, map[string]any{"state": "none"})
	})
	// the first step ends by the consent, the other by facts
	mux.HandleFunc("POST /api/journeys/{id}/{record}", func(w http.ResponseWriter, r *http.Request) {
		who, _ := principal.From(r.Context())
		s.mu.Lock()
		s.done[map[string]string{"consent": stepID,
			"facts": "8c4bba9e-7c82-48a1-8bbd-6fb23f09d447"}[r.PathValue("record")]] = who
		s.mu.Unlock()
		recorded(w, r)
	})
	mux.HandleFunc("POST /api/referrals",
		s.take(http.StatusAccepted, map[string]any{"journey": journeyID, "outcome": "raised-flagged",
			"flags": []string{"possible-double"}}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusNotFound, "There is nothing here."))
	})
	return mux
}

// others answer for steps, offers, calls, partners and help.
func (s *site) others(t *testing.T, mux *http.ServeMux) {
	for pattern, file := range map[string]string{"GET /api/steps": "steps.json", "GET /api/offers": "offers.json",
		"GET /api/calls": "calls.json", "GET /api/calls/" + callID: "call.json",
		"GET /api/calls/" + callID + "/person": "call-person.json", "GET /api/partners/" + peersID: "partner.json",
		"GET /api/partners":                            "partners.json",
		"GET /api/partners/" + peersID + "/notice":     "notice.json",
		"GET /api/journeys/" + journeyID + "/identity": "identity.json"} {
		mux.HandleFunc(pattern, s.example(t, file))
	}
	for pattern, file := range map[string]string{"POST /api/journeys/{id}/help": "help.json",
		"POST /api/calls/{id}/help": "help.json", "POST /api/calls/{id}/claim": "claim.json"} {
		answer, keep := s.example(t, file), s.keep
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { keep(r); answer(w, r) })
	}
	took := s.take(http.StatusOK, map[string]any{"state": "reached",
		"next": map[string]any{"dueAt": "2026-03-16T14:40:00Z", "try": 1}})
	mux.HandleFunc("POST /api/calls/{id}/outcome", took)
	mux.HandleFunc("PUT /api/partners/{id}/{change}", took)
	mux.HandleFunc("GET /api/people/{ref}/access", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusOK,
			map[string]any{"items": []map[string]any{{"at": "2026-03-02T14:00:00Z", "organisation": "RXX",
				"role": "navigator", "reason": "to agree on a time"}}})
	})
	before, after := s.example(t, "offer.json"), s.example(t, "offer-accepted.json")
	linked, spent := s.example(t, "offer-by-link.json"), s.example(t, "offer-spent.json")
	mux.HandleFunc("GET /api/offers/"+offerID, func(w http.ResponseWriter, r *http.Request) {
		who, _ := principal.From(r.Context())
		s.mu.Lock()
		taken, over := s.taken, s.over
		s.mu.Unlock()
		switch {
		case over:
			spent(w, r)
		case taken && who.Role == string(schemas.OfferLink):
			linked(w, r)
		default:
			map[bool]http.HandlerFunc{false: before, true: after}[taken](w, r)
		}
	})
	// delivery knows one link
	mux.HandleFunc("POST "+schemas.OpenLink, func(w http.ResponseWriter, r *http.Request) {
		asked, _, err := httpx.ReadJSON[schemas.LinkAsked](w, r, 1<<10)
		if err != nil {
			t.Error(err)
		}
		opened := schemas.LinkOpened{}
		if asked.Token == token {
			opened = schemas.LinkOpened{Offer: offerID, Partner: peersID}
		}
		_ = httpx.WriteJSON(w, http.StatusOK, opened)
	})
	mux.HandleFunc("POST /api/offers/{id}/{said}", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.taken = s.taken || r.PathValue("said") == "accept"
		s.over = s.over || r.PathValue("said") == "undo"
		s.mu.Unlock()
		took(w, r)
	})
	mux.HandleFunc("GET /api/steps/{id}", s.stepByID(t))
}

// stepByID is one step of the example, until it was done.
func (s *site) stepByID(t *testing.T) http.HandlerFunc {
	content, err := os.ReadFile(filepath.Join(examples, "steps.json"))
	ok(t, err)
	var list httpx.List[map[string]any]
	ok(t, json.Unmarshal(content, &list))
	return func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		i := slices.IndexFunc(list.Items, func(one map[string]any) bool { return one["step"] == id })
		if i < 0 {
			httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusNotFound, "There is no such step."))
			return
		}
		one := maps.Clone(list.Items[i])
		if s.whoDid(id).Valid() {
			one["state"] = "done"
		}
		_ = httpx.WriteJSON(w, http.StatusOK, one)
	}
}

func (s *site) example(t *testing.T, name string) http.HandlerFunc {
	content, err := os.ReadFile(filepath.Join(examples, name))
	ok(t, err)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(content)
	}
}

// journey is the example without the steps that were done.
func (s *site) journey(t *testing.T) http.HandlerFunc {
	content, err := os.ReadFile(filepath.Join(examples, "journey.json"))
	ok(t, err)
	return func(w http.ResponseWriter, _ *http.Request) {
		var journey map[string]any
		if err := json.Unmarshal(content, &journey); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		journey["steps"] = slices.DeleteFunc(journey["steps"].([]any), func(step any) bool {
			_, done := s.done[step.(map[string]any)["step"].(string)]
			return done
		})
		_ = httpx.WriteJSON(w, http.StatusOK, journey)
	}
}

// held is the example of a message that was quarantined, until it was settled; whom it is about stands there for a
// reason.
func (s *site) held(t *testing.T) http.HandlerFunc {
	content, err := os.ReadFile(filepath.Join(examples, "message.json"))
	ok(t, err)
	return func(w http.ResponseWriter, r *http.Request) {
		var message map[string]any
		if err := json.Unmarshal(content, &message); err != nil {
			t.Error(err)
		}
		if r.Header.Get("Access-Reason") != "" {
			message["who"] = map[string]string{"givenName": "Rowan", "familyName": "Examplewood", "localId": "L000451"}
		}
		for _, p := range s.posted() {
			if p.Path == "/api/messages/"+heldID+"/release" {
				message["outcome"], message["reason"], message["settledAt"], message["journey"] = "raised", "",
					"2026-03-02T14:29:00Z", journeyID
			}
		}
		_ = httpx.WriteJSON(w, http.StatusOK, message)
	}
}

// take keeps what was posted and answers it.
func (s *site) take(status int, answer any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.keep(r)
		_ = httpx.WriteJSON(w, status, answer)
	}
}

func (s *site) keep(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	who, _ := principal.From(r.Context())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts = append(s.posts, post{r.URL.Path, r.Header.Get("Idempotency-Key"), string(body), who})
}

func (s *site) posted() []post {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.posts)
}

func (s *site) whoDid(step string) principal.Principal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done[step]
}

func someSpans() []telemetry.Span {
	began := halfPastTwo{}.Now()
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	span := func(id, parent, service, name string, start, ms int, after ...string) telemetry.Span {
		s := telemetry.Span{TraceID: "t", SpanID: id, ParentID: parent, Service: service, Name: name, Start: at(start),
			Duration: time.Duration(ms) * time.Millisecond}
		for _, id := range after {
			s.Links = append(s.Links, telemetry.SpanLink{TraceID: "t", SpanID: id})
		}
		return s
	}
	failed := span("7", "", "bridging", "consume footbridge.pathway.decided.v1", 34, 12, "5")
	failed.Failed = true
	return []telemetry.Span{
		span("1", "", "intake", "mllp receive", 0, 14), span("2", "1", "intake", "commit batch", 3, 9),
		span("3", "", "threshold", "consume footbridge.discharge.recorded.v1", 14, 21, "2"),
		span("4", "3", "threshold", "evaluate", 17, 6),
		span("5", "3", "threshold", "commit batch", 24, 9),
		span("6", "", "followup", "consume footbridge.pathway.decided.v1", 34, 11, "5"), failed,
		span("8", "", "journey", "consume", 15, 40, "2"), span("9", "", "journey", "due overdue-steps", 95_000_000, 3),
	}
}
