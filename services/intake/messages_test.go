package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/hl7"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
)

var opera = principal.Principal{Organisation: "RXX", Role: string(schemas.Operator), Subject: "operator-1"}

// read asks for something and reads the answer.
func read[T any](t *testing.T, p *process, who principal.Principal, method, path, body string) (answer T) {
	t.Helper()
	if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, who, method, path, body)), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// raised sends a whole visit that begins a journey, and gives its messages, the oldest first.
func (p *process) raised(t *testing.T) []LedgerLine { return p.raisedOf(t, "V1") }

func (p *process) raisedOf(t *testing.T, visit string) []LedgerLine {
	t.Helper()
	client, h := p.dial(t), newHospital()
	h.number, h.application = visit, "EPR"+visit
	if visit == "V1" {
		h.application = "EPR"
	}
	for _, m := range [][]byte{h.message("A04", func(w *hl7.Writer) { w.Set(36, "Home") }),
		h.message("A03", reason("248062006", "Overdose, Ada Example of 1 High Street", "SCT"),
			func(w *hl7.Writer) { w.Segment("NTE").Set(1, "1").Set(3, "her mother Mary rang") })} {
		if ack := send(t, client, m); ack.Code != "AA" {
			t.Fatalf("answered %+v", ack)
		}
	}
	list := read[httpx.List[LedgerLine]](t, p, guide, "GET", "/api/messages?sender="+h.application, "")
	slices.Reverse(list.Items)
	if len(list.Items) != 2 || list.Items[1].Outcome != "raised" {
		t.Fatalf("the ledger has %+v", list.Items)
	}
	return list.Items
}

func TestAMessageOfAnyStateIsTakenApartWithWhoItIsAboutHidden(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	lines := p.raised(t)
	text := p.must(t, http.StatusOK, guide, "GET", "/api/messages/"+lines[1].ID+"/content", "")
	var taken messageTaken
	if err := json.Unmarshal([]byte(text), &taken); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Example", "Ada", "9990000107", "L42", "07700900123", "19900401", "High Street",
		"Mary", "Overdose"} {
		if strings.Contains(text, secret) {
			t.Errorf("the message taken apart shows %q", secret)
		}
	}
	at := map[string]reading.Field{}
	for _, piece := range taken.Segments {
		for _, field := range piece.Fields {
			at[field.At] = field
		}
	}
	for name, value := range map[string]string{"MSH-9": "ADT^A03", "PV1-2": "E", "PV1-19": "V1",
		"PV2-3": "248062006^" + reading.Hidden + "^SCT"} {
		if !strings.HasPrefix(at[name].Value, value) {
			t.Errorf("%s is shown as %q, not %q", name, at[name].Value, value)
		}
	}
	if !at["PID-5"].Hidden || !at["NTE-3"].Hidden || taken.Format != "hl7" {
		t.Errorf("PID-5 %+v, NTE-3 %+v, %s", at["PID-5"], at["NTE-3"], taken.Format)
	}
	if len(taken.SameVisit) != 2 || len(taken.Events) == 0 ||
		taken.Events[0].Type != string(schemas.DischargeRecorded) {
		t.Errorf("what was made of it: %d messages of the visit, events %+v", len(taken.SameVisit), taken.Events)
	}
	p.linesAreThere(t, taken.Lines, "MSH-9 events.end A03", "PV1-2 settings.emergency E",
		"reason codes.self-harm 248062006")
}

