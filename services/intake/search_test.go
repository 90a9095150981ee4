package intake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// searched is what somebody finds by a body.
func (p *process) searched(t testing.TB, who principal.Principal, body string, headers ...string) (found []string) {
	t.Helper()
	answer := p.must(t, http.StatusOK, who, "POST", "/api/people/search", body, headers...)
	var all searchAnswer
	if err := json.Unmarshal([]byte(answer), &all); err != nil {
		t.Fatal(err)
	}
	for _, one := range all.Items {
		found = append(found, one.Journey)
	}
	for _, hidden := range []string{"Examplewood", "Rowan", "1990", "L1", "person"} {
		if strings.Contains(answer, hidden) {
			t.Errorf("a search shows %q: %s", hidden, answer)
		}
	}
	return found
}

// searchesOf are all ways to look for the journey of the discharge of visit V1.
func searchesOf(journey string) []string {
	code := strings.ToUpper(strings.ReplaceAll(journey, "-", ""))
	code = code[len(code)-8:]
	return []string{`{"code":"` + code[:4] + "-" + code[4:] + `"}`, `{"code":"` + strings.ToLower(code) + `"}`,
		`{"code":"` + journey + `"}`, `{"visit":" V1"}`, `{"nhsNumber":"999 000 0018"}`,
		`{"familyName":"EXAMPLE-WOOD","birthDate":"1990-04-01"}`}
}

const whySearched = "their family asks who rings"

func (p *process) numbered(t testing.TB, visit string) (journey, person string) {
	t.Helper()
	status, body := p.post(t, "application/cloudevents+json",
		report("r-"+visit, `{"organisation":"RXX","visit":"`+visit+`","inScope":true,"leftAt":"2026-11-20T08:00:00Z",
		"person":{"localId":"L-`+visit+`","familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01",
		"nhsNumber":"9990000018"}}`))
	var a eventAnswer
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusAccepted || a.Journey == "" {
		t.Fatalf("reporting a discharge: %d %s", status, body)
	}
	if err := p.site.db.Admin().QueryRow(t.Context(), `select person::text from intake.visit where journey = $1::uuid`,
		a.Journey).Scan(&person); err != nil {
		t.Fatal(err)
	}
	return a.Journey, person
}

// TestASearchFindsByWhatIsExactInOnesOwnOrganisationAlone: by each of four ways, of each spelling; nothing else finds,
// another organisation finds nothing, and nothing shows who anybody is.
func TestASearchFindsByWhatIsExactInOnesOwnOrganisationAlone(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.numbered(t, "V1")
	at := func(who principal.Principal, organisation string) principal.Principal {
		who.Organisation = organisation
		return who
	}
	for _, body := range searchesOf(journey) {
		for _, who := range []principal.Principal{liaison, guide, at(treating, "RXX")} {
			found := p.searched(t, who, body, ReasonHeader, whySearched)
			if !slices.Equal(found, []string{journey}) {
				t.Errorf("%s by %s finds %v, want %s", who.Role, body, found, journey)
			}
		}
		for _, who := range []principal.Principal{at(liaison, "RYY"), at(guide, "RYY"), treating, doctor} {
			if found := p.searched(t, who, body, ReasonHeader, whySearched); len(found) > 0 {
				t.Errorf("%s of %s by %s finds %v", who.Role, who.Organisation, body, found)
			}
		}
	}
	for _, body := range []string{`{"nhsNumber":"9990000026"}`, `{"familyName":"Examplewoo","birthDate":"1990-04-01"}`,
		`{"familyName":"Examplewood","birthDate":"1990-01-04"}`, `{"visit":"V"}`, `{"code":"00000000"}`} {
		if found := p.searched(t, liaison, body, ReasonHeader, whySearched); len(found) > 0 {
			t.Errorf("%s finds %v", body, found)
		}
	}
	for _, unclear := range []string{`{}`, `{"familyName":"Examplewood"}`, `{"birthDate":"1990-04-01"}`,
		`{"nhsNumber":"9990000019"}`, `{"nhsNumber":"999"}`, `{"code":"xyz"}`, `{"visit":"V1","code":"00000000"}`,
		`{"visit":"~1"}`} {
		p.must(t, http.StatusUnprocessableEntity, liaison, "POST", "/api/people/search", unclear, ReasonHeader,
			whySearched)
	}
	for _, who := range []principal.Principal{liaison, at(treating, "RXX")} {
		for _, body := range searchesOf(journey)[4:] {
			p.must(t, http.StatusForbidden, who, "POST", "/api/people/search", body)
			p.must(t, http.StatusForbidden, who, "POST", "/api/people/search", body, ReasonHeader, "test")
		}
	}
}

