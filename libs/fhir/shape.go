package fhir

import (
	"strings"
	"sync"
)

// shapes describe the types of R4 4.0.1, one line each: the elements, parted by spaces, as
//
//	name[cardinality]:type[{codes}]
//
// The cardinality is none (0..1), ! (1..1), * (0..*) or + (1..*); the type is string where it is left out; codes
// are a required value set. A name ending in [x] is a choice of the types parted by |. What every element and every
// resource may have (id, extension, meta and so on) is not repeated.
const (
	genders     = `{male|female|other|unknown}`
	partsOfWeek = `{mon|tue|wed|thu|fri|sat|sun}`
)

var dataTypes = map[string]string{
	"Extension":       `url!:uri value[x]:any`,
	"Meta":            `versionId:id lastUpdated:instant source:uri profile*:canonical security*:Coding tag*:Coding`,
	"Narrative":       `status!:code{generated|extensions|additional|empty} div!:xhtml`,
	"Identifier":      `use:code{usual|official|temp|secondary|old} type:CodeableConcept system:uri value period:Period assigner:Reference`,
	"HumanName":       `use:code{usual|official|temp|nickname|anonymous|old|maiden} text family given* prefix* suffix* period:Period`,
	"ContactPoint":    `system:code{phone|fax|email|pager|url|sms|other} value use:code{home|work|temp|old|mobile} rank:positiveInt period:Period`,
	"Address":         `use:code{home|work|temp|old|billing} type:code{postal|physical|both} text line* city district state postalCode country period:Period`,
	"Coding":          `system:uri version code:code display userSelected:boolean`,
	"CodeableConcept": `coding*:Coding text`,
	"Reference":       `reference type:uri identifier:Identifier display`,
	"Period":          `start:dateTime end:dateTime`,
	"Quantity":        quantity, "Age": quantity, "Duration": quantity, "Count": quantity, "Distance": quantity,
	"Money":  `value:decimal currency:code`,
	"Range":  `low:Quantity high:Quantity`,
	"Ratio":  `numerator:Quantity denominator:Quantity`,
	"Timing": `event*:dateTime repeat:Timing.repeat code:CodeableConcept`,
	"Timing.repeat": `bounds[x]:Duration|Range|Period count:positiveInt countMax:positiveInt duration:decimal durationMax:decimal
		durationUnit:code{s|min|h|d|wk|mo|a} frequency:positiveInt frequencyMax:positiveInt period:decimal periodMax:decimal
		periodUnit:code{s|min|h|d|wk|mo|a} dayOfWeek*:code` + partsOfWeek +
		` timeOfDay*:time when*:code offset:unsignedInt`,
	"Annotation":    `author[x]:Reference|string time:dateTime text!:markdown`,
	"Attachment":    `contentType:code language:code data:base64Binary url:url size:unsignedInt hash:base64Binary title creation:dateTime`,
	"Signature":     `type+:Coding when!:instant who!:Reference onBehalfOf:Reference targetFormat:code sigFormat:code data:base64Binary`,
	"ContactDetail": `name telecom*:ContactPoint`,
}

const quantity = `value:decimal comparator:code{<|<=|>=|>} unit system:uri code:code`

