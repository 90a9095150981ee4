package pg

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"weak"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PartitionKind is the type of the column by which a table is partitioned by day.
type PartitionKind int

// ByUUIDv7 is a day of UTC by the time in the id: 00:00 (inclusive) to 24:00 (exclusive).
const ByUUIDv7 PartitionKind = 0

// ErrUnresolved says that a day of a table holds something that is not settled, so that it was not dropped.
var ErrUnresolved = errors.New("what is not settled stays")

// ensured remembers which partitions are there, so that asking again costs no round trip.
var ensured sync.Map // of ensuredDay

type ensuredDay struct {
	pool  weak.Pointer[pgxpool.Pool]
	table string
	day   string
}

// EnsureDayPartitions makes the partitions of table for the days from first to last, both included, named like
// outbox_20261120. The table is named without a schema. The schema's owner does it, by its function make_day. Any
// number of processes may do it at once; days this process has already seen cost nothing. Each lock is waited for at
// most two seconds; else an error is returned that IsInfrastructure: try again.
func EnsureDayPartitions(ctx context.Context, pool *pgxpool.Pool, table string, _ PartitionKind, first,
	last time.Time) error {
	for day := utcDay(first); !day.After(utcDay(last)); day = day.AddDate(0, 0, 1) {
		key := ensuredDay{weak.Make(pool), table, dayName(day)}
		if _, seen := ensured.Load(key); seen {
			continue
		}
		there, err := isPartition(ctx, pool, table, day)
		if err == nil && !there {
			_, err = pool.Exec(ctx, `select make_day($1, $2)`, table, day)
		}
		if err != nil {
			return fmt.Errorf("making partition %s: %w", partitionName(table, day), err)
		}
		ensured.Store(key, true)
	}
	return nil
}

// DropDayPartitionsBefore drops the partitions of all days before the UTC day of keep and returns how many it dropped.
// The schema's owner does it, by its function drop_day, which refuses to drop what is not settled, whatever the clock
// says, and what is young by the database's own clock, whatever keep is: such days stay, the others are dropped, and
// the error is ErrUnresolved. Each drop waits at most two seconds for its lock and else returns an error that
// IsInfrastructure.
func DropDayPartitionsBefore(ctx context.Context, pool *pgxpool.Pool, table string, _ PartitionKind,
	keep time.Time) (int, error) {
	days, err := partitionDays(ctx, pool, table)
	if err != nil {
		return 0, fmt.Errorf("listing partitions of %s: %w", table, err)
	}
	dropped, stay, failed := 0, []string(nil), error(nil)
	for _, day := range days {
		if !day.Before(utcDay(keep)) {
			continue
		}
		ensured.Delete(ensuredDay{weak.Make(pool), table, dayName(day)})
		_, err := pool.Exec(ctx, `select drop_day($1, $2)`, table, day)
		switch {
		case isUnresolved(err):
			stay = append(stay, partitionName(table, day))
		case err != nil: // the other days go on
			failed = errors.Join(failed, fmt.Errorf("dropping partition %s: %w", partitionName(table, day), err))
		default:
			dropped++
		}
	}
	if failed != nil {
		return dropped, failed
	}
	if len(stay) > 0 {
		return dropped, fmt.Errorf("%w: %s", ErrUnresolved, strings.Join(stay, ", "))
	}
	return dropped, nil
}

// DaysAhead is for how many days after today partitions stand ready in the schema of this login, of the table that has
// the fewest; 0 where no table has any.
func DaysAhead(ctx context.Context, pool *pgxpool.Pool, now time.Time) (days int, err error) {
	err = pool.QueryRow(ctx, `select coalesce(min(ahead), 0) from (
			select (select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid
				where i.inhparent = p.oid and c.relname::text > p.relname || '_' || $1) as ahead
			from pg_partitioned_table t join pg_class p on p.oid = t.partrelid
			where p.relnamespace = current_schema()::regnamespace) as tables`, dayName(utcDay(now))).Scan(&days)
	if err != nil {
		return 0, fmt.Errorf("counting the days for which partitions stand ready: %w", err)
	}
	return days, nil
}

// isUnresolved recognises the refusal of drop_day.
func isUnresolved(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "FB002"
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

func isPartition(ctx context.Context, pool *pgxpool.Pool, table string, day time.Time) (there bool, err error) {
	err = pool.QueryRow(ctx, `select exists (select from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = $1::regclass and c.relname = $2)`, quote(table), partitionName(table, day)).Scan(&there)
	return there, err
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
