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
	if said := string(p.lastEvent(t, journey)); !strings.Contains(said, `"areaGP": "E06000027"`) ||
		!strings.Contains(said, `"notSaid": ["carer"]`) {
		t.Errorf("supplied %s", said)
	}
	for body, want := range map[string]int{`{}`: 422, `{"notSaid":["shoe size"]}`: 422,
		`{"facts":{"ageRisesOn":"2027-01-01"}}`: 422, `{"facts":{"lastSelfHarm":"2026-01-01"}}`: 422,
		`{"facts":{"age":-1}}`: 422, `{"facts":{"score":3}}`: 400} {
		p.must(t, want, liaison, "POST", path, body)
	}
	p.must(t, http.StatusNotFound, principal.Principal{Organisation: "RZZ", Role: string(schemas.SendingTeam),
		Subject: "s"}, "POST", path, `{"notSaid":["carer"]}`)
	p.must(t, http.StatusNotFound, liaison, "POST", "/api/journeys/"+clock.NewRandomID()+"/facts",
		`{"notSaid":["carer"]}`)
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
		if strings.Contains(said, `"questions": []`) != tc.answers ||
			strings.Contains(said, `"reachable": true`) != tc.answers {
			t.Errorf("%s %s is said as %s", tc.path, tc.body, said)
		}
	}
}

// TestAFactIsTheSameHoweverItIsWritten: a language or an area's code in other letters opens and closes the same, by
// every way in.
func TestAFactIsTheSameHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	base := "/api/journeys/" + journey
	p.must(t, http.StatusOK, liaison, "POST", base+"/facts",
		`{"facts":{"areaGP":"e06000027","areaStaying":"torbay","language":"CY"}}`)
	if said := string(p.lastEvent(t, journey)); !strings.Contains(said, `"E06000027"`) ||
		!strings.Contains(said, `"torbay"`) || !strings.Contains(said, `"cy"`) {
		t.Errorf("by a question: %s", said)
	}
	p.must(t, http.StatusOK, guide, "POST", base+"/preferences", `{"language":"PL"}`)
	if said := string(p.lastEvent(t, journey)); !strings.Contains(said, `"pl"`) {
		t.Errorf("by a preference: %s", said)
	}
	form := strings.NewReplacer(`"assessment":"done"`, `"areaResidence":"w06000015","language":"Fr"`, `"R1"`, `"R2"`,
		`"V1"`, `"V2"`, `"L1"`, `"L2"`).Replace(sixAnswers)
	asked := p.refer(t, liaison, form)
	for _, e := range p.saidAll(t) {
		if e.Subject == asked.Journey && strings.Contains(e.Type, "referral.requested") &&
			(!strings.Contains(string(e.Data), `"W06000015"`) || !strings.Contains(string(e.Data), `"fr"`)) {
			t.Errorf("by a form: %s", e.Data)
		}
	}
}
