package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/telemetry"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	now   = time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)
	nurse = DevChoices()[0].Principal
	guide = DevChoices()[1].Principal
	opera = DevChoices()[3].Principal
	ring  = DevChoices()[5].Principal
	heals = DevChoices()[6].Principal
	peer  = principal.Principal{Organisation: peersID, Role: string(schemas.Partner), Subject: "dev-peer-1"}
)

const (
	firstID  = "019cac6b-9e60-7cde-a568-92bbebbf6c5f"
	secondID = "019cac6b-9e60-7cde-a568-92bb0000aa11"
	stepID   = "8c4bba9e-7c82-48a1-8bbd-6fb23f09d445"

	offerID = "019cac6b-9e60-7abc-a568-92bb0000bb22"
	callID  = "019cac6b-9e60-7abc-a568-92bb0000cc33"
	peersID = "019cac6b-9e60-7abc-a568-92bb0000dd44"
	helpID  = "019cac6b-9e60-7abc-a568-92bb00001177"
)

type stopped struct{}

func (stopped) Now() time.Time { return now }

// services stand for the others: they verify who asks and answer as they do.
type services struct {
	verifier *principal.Verifier
	mux      *http.ServeMux
	changes  []change
	refuse   *httpx.Problem
	asked    principal.Principal // who sent the last form
	reason   string              // why somebody looked last
	decision string              // the file of what was decided about the first journey
	offer    string              // the file of the offer
	listed   string              // by what steps were asked for last
	many     int                 // so many steps are listed
	hidden   bool                // name and number are not shown
	found    []foundLine         // by a search
	unknown  *httpx.Problem      // instead of who somebody is
	unread   *httpx.Problem      // instead of a journey, who somebody is, or what a search found
	one      *step               // instead of the steps of the list
	actions  []schemas.Action    // of the first journey as a whole
	more     map[string]any      // of the first journey, beside the example
}

type change struct{ Path, Key, Body string }

func (s *services) as(service string) http.Handler {
	return principal.RequireHTTP(principal.Signed(s.verifier, service, stopped{}), s.mux)
}

