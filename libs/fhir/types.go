package fhir

// The types below name the elements that are used here. Times stay as they were written: ParseInstant and
// ParseDateTime read them. Whatever else R4 allows is in Rest.

// Meta is about the resource itself.
type Meta struct {
	VersionID   string `json:"versionId,omitempty"`
	LastUpdated string `json:"lastUpdated,omitempty"`
	Profile     Words  `json:"profile,omitempty"`
	// Security says how confidential the resource is.
	Security []Coding `json:"security,omitempty"`
	Rest     Rest     `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Meta) MarshalJSON() ([]byte, error) {
	type bare Meta
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Meta) UnmarshalJSON(body []byte) error {
	type bare Meta
	return readRest(body, (*bare)(v), &v.Rest)
}

// Extension is what a profile adds. Its value, of whatever type, is in Rest; the kinds used here are named.
type Extension struct {
	URL                  string           `json:"url,omitempty"`
	Extension            []Extension      `json:"extension,omitempty"`
	ValueCodeableConcept *CodeableConcept `json:"valueCodeableConcept,omitempty"`
	ValueDateTime        string           `json:"valueDateTime,omitempty"`
	ValueCode            string           `json:"valueCode,omitempty"`
	Rest                 Rest             `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Extension) MarshalJSON() ([]byte, error) {
	type bare Extension
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Extension) UnmarshalJSON(body []byte) error {
	type bare Extension
	return readRest(body, (*bare)(v), &v.Rest)
}

// Coding is a code of a system.
type Coding struct {
	System  string `json:"system,omitempty"`
	Code    string `json:"code,omitempty"`
	Display string `json:"display,omitempty"`
	Rest    Rest   `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Coding) MarshalJSON() ([]byte, error) {
	type bare Coding
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Coding) UnmarshalJSON(body []byte) error {
	type bare Coding
	return readRest(body, (*bare)(v), &v.Rest)
}

// CodeableConcept is a meaning, by codes or in words.
type CodeableConcept struct {
	Coding []Coding `json:"coding,omitempty"`
	Text   string   `json:"text,omitempty"`
	Rest   Rest     `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v CodeableConcept) MarshalJSON() ([]byte, error) {
	type bare CodeableConcept
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *CodeableConcept) UnmarshalJSON(body []byte) error {
	type bare CodeableConcept
	return readRest(body, (*bare)(v), &v.Rest)
}

// Identifier is a number that a system gave.
type Identifier struct {
	Use       string           `json:"use,omitempty"`
	Type      *CodeableConcept `json:"type,omitempty"`
	System    string           `json:"system,omitempty"`
	Value     string           `json:"value,omitempty"`
	Extension []Extension      `json:"extension,omitempty"`
	Period    *Period          `json:"period,omitempty"`
	Rest      Rest             `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Identifier) MarshalJSON() ([]byte, error) {
	type bare Identifier
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Identifier) UnmarshalJSON(body []byte) error {
	type bare Identifier
	return readRest(body, (*bare)(v), &v.Rest)
}

// Reference points at a resource, by address or by identifier.
type Reference struct {
	Reference  string      `json:"reference,omitempty"`
	Type       string      `json:"type,omitempty"`
	Identifier *Identifier `json:"identifier,omitempty"`
	Display    string      `json:"display,omitempty"`
	Rest       Rest        `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Reference) MarshalJSON() ([]byte, error) {
	type bare Reference
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Reference) UnmarshalJSON(body []byte) error {
	type bare Reference
	return readRest(body, (*bare)(v), &v.Rest)
}

