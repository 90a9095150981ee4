// Package journeys plays whole journeys over the running program, as a hospital, staff and operators meet it: what was
// sent, what was answered, and what must be true afterwards. The journeys are scenarios in YAML; bad input, broken
// configurations and the search for canaries are tests of their own.
package journeys

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"

	"footbridge/schemas"
	"footbridge/tests/system"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

//go:embed scenarios/*.yaml
var scenarioFiles embed.FS

// Scenario is one story: who the person is, what is sent in which order, and what is true in the end.
type Scenario struct {
	Name   string `yaml:"name"`
	Person Person `yaml:"person"`
	Sent   []Act  `yaml:"sent"`
	Then   Truth  `yaml:"then"`
}

// Person is invented. Born is an age in years, or empty when the sender does not say.
type Person struct {
	Age int `yaml:"age"`
}

// Act is one thing somebody does, and what it is answered with.
type Act struct {
	// ADT is an HL7 message's trigger, sent over MLLP; At is when it happened, from now ("-2h").
	ADT       string `yaml:"adt"`
	At        string `yaml:"at"`
	Reason    string `yaml:"reason"`    // PV2-3
	Diagnosis string `yaml:"diagnosis"` // DG1-3
	Visit     string `yaml:"visit"`     // the scenario's own one where empty
	// Event is a CloudEvent's short type, sent over HTTP with Data, a template of JSON.
	Event string `yaml:"event"`
	Data  string `yaml:"data"`
	// Release or Dismiss settles the message that was sent as that act, counted from 1.
	Release int `yaml:"release"`
	Dismiss int `yaml:"dismiss"`
	// Record is what staff record on the scenario's one journey, such as consent, with Data; As is their role, a
	// navigator's where none is given.
	Record string       `yaml:"record"`
	As     schemas.Role `yaml:"as"`
	// Turn is what a navigator does with the whole journey, once everything before has settled: hold, release, close or
	// reopen, with Data, which may say {{.Day 7}} for a local day so many days from now. Done does the open step of a
	// kind.
	Turn string `yaml:"turn"`
	Done string `yaml:"done"`

	Answer  string `yaml:"answer"` // AA, or a status
	Outcome string `yaml:"outcome"`
}

// Truth is what must hold when everything has settled.
type Truth struct {
	Journeys int `yaml:"journeys"`
	// State is how the first of them stands; open where empty. A closed one has no open step, any other always has.
	State string `yaml:"state"`
	// Steps are open; each has an owner and a due time. Others may be open too, unless Only.
	Steps []struct {
		Kind  string `yaml:"kind"`
		Owner string `yaml:"owner"` // or how it begins
		Due   string `yaml:"due"`   // tomorrow, or any
	} `yaml:"steps"`
	Only bool `yaml:"only"`
	// Timeline holds these types, short; Never none of these; Bus counts them.
	Timeline []string       `yaml:"timeline"`
	Never    []string       `yaml:"never"`
	Bus      map[string]int `yaml:"bus"`
	// About are open steps about messages that have no journey: how many were quarantined and not settled.
	SetAside int `yaml:"setAside"`
}

