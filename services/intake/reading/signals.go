package reading

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"footbridge/libs/fhir"
	"footbridge/libs/hl7"
	"footbridge/libs/vault"
	"footbridge/services/intake/record"
)

// Signal is one signal of the Multicast Notification Service. It says that something happened to somebody and brings
// no details. Its envelope looks like a CloudEvent and is none: the subject is an NHS number, types are not names in
// reverse DNS, and filtering is an object. So it is read by a codec of its own and never goes on the bus.
type Signal struct {
	ID, Source, Type string
	Kind             record.SignalKind
	At               time.Time
	Person           vault.Personal[SignalPerson]
}

// SignalPerson is who a signal is about: the NHS number, and the one it has changed to where the signal names both.
type SignalPerson struct{ Number, Becomes string }

// SignalFault is why a signal is not taken. It quotes nothing of it.
type SignalFault struct {
	Words  string
	Unread bool // it is no signal at all; else it is one that cannot be used
}

func unread(words string) *SignalFault      { return &SignalFault{Words: words, Unread: true} }
func unusableSig(words string) *SignalFault { return &SignalFault{Words: words} }

// signalKinds by the type's name without its version: what a version adds is not looked at.
var signalKinds = map[string]record.SignalKind{
	"pds-death-notification": record.SignalDeath, "nhs-number-change": record.SignalNumber,
	"pds-nhs-number-change": record.SignalNumber, "pds-record-change": record.SignalRecord,
	"pds-change-of-gp": record.SignalGP, "pds-gp-change": record.SignalGP, "change-of-gp": record.SignalGP,
	"patientflags-change": record.SignalFlag, "patient-flags-change": record.SignalFlag,
	"patientflag-change": record.SignalFlag, "patient-flag-change": record.SignalFlag,
}

