package flow_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/flow/flowtest"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

// keeper is a small service of flow's shape: of each journey it keeps the newest word, and gives it out when it
// changes.
var keeperTables fs.FS = fstest.MapFS{"0001_keeper.sql": {Data: []byte(`-- +goose Up
create table journey_state (journey uuid primary key, version bigint not null, known jsonb not null, correlation text not null,
	word text not null, all_words text[] not null);
create table kept (journey uuid not null, word text not null, primary key (journey, word));
`)}}

type words struct {
	At   int64    `json:"at"`
	Word string   `json:"word"`
	All  []string `json:"all"`
}

type kept struct {
	flow.Row[words]
	Stored string // the word as it was stored before
}

func (w *words) take(d thing, at int64) {
	if !slices.Contains(w.All, d.Word) {
		w.All = slices.Sorted(slices.Values(append(w.All, d.Word)))
	}
	if at > w.At {
		w.At, w.Word = at, d.Word
	}
}

var keeper = flow.Handler[words, kept]{
	Store: flow.Store[words, kept]{
		Row: func(r *kept) *flow.Row[words] { return &r.Row },
		Columns: []flow.Column[kept]{
			flow.Col("word", "text", func(r *kept) string { return r.State.Word }),
			flow.List("all_words", func(r *kept) []string { return r.State.All }),
		},
		Select: "s.word", Into: func(r *kept) []any { return []any{&r.Stored} },
	},
	Subscriptions: flow.Table(flow.On(askedType, (*words).take)),
	Reconcile: func(_ time.Time, changed []*kept) func(flow.Queuer) error {
		for _, r := range changed {
			if r.Stored != r.State.Word {
				r.Emit(answeredType, thing{Word: r.State.Word})
				r.Stored = r.State.Word
			}
		}
		return func(q flow.Queuer) error {
			for _, r := range changed {
				q.Queue(`insert into kept select $1, word from unnest($2::text[]) as t(word) on conflict do nothing`,
					r.Journey, r.State.All)
			}
			return nil
		}
	},
}

func keeperService() pg.Service {
	return pg.Service{Name: "answerer", Migrations: []pg.MigrationSet{{Name: "flow", FS: flow.Migrations()},
		{Name: "answerer", FS: keeperTables}}}
}

func askedWith(journey, word string, sequence int64) flow.Event {
	text, err := json.Marshal(thing{Word: word})
	if err != nil {
		panic(err)
	}
	return flow.Event{ID: clock.NewRandomID(), Type: askedType, Subject: journey,
		Sequence: flow.FormatSequence(sequence), Correlation: "first of " + journey, Data: text}
}

func TestWhatIsKnownOfAJourneyIsStoredOnceABatchAndEmittedUnderItsVersion(t *testing.T) {
	t.Parallel()
	pool := testkit.Database(t, keeperService()).Pool("answerer")
	s := flowtest.Service[words, kept]{Handler: keeper, Pool: pool, Tables: []string{"kept"}}
	one, other := clock.NewRandomID(), clock.NewRandomID()
	deliver := func(events ...flow.Event) []flow.Emission {
		t.Helper()
		emitted, err := s.Deliver(time.Unix(0, 0), events...)
		if err != nil {
			t.Fatal(err)
		}
		return emitted
	}
	batch := []flow.Event{askedWith(one, "a", 1), askedWith(other, "x", 1), askedWith(one, "c", 3),
		askedWith(one, "b", 2)}
	first := deliver(batch...)
	if len(first) != 2 {
		t.Fatalf("%d emissions for two journeys", len(first))
	}
	for _, e := range first {
		want, last := "x", 1
		if e.Journey == one {
			want, last = "c", 3 // b is older than c, and is known all the same: it is the cause
		}
		if e.Version != 1 || e.Correlation != "first of "+e.Journey || e.Cause.ID != batch[last].ID ||
			e.Data.(thing).Word != want {
			t.Errorf("emitted %+v, caused by %+v", e, e.Cause)
		}
	}
	if again := deliver(batch[0], batch[2], batch[2]); len(again) != 0 {
		t.Errorf("what comes again emits %v", again)
	}
	later := askedWith(one, "d", 4)
	later.Correlation = "of another one"
	if next := deliver(later); len(next) != 1 || next[0].Version != 2 || next[0].Correlation != "first of "+one {
		t.Errorf("then %+v", next)
	}
	r := s.Load(t, one)
	if r.Fresh() || r.Version != 2 || r.Stored != "d" || !slices.Equal(r.State.All, []string{"a", "b", "c", "d"}) {
		t.Errorf("stored %+v", r)
	}
	var all []string
	if err := pool.QueryRow(t.Context(), `select all_words from journey_state where journey = $1`,
		other).Scan(&all); err != nil || !slices.Equal(all, []string{"x"}) {
		t.Errorf("stored %v, %v", all, err)
	}
	s.AgainChangesNothing(t, time.Unix(0, 0), storyOfWords, nil)
	s.Understands(t, []string{askedType})
}