// linesAreThere looks into the profile whether each line says what it is said to say.
func (p *process) linesAreThere(t *testing.T, applied []reading.Applied, wanted ...string) {
	t.Helper()
	file, err := os.ReadFile("reading/profiles/default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines, found := strings.Split(string(file), "\n"), []string{}
	for _, one := range applied {
		found = append(found, one.At+" "+one.Key+" "+one.Entry)
		if one.File != "default.yaml" || !strings.Contains(lines[one.Line-1], one.Entry) {
			t.Errorf("%+v: that line is %q", one, lines[one.Line-1])
		}
	}
	for _, want := range wanted {
		if !slices.ContainsFunc(found, func(have string) bool { return strings.HasPrefix(have, want[:len(want)-1]) }) {
			t.Errorf("no line %q among %q", want, found)
		}
	}
}

func TestAnOperatorSeesHowAMessageCameAndNotWhatItSays(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	id := p.raised(t)[1].ID
	taken := read[messageTaken](t, p, opera, "GET", "/api/messages/"+id+"/content", "")
	for _, piece := range taken.Segments {
		for _, field := range piece.Fields {
			if technical := piece.Name == "MSH" || piece.Name == "EVN"; !technical &&
				(field.Value != "" || !field.Hidden) {
				t.Errorf("an operator sees %+v", field)
			}
		}
	}
	for _, line := range taken.Lines {
		if !strings.HasPrefix(line.At, "MSH") {
			t.Errorf("an operator sees the line %+v", line)
		}
	}
	dry := read[dryRunShown](t, p, opera, "POST", "/api/messages/"+id+"/dry-run", `{"profile":"default"}`)
	if dry.Outcome != "raised" || dry.Facts != nil {
		t.Errorf("an operator's dry run: %+v", dry)
	}
	elsewhere := principal.Principal{Organisation: "RZZ", Role: string(schemas.Navigator), Subject: "navigator-2"}
	p.must(t, http.StatusNotFound, elsewhere, "GET", "/api/messages/"+id+"/content", "")
	p.must(t, http.StatusNotFound, elsewhere, "POST", "/api/messages/"+id+"/dry-run", `{"profile":"default"}`)
	p.must(t, http.StatusNotFound, elsewhere, "POST", "/api/messages/"+id+"/read-again", "")
	p.must(t, http.StatusForbidden, liaison, "GET", "/api/messages/"+id+"/content", "")
}

func TestWhatBecameOfAVisitIsFoundByItsNumber(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	lines := p.raised(t)
	for _, who := range []principal.Principal{guide, opera} {
		found := read[messagesFound](t, p, who, "POST", "/api/messages/search", `{"visit":" V1 "}`)
		if len(found.Items) != 2 || found.Items[1].ID != lines[1].ID || found.Items[1].Journey == "" {
			t.Errorf("%s finds %+v", who.Role, found.Items)
		}
	}
	elsewhere := principal.Principal{Organisation: "RZZ", Role: string(schemas.Navigator), Subject: "navigator-2"}
	if found := read[messagesFound](t, p, elsewhere, "POST", "/api/messages/search",
		`{"visit":"V1"}`); len(found.Items) > 0 {
		t.Errorf("another organisation finds %+v", found.Items)
	}
	p.must(t, http.StatusUnprocessableEntity, guide, "POST", "/api/messages/search", `{"visit":""}`)
	var kept int
	if err := p.site.db.Admin().QueryRow(t.Context(), `select count(*) from intake.search where looked_by = 'visit'`).
		Scan(&kept); err != nil || kept != 3 {
		t.Errorf("%d searches are kept, %v", kept, err)
	}
}

func TestMessagesAreListedByTimeAndSender(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	all := p.raised(t)
	count := func(query string) int {
		return len(read[httpx.List[LedgerLine]](t, p, opera, "GET", "/api/messages?"+query, "").Items)
	}
	day := func(days int) string { return evening.AddDate(0, 0, days).In(p.zone).Format(time.DateOnly) }
	first, second := all[0].ReceivedAt, all[1].ReceivedAt
	for query, want := range map[string]int{"from=" + day(0) + "&to=" + day(0): 2, "from=" + day(1): 0,
		"to=" + day(-1):              0,
		"sender=EPR&from=" + day(-1): 2, "sender=OTHER": 0,
		"to=" + url.QueryEscape(second.Add(time.Hour).Format(time.RFC3339)):   2,
		"from=" + url.QueryEscape(first.Add(-time.Hour).Format(time.RFC3339)): 2} {
		if got := count(query); got != want {
			t.Errorf("%s lists %d, not %d", query, got, want)
		}
	}
	p.must(t, http.StatusBadRequest, opera, "GET", "/api/messages?from=yesterday", "")
}

func TestADryRunByAnotherProfileKeepsNothing(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	id := p.raised(t)[1].ID
	base, err := os.ReadFile("reading/profiles/default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	other, err := reading.ReadProfile(base,
		[]byte("profile: other\nversion: 1\nsenders: [OTHER]\nprocessingIDs: [T]\n"))
	if err != nil {
		t.Fatal(err)
	}
	site := p.site
	p.stop()
	p = site.start()
	p.profiles.BySender["OTHER"] = other
	before := p.rows(t)
	same := read[dryRunShown](t, p, guide, "POST", "/api/messages/"+id+"/dry-run", `{"profile":"default"}`)
	if same.Outcome != "raised" || same.Before != 1 || len(same.Lines) == 0 {
		t.Errorf("by its own profile it becomes %+v", same)
	}
	refused := read[dryRunShown](t, p, guide, "POST", "/api/messages/"+id+"/dry-run", `{"profile":"other"}`)
	if refused.Outcome != "rejected" || refused.Profile != "other" || refused.Words == "" {
		t.Errorf("by another profile it becomes %+v", refused)
	}
	p.must(t, http.StatusUnprocessableEntity, guide, "POST", "/api/messages/"+id+"/dry-run", `{"profile":"none"}`)
	if after := p.rows(t); after != before {
		t.Errorf("a dry run wrote: %s, then %s", before, after)
	}
}

// TestADryRunHoldsNobodyUp: it reads a visit of many messages a few at a time, and neither waits for who decides about
// the message meanwhile nor holds them up.
func TestADryRunHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client, h := p.dial(t), newHospital()
	h.number, h.application = "V1", "EPR"
	const earlier = beforeAtOnce + 3
	for range earlier {
		if ack := send(t, client, h.message("A08")); ack.Code != "AA" {
			t.Fatalf("answered %+v", ack)
		}
	}
	if ack := send(t, client, h.message("A03", reason("248062006", "", "SCT"))); ack.Code != "AA" {
		t.Fatalf("answered %+v", ack)
	}
	last := read[httpx.List[LedgerLine]](t, p, guide, "GET", "/api/messages?sender=EPR&outcome=raised", "").Items[0].ID
	tx, err := p.site.db.Admin().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `select from intake.message where id = $1::uuid for update`, last); err != nil {
		t.Fatal(err)
	}
	dry := read[dryRunShown](t, p, guide, "POST", "/api/messages/"+last+"/dry-run", `{"profile":"default"}`)
	if dry.Outcome != "raised" || dry.Before != earlier {
		t.Errorf("after %d earlier messages it becomes %+v", earlier, dry)
	}
}

