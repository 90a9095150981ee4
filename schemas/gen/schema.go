package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"footbridge/schemas"
)

const draft = "https://json-schema.org/draft/2020-12/schema"

// builder makes JSON Schemas of structs; the definitions it meets on the way are kept in the order met.
type builder struct {
	comments comments
	defs     object
}

// event returns the schema of a whole event: envelope and data.
func (b *builder) event(e schemas.Entry) (object, error) {
	b.defs = nil
	data, err := b.body(e.Data)
	if err != nil {
		return nil, err
	}
	properties, required := envelope(e)
	properties = append(properties, member{"data", data})
	return object{
		{"$schema", draft},
		{"$id", schemaPath(e.Type)},
		{"title", e.Type.File()},
		{"description", e.Meaning},
		{"type", "object"},
		{"properties", properties},
		{"required", append(required, "data")},
		{"propertyNames", object{{"pattern", "^[a-z0-9]+$"}}},
		{"$defs", b.defs},
	}, nil
}

// facts returns the schema of the closed list of facts on its own.
func (b *builder) facts() (object, error) {
	b.defs = nil
	body, err := b.body(reflect.TypeFor[schemas.Facts]())
	if err != nil {
		return nil, err
	}
	head := object{{"$schema", draft}, {"$id", "/schemas/facts.json"}, {"title", "facts"}}
	return append(head, body...), nil
}

// partnerEvent returns the schema of what partners are told, envelope and data.
func (b *builder) partnerEvent() (object, error) {
	b.defs = nil
	data, err := b.body(reflect.TypeFor[schemas.PartnerOfferData]())
	if err != nil {
		return nil, err
	}
	types := []string{string(schemas.OfferWithheld)}
	for _, t := range schemas.PartnerTypes() {
		types = append(types, string(t))
	}
	text := func(description string) object { return object{{"description", description}, {"type", "string"}} }
	uuid := func(description string) object { return append(text(description), member{"format", "uuid"}) }
	only := func(description string, value any) object {
		return object{{"description", description}, {"const", value}}
	}
	return object{
		{"$schema", draft},
		{"$id", "/schemas/" + schemas.PartnerSchemaType + ".json"},
		{"title", schemas.PartnerSchemaType.File()},
		{"description", "What a partner is told about an offer of its own: an event of its log, the same by webhook, " +
			"feed and server-sent events, byte for byte."},
		{"type", "object"},
		{"properties", object{
			{"specversion", only("Version of CloudEvents.", "1.0")},
			{"id", uuid("Id of the event, a UUIDv7: the Webhook-Id too. Seen twice it counts once.")},
			{"source", only("Who says it.", schemas.PartnerSource)},
			{"type", append(text("What has happened. offer.withheld stands in the place of what was taken back before "+
				"it was sent."), member{"enum", types})},
			{"subject", uuid("Id of the offer, the partner's own.")},
			{"time", moment("When it was written to the log.")},
			{"dataschema", only("The schema of the data, by name.", schemas.PartnerSchema)},
			{"dataref", append(text("Where the offer is read, with permission."), member{"format", "uri-reference"})},
			{"sequence", append(text("The position in the partner's log, without a gap."),
				member{"pattern", "^[0-9]{16}$"})},
			{"datacontenttype", only("Media type of the data.", "application/json")},
			{"data", data},
		}},
		{"required", []string{"specversion", "id", "source", "type", "subject", "time", "dataschema", "dataref",
			"sequence", "datacontenttype", "data"}},
		{"propertyNames", object{{"pattern", "^[a-z0-9]+$"}}},
		{"$defs", b.defs},
	}, nil
}

