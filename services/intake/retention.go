package intake

import (
	"time"
)

// minReceipts is the shortest that receipts may be kept: senders resend what they think unanswered after weeks away,
// and late coding finds its visit for as long.
const minReceipts = 60 * 24 * time.Hour
