package intake

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"footbridge/libs/httpx"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// reasons are the values of all constants of intake and its packages that are named Reason….
func reasons(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, folder := range []string{"", "record/", "reading/"} {
		in, err := filepath.Glob(folder + "*.go")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, in...)
	}
	var found []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || len(spec.Values) == 0 || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
				return true
			}
			// a header's name
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING &&
				literal.Value != `"Access-Reason"` {
				found = append(found, strings.Trim(literal.Value, `"`))
			}
			return true
		})
	}
	if len(found) < 50 {
		t.Fatalf("only %d reasons were found: the finder is broken", len(found))
	}
	return found
}

func TestEveryReasonAndFlagHasPlainWords(t *testing.T) {
	t.Parallel()
	said := map[string]string{}
	for _, reason := range reasons(t) {
		text := wordsFor(reason)
		if text == "" || !strings.HasSuffix(text, ".") || strings.Contains(text, reason) &&
			strings.Contains(reason, "-") {
			t.Errorf("no plain words for %s: %q", reason, text)
		}
		if other, twice := said[text]; twice && other != reason {
			t.Errorf("%s and %s say the same", reason, other)
		}
		said[text] = reason
	}
	for _, flag := range schemas.Values("flag") {
		if text := wordsFor(flag); text == "" || !strings.HasSuffix(text, ".") {
			t.Errorf("no words for %s: %q", flag, text)
		}
	}
}

func TestWordsOfMessagesNameNoCondition(t *testing.T) {
	t.Parallel()
	clinical := regexp.MustCompile(`(?i)self-harm|suicid|overdose|attempt|risk|severe`)
	for _, list := range []map[string]string{words, readWords} {
		for reason, text := range list {
			if clinical.MatchString(text) {
				t.Errorf("%s: %s", reason, text)
			}
		}
	}
}

func TestWhatIsSetAsideSaysWhatCanBeDone(t *testing.T) {
	t.Parallel()
	can := func(door, reason string) string {
		var all []string
		for _, r := range remedies(LedgerLine{Endpoint: door, Outcome: string(record.Quarantined), Reason: reason}) {
			if r.Words == "" {
				t.Errorf("%s: %s without words", reason, r.Do)
			}
			needs := ""
			if r.Needs {
				needs = " with " + r.With[0]
			}
			all = append(all, r.Do+needs)
		}
		return strings.Join(all, ", ")
	}
	for _, c := range []struct{ endpoint, reason, want string }{
		{record.EndpointMLLP, record.ReasonUndecided, "release, dismiss"},
		{record.EndpointMLLP, reading.ReasonNoTime, "release with leftAt, dismiss"},
		{record.EndpointMLLP, record.ReasonNoVisit, "release with visit, dismiss"},
		{record.EndpointFHIR, ReasonOther, "release, dismiss"},
		{record.EndpointEvents, reading.ReasonFault, "release, dismiss"},
		{record.EndpointAlarm, ReasonSilent, "dismiss"},
		{record.EndpointSignals, record.ReasonNumberChanged, "dismiss"},
		{record.EndpointMLLP, reading.ReasonTruncated, "dismiss"},
	} {
		if got := can(c.endpoint, c.reason); got != c.want {
			t.Errorf("%s over %s: %s, want %s", c.reason, c.endpoint, got, c.want)
		}
	}
	if got := remedies(LedgerLine{Endpoint: record.EndpointMLLP, Outcome: string(record.Joined),
		Reason: record.ReasonNotEnded}); got != nil {
		t.Errorf("of what is not quarantined: %v", got)
	}
}

