package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// narrowPhone is the width at which the pages of callers and partners are looked at beside a screen's.
const narrowPhone = 390

// TestPagesOfStepsCallsOffersAndPeopleAreAccessible: each page that somebody comes to, on a screen and on a phone, by
// axe, by its width and by the size of what is pressed. One stand and one browser serve all.
func TestPagesOfStepsCallsOffersAndPeopleAreAccessible(t *testing.T) {
	t.Parallel()
	browser, at := start(t), newSite(t, nil)
	for _, width := range []int64{1280, narrowPhone} {
		see := func(ctx context.Context, name, path string, then ...chromedp.Action[chromedp.Void]) {
			t.Helper()
			do(t, ctx, append([]chromedp.Action[chromedp.Void]{visit(at.URL + path),
				visible(`h1`)}, then...)...)
			check(t, ctx, width, fmt.Sprintf("%s at %d", name, width))
		}
		as := func(who string) context.Context {
			ctx := open(t, browser, width)
			signIn(t, ctx, at, who)
			return ctx
		}
		nurse := as("liaison")
		see(nurse, "steps", "/steps")
		see(nurse, "step of another", "/steps/8c4bba9e-7c82-48a1-8bbd-6fb23f09d449")
		see(nurse, "step unfinished", "/steps/"+stepID, press(`#a1 button`),
			visible(`.nhsuk-error-summary`))
		see(nurse, "who", "/journeys/"+journeyID+"/who")
		see(nurse, "who shown", "/journeys/"+journeyID+"/who",
			chromedp.SendKeys(`#why`, "to agree on a time with them"), press(`#send`),
			visible(`.fb-looks`))
		see(nurse, "help", "/journeys/"+journeyID, press(`.fb-help-now > form button`),
			visible(`.nhsuk-warning-callout`))
		doctor := as("treating")
		see(doctor, "look", "/look")
		see(doctor, "look shown", "/look", chromedp.SendKeys(`#number`, journeyID),
			chromedp.SendKeys(`#why`, "they are on our ward tonight"), press(`#send`),
			absent(`#number`))
		caller := as("caller")
		see(caller, "calls", "/calls")
		see(caller, "call", "/calls/"+callID)
		see(caller, "call ringing", "/calls/"+callID, press(`form button.nhsuk-button`),
			visible(`.fb-script`))
		peer := as("partner-1")
		see(peer, "offers", "/offers")
		see(peer, "offer", "/offers/"+offerID)
		see(peer, "partner", "/partners/"+peersID, press(`#a2 summary`))
		see(as("navigator"), "partners", "/partners")
		see(as("commissioner"), "start", "/")
	}
}

// TestACallerMakesACallWithoutScripts: from the list, over what was left out at first, to what happens next; going back
// shows nobody's number.
func TestACallerMakesACallWithoutScripts(t *testing.T) {
	t.Parallel()
	browser, at := start(t), newSite(t, nil)
	ctx := open(t, browser, phone)
	withoutScripts(t, ctx)
	signIn(t, ctx, at, "caller")
	do(t, ctx, press(`a[href="/calls/`+callID+`"]`), visible(`#call`),
		press(`input[value="ring"] + button`), visible(`.fb-script`))
	if page := read(t, ctx, chromedp.Text("main")); !strings.Contains(page, "07700 900123") {
		t.Errorf("to whoever rings the page says %q", page)
	}
	do(t, ctx, press(`#a1 button`), visible(`.nhsuk-error-summary`))
	if page := read(t, ctx, chromedp.Text("main")); !strings.Contains(page, "07700 900123") {
		t.Errorf("where something is left out the page says %q", page)
	}
	do(t, ctx, press(`input[name="a1.outcome"][value="reached/same"]`), press(`#a1 button`), visible(`.nhsuk-panel`))
	if page := read(t, ctx, chromedp.Text("main")); strings.Contains(page, "07700") ||
		!strings.Contains(page, "The next call is on") {
		t.Errorf("afterwards the page says %q", page)
	}
	do(t, ctx, visit(at.URL+"/calls/"+callID), visible(`#call`))
	if page := read(t, ctx, chromedp.Text("main")); strings.Contains(page, "07700") {
		t.Errorf("the same address shows %q", page)
	}
	sent := at.posted()
	if last := sent[len(sent)-1]; last.Body != `{"answer":"same","outcome":"reached"}` ||
		last.Who.Subject != "dev-caller" {
		t.Errorf("sent %+v", sent)
	}
}

// TestAPartnerTakesAnOfferOnByKeyboardAlone: and is then shown who the person is.
func TestAPartnerTakesAnOfferOnByKeyboardAlone(t *testing.T) {
	t.Parallel()
	browser, at := start(t), newSite(t, nil)
	ctx := open(t, browser, narrowPhone)
	signIn(t, ctx, at, "partner-1")
	focused := chromedp.Evaluate[string](`(document.activeElement.textContent || "").trim()`)
	to := func(words string) {
		t.Helper()
		for range 60 {
			do(t, ctx, chromedp.KeyEvent(kb.Tab))
			if strings.HasPrefix(read(t, ctx, focused), words) {
				return
			}
		}
		t.Fatalf("the keyboard does not come to %q", words)
	}
	do(t, ctx, visit(at.URL+"/offers"), visible(`.fb-list`))
	to("Answer")
	do(t, ctx, chromedp.KeyEvent(kb.Enter), visible(`#next`))
	to("Say yes: take them on")
	do(t, ctx, chromedp.KeyEvent(kb.Enter), visible(`.nhsuk-notification-banner--success`))
	to("Show who the person is")
	do(t, ctx, chromedp.KeyEvent(kb.Enter), visible(`#who + .fb-facts`))
	check(t, ctx, narrowPhone, "offer taken on")
	if page := read(t, ctx, chromedp.Text("main")); !strings.Contains(page, "Rowan Examplewood") {
		t.Errorf("the page says %q", page)
	}
	if url := read(t, ctx, chromedp.Location()); url != at.URL+"/offers/"+offerID {
		t.Errorf("the address is %q", url)
	}
}

// TestGoingBackAfterAnErrorLeadsToTheForm: the pages that said what was missing, and what would be sent, are not sent
// once more, and ask nothing.
func TestGoingBackAfterAnErrorLeadsToTheForm(t *testing.T) {
	t.Parallel()
	browser, at := start(t), newSite(t, nil)
	ctx := open(t, browser, phone)
	signIn(t, ctx, at, "liaison")
	do(t, ctx, visit(at.URL+"/steps/"+stepID), visible(`#a1 button`), press(`#a1 button`),
		visible(`.nhsuk-error-summary`),
		press(`input[name="a1.answers.0.state"][value="given"]`), press(`input[name="a1.how"][value="spoken"]`),
		press(`#a1 button`), press(`button[name="checked"]`),
		visible(`.nhsuk-notification-banner--success`))
	sent := len(at.posted())
	do(t, ctx, chromedp.NavigateBack(), visible(`#next`), absent(`.nhsuk-error-summary`))
	if page := read(t, ctx, chromedp.Text("main")); !strings.Contains(page, "This step is over") ||
		len(at.posted()) != sent {
		t.Errorf("going back shows %q, and %d more were sent", page, len(at.posted())-sent)
	}
}
