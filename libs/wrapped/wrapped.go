// Package wrapped looks after stored keys that a key file of libs/vault wraps: whether a file is the one that they were
// wrapped with, and wrapping them again once it has a newer key.
//
// In: a pool of the service that the tables are of, its vault, and the tables. Out: counts, and keys wrapped again. It
// promises: services may run meanwhile; a key that was erased stays erased, and one that was changed keeps its change;
// it may be broken off and run again. What the keys seal is not touched.
package wrapped

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/vault"
)

// AtOnce is how many wrapped keys a batch of Rewrap holds.
const AtOnce = 500

// Table is a table with a wrapped key in its rows. The names are identifiers of SQL, and are written by a service of
// itself: nothing that came from outside is one.
type Table struct {
	// Name of the table; Owner is its primary key, a uuid, of whose value each key is; Key is the column of the key. A
	// row without a key has none to wrap.
	Name, Owner, Key string
}

// Count is how a table stands against a vault.
type Count struct {
	Name  string
	Keys  int64 // wrapped keys
	Older int64 // of them, those that an older key of the file wraps
}

// Check says whether this key file is the one that the stored keys were wrapped with, by unwrapping the first and the
// last of each table, and how many are still wrapped under an older one. The error says which table another file was
// used for.
func Check(ctx context.Context, pool *pgxpool.Pool, keys *vault.Vault, tables ...Table) (counts []Count, err error) {
	for _, t := range tables {
		counted, err := t.count(ctx, pool, keys.Prefix())
		if err != nil {
			return nil, fmt.Errorf("counting %s: %w", t.Name, err)
		}
		samples, err := t.sample(ctx, pool)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", t.Name, err)
		}
		for _, one := range samples {
			if _, err := keys.Unwrap(one.owner, one.wrapped); err != nil {
				return nil, fmt.Errorf("the keys in %s were wrapped with another key file than this one: give back "+
					"the one that they were made with", t.Name)
			}
		}
		counts = append(counts, counted)
	}
	return counts, nil
}

// Rewrap wraps all stored keys that an older key of the file wraps under its newest, in batches, and tells progress
// after each.
func Rewrap(ctx context.Context, pool *pgxpool.Pool, keys *vault.Vault, progress func(table string, done, of int64),
	tables ...Table) error {
	for _, t := range tables {
		counted, err := t.count(ctx, pool, keys.Prefix())
		if err != nil {
			return fmt.Errorf("counting %s: %w", t.Name, err)
		}
		progress(t.Name, 0, counted.Older)
		for after, done := beforeAll, int64(0); ; {
			batch, err := t.older(ctx, pool, keys.Prefix(), after)
			if err != nil {
				return fmt.Errorf("reading %s: %w", t.Name, err)
			}
			if len(batch) == 0 {
				break
			}
			if err := t.rewrap(ctx, pool, keys, batch); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			after, done = batch[len(batch)-1].owner, done+int64(len(batch))
			progress(t.Name, done, max(done, counted.Older))
		}
	}
	return nil
}

// key is one stored key with whose it is.
type key struct {
	owner   string
	wrapped []byte
}

const beforeAll = "00000000-0000-0000-0000-000000000000"

// sql writes a statement: the table's name is its first argument, the owner's column the second, the key's the third.
func (t Table) sql(format string) string { return fmt.Sprintf(format, t.Name, t.Owner, t.Key) }

// count counts a table's keys, and those that the newest key of the file has not wrapped.
func (t Table) count(ctx context.Context, pool *pgxpool.Pool, prefix []byte) (Count, error) {
	counted := Count{Name: t.Name}
	err := pool.QueryRow(ctx, t.sql(`select count(*), count(*) filter (where substr(%[3]s, 1, length($1::bytea)) <> $1)
		from %[1]s where length(%[3]s) > 0`), prefix).Scan(&counted.Keys, &counted.Older)
	return counted, err
}

// sample reads the first and the last key of a table.
func (t Table) sample(ctx context.Context, pool *pgxpool.Pool) ([]key, error) {
	rows, err := pool.Query(ctx, t.sql(`
		(select %[2]s::text, %[3]s from %[1]s where length(%[3]s) > 0 order by %[2]s limit 1) union all
		(select %[2]s::text, %[3]s from %[1]s where length(%[3]s) > 0 order by %[2]s desc limit 1)`))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// older reads the next keys of a table that the newest key of the file has not wrapped.
func (t Table) older(ctx context.Context, pool *pgxpool.Pool, prefix []byte, after string) ([]key, error) {
	rows, err := pool.Query(ctx, t.sql(`select %[2]s::text, %[3]s from %[1]s where length(%[3]s) > 0
		and substr(%[3]s, 1, length($1::bytea)) <> $1 and %[2]s > $2::uuid order by %[2]s limit $3`), prefix, after,
		AtOnce)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// rewrap stores keys wrapped again, each in the place of the one it was made of and of no other.
func (t Table) rewrap(ctx context.Context, pool *pgxpool.Pool, keys *vault.Vault, batch []key) error {
	owners, before, fresh := make([]string, len(batch)), make([][]byte, len(batch)), make([][]byte, len(batch))
	for i, one := range batch {
		var err error
		owners[i], before[i] = one.owner, one.wrapped
		if fresh[i], err = keys.Rewrap(one.owner, one.wrapped); err != nil {
			return err
		}
	}
	_, err := pool.Exec(ctx, t.sql(`update %[1]s k set %[3]s = t.fresh
		from unnest($1::uuid[], $2::bytea[], $3::bytea[]) as t(owner, old, fresh)
		where k.%[2]s = t.owner and k.%[3]s = t.old`), owners, before, fresh)
	return err
}

func scan(row pgx.CollectableRow) (one key, err error) {
	err = row.Scan(&one.owner, &one.wrapped)
	return one, err
}
