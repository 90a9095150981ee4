package browser

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// The library's own waits follow a page by its events, and on a busy machine miss one now and then: they then wait for
// what is there already. These ask the page itself, again and again.

// visit goes to an address and waits until its page is whole.
func visit(url string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		// when the document began tells the next one from this one
		before, err := chromedp.Evaluate[float64](`performance.timeOrigin`)(ctx, tab)
		if err != nil {
			return err
		}
		got, err := cdp.Call(ctx, tab, page.Navigate, page.NavigateParams{URL: url})
		if err != nil {
			return err
		}
		if got.ErrorText != "" {
			return errors.New("visiting " + url + ": " + got.ErrorText)
		}
		left, err := json.Marshal(before)
		if err != nil {
			return err
		}
		return until(ctx, tab, `performance.timeOrigin !== `+string(left)+` && document.readyState === "complete"`)
	})
}

// visible waits until all that a selector finds, and it finds something, can be seen.
func visible(sel string) chromedp.Action[chromedp.Void] {
	return waits(`(all => all.length > 0 && all.every(e => e.getClientRects().length > 0 &&
		getComputedStyle(e).visibility === "visible"))`, sel)
}

// present waits until a selector finds something.
func present(sel string) chromedp.Action[chromedp.Void] { return waits(`(all => all.length > 0)`, sel) }

// absent waits until a selector finds nothing.
func absent(sel string) chromedp.Action[chromedp.Void] {
	return waits(`(all => all.length === 0)`, sel)
}

func waits(holds, sel string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		quoted, err := json.Marshal(sel)
		if err != nil {
			return err
		}
		return until(ctx, tab, holds+`([...document.querySelectorAll(`+string(quoted)+`)])`)
	})
}

// until waits until the page says that something holds. A page that is just being left has no answer.
func until(ctx context.Context, tab *chromedp.Target, holds string) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if is, err := chromedp.Evaluate[bool](holds)(ctx, tab); err == nil && is {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
