package reading

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	pathpkg "path"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

//go:embed profiles
var shipped embed.FS

// Profile says how one sender's messages are read: a versioned file, agreed with the sender. See
// profiles/default.yaml for what each field means.
type Profile struct {
	Name         string `yaml:"profile"`
	Version      string `yaml:"version"`
	Organisation string `yaml:"organisation"` // ODS code where MSH-4 does not carry it
	// Facilities are further spellings of organisations (MSH-4, or an event's organisation), by ODS code. Case, blanks
	// and punctuation do not count.
	Facilities map[string][]string `yaml:"facilities"`
	// FacilityFrom are the fields that say which facility a message comes from, such as PV1-3.4 or PV1-39; the first
	// that holds anything counts, and where none does, Organisation or MSH-4. Numbers of people remain those of the
	// latter.
	FacilityFrom  []string `yaml:"facilityFrom"`
	Senders       []string `yaml:"senders"`
	ProcessingIDs []string `yaml:"processingIDs"`
	// Acknowledgements is as-asked (by MSH-15 and MSH-16), at-least-one (the same, but an original one where the
	// sender asks for none), or original, for senders that fill those fields in but know only AA, AE and AR.
	Acknowledgements string                   `yaml:"acknowledgements"`
	Versions         []string                 `yaml:"versions"`
	Zone             string                   `yaml:"zone"`
	Events           map[record.Kind][]string `yaml:"events"`
	Identifiers      identifiers              `yaml:"identifiers"`
	Systems          map[string][]string      `yaml:"systems"`
	Codes            []codeList               `yaml:"codes"`
	LocalReasons     []localReason            `yaml:"localReasons"`
	Mentions         mentionList              `yaml:"mentions"`
	// Destinations are codes and whole words of PV1-36, and SNOMED CT codes wherever they stand, by what they mean.
	Destinations map[string][]string `yaml:"destinations"`
	Deaths       deathList           `yaml:"deaths"`
	// Reasons are further fields that hold a reason in words, such as OBX-5 or NTE-3 of this sender.
	Reasons  []string    `yaml:"reasons"`
	Settings settingList `yaml:"settings"`
	Facts    factList    `yaml:"facts"`
	Rhythm   Rhythm      `yaml:"rhythm"`
	// Certificate is the name on the client certificate that this profile's senders must show, over mutual TLS.
	Certificate []string `yaml:"certificate"`

	zone    *time.Location
	classes map[string]record.Setting
	// AreaOf is the area of an outward postcode, of Facts.Areas.
	AreaOf  map[string]string `yaml:"-"`
	gpAreas map[string]string
	genders map[string]string
	needed  hl7.Path
	kinds   map[string]record.Kind
	systems map[string]string
	exact   map[string]codeEntry
	ranges  []codeRange
	// subcategories are ICD-10 codes that go before their category; from is the code without its point.
	subcategories []codeRange
	destinations  map[string]string
	reasonPaths   []hl7.Path
	facilityPaths []hl7.Path
	// actingReasons are the segments of reasonPaths that come with an action code, each once.
	actingReasons []string
	// layers are the files that the profile was read from, the default first, for Lines.
	layers []layer
}

// deathList is what says that somebody has died, beside the death indicator, the time of death and coded lists.
type deathList struct {
	// Words anywhere in where the person went (PV1-36, PV1-37), and Places in where they are (PV1-3, PV1-42); Phrases
	// are whole texts of a reason or diagnosis.
	Words   []string `yaml:"words"`
	Places  []string `yaml:"places"`
	Phrases []string `yaml:"phrases"`
	// Segments that are sent of the dead alone.
	Segments []string `yaml:"segments"`
	// Indicators are values of PID-30 that say so.
	Indicators []string `yaml:"indicators"`
}

type identifiers struct {
	NHSNumber  []authority `yaml:"nhsNumber"`
	LocalTypes []string    `yaml:"localTypes"`
	Verified   []string    `yaml:"verified"`
}

type authority struct {
	Authority string `yaml:"authority"`
	Type      string `yaml:"type"`
}

