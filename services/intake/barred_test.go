package intake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// barredOn is the list of who must not know that a journey was told last, and how often it was told one.
func (p *process) barredOn(t testing.TB, journey string) (last []string, told int) {
	t.Helper()
	for _, e := range p.eventsOf(t, journey, schemas.PreferencesChanged) {
		d, err := flow.Decode[schemas.PreferencesChangedData](e)
		if err != nil {
			t.Fatal(err)
		}
		if d.MustNotKnow != nil {
			last, told = d.MustNotKnow, told+1
		}
	}
	return last, told
}

// Who must not know is told on every journey of the person, as one list of all their records, at once: when it is
// recorded, when records are merged, in either order, confirmed and parted again, and when a journey begins.
func TestWhoMustNotKnowIsToldByEveryMergeAndItsUndoing(t *testing.T) {
	t.Parallel()
	for name, survivor := range map[string]int{"into the one that said so": 0, "the other way": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			var journeys, people [2]string
			journeys[0], people[0] = p.discharge(t, "V1", "L1", "1990-04-01")
			journeys[1], people[1] = p.discharge(t, "V2", "L2", "1990-04-01")
			expectBarred := func(when string, want ...[]string) {
				t.Helper()
				for i, journey := range journeys {
					if got, _ := p.barredOn(t, journey); !slices.Equal(got, want[i]) {
						t.Errorf("%s: journey %d was told %v, want %v", when, i, got, want[i])
					}
				}
			}
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journeys[0]+"/contact",
				`{"mustNotKnow":["RYY"]}`)
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journeys[1]+"/preferences",
				`{"never":["`+ours.Organisation+`"]}`)
			expectBarred("apart", []string{"RYY"}, []string{ours.Organisation})
			both := slices.Sorted(slices.Values([]string{"RYY", ours.Organisation}))
			merge := "/api/people/" + people[survivor]
			other := `{"other":"` + people[1-survivor] + `","reason":"the same person"`
			p.must(t, http.StatusOK, guide, "POST", merge+"/merge", other+`}`)
			expectBarred("merged", both, both)
			p.must(t, http.StatusOK, guide, "POST", merge+"/merge", other+`,"confirm":true}`)
			expectBarred("confirmed", both, both)
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journeys[0]+"/contact", `{"mustNotKnow":null}`)
			expectBarred("taken back", []string{ours.Organisation}, []string{ours.Organisation})
			p.must(t, http.StatusOK, guide, "POST", merge+"/unmerge", other+`}`)
			expectBarred("parted", []string{}, []string{ours.Organisation})
			_, before := p.barredOn(t, journeys[1])
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journeys[1]+"/contact",
				`{"needs":["large-print"]}`)
			if _, after := p.barredOn(t, journeys[1]); after != before {
				t.Error("what has not changed is told again")
			}
		})
	}
}

func TestAJourneyThatBeginsIsToldWhoMustNotKnow(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	first, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+first+"/contact", `{"mustNotKnow":["RYY"]}`)
	p.close(t, first)
	status, body := p.post(t, "application/cloudevents+json",
		report("later", `{"organisation":"RXX","visit":"V2","inScope":true,"leftAt":"2026-11-20T20:00:00Z",
		"person":{"localId":"L1","familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01"}}`))
	var a eventAnswer
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	second := a.Journey
	if got, _ := p.barredOn(t, second); second == first || !slices.Equal(got, []string{"RYY"}) {
		t.Errorf("a new journey (%v) was told %v", second != first, got)
	}
}

