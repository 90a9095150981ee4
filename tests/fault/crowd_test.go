package fault

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/hl7"
)

// number reads a size from the environment: the long runs are longer.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%q is not a number", name, text)
	}
	return n
}

// TestTwoProcessesOfEveryService sends discharges through two processes of every service on one database and one
// broker: each leads to one journey, one decision and one offer. FOOTBRIDGE_DISCHARGES says how many.
func TestTwoProcessesOfEveryService(t *testing.T) {
	s, book := newStand(t), newLogbook()
	count := number(t, "FOOTBRIDGE_DISCHARGES", 2000)
	began := time.Now()
	report(t, s, book, count)
	taken := time.Since(began)
	found, err := s.settled(t.Context(), s.admin(), book, 2*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d discharges taken in %.1f s, complete in every service after %.1f s", count, taken.Seconds(),
		time.Since(began).Seconds())
	if len(found) > 0 || book.count() != count {
		t.Errorf("%d acknowledged of %d, and:\n%s", book.count(), count, found)
	}
}

// TestTheCountFindsWhatIsPlanted proves that the count looks: each loss and each double that is planted is found.
func TestTheCountFindsWhatIsPlanted(t *testing.T) {
	s, book, pool := newStand(t), newLogbook(), (*pgxpool.Pool)(nil)
	report(t, s, book, 50)
	pool = s.admin()
	if found, err := s.settled(t.Context(), pool, book, time.Minute); err != nil || len(found) > 0 {
		t.Fatalf("before anything is planted: %v\n%s", err, found)
	}
	for _, p := range s.procs {
		p.takeDown(syscall.SIGKILL)
	}
	const someJourney = `(select journey from intake.visit order by journey limit 1)`
	for _, planted := range []struct{ what, kind, sql string }{
		{"acknowledged, but not in the ledger", "lost", `delete from intake.message where id = (select id
			from intake.message limit 1)`},
		{"acknowledged visits without a journey", "lost", `update intake.visit set journey = gen_random_uuid()
			where number = (select number from intake.visit limit 1)`},
		{"journeys without a decision", "lost", `delete from threshold.decision where journey = ` + someJourney},
		{"journeys with two decisions", "twice", `insert into threshold.decision
			select gen_random_uuid(), journey, organisation, directory, decided_at, cause, matrix
			from threshold.decision limit 1`},
		{"journeys without an offer that stands", "lost", `update followup.offer
			set ended_at = raised_at, state = 'withdrawn' where journey = ` + someJourney},
		{"threshold: care.footbridge.discharge.recorded.v1 not applied", "lost", `update threshold.journey_state
			set known = known - 'begunAt' where journey = ` + someJourney},
		{"journey: care.footbridge.discharge.recorded.v1 not applied", "lost", `delete from journey.timeline_entry
			where event = (select event from journey.timeline_entry
			where type = 'care.footbridge.discharge.recorded.v1' limit 1)`},
		{"followup: events said twice for one cause", "twice", `insert into followup.outbox
			select (substr(id::text, 1, 24) || 'ffffffffffff')::uuid, writer, n, subject, payload
			from followup.outbox limit 1`},
	} {
		if tag, err := pool.Exec(t.Context(), planted.sql); err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("planting %q: %v, %v", planted.what, tag, err)
		}
		found, err := s.inspect(t.Context(), pool, book)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(found, func(f finding) bool {
			return f.kind == planted.kind && f.what == planted.what && f.count > 0
		}) {
			t.Errorf("planted and not found: %s\nfound was:\n%s", planted.what, found)
		}
	}
}

// TestSixConnectionsTwoIntakes sends A01, A08 and A03 of a thousand visits over six connections to two intakes at
// once, so that the messages of a visit meet in different processes: exactly a thousand journeys.
func TestSixConnectionsTwoIntakes(t *testing.T) {
	s, book := newStand(t), newLogbook()
	const visits, connections = 1000, 6
	lanes := make([]chan message, connections)
	for i := range lanes {
		lanes[i] = make(chan message, 3*visits)
	}
	for i := range visits {
		for j, m := range visitMessages("SIX", s.now(), true) {
			lanes[(i+2*j)%connections] <- m
		}
	}
	var senders sync.WaitGroup
	for i, lane := range lanes {
		close(lane)
		client, err := hl7.Dial(t.Context(), s.procs[fmt.Sprintf("intake/%d", 1+i%2)].mllp, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		h := &hospital{stand: s, book: book, name: "SIX", client: client}
		for range 16 { // so many messages are under way on each connection
			senders.Go(func() {
				for m := range lane {
					if !h.send(t.Context(), m) {
						t.Errorf("a message was not accepted: %v", book.other)
					}
				}
			})
		}
	}
	senders.Wait()
	pool := s.admin()
	found, err := s.settled(t.Context(), pool, book, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var journeys int
	if err := pool.QueryRow(t.Context(), `select count(*) from journey.journey`).Scan(&journeys); err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 || journeys != visits {
		t.Errorf("%d journeys of %d visits, and:\n%s%v", journeys, visits, found, book.other)
	}
}
