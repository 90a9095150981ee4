package criteria

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"footbridge/schemas"
)

func TestWhatAnADTSaysLeadsToQuestionsAndNeverToANo(t *testing.T) {
	t.Parallel()
	d := Evaluate(example(t), Situation{Facts: schemas.Facts{Age: new(34), Route: new("discharge"),
		Destination: new("home")}, Today: today, Window: window})
	for _, door := range d.Eligibilities {
		for _, because := range door.Because {
			if door.Eligibility == schemas.NotEligible && because.Criterion != "ages" {
				t.Errorf("%s says no by %q, which nobody can know yet", door.Service, because.Criterion)
			}
		}
	}
	if got := eligibility(t, d, "peer-follow-up"); got.Eligibility != schemas.EligibleIf ||
		!slices.Equal(got.Missing, []string{"areaResidence", "areaStaying", "areaGP"}) {
		t.Errorf("peer follow-up: got %+v", got)
	}
	if len(d.Questions) == 0 || d.Questions[0].Fact != "areaResidence" {
		t.Errorf("the first question should open most: %+v", d.Questions)
	}
	if d.Gap != nil || d.Nobody {
		t.Errorf("what is unknown is no gap: %+v", d.Gap)
	}
}

func TestSomebodyWaitingKeepsTheDoorAndIsKnownToWait(t *testing.T) {
	t.Parallel()
	facts := northerner()
	facts.WaitingOn = []string{"talking-therapies"}
	d := Evaluate(example(t), Situation{Facts: facts, Today: today, Window: window})
	if got := eligibility(t, d, "talking-therapies"); got.Eligibility != schemas.Eligible || !got.Waiting {
		t.Errorf("got %+v", got)
	}
	if !slices.Equal(d.Waits, []string{"talking-therapies"}) || d.Gap != nil {
		t.Errorf("waits %v, gap %+v", d.Waits, d.Gap)
	}
}

// A birthday that the facts foresee is a date for staff, and none of the conditions of a service.
func TestABirthdayAheadIsANearDate(t *testing.T) {
	t.Parallel()
	adults := service("adults", Statutory)
	adults.Ages = &Ages{From: new(18), Words: "Adults."}
	set := compiledSet(t, lastResort(), adults)
	turning := func(on Day) Decision {
		return Evaluate(set, set.Situation(schemas.Facts{Age: new(17), AgeRisesOn: new(on)}, nil, today))
	}
	d := turning("2027-02-01")
	if eligibility(t, d, "adults").Eligibility != schemas.NotEligible ||
		!slices.Equal(d.Near, []Near{{"adults", "2027-02-01"}}) {
		t.Errorf("adults %+v, near %v", eligibility(t, d, "adults"), d.Near)
	}
	if d = turning("2026-11-30"); eligibility(t, d, "adults").Eligibility != schemas.Eligible || d.Near != nil {
		t.Errorf("within the window: %+v, near %v", eligibility(t, d, "adults"), d.Near)
	}
	if NextChange(set, set.Situation(schemas.Facts{Age: new(17), AgeRisesOn: new("2027-02-01")}, nil, today),
		turning("2027-02-01")) != "2027-02-01" {
		t.Error("nobody looks again on that day")
	}
	if _, fault := compileExpression("ageRisesOn > 1"); fault == "" {
		t.Error("a criterion may name it")
	}
}

func TestAgeAndAreaAreOpenOnAnyDayOfTheWindow(t *testing.T) {
	t.Parallel()
	adults := service("adults", Statutory)
	adults.Ages = &Ages{From: new(18), Words: "Adults."}
	young := service("young", Statutory)
	young.Ages = &Ages{To: new(17), Words: "Under 18."}
	set := compiledSet(t, lastResort(), adults, young)
	turning := func(on Day) Situation {
		return Situation{Facts: schemas.Facts{Age: new(17)},
			Changes: []FactChange{{On: on, Facts: schemas.Facts{Age: new(18)}}}, Today: today, Window: window}
	}
	for name, c := range map[string]struct {
		on   Day
		want schemas.Eligibility
		near []Near
	}{
		"a birthday inside the window":        {"2026-12-01", schemas.Eligible, nil},
		"a birthday on the window's last day": {"2026-12-04", schemas.Eligible, nil},
		"a birthday after the window": {"2026-12-12", schemas.NotEligible,
			[]Near{{"adults", "2026-12-12"}}},
		"a birthday in two years, too far to tell": {"2028-12-12", schemas.NotEligible, nil},
	} {
		d := Evaluate(set, turning(c.on))
		if got := eligibility(t, d, "adults").Eligibility; got != c.want {
			t.Errorf("%s: adults %s, want %s", name, got, c.want)
		}
		if got := eligibility(t, d, "young").Eligibility; got != schemas.Eligible {
			t.Errorf("%s: the young people's door is %s", name, got)
		}
		if !slices.Equal(d.Near, c.near) {
			t.Errorf("%s: near %v, want %v", name, d.Near, c.near)
		}
	}
}

