package journeys

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// visitor goes through every door with one person's details, and keeps every answer: none may repeat who it is about.
type visitor struct {
	t       *testing.T
	s       *system.System
	b       birdPerson
	answers []place
}

// ask sends a request, keeps its answer and expects a status; 0 is any that is no fault of ours.
func (v *visitor) ask(status int, role schemas.Role, method, path, contentType, body string,
	headers ...string) system.Answer {
	v.t.Helper()
	answer := v.s.AskWith(system.Token(role), method, path, contentType, []byte(body), headers...)
	v.answers = append(v.answers, place{kindAnswer, method + " " + path,
		fmt.Appendf(nil, "%s\n%v", answer.Body, answer.Header)})
	if (status != 0 && answer.Status != status) || answer.Status >= 500 {
		v.t.Errorf("%s as %s: %d %s, want %d", path, role, answer.Status, answer.Body, status)
	}
	return answer
}

const (
	typeJSON = "application/json"
	typeFHIR = "application/fhir+json"
)

// everyDoor takes one person through all doors but those of fullRun, rightly and wrongly.
func everyDoor(t *testing.T, s *system.System, b birdPerson) []place {
	t.Helper()
	v := &visitor{t: t, s: s, b: b}
	journey := v.forms()
	v.lists()
	v.fhir()
	v.signals()
	v.quarantine()
	person := v.recorded(journey)
	v.people(person)
	v.commands(journey)
	return v.answers
}

// person is all that a form can say of somebody.
func (b birdPerson) person(more string) string {
	return fmt.Sprintf(
		`{"nhsNumber":%q,"nhsNumberVerified":true,"localId":%q,"familyName":%q,"givenName":%q,"birthDate":%q,"phone":%q,"email":%q,"address":"%s\n%s","postcode":%q%s}`,
		b.nhs, b.local, b.family, b.given, b.born.Format(time.DateOnly), b.phone, b.email, b.street, b.town, b.postcode,
		more)
}

// forms are the professional's and the person's own; it returns the journey.
func (v *visitor) forms() string {
	b := v.b
	const path = "/api/referrals"
	answer := v.ask(http.StatusAccepted, schemas.SendingTeam, "POST", path, typeJSON,
		fmt.Sprintf(`{"referral":"%s 1","visit":%q,"under18":"no","person":%s,
		"safeContact":{"channel":"phone","value":%q,"confirmed":true},"consents":[{"purpose":"follow-up","given":true,"how":"spoken"}]}`, b.family, b.visit, b.person(""), b.phone))
	var taken struct{ Journey string }
	if err := json.Unmarshal(answer.Body, &taken); err != nil || taken.Journey == "" {
		v.t.Fatalf("the form was answered %s", answer.Body)
	}
	v.answers = v.answers[:len(v.answers)-1] // it repeats the number that its sender gave the request, and nothing else
	v.ask(http.StatusAccepted, schemas.Person, "POST", path, typeJSON,
		fmt.Sprintf(`{"person":%s,"safeContact":{"channel":"email","value":%q}}`, b.person(""), b.email))
	v.ask(http.StatusAccepted, schemas.SendingTeam, "POST", path, typeJSON, `{"person":`+b.person("")+`}`,
		"Idempotency-Key", b.given+"-1")
	v.answers = v.answers[:len(v.answers)-1] // the same
	for _, wrong := range []string{`{"` + b.family + `": "` + b.nhs, `[` + b.person("") + `]`,
		`{"person":"` + b.family + `"}`, `{"under18":"` + b.given + `","person":` + b.person("") + `}`,
		`{"` + b.family + `":"` + b.given + `","person":` + b.person("") + `}`,
		`{"person":` + b.person(`,"`+b.street+`":1`) + `}`, `{"person":{"birthDate":"` + b.family + `"}}`,
		`{"organisation":"` + b.town + `","person":` + b.person("") + `}`,
		`{"person":` + b.person(`,"note":"`+strings.Repeat(b.ownWords, 1<<17)+`"`) + `}`} {
		v.ask(0, schemas.SendingTeam, "POST", path, typeJSON, wrong)
	}
	v.ask(http.StatusUnsupportedMediaType, schemas.SendingTeam, "POST", path, "text/"+strings.ToLower(b.family),
		b.person(""))
	return taken.Journey
}