// referralEvent returns the schema of what an organisation is told of those it referred, envelope and data.
func (b *builder) referralEvent() (object, error) {
	b.defs = nil
	data, err := b.body(reflect.TypeFor[schemas.ReferralNewsData]())
	if err != nil {
		return nil, err
	}
	text := func(description string) object { return object{{"description", description}, {"type", "string"}} }
	uuid := func(description string) object { return append(text(description), member{"format", "uuid"}) }
	only := func(description string, value any) object {
		return object{{"description", description}, {"const", value}}
	}
	return object{
		{"$schema", draft},
		{"$id", schemaPath(schemas.ReferralUpdated)},
		{"title", schemas.ReferralUpdated.File()},
		{"description", "What an organisation is told of somebody whom it referred or sent home: an event of its log, " +
			"the same by webhook and feed, byte for byte."},
		{"type", "object"},
		{"properties", object{
			{"specversion", only("Version of CloudEvents.", "1.0")},
			{"id", uuid("Id of the event, a UUIDv7: the Webhook-Id too. Seen twice it counts once.")},
			{"source", only("Who says it.", schemas.PartnerSource)},
			{"type", append(text("referral.withheld stands in the place of what was taken back before it was sent."),
				member{"enum", []schemas.Type{schemas.ReferralUpdated, schemas.ReferralWithheld}})},
			{"subject", uuid("Id of the journey, as it was answered when support was asked for.")},
			{"time", moment("When it was written to the log.")},
			{"dataschema", only("The schema of the data, by name.", schemas.ReferralSchema)},
			{"sequence", append(text("The position in the organisation's log, without a gap."),
				member{"pattern", "^[0-9]{16}$"})},
			{"datacontenttype", only("Media type of the data.", "application/json")},
			{"data", data},
		}},
		{"required", []string{"specversion", "id", "source", "type", "subject", "time", "dataschema", "sequence",
			"datacontenttype", "data"}},
		{"propertyNames", object{{"pattern", "^[a-z0-9]+$"}}},
		{"$defs", b.defs},
	}, nil
}

// schemaPath is where a schema is served. As an identifier it is relative, so that it is right on every host.
func schemaPath(t schemas.Type) string { return "/schemas/" + string(t) + ".json" }

func envelope(e schemas.Entry) (properties object, required []string) {
	if !e.OnBus() {
		return outsideEnvelope(e), []string{"id", "source", "specversion", "type"}
	}
	uuid := func(description string) object {
		return object{{"description", description}, {"type", "string"}, {"format", "uuid"}}
	}
	properties = object{
		{"specversion", object{{"description", "Version of CloudEvents."}, {"const", "1.0"}}},
		{"id", uuid("Id of the event, a UUIDv7. An event seen twice has the same id and counts once.")},
		{"source", object{{"description", "The service that said it."}, {"const", "/footbridge/" + e.By}}},
		{"type", object{{"description", "Type and major version."}, {"const", e.Type}}},
		{"subject", uuid(subjectMeaning(e.Type))},
		{"time", moment("When it was decided.")},
		{"datacontenttype", object{{"description", "Media type of the data."}, {"const", "application/json"}}},
		{"dataschema", object{{"description", "Where this schema is served."}, {"type", "string"},
			{"format", "uri-reference"}}},
		{"correlationid", uuid("Id of the journey's first event.")},
		{"causationid", uuid("Id of the event that led to this one; absent where it began at a door or by time.")},
		{"sequence", object{
			{"description", "Orders the events of one journey and one service, as text."},
			{"type", "string"}, {"pattern", "^[0-9]{12,}$"},
		}},
	}
	properties = append(properties, trace()...)
	return properties, []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype",
		"correlationid"}
}

func subjectMeaning(t schemas.Type) string {
	if t.Noun() == "message" {
		return "Id of the message, as no journey is known yet."
	}
	return "Opaque id of the journey."
}

func outsideEnvelope(e schemas.Entry) object {
	text := func(description string, length int) object {
		return object{
			{"description", description}, {"type", "string"}, {"minLength", 1}, {"maxLength", length},
			{"pattern", `^[^\x00-\x1f\x7f]+$`},
		}
	}
	return append(object{
		{"specversion", object{{"description", "Version of CloudEvents."}, {"const", "1.0"}}},
		{"id", text("The sender's id of the event. Sent again with the same id and content it counts once; never "+
			"anything "+
			"that identifies a person.", 200)},
		{"source", append(text("The sender, as its profile says.", 200), member{"format", "uri-reference"})},
		{"type", object{{"description", "Type and major version."}, {"const", e.Type}}},
		{"subject", text("Not used; best left out. Never anything that identifies a person.", 200)},
		{"time", moment("When the sender says it.")},
		{"datacontenttype", object{
			{"description", "Media type of the data."}, {"type", "string"}, {"pattern", "^application/json( *;.*)?$"},
		}},
		{"dataschema", object{{"description", "Where this schema is served."}, {"type", "string"},
			{"format", "uri-reference"}}},
	}, trace()...)
}