func newServices(t *testing.T, verifier *principal.Verifier) *services {
	t.Helper()
	s := &services{verifier: verifier, mux: http.NewServeMux(), decision: "doors.json", offer: "offer.json"}
	for pattern, file := range map[string]*string{
		"GET /api/journeys":                        new("journeys.json"),
		"GET /api/journeys/" + firstID + "/doors":  &s.decision,
		"GET /api/offers":                          new("offers.json"),
		"GET /api/offers/" + offerID:               &s.offer,
		"GET /api/calls":                           new("calls.json"),
		"GET /api/told":                            new("told.json"),
		"GET /api/journeys/" + firstID + "/told":   new("shown-told.json"),
		"GET /api/journeys/" + firstID + "/shown":  new("shown.json"),
		"GET /api/journeys/" + firstID + "/access": new("shown-looks.json"),
		"GET /api/calls/" + callID:                 new("call.json"),
		"GET /api/partners":                        new("partners.json"),
		"GET /api/partners/" + peersID:             new("partner.json"),
		"GET /api/partners/" + peersID + "/notice": new("notice.json"),
		"GET /api/referrals/feed":                  new("referrals.json"),
		"GET /api/referrals/notice":                new("referrals-notice.json"),
		"GET /api/organisations/RXX/going-live":    new("live.json"),
		"GET /api/outbox-mail":                     new("mail.json"),
		"GET /api/help/" + helpID:                  new("help.json"),
		"POST /api/help/{id}/acknowledge":          new("help.json"),
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			content, err := os.ReadFile(filepath.Join("testdata", *file))
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(content)
		})
	}
	s.answerFigures()
	s.mux.HandleFunc("GET /api/steps", func(w http.ResponseWriter, r *http.Request) {
		s.listed = r.URL.RawQuery
		if s.many > 0 {
			content, err := os.ReadFile(filepath.Join("testdata", "steps.json"))
			var list httpx.List[map[string]any]
			if err = errors.Join(err, json.Unmarshal(content, &list)); err != nil {
				t.Error(err)
			}
			_ = httpx.WriteJSON(w, http.StatusOK, manySteps(list.Items, s.many))
			return
		}
		http.ServeFile(w, r, filepath.Join("testdata", "steps.json"))
	})
	s.actions = schemas.JourneyActions(schemas.SendingTeam, firstID, "open")
	s.mux.HandleFunc("GET /api/journeys/"+firstID, func(w http.ResponseWriter, r *http.Request) {
		if s.unread != nil {
			httpx.WriteProblem(w, r, s.unread)
			return
		}
		content, err := os.ReadFile(filepath.Join("testdata", "journey.json"))
		var j map[string]any
		if err != nil || json.Unmarshal(content, &j) != nil {
			t.Error("the journey cannot be read")
		}
		j["actions"] = s.actions
		maps.Copy(j, s.more)
		_ = httpx.WriteJSON(w, http.StatusOK, j)
	})
	s.mux.HandleFunc("GET /api/callers/me", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusOK, callerOwn{Days: []string{"mon", "thu"}, FromHour: 9, ToHour: 17, Most: 8,
			Made: 2, Channel: "email", Address: "team@trust.example", Actions: schemas.CallerActions(schemas.Caller,
				map[string][]string{"me.days": {"mon", "thu"},
					"me.fromHour": {"9"}, "me.toHour": {"17"}, "me.most": {"8"},
					"me.channel": {"email"}, "me.address": {"team@trust.example"}})})
	})
	recorded := func(file string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body := []byte{}
			if r.ContentLength != 0 {
				body, _ = httpx.ReadBody(w, r, 1<<10)
			}
			s.changes = append(s.changes, change{r.URL.Path, r.Header.Get("Idempotency-Key"), string(body)})
			s.asked, _ = principal.From(r.Context())
			if s.refuse != nil {
				httpx.WriteProblem(w, r, s.refuse)
				return
			}
			if file == "" {
				_ = httpx.WriteJSON(w, http.StatusOK, map[string]string{})
				return
			}
			http.ServeFile(w, r, filepath.Join("testdata", file))
		}
	}
	record := recorded("")
	for pattern, file := range map[string]string{"POST /api/journeys/{id}/help": "help.json",
		"POST /api/offers/{id}/help": "help.json", "POST /api/calls/{id}/help": "help.json",
		"POST /api/offers/{id}/{change}": "", "PUT /api/partners/{id}/{change}": "",
		"DELETE /api/organisations/{id}/going-live": "", "POST /api/organisations/{id}/going-live": "",
		"POST /api/calls/{id}/outcome": "", "PUT /api/callers/me": "",
		"POST /api/callers/me/calendar": "calendar-made.json", "POST /api/callers/me/away": "away.json",
		"POST /api/workers/me/calendar": "calendar-made.json", "POST /api/workers/me/calendar/revoke": "",
		"POST /api/people/searches/review": "",
		"POST /api/calls/{id}/claim":       "claim.json"} {
		s.mux.HandleFunc(pattern, recorded(file))
	}
	s.mux.HandleFunc("GET /api/steps/{id}", func(w http.ResponseWriter, r *http.Request) {
		if s.one != nil {
			_ = httpx.WriteJSON(w, http.StatusOK, s.one)
			return
		}
		content, _ := os.ReadFile(filepath.Join("testdata", "steps.json"))
		var list httpx.List[map[string]any]
		if err := json.Unmarshal(content, &list); err != nil {
			t.Error(err)
		}
		for _, one := range list.Items {
			if one["step"] == r.PathValue("id") {
				_ = httpx.WriteJSON(w, http.StatusOK, one)
				return
			}
		}
		httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusNotFound, "There is no such step."))
	})
	s.mux.HandleFunc("GET /api/journeys/"+firstID+"/identity", func(w http.ResponseWriter, r *http.Request) {
		s.reason = r.Header.Get(schemas.ReasonHeader)
		if refused := cmp.Or(s.unknown, s.unread); refused != nil {
			httpx.WriteProblem(w, r, refused)
			return
		}
		http.ServeFile(w, r, filepath.Join("testdata", "identity.json"))
	})
	s.mux.HandleFunc("POST /api/people/search", func(w http.ResponseWriter, r *http.Request) {
		if s.unread != nil {
			httpx.WriteProblem(w, r, s.unread)
			return
		}
		body, _ := httpx.ReadBody(w, r, 1<<10)
		s.changes = append(s.changes, change{r.URL.Path, r.Header.Get(schemas.ReasonHeader), string(body)})
		_ = httpx.WriteJSON(w, http.StatusOK, found{Items: s.found})
	})
	s.mux.HandleFunc("GET /api/people/searches", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusOK, httpx.List[searchLine]{Items: []searchLine{
			{ID: firstID, At: now, Role: "sending-team", By: "nurse-1", LookedBy: "name",
				Reason: "they rang and asked"},
			{ID: secondID, At: now, Role: "navigator", By: "guide-2", LookedBy: "code", Found: 1}}})
	})
	s.mux.HandleFunc("GET /api/people/{ref}/access", func(w http.ResponseWriter, r *http.Request) {
		if who, _ := principal.From(r.Context()); who.Role == string(schemas.YoungPeoplesClinician) {
			httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusForbidden, "This is not open to your role."))
			return
		}
		_ = httpx.WriteJSON(w, http.StatusOK,
			httpx.List[look]{Items: []look{{At: now, Organisation: "RXX", Role: "navigator",
				Reason: "to agree on a time"}, {At: now, Organisation: peersID, Role: "partner", Sees: "partner"}}})
	})
	s.mux.HandleFunc("GET /api/calls/{id}/person", func(w http.ResponseWriter, r *http.Request) {
		if s.hidden {
			httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusNotFound, "There is no call that you are about to "+
				"make."))
			return
		}
		http.ServeFile(w, r, filepath.Join("testdata", "call-person.json"))
	})
	s.mux.HandleFunc("GET /api/journeys/"+firstID+"/own-page", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusOK, map[string]any{"state": "stands", "endsAt": now.AddDate(0, 0, 20)})
	})
	given := recorded("own-page.json")
	s.mux.HandleFunc("POST /api/journeys/{id}/own-page", given)
	s.mux.HandleFunc("POST /api/steps/{id}/{change}", record)
	s.mux.HandleFunc("POST /api/journeys/{id}/{change}", record)
	s.mux.HandleFunc("GET /api/journeys/{id}/trace", answerSpans)
	s.mux.HandleFunc("GET /api/traces/{id}", answerSpans)
	s.mux.HandleFunc("GET /api/traces", answerTraces)
	s.mux.HandleFunc("GET /api/messages", func(w http.ResponseWriter, r *http.Request) {
		name := "messages.json"
		if r.URL.Query().Get("waiting") == "true" {
			name = "waiting.json"
		}
		http.ServeFile(w, r, filepath.Join("testdata", name))
	})
	s.mux.HandleFunc("GET /api/messages/"+heldID, func(w http.ResponseWriter, r *http.Request) {
		content, _ := os.ReadFile(filepath.Join("testdata", "message.json"))
		var m map[string]any
		if err := json.Unmarshal(content, &m); err != nil {
			t.Error(err)
		}
		if s.reason = r.Header.Get("Access-Reason"); s.reason != "" {
			m["who"] = messageWho{FamilyName: "Examplewood", GivenName: "Rowan", NHSNumber: "999"}
		}
		_ = httpx.WriteJSON(w, http.StatusOK, m)
	})
	s.mux.HandleFunc("GET /api/messages/"+heldID+"/content", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("testdata", "message-content.json"))
	})
	s.mux.HandleFunc("POST /api/messages/{id}/dry-run", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("testdata", "message-tried.json"))
	})
	s.mux.HandleFunc("POST /api/messages/search", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("testdata", "messages.json"))
	})
	s.mux.HandleFunc("POST /api/messages/{id}/{decision}", func(w http.ResponseWriter, r *http.Request) {
		body := []byte{}
		if r.ContentLength != 0 {
			body, _ = httpx.ReadBody(w, r, 1<<10)
		}
		who, _ := principal.From(r.Context())
		s.changes, s.asked = append(s.changes, change{r.URL.Path, r.Header.Get("Idempotency-Key"), string(body)}), who
		if s.refuse != nil {
			httpx.WriteProblem(w, r, s.refuse)
			return
		}
		_ = httpx.WriteJSON(w, http.StatusOK, map[string]string{})
	})
	s.mux.HandleFunc("POST /api/referrals", func(w http.ResponseWriter, r *http.Request) {
		body, _ := httpx.ReadBody(w, r, 16<<10)
		who, _ := principal.From(r.Context())
		s.changes, s.asked = append(s.changes, change{r.URL.Path, r.Header.Get("Idempotency-Key"), string(body)}), who
		if s.refuse != nil {
			httpx.WriteProblem(w, r, s.refuse)
			return
		}
		_ = httpx.WriteJSON(w, http.StatusAccepted, referred{Journey: firstID, Outcome: "raised-flagged",
			Flags: []string{schemas.FlagPossibleDouble}})
	})
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusNotFound, "There is nothing here."))
	})
	return s
}

