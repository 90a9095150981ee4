package delivery

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
)

// subscription is an endpoint of a partner.
type subscription struct {
	ID, Partner, URL string
	Types, Areas     []string
	State, Because   string
	Key              []byte // wrapped; secret and former are sealed under it
	Secret, Former   []byte
	FormerUntil      *time.Time
	Taken            int64
	Failures         int
	Slow             bool
	FailingAt        *time.Time
	NextAt           time.Time
	CreatedAt        time.Time
	Version          int64
}

const subscriptionColumns = `select id::text, partner::text, url, types, areas, state, because, secret, former,
	former_until,
	taken, failures, slow, failing_at,
	next_at, created_at, version, key from subscription`

func scanSubscription(row pgx.CollectableRow) (s subscription, err error) {
	if err = row.Scan(&s.ID, &s.Partner, &s.URL, &s.Types, &s.Areas, &s.State, &s.Because, &s.Secret, &s.Former,
		&s.FormerUntil,
		&s.Taken, &s.Failures, &s.Slow,
		&s.FailingAt, &s.NextAt, &s.CreatedAt, &s.Version, &s.Key); err != nil {
		return s, fmt.Errorf("reading a subscription: %w", err)
	}
	return s, nil
}

func collectSubscriptions(each func(subscription)) func(rows pgx.Rows) error {
	return func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scanSubscription)
		for _, s := range all {
			each(s)
		}
		return err
	}
}

// addSubscription queues a new endpoint of the asking partner. It gets what comes after a position.
func addSubscription(q flow.Queuer, who principal.Principal, s subscription) {
	q.Queue(`insert into subscription (id, partner, url, types, state, because, secret, taken, next_at, created_at,
			key, areas)
		values ($1::text::uuid, $2::text::uuid, $3, $4, $5, '', $6, $7, $8, $8, $9, $10)`, s.ID, who.Organisation,
		s.URL,
		s.Types, s.State, s.Secret, s.Taken, s.CreatedAt, s.Key, s.Areas)
}

// subscriptionsOf queues the endpoints of the asking partner, those that have ended left out.
func subscriptionsOf(q flow.Queuer, who principal.Principal, each func(subscription)) {
	q.Queue(subscriptionColumns+` where partner::text = $1 and state <> 'ended' order by id limit $2`, who.Organisation,
		mostSubscriptions+1).
		Query(collectSubscriptions(each))
}

// lockSubscription queues the locking of one endpoint of the asking partner.
func lockSubscription(q flow.Queuer, who principal.Principal, id string, each func(subscription)) {
	q.Queue(subscriptionColumns+
		` where id = $1::text::uuid and partner::text = $2 and state <> 'ended' for no key update`, id,
		who.Organisation).
		Query(collectSubscriptions(each))
}

// saveSubscription queues an endpoint as it stands now.
func saveSubscription(q flow.Queuer, s subscription) {
	q.Queue(`update subscription set state = $2, because = $3, secret = $4, former = $5, former_until = $6, taken = $7,
		failures = $8, slow = $9, failing_at = $10,
		next_at = $11, key = $12, version = version + 1 where id = $1::text::uuid`, s.ID, s.State, s.Because,
		s.Secret, s.Former, s.FormerUntil, s.Taken, s.Failures, s.Slow, s.FailingAt, s.NextAt, s.Key)
}

// againFrom queues that an endpoint gets again what was taken into outgoing after a position: all of it, or what was
// given up or waits alone.
func againFrom(q flow.Queuer, who principal.Principal, id string, after int64, all bool, now time.Time, count *int64) {
	q.Queue(`update outgoing set state = 'waiting', due_at = $4, tries = 0, leased = null, ended_at = null, first_at =
		$4
		where subscription = $1::text::uuid and partner::text = $2 and position > $3 and ($5
		or state in ('waiting', 'given-up')) and state <> 'withheld'`,
		id, who.Organisation, after, now, all).Exec(affected(count))
}

// againOne queues that an endpoint gets one event again.
func againOne(q flow.Queuer, who principal.Principal, id, event string, now time.Time, count *int64) {
	q.Queue(`update outgoing set state = 'waiting', due_at = $4, tries = 0, leased = null, ended_at = null, first_at =
		$4
		where subscription = $1::text::uuid and partner::text = $2 and event = $3::text::uuid and state <> 'withheld'`,
		id, who.Organisation, event, now).
		Exec(affected(count))
}

// positionAt queues the position of the asking partner's log before the first event at or after a time.
func positionAt(q flow.Queuer, who principal.Principal, at time.Time, into *int64) {
	q.Queue(`select coalesce((select min(position) - 1 from partner_event where partner = $1::text::uuid and at >= $2),
		(select last from partner where id::text = $1), 0)`, who.Organisation,
		at).QueryRow(func(row pgx.Row) error { return row.Scan(into) })
}

// attemptRow is one attempt to bring an event to an endpoint.
type attemptRow struct {
	ID      string     `json:"id"`
	Event   string     `json:"event"`
	Number  int        `json:"number"`
	At      time.Time  `json:"at"`
	EndedAt *time.Time `json:"endedAt,omitempty"`
	Status  int        `json:"status,omitempty"`
	Outcome string     `json:"outcome,omitempty"`
}

// attemptsOf queues the attempts at an endpoint of the asking partner, the newest first, before an id.
func attemptsOf(q flow.Queuer, who principal.Principal, id, before string, limit int, each func(attemptRow)) {
	q.Queue(`select a.id::text, a.event::text, a.number, a.at, a.ended_at, a.status, a.outcome from attempt a
		join subscription s on s.id = a.subscription
		where s.id = $1::text::uuid and s.partner::text = $2 and a.id < $3::text::uuid order by a.id desc limit $4`, id,
		who.Organisation, before, limit).
		Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[attemptRow])
			for _, one := range all {
				each(one)
			}
			return err
		})
}
