package criteria

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"footbridge/schemas"
)

func TestTheRunningSetAgainstItselfChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t, 4)
		var past []PastDecision
		for i := range 5 {
			past = append(past, PastDecision{Decision: fmt.Sprint(i), Situation: drawSituation(t, set)})
		}
		r := WhatIf(set, set, past)
		if len(r.Changed) > 0 || len(r.Opened) > 0 || len(r.Closed) > 0 || r.GapOpens+r.GapCloses > 0 ||
			r.Replayed != 5 {
			t.Fatalf("got %+v", r)
		}
	})
}

func TestADraftShowsWhoseDoorsAndGapsWouldChange(t *testing.T) {
	t.Parallel()
	adults := service("adults", Statutory)
	adults.Ages = &Ages{From: new(19), Words: "19 and over."}
	wider := adults
	wider.Ages = &Ages{From: new(18), Words: "18 and over."}
	running, draft := compiledSet(t, lastResort(), adults), compiledSet(t, lastResort(), wider)
	past := []PastDecision{{Decision: "d1", Journey: "j1", Situation: Situation{Facts: schemas.Facts{Age: new(18)},
		Today: today}},
		{Decision: "d2", Journey: "j2", Situation: Situation{Facts: schemas.Facts{Age: new(40)}, Today: today}}}
	r := WhatIf(running, draft, past)
	if len(r.Changed) != 1 || r.Changed[0].Journey != "j1" || r.Opened["adults"] != 1 || r.GapCloses != 1 ||
		r.GapOpens != 0 {
		t.Errorf("forwards: %+v", r)
	}
	r = WhatIf(draft, running, past)
	if r.Closed["adults"] != 1 || r.GapOpens != 1 || r.Changed[0].Changes[0].Because[0].Words != "19 and over." {
		t.Errorf("backwards: %+v", r)
	}
}

func TestTheTorbayReportsAreTwoDiscrepanciesNotOne(t *testing.T) {
	t.Parallel()
	set := example(t)
	found := ToldAgainstPublished(set, nil)
	if len(found) != 2 {
		t.Fatalf("got %+v", found)
	}
	if found[0].In != DiffersInLength || found[0].Published != "28 days" || found[0].Told != "42 days" ||
		found[1].In != DiffersInScope || found[1].Told != "any-self-harm" {
		t.Errorf("got %+v", found)
	}
	if found[0].DidNotRefer != 1 || found[0].Source == "" || found[0].CheckedOn == "" {
		t.Errorf("got %+v", found[0])
	}
	again := ToldReport{Service: "talking-therapies",
		Told: Told{ID: "2", On: today, By: "GP", Criterion: "last-four-weeks", Words: "Six weeks.",
			Terms: Terms{Days: 42}}}
	right := again
	right.Terms = Terms{Days: 28}
	found = ToldAgainstPublished(set, []ToldReport{again, right})
	if len(found) != 2 || found[0].Reports != 2 || found[0].DidNotRefer != 1 || found[1].Reports != 1 {
		t.Errorf("counted as %+v", found)
	}
}

