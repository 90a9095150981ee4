package flow_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

const (
	askedType    = "care.footbridge.thing.asked.v1"
	answeredType = "care.footbridge.thing.answered.v1"
)

var testStream = bus.Stream{Name: "TEST_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: 24 * time.Hour,
	MaxBytes: -1}

// effects is what the answering service keeps: one row an event it has applied.
var effects fs.FS = fstest.MapFS{"0001_effects.sql": {Data: []byte(`-- +goose Up
create table effect (event_id uuid primary key, journey text not null, at timestamptz not null);
create table answer (journey text not null);
create table said (journey text primary key, version bigint not null);
create table value (journey text primary key, at bigint not null, word text not null);
`)}}

// world is a database, a broker and any number of processes on them.
type world struct {
	t      *testing.T
	db     *testkit.DB
	server *bus.Server
	tune   func(*flow.Config)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, db: testkit.Database(t, service("asker"), service("answerer")), server: testkit.NATS(t)}
}

func service(name string) pg.Service {
	return pg.Service{Name: name, Migrations: []pg.MigrationSet{{Name: "flow", FS: flow.Migrations()},
		{Name: name, FS: effects}}}
}

// process is one running service.
type process struct {
	*flow.Flow
	pool *pgxpool.Pool
	stop func()
}

type thing struct {
	Word string `json:"word"`
}

func (w *world) start(name string, hears []string, handle flow.Handle) *process {
	w.t.Helper()
	pool := w.db.Pool(name)
	conn := testkit.Connect(w.t, bus.Config{URL: w.server.URL(), Name: name})
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	var durables []bus.Durable
	if handle != nil {
		durables = append(durables, flow.Durable(testStream.Name, name, hears))
	}
	testkit.Keep(w.t, conn, testStream, durables...)
	cfg := flow.Config{
		Service: name, Pool: pool, Bus: conn, Stream: testStream, Clock: clock.Real(), Subjects: hears, Handle: handle,
		StaleAfter: 2 * time.Second, ParkDelay: 10 * time.Millisecond, ParkTries: 3, Log: slog.New(slog.DiscardHandler),
	}
	if w.tune != nil {
		w.tune(&cfg)
	}
	f, err := flow.New(ctx, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("running %s: %v", name, err)
		}
	})
	w.t.Cleanup(stop)
	return &process{Flow: f, pool: pool, stop: stop}
}

func (w *world) startAnswerer() *process {
	return w.start("answerer", []string{"footbridge.thing.asked.v1.*"}, answer)
}

// answer writes one effect, by its key, and gives out one answer for each question: one that comes again has its
// effect.
func answer(tx *flow.Tx, batch []flow.Event) func([]flow.Event) error {
	isNew := effectsOf(tx, batch)
	return func(events []flow.Event) error {
		for _, e := range events {
			if word, err := flow.Decode[thing](e); err != nil || word.Word == "poison" {
				return errors.Join(errors.New("cannot answer that"), err)
			}
			if isNew[e.ID] {
				tx.Emit(flow.Emission{Type: answeredType, Journey: e.Subject, Version: 1, Cause: &e,
					Data: thing{"answer"}})
			}
		}
		return nil
	}
}

// effectsOf queues the effects of events, and notes which were not there yet.
func effectsOf(tx *flow.Tx, batch []flow.Event) (isNew map[string]bool) {
	isNew = map[string]bool{}
	for _, e := range batch {
		tx.Queue(`insert into effect (event_id, journey, at) values ($1, $2, $3) on conflict do nothing
			returning event_id::text`, e.ID, e.Subject, tx.Now).
			Query(func(rows pgx.Rows) error {
				var id string
				_, err := pgx.ForEachRow(rows, []any{&id}, func() error { isNew[id] = true; return nil })
				return err
			})
	}
	return isNew
}

func (p *process) ask(t *testing.T, journey, word string) {
	t.Helper()
	err := p.Do(t.Context(), func(tx *flow.Tx) error {
		tx.Emit(flow.Emission{Type: askedType, Journey: journey, Version: 1, Data: thing{word}})
		return nil
	})
	if err != nil {
		t.Fatalf("asking: %v", err)
	}
}

func count(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil && !pg.IsInfrastructure(err) {
		t.Fatal(err)
	}
	return n
}

