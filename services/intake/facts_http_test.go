package intake

import (
	"net/http"
	"strings"
	"testing"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// TestWhatSomebodyAskedForIsRecordedAndWhatIsNotSaidIsToo: an answer that the person would rather not give ends the
// question and stays unknown; what is worked out here is stated by nobody.
func TestWhatSomebodyAskedForIsRecordedAndWhatIsNotSaidIsToo(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	path := "/api/journeys/" + journey + "/facts"
	p.must(t, http.StatusOK, liaison, "POST", path, `{"facts":{"areaGP":"E06000027"},"notSaid":["carer"]}`)
	if said := string(p.lastEvent(t, journey)); !strings.Contains(said, `"areaGP": "E06000027"`) || !strings.Contains(said, `"notSaid": ["carer"]`) {
		t.Errorf("supplied %s", said)
	}
	for body, want := range map[string]int{`{}`: 422, `{"notSaid":["shoe size"]}`: 422, `{"facts":{"ageRisesOn":"2027-01-01"}}`: 422, `{"facts":{"lastSelfHarm":"2026-01-01"}}`: 422,
		`{"facts":{"age":-1}}`: 422, `{"facts":{"score":3}}`: 400} {
		p.must(t, want, liaison, "POST", path, body)
	}
	p.must(t, http.StatusNotFound, principal.Principal{Organisation: "RZZ", Role: string(schemas.SendingTeam), Subject: "s"}, "POST", path, `{"notSaid":["carer"]}`)
	p.must(t, http.StatusNotFound, liaison, "POST", "/api/journeys/"+clock.NewRandomID()+"/facts", `{"notSaid":["carer"]}`)
}

// TestWhatThePersonWouldLikeAnswersNoQuestionAboutHowToReachThem: only saying how does.
func TestWhatThePersonWouldLikeAnswersNoQuestionAboutHowToReachThem(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	base := "/api/journeys/" + journey + "/"
	for _, tc := range []struct {
		path, body string
		answers    bool
	}{
		{"preferences", `{"words":"I work nights"}`, false},
		{"contact", `{"needs":["large-print"]}`, false},
		{"contact", `{"channels":[{"channel":"phone","value":"07700 900001","confirmed":true}]}`, true},
		{"contact", `{"needsNote":"speaks softly"}`, false},
		{"contact", `{"noSafeChannel":true,"arrangement":"Tuesday at two, the library"}`, true},
	} {
		p.must(t, http.StatusOK, guide, "POST", base+tc.path, tc.body)
		said := string(p.lastEvent(t, journey))
		if strings.Contains(said, `"questions": []`) != tc.answers || strings.Contains(said, `"reachable": true`) != tc.answers {
			t.Errorf("%s %s is said as %s", tc.path, tc.body, said)
		}
	}
}