func TestTheRuleBookCarriesTheRunningSet(t *testing.T) {
	t.Parallel()
	set := example(t)
	page, err := RuleBook(set, today, []DeadLine{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadRuleBook(page)
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash != set.Hash || !strings.Contains(string(page), `<code>`+set.Hash+`</code>`) {
		t.Error("the hash is another")
	}
	altered, err := ReadRuleBook([]byte(strings.Replace(string(page), `"words":"We are for people aged 18 to 64."`,
		`"words":"We are for everybody."`, 1)))
	if err != nil || altered.Hash == set.Hash {
		t.Errorf("an altered page has the same hash: %v", err)
	}
	if _, err := ReadRuleBook([]byte("<html></html>")); !errors.Is(err, ErrNoRuleBook) {
		t.Errorf("got %v", err)
	}
}

func TestTheRuleBookCanBeReadPrintedAndHeard(t *testing.T) {
	t.Parallel()
	set := compiledSet(t, lastResort(), fullDocument(), service("sly", ThirdSector, include("x", "carer")))
	page, err := RuleBook(set, today, []DeadLine{})
	if err != nil {
		t.Fatal(err)
	}
	html := string(page)
	for _, want := range []string{`<html lang="en-GB">`, "<main", "<h1>", `class="skip"`, "@media print",
		"We talk about this first: talk.", "Ask the duty worker", "last checked", "2026-10-01, by c", "destination"} {
		if !strings.Contains(strings.ToLower(html), strings.ToLower(want)) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, never := range []string{"<script>", `<script src`, `<link `, "<img", "@import", "ZgotmplZ"} {
		if strings.Contains(html, never) {
			t.Errorf("the page has %s", never)
		}
	}
}

func TestTheRuleBookDoesNotRunWhatADocumentSays(t *testing.T) {
	t.Parallel()
	sly := service("sly", ThirdSector, include("x", "carer"))
	sly.Criteria[0].Words = `</script><script>alert(1)</script>`
	sly.Service.URL = "javascript:alert(1)"
	page, err := RuleBook(compiledSet(t, lastResort(), sly), today, []DeadLine{})
	if err != nil {
		t.Fatal(err)
	}
	if html := string(page); strings.Contains(html, "<script>alert") || strings.Contains(html, `href="javascript:`) {
		t.Error("the page would run it")
	}
	if again, err := ReadRuleBook(page); err != nil || again.Hash == "" {
		t.Errorf("the set does not come back: %v", err)
	}
}

func TestTheLintNamesWhatSomebodyShouldLookAt(t *testing.T) {
	t.Parallel()
	lost := service("lost", ThirdSector, include("never", "age > 20 && age < 10"),
		include("always", "age >= 0 || carer"))
	lost.Provenance.CheckedOn = "2026-01-01"
	lost.Opening = &Claim{Says: "Mondays", AsOf: "2025-01-01"}
	lost.Funding = &Funding{Until: "2026-12-31", Words: "Until then."}
	opaque := conversation("grade", "", "")
	opaque.NotEvaluable.Why = WhyRiskGrade
	lost.Criteria = append(lost.Criteria, opaque)
	set := compiledSet(t, lastResort(), lost)
	found := Lint(set, today, []DeadLine{{Service: "lost", What: "01632 960100", On: today}})
	for _, want := range []string{"nobody can reach it", "not confirmed since 2026-01-01", "claim of 2025-01-01",
		"ends on 2026-12-31", "met by nobody", "met by everybody", "nobody can see into", "no link"} {
		if !strings.Contains(fmt.Sprint(found), want) {
			t.Errorf("does not say %q: %v", want, found)
		}
	}
	if last := found[len(found)-1]; !last.Step || last.Where != "01632 960100" {
		t.Errorf("a dead line is no step: %+v", last)
	}
	if len(Links(example(t))) < 15 {
		t.Errorf("got %v", Links(example(t)))
	}
}

func TestALineThatReachesNobodyIsNotPrintedInTheRuleBook(t *testing.T) {
	t.Parallel()
	set := example(t)
	dead := []DeadLine{{"community-team", "01632 960102", today},
		{"talking-therapies", "https://talking-therapies.example", today}}
	page, err := RuleBook(set, today, dead)
	if err != nil {
		t.Fatal(err)
	}
	printed, carried, _ := strings.Cut(string(page), ruleBookOpens)
	if strings.Contains(printed, "01632 960102") ||
		strings.Contains(printed, `href="https://talking-therapies.example"`) {
		t.Error("a line that reaches nobody is printed for people to try")
	}
	if n := strings.Count(printed, "reported not working on "+today+", being checked"); n != len(dead) {
		t.Errorf("%d of %d lines are marked", n, len(dead))
	}
	if !strings.Contains(printed, "01632 960101") || !strings.Contains(carried, "01632 960102") {
		t.Error("another service's number is left out, or the page no longer carries the set as it is")
	}
	again, err := ReadRuleBook(page)
	if err != nil || again.Hash != set.Hash {
		t.Errorf("the set cannot be read from the page: %v", err)
	}
	if unasked, err := RuleBook(set, today, nil); err != nil ||
		!strings.Contains(string(unasked), "could not be asked for") {
		t.Errorf("a page made without asking does not say so: %v", err)
	}
}
