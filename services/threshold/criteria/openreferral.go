package criteria

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Imported is what came in from an Open Referral UK directory: the sound entries, whole, and every fault of the
// others. What is counted is what was there.
type Imported struct {
	Services []Service     `json:"services"`
	Faults   []ImportFault `json:"faults,omitempty"`
	Pages    int           `json:"pages"`
	Entries  int           `json:"entries"` // found on the pages, sound or not
	Skipped  int           `json:"skipped"`
	// HeaderSays is how many the directory's own header claims there are; nil where it does not say.
	HeaderSays *int `json:"headerSays,omitempty"`
}

// ImportFault is one thing wrong in one field of one entry.
type ImportFault struct {
	Page  int    `json:"page"`            // 1 is the first
	Entry int    `json:"entry,omitempty"` // on its page, 1 is the first; 0 where the page is meant
	ID    string `json:"id,omitempty"`
	Field string `json:"field,omitempty"`
	What  string `json:"what"`
}

// mostPages bounds an import from a directory that never ends.
const mostPages = 10_000

// ImportOpenReferral reads pages, from number 1, until one is nil, empty, or holds nothing new: it does not believe
// the header. A page is a response of /services, a list of services, or one service. An entry with any fault is
// reported field by field and skipped as a whole; a sound one keeps every field, known to us or not. A page that
// cannot be fetched or read is a fault, and the import goes on with what it has; only fetching ends it.
func ImportOpenReferral(page func(number int) ([]byte, error)) Imported {
	in := importer{seen: map[string]bool{}}
	for number := 1; number <= mostPages; number++ {
		content, err := page(number)
		if err != nil {
			in.fault(ImportFault{Page: number, What: "could not be fetched: " + err.Error()})
			break
		}
		if content == nil || !in.page(number, content) {
			break
		}
	}
	if says := in.HeaderSays; says != nil && *says != in.Entries {
		in.fault(ImportFault{Page: 1, Field: "total_items", What: fmt.Sprintf("says %d, but there are %d", *says,
			in.Entries)})
	}
	return in.Imported
}

// OnePage is the page function of a single file.
func OnePage(content []byte) func(int) ([]byte, error) {
	return func(number int) ([]byte, error) {
		if number > 1 {
			return nil, nil
		}
		return content, nil
	}
}

type importer struct {
	Imported
	seen map[string]bool // ids and, for entries without one, contents
}

func (in *importer) fault(f ImportFault) { in.Faults = append(in.Faults, f) }

// page takes one page and says whether it held anything new.
func (in *importer) page(number int, content []byte) bool {
	entries, total, why := readPage(content)
	if why != "" {
		in.Pages++
		in.fault(ImportFault{Page: number, What: why})
		return false
	}
	fresh := false
	var repeated []ImportFault
	for i, raw := range entries {
		key := entryKey(raw)
		if in.seen[key] {
			repeated = append(repeated, ImportFault{Page: number, Entry: i + 1, ID: idOf(raw), Field: "id",
				What: "is there already; the first one was taken"})
			continue
		}
		in.seen[key], fresh = true, true
		in.entry(number, i+1, raw)
	}
	if !fresh {
		return false // empty, or the same page again: the directory ignores the page number
	}
	in.Pages++
	if number == 1 {
		in.HeaderSays = total
	}
	in.Entries += len(repeated)
	in.Skipped += len(repeated)
	in.Faults = append(in.Faults, repeated...)
	return true
}