// rows counts what is kept of messages, visits, people and events.
func (p *process) rows(t *testing.T) (counts string) {
	t.Helper()
	for _, table := range []string{"message", "visit", "person", "journey", "outbox", "receipt"} {
		var n int
		if err := p.site.db.Admin().QueryRow(t.Context(), `select count(*) from intake.`+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		counts += fmt.Sprintf("%s %d ", table, n)
	}
	return counts
}

func TestARefusedMessageIsReadAgainOnceInTheNameOfWhoAsks(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	p := site.start()
	strict := *p.profiles.Fallback
	strict.ProcessingIDs = []string{"T"}
	p.profiles.BySender["EPR"] = &strict
	h := newHospital()
	client := p.dial(t)
	if ack := send(t, client, h.message("A03", reason("248062006", "", "SCT"))); ack.Code != "AR" {
		t.Fatalf("answered %+v", ack)
	}
	line := read[httpx.List[LedgerLine]](t, p, opera, "GET", "/api/messages", "").Items[0]
	again := "/api/messages/" + line.ID + "/read-again"
	if taken := read[messageTaken](t, p, opera, "GET", "/api/messages/"+line.ID+"/content", ""); !taken.ReadAgain {
		t.Error("it is not said that it may be read again")
	}
	p.must(t, http.StatusUnprocessableEntity, opera, "POST", again, "") // the profile is as it was
	p.stop()
	p = site.start()
	for range 2 { // the second asks for what has been done
		done := read[LedgerLine](t, p, opera, "POST", again, "")
		if done.Outcome != "raised" || done.Journey == "" || !strings.Contains(done.DecidedBy, "operator-1") {
			t.Errorf("read again it is %+v", done)
		}
	}
	var begun, waits int
	if err := p.site.db.Admin().QueryRow(t.Context(), `select count(*) filter (where subject like
		'%discharge.recorded%'),
		count(*) filter (where subject like '%message.%') from intake.outbox`).Scan(&begun, &waits); err != nil ||
		begun != 1 || waits != 0 {
		t.Errorf("%d journeys begun, %d events of messages, %v", begun, waits, err)
	}
}

func TestWhatWaitsOrWasUsedIsNotReadAgain(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	for _, line := range append([]LedgerLine{p.undecided(t)}, p.raisedOf(t, "V2")...) {
		p.must(t, http.StatusConflict, opera, "POST", "/api/messages/"+line.ID+"/read-again", "")
		if taken := read[messageTaken](t, p, opera, "GET", "/api/messages/"+line.ID+"/content", ""); taken.ReadAgain {
			t.Errorf("%+v is said to be there to be read again", line)
		}
	}
}

func TestATreeIsTakenApartWithWhoItIsAboutHidden(t *testing.T) {
	t.Parallel()
	profiles, err := reading.ShippedProfiles()
	if err != nil {
		t.Fatal(err)
	}
	taken := profiles.Fallback.Dissect([]byte(`{"resourceType":"Bundle","type":"message","entry":[{"resource":{
		"resourceType":"Patient","name":[{"family":"Example"}],"birthDate":"1990-04-01","active":true,
		"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}]}},{"resource":{
		"resourceType":"Encounter","status":"finished","class":{"code":"EMER"},"note":[{"text":"Ada"}],"ada example":1}}],
		"code":"Ada Example"}`))
	text, err := json.Marshal(taken)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Example", "Ada", "9990000107", "1990", "ada"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the tree shows %q: %s", secret, text)
		}
	}
	for _, open := range []string{"Patient", "Encounter", "finished", "EMER", "class.code"} {
		if !strings.Contains(string(text), open) {
			t.Errorf("the tree does not show %q: %s", open, text)
		}
	}
}
