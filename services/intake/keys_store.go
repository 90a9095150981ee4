package intake

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/vault"
)

// KeysAtOnce is how many wrapped keys a batch of Rewrap holds.
const KeysAtOnce = 500

// KeyTable is one table of wrapped keys, as it stands against a vault.
type KeyTable struct {
	Name  string
	Keys  int64 // wrapped keys
	Older int64 // of them, those that an older KEK wraps
}

// keyTables hold all wrapped keys that there are.
var keyTables = []string{"person_key", "message_key"}

// CheckKeys says whether this key file is the one that the stored keys were wrapped with, by unwrapping the first and
// the last of each table, and how many are still wrapped under an older KEK. The error says which table another file
// was used for.
func CheckKeys(ctx context.Context, pool *pgxpool.Pool, keys *vault.Vault) ([]KeyTable, error) {
	var tables []KeyTable
	for _, table := range keyTables {
		counted, err := countKeys(ctx, pool, table, keys.Prefix())
		if err != nil {
			return nil, fmt.Errorf("counting %s: %w", table, err)
		}
		samples, err := sampleKeys(ctx, pool, table)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", table, err)
		}
		for _, one := range samples {
			if _, err := keys.Unwrap(one.owner, one.wrapped); err != nil {
				return nil, fmt.Errorf("the keys in %s were wrapped with another key file than this one: give back "+
					"the one that they were made with", table)
			}
		}
		tables = append(tables, counted)
	}
	return tables, nil
}

// Rewrap wraps all stored keys that an older KEK wraps under the newest of the file, in batches, and tells progress
// after each. Services may run meanwhile: a key that was erased stays erased. It may be broken off and run again.
func Rewrap(ctx context.Context, pool *pgxpool.Pool, keys *vault.Vault,
	progress func(table string, done, of int64)) error {
	for _, table := range keyTables {
		counted, err := countKeys(ctx, pool, table, keys.Prefix())
		if err != nil {
			return fmt.Errorf("counting %s: %w", table, err)
		}
		progress(table, 0, counted.Older)
		for after, done := beforeAllKeys, int64(0); ; {
			batch, err := olderKeys(ctx, pool, table, keys.Prefix(), after, KeysAtOnce)
			if err != nil {
				return fmt.Errorf("reading %s: %w", table, err)
			}
			if len(batch) == 0 {
				break
			}
			if err := rewrapBatch(ctx, pool, keys, table, batch); err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
			after, done = batch[len(batch)-1].owner, done+int64(len(batch))
			progress(table, done, max(done, counted.Older))
		}
	}
	return nil
}

func rewrapBatch(ctx context.Context, pool *pgxpool.Pool, keys *vault.Vault, table string, batch []wrappedKey) error {
	fresh := make([][]byte, len(batch))
	for i, one := range batch {
		var err error
		if fresh[i], err = keys.Rewrap(one.owner, one.wrapped); err != nil {
			return err
		}
	}
	return replaceKeys(ctx, pool, table, batch, fresh)
}

// wrappedKey is one stored key with whose it is.
type wrappedKey struct {
	owner   string
	wrapped []byte
}

// keyQueries are the statements about one table of wrapped keys: $1 is the prefix of the newest KEK.
type keyQueries struct{ count, sample, older, replace string }

var keyQueriesOf = map[string]keyQueries{
	"person_key": {
		count: `select count(*), count(*) filter (where substr(wrapped, 1, length($1::bytea)) <> $1) from person_key`,
		sample: `(select person::text, wrapped from person_key order by person limit 1)
			union all (select person::text, wrapped from person_key order by person desc limit 1)`,
		older: `select person::text, wrapped from person_key
			where substr(wrapped, 1, length($1::bytea)) <> $1 and person > $2::uuid order by person limit $3`,
		replace: `update person_key k set wrapped = t.fresh
			from unnest($1::uuid[], $2::bytea[], $3::bytea[]) as t(owner, old, fresh)
			where k.person = t.owner and k.wrapped = t.old`,
	},
	"message_key": {
		count: `select count(*), count(*) filter (where substr(wrapped, 1, length($1::bytea)) <> $1) from message_key`,
		sample: `(select message::text, wrapped from message_key order by message limit 1)
			union all (select message::text, wrapped from message_key order by message desc limit 1)`,
		older: `select message::text, wrapped from message_key
			where substr(wrapped, 1, length($1::bytea)) <> $1 and message > $2::uuid order by message limit $3`,
		replace: `update message_key k set wrapped = t.fresh
			from unnest($1::uuid[], $2::bytea[], $3::bytea[]) as t(owner, old, fresh)
			where k.message = t.owner and k.wrapped = t.old`,
	},
}

const beforeAllKeys = "00000000-0000-0000-0000-000000000000"

// countKeys counts a table's keys, and those that the newest KEK has not wrapped.
func countKeys(ctx context.Context, pool *pgxpool.Pool, table string, prefix []byte) (KeyTable, error) {
	counted := KeyTable{Name: table}
	err := pool.QueryRow(ctx, keyQueriesOf[table].count, prefix).Scan(&counted.Keys, &counted.Older)
	return counted, err
}

// sampleKeys reads the first and the last key of a table.
func sampleKeys(ctx context.Context, pool *pgxpool.Pool, table string) ([]wrappedKey, error) {
	rows, err := pool.Query(ctx, keyQueriesOf[table].sample)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanKey)
}

// olderKeys reads the next keys of a table that the newest KEK has not wrapped.
func olderKeys(ctx context.Context, pool *pgxpool.Pool, table string, prefix []byte, after string,
	limit int) ([]wrappedKey, error) {
	rows, err := pool.Query(ctx, keyQueriesOf[table].older, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanKey)
}

// replaceKeys stores keys wrapped again, each in the place of the one it was made of and of no other.
func replaceKeys(ctx context.Context, pool *pgxpool.Pool, table string, old []wrappedKey, fresh [][]byte) error {
	owners, before := make([]string, len(old)), make([][]byte, len(old))
	for i, one := range old {
		owners[i], before[i] = one.owner, one.wrapped
	}
	_, err := pool.Exec(ctx, keyQueriesOf[table].replace, owners, before, fresh)
	return err
}

func scanKey(row pgx.CollectableRow) (key wrappedKey, err error) {
	err = row.Scan(&key.owner, &key.wrapped)
	return key, err
}
