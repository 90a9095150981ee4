package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/vault"
	"footbridge/services/intake/record"
)

// waiting lists messages that were quarantined and wait for somebody, by the time promised, that the principal may see.
func (s *Service) waiting(ctx context.Context, who principal.Principal, page httpx.Page) ([]LedgerLine, error) {
	after := []any{nil, nil}
	if len(page.After) == 2 {
		due, err := time.Parse(time.RFC3339Nano, page.After[0])
		if err != nil || !clock.IsID(page.After[1]) {
			return nil, httpx.NewProblem(http.StatusBadRequest, "The cursor is not one of this list. Take it from "+
				"next of the page before, or leave it out to begin anew.")
		}
		after = []any{due, page.After[1]}
	}
	rows, err := s.pool.Query(ctx, `select `+ledgerColumns+` from message m
		where m.outcome = 'quarantined' and m.due_at is not null and m.settled_at is null and ($1 or owner_of(m.organisation) = any($2))
			and ($3::timestamptz is null or (m.due_at, m.id) > ($3::timestamptz, $4::uuid))
		order by m.due_at, m.id limit $5`, scopeOf(who).All, scopeOf(who).Organisations, after[0], after[1],
		page.Limit+1)
	if err != nil {
		return nil, fmt.Errorf("listing messages that wait: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l LedgerLine, err error) {
		return l, row.Scan(l.into()...)
	})
}

// subjectOfMessage reads whom a message is about, if the principal may see the message; nil where that is not known.
func (s *Service) subjectOfMessage(tx *flow.Tx, who principal.Principal, message string) (*subjectOf, error) {
	var sub *subjectOf
	var wrapped, identity []byte
	tx.Queue(`select p.id::text, k.wrapped, p.identity, not is_placed(m.organisation) from message m left join visit v
		on v.id = m.visit
			join person p on p.id = coalesce(v.person, m.person) left join person_key k on k.person = p.id
			where m.id = $1::uuid and ($2 or owner_of(m.organisation) = any($3))`,
		message, scopeOf(who).All, scopeOf(who).Organisations).
		Query(func(rows pgx.Rows) error {
			var found subjectOf
			_, err := pgx.ForEachRow(rows, []any{&found.Person, &wrapped, &identity, &found.unplaced}, func() error {
				wrapped, identity, sub = slices.Clone(wrapped), slices.Clone(identity), &found
				return nil
			})
			return err
		})
	if err := tx.Flush(); err != nil || sub == nil {
		return nil, err
	}
	key, err := s.vault.Unwrap(sub.Person, wrapped)
	if errors.Is(err, vault.ErrErased) {
		sub.erased = true
		return sub, nil
	}
	if err != nil {
		return nil, err
	}
	sub.key, sub.group = key, record.Group{Own: sub.Person}
	if len(identity) > 0 {
		err = openJSON(key, fieldIdentity, identity, &sub.identity)
	}
	return sub, err
}