var (
	signalType   = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*-[0-9]{1,3}$`)
	numberInPath = regexp.MustCompile(`/Patient/([0-9]{10})$`)
)

// ReadSignal reads a signal in either form: the publisher's, or the Bundle of type history that subscribers outside
// get. The older form, without specversion, is refused: its meaning was never agreed with us.
func ReadSignal(body []byte) (Signal, *SignalFault) {
	if !utf8.Valid(body) {
		return Signal{}, unread("The body is not UTF-8.")
	}
	var members map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&members); err != nil || members == nil {
		return Signal{}, unread("The body is not one JSON object.")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Signal{}, unread("The body holds more than one JSON value. Send one signal at a time.")
	}
	if members["resourceType"] != nil {
		return readHistory(body)
	}
	return readEnvelope(members)
}

// envelopeMembers are all that the publisher's schema allows; filtering is an object, versionid and dataref are texts.
var envelopeMembers = []string{"specversion", "id", "source", "type", "time", "subject", "dataref", "versionid",
	"filtering"}

func readEnvelope(members map[string]json.RawMessage) (Signal, *SignalFault) {
	text := map[string]string{}
	for _, name := range envelopeMembers {
		raw, there := members[name]
		if !there {
			continue
		}
		if name == "filtering" {
			var object map[string]json.RawMessage
			if json.Unmarshal(raw, &object) != nil || object == nil {
				return Signal{}, unread("filtering is not an object.")
			}
			continue
		}
		var value string
		if json.Unmarshal(raw, &value) != nil || string(raw) == "null" {
			return Signal{}, unread(name + " is not a text. Older forms of the signal are not taken: send the form " +
				"with specversion 1.0.")
		}
		text[name] = value
	}
	for _, name := range []string{"specversion", "id", "source", "type", "time"} {
		if strings.TrimSpace(text[name]) == "" {
			return Signal{}, unread(name + " is missing. Older forms of the signal are not taken: send the form with " +
				"specversion 1.0.")
		}
	}
	for name := range members {
		if !slices.Contains(envelopeMembers, name) {
			return Signal{}, unread("There is a member that a signal may not have: it carries no data and no further " +
				"attributes.")
		}
	}
	if text["specversion"] != "1.0" {
		return Signal{}, unread("specversion is not 1.0.")
	}
	return makeSignal(text["id"], text["source"], text["type"], text["time"], text["subject"], text["dataref"])
}

// readHistory reads the FHIR form: a Bundle of type history whose first entry is the status of the subscription.
func readHistory(body []byte) (Signal, *SignalFault) {
	bundle, issues := fhir.ReadAs[*fhir.Bundle](body, fhir.Limits{Values: 5000})
	if len(issues) > 0 {
		return Signal{}, unread("This is no FHIR R4 Bundle: " + issues[0].Diagnostics)
	}
	if bundle.Type != "history" || len(bundle.Entry) == 0 {
		return Signal{}, unread("A Bundle of type history with the subscription's status is expected.")
	}
	status, ok := bundle.Entry[0].Resource.(*fhir.Parameters)
	if !ok || parameter(status.Parameter, "type").ValueCode != "event-notification" {
		return Signal{}, unread("The first entry is no Parameters of an event-notification.")
	}
	event, context := parameter(status.Parameter, "notification-event"),
		parameter(status.Parameter, "additional-context")
	source := parameter(context.Part, "source")
	var subject, focus string
	if reference := parameter(context.Part, "subject").ValueReference; reference != nil && reference.Identifier != nil {
		subject = reference.Identifier.Value
	}
	if reference := parameter(event.Part, "focus").ValueReference; reference != nil {
		focus = reference.Reference
	}
	return makeSignal(bundle.ID, cmp.Or(source.ValueURI, source.ValueString),
		parameter(context.Part, "event-type").ValueString,
		cmp.Or(parameter(event.Part, "timestamp").ValueInstant, bundle.Timestamp), subject, focus)
}

func parameter(all []fhir.Parameter, name string) fhir.Parameter {
	for _, p := range all {
		if p.Name == name {
			return p
		}
	}
	return fhir.Parameter{}
}

// MaxAttribute is the longest id or source of a signal, in bytes.
const MaxAttribute = 300

func makeSignal(id, source, kind, at, subject, dataref string) (Signal, *SignalFault) {
	when, err := fhir.ParseInstant(at)
	subject = hl7.CompactNumber(subject)
	switch {
	case id == "" || source == "" || len(id) > MaxAttribute || len(source) > MaxAttribute || len(dataref) > 2000 ||
		strings.ContainsFunc(id+source, notPlain):
		return Signal{}, unread("id or source is missing, too long, or holds what no id does.")
	case !signalType.MatchString(kind) || len(kind) > 100:
		return Signal{}, unread("The type is not of the form of a signal's: words joined by hyphens, and a version.")
	case err != nil:
		return Signal{}, unread("The time is not RFC 3339 with an offset.")
	}
	signal := Signal{ID: id, Source: source, Type: kind, At: when.UTC(),
		Kind: signalKinds[kind[:strings.LastIndexByte(kind, '-')]]}
	if signal.Kind == record.SignalOther {
		return signal, nil // whom it is about is not looked at
	}
	if !hl7.ValidNHSNumber(subject) {
		return signal, unusableSig("The subject is no NHS number.")
	}
	person := SignalPerson{Number: subject}
	if found := numberInPath.FindStringSubmatch(dataref); signal.Kind == record.SignalNumber && found != nil &&
		found[1] != subject && hl7.ValidNHSNumber(found[1]) {
		person.Becomes = found[1]
	}
	signal.Person = vault.Conceal(person)
	return signal, nil
}

func notPlain(r rune) bool { return r <= ' ' || r == 0x7f || r == utf8.RuneError }

// ClinicalEvent is what a signal says, to be taken with all that is known of the person.
func (g Signal) ClinicalEvent(organisation string, said time.Time) record.ClinicalEvent {
	person := g.Person.Reveal()
	identity := record.Identity{}
	identity.NHSNumber, identity.NHSNumberVerified = person.Number, true
	return record.ClinicalEvent{
		Header: record.Header{Kind: record.KindSignal, Organisation: organisation, StatedAt: said},
		About:  record.About{Person: vault.Conceal(identity), Died: g.Kind == record.SignalDeath},
		Signal: record.Signal{Kind: g.Kind, Becomes: vault.Conceal(person.Becomes)},
	}
}
