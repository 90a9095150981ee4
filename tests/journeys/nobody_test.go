package journeys

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake"
	"footbridge/tests/system"
)

// bodies are requests that each route takes, so that nothing but who asks can refuse them; PERSON, OTHER, DAY and ID
// are filled in.
var bodies = map[string]string{
	"POST /events": `{"specversion":"1.0","id":"ID","source":"/elsewhere","type":"care.footbridge.discharge.reported.v1","time":"` + ago(time.Hour) + `",
		"datacontenttype":"application/json","data":{"organisation":"RZZ","visit":"ID","inScope":true,"leftAt":"` +
		ago(2*time.Hour) + `","person":{"localId":"ID"}}}`,
	"POST /api/operations/redrive":      `{"service":"followup","id":"ID"}`,
	"POST /api/facilities/{id}/place":   `{"organisation":"RXX"}`,
	"POST /api/facilities/{id}/unplace": `{"reason":"to see who may do this"}`,
	"POST /api/messages/search":         `{"visit":"ID"}`,
	"POST /api/messages/{id}/dry-run":   `{"profile":"default"}`, "POST /api/messages/{id}/read-again": ``,
	"POST /api/messages/{id}/release": ``, "POST /api/messages/{id}/dismiss": ``,
	"POST /api/referrals":                    `{"route":"self","person":{"familyName":"Nobody","givenName":"Known","birthDate":"1991-04-01"}}`,
	"POST /api/referrals/list":               "visit,local_id\nID,ID\n",
	"POST /fhir/$process-message":            `{"resourceType":"Bundle","type":"message"}`,
	"POST /api/signals":                      `{"specversion":"1.0","id":"ID","source":"uk.nhs.example","type":"pds-record-change-2","time":"` + ago(time.Hour) + `","subject":"9990000018"}`,
	"POST /api/people/{ref}/contact-stopped": `{"reason":"to see who may"}`,
	"POST /api/people/{ref}/contact-resumed": `{"reason":"to see who may"}`,
	"POST /api/journeys/{id}/consent":        `{"answers":[{"purpose":"bridging","state":"declined"}],"how":"spoken"}`,
	"POST /api/journeys/{id}/contact":        `{"channels":[]}`,
	"POST /api/journeys/{id}/preferences":    `{"channels":["text"]}`,
	"POST /api/people/search":                `{"code":"0000-0000"}`,
	"POST /api/people/searches/review":       `{"upTo":"OTHER","finding":"in-order"}`,
	"POST /api/people/{ref}/merge":           `{"other":"OTHER","reason":"to see who may"}`,
	"POST /api/people/{ref}/unmerge":         `{"other":"OTHER","reason":"to see who may"}`,
	"POST /api/people/{ref}/legal-hold":      `{"on":true}`, "POST /api/people/{ref}/erase": `{"reason":""}`,
	"POST /api/journeys/{id}/hold":          `{"place":"ward","heldBy":"ward-team","reviewOn":"DAY"}`,
	"POST /api/journeys/{id}/release":       `{}`,
	"POST /api/journeys/{id}/close":         `{"reason":"complete","told":"in-person","wayBack":"our-number","on":"DAY","personAgrees":true}`,
	"POST /api/journeys/{id}/reopen":        `{}`,
	"POST /api/journeys/{id}/assessment":    `{"holder":"team:ed-liaison","on":"DAY"}`,
	"POST /api/journeys/{id}/first-contact": `{"within":"48"}`,
	"POST /api/journeys/{id}/summary":       `{"words":"what they would like known"}`,
	"POST /api/journeys/{id}/letter":        `{"kind":"slip"}`,
	"POST /api/journeys/{id}/own-page":      `{"stop":true}`,
	"POST /api/journeys/{id}/retold":        `{"to":"gp"}`,
	"POST /api/journeys/{id}/correction":    `{"givenName":"Someone","reason":"it stands so on their letter"}`,
	"POST /api/journeys/{id}/look-review":   `{"finding":"in-order"}`,
	"POST /api/journeys/{id}/asked":         `{"service":"OTHER"}`,
	"POST /api/journeys/{id}/answered":      `{"service":"OTHER","answer":"no"}`,
	"POST /api/journeys/{id}/override":      `{"service":"OTHER","door":"open","reason":"to see"}`,
	"POST /api/journeys/{id}/help":          `{}`, "POST /api/offers/{id}/help": `{}`,
	"POST /api/calls/{id}/help":  `{}`,
	"POST /api/calls/{id}/claim": ``, "POST /api/calls/{id}/outcome": `{"outcome":"unanswered"}`,
	"POST /api/journeys/{id}/plan": `{"everyDays":14}`,
	"POST /api/callers/me/away":    `{}`, "POST /api/timers/spread": `{"minutes":1}`,
	"POST /api/callers/me/calendar":        ``,
	"POST /api/callers/me/calendar/revoke": ``,
	"POST /api/workers/me/calendar":        ``,
	"POST /api/workers/me/calendar/revoke": ``,
	"POST /api/help/{id}/acknowledge":      ``, "POST /api/help/{id}/person-knows": `{"personKnows":"yes"}`,
	"POST /api/steps/{id}/done": `{}`, "POST /api/steps/{id}/no-answer": `{}`,
	"POST /api/journeys/{id}/facts":    `{"facts":{"carer":false}}`,
	"POST /api/steps/{id}/reassign":    `{"owner":"navigator:duty"}`,
	"POST /api/steps/{id}/acknowledge": `{"owner":"navigator:duty"}`,
	"POST /api/thresholds/check":       `{"facts":{"age":30}}`, "POST /api/thresholds/what-if": `{}`,
	"POST /api/thresholds/gaps":    `{}`,
	"POST /api/offers/{id}/accept": `{}`, "POST /api/offers/{id}/decline": `{"code":"22"}`,
	"POST /api/offers/{id}/undo":        `{}`,
	"POST /api/offers/{id}/appointment": `{"startsAt":"` + ago(-48*time.Hour) + `","channel":"phone"}`,
	"POST /api/offers/{id}/outcome":     `{"outcome":"kept","next":"nothing-more"}`,
	"POST /api/offers/{id}/hand-back":   `{"reason":"worker-away"}`,
	"POST /api/offers/{id}/introduce":   `{"how":"one-call"}`,
	"POST /api/offers/{id}/may-know":    `{"who":"another-partner"}`,
	"POST /api/offers/{id}/question":    `{"about":"hours"}`, "POST /api/offers/{id}/confirm-deletion": `{}`,
	"PUT /api/partners/{id}/capacity":  `{"weekly":1}`,
	"PUT /api/partners/{id}/agreement": `{"from":"DAY","until":"DAY","outwardName":"Northgate","safeguarding":"the desk"}`,
	"PUT /api/partners/{id}/holidays":  `{"holidays":[]}`, "PUT /api/partners/{id}/pause": `{"until":""}`,
	"PUT /api/partners/{id}/notice":                 `{"by":"none"}`,
	"PUT /api/referrals/notice":                     `{"by":"none"}`,
	"POST /api/partners/{id}/workers":               `{"name":"Robin Walker","mail":"ID@northgate.example","phone":"07700 900123"}`,
	"POST /api/partners/{id}/workers/{worker}/code": `{}`,
	"POST /api/partners/{id}/workers/{worker}/mail": `{"mail":"ID@northgate.example"}`,
	"POST /api/partners/{id}/workers/{worker}/end":  ``,
	"POST /api/organisations/{id}/going-live":       `{"confirm":true}`,
	"POST /api/subscriptions":                       `{"url":"https://partner.example/hook"}`,
	"POST /api/subscriptions/{id}/secret":           ``,
	"POST /api/subscriptions/{id}/state":            `{"on":false}`,
	"POST /api/subscriptions/{id}/again":            `{"all":true}`,
	"POST /api/subscriptions/{id}/test":             ``,
	"POST /api/sessions/{id}/end":                   ``, "POST /api/services/{id}/told": `{}`,
	"POST /api/services/{id}/dead-line": `{}`,
}

