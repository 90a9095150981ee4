package followup

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
)

// savePage queues that a partner is shown something of an offer; when it was first shown stays.
func savePage(q flow.Queuer, _ principal.Principal, offer string, p pageRead) {
	q.Queue(`insert into offer_page (offer, by, fields, at) values ($1::text::uuid, $2, $3, $4) on conflict do nothing`,
		offer, p.By, strings.Join(p.Fields, " "), p.At)
}

// pagesOf queues what could be read of a journey's offers, by offer, the first in front. Who may read it, the journey's
// row says.
func pagesOf(q flow.Queuer, _ principal.Principal, journey string, each func(offer string, p pageRead)) {
	q.Queue(`select p.offer::text, p.by, p.fields, p.at from offer_page p join offer o on o.id = p.offer
		where o.journey = $1::text::uuid order by p.at, p.by, p.fields`, journey).
		Query(func(rows pgx.Rows) error {
			var offer, fields string
			var p pageRead
			_, err := pgx.ForEachRow(rows, []any{&offer, &p.By, &fields, &p.At}, func() error {
				p.Fields = strings.Fields(fields)
				each(offer, p)
				return nil
			})
			return err
		})
}
