package journeys

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/intake"
	"footbridge/tests/system"
)

// eraser is somebody of whom everything is to be erased, as all who ever read them meet it.
type eraser struct {
	*system.System
	t               *testing.T
	journey, person string
	partner         principal.Principal
}

const erasedName = "Zaunkoenig"

func newEraser(t *testing.T) *eraser {
	e := &eraser{System: system.Start(t), t: t,
		partner: principal.Principal{Organisation: "8c4bba9e-7c82-48a1-8bbd-6fb23f09d445",
			Role: string(schemas.Partner), Subject: "peer"}}
	event := fmt.Sprintf(
		`{"specversion": "1.0", "id": "erase-1", "source": %q, "type": %q, "datacontenttype": "application/json", "time": %q,
		"data": {"organisation": "RXX", "visit": "ERASE-1", "inScope": true, "leftAt": %q,
			"person": {"localId": "ERASE-1", "familyName": %q, "givenName": "Robin", "birthDate": "1990-04-01", "phone": "07700 900002"}}}`,
		system.HospitalSource, schemas.DischargeReported, time.Now().Format(time.RFC3339),
		time.Now().Add(-time.Hour).Format(time.RFC3339), erasedName)
	var taken struct{ Journey string }
	e.must(http.StatusAccepted, e.Ask(schemas.System, http.MethodPost, "/events", "application/cloudevents+json",
		[]byte(event)), &taken)
	e.journey = taken.Journey
	e.Resolve()
	return e
}

func (e *eraser) must(status int, got system.Answer, into any) {
	e.t.Helper()
	if got.Status != status {
		e.t.Fatalf("answered %d %s, want %d", got.Status, got.Body, status)
	}
	if into != nil {
		if err := json.Unmarshal(got.Body, into); err != nil {
			e.t.Fatal(err)
		}
	}
}

func (e *eraser) navigator(path, body string) system.Answer {
	e.t.Helper()
	return e.Ask(schemas.Navigator, http.MethodPost, path, "application/json", []byte(body))
}

// readers are all who may ever read who somebody is, and how each asks.
func (e *eraser) readers() map[string]principal.Principal {
	return map[string]principal.Principal{
		"the liaison team": {Organisation: "RXX", Role: string(schemas.SendingTeam), Subject: "nurse"},
		"a navigator":      {Organisation: "RXX", Role: string(schemas.Navigator), Subject: "navigator"},
		"treating staff":   {Organisation: "RYY", Role: string(schemas.TreatingStaff), Subject: "doctor"},
		"the partner":      e.partner,
		"the person":       {Organisation: "self", Role: string(schemas.Person), Subject: e.person},
	}
}

func (e *eraser) reads(who principal.Principal) bool {
	e.t.Helper()
	got := e.AskAs(who, http.MethodGet, "/api/journeys/"+e.journey+"/identity", "", nil, intake.ReasonHeader,
		"to see who reads")
	return got.Status == http.StatusOK && strings.Contains(string(got.Body), erasedName)
}

// erase runs the command as one of two operators, with the reference on standard input.
func (e *eraser) erase(token string, args ...string) (output string, code int) {
	e.t.Helper()
	settings := e.Settings()
	settings["FOOTBRIDGE_TOKEN"] = token
	return system.RunWith(e.t, e.StateDir, settings, e.person+"\n", append([]string{"erase"}, args...)...)
}

// request asks for the erasure, and gives the request's id.
func (e *eraser) request() string {
	e.t.Helper()
	out, code := e.erase(system.Erasers[0], "--reason", "asked for by the person", "--json")
	var asked struct{ Request string }
	if err := json.Unmarshal([]byte(out), &asked); code != 0 || err != nil || asked.Request == "" {
		e.t.Fatalf("asking for it ended with %d (%v):\n%s", code, err, out)
	}
	return asked.Request
}

// command runs another command of the program.
func (e *eraser) command(args ...string) string {
	e.t.Helper()
	out, code := system.Run(e.t, e.StateDir, e.Settings(), args...)
	if code != 0 {
		e.t.Errorf("%v ended with %d:\n%s", args, code, out)
	}
	return out
}