// TestARowThatDoesNotDecodeStopsOnlyItsJourney: the others of its batch are applied, and its own events are parked.
func TestARowThatDoesNotDecodeStopsOnlyItsJourney(t *testing.T) {
	t.Parallel()
	w := &world{t: t, db: testkit.Database(t, service("asker"), keeperService()), server: testkit.NATS(t)}
	asker := w.start("asker", nil, nil)
	pool := w.db.Pool("answerer")
	broken, whole := clock.NewRandomID(), clock.NewRandomID()
	if _, err := pool.Exec(t.Context(), `insert into journey_state values ($1, 1, '{"at": "no number"}', '', '', '{}')`,
		broken); err != nil {
		t.Fatal(err)
	}
	asker.ask(t, broken, "hello")
	asker.ask(t, whole, "hello")
	w.start("answerer", []string{"footbridge.thing.asked.v1.*"}, keeper.Handle)
	testkit.Eventually(t, "the other journey goes on, and the broken one's event is parked", func() bool {
		var applied, parked int
		err := pool.QueryRow(t.Context(), `select (select count(*) from kept where journey = $1), (select count(*)
			from letter where journey = $2
			and reason like '%'||$2||'%')`, whole, broken).Scan(&applied, &parked)
		return err == nil && applied == 1 && parked == 1
	})
	if err := testkit.TwoTrips(pool, func(reads *pgx.Batch) {
		keeper.Store.Lock(reads, map[string]*kept{}, nil, `where s.journey = $1`, broken)
	}, func(*pgx.Batch) error { return nil }); err == nil {
		t.Error("a command would act on what could not be read")
	}
}

func TestAChangeByHandEndsLikeOneByEvents(t *testing.T) {
	t.Parallel()
	pool := testkit.Database(t, keeperService()).Pool("answerer")
	s := flowtest.Service[words, kept]{Handler: keeper, Pool: pool}
	journey := clock.NewRandomID()
	if _, err := s.Deliver(time.Unix(0, 0), askedWith(journey, "a", 1)); err != nil {
		t.Fatal(err)
	}
	records, took := map[string]*kept{}, ""
	var emitted []flow.Emission
	err := testkit.TwoTrips(pool, func(reads *pgx.Batch) {
		keeper.Store.Lock(reads, records, func(id string) { took = id }, `where s.word = $1 for update of s`, "a")
	}, func(writes *pgx.Batch) (err error) {
		records[journey].State.Word = "by hand"
		emitted, err = keeper.Commit(writes, time.Unix(0, 0), []*kept{records[journey]})
		return err
	})
	if err != nil || took != journey || len(emitted) != 1 || emitted[0].Version != 2 || emitted[0].Cause != nil ||
		emitted[0].Correlation != "first of "+journey {
		t.Errorf("took %q, emitted %+v, %v", took, emitted, err)
	}
	other := keeper.Store.Fresh(clock.NewRandomID())
	other.State.Word = "new"
	if err := testkit.TwoTrips(pool, func(*pgx.Batch) {}, func(writes *pgx.Batch) error {
		_, err := keeper.Commit(writes, time.Unix(0, 0), []*kept{other, other}) // given twice, it is committed once
		return err
	}); err != nil {
		t.Error(err)
	}
	if got := s.Load(t, journey).Stored; got != "by hand" {
		t.Errorf("stored %q", got)
	}
}

func TestATypeHasOneLine(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := fmt.Sprint(recover()); p != "flow: two lines for "+askedType {
			t.Errorf("got %v", p)
		}
	}()
	flow.Table(flow.On(askedType, (*words).take), flow.On(askedType, (*words).take))
}

func storyOfWords(rt *rapid.T) (events []flow.Event) {
	for i := range rapid.IntRange(1, 6).Draw(rt, "events") {
		events = append(events, askedWith("", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "word"), int64(i+1)))
	}
	return events
}
