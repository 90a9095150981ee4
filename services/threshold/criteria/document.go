package criteria

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"
)

// Format is the name and major version of the access-criteria document (docs/access-criteria.md).
const Format = "access-criteria/v1"

// Day is a local calendar day, YYYY-MM-DD. Days compare as strings.
type Day = string

// Sectors of a service.
const (
	Statutory   = "statutory"
	ThirdSector = "third-sector"
)

// Roles say what a service can hold. Only care counts when we ask whether anything is open: a crisis line that
// answers everybody must not hide that nobody takes the person on.
const (
	RoleCare          = "care"           // goes on for more than the moment: a team, a group, a session
	RoleImmediateHelp = "immediate-help" // help now: a line, the liaison team in the department
	// takes whoever no other service takes; may have no condition, and may not lapse
	RoleLastResort = "last-resort"
)

// Sides of an axis: where the person would be, as the service sees its own range.
const (
	SideAbove = "above" // more than the service says it is for
	SideBelow = "below" // less than the service says it is for
)

// Effects of a criterion.
const (
	Include = "include" // the door is open only where it holds
	Exclude = "exclude" // the door is not open where it holds
)

// Reasons why a criterion cannot be evaluated from facts.
const (
	WhyRiskGrade    = "risk-grade"   // asks for a grade of the person, which we neither hold nor compute (NG225 1.6)
	WhyFreeText     = "free-text"    // is not precise enough to be decided
	WhyConversation = "conversation" // takes a clinician's conversation with the person
)

// Kinds a criterion may have. 'Attends something' and 'said something' are not among them, on purpose.
var criterionKinds = []string{"age", "area", "registration", "referral-route", "language", "gender", "capacity",
	"opening", "need", "channel", "status", "funding", "other"}

// Document is one service's access criteria: what it publishes, dated and sourced, one document per service.
type Document struct {
	Format string `yaml:"format" json:"format"`
	// the publisher's own version of this document
	Version string `yaml:"version" json:"version"`
	// an example, no real service's criteria
	Illustrative bool       `yaml:"illustrative,omitempty" json:"illustrative,omitempty"`
	Service      Service    `yaml:"service" json:"service"`
	Sector       string     `yaml:"sector" json:"sector"`
	Kind         string     `yaml:"kind" json:"kind"` // talking-therapies, peer-follow-up, navigator, …
	Role         string     `yaml:"role" json:"role"`
	Provenance   Provenance `yaml:"provenance" json:"provenance"` // of everything below that has none of its own

	// how one gets in: discharge, professional, self. A description, not a condition
	Routes []string `yaml:"routes,omitempty" json:"routes,omitempty"`
	Ages   *Ages    `yaml:"ages,omitempty" json:"ages,omitempty"`
	Area   *Area    `yaml:"area,omitempty" json:"area,omitempty"`
	// BCP 47; a description: an interpreter can be asked for
	Languages []string `yaml:"languages,omitempty" json:"languages,omitempty"`
	// step-free, hearing loop, BSL, quiet room, …
	Access    []string    `yaml:"access,omitempty" json:"access,omitempty"`
	Channels  []string    `yaml:"channels,omitempty" json:"channels,omitempty"` // in-person, video, phone, text
	Opening   *Claim      `yaml:"opening,omitempty" json:"opening,omitempty"`
	Capacity  *Claim      `yaml:"capacity,omitempty" json:"capacity,omitempty"`
	Wait      *Claim      `yaml:"wait,omitempty" json:"wait,omitempty"`
	Agreement *Agreement  `yaml:"agreement,omitempty" json:"agreement,omitempty"`
	Funding   *Funding    `yaml:"funding,omitempty" json:"funding,omitempty"`
	Criteria  []Criterion `yaml:"criteria,omitempty" json:"criteria,omitempty"`
	Told      []Told      `yaml:"told,omitempty" json:"told,omitempty"`
}

// Service is the service as Open Referral UK describes it (field names are the standard's). Fields we do not
// know are kept, and come out again.
type Service struct {
	ID   string `yaml:"id" json:"id"`
	Name string `yaml:"name" json:"name"`
	// active, inactive, defunct, temporarily closed
	Status       string         `yaml:"status,omitempty" json:"status,omitempty"`
	Description  string         `yaml:"description,omitempty" json:"description,omitempty"`
	URL          string         `yaml:"url,omitempty" json:"url,omitempty"`
	Email        string         `yaml:"email,omitempty" json:"email,omitempty"`
	Organization *Organization  `yaml:"organization,omitempty" json:"organization,omitempty"`
	Phones       []Phone        `yaml:"phones,omitempty" json:"phones,omitempty"`
	AssuredDate  Day            `yaml:"assured_date,omitempty" json:"assured_date,omitempty"`
	Unknown      map[string]any `yaml:",inline" json:"-"`
}