// rules are those of an installation.
var rules = principal.Rules{Forwards: schemas.MayForward,
	May: func(holder, audience string, p principal.Principal) bool {
		return schemas.MayAssert(holder, audience, schemas.Role(p.Role), p.Subject, false)
	}}

type fixture struct {
	*Console
	signer   *principal.Signer
	services *services
}

func start(t *testing.T, alter ...func(*Config)) *fixture {
	t.Helper()
	signers, verifier := testkit.Keys(t, rules, schemas.Gateway, schemas.Console)
	f := &fixture{signer: signers[schemas.Gateway], services: newServices(t, verifier)}
	c := Config{Verifier: verifier, Signer: signers[schemas.Console], Clock: stopped{}, Built: fstest.MapFS{},
		SignIn:   &SignIn{Choices: DevChoices()},
		Backends: map[string]http.Handler{}}
	for _, service := range []string{schemas.Journey, schemas.Intake, schemas.Threshold, schemas.Followup,
		schemas.Bridging, schemas.Delivery, schemas.Traces} {
		c.Backends[service] = f.services.as(service)
	}
	for _, f := range alter {
		f(&c)
	}
	var err error
	f.Console, err = New(c)
	ok(t, err)
	return f
}

func someSpans() []telemetry.Span {
	at := func(ms int) time.Time { return now.Add(time.Duration(ms) * time.Millisecond) }
	return []telemetry.Span{
		{TraceID: "a", SpanID: "2", ParentID: "1", Service: "intake", Name: "commit", Start: at(3),
			Duration: 9 * time.Millisecond},
		{TraceID: "a", SpanID: "1", Service: "intake", Name: "mllp receive", Start: at(0),
			Duration: 14 * time.Millisecond},
		{TraceID: "b", SpanID: "3", Service: "threshold", Name: "consume", Start: at(15),
			Duration: 21 * time.Millisecond, Failed: true,
			Links: []telemetry.SpanLink{{TraceID: "a", SpanID: "2"}}},
		{TraceID: "c", SpanID: "4", Service: "journey", Name: "due", Start: at(60_000),
			Duration: 400 * time.Microsecond, Attributes: map[string]string{"footbridge.taken": "3",
				"footbridge.waited.lock": "12"}},
	}
}

func answerSpans(w http.ResponseWriter, _ *http.Request) {
	_ = httpx.WriteJSON(w, http.StatusOK, spansFound{Spans: someSpans()})
}

// answerTraces finds something where a service is asked for, and else nothing.
func answerTraces(w http.ResponseWriter, r *http.Request) {
	found := tracesFound{Durations: []barFound{{To: 1000, Count: 3}, {From: 1000, Count: 1, Failed: 1}}}
	if r.URL.Query().Get("service") != "" {
		next := "WyJuZXh0Il0"
		found.Next, found.Counted, found.Cut = &next, 1000, true
		found.Items = []traceFound{{Trace: "0af7651916cd43dd8448eb211c80319c", Service: "intake",
			Work: "take a message",
			At:   now, Micros: 4200, Failed: true, Journeys: []string{firstID, firstID, firstID, firstID}}}
		found.Works = []workFound{{Service: "intake", Work: "take a message", Count: 4, Failed: 1, Median: 800,
			P95:     4200,
			Longest: 4200}}
	}
	_ = httpx.WriteJSON(w, http.StatusOK, found)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) ask(t *testing.T, method, path string, form url.Values,
	as principal.Principal) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if as.Valid() {
		signed, err := f.signer.Sign(as, schemas.Console, now)
		ok(t, err)
		r.Header.Set(principal.Header, signed)
	}
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	return w
}

