package flow_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

// TestARowThatCannotBeDoneStopsOnlyItself: one fails as it is read, one panics, one breaks a constraint at the commit;
// the others are done once each, the three are counted, and readiness stays.
func TestARowThatCannotBeDoneStopsOnlyItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reader := sdkmetric.NewManualReader()
	w.tune = func(c *flow.Config) {
		c.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("flow")
		c.Due = []flow.Due{{Name: "rows", Every: 100 * time.Millisecond, Limit: 4, Run: doRows}}
	}
	if _, err := w.db.Admin().Exec(t.Context(), `create table asker.thing (id text primary key, done int not null
		default 0 check (done < 9));
		insert into asker.thing (id) values ('a'), ('b-fails'), ('c'), ('d-panics'), ('e'), ('f-breaks'), ('g'), ('h');
		grant select, update on asker.thing to public`); err != nil {
		t.Fatal(err)
	}
	asker := w.start("asker", nil, nil)
	testkit.Eventually(t, "the bad rows are set aside",
		func() bool { return gauge(t, reader, "footbridge.flow.aside") == 3 })
	testkit.Eventually(t, "the others are done once each", func() bool {
		var done, most int
		if err := asker.pool.QueryRow(t.Context(),
			`select count(*) filter (where done > 0), max(done) from thing`).Scan(&done, &most); err != nil {
			t.Fatal(err)
		}
		return done == 5 && most == 1
	})
	testkit.Eventually(t, "readiness comes back", func() bool { return asker.Ready() == nil })
}

// TestALoopThatFailedIsTriedAgainSoon: however long its own period is, its process is ready again once the trouble is
// over.
func TestALoopThatFailedIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var away atomic.Bool
	away.Store(true)
	w.tune = func(c *flow.Config) {
		c.Due = []flow.Due{{Name: "seldom", Every: time.Hour, Limit: 1,
			Run: func(context.Context, *flow.Tx, int) (int, error) {
				if away.Load() {
					return 0, pg.ErrNotNow
				}
				return 0, nil
			}}}
	}
	asker := w.start("asker", nil, nil)
	testkit.Eventually(t, "it is said that the work cannot be done", func() bool { return asker.Ready() != nil })
	away.Store(false)
	testkit.Eventually(t, "readiness comes back", func() bool { return asker.Ready() == nil })
}

func doRows(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	var ids []string
	tx.Queue(`select id from thing where done = 0 and id <> all($2) order by id limit $1 for update skip locked`, limit,
		tx.Postponed()).
		Query(func(rows pgx.Rows) error {
			var id string
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
				tx.Attempt(id)
				ids = append(ids, id)
				if id == "b-fails" {
					return errors.New("it does not decode")
				}
				return nil
			})
			return err
		})
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	for _, id := range ids {
		by := 1
		switch id {
		case "d-panics":
			panic("a bad row")
		case "f-breaks":
			by = 9
		}
		tx.Queue(`update thing set done = done + $2 where id = $1`, id, by)
	}
	return len(ids), nil
}

// TestALoopThatFoundNothingLooksAgainAtTheSameInstantOnlyAfterACommit: where one process alone works by a held clock,
// nothing else can have changed what falls due; what is looked for each hour is soon enough at the next instant.
func TestALoopThatFoundNothingLooksAgainAtTheSameInstantOnlyAfterACommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := time.Now().UTC().Truncate(time.Second)
	held := clock.NewHeldAlone(began)
	var often, seldom atomic.Int64
	counts := func(n *atomic.Int64) func(context.Context, *flow.Tx, int) (int, error) {
		return func(context.Context, *flow.Tx, int) (int, error) { n.Add(1); return 0, nil }
	}
	w.tune = func(c *flow.Config) {
		c.Clock = held
		c.Due = []flow.Due{{Name: "often", Every: time.Minute - time.Second, Limit: 1, Run: counts(&often)},
			{Name: "seldom", Every: time.Hour, Limit: 1, Run: counts(&seldom)}}
	}
	asker := w.start("asker", nil, nil)
	looked := func(why string, moreOften, moreSeldom int64, at time.Time) {
		t.Helper()
		before, beforeSeldom := often.Load(), seldom.Load()
		held.MoveTo(at)
		testkit.Eventually(t, "all have looked", held.Settled)
		if o, s := often.Load()-before, seldom.Load()-beforeSeldom; o != moreOften || s != moreSeldom {
			t.Errorf("%s: %d and %d looks, not %d and %d", why, o, s, moreOften, moreSeldom)
		}
	}
	testkit.Eventually(t, "both have looked once", func() bool { return often.Load() == 1 && seldom.Load() == 1 })
	later := began.Add(time.Hour)
	looked("another instant", 1, 1, later)
	looked("the same instant", 0, 0, later)
	if err := asker.Do(t.Context(), func(*flow.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	looked("the same instant after a commit", 1, 0, later)
	looked("the same instant again", 0, 0, later)
	looked("the next instant", 1, 1, later.Add(time.Hour))
}
