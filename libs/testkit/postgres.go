// Package testkit gives tests the real things: a PostgreSQL server and databases of their own, NATS, and servers
// that may be killed. What it starts ends with the test or with the test binary, however that ends.
//
// It never skips: where something cannot be had, the test fails and says what to do.
package testkit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/pg"
	"footbridge/libs/pg/private"
)

// TestDatabaseURL is the variable that names a running server to use instead of one's own: the administrator's URL
// of a server on which databases and roles may be made and dropped.
const TestDatabaseURL = "FOOTBRIDGE_TEST_DATABASE_URL"

// Cluster is a PostgreSQL server for tests, shared by all tests of one test binary.
type Cluster struct {
	// AdminURL logs in as the administrator, to a database that holds nothing.
	AdminURL string
	password func(role string) string

	mu        sync.Mutex
	templates map[string]*template
}

type template struct {
	once sync.Once
	name string
	err  error
}

var shared = sync.OnceValues(func() (*Cluster, error) {
	cluster := &Cluster{templates: map[string]*template{}, password: Password}
	if given := os.Getenv(TestDatabaseURL); given != "" {
		cluster.AdminURL = given
		return cluster, nil
	}
	dir, err := os.MkdirTemp("", "footbridge-test-")
	if err != nil {
		return nil, err
	}
	server, err := private.Launch(context.Background(), private.LaunchConfig{Dir: dir, Throwaway: true})
	if err != nil {
		return nil, err
	}
	cluster.AdminURL = server.URL()
	return cluster, nil
})

// Password is the password of a service's role on a given test server; all tests must agree on it, because roles
// belong to the whole server.
func Password(role string) string { return "test-" + role }

// Postgres returns the test binary's server, which the first call starts. It does not wait for the disk, so it is
// fast; it survives the death of processes, not of the machine. It ends with the test binary, however that ends,
// and leaves nothing. With FOOTBRIDGE_TEST_DATABASE_URL set, that server is used. Without any server to be had the
// test fails; it is never skipped.
func Postgres(t testing.TB) *Cluster {
	t.Helper()
	cluster, err := shared()
	if err != nil {
		t.Fatalf("no PostgreSQL for the tests: %v", err)
	}
	return cluster
}

// DB is one test's own database, gone when the test ends.
type DB struct {
	// Name is the database's name, AdminURL the administrator's URL for it.
	Name     string
	AdminURL string
	// URLs are the services' own, and that of pg.Sentinel, by service name.
	URLs  map[string]string
	t     testing.TB
	once  sync.Once
	admin *pgxpool.Pool
}

// Database returns a fresh database with the schemas, roles and migrations of these services. It is a copy of a
// template that is made once for each distinct set of services, so it takes tens of milliseconds.
func Database(t testing.TB, services ...pg.Service) *DB {
	t.Helper()
	return Postgres(t).Database(t, services...)
}

// Database is the function Database on this server.
func (c *Cluster) Database(t testing.TB, services ...pg.Service) *DB {
	t.Helper()
	ctx := context.Background()
	from, err := c.template(ctx, services)
	if err != nil {
		t.Fatalf("making the template database: %v", err)
	}
	name := "fb_test_" + randomName()
	if err := c.admin(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, `create database `+name+` template `+from); err != nil {
			return err
		}
		// What a database lets everybody do does not come with its template.
		_, err := conn.Exec(ctx, `revoke temporary on database `+name+` from public`)
		return err
	}); err != nil {
		t.Fatalf("making database %s: %v", name, err)
	}
	t.Cleanup(func() { c.drop(t, name) })
	db := &DB{Name: name, AdminURL: withDatabase(c.AdminURL, name), t: t}
	if db.URLs, err = pg.ServiceURLs(db.AdminURL, c.setup(services)); err != nil {
		t.Fatal(err)
	}
	return db
}

// URL is the URL of a service's own login.
func (d *DB) URL(service string) string {
	d.t.Helper()
	found, ok := d.URLs[service]
	if !ok {
		d.t.Fatalf("the database was made without service %q", service)
	}
	return found
}

// Pool opens a pool as a service; it is closed when the test ends.
func (d *DB) Pool(service string) *pgxpool.Pool {
	d.t.Helper()
	cfg := pg.OpenConfig{Service: service, MaxConns: 5}
	if service == pg.Sentinel {
		cfg.Service, cfg.ByIndex = "", true
	}
	return d.open(d.URL(service), cfg)
}