func (f *fixture) page(t *testing.T, path string, as principal.Principal) string {
	t.Helper()
	w := f.ask(t, "GET", path, nil, as)
	if w.Code != http.StatusOK {
		t.Fatalf("%s is answered with %d: %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// pages are all that people see, in the forms they take.
func (f *fixture) pages(t *testing.T) map[string]string {
	t.Helper()
	f.services.answerConsent()
	return map[string]string{
		"sign-in":          f.page(t, "/sign-in", principal.Principal{}),
		"journeys":         f.page(t, "/journeys", nurse),
		"journey":          f.page(t, "/journeys/"+firstID+"?said=recorded", nurse),
		"journey-operator": f.page(t, "/journeys/"+firstID, opera),
		"messages":         f.page(t, "/messages?outcome=quarantined", opera),
		"trace":            f.page(t, "/journeys/"+firstID+"/trace", opera),
		"traces":           f.page(t, "/traces?day=2026-11-20&from=10:00&failed=yes&service=intake", opera),
		"traces-none":      f.page(t, "/traces", opera),
		"traces-problem":   f.ask(t, "GET", "/traces?day=tomorrow", nil, opera).Body.String(),
		"trace-one":        f.page(t, "/traces/0af7651916cd43dd8448eb211c80319c", opera),
		"refused":          f.ask(t, "GET", "/journeys/"+secondID, nil, nurse).Body.String(),
		"waiting":          f.page(t, "/messages", guide),
		"message":          f.page(t, "/messages/"+heldID, guide),
		"message-who": f.ask(t, "POST", "/messages/"+heldID+"/who", url.Values{"why": {"to find the visit"}},
			guide).Body.String(),
		"message-tried": f.ask(t, "POST", "/messages/"+heldID+"/try", url.Values{"profile": {"trust"}},
			opera).Body.String(),
		"messages-found": f.ask(t, "POST", "/messages/search", url.Values{"visit": {"V000451"}}, opera).Body.String(),
		"message-problem": f.ask(t, "POST", "/messages/"+heldID+"/release", url.Values{"left-day": {"2"}},
			guide).Body.String(),
		"refer": f.page(t, "/refer", nurse),
		"refer-unfinished": f.ask(t, "POST", "/refer", url.Values{"given": {"Rowan"}, "nhs": {"999 000 0000"},
			"channel": {"text"}, "left-day": {"31"}, "left-month": {"2"}, "request": {"k"}}, nurse).Body.String(),
		"referred":       f.ask(t, "POST", "/refer", sixAnswers(), nurse).Body.String(),
		"own":            f.page(t, "/get-support", principal.Principal{}),
		"link":           f.page(t, linkPath, holder),
		"link-decline":   f.page(t, linkPath+"?say=decline", holder),
		"own-unfinished": f.ask(t, "POST", "/get-support", url.Values{"channel": {"phone"}}, guest).Body.String(),
		"own-received":   f.ask(t, "POST", "/get-support", ownAnswers(), guest).Body.String(),
		"clinician": f.ask(t, "POST", "/journeys/"+firstID+"/clinician",
			url.Values{"action": {"a1"}, "does": {"/api/journeys/" + firstID + "/consent"},
				"a1.mayConsent.whosePhone": {"her own"}}, clinician).Body.String(),
		"steps":           f.page(t, "/steps", nurse),
		"step":            f.page(t, "/steps/"+stepID, nurse),
		"step-of-another": f.page(t, "/steps/8c4bba9e-7c82-48a1-8bbd-6fb23f09d449", nurse),
		"step-unfinished": f.ask(t, "POST", "/steps/"+stepID,
			url.Values{"action": {"a1"}, "does": {"/api/journeys/" + firstID + "/consent"}}, nurse).Body.String(),
		"who": f.page(t, "/journeys/"+firstID+"/who", nurse),
		"who-shown": f.ask(t, "POST", "/journeys/"+firstID+"/who",
			url.Values{"why": {"to agree on a time with them"}}, nurse).Body.String(),
		"search":       f.page(t, "/search", nurse),
		"search-none":  f.ask(t, "POST", "/search", url.Values{"code": {"1A2B-3C4D"}}, nurse).Body.String(),
		"search-wrong": f.ask(t, "POST", "/search", url.Values{"family": {"X"}}, nurse).Body.String(),
		"searches":     f.page(t, "/searches", guide),
		"look":         f.page(t, "/look", heals),
		"look-shown": f.ask(t, "POST", "/look",
			url.Values{"number": {firstID}, "why": {"they are on our ward tonight"}}, heals).Body.String(),
		"calls":        f.page(t, "/calls", ring),
		"call":         f.page(t, "/calls/"+callID, ring),
		"call-ringing": f.ask(t, "POST", "/calls/"+callID, url.Values{"do": {"ring"}}, ring).Body.String(),
		"called":       f.ask(t, "POST", "/calls/"+callID, callAnswers(), ring).Body.String(),
		"offers":       f.page(t, "/offers", peer),
		"calendar":     f.page(t, "/calendar", peer),
		"hours":        f.page(t, "/hours", ring),
		"hours-made": f.ask(t, "POST", "/hours", url.Values{"action": {"a3"}, "does": {"/api/callers/me/calendar"},
			"request": {"k"}}, ring).Body.String(),
		"told":      f.page(t, "/told", peer),
		"shown":     f.page(t, "/journeys/"+firstID+"/shown", nurse),
		"referrals": f.page(t, "/referrals", nurse),
		"offer":     f.page(t, "/offers/"+offerID, peer),
		"partner":   f.page(t, "/partners/"+peersID, peer),
		"refer-wish": f.ask(t, "POST", "/refer", url.Values{"page": {"2"}, "local": {"L1"}, "channel": {"phone"},
			"place": {"07700 900099"}}, nurse).Body.String(),
		"refer-check": f.ask(t, "POST", "/refer", url.Values{"page": {"6"}, "local": {"L1"}, "channel": {"phone"},
			"place": {"07700 900099"}, "follow-up": {"yes"}, "how": {"spoken"}}, nurse).Body.String(),
		"record":      f.page(t, "/journeys/"+firstID+"/record", nurse),
		"record-hold": f.page(t, "/journeys/"+firstID+"/record?do="+f.keyOf(t, "/hold"), nurse),
		"step-check": f.ask(t, "POST", "/steps/"+stepID, url.Values{"action": {"a1"},
			"does":               {"/api/journeys/" + firstID + "/consent"},
			"a1.answers.0.state": {"given"}, "a1.how": {"spoken"}}, nurse).Body.String(),
		"step-overtaken": f.ask(t, "POST", "/steps/"+stepID, url.Values{"action": {"a9"}, "does": {"/api/gone"},
			"opened": {"2026-03-02T02:41:01Z"}, "a9.how": {"spoken"}}, nurse).Body.String(),
		"going-live":  f.page(t, "/going-live", guide),
		"operations":  f.page(t, "/operations", opera),
		"outbox-mail": f.page(t, "/outbox-mail", guide),
		"partners":    f.page(t, "/partners", guide),
		"help": f.ask(t, "POST", "/journeys/"+firstID+"/help", url.Values{"kind": {"needed-now"}},
			nurse).Body.String(),
		"help-on-call": f.page(t, "/help/"+helpID, guide),
		"start":        f.page(t, "/", DevChoices()[7].Principal),
		"paper":        f.page(t, "/journeys/"+firstID+"/paper", nurse),
		"paper-letter": f.ask(t, "POST", "/journeys/"+firstID+"/paper", letterAnswers(), nurse).Body.String(),
		"paper-code":   f.ask(t, "POST", "/journeys/"+firstID+"/paper", codeAnswers(), nurse).Body.String(),
		"person-code":  f.page(t, "/y", principal.Principal{}),
		"person-tried": f.ask(t, "POST", "/y", url.Values{}, principal.Principal{}).Body.String(),
		"person-next":  f.page(t, "/y", themselves),
		"person-shown": f.page(t, "/y/shown", themselves),
		"person-more":  f.page(t, "/y/more", themselves),
		"person-unfinished": f.ask(t, "POST", "/y", url.Values{"do": {"contact"}, "channel": {"phone"}},
			themselves).Body.String(),
		"person-help": f.ask(t, "POST", "/y", url.Values{"do": {"help"}}, themselves).Body.String(),
		"not-chosen":  f.page(t, "/sign-in?next=/journeys&who=nobody", principal.Principal{}),
	}
}

func ownAnswers() url.Values {
	return url.Values{"request": {"k2"}, "given": {"Rowan"}, "under18": {"not-known"}, "channel": {"no-safe-channel"},
		"place": {"by way of the hostel"}}
}

func callAnswers() url.Values {
	return url.Values{"action": {"a1"}, "does": {"/api/calls/" + callID + "/outcome"}, "with": {ringing},
		"a1.outcome": {"reached"}, "a1.answer": {"same"}, "request": {"k3"}}
}

func TestPagesAreAsAgreed(t *testing.T) {
	t.Parallel()
	pages := start(t).pages(t)
	random := regexp.MustCompile(`name="request" value="[^"]*"`)
	number := regexp.MustCompile(`<code>[0-9a-f-]{36}</code>`)
	version := regexp.MustCompile(`/assets/[0-9a-f]{16}/`)
	for _, name := range []string{"journeys", "journey", "trace", "traces", "traces-problem", "trace-one",
		"waiting", "message", "refer-unfinished", "referred",
		"own", "own-unfinished", "own-received", "clinician",
		"steps", "step", "who-shown", "call-ringing", "offer", "partner", "partners", "help", "going-live", "referrals",
		"operations",
		"outbox-mail", "person-code", "person-next", "person-more", "person-shown", "shown",
		"paper-letter", "paper-code"} {
		got := random.ReplaceAllString(pages[name], `name="request" value="…"`)
		got = number.ReplaceAllString(got, "<code>…</code>")
		got = version.ReplaceAllString(got, "/assets/…/")
		file := filepath.Join("testdata", name+".golden.html")
		if *update {
			ok(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		ok(t, err)
		if got != string(want) {
			t.Errorf("page %s is another; look at it, and if it is meant so, run the test with -update", name)
		}
	}
}

func TestJourneysAreListedByTheTimePromisedAlone(t *testing.T) {
	t.Parallel()
	page := start(t).page(t, "/journeys", nurse)
	first, second := strings.Index(page, codeOf(secondID)), strings.Index(page, codeOf(firstID))
	if first < 0 || second < 0 || first > second {
		t.Errorf("the one promised sooner stands at %d, the later at %d", first, second)
	}
	for _, words := range []string{"Liaison team", "Mon 2 Mar 2026, 1:00pm", "1 hour ago", "Past its time",
		"in 26 hours"} {
		if !strings.Contains(page, words) {
			t.Errorf("the list does not say %q", words)
		}
	}
}

func TestAJourneyShowsStepsDoorsAndSentences(t *testing.T) {
	t.Parallel()
	page := start(t).page(t, "/journeys/"+firstID, nurse)
	for _, words := range []string{
		"Ask the person what they would like", "Liaison team", "Tuesday 3 March 2026, 5:00pm",
		`href="/steps/` + stepID + `">Record what they said`, "They could not be reached",
		`href="/journeys/` + firstID + `/who"`,
		"This is separate from the hospital team&#39;s own follow-up, which is with the team at RXX.",
		"Help is needed now", "Open now", "Not offering this at present",
		"For people living in the west of the county.",
		"last checked on Thursday 1 January 2026", "We would need to know where they are staying now.",
		"The person is on its list",
		schemas.Sentence(string(schemas.OfferRaised)), "Between Monday 9 March 2026 and Monday 16 March 2026.",
		"2:41am",
	} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
}

func TestAButtonPressedTwiceCarriesOneKey(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.page(t, "/steps/"+stepID, nurse)
	if strings.Contains(page, "Mark as done") || strings.Contains(page, "Taken on by") ||
		!strings.Contains(page, "Take it on for the liaison team") {
		t.Error("a step that ends by its record can be marked as done, or its button reads as if it had been taken on")
	}
	found := regexp.MustCompile(
		`action="(/steps/[^"]*)"[^>]*>\s*<input type="hidden" name="opened-as"[^>]*>\s*<input type="hidden" name="request" value="([^"]+)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatal("there is no form to record anything")
	}
	filled := url.Values{"request": {found[2]}, "action": {"a1"}, "does": {"/api/journeys/" + firstID + "/consent"},
		"a1.answers.0.state": {"given"}, "a1.how": {"spoken"}, "checked": {"yes"}}
	for range 2 {
		w := f.ask(t, "POST", found[1], filled, nurse)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/journeys/"+firstID+"?said=recorded" {
			t.Fatalf("answered %d, sent to %q", w.Code, w.Header().Get("Location"))
		}
	}
	want := change{"/api/journeys/" + firstID + "/consent", found[2],
		`{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken"}`}
	if len(f.services.changes) != 2 || f.services.changes[0] != want || f.services.changes[1] != want {
		t.Errorf("sent on %+v", f.services.changes)
	}
	f.ask(t, "POST", "/steps/"+stepID, url.Values{"request": {"k"}, "owner": {"navigator:duty"}}, guide)
	if got := f.services.changes[2]; got != (change{"/api/steps/" + stepID + "/acknowledge", "k",
		`{"owner":"navigator:duty"}`}) {
		t.Errorf("sent on %+v", got)
	}
}

// TestAFormThatLacksSomethingSaysSoAndKeepsTheRest: what was entered stands there still, and nothing is sent.
func TestAFormThatLacksSomethingSaysSoAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	f := start(t)
	filled := url.Values{"request": {"k"}, "action": {"a1"}, "does": {"/api/journeys/" + firstID + "/consent"},
		"a1.how": {"written"}}
	w := f.ask(t, "POST", "/steps/"+stepID, filled, nurse)
	page := w.Body.String()
	for _, words := range []string{"Answer this: Would they like a follow-up session?", `value="written" checked`,
		`id="a1" open>`} {
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(page, words) {
			t.Errorf("answered %d without %q", w.Code, words)
		}
	}
	links := regexp.MustCompile(`<li><a href="#([^"]+)"`).FindAllStringSubmatch(page, -1)
	for _, link := range links {
		if !strings.Contains(page, ` id="`+link[1]+`"`) {
			t.Errorf("the summary leads to %q, which is not there", link[1])
		}
	}
	if len(links) == 0 {
		t.Error("the summary leads nowhere")
	}
	filled.Set("does", "/api/steps/"+stepID+"/done")
	if w := f.ask(t, "POST", "/steps/"+stepID, filled, nurse); w.Code != http.StatusConflict {
		t.Errorf("what the service does not offer is answered with %d", w.Code)
	}
	if len(f.services.changes) > 0 {
		t.Errorf("sent on %+v", f.services.changes)
	}
}

func TestWhatCannotBeDoneIsSaidOnTheStepsPage(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.refuse = httpx.NewProblem(http.StatusConflict, "This step has been done already. Look at the journey "+
		"again.")
	w := f.ask(t, "POST", "/steps/"+stepID, url.Values{"request": {"k"}, "action": {"a1"},
		"does":               {"/api/journeys/" + firstID + "/consent"},
		"a1.answers.0.state": {"given"}, "a1.how": {"spoken"}, "checked": {"yes"}}, nurse)
	page := w.Body.String()
	if w.Code != http.StatusConflict || !strings.Contains(page, `<a href="#next">This step has been done already.`) ||
		!strings.Contains(page, "<title>Error: ") {
		t.Errorf("answered %d %s", w.Code, page)
	}
}

func TestAServiceThatIsNotThereIsSaidKindly(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) {
		delete(c.Backends, schemas.Threshold)
		c.Backends[schemas.Intake] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		})
	})
	if page := f.page(t, "/journeys/"+firstID, nurse); !strings.Contains(page, "cannot be shown at present") {
		t.Error("a journey without its doors does not say so")
	}
	w := f.ask(t, "GET", "/messages", nil, opera)
	if w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), "Nothing you did is wrong") {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
}

func TestWhatIsNotForARoleIsNotSaidToBeOutOfOrder(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) {
		c.Backends[schemas.Threshold] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusForbidden, "This is not open to your role."))
		})
	})
	page := f.page(t, "/journeys/"+firstID, nurse)
	for _, untrue := range []string{"cannot be shown at present", "have not been looked at",
		"Services and what they offer"} {
		if strings.Contains(page, untrue) {
			t.Errorf("it says %q", untrue)
		}
	}
}

