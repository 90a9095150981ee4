package browser

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"footbridge/schemas"
)

// phone is the width of a small phone.
const phone = 375

func axeScript(t *testing.T) string {
	t.Helper()
	axe, err := os.ReadFile("../../tools/frontend/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatal("axe-core is missing: run tests/browser/ensure.sh")
	}
	return string(axe)
}

func withoutScripts(t *testing.T, ctx context.Context) {
	t.Helper()
	_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true})
	ok(t, err)
}

// check looks at a page that is shown, once its styles are there: after a press nothing else waits for them.
func check(t *testing.T, ctx context.Context, width int64, name string) {
	t.Helper()
	loaded := `new Promise(done => document.readyState === "complete" ? done(true) : addEventListener("load", () => done(true)))`
	read(t, ctx, chromedp.Evaluate[bool](loaded, chromedp.EvalAwaitPromise))
	picture(t, ctx, name)
	checkFit(t, ctx, width)
	checkTargets(t, ctx)
	checkAxe(t, ctx, axeScript(t))
}

func TestAnUnfinishedFormLeadsToWhatIsMissingAndIsThenSentOnce(t *testing.T) {
	t.Parallel()
	browser, at := start(t), newSite(t, nil)
	for _, width := range []int64{1280, phone} {
		ctx := open(t, browser, width)
		signIn(t, ctx, at, "liaison")
		do(t, ctx, chromedp.Navigate(at.URL+"/refer"), chromedp.WaitVisible(`#local`),
			chromedp.SetValue(`#given`, "Rowan"), press(`#send`),
			chromedp.WaitVisible(`.nhsuk-error-summary`))
		check(t, ctx, width, "refer-unfinished at "+map[int64]string{1280: "1280", phone: "phone"}[width])
		if got := read(t, ctx, chromedp.Evaluate[string](`document.activeElement.className`)); !strings.Contains(got,
			"nhsuk-error-summary") {
			t.Errorf("after an error the focus is on %q", got)
		}
		do(t, ctx, press(`.nhsuk-error-summary a[href="#channel-1"]`))
		if got := read(t, ctx, chromedp.Evaluate[string](`document.activeElement.id`)); got != "channel-1" {
			t.Errorf("the link of the summary leads to %q", got)
		}
		if got := read(t, ctx, chromedp.Evaluate[string](`document.querySelector("#given").value`)); got != "Rowan" {
			t.Errorf("what was entered is now %q", got)
		}
		for _, answer := range []string{"#channel-1", "#follow-up-1", "#bridging-3", "#how-1", "#assessment-1",
			"#under18-2", "#told-1"} {
			do(t, ctx, press(answer))
		}
		before := len(at.posted())
		do(t, ctx, chromedp.SetValue(`#place`, "07700 900099"), press(`#send`), chromedp.WaitVisible(`.nhsuk-panel`))
		check(t, ctx, width, "referred at "+map[int64]string{1280: "1280", phone: "phone"}[width])
		do(t, ctx, chromedp.Reload(), chromedp.WaitVisible(`.nhsuk-panel`))
		sent := at.posted()[before:]
		if len(sent) == 0 || slices.ContainsFunc(sent, func(p post) bool {
			return p.Key != sent[0].Key || p.Body != sent[0].Body
		}) || sent[0].Who.Subject != "dev-liaison" {
			t.Errorf("sent %+v", sent)
		}
		if url := read(t, ctx, chromedp.Location()); url != at.URL+"/refer" {
			t.Errorf("the address says %q", url)
		}
	}
}

// typed presses Tab until the element is in focus, and then the keys.
func typed(t *testing.T, ctx context.Context, id, keys string) {
	t.Helper()
	for range 80 {
		if read(t, ctx, chromedp.Evaluate[string](`document.activeElement.id`)) == id {
			do(t, ctx, chromedp.KeyEvent(keys))
			return
		}
		do(t, ctx, chromedp.KeyEvent(kb.Tab))
	}
	t.Fatalf("%s cannot be reached by keyboard", id)
}

