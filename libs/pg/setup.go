package pg

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Sentinel is the reader that sees each service's views `held` and `account` and nothing else: role
// footbridge_sentinel.
const Sentinel = "sentinel"

// Service is one owner of a schema.
type Service struct {
	// Name is the schema; the role is footbridge_<name>. Lower-case letters, digits and underscores.
	Name string
	// Migrations bring the schema to what the service needs, in this order.
	Migrations []MigrationSet
	// Hasty says that its login commits without waiting for the disk: a crash of the server loses what was committed in
	// the last second. For what nothing is decided by.
	Hasty bool
}

// Role returns the login role of a service. It owns nothing.
func Role(service string) string { return "footbridge_" + service }

// Owner returns the role that owns a service's schema and all in it. Nobody logs in as it: migrations become it.
func Owner(service string) string { return Role(service) + "_owner" }

// SetupConfig says whom to set up.
type SetupConfig struct {
	Services []Service
	// Password gives each role's password. Nil leaves passwords as they are, for servers that ask for none or
	// roles that a DBA has made.
	Password func(role string) string
	// Connections bounds how many connections each login may have at once, so that none can take all that the server
	// has. 0 leaves the bounds as they are.
	Connections int
}

// Setup makes, in the database that adminURL names, for each service one schema, a role that owns it and cannot log
// in, and a login that owns nothing: it finds the schema first (search_path), may do there what Migrate grants, and has
// no right on any other. Also the login of the sentinel. Nobody may create in schema public or make temporary tables;
// where the administrator is a superuser, nobody else may take advisory locks or make large objects, by which one login
// could fill the lock table or the disk of all.
//
// What is there already stays, so that Setup can run at every start and in any number of processes at once; with
// everything in place and no Password it writes nothing and needs no rights.
//
// The administrator need not be a superuser: CREATEROLE, and CREATE on the database, are enough.
// It returns each service's URL, and that of Sentinel: adminURL with the role and its password.
func Setup(ctx context.Context, adminURL string, cfg SetupConfig) (map[string]string, error) {
	if err := checkNames(cfg.Services); err != nil {
		return nil, err
	}
	urls, err := ServiceURLs(adminURL, cfg)
	if err != nil {
		return nil, err
	}
	// Another setup may be in our way, of this database or of another of the cluster, which shares the roles. There is
	// no lock to wait for: one that an administrator can take, others can take too.
	for try := 1; ; try++ {
		err := setupOnce(ctx, adminURL, cfg)
		if err == nil {
			return urls, nil
		}
		if try == 20 || !isSetupRace(err) {
			return nil, fmt.Errorf("setting up roles and schemas in %s: %w", where(adminURL), adviseSetup(err))
		}
		if err := Pause(ctx, time.Duration(try)*10*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// ServiceURLs returns the URLs that Setup returns, without touching the database.
func ServiceURLs(adminURL string, cfg SetupConfig) (map[string]string, error) {
	u, err := url.Parse(adminURL)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, errors.New("the database URL must have the form postgres://user:password@host:port/database")
	}
	urls := map[string]string{}
	for _, name := range append(names(cfg.Services), Sentinel) {
		urls[name] = withLogin(*u, Role(name), cfg.Password)
	}
	return urls, nil
}

func withLogin(u url.URL, role string, password func(string) string) string {
	query := u.Query()
	for _, key := range []string{"user", "password", "passfile"} {
		query.Del(key)
	}
	u.RawQuery = query.Encode()
	u.User = url.User(role)
	if password != nil {
		u.User = url.UserPassword(role, password(role))
	}
	return u.String()
}

func setupOnce(ctx context.Context, adminURL string, cfg SetupConfig) error {
	conn, err := Connect(ctx, adminURL, "footbridge-setup")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return setupAll(ctx, tx, cfg) })
}

