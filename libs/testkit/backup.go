package testkit

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Administrator is a superuser's connection or pool.
type Administrator interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Backup copies all rows of a schema as they are now, and returns what restores it alone, as a site would from a dump:
// with the service's processes stopped. admin is a superuser's pool.
func Backup(tb testing.TB, admin *pgxpool.Pool, schema string) (restore func()) {
	tb.Helper()
	ctx := context.Background()
	again, err := BackupTo(ctx, admin, schema)
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		tb.Helper()
		if err := again(ctx, admin); err != nil {
			tb.Fatal(err)
		}
	}
}

// BackupTo is Backup where the database may fail meanwhile: both parts can be tried again. Processes may run while the
// copy is made, which is of one moment, and replaces an earlier one.
func BackupTo(ctx context.Context, admin Administrator, schema string) (restore func(context.Context,
	Administrator) error, err error) {
	rows, err := admin.Query(ctx, `select c.relname, (select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
		from pg_attribute a
			where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
		from pg_class c where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
			and exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
			order by 1`, schema)
	if err != nil {
		return nil, fmt.Errorf("listing the tables of %s: %w", schema, err)
	}
	kept := "kept_" + schema
	copies := []string{"drop schema if exists " + kept + " cascade", "create schema " + kept}
	var truncates, inserts []string
	var table, names string
	if _, err := pgx.ForEachRow(rows, []any{&table, &names}, func() error {
		copies = append(copies, "create table "+kept+"."+table+" as select "+names+" from "+schema+"."+table)
		truncates = append(truncates, "truncate "+schema+"."+table+" cascade")
		inserts = append(inserts, "insert into "+schema+"."+table+" ("+names+") overriding system value select "+names+
			" from "+kept+"."+table)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("listing the tables of %s: %w", schema, err)
	}
	do := func(ctx context.Context, admin Administrator, statements ...string) error {
		_, err := admin.Exec(ctx, "begin isolation level repeatable read; "+strings.Join(statements, "; ")+"; commit")
		return err
	}
	if err := do(ctx, admin, copies...); err != nil {
		return nil, fmt.Errorf("copying %s: %w", schema, err)
	}
	statements := append([]string{"set local session_replication_role = replica"}, append(truncates, inserts...)...)
	return func(ctx context.Context, admin Administrator) error {
		if err := do(ctx, admin, statements...); err != nil {
			return fmt.Errorf("restoring %s: %w", schema, err)
		}
		return nil
	}, nil
}