// Organization runs a service.
type Organization struct {
	ID      string         `yaml:"id" json:"id"`
	Name    string         `yaml:"name" json:"name"`
	Unknown map[string]any `yaml:",inline" json:"-"`
}

// Phone is a published number.
type Phone struct {
	ID      string         `yaml:"id,omitempty" json:"id,omitempty"`
	Number  string         `yaml:"number" json:"number"`
	Unknown map[string]any `yaml:",inline" json:"-"`
}

// MarshalJSON writes the known fields and those kept unknown side by side.
func (s Service) MarshalJSON() ([]byte, error) {
	type plain Service
	return marshalWithUnknown(plain(s), s.Unknown)
}

// MarshalJSON writes the known fields and those kept unknown side by side.
func (o Organization) MarshalJSON() ([]byte, error) {
	type plain Organization
	return marshalWithUnknown(plain(o), o.Unknown)
}

// MarshalJSON writes the known fields and those kept unknown side by side.
func (p Phone) MarshalJSON() ([]byte, error) {
	type plain Phone
	return marshalWithUnknown(plain(p), p.Unknown)
}

// UnmarshalJSON reads the known fields and keeps the others.
func (s *Service) UnmarshalJSON(b []byte) (err error) {
	type plain Service
	s.Unknown, err = unmarshalWithUnknown(b, (*plain)(s), "id", "name", "status", "description", "url", "email",
		"organization", "phones", "assured_date")
	return err
}

// UnmarshalJSON reads the known fields and keeps the others.
func (o *Organization) UnmarshalJSON(b []byte) (err error) {
	type plain Organization
	o.Unknown, err = unmarshalWithUnknown(b, (*plain)(o), "id", "name")
	return err
}

// UnmarshalJSON reads the known fields and keeps the others.
func (p *Phone) UnmarshalJSON(b []byte) (err error) {
	type plain Phone
	p.Unknown, err = unmarshalWithUnknown(b, (*plain)(p), "id", "number")
	return err
}

