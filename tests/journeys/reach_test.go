package journeys

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/console"
	"footbridge/tests/system"
)

// asked is one line of the walk: a route about one thing, as somebody.
type asked struct {
	route         schemas.Route
	role          schemas.Role
	own, reasoned bool
}

func (a asked) String() string {
	whose, why := "another organisation's", "without a reason"
	if a.own {
		whose = "of their own"
	}
	if a.reasoned {
		why = "for a reason"
	}
	return fmt.Sprintf("%s as %s, %s, %s", a.route.Mux(), a.role, whose, why)
}

// walk is a system with things of RXX, one of each kind for every route that changes something.
type walk struct {
	*openToNobody
	shared   *known
	request  string                   // as a FHIR ServiceRequest
	offer    string                   // of the shared journey, with our partner
	facility string                   // where a message came from that nobody has agreed
	young    map[schemas.Thing]string // of somebody of fifteen
	services string                   // one of the directory's
	calls    map[string]string        // by who rings, and whether their person is read
	claims   int64
	help     string                              // one that a team of RXX asked for
	things   map[string]map[schemas.Thing]string // by route
}

// TestEveryRouteIsAskedAsEverybody asks every route of every service, and every page, as every role, of things of their
// own and of another organisation, with a reason and without, against one table of what each gets; docs/access.md is
// made from the same.
func TestEveryRouteIsAskedAsEverybody(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.lists()
	w.adults()
	w.barred()
	tried := 0
	for _, route := range append(schemas.Routes(), console.Routes()...) {
		if slices.Equal(route.Roles, []schemas.Role{schemas.Guest}) || route.ByLink() || route.OwnPage() {
			continue // whoever is signed in is a guest there, or the holder of the link or of the page
		}
		for _, own := range []bool{false, true} { // the others first, who must change nothing
			for _, role := range schemas.Roles() {
				for _, reasoned := range []bool{false, true} {
					if !reasoned && route.Method != http.MethodGet || role == schemas.Guest {
						continue
					}
					a := asked{route, role, own, reasoned}
					tried++
					if got, said := w.ask(a); got != route.Expect(role, own, reasoned) {
						t.Errorf("%s: %s, not %s: %s", a, got, route.Expect(role, own, reasoned), said)
					}
				}
			}
		}
		w.asNobody(route)
	}
	if tried < 1000 {
		t.Errorf("only %d requests were tried", tried)
	}
}

// adults are hidden from a young people's clinician: what they said, how they may be reached and who they are.
func (w *walk) adults() {
	w.t.Helper()
	for _, route := range schemas.RoutesOf(schemas.Intake) {
		if route.Thing() != schemas.AboutJourney || !route.Allows(schemas.YoungPeoplesClinician) {
			continue
		}
		path, contentType, body := w.fill(route, w.shared.journey, "RXX")
		got := w.AskAs(*as("RXX", schemas.YoungPeoplesClinician, "clinician"), route.Method, path, contentType,
			[]byte(body), schemas.ReasonHeader, "they are on our ward tonight")
		if reachOf(got) != schemas.Hidden {
			w.t.Errorf("%s of an adult as a young people's clinician: %d %s", route.Mux(), got.Status, got.Body)
		}
	}
}

