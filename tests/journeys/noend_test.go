package journeys

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"footbridge/schemas"
	"footbridge/tests/system"
)

// A visit after self-harm whose end was lost: nobody else would ever ask.
func TestALostEndIsAskedAboutAndANamedHumanSaysWhenThePersonLeft(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	p := &player{t: t, System: s, scenario: Scenario{Person: Person{Age: 34}}, now: time.Now(), sender: "LOSTEND1",
		number: 1}
	if answer, outcome := p.act(0, Act{ADT: "A04", At: "-30h", Reason: "248062006^Self-harm^SCT"}); answer != "AA" ||
		outcome != "joined" {
		t.Fatalf("answered %s, %s", answer, outcome)
	}
	var question system.Message
	system.Eventually(t, func() error {
		i := slices.IndexFunc(s.Ledger(""), func(m system.Message) bool { return m.Reason == "visit-without-end" })
		if i < 0 {
			return errors.New("nobody is asked about the visit")
		}
		question = s.Ledger("")[i]
		return nil
	})
	if question.Outcome != "quarantined" || question.DueAt == nil || question.ControlID != "V-LOSTEND1" {
		t.Errorf("asked %+v", question)
	}
	left := time.Now().Add(-26 * time.Hour).UTC().Format(time.RFC3339)
	got := s.Ask(schemas.Navigator, http.MethodPost, "/api/messages/"+question.ID+"/release", "application/json",
		[]byte(`{"leftAt":"`+left+`"}`))
	var line system.Message
	if err := json.Unmarshal(got.Body, &line); err != nil || line.Outcome != "raised" || line.Journey == "" {
		t.Fatalf("released: %d %s", got.Status, got.Body)
	}
	system.Eventually(t, func() error {
		j, err := s.Journey(line.Journey)
		if err == nil && !slices.ContainsFunc(j.Steps,
			func(step system.Step) bool { return step.Kind == "ask-the-person" && step.State == "open" }) {
			err = errors.New("nobody asks the person")
		}
		return err
	})
}
