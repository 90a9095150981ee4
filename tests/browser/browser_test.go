// Package browser looks at the console with a real browser: what works without scripts, with the keyboard alone, on a
// narrow screen, and what axe-core finds. It promises that a person who relies on any of these can say that a step is
// done. ensure.sh provides the browser; with FOOTBRIDGE_SCREENSHOTS set to a folder, pictures of the pages are put
// there.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"footbridge/libs/testkit"
)

// browserPath is where the browser is; a test without one fails.
func browserPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("FOOTBRIDGE_BROWSER"), "chromium", "chromium-browser", "google-chrome",
		"google-chrome-stable", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no browser: run tests/browser/ensure.sh, which installs one or says how")
	return ""
}

// start starts a browser, to open pages in.
func start(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browserPath(t)), chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-first-run", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	// the browser lives as long as this context: it has no limit
	ok(t, chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	return ctx
}

// open opens a page of a screen so wide, which knows nothing of the browser's other pages.
func open(t *testing.T, browser context.Context, width int64) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ok(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900))) // so does the page
	return ctx
}

// do does what somebody does, and fails with what the page shows where something never comes. How long a page may take
// is no matter of these tests.
func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	patient, cancel := context.WithTimeout(ctx, testkit.Patience)
	defer cancel()
	for i, step := range steps {
		_, err := chromedp.Run(patient, whole(step))
		if err == nil {
			continue
		}
		shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		t.Fatalf("step %d of %d: %v; the page is %s", i+1, len(steps), err, shown)
	}
}

// press clicks, once the page stands still: styles that arrive move what is to be clicked, and the click goes beside
// it.
func press(sel string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(visible(sel), chromedp.Func(func(ctx context.Context, page *chromedp.Target) error {
		return until(ctx, page, `document.readyState === "complete"`)
	}), chromedp.Click(sel))
}

// whole does something about a page again where it was exchanged for another just then: what had been found on it is
// not there any more, and nothing was done.
func whole[T any](action chromedp.Action[T]) chromedp.Action[T] {
	return func(ctx context.Context, page *chromedp.Target) (T, error) {
		for {
			value, err := action(ctx, page)
			if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "No node with given id") {
				return value, err
			}
		}
	}
}

func read[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	value, err := chromedp.Run(ctx, whole(action))
	ok(t, err)
	return value
}

// signIn chooses one of the people of a development system.
func signIn(t *testing.T, ctx context.Context, at *site, who string) {
	t.Helper()
	do(t, ctx, visit(at.URL+"/"), visible(`form[action="/sign-in"]`),
		press(`input[value="`+who+`"]`), press(`form[action="/sign-in"] button`),
		visible(`.nhsuk-header__account`))
}

// picture keeps a screenshot of the whole page where pictures are asked for.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	folder := os.Getenv("FOOTBRIDGE_SCREENSHOTS")
	if folder == "" {
		return
	}
	ok(t, os.MkdirAll(folder, 0o755))
	ok(t, os.WriteFile(filepath.Join(folder, name+".png"), read(t, ctx, chromedp.FullScreenshot(100)), 0o644))
}

func TestAStepIsDoneWithScriptsDisabled(t *testing.T) {
	t.Parallel()
	at, ctx := newSite(t, nil), open(t, start(t), 1280)
	_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true})
	ok(t, err)
	signIn(t, ctx, at, "liaison")
	do(t, ctx, press(`a[href="/steps/`+stepID+`"]`), visible(`input[name="a1.how"]`),
		press(`input[name="a1.answers.0.state"][value="given"]`),
		press(`input[name="a1.how"][value="spoken"]`), press(`#a1 button`), press(`button[name="checked"]`),
		visible(`.nhsuk-notification-banner--success`))
	page := read(t, ctx, chromedp.Text("main"))
	if !strings.Contains(page, "It is recorded") || strings.Contains(page, "Ask the person what they would like") {
		t.Errorf("the page says %q", page)
	}
	if who := at.whoDid(stepID); who.Subject != "dev-liaison" {
		t.Errorf("it was done by %v", who)
	}
	if scripted := read(t, ctx, chromedp.Evaluate[bool](`document.body.classList.contains("js-enabled")`)); scripted {
		t.Error("a script of the page has run")
	}
}

func TestAStepIsDoneWithTheKeyboardAlone(t *testing.T) {
	t.Parallel()
	at, ctx := newSite(t, nil), open(t, start(t), 1280)
	focused := chromedp.Evaluate[string](
		`(document.activeElement.textContent || document.activeElement.value || "").trim()`)
	do(t, ctx, visit(at.URL+"/sign-in"), visible(`form[action="/sign-in"]`),
		chromedp.KeyEvent(kb.Tab))
	if got := read(t, ctx, focused); got != "Skip to main content" {
		t.Errorf("the first stop is %q", got)
	}
	do(t, ctx, chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(" "),
		chromedp.KeyEvent(kb.Enter), visible(`.fb-list`),
		visit(at.URL+"/steps/"+stepID), visible(`#next`))
	to := func(words string) { // by the tabulator alone
		t.Helper()
		for range 40 {
			do(t, ctx, chromedp.KeyEvent(kb.Tab))
			if strings.HasPrefix(read(t, ctx, focused), words) {
				return
			}
		}
		t.Fatalf("the keyboard does not come to %q", words)
	}
	to("Record what they said") // the summary of the form that is open
	to("given")
	do(t, ctx, chromedp.KeyEvent(" "))
	to("spoken")
	do(t, ctx, chromedp.KeyEvent(" "))
	to("Record what they said")
	do(t, ctx, chromedp.KeyEvent(kb.Enter), visible(`button[name="checked"]`))
	to("Send it")
	do(t, ctx, chromedp.KeyEvent(kb.Enter), visible(`.nhsuk-notification-banner--success`))
	if who := at.whoDid(stepID); who.Subject != "dev-liaison" &&
		at.whoDid("8c4bba9e-7c82-48a1-8bbd-6fb23f09d447").Subject != "dev-liaison" {
		t.Errorf("it was done by %v", who)
	}
}

