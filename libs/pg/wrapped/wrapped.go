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