// barred: to staff of an organisation that must not know of somebody, in every role, by every route of intake about the
// person or their journeys, it is as if nothing were there, though the organisation has looked after them.
func (w *walk) barred() {
	w.t.Helper()
	guest := birds(w.t)[0]
	guest.nhs, guest.local, guest.visit = nhsNumber(w.t, 7744510), "LOCZZ44082", "VISZZ66453"
	client := w.Dial()
	for _, message := range guest.hl7Visit(time.Now(), "WALKB") {
		w.Send(client, []byte(strings.Replace(string(message), "|CANARY|RXX|", "|CANARY|RZZ|", 1)))
	}
	ours := w.report(time.Now().AddDate(-40, 0, 0))
	w.Resolve()
	var theirs, known, person string
	w.one(&theirs, `select journey::text from intake.message where control_id like 'WALKB%' and journey is not null
		limit 1`)
	w.one(&known, `select person::text from intake.journey where id = $1::uuid`, theirs)
	w.one(&person, `select person::text from intake.journey where id = $1::uuid`, ours)
	if _, err := w.Admin().Exec(w.t.Context(), `insert into intake.person_merge (id, survivor, other, before,
		merged_at, merged_by, confirmed_at, confirmed_by)
		values ($1, $2, $3, '{}', now(), 'navigator:a-test', now(), 'navigator:a-test')`, clock.NewID(time.Now()),
		person, known); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Admin().Exec(w.t.Context(), `update intake.person set survivor = $1 where id = $2`, person,
		known); err != nil {
		w.t.Fatal(err)
	}
	w.staff("/api/journeys/"+ours+"/contact", `{"mustNotKnow":["RZZ"]}`)
	for _, route := range schemas.RoutesOf(schemas.Intake) {
		for _, role := range route.Roles {
			about := map[schemas.Thing]string{schemas.AboutJourney: theirs, schemas.AboutPerson: known}[route.Thing()]
			if about == "" || schemas.ScopeOf(role, "RZZ", "x").All || role == schemas.Person {
				continue
			}
			path, contentType, body := w.fill(route, about, "RZZ")
			got := w.AskAs(*as("RZZ", role, "must-not-know"), route.Method, path, contentType, []byte(body),
				schemas.ReasonHeader, "they are on our ward tonight")
			if reachOf(got) != schemas.Hidden {
				w.t.Errorf("%s as %s of whom must not know: %d %s", route.Mux(), role, got.Status, got.Body)
			}
		}
	}
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	w := &walk{openToNobody: &openToNobody{system.Start(t), t}, things: map[string]map[schemas.Thing]string{}}
	people := birds(t)
	w.shared = w.keep(people[0], "WALK", trusted)
	w.accept(w.shared, trusted)
	w.request = clock.NewRandomID()
	sent := w.AskWith(system.Token(schemas.System), http.MethodPost, "/fhir/$process-message", typeFHIR,
		[]byte(people[1].referral(clock.NewRandomID(), w.request, "new", "active")),
		"X-Request-Id", clock.NewRandomID(), "X-Correlation-Id", clock.NewRandomID(), "NHSD-End-User-Organisation",
		"RXX")
	if sent.Status != http.StatusOK {
		t.Fatalf("a FHIR request: %d %s", sent.Status, sent.Body)
	}
	client := w.Dial()
	for _, message := range people[2].hl7Visit(time.Now(), "WALKF") {
		w.Send(client, []byte(strings.Replace(string(message), "|CANARY|RXX|", "|CANARY|NOT-AGREED|", 1)))
	}
	for _, route := range append(schemas.Routes(), console.Routes()...) {
		if route.Method != http.MethodGet && route.Thing() != schemas.AboutNothing {
			w.things[route.Mux()] = map[schemas.Thing]string{schemas.AboutJourney: w.report(time.Now().AddDate(-40, 0,
				0))}
		}
	}
	w.young = map[schemas.Thing]string{schemas.AboutJourney: w.report(time.Now().AddDate(-15, 0, -1))}
	w.Resolve()
	w.one(&w.facility, `select organisation from intake.facility limit 1`)
	var directory struct {
		Items []struct{ Service struct{ ID string } }
	}
	if err := json.Unmarshal(w.Ask(schemas.Navigator, http.MethodGet, "/api/services", "", nil).Body,
		&directory); err != nil || len(directory.Items) == 0 {
		t.Fatalf("the directory: %v", err)
	}
	w.services = directory.Items[0].Service.ID
	w.agreed(trusted)
	w.calls = map[string]string{"RXX": w.callFor("RXX"), trusted: w.callFor(trusted), "RXX person": w.callFor("RXX"),
		trusted + " person": w.callFor(trusted)}
	w.help = w.helpOf(*as("RXX", schemas.Navigator, "navigator"), true)
	var step string
	w.one(&step, `select id::text from journey.step where journey = $1::uuid and state = 'open' limit 1`,
		w.young[schemas.AboutJourney])
	w.young[schemas.AboutStep] = step
	for _, things := range w.things {
		var message, person, step string
		w.one(&message, `select id::text from intake.message where journey = $1::uuid limit 1`,
			things[schemas.AboutJourney])
		w.one(&person, `select person::text from intake.message where journey = $1::uuid limit 1`,
			things[schemas.AboutJourney])
		w.one(&step, `select id::text from journey.step where journey = $1::uuid and state = 'open' limit 1`,
			things[schemas.AboutJourney])
		things[schemas.AboutMessage], things[schemas.AboutPerson], things[schemas.AboutStep] = message, person, step
		things[schemas.AboutOffer] = w.sent(things[schemas.AboutJourney])
	}
	w.offer = w.sent(w.shared.journey)
	return w
}

