package reading

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"footbridge/libs/fhir"
	"footbridge/libs/vault"
	"footbridge/libs/written"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// What the Booking and Referral Standard calls things. Systems are compared by their last part, in any case and
// scheme: official examples write them differently.
const (
	FhirRequestEvent  = "servicerequest-request"
	FhirResponseEvent = "servicerequest-response"
	FhirEvents        = "https://fhir.nhs.uk/CodeSystem/message-events-bars"
	FhirReasons       = "https://fhir.nhs.uk/CodeSystem/message-reason-bars"
	fhirCategories    = "message-category-servicerequest"
	fhirNHSNumber     = "nhs-number"
	FhirODS           = "ods-organization-code"

	reasonNew = "new"
	OfUpdate  = "update"
)

// ourCategories is the system of our own use-case category, since the national list has none for this.
const (
	OurCategories = "urn:footbridge:codesystem:message-category"
	OurCategory   = "aftercare"
)

// FHIRMessage is one message of the Booking and Referral Standard, as far as it is understood here.
type FHIRMessage struct {
	Bundle   string // the answer names it
	Endpoint string // where the message came from
	Reason   string // new or update
	// Asked is how the sender calls the request: the id of its ServiceRequest, else the address it gave it in the
	// bundle.
	Asked string
	// Revoked is revoked or entered-in-error, of a request that is taken back.
	Revoked string
	// Sender is the ODS code that the message gives for whoever sends it, or empty.
	Sender string
	// Discharge is set where the request speaks of a visit that has ended; Submitted otherwise. Neither is, of a
	// request that is taken back.
	Discharge *schemas.DischargeReportedData
	Submitted *schemas.ReferralSubmittedData
	// Left and Arrived are as precise as the Encounter's period; Destination is where the person went, LeftBefore
	// that they had not been seen.
	Left, Arrived, Requested record.Moment
	Destination              string
	LeftBefore               bool
	// Nowhere: where the person went is written in a way that is not known here.
	Nowhere  bool
	Visit    string
	Person   record.Identity
	Language string
	Died     bool
	StatedAt record.Moment
	// Words are reasons and diagnoses in words: a concept's own text, and those beside its codes.
	Words []string
	// OtherReason: reasons are coded, and by the profile none of them has to do with self-harm. A human decides.
	OtherReason bool
}

// FHIRFault is why a message that is R4 is not taken: not as the standard has it (malformed), or not for us.
type FHIRFault struct {
	Issue     fhir.Issue
	Malformed bool
}

func malformed(code, at, words string) *FHIRFault {
	return &FHIRFault{Issue: fhir.NewIssue(code, at, words), Malformed: true}
}

func unusable(code, at, words string) *FHIRFault {
	return &FHIRFault{Issue: fhir.NewIssue(code, at, words)}
}

// fhirReader reads one message.
type fhirReader struct {
	bundle  *fhir.Bundle
	profile *Profile
	request *fhir.ServiceRequest
	message FHIRMessage
}

// ReadFHIR reads a message: what it asks for, whom it is about and which visit it follows. It asks nobody for the
// time. Free text in it says nothing here.
func ReadFHIR(bundle *fhir.Bundle, profile *Profile, organisation string) (FHIRMessage, *FHIRFault) {
	r := &fhirReader{bundle: bundle, profile: profile}
	for _, step := range []func() *FHIRFault{r.envelope, r.readRequest, r.readPatient} {
		if fault := step(); fault != nil {
			return r.message, fault
		}
	}
	if r.message.Revoked == "" {
		r.readVisit(organisation)
	}
	return r.message, nil
}

