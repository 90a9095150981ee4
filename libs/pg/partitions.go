package pg

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"
	"weak"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PartitionKind is the type of the column by which a table is partitioned by day.
type PartitionKind int

// A day is one of UTC: for ids and instants 00:00 (inclusive) to 24:00 (exclusive).
const (
	ByUUIDv7 PartitionKind = iota
	ByTimestamp
	ByDate
)

// ensured remembers which partitions are there, so that asking again costs no round trip.
var ensured sync.Map // of ensuredDay

type ensuredDay struct {
	pool  weak.Pointer[pgxpool.Pool]
	table string
	day   string
}

// EnsureDayPartitions makes the partitions of table for the days from first to last, both included, named like
// outbox_20261120. The table is named without a schema and partitioned by range on one column of kind. Any number
// of processes may do it at once; days this process has already seen cost nothing.
//
// Where the table has a default partition, rows of the day that fell into it are moved, for which the table is
// locked. Each lock is waited for at most two seconds; else, and where a row of the day falls into the default
// partition at that very moment, an error is returned that IsInfrastructure: try again.
func EnsureDayPartitions(ctx context.Context, pool *pgxpool.Pool, table string, kind PartitionKind, first, last time.Time) error {
	for day := utcDay(first); !day.After(utcDay(last)); day = day.AddDate(0, 0, 1) {
		key := ensuredDay{weak.Make(pool), table, dayName(day)}
		if _, seen := ensured.Load(key); seen {
			continue
		}
		if err := ensureDay(ctx, pool, table, kind, day); err != nil {
			return fmt.Errorf("making partition %s: %w", partitionName(table, day), err)
		}
		ensured.Store(key, true)
	}
	return nil
}

// DropDayPartitionsBefore drops the partitions of all days before the UTC day of keep, and rows of those days in
// the default partition, and returns how many partitions it dropped. Each drop waits at most two seconds for its
// lock and else returns an error that IsInfrastructure.
func DropDayPartitionsBefore(ctx context.Context, pool *pgxpool.Pool, table string, kind PartitionKind, keep time.Time) (int, error) {
	days, err := partitionDays(ctx, pool, table)
	if err != nil {
		return 0, fmt.Errorf("listing partitions of %s: %w", table, err)
	}
	dropped := 0
	for _, day := range days {
		if !day.Before(utcDay(keep)) {
			continue
		}
		if err := dropDay(ctx, pool, table, day); err != nil {
			return dropped, fmt.Errorf("dropping partition %s: %w", partitionName(table, day), err)
		}
		dropped++
	}
	if err := emptyDefault(ctx, pool, table, kind, utcDay(keep)); err != nil {
		return dropped, fmt.Errorf("emptying default partition of %s: %w", table, err)
	}
	return dropped, nil
}

