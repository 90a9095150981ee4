package main

import (
	"strings"

	"footbridge/schemas"
)

// asyncAPI describes every event in AsyncAPI 3.0, from Footbridge's point of view: it sends what its services say,
// and receives what they hear of one another and what comes from outside.
func asyncAPI() object {
	var channels, messages, operations object
	for _, e := range schemas.Registry() {
		name := camel(e.Type)
		messages = append(messages, member{name, message(e)})
		channels = append(channels, member{name, channel(e, name)})
		operations = append(operations, operationsOf(e, name)...)
	}
	return object{
		{"asyncapi", "3.0.0"},
		{"info", object{
			{"title", "Footbridge events"},
			{"version", schemas.Release},
			{"description",
				"What Footbridge's services say to one another, and what outside systems say to them. Each " +
					"message is one CloudEvent 1.0 in structured JSON. No type, subject or address carries a " +
					"clinical word " +
					"or anything that identifies a person. Within a major version events only gain optional fields, " +
					"and " +
					"lists " +
					"of values may grow: readers ignore names they do not know and expect values they do not know."},
		}},
		{"defaultContentType", "application/cloudevents+json"},
		{"channels", channels},
		{"operations", operations},
		{"components", object{{"messages", messages}}},
	}
}

func message(e schemas.Entry) object {
	return object{
		{"name", e.Type},
		{"title", e.Type.File()},
		{"summary", e.Meaning},
		{"contentType", "application/cloudevents+json"},
		{"payload", object{
			{"schemaFormat", "application/schema+json;version=draft-2020-12"},
			{"schema", object{{"$ref", schemaPath(e.Type)}}},
		}},
	}
}

func channel(e schemas.Entry, name string) object {
	o := object{{"address", "/events"}}
	if e.OnBus() {
		o = object{{"address", "footbridge." + e.Type.File() + ".{subject}"}}
	}
	o = append(o, member{"messages", object{{name, object{{"$ref", "#/components/messages/" + name}}}}})
	if !e.OnBus() {
		return append(o,
			member{"description", "Over HTTP, from systems that have a sender's profile; never on the bus."})
	}
	return append(o,
		member{"description", "A NATS subject in the stream FOOTBRIDGE_EVENTS."},
		member{"parameters", object{{"subject", object{{"description", subjectMeaning(e.Type)}}}}})
}

func operationsOf(e schemas.Entry, name string) object {
	if !e.OnBus() {
		return object{{schemas.Intake + "Receives" + title(name), operation("receive", schemas.Intake, name, true)}}
	}
	operations := object{{e.By + "Sends" + title(name), operation("send", e.By, name, false)}}
	for _, service := range e.To {
		operations = append(operations,
			member{service + "Receives" + title(name), operation("receive", service, name, false)})
	}
	return operations
}

func operation(action, service, name string, overHTTP bool) object {
	o := object{
		{"action", action},
		{"channel", object{{"$ref", "#/channels/" + name}}},
		{"messages", []object{{{"$ref", "#/channels/" + name + "/messages/" + name}}}},
		{"tags", []object{{{"name", service}}}},
	}
	if overHTTP {
		return append(o, member{"bindings", object{{"http", object{{"method", "POST"}, {"bindingVersion", "0.3.0"}}}}})
	}
	return o
}

// camel writes care.footbridge.person.contact-stopped.v1 as personContactStoppedV1.
func camel(t schemas.Type) string {
	var b strings.Builder
	for i, word := range strings.FieldsFunc(t.File(), func(r rune) bool { return r == '.' || r == '-' }) {
		if i > 0 {
			word = title(word)
		}
		b.WriteString(word)
	}
	return b.String()
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
