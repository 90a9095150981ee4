package delivery

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
)

// saveTexts queues texts that are to go out, each once.
func saveTexts(q flow.Queuer, rows []textRow) {
	for _, t := range rows {
		var offer *string
		if t.Offer != "" {
			offer = &t.Offer
		}
		q.Queue(`insert into text (about, kind, id, journey, offer, partner, starts, state, due_at, last_at)
			values ($1::text::uuid, $2, $3::text::uuid, $4::text::uuid, $5::text::uuid, $6, $7, 'waiting', $8, $9)
			on conflict (about, kind) do nothing`,
			t.About, t.Kind, t.ID, t.Journey, offer, t.Partner, t.Starts, t.Due, t.Last)
	}
}

// dueTexts queues the texts that are due, locked.
func dueTexts(q flow.Queuer, now time.Time, limit int, aside []string, each func(textRow)) {
	q.Queue(`select about::text, kind, id::text, journey::text, coalesce(offer::text, ''), partner, starts, due_at,
			last_at from text where state = 'waiting' and due_at <= $1 and not id::text = any(coalesce($3::text[], '{}'))
		order by due_at, id limit $2 for no key update skip locked`, now, limit, aside).
		Query(func(rows pgx.Rows) error {
			var t textRow
			_, err := pgx.ForEachRow(rows, []any{&t.About, &t.Kind, &t.ID, &t.Journey, &t.Offer, &t.Partner, &t.Starts,
				&t.Due, &t.Last}, func() error { each(t); return nil })
			return err
		})
}

// endText queues the end of a text.
func endText(q flow.Queuer, id, state string, now time.Time) {
	q.Queue(`update text set state = $2, ended_at = $3, tries = tries + case when $2 = 'sent' then 1 else 0 end
		where id = $1::text::uuid and state = 'waiting'`, id, state, now)
}

// putOffText queues that a text goes later: because it may not go before, or because it was not taken, failing, since
// it first was not.
func putOffText(q flow.Queuer, id string, due time.Time, failing *time.Time) {
	q.Queue(`update text set due_at = $2, tries = tries + 1,
			failing_at = case when $3::timestamptz is null then null else coalesce(failing_at, $3) end
		where id = $1::text::uuid and state = 'waiting'`, id, due, failing)
}

// forgetTexts queues the end of the notes of texts that ended before a time.
func forgetTexts(q flow.Queuer, before time.Time, limit int, each func()) {
	q.Queue(`delete from text where id in (select id from text where ended_at < $1 order by ended_at limit $2)
		returning true`, before, limit).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{new(bool)}, func() error { each(); return nil })
			return err
		})
}