func (r *fhirReader) envelope() *FHIRFault {
	header := r.bundle.Header()
	switch {
	case r.bundle.Type != "message" || header == nil:
		return malformed("value", "Bundle.type", "A Bundle of type message is expected, which begins with a "+
			"MessageHeader.")
	case r.bundle.ID == "":
		return malformed("required", "Bundle.id", "The Bundle has no id, which the answer would have to name.")
	case r.bundle.ImplicitRules != "" || header.ImplicitRules != "" || len(header.ModifierExtension) > 0:
		return unusable("not-supported", "Bundle", "The message has implicit rules or a modifier extension that is "+
			"not known here.")
	case header.EventCoding == nil || header.EventCoding.Code == "":
		return malformed("required", "Bundle.entry[0].resource.eventCoding", "The MessageHeader has no event code.")
	case header.EventCoding.Code != FhirRequestEvent:
		return unusable("not-supported", "Bundle.entry[0].resource.eventCoding",
			"Only messages of the event servicerequest-request are taken here.")
	}
	r.message.Bundle, r.message.Endpoint = r.bundle.ID, header.Source.Endpoint
	r.message.Reason = codeIn(header.Reason, "")
	switch r.message.Reason {
	case "":
		return malformed("required", "Bundle.entry[0].resource.reason", "The MessageHeader has no reason: new or "+
			"update.")
	case reasonNew, OfUpdate:
	case "delete":
		return unusable("not-supported", "Bundle.entry[0].resource.reason", "A request is cancelled by an update "+
			"whose status is revoked or entered-in-error, not by delete.")
	default:
		return malformed("value", "Bundle.entry[0].resource.reason", "The reason is not new or update.")
	}
	r.message.StatedAt = r.moment(r.bundle.Timestamp)
	if sender := fhir.Find[*fhir.Organization](r.bundle, header.Sender); sender != nil {
		r.message.Sender = IdentifierIn(sender.Identifier, FhirODS)
	}
	return nil
}

func (r *fhirReader) readRequest() *FHIRFault {
	at := "Bundle.entry[0].resource.focus"
	for _, focus := range r.bundle.Header().Focus {
		if r.request = fhir.Find[*fhir.ServiceRequest](r.bundle, &focus); r.request != nil {
			break
		}
	}
	if r.request == nil {
		return malformed("required", at, "The focus of the message is no ServiceRequest in this Bundle.")
	}
	r.message.Asked = r.askedAs()
	q := r.request
	switch {
	case r.message.Asked == "":
		return malformed("required", "Bundle.entry.fullUrl", "The ServiceRequest has neither an id nor a fullUrl by "+
			"which it can be asked for again.")
	case q.ImplicitRules != "" || len(q.ModifierExtension) > 0:
		return unusable("not-supported", "ServiceRequest.modifierExtension", "The request has implicit rules or a "+
			"modifier extension that is not known here.")
	case q.DoNotPerform != nil && *q.DoNotPerform:
		return unusable("not-supported", "ServiceRequest.doNotPerform", "A request that something is not done cannot "+
			"be taken here.")
	case !r.isOurs():
		return unusable("not-supported", "ServiceRequest.category", "Requests of this category are not taken here: "+
			"only referrals are. Compare GET /fhir/metadata.")
	}
	switch {
	case q.Status == "active":
	case r.message.Reason == OfUpdate && (q.Status == "revoked" || q.Status == "entered-in-error"):
		r.message.Revoked = q.Status
	default:
		return unusable("business-rule", "ServiceRequest.status", "A new request is active; an update is active, "+
			"revoked or entered-in-error.")
	}
	r.message.Requested = r.moment(q.AuthoredOn)
	return nil
}

// isOurs: national categories other than a referral ask for something else, such as validation of a 999 call.
func (r *fhirReader) isOurs() bool {
	for _, category := range r.request.Category {
		for _, coding := range category.Coding {
			if lastPart(coding.System) == fhirCategories && !strings.EqualFold(coding.Code, "referral") {
				return false
			}
		}
	}
	return true
}

func (r *fhirReader) askedAs() string {
	if r.request.ID != "" {
		return r.request.ID
	}
	for _, entry := range r.bundle.Entry {
		if entry.Resource == fhir.Resource(r.request) {
			return strings.TrimPrefix(strings.ToLower(entry.FullURL), "urn:uuid:")
		}
	}
	return ""
}

func (r *fhirReader) readPatient() *FHIRFault {
	patient := fhir.Find[*fhir.Patient](r.bundle, &r.request.Subject)
	if patient == nil {
		if all := fhir.All[*fhir.Patient](r.bundle); len(all) == 1 && r.request.Subject.Reference == "" {
			patient = all[0]
		}
	}
	switch {
	case patient == nil && r.message.Revoked != "":
		return nil // a cancellation may leave out whom it is about
	case patient == nil:
		return malformed("required", "ServiceRequest.subject", "The subject is no Patient in this Bundle.")
	case patient.ImplicitRules != "" || len(patient.ModifierExtension) > 0:
		return unusable("not-supported", "Patient.modifierExtension", "The patient has implicit rules or a modifier "+
			"extension that is not known here.")
	}
	r.message.Person = r.identity(patient)
	r.message.Person.Protected = isRestricted(patient.Meta)
	if r.message.Person.IsDamaged() {
		return malformed("value", "Patient", "A text of the patient holds letters that could not be read. Send it "+
			"again in UTF-8.")
	}
	r.message.Died = patient.DeceasedDateTime != "" || (patient.DeceasedBoolean != nil && *patient.DeceasedBoolean)
	return nil
}