func TestTheTimelineSpeaksToThePerson(t *testing.T) {
	t.Parallel()
	for fact := range factWords {
		e := event{Type: string(schemas.InformationNeeded), Details: json.RawMessage(`{"facts":["` + fact + `"]}`)}
		if words := detailsOf(e); regexp.MustCompile(`\b(they|them|their)\b`).MatchString(words) {
			t.Errorf("%s: %q", fact, words)
		}
	}
}

func TestARequestIsNotCalledByTheNameOfItsType(t *testing.T) {
	t.Parallel()
	for _, name := range []string{string(schemas.ReferralSubmitted), string(schemas.DischargeReported)} {
		v := viewMessages([]message{{Type: name, Sender: "form 0123456789ab"}, {Type: name, Sender: "list"}}, now,
			time.UTC)
		if strings.Contains(v[0].Type, ".") || v[0].Sender != "A form" || v[1].Sender != "A nightly list" {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestNobodySeesAPageWithoutASignedPrincipal(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, route := range Routes() {
		if route.Public {
			continue
		}
		path := strings.NewReplacer("{id}", firstID, "{step}", stepID, "{$}", "").Replace(route.Pattern)
		if w := f.ask(t, route.Method, path, nil, principal.Principal{}); w.Code != http.StatusUnauthorized {
			t.Errorf("%s %s is answered with %d", route.Method, path, w.Code)
		}
	}
}

func TestTheSignInPageSaysWhySomebodyIsAskedAgain(t *testing.T) {
	t.Parallel()
	f := start(t)
	for because, words := range becauseWords {
		if page := f.page(t, "/sign-in?because="+because, principal.Principal{}); !strings.Contains(page, words) {
			t.Errorf("%s: the page does not say %q", because, words)
		}
	}
}

func TestTheConsoleCannotInventWhoIsAsking(t *testing.T) {
	t.Parallel()
	signers, verifier := testkit.Keys(t, rules, schemas.Gateway, schemas.Console)
	own, err := signers[schemas.Console].Sign(guide, schemas.Console, now)
	ok(t, err)
	for name, assertion := range map[string]string{"signed by itself": own, "nothing": "v2..."} {
		forwarded, err := signers[schemas.Console].Forward(assertion, schemas.Intake, now)
		ok(t, err)
		if p, err := verifier.Verify(forwarded, schemas.Intake, now); err == nil {
			t.Errorf("%s: taken as %v", name, p)
		}
	}
	direct, err := signers[schemas.Console].Sign(guide, schemas.Intake, now)
	ok(t, err)
	if p, err := verifier.Verify(direct, schemas.Intake, now); err == nil {
		t.Errorf("asserted directly: taken as %v", p)
	}
}

func TestWithoutAWayToSignInThePageSaysSo(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.SignIn = nil })
	if page := f.page(t, "/sign-in", principal.Principal{}); !strings.Contains(page, "has not been set up") {
		t.Error("it does not say so")
	}
}

func TestWithoutTheStyleFilesThePagesSayWhatToRun(t *testing.T) {
	t.Parallel()
	if page := start(t).page(t, "/journeys", nurse); !strings.Contains(page, "tools/frontend/ensure.sh") ||
		!strings.Contains(page, "/plain.css") {
		t.Error("a plain page does not say why it is plain")
	}
	styled := start(t, func(c *Config) {
		c.Built = fstest.MapFS{"nhsuk-frontend.css": {Data: []byte("a{}")},
			"images/arrow.svg": {Data: []byte("<svg/>")}, "README.md": {Data: []byte("no")}}
	})
	if page := styled.page(t, "/journeys", nurse); strings.Contains(page, "ensure.sh") ||
		!strings.Contains(page, "/nhsuk-frontend.css") {
		t.Error("a page with style files does not use them")
	}
	if w := styled.ask(t, "GET", "/assets/images/arrow.svg", nil, principal.Principal{}); w.Code != http.StatusOK ||
		w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("an icon is answered with %d %v", w.Code, w.Header())
	}
	for _, name := range []string{"README.md", "stamp", "../console.go", ".gitignore"} {
		if w := styled.ask(t, "GET", "/assets/"+url.PathEscape(name), nil,
			principal.Principal{}); w.Code == http.StatusOK {
			t.Errorf("%s is served", name)
		}
	}
}

