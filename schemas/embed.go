package schemas

import (
	"embed"
	"strings"
)

// The published form, made by go generate and part of every binary.
//
//go:embed events examples facts.schema.json partner.offer.v1.schema.json referral.updated.v1.schema.json asyncapi.json openapi.json
var published embed.FS

// SchemaJSON returns the JSON Schema of an event of this type, envelope and data; nil for a type that is not known.
func SchemaJSON(t Type) []byte { return read("events/" + t.File() + ".schema.json") }

// PartnerSchemaJSON returns the JSON Schema of what partners are told, envelope and data.
func PartnerSchemaJSON() []byte { return read(PartnerSchemaType.File() + ".schema.json") }

// ReferralSchemaJSON returns the JSON Schema of what referrers are told, envelope and data.
func ReferralSchemaJSON() []byte { return read(ReferralUpdated.File() + ".schema.json") }

// ExampleJSON returns a synthetic event of this type; nil for a type that is not known.
func ExampleJSON(t Type) []byte { return read("examples/" + t.File() + ".json") }

// FactsSchemaJSON returns the JSON Schema of the closed list of facts.
func FactsSchemaJSON() []byte { return read("facts.schema.json") }

// AsyncAPIJSON returns the AsyncAPI 3.0 description of all events, as served at /asyncapi.json.
func AsyncAPIJSON() []byte { return read("asyncapi.json") }

// OpenAPIJSON returns the OpenAPI 3.1 description of the HTTP surface, as served at /openapi.json.
func OpenAPIJSON() []byte { return read("openapi.json") }

// File returns the name that a type's published files begin with: "offer.raised.v1".
func (t Type) File() string { return strings.TrimPrefix(string(t), TypePrefix) }

func read(name string) []byte {
	content, err := published.ReadFile(name)
	if err != nil {
		return nil
	}
	return content
}