// TestErasingIsRefusedWithAnOpenJourneyAndLeavesNobodyAbleToReadOnceItIsClosed is the whole of it, as people meet it:
// over HTTP and by command, until nobody reads anything.
func TestErasingIsRefusedWithAnOpenJourneyAndLeavesNobodyAbleToReadOnceItIsClosed(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	path := "/api/journeys/" + e.journey
	e.must(http.StatusOK, e.navigator(path+"/contact",
		`{"channels": [{"channel": "phone", "value": "07700 900099", "confirmed": true}]}`), nil)
	e.must(http.StatusOK, e.navigator(path+"/consent", `{"answers": [{"purpose": "follow-up", "organisation": "`+
		e.partner.Organisation+`", "state": "given"}], "how": "spoken"}`), nil)
	var identity struct{ Person string }
	e.must(http.StatusOK, e.AskAs(e.readers()["a navigator"], http.MethodGet, path+"/identity", "", nil,
		intake.ReasonHeader, "to see who reads"), &identity)
	e.person = identity.Person
	(&openToNobody{e.System, t}).accept(&known{journey: e.journey}, e.partner.Organisation)
	for name, who := range e.readers() {
		if !e.reads(who) {
			t.Errorf("before anything is erased, %s cannot read, so that nothing below would show", name)
		}
	}
	reason := []string{"--reason", "asked for by the person"}

	out, code := e.erase(system.Erasers[0], reason...)
	if code != 1 || !strings.Contains(out, e.journey) || !strings.Contains(out, "POST /api/journeys/{id}/close") {
		t.Errorf("with an open journey it ended with %d:\n%s", code, out)
	}
	e.must(http.StatusOK, e.navigator(path+"/hold", `{"place": "ward", "heldBy": "ward-team", "reviewOn": "`+
		time.Now().AddDate(0, 0, 7).Format(time.DateOnly)+`"}`), nil)
	e.Resolve()
	if out, code := e.erase(system.Erasers[0], reason...); code != 1 || !strings.Contains(out, "held") {
		t.Errorf("with a held journey it ended with %d:\n%s", code, out)
	}
	if out := e.command("journeys", e.journey); !strings.Contains(out, "held: ward (ward-team)") {
		t.Errorf("the command shows\n%s", out)
	}
	e.must(http.StatusOK, e.navigator(path+"/close",
		`{"reason": "complete", "told": "in-person", "wayBack": "our-number", "on": "`+time.Now().Format(time.DateOnly)+
			`", "personAgrees": true}`), nil)
	e.Resolve()
	if e.reads(e.partner) {
		t.Error("the journey is closed, and the partner still reads who the person is")
	}
	if out := e.command("journeys", e.journey); !strings.Contains(out,
		"complete; told: in-person; way back: our-number") {
		t.Errorf("the command shows\n%s", out)
	}
	if out := e.command("journeys", "--closed"); !strings.Contains(out, e.journey) {
		t.Errorf("the command lists as closed\n%s", out)
	}
	e.must(http.StatusOK, e.navigator("/api/people/"+e.person+"/legal-hold", `{"on": true}`), nil)
	if out, code := e.erase(system.Erasers[0], reason...); code != 1 ||
		!strings.Contains(out, "POST /api/people/{ref}/legal-hold") {
		t.Errorf("under a legal hold it ended with %d:\n%s", code, out)
	}
	e.must(http.StatusOK, e.navigator("/api/people/"+e.person+"/legal-hold", `{"on": false}`), nil)
	if out, code := e.erase("", reason...); code != 2 || !strings.Contains(out, "FOOTBRIDGE_TOKEN") {
		t.Errorf("by nobody in particular it ended with %d:\n%s", code, out)
	}
	testkit.Eventually(t, "spans of the journey are kept", func() bool { // else nothing below would show them
		_, code := system.Run(t, e.StateDir, e.Settings(), "trace", e.journey)
		return code == 0
	})
	asked := e.request()
	if out, code := e.erase(system.Erasers[0], "--confirm", asked); code != 1 ||
		!strings.Contains(out, "Another person confirms it") {
		t.Errorf("by one person, twice, it ended with %d:\n%s", code, out)
	}
	if !e.reads(e.readers()["a navigator"]) {
		t.Error("it was erased before a second person confirmed")
	}

	out, code = e.erase(system.Erasers[1], "--confirm", asked)
	for _, says := range []string{"intake.person_key", "intake.message_key", "intake.contact_card", "backups: ",
		"until they are overwritten", "kept: "} {
		if code != 0 || !strings.Contains(out, says) {
			t.Errorf("erasing ended with %d and does not say %q:\n%s", code, says, out)
		}
	}
	e.nobodyReads()
	if out, code := e.erase(system.Erasers[1], "--confirm", e.request()); code != 0 ||
		!strings.Contains(out, "person_key") {
		t.Errorf("erasing again, as after restoring a backup, ended with %d:\n%s", code, out)
	}
	e.nobodyReads()
}

// nobodyReads asks everywhere for somebody who has been erased.
func (e *eraser) nobodyReads() {
	e.t.Helper()
	for name, who := range e.readers() {
		if e.reads(who) {
			e.t.Errorf("%s still reads who it was", name)
		}
	}
	for _, args := range [][]string{{"journeys", e.journey, "--json"}, {"journeys", "--json"}, {"messages", "--json"},
		{"trace", e.journey}} {
		if out := e.command(args...); strings.Contains(out, erasedName) || strings.Contains(out, "900099") {
			e.t.Errorf("%v shows\n%s", args, out)
		}
	}
	var kept int
	err := e.Admin().QueryRow(e.t.Context(), `select (select count(*) from intake.person_key where person = $1::uuid)
		+ (select count(*) from intake.contact_card where person = $1::uuid) + (select count(*) from intake.message
		where raw is not null)
		+ (select count(*) from intake.note where person = $1::uuid) + (select count(*) from intake.partner_person
		where person = $1::uuid)`, e.person).Scan(&kept)
	if err != nil || kept != 0 {
		e.t.Errorf("%d rows still hold something of them (%v)", kept, err)
	}
}