func (v *visitor) lists() {
	b := v.b
	const path, head = "/api/referrals/list",
		"visit,local_id,nhs_number,family_name,given_name,birth_date,phone,email,address,postcode,safe_channel,safe_contact,follow_up\n"
	row := func(visit, born string) string {
		return strings.Join([]string{visit, b.local, b.nhs, b.family, b.given, born, b.phone, b.email, b.street,
			b.postcode, "phone", b.phone, "yes"}, ",") + "\n"
	}
	born := b.born.Format(time.DateOnly)
	v.ask(http.StatusOK, schemas.SendingTeam, "POST", path, "text/csv", head+row(b.visit+"2", born)+row(b.visit+"3",
		b.family)+row("", born)+b.family+"\n"+`"`+b.given)
	v.ask(http.StatusUnprocessableEntity, schemas.SendingTeam, "POST", path, "text/csv", "visit,"+b.family+"\n1,2\n")
	v.ask(http.StatusUnprocessableEntity, schemas.SendingTeam, "POST", path, "text/csv", row(b.visit, born))
	v.ask(http.StatusRequestEntityTooLarge, schemas.SendingTeam, "POST", path, "text/csv",
		head+strings.Repeat(row(b.visit+"4", born), 40000))
}

// referral is a message of the Booking and Referral Standard about the person.
func (b birdPerson) referral(id, asked, reason, status string) string {
	const who, from, encounter = "5b2f1a52-0000-4000-8000-000000000002", "5b2f1a52-0000-4000-8000-000000000004",
		"5b2f1a52-0000-4000-8000-000000000003"
	entry := func(id, resource string) string {
		return `{"fullUrl":"urn:uuid:` + id + `","resource":` + resource + `}`
	}
	return `{"resourceType":"Bundle","id":"` + id + `","type":"message","timestamp":"` + ago(time.Hour) +
		`","entry":[` + strings.Join([]string{
		entry("5b2f1a52-0000-4000-8000-000000000001",
			`{"resourceType":"MessageHeader","eventCoding":{"system":"https://fhir.nhs.uk/CodeSystem/message-events-bars","code":"servicerequest-request"},
			"sender":{"reference":"urn:uuid:`+from+`","display":"`+b.doctor+`"},"source":{"name":"`+b.family+
				`","endpoint":"https://sender.example/fhir"},
			"reason":{"coding":[{"system":"https://fhir.nhs.uk/CodeSystem/message-reason-bars","code":"`+reason+
				`"}]},"focus":[{"reference":"urn:uuid:`+asked+`"}]}`),
		entry(asked, `{"resourceType":"ServiceRequest","status":"`+status+`","intent":"plan","authoredOn":"`+
			ago(61*time.Minute)+`","note":[{"text":"`+b.ownWords+`"}],
			"identifier":[{"value":"`+b.local+`"}],
			"category":[{"coding":[{"system":"https://fhir.nhs.uk/CodeSystem/message-category-servicerequest","code":"referral"}]}],
			"subject":{"reference":"urn:uuid:`+who+`","display":"`+b.family+`"},"encounter":{"reference":"urn:uuid:`+
			encounter+`"}}`),
		entry(who, `{"resourceType":"Patient","identifier":[{"system":"https://fhir.nhs.uk/id/nhs-number","value":"`+
			b.nhs+`","extension":[{
			"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus","valueCodeableConcept":{"coding":[{"code":"number-present-and-verified"}]}}]},
			{"type":{"coding":[{"code":"MR"}]},"value":"`+b.local+`"}],"name":[{"use":"official","family":"`+b.family+
			`","given":["`+b.given+`"]}],"birthDate":"`+b.born.Format(time.DateOnly)+`",
			"telecom":[{"system":"phone","value":"`+b.phone+`"}],"address":[{"line":["`+b.street+`"],"city":"`+b.town+
			`","postalCode":"`+b.postcode+`"}]}`),
		entry(encounter, `{"resourceType":"Encounter","status":"finished","identifier":[{"value":"`+b.visit+
			`5"}],"class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"EMER"},
			"subject":{"reference":"urn:uuid:`+who+`"},"period":{"start":"`+ago(5*time.Hour)+`","end":"`+
			ago(2*time.Hour)+`"}}`),
		entry(from, `{"resourceType":"Organization","name":"`+b.town+
			`","identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"RXX"}]}`),
	}, ",") + `]}`
}