// UUIDFloor is the smallest UUIDv7 of the instant: its 48 bits of milliseconds, then zeros.
func UUIDFloor(t time.Time) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(t.UnixMilli())<<16)
	s := hex.EncodeToString(id[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

func utcDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func dayName(day time.Time) string { return day.Format("20060102") }

func partitionName(table string, day time.Time) string { return table + "_" + dayName(day) }

// bound writes the first value of a day as SQL.
func (k PartitionKind) bound(day time.Time) string {
	switch k {
	case ByUUIDv7:
		return "'" + UUIDFloor(day) + "'"
	case ByTimestamp:
		return day.Format("'2006-01-02 00:00:00+00'")
	default:
		return day.Format("'2006-01-02'")
	}
}

func ensureDay(ctx context.Context, pool *pgxpool.Pool, table string, kind PartitionKind, day time.Time) error {
	there, err := isPartition(ctx, pool, table, day)
	if err != nil || there {
		return err
	}
	return inPartitionTx(ctx, pool, table, func(tx pgx.Tx) error {
		if there, err := isPartition(ctx, tx, table, day); err != nil || there {
			return err
		}
		return attachDay(ctx, tx, table, kind, day)
	})
}

// inPartitionTx runs do alone among those who make and drop partitions of table, with short waits for locks.
func inPartitionTx(ctx context.Context, pool *pgxpool.Pool, table string, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('footbridge-partitions'), hashtext($1::regclass::oid::text))`, quote(table))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `set local lock_timeout = '2s'`); err != nil {
			return err
		}
		return do(tx)
	})
}

type queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func isPartition(ctx context.Context, db queryer, table string, day time.Time) (there bool, err error) {
	err = db.QueryRow(ctx, `select exists (select from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = $1::regclass and c.relname = $2)`, quote(table), partitionName(table, day)).Scan(&there)
	return there, err
}

// attachDay makes the table of the day by itself and attaches it: unlike CREATE TABLE … PARTITION OF, that does not
// shut out those who read and write the other days.
func attachDay(ctx context.Context, tx pgx.Tx, table string, kind PartitionKind, day time.Time) error {
	parent, partition := quote(table), quote(partitionName(table, day))
	from, to := kind.bound(day), kind.bound(day.AddDate(0, 0, 1))
	if _, err := tx.Exec(ctx, `create table `+partition+` (like `+parent+` including all excluding statistics)`); err != nil {
		return err
	}
	if err := moveFromDefault(ctx, tx, table, partition, from, to); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `alter table `+parent+` attach partition `+partition+` for values from (`+from+`) to (`+to+`)`)
	return err
}

// moveFromDefault moves the rows of a day out of the default partition. Where there are some, more may be coming:
// then the whole table is locked, because an insert that has chosen the default partition and waits for it would
// fail once the day has its own.
func moveFromDefault(ctx context.Context, tx pgx.Tx, table, partition, from, to string) error {
	fallback, column, err := defaultPartition(ctx, tx, table)
	if err != nil || fallback == "" {
		return err
	}
	ofDay := ` from ` + quote(fallback) + ` where ` + quote(column) + ` >= ` + from + ` and ` + quote(column) + ` < ` + to
	var any bool
	if err := tx.QueryRow(ctx, `select exists (select`+ofDay+`)`).Scan(&any); err != nil || !any {
		return err
	}
	if _, err := tx.Exec(ctx, `lock table `+quote(table)+` in access exclusive mode`); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `with moved as (delete`+ofDay+` returning *) insert into `+partition+` select * from moved`)
	if err != nil {
		return fmt.Errorf("moving rows out of %s: %w", fallback, err)
	}
	return nil
}

// defaultPartition returns the table's default partition, or "", and the column it is partitioned by.
func defaultPartition(ctx context.Context, db queryer, table string) (name, column string, err error) {
	err = db.QueryRow(ctx, `select coalesce((select relname from pg_class where oid = p.partdefid), '')::text, a.attname::text
		from pg_partitioned_table p join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
		where p.partrelid = $1::regclass`, quote(table)).Scan(&name, &column)
	return name, column, err
}

func partitionDays(ctx context.Context, pool *pgxpool.Pool, table string) ([]time.Time, error) {
	rows, err := pool.Query(ctx, `select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = $1::regclass order by 1`, quote(table))
	if err != nil {
		return nil, err
	}
	var days []time.Time
	var name string
	_, err = pgx.ForEachRow(rows, []any{&name}, func() error {
		if day, err := time.Parse("20060102", strings.TrimPrefix(name, table+"_")); err == nil {
			days = append(days, day)
		}
		return nil
	})
	return days, err
}

func dropDay(ctx context.Context, pool *pgxpool.Pool, table string, day time.Time) error {
	ensured.Delete(ensuredDay{weak.Make(pool), table, dayName(day)})
	return inPartitionTx(ctx, pool, table, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `drop table if exists `+quote(partitionName(table, day)))
		return err
	})
}

func emptyDefault(ctx context.Context, pool *pgxpool.Pool, table string, kind PartitionKind, keep time.Time) error {
	fallback, column, err := defaultPartition(ctx, pool, table)
	if err != nil || fallback == "" {
		return err
	}
	_, err = pool.Exec(ctx, `delete from `+quote(fallback)+` where `+quote(column)+` < `+kind.bound(keep))
	return err
}