// narrow is the width at which nothing may have to be scrolled sideways (WCAG 2.2, 1.4.10).
const narrow = 320

func TestEveryPageIsAccessibleAndFitsANarrowScreen(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile("../../tools/frontend/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatal("axe-core is missing: run tests/browser/ensure.sh")
	}
	styled, plain := newSite(t, nil), newSite(t, fstest.MapFS{})
	t.Run("styled", func(t *testing.T) { checkPages(t, styled, string(axe), 1280, narrow) })
	t.Run("without the style files", func(t *testing.T) { checkPages(t, plain, string(axe), narrow) })
}

func checkPages(t *testing.T, at *site, axe string, widths ...int64) {
	t.Parallel()
	browser := start(t)
	for _, page := range []struct{ name, path, who string }{
		{"sign-in", "/sign-in", ""},
		{"journeys", "/journeys", "liaison"},
		{"journey", "/journeys/" + journeyID, "liaison"},
		{"journey-done", "/journeys/" + journeyID + "?said=recorded", "navigator"},
		{"steps", "/steps", "liaison"},
		{"step", "/steps/" + stepID, "liaison"},
		{"messages", "/messages", "operator"},
		{"message", "/messages/" + heldID, "navigator"},
		{"trace", "/journeys/" + journeyID + "/trace", "operator"},
		{"operations", "/operations", "operator"},
		{"operations-of-people", "/operations", "navigator"},
		{"traces", "/traces?service=intake&day=2026-03-02", "operator"},
		{"trace-one", "/traces/0af7651916cd43dd8448eb211c80319c", "operator"},
		{"refer", "/refer", "liaison"},
		{"own", "/get-support", ""},
		{"not-there", "/journeys/019cac6b-9e60-7cde-a568-92bb0000aa11", "liaison"},
		{"unknown", "/no/such/page", ""},
	} {
		for _, width := range widths {
			t.Run(fmt.Sprintf("%s at %d", page.name, width), func(t *testing.T) {
				ctx := open(t, browser, width)
				if page.who != "" {
					signIn(t, ctx, at, page.who)
				}
				do(t, ctx, visit(at.URL+page.path), visible(`h1`))
				picture(t, ctx, strings.ReplaceAll(strings.TrimPrefix(t.Name(),
					"TestEveryPageIsAccessibleAndFitsANarrowScreen/"), "/", "_"))
				checkFit(t, ctx, width)
				checkTargets(t, ctx)
				checkAxe(t, ctx, axe)
				if width == widths[0] {
					checkPrint(t, ctx)
				}
			})
		}
	}
}

func checkFit(t *testing.T, ctx context.Context, width int64) {
	t.Helper()
	if wide := read(t, ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); wide > width {
		wider := read(t, ctx, chromedp.Evaluate[string](fmt.Sprintf(
			`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > %d+1 && !e.closest(".fb-scroll, thead")).map(e => e.tagName+"."+e.className).slice(0,5).join(" ")`, width)))
		t.Errorf("the page is %d wide on a screen of %d: %s", wide, width, wider)
	}
}

// smallTargets are buttons, fields and links that stand by themselves and are lower than 44 pixels. Links within
// sentences are as high as their line.
const smallTargets = `[...document.querySelectorAll("button, select, input:not([type=hidden]), nav a, .fb-list a, .fb-help a, .fb-pages a, summary")]
	.filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && r.height < 43.5 })
	.map(e => e.tagName + " " + (e.textContent || e.name).trim() + " " + e.getBoundingClientRect().height).join("; ")`

func checkTargets(t *testing.T, ctx context.Context) {
	t.Helper()
	if small := read(t, ctx, chromedp.Evaluate[string](smallTargets)); small != "" {
		t.Errorf("lower than 44 pixels: %s", small)
	}
}

const runAxe = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
	.then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + " " + (n.any[0] || n.all[0] || n.none[0] || {}).message).join(" | "))))`

func checkAxe(t *testing.T, ctx context.Context, axe string) {
	t.Helper()
	read(t, ctx, chromedp.Evaluate[any](axe+"; true"))
	var violations []string
	ok(t, json.Unmarshal([]byte(read(t, ctx, chromedp.Evaluate[string](runAxe, chromedp.EvalAwaitPromise))),
		&violations))
	for _, v := range violations {
		t.Error(v)
	}
}
