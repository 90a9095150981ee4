package intake

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/services/intake/record"
)

// mostOfVisit is how many messages of one visit are shown, the newest of them.
const mostOfVisit = 200

// messagesOfVisit reads the messages of a visit that the principal may see, the oldest first.
func messagesOfVisit(tx *flow.Tx, who principal.Principal, visit string) (lines []LedgerLine, err error) {
	if visit == "" {
		return nil, nil
	}
	tx.Queue(`select * from (select `+ledgerColumns+` from message m where m.visit = $1::uuid
		and ($2 or owner_of(m.organisation) = any($3)) order by m.id desc limit $4) newest order by 1`,
		visit, scopeOf(who).All, scopeOf(who).Organisations, mostOfVisit).
		Query(func(rows pgx.Rows) error {
			var l LedgerLine
			_, err := pgx.ForEachRow(rows, l.into(), func() error {
				l.explain()
				lines = append(lines, l)
				l = LedgerLine{}
				return nil
			})
			return err
		})
	return lines, tx.Flush()
}

// visitsOfNumber finds the visits of a number, and those that they were joined to.
func visitsOfNumber(tx *flow.Tx, who principal.Principal, number string) (ids []string, err error) {
	tx.Queue(`select distinct found::text from visit v left join visit o on o.organisation = v.organisation
			and o.number = v.joined_to, unnest(array[v.id, o.id]) as found
		where v.number = $1 and found is not null and ($2 or owner_of(v.organisation) = any($3))
		order by 1 limit 20`, number, scopeOf(who).All, scopeOf(who).Organisations).
		Query(func(rows pgx.Rows) error {
			ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	return ids, tx.Flush()
}

// beforeAtOnce is how many messages of a visit are read at once for a dry run.
const beforeAtOnce = 20

// rawBefore opens the messages of HL7 v2 of a message's visit that came before it, the oldest first, a few at a time
// and under no lock: what arrives meanwhile waits for nobody's dry run. What has been erased meanwhile is left out.
func (s *Service) rawBefore(ctx context.Context, who principal.Principal, held *quarantinedMessage) (before [][]byte,
	err error) {
	after := clock.LowestID
	for read := 0; held.Visit != "" && read < mostOfVisit; read += beforeAtOnce {
		rows, err := s.pool.Query(ctx, `select m.id::text, m.raw, k.wrapped from message m
			join message_key k on k.message = m.id
			where m.visit = $1::uuid and m.id < $2::uuid and m.id > $7::uuid and m.door = $3 and m.raw is not null
				and ($4 or owner_of(m.organisation) = any($5)) order by m.id limit $6`,
			held.Visit, held.ID, record.EndpointMLLP, scopeOf(who).All, scopeOf(who).Organisations, beforeAtOnce, after)
		if err != nil {
			return nil, fmt.Errorf("reading the messages of a visit: %w", err)
		}
		page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (one quarantinedMessage, err error) {
			return one, row.Scan(&one.ID, &one.raw, &one.wrapped)
		})
		if err != nil {
			return nil, fmt.Errorf("reading the messages of a visit: %w", err)
		}
		for i := range page {
			if raw, err := s.openRaw(&page[i]); err == nil {
				before = append(before, raw)
			}
		}
		if len(page) < beforeAtOnce {
			break
		}
		after = page[len(page)-1].ID
	}
	return before, nil
}