func (v *visitor) fhir() {
	b, asked, correlation := v.b, clock.NewRandomID(), clock.NewRandomID()
	send := func(status int, contentType, body string, headers ...string) {
		v.t.Helper()
		answer := v.ask(status, schemas.System, "POST", "/fhir/$process-message", contentType, body,
			append([]string{"X-Request-Id", clock.NewRandomID(), "X-Correlation-Id", correlation,
				"NHSD-End-User-Organisation", b.family}, headers...)...)
		if answer.Status != http.StatusOK && !strings.Contains(string(answer.Body), "OperationOutcome") {
			v.t.Errorf("a refusal over FHIR is no OperationOutcome: %s", answer.Body)
		}
	}
	whole := func(reason, status string) string { return b.referral(clock.NewRandomID(), asked, reason, status) }
	send(http.StatusOK, typeFHIR, whole("new", "active"))
	send(http.StatusOK, typeFHIR, whole("update", "active"))
	send(http.StatusOK, typeFHIR, whole("update", "revoked"))
	for _, wrong := range []string{`{"` + b.family + `":"` + b.nhs,
		strings.Replace(whole("new", "active"), `"birthDate":"`, `"birthDate":"`+b.family, 1),
		strings.Replace(whole("new", "active"), `"Patient"`, `"`+b.family+`"`, 1),
		strings.Replace(whole("new", "active"), `"family":`, `"`+b.given+`":`, 1),
		whole(strings.ToLower(b.family), "active"), whole("new", b.given),
		strings.Replace(whole("new", "active"), `"servicerequest-request"`, `"`+strings.ToLower(b.family)+`"`, 1),
		strings.Replace(whole("new", "active"),
			`"subject":{"reference":"urn:uuid:5b2f1a52-0000-4000-8000-000000000002"`, `"subject":{"reference":"`+
				b.family+`"`, 1),
		strings.Replace(whole("new", "active"), `"RXX"`, `"`+strings.ToUpper(b.family)+`"`, 1),
		strings.Repeat(b.ownWords, 1<<17)} {
		send(0, typeFHIR, wrong)
	}
	send(http.StatusUnsupportedMediaType, "application/fhir+xml", "<Patient><name value=\""+b.family+"\"/></Patient>")
	send(http.StatusBadRequest, typeFHIR, whole("new", "active"), "X-Request-Id", b.family)
	send(http.StatusBadRequest, typeFHIR, whole("new", "active"), "X-Correlation-Id", b.nhs)
	for _, path := range []string{"/fhir/ServiceRequest/" + asked, "/fhir/ServiceRequest/" + b.family,
		"/fhir/Task?focus=ServiceRequest/" + asked, "/fhir/Task?focus=" + b.nhs, "/fhir/Patient?family=" + b.family} {
		v.ask(0, schemas.System, "GET", path, "", "")
	}
}