// Period is a time from and to, as precisely as written.
type Period struct {
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
	Rest  Rest   `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Period) MarshalJSON() ([]byte, error) {
	type bare Period
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Period) UnmarshalJSON(body []byte) error {
	type bare Period
	return readRest(body, (*bare)(v), &v.Rest)
}

// HumanName is a person's name.
type HumanName struct {
	Use    string  `json:"use,omitempty"`
	Text   string  `json:"text,omitempty"`
	Family string  `json:"family,omitempty"`
	Given  Words   `json:"given,omitempty"`
	Period *Period `json:"period,omitempty"`
	Rest   Rest    `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v HumanName) MarshalJSON() ([]byte, error) {
	type bare HumanName
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *HumanName) UnmarshalJSON(body []byte) error {
	type bare HumanName
	return readRest(body, (*bare)(v), &v.Rest)
}

// ContactPoint is a number or address for contact.
type ContactPoint struct {
	System string  `json:"system,omitempty"`
	Value  string  `json:"value,omitempty"`
	Use    string  `json:"use,omitempty"`
	Rank   int     `json:"rank,omitempty"`
	Period *Period `json:"period,omitempty"`
	Rest   Rest    `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v ContactPoint) MarshalJSON() ([]byte, error) {
	type bare ContactPoint
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *ContactPoint) UnmarshalJSON(body []byte) error {
	type bare ContactPoint
	return readRest(body, (*bare)(v), &v.Rest)
}

// Address is a postal address.
type Address struct {
	Use        string  `json:"use,omitempty"`
	Text       string  `json:"text,omitempty"`
	Line       Words   `json:"line,omitempty"`
	City       string  `json:"city,omitempty"`
	District   string  `json:"district,omitempty"`
	PostalCode string  `json:"postalCode,omitempty"`
	Period     *Period `json:"period,omitempty"`
	Rest       Rest    `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Address) MarshalJSON() ([]byte, error) {
	type bare Address
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Address) UnmarshalJSON(body []byte) error {
	type bare Address
	return readRest(body, (*bare)(v), &v.Rest)
}

// Annotation is a note.
type Annotation struct {
	Time string `json:"time,omitempty"`
	Text string `json:"text,omitempty"`
	Rest Rest   `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Annotation) MarshalJSON() ([]byte, error) {
	type bare Annotation
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Annotation) UnmarshalJSON(body []byte) error {
	type bare Annotation
	return readRest(body, (*bare)(v), &v.Rest)
}

// MessageHeader begins a message and says what it is about.
type MessageHeader struct {
	ID                string           `json:"id,omitempty"`
	Meta              *Meta            `json:"meta,omitempty"`
	ImplicitRules     string           `json:"implicitRules,omitempty"`
	ModifierExtension []Extension      `json:"modifierExtension,omitempty"`
	EventCoding       *Coding          `json:"eventCoding,omitempty"`
	EventURI          string           `json:"eventUri,omitempty"`
	Destination       []Endpoint       `json:"destination,omitempty"`
	Sender            *Reference       `json:"sender,omitempty"`
	Source            Endpoint         `json:"source"`
	Reason            *CodeableConcept `json:"reason,omitempty"`
	Response          *MessageResponse `json:"response,omitempty"`
	Focus             []Reference      `json:"focus,omitempty"`
	Definition        string           `json:"definition,omitempty"`
	Rest              Rest             `json:"-"`
}

// ResourceType implements Resource.
func (v *MessageHeader) ResourceType() string { return "MessageHeader" }

// ResourceID implements Resource.
func (v *MessageHeader) ResourceID() string { return v.ID }

// MarshalJSON implements json.Marshaler.
func (v MessageHeader) MarshalJSON() ([]byte, error) {
	type bare MessageHeader
	return writeRest("MessageHeader", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *MessageHeader) UnmarshalJSON(body []byte) error {
	type bare MessageHeader
	return readRest(body, (*bare)(v), &v.Rest)
}

// Endpoint is where a message came from or goes to.
type Endpoint struct {
	Name     string     `json:"name,omitempty"`
	Endpoint string     `json:"endpoint,omitempty"`
	Receiver *Reference `json:"receiver,omitempty"`
	Rest     Rest       `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Endpoint) MarshalJSON() ([]byte, error) {
	type bare Endpoint
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Endpoint) UnmarshalJSON(body []byte) error {
	type bare Endpoint
	return readRest(body, (*bare)(v), &v.Rest)
}

