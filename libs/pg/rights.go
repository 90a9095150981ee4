package pg

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// rightsFile stands beside the migrations of a set and says what the service's login may do with each of its tables, in
// statements "grant … on table, table to login;". A table that is named in none may be read, added to and changed; a
// test of the architecture sees that each is named.
const rightsFile = "rights.sql"

// OwnerFunctions are what the owner does for the login; see there.
//
//go:embed migrations/owner.sql
var OwnerFunctions string

// rights is what a service's login may do in its schema.
type rights struct {
	service    string
	statements string   // of all sets, with the login's name
	tables     []string // that the statements name
	digest     string
}

var grantLine = regexp.MustCompile(`(?s)\bon ([a-z0-9_, \n]+?) to login;`)

// rightsOf reads the rights of all sets.
func rightsOf(service string, sets []MigrationSet) (rights, error) {
	r := rights{service: service}
	for _, set := range sets {
		files, err := set.files()
		if err != nil {
			return r, fmt.Errorf("set %q: %w", set.Name, err)
		}
		text, err := fs.ReadFile(files.root, rightsFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return r, fmt.Errorf("set %q: %w", set.Name, err)
		}
		for _, match := range grantLine.FindAllStringSubmatch(string(text), -1) {
			for _, table := range strings.Split(match[1], ",") {
				r.tables = append(r.tables, strings.TrimSpace(table))
			}
		}
		r.statements += strings.ReplaceAll(string(text), " to login;", " to "+quote(Role(service))+";")
	}
	sum := sha256.Sum256([]byte(service + r.statements + OwnerFunctions))
	r.digest = hex.EncodeToString(sum[:])
	return r, nil
}

// granted says whether the schema has these rights; one that a newer release has migrated keeps that release's.
func (r rights) granted(ctx context.Context, conn *pgx.Conn, versions []SchemaVersion) (bool, error) {
	if slices.ContainsFunc(versions, func(v SchemaVersion) bool { return len(v.Unknown) > 0 }) {
		return true, nil
	}
	var done bool
	err := conn.QueryRow(ctx, `select coalesce(obj_description(to_regnamespace(quote_ident($1)), 'pg_namespace'), '') =
		$2`,
		r.service, rightsComment+r.digest).Scan(&done)
	return done, err
}

// rightsComment is the comment on the schema, before the digest of the rights that were granted last.
const rightsComment = "footbridge rights "

// grant grants exactly these rights: what was granted before and is not among them is taken away.
func (r rights) grant(ctx context.Context, conn *pgx.Conn) error {
	login := quote(Role(r.service))
	tables, err := r.schemaTables(ctx, conn)
	if err != nil {
		return err
	}
	var all strings.Builder
	for _, table := range tables {
		fmt.Fprintf(&all, "revoke all on %s from %s;\n", quote(table), login)
		switch {
		case strings.HasPrefix(table, "goose_") || strings.HasPrefix(table, "migration_") || isView(table):
			fmt.Fprintf(&all, "grant select on %s to %s;\n", quote(table), login)
		case !slices.Contains(r.tables, table):
			fmt.Fprintf(&all, "grant select, insert, update on %s to %s;\n", quote(table), login)
		}
	}
	all.WriteString(r.statements)
	all.WriteString(strings.ReplaceAll(OwnerFunctions, "search_path = footbridge,", "search_path = "+quote(r.service)+
		","))
	fmt.Fprintf(&all, "revoke execute on all functions in schema %s from public;\n", quote(r.service))
	fmt.Fprintf(&all, "grant execute on all functions in schema %s to %s;\n", quote(r.service), login)
	fmt.Fprintf(&all, "comment on schema %s is '%s%s';\n", quote(r.service), rightsComment, r.digest)
	_, err = conn.Exec(ctx, all.String())
	return err
}

// isView says whether a table is a view for the sentinel: what a service holds, and what it knows of each journey.
func isView(table string) bool { return table == "held" || table == "account" }

func (r rights) schemaTables(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `select relname::text from pg_class
		where relnamespace = to_regnamespace(quote_ident($1)) and relkind in ('r', 'p', 'v') and not relispartition
		order by 1`, r.service)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// UnnamedTables returns the tables of a migrated schema of which no rights.sql says what the login may do.
func UnnamedTables(ctx context.Context, conn *pgx.Conn, service Service) ([]string, error) {
	r, err := rightsOf(service.Name, service.Migrations)
	if err != nil {
		return nil, err
	}
	tables, err := r.schemaTables(ctx, conn)
	return slices.DeleteFunc(tables, func(table string) bool {
		return slices.Contains(r.tables, table) || strings.HasPrefix(table, "goose_") ||
			strings.HasPrefix(table, "migration_") || isView(table)
	}), err
}
