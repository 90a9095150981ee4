package delivery

import (
	"context"
	"crypto/sha256"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/written"
)

// A link lets whoever holds it answer one offer of one partner, without an account: what stands in the mail is a token,
// and its hash is all that is kept.

// tokenLength is 130 bits: nobody guesses one.
const tokenLength = 26

// mint makes a link to one offer for its partner, which opens until a time, and returns its token. It is to go into the
// mail and nowhere else. linkUntil says how long a link is of use.
func (s *Service) mint(tx *flow.Tx, offer, partner string, until time.Time) (token string) {
	token = written.NewCode(tokenLength)
	saveLink(tx, hashToken(token), offer, partner, tx.Now, until)
	return token
}

// keepLinks is for how long a link is kept that opens nothing any more. To its holder that makes no difference.
const keepLinks = 30 * 24 * time.Hour

// endLinks forgets links.
func (s *Service) endLinks(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	forgetLinks(tx, tx.Now.Add(-keepLinks), limit, func() { taken++ })
	return taken, tx.Flush()
}

// linkUntil is how long a link to an offer is of use: while the offer can be answered, late too, or its answer be taken
// back, which is until the end of its window's last day, in zone.
func linkUntil(o *Offer, zone *time.Location) (until time.Time, ok bool) {
	last, err := calendar.ParseDay(o.LastDay)
	if err != nil {
		return time.Time{}, false
	}
	return (last + 1).At(0, 0, zone), true
}

// hashToken is the hash under which a link is kept, however its token was read out or typed.
func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte("link " + written.Code(token)))
	return sum[:]
}