// TestEverySearchIsKeptAndThePersonFoundCanReadIt: with the reason sealed, and never with what was looked for.
func TestEverySearchIsKeptAndThePersonFoundCanReadIt(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, person := p.numbered(t, "V1")
	all := searchesOf(journey)
	for _, body := range all {
		p.searched(t, liaison, body, ReasonHeader, whySearched)
	}
	const whyNobody = "somebody gave this name by telephone"
	p.searched(t, liaison, `{"familyName":"Nobodysson","birthDate":"1990-04-01"}`, ReasonHeader, whyNobody)
	own := principal.Principal{Organisation: "self", Role: string(schemas.Person), Subject: person}
	var looks httpx.List[AccessLogEntry]
	if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, own, "GET", "/api/people/"+person+"/access", "")),
		&looks); err != nil {
		t.Fatal(err)
	}
	for _, l := range looks.Items {
		if l.Sees != SeesSearch || l.Reason != whySearched || l.Refused != "" {
			t.Errorf("kept as %+v", l)
		}
	}
	if len(looks.Items) != len(all) {
		t.Errorf("%d searches are kept of %d", len(looks.Items), len(all))
	}
	p.canariesIn(t, []string{"search", "access_log", "person", "outbox"}, "Examplewood", "Nobodysson", "9990000018",
		whySearched, whyNobody)
	review := func(who principal.Principal) (lines []SearchLine) {
		var list httpx.List[SearchLine]
		if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, who, "GET", "/api/people/searches?waiting=true", "")),
			&list); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(list.Items) // the oldest come first
		return list.Items
	}
	lines := review(guide)
	if len(lines) != len(all)+1 || lines[0].Found != 0 || lines[0].Reason != whyNobody || lines[0].LookedBy != byName ||
		lines[1].Found != 1 || lines[1].Reason != "" {
		t.Fatalf("to be reviewed: %+v", lines)
	}
	elsewhere := guide
	elsewhere.Organisation = "RYY"
	if lines := review(elsewhere); len(lines) > 0 {
		t.Errorf("another organisation reviews %+v", lines)
	}
	// Nobody reviews their own.
	p.searched(t, guide, all[0])
	second := guide
	second.Subject = "navigator-2"
	newest := review(second)[0]
	if lines := review(guide); len(lines) != len(all)+1 {
		t.Errorf("with their own they review %d", len(lines))
	}
	body := fmt.Sprintf(`{"upTo":%q,"finding":"in-order"}`, newest.ID)
	if answer := p.must(t, http.StatusOK, guide, "POST", "/api/people/searches/review", body); newest.Own ||
		!strings.Contains(answer, fmt.Sprintf(`"reviewed":%d`, len(all)+1)) {
		t.Errorf("reviewed %s", answer)
	}
	if left := review(guide); len(left) > 0 {
		t.Errorf("left to who searched: %+v", left)
	}
	if left := review(second); len(left) != 1 || left[0].ID != newest.ID {
		t.Errorf("left to another: %+v", left)
	}
	p.must(t, http.StatusUnprocessableEntity, second, "POST", "/api/people/searches/review",
		fmt.Sprintf(`{"upTo":%q,"finding":"passed-on"}`, newest.ID))
	p.must(t, http.StatusOK, second, "POST", "/api/people/searches/review",
		fmt.Sprintf(`{"upTo":%q,"finding":"passed-on","passedTo":"privacy-officer"}`, newest.ID))
	if left := review(second); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestASearchFindsNobodyWhoIsErased: it is answered as a search that finds nothing.
func TestASearchFindsNobodyWhoIsErased(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, person := p.numbered(t, "V1")
	nothing := p.must(t, http.StatusOK, liaison, "POST", "/api/people/search", `{"nhsNumber":"9990000026"}`,
		ReasonHeader, whySearched)
	p.close(t, journey)
	p.erase(t, person)
	for _, body := range searchesOf(journey)[4:] {
		if got := p.must(t, http.StatusOK, liaison, "POST", "/api/people/search", body, ReasonHeader,
			whySearched); got != nothing {
			t.Errorf("%s of somebody erased answers %s", body, got)
		}
	}
}

