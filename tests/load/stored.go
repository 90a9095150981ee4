package load

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// storedSource is how many real units are multiplied.
const storedSource = 200

// fill makes a database that holds so many journeys: some are real, the others are their copies under ids of their
// own, in all tables, made by one statement a table.
func (b *bench) fill(ctx context.Context, name string, journeys int) error {
	s := b.stage
	r, err := s.begin(ctx, variant{name: nameFootbridge, start: startBinary(b.Binary)}, emptyDatabase, 0)
	if err != nil {
		return err
	}
	defer r.end(ctx)
	before, err := footprintOf(ctx, r.adminURL, r.conn)
	if err != nil {
		return err
	}
	if _, err := r.closed(ctx, storedSource); err != nil {
		return err
	}
	after, err := footprintOf(ctx, r.adminURL, r.conn)
	if err != nil {
		return err
	}
	r.service.stop()
	r.service = nil
	if err := r.forget(ctx); err != nil {
		return err
	}
	if err := b.multiply(ctx, r.adminURL, after.since(before).rows, journeys/storedSource-1); err != nil {
		return err
	}
	_, err = s.admin.Exec(ctx, "alter database "+pgx.Identifier{r.database}.Sanitize()+" rename to "+
		pgx.Identifier{name}.Sanitize())
	return err
}

func (b *bench) multiply(ctx context.Context, adminURL string, grown map[string]int64, copies int) error {
	db, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(ctx) }()
	// foreign keys hold by construction
	if _, err := db.Exec(ctx, "set session_replication_role = replica"); err != nil {
		return err
	}
	found, err := db.Query(ctx, `select format('%I.%I', n.nspname, c.relname), c.relname,
			array_agg(a.attname::text order by a.attnum), array_agg(format_type(a.atttypid, null) order by a.attnum)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
		where n.nspname = any($1) and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0
		and not a.attisdropped and a.attgenerated = '' and a.attidentity <> 'a'
		group by 1, 2 order by 1`, services)
	if err != nil {
		return err
	}
	type growing struct {
		Name, Short    string
		Columns, Kinds []string
	}
	tables, err := pgx.CollectRows(found, pgx.RowToStructByPos[growing])
	if err != nil {
		return err
	}
	for _, t := range tables {
		if grown[t.Name] == 0 || t.Short == "outbox_writer" {
			continue
		}
		values := make([]string, len(t.Columns))
		for i, column := range t.Columns {
			values[i] = copied(t.Short, column, t.Kinds[i])
		}
		tag, err := db.Exec(ctx, fmt.Sprintf("insert into %s (%s) select %s from %s as o cross join "+
			"generate_series(1, %d) as k",
			t.Name, strings.Join(t.Columns, ", "), strings.Join(values, ", "), t.Name, copies))
		if err != nil {
			return fmt.Errorf("multiplying %s: %w", t.Name, err)
		}
		if tag.RowsAffected() > 0 {
			b.say("  %s: %d rows", t.Name, tag.RowsAffected())
		}
	}
	if _, err := db.Exec(ctx, "vacuum analyze"); err != nil {
		return fmt.Errorf("analysing: %w", err)
	}
	return nil
}

// copied is what a column of a copy holds: ids are shifted alike everywhere, so that they still fit together.
func copied(table, column, kind string) string {
	switch {
	case column == "partner":
		return "o.partner"
	case kind == "uuid":
		return fmt.Sprintf("(left(o.%[1]s::text, 24) || left(md5(o.%[1]s::text || k), 12))::uuid", column)
	case table == "receipt" && column == "control_id", table == "visit" && column == "number":
		return "o." + column + " || '-' || k"
	case table == "person_lookup" && column == "hash":
		return "o.hash || decode(lpad(to_hex(k), 8, '0'), 'hex')"
	}
	return "o." + column
}
