package testkit

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Backup copies all rows of a schema as they are now, and returns what restores it alone, as a site would from a dump:
// with the service's processes stopped. admin is a superuser's pool.
func Backup(tb testing.TB, admin *pgxpool.Pool, schema string) (restore func()) {
	tb.Helper()
	ctx := context.Background()
	rows, err := admin.Query(ctx, `select c.relname, (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
			where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
		from pg_class c where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
			and exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) order by 1`, schema)
	if err != nil {
		tb.Fatal(err)
	}
	columns := map[string]string{}
	var table, names string
	if _, err := pgx.ForEachRow(rows, []any{&table, &names}, func() error { columns[table] = names; return nil }); err != nil {
		tb.Fatal(err)
	}
	do := func(statements ...string) {
		tb.Helper()
		if _, err := admin.Exec(ctx, "begin; "+strings.Join(statements, "; ")+"; commit"); err != nil {
			tb.Fatal(err)
		}
	}
	copies := []string{"create schema kept_" + schema}
	restores := []string{"set local session_replication_role = replica"}
	for table, names := range columns {
		copies = append(copies, "create table kept_"+schema+"."+table+" as select "+names+" from "+schema+"."+table)
		restores = append(restores, "truncate "+schema+"."+table+" cascade")
	}
	for table, names := range columns {
		restores = append(restores, "insert into "+schema+"."+table+" ("+names+") overriding system value select "+names+" from kept_"+schema+"."+table)
	}
	do(copies...)
	return func() { tb.Helper(); do(restores...) }
}
