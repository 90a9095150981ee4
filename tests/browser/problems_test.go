package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// enterKey presses Enter as a keyboard does: the key goes down as it is, and what it would write comes after it, which
// a browser leaves out where the key did something. held says that it repeats before it is let go, as for a hand that
// trembles.
func enterKey(t *testing.T, h *hand, held bool) {
	t.Helper()
	key := func(kind input.DispatchKeyEventType, text string, repeats bool) {
		_, err := cdp.Call(h.ctx, chromedp.FromContext(h.ctx).Target, input.DispatchKeyEvent,
			input.DispatchKeyEventParams{Type: kind, Key: "Enter", Code: "Enter", Text: text, UnmodifiedText: text,
				WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13, AutoRepeat: &repeats})
		ok(t, err)
	}
	key(input.DispatchKeyEventTypeRawKeyDown, "", false)
	key(input.DispatchKeyEventTypeChar, "\r", false)
	for range map[bool]int{true: 3}[held] {
		key(input.DispatchKeyEventTypeRawKeyDown, "", true)
		key(input.DispatchKeyEventTypeChar, "\r", true)
	}
	key(input.DispatchKeyEventTypeKeyUp, "", false)
}

// Each line of what is wrong leads to the field that it is about, by keyboard too: the page stays as it is, nothing is
// sent again, and whoever types next is at that field. With scripts that holds for a key that is held down too.
func TestALineOfWhatIsWrongLeadsToItsFieldByKeyboard(t *testing.T) {
	t.Parallel()
	browser := start(t)
	for name, c := range map[string]struct{ plain, held bool }{"scripts on": {}, "scripts off": {plain: true},
		"a key that is held down": {held: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := newSite(t, nil)
			ctx := open(t, browser, 1280)
			scripts(t, ctx, !c.plain)
			h := &hand{t: t, ctx: ctx, at: at.URL, width: 1280, keys: true, plain: c.plain, seen: map[string]bool{}}
			h.signsIn("liaison")
			for _, page := range []struct{ path, send string }{{"/steps/" + stepID, `#a1 button`},
				{"/refer", `#send`}} {
				h.visits(page.path, page.path)
				h.opens(page.path+" without anything", page.send)
				if !c.plain { // without scripts no page can say that a form of it is sent
					h.says(`addEventListener("submit", (event) => { event.preventDefault(); window.sent = true; }) ?? true`)
				}
				lines := read(t, ctx, chromedp.Evaluate[int](
					`document.querySelectorAll(".nhsuk-error-summary a").length`))
				for i := range lines {
					h.reaches(fmt.Sprintf(`.nhsuk-error-summary li:nth-child(%d) a`, i+1))
					field := read(t, ctx, chromedp.Evaluate[string](`document.activeElement.hash.slice(1)`))
					enterKey(t, h, c.held)
					is := read(t, ctx, chromedp.Evaluate[string](`document.activeElement.id`))
					if sent := h.says(`!!window.sent`); is != field || sent {
						t.Errorf("on %s the line of %q leads to %q, and a form is sent: %v", page.path, field, is, sent)
					}
				}
			}
		})
	}
}
