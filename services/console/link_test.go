package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// holder is whoever holds the link to the offer, and linkPath what the gateway makes of its address.
var holder = principal.Principal{Organisation: peersID, Role: string(schemas.OfferLink), Subject: offerID}

const linkPath = "/p/-"

// press sends what a button of the link's page says.
func (f *fixture) press(t *testing.T, values ...string) (status int, page, to string) {
	t.Helper()
	form := url.Values{schemas.OpenedAs: {holder.Mark()}, "request": {"k"}}
	for i := 0; i+1 < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	w := f.ask(t, "POST", linkPath, form, holder)
	return w.Code, w.Body.String(), w.Header().Get("Location")
}

// TestALinksPageShowsWhatMayBeKnownAndAsksInTwoPresses: the first is a link, and changes nothing; the second a button.
func TestALinksPageShowsWhatMayBeKnownAndAsksInTwoPresses(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.page(t, linkPath, holder)
	for _, words := range []string{"25-64", "hospital team&#39;s own follow-up, which is with",
		"After this one session", "Yes, we can meet this person", "Too full just now",
		"I may know this person", "Ask something first"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	for _, never := range []string{"Sign out", "/offers/", offerID, "Examplewood", "<form"} {
		if strings.Contains(page, never) {
			t.Errorf("the page holds %q", never)
		}
	}
	firsts := regexp.MustCompile(`href="\?say=([a-z-]+)"`).FindAllStringSubmatch(page, -1)
	if len(firsts) != len(linkSays) {
		t.Fatalf("%d answers lead on, not %d", len(firsts), len(linkSays))
	}
	for _, first := range firsts {
		second := f.page(t, linkPath+"?say="+first[1], holder)
		if !strings.Contains(second, `name="`+schemas.OpenedAs+`"`) || !strings.Contains(second, "<button") ||
			strings.Contains(second, "action=") {
			t.Errorf("%s is not sent by a button of its page", first[1])
		}
	}
	if len(f.services.changes) > 0 {
		t.Errorf("looking has changed something: %v", f.services.changes)
	}
}

func TestEachAnswerByALinkIsTheRequestThatAPartnerSends(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, c := range []struct {
		pressed    []string
		path, body string
	}{
		{[]string{"do", "accept"}, "/accept", `{}`},
		{[]string{"do", "full", "code", "no-place"}, "/decline", `{"code":"no-place"}`},
		{[]string{"do", "decline", "code", "42"}, "/decline", `{"code":"42"}`},
		{[]string{"do", "may-know", "who", "another-worker"}, "/may-know", `{"who":"another-worker"}`},
		{[]string{"do", "question", "about", "access"}, "/question", `{"about":"access"}`},
	} {
		f.services.changes = nil
		status, _, to := f.press(t, c.pressed...)
		want := []change{{"/api/offers/" + offerID + c.path, "k", c.body}}
		if status != http.StatusSeeOther || to != "?said="+c.pressed[1] || !slices.Equal(f.services.changes, want) {
			t.Errorf("%v is answered with %d to %q, sent %+v", c.pressed, status, to, f.services.changes)
		}
	}
	for _, wrong := range [][]string{{}, {"do", "hand-back"}, {"do", "decline"}, {"do", "decline", "code", "no-such"},
		{"do", "accept", schemas.OpenedAs, ""}, {"do", "accept", schemas.OpenedAs, "another"}} {
		f.services.changes = nil
		if status, _, _ := f.press(t, wrong...); status < 400 || len(f.services.changes) > 0 {
			t.Errorf("%v is answered with %d, sent %+v", wrong, status, f.services.changes)
		}
	}
	f.services.refuse = httpx.NewProblem(http.StatusConflict, "Hand it back with POST /api/offers/{id}/hand-back.")
	if status, page, _ := f.press(t, "do", "accept"); status != http.StatusConflict ||
		strings.Contains(page, "/api/") || !strings.Contains(page, "look at it as it is now") {
		t.Errorf("what cannot be done is answered with %d", status)
	}
}

func TestAnAnswerByALinkIsShownAndTakenBack(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.offer = "offer-by-link.json"
	page := f.page(t, linkPath, holder)
	if !strings.Contains(page, "You said yes") || !strings.Contains(page, "Take my answer back") ||
		strings.Contains(page, "?say=") {
		t.Error("what was answered is not said, or can be answered again")
	}
	status, page, _ := f.press(t, "do", "undo")
	if want := (change{"/api/offers/" + offerID + "/undo", "k", `{}`}); status != http.StatusOK ||
		!strings.Contains(page, "taken back") || len(f.services.changes) != 1 || f.services.changes[0] != want {
		t.Errorf("taking it back is answered with %d, sent %v", status, f.services.changes)
	}
}

// TestLinksThatOpenNothingHaveOnePage: with one status, and as late as any other.
func TestLinksThatOpenNothingHaveOnePage(t *testing.T) {
	t.Parallel()
	f := start(t)
	spent := start(t)
	spent.services.offer = "offer-spent.json"
	unknown := principal.Principal{Organisation: firstID, Role: string(schemas.OfferLink), Subject: firstID}
	var pages []string
	for name, ask := range map[string]func(method string) (int, string){
		"unknown": func(method string) (int, string) {
			w := f.ask(t, method, linkPath, url.Values{"do": {"accept"}}, unknown)
			return w.Code, w.Body.String()
		},
		"spent": func(method string) (int, string) {
			w := spent.ask(t, method, linkPath, url.Values{"do": {"accept"}}, holder)
			return w.Code, w.Body.String()
		},
	} {
		for _, method := range []string{"GET", "POST"} {
			begun := time.Now()
			status, page := ask(method)
			if status != http.StatusNotFound || time.Since(begun) < noLinkAfter {
				t.Errorf("%s by %s: %d, after %v", name, method, status, time.Since(begun))
			}
			pages = append(pages, page)
		}
	}
	if len(slices.Compact(pages)) != 1 || !strings.Contains(pages[0], "You have done nothing wrong") {
		t.Error("links that open nothing have several pages, or no kind one")
	}
	if len(f.services.changes)+len(spent.services.changes) > 0 {
		t.Error("a link that opens nothing changes something")
	}
}