// TestRecordsFromBeforeSearchingAreFound: they were stored without what they are found by, and whoever is not found is
// taken for somebody who was never here.
func TestRecordsFromBeforeSearchingAreFound(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.numbered(t, "V1")
	other, erased := p.discharge(t, "V2", "L-V2", "1991-05-02")
	p.close(t, other)
	p.erase(t, erased)
	if _, err := p.site.db.Admin().Exec(t.Context(), `update intake.person set number_hash = null, surname_hash = null,
		searchable = false`); err != nil {
		t.Fatal(err)
	}
	for _, body := range searchesOf(journey)[4:] {
		if found := p.searched(t, liaison, body, ReasonHeader, whySearched); len(found) > 0 {
			t.Fatalf("%s finds %v before the record was read", body, found)
		}
	}
	p.run(t, p.clock.Now(), p.makeSearchable)
	for _, body := range searchesOf(journey)[4:] {
		if found := p.searched(t, liaison, body, ReasonHeader, whySearched); !slices.Equal(found, []string{journey}) {
			t.Errorf("%s finds %v, want %s", body, found, journey)
		}
	}
}

// TestWhySomebodySearchedForNobodyIsKeptForAQuarter: it may speak of somebody, and no erasure would find it. That there
// was a search stays.
func TestWhySomebodySearchedForNobodyIsKeptForAQuarter(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.numbered(t, "V1")
	p.searched(t, liaison, `{"familyName":"Nobodysson","birthDate":"1990-04-01"}`, ReasonHeader, whySearched)
	const kept = `select count(*) from intake.search where wrapped is not null and reason <> ''`
	p.run(t, p.clock.Now().AddDate(0, 0, 89), forgetSearchReasons)
	if n := p.count(t, kept); n != 1 {
		t.Errorf("after 89 days %d reasons are kept", n)
	}
	p.run(t, p.clock.Now().AddDate(0, 0, 91), forgetSearchReasons)
	if reasons, searches := p.count(t, kept), p.count(t, `select count(*) from intake.search`); reasons != 0 ||
		searches != 1 {
		t.Errorf("after 91 days %d reasons are kept, of %d searches", reasons, searches)
	}
	lines := p.must(t, http.StatusOK, guide, "GET", "/api/people/searches?waiting=true", "")
	if !strings.Contains(lines, `"lookedBy":"name"`) || strings.Contains(lines, whySearched) {
		t.Errorf("the reviewer sees %s", lines)
	}
}

// TestSearchesAreReviewedWithinAWeekByAStep: one for the oldest of each organisation, that ends with its review, and
// not with that of a reviewer's own; then one for the next.
func TestSearchesAreReviewedWithinAWeekByAStep(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.numbered(t, "V1")
	elsewhere, second := liaison, guide
	elsewhere.Organisation, second.Subject = "RYY", "navigator-2"
	for _, who := range []principal.Principal{guide, liaison, elsewhere} {
		p.searched(t, who, searchesOf(journey)[0])
	}
	told := func() (needed, reviewed int) {
		p.run(t, p.clock.Now(), p.haveSearchesReviewed)
		p.run(t, p.clock.Now(), p.haveSearchesReviewed) // once is enough
		return p.count(t, `select count(*) from intake.outbox where payload like '%search.review-needed.v1%'`),
			p.count(t, `select count(*) from intake.outbox where payload like '%search.reviewed.v1%'`)
	}
	stands := func(what string, wantNeeded, wantReviewed int) {
		t.Helper()
		if needed, reviewed := told(); needed != wantNeeded || reviewed != wantReviewed {
			t.Errorf("%s: %d steps were opened and %d ended, want %d and %d", what, needed, reviewed, wantNeeded,
				wantReviewed)
		}
	}
	stands("of two organisations", 2, 0)
	due := (calendar.DayOf(p.clock.Now(), p.zone) + 7).At(17, 0, p.zone)
	if n := p.count(t, fmt.Sprintf(`select count(*) from intake.search where review_due = '%s'`,
		due.UTC().Format(time.RFC3339))); n != 2 {
		t.Errorf("%d are due within a week", n)
	}
	review := func(who principal.Principal) {
		t.Helper()
		p.must(t, http.StatusOK, who, "POST", "/api/people/searches/review",
			`{"upTo":"ffffffff-ffff-7fff-bfff-ffffffffffff","finding":"in-order"}`)
	}
	review(guide) // the oldest is their own
	stands("who searched first reviews the others", 2, 0)
	review(second)
	stands("another reviews", 2, 1)
	p.searched(t, liaison, searchesOf(journey)[0])
	stands("and somebody searches", 3, 1)
}