// Admin is the test's one pool as the administrator; it is closed when the test ends. A test may ask for it as often as
// it likes: connections are few, and all tests of a binary share them.
func (d *DB) Admin() *pgxpool.Pool {
	d.t.Helper()
	d.once.Do(func() { d.admin = d.open(d.AdminURL, pg.OpenConfig{MaxConns: 3}) })
	return d.admin
}

func (d *DB) open(rawURL string, cfg pg.OpenConfig) *pgxpool.Pool {
	d.t.Helper()
	pool, err := pg.Open(context.Background(), rawURL, cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(pool.Close)
	return pool
}

func (c *Cluster) drop(t testing.TB, name string) {
	ctx := context.Background()
	if err := c.admin(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `drop database if exists `+name+` with (force)`)
		return err
	}); err != nil {
		t.Logf("dropping database %s: %v", name, err)
	}
}

func (c *Cluster) setup(services []pg.Service) pg.SetupConfig {
	return pg.SetupConfig{Services: services, Password: c.password}
}

func (c *Cluster) template(ctx context.Context, services []pg.Service) (string, error) {
	name, err := templateName(services)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	made := c.templates[name]
	if made == nil {
		made = &template{name: name}
		c.templates[name] = made
	}
	c.mu.Unlock()
	made.once.Do(func() { made.err = c.makeTemplate(ctx, name, services) })
	return made.name, made.err
}

// makeTemplate makes the template once on the server: on a given one, other test binaries may be making it too. It
// gets its name only when it is complete.
func (c *Cluster) makeTemplate(ctx context.Context, name string, services []pg.Service) error {
	return c.admin(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, `select pg_advisory_lock(hashtext('footbridge-testkit'), hashtext($1))`,
			name); err != nil {
			return err
		}
		var there bool
		err := conn.QueryRow(ctx, `select exists (select from pg_database where datname = $1)`, name).Scan(&there)
		if err != nil || there {
			return err
		}
		draft := name + "_draft"
		if _, err := conn.Exec(ctx, `drop database if exists `+draft+` with (force)`); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `create database `+draft+` template template0`); err != nil {
			return err
		}
		if err := c.fill(ctx, draft, services); err != nil {
			return err
		}
		_, err = conn.Exec(ctx, `alter database `+draft+` rename to `+name)
		return err
	})
}

func (c *Cluster) fill(ctx context.Context, database string, services []pg.Service) error {
	admin := withDatabase(c.AdminURL, database)
	if _, err := pg.Setup(ctx, admin, c.setup(services)); err != nil {
		return err
	}
	for _, service := range services {
		if err := pg.Migrate(ctx, admin, service.Name, service.Migrations...); err != nil {
			return err
		}
	}
	return nil
}

// admin runs do on a connection of the administrator's own.
func (c *Cluster) admin(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, c.AdminURL)
	if err != nil {
		return err
	}
	return errors.Join(do(conn), conn.Close(ctx))
}

// templateName is a digest of all that the template is made from.
func templateName(services []pg.Service) (string, error) {
	digest := sha256.New()
	fmt.Fprintln(digest, pg.OwnerFunctions)
	for _, service := range services {
		fmt.Fprintf(digest, "service %s\n", service.Name)
		for _, set := range service.Migrations {
			fmt.Fprintf(digest, "set %s\n", set.Name)
			err := fs.WalkDir(set.FS, ".", func(name string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				content, err := fs.ReadFile(set.FS, name)
				fmt.Fprintf(digest, "file %s %d\n%s", name, len(content), content)
				return err
			})
			if err != nil {
				return "", fmt.Errorf("reading migrations %q of %q: %w", set.Name, service.Name, err)
			}
		}
	}
	return "fb_template_" + hex.EncodeToString(digest.Sum(nil))[:24], nil
}

func withDatabase(rawURL, name string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL // the next to read it says what is wrong with it
	}
	u.Path = "/" + name
	return u.String()
}

func randomName() string { return strings.ToLower(rand.Text())[:20] }

// stopTime is how long a server may take to end.
const stopTime = 20 * time.Second

// overTCP keeps login and database of one URL and takes the address of another.
func overTCP(t testing.TB, login, address string) string {
	t.Helper()
	from, err1 := url.Parse(login)
	to, err2 := url.Parse(address)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if from.User.Username() != to.User.Username() {
		to.User = from.User
	}
	to.Path = from.Path
	return to.String()
}