var resourceTypes = map[string]string{
	"Bundle": `identifier:Identifier
		type!:code{document|message|transaction|transaction-response|batch|batch-response|history|searchset|collection}
		timestamp:instant total:unsignedInt link*:Bundle.link entry*:Bundle.entry signature:Signature`,
	"MessageHeader": `event[x]!:Coding|uri destination*:MessageHeader.destination sender:Reference enterer:Reference author:Reference
		source!:MessageHeader.source responsible:Reference reason:CodeableConcept response:MessageHeader.response focus*:Reference
		definition:canonical`,
	"Patient": `identifier*:Identifier active:boolean name*:HumanName telecom*:ContactPoint gender:code` + genders + `
		birthDate:date deceased[x]:boolean|dateTime address*:Address maritalStatus:CodeableConcept multipleBirth[x]:boolean|integer
		photo*:Attachment contact*:Patient.contact communication*:Patient.communication generalPractitioner*:Reference
		managingOrganization:Reference link*:Patient.link`,
	"Encounter": `identifier*:Identifier
		status!:code` + encounterStatus +
		` statusHistory*:Encounter.statusHistory class!:Coding classHistory*:Encounter.classHistory
		type*:CodeableConcept serviceType:CodeableConcept priority:CodeableConcept subject:Reference episodeOfCare*:Reference
		basedOn*:Reference participant*:Encounter.participant appointment*:Reference period:Period length:Duration
		reasonCode*:CodeableConcept reasonReference*:Reference diagnosis*:Encounter.diagnosis account*:Reference
		hospitalization:Encounter.hospitalization location*:Encounter.location serviceProvider:Reference partOf:Reference`,
	"ServiceRequest": `identifier*:Identifier instantiatesCanonical*:canonical instantiatesUri*:uri basedOn*:Reference replaces*:Reference
		requisition:Identifier status!:code{draft|active|on-hold|revoked|completed|entered-in-error|unknown}
		intent!:code{proposal|plan|directive|order|original-order|reflex-order|filler-order|instance-order|option}
		category*:CodeableConcept priority:code` + priorities +
		` doNotPerform:boolean code:CodeableConcept orderDetail*:CodeableConcept
		quantity[x]:Quantity|Ratio|Range subject!:Reference encounter:Reference occurrence[x]:dateTime|Period|Timing
		asNeeded[x]:boolean|CodeableConcept authoredOn:dateTime requester:Reference performerType:CodeableConcept performer*:Reference
		locationCode*:CodeableConcept locationReference*:Reference reasonCode*:CodeableConcept reasonReference*:Reference
		insurance*:Reference supportingInfo*:Reference specimen*:Reference bodySite*:CodeableConcept note*:Annotation
		patientInstruction relevantHistory*:Reference`,
	"Task": `identifier*:Identifier instantiatesCanonical:canonical instantiatesUri:uri basedOn*:Reference groupIdentifier:Identifier
		partOf*:Reference status!:code{draft|requested|received|accepted|rejected|ready|cancelled|in-progress|on-hold|failed|completed|entered-in-error}
		statusReason:CodeableConcept businessStatus:CodeableConcept
		intent!:code{unknown|proposal|plan|order|original-order|reflex-order|filler-order|instance-order|option} priority:code` + priorities + `
		code:CodeableConcept description focus:Reference for:Reference encounter:Reference executionPeriod:Period authoredOn:dateTime
		lastModified:dateTime requester:Reference performerType*:CodeableConcept owner:Reference location:Reference
		reasonCode:CodeableConcept reasonReference:Reference insurance*:Reference note*:Annotation relevantHistory*:Reference
		restriction:Task.restriction input*:Task.input output*:Task.output`,
	"Condition": `identifier*:Identifier clinicalStatus:CodeableConcept verificationStatus:CodeableConcept category*:CodeableConcept
		severity:CodeableConcept code:CodeableConcept bodySite*:CodeableConcept subject!:Reference encounter:Reference
		onset[x]:dateTime|Age|Period|Range|string abatement[x]:dateTime|Age|Period|Range|string recordedDate:dateTime
		recorder:Reference asserter:Reference stage*:Condition.stage evidence*:Condition.evidence note*:Annotation`,
	"HealthcareService": `identifier*:Identifier active:boolean providedBy:Reference category*:CodeableConcept type*:CodeableConcept
		specialty*:CodeableConcept location*:Reference name comment extraDetails:markdown photo:Attachment telecom*:ContactPoint
		coverageArea*:Reference serviceProvisionCode*:CodeableConcept eligibility*:HealthcareService.eligibility program*:CodeableConcept
		characteristic*:CodeableConcept communication*:CodeableConcept referralMethod*:CodeableConcept appointmentRequired:boolean
		availableTime*:availableTime notAvailable*:notAvailable availabilityExceptions endpoint*:Reference`,
	"OperationOutcome": `issue+:OperationOutcome.issue`,
	"Parameters":       `parameter*:Parameters.parameter`,
	"Organization": `identifier*:Identifier active:boolean type*:CodeableConcept name alias* telecom*:ContactPoint address*:Address
		partOf:Reference contact*:Organization.contact endpoint*:Reference`,
	"Practitioner": `identifier*:Identifier active:boolean name*:HumanName telecom*:ContactPoint address*:Address gender:code` + genders + `
		birthDate:date photo*:Attachment qualification*:Practitioner.qualification communication*:CodeableConcept`,
	"PractitionerRole": `identifier*:Identifier active:boolean period:Period practitioner:Reference organization:Reference
		code*:CodeableConcept specialty*:CodeableConcept location*:Reference healthcareService*:Reference telecom*:ContactPoint
		availableTime*:availableTime notAvailable*:notAvailable availabilityExceptions endpoint*:Reference`,
	"Location": `identifier*:Identifier status:code{active|suspended|inactive} operationalStatus:Coding name alias* description
		mode:code{instance|kind} type*:CodeableConcept telecom*:ContactPoint address:Address physicalType:CodeableConcept
		position:Location.position managingOrganization:Reference partOf:Reference hoursOfOperation*:Location.hoursOfOperation
		availabilityExceptions endpoint*:Reference`,
	"Appointment": `identifier*:Identifier
		status!:code{proposed|pending|booked|arrived|fulfilled|cancelled|noshow|entered-in-error|checked-in|waitlist}
		cancelationReason:CodeableConcept serviceCategory*:CodeableConcept serviceType*:CodeableConcept specialty*:CodeableConcept
		appointmentType:CodeableConcept reasonCode*:CodeableConcept reasonReference*:Reference priority:unsignedInt description
		supportingInformation*:Reference start:instant end:instant minutesDuration:positiveInt slot*:Reference created:dateTime comment
		patientInstruction basedOn*:Reference participant+:Appointment.participant requestedPeriod*:Period`,
	"Slot": `identifier*:Identifier serviceCategory*:CodeableConcept serviceType*:CodeableConcept specialty*:CodeableConcept
		appointmentType:CodeableConcept schedule!:Reference status!:code{busy|free|busy-unavailable|busy-tentative|entered-in-error}
		start!:instant end!:instant overbooked:boolean comment`,
	"Schedule": `identifier*:Identifier active:boolean serviceCategory*:CodeableConcept serviceType*:CodeableConcept
		specialty*:CodeableConcept actor+:Reference planningHorizon:Period comment`,
	"Consent": `identifier*:Identifier status!:code{draft|proposed|active|rejected|inactive|entered-in-error} scope!:CodeableConcept
		category+:CodeableConcept patient:Reference dateTime:dateTime performer*:Reference organization*:Reference
		source[x]:Attachment|Reference policy*:Consent.policy policyRule:CodeableConcept verification*:Consent.verification
		provision:Consent.provision`,
	"Flag": `identifier*:Identifier status!:code{active|inactive|entered-in-error} category*:CodeableConcept code!:CodeableConcept
		subject!:Reference period:Period encounter:Reference author:Reference`,
	"Subscription": `status!:code{requested|active|error|off} contact*:ContactPoint end:instant reason! criteria! error
		channel!:Subscription.channel`,
}