func TestEveryPageHasLandmarksAndHeadingsInOrder(t *testing.T) {
	t.Parallel()
	headings := regexp.MustCompile(`<h([1-6])[ >]`)
	for name, page := range start(t).pages(t) {
		for _, part := range []string{`<html lang="en-GB">`, "<title>", `href="#maincontent"`, `<main `,
			`id="maincontent"`, "<header", "<footer", "116 123"} {
			if strings.Count(page, part) < 1 {
				t.Errorf("%s has no %s", name, part)
			}
		}
		if strings.Count(page, "<h1") != 1 {
			t.Errorf("%s has %d first headings", name, strings.Count(page, "<h1"))
		}
		level := "0"
		_, content, _ := strings.Cut(page, "<main")
		content = regexp.MustCompile(
			`(?s)<div class="nhsuk-(error-summary|notification-banner).*?</div>\s*</div>`).ReplaceAllString(content, "")
		for _, h := range headings.FindAllStringSubmatch(content, -1) {
			if h[1] > level && h[1][0]-level[0] > 1 {
				t.Errorf("%s: h%s follows h%s", name, h[1], level)
			}
			level = h[1]
		}
		for _, id := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			if strings.Count(page, ` id="`+id[1]+`"`) != 1 {
				t.Errorf("%s: id %s is there twice", name, id[1])
			}
		}
		if strings.ContainsRune(page, '\uFFFD') {
			t.Errorf("%s has a character that is none", name)
		}
		if regexp.MustCompile(`<script>|style="| on[a-z]+="|javascript:`).MatchString(page) {
			t.Errorf("%s has a script or a style in it", name)
		}
	}
}