// sent makes the offer of a journey one that has left for our partner, and gives it.
func (w *walk) sent(journey string) (offer string) {
	w.t.Helper()
	w.one(&offer, `with ours as (
			insert into followup.partner (id, organisation, service, name, works, rank)
			values ($2::uuid, 'ours', 'ours', 'Ours', array_fill(true, array[7]), 99)
			on conflict (id) do update set rank = excluded.rank returning id)
		update followup.offer o set partner = ours.id, state = 'sent', consent = 'given', placed_at = raised_at,
		place_week = raised_at::date,
			sent_at = raised_at, due_at = null, answer_by = $3
		from ours where o.journey = $1::uuid and o.ended_at is null returning o.id::text`, journey, trusted,
		time.Now().Add(48*time.Hour))
	return offer
}

// report is a discharge of somebody of their own, and gives their journey.
func (w *walk) report(born time.Time) string {
	w.t.Helper()
	id := clock.NewRandomID()
	data := fmt.Sprintf(
		`{"organisation":"RXX","visit":"W%[1]s","inScope":true,"leftAt":%[2]q,"person":{"localId":"L%[1]s","familyName":"Walker%[4]s","givenName":"Robin","birthDate":%[3]q},
		"facts":{"destination":"home","assessment":"done"}}`, id[:8], time.Now().Add(-time.Hour).Format(time.RFC3339),
		born.Format(time.DateOnly), inLetters(id[:8]))
	got := w.AskWith(system.Token(schemas.System), http.MethodPost, "/events", structured, []byte(fmt.Sprintf(
		`{"specversion":"1.0","id":%q,"source":%q,"type":"care.footbridge.discharge.reported.v1","time":%q,"datacontenttype":"application/json","data":%s}`,
		id, system.HospitalSource, time.Now().Format(time.RFC3339), data)))
	var answer struct{ Journey string }
	if err := json.Unmarshal(got.Body, &answer); err != nil || answer.Journey == "" {
		w.t.Fatalf("a report: %d %s", got.Status, got.Body)
	}
	return answer.Journey
}

// inLetters writes an id as a name's ending: two people of one name and birth date would be a possible double, and a
// human would look first.
func inLetters(id string) string {
	return strings.Map(func(r rune) rune { return 'a' + (r*7)%26 }, id)
}