func trace() object {
	return object{
		{"traceparent", object{
			{"description", "W3C trace context of where it was decided."},
			{"type", "string"}, {"pattern", "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
		}},
		{"tracestate", object{{"description", "W3C trace state."}, {"type", "string"}}},
	}
}

func moment(description string) object {
	return object{
		{"description", description}, {"type", "string"}, {"format", "date-time"}, {"pattern", schemas.TimePattern},
	}
}

// body returns the schema of a struct: open to names it does not have, but for facts.
func (b *builder) body(t reflect.Type) (object, error) {
	var properties object
	required := []string{}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p, err := b.property(t, f, options == "")
		if err != nil {
			return nil, err
		}
		properties = append(properties, member{name, p})
		if options == "" {
			required = append(required, name)
		}
	}
	o := object{{"description", b.comments[t.Name()]}, {"type", "object"}, {"properties", properties}}
	o = o.with("required", required)
	if t == reflect.TypeFor[schemas.Facts]() {
		o = append(o, member{"additionalProperties", false})
	}
	return o, nil
}

func (b *builder) property(owner reflect.Type, f reflect.StructField, required bool) (object, error) {
	description := b.comments[owner.Name()+"."+f.Name]
	if description == "" {
		return nil, fmt.Errorf("%s.%s has no comment to describe it by", owner.Name(), f.Name)
	}
	o := object{{"description", description}}
	t := f.Type
	if t.Kind() == reflect.Slice {
		items, err := b.value(t.Elem(), f, false)
		if err != nil {
			return nil, err
		}
		least, most, _ := strings.Cut(f.Tag.Get("items"), ",")
		atLeast, _ := strconv.Atoi(least)
		atMost, _ := strconv.Atoi(most)
		o = append(o, member{"type", "array"}, member{"items", items})
		return o.with("minItems", atLeast).with("maxItems", atMost), nil
	}
	nullable := t.Kind() == reflect.Pointer && required
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	v, err := b.value(t, f, nullable)
	return append(o, v...), err
}

// value returns the schema of one value of the field, without a description.
func (b *builder) value(t reflect.Type, f reflect.StructField, nullable bool) (object, error) {
	typed := func(name string) object {
		if nullable {
			return object{{"type", []string{name, "null"}}}
		}
		return object{{"type", name}}
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return append(typed("string"), member{"format", "date-time"}, member{"pattern", schemas.TimePattern}), nil
	case t.Kind() == reflect.Struct:
		return object{{"$ref", "#/$defs/" + t.Name()}}, b.define(t)
	case t.Kind() == reflect.Bool:
		return typed("boolean"), nil
	}
	kind, ok := schemas.KindNamed(f.Tag.Get("is"))
	if !ok {
		return nil, fmt.Errorf("field %s needs a tag \"is\" that names a kind", f.Name)
	}
	if kind.Number {
		return append(typed("integer"), member{"minimum", kind.Min}, member{"maximum", kind.Max}), nil
	}
	o := typed("string")
	if len(kind.Values) > 0 {
		return o.with("enum", kind.Values), nil
	}
	o = o.with("format", kind.Format)
	if kind.Format == "" {
		o = o.with("minLength", 1).with("maxLength", kind.MaxLength).with("pattern", kind.Pattern)
	}
	if kind.Never != "" {
		o = append(o, member{"not", object{{"pattern", kind.Never}}})
	}
	return o, nil
}

func (b *builder) define(t reflect.Type) error {
	if slices.ContainsFunc(b.defs, func(m member) bool { return m.name == t.Name() }) {
		return nil
	}
	at := len(b.defs)
	b.defs = append(b.defs, member{t.Name(), nil}) // its place, before what it holds itself
	body, err := b.body(t)
	b.defs[at].value = body
	return err
}
