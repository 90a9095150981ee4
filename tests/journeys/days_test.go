package journeys

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// The calendar of hard days: each file in testdata/days is one person's days, as a hospital, staff, partners and
// callers do things in them, with what is true at each point: which steps are open, of whom and by when, and who may
// be in touch with the person at that moment. All of them happen in one running system, on a clock that is moved from
// one moment to the next, whoever's it is; each person is waited for by partners of their own, so that nobody takes
// another's place.

//go:embed testdata/days
var dayFiles embed.FS

// hardDays is one file.
type hardDays struct {
	Name string `yaml:"name"`
	// Ends is how it ends: the journey's state, and who has an open step of it then.
	Ends string `yaml:"ends"`
	// Partners are the third-sector organisations that would fit, by short names, in the directory's order.
	Partners []string `yaml:"partners"`
	// People is of how many the same is true at once; one where it is left out.
	People int `yaml:"people"`
	// Undelivered: no channel takes what may be told to their partners.
	Undelivered bool `yaml:"undelivered"`
	// Born is their birth date; an adult's where it is left out.
	Born string  `yaml:"born"`
	Days []point `yaml:"days"`
}

// point is one moment: what people do at it, and what is true afterwards.
type point struct {
	At string `yaml:"at"` // local, in Europe/London
	Do []deed `yaml:"do"`
	// Steps are all that are open, each as kind, owner, and local due time; a star stands for any time of the day.
	Steps []string `yaml:"steps"`
	// Also are those who have been added to the step that is due first.
	Also []string `yaml:"also"`
	// Contact is all that may happen at this moment: "by" an owner whose open step has them be in touch with the
	// person, "told" a partner that may be told of an offer, "shown" a partner that reads who the person is, "rung" by
	// a caller.
	Contact []string `yaml:"contact"`
	State   string   `yaml:"state"` // open where it is left out
}

// deed is what somebody does: one request, or a message of the hospital.
type deed struct {
	// As is a role, another of that role, or one of the partners.
	As string `yaml:"as"`
	// Does is one of the paths below; or leaves, for the hospital's report that they left; or acknowledges, for a
	// partner's system that says that an offer is there.
	Does string `yaml:"does"`
	// Once: of several people, for the first alone.
	Once bool `yaml:"once"`
	// Step is the kind of the open step that it is about.
	Step string `yaml:"step"`
	// Of is the partner whose offer it is about, where that is not who does it.
	Of string `yaml:"of"`
	// Those about something else with the same body may name a {partner} or {person} in it.
	With map[string]any `yaml:"with"`
	// Answer is the status; 200 where it is left out, or 202.
	Answer int `yaml:"answer"`
}

// paths are what can be done, and of what.
var paths = map[string]string{
	"consent": "journeys", "contact": "journeys", "preferences": "journeys", "facts": "journeys", "plan": "journeys",
	"hold": "journeys", "release": "journeys",
	"close": "journeys", "reopen": "journeys", "accept": "offers", "decline": "offers", "appointment": "offers",
	"outcome": "offers", "hand-back": "offers",
	"confirm-deletion": "offers", "claim": "calls", "call-outcome": "calls", "done": "steps", "no-answer": "steps",
	"acknowledge":     "steps",
	"contact-stopped": "people", "contact-resumed": "people", "merge": "people", "unmerge": "people", "away": "callers",
	"holidays": "partners",
}

// everybodys are the partners of one file, and each of its people.
type everybodys struct {
	hardDays
	number   int
	partners map[string]string // ids by short name
	people   []*onePerson
	faults   []string
}

// onePerson lives through the days of a file.
type onePerson struct {
	of              *everybodys
	number          int
	journey, person string
	other           string            // the record of somebody else, who is taken for them
	offers          map[string]string // the newest to each partner
	call            string            // the newest
	visits          int
	told            []string // partners that somebody has told of an offer since the last point
	before          []string // what was open to whom at the point before
	out             []string // events that go out, since somebody last looked
}

// calendarOfDays is the system in which all of it happens.
type calendarOfDays struct {
	*system.Steered
	t     *testing.T
	zone  *time.Location
	files []*everybodys
	by    map[string]*onePerson // journeys
	feeds map[string]string     // how far each partner has read its feed
	// watching looks whether all services know the same.
	watching *watcher
}