func (w *walk) one(into *string, query string, args ...any) {
	w.t.Helper()
	if err := w.Admin().QueryRow(w.t.Context(), query, args...).Scan(into); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// target is the id of the thing that a route is asked about.
func (w *walk) target(a asked) string {
	thing, route := a.route.Thing(), a.route
	if a.role == schemas.YoungPeoplesClinician && (thing == schemas.AboutJourney || thing == schemas.AboutStep) {
		return w.young[thing]
	}
	if things := w.things[route.Mux()]; things[thing] != "" {
		return things[thing]
	}
	switch thing {
	case schemas.AboutJourney:
		return w.shared.journey
	case schemas.AboutStep:
		return w.stepOf(w.shared.journey)
	case schemas.AboutPerson:
		return w.shared.person
	case schemas.AboutMessage:
		return w.shared.messages[0]
	case schemas.AboutRequest:
		return w.request
	case schemas.AboutFacility:
		return w.facility
	case schemas.AboutOffer:
		return w.offer
	case schemas.AboutPartner:
		return trusted
	case schemas.AboutOrganisation:
		return "RXX"
	case schemas.AboutSession, schemas.AboutEndpoint:
		return clock.NewRandomID()
	case schemas.AboutHelp:
		return w.help
	case schemas.AboutCall:
		team, suffix := "RXX", ""
		if a.role == schemas.Partner {
			team = trusted
		}
		if strings.HasSuffix(route.Pattern, "/person") {
			suffix = " person"
		}
		return w.calls[team+suffix]
	}
	if strings.HasSuffix(route.Pattern, "/help") {
		return w.shared.journey
	}
	return w.services
}

// agreed says on the bus, as the followup service would, that there is an agreement with a partner.
func (w *walk) agreed(partner string) {
	w.t.Helper()
	now := time.Now()
	w.say(schemas.Followup, schemas.PartnerChanged, partner, 1_000, schemas.PartnerChangedData{Partner: partner,
		AgreementFrom:  now.AddDate(0, 0, -30).Format(time.DateOnly),
		AgreementUntil: now.AddDate(1, 0, 0).Format(time.DateOnly), Invented: true})
	system.Eventually(w.t, func() error {
		var knowing string
		if w.one(&knowing, `select ((select count(*) from bridging.partner where id::text = $1)
			+ (select count(*) from intake.partner_terms where partner = $1))::text`, partner); knowing != "2" {
			return errors.New("who keeps to the agreement does not know of it")
		}
		return nil
	})
}

// callFor is a short call of somebody of RXX that an organisation's callers make.
func (w *walk) callFor(team string) (call string) {
	w.t.Helper()
	journey := w.report(time.Now().AddDate(-30, 0, 0))
	w.Resolve()
	w.staff("/api/journeys/"+journey+"/consent", `{"answers":[{"purpose":"bridging","state":"given"}],"how":"spoken"}`)
	w.say(schemas.Threshold, schemas.PathwayDecided, journey, 1_000, schemas.PathwayDecidedData{Open: []string{},
		Waits: []string{"a-list"}})
	system.Eventually(w.t, func() error {
		if w.one(&call, `select coalesce((select id::text from bridging.call where journey = $1::uuid
			and ended_at is null), '')`, journey); call == "" {
			return errors.New("no call is planned")
		}
		return nil
	})
	w.staff("/api/journeys/"+journey+"/plan", `{"team":"`+team+`"}`)
	return call
}

// claimed says on the bus, as the bridging service would, that somebody rings now.
func (w *walk) claimed(call string, who principal.Principal) {
	w.t.Helper()
	var journey string
	w.one(&journey, `select journey::text from bridging.call where id = $1::uuid`, call)
	w.claims++
	w.say(schemas.Bridging, schemas.CallClaimed, journey, 1_000_000+w.claims,
		schemas.CallClaimedData{Call: call, Organisation: who.Organisation, Holder: who.Mark(),
			Until: time.Now().Add(time.Hour)})
	system.Eventually(w.t, func() error {
		var holder string
		if w.one(&holder, `select coalesce((select holder from intake.call_grant where call = $1::uuid), '')`,
			call); holder != who.Mark() {
			return errors.New("intake does not know who rings")
		}
		return nil
	})
}

// say says something on the bus as a service would.
func (w *walk) say(service string, typ schemas.Type, journey string, sequence int64, data any) {
	w.t.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		w.t.Fatal(err)
	}
	now := time.Now()
	body, err := flow.Marshal(flow.Event{ID: clock.NewID(now), Source: "/footbridge/" + service, Type: string(typ),
		Subject: journey, Time: now, Correlation: clock.NewID(now),
		Sequence: flow.FormatSequence(sequence), Data: text})
	if err != nil {
		w.t.Fatal(err)
	}
	w.PublishAs(service, strings.TrimSuffix(typ.SubjectFilter(), "*")+journey, body)
}

// helpOf is a request for help, by somebody or by another.
func (w *walk) helpOf(who principal.Principal, own bool) string {
	w.t.Helper()
	if !own {
		who = *as("RXX", schemas.Navigator, "whose-request-it-is")
	}
	var asked struct{ Help string }
	got := w.AskAs(who, http.MethodPost, "/api/journeys/"+w.shared.journey+"/help", typeJSON, []byte(`{}`))
	if err := json.Unmarshal(got.Body, &asked); err != nil || asked.Help == "" {
		return clock.NewRandomID() // who may not ask for help has none
	}
	return asked.Help
}

// who asks: of RXX, whose the things are, or of somebody else.
func (w *walk) who(a asked) *principal.Principal {
	home, partner, person := "RXX", trusted, w.shared.person
	if things := w.things[a.route.Mux()]; things != nil {
		person = things[schemas.AboutPerson]
	}
	if !a.own {
		home, partner, person = "RZZ", another, clock.NewRandomID()
	}
	switch a.role {
	case schemas.Partner:
		return as(partner, a.role, "peer")
	case schemas.OfferLink:
		return as(partner, a.role, clock.NewRandomID())
	case schemas.Person:
		return as("self", a.role, person)
	case schemas.System:
		return as(home, a.role, "ed-system")
	}
	return as(home, a.role, "walks-"+clock.NewRandomID()[:8])
}

