package console

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/principal"
	"footbridge/schemas"
)

var (
	speaksOfTheSession = regexp.MustCompile(`(?i)follow-up session|[^-\w](a|the|their|one) session\b`)
	// isSeparate says so, and with whom the hospital team's own follow-up is.
	isSeparate = regexp.MustCompile(
		`(?i)separate from the hospital team.s own follow-up, which is with (the team at \w+|[^.<]{5,80})\.`)
	aboutSignIn = regexp.MustCompile(`(?i)(sign[- ]in|signed in|sign in)[^<]*session|session[^<]*(sign|ended)`)
)

// TestEveryPageThatSpeaksOfTheSessionSaysFromWhatItIsSeparate goes through every page: who takes one for the other
// leaves the clinical follow-up out (hazard H-08).
func TestEveryPageThatSpeaksOfTheSessionSaysFromWhatItIsSeparate(t *testing.T) {
	t.Parallel()
	pages := start(t).pages(t)
	var found []string
	for name, page := range pages {
		text := aboutSignIn.ReplaceAllString(strings.ReplaceAll(page, "&#39;", "'"), "")
		// a message of a hospital speaks of none of ours
		if !speaksOfTheSession.MatchString(text) || strings.HasPrefix(name, "message") {
			continue
		}
		found = append(found, name)
		if !isSeparate.MatchString(text) {
			t.Errorf("%s says %q, and not from what it is separate, and with whom that is", name,
				speaksOfTheSession.FindString(text))
		}
	}
	for _, name := range []string{"journey", "journeys", "refer", "refer-unfinished", "referred", "own",
		"own-unfinished", "own-received"} {
		if !slices.Contains(found, name) && !isSeparate.MatchString(strings.ReplaceAll(pages[name], "&#39;", "'")) {
			t.Errorf("%s was not found to speak of the session, and does not say from what it is separate", name)
		}
	}
}

// TestEveryViewOfAPartnerAndOfThePersonSaysFromWhatItIsSeparate goes by the table of routes: a page that is new, and
// open to a partner, to whoever holds a link or to the person, says so as well, whether it speaks of the session or
// not.
func TestEveryViewOfAPartnerAndOfThePersonSaysFromWhatItIsSeparate(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.answerConsent()
	fill := strings.NewReplacer("/offers/{id}", "/offers/"+offerID, "/partners/{id}", "/partners/"+peersID,
		"/calls/{id}", "/calls/"+callID, "/help/{id}", "/help/"+helpID, schemas.LinkPattern, linkPath, "{$}", "")
	shown := map[string]int{}
	for _, route := range Routes() {
		for role, who := range map[schemas.Role]principal.Principal{schemas.Partner: peer, schemas.OfferLink: holder,
			schemas.Person: themselves} {
			// before the code was typed, the page of the person is nobody's, and tells nobody what it is about
			own := route.OwnPage() && role == schemas.Person
			if route.Method != "GET" || notOurs[route.Pattern] != "" || !own && (route.OwnPage() || route.Public ||
				!route.Allows(role)) {
				continue
			}
			w := f.ask(t, "GET", fill.Replace(route.Pattern), nil, who)
			text := strings.ReplaceAll(w.Body.String(), "&#39;", "'")
			switch {
			case w.Code == http.StatusSeeOther: // leads to a page of the table
			case w.Code != http.StatusOK:
				t.Errorf("%s as %q is answered with %d: say in this test what it is asked of", route.Pattern, role,
					w.Code)
			case !isSeparate.MatchString(text):
				t.Errorf("%s does not say to %q from what it is separate", route.Pattern, role)
			default:
				shown[string(role)]++
			}
		}
	}
	if shown[string(schemas.Partner)] < 7 || shown[string(schemas.OfferLink)] == 0 ||
		shown[string(schemas.Person)] < 2 {
		t.Errorf("%v pages were seen", shown)
	}
}

// notOurs are pages open to a partner or the person that are no view of anything of theirs, and why.
var notOurs = map[string]string{"/outbox-mail": "the mailbox of development"}

// TestEveryPageOfStaffThatSpeaksOfTheSessionSaysFromWhatItIsSeparate goes by the table of routes: a page that is new,
// and open to anybody, is looked at in each role that it allows.
func TestEveryPageOfStaffThatSpeaksOfTheSessionSaysFromWhatItIsSeparate(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.answerConsent()
	fill := strings.NewReplacer("/offers/{id}", "/offers/"+offerID, "/partners/{id}", "/partners/"+peersID,
		"/calls/{id}", "/calls/"+callID, "/help/{id}", "/help/"+helpID, "/messages/{id}", "/messages/"+heldID,
		"/steps/{id}", "/steps/"+stepID, "/journeys/{id}", "/journeys/"+firstID, "/organisations/{id}",
		"/organisations/RXX", "{$}", "")
	staff := map[schemas.Role]principal.Principal{}
	for _, choice := range DevChoices() {
		staff[schemas.Role(choice.Principal.Role)] = choice.Principal
	}
	seen := map[string]int{}
	for _, route := range Routes() {
		for _, role := range slices.Sorted(maps.Keys(staff)) {
			if route.Method != "GET" || notOurs[route.Pattern] != "" || route.OwnPage() || route.Streams() ||
				!route.Allows(role) ||
				strings.Contains(fill.Replace(route.Pattern), "{") {
				continue
			}
			w := f.ask(t, "GET", fill.Replace(route.Pattern), nil, staff[role])
			text := aboutSignIn.ReplaceAllString(strings.ReplaceAll(w.Body.String(), "&#39;", "'"), "")
			if w.Code == http.StatusOK {
				seen[route.Pattern]++
			}
			if speaksOfTheSession.MatchString(text) && !isSeparate.MatchString(text) &&
				!strings.HasPrefix(route.Pattern, "/messages") { // a message of a hospital speaks of none of ours
				t.Errorf("%s says %q to %q, and not from what it is separate", route.Pattern,
					speaksOfTheSession.FindString(text), role)
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only these pages were seen: %v", seen)
	}
}

// TestEveryMessageThatSpeaksOfTheSessionSaysFromWhatItIsSeparate goes through the program: whatever function makes a
// mail, a text or a page of paging, found by the subject and the text of what it makes, says so where it speaks of the
// session.
func TestEveryMessageThatSpeaksOfTheSessionSaysFromWhatItIsSeparate(t *testing.T) {
	t.Parallel()
	found := 0
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), "../"+path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			makes, said := messageOf(decl)
			if !makes {
				continue
			}
			found++
			if text := aboutSignIn.ReplaceAllString(said, ""); speaksOfTheSession.MatchString(text) &&
				!strings.Contains(text, "separate from the hospital team") {
				t.Errorf("%s makes a message that says %q, and not from what it is separate", path,
					speaksOfTheSession.FindString(text))
			}
		}
		return nil
	})
	if err != nil || found < 5 {
		t.Errorf("%d functions make messages, %v", found, err)
	}
}

// messageOf says whether a declaration makes something with a subject and a text, and all the words in it.
func messageOf(decl ast.Decl) (makes bool, said string) {
	var words []string
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			keys := map[string]bool{}
			for _, e := range n.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					if key, ok := kv.Key.(*ast.Ident); ok {
						keys[key.Name] = true
					}
				}
			}
			makes = makes || keys["Subject"] && (keys["Text"] || keys["Body"])
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				words = append(words, n.Value)
			}
		}
		return true
	})
	return makes, strings.Join(words, " ")
}
