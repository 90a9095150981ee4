package console

import (
	"net/url"
	"testing"

	"footbridge/schemas"
)

// TestAFormKeepsItsActionWhereOthersComeAndGo: what was entered goes with its action, and never to another one.
func TestAFormKeepsItsActionWhereOthersComeAndGo(t *testing.T) {
	t.Parallel()
	book, tell := schemas.Action{Path: "/api/offers/1/appointment"}, schemas.Action{Path: "/api/offers/1/introduced"}
	form := func() url.Values {
		return url.Values{"action": {"a1"}, "does": {book.Path}, "a1.day": {"5"}, "a10.day": {"6"}, "stood": {"x"}}
	}
	for name, c := range map[string]struct {
		actions []schemas.Action
		at      int
		day     string
	}{
		"in its place":           {[]schemas.Action{book, tell}, 0, "a1.day"},
		"moved":                  {[]schemas.Action{tell, book}, 1, "a2.day"},
		"gone":                   {[]schemas.Action{tell}, -1, "a1.day"},
		"one of two that may be": {[]schemas.Action{tell, book, book}, -1, "a1.day"},
	} {
		entered := form()
		if at := openAction(entered, c.actions); at != c.at || entered.Get(c.day) != "5" ||
			entered.Get("a10.day") != "6" {
			t.Errorf("%s: %d %v", name, at, entered)
		}
	}
}