// ask asks, and says what was got.
func (w *walk) ask(a asked) (schemas.Visibility, string) {
	w.t.Helper()
	who, id := w.who(a), w.target(a)
	if a.role == schemas.OfferLink && a.own && a.route.Thing() == schemas.AboutOffer {
		who.Subject = id // the gateway makes such a one of a link alone
	}
	if a.route.Thing() == schemas.AboutSession {
		id = w.sessionOf(*who, a.own)
	}
	if a.route.Thing() == schemas.AboutTrace {
		w.one(&id, `select encode(trace, 'hex') from traces.fragment limit 1`)
	}
	if a.route.Thing() == schemas.AboutEndpoint {
		id = w.endpointOf(*who, a.own)
	}
	if strings.HasSuffix(a.route.Pattern, "/person") && a.own && a.route.Allows(a.role) {
		w.claimed(id, *who)
	}
	if strings.HasSuffix(a.route.Pattern, "/person-knows") {
		id = w.helpOf(*who, a.own)
	}
	path, contentType, body := w.fill(a.route, id, who.Organisation)
	if strings.Contains(a.route.Pattern, "{worker}") {
		path = strings.ReplaceAll(path, "{worker}", w.workerOf(id))
	}
	var headers []string
	if a.route.Service == schemas.Console {
		headers = append(headers, "Accept", "text/html")
		body += "&" + schemas.OpenedAs + "=" + who.Mark()
	}
	if a.reasoned {
		headers = append(headers, schemas.ReasonHeader, "they are on our ward tonight")
	}
	if strings.HasPrefix(a.route.Pattern, "/fhir/") {
		headers = append(headers, "X-Request-Id", clock.NewRandomID(), "X-Correlation-Id", clock.NewRandomID(),
			"NHSD-End-User-Organisation", "RXX")
	}
	got := w.AskAs(*who, a.route.Method, path, contentType, []byte(body), headers...)
	said := fmt.Sprintf("%d %.200s", got.Status, got.Body)
	return reachOf(got), said
}

func reachOf(got system.Answer) schemas.Visibility {
	body := string(got.Body)
	switch {
	case got.Status == http.StatusUnauthorized, got.Status == http.StatusForbidden &&
		(strings.Contains(body, "not-for-role") || strings.Contains(body, "not open to you") ||
			strings.Contains(body, "not open to your role")):
		return schemas.Refused
	case got.Status == http.StatusForbidden && strings.Contains(body, schemas.ReasonHeader):
		return schemas.AsksWhy
	case got.Status == http.StatusNotFound, strings.Contains(body, `"type":"searchset","total":0`):
		return schemas.Hidden
	case got.Status == http.StatusTooManyRequests, got.Status >= 500:
		return "answered otherwise"
	}
	return schemas.Reached
}

func (w *walk) fill(route schemas.Route, id, organisation string) (path, contentType, body string) {
	path = strings.NewReplacer("{id}", id, "{ref}", id, "{step}", w.stepOf(id), "{$}", "", "{file...}", "console.css",
		"{type}", string(schemas.DischargeRecorded)).Replace(route.Pattern)
	if route.Pattern == "/fhir/Task" {
		path += "?focus=ServiceRequest/" + id
	}
	if route.Pattern == "/api/thresholds/turned" {
		path += "?criterion=women" // of one service of the example directory
	}
	contentType = typeJSON
	switch {
	case path == "/events":
		contentType = structured
	case strings.HasPrefix(path, "/fhir/"):
		contentType = typeFHIR
	case strings.HasSuffix(path, "/list"):
		contentType = "text/csv"
	}
	other := w.services
	if route.Thing() == schemas.AboutPerson {
		other = w.shared.person
	}
	body = bodies[route.Method+" "+route.Pattern]
	if route.Service == schemas.Console {
		contentType = "application/x-www-form-urlencoded"
		body = url.Values{"why": {"they are on our ward tonight"}, "request": {clock.NewRandomID()},
			"owner": {"navigator:duty"}}.Encode()
	}
	if strings.HasSuffix(path, "/erase") {
		body = `{"reason":"they asked for it by letter"}`
	}
	body = strings.NewReplacer("OTHER", other, "DAY", time.Now().Format(time.DateOnly), "ID",
		"W"+clock.NewRandomID()[:8], `"RZZ"`, `"`+organisation+`"`).
		Replace(body)
	return path, contentType, body
}

// stepOf is an open step of a journey, or none.
func (w *walk) stepOf(journey string) string {
	w.t.Helper()
	step := clock.NewRandomID()
	err := w.Admin().QueryRow(w.t.Context(), `select id::text from journey.step where journey::text = $1
		and state = 'open' limit 1`, journey).Scan(&step)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		w.t.Fatal(err)
	}
	return step
}