// known is somebody of whom intake keeps everything it can keep, on a journey.
type known struct {
	bird            birdPerson
	journey, person string
	steps, messages []string
}

// openToNobody is a system that holds secrets of two people, and who else asks for them.
type openToNobody struct {
	*system.System
	t *testing.T
}

func (o *openToNobody) staff(path, body string) {
	o.t.Helper()
	if got := o.Ask(schemas.Navigator, http.MethodPost, path, typeJSON, []byte(body)); got.Status != http.StatusOK {
		o.t.Fatalf("%s answered %d %s", path, got.Status, got.Body)
	}
}

// offerOf is the offer that was made of a journey.
func (o *openToNobody) offerOf(journey string) (offer string) {
	o.t.Helper()
	if err := o.Admin().QueryRow(o.t.Context(), `select id::text from followup.offer where journey = $1::uuid
		order by id limit 1`, journey).Scan(&offer); err != nil {
		o.t.Fatal(err)
	}
	return offer
}

// keep brings in all that can be told of somebody: messages, contact, wishes, words, notes, and a yes to a partner.
func (o *openToNobody) keep(b birdPerson, control, partner string) *known {
	o.t.Helper()
	client := o.Dial()
	for _, message := range b.hl7Visit(time.Now(), control) {
		o.Send(client, message)
	}
	o.Resolve()
	k := &known{bird: b}
	rows, err := o.Admin().Query(o.t.Context(), `select m.id::text, coalesce(m.journey::text, ''), m.person::text
		from intake.message m
		where m.control_id like $1 order by m.journey nulls first`, control+"%")
	if err != nil {
		o.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var message string
		if err := rows.Scan(&message, &k.journey, &k.person); err != nil {
			o.t.Fatal(err)
		}
		k.messages = append(k.messages, message)
	}
	if k.journey == "" || len(k.messages) != 3 {
		o.t.Fatalf("%d messages, journey %q", len(k.messages), k.journey)
	}
	base := "/api/journeys/" + k.journey
	o.staff(base+"/contact", fmt.Sprintf(
		`{"channels":[{"channel":"phone","value":%q,"confirmed":true},{"channel":"email","value":%q}],
		"named":[{"name":%q,"is":"sister","mayHear":"that-we-called"}],"neverTell":[%q],"needsNote":%q,"note":%q}`,
		b.phone, b.email, b.kin, b.doctor, b.ownWords, b.alias))
	o.staff(base+"/summary", fmt.Sprintf(`{"words":%q,"release":[{"organisation":%q,"state":"given"}]}`, b.ownWords,
		partner))
	o.staff(base+"/preferences", fmt.Sprintf(`{"channels":["phone"],"words":%q}`, b.ownWords))
	o.staff(base+"/consent", `{"answers":[{"purpose":"follow-up","organisation":"`+partner+
		`","state":"given"}],"how":"spoken"}`)
	o.staff("/api/people/"+k.person+"/contact-stopped", `{"reason":"`+b.kin+` rang"}`)
	o.staff("/api/people/"+k.person+"/contact-resumed", `{"reason":"`+b.given+` rang"}`)
	o.staff(base+"/consent", `{"answers":[{"purpose":"follow-up","organisation":"`+partner+
		`","state":"given"}],"how":"spoken"}`)
	o.Resolve()
	steps, err := o.Admin().Query(o.t.Context(), `select id::text from journey.step where journey = $1::uuid`,
		k.journey)
	if err != nil {
		o.t.Fatal(err)
	}
	defer steps.Close()
	for steps.Next() {
		var step string
		if err := steps.Scan(&step); err != nil {
			o.t.Fatal(err)
		}
		k.steps = append(k.steps, step)
	}
	return k
}

