package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"footbridge/schemas"
)

// TestALinkIsAnsweredInTwoPressesWithoutScripts: on a phone, without an account; what was answered is shown, and taken
// back; the address is the mail's all the while, and no press shows who the person is.
func TestALinkIsAnsweredInTwoPressesWithoutScripts(t *testing.T) {
	t.Parallel()
	at, ctx := newSite(t, nil), open(t, start(t), narrowPhone)
	withoutScripts(t, ctx)
	do(t, ctx, visit(at.URL+"/p/"+strings.ToUpper(token)), visible(`h1`))
	if page := read(t, ctx, chromedp.Text("body")); !strings.Contains(page, "This link is not open") {
		t.Error("what this stand does not know is open") // in any case it opens: delivery's own test
	}
	do(t, ctx, visit(at.URL+"/p/"+token), visible(`#next`))
	page := read(t, ctx, chromedp.Text("main"))
	for _, words := range []string{"25-64", "hospital team's own follow-up, which is with", "After this one session"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q: %s", words, page)
		}
	}
	do(t, ctx, press(`a[href="?say=accept"]`), visible(`#next button`))
	if sent := at.posted(); len(sent) > 0 {
		t.Fatalf("the first press sends %+v", sent)
	}
	do(t, ctx, press(`#next button`), visible(`input[value="undo"] ~ button`))
	sent := at.posted()
	if len(sent) != 1 || sent[0].Path != "/api/offers/"+offerID+"/accept" ||
		sent[0].Who.Role != string(schemas.OfferLink) || sent[0].Who.Subject != offerID || sent[0].Key == "" {
		t.Fatalf("the second press sends %+v", sent)
	}
	if url := read(t, ctx, chromedp.Location()); url != at.URL+"/p/"+token+"?said=accept" {
		t.Errorf("the address is %q", url)
	}
	page = read(t, ctx, chromedp.Text("body"))
	if !strings.Contains(page, "You said yes") || strings.Contains(page, "Examplewood") ||
		strings.Contains(page, "Sign out") {
		t.Errorf("what was answered is shown as %s", page)
	}
	do(t, ctx, press(`input[value="undo"] ~ button`), visible(`.nhsuk-panel`))
	do(t, ctx, visit(at.URL+"/p/"+token), absent(`.nhsuk-panel`),
		visible(`h1`))
	if page := read(t, ctx, chromedp.Text("main")); !strings.Contains(page, "You have done nothing wrong") {
		t.Errorf("a link that is spent shows %s", page)
	}
	if sent = at.posted(); len(sent) != 2 || sent[1].Path != "/api/offers/"+offerID+"/undo" {
		t.Errorf("sent %+v", sent)
	}
}

// TestALinksPagesAreAccessibleAndAnsweredByKeyboard: each page of it, on a screen and on a phone, by axe, by its width
// and by the size of what is pressed.
func TestALinksPagesAreAccessibleAndAnsweredByKeyboard(t *testing.T) {
	t.Parallel()
	browser := start(t)
	for _, width := range []int64{1280, narrowPhone} {
		at, ctx := newSite(t, nil), open(t, browser, width)
		see := func(name, path string) {
			t.Helper()
			do(t, ctx, visit(at.URL+path), visible(`h1`))
			check(t, ctx, width, name)
		}
		see("link that opens nothing", "/p/nothing")
		see("link", "/p/"+token)
		for _, say := range []string{"accept", "full", "decline", "may-know", "question"} {
			see("link to "+say, "/p/"+token+"?say="+say)
		}
		do(t, ctx, visit(at.URL+"/p/"+token), visible(`#next`))
		focused := chromedp.Evaluate[string](`(document.activeElement.textContent || "").trim()`)
		to := func(words string) {
			t.Helper()
			for range 40 {
				do(t, ctx, chromedp.KeyEvent(kb.Tab))
				if strings.HasPrefix(read(t, ctx, focused), words) {
					return
				}
			}
			t.Fatalf("the keyboard does not come to %q", words)
		}
		to("Yes, we can meet")
		do(t, ctx, chromedp.KeyEvent(kb.Enter), visible(`#next button`))
		to("Yes, we take them on")
		do(t, ctx, chromedp.KeyEvent(kb.Enter), visible(`input[value="undo"] ~ button`))
		check(t, ctx, width, "link answered")
		to("Take my answer back")
		do(t, ctx, chromedp.KeyEvent(kb.Enter), visible(`.nhsuk-panel`))
		check(t, ctx, width, "link undone")
	}
}
