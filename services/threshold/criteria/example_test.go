package criteria_test

import (
	"fmt"
	"log"
	"strings"

	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

// leaflets are two services' conditions as they publish them, and the service that takes whoever no other takes.
const leaflets = `
format: access-criteria/v1
version: "1"
service: {id: adult-team, name: Adult Team, phones: [{number: "01632 960101"}]}
sector: statutory
kind: community-team
role: care
provenance: {source: Leaflet of the Adult Team, publishedBy: Adult Team, checkedOn: "2026-10-01", checkedBy: editor}
ages: {from: 18, to: 64, words: "We are for people aged 18 to 64."}
---
format: access-criteria/v1
version: "1"
service: {id: young-team, name: Young People's Team, phones: [{number: "01632 960102"}]}
sector: statutory
kind: young-people
role: care
provenance: {source: Leaflet of the Young People's Team, publishedBy: Young People's Team, checkedOn: "2026-10-01", checkedBy: editor}
criteria:
  - {id: in-education, kind: other, effect: include, when: age < 18 && inEducation, words: "We are for under-18s at school or college."}
---
format: access-criteria/v1
version: "1"
service: {id: navigator, name: Navigator, phones: [{number: "01632 960103"}]}
sector: statutory
kind: navigator
role: last-resort
provenance: {source: Leaflet of the Navigator, publishedBy: The trust, checkedOn: "2026-10-01", checkedBy: editor}
`

func load() *criteria.Directory {
	set, err := criteria.Load(criteria.Source{Name: "leaflets.yaml", Content: []byte(leaflets)})
	if err != nil {
		log.Fatal(err)
	}
	return set
}

// What is unknown closes nothing: it becomes a question.
func ExampleEvaluate() {
	set := load()
	decision := criteria.Evaluate(set, set.Situation(schemas.Facts{Age: new(17)}, nil, "2026-11-20"))
	for _, door := range decision.Eligibilities {
		fmt.Println(door.Name, door.Eligibility, door.Missing)
		for _, because := range door.Because {
			fmt.Printf("  “%s” (%s, checked %s)\n", because.Words, because.Source, because.CheckedOn)
		}
	}
	for _, question := range decision.Questions {
		fmt.Println(question.Asks)
	}
	// Output:
	// Adult Team not-open []
	//   “We are for people aged 18 to 64.” (Leaflet of the Adult Team, checked 2026-10-01)
	// Navigator open []
	// Young People's Team open-if [inEducation]
	//   “We are for under-18s at school or college.” (Leaflet of the Young People's Team, checked 2026-10-01)
	// Does the person go to school or college?
}

// A set that cannot be relied on does not load, and says where and why.
func ExampleLoad() {
	_, err := criteria.Load(criteria.Source{Name: "team.yaml", Content: []byte(`format: access-criteria/v1
version: "1"
service: {id: team, name: The Team}
sector: statutory
kind: community-team
role: last-resort
provenance: {source: Leaflet, publishedBy: The Team, checkedOn: "2026-10-01", checkedBy: editor}
riskLevel: high
`)})
	fmt.Println(strings.ReplaceAll(err.Error(), "; ", ";\n"))
	// Output:
	// the access criteria do not load:
	// team.yaml:8: riskLevel: a document has no field for a person's risk, score or band (NICE NG225 1.6);
	// say the condition in plain words, and mark it notEvaluable
}

// Whoever falls between is found before anybody meets it: here those over 64, and those under 18 who have left school.
func ExampleFindGaps() {
	gaps := criteria.FindGaps(load(), "2026-11-20", criteria.GapBudget)
	for _, region := range gaps.Regions {
		fmt.Println(region.Words)
	}
	fmt.Println("everything was looked at:", gaps.Complete)
	// Output:
	// people aged 65 and over
	// people aged 0 to 17, not at school or college
	// everything was looked at: true
}

// A draft is tried on past decisions before it is taken into use.
func ExampleWhatIf() {
	running := load()
	documents := running.Documents()
	documents[0].Ages = &criteria.Ages{From: new(18), Words: "We are for people aged 18 and over."}
	draft, err := criteria.Compile(documents...)
	if err != nil {
		log.Fatal(err)
	}
	past := []criteria.PastDecision{{Decision: "d-1", Journey: "j-1",
		Situation: running.Situation(schemas.Facts{Age: new(70)}, nil, "2026-11-20")}}
	report := criteria.WhatIf(running, draft, past)
	for _, replay := range report.Changed {
		for _, change := range replay.Changes {
			fmt.Println(replay.Journey, change.Name, change.From, "->", change.To)
		}
	}
	// Output:
	// j-1 Adult Team not-open -> open
}

// The rule book is a page to print, and carries the set itself.
func ExampleReadRuleBook() {
	set := load()
	page, err := criteria.RuleBook(set, "2026-11-20", []criteria.DeadLine{})
	if err != nil {
		log.Fatal(err)
	}
	read, err := criteria.ReadRuleBook(page)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(read.Documents()), read.Hash == set.Hash)
	// Output:
	// 3 true
}
