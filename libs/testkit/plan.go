package testkit

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Plan is the plan that PostgreSQL makes of a statement as things stand, by which a service's connection then goes
// whatever is stored later. types are those of its parameters, values are literals of them.
func Plan(t testing.TB, pool *pgxpool.Pool, sql, types, values string) string {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `prepare planned (`+types+`) as `+sql); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), `explain execute planned (`+values+`)`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `deallocate planned`); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
