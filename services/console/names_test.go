package console

import (
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/httpx"
	"footbridge/schemas"
)

// A number that is there to be quoted to somebody stands as such, in code.
var (
	tags      = regexp.MustCompile(`(?s)<(script|style|code)\b.*?</(script|style|code)>|<[^>]*>`)
	bareUUID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	bareOwner = regexp.MustCompile(`\b(team|navigator|service|partner|person|caller):[a-z0-9]`)
	bareType  = regexp.MustCompile(`care\.footbridge\.`)
	words     = regexp.MustCompile(`[a-zA-Z0-9]+(-[a-zA-Z0-9]+)+|\b[a-z]+[A-Z][A-Za-z]*\b`)
)

// codes are ids and codes that are for programs: of kinds of steps, facts, flags, roles, and of a directory's services.
func codes(t *testing.T) []string {
	t.Helper()
	all := schemas.FactNames()
	for _, k := range schemas.StepKinds() {
		all = append(all, k.Kind)
	}
	for _, role := range []schemas.Role{schemas.SendingTeam, schemas.TreatingStaff, schemas.YoungPeoplesClinician} {
		all = append(all, string(role))
	}
	directory, err := filepath.Glob("../threshold/criteria/directory/*.yaml")
	ok(t, err)
	for _, path := range directory {
		id := strings.TrimSuffix(filepath.Base(path), ".yaml")
		_, id, _ = strings.Cut(id, "-")
		all = append(all, id)
	}
	// one word that people say too is no bare id
	return slices.DeleteFunc(all, func(code string) bool { return !words.MatchString(code) })
}

// bareIDs are what of a page's text is for programs.
func bareIDs(t *testing.T, page string, known []string) (found []string) {
	t.Helper()
	text := tags.ReplaceAllString(page, " ")
	for _, pattern := range []*regexp.Regexp{bareUUID, bareOwner, bareType} {
		found = append(found, pattern.FindAllString(text, -1)...)
	}
	for _, word := range words.FindAllString(text, -1) {
		if slices.Contains(known, word) && !slices.Contains(spokenCodes, word) {
			found = append(found, word)
		}
	}
	return found
}

// spokenCodes are codes that people say as they are.
var spokenCodes = []string{"follow-up", "ring-back"}

// Nothing that is for programs stands in what people read. Spans are what the operator's page of them is about.
func TestNoPageHoldsABareID(t *testing.T) {
	t.Parallel()
	pages, known := start(t).pages(t), codes(t)
	if len(pages) < 20 || len(known) < 40 {
		t.Fatalf("%d pages and %d codes were found", len(pages), len(known))
	}
	delete(pages, "trace")
	for name, page := range pages {
		for _, id := range bareIDs(t, page, known) {
			t.Errorf("%s says %q", name, id)
		}
	}
	for _, kind := range schemas.StepKinds() {
		for _, id := range bareIDs(t, schemas.StepWords(kind.Kind, schemas.StepAbout{IDs: map[string]string{
			"service": "recovery-learning", "journey": firstID, "step": stepID, "offer": offerID, "partner": peersID,
			"call": callID}}), known) {
			t.Errorf("a step of kind %s says %q", kind.Kind, id)
		}
	}
	for _, e := range schemas.Registry() {
		for _, id := range bareIDs(t, e.Sentence, known) {
			t.Errorf("an event of type %s says %q", e.Type, id)
		}
	}
}

// A step is about a service by the name that the directory publishes, wherever it is read; where that cannot be had it
// is 'a service'.
func TestAStepNamesItsServiceAsTheDirectoryDoes(t *testing.T) {
	t.Parallel()
	for says, names := range map[string]string{
		"See to it that Recovery Learning Network answers": "Recovery Learning Network",
		"See to it that a service answers":                 ""} {
		f := start(t)
		f.services.one = &step{ID: stepID, Kind: "service-answers", Owner: "service:recovery-learning",
			Words: schemas.StepWords("service-answers", schemas.StepAbout{}), DueAt: now, Service: "recovery-learning",
			Journey: firstID, Organisation: "RXX"}
		asked := 0
		f.services.mux.HandleFunc("GET /api/services", func(w http.ResponseWriter, r *http.Request) {
			asked++
			if names == "" {
				httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusServiceUnavailable, "not now"))
				return
			}
			_ = httpx.WriteJSON(w, http.StatusOK, map[string]any{"items": []any{map[string]any{
				"service": map[string]any{"id": "recovery-learning", "name": names}}}})
		})
		known := codes(t)
		for _, path := range []string{"/steps/" + stepID, "/steps/" + stepID} {
			page := f.page(t, path, nurse)
			if !strings.Contains(page, says) || names != "" && strings.Count(page, names) < 2 {
				t.Errorf("%s does not say %q, and who holds it", path, says)
			}
			for _, id := range bareIDs(t, page, known) {
				t.Errorf("%s says %q", path, id)
			}
		}
		if names != "" && asked != 1 {
			t.Errorf("the directory was asked %d times for two pages", asked)
		}
	}
}

// An organisation of which the directory lists a service under its ODS code is called by its name, on every page and in
// what is said of the hospital's own follow-up; and by its code where the directory is not to be had. A directory that
// does not answer is not asked again for each page.
func TestAnOrganisationIsCalledByItsNameWhereTheDirectoryKnowsOne(t *testing.T) {
	t.Parallel()
	for _, answers := range []bool{true, false} {
		f, asked := start(t), 0
		f.services.mux.HandleFunc("GET /api/services", func(w http.ResponseWriter, r *http.Request) {
			if asked++; !answers {
				httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusServiceUnavailable, "not now"))
				return
			}
			_ = httpx.WriteJSON(w, http.StatusOK, map[string]any{"items": []any{map[string]any{
				"service": map[string]any{"id": "crisis-team", "name": "Crisis team",
					"organization": map[string]any{"id": "RXX", "name": "Samplewood Hospital"}}}}})
		})
		called := map[bool]string{true: "Samplewood Hospital", false: "RXX"}[answers]
		for _, path := range []string{"/journeys", "/journeys/" + firstID, "/steps", "/steps/" + stepID} {
			text := tags.ReplaceAllString(f.page(t, path, nurse), " ")
			if !strings.Contains(text, called) || answers && strings.Contains(text, "RXX") {
				t.Errorf("%s does not call it %q alone", path, called)
			}
		}
		if page := f.page(t, "/journeys/"+firstID, nurse); !strings.Contains(page, "the team at "+called) {
			t.Errorf("it is separate from another than %q", called)
		}
		if asked != 1 {
			t.Errorf("the directory was asked %d times for five pages", asked)
		}
	}
}
