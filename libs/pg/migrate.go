package pg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// MigrationSet is a numbered sequence of SQL files (00001_name.sql, goose's format, forward only) with its own
// version table goose_<name> in the schema of whoever migrates, so that libs/flow and a service can each number
// their own.
//
// A file with a line "-- footbridge:breaking" declares that older releases cannot run on what it leaves behind;
// all others must be such that the release before still works, because releases may be deployed in any order.
type MigrationSet struct {
	// Name has lower-case letters, digits and underscores.
	Name string
	// FS holds the files in its root, or in a folder called migrations.
	FS fs.FS
}

// ErrBreaking says that the database has a migration that this binary does not know and cannot live with.
var ErrBreaking = errors.New("the database is ahead of this release, by a breaking migration")

// SchemaVersion compares one set with the database.
type SchemaVersion struct {
	Set string
	// Database is the newest version applied, Binary the newest this program carries; 0 for none.
	Database, Binary int64
	// Pending are versions that this program carries and the database lacks.
	Pending []int64
	// Unknown are versions that the database has and this program does not carry: a newer release was here.
	Unknown []int64
	// Breaking are those of Unknown that were declared breaking.
	Breaking []int64
}

// Migrate brings a service's schema forward to these sets, in their order, as the schema's owner, and grants the
// service's login what the sets' rights.sql say (rights.go). rawURL is a login that may become the owner: the
// administrator of Setup, or a member of the owner roles.
//
// Any number of processes may do it at once: one works under a lock, the others wait. With nothing to do it takes four
// round trips and no lock. It needs a session of its own, so no transaction-pooling proxy in between.
//
// What the database lacks is applied in the order of its numbers, also where one is lower than what was applied before.
// A database that is ahead of the binary is left as it is, with a warning; ErrBreaking is returned where one of the
// migrations ahead is declared breaking. Nothing is ever migrated backwards.
func Migrate(ctx context.Context, rawURL, service string, sets ...MigrationSet) error {
	conn, err := Connect(ctx, rawURL, "footbridge-migrate")
	if err != nil {
		return fmt.Errorf("migrating %s: %w", where(rawURL), advise(err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := becomeOwner(ctx, conn, service); err != nil {
		return fmt.Errorf("migrating %s in %s (with an administrator's URL, or one of a member of %s?): %w", service,
			where(rawURL), Owner(service), err)
	}
	if err := migrate(ctx, conn, service, sets); err != nil {
		return fmt.Errorf("migrating %s in %s: %w", service, where(rawURL), err)
	}
	return nil
}

// becomeOwner makes a session the owner's, whose statements find the service's schema and nothing else.
func becomeOwner(ctx context.Context, conn *pgx.Conn, service string) error {
	_, err := conn.Exec(ctx, `set role `+quote(Owner(service))+`; set search_path = `+quote(service)+
		`; set idle_in_transaction_session_timeout = 0`)
	return err
}

func migrate(ctx context.Context, conn *pgx.Conn, service string, sets []MigrationSet) error {
	versions, err := schemaVersions(ctx, conn, sets)
	if err != nil {
		return err
	}
	if err := judgeAhead(ctx, versions); err != nil {
		return err
	}
	rights, err := rightsOf(service, sets)
	if err != nil {
		return err
	}
	if done, err := rights.granted(ctx, conn, versions); err != nil || done && !anyPending(versions) {
		return err
	}
	if err := lockSchema(ctx, conn); err != nil {
		return fmt.Errorf("waiting for the migration lock: %w", err)
	}
	if versions, err = schemaVersions(ctx, conn, sets); err != nil {
		return err
	}
	if err := judgeAhead(ctx, versions); err != nil {
		return err
	}
	// By the simple protocol, it closes the last query's portal: its snapshot would keep CREATE INDEX CONCURRENTLY
	// waiting.
	if _, err := conn.Exec(ctx, `select`); err != nil {
		return err
	}
	return apply(ctx, conn, service, sets, versions, rights)
}

// SchemaVersions compares the sets with the database that the URL names, and changes nothing.
func SchemaVersions(ctx context.Context, rawURL string, sets ...MigrationSet) ([]SchemaVersion, error) {
	conn, err := Connect(ctx, rawURL, "footbridge-migrate")
	if err != nil {
		return nil, fmt.Errorf("reading schema versions of %s: %w", where(rawURL), advise(err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	versions, err := schemaVersions(ctx, conn, sets)
	if err != nil {
		return nil, fmt.Errorf("reading schema versions of %s: %w", where(rawURL), err)
	}
	return versions, nil
}

func anyPending(versions []SchemaVersion) bool {
	return slices.ContainsFunc(versions, func(v SchemaVersion) bool { return len(v.Pending) > 0 })
}

func judgeAhead(ctx context.Context, versions []SchemaVersion) error {
	for _, v := range versions {
		if len(v.Breaking) > 0 {
			return fmt.Errorf("%w: set %q is at %d (breaking: %v) and this binary knows %d; run the newer release, "+
				"or restore the database from before its migration", ErrBreaking, v.Set, v.Database, v.Breaking,
				v.Binary)
		}
		if len(v.Unknown) > 0 {
			slog.WarnContext(ctx, "the database is ahead of this release; going on, its migrations are not breaking",
				"set", v.Set, "database", v.Database, "binary", v.Binary)
		}
	}
	return nil
}

// lockSchema begins a transaction that holds the schema's lock until it ends: on a table of the owner's, which nobody
// else can lock. It asks again and again, and does not wait inside a statement: a waiting statement holds a snapshot,
// for which CREATE INDEX CONCURRENTLY in the process that has the lock would wait in turn.
func lockSchema(ctx context.Context, conn *pgx.Conn) error {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		_, err := conn.Exec(ctx, `create table if not exists migration_lock ()`)
		if err == nil {
			_, err = conn.Exec(ctx, `begin`)
		}
		if err == nil {
			_, err = conn.Exec(ctx, `lock table migration_lock in exclusive mode nowait`)
		}
		if err == nil {
			return nil
		}
		if _, rollbackErr := conn.Exec(ctx, `rollback`); rollbackErr != nil {
			return rollbackErr
		}
		if !isTaken(err) {
			return fmt.Errorf("preparing the schema (does %s own it?): %w", conn.Config().User, err)
		}
		if err := Pause(ctx, wait); err != nil {
			return err
		}
	}
}

// isTaken: another process has the lock, or makes the table that it is on.
func isTaken(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains([]string{"55P03", "23505", "42P07"}, pgErr.Code)
}

func apply(ctx context.Context, conn *pgx.Conn, service string, sets []MigrationSet, versions []SchemaVersion,
	rights rights) error {
	conf := conn.Config().Copy()
	conf.RuntimeParams["lock_timeout"] = "10s" // a migration that waits for a lock makes everybody behind it wait
	db := stdlib.OpenDB(*conf, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		return becomeOwner(ctx, conn, service)
	}))
	defer db.Close()
	if _, err := db.ExecContext(ctx, `create table if not exists migration_breaking (
		migration_set text not null, version bigint not null, primary key (migration_set, version))`); err != nil {
		return fmt.Errorf("preparing the schema: %w", err)
	}
	for i, set := range sets {
		if len(versions[i].Pending) == 0 {
			continue
		}
		if err := applySet(ctx, db, set, versions[i].Pending); err != nil {
			return fmt.Errorf("set %q: %w", set.Name, err)
		}
	}
	if err := rights.grant(ctx, conn); err != nil {
		return fmt.Errorf("granting rights: %w", err)
	}
	_, err := conn.Exec(ctx, `commit`)
	return err
}

func applySet(ctx context.Context, db *sql.DB, set MigrationSet, pending []int64) error {
	files, err := set.files()
	if err != nil {
		return err
	}
	// Noted before they are applied; a version counts as breaking only once it is in the version table too.
	for _, v := range pending {
		if !files.breaking[v] {
			continue
		}
		if _, err := db.ExecContext(ctx, `insert into migration_breaking values ($1, $2) on conflict do nothing`,
			set.Name, v); err != nil {
			return err
		}
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files.root,
		goose.WithTableName(set.table()), goose.WithDisableGlobalRegistry(true), goose.WithVerbose(false),
		goose.WithAllowOutofOrder(true)) // two branches number apart; what has not been applied is, whatever its number
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func (s MigrationSet) table() string { return "goose_" + s.Name }

// schemaVersions reads what is applied of every set, in two round trips.
func schemaVersions(ctx context.Context, conn *pgx.Conn, sets []MigrationSet) ([]SchemaVersion, error) {
	applied, err := appliedVersions(ctx, conn, sets)
	if err != nil {
		return nil, err
	}
	versions := make([]SchemaVersion, 0, len(sets))
	for _, set := range sets {
		files, err := set.files()
		if err != nil {
			return nil, fmt.Errorf("set %q: %w", set.Name, err)
		}
		versions = append(versions, compare(set.Name, files.versions, applied[set.Name]))
	}
	return versions, nil
}

// appliedVersions returns, for each set, the applied versions and whether each is breaking.
func appliedVersions(ctx context.Context, conn *pgx.Conn, sets []MigrationSet) (map[string]map[int64]bool, error) {
	rows, err := conn.Query(ctx, `select relname::text from pg_class c
		where relnamespace = to_regnamespace(quote_ident(current_schema()))
		and relname like any (array['goose\_%', 'migration\_breaking'])`)
	if err != nil {
		return nil, err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	applied := map[string]map[int64]bool{}
	for _, set := range sets {
		if !slices.Contains(tables, set.table()) {
			continue
		}
		if applied[set.Name], err = appliedOf(ctx, conn, set,
			slices.Contains(tables, "migration_breaking")); err != nil {
			return nil, err
		}
	}
	return applied, nil
}

func appliedOf(ctx context.Context, conn *pgx.Conn, set MigrationSet, breaking bool) (map[int64]bool, error) {
	query := `select version_id, false from ` + quote(set.table()) +
		` where version_id > 0 and is_applied and $1::text is not null`
	if breaking {
		query = `select version_id, exists (select from migration_breaking b where b.migration_set = $1
			and b.version = version_id)
			from ` + quote(set.table()) + ` where version_id > 0 and is_applied`
	}
	rows, err := conn.Query(ctx, query, set.Name)
	if err != nil {
		return nil, err
	}
	applied := map[int64]bool{}
	var version int64
	var isBreaking bool
	_, err = pgx.ForEachRow(rows, []any{&version, &isBreaking}, func() error {
		applied[version] = isBreaking
		return nil
	})
	return applied, err
}

func compare(set string, carried []int64, applied map[int64]bool) SchemaVersion {
	v := SchemaVersion{Set: set}
	for _, version := range carried {
		v.Binary = max(v.Binary, version)
		if _, ok := applied[version]; !ok {
			v.Pending = append(v.Pending, version)
		}
	}
	for version, breaking := range applied {
		v.Database = max(v.Database, version)
		if slices.Contains(carried, version) {
			continue
		}
		v.Unknown = append(v.Unknown, version)
		if breaking {
			v.Breaking = append(v.Breaking, version)
		}
	}
	slices.Sort(v.Unknown)
	slices.Sort(v.Breaking)
	return v
}

type migrationFiles struct {
	root     fs.FS
	versions []int64
	breaking map[int64]bool
}

var (
	migrationName = regexp.MustCompile(`^(\d+)_[a-z0-9_]+\.sql$`)
	breakingLine  = regexp.MustCompile(`(?m)^-- footbridge:breaking\b`)
	setName       = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// files reads the set's folder. A file that is no migration is an error: a misspelt name would be left out in
// silence.
func (s MigrationSet) files() (migrationFiles, error) {
	files := migrationFiles{root: s.FS, breaking: map[int64]bool{}}
	if !setName.MatchString(s.Name) {
		return files, fmt.Errorf("%q cannot name a set of migrations", s.Name)
	}
	if sub, err := fs.Sub(s.FS, "migrations"); err == nil {
		if found, err := fs.Stat(s.FS, "migrations"); err == nil && found.IsDir() {
			files.root = sub
		}
	}
	entries, err := fs.ReadDir(files.root, ".")
	if err != nil {
		return files, err
	}
	for _, entry := range entries {
		if path.Ext(entry.Name()) != ".sql" || entry.Name() == rightsFile {
			continue
		}
		if err := files.add(entry.Name()); err != nil {
			return files, err
		}
	}
	slices.Sort(files.versions)
	return files, nil
}

func (f *migrationFiles) add(name string) error {
	match := migrationName.FindStringSubmatch(name)
	if match == nil {
		return fmt.Errorf("migration %q: want a name like 00001_lower_case.sql", name)
	}
	version, err := strconv.ParseInt(match[1], 10, 64)
	if err != nil || version == 0 || slices.Contains(f.versions, version) {
		return fmt.Errorf("migration %q: its number is zero, too large or used twice", name)
	}
	content, err := fs.ReadFile(f.root, name)
	if err != nil {
		return err
	}
	if !strings.Contains(string(content), "-- +goose Up") {
		return fmt.Errorf("migration %q: lacks the line \"-- +goose Up\"", name)
	}
	f.versions = append(f.versions, version)
	f.breaking[version] = breakingLine.Match(content)
	return nil
}