// requests are every route of the table, aimed at one person: at their journey, their messages, their steps,
// themselves.
func (k *known) requests(t *testing.T) (all [][3]string) {
	t.Helper()
	fill := strings.NewReplacer("PERSON", k.person, "OTHER", clock.NewRandomID(), "DAY",
		time.Now().Format(time.DateOnly), "ID", k.bird.visit[:3]+clock.NewRandomID()[:8])
	for _, route := range schemas.Routes() {
		name := route.Method + " " + route.Pattern
		body, given := bodies[name]
		if route.Method == http.MethodPost && !given {
			t.Errorf("%s has no request here: nobody looks at what it shows to whom", name)
		}
		ids := []string{k.journey}
		switch {
		case strings.HasPrefix(route.Pattern, "/api/steps/"):
			ids = k.steps
		case strings.HasPrefix(route.Pattern, "/api/messages/"):
			ids = k.messages
		}
		for _, id := range ids {
			path := strings.NewReplacer("{id}", id, "{ref}", k.person, "{worker}", k.person, "{type}",
				string(schemas.DischargeRecorded)).Replace(route.Pattern)
			if route.Pattern == "/fhir/Task" {
				path += "?focus=ServiceRequest/" + id
			}
			all = append(all, [3]string{route.Method, path, fill.Replace(body)})
			if !strings.Contains(route.Pattern, "{id}") {
				break
			}
		}
	}
	return all
}

