package testkit_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

var noted = pg.Service{Name: "noted", Migrations: []pg.MigrationSet{{Name: "noted", FS: fstest.MapFS{
	"00001_note.sql": {Data: []byte("-- +goose Up\ncreate table note (n int);\n")}}}}}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for range 3 {
		began := time.Now()
		db := testkit.Database(t, noted)
		t.Logf("a database took %v", time.Since(began))
		pool := db.Pool("noted")
		var n int
		if err := pool.QueryRow(ctx, `with new as (insert into note values (1)) select count(*) from note`).Scan(
			&n); err != nil || n != 0 {
			t.Errorf("found %d rows of another test, %v", n, err)
		}
	}
}

func TestCommittedRowsSurviveAKilledServer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	cluster := testkit.KillableCluster(t)
	db := cluster.Database(t, noted)
	pool := db.Pool("noted")
	for range 2 {
		if _, err := pool.Exec(ctx, `insert into note values (1)`); err != nil {
			t.Fatal(err)
		}
		cluster.Kill()
		if _, err := pool.Exec(ctx, `insert into note values (2)`); !pg.IsInfrastructure(err) {
			t.Errorf("a dead server is infrastructure: %v", err)
		}
		cluster.Restart()
	}
	var n int
	if err := pool.QueryRow(ctx, `select count(*) from note`).Scan(&n); err != nil || n != 2 {
		t.Errorf("found %d rows, %v", n, err)
	}
}

func TestPausedServerAnswersNothingAndResumes(t *testing.T) {
	t.Parallel()
	cluster := testkit.KillableCluster(t)
	db := cluster.Database(t, noted)
	pool := db.Pool("noted")
	cluster.Pause()
	short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := pool.Exec(short, `select 1`); !errors.Is(err, context.DeadlineExceeded) || !pg.IsInfrastructure(err) {
		t.Errorf("want the deadline, got %v", err)
	}
	cluster.Resume()
	if _, err := pool.Exec(context.Background(), `select 1`); err != nil {
		t.Error(err)
	}
	over := cluster.TCPURL(db.URL("noted"))
	viaTCP, err := pg.Open(context.Background(), over, pg.OpenConfig{Service: "noted"})
	if err != nil {
		t.Fatal(err)
	}
	defer viaTCP.Close()
	cluster.Stop()
	if _, err := viaTCP.Exec(context.Background(), `select 1`); !pg.IsInfrastructure(err) {
		t.Errorf("a stopped server is infrastructure: %v", err)
	}
	cluster.Restart()
	if _, err := viaTCP.Exec(context.Background(), `select 1`); err != nil {
		t.Error(err)
	}
}
