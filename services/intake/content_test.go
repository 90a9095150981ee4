package intake

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
)

// TestAnEventsContentIsInTheOrderOfItsNames: what was stored of an event before is compared with the same bytes.
func TestAnEventsContentIsInTheOrderOfItsNames(t *testing.T) {
	t.Parallel()
	e := event.New()
	e.SetID("7 <&> é")
	e.SetSource("/hospital/rxx")
	e.SetType("care.footbridge.discharge.reported.v1")
	e.SetSubject("V1")
	e.SetTime(time.Unix(1_800_000_000, 5).UTC())
	if err := e.SetData(event.ApplicationJSON, json.RawMessage("{\"a\" :  \"b\\n\"}")); err != nil {
		t.Fatal(err)
	}
	got, err := contentOf(&e)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(map[string]any{"id": e.ID(), "source": e.Source(), "type": e.Type(),
		"subject": e.Subject(), "time": e.Time(), "data": `{"a":"b\n"}`})
	if err != nil || string(got) != string(want) {
		t.Errorf("%s, %v\nand not %s", got, err, want)
	}
}
