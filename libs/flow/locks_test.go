package flow_test

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

// held are the locks that a login may try to hold on another service's schema, %[1]s, and on what everybody sees.
var held = func() []string {
	all := []string{
		`select pg_advisory_lock(%[2]s)`, `select pg_advisory_lock_shared(%[2]s)`, `select pg_advisory_lock(n)
			from generate_series(1, 1000) n`,
		`select pg_advisory_xact_lock(hashtext('%[1]s'))`, `select * from %[1]s.outbox for update`, `select *
			from %[1]s.outbox_writer for update`,
		`select * from %[1]s.outbox_writer for key share`, `select %[1]s.flow_fence(%[2]s)`, `select * from pg_class
			for update`, `select count(*) from pg_class, pg_attribute`,
		`declare open cursor with hold for select * from pg_class`, `create index on %[1]s.outbox (n)`, `alter table
			%[1]s.outbox_writer set (fillfactor = 50)`, `notify everybody`,
		`analyze %[1]s.outbox_writer`, `drop schema %[1]s`, `comment on table %[1]s.outbox is 'mine'`,
	}
	for _, mode := range []string{"access share", "row share", "share", "exclusive", "access exclusive"} {
		for _, table := range []string{"%[1]s.outbox_writer", "%[1]s.outbox", "%[1]s.letter", "%[1]s.outbox_stream",
			"pg_class", "pg_authid", "pg_locks"} {
			all = append(all, "lock table "+table+" in "+mode+" mode")
		}
	}
	return all
}()

// TestALoginThatHoldsAllItCanHoldsUpNoService: a login of nobody's, those of another service and of the sentinel hold,
// in open transactions, whatever the database lets them, where advisory locks are everybody's as a managed server has
// them. Processes answer all the same, start, are taken over, make days and drop them.
func TestALoginThatHoldsAllItCanHoldsUpNoService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.adminConn()
	for _, statement := range []string{
		`do $$ declare open regprocedure; begin
			for open in select oid::regprocedure from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname ~ '^pg_(try_)?advisory_' loop
				execute format('grant execute on function %s to public', open);
			end loop;
		end $$`,
		`create role ` + w.db.Name + `_foreign login password 'foreign'`,
	} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	// the cluster is the suite's own
	t.Cleanup(func() { _, _ = w.adminConn().Exec(context.Background(), `drop role `+w.db.Name+`_foreign`) })
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	asker.ask(t, "before", "hello")
	effectsAre(t, answerer, 1)
	foreign, err := url.Parse(w.db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	foreign.User = url.UserPassword(w.db.Name+"_foreign", "foreign")
	holding := 0
	for _, login := range []string{foreign.String(), w.db.URLs["asker"], w.db.URLs[pg.Sentinel]} {
		holding += w.holdAll(login, "answerer", admin)
	}
	holding += w.holdAll(foreign.String(), "asker", admin)
	if holding == 0 {
		t.Fatal("nobody holds anything: this test shows nothing")
	}
	asker.ask(t, "one", "hello")
	effectsAre(t, answerer, 2)
	another := w.start("asker", nil, nil)
	if err := leaveUnpublished(t.Context(), w.db.Pool("asker"), 3); err != nil {
		t.Fatal(err)
	}
	another.ask(t, "two", "hello")
	effectsAre(t, answerer, 6)
	pool, old := w.db.Pool("answerer"), time.Date(2020, 2, 3, 0, 0, 0, 0, time.UTC)
	if err := pg.EnsureDayPartitions(t.Context(), pool, "outbox", pg.ByUUIDv7, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.DropDayPartitionsBefore(t.Context(), pool, "outbox", pg.ByUUIDv7,
		old.AddDate(0, 0, 2)); err != nil {
		t.Fatal(err)
	}
	if err := answerer.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
}

// holdAll opens a transaction for each lock that a login can hold, and keeps it open until the test ends; it returns
// how many that were. Each has its own connection, since a refusal ends a transaction.
func (w *world) holdAll(login, of string, admin *pgx.Conn) (holding int) {
	w.t.Helper()
	var writer int64
	if err := admin.QueryRow(w.t.Context(), `select id from `+of+`.outbox_writer limit 1`).Scan(&writer); err != nil {
		w.t.Fatal(err)
	}
	conn, err := pgx.Connect(w.t.Context(), login)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(w.t.Context(), `begin; set local lock_timeout = '2s'`); err != nil {
		w.t.Fatal(err)
	}
	for _, statement := range held {
		statement = strings.NewReplacer("%[1]s", of, "%[2]s", strconv.FormatInt(writer, 10)).Replace(statement)
		if _, err := conn.Exec(w.t.Context(), `savepoint before`); err != nil {
			w.t.Fatal(err)
		}
		if _, err := conn.Exec(w.t.Context(), statement); err == nil {
			holding++
		} else if _, err := conn.Exec(w.t.Context(), `rollback to savepoint before`); err != nil {
			w.t.Fatal(err)
		}
	}
	return holding
}

// adminConn connects as the database's administrator until the test ends.
func (w *world) adminConn() *pgx.Conn {
	w.t.Helper()
	conn, err := pgx.Connect(context.Background(), w.db.AdminURL)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// TestALockThatHoldsAServiceUpIsTold: an administrator holds the table of writers; readiness says who, and what waited
// is done once the lock is gone.
func TestALockThatHoldsAServiceUpIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	admin := w.adminConn()
	if _, err := admin.Exec(t.Context(),
		`begin; lock table answerer.outbox_writer in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	asker.ask(t, clock.NewID(time.Now()), "hello")
	testkit.Eventually(t, "readiness names who holds it", func() bool {
		err := answerer.Ready()
		return err != nil && strings.Contains(err.Error(), "a lock is held by "+admin.Config().User)
	})
	if _, err := admin.Exec(t.Context(), `rollback`); err != nil {
		t.Fatal(err)
	}
	effectsAre(t, answerer, 1)
	testkit.Eventually(t, "readiness comes back", func() bool { return answerer.Ready() == nil })
}