func setupAll(ctx context.Context, tx pgx.Tx, cfg SetupConfig) error {
	if err := closePublic(ctx, tx); err != nil {
		return err
	}
	if err := ensureLogin(ctx, tx, Sentinel, cfg); err != nil {
		return err
	}
	for _, service := range names(cfg.Services) {
		if err := ensureService(ctx, tx, service, cfg); err != nil {
			return fmt.Errorf("service %q: %w", service, err)
		}
	}
	for _, service := range cfg.Services {
		if err := ensureHaste(ctx, tx, service); err != nil {
			return fmt.Errorf("service %q: %w", service.Name, err)
		}
	}
	return closeDatabase(ctx, tx)
}

// closeDatabase takes from everybody, where the administrator may: temporary tables, by the database's owner; advisory
// locks and large objects, by a superuser.
func closeDatabase(ctx context.Context, tx pgx.Tx) error {
	err := execIf(ctx, tx,
		`do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$`,
		`select pg_has_role(datdba, 'USAGE') and exists (select
			from aclexplode(coalesce(datacl, acldefault('d', datdba))) a
			where a.grantee = 0 and a.privilege_type = 'TEMPORARY') from pg_database where datname = current_database()`)
	if err != nil {
		return err
	}
	return execIf(ctx, tx, `do $$ declare open regprocedure; begin
			for open in select p.oid::regprocedure from `+everybodysLocks+` loop
				execute format('revoke execute on function %s from public', open);
			end loop;
		end $$`,
		`select (select rolsuper from pg_roles where rolname = current_user) and exists (select from `+everybodysLocks+
			`)`)
}

// everybodysLocks are the functions by which anybody could fill the lock table or the disk of all, where they are open.
const everybodysLocks = `pg_proc p cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
	where p.pronamespace = 'pg_catalog'::regnamespace and a.grantee = 0 and (p.proname ~ '^pg_(try_)?advisory_'
		or p.proname in ('lo_creat', 'lo_create', 'lo_from_bytea'))`

// closePublic takes from everybody the right to create in schema public, where it is still given (databases that
// come from before PostgreSQL 15).
func closePublic(ctx context.Context, tx pgx.Tx) error {
	return execIf(ctx, tx, `revoke create on schema public from public`, `select exists (
		select from pg_namespace n, aclexplode(n.nspacl) a
		where n.nspname = 'public' and a.grantee = 0 and a.privilege_type = 'CREATE')`)
}

// LoginConnections is how many connections the login of a service may have, of which each process opens at most pool:
// two processes, two that take their place in a rolling restart, the sentinel where it looks into this schema, and what
// people run meanwhile by hand.
func LoginConnections(pool int) int { return 6 * pool }

// ensureLogin makes a login that owns nothing and inherits nothing.
func ensureLogin(ctx context.Context, tx pgx.Tx, service string, cfg SetupConfig) error {
	role := Role(service)
	err := execIf(ctx, tx, `create role `+quote(role)+` login noinherit nosuperuser nocreatedb nocreaterole`,
		`select not exists (select from pg_roles where rolname = $1)`, role)
	if err != nil {
		return fmt.Errorf("creating role %q: %w", role, err)
	}
	if cfg.Connections > 0 {
		err := execIf(ctx, tx, fmt.Sprintf(`alter role %s connection limit %d`, quote(role), cfg.Connections),
			`select rolconnlimit <> $2 from pg_roles where rolname = $1`, role, cfg.Connections)
		if err != nil {
			return fmt.Errorf("bounding the connections of role %q: %w", role, err)
		}
	}
	if err := ensureTimeouts(ctx, tx, role); err != nil {
		return fmt.Errorf("bounding the waits of role %q: %w", role, err)
	}
	if cfg.Password == nil {
		return nil
	}
	// The verifier, not the password: statements end up in logs.
	if _, err := tx.Exec(ctx, `alter role `+quote(role)+` password '`+ScramVerifier(cfg.Password(role))+
		`'`); err != nil {
		return fmt.Errorf("setting password of role %q: %w", role, err)
	}
	return nil
}

