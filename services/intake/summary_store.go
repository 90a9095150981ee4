package intake

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
)

// fieldSummary binds a sealed summary to its journey.
const fieldSummary = "summary/"

// loadSummary reads the summary of a locked person's journey.
func (sub *subjectOf) loadSummary(tx *flow.Tx, _ principal.Principal) (found summaryOf, err error) {
	var sealed []byte
	tx.Queue(`select sealed, version, released from summary where journey = $1::uuid and person = $2::uuid`,
		sub.Journey, sub.Person).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&sealed, &found.version, &found.Released}, func() error { return nil })
			return err
		})
	if err = tx.Flush(); err != nil || found.version == 0 {
		return found, err
	}
	return found, openJSON(sub.key, fieldSummary+sub.Journey, sealed, &found.Words)
}

// storeSummary queues the summary of a locked person's journey, sealed.
func storeSummary(q queuer, who principal.Principal, sub *subjectOf, kept summaryOf, now time.Time) error {
	sealed, err := sealJSON(sub.key, fieldSummary+sub.Journey, kept.Words)
	if err != nil {
		return errors.Join(errors.New("sealing a summary"), err)
	}
	q.Queue(`insert into summary (journey, person, sealed, version, released, recorded_by, changed_at)
		values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (journey) do update set person = excluded.person, sealed = excluded.sealed, version =
		excluded.version, released = excluded.released,
			recorded_by = excluded.recorded_by, changed_at = excluded.changed_at`,
		sub.Journey, sub.Person, sealed, kept.version, append([]string{}, kept.Released...), recordedBy(who), now)
	return nil
}
