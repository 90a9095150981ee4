package intake

import (
	"context"
	"errors"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/schemas"
)

// minReceipts is the shortest that receipts may be kept: senders resend what they think unanswered after weeks away,
// and late coding finds its visit for as long.
const minReceipts = 60 * 24 * time.Hour

// forgetAtOnce is how many receipts go in one transaction.
const forgetAtOnce = 5000

// forget drops what has been kept for its time: whole days of the ledger with the keys that open them, receipts, and
// the hours of feeds that no past reaches back to.
func (s *Service) forget(ctx context.Context, tx *flow.Tx, limit int) (int, error) {
	for _, table := range []string{"message", "message_key"} {
		if _, err := pg.DropDayPartitionsBefore(ctx, s.pool, table, pg.ByUUIDv7,
			tx.Now.Add(-s.keepLedger)); errors.Is(err, pg.ErrUnresolved) {
			s.log.Warn("old days of the ledger are kept: a human has not looked at all of their messages",
				schemas.AttrError, err)
		} else if err != nil {
			s.log.Error("old days of the ledger could not be dropped; trying again", schemas.AttrError, err,
				schemas.AttrRunbook, "rows-aside.md")
		}
	}
	var gone int
	forgetReceipts(tx, tx.Now.Add(-s.keepReceipts), limit, &gone)
	forgetFeeds(tx, tx.Now.Add(-2*feedMemory))
	return gone, tx.Flush()
}