// timeouts bound what a login may hold, so that neither a statement gone astray nor a process that stopped in the
// middle of a transaction keeps others waiting for ever. A healthy statement takes a second; those of migrations are
// the owner's. The same stand in deploy/postgres/roles.sql.
var timeouts = []struct{ setting, value string }{
	{"statement_timeout", "2min"}, {"lock_timeout", "30s"}, {"idle_in_transaction_session_timeout", "1min"},
}

// ensureTimeouts sets them where nothing else was set: a site's own values stay.
func ensureTimeouts(ctx context.Context, tx pgx.Tx, role string) error {
	for _, t := range timeouts {
		err := execIf(ctx, tx, fmt.Sprintf(`alter role %s set %s = '%s'`, quote(role), t.setting, t.value),
			`select not exists (select from pg_roles cross join unnest(rolconfig) as c where rolname = $1
				and c like $2 || '=%')`, role, t.setting)
		if err != nil {
			return err
		}
	}
	return nil
}

// ensureHaste has the login of a hasty service, and no other, commit without waiting for the disk.
func ensureHaste(ctx context.Context, tx pgx.Tx, service Service) error {
	if !service.Hasty {
		return nil
	}
	return execIf(ctx, tx, `alter role `+quote(Role(service.Name))+` set synchronous_commit = off`,
		`select not exists (select from pg_roles where rolname = $1 and 'synchronous_commit=off' = any (rolconfig))`,
		Role(service.Name))
}

func ensureService(ctx context.Context, tx pgx.Tx, service string, cfg SetupConfig) error {
	if err := ensureLogin(ctx, tx, service, cfg); err != nil {
		return err
	}
	role, owner, schema := quote(Role(service)), quote(Owner(service)), quote(service)
	steps := []struct{ statement, unless string }{
		{`create role ` + owner + ` nologin noinherit nosuperuser nocreatedb nocreaterole`,
			`select not exists (select from pg_roles where rolname = $2)`},
		{`alter role ` + role + ` set search_path = ` + schema,
			`select not exists (select from pg_roles where rolname = $1 and 'search_path=' || $3 = any (rolconfig))`},
		// Becoming an owner needs membership in it; a superuser has it, others grant it to themselves.
		{`grant ` + owner + ` to current_user`,
			`select not pg_has_role($2::name, 'MEMBER') and not (select rolsuper from pg_roles
				where rolname = current_user)
				and not exists (select from pg_namespace n where nspname = $3 and pg_get_userbyid(nspowner) = $2
					and has_schema_privilege($1::name, n.oid, 'USAGE')
					and has_schema_privilege('footbridge_sentinel', n.oid, 'USAGE'))`},
		{`create schema ` + schema + ` authorization ` + owner,
			`select not exists (select from pg_namespace where nspname = $3)`},
		// Before 0.1 a service's login owned its schema.
		{`reassign owned by ` + role + ` to ` + owner,
			`select exists (select from pg_namespace where nspname = $3 and pg_get_userbyid(nspowner) = $1)`},
		{`grant usage on schema ` + schema + ` to ` + role, `select not has_schema_privilege($1::name, $3::text,
			'USAGE')`},
		{`grant usage on schema ` + schema + ` to ` + quote(Role(Sentinel)),
			`select not has_schema_privilege('footbridge_sentinel', $3::text, 'USAGE')`},
	}
	for _, step := range steps {
		query := `with named as (select $1::text as login, $2::text as owner, $3::text as service) ` + step.unless
		if err := execIf(ctx, tx, step.statement, query, Role(service), Owner(service), service); err != nil {
			return fmt.Errorf("%s: %w", step.statement, err)
		}
	}
	return checkOwner(ctx, tx, Owner(service), service)
}

