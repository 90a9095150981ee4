package intake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// undecided sends an arrival and an end without a reason, which only a human can decide about, and gives its line.
func (p *process) undecided(t *testing.T) LedgerLine {
	t.Helper()
	client, h := p.dial(t), newHospital()
	send(t, client, h.message("A04", reason("", "?self harm", "")))
	send(t, client, h.message("A03"))
	var list httpx.List[LedgerLine]
	if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, guide, "GET", "/api/messages?waiting=true", "")),
		&list); err != nil || len(list.Items) != 1 {
		t.Fatalf("waiting: %+v (%v)", list.Items, err)
	}
	return list.Items[0]
}

func (p *process) message(t *testing.T, who principal.Principal, id string, headers ...string) messageShown {
	t.Helper()
	var shown messageShown
	if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, who, "GET", "/api/messages/"+id, "", headers...)),
		&shown); err != nil {
		t.Fatal(err)
	}
	return shown
}

func TestAMessageSetAsideIsShownWithoutWhoItIsAbout(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	line := p.undecided(t)
	shown := p.message(t, guide, line.ID)
	if shown.Words == "" || shown.DueAt == nil || shown.Says == nil || shown.Says.Visit == "" ||
		shown.Says.LeftAt == nil || !shown.Named || shown.Who != nil {
		t.Errorf("a navigator sees %+v %+v", shown, shown.Says)
	}
	keeper := principal.Principal{Organisation: "RXX", Role: string(schemas.Operator), Subject: "operator-1"}
	if seen := p.message(t, keeper, line.ID, ReasonHeader, "to ring them back"); seen.Says != nil || seen.Who != nil ||
		seen.Named {
		t.Errorf("an operator sees %+v", seen)
	}
	elsewhere := principal.Principal{Organisation: "RZZ", Role: string(schemas.Navigator), Subject: "navigator-2"}
	p.must(t, http.StatusNotFound, elsewhere, "GET", "/api/messages/"+line.ID, "", ReasonHeader, "to ring them back")
	p.must(t, http.StatusForbidden, liaison, "GET", "/api/messages/"+line.ID, "")
	var looks int
	if err := p.site.db.Admin().QueryRow(t.Context(),
		`select count(*) from intake.access_log`).Scan(&looks); err != nil || looks != 0 {
		t.Errorf("%d looks are kept of nobody having looked (%v)", looks, err)
	}
}

func TestWhoAMessageIsAboutIsShownForAReasonThatIsKept(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	line := p.undecided(t)
	shown := p.message(t, guide, line.ID, ReasonHeader, "to find the visit in our record")
	if shown.Who == nil || shown.Who.FamilyName == "" || shown.Who.LocalID == "" {
		t.Fatalf("shown %+v", shown.Who)
	}
	var person string
	if err := p.site.db.Admin().QueryRow(t.Context(), `select person::text from intake.access_log
		where journey = $1::uuid and sees = 'all' and subject = $2`, line.ID, guide.Subject).
		Scan(&person); err != nil {
		t.Fatal(err)
	}
	if trail := p.must(t, http.StatusOK, guide, "GET", "/api/people/"+person+"/access", ""); !strings.Contains(trail,
		"to find the visit in our record") {
		t.Errorf("the trail says %s", trail)
	}
	p.must(t, http.StatusForbidden, guide, "GET", "/api/messages/"+line.ID, "", ReasonHeader, "x")
}

func TestWhatWaitsIsListedByTheTimePromisedAndEndsWhenSettled(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client := p.dial(t)
	h := newHospital()
	for i := range 3 {
		h.number, h.patient = fmt.Sprintf("V%d", i), fmt.Sprintf("L%d", i)
		send(t, client, h.message("A04", reason("", "?self harm", "")))
		send(t, client, h.message("A03"))
	}
	var ids []string
	next := ""
	for {
		var list httpx.List[LedgerLine]
		if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, guide, "GET", "/api/messages?waiting=true&limit=1"+
			next, "")), &list); err != nil {
			t.Fatal(err)
		}
		for _, line := range list.Items {
			ids = append(ids, line.ID)
		}
		if list.Next == nil {
			break
		}
		next = "&cursor=" + *list.Next
	}
	if len(ids) != 3 || !slices.IsSorted(ids) {
		t.Fatalf("waiting: %v", ids)
	}
	p.must(t, http.StatusOK, guide, "POST", "/api/messages/"+ids[0]+"/dismiss", "")
	if left := p.must(t, http.StatusOK, guide, "GET", "/api/messages?waiting=true", ""); strings.Contains(left,
		ids[0]) || !strings.Contains(left, ids[1]) {
		t.Errorf("still waiting: %s", left)
	}
	p.must(t, http.StatusBadRequest, guide, "GET", "/api/messages?waiting=true&cursor=WyJhIiwiYiJd", "")
}

func TestAMessageThatDoesNotSayWhetherItIsRealIsKeptAndReleased(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h := newHospital()
	h.at = p.clock.Now().Add(-2 * time.Hour)
	unsaid := replaceOnce(string(h.message("A03", reason("248062006", "", "SCT"))), "|P|2.4", "||2.4")
	if ack := send(t, p.dial(t), []byte(unsaid)); ack.Code != "AE" {
		t.Fatalf("answered %+v", ack)
	}
	expect(t, p.ledgerNow(t), "AE quarantined no-processing-id")
	var list httpx.List[LedgerLine]
	if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, guide, "GET", "/api/messages?waiting=true", "")),
		&list); err != nil || len(list.Items) != 1 {
		t.Fatalf("waiting: %+v (%v)", list.Items, err)
	}
	for _, damaged := range []string{`{"visit":"V\u0000"}`, `{"visit":"V\ufffd"}`, "{\"visit\":\"V\xc3\"}",
		"{\"visit\":\"V\x00\"}"} {
		p.must(t, http.StatusUnprocessableEntity, guide, "POST", "/api/messages/"+list.Items[0].ID+"/release", damaged)
	}
	p.must(t, http.StatusOK, guide, "POST", "/api/messages/"+list.Items[0].ID+"/release", "{}")
	types, _ := p.outbox(t)
	expect(t, types, "message.quarantined", "discharge.recorded", "message.released")
}