// shows asks for everything as somebody, and gives all that they are answered.
func (o *openToNobody) shows(k *known, name string, who *principal.Principal, headers ...string) (all []place) {
	o.t.Helper()
	for _, r := range k.requests(o.t) {
		contentType := typeJSON
		switch {
		case r[1] == "/events":
			contentType = structured
		case strings.HasPrefix(r[1], "/fhir/"):
			contentType = typeFHIR
		case strings.HasSuffix(r[1], "/list"):
			contentType = "text/csv"
		}
		var got system.Answer
		if who == nil {
			got = o.AskWith("nobody", r[0], r[1], contentType, []byte(r[2]), headers...)
		} else {
			got = o.AskAs(*who, r[0], r[1], contentType, []byte(r[2]), headers...)
		}
		if got.Status >= 500 {
			o.t.Errorf("%s: %s %s: %d %s", name, r[0], r[1], got.Status, got.Body)
		}
		all = append(all, place{kindAnswer, name + ": " + r[0] + " " + r[1],
			fmt.Appendf(nil, "%d\n%s\n%v", got.Status, got.Body, got.Header)})
	}
	return all
}

func as(organisation string, role schemas.Role, subject string) *principal.Principal {
	return &principal.Principal{Organisation: organisation, Role: string(role), Subject: subject}
}

const (
	trusted = "8c4bba9e-7c82-48a1-8bbd-6fb23f09d445" // the partner that was said yes to
	another = "0a4bba9e-7c82-48a1-8bbd-6fb23f09d446" // one that nobody ever named
)

// TestNoRouteShowsWhoSomebodyIsToWhomItIsNotOpen goes through every route of the table as everybody to whom a person is
// not open, with requests that are otherwise right, and looks for each detail of them in each answer; then, after they
// are erased, as everybody.
func TestNoRouteShowsWhoSomebodyIsToWhomItIsNotOpen(t *testing.T) {
	t.Parallel()
	o := &openToNobody{system.Start(t), t}
	people := birds(t)
	// whose yes is taken back; whose journey is closed
	taken, closed := o.keep(people[0], "NA", trusted), o.keep(people[1], "NB", trusted)
	reader := as("RXX", schemas.Navigator, "navigator")
	reason := []string{intake.ReasonHeader, "to see who reads"}
	for _, k := range []*known{taken, closed} {
		path := "/api/journeys/" + k.journey + "/identity"
		whole := o.AskAs(*reader, http.MethodGet, path, "", nil, reason...)
		found := scan([]place{{kindAnswer, "a navigator of theirs", whole.Body}}, k.bird.canaries())
		if len(found) < 10 {
			t.Fatalf("a navigator of theirs sees %d details, so that nothing below would show: %s", len(found),
				whole.Body)
		}
		o.accept(k, trusted)
		partly := o.AskAs(*as(trusted, schemas.Partner, "peer"), http.MethodGet, path, "", nil)
		if len(scan([]place{{kindAnswer, "the partner", partly.Body}}, k.bird.canaries())) < 3 {
			t.Fatalf("the partner that has accepted, under a yes in force, sees %d %s", partly.Status, partly.Body)
		}
	}
	o.staff("/api/journeys/"+taken.journey+"/consent", `{"answers":[{"purpose":"follow-up","organisation":"`+trusted+
		`","state":"withdrawn"}]}`)
	o.close(closed)

	for name, who := range map[string]*principal.Principal{
		"liaison of another hospital": as("RZZ", schemas.SendingTeam, "nurse"),
		"a navigator of another area": as("RZZ", schemas.Navigator, "navigator"),
		"a partner without a yes":     as(another, schemas.Partner, "peer"),
		"a partner whose yes has ended": as(trusted,
			schemas.Partner, "peer"),
		"an operator": as("RXX", schemas.Operator, "operator"), "a commissioner": as("RXX", schemas.Commissioner,
			"commissioner"),
		"another person":            as("self", schemas.Person, clock.NewRandomID()),
		"another hospital's system": as("RZZ", schemas.System, "ed-system"),
		"a guest":                   as("RXX", schemas.Guest, string(schemas.Guest)), "nobody": nil,
		"whoever holds the link": as(trusted, schemas.OfferLink, o.offerOf(taken.journey)),
	} {
		for _, k := range []*known{taken, closed} {
			o.nothing(k, o.shows(k, name, who, reason...))
		}
	}
	for _, k := range []*known{taken, closed} {
		o.nothing(k, o.shows(k, "treating staff without a reason", as("RYY", schemas.TreatingStaff, "doctor")))
	}

	k := closed
	erase := func(subject, body string) system.Answer {
		return o.AskAs(*as("RXX", schemas.Navigator, subject), http.MethodPost, "/api/people/"+k.person+"/erase",
			typeJSON, []byte(body))
	}
	var asked struct{ Request string }
	if err := json.Unmarshal(erase("first", `{"reason":"asked for"}`).Body, &asked); err != nil {
		t.Fatal(err)
	}
	got := erase("second", `{"confirm":"`+asked.Request+`"}`)
	if got.Status != http.StatusOK {
		t.Fatalf("erasing answered %d %s", got.Status, got.Body)
	}
	for name, who := range map[string]*principal.Principal{
		"the liaison team": as("RXX", schemas.SendingTeam, "nurse"), "a navigator": reader,
		"treating staff with a reason": as("RYY", schemas.TreatingStaff, "doctor"),
		"the partner":                  as(trusted, schemas.Partner, "peer"), "an operator": as("RXX", schemas.Operator,
			"operator"),
		"a commissioner": as("RXX", schemas.Commissioner, "commissioner"),
		"the person":     as("self", schemas.Person, k.person), "their hospital's system": as("RXX", schemas.System,
			"ed-system"),
		"nobody": nil,
	} {
		o.nothing(k, o.shows(k, "after erasure, "+name, who, reason...))
	}
	o.nothing(k, o.commands(k))
	o.nothing(k, tables(t, o.System))
}

