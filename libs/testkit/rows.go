package testkit

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Rows renders rows as they are stored, with the transaction that wrote each, so that what is written again with the
// same values shows too. Each source is what follows `from`, for instance "step where journey = $1"; key is $1 of all.
func Rows(tb testing.TB, pool *pgxpool.Pool, key any, sources ...string) string {
	tb.Helper()
	var all strings.Builder
	for _, source := range sources {
		table, rest, _ := strings.Cut(source, " ")
		rows, err := pool.Query(context.Background(), `select t.xmin::text || ' ' || to_jsonb(t)::text from `+table+
			` t `+rest+` order by 1`, key)
		if err != nil {
			tb.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			tb.Fatal(err)
		}
		for _, line := range lines {
			all.WriteString(table + " " + line + "\n")
		}
	}
	return all.String()
}
