package fhir

// ErrorCodes is the national system of HTTP error codes. Its small s is theirs.
const ErrorCodes = "https://fhir.nhs.uk/Codesystem/http-error-codes"

func fatal(code, at, words string) Issue {
	issue := failed(code, at, words)
	issue.Severity = "fatal"
	return issue
}

func failed(code, at, words string) Issue {
	issue := Issue{Severity: "error", Code: code, Diagnostics: words}
	if at != "" {
		issue.Expression = Words{at}
	}
	return issue
}

// NewIssue makes an issue of severity error: code is R4's issue type, at a FHIRPath expression or empty, words what
// to do about it. The words may hold nothing of a person.
func NewIssue(code, at, words string) Issue { return failed(code, at, words) }

// NewOutcome makes an OperationOutcome, each issue with the national error code ("REC_BAD_REQUEST").
func NewOutcome(national string, issues ...Issue) *OperationOutcome {
	outcome := &OperationOutcome{}
	for _, issue := range issues {
		if issue.Details == nil && national != "" {
			issue.Details = &CodeableConcept{Coding: []Coding{{System: ErrorCodes, Code: national}}}
		}
		outcome.Issue = append(outcome.Issue, issue)
	}
	return outcome
}

// CapabilityStatement says what a server does. It is only written here.
type CapabilityStatement struct {
	ID             string            `json:"id,omitempty"`
	URL            string            `json:"url,omitempty"`
	Name           string            `json:"name,omitempty"`
	Title          string            `json:"title,omitempty"`
	Status         string            `json:"status"`
	Experimental   bool              `json:"experimental,omitempty"`
	Date           string            `json:"date"`
	Publisher      string            `json:"publisher,omitempty"`
	Description    string            `json:"description,omitempty"`
	Kind           string            `json:"kind"`
	Software       *Software         `json:"software,omitempty"`
	Implementation *Implementation   `json:"implementation,omitempty"`
	FHIRVersion    string            `json:"fhirVersion"`
	Format         []string          `json:"format"`
	Rest           []CapabilityRest  `json:"rest,omitempty"`
	Messaging      []CapabilityEvent `json:"messaging,omitempty"`
}

// Software is the program that answers.
type Software struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Implementation is the place where it runs.
type Implementation struct {
	Description string `json:"description"`
}

// CapabilityRest is what can be asked over HTTP.
type CapabilityRest struct {
	Mode          string               `json:"mode"`
	Documentation string               `json:"documentation,omitempty"`
	Resource      []CapabilityResource `json:"resource,omitempty"`
	Operation     []CapabilityOp       `json:"operation,omitempty"`
}

// CapabilityResource is one type of resource that can be asked for.
type CapabilityResource struct {
	Type          string             `json:"type"`
	Documentation string             `json:"documentation,omitempty"`
	Interaction   []CapabilityDoing  `json:"interaction,omitempty"`
	SearchParam   []CapabilitySearch `json:"searchParam,omitempty"`
}

// CapabilityDoing is an interaction: read, search-type.
type CapabilityDoing struct {
	Code string `json:"code"`
}

// CapabilitySearch is a parameter of a search.
type CapabilitySearch struct {
	Name          string `json:"name"`
	Type          string `json:"type"`
	Documentation string `json:"documentation,omitempty"`
}

// CapabilityOp is an operation.
type CapabilityOp struct {
	Name          string `json:"name"`
	Definition    string `json:"definition"`
	Documentation string `json:"documentation,omitempty"`
}

// CapabilityEvent describes messaging in words.
type CapabilityEvent struct {
	Documentation string `json:"documentation,omitempty"`
}

// MessageDefinition describes a kind of message. It is only written here.
type MessageDefinition struct {
	ID          string         `json:"id,omitempty"`
	Meta        *Meta          `json:"meta,omitempty"`
	URL         string         `json:"url,omitempty"`
	Name        string         `json:"name,omitempty"`
	Title       string         `json:"title,omitempty"`
	Status      string         `json:"status"`
	Date        string         `json:"date"`
	Description string         `json:"description,omitempty"`
	EventCoding Coding         `json:"eventCoding"`
	Category    string         `json:"category,omitempty"`
	Focus       []MessageFocus `json:"focus,omitempty"`
	Response    string         `json:"responseRequired,omitempty"`
}

// MessageFocus is a type of resource that such a message is about, and how many it names at least and at most.
type MessageFocus struct {
	Code string `json:"code"`
	Min  uint   `json:"min"`
	Max  string `json:"max,omitempty"`
}

// ResourceType implements Resource.
func (*MessageDefinition) ResourceType() string { return "MessageDefinition" }

// ResourceID implements Resource.
func (m *MessageDefinition) ResourceID() string { return m.ID }

// MarshalJSON implements json.Marshaler.
func (m MessageDefinition) MarshalJSON() ([]byte, error) {
	type bare MessageDefinition
	return writeRest("MessageDefinition", bare(m), nil)
}

// ResourceType implements Resource.
func (*CapabilityStatement) ResourceType() string { return "CapabilityStatement" }

// ResourceID implements Resource.
func (c *CapabilityStatement) ResourceID() string { return c.ID }

// MarshalJSON implements json.Marshaler.
func (c CapabilityStatement) MarshalJSON() ([]byte, error) {
	type bare CapabilityStatement
	return writeRest("CapabilityStatement", bare(c), nil)
}