func TestWhatCouldNotBeProcessedIsReadAgainTheWayItsDoorReads(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.begin(t, newHospital())
	poison := func(statement string) {
		t.Helper()
		if _, err := p.site.db.Admin().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	poison(`alter table intake.visit add constraint poison check (number not like 'E%' and version < 100
		and (says -> 'request') is null) not valid`)
	poison(`alter table intake.person add constraint poison check (not deceased) not valid`)
	if status, body := p.post(t, "application/cloudevents+json",
		report("1", reportData)); status != http.StatusAccepted {
		t.Fatalf("the event: %d %s", status, body)
	}
	if answer := p.sendSignal(t, signal("pds-death-notification-2",
		"9990000107")); answer.status != http.StatusAccepted {
		t.Fatalf("the signal: %d %s", answer.status, answer.body)
	}
	p.refer(t, liaison, sixAnswers, "Idempotency-Key", "k1")
	expect(t, p.ledgerNow(t)[2:], "202 quarantined could-not-be-processed", "202 quarantined could-not-be-processed",
		"202 quarantined could-not-be-processed")
	poison(`alter table intake.visit drop constraint poison`)
	poison(`alter table intake.person drop constraint poison`)
	navigator := httptest.NewServer(p.mux("navigator", ""))
	t.Cleanup(navigator.Close)
	var list httpx.List[LedgerLine]
	call(t, http.MethodGet, navigator.URL+"/api/messages?outcome=quarantined", http.StatusOK, &list)
	for _, line := range list.Items {
		var one LedgerLine
		call(t, http.MethodGet, navigator.URL+"/api/messages/"+line.ID, http.StatusOK, &one)
		if one.Words == "" || len(one.Can) != 2 || one.Can[0].Do != "release" {
			t.Errorf("shown: %+v", one)
		}
		call(t, http.MethodPost, navigator.URL+"/api/messages/"+line.ID+"/release", http.StatusOK, nil)
	}
	expect(t, p.ledgerNow(t)[2:], "202 raised-flagged no-safe-channel", "202 corrected death-reported",
		"202 raised-flagged unverified")
	other := httptest.NewServer(p.muxOf("RYY", "navigator", ""))
	t.Cleanup(other.Close)
	call(t, http.MethodGet, other.URL+"/api/messages/"+list.Items[0].ID, http.StatusNotFound, nil)
	call(t, http.MethodGet, navigator.URL+"/api/messages/x", http.StatusNotFound, nil)
}

func TestAMessageIsReleasedWithWhatAHumanKnowsBetter(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client, h := p.dial(t), newHospital()
	send(t, client, h.message("A04", reason("248062006", "", "SCT")))
	end := string(h.message("A03"))
	stamp := h.at.In(london).Format("20060102150405")
	send(t, client, []byte(strings.ReplaceAll(replaceOnce(end, "EVN|A03|"+stamp, "EVN|A03|"), "|"+stamp+"\r", "|\r")))
	navigator := httptest.NewServer(p.mux("navigator", ""))
	t.Cleanup(navigator.Close)
	var list httpx.List[LedgerLine]
	call(t, http.MethodGet, navigator.URL+"/api/messages?outcome=quarantined", http.StatusOK, &list)
	if len(list.Items) != 1 || list.Items[0].Reason != reading.ReasonNoTime || list.Items[0].Words == "" {
		t.Fatalf("quarantined: %+v", list.Items)
	}
	release := func(body string) (int, string) {
		response, err := http.Post(navigator.URL+"/api/messages/"+list.Items[0].ID+"/release", "application/json",
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		answer := make([]byte, 4096)
		n, _ := response.Body.Read(answer)
		return response.StatusCode, string(answer[:n])
	}
	if status, answer := release(`{"facts":{"gender":"F"}}`); status != http.StatusUnprocessableEntity {
		t.Errorf("a fact that is none: %d %s", status, answer)
	}
	if status, answer := release(`{"facts":{"areaResidence":"area-north"}}`); status != http.StatusUnprocessableEntity {
		t.Errorf("still without a time: %d %s", status, answer)
	}
	status, answer := release(`{"leftAt":"` + p.clock.Now().Add(-time.Hour).UTC().Format(time.RFC3339) +
		`","facts":{"areaResidence":"area-north"}}`)
	if status != http.StatusOK || !strings.Contains(answer, `"raised"`) {
		t.Errorf("with a time: %d %s", status, answer)
	}
}
