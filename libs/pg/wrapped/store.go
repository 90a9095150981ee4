package wrapped

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/vault"
)

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