// signals come in both forms, over HTTP and from a file.
func (v *visitor) signals() {
	b := v.b
	envelope := func(kind, subject, more string) string {
		return fmt.Sprintf(
			`{"specversion":"1.0","id":"%s","source":"uk.nhs.example","type":%q,"time":%q,"subject":%q%s}`,
			clock.NewRandomID(), kind, ago(time.Hour), subject, more)
	}
	history := fmt.Sprintf(
		`{"resourceType":"Bundle","id":"%s","type":"history","timestamp":%q,"entry":[{"fullUrl":"urn:uuid:fb88f7a9-0000-4000-8000-000000000001",
		"request":{"method":"GET","url":"https://example.org/s"},"response":{"status":"200"},"resource":{"resourceType":"Parameters","parameter":[{"name":"type","valueCode":"event-notification"},
		{"name":"notification-event","part":[{"name":"timestamp","valueInstant":%q}]},{"name":"additional-context","part":[
		{"name":"event-type","valueString":"pds-record-change-2"},{"name":"source","valueUri":"uk.nhs.example"},{"name":"subject","valueReference":{"identifier":{"value":%q}}}]}]}}]}`, clock.NewRandomID(), ago(time.Hour), ago(time.Hour), b.nhs)
	for _, taken := range []string{envelope("pds-record-change-2", b.nhs, ""), history,
		envelope("pds-change-of-gp-1", b.nhs, `,"dataref":"https://example.org/Patient/`+b.nhs+`"`),
		envelope(strings.ToLower(b.family)+"-1", b.nhs, "")} {
		v.ask(http.StatusAccepted, schemas.System, "POST", "/api/signals", typeJSON, taken)
	}
	for _, wrong := range []string{`{"` + b.family, envelope("pds-record-change-2", b.family, ""),
		envelope("pds-change-of-gp-1", b.family, ""), envelope("pds-record-change-2", b.nhs, `,"`+b.family+`":1`),
		envelope(b.family+"-1", b.nhs, ""),
		envelope("pds-record-change-2", b.nhs, `,"filtering":"`+b.given+`"`),
		strings.Replace(history, "event-notification", b.family, 1), strings.Repeat(b.ownWords, 1<<13)} {
		v.ask(0, schemas.System, "POST", "/api/signals", typeJSON, wrong)
	}
	file := filepath.Join(v.t.TempDir(), "feed.json")
	if err := os.WriteFile(file, []byte(envelope("pds-record-change-2", b.nhs, "")+"\n"+history+"\n"+
		envelope("pds-record-change-2", b.given, "")), 0o600); err != nil {
		v.t.Fatal(err)
	}
	v.command("signals", file)
}

// quarantine settles messages that only a human can: one is released with edits, one dismissed.
func (v *visitor) quarantine() {
	b, client := v.b, v.s.Dial()
	messages := b.hl7Visit(time.Now().AddDate(0, 0, -20), "Q") // an attendance of its own
	for _, m := range [][]byte{messages[0], messages[2]} {
		lines := strings.Split(strings.ReplaceAll(string(m), b.visit, b.visit+"6"), "\r")
		for i, line := range lines {
			if strings.HasPrefix(line, "PV2") {
				lines[i] = "PV2|||^Self-harm, said " + b.ownWords // free text alone: a human decides
			}
		}
		ack := v.s.Send(client, []byte(strings.Join(lines, "\r")))
		v.answers = append(v.answers, place{kindAnswer, "MLLP", fmt.Appendf(nil, "%+v", ack)})
	}
	v.s.Resolve()
	held := map[string]string{}
	for _, m := range v.s.Ledger("") {
		if m.Outcome == "quarantined" {
			held[m.Reason] = m.ID
		}
	}
	base := "/api/messages/" + held["no-end-time"]
	for _, wrong := range []string{`{"` + b.family, `{"facts":{"language":"` + b.ownWords + `"}}`,
		`{"` + b.family + `":"` + b.given + `"}`, `{"leftAt":"` + b.given + `"}`, `{"facts":"` + b.nhs + `"}`} {
		v.ask(0, schemas.Navigator, "POST", base+"/release", typeJSON, wrong)
	}
	v.ask(http.StatusOK, schemas.Navigator, "POST", base+"/release", typeJSON, `{"leftAt":"`+ago(19*24*time.Hour)+
		`","facts":{"language":"cy"}}`)
	v.ask(http.StatusOK, schemas.Navigator, "POST", "/api/messages/"+held["scope-undecided"]+"/dismiss", typeJSON, "")
	v.ask(0, schemas.Navigator, "POST", "/api/messages/"+b.family+"/dismiss", typeJSON, "")
}

