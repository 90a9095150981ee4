// Package pg is how the services reach PostgreSQL: a pool that has been checked, schemas and roles, migrations,
// day partitions, and what an error means. The private server of `dev` and of the tests is libs/pg/private.
//
// Promises:
//   - Open hands out a pool only when what the rest relies on holds: PostgreSQL 15 or newer, the service's schema
//     as search_path, commits that wait for the disk;
//   - a connection that idles inside a transaction is ended after 15 seconds, so a paused process cannot hold its
//     locks for ever;
//   - Setup and Migrate can be run by any number of processes at once, again and again.
//
// It does not retry statements, knows no table of any service, and never asks the database for the time.
package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// MinVersion is the oldest major version of PostgreSQL that is supported; all SQL stays at its level.
const MinVersion = 15

// idleInTransaction is how long a session may sit inside a transaction without a statement. It must be longer than
// a decision takes in Go between two round trips (milliseconds) and shorter than what others can wait for a lock.
const idleInTransaction = 15 * time.Second

// OpenConfig says what a pool is for. Fields with a default may be left zero.
type OpenConfig struct {
	// Service is the schema that the role's search_path must name, and the application_name. Empty: not checked.
	Service string
	// ByIndex lets the statements of a login without a schema of its own, the sentinel's, go by index as a service's
	// do.
	ByIndex bool
	// MaxConns bounds the pool (10); MinConns are kept open even when idle (0).
	MaxConns, MinConns int
	// Tracer sees every query; nil: none.
	Tracer pgx.QueryTracer
	// Wait is for how long to try again when the server cannot be reached at all (0: fail at once).
	Wait time.Duration
	// AllowUnsafeCommit accepts a login whose commits are acknowledged before they are on disk: for a Hasty service,
	// and for measurements.
	AllowUnsafeCommit bool
}

// Open connects and checks the connection. The error says what is wrong and what to do about it, and never
// contains the password.
func Open(ctx context.Context, rawURL string, cfg OpenConfig) (*pgxpool.Pool, error) {
	conf, err := poolConfig(rawURL, cfg)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("opening pool for %s: %w", where(rawURL), err)
	}
	if err := waitChecked(ctx, pool, cfg); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connecting to %s: %w", where(rawURL), err)
	}
	return pool, nil
}

func poolConfig(rawURL string, cfg OpenConfig) (*pgxpool.Config, error) {
	conf, err := pgxpool.ParseConfig(rawURL)
	if err != nil {
		return nil, fmt.Errorf("reading database URL %s (want postgres://user:password@host:port/database): %w",
			where(rawURL), err)
	}
	conf.MaxConns = int32(cmp.Or(cfg.MaxConns, 10))
	conf.MinConns = int32(cfg.MinConns)
	conf.MaxConnLifetime = 30 * time.Minute // follows a failover or a changed role setting
	conf.MaxConnLifetimeJitter = 5 * time.Minute
	conf.MaxConnIdleTime = time.Minute // what a busy minute took is given back: others of the same login need it
	conf.ConnConfig.ConnectTimeout = 5 * time.Second
	conf.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	conf.ConnConfig.StatementCacheCapacity = 512
	conf.ConnConfig.Tracer = cfg.Tracer
	conf.AfterConnect = TextUUIDs
	setParams(conf.ConnConfig, cfg.Service, cfg.ByIndex)
	return conf, nil
}

// setParams names the session and bounds how long it may idle inside a transaction, unless the URL says otherwise.
// byIndex lets a service's statements go by index where there is one. Each asks for rows by key; but a plan that was
// made while a table was small, and kept, reads all of it, and gets slower with every row until the next ANALYZE
// (measured on intake: the first round trip of a single message grew from 2 ms to 18 ms over 20,000 messages). None
// is long enough for compiling to pay.
//
// One plan by index is as good as another, so that they are made once: else PostgreSQL plans a statement again each
// time that it finds few keys in an array and reckons that this is worth it, which takes longer than doing it.
var byIndex = map[string]string{"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off",
	"jit":             "off",
	"plan_cache_mode": "force_generic_plan"}

