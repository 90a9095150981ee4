package journey

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v3"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// The calendar of hard days: each file in testdata/days is one person's days as the other services and people say them,
// with what is open, of whom and by when, and who may be in touch with the person, at each point, and how it ends. They
// are played on the rules alone, with time as a value, so that a year takes no time.

// hardDays is one file.
type hardDays struct {
	Name string `yaml:"name"`
	// People is of how many the same is true at once; one where it is left out.
	People int     `yaml:"people"`
	Days   []point `yaml:"days"`
}

// point is one moment: what is said and done, and what is true afterwards.
type point struct {
	At   string    `yaml:"at"` // local, in Europe/London
	Said []saying  `yaml:"said"`
	Done *byAPress `yaml:"done"`
	Hold string    `yaml:"hold"` // the place; the day of review is two weeks on
	// Release and Close are what a navigator does with the whole journey.
	Release bool   `yaml:"release"`
	Close   string `yaml:"close"`
	// Steps are all that are open, each as kind, owner, and local due time; Also are owners added to the first.
	Steps []string `yaml:"steps"`
	Also  []string `yaml:"also"`
	// Contact are the owners whose open steps have them be in touch with the person; Nobody where none may.
	Contact []string `yaml:"contact"`
	State   string   `yaml:"state"`
}

type saying struct {
	Type string         `yaml:"type"`
	Data map[string]any `yaml:"data"`
}

// byAPress is a step that somebody ends by their word, or tries in vain.
type byAPress struct {
	Step     string       `yaml:"step"`
	By       schemas.Role `yaml:"by"`
	NoAnswer bool         `yaml:"noAnswer"`
}

// inTouch are the kinds of steps that have their owner be in touch with the person, beside those that ask.
var inTouch = []string{stepPartnerArranges, stepSession, stepAskWhatNext, stepCall, stepAnotherTime}

func TestTheCalendarOfHardDays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/days/*.yaml")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var days hardDays
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&days); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		t.Run(days.Name, func(t *testing.T) {
			t.Parallel()
			for range max(days.People, 1) {
				days.play(t)
			}
		})
	}
}

func (d hardDays) play(t *testing.T) {
	t.Helper()
	zone := london(t)
	s, r := tellerFrom(aJourney, time.Time{}), &record{ID: aJourney, State: journeyOpen}
	service := &Service{owners: someOwners, zone: zone}
	for _, p := range d.Days {
		at, err := time.ParseInLocation("2006-01-02T15:04", p.At, zone)
		if err != nil {
			t.Fatal(err)
		}
		rise(r, at, zone)
		s.at = at.Add(-time.Minute)
		from := len(s.events)
		for _, say := range p.Said {
			s.say(schemas.Type(schemas.TypePrefix+say.Type+".v1"), say.Data)
		}
		withIDs(s.events[from:])
		if _, err := service.apply(&pgx.Batch{}, at, map[string]*record{aJourney: r}, s.events[from:]); err != nil {
			t.Fatalf("%s: %v", p.At, err)
		}
		w := &writes{owners: someOwners, zone: zone, now: at}
		if err := p.press(t, w, r); err != nil {
			t.Errorf("%s: %v", p.At, err)
		}
		p.check(t, r, zone)
	}
}

// rise adds the owners that what is overdue has gained by a time.
func rise(r *record, at time.Time, zone *time.Location) {
	for i := range r.Steps {
		s := &r.Steps[i]
		for look := s.DueAt; s.State == stateOpen && s.Level < 2 && !look.IsZero() && !look.After(at); {
			s.Added, s.Level, look = overdue(*s, someOwners, look, calendar.England(), zone)
		}
	}
}

func (p point) press(t *testing.T, w *writes, r *record) error {
	t.Helper()
	switch {
	case p.Hold != "":
		return w.hold(r, Hold{Place: p.Hold, OnHoldBy: "custody-team", ReviewOn: (w.today() + 14).String()}, navigatorOf("RXX"))
	case p.Release:
		return w.release(r, navigatorOf("RXX"))
	case p.Close != "":
		return w.closeJourney(r, Closing{Reason: p.Close, Told: "phone", WayBack: "our-number", On: w.today().String(), PersonAgrees: true}, navigatorOf("RXX"))
	case p.Done == nil:
		return nil
	case p.Done.NoAnswer:
		return w.noAnswer(r, theStep(t, r, p.Done.Step).ID, ofRole(p.Done.By))
	}
	return w.done(r, theStep(t, r, p.Done.Step).ID, withoutNext(w.now), ofRole(p.Done.By))
}

func (p point) check(t *testing.T, r *record, zone *time.Location) {
	t.Helper()
	var open, contact []string
	said := r.JourneyState.answer(schemas.PurposeFollowUp).is(true)
	steps := openOnes(r.Steps)
	slices.SortStableFunc(steps, func(a, b Step) int { return a.DueAt.Compare(b.DueAt) })
	for _, s := range steps {
		open = append(open, s.Kind+" "+s.Owner+" "+s.DueAt.In(zone).Format("2 Jan 15:04"))
		kind, _ := kindOf(s)
		if strings.HasPrefix(s.Owner, schemas.OwnerPartner+":") && !said {
			continue // without a yes a partner reads nobody's number: intake sees to that
		}
		if (kind.Asks || slices.Contains(inTouch, s.Kind)) && !slices.Contains(contact, s.Owner) {
			contact = append(contact, s.Owner)
		}
	}
	slices.Sort(open)
	slices.Sort(contact)
	slices.Sort(p.Steps)
	slices.Sort(p.Contact)
	if !slices.Equal(open, p.Steps) {
		t.Errorf("%s: open are\n  %s\nwant\n  %s", p.At, strings.Join(open, "\n  "), strings.Join(p.Steps, "\n  "))
	}
	if !slices.Equal(contact, p.Contact) {
		t.Errorf("%s: in touch with them are %v, want %v", p.At, contact, p.Contact)
	}
	if p.Also != nil && !slices.Equal(steps[0].Added, p.Also) {
		t.Errorf("%s: beside its owner, %s is %v's, want %v", p.At, steps[0].Kind, steps[0].Added, p.Also)
	}
	if p.State != "" && r.State != p.State {
		t.Errorf("%s: the journey is %s, want %s", p.At, r.State, p.State)
	}
}
