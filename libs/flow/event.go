package flow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Event is one CloudEvent 1.0 as this system carries it: structured JSON, one a message. Every field but Data is
// an attribute that anyone on the path may log, so none may identify a person.
type Event struct {
	// ID is a UUIDv7 and also the Nats-Msg-Id; readers count an event once by it.
	ID string
	// Source is the service that said it: "/footbridge/threshold".
	Source string
	// Type is care.footbridge.<noun>.<past-tense>.v<major>.
	Type string
	// Subject is the opaque id of the journey.
	Subject string
	// Time is when it was decided, by the system's clock.
	Time time.Time
	// Correlation is the id of the journey's first event; Causation that of the event which led to this one.
	Correlation string
	Causation   string
	// Sequence orders the events of one journey and one service; see FormatSequence.
	Sequence string
	// TraceParent and TraceState are the W3C trace context of where the event was decided.
	TraceParent string
	TraceState  string
	// Data is the JSON of the type's Go struct in schemas.
	Data json.RawMessage
}

// Decode reads an event's data into T. Unknown fields are ignored: events only gain optional fields within a
// major version.
func Decode[T any](e Event) (T, error) {
	var data T
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return data, fmt.Errorf("reading data of event %s (%s): %w", e.ID, e.Type, err)
	}
	return data, nil
}

// FormatSequence writes a sequence as its CloudEvents extension wants it: a string that orders lexicographically.
func FormatSequence(sequence int64) string {
	digits := strconv.FormatInt(sequence, 10)
	return "0000000000000000"[:max(0, 16-len(digits))] + digits
}

// versions is how many versions a journey may have in one incarnation of its service's schema. A sequence is the
// incarnation, then the version: all that is said after a restore is later than all that was said before. Both together
// stay below 2^53, so that every reader of JSON has them exactly.
const versions = 10_000_000

func sequenceOf(incarnation, version int64) int64 { return incarnation*versions + version }

// ReadSequence reads an event's sequence; one without any counts as the first.
func ReadSequence(sequence string) int64 {
	version, err := strconv.ParseInt(sequence, 10, 64)
	if err != nil || version < 1 {
		return 1
	}
	return version
}

// Journeys are the journeys that events are about, each once, in the order in which they are to be locked.
func Journeys(events []Event) []string {
	journeys := make([]string, len(events))
	for i, e := range events {
		journeys[i] = e.Subject
	}
	slices.Sort(journeys)
	return slices.Compact(journeys)
}
