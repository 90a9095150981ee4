package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"footbridge/libs/httpx"
)

// DoOnce is Do for a request that may be sent twice and is done once. do returns the status and the value, as JSON,
// that the request is answered with; both are kept with the key in the transaction of the effect. A repetition is
// answered from that for httpx.KeepIdempotency, and do is not called. Two equal requests at once: the second waits
// until the first has committed or rolled back.
//
// What is answered must hold nothing that the sender may not read seven days later, and no identity: answer with ids.
// The same key with another body is a 409 *httpx.Problem. An error of do is not kept: the request may be sent again.
// Without a key (nil) the request is done each time.
func (f *Flow) DoOnce(ctx context.Context, key *httpx.Idempotency,
	do func(tx *Tx) (status int, answer any, err error)) (answer httpx.Answer, err error) {
	err = f.Do(ctx, func(tx *Tx) error {
		before, err := tx.lockKey(key)
		if err != nil {
			return err
		}
		if before != nil {
			answer = *before
			return nil
		}
		status, value, err := do(tx)
		if err != nil {
			return err
		}
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("writing an answer: %w", err)
		}
		answer = httpx.Answer{Status: status, Body: text}
		tx.remember(key, answer)
		return nil
	})
	return answer, err
}

// lockKey begins a request. It returns the answer to an earlier one, or nil where this is the first.
func (tx *Tx) lockKey(key *httpx.Idempotency) (before *httpx.Answer, err error) {
	if key == nil {
		return nil, nil
	}
	first := false
	tx.Queue(`insert into idempotency (principal, route, key, body_hash, at) values ($1, $2, $3, $4, $5)
		on conflict (principal, route, key) do update
		set body_hash = excluded.body_hash, at = excluded.at, status = null, answer = null
		where idempotency.at < $6`, key.Principal, key.Route, key.Stored(), key.BodyMAC[:], tx.Now,
		tx.Now.Add(-httpx.KeepIdempotency)).
		Exec(func(tag pgconn.CommandTag) error {
			first = tag.RowsAffected() == 1
			return nil
		})
	if err := tx.Flush(); err != nil || first {
		return nil, err
	}
	// Another statement: only this one sees what the one above waited for.
	tx.Queue(`select body_hash, status, answer from idempotency where principal = $1 and route = $2 and key = $3`,
		key.Principal, key.Route, key.Stored()).QueryRow(func(row pgx.Row) error {
		before, err = answered(key, row)
		return err
	})
	return before, tx.Flush()
}

func answered(key *httpx.Idempotency, row pgx.Row) (*httpx.Answer, error) {
	var mac []byte
	var status *int
	before := httpx.Answer{Again: true}
	if err := row.Scan(&mac, &status, &before.Body); err != nil {
		return nil, fmt.Errorf("reading what was answered under an idempotency key: %w", err)
	}
	if err := key.Same(mac); err != nil {
		return nil, err
	}
	if status == nil {
		return nil, errors.New("reading what was answered under an idempotency key: it was committed without an answer")
	}
	before.Status = *status
	return &before, nil
}

func (tx *Tx) remember(key *httpx.Idempotency, answer httpx.Answer) {
	if key != nil {
		tx.Queue(`update idempotency set status = $4, answer = $5 where principal = $1 and route = $2 and key = $3`,
			key.Principal, key.Route, key.Stored(), answer.Status, answer.Body)
	}
}

// withForgetting adds the loop that deletes what DoOnce kept, when its time is over.
func withForgetting(due []Due) []Due {
	return append(slices.Clone(due), Due{Name: "requests-are-old", Every: time.Minute, Limit: 1000,
		Run: forgetRequests})
}

func forgetRequests(_ context.Context, tx *Tx, limit int) (forgotten int, err error) {
	tx.Queue(`delete from idempotency where ctid in (
		select ctid from idempotency where at < $1 order by at limit $2 for update skip locked)`,
		tx.Now.Add(-httpx.KeepIdempotency), limit).
		Exec(func(tag pgconn.CommandTag) error {
			forgotten = int(tag.RowsAffected())
			return nil
		})
	return forgotten, tx.Flush()
}
