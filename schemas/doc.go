// Package schemas holds the words of Footbridge: the Go types of its events and facts, one JSON Schema and one
// synthetic example per event type and major version, the routes and roles of its HTTP surface, and the names
// that telemetry may use.
//
// It imports the standard library only. Everything that two services, a partner or an outside system must agree
// about is said here once; the JSON Schemas under events/ and facts.schema.json are the published form, and a
// contract test holds Go type, schema and example together.
//
//go:generate go run ./gen
package schemas

// Release is the version of Footbridge: of the program, of the schemas that it publishes and of its HTTP surface. What
// a release has promised is frozen in baseline/<release>/, and compatibility counts from 0.1.0 (ADR 24).
const Release = "0.1.0"
