package criteria

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"footbridge/schemas"
)

const (
	today    = "2026-11-20"
	tomorrow = "2026-11-21"
)

var window = Window{FirstDay: "2026-11-27", LastDay: "2026-12-04"}

func example(t testing.TB) *Directory {
	t.Helper()
	set, err := LoadFS(ExampleFiles())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func compiledSet(t testing.TB, docs ...Document) *Directory {
	t.Helper()
	set, err := Compile(docs...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func provenance() Provenance {
	return Provenance{Source: "a leaflet", PublishedBy: "the service", CheckedOn: "2026-10-01", CheckedBy: "editor"}
}

func lastResort() Document {
	doc := service("navigator", Statutory)
	doc.Role = RoleLastResort
	return doc
}

// service is a document for ongoing care with the criteria given.
func service(id, sector string, criteria ...Criterion) Document {
	return Document{Format: Format, Version: "1", Service: Service{ID: id, Name: "The " + id}, Sector: sector,
		Kind: "team", Role: RoleCare,
		Provenance: provenance(), Criteria: criteria}
}

func include(id, when string) Criterion {
	return Criterion{ID: id, Kind: "other", Effect: Include, When: when,
		Words: "We are for people of whom this holds: " + id + "."}
}

func exclude(id, when string) Criterion {
	c := include(id, when)
	c.Effect = Exclude
	return c
}

func conversation(id, axis, side string) Criterion {
	return Criterion{ID: id, Kind: "need", Axis: axis, Side: side, Effect: Include,
		NotEvaluable: &NotEvaluable{Why: WhyConversation, Ask: "the duty worker"},
		Words:        "We talk about this first: " + id + "."}
}

// northerner is an adult of whom everything is known.
func northerner() schemas.Facts {
	return schemas.Facts{Age: new(34), AreaResidence: new("area-north"), AreaStaying: new("area-north"),
		AreaGP: new("area-north"), RegisteredGP: new(true),
		Gender: new("woman"), Language: new("en"), InterpreterNeeded: new(false), Route: new("discharge"),
		Assessment: new("done"), Destination: new("home"),
		Channels: []string{"phone"}, WorkerGender: new("any"), Carer: new(false), InEducation: new(false),
		WaitingOn: []string{}, OpenTo: []string{}}
}

func eligibility(t testing.TB, d Decision, service string) schemas.ServiceEligibility {
	t.Helper()
	for _, door := range d.Eligibilities {
		if door.Service == service {
			return door
		}
	}
	t.Fatalf("the decision has no door for %q", service)
	return schemas.ServiceEligibility{}
}

// drawFacts draws facts, each of which may be absent.
func drawFacts(t *rapid.T, services []string) schemas.Facts {
	var facts schemas.Facts
	for _, fact := range DeclaredFacts {
		if rapid.Bool().Draw(t, fact.Name+" is known") {
			setFact(&facts, fact.Name, drawValue(t, fact, services), today)
		}
	}
	return facts
}

func drawValue(t *rapid.T, fact Fact, services []string) any {
	switch fact.Type {
	case factNumber:
		return rapid.IntRange(0, ageMost).Draw(t, fact.Name)
	case factYesNo:
		return rapid.Bool().Draw(t, fact.Name)
	case factList:
		values := fact.Values
		if len(values) == 0 {
			values = services
		}
		return rapid.SliceOfNDistinct(rapid.SampledFrom(values), 0, min(2, len(values)), rapid.ID).Draw(t, fact.Name)
	}
	return rapid.SampledFrom(textsOf(fact)).Draw(t, fact.Name)
}

func textsOf(fact Fact) []string {
	if len(fact.Values) > 0 {
		return fact.Values
	}
	return []string{"area-north", "area-south", "en", "cy", "elsewhere"}
}

// drawExpression draws a clause of the fragment.
func drawExpression(t *rapid.T, depth int) string {
	if depth > 0 && rapid.IntRange(0, 2).Draw(t, "join") > 0 {
		left, right := drawExpression(t, depth-1), drawExpression(t, depth-1)
		switch rapid.IntRange(0, 2).Draw(t, "operator") {
		case 0:
			return "(" + left + " && " + right + ")"
		case 1:
			return "(" + left + " || " + right + ")"
		}
		return "!(" + left + ")"
	}
	fact := DeclaredFacts[rapid.IntRange(0, len(DeclaredFacts)-3).Draw(t, "fact")] // without waitingOn and openTo
	switch fact.Type {
	case factNumber:
		return fmt.Sprintf("%s %s %d", fact.Name, rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t,
			"compare"), rapid.IntRange(0, 90).Draw(t, "constant"))
	case factYesNo:
		return rapid.SampledFrom([]string{fact.Name, "!" + fact.Name, fact.Name + " == true", fact.Name + " != true",
			"false == " + fact.Name}).Draw(t, "yes or no")
	case factList:
		return fmt.Sprintf("%q in %s", rapid.SampledFrom(fact.Values).Draw(t, "constant"), fact.Name)
	}
	a, b := rapid.SampledFrom(textsOf(fact)).Draw(t, "constant"), rapid.SampledFrom(textsOf(fact)).Draw(t, "other")
	return rapid.SampledFrom([]string{fmt.Sprintf("%s == %q", fact.Name, a), fmt.Sprintf("%s != %q", fact.Name, a),
		fmt.Sprintf("%s in [%q, %q]", fact.Name, a, b)}).Draw(t, "comparison")
}

// drawSet draws a whole directory.
func drawSet(t *rapid.T, most int) *Directory {
	docs := []Document{lastResort()}
	for i := range rapid.IntRange(1, most).Draw(t, "services") {
		doc := service(fmt.Sprintf("service-%d", i),
			rapid.SampledFrom([]string{Statutory, Statutory, ThirdSector}).Draw(t, "sector"))
		for k := range rapid.IntRange(0, 3).Draw(t, "criteria") {
			doc.Criteria = append(doc.Criteria, drawCriterion(t, k))
		}
		docs = append(docs, doc)
	}
	set, err := Compile(docs...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func drawCriterion(t *rapid.T, k int) Criterion {
	axis, side := "", ""
	if rapid.IntRange(0, 2).Draw(t, "has an axis") == 0 {
		axis, side = "intensity", rapid.SampledFrom([]string{SideAbove, SideBelow}).Draw(t, "side")
	}
	if rapid.IntRange(0, 4).Draw(t, "takes a conversation") == 0 {
		return conversation(fmt.Sprintf("c%d", k), axis, side)
	}
	c := include(fmt.Sprintf("c%d", k), drawExpression(t, 2))
	c.Axis, c.Side = axis, side
	if rapid.Bool().Draw(t, "excludes") {
		c.Effect = Exclude
	}
	if rapid.IntRange(0, 3).Draw(t, "lapses") == 0 {
		c.ValidUntil = rapid.SampledFrom([]string{"2026-01-01", today, "2026-12-01"}).Draw(t, "until")
	}
	return c
}

func idsOf(set *Directory) []string {
	var ids []string
	for _, doc := range set.Documents() {
		ids = append(ids, doc.Service.ID)
	}
	return ids
}

func drawSituation(t *rapid.T, set *Directory) Situation {
	ids := idsOf(set)
	s := Situation{Facts: drawFacts(t, ids), Today: today, Window: window}
	for range rapid.IntRange(0, 2).Draw(t, "answers") {
		s.Answers = append(s.Answers, Answer{Service: rapid.SampledFrom(ids).Draw(t, "service"), On: today,
			Words: "In our words.", By: "duty worker",
			Said: rapid.SampledFrom([]string{StateAsked, StateYes, StateWaiting, StateNoReply}).Draw(t, "said")})
	}
	if rapid.Bool().Draw(t, "facts change") {
		s.Changes = []FactChange{{On: rapid.SampledFrom([]string{tomorrow, "2026-12-01", "2027-02-01"}).Draw(t, "on"),
			Facts: drawFacts(t, ids)}}
	}
	return s
}

// large builds n services whose criteria number about 400 for 60, as a county's directory might hold.
func large(t testing.TB, n int) *Directory {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	docs := []Document{lastResort()}
	for i := 1; i < n; i++ {
		docs = append(docs, largeService(random, i))
	}
	return compiledSet(t, docs...)
}

func largeService(random *rand.Rand, i int) Document {
	from := []int{0, 5, 11, 16, 18, 18, 18, 25, 65}[random.IntN(9)]
	to := min(ageMost, from+[]int{7, 12, 17, 46, 112}[random.IntN(5)])
	doc := service(fmt.Sprintf("service-%02d", i), []string{Statutory, Statutory, ThirdSector}[random.IntN(3)])
	doc.Ages = &Ages{From: &from, To: &to, Words: "For these ages."}
	codes := []string{"area-north", "area-south", "area-coast", "area-moor", "area-city", "area-vale"}
	random.Shuffle(len(codes), func(a, b int) { codes[a], codes[b] = codes[b], codes[a] })
	doc.Area = &Area{Of: []string{"residence", "gp", "staying"}[:1+random.IntN(3)], Codes: codes[:2+random.IntN(4)],
		Words: "For these areas."}
	pool := slices.Clone(largePool)
	random.Shuffle(len(pool), func(a, b int) { pool[a], pool[b] = pool[b], pool[a] })
	for k, when := range pool[:4+random.IntN(2)] {
		doc.Criteria = append(doc.Criteria, include(fmt.Sprintf("c%d", k), when))
	}
	return doc
}

var largePool = []string{`registeredGP`, `gender in ["woman", "non-binary"]`, `!(destination in ["ward", "custody"])`,
	`language == "en" || !interpreterNeeded`,
	`assessment in ["done", "offered"]`, `route != "self"`, `"phone" in channels || "video" in channels`,
	`workerGender != "man"`, `carer || age >= 16`,
	`inEducation || age < 16 || age > 18`, `destination != "police"`, `!("text" in channels)`}
