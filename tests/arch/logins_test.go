package arch

import (
	"errors"
	"fmt"
	"go/token"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/services/bridging"
	"footbridge/services/delivery"
	"footbridge/services/followup"
	"footbridge/services/intake"
	"footbridge/services/journey"
	"footbridge/services/threshold"
	"footbridge/services/traces"
)

// guarded are statements on a service's own tables that its login must not be able to do.
var guarded = map[string][]string{
	"*": {
		`truncate outbox`, `truncate journey_state, outbox`, `delete from outbox`, `update outbox set payload = ''`,
		`delete from inbox`, `update inbox set id = id`,
		`drop table outbox`, `delete from letter`, `update letter set payload = ''`, `alter table outbox drop column
			payload`, `alter table outbox_writer disable trigger all`, `create table mine (i int)`,
		`create temporary table mine (i int)`, `create function mine() returns int language sql as 'select 1'`,
		`drop view held`,
		`alter function flow_fence(bigint) rename to other`, `create
			or replace function outbox_settled(low uuid, high uuid) returns boolean language sql as 'select true'`,
		`lock table outbox in access exclusive mode`, `create index on outbox (n)`,
		`update goose_flow set version_id = 1`, `delete from migration_lock`, `lock table migration_lock in exclusive
			mode`, `insert into migration_breaking values ('flow', 1)`,
		`select pg_advisory_lock(1)`, `select pg_advisory_xact_lock(1)`, `select pg_try_advisory_lock(1, 2)`, `select
			pg_advisory_lock_shared(1)`, `select lo_create(0)`,
		`set role postgres`, `create role mine`, `create schema mine`, `select pg_terminate_backend(pid)
			from pg_stat_activity where usename = 'postgres'`,
		`lock table pg_class in share mode`, `update pg_class set relname = relname`, `create extension dblink`,
	},
	journey.Name: {
		`delete from journey`, `delete from step`, `delete from timeline_entry`, `update timeline_entry
			set sentence = ''`, `delete from turn`, `update turn set reason = ''`,
		`delete from finding`, `update step set first_due_at = due_at`, `update step set due_at = due_at`, `update step
			set opened_by = ''`, `alter table journey drop constraint journey_is_held`,
		`alter table journey drop constraint open_journey_has_a_step`,
		`set constraints all deferred; alter table step drop constraint step_of_journey`,
	},
	intake.Name: {
		`delete from message`, `update message set content_hash = ''`, `update message set received_at = received_at`,
		`update message set organisation = ''`,
		`delete from consent`, `update consent set given = not given`, `update consent set said_at = said_at`, `delete
			from access_log`, `update access_log set subject = ''`,
		`update access_log set refused = ''`, `delete from partner_offer`, `update partner_person
			set id = gen_random_uuid()`, `delete from erasure`, `update erasure set reason = ''`,
		`delete from person`, `delete from visit`, `update legal_hold set placed_by = ''`, `delete from person_merge`,
		`update person_merge set before = '{}'`,
		`update receipt set received_at = received_at`, `delete from journey`, `delete from alarm`,
	},
	threshold.Name: {
		`delete from decision`, `delete from journey_state`, `delete from directory_version`, `delete from asked`,
		`delete from answered`, `delete from override`,
		`update decision set journey = journey`, `update directory_version set content = ''`, `update asked
			set service = ''`, `update answered set answer = ''`,
		`update override set service = ''`, `update told set service = ''`, `delete from told`, `delete from dead_line`,
		`update dead_line set line = ''`, `update look set journey = journey`,
	},
	followup.Name: {
		`delete from offer`, `delete from partner`, `delete from journey_state`, `delete from live`, `update live
			set organisation = ''`, `delete from appointment`,
		`update appointment set starts_at = starts_at`, `update appointment set booked_at = booked_at`, `delete
			from offer_question`, `update offer_question set about = ''`,
	},
	bridging.Name: {
		`delete from call`, `delete from plan`, `delete from journey_state`, `delete from help`, `update help
			set at = at`, `update help set about_id = about_id`, `update help set asked_mark = ''`,
		`update help set kind = ''`, `delete from rota`, `update rota set address = ''`, `delete from page`, `update
			page set at = at`, `delete from rang`, `update rang set call = call`,
		`delete from offer`, `update offer set journey = journey`, `delete from caller`,
	},
	delivery.Name: {`delete from partner_event`, `update partner_event set position = position`, `update partner_event
		set id = id`, `delete from partner`, `delete from offer`, `delete from journey_state`},
}

