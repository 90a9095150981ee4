package intake

import (
	"bytes"
	"strings"
	"testing"
)

// dump copies what is kept of people as a backup of data does, or else of the keys and the erasures; restore puts it
// into another database.
func (s *site) dump(t *testing.T, keys bool) map[string][]byte {
	t.Helper()
	conn, err := s.db.Admin().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	rows, err := conn.Query(t.Context(), `select c.relname from pg_class c
		where c.relnamespace = 'intake'::regnamespace and c.relkind in ('r', 'p')
		and not c.relispartition and (c.relname in ('person_key', 'message_key', 'erasure')) = $1
		and c.relname !~ '^(outbox|inbox|goose|.*version)'`, keys)
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	backup := map[string][]byte{}
	for _, table := range tables {
		var content bytes.Buffer
		var columns string // without those that are generated, as pg_dump leaves them out
		if err := conn.QueryRow(t.Context(), `select coalesce(string_agg(attname, ', ' order by attnum), '')
			from pg_attribute
			where attrelid = ('intake.' || $1)::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
			table).Scan(&columns); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Conn().PgConn().CopyTo(t.Context(), &content, `copy (select `+columns+` from intake.`+table+
			`) to stdout`); err != nil {
			t.Fatalf("backing up %s: %v", table, err)
		}
		backup[table] = content.Bytes()
	}
	return backup
}

func (s *site) restore(t *testing.T, backups ...map[string][]byte) {
	t.Helper()
	conn, err := s.db.Admin().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	do := func(sql string) {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	do(`set session_replication_role = replica`)
	for _, backup := range backups {
		for table, content := range backup {
			do(`delete from intake.` + table)
			if _, err := conn.Conn().PgConn().CopyFrom(t.Context(), bytes.NewReader(content),
				`copy intake.`+table+` from stdin`); err != nil {
				t.Fatalf("restoring %s: %v", table, err)
			}
		}
	}
	do(`set session_replication_role = origin`)
}

// TestWhatABackupTakenBeforeAnErasureCanStillRead: data from before and keys from after read nobody; keys from before
// read them again, and whom to erase again is said by the newest backup of table erasure alone.
func TestWhatABackupTakenBeforeAnErasureCanStillRead(t *testing.T) {
	t.Parallel()
	before := newSite(t)
	p := before.start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	p.close(t, journey)
	data, keys := before.dump(t, false), before.dump(t, true)
	if len(data["person"]) == 0 || len(data["message"]) == 0 || len(keys["person_key"]) == 0 ||
		len(keys["message_key"]) == 0 {
		t.Fatal("the backup holds no person, message or key, so that nothing below would show")
	}
	p.erase(t, person)
	newer := before.dump(t, true)
	for claim, tc := range map[string]struct {
		keys   map[string][]byte
		reads  bool
		listed int
	}{
		"with the keys of before": {keys, true, 0},
		"with the keys of after":  {newer, false, 1},
		"with the keys of before, and whom to erase": {map[string][]byte{"person_key": keys["person_key"],
			"message_key": keys["message_key"], "erasure": newer["erasure"]}, true, 1},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			after := newSite(t)
			after.kek = before.kek
			q := after.start() // makes the days' partitions
			after.restore(t, data, tc.keys)
			look := func() bool {
				_, seen := q.ask(t, guide, "GET", "/api/journeys/"+journey+"/identity", "", ReasonHeader,
					"to see who reads")
				return strings.Contains(seen, "Examplewood")
			}
			if look() != tc.reads {
				t.Errorf("who it was is read: %t, want %t", !tc.reads, tc.reads)
			}
			if n := q.count(t, `select count(*) from intake.erasure where person = '`+person+`'`); n != tc.listed {
				t.Errorf("the erasure is listed %d times, want %d", n, tc.listed)
			}
			q.erase(t, person)
			if look() || q.count(t, `select count(*) from intake.person_key`) != 0 || q.count(t, `select count(*)
				from intake.message where raw is not null`) != 0 {
				t.Error("after erasing again something is left")
			}
		})
	}
}
