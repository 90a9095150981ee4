package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
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
	scripts(t, ctx, false)
}

// scripts lets the scripts of pages run, or not.
func scripts(t *testing.T, ctx context.Context, run bool) {
	t.Helper()
	_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: !run})
	ok(t, err)
}

// check looks at a page that is shown, once its styles are there: after a press nothing else waits for them.
func check(t *testing.T, ctx context.Context, width int64, name string) {
	t.Helper()
	loaded := `new Promise(done => document.readyState === "complete" ? done(true) : addEventListener("load", () => done(true)))`
	read(t, ctx, chromedp.Evaluate[bool](loaded, chromedp.EvalAwaitPromise))
	picture(t, ctx, name)
	checkWhole(t, ctx, width)
}

// counted is what somebody does to get something done.
type counted struct{ presses, keys, pages int }

// counter counts the presses and keystrokes that a test makes, and the pages that are loaded for them.
type counter struct {
	t   *testing.T
	ctx context.Context
	counted
}

// presses presses something that leads to another page, and waits for what is on it.
func (c *counter) presses(what, until string) {
	c.t.Helper()
	c.counted.presses++
	c.pages++
	do(c.t, c.ctx, press(what), visible(until))
}

// chooses presses something that stays on the page.
func (c *counter) chooses(what string) {
	c.t.Helper()
	c.counted.presses++
	do(c.t, c.ctx, press(what))
}

// writes goes to a field and writes into it.
func (c *counter) writes(field, text string) {
	c.t.Helper()
	c.counted.presses++
	c.keys += len(text)
	do(c.t, c.ctx, press(field), chromedp.SendKeys(field, text))
}

// within fails where it took more than it may.
func (c *counter) within(what string, most counted) {
	c.t.Helper()
	if c.counted.presses > most.presses || c.keys > most.keys || c.pages > most.pages {
		c.t.Errorf("%s took %+v, and may take %+v", what, c.counted, most)
	}
}

// TestANursesRequestTakesFewPresses: six answers, one thing a page, are a request in 12 interactions, 60 keystrokes and
// 8 pages, with scripts and without; an error on the way costs one page more, and what was entered stays.
func TestANursesRequestTakesFewPresses(t *testing.T) {
	t.Parallel()
	browser, at := start(t), newSite(t, nil)
	for _, c := range []struct {
		width   int64
		scripts bool
		wrong   bool
	}{{1280, true, false}, {phone390, false, false}, {phone390, true, true}} {
		ctx := open(t, browser, c.width)
		if !c.scripts {
			withoutScripts(t, ctx)
		}
		signIn(t, ctx, at, "liaison")
		do(t, ctx, visit(at.URL+"/refer"), visible(`#local`))
		n, before := &counter{t: t, ctx: ctx, counted: counted{pages: 1}}, len(at.posted())
		look := func(name string) {
			if c.scripts {
				check(t, ctx, c.width, fmt.Sprintf("refer-%s-%d", name, c.width))
			}
		}
		look("who")
		n.writes(`#local`, "L000451")
		n.presses(`#send`, `#channel-1`)
		look("contact")
		n.chooses(`#channel-1`)
		if c.wrong {
			do(t, ctx, press(`#send`), visible(`.nhsuk-error-summary`))
			look("contact-unfinished")
			if got := read(t, ctx, chromedp.Text(`.nhsuk-error-summary__title`)); got != "There is a problem" {
				t.Errorf("the summary is headed %q", got)
			}
			if !read(t, ctx, chromedp.Evaluate[bool](`document.querySelector("#channel-1").checked`)) {
				t.Error("what was chosen is lost")
			}
			n.pages, n.counted.presses = n.pages+1, n.counted.presses+1
		}
		n.writes(`#place`, "07700 900099")
		n.chooses(`#confirmed-1`)
		n.presses(`#send`, `[name="said"]`)
		look("wish")
		n.presses(`[name="said"][value="yes spoken"]`, `[name="assessment"]`)
		look("assessment")
		n.presses(`[name="assessment"][value="done"]`, `[name="under18"]`)
		n.presses(`[name="under18"][value="no"]`, `#told-1`)
		look("told")
		n.chooses(`#told-1`)
		n.presses(`#send`, `.nhsuk-summary-list`)
		look("check")
		n.presses(`#send`, `.nhsuk-panel`)
		look("referred")
		most := counted{12, 60, 8}
		if c.wrong {
			most = counted{13, 60, 9}
		}
		n.within("a request", most)
		sent := at.posted()[before:]
		if len(sent) != 1 || sent[0].Who.Subject != "dev-liaison" ||
			!strings.Contains(sent[0].Body, `"localId":"L000451"`) ||
			!strings.Contains(sent[0].Body, `"given":true`) {
			t.Errorf("sent %+v", sent)
		}
		if url := read(t, ctx, chromedp.Location()); url != at.URL+"/refer" {
			t.Errorf("the address says %q", url)
		}
	}
}