// ofOthers are statements on another service's schema, %s.
var ofOthers = []string{
	`select * from %s.outbox`, `select * from %s.held`, `select * from %s.account`, `lock table %s.outbox_writer in row
		share mode`, `lock table
		%s.outbox_writer in access share mode`,
	`lock table %s.outbox_stream in share update exclusive mode`, `select %s.make_day('outbox', '2026-01-01')`, `select
		%s.drop_day('outbox', '2026-01-01')`,
	`select %s.flow_fence(1)`, `update %s.outbox_writer set closed = true`, `set role footbridge_%s_owner`,
	`set role footbridge_%s`, `truncate %s.outbox`,
	`create table %s.mine (i int)`,
}

// TestTracesCanOnlyAddAndRead tries what the login of traces must not be able to do: what was done stays what was done.
func TestTracesCanOnlyAddAndRead(t *testing.T) {
	t.Parallel()
	database := testkit.Database(t, keepers()...)
	conn, err := pgx.Connect(t.Context(), database.URL(traces.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if err := pg.CheckLogin(t.Context(), database.URL(traces.Name), traces.Name); err != nil {
		t.Error(err)
	}
	for _, statement := range []string{`delete from fragment`, `update fragment set spans = 0`, `truncate fragment`,
		`drop table fragment`, `select * from journey.step`, `select * from intake.person`,
		`set role footbridge_intake`} {
		if _, err := conn.Exec(t.Context(), statement); !refused(err) {
			t.Errorf("%q was not refused: %v", statement, err)
		}
	}
}

// TestLoginsCanDoOnlyWhatTheyDo tries, as each runtime login, a table of what it must not be able to do.
func TestLoginsCanDoOnlyWhatTheyDo(t *testing.T) {
	t.Parallel()
	database := testkit.Database(t, stateful()...)
	logins := maps.Clone(database.URLs)
	for name, url := range logins {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		var forbidden []string
		for _, other := range stateful() {
			for _, statement := range ofOthers {
				ownHeld := name == pg.Sentinel && (statement == `select * from %s.held` ||
					statement == `select * from %s.account`)
				if other.Name != name && !ownHeld {
					forbidden = append(forbidden, fmt.Sprintf(statement, other.Name))
				}
			}
		}
		if name != pg.Sentinel {
			forbidden = append(append(forbidden, guarded["*"]...), guarded[name]...)
			if err := pg.CheckLogin(t.Context(), url, name); err != nil {
				t.Error(err)
			}
		}
		for _, statement := range forbidden {
			if _, err := conn.Exec(t.Context(), "begin"); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), statement); !refused(err) {
				t.Errorf("as %s, %q was not refused: %v", name, statement, err)
			}
			if _, err := conn.Exec(t.Context(), "rollback"); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// refused says that a right is lacking, or that there is nothing of that name for this login.
func refused(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == "42501" || pgErr.Code == "42P01")
}

func TestEachTableSaysWhatItsLoginMayDo(t *testing.T) {
	t.Parallel()
	database := testkit.Database(t, stateful()...)
	conn, err := pgx.Connect(t.Context(), database.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, service := range stateful() {
		unnamed, err := pg.UnnamedTables(t.Context(), conn, service)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range unnamed {
			t.Errorf("table %s.%s is in no rights.sql: name it, with no more than the service does with it",
				service.Name, table)
		}
	}
}

// TestNoLockIsEverybodys: an advisory lock is open to every login of a database, so none of ours may rest on one.
func TestNoLockIsEverybodys(t *testing.T) {
	t.Parallel()
	tree, err := Read(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tree.Sources() {
		if in(name, "libs/testkit/") || in(name, "tests/") {
			continue
		}
		tree.texts(name, func(text string, at token.Pos) {
			if strings.Contains(text, "advisory_lock(") || strings.Contains(text, "advisory_xact_lock") {
				t.Errorf("%s:%d: takes an advisory lock, which any other login can hold", name, tree.line(at))
			}
		})
	}
}
