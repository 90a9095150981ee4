package console

import (
	"regexp"
	"slices"
	"strings"
	"testing"
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
