package criteria

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTheShippedExampleLoadsAndSaysThatItIsOne(t *testing.T) {
	t.Parallel()
	set := example(t)
	kinds := map[string]bool{}
	for _, doc := range set.Documents() {
		kinds[doc.Kind] = true
		if !doc.Illustrative || !strings.Contains(doc.Service.Name, "(example)") {
			t.Errorf("%s is not plainly marked illustrative", doc.Service.ID)
		}
	}
	if got := len(set.Documents()); got != 16 {
		t.Errorf("got %d services, want 16", got)
	}
	for _, kind := range []string{"talking-therapies", "community-team", "home-treatment", "liaison", "crisis-line",
		"text-line", "group", "learning-community",
		"peer-follow-up", "young-people", "school-support", "carers-group", "navigator"} {
		if !kinds[kind] {
			t.Errorf("there is no %s", kind)
		}
	}
}

const sound = `format: access-criteria/v1
version: "1"
service: {id: team, name: Team}
sector: statutory
kind: team
role: last-resort
provenance: {source: a leaflet, publishedBy: the team, checkedOn: "2026-10-01", checkedBy: editor}
`

const caring = `---
format: access-criteria/v1
version: "1"
service: {id: group, name: Group}
sector: third-sector
kind: group
role: care
provenance: {source: a leaflet, publishedBy: the group, checkedOn: "2026-10-01", checkedBy: editor}
`

func criterion(fields string) string {
	return sound + caring + "criteria:\n  - {id: one, kind: need, effect: include, words: Our words., " + fields + "}\n"
}

func TestASetThatMustNotLoadSaysWhereAndWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ content, where, why string }{
		"no last resort": {caring[4:], "", "no last-resort service"},
		"an undeclared fact": {criterion(`when: shoeSize > 3`), "criteria[0].when",
			`"shoeSize" is not a declared fact`},
		"a hidden peer support clause": {criterion(`when: '!("group" in openTo)'`), "criteria[0].when",
			"may not close a door"},
		"one hidden deeper": {criterion(`when: 'age > 17 && !(registeredGP && "group" in waitingOn)'`),
			"criteria[0].when", "may not close a door"},
		"one in words": {strings.Replace(criterion(`notEvaluable: {why: conversation, ask: duty}`),
			"Our words.", "Not attending a peer group.", 1), "criteria[0].words", "may not close a door"},
		"a bridging answer": {criterion(`when: bridgingOutcome == "worse"`), "criteria[0].when",
			"bridging call"},
		"a person's own words": {criterion(`when: '"x" in ownWords'`), "criteria[0].when", "own words"},
		"bridging in words": {strings.Replace(criterion(`notEvaluable: {why: conversation, ask: duty}`),
			"Our words.", "Calm on the bridging calls.", 1), "criteria[0].words", "bridging call"},
		"a risk fact": {criterion(`when: riskLevel == "low"`), "criteria[0].when",
			"grade of a person"},
		"a risk field": {sound + "riskLevel: high\n", "riskLevel", "no field for a person's risk"},
		"a risk field in the service": {strings.Replace(sound, "name: Team", "name: Team, severity: 3", 1),
			"service.severity", "no field for a person's risk"},
		"an unknown field": {sound + "colour: green\n", "colour", "is not a field"},
		"fact against fact": {criterion(`when: areaGP == areaResidence`), "criteria[0].when",
			"constants only"},
		"arithmetic": {criterion(`when: age + 1 > 18`), "criteria[0].when", "is not a fact"},
		"a function": {criterion(`when: gender.startsWith("w")`), "criteria[0].when", "fragment"},
		"a conditional": {criterion(`when: 'carer ? true : inEducation'`), "criteria[0].when",
			"fragment"},
		"a constant alone": {criterion(`when: 'true'`), "criteria[0].when", "fragment"},
		"a value outside a closed list": {criterion(`when: route == "telepathy"`), "criteria[0].when",
			`never "telepathy"`},
		"a wrong type": {criterion(`when: age == "18"`), "criteria[0].when", "does not fit"},
		"an unknown service": {criterion(`when: '"nobody" in openTo'`), "criteria[0].when",
			"not in this set"},
		"no words": {strings.Replace(criterion(`when: carer`), "Our words.", `""`, 1),
			"criteria[0].words", "is missing"},
		"no source": {strings.Replace(sound, "source: a leaflet, ", "", 1), "provenance.source",
			"is missing"},
		"a last resort that lapses": {strings.Replace(sound, "checkedBy: editor",
			`checkedBy: editor, validUntil: "2027-01-01"`, 1), "provenance.validUntil", "may not lapse"},
		"a last resort with money": {sound + "funding: {until: \"2027-03-31\", words: Until then.}\n", "funding",
			"may not lapse"},
		"a last resort with ages": {sound + "ages: {from: 18, words: Adults.}\n", "ages", "no condition"},
		"both expression and talk": {criterion(`when: carer, notEvaluable: {why: conversation, ask: duty}`),
			"criteria[0]", "both"},
		"nobody to ask": {criterion(`notEvaluable: {why: conversation}`),
			"criteria[0].notEvaluable.ask", "whom to ask"},
		"a side without an axis": {criterion(`when: carer, side: above`), "criteria[0].side", "axis"},
		"a day that is none": {strings.Replace(sound, "2026-10-01", "1 October", 1), "provenance.checkedOn",
			"YYYY-MM-DD"},
		"twice the same service": {sound + "---\n" + sound, "service.id", "already described"},
		"no YAML":                {"\tx: [", "", "not YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(Source{Name: "set.yaml", Content: []byte(c.content)})
			var refused Refused
			if !errors.As(err, &refused) {
				t.Fatalf("it loaded: %v", err)
			}
			for _, r := range refused {
				if r.Where == c.where && strings.Contains(r.Why, c.why) {
					if c.where != "" && (r.Line == 0 || r.File != "set.yaml") {
						t.Errorf("does not say where: %s", r)
					}
					return
				}
			}
			t.Errorf("want %q at %q, got:\n%v", c.why, c.where, err)
		})
	}
}

