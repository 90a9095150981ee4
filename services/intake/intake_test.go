package intake

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/hl7"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/libs/vault"
	"footbridge/schemas"
)

var testStream = bus.Stream{Name: "FOOTBRIDGE_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: 24 * time.Hour,
	MaxBytes: -1}

var intakeService = pg.Service{Name: Name, Migrations: []pg.MigrationSet{{Name: "flow", FS: flow.Migrations()},
	{Name: Name, FS: Migrations()}}}

// site is a database and a broker, with any number of intakes on them.
type site struct {
	t      testing.TB
	db     *testkit.DB
	server *bus.Server
	kek    string
	tls    *tls.Config
	clock  clock.Clock
	host   string // whose it is to place what is agreed with nobody; empty: everybody is agreed with
	agreed []string
	// the loops by time run by themselves; without it a test runs those it is about, and none runs beside it
	due bool
}

func newSite(t testing.TB) *site {
	t.Helper()
	return newSiteOn(t, testkit.Postgres(t))
}

func newSiteOn(t testing.TB, cluster *testkit.Cluster) *site {
	t.Helper()
	return &site{t: t, db: cluster.Database(t, intakeService), server: testkit.NATS(t),
		kek:   filepath.Join(t.TempDir(), "kek"),
		clock: testkit.ClockFrom(evening)}
}

// process is one running intake.
type process struct {
	*Service
	site *site
	mllp string
	http *httptest.Server
	pool *pgxpool.Pool
	stop func()
}

func (s *site) start() *process {
	s.t.Helper()
	t := s.t
	keys, err := vault.OpenOrCreateFile(s.kek)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	conn := testkit.Connect(t, bus.Config{URL: s.server.URL(), Name: Name})
	testkit.Keep(t, conn, testStream, flow.Durable(testStream.Name, Name, schemas.SubjectsSubscribedBy(Name)))
	service, err := New(Config{Pool: s.db.Pool(Name), Vault: keys, Clock: s.clock,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), HTTPPatience: testkit.Patience, TLS: s.tls, Host: s.host,
		Agreed: s.agreed})
	if err != nil {
		t.Fatal(err)
	}
	service.fhirPatience = service.patience // the time limit of FHIR is for the tests that are about it
	wanted := service.FlowConfig(flow.Config{Bus: conn, Stream: testStream, Clock: s.clock})
	if !s.due {
		wanted.Due = nil
	}
	f, err := flow.New(ctx, wanted)
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Attach(ctx, f); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.Run(ctx); err != nil {
			t.Errorf("running flow: %v", err)
		}
	})
	running.Go(func() {
		if err := service.Run(ctx, listener); err != nil {
			t.Errorf("running intake: %v", err)
		}
	})
	p := &process{Service: service, site: s, mllp: listener.Addr().String(), pool: s.db.Pool(Name)}
	p.http = httptest.NewServer(p.mux("system", ""))
	p.stop = sync.OnceFunc(func() { p.http.Close(); cancel(); running.Wait() })
	t.Cleanup(p.stop)
	return p
}

func (p *process) mux(role, source string) http.Handler { return p.muxOf("RXX", role, source) }

func (p *process) muxOf(organisation, role, source string) http.Handler {
	mux := httpx.NewMux(httpx.Options{Clock: p.clock})
	mux.Use(principal.Require(principal.Fixed(principal.Principal{Organisation: organisation, Role: role,
		Subject: "test", Source: source})))
	if err := p.Routes(mux); err != nil {
		panic(err)
	}
	return mux
}