func checkOwner(ctx context.Context, tx pgx.Tx, role, schema string) error {
	var owner string
	err := tx.QueryRow(ctx, `select pg_get_userbyid(nspowner)::text from pg_namespace where nspname = $1`,
		schema).Scan(&owner)
	if err == nil && owner != role {
		err = fmt.Errorf("schema %q belongs to %q and not to %q: ALTER SCHEMA %s OWNER TO %s, or use another database",
			schema, owner, role, quote(schema), quote(role))
	}
	return err
}

// execIf runs statement when the query says true.
func execIf(ctx context.Context, tx pgx.Tx, statement, query string, args ...any) error {
	var needed bool
	if err := tx.QueryRow(ctx, query, args...).Scan(&needed); err != nil || !needed {
		return err
	}
	_, err := tx.Exec(ctx, statement)
	return err
}

// isSetupRace recognises that a setup of another database of the cluster touched the same role at the same moment.
func isSetupRace(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) &&
		(slices.Contains([]string{"42710", "23505", "42P06", "40P01", "40001"}, pgErr.Code) ||
			pgErr.Code == "XX000" && strings.Contains(pgErr.Message, "concurrently"))
}

func adviseSetup(err error) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42501" {
		return fmt.Errorf("%w: the administrator's role needs CREATEROLE, and CREATE on the database; or a DBA runs "+
			"deploy/postgres/roles.sql once", err)
	}
	return advise(err)
}

var serviceName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

func checkNames(services []Service) error {
	for _, name := range names(services) {
		if !serviceName.MatchString(name) || name == "public" || strings.HasPrefix(name, "pg_") {
			return fmt.Errorf("%q cannot be the name of a service: want lower-case letters, digits, underscores", name)
		}
	}
	return nil
}

func names(services []Service) []string {
	all := make([]string, 0, len(services)+1)
	for _, s := range services {
		all = append(all, s.Name)
	}
	return all
}

// Connect opens one connection, outside any pool, for work that is done once.
func Connect(ctx context.Context, rawURL, application string) (*pgx.Conn, error) {
	conf, err := pgx.ParseConfig(rawURL)
	if err != nil {
		return nil, fmt.Errorf("reading database URL %s (want postgres://user:password@host:port/database): %w",
			where(rawURL), err)
	}
	conf.RuntimeParams["application_name"] = application
	conf.ConnectTimeout = 5 * time.Second
	return pgx.ConnectConfig(ctx, conf)
}

// ScramVerifier computes what PostgreSQL stores for a password (RFC 5803, SCRAM-SHA-256 with 4096 rounds).
func ScramVerifier(password string) string {
	const rounds = 4096
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		panic(err) // only for lengths that are not used here
	}
	stored := sha256.Sum256(sign(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, b64(salt), b64(stored[:]), b64(sign(salted, "Server Key")))
}

func sign(key []byte, message string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}

// CheckLogin says whether a service's login may do more than it should: own something, be somebody else, create.
func CheckLogin(ctx context.Context, rawURL, service string) error {
	conn, err := Connect(ctx, rawURL, "footbridge-check")
	if err != nil {
		return advise(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var user string
	var owns, more, creates bool
	err = conn.QueryRow(ctx, `select r.rolname::text, exists (select from pg_class where relowner = r.oid)
		or exists (select from pg_namespace where nspowner = r.oid),
			r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolbypassrls or r.rolreplication or exists (select
			from pg_auth_members where member = r.oid),
			has_schema_privilege($1::text, 'CREATE') or has_schema_privilege('public', 'CREATE')
			or has_database_privilege(current_database(), 'CREATE, TEMPORARY')
		from pg_roles r where r.rolname = current_user`, service).Scan(&user, &owns, &more, &creates)
	switch {
	case err != nil:
		return err
	case owns || more || creates:
		return fmt.Errorf("login %q may do more than a service should (owns something %t, is or may become somebody "+
			"else %t, "+
			"may create or make temporary tables %t): run deploy/postgres/roles.sql again", user, owns, more, creates)
	}
	return nil
}
