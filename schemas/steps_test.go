package schemas

import (
	"slices"
	"strings"
	"testing"
)

// everyAbout is all that a journey may know of a step.
func everyAbout() StepAbout {
	all := StepAbout{IDs: map[string]string{}, Facts: []string{"age", "areaGP"}, Flags: []string{FlagNumberInvalid}}
	for _, what := range ids {
		all.IDs[what] = "0193a000-0000-7000-8000-000000000001"
	}
	for _, what := range []string{"other", "partner", "question", "search"} {
		all.IDs[what] = "0193a000-0000-7000-8000-000000000002"
	}
	return all
}

// TestEachKindOfStepSaysWhatEndsIt: by a request of the route table, for roles that may send it and with fields that
// its body has; or by an event; or, of few, by somebody's word of something.
func TestEachKindOfStepSaysWhatEndsIt(t *testing.T) {
	t.Parallel()
	seen, word := map[string]bool{}, 0
	for _, k := range StepKinds() {
		if seen[k.Kind] || seen[k.Words] {
			t.Errorf("%s: another kind has its code or its words", k.Kind)
		}
		seen[k.Kind], seen[k.Words] = true, true
		if len(k.Ends) == 0 && k.Until == "" && k.Done == nil {
			t.Errorf("%s: nothing ends it", k.Kind)
		}
		if (k.Refusal(everyAbout()) == "") != (k.Done != nil) {
			t.Errorf("%s: %q", k.Kind, k.Refusal(everyAbout()))
		}
		if k.Done != nil {
			if word++; len(k.Done.Fields) == 0 {
				t.Errorf("%s: somebody's word ends it who says nothing", k.Kind)
			}
		}
		for _, e := range k.endings() {
			endsAsItSays(t, k, e)
		}
	}
	if word > len(stepKinds)/3 {
		t.Errorf("%d of %d kinds end by somebody's word: they are to be few", word, len(stepKinds))
	}
}

// TestWhateverAsksThePersonCanBeTriedInVain: where what is recorded is what the person says, or is decided with them,
// somebody rings them first. Whoever does not answer is tried again, and who never does can be said not to have been
// reached: without the tries on record their step could be ended by nothing.
func TestWhateverAsksThePersonCanBeTriedInVain(t *testing.T) {
	t.Parallel()
	for _, k := range StepKinds() {
		asks := slices.ContainsFunc(k.Ends, func(e Ending) bool {
			return strings.HasSuffix(e.Route, "/consent") && !slices.Contains(e.By, YoungPeoplesClinician)
		}) || slices.Contains([]string{"another-time", "what-next"}, k.Kind)
		tried := slices.ContainsFunc(k.Actions(Navigator, everyAbout()), func(a Action) bool {
			return strings.HasSuffix(a.Path, "/no-answer")
		})
		if asks && !tried {
			t.Errorf("%s: the person is asked, and that they did not answer cannot be recorded", k.Kind)
		}
	}
}

func endsAsItSays(t *testing.T, k StepKind, e Ending) {
	t.Helper()
	if len(e.By) == 0 || e.Words == "" {
		t.Errorf("%s: %s is by nobody, or has no words", k.Kind, e.Route)
	}
	i := slices.IndexFunc(routes, func(r Route) bool { return r.Method+" "+r.Pattern == e.Route })
	if i < 0 {
		t.Errorf("%s: there is no route %s", k.Kind, e.Route)
		return
	}
	for _, role := range e.By {
		if !routes[i].Allows(role) {
			t.Errorf("%s: %s is not open to %s", k.Kind, e.Route, role)
		}
	}
	action, ok := e.action(everyAbout())
	if !ok || strings.ContainsAny(action.Path, "{}") {
		t.Errorf("%s: %s gives no action: %+v", k.Kind, e.Route, action)
	}
	for _, f := range action.Fields {
		if f.Words == "" && f.Value == "" {
			t.Errorf("%s: nobody is asked for %s of %s", k.Kind, f.Name, e.Route)
		}
	}
}