func TestACriterionThatHasLapsedStandsInNobodysWay(t *testing.T) {
	t.Parallel()
	lapsed := include("carers", "carer")
	lapsed.ValidUntil = "2026-11-19"
	set := compiledSet(t, lastResort(), service("group", Statutory, lapsed))
	d := Evaluate(set, Situation{Facts: northerner(), Today: today})
	if got := eligibility(t, d, "group"); got.Eligibility != schemas.Eligible || !d.Matrix[0].Lapsed {
		t.Errorf("got %+v, matrix %+v", got, d.Matrix)
	}
}

func TestAServiceWhoseMoneyHasEndedIsNotOpenAndSaysSo(t *testing.T) {
	t.Parallel()
	doc := service("group", ThirdSector)
	doc.Funding = &Funding{Until: today, Words: "Our funding ran until 20 November."}
	set := compiledSet(t, lastResort(), doc)
	if got := eligibility(t, Evaluate(set, Situation{Today: today}), "group").Eligibility; got != schemas.Eligible {
		t.Errorf("on the last day: %s", got)
	}
	got := eligibility(t, Evaluate(set, Situation{Today: tomorrow}), "group")
	if got.Eligibility != schemas.NotEligible || got.Because[0].Words != doc.Funding.Words {
		t.Errorf("the day after: %+v", got)
	}
}

// The person of the Torbay report: too much for the talking therapies, not enough for the community team.
func TestTheTorbayPersonFallsIntoExactlyOneGapWithBothSentences(t *testing.T) {
	t.Parallel()
	set := example(t)
	first := Evaluate(set, Situation{Facts: northerner(), Today: today, Window: window})
	if first.Gap != nil {
		t.Fatalf("nobody has said no yet: %+v", first.Gap)
	}
	tooMuch := Answer{Service: "talking-therapies", On: today, Said: StateNo,
		Words: "The self-harm is too recent for us.", By: "duty therapist", Side: SideAbove}
	notEnough := Answer{Service: "community-team", On: tomorrow, Said: StateNo,
		Words: "This does not need the whole team.", By: "duty worker", Side: SideBelow}

	probable := Evaluate(set, Situation{Facts: northerner(), Answers: []Answer{tooMuch}, Today: today, Window: window,
		Prior: &first})
	if probable.Gap == nil || !probable.Gap.Probable || !probable.Gap.New || probable.Gap.Axis != "intensity" {
		t.Fatalf("one answer, and a rule that takes a conversation on the other side: %+v", probable.Gap)
	}
	certain := Evaluate(set, Situation{Facts: northerner(), Answers: []Answer{tooMuch, notEnough}, Today: tomorrow,
		Window: window, Prior: &probable})
	gap := certain.Gap
	if gap == nil || gap.Probable || len(gap.Sides) != 2 {
		t.Fatalf("two answers: %+v", gap)
	}
	if gap.New {
		t.Error("the gap is counted a second time")
	}
	if gap.Sides[0].Words != tooMuch.Words || gap.Sides[1].Words != notEnough.Words {
		t.Errorf("both sentences should stand: %+v", gap.Sides)
	}
	if results := gap.Results(); !strings.Contains(results[0].Source, "Talking Therapies") {
		t.Errorf("a side does not name its service: %+v", results)
	}
	if certain.Nobody {
		t.Error("the third sector is open, so it is not nobody")
	}
	if got := eligibility(t, certain, "peer-follow-up").Eligibility; got != schemas.Eligible {
		t.Errorf("the peer follow-up is %s", got)
	}
}

