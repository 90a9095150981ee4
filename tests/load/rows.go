package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// table is a table that the hand-written variants insert into, with its columns and their types.
type table struct {
	name     string
	columns  []column
	conflict string
}

type column struct{ name, kind string }

func newTable(name, conflict string, columns ...string) *table {
	t := &table{name: name, conflict: conflict}
	for _, c := range columns {
		parts := strings.SplitN(c, " ", 2)
		t.columns = append(t.columns, column{parts[0], parts[1]})
	}
	return t
}

// rows are the new rows of one table, one slice a column.
type rows struct {
	table *table
	cells [][]any
}

func (r *rows) add(values ...any) { r.cells = append(r.cells, values) }

func (t *table) into() string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return "insert into " + t.name + " (" + strings.Join(names, ", ") + ")"
}

// inOneStatement writes the statement that inserts all rows of all tables at once, each table by unnest.
func inOneStatement(all []*rows) (sql string, args []any) {
	var b strings.Builder
	b.WriteString("with ")
	for i, r := range all {
		var arrays, names, values []string
		for c, col := range r.table.columns {
			args = append(args, columnOf(r.cells, c, col.kind))
			arrays = append(arrays, fmt.Sprintf("$%d::%s[]", len(args), col.sent()))
			names = append(names, fmt.Sprintf("c%d", c))
			values = append(values, fmt.Sprintf("c%d%s", c, col.cast()))
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "w%d as (%s select %s from unnest(%s) as t(%s) %s)", i, r.table.into(),
			strings.Join(values, ", "),
			strings.Join(arrays, ", "), strings.Join(names, ", "), r.table.conflict)
	}
	b.WriteString(" select")
	return b.String(), args
}

// sent is the type a value is sent as. A kind with a question mark may be null; days, JSON and lists travel as text.
func (c column) sent() string {
	switch c.kind {
	case "date", "json", "jsonb", "text[]", "uuid[]":
		return "text"
	}
	return strings.TrimSuffix(c.kind, "?")
}

func (c column) cast() string {
	if c.sent() == "text" && c.kind != "text" {
		return "::" + c.kind
	}
	return ""
}

func columnOf(cells [][]any, c int, kind string) any {
	switch kind {
	case "bytea":
		return typed[[]byte](cells, c)
	case "timestamptz":
		return typed[time.Time](cells, c)
	case "timestamptz?":
		return typed[*time.Time](cells, c)
	case "bigint":
		return typed[int64](cells, c)
	case "boolean":
		return typed[bool](cells, c)
	}
	return typed[string](cells, c)
}

func typed[T any](cells [][]any, c int) []T {
	column := make([]T, len(cells))
	for i, row := range cells {
		column[i] = row[c].(T)
	}
	return column
}

// oneByOne inserts each row by a statement of its own.
func oneByOne(ctx context.Context, tx pgx.Tx, all []*rows) error {
	for _, r := range all {
		values := make([]string, len(r.table.columns))
		for i, c := range r.table.columns {
			values[i] = fmt.Sprintf("$%d::%s%s", i+1, c.sent(), c.cast())
		}
		sql := r.table.into() + " values (" + strings.Join(values, ", ") + ") " + r.table.conflict
		for _, row := range r.cells {
			if _, err := tx.Exec(ctx, sql, row...); err != nil {
				return fmt.Errorf("writing to %s: %w", r.table.name, err)
			}
		}
	}
	return nil
}

// written drops tables without new rows.
func written(all ...*rows) []*rows {
	var some []*rows
	for _, r := range all {
		if len(r.cells) > 0 {
			some = append(some, r)
		}
	}
	return some
}
