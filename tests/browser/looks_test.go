package browser

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// magnified is how much larger everything is shown to whoever needs that (WCAG 2.2, 1.4.4 and 1.4.10): a screen is as
// narrow then as a phone.
const magnified = 4

// checkMagnified looks at a page of a screen at 400 %: nothing is to be scrolled sideways, and no words are cut off.
func checkMagnified(t *testing.T, ctx context.Context, width int64) {
	t.Helper()
	do(t, ctx, chromedp.EmulateViewport(width/magnified, 900/magnified))
	checkFit(t, ctx, width/magnified)
	if cut := read(t, ctx, chromedp.Evaluate[string](cutOff)); cut != "" {
		t.Errorf("at 400 %% words are cut off: %s", cut)
	}
	do(t, ctx, chromedp.EmulateViewport(width, 900))
}

// cutOff are words of which a part is beyond the edge of the page, or of what they stand in where that hides it. What
// is there for screen readers alone is one pixel wide.
const cutOff = `(() => {
	const cut = [], words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const hides = new Map(), clips = e => {
		if (!hides.has(e)) hides.set(e, getComputedStyle(e).overflow !== "visible" && !e.matches(".fb-scroll, svg"));
		return hides.get(e);
	};
	while (words.nextNode()) {
		const range = document.createRange();
		range.selectNodeContents(words.currentNode);
		const r = range.getBoundingClientRect();
		if (!words.currentNode.data.trim() || r.width <= 1 || r.height <= 1) continue;
		let beyond = r.left < -1;
		for (let e = words.currentNode.parentElement; e && e !== document.body; e = e.parentElement) {
			const within = e.getBoundingClientRect();
			if (within.width <= 1) { beyond = false; break; }
			beyond ||= clips(e) && (r.right > within.right + 1 || r.bottom > within.bottom + 1 || r.top < within.top - 1);
		}
		if (beyond && !words.currentNode.parentElement.closest(".nhsuk-skip-link")) {
			cut.push(words.currentNode.data.trim().slice(0, 40));
		}
	}
	return cut.slice(0, 5).join("; ");
})()`

// checkPrint looks at a page on paper: where to find help and what the page is about are on it, and nothing that is to
// be pressed or filled in.
func checkPrint(t *testing.T, ctx context.Context) {
	t.Helper()
	media(t, ctx, "print")
	if pressed := read(t, ctx, chromedp.Evaluate[string](toBePressed)); pressed != "" {
		t.Errorf("on paper there is to be pressed or filled in: %s", pressed)
	}
	if lacks := read(t, ctx, chromedp.Evaluate[string](lackingOnPaper)); lacks != "" {
		t.Errorf("on paper there is not: %s", lacks)
	}
	media(t, ctx, "")
}

const toBePressed = `[...document.querySelectorAll("button, input:not([type=hidden]), select, textarea, summary, nav," +
	".nhsuk-button, [data-leave]")]
	.filter(e => e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().height > 0 &&
		!(e.matches("summary") && [...e.parentElement.children].every(c => c === e || c.getBoundingClientRect().height > 0)))
	.slice(0, 5).map(e => e.tagName + "." + e.className + " " + (e.innerText || e.name || "").trim().slice(0, 40)).join("; ")`

// lackingOnPaper are the numbers that help at any hour, the heading, and the facts that the page shows on a screen.
const lackingOnPaper = `[...["999", "111", "116 123", "85258"].filter(n => !document.body.innerText.includes(n)),
	...[...document.querySelectorAll("h1, .fb-facts, .nhsuk-summary-list, .fb-list time, .fb-step, .fb-words," +
		".nhsuk-lede-text, .fb-separate, .nhsuk-warning-callout")]
	.filter(e => e.innerText.trim() === "" || e.getBoundingClientRect().height === 0)
	.map(e => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 40))].slice(0, 5).join("; ")`

func media(t *testing.T, ctx context.Context, kind string) {
	t.Helper()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: kind})
	ok(t, err)
}

// checkWhole looks at a page in every way: how it fits, what is pressed, what axe finds; and of a screen at 400 % and
// on paper.
func checkWhole(t *testing.T, ctx context.Context, width int64) {
	t.Helper()
	before := t.Failed()
	checkFit(t, ctx, width)
	checkTargets(t, ctx)
	checkAxe(t, ctx, axeScript(t))
	if width/magnified >= narrow { // paper is as wide whatever the screen is
		checkMagnified(t, ctx, width)
		checkPrint(t, ctx)
	}
	if t.Failed() && !before {
		t.Logf("that was %s", read(t, ctx, chromedp.Location()))
	}
}