func TestTwoPublishedRulesOfOppositeSidesAreAGapWhereNothingElseIsStatutory(t *testing.T) {
	t.Parallel()
	young, old := include("young", "age < 18"), include("old", "age > 64")
	young.Axis, young.Side, old.Axis, old.Side = "age", SideAbove, "age", SideBelow
	set := compiledSet(t, lastResort(), service("young", Statutory, young), service("old", Statutory, old),
		service("peers", ThirdSector))
	d := Evaluate(set, Situation{Facts: northerner(), Today: today})
	if d.Gap == nil || d.Gap.Axis != "age" || d.Gap.Probable || d.Gap.Sides[0].Service != "young" ||
		d.Gap.Sides[1].Service != "old" {
		t.Errorf("got %+v", d.Gap)
	}
	between := compiledSet(t, lastResort(), service("young", Statutory, young), service("old", Statutory, old),
		service("adults", Statutory, conversation("talk", "intensity", SideAbove)))
	if d := Evaluate(between, Situation{Facts: northerner(), Today: today}); d.Gap != nil {
		t.Errorf("the adults' service can still be talked to: %+v", d.Gap)
	}
}

func TestHelpForTheMomentDoesNotHideAGap(t *testing.T) {
	t.Parallel()
	line := service("line", Statutory)
	line.Role = RoleImmediateHelp
	set := compiledSet(t, lastResort(), line, service("team", Statutory, include("carers", "carer")))
	d := Evaluate(set, Situation{Facts: northerner(), Today: today})
	if d.Gap == nil || !d.Nobody || !slices.Equal(d.LastResort, []string{"navigator"}) {
		t.Errorf("gap %+v, nobody %v, last resort %v", d.Gap, d.Nobody, d.LastResort)
	}
}

func TestSilenceIsAskedAgainAndNeverEndsAnything(t *testing.T) {
	t.Parallel()
	set := example(t)
	asked := Situation{Facts: northerner(), Today: today,
		Answers: []Answer{{Service: "community-team", On: today, Said: StateNoReply}}}
	d := Evaluate(set, asked)
	if got := eligibility(t, d, "community-team").Eligibility; got != schemas.TalkAbout {
		t.Errorf("silence made it %s", got)
	}
	if len(d.Tried) != 1 || !d.Tried[0].AskAgain {
		t.Errorf("got %+v", d.Tried)
	}
}

func TestASecondAskNeedsAChangedFactOrAConversation(t *testing.T) {
	t.Parallel()
	set, was := example(t), northerner()
	no := Answer{Service: "community-team", On: today, Said: StateNo, Words: "Not now.", Facts: &was}
	moved := northerner()
	moved.AreaGP = new("area-south")
	if d := Evaluate(set, Situation{Facts: was, Answers: []Answer{no}, Today: today}); d.Tried[0].AskAgain {
		t.Error("nothing has changed, and it may be asked again all the same")
	}
	d := Evaluate(set, Situation{Facts: moved, Answers: []Answer{no}, Today: today})
	if !d.Tried[0].AskAgain || !slices.Equal(d.Tried[0].Changed, []string{"areaGP"}) {
		t.Errorf("got %+v", d.Tried[0])
	}
}

func TestAHumanMayOverrideAnythingAndTheReasonIsShown(t *testing.T) {
	t.Parallel()
	set := compiledSet(t, lastResort(), service("team", Statutory, include("carers", "carer")))
	d := Evaluate(set, Situation{Facts: northerner(), Today: today,
		Overrides: []Override{{Service: "team", Eligibility: schemas.Eligible, On: today, By: "liaison nurse",
			Reason: "They have agreed to see her."}}})
	got := eligibility(t, d, "team")
	if got.Eligibility != schemas.Eligible || got.Because[0].Words != "They have agreed to see her." ||
		d.Satisfied[0].WouldBe != schemas.NotEligible || d.Gap != nil {
		t.Errorf("door %+v, held %+v, gap %+v", got, d.Satisfied, d.Gap)
	}
}

func TestWhoeverIsAlreadyWithThePersonIsAskedFirst(t *testing.T) {
	t.Parallel()
	facts := northerner()
	facts.OpenTo = []string{"community-team"}
	d := Evaluate(example(t), Situation{Facts: facts, Today: today})
	if !slices.Equal(d.AskFirst, []string{"community-team"}) ||
		eligibility(t, d, "community-team").Eligibility != schemas.Eligible {
		t.Errorf("ask first %v, door %+v", d.AskFirst, eligibility(t, d, "community-team"))
	}
}

