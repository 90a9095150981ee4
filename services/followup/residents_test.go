package followup

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"footbridge/schemas"
)

func aTable(t testing.TB, lines ...string) *Residents {
	t.Helper()
	r, err := ReadResidents(strings.NewReader("# source: made up\narea,attribute,value,residents\n" +
		strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestATableOfResidentsThatMustNotLoadSaysWhy: without a source, a header, everybody, or with what cannot be.
func TestATableOfResidentsThatMustNotLoadSaysWhy(t *testing.T) {
	t.Parallel()
	const source, header, all = "# source: made up\n", "area,attribute,value,residents\n", "north,all,,100\n"
	for text, want := range map[string]string{
		"":                                    "source",
		header + all:                          "source",
		"# source:\n" + header + all:          "source",
		source + all:                          "header",
		source + header:                       "no area",
		source + header + "north,age,65+,5\n": "more people",
		source + header + all + "north,age,65+,101\n":  "more people",
		source + header + all + "north,age,60-65,5\n":  "line 4",
		source + header + all + "north,risk,high,5\n":  "line 4",
		source + header + all + "north,age,65+,many\n": "line 4",
		source + header + all + all:                    "twice",
		source + header + "ab1 2cd,all,,5\n":           "area",
		source + header + all + "north,age,65+\n":      "line 4",
	} {
		if _, err := ReadResidents(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if r, err := ExampleResidents(); err != nil || r.Source == "" {
		t.Errorf("the example: %v", err)
	}
}

// TestWhatIsShownLeavesTheRarestOut until it fits ten residents; without a table nothing that they could be counted by
// is shown.
func TestWhatIsShownLeavesTheRarestOut(t *testing.T) {
	t.Parallel()
	table := aTable(t, "north,all,,10000", "north,age,25-64,5000", "north,language,cy,40", "north,access,step-free,500",
		"north,access,bsl,3", "north,interpreter,yes,60",
		"isle,all,,9", "isle,age,25-64,9")
	whole := aboutShown{AgeBand: "25-64", Area: "north", Channels: []string{"phone"}, WorkerGender: "woman",
		Hours: []string{"weekday-evening"}}
	with := func(change func(a *aboutShown)) aboutShown {
		a := whole
		change(&a)
		return a
	}
	show := func(a *aboutShown) string {
		return fmt.Sprintf("%s %s %s %v%v %s %v", a.AgeBand, a.Area, a.Language, a.Access, a.Interpreter, a.Group,
			a.Withheld)
	}
	for name, tc := range map[string]struct {
		about aboutShown
		table *Residents
		want  string
	}{
		"many": {whole, table, "25-64 north  []false  false"},
		"a rare language": {with(func(a *aboutShown) { a.Language = "cy" }), table,
			"25-64 north cy []false  false"},
		"and an access need": {with(func(a *aboutShown) {
			a.Language = "cy"
			a.Access = []string{
				"step-free"}
		}), table, "25-64 north  [step-free]false  true"},
		"a need of three": {with(func(a *aboutShown) { a.Access = []string{"step-free", "bsl"} }), table,
			"25-64 north  [step-free]false  true"},
		"a language nobody counted": {with(func(a *aboutShown) { a.Language = "so" }), table,
			"25-64 north  []false  true"},
		"a group nobody counted": {with(func(a *aboutShown) { a.Group = "lgbtq" }), table,
			"25-64 north  []false  true"},
		"an area nobody counted": {with(func(a *aboutShown) { a.Area = "west" }), table, "25-64   []false  true"},
		"an area of nine":        {with(func(a *aboutShown) { a.Area = "isle" }), table, "25-64   []false  true"},
		"an interpreter, and a need": {with(func(a *aboutShown) {
			a.Interpreter = true
			a.Access = []string{
				"step-free"}
		}), table, "25-64 north  [step-free]false  true"},
		"no table": {with(func(a *aboutShown) { a.Language = "en"; a.Access = []string{"bsl"} }), nil,
			"   []false  true"},
		"nothing to hide": {aboutShown{Channels: []string{"phone"}}, nil, "   []false  false"},
	} {
		before := fmt.Sprint(tc.about)
		got := tc.table.few(tc.about)
		if show(got) != tc.want {
			t.Errorf("%s: %s, want %s", name, show(got), tc.want)
		}
		if !slices.Equal(got.Channels, tc.about.Channels) || got.WorkerGender != tc.about.WorkerGender ||
			!slices.Equal(got.Hours, tc.about.Hours) {
			t.Errorf("%s: how they would like to meet is left out: %+v", name, got)
		}
		if fmt.Sprint(tc.about) != before {
			t.Errorf("%s: what is known was changed", name)
		}
	}
}

// TestWhateverIsKnownWhatIsShownFitsTenResidents: of any combination, in any table.
func TestWhateverIsKnownWhatIsShownFitsTenResidents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var lines []string
		for _, area := range []string{"north", "south"} {
			all := rapid.IntRange(0, 2000).Draw(rt, "all")
			lines = append(lines, fmt.Sprintf("%s,all,,%d", area, all))
			for _, what := range []string{"age,25-64", "language,cy", "language,en", "access,bsl", "access,step-free",
				"interpreter,yes", "group,lgbtq"} {
				if rapid.Bool().Draw(rt, what) {
					lines = append(lines, fmt.Sprintf("%s,%s,%d", area, what, rapid.IntRange(0, all).Draw(rt, "some")))
				}
			}
		}
		table := aTable(t, lines...)
		some := func(values ...string) string { return rapid.SampledFrom(append(values, "")).Draw(rt, "value") }
		about := aboutShown{AgeBand: some("25-64", "65+"), Area: some("north", "south", "west"),
			Language: some("cy", "en", "so"), Group: some("lgbtq", "women"),
			Interpreter: rapid.Bool().Draw(rt, "interpreter")}
		for _, need := range []string{"bsl", "step-free"} {
			if rapid.Bool().Draw(rt, need) {
				about.Access = append(about.Access, need)
			}
		}
		got := table.few(about)
		area, traits := got.traits()
		if fits := table.fit(area, traits); (area != "" || len(traits) > 0) && fits < fewest {
			rt.Fatalf("%+v is shown as %+v, which fits %.1f: %v", about, *got, fits, lines)
		}
	})
}

// TestAPartnerIsShownLittleAndStaffAll, by the table of the site.
func TestAPartnerIsShownLittleAndStaffAll(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		table *Residents
		band  any
	}{{nil, nil}, {aTable(t, "E06000027,all,,100000", "E06000027,age,25-64,50000"), "25-64"}} {
		s := newSite(t, true)
		s.residents = tc.table
		journey := s.begins(yes(partnerA, schemas.ConsentGiven),
			event("", 0, schemas.InformationSupplied, schemas.InformationSuppliedData{
				Facts: schemas.Facts{Age: new(30), AreaResidence: new("E06000027"), Group: new("lgbtq"),
					Channels: []string{"phone"}}}))
		offer, partner := s.brought(journey)
		about := s.ask(peer(partner), "GET", "/api/offers/"+offer, "", 200)["about"].(map[string]any)
		if about["ageBand"] != tc.band || about["group"] != nil || about["withheld"] != true ||
			about["channels"] == nil {
			t.Errorf("the partner sees %v", about)
		}
		var cleared string // is what filters look at: no more than is shown
		if err := s.pool.QueryRow(t.Context(), `select payload::text from outbox
			where subject like '%.offer.cleared.%' || $1`, journey).Scan(&cleared); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(cleared, "E06000027") != (tc.table != nil) {
			t.Errorf("it is cleared with %s", cleared)
		}
		items := s.ask(peer(partner), "GET", "/api/offers", "", 200)["items"].([]any)
		if listed := items[0].(map[string]any)["about"].(map[string]any); listed["group"] != nil ||
			listed["ageBand"] != tc.band {
			t.Errorf("its list shows %v", listed)
		}
		staff := s.ask(aNavigator, "GET", "/api/offers/"+offer, "", 200)["about"].(map[string]any)
		if staff["group"] != "lgbtq" || staff["ageBand"] != "25-64" || staff["withheld"] != nil {
			t.Errorf("staff see %v", staff)
		}
	}
}
