package schemas

import "testing"

func TestSpansAreCalledByWhatIsKnown(t *testing.T) {
	t.Parallel()
	w := NewWork([]Route{{Method: "GET", Pattern: "/pages/{id}", Service: Console}})
	for _, name := range []string{"take an HL7 message", "due offers-due", "apply offer.raised", "retry journey.opened",
		"apply events of several types", "GET /api/steps", "HEAD /api/steps", "POST /links/open", "GET /pages/{id}",
		"POST /api/own-page/open", "GET /", "_OTHER /", OtherWork} {
		if !w.Knows(name) {
			t.Errorf("%q is not known", name)
		}
	}
	for _, name := range []string{"", "Alice", "due Alice", "apply Alice", "apply discharge.reported",
		"GET /people/Alice",
		"ALICE /api/steps", "GET /api/steps?name=Alice", "GET /api/steps Alice", "apply offer.raised Alice"} {
		if w.Knows(name) {
			t.Errorf("%q is known", name)
		}
	}
}