func readPage(content []byte) (entries []json.RawMessage, total *int, why string) {
	content = bytes.TrimPrefix(bytes.TrimSpace(content), []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(content, []byte("[")) {
		if err := json.Unmarshal(content, &entries); err != nil {
			return nil, nil, "is not JSON: " + err.Error()
		}
		return entries, nil, ""
	}
	var header struct {
		Total    json.RawMessage   `json:"total_items"`
		Contents []json.RawMessage `json:"contents"`
		Content  []json.RawMessage `json:"content"` // the older spelling
		ID       json.RawMessage   `json:"id"`
	}
	if err := json.Unmarshal(content, &header); err != nil {
		return nil, nil, "is not a page of services: " + err.Error()
	}
	if header.Contents == nil && header.Content == nil && header.ID != nil {
		return []json.RawMessage{content}, nil, ""
	}
	if header.Contents == nil && header.Content == nil && header.Total == nil {
		return nil, nil, "is no page of services: services of Open Referral UK are read here, in a list or under " +
			"contents"
	}
	var count int
	if json.Unmarshal(header.Total, &count) == nil && header.Total != nil {
		total = &count
	}
	return append(header.Contents, header.Content...), total, ""
}

func idOf(raw json.RawMessage) string {
	var entry struct {
		ID any `json:"id"`
	}
	_ = json.Unmarshal(raw, &entry) // what is no object has no id
	id, _ := entry.ID.(string)
	return id
}

func entryKey(raw json.RawMessage) string {
	if id := idOf(raw); id != "" {
		return "id " + id
	}
	return "content " + string(raw)
}

// isService tells a service, with whatever faults, from other entities of the standard: only it has a status or names
// its organization, and none of what organisations alone have.
func isService(fields map[string]any) bool {
	for _, own := range []string{"legal_status", "tax_status", "tax_id", "year_incorporated", "parent_organization_id",
		"services"} {
		if fields[own] != nil && fields["organization"] == nil {
			return false
		}
	}
	return fields["status"] != nil || fields["organization"] != nil
}

func (in *importer) entry(page, number int, raw json.RawMessage) {
	in.Entries++
	var fields map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	faults := []ImportFault{}
	if err := dec.Decode(&fields); err != nil || fields == nil {
		faults = append(faults, ImportFault{What: "is not an object"})
	} else if !isService(fields) {
		faults = append(faults, ImportFault{What: "is no service: services of Open Referral UK are read here, each " +
			"with its organization; an organisation by itself is not"})
	} else {
		faults = checkFields("", serviceFields, fields)
	}
	var service Service
	if err := json.Unmarshal(raw, &service); len(faults) == 0 && err != nil {
		faults = append(faults, ImportFault{What: err.Error()})
	}
	if len(faults) == 0 {
		in.Services = append(in.Services, service)
		return
	}
	in.Skipped++
	for _, f := range faults {
		f.Page, f.Entry, f.ID = page, number, idOf(raw)
		in.fault(f)
	}
}

// fieldRule says what a field of the standard holds.
type fieldRule struct {
	kind     string // text, day, link, email, number, flag, list, object, and lists of objects by their own rules
	required bool
	oneOf    []string
	fields   map[string]fieldRule // of an object, or of each element of a list
}

var withID = map[string]fieldRule{"id": {kind: "text", required: true}}

// serviceFields are the fields of Open Referral UK 3.0 that we check. Others are kept as they are.
var serviceFields = map[string]fieldRule{
	"id":   {kind: "text", required: true},
	"name": {kind: "text", required: true},
	"status": {kind: "text", required: true, oneOf: []string{"active", "inactive", "defunct",
		"temporarily closed"}},
	"description":   {kind: "text"},
	"url":           {kind: "link"},
	"email":         {kind: "email"},
	"minimum_age":   {kind: "number"},
	"maximum_age":   {kind: "number"},
	"assured_date":  {kind: "day"},
	"assurer_email": {kind: "email"},
	"last_modified": {kind: "text"},
	"organization": {kind: "object", fields: map[string]fieldRule{"id": {kind: "text", required: true},
		"name": {kind: "text", required: true}}},
	"phones": {kind: "list", fields: map[string]fieldRule{"id": {kind: "text"},
		"number": {kind: "text", required: true}}},
	"schedules": {kind: "list", fields: map[string]fieldRule{"id": {kind: "text", required: true},
		"valid_from": {kind: "day"}, "valid_to": {kind: "day"}}},
	"service_areas":        {kind: "list", fields: withID},
	"service_at_locations": {kind: "list", fields: withID},
	"languages":            {kind: "list", fields: withID},
	"funding":              {kind: "list", fields: withID},
	"cost_options":         {kind: "list", fields: withID},
	"contacts":             {kind: "list", fields: withID},
	"attributes":           {kind: "list", fields: withID},
}

func checkFields(where string, rules map[string]fieldRule, fields map[string]any) []ImportFault {
	faults := []ImportFault{}
	names := make([]string, 0, len(rules))
	for name := range rules {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		rule, value := rules[name], fields[name]
		path := strings.TrimPrefix(where+"."+name, ".")
		if value == nil { // absent, or null, which the standard's own profile still uses
			if rule.required {
				faults = append(faults, ImportFault{Field: path, What: "is missing"})
			}
			continue
		}
		faults = append(faults, checkField(path, rule, value)...)
	}
	return faults
}

func checkField(path string, rule fieldRule, value any) []ImportFault {
	wrong := func(format string, args ...any) []ImportFault {
		return []ImportFault{{Field: path, What: fmt.Sprintf(format, args...)}}
	}
	switch rule.kind {
	case "number":
		if _, ok := value.(json.Number); !ok {
			return wrong("is not a number")
		}
		return nil
	case "object":
		object, ok := value.(map[string]any)
		if !ok {
			return wrong("is not an object")
		}
		return checkFields(path, rule.fields, object)
	case "list":
		return checkList(path, rule, value)
	}
	text, ok := value.(string)
	if !ok {
		return wrong("is not a text")
	}
	if why := checkText(rule, text); why != "" {
		return wrong("%s", why)
	}
	return nil
}

func checkText(rule fieldRule, text string) string {
	switch {
	case rule.required && strings.TrimSpace(text) == "":
		return "is empty"
	case len(rule.oneOf) > 0 && !slices.Contains(rule.oneOf, text):
		return fmt.Sprintf("is %q; it must be one of %s", text, strings.Join(rule.oneOf, ", "))
	case rule.kind == "day" && text != "":
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return fmt.Sprintf("%q is not a day", text)
		}
	case rule.kind == "link" && text != "":
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Sprintf("%q is not a web address", text)
		}
	case rule.kind == "email" && text != "":
		if _, err := mail.ParseAddress(text); err != nil {
			return fmt.Sprintf("%q is not an e-mail address", text)
		}
	}
	return ""
}