func setParams(conf *pgx.ConnConfig, service string, indexed bool) {
	defaults := map[string]string{
		"application_name":                    "footbridge-" + service,
		"idle_in_transaction_session_timeout": fmt.Sprint(idleInTransaction.Milliseconds()),
		"timezone":                            "UTC",
	}
	if service == "" {
		defaults["application_name"] = "footbridge"
	}
	if service != "" || indexed {
		maps.Copy(defaults, byIndex)
	}
	for name, setting := range defaults {
		if _, set := conf.RuntimeParams[name]; !set {
			conf.RuntimeParams[name] = setting
		}
	}
}

func waitChecked(ctx context.Context, pool *pgxpool.Pool, cfg OpenConfig) error {
	deadline := time.Now().Add(cfg.Wait)
	for {
		err := check(ctx, pool, cfg)
		if err == nil || !unreachable(err) || !time.Now().Before(deadline) {
			return advise(err)
		}
		if err := Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func check(ctx context.Context, pool *pgxpool.Pool, cfg OpenConfig) error {
	var version int
	var user, schema, path, commit string
	err := pool.QueryRow(ctx, `select current_setting('server_version_num')::int / 10000, current_user::text,
		coalesce(current_schema(), ''), current_setting('search_path'), current_setting('synchronous_commit')`).
		Scan(&version, &user, &schema, &path, &commit)
	switch {
	case err != nil:
		return err
	case version < MinVersion:
		return fmt.Errorf("the server is PostgreSQL %d and at least %d is needed", version, MinVersion)
	case cfg.Service != "" && schema != cfg.Service:
		return fmt.Errorf("role %q has search_path %q and finds schema %q first, not %q: run the setup with an "+
			"administrator's URL (or deploy/postgres/roles.sql), or ALTER ROLE %s SET search_path = %s; "+
			"and check that this URL is the one of service %q", user, path, schema, cfg.Service,
			quote(user), quote(cfg.Service), cfg.Service)
	case !cfg.AllowUnsafeCommit && !slices.Contains([]string{"on", "remote_apply"}, commit):
		return fmt.Errorf("synchronous_commit is %q for role %q: an event could be sent and then forgotten; "+
			"set it to on (ALTER ROLE %s SET synchronous_commit = on)", commit, user, quote(user))
	}
	return nil
}

// advise adds what to do to the errors that a person meets when a URL or a server is not right.
func advise(err error) error {
	var pgErr *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pgErr) && pgErr.Code[:2] == "28":
		return fmt.Errorf("%w: check user and password in the URL; if the role does not exist yet, run the setup or "+
			"deploy/postgres/roles.sql", err)
	case errors.As(err, &pgErr) && pgErr.Code == "3D000":
		return fmt.Errorf("%w: create it (CREATE DATABASE) or correct the last part of the URL", err)
	case errors.As(err, &pgErr) && pgErr.Code == "53300":
		return fmt.Errorf("%w: raise max_connections or the login's own limit (alter role … connection limit), or "+
			"lower FOOTBRIDGE_DATABASE_CONNECTIONS", err)
	case unreachable(err):
		return fmt.Errorf("%w: check that PostgreSQL is running and that host and port in the URL are right", err)
	}
	return err
}

// unreachable reports that the server is not there, or not yet: refused, starting up or shutting down.
func unreachable(err error) bool {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code == "57P03" || pgErr.Code == "57P01"
	}
	return IsConnectionLost(err)
}

// where names a database without its password, for messages.
func where(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme == "" {
		return "the configured database"
	}
	host := u.Host
	if host == "" {
		host = u.Query().Get("host")
	}
	return fmt.Sprintf("%q as %q at %s", trimSlash(u.Path), u.User.Username(), host)
}

func trimSlash(path string) string {
	if path != "" && path[0] == '/' {
		return path[1:]
	}
	return path
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// Pause waits for d, or returns the context's error when that ends first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ServerTime is the database server's clock. It is asked for by those who compare clocks and by nobody else:
// statements are given the time.
func ServerTime(ctx context.Context, pool *pgxpool.Pool) (time.Time, error) {
	var at time.Time
	if err := pool.QueryRow(ctx, `select clock_timestamp()`).Scan(&at); err != nil {
		return at, fmt.Errorf("asking for the server's time: %w", err)
	}
	return at, nil
}
