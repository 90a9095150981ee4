package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestNewStepsAreToldAndShownWhenThatIsPressed: a list that is open says how many there are and moves nothing; without
// scripts it says since when it is not live, and how to look again.
func TestNewStepsAreToldAndShownWhenThatIsPressed(t *testing.T) {
	t.Parallel()
	at, browser := newSite(t, nil), start(t)
	ctx := open(t, browser, phone390)
	signIn(t, ctx, at, "liaison")
	do(t, ctx, visit(at.URL+"/steps?which=mine"), visible(`.fb-news a`))
	if got := read(t, ctx, chromedp.Text(`.fb-news a`)); got != "4 new steps: show" {
		t.Errorf("it is told as %q", got)
	}
	check(t, ctx, phone390, "steps-new")
	do(t, ctx, press(`.fb-news a`), visible(`.fb-list`))
	if url := read(t, ctx, chromedp.Location()); url != at.URL+"/steps?which=mine" {
		t.Errorf("it leads to %q", url)
	}
	plain := open(t, browser, 1280)
	withoutScripts(t, plain)
	signIn(t, plain, at, "liaison")
	do(t, plain, visit(at.URL+"/steps"), visible(`.fb-list`))
	if page := read(t, plain, chromedp.Text("main")); !strings.Contains(page, "As it was at") ||
		strings.Contains(page, "new steps") {
		t.Errorf("without scripts the page says %q", page)
	}
}