func checkList(path string, rule fieldRule, value any) []ImportFault {
	list, ok := value.([]any)
	if !ok {
		return []ImportFault{{Field: path, What: "is not a list"}}
	}
	var faults []ImportFault
	for i, element := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		object, ok := element.(map[string]any)
		if !ok {
			faults = append(faults, ImportFault{Field: at, What: "is not an object"})
			continue
		}
		faults = append(faults, checkFields(at, rule.fields, object)...)
	}
	return faults
}

// Draft begins an access-criteria document for an imported service. The standard says neither the sector nor any
// condition beyond the ages, so a human gives the first and writes the rest.
func (s Service) Draft(sector, kind string, from Provenance) Document {
	doc := Document{Format: Format, Version: "draft", Service: s, Sector: sector, Kind: kind, Role: RoleCare,
		Provenance: from}
	least, most := s.age("minimum_age"), s.age("maximum_age")
	switch {
	case least != nil && most != nil:
		doc.Ages = &Ages{From: least, To: most, Words: fmt.Sprintf("For people aged %d to %d.", *least, *most)}
	case least != nil:
		doc.Ages = &Ages{From: least, Words: fmt.Sprintf("For people aged %d and over.", *least)}
	case most != nil:
		doc.Ages = &Ages{To: most, Words: fmt.Sprintf("For people aged up to %d.", *most)}
	}
	return doc
}

// age reads one of the ages the standard keeps on the service, in whole years, where it is one.
func (s Service) age(field string) *int {
	switch v := s.Unknown[field].(type) {
	case int:
		return &v
	case json.Number:
		if exact, err := v.Float64(); err == nil && exact >= 0 && exact <= ageMost {
			years := int(exact)
			return &years
		}
	}
	return nil
}
