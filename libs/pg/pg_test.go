package pg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"footbridge/libs/clock"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

func set(name string, files ...string) pg.MigrationSet {
	folder := fstest.MapFS{}
	for i, content := range files {
		folder[fmt.Sprintf("%05d_step.sql", i+1)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + content + "\n")}
	}
	return pg.MigrationSet{Name: name, FS: folder}
}

func TestOpenRefusesAnotherServicesURL(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, pg.Service{Name: "wrong_a"}, pg.Service{Name: "wrong_b"})
	_, err := pg.Open(context.Background(), db.URL("wrong_a"), pg.OpenConfig{Service: "wrong_b"})
	if err == nil || !strings.Contains(err.Error(), "search_path") {
		t.Fatalf("want an error about search_path, got %v", err)
	}
}

func TestOpenRefusesCommitsThatDoNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, pg.Service{Name: "hasty"})
	url := changed(t, db.URL("hasty"), func(u *url.URL) {
		query := u.Query()
		query.Set("synchronous_commit", "off")
		u.RawQuery = query.Encode()
	})
	if _, err := pg.Open(context.Background(), url, pg.OpenConfig{Service: "hasty"}); err == nil ||
		!strings.Contains(err.Error(), "synchronous_commit") {
		t.Fatalf("want an error about synchronous_commit, got %v", err)
	}
	pool, err := pg.Open(context.Background(), url, pg.OpenConfig{Service: "hasty", AllowUnsafeCommit: true})
	if err != nil {
		t.Fatal(err)
	}
	pool.Close()
}

func TestOpenSaysWhatToDoAndHidesThePassword(t *testing.T) {
	t.Parallel()
	_, err := pg.Open(context.Background(), "postgres://footbridge_intake:verysecret@127.0.0.1:1/footbridge",
		pg.OpenConfig{Service: "intake"})
	if err == nil || !strings.Contains(err.Error(), "check that PostgreSQL is running") ||
		strings.Contains(err.Error(), "verysecret") {
		t.Fatalf("got %v", err)
	}
	if !pg.IsInfrastructure(err) {
		t.Error("a refused connection is infrastructure")
	}
}

func TestSessionsAreNamedAndBounded(t *testing.T) {
	t.Parallel()
	pool := testkit.Database(t, pg.Service{Name: "named"}).Pool("named")
	var name, idle string
	if err := pool.QueryRow(context.Background(), `select current_setting('application_name'),
		current_setting('idle_in_transaction_session_timeout')`).Scan(&name, &idle); err != nil {
		t.Fatal(err)
	}
	if name != "footbridge-named" || idle != "15s" {
		t.Errorf("application_name %q, idle_in_transaction_session_timeout %q", name, idle)
	}
}

func TestServicesAreWalledOff(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	made := set("own", `create table secret (id int); create view held as select 1 as journey; grant select
		on held to footbridge_sentinel;`)
	db := testkit.Database(t, pg.Service{Name: "wall_a", Migrations: []pg.MigrationSet{made}},
		pg.Service{Name: "wall_b", Migrations: []pg.MigrationSet{made}})
	a, b, sentinel := db.Pool("wall_a"), db.Pool("wall_b"), db.Pool(pg.Sentinel)
	if _, err := a.Exec(ctx, `insert into secret values (1)`); err != nil {
		t.Fatal(err)
	}
	for name, refused := range map[string]error{
		"reading another's table":       execErr(b.Exec(ctx, `select * from wall_a.secret`)),
		"reading another's view":        execErr(b.Exec(ctx, `select * from wall_a.held`)),
		"creating in another's schema":  execErr(b.Exec(ctx, `create table wall_a.x (i int)`)),
		"creating in public":            execErr(b.Exec(ctx, `create table public.x (i int)`)),
		"creating a schema":             execErr(b.Exec(ctx, `create schema x`)),
		"becoming another":              execErr(b.Exec(ctx, `set role footbridge_wall_a`)),
		"sentinel reading a table":      execErr(sentinel.Exec(ctx, `select * from wall_a.secret`)),
		"sentinel creating in a schema": execErr(sentinel.Exec(ctx, `create table wall_a.x (i int)`)),
	} {
		var pgErr *pgconn.PgError
		if !errors.As(refused, &pgErr) || pgErr.Code != "42501" {
			t.Errorf("%s: want insufficient privilege, got %v", name, refused)
		}
	}
	if _, err := sentinel.Exec(ctx,
		`select journey from wall_a.held union all select journey from wall_b.held`); err != nil {
		t.Errorf("sentinel reading the views: %v", err)
	}
}