func TestADoorStaysOpenWhenItsServiceLeavesTheDirectory(t *testing.T) {
	t.Parallel()
	with := compiledSet(t, lastResort(), service("group", ThirdSector))
	prior := Evaluate(with, Situation{Facts: northerner(), Today: today})
	d := Evaluate(compiledSet(t, lastResort()), Situation{Facts: northerner(), Today: tomorrow, Prior: &prior})
	if got := eligibility(t, d, "group").Eligibility; got != schemas.Eligible ||
		d.Satisfied[0].Why != SatisfiedUnlisted {
		t.Errorf("got %s, held %+v", got, d.Satisfied)
	}
}

func TestADecisionKeepsTheWordsItWasMadeUnder(t *testing.T) {
	t.Parallel()
	before := compiledSet(t, lastResort(), service("team", Statutory, include("carers", "carer")))
	old := Evaluate(before, Situation{Facts: northerner(), Today: today})
	stored := before.Canonical()
	changed := include("carers", "carer")
	changed.Words = "Quite other words."
	after := compiledSet(t, lastResort(), service("team", Statutory, changed))
	if after.Hash == before.Hash {
		t.Error("other words are the same version")
	}
	if got := eligibility(t, old, "team").Because[0].Words; got != "We are for people of whom this holds: carers." {
		t.Errorf("got %q", got)
	}
	again, err := Load(Source{Content: stored})
	if err != nil || again.Hash != old.Directory {
		t.Errorf("the old set does not come back: %v", err)
	}
}

func TestNoUnknownFactExcludes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t, 4)
		s := drawSituation(t, set)
		d := Evaluate(set, s)
		// Whoever is not open with what is known stays so whatever the unknown turns out to be.
		s.Facts, s.Changes = completed(t, s.Facts, idsOf(set)), nil
		full := Evaluate(set, s)
		for i, door := range d.Eligibilities {
			if door.Eligibility == schemas.NotEligible && full.Eligibilities[i].Eligibility != schemas.NotEligible &&
				!heldIn(full, door.Service) {
				t.Fatalf("%s said no before it could know: %+v, then %+v", door.Service, door, full.Eligibilities[i])
			}
		}
	})
}

func heldIn(d Decision, service string) bool {
	return slices.ContainsFunc(d.Satisfied, func(h Satisfied) bool { return h.Service == service })
}

// completed gives every absent fact some value.
func completed(t *rapid.T, facts schemas.Facts, services []string) schemas.Facts {
	there := knownFacts(facts, today)
	for _, fact := range DeclaredFacts {
		if _, ok := there[fact.Name]; !ok && fact.Name != "waitingOn" && fact.Name != "openTo" {
			setFact(&facts, fact.Name, drawValue(t, fact, services), today)
		}
	}
	return facts
}

func TestNothingClosesADoorOnceItIsOpen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t, 4)
		s := drawSituation(t, set)
		prior := Evaluate(set, s)
		for range 3 {
			if rapid.Bool().Draw(t, "the criteria change") {
				set = drawSet(t, 4)
			}
			next := drawSituation(t, set) // other facts, other changes
			next.Answers = append(slices.Clone(s.Answers), next.Answers...)
			next.Today = rapid.SampledFrom([]string{today, tomorrow, "2027-05-01"}).Draw(t, "today")
			next.Prior = &prior
			d := Evaluate(set, next)
			for _, was := range prior.Eligibilities {
				i := slices.IndexFunc(d.Eligibilities,
					func(now schemas.ServiceEligibility) bool { return now.Service == was.Service })
				if was.Eligibility == schemas.Eligible &&
					(i < 0 || d.Eligibilities[i].Eligibility != schemas.Eligible) {
					t.Fatalf("%s was open and is not", was.Service)
				}
			}
			prior, s = d, next
		}
	})
}

func TestEveryExclusionNamesItsCriterionWordsSourceAndDate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t, 4)
		s := drawSituation(t, set)
		s.Answers = append(s.Answers, Answer{Service: rapid.SampledFrom(idsOf(set)).Draw(t, "says no"), On: today,
			Said: StateNo})
		for _, door := range Evaluate(set, s).Eligibilities {
			if door.Eligibility == schemas.Eligible {
				continue
			}
			if len(door.Because) == 0 {
				t.Fatalf("%s is %s and does not say why", door.Service, door.Eligibility)
			}
			for _, b := range door.Because {
				if b.Criterion == "" || b.Words == "" || b.Source == "" || b.CheckedOn == "" {
					t.Fatalf("%s: %+v", door.Service, b)
				}
			}
			if door.Eligibility == schemas.EligibleIf && len(door.Missing) == 0 {
				t.Fatalf("%s is open if nobody knows what", door.Service)
			}
		}
	})
}