func TestScenariosEndAsTheyShould(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	files, err := scenarioFiles.ReadDir("scenarios")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Add(len(files))
	t.Cleanup(running.Wait)
	for i, file := range files {
		content, err := scenarioFiles.ReadFile(path.Join("scenarios", file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		var scenario Scenario
		decoder := yaml.NewDecoder(bytes.NewReader(content))
		decoder.KnownFields(true)
		if err := decoder.Decode(&scenario); err != nil {
			t.Fatalf("%s: %v", file.Name(), err)
		}
		t.Run(scenario.Name, func(t *testing.T) {
			defer running.Done()
			p := &player{t: t, System: s, scenario: scenario, now: time.Now(), sender: fmt.Sprintf("SCENARIO%d", i+1),
				number: i + 1}
			p.play()
		})
	}
}

// player plays one scenario. Each has a sending application, a visit and a person of its own.
type player struct {
	*system.System
	t        *testing.T
	scenario Scenario
	now      time.Time
	sender   string
	number   int
	messages []string // ids of the ledger, by act
	journeys []string
}

// ago is an instant before now as it is written in JSON: the program has the machine's clock, so no test writes a day
// down.
func ago(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }

// family is a name that no other scenario's person has: in letters, since a name is compared by its letters alone. Two
// of one name and birth date would be asked about as one person, now and then, when a loop looks in between.
func (p *player) family() string {
	return "Examplewood" + strings.Map(func(digit rune) rune { return digit - '0' + 'a' }, strconv.Itoa(p.number))
}

func (p *player) play() {
	for i, act := range p.scenario.Sent {
		got, outcome := p.act(i, act)
		if got != act.Answer || (act.Outcome != "" && outcome != act.Outcome) {
			p.t.Errorf("act %d: answered %s, outcome %s; want %s, %s", i+1, got, outcome, act.Answer, act.Outcome)
		}
	}
	p.Resolve()
	for _, m := range p.ledger() {
		if m.Journey != "" && !slices.Contains(p.journeys, m.Journey) && !strings.HasPrefix(m.Outcome, "quarantined") {
			p.journeys = append(p.journeys, m.Journey)
		}
	}
	p.check()
}

func (p *player) ledger() []system.Message {
	return slices.DeleteFunc(p.Ledger(""),
		func(m system.Message) bool { return !strings.HasPrefix(m.ControlID, p.sender+"-") })
}

func (p *player) act(i int, act Act) (answer, outcome string) {
	switch {
	case act.ADT != "":
		control := fmt.Sprintf("%s-%d", p.sender, i+1)
		client := p.Dial()
		ack := p.Send(client, p.adt(control, act))
		_ = client.Close()
		return string(ack.Code), p.outcomeOf(control, i)
	case act.Event != "":
		id := fmt.Sprintf("%s-%d", p.sender, i+1)
		got := p.Ask(schemas.System, http.MethodPost, "/events", "application/cloudevents+json", p.event(id, act))
		return fmt.Sprint(got.Status), p.outcomeOf(id, i)
	}
	if act.Record != "" {
		return p.record(act), ""
	}
	if act.Turn != "" || act.Done != "" {
		return p.turn(act), ""
	}
	what, of := "release", act.Release
	if act.Dismiss > 0 {
		what, of = "dismiss", act.Dismiss
	}
	got := p.Ask(schemas.Navigator, http.MethodPost, "/api/messages/"+p.messages[of-1]+"/"+what, "application/json",
		[]byte("{}"))
	p.messages = append(p.messages, "")
	var line system.Message
	if err := json.Unmarshal(got.Body, &line); err != nil {
		p.t.Errorf("settling: %d %s", got.Status, got.Body)
	}
	return fmt.Sprint(got.Status), line.Outcome
}

// record says something of the scenario's one journey, once it is there.
func (p *player) record(act Act) string {
	p.messages = append(p.messages, "")
	got := p.Ask(cmp.Or(act.As, schemas.Navigator), http.MethodPost, "/api/journeys/"+p.first()+"/"+act.Record,
		"application/json", []byte(act.Data))
	if fmt.Sprint(got.Status) != act.Answer {
		p.t.Errorf("recording %s: %d %s", act.Record, got.Status, got.Body)
	}
	return fmt.Sprint(got.Status)
}

// turn does something with the journey that has begun, or with a step of it, and looks whether the journey stands
// still.
func (p *player) turn(act Act) (answer string) {
	p.messages = append(p.messages, "")
	p.Resolve()
	id := p.first()
	path, body := "/api/journeys/"+id+"/"+act.Turn, p.fill(act.Data)
	if act.Done != "" {
		path = "/api/steps/" + p.open(id, act.Done) + "/done"
	}
	if len(body) == 0 {
		body = []byte("{}")
	}
	got := p.Ask(schemas.Navigator, http.MethodPost, path, "application/json", body)
	p.Resolve()
	p.noStandstill(id)
	return fmt.Sprint(got.Status)
}

// first is the journey that the scenario's first message led to.
func (p *player) first() string {
	for _, m := range p.ledger() {
		if m.Journey != "" {
			return m.Journey
		}
	}
	p.t.Fatal("no journey has begun")
	return ""
}

// open is the id of an open step of a kind.
func (p *player) open(id, kind string) string {
	j, err := p.Journey(id)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, s := range j.Steps {
		if s.Kind == kind {
			return s.Step
		}
	}
	p.t.Fatalf("no step %s is open: %+v", kind, j.Steps)
	return ""
}

// noStandstill: a journey that is not closed has a next step with an owner and a due time; a closed one has none.
func (p *player) noStandstill(id string) {
	j, err := p.Journey(id)
	if err != nil {
		p.t.Fatal(err)
	}
	if closed := j.State == "closed"; closed == (len(j.Steps) > 0) {
		p.t.Errorf("the journey is %s and has %d open steps: %+v", j.State, len(j.Steps), j.Steps)
	}
	for _, step := range j.Steps {
		if step.Owner == "" || step.DueAt.IsZero() {
			p.t.Errorf("step %s has no owner or no due time", step.Kind)
		}
	}
}

func (p *player) outcomeOf(control string, i int) string {
	for _, m := range p.ledger() {
		if m.ControlID == control {
			p.messages = append(p.messages, m.ID)
			return m.Outcome
		}
	}
	p.t.Errorf("act %d: message %s is not in the ledger", i+1, control)
	p.messages = append(p.messages, "")
	return "not in the ledger"
}

const hl7Time = "20060102150405-0700"

func (p *player) at(from string) time.Time {
	ago, err := time.ParseDuration(from)
	if from != "" && err != nil {
		p.t.Fatalf("time %q: %v", from, err)
	}
	return p.now.Add(ago)
}

// adt writes a message about the scenario's person and visit.
func (p *player) adt(control string, act Act) []byte {
	at, born := p.at(act.At), ""
	if p.scenario.Person.Age > 0 {
		born = p.now.AddDate(-p.scenario.Person.Age, 0, -40).Format("20060102")
	}
	visit := act.Visit
	if visit == "" {
		visit = fmt.Sprintf("V-%s", p.sender)
	}
	segments := []string{
		fmt.Sprintf(`MSH|^~\&|%s|RXX|FOOTBRIDGE|RXX|%s||ADT^%s|%s|P|2.4`, p.sender, p.now.Format(hl7Time), act.ADT,
			control),
		fmt.Sprintf(`EVN|%s|%s`, act.ADT, at.Format(hl7Time)),
		fmt.Sprintf(`PID|1||%s^^^RXX^MR||%s^Scenario||%s|F|||1 Example Street^^Exampleton^^TQ1 4AB||07700 900123`,
			p.sender, p.family(), born),
		fmt.Sprintf(`PV1|1|E|AE||||||||||||||||%s`, visit),
	}
	switch act.ADT {
	case "A03":
		segments[3] += strings.Repeat("|", 44-18-1+1) + "|" + at.Format(hl7Time)
	default:
		segments[3] += strings.Repeat("|", 25) + at.Format(hl7Time)
	}
	if act.Reason != "" {
		segments = append(segments, "PV2|||"+act.Reason)
	}
	if act.Diagnosis != "" {
		segments = append(segments, "DG1|1||"+act.Diagnosis)
	}
	return []byte(strings.Join(segments, "\r") + "\r")
}

// event writes a CloudEvent; its data may say {{.Sender}}, {{.Family}}, {{.Visit}}, {{.At "-2h"}}, {{.Day 7}} and
// {{.Born}}.
func (p *player) event(id string, act Act) []byte {
	body, err := json.Marshal(map[string]any{"specversion": "1.0", "id": id, "source": system.HospitalSource,
		"type": schemas.TypePrefix + act.Event, "time": p.now.Format(time.RFC3339),
		"datacontenttype": "application/json",
		"data":            json.RawMessage(p.fill(act.Data))})
	if err != nil {
		p.t.Fatal(err)
	}
	return body
}

func (p *player) fill(data string) []byte {
	parsed, err := template.New("data").Parse(data)
	if err != nil {
		p.t.Fatal(err)
	}
	var filled bytes.Buffer
	if err := parsed.Execute(&filled, blanks{p}); err != nil {
		p.t.Fatal(err)
	}
	return filled.Bytes()
}

type blanks struct{ p *player }

func (b blanks) Sender() string        { return b.p.sender }
func (b blanks) Family() string        { return b.p.family() }
func (b blanks) Visit() string         { return "V-" + b.p.sender }
func (b blanks) At(from string) string { return b.p.at(from).Format(time.RFC3339) }
func (b blanks) Day(days int) string   { return b.p.now.AddDate(0, 0, days).Format(time.DateOnly) }
func (b blanks) Born() string {
	return b.p.now.AddDate(-b.p.scenario.Person.Age, 0, -40).Format(time.DateOnly)
}

func (p *player) check() {
	then := p.scenario.Then
	if len(p.journeys) != then.Journeys {
		p.t.Errorf("%d journeys, want %d", len(p.journeys), then.Journeys)
	}
	aside := 0
	for _, m := range p.ledger() {
		if m.Outcome == "quarantined" {
			aside++
			if m.DueAt == nil {
				p.t.Errorf("message %s is quarantined without a due time", m.ControlID)
			}
		}
	}
	if aside != then.SetAside {
		p.t.Errorf("%d messages are quarantined, want %d", aside, then.SetAside)
	}
	for _, id := range p.journeys {
		system.Eventually(p.t, func() error { return p.begun(id) })
		p.checkJourney(id)
	}
}

func (p *player) begun(id string) error {
	_, err := p.Journey(id)
	return err
}

func (p *player) checkJourney(id string) {
	j, err := p.Journey(id)
	if err != nil {
		p.t.Fatal(err)
	}
	then := p.scenario.Then
	var open, lines []string
	for _, step := range j.Steps {
		if step.State == "done" || step.State == "replaced" {
			continue
		}
		open = append(open, fmt.Sprintf("%s by %s due %s", step.Kind, step.Owner, step.DueAt.Format(time.DateTime)))
	}
	p.noStandstill(id)
	if want := cmp.Or(then.State, "open"); j.State != want && id == p.journeys[0] {
		p.t.Errorf("the journey is %s, want %s", j.State, want)
	}
	for _, line := range j.Timeline {
		lines = append(lines, strings.TrimPrefix(line.Type, schemas.TypePrefix))
		if line.Sentence == "" {
			p.t.Errorf("the line %s has no sentence for the person", line.Type)
		}
	}
	for _, want := range then.Steps {
		if !slices.ContainsFunc(j.Steps, func(s system.Step) bool {
			return s.State == "open" && s.Kind == want.Kind && strings.HasPrefix(s.Owner, want.Owner) &&
				(want.Due != "tomorrow" || p.tomorrow(s.DueAt))
		}) {
			p.t.Errorf("no open step %s by %s due %s; open: %v", want.Kind, want.Owner, want.Due, open)
		}
	}
	if then.Only && len(open) != len(then.Steps) {
		p.t.Errorf("open steps: %v", open)
	}
	for _, want := range then.Timeline {
		if !slices.Contains(lines, want+".v1") {
			p.t.Errorf("no line %s in the timeline %v", want, lines)
		}
	}
	said := p.Emitted(id)
	for _, never := range then.Never {
		if said[never+".v1"] > 0 {
			p.t.Errorf("%s was said", never)
		}
	}
	for what, want := range then.Bus {
		if said[what+".v1"] != want {
			p.t.Errorf("%s was said %d times, want %d", what, said[what+".v1"], want)
		}
	}
}

// tomorrow says whether a time is on the local day after the scenario began (or ended, where midnight lies between).
func (p *player) tomorrow(at time.Time) bool {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		p.t.Fatal(err)
	}
	day := at.In(zone).Format(time.DateOnly)
	return day == p.now.In(zone).AddDate(0, 0, 1).Format(time.DateOnly) ||
		day == time.Now().In(zone).AddDate(0, 0, 1).Format(time.DateOnly)
}
