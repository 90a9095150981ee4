package intake

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Findable reads by which visit number the sending hospital finds the person of each of these journeys in its own
// record; empty where no visit had one. Journeys are left out of whose person anything was erased, who died or may
// have, or whom nobody may contact: by any record that is said to be theirs, whatever other services have heard of it
// yet.
func Findable(ctx context.Context, pool *pgxpool.Pool, journeys []string) (map[string]string, error) {
	rows, err := pool.Query(ctx, `select j.id::text, coalesce((select v.number from visit v where v.journey = j.id
			and not v.withdrawn and v.number not like '~%' order by v.raised_at desc, v.id desc limit 1), '')
		from journey j join person p on p.id = j.person
		where j.id = any($1::uuid[]) and j.state = 'open' and not exists (
			select from person q left join contact_stop c on c.person = q.id left join erasure e on e.person = q.id
			where (q.id = coalesce(p.survivor, p.id) or q.survivor = coalesce(p.survivor, p.id))
				and (q.deceased or c.person is not null or e.person is not null))`, journeys)
	if err != nil {
		return nil, fmt.Errorf("reading whom a hospital can find: %w", err)
	}
	found := map[string]string{}
	var journey, number string
	if _, err := pgx.ForEachRow(rows, []any{&journey, &number}, func() error {
		found[journey] = number
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading whom a hospital can find: %w", err)
	}
	return found, nil
}
