package sim

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// Scenario is a place to try out: which partners there are, and who works when. A file says what differs from the
// small place that is built in.
type Scenario struct {
	// Name is told with the results.
	Name string `yaml:"name"`
	// Starts is the first local day.
	Starts string `yaml:"starts"`
	// Directory is a folder of access criteria; the shipped example where it is left out. Its services for follow-up
	// sessions are replaced by Partners.
	Directory string    `yaml:"directory"`
	Partners  []Partner `yaml:"partners"`
	Teams     []Team    `yaml:"teams"`
	// Others is how many come to A&E for something else, for each who comes after self-harm.
	Others float64 `yaml:"others"`

	days, discharges int
	seed             uint64
	first            calendar.Day
	zone             *time.Location
}

// Partner is a third-sector organisation that gives follow-up sessions, and how it behaves.
type Partner struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	// From and To are the ages it is for, in years, both inclusive; 0 is no bound.
	From int `yaml:"from"`
	To   int `yaml:"to"`
	// Areas are those it serves.
	Areas []string `yaml:"areas"`
	// Way is how it is told: feed, webhook, stream, mail, or telephone: a navigator rings.
	Way way `yaml:"way"`
	// Weekly is how many new people it takes on a week; 0 is no bound.
	Weekly int `yaml:"weekly"`
	// Of a hundred offers it accepts so many, declines so many, and does not answer the rest.
	Accepts  int `yaml:"accepts"`
	Declines int `yaml:"declines"`
	// HandsBack is of how many of a hundred that it took on it hands back.
	HandsBack int `yaml:"handsBack"`
	// Holidays are when it is away; Closes is the day on which it hands everything back and is gone.
	Holidays []Away `yaml:"holidays"`
	Closes   string `yaml:"closes"`
}

// Away is from one local day until another, both inclusive.
type Away struct {
	From  string `yaml:"from"`
	Until string `yaml:"until"`
}

// Team is people who work through a list of steps.
type Team struct {
	// Name is whose steps these are: team:liaison, navigator:duty, team:callers.
	Name string `yaml:"name"`
	// People work at the same time, from From until To o'clock, on Days (Monday to Friday where none is given).
	People float64  `yaml:"people"`
	From   int      `yaml:"from"`
	To     int      `yaml:"to"`
	Days   []string `yaml:"days"`
	// Minutes is how long a step takes one of them.
	Minutes int `yaml:"minutes"`
	// Away is when nobody of the team works: illness, holidays.
	Away []Away `yaml:"away"`
}

//go:embed small.yaml
var small []byte

// ReadScenario reads a scenario from a file, on top of the one that is built in; that alone where path is empty. A
// list that the file gives takes the place of the one that is built in.
func ReadScenario(path string) (*Scenario, error) {
	s := &Scenario{}
	if err := s.read(small); err != nil {
		return nil, fmt.Errorf("reading the scenario that is built in: %w", err)
	}
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the scenario: %w", err)
		}
		if err := s.read(text); err != nil {
			return nil, fmt.Errorf("reading the scenario %s: %w", path, err)
		}
		if s.Directory != "" && !filepath.IsAbs(s.Directory) {
			s.Directory = filepath.Join(filepath.Dir(path), s.Directory)
		}
	}
	return s, s.check()
}

func (s *Scenario) read(text []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	return decoder.Decode(s)
}

// ways are those in which a partner of the simulation is told, and answers.
var ways = []way{byTelephone, byFeed, byWebhook, byStream, byMail}

// way is how a partner is told, and answers.
type way string

// UnmarshalYAML refuses a way that is not simulated, with its line: of such a partner nothing would be read.
func (w *way) UnmarshalYAML(node *yaml.Node) error {
	if *w = way(node.Value); !slices.Contains(ways, *w) {
		return fmt.Errorf("line %d: the way %q is not simulated yet; name one of %v", node.Line, node.Value, ways)
	}
	return nil
}

func (s *Scenario) check() (err error) {
	if s.zone, err = calendar.ZoneOr(nil); err != nil {
		return err
	}
	if s.first, err = calendar.ParseDay(s.Starts); err != nil {
		return fmt.Errorf("starts: %w", err)
	}
	if len(s.Partners) == 0 || len(s.Teams) == 0 {
		return errors.New("a scenario names its partners and its teams")
	}
	for _, p := range s.Partners {
		code, _ := schemas.KindNamed("code")
		switch {
		case !code.Allows(p.ID):
			return fmt.Errorf("partner %q: its id is lower-case words joined by hyphens", p.ID)
		case !slices.Contains(ways, p.Way):
			return fmt.Errorf("partner %s: its way is one of %v", p.ID, ways)
		case p.Accepts < 0 || p.Declines < 0 || p.Accepts+p.Declines > 100:
			return fmt.Errorf("partner %s: accepts and declines are of a hundred offers", p.ID)
		case p.Name == "":
			return fmt.Errorf("partner %s has no name", p.ID)
		}
		if err := checkAway(append(slices.Clone(p.Holidays), p.closing()...)); err != nil {
			return fmt.Errorf("partner %s: %w", p.ID, err)
		}
	}
	for _, t := range s.Teams {
		owner, _ := schemas.KindNamed("owner")
		if !owner.Allows(t.Name) || t.From < 0 || t.To > 24 || t.From >= t.To || t.Minutes < 1 || t.People < 0 {
			return fmt.Errorf("team %q: give a name such as team:liaison, hours from and to, people and minutes",
				t.Name)
		}
		if err := checkAway(t.Away); err != nil {
			return fmt.Errorf("team %s: %w", t.Name, err)
		}
		if _, err := week(t.Days); err != nil {
			return fmt.Errorf("team %s: %w", t.Name, err)
		}
	}
	return nil
}