// recorded is what the liaison team records on a journey; it returns the person's reference.
func (v *visitor) recorded(journey string) string {
	b, base := v.b, "/api/journeys/"+journey
	v.ask(http.StatusOK, schemas.SendingTeam, "POST", base+"/contact", typeJSON,
		fmt.Sprintf(`{"channels":[{"channel":"phone","value":%q,"confirmed":true}],
		"named":[{"name":%q,"is":"sister","mayHear":"that-we-called"}],"neverTell":[%q],"needsNote":%q,"note":%q}`,
			b.phone, b.kin, b.doctor, b.ownWords, b.ownWords))
	v.ask(http.StatusOK, schemas.SendingTeam, "POST", base+"/preferences", typeJSON,
		fmt.Sprintf(`{"channels":["phone"],"words":%q}`, b.ownWords+" says "+b.given))
	v.ask(http.StatusOK, schemas.SendingTeam, "POST", base+"/consent", typeJSON,
		`{"answers":[{"purpose":"bridging","state":"given"}],"how":"spoken"}`)
	v.ask(http.StatusForbidden, schemas.SendingTeam, "POST", base+"/consent", typeJSON,
		`{"answers":[{"purpose":"bridging","state":"given"}],"how":"spoken",
		"mayConsent":{"basis":"`+b.doctor+`","whosePhone":"`+b.kin+`","mayKnow":"`+b.given+`"}}`)
	v.ask(http.StatusForbidden, schemas.SendingTeam, "POST", base+"/consent", typeJSON,
		`{"mayConsent":{"basis":"gillick","whosePhone":"`+b.kin+`","mayKnow":"`+b.given+`"}}`)
	v.ask(http.StatusNotFound, schemas.YoungPeoplesClinician, "POST", base+"/consent", typeJSON,
		`{"mayConsent":{"basis":"gillick","whosePhone":"`+b.kin+`","mayKnow":"`+b.given+`"}}`)
	for _, path := range []string{"/contact", "/preferences", "/consent"} {
		for _, wrong := range []string{`{"` + b.family + `": "` + b.nhs, `{"` + b.family + `":"` + b.given + `"}`,
			`{"channels":"` + b.phone + `","answers":"` + b.family + `"}`,
			`{"channels":[{"channel":"` + b.given + `","value":"` + b.phone + `"}],"answers":[{"purpose":"` + b.family +
				`","state":"given"}]}`, `"` + strings.Repeat(b.ownWords, 1<<16) + `"`} {
			v.ask(0, schemas.SendingTeam, "POST", base+path, typeJSON, wrong)
		}
	}
	v.ask(http.StatusNotFound, schemas.Partner, "GET", base+"/identity", "", "")
	v.ask(http.StatusForbidden, schemas.SendingTeam, "GET", base+"/identity", "", "", "Access-Reason",
		strings.Repeat(b.given, 100))
	seen := v.s.AskWith(system.Token(schemas.SendingTeam), "GET", base+"/identity", "", nil, "Access-Reason",
		"to ring back "+b.family)
	var who struct{ Person, FamilyName string }
	if err := json.Unmarshal(seen.Body, &who); err != nil || who.Person == "" {
		v.t.Fatalf("the liaison team sees %d %s", seen.Status, seen.Body)
	}
	return who.Person
}

// people are the routes about a person: another record of theirs is merged, parted, held and erased.
func (v *visitor) people(person string) {
	b, base := v.b, "/api/people/"+person
	for _, path := range []string{"/merge", "/unmerge", "/erase", "/contact-stopped", "/contact-resumed",
		"/legal-hold"} {
		for _, wrong := range []string{`{"` + b.family, `{"` + b.given + `":"` + b.nhs + `"}`,
			`{"other":"` + b.family + `","by":"` + b.kin + `","reason":7,"on":"` + b.given + `"}`} {
			v.ask(0, schemas.Navigator, "POST", base+path, typeJSON, wrong)
			v.ask(0, schemas.Navigator, "POST", "/api/people/"+b.family+path, typeJSON, `{"reason":"`+b.ownWords+`"}`)
		}
	}
	var other string
	if err := v.s.Admin().QueryRow(v.t.Context(), `select id::text from intake.person where id <> $1::uuid
		and survivor is null and organisation = 'RXX' order by id desc limit 1`, person).Scan(&other); err != nil {
		v.t.Fatal(err)
	}
	v.ask(http.StatusOK, schemas.Navigator, "POST", base+"/merge", typeJSON, `{"other":"`+other+`","reason":"`+b.family+
		` twice, says `+b.kin+`"}`)
	v.ask(http.StatusOK, schemas.Navigator, "POST", base+"/unmerge", typeJSON, `{"other":"`+other+`","reason":"not `+
		b.family+`"}`)
	v.ask(http.StatusOK, schemas.Navigator, "POST", base+"/contact-stopped", typeJSON, `{"reason":"`+b.kin+` rang"}`)
	v.ask(http.StatusOK, schemas.Navigator, "POST", base+"/contact-resumed", typeJSON, `{"reason":"`+b.given+` rang"}`)
	v.ask(http.StatusOK, schemas.Navigator, "POST", base+"/legal-hold", typeJSON, `{"on":true}`)
	v.ask(http.StatusConflict, schemas.Navigator, "POST", base+"/erase", typeJSON, `{"reason":"asked by `+b.given+`"}`)
	v.ask(http.StatusOK, schemas.Navigator, "GET", base+"/access", "", "")
	v.answers = v.answers[:len(v.answers)-1] // the stated reasons are shown to whoever may read them
}

