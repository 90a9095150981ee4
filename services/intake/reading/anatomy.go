package reading

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"footbridge/libs/hl7"
)

// Anatomy is a message taken apart for whoever looks at how it was read, with who it is about hidden. What is shown is
// listed (openFields, openKeys) and has to look like a code; all else is hidden, so that a field that nobody thought of
// is hidden too.
type Anatomy struct {
	Format   string  `json:"format"`   // hl7, tree, text (a row of a list), or erased
	Segments []Piece `json:"segments"` // in the order of the message
}

// Piece is a segment of an HL7 message, or a part of a tree (a FHIR resource, an event's attributes, its data).
type Piece struct {
	Name   string  `json:"name"`
	Fields []Field `json:"fields"`
}

// Field is one field that holds something.
type Field struct {
	At string `json:"at"` // PV1-36, or a path such as resource.status
	// Value is as it was written; what is hidden within it stands as Hidden. It is empty where all of it is.
	Value string `json:"value,omitempty"`
	// Hidden: something of the field is not shown.
	Hidden bool `json:"hidden,omitempty"`
}

// Hidden stands in the place of what is not shown.
const Hidden = "•••"

// openFields are the fields of HL7 whose codes are shown, by segment; with their components, or all of them where none
// is named. No field holds a name, an address, a telephone, a birth date or a number of a person by its definition.
var openFields = map[string]map[int][]int{
	"MSH": {2: nil, 3: {1}, 4: {1}, 5: {1}, 6: {1}, 7: {1}, 8: nil, 9: nil, 10: {1}, 11: nil, 12: nil, 15: nil, 16: nil,
		17: nil, 18: nil, 21: nil},
	"EVN": {1: nil, 2: {1}, 4: {1}, 6: {1}},
	"PID": {3: {4, 5}, 8: {1}, 24: nil, 30: nil, 32: nil, 33: {1}},
	"PD1": {3: {3}, 4: {1}},
	"PV1": {1: nil, 2: {1}, 3: {1, 2, 3, 4}, 4: {1}, 6: {1, 4}, 10: {1}, 14: {1}, 18: {1}, 19: {1}, 36: {1}, 37: {1},
		39: {1}, 44: {1}, 45: {1}},
	"PV2": {3: {1, 3, 4, 6}, 8: {1}, 9: {1}},
	"DG1": {1: nil, 2: nil, 3: {1, 3, 4, 6}, 5: {1}, 6: {1}, 15: {1}, 20: {1}, 21: {1}},
	"OBX": {1: nil, 2: nil, 3: {1, 3}, 5: {1, 3}, 11: nil, 14: {1}},
	"PR1": {1: nil, 3: {1, 3}, 5: {1}}, "MRG": {1: {4, 5}}, "NTE": {1: nil, 2: nil}, "AL1": {1: nil, 2: {1}},
}

// whoFields are the fields of PID and NK1 that say who somebody is: what stands in one of them is hidden wherever else
// it stands.
var whoFields = map[string][]int{"PID": {2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 19, 20}, "NK1": {2, 4, 5}, "MRG": {1, 4, 7}}

// technicalOnly are the segments that an operator sees values of: they say how a message came, and nothing of a person.
var technicalOnly = []string{"MSH", "EVN", "attributes"}

// Technical leaves the values of what says how a message came; of all else, which segments and fields it has.
func (a Anatomy) Technical() Anatomy {
	shown := Anatomy{Format: a.Format}
	for _, piece := range a.Segments {
		if !slices.Contains(technicalOnly, piece.Name) {
			piece.Fields = slices.Clone(piece.Fields)
			for i := range piece.Fields {
				piece.Fields[i].Value, piece.Fields[i].Hidden = "", true
			}
		}
		shown.Segments = append(shown.Segments, piece)
	}
	return shown
}