func TestTheCalendarOfHardDays(t *testing.T) {
	t.Parallel()
	c := newCalendar(t)
	c.read()
	moments := c.moments()
	c.begin(moments[0].Add(-time.Hour))
	for _, at := range moments {
		c.MoveTo(at)
		c.hear()
		c.play(at)
		c.guarantee(at)
	}
	for _, f := range c.files {
		t.Run(f.Name, func(t *testing.T) {
			for _, fault := range f.faults {
				t.Error(fault)
			}
		})
	}
}

func newCalendar(t *testing.T) *calendarOfDays {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return &calendarOfDays{t: t, zone: zone, by: map[string]*onePerson{}, feeds: map[string]string{}}
}

// begin starts the system at a time, with the partners of all files.
func (c *calendarOfDays) begin(at time.Time) {
	c.t.Helper()
	c.Steered = system.StartAt(c.t, at, "FOOTBRIDGE_DIRECTORY="+c.directory(at))
	for _, f := range c.files {
		for _, name := range f.Partners {
			var id string
			if err := c.Admin().QueryRow(c.t.Context(), `select id::text from followup.partner where service = $1`,
				f.service(name)).Scan(&id); err != nil {
				c.t.Fatalf("%s: partner %s: %v", f.Name, name, err)
			}
			f.partners[name] = id
		}
	}
}

func (c *calendarOfDays) read() {
	c.t.Helper()
	all, err := dayFiles.ReadDir("testdata/days")
	if err != nil || len(all) < 15 {
		c.t.Fatalf("%d files, %v", len(all), err)
	}
	for _, file := range all {
		text, err := dayFiles.ReadFile(path.Join("testdata/days", file.Name()))
		if err != nil {
			c.t.Fatal(err)
		}
		var f hardDays
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&f); err != nil {
			c.t.Fatalf("%s: %v", file.Name(), err)
		}
		if f.Ends == "" {
			c.t.Fatalf("%s: say how it ends", file.Name())
		}
		c.add(f)
	}
}

// add takes one file's people in.
func (c *calendarOfDays) add(d hardDays) *everybodys {
	f := &everybodys{hardDays: d, number: len(c.files) + 1, partners: map[string]string{}}
	for n := range max(f.People, 1) {
		f.people = append(f.people, &onePerson{of: f, number: n + 1, offers: map[string]string{}})
	}
	c.files = append(c.files, f)
	return f
}

func (c *calendarOfDays) at(text string) time.Time {
	c.t.Helper()
	at, err := time.ParseInLocation("2006-01-02T15:04", text, c.zone)
	if err != nil {
		c.t.Fatal(err)
	}
	return at
}

