// Package record decides what is on record of visits and people: what several statements about one visit come to, who
// is one person, what somebody agreed to and ruled out, how they may be reached, and what others are told of it. It is
// given statements, read already, and what is stored of those concerned; it changes that world and says what follows.
// It knows no message format, no database and no clock: every time is a value.
//
// The way through it: World.Take (fold.go) takes statements, joins each to its visit (visit.go, attendance.go)
// and person (person.go, facts.go, consent.go), and Decide (rules.go) says what that makes of the visit.
package record