func (r *fhirReader) identity(p *fhir.Patient) record.Identity {
	var id record.Identity
	for _, identifier := range p.Identifier {
		if identifier.Use == "old" || identifier.Use == "temp" || identifier.Value == "" {
			continue
		}
		if lastPart(identifier.System) == fhirNHSNumber {
			number, valid := written.NHSNumber(identifier.Value)
			switch {
			case !valid || (id.NHSNumber != "" && id.NHSNumber != number):
				id.NHSNumber, id.NHSNumberVerified, id.NumberInvalid = "", false, true
			case !id.NumberInvalid:
				id.NHSNumber, id.NHSNumberVerified = number, isVerifiedNumber(identifier)
			}
			continue
		}
		if id.LocalID == "" {
			id.LocalID = localIdentifier(identifier)
		}
	}
	if name := bestName(p.Name); name != nil {
		id.FamilyName, id.GivenName = name.Family, strings.Join(slices.DeleteFunc(slices.Clone(name.Given), isEmpty),
			" ")
	}
	if day, err := fhir.ParseDateTime(p.BirthDate); err == nil && day.Precision == fhir.ToDay {
		id.BirthDate = p.BirthDate
	}
	telecom := slices.Clone(p.Telecom)
	for _, contact := range p.Contact {
		if slices.ContainsFunc(contact.Relationship,
			func(c fhir.CodeableConcept) bool { return codeIn(&c, "") == "ONESELF" }) {
			telecom = append(telecom, contact.Telecom...)
		}
	}
	id.Phone, id.Email = bestContact(telecom, "phone", "sms"), bestContact(telecom, "email")
	id.Address, id.Postcode = bestAddress(p.Address)
	id.Language = language(p.Communication)
	invalid := id.NumberInvalid
	id.Tidy()
	id.NumberInvalid = id.NumberInvalid || invalid
	if isLanguage(id.Language) {
		r.message.Language = id.Language
	}
	return id
}

// isRestricted says that the record is protected: restricted or very restricted (v3-Confidentiality R, V), or with
// parts left out for that.
func isRestricted(meta *fhir.Meta) bool {
	return meta != nil && slices.ContainsFunc(meta.Security, func(c fhir.Coding) bool {
		return slices.Contains([]string{"R", "V", "REDACTED"}, strings.ToUpper(c.Code))
	})
}

func isEmpty(text string) bool { return text == "" }

// isVerifiedNumber: the number was traced and verified; only then may anybody be matched on it.
func isVerifiedNumber(identifier fhir.Identifier) bool {
	for _, extension := range identifier.Extension {
		if strings.HasSuffix(extension.URL, "UKCore-NHSNumberVerificationStatus") {
			code := codeIn(extension.ValueCodeableConcept, "")
			return code == "01" || code == "number-present-and-verified"
		}
	}
	return false
}

// localIdentifier is the sender's own number for the person: bare where it is said to be the medical record number,
// as HL7 v2 messages of the same hospital give it, else with its system.
func localIdentifier(identifier fhir.Identifier) string {
	kind := codeIn(identifier.Type, "")
	if kind == "MR" || kind == "PI" || identifier.System == "" {
		return identifier.Value
	}
	return identifier.System + "|" + identifier.Value
}

func bestName(names []fhir.HumanName) *fhir.HumanName {
	var best *fhir.HumanName
	for i, name := range names {
		if name.Use == "old" || name.Use == "maiden" || name.Use == "nickname" ||
			(name.Family == "" && len(name.Given) == 0) {
			continue
		}
		if best == nil || (name.Use == "official" && best.Use != "official") {
			best = &names[i]
		}
	}
	return best
}

// bestContact is the value of the highest rank that is neither old nor somebody's work.
func bestContact(points []fhir.ContactPoint, systems ...string) string {
	fits := slices.DeleteFunc(slices.Clone(points), func(p fhir.ContactPoint) bool {
		return !slices.Contains(systems, p.System) || p.Use == "old" || p.Use == "work" || p.Value == ""
	})
	slices.SortStableFunc(fits, func(a, b fhir.ContactPoint) int { return cmp.Compare(rank(a), rank(b)) })
	if len(fits) == 0 {
		return ""
	}
	return fits[0].Value
}