// TestAnOrganisationThatMustNotKnowGetsNothingByAnyRouteAboutThePerson: two hospitals know somebody, one of whom must
// not know; after a human has said that both records are theirs, that one reaches nothing, by any route of either.
func TestAnOrganisationThatMustNotKnowGetsNothingByAnyRouteAboutThePerson(t *testing.T) {
	t.Parallel()
	p := placed(t)
	ways["mllp"](t, p, "RZZ")
	theirs, _, _ := p.beganAt(t)
	ours, person := p.discharge(t, "V2", "L2", "1990-04-01")
	var other string
	if err := p.pool.QueryRow(t.Context(), `select person::text from journey where id = $1::uuid`,
		theirs).Scan(&other); err != nil {
		t.Fatal(err)
	}
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+person+"/merge",
		`{"other":"`+other+`","reason":"the same birth date","confirm":true}`)
	p.must(t, http.StatusOK, guide, "POST", "/api/facilities/RZZ/place", `{"organisation":"RYY"}`)
	ask := func(want int, when string, who principal.Principal) {
		t.Helper()
		for _, about := range []string{person, other} {
			for _, r := range [][3]string{
				{"GET", "/access", ""}, {"POST", "/contact-stopped", `{"reason":"asked us to"}`},
				{"POST", "/contact-resumed", `{"reason":"asked us to"}`},
				{"POST", "/legal-hold", `{"on":true}`}, {"POST", "/legal-hold", `{"on":false}`},
				{"POST", "/merge", `{"other":"OTHER","reason":"the same person","confirm":true}`},
				{"POST", "/unmerge", `{"other":"OTHER","reason":"two people"}`},
				{"POST", "/erase", `{"reason":"they asked for it"}`},
			} {
				if want == http.StatusOK && (strings.HasSuffix(r[1], "merge") || r[1] == "/erase") {
					continue // these would take the records apart
				}
				against := map[string]string{person: other, other: person}[about]
				status, body := p.ask(t, who, r[0], "/api/people/"+about+r[1],
					strings.Replace(r[2], "OTHER", against, 1))
				if (status == http.StatusNotFound) != (want == http.StatusNotFound) || status >= 500 {
					t.Errorf("%s: %s %s: %d %s", when, r[0], r[1], status, body)
				}
			}
		}
		for _, r := range [][3]string{{"GET", "/consent", ""}, {"POST", "/contact", `{"channels":[]}`},
			{"POST", "/preferences", `{"channels":["text"]}`},
			{"POST", "/consent", `{"answers":[{"purpose":"bridging","state":"declined"}],"how":"spoken"}`},
			{"GET", "/identity", ""}} {
			status, body := p.ask(t, who, r[0], "/api/journeys/"+theirs+r[1], r[2], ReasonHeader,
				"called about tonight")
			if (status == http.StatusNotFound) != (want == http.StatusNotFound) || status >= 500 {
				t.Errorf("%s: %s %s: %d %s", when, r[0], r[1], status, body)
			}
		}
		found := p.must(t, http.StatusOK, who, "POST", "/api/people/search", `{"code":"`+theirs+`"}`)
		if strings.Contains(found, theirs) != (want == http.StatusOK) {
			t.Errorf("%s: a search finds %s", when, found)
		}
	}
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+ours+"/contact", `{"mustNotKnow":["RYY"]}`)
	ask(http.StatusNotFound, "where they must not know", navigatorOf("RYY"))
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+ours+"/contact", `{"mustNotKnow":null}`)
	ask(http.StatusOK, "once that is taken back", navigatorOf("RYY"))
}

// TestMoreThanAListMayHoldKeepsEverybodyOut: two records name more organisations between them than an event holds.
// Nobody who was named is left out, the event stays small, somebody is asked to look, and parting the records gives
// back each list.
func TestMoreThanAListMayHoldKeepsEverybodyOut(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	var journeys, people, named [2]string
	for i := range journeys {
		journeys[i], people[i] = p.discharge(t, fmt.Sprint("V", i), fmt.Sprint("L", i), "1990-04-01")
		var lists [2][]string
		for n := range 100 {
			lists[n%2] = append(lists[n%2], fmt.Sprintf("%q", fmt.Sprintf("R%d%02d", i, n)))
		}
		named[i] = strings.Trim(lists[0][0], `"`)
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journeys[i]+"/contact",
			`{"mustNotKnow":[`+strings.Join(lists[0], ",")+`]}`)
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journeys[i]+"/preferences",
			`{"never":[`+strings.Join(lists[1], ",")+`]}`)
	}
	treats := func(organisation, journey string, want int) {
		t.Helper()
		who := treating
		who.Organisation = organisation
		p.must(t, want, who, "GET", "/api/journeys/"+journey+"/identity", "", ReasonHeader, "called about tonight")
	}
	treats("RYY", journeys[0], http.StatusOK)
	other := `{"other":"` + people[1] + `","reason":"the same birth date"}`
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+people[0]+"/merge", other)
	for i, journey := range journeys {
		if list, _ := p.barredOn(t, journey); !slices.Equal(list, []string{schemas.Everybody}) {
			t.Errorf("journey %d was told %v", i, list)
		}
		for _, e := range p.eventsOf(t, journey, schemas.PreferencesChanged) {
			if len(e.Data) > 6<<10 {
				t.Errorf("an event of %d bytes", len(e.Data))
			}
		}
		if data := string(p.lastEvent(t, journey)); !strings.Contains(data, record.TooManyBarred) {
			t.Errorf("nobody is asked to look: %s", data)
		}
		treats(named[1-i], journey, http.StatusNotFound)
		treats("RYY", journey, http.StatusNotFound)
		p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+journey+"/identity", "", ReasonHeader,
			"called about tonight")
	}
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+people[0]+"/unmerge", other)
	for i, journey := range journeys {
		if list, _ := p.barredOn(t, journey); len(list) != 100 {
			t.Errorf("parted, journey %d was told of %d", i, len(list))
		}
	}
	treats("RYY", journeys[0], http.StatusOK)
}