// Dissect takes a message apart, as it was kept. Codes that the profile names are shown as they stand there.
func (p *Profile) Dissect(raw []byte) Anatomy {
	if message, err := hl7.Parse(raw); err == nil {
		return p.dissectHL7(message)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err == nil {
		return dissectTree(tree)
	}
	return Anatomy{Format: "text", Segments: []Piece{{Name: "text", Fields: []Field{{At: "text", Hidden: true}}}}}
}

func (p *Profile) dissectHL7(message *hl7.Message) Anatomy {
	whole := Anatomy{Format: "hl7"}
	who := identifying(message)
	for segment := range message.Segments() {
		piece := Piece{Name: segment.Name()}
		for n := 1; n <= segment.FieldCount(); n++ {
			value := segment.Field(n)
			if value.IsEmpty() || piece.Name == "MSH" && n == 1 {
				continue
			}
			field := Field{At: piece.Name + "-" + strconv.Itoa(n)}
			if piece.Name == "MSH" && n == 2 {
				field.Value = string(value.Raw())
			} else {
				field.Value, field.Hidden = p.showField(message, value, piece.Name, n, who)
			}
			piece.Fields = append(piece.Fields, field)
		}
		whole.Segments = append(whole.Segments, piece)
	}
	return whole
}

// showField writes a field with all hidden of it that is not a code of an open component.
func (p *Profile) showField(message *hl7.Message, value hl7.Value, segment string, n int, who []string) (shown string,
	hidden bool) {
	components, open := openFields[segment][n]
	if !open {
		return "", true
	}
	d := message.Delimiters()
	var repetitions []string
	for one := range value.Reps() {
		var parts []string
		for c := 1; c <= 1+strings.Count(string(one.Raw()), string(d.Component)); c++ {
			text := one.Comp(c).Text()
			if text != "" && (len(components) > 0 && !slices.Contains(components, c) || !p.isOpen(text, who)) {
				text, hidden = Hidden, true
			}
			parts = append(parts, text)
		}
		repetitions = append(repetitions, strings.Join(parts, string(d.Component)))
	}
	return strings.Join(repetitions, string(d.Repetition)), hidden
}

var openText = regexp.MustCompile(`^[A-Za-z0-9"+-][A-Za-z0-9_.:/+&" -]{0,39}$`)

// isOpen says whether a text may be shown: it is one that the profile names, or looks like a code, and is nothing that
// says who the person is.
func (p *Profile) isOpen(text string, who []string) bool {
	capitals := strings.ToUpper(text)
	if len(who) > mostWho || slices.ContainsFunc(who,
		func(part string) bool { return strings.Contains(capitals, part) }) {
		return false
	}
	return LooksCoded(openText, text, 4) || p.names(text)
}

// mostWho is of how many such texts each value is compared with: nothing is shown of a message that has more.
const mostWho = 300

// identifying are the texts of a message that say who somebody is, in capitals, each once; those of two characters or
// fewer say it of nobody.
func identifying(message *hl7.Message) (texts []string) {
	d := message.Delimiters()
	separators := string([]byte{d.Component, d.Repetition, d.Subcomponent, ' '})
	for name, fields := range whoFields {
		for segment := range message.All(name) {
			for _, n := range fields {
				value := segment.Field(n)
				for one := range value.Reps() {
					text := string(one.Raw())
					if name != "NK1" && (n == 3 && name == "PID" || n == 1) {
						text = one.Comp(1).Text() // its authority and type are codes
					}
					for _, word := range strings.FieldsFunc(strings.ToUpper(text), func(r rune) bool {
						return strings.ContainsRune(separators, r)
					}) {
						if len(word) > 2 {
							texts = append(texts, word)
						}
					}
				}
			}
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// openKeys are the members of a tree whose values are shown where they look like codes, whatever they stand in but for
// closedKeys.
var openKeys = []string{"resourceType", "status", "intent", "code", "system", "priority", "category", "class", "type",
	"start", "end", "authoredOn", "time", "timestamp", "lastUpdated", "specversion", "source", "datacontenttype",
	"dataschema", "inScope", "leftAt", "arrivedAt", "destination", "visit", "organisation", "route", "outcome",
	"assessment", "areaResidence", "areaGP", "purpose", "state", "profile", "versionId"}

// closedKeys hold who somebody is, or words: nothing beneath them is shown.
var closedKeys = []string{"name", "telecom", "address", "identifier", "birthDate", "person", "contact", "note", "text",
	"display", "subject", "patient", "deceasedDateTime", "photo", "div", "summary", "nhsNumber", "localId"}

// attributes are the members at the top of an event beside its data.
const attributesName = "attributes"

// dissectTree takes apart a FHIR bundle by its resources, and anything else by what stands at its top.
func dissectTree(tree any) Anatomy {
	whole := Anatomy{Format: "tree"}
	top, _ := tree.(map[string]any)
	if top == nil {
		top = map[string]any{"data": tree}
	}
	attributes := Piece{Name: attributesName}
	for _, key := range slices.Sorted(maps.Keys(top)) {
		value := top[key]
		if text, is := value.(string); is && (key == "data" || key == "Data") { // an event, as it is kept
			var data any
			if json.Unmarshal([]byte(text), &data) == nil {
				value = data
			}
		}
		switch value := value.(type) {
		case map[string]any:
			piece := Piece{Name: key}
			walkTree(value, "", false, &piece)
			whole.Segments = append(whole.Segments, piece)
		case []any:
			whole.Segments = append(whole.Segments, eachOf(key, value)...)
		default:
			walkTree(map[string]any{key: value}, "", false, &attributes)
		}
	}
	whole.Segments = append([]Piece{attributes}, whole.Segments...)
	return whole
}

// eachOf takes apart a list, such as the entries of a bundle, each named by its resource.
func eachOf(key string, all []any) (pieces []Piece) {
	for i, one := range all {
		piece := Piece{Name: fmt.Sprintf("%s[%d]", key, i)}
		if entry, is := one.(map[string]any); is {
			if resource, is := entry["resource"].(map[string]any); is {
				if kind, is := resource["resourceType"].(string); is {
					piece.Name = resourceShown(kind)
				}
				one = resource
			}
		}
		walkTree(one, "", slices.Contains(closedKeys, key), &piece)
		pieces = append(pieces, piece)
	}
	return pieces
}

// walkTree adds every value of a tree by its path, and shows those that are open.
func walkTree(value any, path string, closed bool, piece *Piece) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			at := keyShown(key)
			if path != "" {
				at = path + "." + at
			}
			walkTree(value[key], at, closed || slices.Contains(closedKeys, key), piece)
		}
	case []any:
		for i, one := range value {
			walkTree(one, fmt.Sprintf("%s[%d]", path, i), closed, piece)
		}
	case nil:
	default:
		text := fmt.Sprint(value)
		field := Field{At: path, Hidden: true}
		if strings.HasSuffix(path, "resourceType") && slices.Contains(resources, text) {
			field.Value, field.Hidden = text, false
		} else if _, isBool := value.(bool); !closed &&
			(isBool || isOpenKey(path) && LooksCoded(SourceText, text, 14)) {
			field.Value, field.Hidden = text, false
		}
		piece.Fields = append(piece.Fields, field)
	}
}

// resources are those of FHIR R4 that a message may hold; another is not named.
var resources = []string{"Bundle", "MessageHeader", "Patient", "Encounter", "ServiceRequest", "Condition", "Location",
	"Organization", "Practitioner", "PractitionerRole", "HealthcareService", "Task", "Consent", "RelatedPerson",
	"Observation", "Flag", "CarePlan", "DocumentReference", "QuestionnaireResponse", "Composition", "Provenance",
	"Appointment", "Procedure", "Communication", "CommunicationRequest", "OperationOutcome", "Parameters", "Slot"}

func resourceShown(kind string) string {
	if slices.Contains(resources, kind) {
		return kind
	}
	return Hidden
}

// isOpenKey looks at the last member of a path; an event is kept with its attributes' names in capitals.
func isOpenKey(path string) bool {
	last, _, _ := strings.Cut(path[strings.LastIndex(path, ".")+1:], "[")
	return slices.ContainsFunc(openKeys, func(key string) bool { return strings.EqualFold(key, last) })
}

var keyText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,39}$`)

// keyShown is a member's name as it may be shown: whoever sends may have put anything into it.
func keyShown(key string) string {
	if LooksCoded(keyText, key, 24) {
		return key
	}
	return Hidden
}