type codeList struct {
	Name    string   `yaml:"name"`
	Says    string   `yaml:"says"`
	Source  string   `yaml:"source"`
	Checked string   `yaml:"checked"`
	SNOMED  []string `yaml:"snomed"`
	// ICD10 are ranges of categories (X60-X84), categories (X60) or subcategories (Z91.5).
	ICD10 []string `yaml:"icd10"`
	// Local are a sender's own codes, as SYSTEM|CODE, the system as the message writes it.
	Local []string `yaml:"local"`
	// IfBlank makes an ask hold only while no other intent is recorded on the visit.
	IfBlank bool `yaml:"ifBlank"`
}

type localReason struct {
	Value   string `yaml:"value"`
	Says    string `yaml:"says"`
	Source  string `yaml:"source"`
	Checked string `yaml:"checked"`
}

// mentionList is the words that make a human look at a text: data, with a version of its own.
type mentionList struct {
	Version   string     `yaml:"version"`
	Words     []string   `yaml:"words"`
	Together  []wordPair `yaml:"together"`
	Negations []string   `yaml:"negations"`
}

// wordPair counts where one of each stands in a text, and with Number a number of that size or more.
type wordPair struct {
	Done   []string `yaml:"done"`
	Meant  []string `yaml:"meant"`
	Number int      `yaml:"number"`
}

// settingList says which classes (PV1-2) and places (PV1-3) are A&E, urgent care, a ward, or something else.
type settingList struct {
	Emergency []string `yaml:"emergency"`
	Ward      []string `yaml:"ward"`
	Elsewhere []string `yaml:"elsewhere"`
	// Places are points of care or facilities (PV1-3.1, PV1-3.4) that are A&E or an urgent treatment centre, whatever
	// the class says.
	Places []string `yaml:"places"`
}

// factList says which fields are facts of the closed list, and how their values are written there. What is not
// listed is not read: a field that means something else at this sender must not become a fact.
type factList struct {
	// Areas are outward postcodes (the part before the blank) by area code; the postcode itself never leaves.
	Areas map[string][]string `yaml:"areas"`
	// Genders are values of PID-8 by the fact's, where the sender records there what the person says of themselves.
	Genders map[string][]string `yaml:"genders"`
	// Interpreter is where the sender says that an interpreter is needed, and the values that mean yes and no.
	Interpreter struct {
		Path string   `yaml:"path"`
		Yes  []string `yaml:"yes"`
		No   []string `yaml:"no"`
	} `yaml:"interpreter"`
	// GPAreas are codes of practices by area code.
	GPAreas map[string][]string `yaml:"gpAreas"`
	// GP says that PD1-3 or PD1-4 names the practice the person is registered with.
	GP bool `yaml:"gp"`
	// NoGP are codes there that mean that there is none, or that it is not known.
	NoGP []string `yaml:"noGP"`
}

// How a sender is answered.
const (
	AckAsAsked    = "as-asked"
	AckAtLeastOne = "at-least-one"
	AckOriginal   = "original"
)

// systemLocal is this package's name of a sender's own codes.
const systemLocal = "local"

func localKey(system, code string) string {
	return "local:" + strings.ToUpper(system) + "|" + strings.ToUpper(code)
}

// saysLeft marks a code that says that the person left before being seen; it is no verdict on scope.
const saysLeft = "left"

// saysOther marks a code that says that another intent than self-harm was recorded: it answers lists that ask only
// if the intent is blank. saysDied marks a code of a death.
const (
	saysOther = "other-intent"
	saysDied  = "died"
)

type codeEntry struct {
	Name, Says, key string
	blank           bool
}

// weighs says that the entry is a verdict on scope.
func (e codeEntry) weighs() bool {
	return e.Says == string(record.VerdictInScope) || e.Says == string(record.VerdictAsk)
}

type codeRange struct {
	from, to string
	entry    codeEntry
}

// Profiles are all senders' profiles; the default one reads what no other names.
type Profiles struct {
	BySender map[string]*Profile
	Fallback *Profile
}

// ShippedProfiles are those built in: the default, and the simulator's for test systems.
func ShippedProfiles() (*Profiles, error) { return LoadProfiles(shipped) }

