package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestSendingIsTurnedOffAndOnByForm: what the page offers is sent as it is.
func TestSendingIsTurnedOffAndOnByForm(t *testing.T) {
	t.Parallel()
	f := start(t)
	const path = "/api/organisations/RXX/going-live"
	for i, body := range []string{"{}", `{"confirm":true}`} {
		w := f.ask(t, "POST", "/going-live", url.Values{"action": {keyOf(i)}, "does": {path}, "request": {keyOf(i)}},
			guide)
		if last := f.services.changes; w.Code != http.StatusSeeOther || len(last) != i+1 || last[i].Path != path ||
			last[i].Body != body {
			t.Errorf("answered %d after %+v", w.Code, last)
		}
	}
	if page := f.page(t, "/outbox-mail", opera); !strings.Contains(page, "Something waits for you") {
		t.Error("the mailbox shows nothing")
	}
}