// unmarshalWithUnknown keeps numbers as they are written.
func unmarshalWithUnknown(b []byte, known any, names ...string) (map[string]any, error) {
	if err := json.Unmarshal(b, known); err != nil {
		return nil, err
	}
	var all map[string]any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&all); err != nil {
		return nil, err
	}
	for _, name := range names {
		delete(all, name)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

func marshalWithUnknown(known any, unknown map[string]any) ([]byte, error) {
	b, err := json.Marshal(known)
	if err != nil || len(unknown) == 0 {
		return b, err
	}
	all := maps.Clone(unknown)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// Provenance says where words come from and how far they can be relied on.
type Provenance struct {
	Source      string `yaml:"source,omitempty" json:"source,omitempty"`
	Link        string `yaml:"link,omitempty" json:"link,omitempty"`
	PublishedBy string `yaml:"publishedBy,omitempty" json:"publishedBy,omitempty"`
	ValidFrom   Day    `yaml:"validFrom,omitempty" json:"validFrom,omitempty"` // first day, inclusive
	// last day, inclusive; a lapsed criterion excludes nobody
	ValidUntil Day    `yaml:"validUntil,omitempty" json:"validUntil,omitempty"`
	CheckedOn  Day    `yaml:"checkedOn,omitempty" json:"checkedOn,omitempty"`
	CheckedBy  string `yaml:"checkedBy,omitempty" json:"checkedBy,omitempty"` // a role
}

// Ages the service is for, in whole years, both inclusive. It becomes the criterion "ages".
type Ages struct {
	From  *int   `yaml:"from,omitempty" json:"from,omitempty"`
	To    *int   `yaml:"to,omitempty" json:"to,omitempty"`
	Words string `yaml:"words" json:"words"`
}

// Area the service is for. Any one of the named relations is enough. It becomes the criterion "area".
type Area struct {
	Of    []string `yaml:"of" json:"of"` // residence, staying, gp
	Codes []string `yaml:"codes" json:"codes"`
	Words string   `yaml:"words" json:"words"`
}

// Claim is something said of a service at some time: never a fact, never a condition.
type Claim struct {
	Says string `yaml:"says" json:"says"`
	// Code is what the service states of its capacity, as one of the four codes of the Gravity guide (capacity
	// status). A criterion may read it, for half a year after AsOf. Other claims have none.
	Code   string `yaml:"code,omitempty" json:"code,omitempty"`
	AsOf   Day    `yaml:"asOf" json:"asOf"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
}

// Agreement is what the service has agreed with those who refer to it. NeverDeclinesFor are reasons, by code, that it
// may not say no for: such an answer is a question to the service and closes no door.
type Agreement struct {
	NeverDeclinesFor []string `yaml:"neverDeclinesFor" json:"neverDeclinesFor"`
	Words            string   `yaml:"words" json:"words"`
	Source           string   `yaml:"source,omitempty" json:"source,omitempty"`
}

// Funding says how long the service is paid for. It becomes the criterion "funding": not open after that day.
type Funding struct {
	Until  Day    `yaml:"until" json:"until"`
	Words  string `yaml:"words" json:"words"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
}

// Criterion is one published condition of access.
type Criterion struct {
	ID   string `yaml:"id" json:"id"`
	Kind string `yaml:"kind" json:"kind"`
	Axis string `yaml:"axis,omitempty" json:"axis,omitempty"` // what two services may lie on opposite sides of
	// where a person it does not take is: above or below its range
	Side   string `yaml:"side,omitempty" json:"side,omitempty"`
	Effect string `yaml:"effect" json:"effect"`
	// When is a CEL expression of the fixed fragment over declared facts; empty where NotEvaluable is set.
	When         string        `yaml:"when,omitempty" json:"when,omitempty"`
	NotEvaluable *NotEvaluable `yaml:"notEvaluable,omitempty" json:"notEvaluable,omitempty"`
	Words        string        `yaml:"words" json:"words"` // fit to be read aloud
	Terms        *Terms        `yaml:"terms,omitempty" json:"terms,omitempty"`
	Provenance   `yaml:",inline"`
}

// NotEvaluable marks a criterion that no fact can decide, and says whom to ask.
type NotEvaluable struct {
	Why string `yaml:"why" json:"why"`
	Ask string `yaml:"ask" json:"ask"`
}

// Terms are the length and scope of a clause, so that what people were told can be held against what is
// published. They are never evaluated.
type Terms struct {
	Days  int      `yaml:"days,omitempty" json:"days,omitempty"`   // how far back the clause looks, in days
	Scope []string `yaml:"scope,omitempty" json:"scope,omitempty"` // codes of what it speaks of
}

// Told is one 'I was told…': what somebody was told a service's criterion is.
type Told struct {
	ID          string `yaml:"id" json:"id"`
	On          Day    `yaml:"on" json:"on"`
	By          string `yaml:"by" json:"by"` // the role of who was told, never a name
	Criterion   string `yaml:"criterion" json:"criterion"`
	Words       string `yaml:"words" json:"words"`
	Terms       Terms  `yaml:"terms" json:"terms"`
	DidNotRefer bool   `yaml:"didNotRefer,omitempty" json:"didNotRefer,omitempty"`
	Source      string `yaml:"source,omitempty" json:"source,omitempty"`
}

// Directory is a set of documents that loaded, with its criteria compiled. It does not change, and is safe to
// share. Its Hash is the version every decision keeps.
type Directory struct {
	Hash     string
	services []*compiled // by service id
	byID     map[string]*compiled
	axes     []string

	criteria    int           // of all services together: rows of a matrix
	expressions []*expression // each distinct one once, at its own number
}

// compiled is one document with its clauses, in the order a reader sees them.
type compiled struct {
	doc     Document
	clauses []*clause
}

// clause is one criterion made ready: its own, or one that comes from ages, area, funding or status.
type clause struct {
	Criterion
	expr   *expression // nil for a not evaluable criterion, and for what only a date decides
	closed bool        // never met: the service itself is closed
	claim  *Claim      // of capacity, where the expression reads it; without a code where the service states none

	row      Row   // as it stands in every matrix, but for what the facts decide
	lapses   Day   // the first day on which it is no longer in force; empty where it has no end
	overDays bool  // looked at over the days of the window: it reads the age or an area
	turns    []int // days since the last self-harm at which it may give something else, sorted
}

// Documents returns the documents, by service id.
func (d *Directory) Documents() []Document {
	docs := make([]Document, len(d.services))
	for i, s := range d.services {
		docs[i] = s.doc
	}
	return docs
}

// Document returns the document of a service, and whether there is one.
func (d *Directory) Document(service string) (Document, bool) {
	s, ok := d.byID[service]
	if !ok {
		return Document{}, false
	}
	return s.doc, true
}

// Criterion returns a criterion of a service by its id, one that comes from its ages, area, funding or status too, and
// whether there is one.
func (d *Directory) Criterion(service, id string) (Criterion, bool) {
	if s := d.byID[service]; s != nil {
		for _, c := range s.clauses {
			if c.ID == id {
				return c.Criterion, true
			}
		}
	}
	return Criterion{}, false
}

// Axes are those that the set's criteria lie on, sorted.
func (d *Directory) Axes() []string { return slices.Clone(d.axes) }

// LastResort returns the ids of the services that take whoever no other takes; there is at least one.
func (d *Directory) LastResort() []string {
	var ids []string
	for _, s := range d.services {
		if s.doc.Role == RoleLastResort {
			ids = append(ids, s.doc.Service.ID)
		}
	}
	return ids
}

// Canonical returns the whole set as one JSON document, the form whose SHA-256 is Hash. Stored with each version,
// it lets an old decision be explained, and replayed, in the words it was made under.
func (d *Directory) Canonical() []byte { return canonical(d.Documents()) }

func canonical(docs []Document) []byte {
	b, err := json.Marshal(docs)
	if err != nil { // only what JSON cannot say, which compile has refused
		panic(fmt.Sprintf("writing the directory: %v", err))
	}
	return b
}

func hashOf(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// Refusal is one reason why a set does not load: where, and why, in words that say what to change.
type Refusal struct {
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`  // 1 is the first; 0 where the whole file or set is meant
	Where string `json:"where,omitempty"` // path of the field, for instance criteria[2].when
	Why   string `json:"why"`
}

// String writes file:line: where: why.
func (r Refusal) String() string {
	var b strings.Builder
	b.WriteString(r.File)
	if r.Line > 0 {
		fmt.Fprintf(&b, ":%d", r.Line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if r.Where != "" {
		b.WriteString(r.Where + ": ")
	}
	b.WriteString(r.Why)
	return b.String()
}

// Refused is the error of a set that does not load: every refusal at once.
type Refused []Refusal

// Error writes one refusal a line.
func (r Refused) Error() string {
	lines := make([]string, len(r))
	for i, one := range r {
		lines[i] = one.String()
	}
	return "the access criteria do not load:\n" + strings.Join(lines, "\n")
}

// Source is one file of a set.
type Source struct {
	Name    string
	Content []byte
}

// LoadFS loads every .yaml, .yml and .json file of a folder and below as one set.
// The error is of type Refused where the documents are at fault.
func LoadFS(files fs.FS) (*Directory, error) {
	var sources []Source
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)) {
			return err
		}
		content, err := fs.ReadFile(files, name)
		sources = append(sources, Source{Name: name, Content: content})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the directory: %w", err)
	}
	return Load(sources...)
}

// Load loads documents as one set. A file may hold one document, several YAML documents, or a list of them (which
// is what Canonical writes). All refusals are returned together, as Refused.
func Load(sources ...Source) (*Directory, error) {
	var (
		placed   []placedDocument
		refusals Refused
	)
	for _, source := range sources {
		docs, refused := read(source)
		placed, refusals = append(placed, docs...), append(refusals, refused...)
	}
	if len(sources) == 0 {
		refusals = append(refusals, Refusal{Why: "there is no document: a set needs at least a last-resort service"})
	}
	return assemble(placed, refusals)
}

// Compile makes a set of documents that were built in memory.
func Compile(docs ...Document) (*Directory, error) {
	placed := make([]placedDocument, len(docs))
	for i, doc := range docs {
		placed[i] = placedDocument{doc: doc, file: doc.Service.ID}
	}
	return assemble(placed, nil)
}

// placedDocument remembers where each field of a document stands.
type placedDocument struct {
	doc   Document
	file  string
	lines map[string]int
}

func (p placedDocument) refuse(where, format string, args ...any) Refusal {
	line := p.lines[where]
	for parent := where; line == 0 && parent != ""; line = p.lines[parent] {
		parent = parent[:max(0, strings.LastIndexAny(parent, ".["))]
	}
	return Refusal{File: p.file, Line: line, Where: where, Why: fmt.Sprintf(format, args...)}
}

func assemble(placed []placedDocument, refusals Refused) (*Directory, error) {
	refusals = append(refusals, refuseSet(placed, len(refusals) > 0)...)
	services := make([]*compiled, 0, len(placed))
	shared := compiler{sectors: sectors(placed), known: map[string]*expression{}}
	for _, p := range placed {
		service, refused := shared.compile(p)
		services, refusals = append(services, service), append(refusals, refused...)
	}
	if len(refusals) > 0 {
		return nil, refusals
	}
	sort.Slice(services, func(i, j int) bool { return services[i].doc.Service.ID < services[j].doc.Service.ID })
	d := &Directory{services: services, byID: make(map[string]*compiled, len(services)),
		expressions: shared.expressions}
	for _, s := range services {
		d.byID[s.doc.Service.ID] = s
		d.criteria += len(s.clauses)
	}
	d.axes = axesOf(services)
	d.Hash = hashOf(d.Canonical())
	return d, nil
}

func axesOf(services []*compiled) []string {
	seen := map[string]bool{}
	for _, s := range services {
		for _, c := range s.clauses {
			if c.Axis != "" {
				seen[c.Axis] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func sectors(placed []placedDocument) map[string]string {
	known := make(map[string]string, len(placed))
	for _, p := range placed {
		known[p.doc.Service.ID] = p.doc.Sector
	}
	return known
}