// moments are those of all files, in their order.
func (c *calendarOfDays) moments() (all []time.Time) {
	c.t.Helper()
	for _, f := range c.files {
		for i, p := range f.Days {
			if i > 0 && !c.at(p.At).After(c.at(f.Days[i-1].At)) {
				c.t.Fatalf("%s: %s is not after what is before it", f.Name, p.At)
			}
			all = append(all, c.at(p.At))
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// area and service are those of one file's people.
func (f *everybodys) area() string               { return fmt.Sprintf("area-of-days-%d", f.number) }
func (f *everybodys) service(name string) string { return fmt.Sprintf("days-%d-%s", f.number, name) }

const shipped = "../../services/threshold/criteria/directory"

// directory writes the shipped directory with partners for each file instead of its own.
func (c *calendarOfDays) directory(at time.Time) string {
	c.t.Helper()
	on := at.Format(time.DateOnly)
	dir := c.t.TempDir()
	files, err := filepath.Glob(shipped + "/*.yaml")
	if err != nil || len(files) == 0 {
		c.t.Fatalf("%d files, %v", len(files), err)
	}
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			c.t.Fatal(err)
		}
		if !bytes.Contains(text, []byte("kind: peer-follow-up\n")) {
			write(filepath.Base(file), text)
		}
	}
	for _, f := range c.files {
		for i, name := range f.Partners {
			write(fmt.Sprintf("90-%02d-%d.yaml", f.number, i), fmt.Appendf(nil, peers, on, f.service(name),
				f.service(name), f.service(name), f.service(name), on, f.area()))
		}
	}
	return dir
}

const peers = `format: access-criteria/v1
version: "%s"
illustrative: true
service:
  id: %s
  name: %s (example)
  status: active
  url: https://peers.example
  organization: {id: organisation-%s, name: %s}
sector: third-sector
kind: peer-follow-up
role: care
provenance: {source: Illustrative, link: "https://peers.example", publishedBy: Example, checkedOn: "%s", checkedBy: directory editor}
routes: [discharge, professional, self]
ages: {from: 16, words: "We meet people aged 16 and over."}
area: {of: [residence], codes: [%s], words: "We meet people of one area."}
channels: [in-person, video, phone, text]
`

// hear takes in what was published: what may be told to a partner it reads in its feed.
func (c *calendarOfDays) hear() {
	c.t.Helper()
	for {
		news := c.News()
		if len(news) == 0 {
			return
		}
		brought := false
		for _, e := range news {
			if p := c.by[e.Subject]; p != nil && p.hear(c, e) {
				brought = true
			}
		}
		if brought {
			c.Settle()
		}
	}
}

func dataOf[T any](t *testing.T, e flow.Event) (data T) {
	t.Helper()
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

// hear notes one event, and says whether something was brought to a partner.
func (p *onePerson) hear(c *calendarOfDays, e flow.Event) bool {
	p.wentOut(e)
	switch schemas.Type(e.Type) {
	case schemas.OfferRaised:
		d := dataOf[schemas.OfferRaisedData](c.t, e)
		p.offers[d.Partner] = d.Offer
	case schemas.OfferSent:
		p.told = append(p.told, dataOf[schemas.OfferSentData](c.t, e).Partner)
	case schemas.OfferNudged:
		if d := dataOf[schemas.OfferNudgedData](c.t, e); d.About != "deletion" { // that is about what is over
			p.told = append(p.told, d.Partner)
		}
	case schemas.CallScheduled:
		d := dataOf[schemas.CallScheduledData](c.t, e)
		p.call = d.Call
		local := d.DueAt.In(c.zone)
		if local.Hour() < 10 || local.Hour() >= 19 || local.Weekday() == time.Saturday ||
			local.Weekday() == time.Sunday {
			p.fault("a call is planned for %s", local.Format(time.DateTime))
		}
	case schemas.OfferCleared:
		d := dataOf[schemas.OfferClearedData](c.t, e)
		p.told = append(p.told, d.Partner)
		if p.of.Undelivered {
			return false
		}
		c.asksOn(d.Partner)
		return true
	}
	return false
}

// asksOn has a partner take what its feed holds, and ask on from there: by that it has come to it.
func (c *calendarOfDays) asksOn(partner string) {
	c.feeds[partner] = readFeed(c.t, c.System, partner, c.feeds[partner])
}

// acknowledged says on the bus that a partner's own system has said that an offer is with it.
func (c *calendarOfDays) acknowledged(journey, offer, partner string) {
	c.t.Helper()
	data, err := json.Marshal(schemas.DeliveryMadeData{Offer: offer, Partner: partner,
		How: schemas.DeliveryAcknowledged})
	if err != nil {
		c.t.Fatal(err)
	}
	id := clock.NewID(c.Now())
	body, err := flow.Marshal(flow.Event{ID: id, Source: "/footbridge/delivery", Type: string(schemas.DeliveryMade),
		Subject: journey, Time: c.Now(),
		Correlation: id, Sequence: flow.FormatSequence(1), Data: data})
	if err != nil {
		c.t.Fatal(err)
	}
	c.PublishAs(schemas.Delivery, strings.TrimSuffix(schemas.DeliveryMade.SubjectFilter(), "*")+journey, body)
}

func (p *onePerson) fault(format string, args ...any) {
	if p.of.People > 1 {
		format = fmt.Sprintf("person %d: ", p.number) + format
	}
	p.of.faults = append(p.of.faults, fmt.Sprintf(format, args...))
}

// play has everybody do what they do at a moment, each in turn, and looks at what is true afterwards.
func (c *calendarOfDays) play(at time.Time) {
	c.t.Helper()
	now := map[*everybodys]point{}
	most := 0
	for _, f := range c.files {
		for _, p := range f.Days {
			if c.at(p.At).Equal(at) {
				now[f], most = p, max(most, len(p.Do))
			}
		}
	}
	for i := range most {
		for f, p := range now {
			for _, one := range f.people {
				if i < len(p.Do) && !(p.Do[i].Once && one.number > 1) {
					one.does(c, p.Do[i])
				}
			}
		}
		c.Settle()
		c.hear()
	}
	for f, p := range now {
		for _, one := range f.people {
			one.check(c, p)
		}
	}
}

// who somebody is by the file's word: one of the partners, or a role, of whom there may be another.
func (p *onePerson) who(named string) principal.Principal {
	if id := p.of.partners[named]; id != "" {
		return *as(id, schemas.Partner, "peer")
	}
	role, another := strings.CutPrefix(named, "another ")
	return *as("RXX", schemas.Role(role), fmt.Sprintf("%s-of-%d-%d-%t", role, p.of.number, p.number, another))
}

func (p *onePerson) ask(c *calendarOfDays, who, method, path string, body []byte) system.Answer {
	c.t.Helper()
	return c.AskAs(p.who(who), method, path, typeJSON, body)
}

func (p *onePerson) does(c *calendarOfDays, d deed) {
	c.t.Helper()
	switch d.Does {
	case "leaves":
		p.leaves(c, d)
		return
	case "acknowledges":
		c.acknowledged(p.journey, p.offers[p.of.partners[d.As]], p.of.partners[d.As])
		return
	}
	body, err := json.Marshal(d.With)
	if err != nil {
		c.t.Fatal(err)
	}
	if d.With == nil {
		body = []byte("{}")
	}
	words := []string{"{person}", p.person, "{other}", p.other}
	for name, id := range p.of.partners {
		words = append(words, "{"+name+"}", id)
	}
	kind, of, method := paths[d.Does], p.journey, http.MethodPost
	switch kind {
	case "offers":
		of = p.offers[p.of.partners[cmp.Or(d.Of, d.As)]]
	case "calls":
		of = p.call
	case "people":
		of = p.person
	case "steps":
		of = p.step(c, d.Step)
	case "callers":
		of = "me"
	case "partners":
		of, method = p.who(d.As).Organisation, http.MethodPut
	case "":
		c.t.Fatalf("nobody knows how to %s", d.Does)
	}
	at := "/api/" + kind + "/" + of + "/" + strings.TrimPrefix(d.Does, "call-")
	got := p.ask(c, d.As, method, at, []byte(strings.NewReplacer(words...).Replace(string(body))))
	if want := cmp.Or(d.Answer, http.StatusOK); got.Status != want {
		p.fault("%s: %s %s answered %d, want %d: %s", c.Now().In(c.zone).Format(time.DateTime), d.As, d.Does,
			got.Status, want, got.Body)
	}
}

// leaves is the hospital's report, with what the deed says of it.
func (p *onePerson) leaves(c *calendarOfDays, d deed) {
	c.t.Helper()
	p.visits++
	local := fmt.Sprintf("DAYS%dP%d", p.of.number, p.number)
	facts := map[string]any{"destination": "home", "assessment": "done", "areaResidence": p.of.area(),
		"areaStaying": p.of.area(), "areaGP": p.of.area(), "gender": "woman", "registeredGP": true, "carer": false,
		"waitingOn": []string{"talking-therapies"}}
	whole := map[string]any{"organisation": "RXX", "visit": fmt.Sprintf("%sV%d", local, p.visits), "inScope": true,
		"leftAt": c.Now().UTC().Format(time.RFC3339),
		"person": map[string]any{"nhsNumber": invented(p.of.number*100 + p.number), "nhsNumberVerified": true,
			"localId": local, "familyName": "Days" + string(rune('a'+p.of.number)) + string(rune('a'+p.number)),
			"givenName": "Sam",
			"birthDate": cmp.Or(p.of.Born, fmt.Sprintf("1988-%02d-%02d", p.of.number%12+1, p.number)),
			"phone":     "07700900123"}, "facts": facts}
	for name, value := range d.With {
		if inner, ok := value.(map[string]any); ok {
			maps.Copy(whole[name].(map[string]any), inner)
		} else {
			whole[name] = value
		}
	}
	maps.DeleteFunc(whole["person"].(map[string]any), func(_ string, value any) bool { return value == nil })
	data, err := json.Marshal(whole)
	if err != nil {
		c.t.Fatal(err)
	}
	id := clock.NewRandomID()
	got := c.AskWith(system.Token(schemas.System), http.MethodPost, "/events", structured, fmt.Appendf(nil,
		`{"specversion":"1.0","id":%q,"source":%q,"type":"care.footbridge.discharge.reported.v1","time":%q,"datacontenttype":"application/json","data":%s}`,
		id, system.HospitalSource, c.Now().UTC().Format(time.RFC3339), data))
	var answer struct{ Journey string }
	if err := json.Unmarshal(got.Body, &answer); err != nil || answer.Journey == "" {
		c.t.Fatalf("%s: the report was answered %d %s", p.of.Name, got.Status, got.Body)
	}
	if p.journey != "" && p.journey != answer.Journey {
		p.fault("coming back began another journey")
	}
	p.journey, c.by[answer.Journey] = answer.Journey, p
	if err := c.Admin().QueryRow(c.t.Context(), `select person::text from intake.journey where id = $1::uuid`,
		p.journey).Scan(&p.person); err != nil {
		c.t.Fatal(err)
	}
}

// invented is a valid NHS number of nobody's.
func invented(n int) string {
	for ; ; n += 5000 {
		digits := fmt.Sprintf("999%06d", n)
		sum := 0
		for i, d := range digits {
			sum += int(d-'0') * (10 - i)
		}
		if check := (11 - sum%11) % 11; check < 10 {
			return digits + fmt.Sprint(check)
		}
	}
}

// journeyOfDays is how a journey stands.
type journeyOfDays struct {
	State string
	Steps []struct {
		Step, Kind, Owner string
		AlsoOwners        []string
		DueAt             time.Time
	}
}

func (p *onePerson) stands(c *calendarOfDays) (j journeyOfDays) {
	c.t.Helper()
	got := p.ask(c, string(schemas.Navigator), http.MethodGet, "/api/journeys/"+p.journey, nil)
	if err := json.Unmarshal(got.Body, &j); err != nil || got.Status != http.StatusOK {
		c.t.Fatalf("%s: the journey: %d %s", p.of.Name, got.Status, got.Body)
	}
	return j
}

// step is the id of the open step of a kind.
func (p *onePerson) step(c *calendarOfDays, kind string) string {
	for _, s := range p.stands(c).Steps {
		if s.Kind == kind {
			return s.Step
		}
	}
	p.fault("%s: no step %s is open", c.Now().In(c.zone).Format(time.DateTime), kind)
	return clock.NewRandomID()
}

// named writes partners' ids as the file does.
func (p *onePerson) named(text string) string {
	for name, id := range p.of.partners {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}

// check holds a point against how things stand.
func (p *onePerson) check(c *calendarOfDays, want point) {
	c.t.Helper()
	j := p.stands(c)
	var open []string
	for _, s := range j.Steps {
		if s.Owner == "" || s.DueAt.IsZero() {
			p.fault("%s: step %s has no owner or no due time", want.At, s.Kind)
		}
		due := s.DueAt.In(c.zone).Format("2 Jan 15:04")
		line := p.named(s.Kind + " " + s.Owner + " " + due)
		if anyTime := line[:len(line)-len("15:04")] + "*"; slices.Contains(want.Steps, anyTime) {
			line = anyTime
		}
		open = append(open, line)
	}
	p.same(want.At, "open are", open, want.Steps)
	if state := cmp.Or(want.State, "open"); j.State != state {
		p.fault("%s: the journey is %s, want %s", want.At, j.State, state)
	}
	if want.Also != nil && len(j.Steps) > 0 {
		first := slices.MinFunc(j.Steps, func(a, b struct {
			Step, Kind, Owner string
			AlsoOwners        []string
			DueAt             time.Time
		}) int {
			return a.DueAt.Compare(b.DueAt)
		})
		p.same(want.At, "added to "+first.Kind+" are", first.AlsoOwners, want.Also)
	}
	if last := p.of.Days[len(p.of.Days)-1]; last.At == want.At {
		ends := j.State
		var with []string
		for _, s := range j.Steps {
			with = append(with, p.named(s.Owner))
		}
		if with = slices.Compact(slices.Sorted(slices.Values(with))); len(with) > 0 {
			ends += ", with " + strings.Join(with, ", ")
		}
		if ends != p.of.Ends {
			p.fault("it ends %q, want %q", ends, p.of.Ends)
		}
	}
	p.same(want.At, "in touch may be", p.contact(c, j), want.Contact)
	for _, partner := range p.told {
		if name := p.named(partner); !slices.Contains(want.Contact, "told "+name) &&
			!slices.Contains(p.before, "told "+name) {
			p.fault("%s: %s was told something", want.At, name)
		}
	}
	p.told, p.before = nil, want.Contact
}

func (p *onePerson) same(at, what string, got, want []string) {
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		p.fault("%s: %s\n      - %s\n  want\n      - %s", at, what, strings.Join(got, "\n      - "),
			strings.Join(want, "\n      - "))
	}
}

// inTouch are the kinds of steps that have their owner be in touch with the person, beside those that ask.
var inTouch = []string{"introduce", "partner-arranges", "session", "ask-what-next", "bridging-call", "another-time"}

// contact is all that may happen at this moment: tried, where it can be.
func (p *onePerson) contact(c *calendarOfDays, j journeyOfDays) (all []string) {
	c.t.Helper()
	for _, s := range j.Steps {
		kind, _ := schemas.StepKindOf(s.Kind)
		by := "by " + p.named(s.Owner)
		if (kind.Asks || slices.Contains(inTouch, s.Kind)) && !strings.HasPrefix(s.Owner, schemas.OwnerPartner+":") &&
			!slices.Contains(all, by) {
			all = append(all, by)
		}
	}
	for name, id := range p.of.partners {
		if p.ask(c, name, http.MethodGet, "/api/journeys/"+p.journey+"/identity", nil).Status == http.StatusOK {
			all = append(all, "shown "+name)
		}
		var list struct {
			Items []struct {
				Offer        string
				Paused, Stop bool
				May          []string
			}
		}
		got := p.ask(c, name, http.MethodGet, "/api/offers?limit=100", nil)
		if err := json.Unmarshal(got.Body, &list); err != nil || got.Status != http.StatusOK {
			c.t.Fatalf("a partner's offers: %d %s", got.Status, got.Body)
		}
		for _, o := range list.Items {
			over := o.Stop || slices.Equal(o.May, []string{"confirm-deletion"}) // it is to say what it deleted
			if o.Offer == p.offers[id] && !o.Paused && !over {
				all = append(all, "told "+name)
			}
		}
	}
	if p.call != "" && p.rung(c) {
		all = append(all, "rung")
	}
	return all
}

// rung says whether a caller may ring at this moment, who then reads whom, and nobody else does.
func (p *onePerson) rung(c *calendarOfDays) bool {
	c.t.Helper()
	claim := p.ask(c, string(schemas.Caller), http.MethodPost, "/api/calls/"+p.call+"/claim", []byte("{}"))
	if claim.Status != http.StatusOK && claim.Status != http.StatusConflict {
		p.fault("a claim was answered %d %s", claim.Status, claim.Body)
	}
	if claim.Status == http.StatusOK {
		c.Settle()
	}
	person := p.ask(c, string(schemas.Caller), http.MethodGet, "/api/calls/"+p.call+"/person", nil)
	if (claim.Status == http.StatusOK) != (person.Status == http.StatusOK) {
		p.fault("%s: to who would ring, the claim is answered %d, and who it is %d",
			c.Now().In(c.zone).Format(time.DateTime), claim.Status, person.Status)
	}
	return claim.Status == http.StatusOK
}

// guarantee: no journey that is not closed is without an open step that has an owner and a time, whoever's it is.
func (c *calendarOfDays) guarantee(at time.Time) {
	c.t.Helper()
	var void int
	if err := c.Admin().QueryRow(c.t.Context(), `select count(*) from journey.journey j where j.state <> 'closed'
		and not exists
		(select 1 from journey.step s where s.journey = j.id and s.state = 'open' and s.owner <> ''
		and s.due_at is not null)`).Scan(&void); err != nil || void > 0 {
		c.t.Errorf("%s: %d journeys without a next step, %v", at.In(c.zone).Format(time.DateTime), void, err)
	}
	if c.watching == nil {
		c.watching = sentinelOf(c.t, c.Steered)
	}
	c.Resolve()                                        // looking at who somebody is has been told of
	c.watching.agree(c.t, "told", "lines-of-delivery") // of some, delivery is spoken for by the test
}