func rank(p fhir.ContactPoint) int {
	if p.Rank == 0 {
		return 1 << 20
	}
	return p.Rank
}

func bestAddress(all []fhir.Address) (address, postcode string) {
	for _, a := range all {
		if a.Use == "old" || a.Use == "billing" {
			continue
		}
		lines := slices.DeleteFunc(append(slices.Clone([]string(a.Line)), a.City, a.District), isEmpty)
		if len(lines) == 0 && a.Text != "" {
			lines = []string{a.Text}
		}
		return strings.Join(lines, ", "), a.PostalCode
	}
	return "", ""
}

func language(spoken []fhir.PatientCommunication) string {
	for i, one := range spoken {
		if i == len(spoken)-1 || (one.Preferred != nil && *one.Preferred) {
			code := strings.ToLower(codeIn(&one.Language, ""))
			code, _, _ = strings.Cut(code, "-")
			return code
		}
	}
	return ""
}

// readVisit makes what other doors would have sent: a discharge where the Encounter has ended, else a referral.
func (r *fhirReader) readVisit(organisation string) {
	m := &r.message
	encounter := fhir.Find[*fhir.Encounter](r.bundle, r.request.Encounter)
	codes, left := r.codes(encounter)
	m.LeftBefore = left
	if encounter != nil {
		m.Visit = visitNumber(encounter)
		if period := encounter.Period; period != nil && encounter.Status != "cancelled" &&
			encounter.Status != "entered-in-error" {
			m.Arrived, m.Left = r.moment(period.Start), r.moment(period.End)
		}
		if stay := encounter.Hospitalization; stay != nil {
			end := r.profile.endingStated(dispositions(stay.DischargeDisposition))
			m.Destination, m.Died, m.LeftBefore, m.Nowhere = end.to, m.Died || end.died, m.LeftBefore || end.left,
				end.unknown
		}
		if m.Destination == destinationDied {
			m.Destination, m.Died = "", true
		}
	}
	if m.Left.Known() && isEmergency(encounter) {
		m.Discharge = &schemas.DischargeReportedData{Organisation: organisation, Visit: m.Visit,
			Person:    m.Person.ReportedPerson,
			ArrivedAt: instantOf(m.Arrived), LeftAt: instantOf(m.Left), InScope: !m.OtherReason, Codes: codes,
			Facts: r.facts()}
		return
	}
	m.Submitted = &schemas.ReferralSubmittedData{Organisation: organisation, Referral: m.Asked, Route: "professional",
		Person: m.Person.ReportedPerson, RequestedAt: instantOf(m.Requested), Visit: m.Visit, LeftAt: instantOf(m.Left),
		Facts: r.facts()}
}

func (r *fhirReader) facts() schemas.Facts {
	var facts schemas.Facts
	if r.message.Language != "" {
		facts.Language = &r.message.Language
	}
	return facts
}

func instantOf(m record.Moment) *time.Time {
	if !m.Known() || m.DayOnly {
		return nil
	}
	return &m.At
}

// isEmergency: an A&E or urgent care attendance, by the Encounter's class.
func isEmergency(e *fhir.Encounter) bool { return strings.EqualFold(e.Class.Code, "EMER") }

// visitNumber is the sender's number of the visit: one said to be a visit number, else the first.
func visitNumber(e *fhir.Encounter) string {
	number := ""
	for _, identifier := range e.Identifier {
		if identifier.Value == "" || identifier.Use == "old" {
			continue
		}
		if codeIn(identifier.Type, "") == "VN" {
			return identifier.Value
		}
		number = cmp.Or(number, identifier.Value)
	}
	return number
}