// commands are those whose output is not meant to show who anybody is.
func (v *visitor) commands(journey string) {
	for _, args := range [][]string{{"messages"}, {"messages", "--json"}, {"journeys"}, {"journeys", journey},
		{"trace", journey}, {"status"}, {"deadletters", "list"}, {"doctor"},
		{"erase", "--reason", "asked"}} {
		v.command(args...)
	}
}

func (v *visitor) command(args ...string) {
	v.t.Helper()
	settings := map[string]string{"FOOTBRIDGE_STATE_DIR": v.s.StateDir, "FOOTBRIDGE_HTTP_ADDR": v.s.HTTP,
		"FOOTBRIDGE_OPS_ADDR": v.s.Ops, "FOOTBRIDGE_MLLP_ADDR": v.s.MLLP, "FOOTBRIDGE_NATS_URL": v.s.NATS}
	for name, url := range v.s.DB.URLs {
		settings["FOOTBRIDGE_"+strings.ToUpper(name)+"_DATABASE_URL"] = url
	}
	out, _ := system.Run(v.t, v.s.StateDir, settings, args...) // some of them end with 1: there is something to look at
	if strings.TrimSpace(out) == "" || strings.Contains(out, "goroutine ") {
		v.t.Errorf("%v said: %s", args, out)
	}
	v.answers = append(v.answers, place{kindAnswer, "the command " + strings.Join(args[:1], " "), []byte(out)})
}

// loud has the database write every statement into its log, with what was bound to it.
func loud(t *testing.T) func(db *testkit.DB) {
	return func(db *testkit.DB) {
		for _, setting := range []string{"log_min_duration_statement = 0", "log_parameter_max_length_on_error = -1",
			"log_error_verbosity = verbose"} {
			if _, err := db.Admin().Exec(t.Context(), "alter database "+db.Name+" set "+setting); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// serverLog is what PostgreSQL wrote: statements, what was bound to them, and what it says of errors.
func serverLog(t *testing.T, s *system.System) place {
	t.Helper()
	var collected *string
	var folder string
	if err := s.Admin().QueryRow(t.Context(),
		`select pg_current_logfile(), current_setting('data_directory')`).Scan(&collected, &folder); err != nil {
		t.Fatal(err)
	}
	log := ""
	if collected != nil { // in a container
		if err := s.Admin().QueryRow(t.Context(), `select pg_read_file($1)`, *collected).Scan(&log); err != nil {
			t.Fatal(err)
		}
	} else {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(folder), "postgres.log"))
		if err != nil {
			t.Fatal(err)
		}
		log = string(content)
	}
	// What the scanner itself asks is no leak: it reads tables as text.
	lines := slices.DeleteFunc(strings.Split(log, "\n"), func(line string) bool {
		return !strings.Contains(line, "@"+s.DB.Name) && !strings.HasPrefix(line, "\t")
	})
	if len(lines) < 100 {
		t.Errorf("PostgreSQL wrote only %d lines", len(lines))
	}
	return place{kindServerLog, "PostgreSQL's log", []byte(strings.Join(lines, "\n"))}
}