// accept says on the bus, as the follow-up service would, that a partner has taken on an offer of somebody's journey.
func (o *openToNobody) accept(k *known, partner string) {
	o.t.Helper()
	data, err := json.Marshal(schemas.OfferAcceptedData{Offer: clock.NewRandomID(), Partner: partner,
		AgreementUntil: time.Now().AddDate(1, 0, 0).Format(time.DateOnly)})
	if err != nil {
		o.t.Fatal(err)
	}
	now, subject := time.Now(), strings.TrimSuffix(schemas.OfferAccepted.SubjectFilter(), "*")+k.journey
	event := flow.Event{ID: clock.NewID(now), Source: "/footbridge/followup", Type: string(schemas.OfferAccepted),
		Subject: k.journey, Time: now,
		Correlation: clock.NewID(now), Sequence: flow.FormatSequence(1_000), Data: data}
	body, err := flow.Marshal(event)
	if err != nil {
		o.t.Fatal(err)
	}
	o.PublishAs(schemas.Followup, subject, body)
	path := "/api/journeys/" + k.journey + "/identity"
	system.Eventually(o.t, func() error {
		if got := o.AskAs(*as(partner, schemas.Partner, "peer"), http.MethodGet, path, "",
			nil); got.Status != http.StatusOK {
			return fmt.Errorf("the partner that has accepted gets %d", got.Status)
		}
		return nil
	})
}

// nothing fails for each detail of a person that is anywhere among what was seen.
func (o *openToNobody) nothing(k *known, seen []place) {
	o.t.Helper()
	for _, l := range scan(seen, k.bird.canaries()) {
		o.t.Error(l)
	}
}

func (o *openToNobody) close(k *known) {
	o.t.Helper()
	o.Resolve()
	if o.state(k) != "closed" {
		o.staff("/api/journeys/"+k.journey+"/close",
			`{"reason": "complete", "told": "in-person", "wayBack": "our-number", "on": "`+
				time.Now().Format(time.DateOnly)+`", "personAgrees": true}`)
		o.Resolve()
	}
}

func (o *openToNobody) state(k *known) string {
	o.t.Helper()
	var journey struct{ State string }
	got := o.Ask(schemas.Navigator, http.MethodGet, "/api/journeys/"+k.journey, "", nil)
	if err := json.Unmarshal(got.Body, &journey); err != nil || got.Status != http.StatusOK {
		o.t.Fatalf("the journey: %d %s", got.Status, got.Body)
	}
	return journey.State
}

// commands are those of the program that show anything of a person's journey and messages.
func (o *openToNobody) commands(k *known) (all []place) {
	o.t.Helper()
	lines := [][]string{{"journeys", "--json"}, {"journeys", k.journey}, {"journeys", k.journey, "--json"},
		{"journeys", "--closed"}, {"messages"}, {"messages", "--json"}, {"trace", k.journey}, {"deadletters", "list"}}
	for _, id := range k.messages {
		lines = append(lines, []string{"messages", "show", id}, []string{"messages", "show", id, "--json"})
	}
	for _, args := range lines {
		out, code := system.Run(o.t, o.StateDir, o.Settings(), args...)
		if code != 0 {
			o.t.Errorf("%v ended with %d:\n%s", args, code, out)
		}
		all = append(all, place{kindAnswer, "the command " + strings.Join(args, " "), []byte(out)})
	}
	return all
}