func TestNoPageSaysWhatNobodyShouldRead(t *testing.T) {
	t.Parallel()
	words := regexp.MustCompile(
		`(?i)\b(shut|void|too much|overdue|risk|severity|self-harm\w*|suicid\w*|attempt|refused|rejected|case|target|complian\w*|failed to)\b`)
	tags := regexp.MustCompile(`<[^>]*>`)
	for name, page := range start(t).pages(t) {
		page = regexp.MustCompile(`(?s)<(title|text)\b.*?</(title|text)>`).ReplaceAllStringFunc(page,
			func(s string) string { return s })
		if found := words.FindString(tags.ReplaceAllString(page, " ")); found != "" {
			t.Errorf("%s says %q", name, found)
		}
	}
	for _, list := range []map[string]string{stepWords, ownerWords, outcomeWords, ackWords, factWords, purposeWords,
		doneWords, decidedWords, allFlags(), valueWords, offerStates, knownWords, callStates, doerNames} {
		for code, text := range list {
			if found := words.FindString(text); found != "" {
				t.Errorf("%s: %q", code, found)
			}
		}
	}
}

func TestEveryFactAndPurposeHasWords(t *testing.T) {
	t.Parallel()
	for _, fact := range schemas.FactNames() {
		if factWords[fact] == "" {
			t.Errorf("fact %s has none", fact)
		}
	}
	for _, purpose := range schemas.Values("purpose") {
		if purposeWords[purpose] == "" {
			t.Errorf("purpose %s has none", purpose)
		}
	}
}

