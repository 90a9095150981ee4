package browser

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// hand is somebody who works with a browser in one way: with the keyboard alone or by pressing, on a screen or on a
// phone, with scripts or without. It counts what they do, and looks at every page that they come to.
type hand struct {
	t     *testing.T
	ctx   context.Context
	at    string // the site
	width int64
	keys  bool // nothing but the keyboard is used
	plain bool // scripts are off
	did   counted
	seen  map[string]bool // pages that were looked at
}

// ways are how each persona's day is done: between them there are the keyboard, both widths, and scripts on and off.
var ways = []struct {
	name  string
	width int64
	keys  bool
	plain bool
}{{"by keyboard on a screen", 1280, true, false}, {"on a phone without scripts", phone390, false, true}}

// leads does what leads to another page, waits until that is whole, and looks at it.
func (h *hand) leads(name string, do chromedp.Action[chromedp.Void]) {
	h.t.Helper()
	before := read(h.t, h.ctx, chromedp.Evaluate[float64](`performance.timeOrigin`))
	left, err := json.Marshal(before)
	ok(h.t, err)
	h.does(do, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		return until(ctx, tab, `performance.timeOrigin !== `+string(left)+` && document.readyState === "complete"`)
	}))
	h.did.pages++
	h.looks(name)
}

// looks looks at a page in every way, once; the scripts of axe run where those of the page may not.
func (h *hand) looks(name string) {
	h.t.Helper()
	if h.seen[name] {
		return
	}
	h.seen[name] = true
	if h.plain {
		scripts(h.t, h.ctx, true)
		defer scripts(h.t, h.ctx, false)
	}
	before := h.t.Failed()
	checkWhole(h.t, h.ctx, h.width)
	if h.t.Failed() && !before {
		h.t.Logf("first at %s", name)
	}
}

func (h *hand) does(steps ...chromedp.Action[chromedp.Void]) {
	h.t.Helper()
	do(h.t, h.ctx, steps...)
}

// visits begins at an address, as by a bookmark.
func (h *hand) visits(name, path string) {
	h.t.Helper()
	h.leads(name, visit(h.at+path))
}

// opens presses a link or a button that leads to another page.
func (h *hand) opens(name, sel string) {
	h.t.Helper()
	h.did.presses++
	if h.keys {
		h.reaches(sel)
		h.leads(name, chromedp.KeyEvent(kb.Enter))
		return
	}
	h.leads(name, press(sel))
}

// picks chooses an option, ticks a box or unfolds a form.
func (h *hand) picks(sel string) {
	h.t.Helper()
	h.did.presses++
	if !h.keys {
		h.does(press(sel))
		return
	}
	h.reaches(sel)
	if !h.says(`!!document.activeElement?.checked`) {
		h.does(chromedp.KeyEvent(map[bool]string{true: " ", false: kb.Enter}[h.says(`!!document.activeElement?.matches("input")`)]))
	}
}

// writes goes to a field and writes into it.
func (h *hand) writes(sel, text string) {
	h.t.Helper()
	h.did.presses++
	h.did.keys += len(text)
	if h.keys {
		h.reaches(sel)
		h.does(chromedp.KeyEvent(text))
		return
	}
	h.does(press(sel), chromedp.SendKeys(sel, text))
}

// selects chooses from a list that unfolds: with the keyboard by how its words begin.
func (h *hand) selects(sel, value, begins string) {
	h.t.Helper()
	h.did.presses++
	if h.keys {
		h.reaches(sel)
		h.does(chromedp.KeyEvent(begins))
	} else {
		h.does(visible(sel), chromedp.SetValue(sel, value))
	}
	if got := read(h.t, h.ctx, chromedp.Value(sel)); got != value {
		h.t.Errorf("%q is chosen, not %q", got, value)
	}
}

// reaches goes on with the tabulator until something is in focus, and in a group of options with the arrows. Whatever
// is in focus on the way can be seen.
func (h *hand) reaches(sel string) {
	h.t.Helper()
	quoted, err := json.Marshal(sel)
	ok(h.t, err)
	group := `(e => e?.type === "radio" && [...document.querySelectorAll(` + string(quoted) + `)].some(f => f.name === e.name))`
	is := `!!document.activeElement?.matches(` + string(quoted) + `)`
	for range 150 {
		switch {
		case h.says(is):
			return
		case h.says(group + `(document.activeElement)`):
			h.does(chromedp.KeyEvent(kb.ArrowDown))
			continue
		}
		h.does(chromedp.KeyEvent(kb.Tab))
		if !h.says(`!document.activeElement || document.activeElement.checkVisibility({visibilityProperty: true})`) {
			h.t.Errorf("something is in focus that cannot be seen: %s",
				read(h.t, h.ctx, chromedp.Evaluate[string](`document.activeElement?.outerHTML.slice(0, 200)`)))
		}
	}
	h.t.Fatalf("%s cannot be reached by keyboard; the page is %s", sel, h.words())
}

func (h *hand) says(what string) bool {
	h.t.Helper()
	return read(h.t, h.ctx, chromedp.Evaluate[bool](what))
}

// words are what the page says.
func (h *hand) words() string {
	h.t.Helper()
	return read(h.t, h.ctx, chromedp.Evaluate[string](`location.pathname + "\n" + document.querySelector("main").innerText`))
}

// reads fails where the page lacks some words.
func (h *hand) reads(all ...string) {
	h.t.Helper()
	words := h.words()
	for _, one := range all {
		if !strings.Contains(words, one) {
			h.t.Errorf("%q is not said by %s", one, words)
		}
	}
}

// within fails where it took more than it may, since the count began.
func (h *hand) within(what string, most counted) {
	h.t.Helper()
	h.t.Logf("%s took %+v", what, h.did)
	if h.did.presses > most.presses || h.did.keys > most.keys || h.did.pages > most.pages {
		h.t.Errorf("%s took %+v, and may take %+v", what, h.did, most)
	}
}

// signsIn chooses who one is, as the first thing of the day.
func (h *hand) signsIn(who string) {
	h.t.Helper()
	h.visits("sign-in", "/")
	h.picks(`input[value="` + who + `"]`)
	h.opens("start of "+who, `form[action="/sign-in"] button`)
}

// signsOut is the last thing of the day; nothing of it can be seen by going back.
func (h *hand) signsOut() {
	h.t.Helper()
	last := read(h.t, h.ctx, chromedp.Location())
	h.opens("signed out", `form[action="/sign-out"] button`)
	h.does(visit(last), visible(`h1`))
	h.reads("Sign in")
}