func (p Partner) closing() []Away {
	if p.Closes == "" {
		return nil
	}
	return []Away{{p.Closes, p.Closes}}
}

func checkAway(all []Away) error {
	for _, a := range all {
		from, err := calendar.ParseDay(a.From)
		if err != nil {
			return err
		}
		if until, err := calendar.ParseDay(a.Until); err != nil || until < from {
			return fmt.Errorf("away from %s until %q: no such days", a.From, a.Until)
		}
	}
	return nil
}

// away says whether a day lies in any of them.
func away(all []Away, day calendar.Day) bool {
	for _, a := range all {
		if on := day.String(); a.From <= on && on <= a.Until {
			return true
		}
	}
	return false
}

// week reads days as mon, tue; Monday to Friday where none is given.
func week(names []string) (w calendar.Weekdays, err error) {
	if len(names) == 0 {
		return calendar.MondayToFriday, nil
	}
	for _, name := range names {
		i := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, name)
		if i < 0 {
			return w, fmt.Errorf("%q is no day: mon, tue, wed, thu, fri, sat, sun", name)
		}
		w[i] = true
	}
	return w, nil
}

// atWork says whether a team works in the hour that begins at a time.
func (t Team) atWork(at time.Time, zone *time.Location) bool {
	local := at.In(zone)
	day := calendar.DayOf(at, zone)
	days, _ := week(t.Days)
	holiday := len(t.Days) == 0 && calendar.England().Is(day) // who works every day works on holidays too
	return days[local.Weekday()] && !holiday && local.Hour() >= t.From && local.Hour() < t.To && !away(t.Away, day)
}

// Span says over how many days how many people leave A&E after self-harm, and by which seed.
func (s *Scenario) Span(days, discharges int, seed uint64) error {
	if days < 1 || days > 366 || discharges < 1 || discharges > 100_000 {
		return errors.New("a simulation lasts 1 to 366 days, with 1 to 100000 discharges")
	}
	s.days, s.discharges, s.seed = days, discharges, seed
	return nil
}

// Begins is the first midnight.
func (s *Scenario) Begins() time.Time { return s.first.At(0, 0, s.zone) }

// document is a partner as the directory lists it.
const document = `format: access-criteria/v1
version: "%[1]s"
illustrative: true
service:
  id: %[2]s
  name: %[3]q
  status: active
  url: https://%[2]s.example
  organization: {id: organisation-%[2]s, name: %[3]q}
sector: third-sector
kind: peer-follow-up
role: care
provenance: {source: Scenario, link: "https://%[2]s.example", publishedBy: Scenario, checkedOn: "%[1]s", checkedBy: directory editor}
routes: [discharge, professional, self]
channels: [in-person, video, phone, text]
`

// WriteDirectory writes the folder of access criteria that the system is to use: those of another, with the scenario's
// partners in the place of the services for follow-up sessions that stand there.
func (s *Scenario) WriteDirectory(to string, from fs.FS) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("making the directory of the scenario: %w", err)
	}
	names, err := fs.Glob(from, "*.yaml")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("reading the directory: %w", err)
		}
		if bytes.Contains(text, []byte("kind: peer-follow-up\n")) {
			continue
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
			return err
		}
	}
	for i, p := range s.Partners {
		name := fmt.Sprintf("90-%02d-%s.yaml", i, p.ID)
		if err := os.WriteFile(filepath.Join(to, name), p.document(s.Starts), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (p Partner) document(on string) []byte {
	text := fmt.Appendf(nil, document, on, p.ID, p.Name)
	switch {
	case p.From > 0 && p.To > 0:
		text = fmt.Appendf(text, "ages: {from: %d, to: %d, words: \"We meet people aged %d to %d.\"}\n", p.From, p.To,
			p.From, p.To)
	case p.From > 0:
		text = fmt.Appendf(text, "ages: {from: %d, words: \"We meet people aged %d and over.\"}\n", p.From, p.From)
	case p.To > 0:
		text = fmt.Appendf(text, "ages: {to: %d, words: \"We meet people up to the age of %d.\"}\n", p.To, p.To)
	}
	if len(p.Areas) > 0 {
		text = fmt.Appendf(text, "area: {of: [residence], codes: [%s], words: \"We meet people of our own area.\"}\n",
			strings.Join(p.Areas, ", "))
	}
	return text
}