func TestACodeThatIsNotKnownIsStillReadable(t *testing.T) {
	t.Parallel()
	if got := viewStep(step{Kind: "ring-back", Owner: "team:night-shift"}, now, time.UTC); got.Words != "Ring back" ||
		got.Owner != "Night shift team" {
		t.Errorf("%+v", got)
	}
	groups := groupByEligibility([]schemas.ServiceEligibility{{Name: "A", Eligibility: "ajar"}})
	if len(groups) != 1 || len(groups[0].Doors) != 1 {
		t.Errorf("a door in a new state is left out: %+v", groups)
	}
	if got := sentenceOf(event{Type: "care.footbridge.no.such.v1"}); got == "" {
		t.Error("an event without words is an empty line")
	}
}

func TestTimesAreLocalAcrossBothClockChanges(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/London")
	ok(t, err)
	for instant, want := range map[string]string{
		"2026-03-29T00:59:00Z": "Sunday 29 March 2026, 12:59am",
		"2026-03-29T01:00:00Z": "Sunday 29 March 2026, 2:00am",
		"2026-10-25T00:30:00Z": "Sunday 25 October 2026, 1:30am",
		"2026-10-25T01:30:00Z": "Sunday 25 October 2026, 1:30am",
		"2026-12-24T12:00:00Z": "Thursday 24 December 2026, 12:00pm",
	} {
		at, err := time.Parse(time.RFC3339, instant)
		ok(t, err)
		if got := timeWords(at, zone); got != want {
			t.Errorf("%s is %q", instant, got)
		}
	}
}

func TestDistancesAreInTheirLargestUnit(t *testing.T) {
	t.Parallel()
	for between, want := range map[time.Duration]string{0: "now", 59 * time.Second: "now", time.Minute: "in 1 minute",
		-90 * time.Minute: "1 hour ago",
		47 * time.Hour:    "in 47 hours", 48 * time.Hour: "in 2 days", -240 * time.Hour: "10 days ago"} {
		if got := distance(now, now.Add(between)); got != want {
			t.Errorf("%v: %q", between, got)
		}
	}
}

func TestTheWaterfallKeepsPausesOutOfItsScale(t *testing.T) {
	t.Parallel()
	spans := someSpans()
	episodes := drawWaterfall(spans, time.UTC)
	if len(episodes) != 2 || len(episodes[0].Spans) != 3 || len(episodes[1].Spans) != 1 {
		t.Fatalf("%d episodes", len(episodes))
	}
	first := episodes[0].Spans
	if first[0].Name != "mllp receive" || first[1].Cause != "part of 1" || first[2].Cause != "after 2" ||
		!first[2].Failed || episodes[1].Spans[0].Number != 4 {
		t.Errorf("%+v", first)
	}
	for _, e := range episodes {
		for _, s := range e.Spans {
			if s.BarX < labelWidth || s.BarX+s.BarWidth > labelWidth+barsWidth+3 || s.BarWidth < 1 {
				t.Errorf("bar from %d, %d wide", s.BarX, s.BarWidth)
			}
		}
	}
}

func TestOnlyOperatorsAreLedToTraces(t *testing.T) {
	t.Parallel()
	f := start(t)
	if strings.Contains(f.page(t, "/journeys/"+firstID, nurse), "/trace") {
		t.Error("a nurse is led to the trace")
	}
	if !strings.Contains(f.page(t, "/journeys/"+firstID, opera), "/trace") {
		t.Error("an operator is not led to the trace")
	}
	if w := f.ask(t, "GET", "/journeys/"+secondID+"/trace", nil, opera); w.Code != http.StatusNotFound {
		t.Errorf("the trace of a journey that may not be seen is answered with %d", w.Code)
	}
}

func TestTestAnswersAreInTheFormOfTheServices(t *testing.T) {
	t.Parallel()
	for file, into := range map[string]any{"journeys.json": &httpx.List[journeyLine]{}, "journey.json": &journey{},
		"doors.json": &httpx.List[schemas.ServiceEligibility]{}, "messages.json": &httpx.List[message]{},
		"waiting.json": &httpx.List[message]{}, "message.json": &message{},
		"steps.json": &httpx.List[step]{}, "offer.json": &offer{}, "calls.json": &httpx.List[shortCall]{},
		"partner.json": &partnerOrganisation{}, "notice.json": &partnerNotice{}, "live.json": &liveState{},
		"help.json":     &helpAnswer{},
		"identity.json": &identity{}} {
		content, err := os.ReadFile(filepath.Join("testdata", file))
		ok(t, err)
		ok(t, json.NewDecoder(bytes.NewReader(content)).Decode(into))
	}
	var _ clock.Clock = stopped{}
}

// TestTheSentencesOfAGapAreReadWhereTheyWereDecided: no event carries them, and the page shows both, and whom to ask
// first.
func TestTheSentencesOfAGapAreReadWhereTheyWereDecided(t *testing.T) {
	t.Parallel()
	f := start(t)
	if page := f.page(t, "/journeys/"+firstID, nurse); strings.Contains(page, "council service is open at present") {
		t.Error("a gap is shown where there is none")
	}
	f.services.decision = "gap.json"
	page := f.page(t, "/journeys/"+firstID, nurse)
	for _, want := range []string{"Probably no NHS or council service is open at present",
		"settled enough for weekly sessions", "Psychology West says:",
		"we agree together in a first conversation", "The person is with Psychology East already"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func allFlags() map[string]string {
	words := map[string]string{}
	for _, flag := range schemas.Values("flag") {
		words[flag] = schemas.FlagWords(flag)
	}
	return words
}
