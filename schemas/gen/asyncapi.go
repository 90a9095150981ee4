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
	messages = append(messages, member{"partnerOfferV1", object{
		{"name", schemas.PartnerSchemaType},
		{"title", schemas.PartnerSchemaType.File()},
		{"summary", "What a partner is told about an offer of its own, by the types listed in it."},
		{"description", "Its page: docs/events/" + schemas.PartnerSchemaType.File() + ".md"},
		{"contentType", "application/cloudevents+json"},
		{"payload", object{
			{"schemaFormat", "application/schema+json;version=draft-2020-12"},
			{"schema", object{{"$ref", "/schemas/" + schemas.PartnerSchemaType + ".json"}}},
		}},
	}})
	messages = append(messages, member{"referralUpdatedV1", object{
		{"name", schemas.ReferralUpdated},
		{"title", schemas.ReferralUpdated.File()},
		{"summary", "What an organisation is told of somebody whom it referred or sent home."},
		{"description", "Its page: docs/events/" + schemas.ReferralUpdated.File() + ".md"},
		{"contentType", "application/cloudevents+json"},
		{"payload", object{
			{"schemaFormat", "application/schema+json;version=draft-2020-12"},
			{"schema", object{{"$ref", schemaPath(schemas.ReferralUpdated)}}},
		}},
	}})
	for _, way := range partnerWays {
		channels = append(channels, member{way.name, way.channel()})
		operations = append(operations, member{"deliverySends" + title(way.name),
			operation("send", schemas.Delivery, way.name, way.brings(), "")})
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
		{"servers", object{
			{"bus", object{{"host", "127.0.0.1:4222"}, {"protocol", "nats"}, {"description", "JetStream, as make run " +
				"starts it; a site's own is FOOTBRIDGE_NATS_URL."}}},
			{"http", object{{"host", "127.0.0.1:8080"}, {"protocol", "http"}, {"description", "The gateway, as make " +
				"run starts it; a site's own with TLS."}}},
			{"partner", object{{"host", "{endpoint}"}, {"protocol", "https"},
				{"description", "A partner's own endpoint, added by POST /api/subscriptions."},
				{"variables", object{{"endpoint", object{{"default", "partner.example"},
					{"description", "The host of the endpoint."}}}}}}},
		}},
		{"channels", channels},
		{"operations", operations},
		{"components", object{{"messages", messages}}},
	}
}

// partnerWay is a way by which partners get the events of their own logs.
type partnerWay struct {
	name, server, address, about string
	referrers                    bool // of what referrers are told
}

// brings is the message that comes by a way.
func (w partnerWay) brings() string {
	if w.referrers {
		return "referralUpdatedV1"
	}
	return "partnerOfferV1"
}

var partnerWays = []partnerWay{
	{"partnerWebhook", "partner", "/", "POST to a partner's endpoint, signed as Standard Webhooks has it " +
		"(Webhook-Id, Webhook-Timestamp, Webhook-Signature), after the handshake of CloudEvents' webhook specification.",
		false},
	{"partnerFeed", "http", "/api/feed", "A page of events after a cursor.", false},
	{"partnerStream", "http", "/api/stream", "Server-sent events; ids are the feed's cursors.", false},
	{"referrerWebhook", "partner", "/",
		"POST to the endpoint of an organisation that refers people, signed and agreed " +
			"on as a partner's is.", true},
	{"referrerFeed", "http", "/api/referrals/feed", "A page of events after a cursor.", true},
}

func (w partnerWay) channel() object {
	return object{
		{"address", w.address},
		{"description", w.about},
		{"servers", []object{{{"$ref", "#/servers/" + w.server}}}},
		{"messages", object{{w.brings(), object{{"$ref", "#/components/messages/" + w.brings()}}}}},
	}
}

func message(e schemas.Entry) object {
	return object{
		{"name", e.Type},
		{"title", e.Type.File()},
		{"summary", e.Meaning},
		{"description", "With example and who sees it: docs/events/" + e.Type.File() + ".md"},
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
	server := "http"
	if e.OnBus() {
		server = "bus"
	}
	o = append(o, member{"servers", []object{{{"$ref", "#/servers/" + server}}}},
		member{"messages", object{{name, object{{"$ref", "#/components/messages/" + name}}}}})
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
		return object{{schemas.Intake + "Receives" + title(name),
			operation("receive", schemas.Intake, name, name, "POST")}}
	}
	operations := object{{e.By + "Sends" + title(name), operation("send", e.By, name, name, "")}}
	for _, service := range e.To {
		operations = append(operations,
			member{service + "Receives" + title(name), operation("receive", service, name, name, "")})
	}
	return operations
}

// operation is what a service does on a channel, by HTTP with a method.
func operation(action, service, channel, message, method string) object {
	o := object{
		{"action", action},
		{"channel", object{{"$ref", "#/channels/" + channel}}},
		{"messages", []object{{{"$ref", "#/channels/" + channel + "/messages/" + message}}}},
		{"tags", []object{{{"name", service}}}},
	}
	if method != "" {
		return append(o,
			member{"bindings", object{{"http", object{{"method", method}, {"bindingVersion", "0.3.0"}}}}})
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