func TestSomebodyAsksForThemselvesWithTheKeyboardAlone(t *testing.T) {
	t.Parallel()
	at, ctx := newSite(t, nil), open(t, start(t), phone)
	do(t, ctx, chromedp.Navigate(at.URL+"/get-support"), chromedp.WaitVisible(`#given`))
	typed(t, ctx, "given", "Rowan")
	typed(t, ctx, "under18-1", kb.ArrowDown)
	typed(t, ctx, "channel-1", kb.ArrowDown)
	typed(t, ctx, "place", "07700 900777")
	typed(t, ctx, "send", kb.Enter)
	do(t, ctx, chromedp.WaitVisible(`.nhsuk-panel`))
	check(t, ctx, phone, "own-received on a phone")
	sent := at.posted()
	if len(sent) != 1 || sent[0].Who.Role != string(schemas.Guest) {
		t.Fatalf("sent %+v", sent)
	}
	var body struct {
		Under18     string
		SafeContact struct{ Channel, Value string }
	}
	ok(t, json.Unmarshal([]byte(sent[0].Body), &body))
	if body.Under18 != "no" || body.SafeContact.Channel != "text" || body.SafeContact.Value != "07700 900777" {
		t.Errorf("sent %+v", body)
	}
}

func TestSomebodyAsksForThemselvesWithoutScriptsAndCanLeaveAtOnePress(t *testing.T) {
	t.Parallel()
	browser, at := start(t), newSite(t, nil)
	ctx := open(t, browser, phone)
	withoutScripts(t, ctx)
	do(t, ctx, chromedp.Navigate(at.URL+"/get-support"), chromedp.WaitVisible(`#given`), press(`#send`),
		chromedp.WaitVisible(`.nhsuk-error-summary`))
	do(t, ctx, chromedp.SendKeys(`#given`, "Rowan"), press(`#under18-2`), press(`#channel-1`),
		chromedp.SendKeys(`#place`, "07700 900777"),
		press(`#send`), chromedp.WaitVisible(`.nhsuk-panel`))
	if sent := at.posted(); len(sent) != 1 {
		t.Fatalf("sent %+v", sent)
	}
	scripted := open(t, browser, phone)
	do(t, scripted, chromedp.Navigate(at.URL+"/sign-in"), chromedp.WaitVisible(`h1`),
		chromedp.Navigate(at.URL+"/get-support"), chromedp.WaitVisible(`#given`))
	read(t, scripted, chromedp.Evaluate[any](
		`window.scrollTo(0, document.body.scrollHeight); document.querySelector("[data-leave]").href = "/no/such/page"; true`))
	if top := read(t, scripted, chromedp.Evaluate[float64](
		`document.querySelector("[data-leave]").getBoundingClientRect().top`)); top < 0 || top > 100 {
		t.Errorf("at the end of the page the way out is at %v", top)
	}
	picture(t, scripted, "own at its end on a phone")
	pages := chromedp.Evaluate[int](`history.length`)
	before := read(t, scripted, pages)
	do(t, scripted, press(`[data-leave]`), chromedp.WaitNotPresent(`[data-leave]`), chromedp.WaitVisible(`h1`))
	if after := read(t, scripted, pages); after != before {
		t.Errorf("one step back from having left leads to the page that was left: %d pages, %d before", after, before)
	}
}

func TestAMessageSetAsideIsReleasedWithoutScriptsAndByKeyboard(t *testing.T) {
	t.Parallel()
	browser := start(t)
	at := newSite(t, nil)
	plain := open(t, browser, phone)
	withoutScripts(t, plain)
	signIn(t, plain, at, "navigator")
	do(t, plain, chromedp.Navigate(at.URL+"/messages"), chromedp.WaitVisible(`.fb-list`),
		press(`a[href="/messages/`+heldID+`"]`), chromedp.WaitVisible(`#why`),
		chromedp.SendKeys(`#why`, "to find the visit"), press(`form[action$="/who"] button`),
		chromedp.WaitNotPresent(`#why`))
	if page := read(t, plain, chromedp.Text("main")); !strings.Contains(page, "Rowan Examplewood") {
		t.Errorf("for a reason the page says %q", page)
	}
	do(t, plain, press(`form[action$="/release"] button`), chromedp.WaitVisible(`.nhsuk-notification-banner--success`))
	if sent := at.posted(); len(sent) != 1 || sent[0].Who.Subject != "dev-navigator" {
		t.Errorf("sent %+v", sent)
	}
	other := newSite(t, nil)
	ctx := open(t, browser, phone)
	signIn(t, ctx, other, "navigator")
	do(t, ctx, chromedp.Navigate(other.URL+"/messages/"+heldID), chromedp.WaitVisible(`#why`))
	check(t, ctx, phone, "message on a phone")
	focused := chromedp.Evaluate[string](
		`document.activeElement.closest('form[action$="/release"]') ? document.activeElement.tagName : ""`)
	for range 60 {
		do(t, ctx, chromedp.KeyEvent(kb.Tab))
		if read(t, ctx, focused) == "BUTTON" {
			break
		}
	}
	do(t, ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`.nhsuk-notification-banner--success`))
	check(t, ctx, phone, "message released on a phone")
}
