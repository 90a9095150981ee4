package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/hl7"
	"footbridge/schemas"
)

// moments are all places between a message's arrival at intake and its answer, in the order in which it passes them.
var moments = []string{"intake.read", "intake.locked", "flow.committing", "flow.committed", "flow.published",
	"intake.answering", "intake.answered"}

// refuge is the number of the intake that is never killed: senders turn to it with what was not answered.
const refuge = 3

// letter is one message over one door, with what its sender notes of it.
type letter struct {
	door     string
	controls []string // the ledger's control ids, one for each thing the message asks for; of a list, the visit numbers
	send     func(ctx context.Context, s *stand, intake int) (taken bool, answer string)
	moment   string // at which intake died while it was under way
	resends  bool
	acked    bool
	journey  string // of a signal: the journey it is about
}

// letters make a message about somebody new, for each door.
var letters = map[string]func(t *testing.T, s *stand) *letter{
	"mllp": mllpLetter, "events": eventLetter, "form": formLetter, "list": listLetter, "fhir": fhirLetter,
	"signals": signalLetter,
}

// TestAnswersAreNotLostAtAnyMoment kills intake at every place between reading and answering, for every door: once with
// a message that is sent again elsewhere until it is answered, once with one that never is. Whatever was acknowledged
// or sent again is there once; what was neither is there once or not at all, and certainly where its events were being
// published; what is there has been said once, and its journey has a step. FOOTBRIDGE_MOMENT_ROUNDS does all of it so
// many times (once).
func TestAnswersAreNotLostAtAnyMoment(t *testing.T) {
	s := standOf(t, "intake/1", "intake/2", "intake/3", "gateway/1", "gateway/2", "gateway/3", "journey/1")
	jobs := make(chan int)
	go func() {
		defer close(jobs)
		for range number(t, "FOOTBRIDGE_MOMENT_ROUNDS", 1) {
			for _, i := range rand.Perm(2 * len(moments) * len(letters)) {
				jobs <- i
			}
		}
	}()
	var book []*letter
	var mu sync.Mutex
	var victims sync.WaitGroup
	for victim := 1; victim < refuge; victim++ {
		victims.Go(func() {
			for job := range jobs {
				l := letters[slices.Sorted(maps.Keys(letters))[job/2/len(moments)]](t, s)
				l.moment, l.resends = moments[job/2%len(moments)], job%2 == 0
				s.killDuring(t, victim, l)
				mu.Lock()
				book = append(book, l)
				mu.Unlock()
			}
		})
	}
	victims.Wait()
	s.ready(time.Minute)
	s.logf("%d kills; counting", len(book))
	counted := s.settleLetters(t, book)
	s.logf("counted: %s", counted)
}

// killDuring has one intake die at the letter's moment, and returns when the letter has been delivered or given up.
func (s *stand) killDuring(t *testing.T, victim int, l *letter) {
	p := s.procs[fmt.Sprintf("intake/%d", victim)]
	p.takeDown(syscall.SIGKILL)
	arming := "intake.read"
	if strings.HasPrefix(l.moment, "flow.") {
		arming = "intake.locked" // else a timer's transaction would pass it first
	}
	p.bringUp(l.moment + "=kill@1@" + arming)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := until(ctx, 10*time.Millisecond, p.isReady); err != nil {
		t.Errorf("%s is not ready:\n%s", p.name, p.tail())
		return
	}
	_, starts := p.process()
	s.deliver(ctx, t, l, victim)
	if err := until(ctx, 5*time.Millisecond, func() bool { _, now := p.process(); return now > starts }); err != nil {
		t.Errorf("a message over the door %s did not pass %s", l.door, l.moment)
	}
}

// deliver sends a message to one intake and, where its sender does that, to another one until it is taken.
func (s *stand) deliver(ctx context.Context, t *testing.T, l *letter, intake int) {
	var answer string
	for ctx.Err() == nil && !l.acked {
		try, cancel := context.WithTimeout(ctx, patience)
		l.acked, answer = l.send(try, s, intake)
		cancel()
		if !l.resends {
			return
		}
		intake = refuge
		if !l.acked {
			pause(ctx, 50*time.Millisecond)
		}
	}
	if !l.acked {
		t.Errorf("over %s: never taken; the last answer was %s", l.door, answer)
	}
}

