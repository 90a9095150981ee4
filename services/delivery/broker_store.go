package delivery

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
)

// brokerCursor is how far a partner's log has come on the broker.
type brokerCursor struct {
	Partner                     string
	Marked, Taken, Acknowledged int64
	Made, PublishedAt           *time.Time
}

// lockBroker queues the cursor of a partner, made where there is none, unless another replica is at it.
func lockBroker(q flow.Queuer, partner string, each func(brokerCursor)) {
	q.Queue(`insert into broker_cursor (partner) values ($1::text::uuid) on conflict do nothing`, partner)
	q.Queue(`select partner::text, marked, taken, acknowledged, made, published_at from broker_cursor
		where partner = $1::text::uuid for update skip locked`, partner).
		Query(func(rows pgx.Rows) error {
			var c brokerCursor
			_, err := pgx.ForEachRow(rows, []any{&c.Partner, &c.Marked, &c.Taken, &c.Acknowledged, &c.Made,
				&c.PublishedAt}, func() error { each(c); return nil })
			return err
		})
}

// saveBroker queues where a partner's cursor stands now.
func saveBroker(q flow.Queuer, c brokerCursor) {
	q.Queue(`update broker_cursor set marked = $2, taken = $3, acknowledged = $4, made = $5, published_at = $6
		where partner = $1::text::uuid`, c.Partner, c.Marked, c.Taken, c.Acknowledged, c.Made, c.PublishedAt)
}

// toPublish queues what is given out of a partner's log and not on the broker, in order.
func toPublish(q flow.Queuer, c brokerCursor, limit int, each func(logged)) {
	q.Queue(`select position, id::text, type, body from partner_event where partner = $1::text::uuid
		and position > $2 and position <= $3 order by position limit $4`, c.Partner, c.Taken, c.Marked, limit).
		Query(func(rows pgx.Rows) error {
			var l logged
			_, err := pgx.ForEachRow(rows, []any{&l.Position, &l.ID, &l.Type, &l.Body}, func() error {
				each(logged{l.Position, l.ID, l.Type, append([]byte{}, l.Body...)})
				return nil
			})
			return err
		})
}

// markNext queues that the next events of a partner's log are given out: from then on each keeps its bytes.
func markNext(q flow.Queuer, partner string, after int64, limit int, now time.Time, last *int64) {
	q.Queue(`with next as materialized (
			select id, position from partner_event where partner = $1::text::uuid and position > $2 order by position
			limit $3 for no key update
		), given as (
			update partner_event e set given_at = $4 from next where e.id = next.id and e.given_at is null
		)
		select coalesce(max(position), $2) from next`, partner, after, limit, now).
		QueryRow(func(row pgx.Row) error { return row.Scan(last) })
}

// firstSince queues the position before the first event of a partner's log since a time.
func firstSince(q flow.Queuer, partner string, since time.Time, into *int64) {
	q.Queue(`select coalesce((select min(position) - 1 from partner_event where partner = $1::text::uuid and at > $2),
		(select last from partner where id = $1::text::uuid), 0)`, partner, since).
		QueryRow(func(row pgx.Row) error { return row.Scan(into) })
}

// saveGiven queues which sequences of the stream hold which positions.
func saveGiven(q flow.Queuer, partner string, seqs, positions []int64) {
	q.Queue(`insert into broker_given (partner, seq, position) select $1::text::uuid, seq, position
		from unnest($2::bigint[], $3::bigint[]) as t(seq, position) on conflict do nothing`, partner, seqs, positions)
}

// acknowledgedUpTo queues the position up to which a partner has acknowledged what the stream holds, and forgets how it
// was found.
func acknowledgedUpTo(q flow.Queuer, partner string, seq int64, each func(position int64)) {
	q.Queue(`with gone as (delete from broker_given where partner = $1::text::uuid and seq <= $2 returning position)
		select max(position) from gone`, partner, seq).
		QueryRow(func(row pgx.Row) error {
			var position *int64
			err := row.Scan(&position)
			if position != nil {
				each(*position)
			}
			return err
		})
}

// forgetGiven queues that nothing is known of what a stream holds that is gone.
func forgetGiven(q flow.Queuer, partner string) {
	q.Queue(`delete from broker_given where partner = $1::text::uuid`, partner)
}