// codes are the coded reasons and diagnoses. A condition that was refuted or recorded in error says nothing.
func (r *fhirReader) codes(encounter *fhir.Encounter) (codes []schemas.Code, leftBefore bool) {
	var reasons, all []Coded
	add := func(role string, concept *fhir.CodeableConcept) {
		if concept != nil && concept.Text != "" {
			r.message.Words = append(r.message.Words, concept.Text)
		}
		for _, coding := range codingsOf(concept) {
			system := codeSystem(coding.System)
			if coding.Display != "" {
				r.message.Words = append(r.message.Words, coding.Display)
			}
			if coding.Code == "" || system == "" {
				continue
			}
			codes = append(codes, schemas.Code{System: system, Code: coding.Code, Role: role})
			all = append(all, Coded{System: system, Code: coding.Code})
			reasons = append(reasons, Coded{System: system, Code: coding.Code})
		}
	}
	for _, reason := range r.request.ReasonCode {
		add(record.RoleReason, &reason)
	}
	for _, condition := range fhir.All[*fhir.Condition](r.bundle) {
		if status := codeIn(condition.VerificationStatus, ""); status != "refuted" && status != "entered-in-error" {
			add(record.RoleDiagnosis, condition.Code)
		}
	}
	if encounter != nil {
		for _, reason := range encounter.ReasonCode {
			add(record.RoleReason, &reason)
		}
		for _, extension := range encounter.Extension {
			for _, coding := range codingsOf(extension.ValueCodeableConcept) {
				all = append(all, Coded{System: codeSystem(coding.System), Code: coding.Code})
			}
		}
	}
	r.message.OtherReason = len(reasons) > 0 &&
		r.profile.Weigh(record.RoleDiagnosis, reasons).Verdict == record.VerdictNothing
	r.message.Died = r.message.Died || r.profile.Died(all)
	return codes, r.profile.LeftBefore(all)
}

// dispositions are the ways in which a concept says where the person went: codes with their words, or words alone.
func dispositions(concept *fhir.CodeableConcept) (values []Coded) {
	for _, coding := range codingsOf(concept) {
		values = append(values, Coded{Code: coding.Code, Text: coding.Display})
	}
	if concept != nil && concept.Text != "" {
		values = append(values, Coded{Text: concept.Text})
	}
	return values
}

func codingsOf(concept *fhir.CodeableConcept) []fhir.Coding {
	if concept == nil {
		return nil
	}
	return concept.Coding
}

// codeSystem names a system of codes as profiles do, or as its last part where it is none that lists are kept for.
func codeSystem(system string) string {
	system = strings.ToLower(system)
	switch {
	case strings.HasPrefix(system, "http://snomed.info/") || strings.HasPrefix(system, "https://snomed.info/"):
		return "snomed"
	case strings.Contains(system, "icd-10") || strings.Contains(system, "icd10"):
		return "icd10"
	}
	name := strings.Trim(strings.Map(func(c rune) rune {
		if (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') {
			return c
		}
		return '-'
	}, lastPart(system)), "-")
	return name[:min(len(name), 40)]
}

// lastPart is what is after the last slash, in lower case.
func lastPart(system string) string {
	system = strings.ToLower(strings.TrimRight(system, "/"))
	return system[strings.LastIndexByte(system, '/')+1:]
}

// codeIn is a concept's first code, of any system or of one.
func codeIn(concept *fhir.CodeableConcept, system string) string {
	for _, coding := range codingsOf(concept) {
		if coding.Code != "" && (system == "" || lastPart(coding.System) == system) {
			return coding.Code
		}
	}
	return ""
}

// IdentifierIn is the value of the first identifier of a system, by the last part of its name; empty where there is
// none.
func IdentifierIn(all []fhir.Identifier, system string) string {
	for _, identifier := range all {
		if lastPart(identifier.System) == system {
			return identifier.Value
		}
	}
	return ""
}

// moment reads a time. A date without an hour is noon of that local day, marked so; a year or a month says nothing.
func (r *fhirReader) moment(text string) record.Moment {
	t, err := fhir.ParseDateTime(text)
	switch {
	case err != nil || t.Precision < fhir.ToDay:
		return record.Moment{}
	case t.Precision == fhir.ToDay:
		y, m, d := t.Time.Date()
		return record.Moment{At: time.Date(y, m, d, 12, 0, 0, 0, r.profile.zone).UTC(), DayOnly: true}
	}
	return record.Moment{At: t.Time.UTC()}
}

// Retracted is the statement of a request that is cancelled: the sender's own word for the scope is taken back, so
// that a human is asked unless codes say the same.
func (m FHIRMessage) Retracted(organisation, visit string, said time.Time) record.ClinicalEvent {
	return record.ClinicalEvent{
		Header: record.Header{Kind: record.KindUnask, Organisation: organisation, Visit: visit, StatedAt: said,
			PublishedBy: RaisedByFHIR},
		About:      record.About{Person: vault.Conceal(m.Person)},
		Attendance: record.Attendance{Evidence: []record.Evidence{{Role: record.RoleSender}}},
	}
}

// RaisedByFHIR is what a visit is raised by that came over FHIR.
const RaisedByFHIR = "fhir"