func TestQuestionsAreOnlyThoseThatCouldChangeTheOutcome(t *testing.T) {
	t.Parallel()
	set := compiledSet(t, lastResort(),
		service("team", Statutory, include("either", `registeredGP || areaGP == "area-north"`),
			include("carers", "carer")),
		service("shut", Statutory, include("adults", "age > 17"), include("women", `gender == "woman"`)))
	d := Evaluate(set, Situation{Facts: schemas.Facts{Age: new(12), RegisteredGP: new(true)}, Today: today})
	if len(d.Questions) != 1 || d.Questions[0].Fact != "carer" || d.Questions[0].Alone != 1 {
		t.Errorf("only carer could change anything: %+v", d.Questions)
	}
}

// What criteria share is worked out once for all of them, which must not show: a service's rows and its door are the
// same among others as alone.
func TestAServiceIsDecidedAmongOthersAsItIsAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		set := drawSet(r, 5)
		s := Situation{Facts: drawFacts(r, idsOf(set)), Today: today, Window: window}
		s.Changes = []FactChange{{On: "2026-11-29", Facts: drawFacts(r, idsOf(set))}}
		together := Evaluate(set, s)
		for i, service := range set.services {
			alone := &Directory{services: []*compiled{service}, byID: set.byID, expressions: set.expressions}
			by := Evaluate(alone, s)
			if rows := together.rows(service.doc.Service.ID); !slices.EqualFunc(rows, by.Matrix,
				func(a, b Row) bool { return reflect.DeepEqual(a, b) }) {
				r.Fatalf("rows among others %+v, alone %+v", rows, by.Matrix)
			}
			if !reflect.DeepEqual(together.Eligibilities[i], by.Eligibilities[0]) {
				r.Fatalf("door among others %+v, alone %+v", together.Eligibilities[i], by.Eligibilities[0])
			}
		}
	})
}

func TestWhatCriteriaShareIsCompiledAndEvaluatedOnce(t *testing.T) {
	t.Parallel()
	set := large(t, 60)
	sources := map[string]bool{}
	for _, service := range set.services {
		for _, c := range service.clauses {
			sources[c.expr.source] = true
			if set.expressions[c.expr.number] != c.expr {
				t.Fatalf("%s of %s has an expression of its own", c.ID, service.doc.Service.ID)
			}
		}
	}
	if len(set.expressions) != len(sources) || len(sources) > set.criteria/3 {
		t.Errorf("%d expressions for %d sources of %d criteria", len(set.expressions), len(sources), set.criteria)
	}
	on := newActivation(knownFacts(northerner(), today), len(set.expressions))
	shared := set.services[1].clauses[0].expr
	first := shared.result(on)
	on.results[shared.number].holds = !first.holds // whoever asks again is given what is remembered
	if again := shared.result(on); again.holds == first.holds {
		t.Error("the program was run a second time on the same facts")
	}
}

func TestTheProgramAndTheSearchableTreeAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		source := drawExpression(t, 2)
		e, why := compileExpression(source)
		if why != "" {
			t.Fatalf("%s: %s", source, why)
		}
		facts := knownFacts(drawFacts(t, twoServices()), today)
		holds, decided, _ := e.evaluate(newActivation(facts, 0))
		got := unknown
		if decided {
			got = truth(holds)
		}
		want := e.tree.kleene(func(a *atom) threeValued {
			if value, ok := facts[a.fact]; ok {
				return truth(a.holds(value))
			}
			return unknown
		})
		if got != want {
			t.Fatalf("%s on %v: the program says %d, the tree %d", source, facts, got, want)
		}
	})
}

func twoServices() []string { return []string{"service-0", "service-1"} }

func TestEveryDeclaredFactIsAFactOfTheSchemasAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	var facts schemas.Facts
	for _, fact := range DeclaredFacts {
		setFact(&facts, fact.Name, map[string]any{factNumber: 1, factText: "x", factYesNo: true,
			factList: []string{"x"}}[fact.Type], today)
	}
	there := asJSONObject(t, facts)
	const foreseen = 1 // ageRisesOn, which no criterion may name
	for name := range there {
		if factNamed(name).Name == "" {
			t.Errorf("%s is not declared", name)
		}
	}
	if len(there) != len(DeclaredFacts) || countFields(schemas.Facts{}) != len(DeclaredFacts)+foreseen ||
		len(knownFacts(facts, today)) != len(DeclaredFacts) {
		t.Errorf("%d facts in JSON, %d in the type, %d declared, %d read", len(there), countFields(schemas.Facts{}),
			len(DeclaredFacts), len(knownFacts(facts, today)))
	}
}

