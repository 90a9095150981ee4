package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestSendingIsTurnedOffAndOnByForm: what the page offers is sent as it is.
func TestSendingIsTurnedOffAndOnByForm(t *testing.T) {
	t.Parallel()
	f := start(t)
	const path = "/api/organisations/RXX/going-live"
	page := f.page(t, "/going-live", guide)
	for i, body := range []string{"{}", `{"caldicott":"1 June 2026, by the Guardian","confirm":true,` +
		`"dpia":"DPIA-12","hazardLog":"as read","safetyOfficer":"Dr Example, since 3 May 2026"}`} {
		form := url.Values{"action": {keyOf(i)}, "does": {path}, "request": {keyOf(i)}}
		for _, seen := range regexp.MustCompile(`name="(a2\.\w+)" value="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			form.Set(seen[1], seen[2])
		}
		form.Set("a2.hazardLog", "as read") // what stood there when the page was made, and not what stands there now
		w := f.ask(t, "POST", "/going-live", form, guide)
		if last := f.services.changes; w.Code != http.StatusSeeOther || len(last) != i+1 || last[i].Path != path ||
			last[i].Body != body {
			t.Errorf("answered %d after %+v", w.Code, last)
		}
	}
	if page := f.page(t, "/outbox-mail", opera); !strings.Contains(page, "Something waits for you") {
		t.Error("the mailbox shows nothing")
	}
}
