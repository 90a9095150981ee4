package load

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/intake"
)

// days are the day partitions of a year and a month.
const days = 400

// TestADaysPartitionIsLockedOnlyWhereItIsMeant looks at what tables of 400 days cost the statements that read or write
// them: how many locks they take, and how long they are planned, which is logged and not held to anything. What writes
// locks the day that it writes to; what reads by an id locks every day, once a transaction, as its plan is one for all
// ids.
func TestADaysPartitionIsLockedOnlyWhereItIsMeant(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, ofService(schemas.Intake, intake.Migrations()))
	pool, now := db.Pool(schemas.Intake), time.Now()
	for _, table := range []string{"outbox", "message"} {
		if err := pg.EnsureDayPartitions(t.Context(), pool, table, pg.ByUUIDv7, now.AddDate(0, 0, 2-days),
			now.AddDate(0, 0, 1)); err != nil {
			t.Fatal(err)
		}
	}
	id := pg.UUIDFloor(now)
	for _, statement := range []struct {
		name, sql string
		args      []any
		most      int // locks; 0: not held to
	}{
		{"an event into the outbox",
			`insert into outbox (id, writer, n, subject, payload) values ($1, 1, 1, 's', '{}')`, []any{id}, 8},
		{"a message by its id", `select id from message where id = $1`, []any{id}, 0},
		{"messages by their ids", `select id from message where id = any($1::uuid[])`, []any{[]string{id}}, 0},
		{"what is newly quarantined", `select journey from held where since > $1 and since <= $2`,
			[]any{now.Add(-time.Hour), now}, 0},
	} {
		locks, planned, again := lockedBy(t, pool.Config().ConnConfig, statement.sql, statement.args...)
		t.Logf("%-28s %4d locks; planned and done in %v, again in %v", statement.name, locks,
			planned.Round(10*time.Microsecond), again.Round(10*time.Microsecond))
		if statement.most > 0 && locks > statement.most {
			t.Errorf("%s takes %d locks, want %d at most", statement.name, locks, statement.most)
		}
	}
}

// lockedBy is how many locks on tables and indexes a statement holds at its end, and how long it takes the first and
// the third time on a connection.
func lockedBy(t *testing.T, cfg *pgx.ConnConfig, sql string, args ...any) (locks int, first, again time.Duration) {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for try := range 3 {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := tx.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", sql, err))
		}
		if again = time.Since(began); try == 0 {
			first = again
		}
		if err := tx.QueryRow(t.Context(), `select count(*) from pg_locks where pid = pg_backend_pid()
			and locktype = 'relation' and relation::regclass::text not like 'pg_%'`).
			Scan(&locks); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return locks, first, again
}