func TestWordsSayWhatAStepIsAbout(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind  string
		about StepAbout
		want  string
	}{
		{"find-out", StepAbout{Facts: []string{"age", "areaGP"}}, "Ask for their age and GP area"},
		{"check-with-the-hospital", StepAbout{Flags: []string{FlagLate, FlagNumberInvalid, FlagTextDamaged}},
			"Find out what their NHS number is and how their name is spelt"},
		{"service-answers", StepAbout{IDs: map[string]string{"service": "talking"}},
			"See to it that a service answers"},
		{"ring-back", StepAbout{}, "Ring back"},
	} {
		if got := StepWords(tc.kind, tc.about); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.kind, got, tc.want)
		}
	}
	for fact := range factNouns {
		if !slices.Contains(FactNames(), fact) {
			t.Errorf("%s is no fact", fact)
		}
	}
	for _, fact := range FactNames() {
		if factNouns[fact] == "" {
			t.Errorf("%s has no words to ask for it", fact)
		}
	}
}

// TestAFormBecomesTheBodyOfItsRequest: what is filled in goes where its name says, what is known goes along, and what
// nobody filled in is left out with what only goes along with it.
func TestAFormBecomesTheBodyOfItsRequest(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind, route string
		filled      map[string][]string
		want        string
	}{
		{"ask-the-person", "consent", map[string][]string{"answers.0.state": {"given"}, "how": {"spoken"},
			"answers.0.purpose": {"bridging"}},
			`{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken"}`},
		{"ask-about-contact", "contact", map[string][]string{"noSafeChannel": {"true"}, "arrangement": {"a slip"}},
			`{"arrangement":"a slip","noSafeChannel":true}`},
		{"ask-about-contact", "contact", map[string][]string{"channels.0.channel": {"text"},
			"channels.0.value": {"07700 900001"}},
			`{"channels":[{"channel":"text","confirmed":true,"value":"07700 900001"}]}`},
		{"find-out", "facts", map[string][]string{"facts.age": {"34"}, "notSaid": {"areaGP"}, "elsewhere": {"x"}},
			`{"facts":{"age":34},"notSaid":["areaGP"]}`},
		{"what-next", "done", map[string][]string{"next.kind": {"ring-back"}, "next.owner": {"team:liaison"},
			"next.dueAt": {""}}, `{"next":{"kind":"ring-back","owner":"team:liaison"}}`},
	} {
		k, _ := StepKindOf(tc.kind)
		actions := k.Actions(Navigator, everyAbout())
		i := slices.IndexFunc(actions, func(a Action) bool { return strings.HasSuffix(a.Path, tc.route) })
		if i < 0 {
			t.Fatalf("%s: no %s among %+v", tc.kind, tc.route, actions)
		}
		body, err := actions[i].Fill(tc.filled)
		if err != nil || string(body) != tc.want {
			t.Errorf("%s: %s, want %s (%v)", tc.kind, body, tc.want, err)
		}
	}
	k, _ := StepKindOf("find-out")
	if _, err := k.Actions(Navigator, everyAbout())[0].Fill(map[string][]string{"facts.age": {"old"}}); err == nil {
		t.Error("an age in words is taken")
	}
}

// TestABoxThatNobodyTickedIsNo: a change of how a partner is told says so of the digest, and not with a text.
func TestABoxThatNobodyTickedIsNo(t *testing.T) {
	t.Parallel()
	change := NoticeActions(Navigator, "8c4bba9e-7c82-48a1-8bbd-6fb23f09d445", nil)[0]
	for ticked, want := range map[string]string{"": `{"by":"email","digest":false,"to":"desk@charity.example"}`,
		"true": `{"by":"email","digest":true,"to":"desk@charity.example"}`} {
		body, err := change.Fill(map[string][]string{"by": {"email"}, "to": {"desk@charity.example"},
			"digest": {ticked}})
		if err != nil || string(body) != want {
			t.Errorf("ticked %q: %s, %v", ticked, body, err)
		}
	}
}