// MessageResponse ties an answer to the message it answers.
type MessageResponse struct {
	Identifier string `json:"identifier,omitempty"`
	Code       string `json:"code,omitempty"`
	Rest       Rest   `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v MessageResponse) MarshalJSON() ([]byte, error) {
	type bare MessageResponse
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *MessageResponse) UnmarshalJSON(body []byte) error {
	type bare MessageResponse
	return readRest(body, (*bare)(v), &v.Rest)
}

// Patient is who it is about.
type Patient struct {
	ID                string                 `json:"id,omitempty"`
	Meta              *Meta                  `json:"meta,omitempty"`
	ImplicitRules     string                 `json:"implicitRules,omitempty"`
	ModifierExtension []Extension            `json:"modifierExtension,omitempty"`
	Identifier        []Identifier           `json:"identifier,omitempty"`
	Active            *bool                  `json:"active,omitempty"`
	Name              []HumanName            `json:"name,omitempty"`
	Telecom           []ContactPoint         `json:"telecom,omitempty"`
	Gender            string                 `json:"gender,omitempty"`
	BirthDate         string                 `json:"birthDate,omitempty"`
	DeceasedBoolean   *bool                  `json:"deceasedBoolean,omitempty"`
	DeceasedDateTime  string                 `json:"deceasedDateTime,omitempty"`
	Address           []Address              `json:"address,omitempty"`
	Contact           []PatientContact       `json:"contact,omitempty"`
	Communication     []PatientCommunication `json:"communication,omitempty"`
	Rest              Rest                   `json:"-"`
}

// ResourceType implements Resource.
func (v *Patient) ResourceType() string { return "Patient" }

// ResourceID implements Resource.
func (v *Patient) ResourceID() string { return v.ID }

// MarshalJSON implements json.Marshaler.
func (v Patient) MarshalJSON() ([]byte, error) {
	type bare Patient
	return writeRest("Patient", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Patient) UnmarshalJSON(body []byte) error {
	type bare Patient
	return readRest(body, (*bare)(v), &v.Rest)
}

// PatientCommunication is a language the person speaks.
type PatientCommunication struct {
	Language  CodeableConcept `json:"language"`
	Preferred *bool           `json:"preferred,omitempty"`
	Rest      Rest            `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v PatientCommunication) MarshalJSON() ([]byte, error) {
	type bare PatientCommunication
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *PatientCommunication) UnmarshalJSON(body []byte) error {
	type bare PatientCommunication
	return readRest(body, (*bare)(v), &v.Rest)
}

// Encounter is a visit.
type Encounter struct {
	ID                string               `json:"id,omitempty"`
	Meta              *Meta                `json:"meta,omitempty"`
	ImplicitRules     string               `json:"implicitRules,omitempty"`
	ModifierExtension []Extension          `json:"modifierExtension,omitempty"`
	Extension         []Extension          `json:"extension,omitempty"`
	Identifier        []Identifier         `json:"identifier,omitempty"`
	Status            string               `json:"status"`
	Class             Coding               `json:"class"`
	TypeOf            []CodeableConcept    `json:"type,omitempty"`
	Subject           *Reference           `json:"subject,omitempty"`
	EpisodeOfCare     []Reference          `json:"episodeOfCare,omitempty"`
	Period            *Period              `json:"period,omitempty"`
	ReasonCode        []CodeableConcept    `json:"reasonCode,omitempty"`
	ReasonReference   []Reference          `json:"reasonReference,omitempty"`
	Diagnosis         []EncounterDiagnosis `json:"diagnosis,omitempty"`
	Hospitalization   *Hospitalization     `json:"hospitalization,omitempty"`
	Rest              Rest                 `json:"-"`
}

// ResourceType implements Resource.
func (v *Encounter) ResourceType() string { return "Encounter" }

// ResourceID implements Resource.
func (v *Encounter) ResourceID() string { return v.ID }