const (
	encounterStatus = `{planned|arrived|triaged|in-progress|onleave|finished|cancelled|entered-in-error|unknown}`
	priorities      = `{routine|urgent|asap|stat}`
)

// parts are the elements that have elements of their own.
var parts = map[string]string{
	"Bundle.link":     `relation! url!:uri`,
	"Bundle.entry":    `link*:Bundle.link fullUrl:uri resource:Resource search:Bundle.search request:Bundle.request response:Bundle.response`,
	"Bundle.search":   `mode:code{match|include|outcome} score:decimal`,
	"Bundle.request":  `method!:code{GET|HEAD|POST|PUT|DELETE|PATCH} url!:uri ifNoneMatch ifModifiedSince:instant ifMatch ifNoneExist`,
	"Bundle.response": `status! location:uri etag lastModified:instant outcome:Resource`,

	"MessageHeader.destination": `name target:Reference endpoint!:url receiver:Reference`,
	"MessageHeader.source":      `name software version contact:ContactPoint endpoint!:url`,
	"MessageHeader.response":    `identifier!:id code!:code{ok|transient-error|fatal-error} details:Reference`,

	"Patient.contact": `relationship*:CodeableConcept name:HumanName telecom*:ContactPoint address:Address gender:code` + genders + `
		organization:Reference period:Period`,
	"Patient.communication": `language!:CodeableConcept preferred:boolean`,
	"Patient.link":          `other!:Reference type!:code{replaced-by|replaces|refer|seealso}`,

	"Encounter.statusHistory": `status!:code` + encounterStatus + ` period!:Period`,
	"Encounter.classHistory":  `class!:Coding period!:Period`,
	"Encounter.participant":   `type*:CodeableConcept period:Period individual:Reference`,
	"Encounter.diagnosis":     `condition!:Reference use:CodeableConcept rank:positiveInt`,
	"Encounter.hospitalization": `preAdmissionIdentifier:Identifier origin:Reference admitSource:CodeableConcept reAdmission:CodeableConcept
		dietPreference*:CodeableConcept specialCourtesy*:CodeableConcept specialArrangement*:CodeableConcept destination:Reference
		dischargeDisposition:CodeableConcept`,
	"Encounter.location": `location!:Reference status:code{planned|active|reserved|completed} physicalType:CodeableConcept period:Period`,

	"Task.restriction": `repetitions:positiveInt period:Period recipient*:Reference`,
	"Task.input":       `type!:CodeableConcept value[x]!:any`,
	"Task.output":      `type!:CodeableConcept value[x]!:any`,

	"Condition.stage":    `summary:CodeableConcept assessment*:Reference type:CodeableConcept`,
	"Condition.evidence": `code*:CodeableConcept detail*:Reference`,

	"HealthcareService.eligibility": `code:CodeableConcept comment:markdown`,
	"availableTime": `daysOfWeek*:code` + partsOfWeek +
		` allDay:boolean availableStartTime:time availableEndTime:time`,
	"notAvailable": `description! during:Period`,

	"OperationOutcome.issue": `severity!:code{fatal|error|warning|information} code!:code details:CodeableConcept diagnostics location* expression*`,
	"Parameters.parameter":   `name! value[x]:any resource:Resource part*:Parameters.parameter`,

	"Organization.contact":       `purpose:CodeableConcept name:HumanName telecom*:ContactPoint address:Address`,
	"Practitioner.qualification": `identifier*:Identifier code!:CodeableConcept period:Period issuer:Reference`,
	"Location.position":          `longitude!:decimal latitude!:decimal altitude:decimal`,
	"Location.hoursOfOperation": `daysOfWeek*:code` + partsOfWeek +
		` allDay:boolean openingTime:time closingTime:time`,

	"Appointment.participant": `type*:CodeableConcept actor:Reference required:code{required|optional|information-only}
		status!:code{accepted|declined|tentative|needs-action} period:Period`,

	"Consent.policy":       `authority:uri uri:uri`,
	"Consent.verification": `verified!:boolean verifiedWith:Reference verificationDate:dateTime`,
	"Consent.provision": `type:code{deny|permit} period:Period actor*:Consent.actor action*:CodeableConcept securityLabel*:Coding
		purpose*:Coding class*:Coding code*:CodeableConcept dataPeriod:Period data*:Consent.data provision*:Consent.provision`,
	"Consent.actor": `role!:CodeableConcept reference!:Reference`,
	"Consent.data":  `meaning!:code{instance|related|dependents|authoredby} reference!:Reference`,

	"Subscription.channel": `type!:code{rest-hook|websocket|email|sms|message} endpoint:url payload:code header*`,
}

