package flow

import (
	"encoding/json"
	"fmt"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// The extension attributes of an event, in the spelling of CloudEvents 1.0: lower-case letters and digits only.
const (
	extTraceParent = "traceparent"
	extTraceState  = "tracestate"
	extCorrelation = "correlationid"
	extCausation   = "causationid"
	extSequence    = "sequence"
)

// schemaURN names an event's schema: CloudEvents wants an absolute URI, and where the gateway serves the schema
// differs from site to site.
const schemaURN = "urn:footbridge:schema:"

// ContentType is that of every message on the bus: the NATS binding of CloudEvents 1.0.2 has structured JSON only.
const ContentType = cloudevents.ApplicationCloudEventsJSON

// Marshal writes the event as one structured CloudEvent. Its data is what json.Marshal has made.
func Marshal(e Event) ([]byte, error) {
	if payload, ok := appendPlain(make([]byte, 0, 640+len(e.Data)), e); ok {
		return payload, nil
	}
	return marshalBySDK(e)
}

func marshalBySDK(e Event) ([]byte, error) {
	ce := cloudevents.New()
	ce.SetID(e.ID)
	ce.SetSource(e.Source)
	ce.SetType(e.Type)
	ce.SetSubject(e.Subject)
	ce.SetTime(e.Time)
	ce.SetDataSchema(schemaURN + e.Type)
	for name, value := range map[string]string{
		extTraceParent: e.TraceParent, extTraceState: e.TraceState, extCorrelation: e.Correlation,
		extCausation: e.Causation, extSequence: e.Sequence,
	} {
		if value != "" {
			ce.SetExtension(name, value)
		}
	}
	ce.SetDataContentType(cloudevents.ApplicationJSON)
	ce.DataEncoded = e.Data
	if err := ce.Validate(); err != nil {
		return nil, fmt.Errorf("writing event %s of type %s: %w", e.ID, e.Type, err)
	}
	payload, err := json.Marshal(ce)
	if err != nil {
		return nil, fmt.Errorf("writing event %s of type %s: %w", e.ID, e.Type, err)
	}
	return payload, nil
}

// Unmarshal reads a structured CloudEvent. Attributes it does not know are ignored.
func Unmarshal(payload []byte) (Event, error) {
	if e, ok := readPlain(payload); ok {
		return e, nil
	}
	return unmarshalBySDK(payload)
}

func unmarshalBySDK(payload []byte) (Event, error) {
	var ce cloudevents.Event
	if err := json.Unmarshal(payload, &ce); err != nil {
		return Event{}, fmt.Errorf("reading a CloudEvent: %w", err)
	}
	if err := ce.Validate(); err != nil {
		return Event{}, fmt.Errorf("reading a CloudEvent: %w", err)
	}
	extensions := ce.Extensions()
	return Event{
		ID: ce.ID(), Source: ce.Source(), Type: ce.Type(), Subject: ce.Subject(), Time: ce.Time(),
		TraceParent: extension(extensions, extTraceParent), TraceState: extension(extensions, extTraceState),
		Correlation: extension(extensions, extCorrelation), Causation: extension(extensions, extCausation),
		Sequence: extension(extensions, extSequence), Data: ce.Data(),
	}, nil
}

func extension(extensions map[string]any, name string) string {
	value, ok := extensions[name]
	if !ok {
		return ""
	}
	text, err := types.ToString(value)
	if err != nil {
		return ""
	}
	return text
}

// natsSubject is where an event is published: its type without the reverse domain, then the journey.
func natsSubject(eventType, journey string) string {
	_, rest, _ := strings.Cut(eventType, ".")
	return rest + "." + journey
}