func TestBeingWithAStatutoryTeamMayBeACriterion(t *testing.T) {
	t.Parallel()
	_, err := Load(Source{Name: "set.yaml", Content: []byte(criterion(`when: '!("team" in openTo)'`))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Source{Name: "set.yaml",
		Content: []byte(criterion(`when: '"group" in openTo || carer'`))}); err != nil {
		t.Errorf("a door that opens for people in a group was refused: %v", err)
	}
}

func TestARefusalNamesItsLine(t *testing.T) {
	t.Parallel()
	_, err := Load(Source{Name: "set.yaml", Content: []byte(criterion(`when: shoeSize > 3`))})
	var refused Refused
	if !errors.As(err, &refused) || refused[0].Line != 17 ||
		!strings.HasPrefix(refused[0].String(), "set.yaml:17: criteria[0].when: column 1:") {
		t.Errorf("got %v", err)
	}
}

func TestTheSetComesBackFromItsCanonicalForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t, 4)
		again, err := Load(Source{Name: "canonical", Content: set.Canonical()})
		if err != nil {
			t.Fatal(err)
		}
		if again.Hash != set.Hash {
			t.Fatalf("the hash is another: %s, was %s", again.Hash, set.Hash)
		}
	})
}

func TestJSONWithTabsAndPairedEscapesIsRead(t *testing.T) {
	t.Parallel()
	doc := "{\n\t\"format\": \"access-criteria/v1\",\n\t\"version\": \"1\",\n\t\"service\": {\"id\": \"a\", " +
		"\"name\": \"A \\ud83d\\ude42\", \"x-own\": [1, 2.5]},\n" +
		"\t\"sector\": \"statutory\", \"kind\": \"team\", \"role\": \"last-resort\",\n\t\"provenance\": {\"source\": " +
		"\"s\", \"publishedBy\": \"p\", \"checkedOn\": \"2026-10-01\", \"checkedBy\": \"c\"}\n}"
	set, err := Load(Source{Name: "a.json", Content: []byte(doc)})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := set.Document("a"); got.Service.Name != "A 🙂" || got.Service.Unknown["x-own"] == nil {
		t.Errorf("got %+v", got.Service)
	}
}

func TestTheExampleIsWhatTheSchemaAsksFor(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t, filepath.Join("..", "..", "..", "schemas", "criteria", "criteria.v1.schema.json"))
	files, err := filepath.Glob(filepath.Join("directory", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no example files: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(asJSON(t, content)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for name, content := range map[string]string{"a risk field": sound + "riskLevel: high\n",
		"no words": "format: access-criteria/v1\n", "both": criterion("when: carer, side: above")} {
		if schema.Validate(asJSON(t, []byte(content))) == nil && name != "both" {
			t.Errorf("the schema takes %s", name)
		}
	}
}

func TestTheSchemaAndTheTypeHaveTheSameFields(t *testing.T) {
	t.Parallel()
	set := compiledSet(t, lastResort(), fullDocument())
	schema := compileSchema(t, filepath.Join("..", "..", "..", "schemas", "criteria", "criteria.v1.schema.json"))
	for _, doc := range set.Documents() {
		if err := schema.Validate(asJSON(t,
			canonical([]Document{doc})[1:len(canonical([]Document{doc}))-1])); err != nil {
			t.Errorf("%s: %v", doc.Service.ID, err)
		}
	}
}

// fullDocument uses every field there is.
func fullDocument() Document {
	doc := service("full", Statutory)
	doc.Illustrative = true
	doc.Service = Service{ID: "full", Name: "Full", Status: "active", Description: "All of it.",
		URL: "https://full.example", Email: "a@full.example", AssuredDate: "2026-10-01",
		Organization: &Organization{ID: "o", Name: "O"}, Phones: []Phone{{ID: "p", Number: "01632 960100"}},
		Unknown: map[string]any{"x-own": 1}}
	doc.Provenance = Provenance{Source: "s", Link: "https://full.example/s", PublishedBy: "p", ValidFrom: "2026-01-01",
		ValidUntil: "2030-01-01", CheckedOn: "2026-10-01", CheckedBy: "c"}
	doc.Routes, doc.Languages, doc.Access, doc.Channels = []string{"self"}, []string{"en"}, []string{"step-free"},
		[]string{"phone"}
	doc.Ages = &Ages{From: new(18), To: new(64), Words: "Adults."}
	doc.Area = &Area{Of: []string{"gp"}, Codes: []string{"area-north"}, Words: "The north."}
	claim := &Claim{Says: "Mondays", AsOf: "2026-10-01", Source: "a leaflet"}
	doc.Opening, doc.Capacity, doc.Wait = claim, claim, claim
	doc.Funding = &Funding{Until: "2030-03-31", Words: "Until then.", Source: "a letter"}
	doc.Criteria = []Criterion{conversation("talk", "intensity", SideAbove),
		exclude("not-a-ward", `destination == "ward"`)}
	doc.Criteria[0].Terms = &Terms{Days: 28, Scope: []string{"a"}}
	doc.Told = []Told{{ID: "t", On: "2026-10-01", By: "nurse", Criterion: "talk", Words: "Six weeks.",
		Terms: Terms{Days: 42}, DidNotRefer: true, Source: "a report"}}
	return doc
}