// elementShape is one element of a type.
type elementShape struct {
	kind   string
	list   bool
	codes  []string
	choice string // of value[x]: the name of the choice, of which one may be there
}

// typeShape is a type: its elements by their names in JSON.
type typeShape struct {
	elements map[string]elementShape
	required []string // names, or choices
}

// shapeOf gives a type's shape, or nil where it is not described here.
var shapeOf = sync.OnceValue(func() map[string]*typeShape {
	all := map[string]*typeShape{}
	for kind, text := range dataTypes {
		all[kind] = parseShape(text, "id:string extension*:Extension")
	}
	for kind, text := range parts {
		all[kind] = parseShape(text, "id:string extension*:Extension modifierExtension*:Extension")
	}
	const every = "id:id meta:Meta implicitRules:uri language:code"
	for kind, text := range resourceTypes {
		extra := every + " text:Narrative contained*:Resource extension*:Extension modifierExtension*:Extension"
		if kind == "Bundle" || kind == "Parameters" {
			extra = every
		}
		all[kind] = parseShape(text, extra)
	}
	all["Element"] = parseShape("", "id:string extension*:Extension")
	all["AnyResource"] = parseShape("", every+" text:Narrative contained*:Resource extension*:Extension "+
		"modifierExtension*:Extension")
	return all
})

func parseShape(text, extra string) *typeShape {
	shape := &typeShape{elements: map[string]elementShape{}}
	for _, field := range strings.Fields(text + " " + extra) {
		field, codes, _ := strings.Cut(field, "{")
		name, kind, typed := strings.Cut(field, ":")
		if !typed {
			kind = "string"
		}
		base := strings.TrimRight(name, "!*+")
		card := name[len(base):]
		if card == "!" || card == "+" {
			shape.required = append(shape.required, base)
		}
		e := elementShape{kind: kind, list: card == "*" || card == "+"}
		if codes != "" {
			e.codes = strings.Split(strings.TrimSuffix(codes, "}"), "|")
		}
		shape.add(base, e)
	}
	return shape
}

func (s *typeShape) add(base string, e elementShape) {
	stem, choice := strings.CutSuffix(base, "[x]")
	if !choice {
		s.elements[base] = e
		return
	}
	kinds := strings.Split(e.kind, "|")
	if e.kind == "any" {
		kinds = anyKinds
	}
	for _, kind := range kinds {
		s.elements[stem+strings.ToUpper(kind[:1])+kind[1:]] = elementShape{kind: kind, choice: base}
	}
}

// anyKinds are the types that an open choice may take.
var anyKinds = []string{"base64Binary", "boolean", "canonical", "code", "date", "dateTime", "decimal", "id", "instant",
	"integer",
	"markdown", "oid", "positiveInt", "string", "time", "unsignedInt", "uri", "url", "uuid", "Address", "Age",
	"Annotation",
	"Attachment", "CodeableConcept", "Coding", "ContactPoint", "Count", "Distance", "Duration", "HumanName",
	"Identifier", "Money",
	"Period", "Quantity", "Range", "Ratio", "Reference", "SampledData", "Signature", "Timing", "ContactDetail",
	"Contributor",
	"DataRequirement", "Expression", "ParameterDefinition", "RelatedArtifact", "TriggerDefinition", "UsageContext",
	"Dosage", "Meta"}