func TestTheTableShowsDoorsReasonsAndTheGap(t *testing.T) {
	t.Parallel()
	d := Evaluate(example(t), Situation{Facts: northerner(), Today: today,
		Answers: []Answer{{Service: "talking-therapies", On: today, Said: StateNo, Words: "Too recent.",
			Side: SideAbove}}})
	table := d.Table()
	for _, want := range []string{"A&E Follow-up by Peers (example)", "not currently open", "“Too recent.”",
		"Ask the duty worker at the community team", "Probably no statutory service", "If nobody else can: Navigator"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table does not say %q:\n%s", want, table)
		}
	}
}

func TestRecencyIsADatedFactThatOpensADoorWithTime(t *testing.T) {
	t.Parallel()
	set := compiledSet(t, lastResort(), service("later", Statutory, include("four-weeks", "lastSelfHarm > 28")),
		service("soon", Statutory, include("two-weeks", "lastSelfHarm <= 14")))
	left := AddDays(today, -20)
	s := Situation{Facts: schemas.Facts{LastSelfHarm: &left}, Today: today, Window: window}
	d := Evaluate(set, s)
	if got := eligibility(t, d, "later").Eligibility; got != schemas.NotEligible {
		t.Errorf("20 days after: %s", got)
	}
	opens := AddDays(left, 29)
	if !slices.Equal(d.Near, []Near{{"later", opens}}) || NextChange(set, s, d) != opens {
		t.Errorf("near %v, looked at anew on %s, want %s", d.Near, NextChange(set, s, d), opens)
	}
	s.Today, s.Prior = opens, &d
	if got := eligibility(t, Evaluate(set, s), "later").Eligibility; got != schemas.Eligible {
		t.Errorf("on day 29: %s", got)
	}
	unknown := Evaluate(set, Situation{Today: today, Window: window})
	if got := eligibility(t, unknown, "later"); got.Eligibility != schemas.EligibleIf || len(unknown.Questions) != 0 {
		t.Errorf("nobody may be asked, and nobody is excluded: %+v, %v", got, unknown.Questions)
	}
}

func TestCapacityIsWhatTheServiceStatesByACode(t *testing.T) {
	t.Parallel()
	stating := func(code string, asOf Day) *Directory {
		doc := service("team", Statutory, include("room", `capacity in ["capacity", "waitlist"]`))
		if asOf != "" {
			doc.Capacity = &Claim{Says: "In our words.", Code: code, AsOf: asOf}
		}
		return compiledSet(t, lastResort(), doc)
	}
	for name, c := range map[string]struct {
		set  *Directory
		want schemas.Eligibility
	}{
		"it has room":       {stating("capacity", today), schemas.Eligible},
		"it has a list":     {stating("waitlist", today), schemas.Eligible},
		"it has none":       {stating("no-capacity", today), schemas.NotEligible},
		"it states no code": {stating("", today), schemas.TalkAbout},
		"it claims nothing": {stating("", ""), schemas.TalkAbout},
		"it was long ago":   {stating("no-capacity", "2026-01-02"), schemas.TalkAbout},
	} {
		d := Evaluate(c.set, Situation{Today: today, Window: window})
		if got := eligibility(t, d, "team"); got.Eligibility != c.want || len(got.Missing) != 0 ||
			len(d.Questions) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
		regions := FindGaps(c.set, today, GapBudget).Regions
		if everybody := len(regions) == 1 &&
			regions[0].Words == "everybody"; everybody != (c.want != schemas.Eligible) || everybody &&
			regions[0].Talk != (c.want == schemas.TalkAbout) {
			t.Errorf("%s: the gap finder says %+v", name, regions)
		}
	}
	if _, why := compileExpression(`capacity == "capacity" || age > 17`); !strings.Contains(why,
		"criterion of its own") {
		t.Errorf("mixed with a person's facts: %q", why)
	}
	if _, why := compileExpression(`capacity == "some"`); !strings.Contains(why, "never") {
		t.Errorf("a code that is none: %q", why)
	}
	doc := service("team", Statutory)
	doc.Wait = &Claim{Says: "Long.", Code: "waitlist", AsOf: today}
	if _, err := Compile(lastResort(), doc); err == nil {
		t.Error("a wait has a code of capacity")
	}
}
