package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/operations"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
)

// mostEndpoints is how many endpoints are named one by one, those that fail first.
const mostEndpoints = 100

// Figures are the operators' figures of what goes to partners. Which organisations a partner has an agreement with is
// followup's to know: everybody who may ask sees each, by its opaque id. brokered are the partners that take their
// events from the broker.
func Figures(pool *pgxpool.Pool, brokered []string) operations.More {
	return func(ctx context.Context, _ principal.Principal, now time.Time) ([]operations.Reading, error) {
		failing := operations.Reading{Name: operations.EndpointsFailing}
		waiting := operations.Reading{Name: operations.DeliveriesWaiting}
		stopped := operations.Reading{Name: operations.MailStopped}
		mails := operations.Reading{Name: operations.MailWaiting}
		lost := operations.Reading{Name: operations.MailFailed}
		batch := &pgx.Batch{}
		batch.Queue(endpointLines, mostEndpoints).Query(endpointsInto(&failing, &waiting))
		batch.Queue(`select since, because from mail_channel`).QueryRow(func(row pgx.Row) error {
			err := row.Scan(&stopped.Since, &stopped.Why)
			if stopped.Since != nil {
				stopped.Value = max(1, now.Sub(*stopped.Since).Seconds())
			}
			return err
		})
		batch.Queue(`select count(*), min(first_at) from mail where state = 'waiting'`).QueryRow(
			func(row pgx.Row) error { return row.Scan(&mails.Value, &mails.Since) })
		batch.Queue(`select partner::text, state, count(*), max(ended_at) from mail where id >= $1::text::uuid
			and state in ('refused', 'returned', 'given-up') group by 1, 2 order by 1, 2`,
			pg.UUIDFloor(now.AddDate(0, 0, -7))).Query(mailLinesInto(&lost))
		texts := operations.Reading{Name: operations.TextsWaiting}
		late := operations.Reading{Name: operations.TextsLate}
		batch.Queue(`select count(*), min(coalesce(failing_at, due_at)) filter (where failing_at is not null
			or due_at < $1) from text where state = 'waiting'`, now).QueryRow(func(row pgx.Row) error {
			err := row.Scan(&texts.Value, &late.Since)
			late.Value = operations.SecondsSince(late.Since, now)
			return err
		})
		behind := operations.Reading{Name: operations.BrokerBehind}
		batch.Queue(brokerLines, brokered).Query(brokerLinesInto(&behind, now))
		if err := pool.SendBatch(ctx, batch).Close(); err != nil {
			return nil, fmt.Errorf("reading figures of deliveries: %w", err)
		}
		return []operations.Reading{failing, waiting, stopped, mails, lost, texts, late, behind}, nil
	}
}

const endpointLines = `select s.id::text, s.partner::text, s.state, s.because, s.failing_at,
		(select count(*) from outgoing o where o.subscription = s.id and o.state = 'waiting')
	from subscription s where s.state <> 'ended'
	order by (s.state = 'off' or s.failing_at is not null) desc, s.failing_at, s.id limit $1`

func endpointsInto(failing, waiting *operations.Reading) func(rows pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var line operations.Line
		var endpoint string
		_, err := pgx.ForEachRow(rows, []any{&endpoint, &line.ID, &line.What, &line.Why, &line.Since, &line.Count},
			func() error {
				one := line
				waiting.Value += float64(one.Count)
				if one.Amiss = one.What == off || one.Since != nil; one.Amiss {
					failing.Value++
					if one.Since != nil && (failing.Since == nil || one.Since.Before(*failing.Since)) {
						failing.Since = one.Since
					}
				}
				failing.Lines = append(failing.Lines, one)
				return nil
			})
		return err
	}
}

func mailLinesInto(lost *operations.Reading) func(rows pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var line operations.Line
		_, err := pgx.ForEachRow(rows, []any{&line.ID, &line.What, &line.Count, &line.Since}, func() error {
			one := line
			one.Amiss = true
			lost.Value += float64(one.Count)
			lost.Lines = append(lost.Lines, one)
			return nil
		})
		return err
	}
}

// brokerLines is when the first event of each partner was logged that is not on the broker.
const brokerLines = `select p.id::text, first.at from unnest($1::text[]) as p(id) cross join lateral (
		select e.at from partner_event e where e.partner = p.id::uuid and e.position > coalesce(
			(select taken from broker_cursor c where c.partner = p.id::uuid), 0)
		order by e.position limit 1) as first order by 2, 1`

func brokerLinesInto(behind *operations.Reading, now time.Time) func(rows pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var partner string
		var since time.Time
		_, err := pgx.ForEachRow(rows, []any{&partner, &since}, func() error {
			at := since
			if behind.Since == nil {
				behind.Since, behind.Value = &at, operations.SecondsSince(&at, now)
			}
			behind.Lines = append(behind.Lines, operations.Line{ID: partner, Since: &at, Amiss: true})
			return nil
		})
		return err
	}
}