// MarshalJSON implements json.Marshaler.
func (v Encounter) MarshalJSON() ([]byte, error) {
	type bare Encounter
	return writeRest("Encounter", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Encounter) UnmarshalJSON(body []byte) error {
	type bare Encounter
	return readRest(body, (*bare)(v), &v.Rest)
}

// EncounterDiagnosis names a condition of a visit.
type EncounterDiagnosis struct {
	Condition Reference `json:"condition"`
	Rest      Rest      `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v EncounterDiagnosis) MarshalJSON() ([]byte, error) {
	type bare EncounterDiagnosis
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *EncounterDiagnosis) UnmarshalJSON(body []byte) error {
	type bare EncounterDiagnosis
	return readRest(body, (*bare)(v), &v.Rest)
}

// Hospitalization says where the person came from and went to.
type Hospitalization struct {
	DischargeDisposition *CodeableConcept `json:"dischargeDisposition,omitempty"`
	Rest                 Rest             `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Hospitalization) MarshalJSON() ([]byte, error) {
	type bare Hospitalization
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Hospitalization) UnmarshalJSON(body []byte) error {
	type bare Hospitalization
	return readRest(body, (*bare)(v), &v.Rest)
}

// ServiceRequest asks for something: a referral.
type ServiceRequest struct {
	ID                 string            `json:"id,omitempty"`
	Meta               *Meta             `json:"meta,omitempty"`
	ImplicitRules      string            `json:"implicitRules,omitempty"`
	ModifierExtension  []Extension       `json:"modifierExtension,omitempty"`
	Identifier         []Identifier      `json:"identifier,omitempty"`
	BasedOn            []Reference       `json:"basedOn,omitempty"`
	Status             string            `json:"status"`
	Intent             string            `json:"intent"`
	Category           []CodeableConcept `json:"category,omitempty"`
	Code               *CodeableConcept  `json:"code,omitempty"`
	DoNotPerform       *bool             `json:"doNotPerform,omitempty"`
	Subject            Reference         `json:"subject"`
	Encounter          *Reference        `json:"encounter,omitempty"`
	OccurrencePeriod   *Period           `json:"occurrencePeriod,omitempty"`
	OccurrenceDateTime string            `json:"occurrenceDateTime,omitempty"`
	AuthoredOn         string            `json:"authoredOn,omitempty"`
	Requester          *Reference        `json:"requester,omitempty"`
	Performer          []Reference       `json:"performer,omitempty"`
	ReasonCode         []CodeableConcept `json:"reasonCode,omitempty"`
	ReasonReference    []Reference       `json:"reasonReference,omitempty"`
	SupportingInfo     []Reference       `json:"supportingInfo,omitempty"`
	Rest               Rest              `json:"-"`
}

// ResourceType implements Resource.
func (v *ServiceRequest) ResourceType() string { return "ServiceRequest" }

// ResourceID implements Resource.
func (v *ServiceRequest) ResourceID() string { return v.ID }

// MarshalJSON implements json.Marshaler.
func (v ServiceRequest) MarshalJSON() ([]byte, error) {
	type bare ServiceRequest
	return writeRest("ServiceRequest", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *ServiceRequest) UnmarshalJSON(body []byte) error {
	type bare ServiceRequest
	return readRest(body, (*bare)(v), &v.Rest)
}

// Task says how far a request has come.
type Task struct {
	ID                string           `json:"id,omitempty"`
	Meta              *Meta            `json:"meta,omitempty"`
	ImplicitRules     string           `json:"implicitRules,omitempty"`
	ModifierExtension []Extension      `json:"modifierExtension,omitempty"`
	Identifier        []Identifier     `json:"identifier,omitempty"`
	Status            string           `json:"status"`
	StatusReason      *CodeableConcept `json:"statusReason,omitempty"`
	BusinessStatus    *CodeableConcept `json:"businessStatus,omitempty"`
	Intent            string           `json:"intent"`
	Focus             *Reference       `json:"focus,omitempty"`
	AuthoredOn        string           `json:"authoredOn,omitempty"`
	LastModified      string           `json:"lastModified,omitempty"`
	Rest              Rest             `json:"-"`
}

// ResourceType implements Resource.
func (v *Task) ResourceType() string { return "Task" }

// ResourceID implements Resource.
func (v *Task) ResourceID() string { return v.ID }

// MarshalJSON implements json.Marshaler.
func (v Task) MarshalJSON() ([]byte, error) {
	type bare Task
	return writeRest("Task", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Task) UnmarshalJSON(body []byte) error {
	type bare Task
	return readRest(body, (*bare)(v), &v.Rest)
}

// Condition is a problem or diagnosis.
type Condition struct {
	ID                 string           `json:"id,omitempty"`
	Meta               *Meta            `json:"meta,omitempty"`
	ImplicitRules      string           `json:"implicitRules,omitempty"`
	ModifierExtension  []Extension      `json:"modifierExtension,omitempty"`
	VerificationStatus *CodeableConcept `json:"verificationStatus,omitempty"`
	ClinicalStatus     *CodeableConcept `json:"clinicalStatus,omitempty"`
	Code               *CodeableConcept `json:"code,omitempty"`
	Subject            Reference        `json:"subject"`
	Encounter          *Reference       `json:"encounter,omitempty"`
	Rest               Rest             `json:"-"`
}

// ResourceType implements Resource.
func (v *Condition) ResourceType() string { return "Condition" }

// ResourceID implements Resource.
func (v *Condition) ResourceID() string { return v.ID }

// MarshalJSON implements json.Marshaler.
func (v Condition) MarshalJSON() ([]byte, error) {
	type bare Condition
	return writeRest("Condition", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Condition) UnmarshalJSON(body []byte) error {
	type bare Condition
	return readRest(body, (*bare)(v), &v.Rest)
}

// HealthcareService is a service as a directory names it.
type HealthcareService struct {
	ID                string       `json:"id,omitempty"`
	Meta              *Meta        `json:"meta,omitempty"`
	ImplicitRules     string       `json:"implicitRules,omitempty"`
	ModifierExtension []Extension  `json:"modifierExtension,omitempty"`
	Identifier        []Identifier `json:"identifier,omitempty"`
	ProvidedBy        *Reference   `json:"providedBy,omitempty"`
	Name              string       `json:"name,omitempty"`
	Rest              Rest         `json:"-"`
}

// ResourceType implements Resource.
func (v *HealthcareService) ResourceType() string { return "HealthcareService" }

// ResourceID implements Resource.
func (v *HealthcareService) ResourceID() string { return v.ID }

// MarshalJSON implements json.Marshaler.
func (v HealthcareService) MarshalJSON() ([]byte, error) {
	type bare HealthcareService
	return writeRest("HealthcareService", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *HealthcareService) UnmarshalJSON(body []byte) error {
	type bare HealthcareService
	return readRest(body, (*bare)(v), &v.Rest)
}

// Organization is an organisation.
type Organization struct {
	ID                string       `json:"id,omitempty"`
	Meta              *Meta        `json:"meta,omitempty"`
	ImplicitRules     string       `json:"implicitRules,omitempty"`
	ModifierExtension []Extension  `json:"modifierExtension,omitempty"`
	Identifier        []Identifier `json:"identifier,omitempty"`
	Name              string       `json:"name,omitempty"`
	Rest              Rest         `json:"-"`
}

// ResourceType implements Resource.
func (v *Organization) ResourceType() string { return "Organization" }

// ResourceID implements Resource.
func (v *Organization) ResourceID() string { return v.ID }

// MarshalJSON implements json.Marshaler.
func (v Organization) MarshalJSON() ([]byte, error) {
	type bare Organization
	return writeRest("Organization", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Organization) UnmarshalJSON(body []byte) error {
	type bare Organization
	return readRest(body, (*bare)(v), &v.Rest)
}

// OperationOutcome says what went wrong.
type OperationOutcome struct {
	ID                string      `json:"id,omitempty"`
	Meta              *Meta       `json:"meta,omitempty"`
	ImplicitRules     string      `json:"implicitRules,omitempty"`
	ModifierExtension []Extension `json:"modifierExtension,omitempty"`
	Issue             []Issue     `json:"issue"`
	Rest              Rest        `json:"-"`
}

// ResourceType implements Resource.
func (v *OperationOutcome) ResourceType() string { return "OperationOutcome" }

// ResourceID implements Resource.
func (v *OperationOutcome) ResourceID() string { return v.ID }

// MarshalJSON implements json.Marshaler.
func (v OperationOutcome) MarshalJSON() ([]byte, error) {
	type bare OperationOutcome
	return writeRest("OperationOutcome", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *OperationOutcome) UnmarshalJSON(body []byte) error {
	type bare OperationOutcome
	return readRest(body, (*bare)(v), &v.Rest)
}

// Issue is one thing that went wrong: how badly (fatal, error), its kind in R4's issue-type codes, where, and in words
// without anything of the person.
type Issue struct {
	Severity    string           `json:"severity"`
	Code        string           `json:"code"`
	Details     *CodeableConcept `json:"details,omitempty"`
	Diagnostics string           `json:"diagnostics,omitempty"`
	Expression  Words            `json:"expression,omitempty"`
	Rest        Rest             `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Issue) MarshalJSON() ([]byte, error) {
	type bare Issue
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Issue) UnmarshalJSON(body []byte) error {
	type bare Issue
	return readRest(body, (*bare)(v), &v.Rest)
}

// Parameters is a list of named values.
type Parameters struct {
	ID                string      `json:"id,omitempty"`
	Meta              *Meta       `json:"meta,omitempty"`
	ImplicitRules     string      `json:"implicitRules,omitempty"`
	ModifierExtension []Extension `json:"modifierExtension,omitempty"`
	Parameter         []Parameter `json:"parameter,omitempty"`
	Rest              Rest        `json:"-"`
}

// ResourceType implements Resource.
func (v *Parameters) ResourceType() string { return "Parameters" }

// ResourceID implements Resource.
func (v *Parameters) ResourceID() string { return v.ID }

// MarshalJSON implements json.Marshaler.
func (v Parameters) MarshalJSON() ([]byte, error) {
	type bare Parameters
	return writeRest("Parameters", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Parameters) UnmarshalJSON(body []byte) error {
	type bare Parameters
	return readRest(body, (*bare)(v), &v.Rest)
}

// Parameter is one named value. Values of other kinds are in Rest.
type Parameter struct {
	Name           string      `json:"name,omitempty"`
	ValueCode      string      `json:"valueCode,omitempty"`
	ValueString    string      `json:"valueString,omitempty"`
	ValueURI       string      `json:"valueUri,omitempty"`
	ValueInstant   string      `json:"valueInstant,omitempty"`
	ValueReference *Reference  `json:"valueReference,omitempty"`
	Part           []Parameter `json:"part,omitempty"`
	Rest           Rest        `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v Parameter) MarshalJSON() ([]byte, error) {
	type bare Parameter
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Parameter) UnmarshalJSON(body []byte) error {
	type bare Parameter
	return readRest(body, (*bare)(v), &v.Rest)
}

// PatientContact is somebody to contact about the person; the Booking and Referral Standard puts the person's own
// numbers here, under the relationship ONESELF.
type PatientContact struct {
	Relationship []CodeableConcept `json:"relationship,omitempty"`
	Telecom      []ContactPoint    `json:"telecom,omitempty"`
	Rest         Rest              `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (v PatientContact) MarshalJSON() ([]byte, error) {
	type bare PatientContact
	return writeRest("", bare(v), v.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *PatientContact) UnmarshalJSON(body []byte) error {
	type bare PatientContact
	return readRest(body, (*bare)(v), &v.Rest)
}