// LoadProfiles reads every *.yaml under the given tree. Each is read over the shipped default, so that it says only
// what differs. An error names the file and what to change in it.
func LoadProfiles(trees ...fs.FS) (*Profiles, error) {
	base, err := fs.ReadFile(ShippedProfileFiles(), "default.yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the default profile: %w", err)
	}
	fallback, err := ReadProfile(base)
	if err != nil {
		return nil, fmt.Errorf("reading the default profile: %w", err)
	}
	profiles := &Profiles{BySender: map[string]*Profile{}, Fallback: fallback}
	for _, tree := range trees {
		err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && entry.Name() == samplesFolder {
				return fs.SkipDir
			}
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
				return err
			}
			return profiles.add(tree, path, base)
		})
		if err != nil {
			return nil, err
		}
	}
	return profiles, nil
}

func (ps *Profiles) add(tree fs.FS, path string, base []byte) error {
	content, err := fs.ReadFile(tree, path)
	if err != nil {
		return fmt.Errorf("reading profile %q: %w", path, err)
	}
	profile, err := ReadProfile(base, content)
	if err != nil {
		return fmt.Errorf("reading profile %s:%d: %w", path, lineOfFault(content, err), err)
	}
	profile.keepLayers([][]byte{base, content}, []string{"default.yaml", pathpkg.Base(path)})
	if len(profile.Senders) == 0 {
		if profile.Name == ps.Fallback.Name {
			ps.Fallback = profile
			return nil
		}
		return fmt.Errorf("reading profile %s:1: it names no senders: only the default may", path)
	}
	for _, sender := range profile.Senders {
		ps.BySender[sender] = profile
	}
	return nil
}

// For gives the profile for a sending application (MSH-3.1).
func (ps *Profiles) For(sender string) *Profile {
	if profile := ps.BySender[sender]; profile != nil {
		return profile
	}
	return ps.Fallback
}

// MaySend says whether whoever has shown a certificate with these names may send as an application. Where its profile
// names certificates, one of them must have been shown; and a certificate that a profile names sends as that one only.
func (ps *Profiles) MaySend(application string, names []string) bool {
	profile := ps.For(application)
	shown := func(p *Profile) bool {
		return slices.ContainsFunc(p.Certificate, func(name string) bool { return slices.Contains(names, name) })
	}
	if len(profile.Certificate) > 0 {
		return shown(profile)
	}
	for _, other := range ps.BySender {
		if shown(other) {
			return false
		}
	}
	return true
}

var (
	yamlLine = regexp.MustCompile(`\bline ([0-9]+):`)
	inQuotes = regexp.MustCompile(`"([^"]+)"`)
)

// lineOfFault is the line of a YAML file that an error is about: the one that it names, else the one where what it
// quotes stands, each quotation looked for after the one before. Without either it is the first.
func lineOfFault(content []byte, err error) int {
	if named := yamlLine.FindStringSubmatch(err.Error()); named != nil {
		line, _ := strconv.Atoi(named[1]) // digits alone
		return line
	}
	at := 0
	for _, value := range inQuotes.FindAllStringSubmatch(err.Error(), -1) {
		if found := bytes.Index(content[at:], []byte(value[1])); found >= 0 {
			at += found
		}
	}
	return 1 + bytes.Count(content[:at], []byte("\n"))
}

// ReadProfile reads a profile of several layers of YAML: what a later one names replaces what the earlier ones said. A
// field that profiles do not have is an error.
func ReadProfile(layers ...[]byte) (*Profile, error) {
	profile := &Profile{}
	for _, layer := range layers {
		decoder := yaml.NewDecoder(bytes.NewReader(layer))
		decoder.KnownFields(true)
		before := profile.Codes
		profile.Codes = nil
		if err := decoder.Decode(profile); err != nil {
			return nil, err
		}
		profile.addLists(before)
	}
	profile.keepLayers(layers, []string{"default.yaml", "profile"})
	return profile, profile.prepare()
}

// addLists keeps the code lists of the layer below that this one does not replace by name: a sender's own list must
// not silence the national ones.
func (p *Profile) addLists(below []codeList) {
	for _, list := range below {
		if !slices.ContainsFunc(p.Codes, func(own codeList) bool { return own.Name == list.Name }) {
			p.Codes = append(p.Codes, list)
		}
	}
}

// Title names the profile and its version, as evidence keeps it.
func (p *Profile) Title() string { return p.Name + " " + p.Version }