func changed(t *testing.T, rawURL string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

func execErr(_ pgconn.CommandTag, err error) error { return err }

func TestSetupByManyAtOnce(t *testing.T) {
	t.Parallel()
	one, two := testkit.Database(t), testkit.Database(t)
	cfg := pg.SetupConfig{Services: []pg.Service{{Name: "many_a"}, {Name: "many_b"}}, Password: testkit.Password}
	var wg sync.WaitGroup
	for i := range 8 { // two databases of one cluster share the roles, but not the lock
		wg.Go(func() {
			admin := []string{one.AdminURL, two.AdminURL}[i%2]
			urls, err := pg.Setup(context.Background(), admin, cfg)
			if err != nil {
				t.Error(err)
				return
			}
			pool, err := pg.Open(context.Background(), urls["many_a"], pg.OpenConfig{Service: "many_a"})
			if err != nil {
				t.Error(err)
				return
			}
			pool.Close()
		})
	}
	wg.Wait()
}

func TestSetupNeedsNoSuperuser(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.Database(t)
	admin := db.Admin()
	role := "managed_" + strings.ToLower(db.Name[8:16])
	for _, statement := range []string{`create role ` + role + ` login createrole password 'x'`, `grant create
		on database ` + db.Name + ` to ` + role} {
		if _, err := admin.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, statement := range []string{`drop owned by footbridge_` + role + `_s_owner, footbridge_` + role + `_s`,
			`drop role footbridge_` + role + `_s_owner, footbridge_` + role + `_s`, `drop owned by ` + role,
			`drop role ` + role} {
			if _, err := admin.Exec(ctx, statement); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
	})
	rawURL := changed(t, db.AdminURL, func(u *url.URL) { u.User = url.UserPassword(role, "x") })
	for range 2 { // the second finds everything there
		cfg := pg.SetupConfig{Services: []pg.Service{{Name: role + "_s"}}}
		if _, err := pg.Setup(ctx, rawURL, cfg); err != nil {
			t.Fatal(err)
		}
		cfg.Password = testkit.Password
		if _, err := admin.Exec(ctx, `alter role footbridge_`+role+`_s password '`+
			testkit.Password("footbridge_"+role+"_s")+`'`); err != nil {
			t.Fatal(err)
		}
		if err := pg.Migrate(ctx, rawURL, role+"_s", set("own", `create table if not exists a (i int);`)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSetupRefusesBadNamesAndURLs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Public", "public", `x"; drop`, "pg_x"} {
		if _, err := pg.Setup(context.Background(), "postgres://h/d",
			pg.SetupConfig{Services: []pg.Service{{Name: name}}}); err == nil {
			t.Errorf("service %q was taken", name)
		}
	}
	if _, err := pg.Setup(context.Background(), "host=x", pg.SetupConfig{}); err == nil ||
		!strings.Contains(err.Error(), "postgres://") {
		t.Errorf("got %v", err)
	}
}

func TestMigrateByFourAtOnceAppliesOnce(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, pg.Service{Name: "four"})
	flow := set("flow", `create table a (i int);`, `insert into a values (1);`)
	own := set("four", `create table b (i int);`, "-- +goose NO TRANSACTION\ncreate index concurrently b_i on b (i);",
		`insert into b values (1);`)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := pg.Migrate(context.Background(), db.AdminURL, "four", flow, own); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var a, b int
	if err := db.Pool("four").QueryRow(context.Background(),
		`select (select count(*) from a), (select count(*) from b)`).Scan(&a, &b); err != nil {
		t.Fatal(err)
	}
	if a != 1 || b != 1 {
		t.Errorf("applied %d and %d times", a, b)
	}
}

func TestOldBinaryOnNewerDatabase(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	first, second := `create table a (i int);`, `alter table a add column j int;`
	const breaking = "-- footbridge:breaking\nalter table a drop column i;"

	t.Run("goes on when nothing ahead is breaking", func(t *testing.T) {
		t.Parallel()
		db := testkit.Database(t, pg.Service{Name: "ahead"})
		url := db.AdminURL
		if err := errors.Join(pg.Migrate(ctx, url, "ahead", set("own", first, second)),
			pg.Migrate(ctx, url, "ahead", set("own", first))); err != nil {
			t.Fatal(err)
		}
		versions, err := pg.SchemaVersions(ctx, db.URL("ahead"), set("own", first))
		if err != nil || versions[0].Database != 2 || versions[0].Binary != 1 || len(versions[0].Unknown) != 1 {
			t.Errorf("got %+v, %v", versions, err)
		}
	})
	t.Run("refuses when something ahead is breaking", func(t *testing.T) {
		t.Parallel()
		url := testkit.Database(t, pg.Service{Name: "ahead"}).AdminURL
		if err := pg.Migrate(ctx, url, "ahead", set("own", first, breaking)); err != nil {
			t.Fatal(err)
		}
		if err := pg.Migrate(ctx, url, "ahead", set("own", first)); !errors.Is(err, pg.ErrBreaking) {
			t.Errorf("want ErrBreaking, got %v", err)
		}
		if err := pg.Migrate(ctx, url, "ahead", set("own", first, breaking)); err != nil {
			t.Errorf("the binary that made it: %v", err)
		}
	})
	t.Run("is not refused because of a breaking one that failed", func(t *testing.T) {
		t.Parallel()
		url := testkit.Database(t, pg.Service{Name: "ahead"}).AdminURL
		if err := pg.Migrate(ctx, url, "ahead",
			set("own", first, "-- footbridge:breaking\nselect no_such_thing();")); err == nil {
			t.Fatal("the bad migration was taken")
		}
		if err := pg.Migrate(ctx, url, "ahead", set("own", first)); err != nil {
			t.Error(err)
		}
	})
}

func TestAMigrationOfALowerNumberThatCameLaterIsApplied(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.Database(t, pg.Service{Name: "gapped"})
	whole := set("own", `create table a (i int);`, `alter table a add column j int;`,
		`insert into a (i) values (1);`).FS.(fstest.MapFS)
	before := maps.Clone(whole)
	delete(before, "00002_step.sql")
	for _, files := range []fstest.MapFS{before, whole, whole} {
		if err := pg.Migrate(ctx, db.AdminURL, "gapped", pg.MigrationSet{Name: "own", FS: files}); err != nil {
			t.Fatal(err)
		}
	}
	var rows, filled int
	if err := db.Pool("gapped").QueryRow(ctx, `select count(*), count(j) from a`).Scan(&rows, &filled); err != nil ||
		rows != 1 || filled != 0 {
		t.Errorf("%d rows, %d filled, %v", rows, filled, err)
	}
}

func TestMigrationNamesAreChecked(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t, pg.Service{Name: "names"}).AdminURL
	for _, name := range []string{"1-x.sql", "x.sql", "00000_x.sql", "00001_X.sql"} {
		bad := pg.MigrationSet{Name: "own", FS: fstest.MapFS{name: {Data: []byte("-- +goose Up\nselect 1;")}}}
		if err := pg.Migrate(context.Background(), url, "names", bad); err == nil ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

const partitioned = `
create table outbox (id uuid primary key, body text not null default 'x', waits boolean not null default false) partition by range (id);
create index on outbox (body);
-- +goose StatementBegin
create function outbox_settled(low uuid, high uuid) returns boolean language sql as $$
select not exists (select from outbox where id >= low and id < high and waits) $$;
-- +goose StatementEnd
create table kept (id uuid primary key) partition by range (id);`

func TestDayPartitionsAreMadeAndDroppedByTheOwner(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.Database(t, pg.Service{Name: "parts", Migrations: []pg.MigrationSet{set("own", partitioned)}})
	pool := db.Pool("parts")
	day := time.Date(2021, 11, 20, 0, 0, 0, 0, time.UTC)
	last := day.AddDate(0, 0, 1).Add(-time.Millisecond)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			other := db.Pool("parts") // another pool has another memory, as another process has
			if err := pg.EnsureDayPartitions(ctx, other, "outbox", pg.ByUUIDv7, day.AddDate(0, 0, -1),
				last.AddDate(0, 0, 2)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, at := range []time.Time{day, last, last.Add(time.Millisecond), day.Add(-time.Millisecond)} {
		if _, err := pool.Exec(ctx, `insert into outbox (id, waits) values ($1, $2)`, clock.NewID(at),
			i == 0); err != nil {
			t.Fatal(err)
		}
	}
	admin := db.Admin()
	expect(t, admin, `select count(*) from parts.outbox_20211120`, 2)
	expect(t, admin, `select count(*) from parts.outbox_20211121`, 1)
	expect(t, admin, `select count(*) from pg_class where relowner = 'footbridge_parts'::regrole`, 0)
	// The indexes came along and belong to the parent's.
	expect(t, admin, `select count(*) from pg_index where indrelid = 'parts.outbox_20211120'::regclass`, 2)

	_, err := pool.Exec(ctx, `insert into kept (id) values ($1)`, clock.NewID(day))
	if !pg.IsInfrastructure(err) || pg.IsCheck(err) {
		t.Errorf("a missing partition is infrastructure, not a check: %v", err)
	}

	// However late the clock says it is, the day that holds what is not settled stays, and the others go.
	dropped, err := pg.DropDayPartitionsBefore(ctx, pool, "outbox", pg.ByUUIDv7, day.AddDate(0, 0, 100))
	if !errors.Is(err, pg.ErrUnresolved) || !strings.Contains(err.Error(), "outbox_20211120") || dropped != 3 {
		t.Errorf("dropped %d, %v; want 3 and the unsettled day named", dropped, err)
	}
	expect(t, pool, `select count(*) from outbox`, 2)
	if _, err := pool.Exec(ctx, `update outbox set waits = false`); err != nil {
		t.Fatal(err)
	}
	if dropped, err := pg.DropDayPartitionsBefore(ctx, pool, "outbox", pg.ByUUIDv7, day.AddDate(0, 0, 1)); err != nil ||
		dropped != 1 {
		t.Errorf("dropped %d, %v; want 1", dropped, err)
	}
	if err := pg.EnsureDayPartitions(ctx, pool, "outbox", pg.ByUUIDv7, day, day); err != nil {
		t.Fatal(err)
	}
	expect(t, pool, `select count(*) from pg_class where relname = 'outbox_20211120'`, 1)

	// Of a table that does not say what is settled, nothing is dropped.
	if err := pg.EnsureDayPartitions(ctx, pool, "kept", pg.ByUUIDv7, day, day); err != nil {
		t.Fatal(err)
	}
	if dropped, err := pg.DropDayPartitionsBefore(ctx, pool, "kept", pg.ByUUIDv7, day.AddDate(0, 0, 1)); !errors.Is(err,
		pg.ErrUnresolved) || dropped != 0 {
		t.Errorf("dropped %d, %v; want a refusal", dropped, err)
	}
}

// TestNoLoginHoldsWhatOthersWaitForWithoutEnd: by what a start sets up and by what a DBA runs alike; a site's own
// values stay, and migrations have no bound.
func TestNoLoginHoldsWhatOthersWaitForWithoutEnd(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	script, err := os.ReadFile("../../deploy/postgres/roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	expectBounds := func(how, login string, want map[string]string) {
		t.Helper()
		conn, err := pgx.Connect(ctx, login)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		for setting, value := range want {
			var got string
			if err := conn.QueryRow(ctx, `select current_setting($1)`, setting).Scan(&got); err != nil || got != value {
				t.Errorf("%s: %s is %q, not %q (%v)", how, setting, got, value, err)
			}
		}
	}
	bounds := map[string]string{"statement_timeout": "2min", "lock_timeout": "30s",
		"idle_in_transaction_session_timeout": "1min"}
	started := testkit.Database(t, pg.Service{Name: "intake", Migrations: []pg.MigrationSet{set("own", `create table a
		(i int);`)}})
	expectBounds("set up at a start", started.URLs["intake"], bounds)
	expectBounds("set up at a start, the sentinel", started.URLs[pg.Sentinel], bounds)
	expectBounds("the administrator, who migrates", started.AdminURL, map[string]string{"statement_timeout": "0",
		"lock_timeout": "0", "idle_in_transaction_session_timeout": "0"})

	// Roles are the cluster's: one that no other test here logs in as.
	const role = "footbridge_gateway"
	db := testkit.Database(t)
	for _, statement := range []string{string(script), `alter role ` + role + ` reset all`, string(script), `alter role
		` + role + ` password '` + testkit.Password(role) + `'`} {
		if err := execRoles(ctx, db, statement); err != nil {
			t.Fatal(err)
		}
	}
	urls, err := pg.ServiceURLs(db.AdminURL, pg.SetupConfig{Services: []pg.Service{{Name: "gateway"}},
		Password: testkit.Password})
	if err != nil {
		t.Fatal(err)
	}
	expectBounds("by roles.sql", urls["gateway"], bounds)
	for _, statement := range []string{`alter role ` + role + ` set statement_timeout = '5min'`, string(script)} {
		if err := execRoles(ctx, db, statement); err != nil {
			t.Fatal(err)
		}
	}
	expectBounds("by roles.sql, after the site has set its own", urls["gateway"],
		map[string]string{"statement_timeout": "5min", "lock_timeout": "30s"})
}

// TestAYoungDayIsNotDroppedWhateverItsCallerTakesForToday: the server's own clock counts.
func TestAYoungDayIsNotDroppedWhateverItsCallerTakesForToday(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	years := `
-- +goose StatementBegin
create function slow_settled(low uuid, high uuid) returns boolean language sql as $$ select true $$;
create function slow_least_days() returns int language sql as $$ select 30 $$;
-- +goose StatementEnd
create table slow (id uuid primary key) partition by range (id);`
	db := testkit.Database(t, pg.Service{Name: "parts", Migrations: []pg.MigrationSet{set("own", partitioned+years)}})
	pool := db.Pool("parts")
	var today time.Time
	if err := db.Admin().QueryRow(ctx, `select (clock_timestamp() at time zone 'UTC')::date`).Scan(&today); err != nil {
		t.Fatal(err)
	}
	for table, least := range map[string]int{"outbox": 7, "slow": 30} {
		oldest := today.AddDate(0, 0, -least-2)
		if err := pg.EnsureDayPartitions(ctx, pool, table, pg.ByUUIDv7, oldest, today.AddDate(0, 0, 1)); err != nil {
			t.Fatal(err)
		}
		dropped, err := pg.DropDayPartitionsBefore(ctx, pool, table, pg.ByUUIDv7, today.AddDate(100, 0, 0))
		if !errors.Is(err, pg.ErrUnresolved) || dropped < 2 || dropped > 3 { // the server's midnight may pass meanwhile
			t.Errorf("%s: a caller a hundred years ahead dropped %d days: %v", table, dropped, err)
		}
	}
}

func expect(t *testing.T, pool interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, query string, want int) {
	t.Helper()
	var got int
	if err := pool.QueryRow(context.Background(), query).Scan(&got); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if got != want {
		t.Errorf("%s: got %d, want %d", query, got, want)
	}
}

func TestUUIDFloorIsBelowEveryIDOfTheInstant(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	floor, next := pg.UUIDFloor(at), pg.UUIDFloor(at.Add(time.Millisecond))
	for range 1000 {
		if id := clock.NewID(at); id < floor || id >= next {
			t.Fatalf("%s is not in [%s, %s)", id, floor, next)
		}
	}
}

func TestClassification(t *testing.T) {
	t.Parallel()
	code := func(code, constraint string) error {
		return fmt.Errorf("storing: %w", &pgconn.PgError{Code: code, ConstraintName: constraint})
	}
	for _, c := range []struct {
		err   error
		infra bool
	}{
		{nil, false},
		{errors.New("rule refused"), false},
		{code("23505", "a_pkey"), false},
		{code("23514", "positive"), false},
		{code("23514", ""), true},
		{code("22003", ""), false},
		{code("P0001", ""), false},
		{code("08006", ""), true},
		{code("40P01", ""), true},
		{code("42P01", ""), true},
		{code("53300", ""), true},
		{code("57P01", ""), true},
		{code("55P03", ""), true},
		{code("25006", ""), true},
		{code("25P02", ""), false},
		{io.ErrUnexpectedEOF, true},
		{&net.OpError{Op: "read", Err: errors.New("connection reset")}, true},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		{pgx.ErrNoRows, false},
	} {
		if got := pg.IsInfrastructure(c.err); got != c.infra {
			t.Errorf("IsInfrastructure(%v) = %v", c.err, got)
		}
	}
	if !pg.IsUnique(code("23505", "a_pkey"), "a_pkey") || pg.IsUnique(code("23505", "a_pkey"), "b_pkey") ||
		!pg.IsUnique(code("23505", "x")) {
		t.Error("IsUnique")
	}
	if pg.IsConnectionLost(context.DeadlineExceeded) || pg.IsConnectionLost(code("40001", "")) ||
		!pg.IsConnectionLost(code("57P01", "")) {
		t.Error("IsConnectionLost")
	}
}

// TestRolesForProduction runs what a DBA runs, and then starts as a service does that has no administrator.
func TestRolesForProduction(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	script, err := os.ReadFile("../../deploy/postgres/roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := testkit.Database(t)
	for range 2 {
		if err := execRoles(ctx, db, string(script)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := pg.SetupConfig{Services: []pg.Service{{Name: "intake"}, {Name: "journey"}}}
	for _, service := range cfg.Services { // as \password does
		role := pg.Role(service.Name)
		if err := execRoles(ctx, db, `alter role `+role+` password '`+testkit.Password(role)+`'`); err != nil {
			t.Fatal(err)
		}
	}
	urls, err := pg.ServiceURLs(db.AdminURL, pg.SetupConfig{Services: cfg.Services, Password: testkit.Password})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pg.Setup(ctx, urls["intake"], cfg); err != nil {
		t.Errorf("a setup with nothing to do needs no rights: %v", err)
	}
	if err := pg.Migrate(ctx, urls["intake"], "intake", set("own", `create table a (i int);`)); err == nil {
		t.Error("a service's own login migrated its schema")
	}
	if err := pg.Migrate(ctx, db.AdminURL, "intake", set("own", `create table a (i int);`)); err != nil {
		t.Error(err)
	}
	if err := pg.CheckLogin(ctx, urls["intake"], "intake"); err != nil {
		t.Error(err)
	}
	journey, err := pg.Open(ctx, urls["journey"], pg.OpenConfig{Service: "journey"})
	if err != nil {
		t.Fatal(err)
	}
	defer journey.Close()
	if _, err := journey.Exec(ctx, `select * from intake.a`); !strings.Contains(fmt.Sprint(err), "42501") {
		t.Errorf("want insufficient privilege, got %v", err)
	}
}

// execRoles tries again while another test of the cluster touches the same roles.
func execRoles(ctx context.Context, db *testkit.DB, script string) error {
	conn, err := pgx.Connect(ctx, db.AdminURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for try := 0; ; try++ {
		_, err := conn.Exec(ctx, script)
		if err == nil || try == 50 {
			return err
		}
	}
}