// TestAYesAfterACallTakesFewPresses: from the work list, recording what somebody said takes 5 interactions, with what
// leaves the hospital looked at once more.
func TestAYesAfterACallTakesFewPresses(t *testing.T) {
	t.Parallel()
	at, ctx := newSite(t, nil), open(t, start(t), phone390)
	signIn(t, ctx, at, "liaison")
	n := &counter{t: t, ctx: ctx}
	n.presses(`a[href="/steps/`+stepID+`"]`, `input[name="a1.how"]`)
	n.chooses(`input[name="a1.answers.0.state"][value="given"]`)
	n.chooses(`input[name="a1.how"][value="spoken"]`)
	n.presses(`#a1 button`, `button[name="checked"]`)
	check(t, ctx, phone390, "step-check")
	n.presses(`button[name="checked"]`, `.nhsuk-notification-banner--success`)
	n.within("a yes", counted{5, 0, 3})
	if who := at.whoDid(stepID); who.Subject != "dev-liaison" {
		t.Errorf("it was done by %v", who)
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
	do(t, ctx, visit(at.URL+"/get-support"), visible(`#given`))
	typed(t, ctx, "given", "Rowan")
	typed(t, ctx, "under18-1", kb.ArrowDown)
	typed(t, ctx, "channel-1", kb.ArrowDown)
	typed(t, ctx, "place", "07700 900777")
	typed(t, ctx, "send", kb.Enter)
	do(t, ctx, visible(`.nhsuk-panel`))
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
	do(t, ctx, visit(at.URL+"/get-support"), visible(`#given`), press(`#send`),
		visible(`.nhsuk-error-summary`))
	do(t, ctx, chromedp.SendKeys(`#given`, "Rowan"), press(`#under18-2`), press(`#channel-1`),
		chromedp.SendKeys(`#place`, "07700 900777"),
		press(`#send`), visible(`.nhsuk-panel`))
	if sent := at.posted(); len(sent) != 1 {
		t.Fatalf("sent %+v", sent)
	}
	scripted := open(t, browser, phone)
	do(t, scripted, visit(at.URL+"/sign-in"), visible(`h1`),
		visit(at.URL+"/get-support"), visible(`#given`))
	read(t, scripted, chromedp.Evaluate[any](
		`window.scrollTo(0, document.body.scrollHeight); document.querySelector("[data-leave]").href = "/no/such/page"; true`))
	if top := read(t, scripted, chromedp.Evaluate[float64](
		`document.querySelector("[data-leave]").getBoundingClientRect().top`)); top < 0 || top > 100 {
		t.Errorf("at the end of the page the way out is at %v", top)
	}
	picture(t, scripted, "own at its end on a phone")
	pages := chromedp.Evaluate[int](`history.length`)
	before := read(t, scripted, pages)
	do(t, scripted, press(`[data-leave]`), absent(`[data-leave]`), visible(`h1`))
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
	do(t, plain, visit(at.URL+"/messages"), visible(`.fb-list`),
		press(`a[href="/messages/`+heldID+`"]`), visible(`#why`),
		chromedp.SendKeys(`#why`, "to find the visit"), press(`form[action$="/who"] button`),
		absent(`#why`))
	if page := read(t, plain, chromedp.Text("main")); !strings.Contains(page, "Rowan Examplewood") {
		t.Errorf("for a reason the page says %q", page)
	}
	do(t, plain, press(`form[action$="/release"] button`), visible(`.nhsuk-notification-banner--success`))
	if sent := at.posted(); len(sent) != 1 || sent[0].Who.Subject != "dev-navigator" {
		t.Errorf("sent %+v", sent)
	}
	other := newSite(t, nil)
	ctx := open(t, browser, phone)
	signIn(t, ctx, other, "navigator")
	do(t, ctx, visit(other.URL+"/messages/"+heldID), visible(`#why`))
	check(t, ctx, phone, "message on a phone")
	focused := chromedp.Evaluate[string](
		`document.activeElement.closest('form[action$="/release"]') ? document.activeElement.tagName : ""`)
	for range 60 {
		do(t, ctx, chromedp.KeyEvent(kb.Tab))
		if read(t, ctx, focused) == "BUTTON" {
			break
		}
	}
	do(t, ctx, chromedp.KeyEvent(kb.Enter), visible(`.nhsuk-notification-banner--success`))
	check(t, ctx, phone, "message released on a phone")
}
