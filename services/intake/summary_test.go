package intake

import (
	"net/http"
	"strings"
	"testing"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// TestTheSummaryIsReadByThoseItWasReleasedToUnderTheirGrant: sealed, by a yes of its own to each partner, taken back at
// once, and erased with the person.
func TestTheSummaryIsReadByThoseItWasReleasedToUnderTheirGrant(t *testing.T) {
	t.Parallel()
	const words = "I would rather not say again how it began"
	p := newSite(t).start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	path, identity := "/api/journeys/"+journey+"/summary", "/api/journeys/"+journey+"/identity"
	release := func(state string) string {
		return `{"release":[{"organisation":"` + ours.Organisation + `","state":"` + state + `"}]}`
	}
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", path, `{}`)
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", path, release("given")) // no words yet
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", path, `{"words":"`+strings.Repeat("a", 2001)+`"}`)
	if answer := p.must(t, http.StatusOK, liaison, "POST", path, `{"words":"`+words+`"}`); strings.Contains(answer,
		words) {
		t.Error("the answer, which is kept for a repetition, repeats their words")
	}
	p.must(t, http.StatusPreconditionFailed, liaison, "POST", path, `{"words":"other"}`, "If-Match", `"9"`)
	p.sayYes(t, journey, ours.Organisation)
	p.accept(t, journey, "1", 1)
	reads := func(want bool, why string) {
		t.Helper()
		if got := p.must(t, http.StatusOK, ours, "GET", identity, ""); strings.Contains(got, words) != want ||
			strings.Contains(got, "summaryFor") {
			t.Errorf("%s: the partner reads %s", why, got)
		}
	}
	reads(false, "before it was released")
	p.must(t, http.StatusOK, liaison, "POST", path, release("given"))
	reads(true, "released")
	if got := p.must(t, http.StatusOK, liaison, "GET", identity, "", ReasonHeader,
		"to read what they would like known"); !strings.Contains(got, words) || !strings.Contains(got, "summaryFor") {
		t.Errorf("staff read %s", got)
	}
	p.must(t, http.StatusOK, liaison, "POST", path, release("withdrawn"))
	reads(false, "taken back")
	p.must(t, http.StatusOK, liaison, "POST", path, release("given"))
	p.must(t, http.StatusOK, liaison, "POST", path, `{"words":""}`)
	p.must(t, http.StatusOK, liaison, "POST", path, `{"words":"`+words+`"}`)
	reads(false, "taken back as a whole, and told again: to nobody before a new yes")
	p.must(t, http.StatusOK, liaison, "POST", path, release("given"))
	for name, who := range map[string]struct {
		role                  schemas.Role
		organisation, subject string
	}{"another hospital": {schemas.SendingTeam, "RZZ", "nurse"},
		"another person": {schemas.Person, "self", clock.NewRandomID()}} {
		if status, got := p.ask(t, principal.Principal{Organisation: who.organisation, Role: string(who.role),
			Subject: who.subject}, "POST", path, `{"words":"theirs"}`); status != http.StatusNotFound {
			t.Errorf("%s writes it: %d %s", name, status, got)
		}
	}
	p.canaries(t, words)
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
		`{"answers":[{"purpose":"follow-up","organisation":"`+ours.Organisation+`","state":"withdrawn"}]}`)
	p.must(t, http.StatusNotFound, ours, "GET", identity, "")
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", "/api/journeys/"+journey+"/summary",
		`{"release":[{"organisation":"not an id!","state":"given"}]}`)
	p.close(t, journey)
	p.erase(t, person)
	if n := p.count(t, `select count(*) from intake.summary`); n != 0 {
		t.Errorf("%d summaries outlive the person", n)
	}
	p.must(t, http.StatusGone, liaison, "POST", path, `{"words":"again"}`)
}

// TestNothingIsReleasedToWhoMustNotKnow, in either order.
func TestNothingIsReleasedToWhoMustNotKnow(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/contact",
		`{"mustNotKnow":["`+ours.Organisation+`"]}`)
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", "/api/journeys/"+journey+"/summary",
		`{"words":"something","release":[{"organisation":"`+ours.Organisation+`","state":"given"}]}`)
}
