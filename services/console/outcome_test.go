package console

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"footbridge/schemas"
)

var radios = regexp.MustCompile(`name="(a1\.[a-z]+)" type="radio" value="([^"]*)"( checked)?`)

// Whatever became of a call, saying so takes two presses: one option and the button. Nothing is chosen beforehand, each
// outcome can be said, and each request is complete.
func TestEveryOutcomeOfACallIsSaidInTwoPresses(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.ask(t, "POST", "/calls/"+callID, url.Values{"do": {"ring"}}, ring).Body.String()
	said := map[string]bool{}
	for _, found := range radios.FindAllStringSubmatch(page, -1) {
		if found[1] != "a1.outcome" || found[3] != "" {
			t.Fatalf("more is asked, or something is chosen: %v", found)
		}
		sent := callAnswers()
		sent.Del("a1.answer")
		sent.Set("a1.outcome", found[2])
		f.services.changes = nil
		w := f.ask(t, "POST", "/calls/"+callID, sent, ring)
		if w.Code != http.StatusOK || len(f.services.changes) != 1 {
			t.Fatalf("%s is answered with %d: %v", found[2], w.Code, f.services.changes)
		}
		var record schemas.CallOutcomeRecord
		ok(t, json.Unmarshal([]byte(f.services.changes[0].Body), &record))
		if faults := schemas.Validate(record); len(faults) > 0 ||
			(record.Outcome == "reached") != (record.Answer != "") ||
			(record.Outcome == "not-made") != (record.Reason != "") ||
			(record.Outcome == "asked-to-stop") != (record.By != "") {
			t.Errorf("%s becomes %+v: %v", found[2], record, faults)
		}
		said[record.Outcome+" "+record.Answer+record.Reason+record.By] = true
	}
	for _, outcome := range schemas.Values("call-outcome") {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(said)),
			func(one string) bool { return strings.HasPrefix(one, outcome+" ") }) {
			t.Errorf("%s cannot be said", outcome)
		}
	}
	for _, answer := range schemas.Values("call-answer") {
		if !said["reached "+answer] {
			t.Errorf("that they were reached and said %s cannot be said", answer)
		}
	}
}