// settleLetters waits until everything is as it must be, and says what is not.
func (s *stand) settleLetters(t *testing.T, book []*letter) string {
	t.Helper()
	pool := s.admin()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	var count letterCount
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_ = until(ctx, 500*time.Millisecond, func() bool {
		count = s.countLetters(t, conn.Conn(), book)
		return len(count.wrong) == 0
	})
	for _, wrong := range count.wrong {
		t.Error(wrong)
	}
	return fmt.Sprintf("%d messages, %d acknowledged; of %d neither acknowledged nor sent again there are %v; %d "+
		"journeys; %d events in the tables, %d on the bus",
		len(book), count.acked, count.never, count.neverKept, count.journeys, count.outbox, len(count.onBus))
}

// letterCount is what is there, and what is wrong with it.
type letterCount struct {
	wrong                          []string
	acked, never, journeys, outbox int
	neverKept                      map[string]int // by the moment
	onBus                          map[string]flow.Event
}

func (c *letterCount) wrongf(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// countLetters counts in the tables and on the bus.
func (s *stand) countLetters(t *testing.T, db *pgx.Conn, book []*letter) letterCount {
	t.Helper()
	count := letterCount{onBus: s.readBus(t), neverKept: map[string]int{}}
	kept := keptMessages(t, db)
	for _, l := range book {
		if l.acked {
			count.acked++
		} else if !l.resends {
			count.never++
		}
		there := 0
		for _, control := range l.controls {
			rows := kept[control]
			switch {
			case len(rows) > 1:
				count.wrongf("twice: %s over %s is in the ledger %d times", control, l.door, len(rows))
			case len(rows) == 0 && (l.acked || l.resends):
				count.wrongf("lost: %s over %s at %s, acknowledged %v, sent again %v", control, l.door, l.moment,
					l.acked, l.resends)
			case len(rows) == 1:
				there++
				count.checkSaid(l, control, rows[0])
			}
		}
		if there > 0 && !l.resends && !l.acked {
			count.neverKept[l.moment]++
		}
		if there == 0 && l.moment != "" && slices.Index(moments, l.moment) >= slices.Index(moments, "flow.published") {
			count.wrongf("lost: a message over %s, of which something had been stored at %s", l.door, l.moment)
		}
	}
	s.checkTables(t, db, &count)
	return count
}

// checkSaid: what is in the ledger has been said, once, on its own journey.
func (c *letterCount) checkSaid(l *letter, control, journey string) {
	begins, stops := 0, 0
	for _, e := range c.onBus {
		if e.Subject != journey {
			continue
		}
		switch e.Type {
		case string(schemas.DischargeRecorded), string(schemas.ReferralRequested):
			begins++
		case string(schemas.ContactStopped):
			stops++
		}
	}
	want := 0
	if l.journey != "" {
		want = 1
	}
	if journey == "" || begins != 1 || stops != want || (l.journey != "" && l.journey != journey) {
		c.wrongf("%s over %s: journey %q was begun %d times on the bus, and contact stopped %d times", control, l.door,
			journey, begins, stops)
	}
}

// keptMessages are the journeys of what is in the ledger, duplicates left out, by control id, and of a list by visit.
func keptMessages(t *testing.T, db *pgx.Conn) map[string][]string {
	t.Helper()
	rows, err := db.Query(t.Context(), `select case m.sender when 'list' then v.number else m.control_id
		end, coalesce(m.journey, v.journey, j.id)::text from intake.message m
		left join intake.visit v on v.id = m.visit
		left join intake.journey j on j.person = m.person
		where m.outcome in ('raised', 'raised-flagged', 'corrected')`)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string][]string{}
	var control string
	var journey *string
	if _, err := pgx.ForEachRow(rows, []any{&control, &journey}, func() error {
		kept[control] = append(kept[control], deref(journey))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return kept
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// checkTables asks what must hold whatever was sent.
func (s *stand) checkTables(t *testing.T, db *pgx.Conn, count *letterCount) {
	t.Helper()
	for what, sql := range map[string]string{
		"intake's journeys without one in the timeline, or without an open step": `select j.id::text
			from intake.journey j
			left join journey.journey t on t.id = j.id left join journey.step s on s.id = t.holding_step
			and s.state = 'open' where s.id is null`,
		"journeys of no message": `select id::text from journey.journey t where not exists (select 1
			from intake.journey j where j.id = t.id)`,
		"journeys without a beginning": `select id::text from journey.journey where began_at is null`,
		"parked or dead": `select reason from journey.parked union all select reason
			from journey.dead_letter union all select reason from intake.parked`,
		"events not applied": `select id::text from intake.outbox o
			where subject not like 'footbridge.message.%' and not exists (select 1 from journey.timeline_entry t
			where t.event = o.id)`,
	} {
		rows, err := db.Query(t.Context(), sql)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(wrong) > 0 {
			count.wrongf("%s: %d, e.g. %s", what, len(wrong), wrong[0])
		}
	}
	rows, err := db.Query(t.Context(), `select id::text from intake.outbox union all select id::text
		from journey.outbox`)
	if err != nil {
		t.Fatal(err)
	}
	written, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	count.outbox = len(written)
	for _, id := range written {
		if _, there := count.onBus[id]; !there {
			count.wrongf("lost: event %s is in a table and not on the bus", id)
		}
	}
	if len(count.onBus) > len(written) {
		count.wrongf("twice: %d events on the bus, and %d in the tables", len(count.onBus), len(written))
	}
	if err := db.QueryRow(t.Context(), `select count(*) from journey.journey`).Scan(&count.journeys); err != nil {
		t.Fatal(err)
	}
}

// readBus gives every event on the bus, once: readers tell repetitions by the id.
func (s *stand) readBus(t *testing.T) map[string]flow.Event {
	t.Helper()
	conn, err := s.owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := conn.JS.Stream(t.Context(), events.Name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]flow.Event{}
	for n := max(1, info.State.FirstSeq); n <= info.State.LastSeq; n++ {
		msg, err := stream.GetMsg(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		e, err := flow.Unmarshal(msg.Data)
		if err != nil {
			t.Fatalf("message %d on the bus: %v", n, err)
		}
		all[e.ID] = e
	}
	return all
}

// mllpLetter is a discharge over MLLP, on a connection of its own.
func mllpLetter(_ *testing.T, s *stand) *letter {
	m := visitMessages("MOMENTS", s.now(), false)[0]
	return &letter{door: "mllp", controls: []string{m.id}, send: func(ctx context.Context, s *stand, intake int) (bool,
		string) {
		client, err := hl7.Dial(ctx, s.procs[fmt.Sprintf("intake/%d", intake)].mllp, nil)
		if err != nil {
			return false, err.Error()
		}
		defer func() { _ = client.Close() }()
		raw, err := client.Send(ctx, m.bytes)
		if err != nil {
			return false, err.Error()
		}
		ack, err := hl7.ParseAck(raw)
		return err == nil && ack.Code == "AA" && ack.ControlID == m.id, string(raw)
	}}
}

// overHTTP sends through the gateway that asks one intake. Taken are these statuses, and no other.
func overHTTP(path, contentType, body string, headers map[string]string, taken ...int) func(ctx context.Context,
	s *stand, intake int) (bool, string) {
	return func(ctx context.Context, s *stand, intake int) (bool, string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost,
			"http://"+s.procs[fmt.Sprintf("gateway/%d", intake)].addr+path, strings.NewReader(body))
		if err != nil {
			return false, err.Error()
		}
		request.Header.Set("Authorization", "Bearer "+hospitalToken)
		request.Header.Set("Content-Type", contentType)
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err.Error()
		}
		defer func() { _ = response.Body.Close() }()
		answer, err := io.ReadAll(response.Body)
		return err == nil && slices.Contains(taken, response.StatusCode),
			fmt.Sprintf("%d %s", response.StatusCode, answer)
	}
}

func eventLetter(_ *testing.T, s *stand) *letter {
	m := reportVisit(s.now())
	return &letter{door: "events", controls: []string{m.id}, send: overHTTP("/events", "application/cloudevents+json",
		string(m.bytes), nil, http.StatusAccepted)}
}

func formLetter(_ *testing.T, _ *stand) *letter {
	visit, nhs, local := newVisit()
	body := fmt.Sprintf(
		`{"referral":"R-%s","visit":%q,"under18":"no","person":{"nhsNumber":%q,"nhsNumberVerified":true,"localId":%q,"familyName":"Sample","birthDate":"1990-04-01"}}`,
		visit, visit, nhs, local)
	return &letter{door: "form", controls: []string{"R-" + visit}, send: overHTTP("/api/referrals", "application/json",
		body, nil, http.StatusAccepted)}
}

func listLetter(_ *testing.T, s *stand) *letter {
	l := &letter{door: "list"}
	list := "visit,local_id,birth_date,left_at,follow_up\n"
	for range 2 {
		visit, _, local := newVisit()
		row := fmt.Sprintf("%s,%s,1990-04-01,%s,yes", visit, local, s.now().Add(-time.Hour).UTC().Format(time.RFC3339))
		l.controls, list = append(l.controls, visit), list+row+"\n"
	}
	l.send = overHTTP("/api/referrals/list", "text/csv", list, nil, http.StatusOK)
	return l
}

// fhirLetter is a request in the Booking and Referral Standard's envelope. A repetition of what was taken is a 409.
func fhirLetter(_ *testing.T, s *stand) *letter {
	_, nhs, local := newVisit()
	id, asked, at := clock.NewRandomID(), clock.NewRandomID(), s.now().UTC().Format(time.RFC3339)
	entry := func(id, resource string) string {
		return fmt.Sprintf(`{"fullUrl":"urn:uuid:%s","resource":%s}`, id, resource)
	}
	const who, from = "5b2f1a52-0000-4000-8000-000000000002", "5b2f1a52-0000-4000-8000-000000000004"
	body := fmt.Sprintf(`{"resourceType":"Bundle","id":"%s","type":"message","timestamp":"%s","entry":[%s]}`, id, at,
		strings.Join([]string{
			entry(clock.NewRandomID(),
				`{"resourceType":"MessageHeader","eventCoding":{"system":"https://fhir.nhs.uk/CodeSystem/message-events-bars","code":"servicerequest-request"},
			"sender":{"reference":"urn:uuid:`+from+`"},"source":{"endpoint":"https://sender.example/fhir"},
			"reason":{"coding":[{"system":"https://fhir.nhs.uk/CodeSystem/message-reason-bars","code":"new"}]},"focus":[{"reference":"urn:uuid:`+asked+`"}]}`),
			entry(asked, `{"resourceType":"ServiceRequest","status":"active","intent":"plan","authoredOn":"`+at+`",
			"category":[{"coding":[{"system":"https://fhir.nhs.uk/CodeSystem/message-category-servicerequest","code":"referral"}]}],"subject":{"reference":"urn:uuid:`+who+`"}}`),
			entry(who,
				`{"resourceType":"Patient","identifier":[{"system":"https://fhir.nhs.uk/id/nhs-number","value":"`+
					nhs+`","extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
			"valueCodeableConcept":{"coding":[{"code":"number-present-and-verified"}]}}]},{"type":{"coding":[{"code":"MR"}]},"value":"`+local+`"}],
			"name":[{"use":"official","family":"Example","given":["Ada"]}],"birthDate":"1990-04-01"}`),
			entry(from,
				`{"resourceType":"Organization","identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"`+organisation+`"}]}`),
		}, ","))
	return &letter{door: "fhir", controls: []string{id},
		send: overHTTP("/fhir/$process-message", "application/fhir+json", body,
			map[string]string{"X-Request-Id": id, "X-Correlation-Id": clock.NewRandomID()}, http.StatusOK,
			http.StatusConflict)}
}

// signalLetter is a report of somebody's death, whose discharge was taken before.
func signalLetter(t *testing.T, s *stand) *letter {
	m := reportVisit(s.now())
	var report struct {
		Data struct {
			Person struct{ NHSNumber string }
		}
	}
	var taken struct{ Journey string }
	send := overHTTP("/events", "application/cloudevents+json", string(m.bytes), nil, http.StatusAccepted)
	ok, answer := send(t.Context(), s, refuge)
	_, text, _ := strings.Cut(answer, " ")
	if json.Unmarshal(m.bytes, &report) != nil || json.Unmarshal([]byte(text), &taken) != nil || !ok {
		t.Errorf("the discharge before a signal: %s", answer)
	}
	id := clock.NewRandomID()
	body := fmt.Sprintf(
		`{"specversion":"1.0","id":"%s","source":"uk.nhs.personal-demographics-service","type":"pds-death-notification-1","time":"%s","subject":%q}`,
		id, s.now().UTC().Format(time.RFC3339), report.Data.Person.NHSNumber)
	return &letter{door: "signals", controls: []string{"uk.nhs.personal-demographics-service " + id},
		journey: taken.Journey,
		send:    overHTTP("/api/signals", "application/json", body, nil, http.StatusAccepted)}
}