// sessionOf is a session of somebody, or of another.
func (w *walk) sessionOf(who principal.Principal, own bool) (id string) {
	w.t.Helper()
	if !own {
		who = *as("RXX", schemas.Navigator, "whose-session-it-is")
	}
	w.AskAs(who, http.MethodGet, "/api/sessions", "", nil) // signs in
	w.one(&id, `select id::text from gateway.session where organisation = $1 and subject = $2 limit 1`,
		who.Organisation, who.Subject)
	return id
}

// workerOf is a new worker of a partner, with which RXX has an agreement, whoever recorded one first.
func (w *walk) workerOf(partner string) string {
	w.t.Helper()
	if _, err := w.Admin().Exec(w.t.Context(), `update followup.partner set held_by = 'RXX' where id = $1::uuid`,
		partner); err != nil {
		w.t.Fatal(err)
	}
	who, today := *as("RXX", schemas.Navigator, "adds-"+clock.NewRandomID()[:8]), time.Now().Format(time.DateOnly)
	agreed := w.AskAs(who, http.MethodPut, "/api/partners/"+partner+"/agreement", typeJSON, []byte(
		`{"from":"`+today+`","until":"`+time.Now().AddDate(1, 0, 0).Format(time.DateOnly)+
			`","outwardName":"Northgate","safeguarding":"the desk"}`))
	got := w.AskAs(who, http.MethodPost, "/api/partners/"+partner+"/workers", typeJSON, []byte(
		`{"name":"Robin Walker","mail":"`+clock.NewRandomID()[:8]+`@northgate.example","phone":"07700 900123"}`))
	var told struct{ Worker string }
	if err := json.Unmarshal(got.Body, &told); err != nil || told.Worker == "" {
		w.t.Fatalf("adding a worker: %d, and %d %s", agreed.Status, got.Status, got.Body)
	}
	return told.Worker
}

// endpointOf is an endpoint of a partner, or of another.
func (w *walk) endpointOf(who principal.Principal, own bool) string {
	w.t.Helper()
	partner, id := who.Organisation, clock.NewID(time.Now())
	switch {
	case own && who.Role == string(schemas.System):
		partner = schemas.ReferrerLog(who.Organisation)
	case !own || who.Role != string(schemas.Partner):
		partner = clock.NewRandomID()
	}
	if _, err := w.Admin().Exec(w.t.Context(), `insert into delivery.subscription (id, partner, url, types, state,
		because, secret, taken, next_at, created_at)
		values ($1::text::uuid, $2::text::uuid, 'https://partner.example/', '{}', 'paused', '', 'x', 0, now(), now())`,
		id, partner); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// asNobody asks without any credential, as a guest does.
func (w *walk) asNobody(route schemas.Route) {
	w.t.Helper()
	path, contentType, body := w.fill(route, w.target(asked{route: route}), "RXX")
	request, err := http.NewRequestWithContext(w.t.Context(), route.Method, "http://"+w.HTTP+path,
		strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if known := answer.StatusCode == http.StatusUnauthorized; known == route.Allows(schemas.Guest) {
		w.t.Errorf("%s as nobody: %d", route.Mux(), answer.StatusCode)
	}
}

// lists show what is of the caller's organisation, and nothing else.
func (w *walk) lists() {
	w.t.Helper()
	for path, thing := range map[string]string{"/api/journeys": w.shared.journey, "/api/messages": w.shared.messages[0],
		"/api/facilities": w.facility} {
		for _, role := range schemas.Roles() {
			for _, organisation := range []string{"RXX", "RZZ"} {
				route := schemas.Route{}
				for _, one := range schemas.Routes() {
					if one.Mux() == "GET "+path {
						route = one
					}
				}
				if !route.Allows(role) {
					continue
				}
				seen, cursor := false, ""
				for {
					got := w.AskAs(*as(organisation, role, "lists"), http.MethodGet, path+"?limit=100"+cursor, "", nil)
					var page struct{ Next string }
					if err := json.Unmarshal(got.Body, &page); err != nil || got.Status != http.StatusOK {
						w.t.Fatalf("%s as %s: %d %s", path, role, got.Status, got.Body)
					}
					seen = seen || strings.Contains(string(got.Body), thing)
					if page.Next == "" {
						break
					}
					cursor = "&cursor=" + page.Next
				}
				if want := organisation == "RXX" || role == schemas.Operator; seen != want {
					w.t.Errorf("GET %s as %s of %s shows RXX's %q: %v", path, role, organisation, thing, seen)
				}
			}
		}
	}
}