func effectsAre(t *testing.T, p *process, want int) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("%d effects", want), func() bool {
		return count(t, p.pool, `select count(distinct event_id) from effect`) >= want
	})
	if got := count(t, p.pool, `select count(*) from effect`); got != want {
		t.Fatalf("%d effects, want %d: something was applied twice", got, want)
	}
	if twice := count(t, p.pool, `select count(*) from (select from outbox
		group by payload::jsonb->>'causationid' having count(*) > 1) as again`); twice > 0 {
		t.Fatalf("%d events were answered twice", twice)
	}
}

func TestEachEventIsAppliedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	for i := range 500 {
		asker.ask(t, fmt.Sprintf("j%d", i), "hello")
	}
	effectsAre(t, answerer, 500)
	if got := count(t, answerer.pool, `select count(*) from outbox`); got != 500 {
		t.Fatalf("%d events given out, want 500", got)
	}
}

func TestTwoProcessesOfAServiceShareTheWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker, one := w.start("asker", nil, nil), w.startAnswerer()
	w.startAnswerer()
	var askers sync.WaitGroup
	for a := range 4 {
		askers.Go(func() {
			for i := range 100 {
				asker.ask(t, fmt.Sprintf("j%d-%d", a, i), "hello")
			}
		})
	}
	askers.Wait()
	effectsAre(t, one, 400)
}

func TestWhatAnotherProcessLeftUnpublishedIsTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answerer := w.startAnswerer()
	// A process that committed and was killed before it could publish: its rows are all that is left of it.
	pool := w.db.Pool("asker")
	if err := leaveUnpublished(t.Context(), pool, 7); err != nil {
		t.Fatal(err)
	}
	w.start("asker", nil, nil)
	effectsAre(t, answerer, 7)
}

// leaveUnpublished writes what a killed process leaves behind: a writer that no longer beats, and its events.
func leaveUnpublished(ctx context.Context, pool *pgxpool.Pool, events int) error {
	if err := pg.EnsureDayPartitions(ctx, pool, "outbox", pg.ByUUIDv7, time.Now(), time.Now()); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, `insert into outbox_writer (id, beats, closed, owner, synced_upto)
		values (4711, 3, false, 4711, 0)`); err != nil {
		return err
	}
	for n := range events {
		id := clock.NewID(time.Now())
		payload, err := flow.Marshal(flow.Event{ID: id, Source: "/footbridge/asker", Type: askedType,
			Subject: fmt.Sprintf("j%d", n), Time: time.Now(), Data: []byte(`{"word":"hello"}`)})
		if err != nil {
			return err
		}
		// n leaves gaps, as a transaction that was rolled back does.
		if _, err := pool.Exec(ctx,
			`insert into outbox (id, writer, n, subject, payload) values ($1, 4711, $2, $3, $4)`, id, 2*n+1,
			fmt.Sprintf("footbridge.thing.asked.v1.j%d", n), string(payload)); err != nil {
			return err
		}
	}
	return nil
}

func TestAWriterClosedByAnotherGoesOnAsANewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	asker.ask(t, "before", "hello")
	if _, err := asker.pool.Exec(t.Context(), `update outbox_writer set closed = true, owner = 1`); err != nil {
		t.Fatal(err)
	}
	asker.ask(t, "after", "hello")
	effectsAre(t, answerer, 2)
	if got := count(t, asker.pool, `select count(distinct writer) from outbox`); got != 2 {
		t.Fatalf("events were written by %d writers, want 2", got)
	}
}

func TestAStreamThatIsDeletedIsRebuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	for i := range 300 {
		asker.ask(t, fmt.Sprintf("j%d", i), "hello")
	}
	effectsAre(t, answerer, 300)
	js := w.admin()
	if err := js.DeleteStream(t.Context(), testStream.Name); err != nil {
		t.Fatal(err)
	}
	asker.ask(t, "new", "hello")
	effectsAre(t, answerer, 301)
	testkit.Eventually(t, "the rebuilt stream holds everything", func() bool { return messages(t, js) >= 602 })
	effectsAre(t, answerer, 301)
}

func TestARebuildEndsWhileEventsAreSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker := w.start("asker", nil, nil)
	for i := range 50 {
		asker.ask(t, fmt.Sprintf("j%d", i), "hello")
	}
	talking, stop := context.WithCancel(t.Context())
	defer stop()
	var talk sync.WaitGroup
	defer talk.Wait()
	defer stop()
	talk.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; talking.Err() == nil; i++ {
			asker.ask(t, fmt.Sprintf("talk%d", i), "hello")
			<-tick.C
		}
	})
	js := w.admin()
	if err := js.DeleteStream(t.Context(), testStream.Name); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the rebuild has ended", func() bool {
		stream, err := js.Stream(t.Context(), testStream.Name)
		if err != nil {
			return false
		}
		created := stream.CachedInfo().Created.UTC().Format(time.RFC3339Nano)
		return count(t, asker.pool, `select count(*) from outbox_stream where created = $1 and rebuilt_seq > 0`,
			created) == 1
	})
}

func TestAPurgedStreamIsRebuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker := w.start("asker", nil, nil)
	for i := range 50 {
		asker.ask(t, fmt.Sprintf("j%d", i), "hello")
	}
	js := w.admin()
	testkit.Eventually(t, "published", func() bool { return messages(t, js) == 50 })
	stream, err := js.Stream(t.Context(), testStream.Name)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the stream is known", func() bool {
		return count(t, asker.pool, `select count(*)
		from outbox_stream`) == 1
	})
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	answerer := w.startAnswerer()
	effectsAre(t, answerer, 50)
}

// TestAStreamThatIsPurgedWhenARebuildIsDueIsRebuilt: the rebuild has another reason, and yet what it publishes is no
// repetition of what the purge has removed a moment ago.
func TestAStreamThatIsPurgedWhenARebuildIsDueIsRebuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker := w.start("asker", nil, nil)
	js := w.admin()
	testkit.Eventually(t, "the stream is known", func() bool {
		return count(t, asker.pool, `select count(*) from outbox_stream`) == 1
	})
	stream, err := js.Stream(t.Context(), testStream.Name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		asker.ask(t, fmt.Sprintf("j%d", i), "hello")
	}
	testkit.Eventually(t, "published", func() bool { return messages(t, js) == 20 })
	if err := flow.AskRebuild(t.Context(), asker.pool, testStream.Name); err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	answerer := w.startAnswerer()
	effectsAre(t, answerer, 20)
}

func TestAnUndisturbedStreamIsPublishedToOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	testkit.Eventually(t, "the empty stream is known", func() bool {
		return count(t, asker.pool, `select count(*) from outbox_stream`) == 1 && count(t, answerer.pool, `select
			count(*) from outbox_stream`) == 1
	})
	for i := range 20 {
		asker.ask(t, fmt.Sprintf("j%d", i), "hello")
	}
	effectsAre(t, answerer, 20)
	looks := time.NewTimer(bus.DedupeWindow + 5*time.Second) // long enough for a rebuild to show
	<-looks.C
	if got := messages(t, w.admin()); got != 40 {
		t.Fatalf("the stream holds %d messages, want 40: something was published again without evidence", got)
	}
}

func TestAConsumerThatIsDeletedIsMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	asker.ask(t, "one", "hello")
	effectsAre(t, answerer, 1)
	if err := w.admin().DeleteConsumer(t.Context(), testStream.Name, "answerer"); err != nil {
		t.Fatal(err)
	}
	asker.ask(t, "two", "hello")
	effectsAre(t, answerer, 2)
}

func TestAnEventThatCannotBeAppliedHoldsNothingUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	for i := range 20 {
		asker.ask(t, fmt.Sprintf("j%d", i), map[bool]string{true: "poison", false: "hello"}[i == 5])
	}
	effectsAre(t, answerer, 19)
	testkit.Eventually(t, "a dead letter", func() bool {
		letters, err := flow.DeadLetters(t.Context(), answerer.pool)
		return err == nil && len(letters) == 1 && letters[0].Journey == "j5"
	})
	if _, err := w.db.Admin().Exec(t.Context(), `update answerer.letter
		set payload = convert_to(replace(convert_from(payload, 'UTF8'), 'poison', 'hello'), 'UTF8')`); err != nil {
		t.Fatal(err)
	}
	if n, err := flow.Redrive(t.Context(), answerer.pool, time.Now()); err != nil || n != 1 {
		t.Fatalf("redriving: %d, %v", n, err)
	}
	effectsAre(t, answerer, 20)
}

func TestAPanicOfAHandlerParksTheEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker := w.start("asker", nil, nil)
	answerer := w.start("answerer", []string{"footbridge.thing.asked.v1.*"},
		func(*flow.Tx, []flow.Event) func([]flow.Event) error {
			return func([]flow.Event) error { panic("a bug") }
		})
	asker.ask(t, "one", "hello")
	testkit.Eventually(t, "a dead letter", func() bool {
		letters, err := flow.DeadLetters(t.Context(), answerer.pool)
		return err == nil && len(letters) == 1
	})
}

func TestTroubleWithTheDatabaseNeverCountsAgainstAnEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var failures atomic.Int32
	asker := w.start("asker", nil, nil)
	answerer := w.start("answerer", []string{"footbridge.thing.asked.v1.*"},
		func(tx *flow.Tx, batch []flow.Event) func([]flow.Event) error {
			if failures.Add(1) <= 6 {
				tx.Queue(`select pg_terminate_backend(pg_backend_pid())`)
			}
			return answer(tx, batch)
		})
	for i := range 10 {
		asker.ask(t, fmt.Sprintf("j%d", i), "hello")
	}
	effectsAre(t, answerer, 10)
	if got := count(t, answerer.pool, `select count(*) from parked`) + count(t, answerer.pool, `select count(*)
		from dead_letter`); got != 0 {
		t.Fatalf("%d events were parked for a fault of the database", got)
	}
}

func TestEventsWaitInTheOutboxWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.Stop()
	dir := t.TempDir()
	port := testkit.FreePort(t)
	server, err := bus.StartServer(bus.ServerConfig{StoreDir: dir, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	w.server = server
	asker := w.start("asker", nil, nil)
	answerer := w.startAnswerer()
	asker.ask(t, "before", "hello")
	effectsAre(t, answerer, 1)
	server.Stop()
	for i := range 30 {
		asker.ask(t, fmt.Sprintf("j%d", i), "hello")
	}
	if server, err = bus.StartServer(bus.ServerConfig{StoreDir: dir, Port: port}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	w.server = server
	js := w.admin()
	testkit.Eventually(t, "what waited is published", func() bool { return messages(t, js) >= 32 })
	effectsAre(t, answerer, 31)
}

func TestAMessageThatIsNoEventIsADeadLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answerer := w.startAnswerer()
	js := w.admin()
	payload, err := flow.Marshal(flow.Event{ID: clock.NewRandomID(), Source: "/x", Type: askedType, Subject: "j",
		Time: time.Now(), Data: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range [][]byte{[]byte("no event at all"), payload} {
		if _, err := js.Publish(t.Context(), "footbridge.thing.asked.v1.j", body); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "two dead letters", func() bool {
		letters, err := flow.DeadLetters(t.Context(), answerer.pool)
		return err == nil && len(letters) == 2
	})
	effectsAre(t, answerer, 0)
}

func TestAFullStreamIsBackPressureNotLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker := w.start("asker", nil, nil)
	js := w.admin()
	small := jetstream.StreamConfig{Name: testStream.Name, Subjects: testStream.Subjects, MaxBytes: 4096,
		Discard: jetstream.DiscardNew, MaxAge: testStream.MaxAge, Duplicates: bus.DedupeWindow, AllowDirect: true}
	if _, err := js.UpdateStream(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		asker.ask(t, fmt.Sprintf("j%d", i), "hello")
	}
	testkit.Eventually(t, "the service says it is not ready", func() bool { return asker.Ready() != nil })
	small.MaxBytes = -1
	if _, err := js.UpdateStream(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	answerer := w.startAnswerer()
	effectsAre(t, answerer, 40)
	testkit.Eventually(t, "the service is ready again", func() bool { return asker.Ready() == nil })
}

func (w *world) admin() jetstream.JetStream {
	w.t.Helper()
	return testkit.Connect(w.t, bus.Config{URL: w.server.URL(), Name: "admin"}).JS
}

func messages(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	stream, err := js.Stream(t.Context(), testStream.Name)
	if err != nil {
		return 0
	}
	return stream.CachedInfo().State.Msgs
}