func (p *Profile) prepare() error {
	if p.Name == "" || p.Version == "" {
		return errors.New("profile and version must be set")
	}
	if !slices.Contains([]string{AckAsAsked, AckAtLeastOne, AckOriginal}, p.Acknowledgements) {
		return fmt.Errorf("acknowledgements is %q: it must be as-asked, at-least-one or original", p.Acknowledgements)
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return fmt.Errorf("zone %q is not a known time zone", p.Zone)
	}
	p.zone = zone
	p.kinds, err = invertKinds(p.Events)
	if err != nil {
		return err
	}
	if err := p.prepareFacts(); err != nil {
		return err
	}
	p.systems = map[string]string{}
	for system, names := range p.Systems {
		p.systems[strings.ToUpper(system)] = system
		for _, name := range names {
			p.systems[strings.ToUpper(name)] = system
		}
	}
	p.destinations = map[string]string{}
	known := append(schemas.Values("destination"), destinationDied)
	for destination, codes := range p.Destinations {
		if !slices.Contains(known, destination) {
			return fmt.Errorf("destinations: %q is none of %s", destination, strings.Join(known, ", "))
		}
		for _, code := range codes {
			p.destinations[plainWords(code)] = destination
		}
	}
	if p.reasonPaths, err = parsePaths("reasons", p.Reasons); err != nil {
		return err
	}
	for _, path := range p.reasonPaths {
		if _, acts := actingSegments[path.Segment]; acts && path.Segment != "DG1" &&
			!slices.Contains(p.actingReasons, path.Segment) {
			p.actingReasons = append(p.actingReasons, path.Segment)
		}
	}
	if p.facilityPaths, err = parsePaths("facilityFrom", p.FacilityFrom); err != nil {
		return err
	}
	for i := range p.Mentions.Words {
		p.Mentions.Words[i] = spaced(p.Mentions.Words[i])
	}
	for _, local := range p.LocalReasons {
		if local.Value == "" || (local.Says != string(record.VerdictInScope) &&
			local.Says != string(record.VerdictAsk)) {
			return fmt.Errorf("local reason %q must have a value and say in-scope or ask", local.Value)
		}
	}
	return p.prepareCodes()
}

