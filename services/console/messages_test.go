package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestTheOperatorFindsAMessageAndSeesWhatWasMadeOfIt(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.page(t, "/messages/"+heldID, opera)
	for _, words := range []string{"By the profile default 2026-11-27", "default.yaml, line 26", "PV1-19", "V000451",
		"message.quarantined.v1", "(this one)", "Read it again", "Try another profile"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	tried := f.ask(t, "POST", "/messages/"+heldID+"/try", url.Values{"profile": {"trust"}}, opera).Body.String()
	if !strings.Contains(tried, "By the profile trust, after 1 earlier message of the visit") ||
		!strings.Contains(tried, "Began a journey") || !strings.Contains(tried, `<option value="trust" selected>`) {
		t.Error("the dry run does not say what would become of it")
	}
	if len(f.services.changes) != 0 {
		t.Errorf("looking changed %+v", f.services.changes)
	}
	w := f.ask(t, "POST", "/messages/"+heldID+"/read-again", url.Values{"request": {"k3"}}, opera)
	if w.Code != http.StatusSeeOther || len(f.services.changes) != 1 ||
		f.services.changes[0] != (change{"/api/messages/" + heldID + "/read-again", "k3", ""}) {
		t.Errorf("answered %d, sent %+v", w.Code, f.services.changes)
	}
}

func TestMessagesAreFoundByDayAndSenderAndByTheVisit(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.page(t, "/messages?from=2026-03-01&to=yesterday&sender=RXX%2FPAS", opera)
	if !strings.Contains(page, `name="from" type="date" value="2026-03-01"`) || strings.Contains(page, "yesterday") ||
		!strings.Contains(page, `name="sender" value="RXX/PAS"`) || !strings.Contains(page, "Look at it") {
		t.Error("the list does not show by what it was narrowed, or leads to no message")
	}
	if w := f.ask(t, "POST", "/messages/search", url.Values{"visit": {"V000451"}}, opera); w.Code != http.StatusOK ||
		!strings.Contains(w.Body.String(), "The messages of that visit") {
		t.Errorf("the messages of a visit: %d", w.Code)
	}
	if w := f.ask(t, "POST", "/messages/search", url.Values{"visit": {" "}},
		opera); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `<a href="#visit">`) {
		t.Errorf("without a number: %d", w.Code)
	}
}