func (p *process) dial(t testing.TB) *hl7.Client {
	t.Helper()
	client, err := hl7.Dial(t.Context(), p.mllp, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func send(t testing.TB, client *hl7.Client, message []byte) hl7.Acknowledgement {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	answer, err := client.Send(ctx, message)
	if err != nil {
		t.Fatalf("sending: %v", err)
	}
	ack, err := hl7.ParseAck(answer)
	if err != nil {
		t.Fatalf("reading the answer %q: %v", answer, err)
	}
	return ack
}

// ledgerNow is every message's outcome and reason, in the order they came.
func (p *process) ledgerNow(t testing.TB) []string {
	t.Helper()
	lines, err := p.ledger(t.Context(), principal.Principal{Role: "operator", Organisation: "X", Subject: "x"},
		ledgerFilter{}, httpx.Page{Limit: 10000})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := len(lines) - 1; i >= 0; i-- {
		out = append(out, strings.TrimSpace(lines[i].Ack+" "+lines[i].Outcome+" "+lines[i].Reason))
	}
	return out
}

// saidAll are all events given out, in order.
func (p *process) saidAll(t testing.TB) (all []flow.Event) {
	t.Helper()
	rows, err := p.site.db.Admin().Query(t.Context(), `select payload from intake.outbox order by writer, n`)
	if err != nil {
		t.Fatal(err)
	}
	var payload []byte
	_, err = pgx.ForEachRow(rows, []any{&payload}, func() error {
		e, err := flow.Unmarshal(payload)
		all = append(all, e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// outbox is the types of all events given out, in order, with the journeys they were about.
func (p *process) outbox(t testing.TB) (types []string, journeys map[string]int) {
	t.Helper()
	journeys = map[string]int{}
	for _, e := range p.saidAll(t) {
		types = append(types, strings.TrimSuffix(strings.TrimPrefix(e.Type, schemas.TypePrefix), ".v1"))
		journeys[e.Subject]++
	}
	return types, journeys
}

func TestAVisitRaisesOneJourneyOverMLLPAndAResendGetsTheSameAnswer(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h, client := newHospital(), p.dial(t)
	messages := [][]byte{h.message("A01", reason("248062006", "", "SCT")),
		h.message("A08", diagnosis("276853009", "", "SCT")), h.message("A03")}
	for _, m := range append(messages, messages[2]) {
		if ack := send(t, client, m); ack.Code != "AA" {
			t.Fatalf("answered %+v", ack)
		}
	}
	expect(t, p.ledgerNow(t), "AA joined not-ended", "AA joined not-ended", "AA raised", "AA duplicate")
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded")
	p.canaries(t, "Example", "Ada", "9990000107", "L42", "19900401", "1990-04-01")
}

// canaries looks for what identifies somebody in every table but the sealed columns.
func (p *process) canaries(t *testing.T, words ...string) {
	t.Helper()
	for _, table := range []string{"message", "visit", "person", "person_lookup", "receipt", "outbox", "consent"} {
		rows, err := p.site.db.Admin().Query(t.Context(), `select row_to_json(t)::text from intake.`+table+` t`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			for _, word := range words {
				if strings.Contains(row, word) || strings.Contains(row, fmt.Sprintf("%x", word)) {
					t.Errorf("table %s shows %q", table, word)
				}
			}
		}
		rows.Close()
	}
}

func TestAReusedControlIDIsNewAndFlagged(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h, client := newHospital(), p.dial(t)
	first := h.message("A11")
	h.control, h.number = 0, "V2"
	send(t, client, first)
	send(t, client, h.message("A11"))
	expect(t, p.ledgerNow(t), "AA cancelled", "AA cancelled control-id-reused")
}

func TestARefusedMessageIsReadAnewOnceTheProfileIsMended(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	h := newHospital()
	arrives, leaves := h.message("A01", reason("248062006", "", "SCT")), h.message("A03")
	h.control = 0
	other := h.message("A08") // under the control id of the arrival
	p := site.start()
	strict := *p.profiles.Fallback
	strict.ProcessingIDs = []string{"T"}
	p.profiles.BySender["EPR"] = &strict
	client := p.dial(t)
	for _, m := range [][]byte{arrives, leaves, arrives, other} {
		if ack := send(t, client, m); ack.Code != "AR" {
			t.Fatalf("answered %+v by a profile that does not take it", ack)
		}
	}
	p.stop()
	p = site.start() // with the profile that takes it
	client = p.dial(t)
	for _, m := range [][]byte{arrives, leaves, leaves} {
		if ack := send(t, client, m); ack.Code != "AA" {
			t.Fatalf("answered %+v by the mended profile", ack)
		}
	}
	refused := "AR rejected processing-id"
	expect(t, p.ledgerNow(t), refused, refused, refused, refused, "AA joined not-ended", "AA raised", "AA duplicate")
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded")
}

func TestHostileFramesAreAnsweredAndTheNextGoodOneWorks(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	conn, err := net.Dial("tcp", p.mllp)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	good := newHospital().message("A04")
	frames := []string{"\x0bhello\x1c\r", "\x0b\x1c\r", "\x0bMSH|^~\\&|A|RXX|B|C|20261120||ORU^R01|1|P|2.4\r\x1c\r",
		"\x0bMSH|^~\\&|A|RX\x1c\r",
		"\x0b" + strings.Repeat("x", 10<<20) + "\x1c\r", "\x0b" + string(good) + "\x1c\r"}
	go func() {
		for _, f := range frames {
			_, _ = conn.Write([]byte(f))
		}
	}()
	var codes []string
	for range frames {
		answer := readFrame(t, conn)
		ack, err := hl7.ParseAck(answer)
		if err != nil {
			t.Fatalf("answer %q: %v", answer, err)
		}
		codes = append(codes, ack.Code)
	}
	expect(t, codes, "AR", "AR", "AR", "AE", "AR", "AA")
	ledger := map[string]int{}
	for _, line := range p.ledgerNow(t) {
		ledger[line]++
	}
	for _, want := range []string{"AR rejected not-hl7", "AR rejected empty", "AR rejected message-type",
		"AE quarantined broken-content",
		"AR rejected too-large", "AA joined not-ended"} {
		if ledger[want] != 1 {
			t.Errorf("no %q in %v", want, ledger)
		}
	}
}

func readFrame(t testing.TB, conn net.Conn) []byte {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(testkit.Patience))
	var frame []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(frame, []byte("\x1c\r")) {
		if _, err := conn.Read(one); err != nil {
			t.Fatalf("reading an answer after %q: %v", frame, err)
		}
		frame = append(frame, one[0])
	}
	return bytes.Trim(frame, "\x0b\x1c\r")
}

func TestManyConnectionsAndTwoIntakesRaiseEachVisitOnce(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	intakes := []*process{site.start(), site.start()}
	const visits = 1000
	work := make(chan []byte, 3*visits)
	for i := range visits {
		h := newHospital()
		h.number, h.patient, h.control = fmt.Sprintf("V%d", i), fmt.Sprintf("L%d", i), 10*i
		work <- h.message("A01", reason("248062006", "", "SCT"))
		work <- h.message("A08", diagnosis("276853009", "", "SCT"))
		work <- h.message("A03")
	}
	close(work)
	var senders sync.WaitGroup
	for c := range 6 {
		client := intakes[c%2].dial(t)
		senders.Go(func() {
			for m := range work {
				answer, err := client.Send(t.Context(), m)
				if ack, ackErr := hl7.ParseAck(answer); err != nil || ackErr != nil || ack.Code != "AA" {
					t.Errorf("answered %q, %v", answer, err)
				}
			}
		})
	}
	senders.Wait()
	types, journeys := intakes[0].outbox(t)
	if len(types) != visits || len(journeys) != visits {
		t.Errorf("%d events about %d journeys, want %d of each", len(types), len(journeys), visits)
	}
}

func TestMessagesOfOneVisitAtOnceRaiseItOnce(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	intakes := []*process{site.start(), site.start()}
	clients := []*hl7.Client{intakes[0].dial(t), intakes[1].dial(t), intakes[0].dial(t)}
	for i := range 40 {
		h := newHospital()
		h.number, h.patient, h.control = fmt.Sprintf("V%d", i), fmt.Sprintf("L%d", i), 10*i
		messages := [][]byte{h.message("A01", reason("248062006", "", "SCT")),
			h.message("A08", diagnosis("276853009", "", "SCT")), h.message("A03")}
		var all sync.WaitGroup
		for c, client := range clients {
			all.Go(func() { _, _ = client.Send(t.Context(), messages[c]) })
		}
		all.Wait()
	}
	types, _ := intakes[0].outbox(t)
	if len(types) != 40 {
		t.Errorf("%d events, want 40: %v", len(types), types)
	}
}

func (p *process) post(t testing.TB, contentType, body string, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.http.URL+"/events",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

const reportData = `{"organisation":"RXX","visit":"E1","inScope":true,"leftAt":"2026-11-20T08:00:00Z",
	"person":{"localId":"L7","familyName":"Example","birthDate":"1990-04-01"},
	"consents":[{"purpose":"follow-up","given":true,"how":"spoken"},{"purpose":"bridging","given":false}]}`

func report(id, data string) string {
	return `{"specversion":"1.0","id":"` + id +
		`","source":"/hospitals/rxx","type":"care.footbridge.discharge.reported.v1",
		"time":"2026-11-20T08:30:00Z","datacontenttype":"application/json","data":` + data + `}`
}

func TestAReportedDischargeIsTakenInEveryModeAndCountedOnce(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	status, body := p.post(t, "application/cloudevents+json", report("1", reportData))
	var first, again eventAnswer
	if err := json.Unmarshal([]byte(body), &first); err != nil || status != http.StatusAccepted || first.ID != "1" ||
		first.Journey == "" {
		t.Fatalf("structured: %d %s", status, body)
	}
	status, body = p.post(t, "application/json", reportData, "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source",
		"/hospitals/rxx",
		"Ce-Type", "care.footbridge.discharge.reported.v1", "Ce-Time", "2026-11-20T08:30:00Z")
	if err := json.Unmarshal([]byte(body), &again); err != nil || status != http.StatusAccepted ||
		again.Journey != first.Journey {
		t.Errorf("binary, the same: %d %s", status, body)
	}
	status, body = p.post(t, "application/cloudevents-batch+json; charset=utf-8",
		"["+report("1", reportData)+","+report("2", strings.NewReplacer("E1", "E2", "L7", "L8").Replace(reportData))+
			",{},"+
			report("3", `{"organisation":"RXX"}`)+","+report("1", strings.Replace(reportData, "E1", "E3", 1))+"]")
	var batch []eventAnswer
	if err := json.Unmarshal([]byte(body), &batch); err != nil || status != http.StatusOK || len(batch) != 5 {
		t.Fatalf("batch: %d %s", status, body)
	}
	var statuses []string
	for _, a := range batch {
		statuses = append(statuses, fmt.Sprint(a.Status))
	}
	expect(t, statuses, "202", "202", "400", "422", "409")
	types, journeys := p.outbox(t)
	expect(t, types, "discharge.recorded", "consent.given", "consent.declined", "discharge.recorded", "consent.given",
		"consent.declined")
	if journeys[first.Journey] != 3 || batch[0].Journey != first.Journey {
		t.Errorf("journeys %v", journeys)
	}
	p.canaries(t, "Example", "1990-04-01")
}

func TestEventsThatAreNoneAreRefusedAndInTheLedger(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	for claim, c := range map[string]struct {
		contentType, body string
		status            int
	}{
		"not JSON": {"application/cloudevents+json", "{", http.StatusBadRequest},
		"no id": {"application/cloudevents+json", `{"specversion":"1.0","source":"/x","type":"y"}`,
			http.StatusBadRequest},
		"unknown type": {"application/cloudevents+json", strings.Replace(report("1", reportData), "discharge.reported",
			"else.said", 1), http.StatusUnprocessableEntity},
		"not an event": {"text/plain", "hello", http.StatusUnsupportedMediaType},
		"XML":          {"application/cloudevents+xml", "<a/>", http.StatusUnsupportedMediaType},
		"too long":     {"application/cloudevents+json", strings.Repeat("x", 2<<20), http.StatusRequestEntityTooLarge},
		"batch of one": {"application/cloudevents-batch+json", report("1", reportData), http.StatusBadRequest},
		"schema broken": {"application/cloudevents+json",
			report("1", `{"organisation":"RXX","visit":"1","inScope":"yes"}`), http.StatusUnprocessableEntity},
	} {
		status, body := p.post(t, c.contentType, c.body)
		if status != c.status || !strings.Contains(body, `"status":`+fmt.Sprint(c.status)) {
			t.Errorf("%s: %d %s", claim, status, body)
		}
	}
	for _, line := range p.ledgerNow(t) {
		if !strings.Contains(line, "rejected") {
			t.Errorf("ledger: %s", line)
		}
	}
	if n := len(p.ledgerNow(t)); n != 8 {
		t.Errorf("%d lines in the ledger, want 8", n)
	}
	if status, body := p.post(t, "application/cloudevents+json",
		report("1", reportData)); status != http.StatusAccepted {
		t.Errorf("the good one after a refused one with its id: %d %s", status, body)
	}
}

func TestFormAndFeedOfOneVisitJoin(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h := newHospital()
	h.number, h.patient = "E1", "L7"
	client := p.dial(t)
	send(t, client, h.message("A04"))
	_, body := p.post(t, "application/cloudevents+json", report("1", reportData))
	send(t, client, h.message("A03"))
	types, journeys := p.outbox(t)
	if len(journeys) != 1 || types[0] != "discharge.recorded" {
		t.Errorf("events %v about %v after %s", types, journeys, body)
	}
	expect(t, p.ledgerNow(t), "AA joined not-ended", "202 raised", "AA joined already-raised")
}

func TestUndecidedMessagesAreReleasedOrDismissedByAHuman(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client := p.dial(t)
	var held []LedgerLine
	for i := range 2 {
		h := newHospital()
		h.number, h.patient, h.control = fmt.Sprintf("V%d", i), fmt.Sprintf("L%d", i), 10*i
		send(t, client, h.message("A01", reason("", "?overdose", "")))
		send(t, client, h.message("A03"))
	}
	navigator := httptest.NewServer(p.mux("navigator", ""))
	t.Cleanup(navigator.Close)
	var list httpx.List[LedgerLine]
	call(t, http.MethodGet, navigator.URL+"/api/messages?outcome=quarantined", http.StatusOK, &list)
	if held = list.Items; len(held) != 2 || held[0].DueAt == nil {
		t.Fatalf("quarantined: %+v", held)
	}
	var released, dismissed, again LedgerLine
	call(t, http.MethodPost, navigator.URL+"/api/messages/"+held[0].ID+"/release", http.StatusOK, &released)
	call(t, http.MethodPost, navigator.URL+"/api/messages/"+held[1].ID+"/dismiss", http.StatusOK, &dismissed)
	call(t, http.MethodPost, navigator.URL+"/api/messages/"+held[0].ID+"/release", http.StatusOK, &again)
	call(t, http.MethodPost, navigator.URL+"/api/messages/"+held[1].ID+"/release", http.StatusConflict, nil)
	call(t, http.MethodPost, navigator.URL+"/api/messages/"+clock.NewID(p.clock.Now())+"/release", http.StatusNotFound,
		nil)
	if released.Outcome != "raised" || released.Journey == "" || dismissed.Outcome != "joined" ||
		again.Journey != released.Journey {
		t.Errorf("released %+v\ndismissed %+v\nagain %+v", released, dismissed, again)
	}
	types, _ := p.outbox(t)
	expect(t, slices.Sorted(slices.Values(types)), "discharge.recorded", "message.quarantined", "message.quarantined",
		"message.released", "message.released")
}

func call(t testing.TB, method, url string, want int, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != want {
		t.Fatalf("%s %s: %d %s", method, url, response.StatusCode, body)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	}
}

func TestOneMessageThatCannotBeStoredHoldsNothingUp(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	_, err := p.site.db.Admin().Exec(t.Context(), `alter table intake.visit add constraint poison check (number <>
		'POISON')`)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		h := newHospital()
		h.number, h.patient, h.control = fmt.Sprintf("V%d", i), fmt.Sprintf("L%d", i), 10*i
		if i == 7 {
			h.number = "POISON"
		}
		client, message := p.dial(t), h.message("A04")
		all.Go(func() {
			if answer, err := client.Send(t.Context(), message); err != nil ||
				!bytes.Contains(answer, []byte("MSA|AA")) {
				t.Errorf("answered %q, %v", answer, err)
			}
		})
	}
	all.Wait()
	counts := map[string]int{}
	for _, line := range p.ledgerNow(t) {
		counts[line]++
	}
	if counts["AA joined not-ended"] != 19 || counts["AA quarantined could-not-be-processed"] != 1 {
		t.Errorf("ledger %v", counts)
	}
}

func TestAnswersAreHeldWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	cluster := testkit.KillableCluster(t)
	s := newSiteOn(t, cluster.Cluster)
	p := s.start()
	h, client := newHospital(), p.dial(t)
	send(t, client, h.message("A01", reason("248062006", "", "SCT")))
	cluster.Kill()
	answered := make(chan hl7.Acknowledgement, 1)
	go func() {
		answer, err := client.Send(context.Background(), h.message("A03"))
		ack, _ := hl7.ParseAck(answer)
		if err != nil {
			t.Errorf("sending: %v", err)
		}
		answered <- ack
	}()
	for p.Ready() == nil { // until the trouble has been noticed
		select {
		case ack := <-answered:
			t.Fatalf("answered %+v without a database", ack)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cluster.Restart()
	if ack := <-answered; ack.Code != "AA" {
		t.Errorf("answered %+v", ack)
	}
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded")
}

func TestTheSentinelSeesWhatIsHeldAndNothingElse(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h, client := newHospital(), p.dial(t)
	send(t, client, h.message("A08", diagnosis("X60", "", "I10")))
	send(t, client, h.message("A03"))
	h.number, h.patient = "", ""
	send(t, client, h.message("A42"))
	sentinel := p.site.db.Pool(pg.Sentinel)
	var held int
	if err := sentinel.QueryRow(t.Context(), `select count(*) from intake.held where journey is not null
		and since is not null`).Scan(&held); err != nil || held != 2 {
		t.Errorf("held %d, %v", held, err)
	}
	if _, err := sentinel.Exec(t.Context(), `select 1 from intake.person`); err == nil {
		t.Error("the sentinel reads persons")
	}
}

func TestAMergeAndAnEndWithoutAVisitNumberFindTheVisit(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h, client := newHospital(), p.dial(t)
	send(t, client, h.message("A01", reason("248062006", "", "SCT")))
	h.patient = "L99"
	send(t, client, h.message("A34", func(w *hl7.Writer) { w.Segment("MRG").Set(1, "L42", "", "", "RXX", "MR") }))
	h.number = ""
	send(t, client, h.message("A03"))
	// Under the record that was given up, after a restart: it leads to the survivor, whose contact stops.
	p.stop()
	q := p.site.start()
	h.patient = "L42"
	send(t, q.dial(t), deathOn(h.message("A31")))
	expect(t, q.ledgerNow(t), "AA joined not-ended", "AA joined merged", "AA raised-flagged merged",
		"AA corrected death-reported")
	types, journeys := q.outbox(t)
	expect(t, slices.Sorted(slices.Values(types)), "discharge.recorded", "person.contact-stopped")
	if len(journeys) != 1 {
		t.Errorf("journeys %v", journeys)
	}
}

func TestVisitsWithoutANumberAreKeptApartByTime(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h, client := newHospital(), p.dial(t)
	h.number, h.at = "", morning.AddDate(0, 0, -9)
	send(t, client, h.message("A01", reason("248062006", "", "SCT")))
	send(t, client, h.message("A03"))
	h.at = morning.Add(-3 * time.Hour)
	send(t, client, h.message("A01", reason("", "Ankle injury", "")))
	send(t, client, h.message("A03"))
	expect(t, p.ledgerNow(t), "AA joined not-ended", "AA raised", "AA joined not-ended", "AA joined nothing-in-scope")
}

func TestAnErasedPersonReadsAsNobody(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h, client := newHospital(), p.dial(t)
	send(t, client, h.message("A04"))
	if _, err := p.site.db.Admin().Exec(t.Context(), `delete from intake.person_key`); err != nil {
		t.Fatal(err)
	}
	send(t, client, h.message("A08", diagnosis("X60", "", "I10")))
	if ack := send(t, client, h.message("A03")); ack.Code != "AA" {
		t.Errorf("answered %+v", ack)
	}
	if ledger := p.ledgerNow(t); !strings.Contains(ledger[2], "raised") {
		t.Errorf("ledger %v", ledger)
	}
}

func TestTheAnswerIsInTheModeTheProfileSays(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client := p.dial(t)
	enhanced := func(application string) []byte {
		h := newHospital()
		h.application, h.number = application, application
		return []byte(replaceOnce(string(h.message("A04")), "|P|2.4",
			map[string]string{"EPR": "|P|2.4|||AL", "SIMHOSP": "|T|2.4|||AL"}[application]))
	}
	if ack := send(t, client, enhanced("EPR")); ack.Code != "CA" {
		t.Errorf("as asked: %+v", ack)
	}
	if ack := send(t, client, enhanced("SIMHOSP")); ack.Code != "AA" {
		t.Errorf("original: %+v", ack)
	}
	expect(t, p.ledgerNow(t), "CA joined not-ended", "AA joined not-ended")
}
