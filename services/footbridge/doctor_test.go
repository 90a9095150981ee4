package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/bus"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

func TestDoctorComparesTheClocksOfMachineDatabaseAndBroker(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		read []clockOf
		want string
	}{
		"near":                 {[]clockOf{{"the broker", 2 * time.Second}, {"the database", 0}}, ""},
		"the broker is ahead":  {[]clockOf{{"the broker", 3 * time.Second}}, "the clock of the broker is 3.0 s ahead"},
		"the database is slow": {[]clockOf{{"the database", -9 * time.Second}}, "ahead of that of the database"},
		"the two to each other": {[]clockOf{{"the broker", 1500 * time.Millisecond}, {"the database", -time.Second}},
			"2.5 s"},
	} {
		_, err := compareClocks(c.read)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", claim, err)
		}
	}
	pool := testkit.Database(t, allMigrations()...).Admin()
	conn := testkit.Connect(t, bus.Config{URL: testkit.NATS(t).URL()})
	if _, err := conn.EnsureStream(t.Context(), bus.Stream{Name: "EVENTS", Subjects: []string{"e.>"}, MaxBytes: -1,
		Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	database, err1 := readClock("the database", func() (time.Time, error) { return pg.ServerTime(t.Context(), pool) })
	broker, err2 := readClock("the broker", func() (time.Time, error) { return conn.ServerTime(t.Context(), "EVENTS") })
	if note, err := compareClocks([]clockOf{database, broker}); err != nil || err1 != nil || err2 != nil ||
		!strings.Contains(note, "3 clocks") {
		t.Errorf("real ones: %q, %v, %v, %v", note, err, err1, err2)
	}
}

func TestDoctorSaysHowOldTheLastGoodBackupIs(t *testing.T) {
	t.Parallel()
	c, now := &Config{}, time.Now()
	if note, err := c.checkBackups(now); err != nil || !strings.Contains(note, "FOOTBRIDGE_BACKUP_STAMP") {
		t.Errorf("not set: %q, %v", note, err)
	}
	c.BackupStamp = filepath.Join(t.TempDir(), "stamp")
	if _, err := c.checkBackups(now); err == nil || !strings.Contains(err.Error(), "touch it") {
		t.Errorf("never made: %v", err)
	}
	if err := os.WriteFile(c.BackupStamp, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]string{time.Hour: "", 27 * time.Hour: "27 hours old",
		-time.Hour: "yet to come"} {
		if err := os.Chtimes(c.BackupStamp, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		_, err := c.checkBackups(now)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v ago: %v", age, err)
		}
	}
}

func TestDoctorSaysWhenTablesDoNotStandReadyForTheDaysAhead(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, allMigrations()...)
	c := &Config{DatabaseURLs: db.URLs}
	ready := func(days int) {
		t.Helper()
		for _, name := range stateful() {
			for _, table := range dayTables(t, db, name) {
				if err := pg.EnsureDayPartitions(t.Context(), db.Pool(name), table, pg.ByUUIDv7, time.Now(),
					time.Now().AddDate(0, 0, days)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	ready(1)
	if _, err := c.checkPartitions(t.Context()); err == nil || !strings.Contains(err.Error(), "1 days ahead") {
		t.Errorf("for one day: %v", err)
	}
	ready(2)
	if note, err := c.checkPartitions(t.Context()); err != nil || !strings.Contains(note, "2 days ahead") {
		t.Errorf("for two days: %q, %v", note, err)
	}
}

// dayTables are the tables of a service that have a partition for each day.
func dayTables(t *testing.T, db *testkit.DB, service string) (names []string) {
	t.Helper()
	rows, err := db.Admin().Query(t.Context(), `select relname::text from pg_partitioned_table join pg_class
		on oid = partrelid where relnamespace = $1::regnamespace`, service)
	if err == nil {
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil || len(names) == 0 {
		t.Fatalf("%s has tables %v: %v", service, names, err)
	}
	return names
}