func parsePaths(field string, texts []string) (paths []hl7.Path, err error) {
	for _, text := range texts {
		path, err := hl7.ParsePath(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func (p *Profile) prepareFacts() error {
	p.classes, p.AreaOf, p.genders = map[string]record.Setting{}, map[string]string{}, map[string]string{}
	for setting, classes := range map[record.Setting][]string{record.SettingEmergency: p.Settings.Emergency,
		record.SettingWard: p.Settings.Ward, record.SettingElsewhere: p.Settings.Elsewhere} {
		for _, class := range classes {
			if other, twice := p.classes[strings.ToUpper(class)]; twice {
				return fmt.Errorf("settings: class %q is both %s and %s", class, other, setting)
			}
			p.classes[strings.ToUpper(class)] = setting
		}
	}
	for area, outwards := range p.Facts.Areas {
		kind, _ := schemas.KindNamed("area")
		if area == "" || len(area) > kind.MaxLength {
			return fmt.Errorf("facts: %q is no area's code", area)
		}
		for _, outward := range outwards {
			p.AreaOf[strings.ToUpper(outward)] = area
		}
	}
	p.gpAreas = map[string]string{}
	for area, practices := range p.Facts.GPAreas {
		for _, practice := range practices {
			p.gpAreas[strings.ToUpper(practice)] = area
		}
	}
	for gender, values := range p.Facts.Genders {
		if !slices.Contains(schemas.Values("gender"), gender) {
			return fmt.Errorf("facts: gender %q is none of %s", gender, strings.Join(schemas.Values("gender"), ", "))
		}
		for _, value := range values {
			p.genders[strings.ToUpper(value)] = gender
		}
	}
	if p.Rhythm.Day < 0 || p.Rhythm.Night < 0 || p.Rhythm.Weekend < 0 || p.Rhythm.QuietFor < 0 {
		return errors.New("rhythm: messages an hour and quietFor are not negative")
	}
	if p.Facts.Interpreter.Path == "" {
		return nil
	}
	var err error
	if p.needed, err = hl7.ParsePath(p.Facts.Interpreter.Path); err != nil {
		return fmt.Errorf("facts: interpreter: %w", err)
	}
	return nil
}

func invertKinds(events map[record.Kind][]string) (map[string]record.Kind, error) {
	kinds := map[string]record.Kind{}
	for kind, triggers := range events {
		switch kind {
		case record.KindStart, record.KindMove, record.KindCancelMove, record.KindUpdate, record.KindEnd,
			record.KindCancelStart, record.KindCancelEnd, record.KindPerson, record.KindMerge, record.KindRename,
			record.KindJoinVisits, record.KindByHand, record.KindIgnore:
		default:
			return nil, fmt.Errorf("events: %q is no kind of event", kind)
		}
		for _, trigger := range triggers {
			if other, twice := kinds[trigger]; twice {
				return nil, fmt.Errorf("events: %s is both %s and %s", trigger, other, kind)
			}
			kinds[trigger] = kind
		}
	}
	return kinds, nil
}

func (p *Profile) prepareCodes() error {
	p.exact, p.ranges, p.subcategories = map[string]codeEntry{}, nil, nil
	for _, list := range p.Codes {
		if says := []string{string(record.VerdictInScope), string(record.VerdictAsk), saysLeft, saysOther,
			saysDied}; !slices.Contains(says, list.Says) {
			return fmt.Errorf("code list %q says %q: it must be one of %s", list.Name, list.Says,
				strings.Join(says, ", "))
		}
		if list.IfBlank && list.Says != string(record.VerdictAsk) {
			return fmt.Errorf("code list %q: ifBlank is for lists that say ask", list.Name)
		}
		if list.Source == "" || list.Checked == "" {
			return fmt.Errorf("code list %q must name its source and when it was checked", list.Name)
		}
		for _, code := range list.SNOMED {
			p.exact["snomed:"+code] = codeEntry{Name: list.Name, Says: list.Says, blank: list.IfBlank,
				key: "snomed:" + code}
		}
		for _, local := range list.Local {
			system, code, parted := strings.Cut(local, "|")
			if !parted || system == "" || code == "" {
				return fmt.Errorf("code list %q: %q is no local code such as OURS|SH1", list.Name, local)
			}
			p.exact[localKey(system, code)] = codeEntry{Name: list.Name, Says: list.Says, blank: list.IfBlank,
				key: "local:" + local}
			p.systems[strings.ToUpper(system)] = systemLocal
		}
		for _, span := range list.ICD10 {
			if category, sub, isSub := strings.Cut(span, "."); isSub {
				if _, ok := icdCategory(category); !ok || sub == "" {
					return fmt.Errorf("code list %q: %q is no subcategory such as Z91.5", list.Name, span)
				}
				p.subcategories = append(p.subcategories,
					codeRange{category + sub, "", codeEntry{Name: list.Name, Says: list.Says, blank: list.IfBlank,
						key: "icd10:" + span}})
				continue
			}
			from, to, isRange := strings.Cut(span, "-")
			if !isRange {
				to = from
			}
			if len(from) != 3 || len(to) != 3 || from > to {
				return fmt.Errorf("code list %q: %q is no range of ICD-10 categories such as X60-X84", list.Name, span)
			}
			p.ranges = append(p.ranges, codeRange{from, to, codeEntry{Name: list.Name, Says: list.Says,
				blank: list.IfBlank, key: "icd10:" + span}})
		}
	}
	sort.Slice(p.ranges, func(i, j int) bool { return p.ranges[i].from < p.ranges[j].from })
	return nil
}

// system gives this package's name of a coding system, or empty where the profile does not know it.
func (p *Profile) system(name string) string {
	return p.systems[strings.ToUpper(strings.TrimSpace(name))]
}

// AreasOf are the areas agreed for a sender, or for any sender of the organisation, by outward postcode.
func (ps *Profiles) AreasOf(sender, organisation string) map[string]string {
	if own := ps.For(sender); len(own.AreaOf) > 0 {
		return own.AreaOf
	}
	for _, name := range slices.Sorted(maps.Keys(ps.BySender)) {
		if other := ps.BySender[name]; other.Organisation == organisation && len(other.AreaOf) > 0 {
			return other.AreaOf
		}
	}
	return nil
}
