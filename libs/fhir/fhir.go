// Package fhir reads and writes the little of FHIR R4 (4.0.1) that a referral takes: message bundles, the resources
// in them, and OperationOutcome, in JSON.
//
// In come bytes from outside; out go typed resources, or issues that say exactly where the JSON is no R4: as a
// FHIRPath expression and in words, never with what the resource says of a person. Promises:
//   - Read never panics, and ends in time and memory bounded by the length of what it is given (Limits);
//   - what R4 does not allow is refused, not repaired: an unknown element, a list where there is one value, a missing
//     or repeated element, a code outside a required value set, a malformed date, a null, the same member twice;
//   - elements of R4 that these narrow structs do not name are kept as they came, in Rest, and written out again;
//   - resources of a type that is not described here are kept whole, as Other, and checked only for what holds for
//     every resource.
//
// It does not check profiles, terminology beyond required codes, nor most invariants, and it reads no XML. It makes
// no claim to be a validator: it refuses what would otherwise be misread.
package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// MediaType is that of FHIR in JSON.
const MediaType = "application/fhir+json"

// Version is the version of FHIR that is read and written.
const Version = "4.0.1"

// Limits bound what one resource may hold. Zero values mean the defaults.
type Limits struct {
	Depth  int // of nested objects and lists (40)
	Values int // objects, lists and primitive values in all (100,000)
	Issues int // how many are reported before reading gives up (20)
}

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = 40
	}
	if l.Values <= 0 {
		l.Values = 100_000
	}
	if l.Issues <= 0 {
		l.Issues = 20
	}
	return l
}

// Resource is one resource of any type.
type Resource interface {
	// ResourceType is its type as FHIR writes it: "Patient".
	ResourceType() string
	// ResourceID is its logical id, or empty.
	ResourceID() string
}

// Read reads one resource strictly. With issues there is no resource. The JSON may begin with a byte order mark.
func Read(body []byte, limits Limits) (Resource, []Issue) {
	limits = limits.withDefaults()
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) {
		return nil, []Issue{fatal("structure", "", "The body is not UTF-8. Write the JSON in UTF-8.")}
	}
	root, issue := parse(body, limits)
	if issue != nil {
		return nil, []Issue{*issue}
	}
	c := &checker{limits: limits}
	c.root(root)
	if len(c.issues) > 0 {
		return nil, c.issues
	}
	resource, err := decode(root.text("resourceType"), body)
	if err != nil { // the check and the structs disagree: ours, but the sender can still be answered
		return nil, []Issue{fatal("structure", root.text("resourceType"), "The resource could not be read: one of "+
			"its values does not have the form that R4 gives it.")}
	}
	return resource, nil
}

// ReadAs reads a resource of one type; another type is an issue.
func ReadAs[T Resource](body []byte, limits Limits) (T, []Issue) {
	var none T
	resource, issues := Read(body, limits)
	if len(issues) > 0 {
		return none, issues
	}
	read, ok := resource.(T)
	if !ok {
		return none, []Issue{failed("value", resource.ResourceType(), "Another resource is expected here: a "+
			none.ResourceType()+".")}
	}
	return read, nil
}

// decode makes the typed resource of JSON that has been checked.
func decode(kind string, body []byte) (Resource, error) {
	var resource Resource
	switch kind {
	case "Bundle":
		resource = &Bundle{}
	case "MessageHeader":
		resource = &MessageHeader{}
	case "Patient":
		resource = &Patient{}
	case "Encounter":
		resource = &Encounter{}
	case "ServiceRequest":
		resource = &ServiceRequest{}
	case "Task":
		resource = &Task{}
	case "Condition":
		resource = &Condition{}
	case "HealthcareService":
		resource = &HealthcareService{}
	case "Organization":
		resource = &Organization{}
	case "OperationOutcome":
		resource = &OperationOutcome{}
	case "Parameters":
		resource = &Parameters{}
	default:
		return &Other{Kind: kind, Raw: bytes.Clone(body)}, nil
	}
	if err := json.Unmarshal(body, resource); err != nil {
		return nil, fmt.Errorf("reading a %s: not as it was checked", kind) // the cause may quote it
	}
	return resource, nil
}
