package intake

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"footbridge/schemas"
)

// TestARequestIsCorrectedByItsTeamAndWhatFollowsIsDecidedAgain: the name, the number, and a birth date by which they
// are a child from then on; who did it and why is kept, the person can read it, and a search finds them by the new name
// alone.
func TestARequestIsCorrectedByItsTeamAndWhatFollowsIsDecidedAgain(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	asked := p.refer(t, liaison, sixAnswers)
	path := "/api/journeys/" + asked.Journey + "/correction"
	const why = "it stands so on their letter"
	child := p.clock.Now().AddDate(-16, 0, -3).Format("2006-01-02")
	body := `{"familyName":"Sampleford","birthDate":"` + child + `","nhsNumber":"999 000 0018","reason":"` + why + `"}`
	elsewhere := liaison
	elsewhere.Organisation = "RYY"
	p.must(t, http.StatusNotFound, elsewhere, "POST", path, body)
	for _, wrong := range []string{`{"reason":""}`, `{"familyName":"Sampleford"}`,
		`{"nhsNumber":"9990000019","reason":"` + why + `"}`, `{"birthDate":"1.4.1990","reason":"` + why + `"}`} {
		p.must(t, http.StatusUnprocessableEntity, liaison, "POST", path, wrong)
	}
	before := len(p.corrections(t, asked.Journey))
	for range 2 { // the second changes nothing
		answer := p.must(t, http.StatusOK, liaison, "POST", path, body)
		if strings.Contains(answer, "Sampleford") || strings.Contains(answer, child) {
			t.Errorf("the answer repeats it: %s", answer)
		}
	}
	after := p.corrections(t, asked.Journey)
	if len(after) <= before {
		t.Fatalf("nothing was said of it: %+v", after)
	}
	if last := after[len(after)-1]; !slices.Contains(last.Flags, schemas.FlagUnder18) {
		t.Errorf("a child is none: %+v", last)
	}
	seen := p.must(t, http.StatusOK, liaison, "GET", "/api/journeys/"+asked.Journey+"/identity", "", ReasonHeader,
		"to read it back to them")
	for _, want := range []string{"Sampleford", child, "9990000018", "Rowan", "07700 900099"} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is not kept: %s", want, seen)
		}
	}
	var person string
	if err := p.site.db.Admin().QueryRow(t.Context(), `select person::text from intake.journey where id = $1::uuid`,
		asked.Journey).Scan(&person); err != nil {
		t.Fatal(err)
	}
	looks := p.must(t, http.StatusOK, guide, "GET", "/api/people/"+person+"/access", "")
	if strings.Count(looks, `"sees":"`+SeesCorrection+`"`) != 1 || !strings.Contains(looks, why) {
		t.Errorf("kept as %s", looks)
	}
	if found := p.searched(t, liaison, `{"familyName":"Sampleford","birthDate":"`+child+`"}`, ReasonHeader,
		whySearched); !slices.Equal(found, []string{asked.Journey}) {
		t.Errorf("by the new name %v is found", found)
	}
	if found := p.searched(t, liaison, `{"familyName":"Examplewood","birthDate":"1990-04-01"}`, ReasonHeader,
		whySearched); len(found) > 0 {
		t.Errorf("by the old name %v is found", found)
	}
	p.canariesIn(t, []string{"message", "person", "access_log", "outbox"}, "Sampleford", child, "9990000018", why)
}

// TestWhatAHospitalsSystemSaidIsCorrectedThere: its next message would bring it back.
func TestWhatAHospitalsSystemSaidIsCorrectedThere(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	p.must(t, http.StatusConflict, liaison, "POST", "/api/journeys/"+journey+"/correction",
		`{"givenName":"Robin","reason":"it stands so on their letter"}`)
}
